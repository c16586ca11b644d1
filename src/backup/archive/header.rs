//! The header of an archive, and the primitives that header and table of contents are made of.
//!
//! After `ReadHead`, `ReadInt` and `ReadStr` of PostgreSQL's `pg_backup_archiver.c`.

use std::fmt;

use super::compression::Compression;
use super::input::{Cursor, Input, ReadError};

/// The version of the archive format; PostgreSQL calls it K_VERS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchiveVersion {
    /// Always 1.
    pub major: u8,
    /// 12 (PostgreSQL 9.0) to 16 (17 and 18).
    pub minor: u8,
    /// Always 0.
    pub revision: u8,
}

impl ArchiveVersion {
    /// The newest version read here.
    pub const NEWEST: ArchiveVersion = ArchiveVersion { major: 1, minor: 16, revision: 255 };
    /// The oldest version read here.
    pub const OLDEST: ArchiveVersion = ArchiveVersion { major: 1, minor: 12, revision: 0 };

    /// The releases whose pg_dump wrote it, in words.
    pub fn writers(self) -> &'static str {
        match self.minor {
            0..=9 => "pg_dump before 8.0",
            10 => "pg_dump 8.0 to 8.3",
            11 => "pg_dump 8.4",
            12 => "pg_dump 9.0 to 10",
            13 => "pg_dump 9.3 to 11",
            14 => "pg_dump 12 to 15",
            15 => "pg_dump 16",
            16 => "pg_dump 17 or 18",
            _ => "a pg_dump newer than 18",
        }
    }
}

impl fmt::Display for ArchiveVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A time of the clock on the machine that ran pg_dump; its zone isn't stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalTime {
    /// The year.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
}

impl LocalTime {
    /// Seconds since 1970 if the clock had shown UTC; up to 14 hours off.
    pub fn as_if_utc(self) -> i64 {
        // Days from the civil date, after the usual algorithm for the proleptic Gregorian calendar.
        let year = i64::from(self.year) - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let month = (i64::from(self.month) + 9) % 12;
        let of_year = (153 * month + 2) / 5 + i64::from(self.day) - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        days * 86_400 + i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second)
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LocalTime { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

impl fmt::Display for HeaderFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeaderFormat::Custom => f.write_str("1, custom"),
            HeaderFormat::Tar => f.write_str("3, tar or directory"),
            HeaderFormat::Other(number) => write!(f, "{number}, which pg_dump doesn't write"),
        }
    }
}

/// The format that an archive's header names. A directory's `toc.dat` says tar, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFormat {
    /// 1
    Custom,
    /// 3: tar, and the `toc.dat` of a directory
    Tar,
    /// Anything else; pg_dump writes none.
    Other(u8),
}

/// The header.
#[derive(Clone, Debug)]
pub struct Header {
    /// Version of the archive format.
    pub version: ArchiveVersion,
    /// Bytes of a number.
    pub int_size: u8,
    /// Bytes of a file offset.
    pub offset_size: u8,
    /// What kind of archive.
    pub format: HeaderFormat,
    /// How its data is compressed. A directory's files tell for themselves.
    pub compression: Compression,
    /// When pg_dump began; none when the fields are no time.
    pub created: Option<LocalTime>,
    /// The database's name.
    pub database: Option<Vec<u8>>,
    /// The server's version, as it calls itself.
    pub server_version: Option<Vec<u8>>,
    /// pg_dump's version, as it calls itself.
    pub pg_dump_version: Option<Vec<u8>>,
}

/// Why no header could be read.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// The bytes couldn't be had.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No archive.
    #[error("the file doesn't begin with PGDMP")]
    Magic,
    /// A version that isn't read here.
    #[error("archive version {0} is {1}; versions 1.12 to 1.16 are read")]
    Version(ArchiveVersion, &'static str),
    /// A field holds what pg_dump never writes.
    #[error("{field} holds {value} at byte {offset}")]
    Field {
        /// Which.
        field: &'static str,
        /// What it holds.
        value: String,
        /// Where.
        offset: u64,
    },
}

/// Reads the primitives at a cursor.
pub struct Primitives {
    /// Where it reads.
    pub cursor: Cursor,
    /// Bytes of a number, 4 wherever PostgreSQL runs.
    pub int_size: u8,
    /// Bytes of a file offset.
    pub offset_size: u8,
}

impl Primitives {
    /// A number: a sign byte and the magnitude, least byte first. None when the sign is neither 0 nor 1
    /// or the magnitude doesn't fit: pg_dump never writes those.
    pub fn int(&mut self) -> Result<Option<i32>, ReadError> {
        let sign = self.cursor.byte()?;
        let mut magnitude: u64 = 0;
        for at in 0..u32::from(self.int_size) {
            let byte = u64::from(self.cursor.byte()?);
            magnitude |= byte.checked_shl(at * 8).unwrap_or(0);
        }
        let value = match sign {
            0 => i32::try_from(magnitude).ok(),
            1 => i32::try_from(-(magnitude as i64)).ok(),
            _ => None,
        };
        Ok(value)
    }

