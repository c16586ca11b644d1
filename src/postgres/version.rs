//! PostgreSQL versions: of a server, a program, a dump; and the majors that rollsafe lints for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The exact version of a server or a client program, ordered by age.
///
/// Kept as `server_version_num` has it: 150008 for 15.8, 90624 for 9.6.24 (manual, "Preset
/// Options"). Betas and development versions count as minor 0 of their major.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PgVersion(u32);

impl PgVersion {
    /// The version with this `server_version_num`.
    pub fn from_number(number: u32) -> Self {
        PgVersion(number)
    }

    /// `server_version_num`: 150008 for 15.8.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The major number: 15 for 15.8, and 9 for all of 9.0 to 9.6.
    pub fn major(self) -> u16 {
        (self.0 / 10_000) as u16
    }

    /// Whether the two share their data directory format and their grammar: 15.2 and 15.8 do, 9.5
    /// and 9.6 don't.
    pub fn is_same_major(self, other: PgVersion) -> bool {
        self.series() == other.series()
    }

    /// What grows with each major version, 9.x included.
    fn series(self) -> u32 {
        if self.0 >= 100_000 { self.0 / 10_000 * 100 } else { self.0 / 100 }
    }

    /// The first version number in `text`: `15.8 (Debian 15.8-0+deb12u1)`, `pg_restore (PostgreSQL)
    /// 17.10`, `18beta1`. None when there is none.
    pub fn find_in(text: &str) -> Option<PgVersion> {
        text.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ','))
            .find_map(|word| word.parse().ok())
    }
}

impl fmt::Display for PgVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= 100_000 {
            write!(f, "{}.{}", self.0 / 10_000, self.0 % 10_000)
        } else {
            write!(f, "{}.{}.{}", self.0 / 10_000, self.0 / 100 % 100, self.0 % 100)
        }
    }
}

/// Text that isn't a PostgreSQL version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a PostgreSQL version such as 15.8")]
pub struct NotAVersion(pub String);

impl FromStr for PgVersion {
    type Err = NotAVersion;

    /// Reads `15`, `15.8`, `9.6.24`, `18beta1`, `19devel`; what follows a blank is ignored.
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let wrong = || NotAVersion(text.chars().take(40).collect());
        let word = text.split_whitespace().next().ok_or_else(wrong)?;
        let numbers_end = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
        // `find` gives a character boundary.
        let (numbers, rest) = word.split_at(numbers_end);
        if !["", "devel", "alpha", "beta", "rc"]
            .contains(&rest.trim_end_matches(|c: char| c.is_ascii_digit()))
        {
            return Err(wrong());
        }
        let mut parts = [0u32; 3];
        let mut count = 0;
        for part in numbers.split('.') {
            let slot = parts.get_mut(count).ok_or_else(wrong)?;
            *slot = part.parse().map_err(|_| wrong())?;
            if *slot > 99 {
                return Err(wrong());
            }
            count += 1;
        }
        match (parts, count) {
            ([0, ..], _) => Err(wrong()),
            ([major, minor, 0], 1 | 2) if major >= 10 => Ok(PgVersion(major * 10_000 + minor)),
            ([major, minor, patch], _) if major < 10 => Ok(PgVersion(major * 10_000 + minor * 100 + patch)),
            _ => Err(wrong()),
        }
    }
}

impl Serialize for PgVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A major version that rollsafe knows the locks and the grammar of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Major(u16);

impl Major {
    /// The oldest one known.
    pub const OLDEST: Major = Major(12);
    /// The newest one known.
    pub const NEWEST: Major = Major(18);

    /// The major version `number`; none when it is outside 12 to 18.
    pub fn new(number: u16) -> Option<Major> {
        let major = Major(number);
        (Major::OLDEST..=Major::NEWEST).contains(&major).then_some(major)
    }

    /// All majors known, oldest first.
    pub fn all() -> impl DoubleEndedIterator<Item = Major> {
        (Major::OLDEST.0..=Major::NEWEST.0).map(Major)
    }

    /// The number: 15.
    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Major {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A version that rollsafe can't judge for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownMajor {
    /// Not a version at all.
    #[error("`{0}` is not a PostgreSQL major version: use {oldest} to {newest}", oldest = Major::OLDEST, newest = Major::NEWEST)]
    NotANumber(String),
    /// A version, but not one of those known.
    #[error("PostgreSQL {0} is not one that rollsafe knows: use {oldest} to {newest}", oldest = Major::OLDEST, newest = Major::NEWEST)]
    OutOfRange(PgVersion),
}

impl FromStr for Major {
    type Err = UnknownMajor;

    /// Reads `15`, and `15.8` for its major.
    fn from_str(text: &str) -> Result<Self, UnknownMajor> {
        let version: PgVersion = text.parse().map_err(|NotAVersion(text)| UnknownMajor::NotANumber(text))?;
        Major::new(version.major()).ok_or(UnknownMajor::OutOfRange(version))
    }
}

impl Serialize for Major {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.0)
    }
}

impl<'de> Deserialize<'de> for Major {
    /// A number or a string: configuration files have both.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a PostgreSQL major version such as 15")]
        enum Written {
            Number(u32),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_servers_and_programs_write_them() {
        for (text, number, shown) in [
            ("15.8", 150_008, "15.8"),
            ("15.8 (Debian 15.8-0+deb12u1)", 150_008, "15.8"),
            ("17", 170_000, "17.0"),
            ("18beta1", 180_000, "18.0"),
            ("19devel", 190_000, "19.0"),
            ("9.6.24", 90_624, "9.6.24"),
        ] {
            let version: PgVersion = text.parse().unwrap();
            assert_eq!(version.number(), number, "{text}");
            assert_eq!(version.to_string(), shown);
        }
        for text in ["", "x", "15.", "15.8.1", "1500", "0", "15x", "15.8.1.1", "-15"] {
            assert!(text.parse::<PgVersion>().is_err(), "{text} was read as a version");
        }
    }

    #[test]
    fn a_version_is_found_in_what_a_program_prints() {
        for text in ["postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)", "pg_restore (PostgreSQL) 15.8"] {
            assert_eq!(PgVersion::find_in(text).map(PgVersion::number), Some(150_008), "{text}");
        }
        assert_eq!(PgVersion::find_in("command not found"), None);
    }

    #[test]
    fn order_is_by_age_and_majors_before_ten_have_two_parts() {
        let version = |text: &str| text.parse::<PgVersion>().unwrap();
        assert!(version("9.6.24") < version("10.1"));
        assert!(version("15.10") > version("15.9"));
        assert!(version("15.2").is_same_major(version("15.8")));
        assert!(!version("9.5.2").is_same_major(version("9.6.2")));
    }

    #[test]
    fn majors_outside_the_known_range_are_refused_by_name() {
        assert_eq!("16".parse::<Major>().unwrap().number(), 16);
        assert_eq!("16.3".parse::<Major>().unwrap().number(), 16);
        assert_eq!(
            "11".parse::<Major>().unwrap_err().to_string(),
            "PostgreSQL 11.0 is not one that rollsafe knows: use 12 to 18"
        );
        assert!("newest".parse::<Major>().unwrap_err().to_string().contains("12 to 18"));
        assert_eq!(serde_json::from_str::<Major>("15").unwrap(), serde_json::from_str("\"15\"").unwrap());
        assert!(serde_json::from_str::<Major>("99").is_err());
        assert_eq!(Major::all().count(), 7);
    }
}
