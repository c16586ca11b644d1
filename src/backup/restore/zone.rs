//! The time zone that a dump was made in, found by the times in it.
//!
//! COPY writes `timestamptz` values in the zone of the session, and pg_dump doesn't set it. To compare
//! text with text the same zone has to be set again, and the dump doesn't name it.

use std::collections::BTreeSet;

use postgres::Client;

use super::errors::server_message;

/// How many times are kept.
const KEPT: usize = 400;
/// How many rows of a table are looked at.
const ROWS: u32 = 200;

/// Times with a zone offset as they stand in the dump.
#[derive(Debug, Default)]
pub(super) struct Samples {
    times: BTreeSet<String>,
    rows: u32,
}

impl Samples {
    /// What follows are rows of another table.
    pub(super) fn next_table(&mut self) {
        self.rows = 0;
    }

    /// Looks at whole or cut rows.
    pub(super) fn add(&mut self, rows: &[u8]) {
        if self.rows >= ROWS || self.times.len() >= KEPT {
            return;
        }
        for row in rows.split(|&byte| byte == b'\n') {
            self.rows += 1;
            if self.rows > ROWS {
                return;
            }
            for field in row.split(|&byte| byte == b'\t').filter(|field| is_time_with_zone(field)) {
                if self.times.len() < KEPT
                    && let Ok(time) = std::str::from_utf8(field)
                {
                    self.times.insert(time.to_owned());
                }
            }
        }
    }

    /// The name of the zone in which the server writes most of the samples as the dump has them; none
    /// without samples.
    pub(super) fn find_zone(&self, client: &mut Client) -> Result<Option<String>, String> {
        if self.times.is_empty() {
            return Ok(None);
        }
        // Few enough to be tried in every zone, and from all over the set: zones differ in summer, and
        // in past decades.
        let step = self.times.len().div_ceil(60);
        let times: Vec<&str> = self.times.iter().step_by(step).map(String::as_str).collect();
        let said = |error: postgres::Error| server_message(&error);
        let zones: Vec<String> = client
            .query(
                "SELECT name FROM pg_catalog.pg_timezone_names WHERE name !~ '^posix' ORDER BY name <> 'UTC', name",
                &[],
            )
            .map_err(said)?
            .iter()
            .map(|row| row.get(0))
            .collect();
        let statement = client
            .prepare(
                "SELECT count(*) FROM pg_catalog.unnest($1::text[]) AS time
                  WHERE time::pg_catalog.timestamptz::text OPERATOR(pg_catalog.=) time",
            )
            .map_err(said)?;
        let mut best: Option<(i64, String)> = None;
        for zone in zones {
            if client.execute("SELECT pg_catalog.set_config('TimeZone', $1, false)", &[&zone]).is_err() {
                continue;
            }
            let count: i64 = client.query_one(&statement, &[&times]).map_err(said)?.get(0);
            if best.as_ref().is_none_or(|(most, _)| count > *most) {
                best = Some((count, zone));
            }
            if count as usize == times.len() {
                break;
            }
        }
        Ok(best.filter(|(count, _)| *count > 0).map(|(_, zone)| zone))
    }
}

/// Whether the field reads `2024-06-01 12:00:00.25+02`.
fn is_time_with_zone(field: &[u8]) -> bool {
    let shape = b"0000-00-00 00:00:00";
    if field.len() < shape.len() + 3 || field.len() > 40 {
        return false;
    }
    let (time, zone) = field.split_at(shape.len());
    let fits = time.iter().zip(shape).all(|(byte, like)| match like {
        b'0' => byte.is_ascii_digit(),
        _ => byte == like,
    });
    fits && zone.iter().all(|byte| byte.is_ascii_digit() || b".:+-".contains(byte))
        && zone.iter().any(|byte| b"+-".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_a_zone_are_found_in_rows() {
        let mut samples = Samples::default();
        samples.next_table();
        samples.add(
            b"1\t2024-06-01 12:00:00+02\tx\n2\t2024-01-01 12:00:00.25+01\t2024-01-01 12:00:00\n\\N\t\\N\t+\n",
        );
        let found: Vec<_> = samples.times.iter().map(String::as_str).collect();
        assert_eq!(found, ["2024-01-01 12:00:00.25+01", "2024-06-01 12:00:00+02"]);
    }
}
