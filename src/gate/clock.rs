//! When things were done and how long they took, as people and evidence have them. Times are kept in UTC; a [`Zone`] is
//! for showing them to people.

use std::str::FromStr;

use chrono::{DateTime, FixedOffset, Local, NaiveDate, NaiveDateTime, Offset, SubsecRound, TimeZone, Utc};
use serde::{Deserialize, Serialize};

/// An instant, to the second; written as `2026-11-23T20:00:00Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instant(pub DateTime<Utc>);

/// A day of the calendar; written as `2026-11-23`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Day(pub NaiveDate);

impl Instant {
    /// By the clock of this machine.
    pub fn now() -> Instant {
        Instant(DateTime::<Utc>::from(std::time::SystemTime::now()).trunc_subsecs(0))
    }

    /// So many seconds since 1970; the beginning of 1970 for what no calendar has.
    pub fn from_unix(seconds: i64) -> Instant {
        Instant(DateTime::from_timestamp(seconds, 0).unwrap_or_default())
    }

    /// Its day.
    pub fn day(self) -> Day {
        Day(self.0.date_naive())
    }

    /// Seconds from `earlier` to this; negative where this is the earlier one.
    pub fn since(self, earlier: Instant) -> i64 {
        self.0.signed_duration_since(earlier.0).num_seconds()
    }
}

impl std::fmt::Display for Instant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%dT%H:%M:%SZ"))
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Day, String> {
        text.parse().map(Day).map_err(|_| format!("`{text}` is no day: write 2026-12-01"))
    }
}

impl FromStr for Instant {
    type Err = String;

    /// Reads RFC 3339, and `2026-12-01 20:00` and `2026-12-01T20:00:00` as UTC.
    fn from_str(text: &str) -> Result<Instant, String> {
        Ok(match text.parse::<Start>()? {
            Start::Zoned(instant) => Instant(instant.with_timezone(&Utc)),
            Start::Local(naive) => Instant(naive.and_utc()),
        })
    }
}

/// A time zone by its offset from UTC; written as `UTC+09:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(pub FixedOffset);

impl Zone {
    /// That of this machine at that time, summer time included.
    pub fn here(at: Instant) -> Zone {
        Zone(Local.offset_from_utc_datetime(&at.0.naive_utc()).fix())
    }
}

impl Default for Zone {
    fn default() -> Zone {
        Zone(Utc.fix())
    }
}

impl std::fmt::Display for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.local_minus_utc() == 0 { f.write_str("UTC") } else { write!(f, "UTC{}", self.0) }
    }
}

/// When something begins, as people say it: with an offset, or by the clock on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// `2026-12-01T22:00+09:00`
    Zoned(DateTime<FixedOffset>),
    /// `2026-12-01 22:00`
    Local(NaiveDateTime),
}

impl Start {
    /// The instant, and the zone that it was said in: this machine's where none was named.
    pub fn settle(self) -> (Instant, Zone) {
        let zoned = match self {
            Start::Zoned(zoned) => zoned,
            // A time that summer time leaves out is read by the offset of standard time.
            Start::Local(naive) => {
                let offset = Local.offset_from_local_datetime(&naive).earliest();
                let offset = offset.unwrap_or_else(|| Local.offset_from_utc_datetime(&naive)).fix();
                let utc = naive - offset;
                DateTime::from_naive_utc_and_offset(utc, offset)
            }
        };
        (Instant(zoned.with_timezone(&Utc)), Zone(*zoned.offset()))
    }
}

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Start, String> {
        if let Ok(zoned) = DateTime::parse_from_rfc3339(text) {
            return Ok(Start::Zoned(zoned.trunc_subsecs(0)));
        }
        let naive = || {
            ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
                .into_iter()
                .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        };
        // RFC 3339 wants the seconds, people leave them out.
        let zoned = ["%Y-%m-%d %H:%M%#z", "%Y-%m-%d %H:%M %#z", "%Y-%m-%d %H:%M:%S %#z", "%Y-%m-%dT%H:%M%#z"]
            .into_iter()
            .find_map(|format| DateTime::parse_from_str(text, format).ok());
        zoned.map(Start::Zoned).or_else(|| naive().map(Start::Local)).ok_or_else(|| {
            format!(
                "`{text}` is no time: write 2026-12-01T20:00:00Z, 2026-12-01 20:00+01:00, or 2026-12-01 20:00"
            )
        })
    }
}