    /// A string: its length and its bytes; `Ok(Ok(None))` for NULL. The inner error is a length that is
    /// negative (other than -1) or more than is left of the file.
    #[allow(clippy::type_complexity)]
    pub fn string(&mut self) -> Result<Result<Option<Vec<u8>>, String>, ReadError> {
        let Some(length) = self.int()? else { return Ok(Err("no number".into())) };
        match length {
            -1 => Ok(Ok(None)),
            0.. if length as u64 <= self.cursor.remaining() => {
                self.cursor.take(length as u64).map(|bytes| Ok(Some(bytes)))
            }
            _ => Ok(Err(format!("the length {length}"))),
        }
    }
}

/// Reads the header at the start of `input`; the cursor is left at the table of contents.
pub fn read_header(input: &Input) -> Result<(Header, Primitives), HeaderError> {
    let mut cursor = input.cursor(0).with_buffer(64 * 1024);
    let mut magic = [0; 5];
    match cursor.exact(&mut magic) {
        Ok(()) if &magic == b"PGDMP" => {}
        Ok(()) => return Err(HeaderError::Magic),
        Err(error) => return Err(error.into()),
    }
    let version = ArchiveVersion { major: cursor.byte()?, minor: cursor.byte()?, revision: cursor.byte()? };
    if version < ArchiveVersion::OLDEST || version > ArchiveVersion::NEWEST {
        let writers = if version.major == 1 { version.writers() } else { "of no known pg_dump" };
        return Err(HeaderError::Version(version, writers));
    }
    let int_size = cursor.byte()?;
    if !(1..=8).contains(&int_size) {
        return Err(field("the size of numbers", int_size, &cursor, 1));
    }
    let offset_size = cursor.byte()?;
    if !(1..=8).contains(&offset_size) {
        return Err(field("the size of offsets", offset_size, &cursor, 1));
    }
    let format = match cursor.byte()? {
        1 => HeaderFormat::Custom,
        3 => HeaderFormat::Tar,
        other => HeaderFormat::Other(other),
    };
    let mut primitives = Primitives { cursor, int_size, offset_size };
    let compression = if version.minor >= 15 {
        match primitives.cursor.byte()? {
            0 => Compression::None,
            1 => Compression::Gzip,
            2 => Compression::Lz4,
            3 => Compression::Zstd,
            other => return Err(field("the compression algorithm", other, &primitives.cursor, 1)),
        }
    } else {
        match primitives.int()? {
            Some(0) => Compression::None,
            Some(-1 | 1..=9) => Compression::Gzip,
            other => {
                let value = other.map_or("no number".to_owned(), |level| level.to_string());
                return Err(field("the compression level", value, &primitives.cursor, 5));
            }
        }
    };
    let mut time = [None; 7];
    for part in &mut time {
        *part = primitives.int()?;
    }
    let mut strings = [None, None, None];
    for (string, name) in
        strings.iter_mut().zip(["the database's name", "the server's version", "pg_dump's version"])
    {
        *string = match primitives.string()? {
            Ok(bytes) => bytes,
            Err(value) => return Err(field(name, value, &primitives.cursor, 5)),
        };
    }
    let [database, server_version, pg_dump_version] = strings;
    let created = local_time(time);
    let header = Header {
        version,
        int_size,
        offset_size,
        format,
        compression,
        created,
        database,
        server_version,
        pg_dump_version,
    };
    Ok((header, primitives))
}

fn local_time(parts: [Option<i32>; 7]) -> Option<LocalTime> {
    let [second, minute, hour, day, month, year, dst] = parts;
    let within =
        |part: Option<i32>, range: std::ops::RangeInclusive<i32>| part.filter(|part| range.contains(part));
    within(dst, -1..=1)?;
    // In range, so the casts lose nothing.
    Some(LocalTime {
        year: within(year, 100..=1000)? + 1900,
        month: within(month, 0..=11)? as u8 + 1,
        day: within(day, 1..=31)? as u8,
        hour: within(hour, 0..=23)? as u8,
        minute: within(minute, 0..=59)? as u8,
        second: within(second, 0..=60)? as u8,
    })
}

fn field(field: &'static str, value: impl fmt::Display, cursor: &Cursor, back: u64) -> HeaderError {
    HeaderError::Field { field, value: value.to_string(), offset: cursor.position().saturating_sub(back) }
}