/// `3 d 4 h`, `2 h 5 min`, `4 min 10 s`, `12.3 s`, `45 ms`: a duration as people read it, in two units at most.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "unknown".to_owned();
    }
    let seconds = seconds.max(0.0);
    if seconds < 0.0005 {
        return "0 ms".to_owned();
    }
    if seconds < 0.9995 {
        return format!("{:.0} ms", (seconds * 1000.0).max(1.0));
    }
    if seconds < 59.95 {
        let tenths = (seconds * 10.0).round() / 10.0;
        return if tenths.fract() == 0.0 { format!("{tenths:.0} s") } else { format!("{tenths:.1} s") };
    }
    let whole = seconds.round() as u64;
    let (large, small) = match whole {
        0..3600 => ((whole / 60, "min"), (whole % 60, "s")),
        3600..86_400 => ((whole / 3600, "h"), (whole % 3600 / 60, "min")),
        _ => ((whole / 86_400, "d"), (whole % 86_400 / 3600, "h")),
    };
    if small.0 == 0 {
        format!("{} {}", large.0, large.1)
    } else {
        format!("{} {} {} {}", large.0, large.1, small.0, small.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_in_several_spellings() {
        let instant: Instant = "2026-11-23T22:50:01Z".parse().unwrap();
        assert_eq!(instant.to_string(), "2026-11-23T22:50:01Z");
        assert_eq!("2026-11-24T07:50:01.5+09:00".parse(), Ok(instant));
        assert_eq!("2026-11-23 22:50:01".parse(), Ok(instant));
        assert_eq!(instant.since("2026-11-23 22:50".parse().unwrap()), 1);
        assert_eq!(
            "2026-11-24 07:50 +09:00".parse::<Instant>().map(|at| at.to_string()),
            Ok("2026-11-23T22:50:00Z".into())
        );
        assert!("2026-11-23 25:00".parse::<Instant>().is_err());
        assert!("2026-02-29".parse::<Day>().is_err());
    }

    #[test]
    fn a_start_keeps_the_zone_that_it_was_said_in() {
        for (text, instant, zone) in [
            ("2026-12-01T22:00+09:00", "2026-12-01T13:00:00Z", "UTC+09:00"),
            ("2026-12-01 22:00 -03:30", "2026-12-02T01:30:00Z", "UTC-03:30"),
            ("2026-12-01T22:00:00Z", "2026-12-01T22:00:00Z", "UTC"),
        ] {
            let (at, in_zone) = text.parse::<Start>().unwrap().settle();
            assert_eq!((at.to_string().as_str(), in_zone.to_string().as_str()), (instant, zone), "{text}");
        }
        // By the clock of this machine, wherever it is.
        let (at, zone) = "2026-12-01 22:00".parse::<Start>().unwrap().settle();
        assert_eq!(at.0.with_timezone(&zone.0).format("%F %H:%M").to_string(), "2026-12-01 22:00");
        assert_eq!(zone, Zone::here(at));
    }

    #[test]
    fn durations_read_well() {
        let shown: Vec<String> =
            [0.0, 0.0004, 0.042, 0.9999, 5.0, 12.34, 59.99, 250.0, 7500.0, 273_600.0].map(duration).into();
        assert_eq!(
            shown,
            ["0 ms", "0 ms", "42 ms", "1 s", "5 s", "12.3 s", "1 min", "4 min 10 s", "2 h 5 min", "3 d 4 h"]
        );
    }
}
