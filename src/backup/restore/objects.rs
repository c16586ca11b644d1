//! The large objects that arrived, read and summed up as those of the dump were.

use std::io::{self, Read};
use std::time::Instant;

use postgres::Client;

use crate::backup::checksum::{RowHasher, RowSum};

use super::compare::allow;
use super::target::Target;
use super::{LargeObjects, RestoreFailure};

/// Bytes asked for at once of an object that only its owner may read.
const PIECE: i32 = 1 << 20;
/// Zeros for the holes of an object.
const ZEROS: [u8; 8192] = [0; 8192];

/// Adds up large objects: each hashed with its OID before it.
#[derive(Default)]
pub(crate) struct ObjectSum {
    sum: RowSum,
    bytes: u64,
    open: Option<(RowHasher, u64)>,
}

impl ObjectSum {
    /// The object `oid` begins; the one before it is whole.
    pub(crate) fn begin(&mut self, oid: u32) {
        self.end();
        let mut hasher = RowHasher::default();
        hasher.write(&oid.to_le_bytes());
        self.open = Some((hasher, 0));
    }

    /// More of its content.
    pub(crate) fn write(&mut self, content: &[u8]) {
        if let Some((hasher, length)) = &mut self.open {
            hasher.write(content);
            *length += content.len() as u64;
        }
    }

    /// Zeros up to `offset` of the object: what was never written reads as that.
    fn fill(&mut self, offset: u64) {
        while let Some((_, length)) = &self.open
            && *length < offset
        {
            let n = (offset - length).min(ZEROS.len() as u64) as usize;
            // n is at most its length
            self.write(&ZEROS[..n]);
        }
    }

    /// The object is whole.
    pub(crate) fn end(&mut self) {
        if let Some((hasher, length)) = self.open.take() {
            hasher.finish(&mut self.sum);
            self.bytes += length;
        }
    }

    /// All of them.
    pub(crate) fn finish(mut self) -> LargeObjects {
        self.end();
        LargeObjects { count: self.sum.rows, bytes: self.bytes, checksum: Some(self.sum.checksum()) }
    }
}

/// Reads the large objects of the restored database.
pub(super) fn read(target: &Target, deadline: Instant) -> Result<LargeObjects, RestoreFailure> {
    let failed = |error| RestoreFailure::server("read the large objects", error);
    // Only a superuser can read the table behind them; their owner can read each.
    if !target.is_scratch() {
        let mut client = target.connect(target.database(""))?;
        allow(&mut client, deadline);
        return of_owner(&mut client).map_err(failed);
    }
    let mut client = target.connect_admin(target.database(""))?;
    allow(&mut client, deadline);
    let size: i32 = client
        .query_one("SELECT pg_catalog.current_setting('block_size')::int / 4", &[])
        .map_err(failed)?
        .get(0);
    let rows = client
        .copy_out(
            "COPY (SELECT m.oid, l.pageno, l.data FROM pg_catalog.pg_largeobject_metadata m
                     LEFT JOIN pg_catalog.pg_largeobject l ON l.loid = m.oid ORDER BY 1, 2) TO STDOUT (FORMAT binary)",
        )
        .map_err(failed)?;
    pages(rows, size.unsigned_abs().into())
        .map_err(|source| RestoreFailure::Tool(format!("the large objects can't be read: {source}")))
}

/// Sums up pages as COPY writes them in binary (manual, "COPY", "Binary Format"): a head, then for each row the number
/// of its fields and each with its length. `size` is that of a page (`LOBLKSIZE`).
fn pages(mut from: impl Read, size: u64) -> io::Result<LargeObjects> {
    let mut sum = ObjectSum::default();
    let mut head = [0; 19];
    from.read_exact(&mut head)?;
    let mut last = None;
    let mut page = vec![];
    loop {
        let mut two = [0; 2];
        from.read_exact(&mut two)?;
        if i16::from_be_bytes(two) < 0 {
            // The trailer; what follows is nothing.
            io::copy(&mut from, &mut io::sink())?;
            return Ok(sum.finish());
        }
        let oid = number(&mut from)?.unwrap_or(0) as u32; // an OID, kept as its bits
        let nth = number(&mut from)?;
        if last != Some(oid) {
            sum.begin(oid);
            last = Some(oid);
        }
        let length = length(&mut from)?;
        let (Some(nth), Some(length)) = (nth, length) else { continue };
        page.resize(length, 0);
        from.read_exact(&mut page)?;
        sum.fill(nth as u64 * size);
        sum.write(&page);
    }
}

/// The length of a field; none for NULL.
fn length(from: &mut impl Read) -> io::Result<Option<usize>> {
    let mut four = [0; 4];
    from.read_exact(&mut four)?;
    match i32::from_be_bytes(four) {
        -1 => Ok(None),
        length @ 0..=0xff_ffff => Ok(Some(length as usize)),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "a field has a length that it can't have")),
    }
}

/// A field of four bytes; none for NULL.
fn number(from: &mut impl Read) -> io::Result<Option<i32>> {
    match length(from)? {
        None => Ok(None),
        Some(4) => {
            let mut four = [0; 4];
            from.read_exact(&mut four)?;
            Ok(Some(i32::from_be_bytes(four)))
        }
        Some(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "a number doesn't have four bytes")),
    }
}

fn of_owner(client: &mut Client) -> Result<LargeObjects, postgres::Error> {
    let mut sum = ObjectSum::default();
    let oids = client.query("SELECT oid FROM pg_catalog.pg_largeobject_metadata ORDER BY oid", &[])?;
    for row in oids {
        let oid: u32 = row.get(0);
        sum.begin(oid);
        let mut offset = 0i64;
        loop {
            let piece: Vec<u8> =
                client.query_one("SELECT pg_catalog.lo_get($1, $2, $3)", &[&oid, &offset, &PIECE])?.get(0);
            sum.write(&piece);
            offset += piece.len() as i64;
            if piece.len() < PIECE as usize {
                break;
            }
        }
    }
    Ok(sum.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_with_holes_are_objects_with_zeros() {
        let mut copy = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
        let mut row = |oid: u32, page: Option<(i32, &[u8])>| {
            copy.extend(3i16.to_be_bytes());
            copy.extend(4i32.to_be_bytes());
            copy.extend(oid.to_be_bytes());
            match page {
                Some((nth, data)) => {
                    copy.extend(4i32.to_be_bytes());
                    copy.extend(nth.to_be_bytes());
                    copy.extend((data.len() as i32).to_be_bytes());
                    copy.extend(data);
                }
                None => copy.extend([0xff; 8]),
            }
        };
        row(7, Some((0, b"ab")));
        row(7, Some((2, b"cd")));
        row(9, None);
        copy.extend((-1i16).to_be_bytes());
        let mut whole = ObjectSum::default();
        whole.begin(7);
        whole.write(b"ab\0\0\0\0\0\0cd");
        whole.begin(9);
        assert_eq!(pages(&copy[..], 4).unwrap(), whole.finish());
        assert!(pages(&copy[..copy.len() - 5], 4).is_err(), "a cut is no end");
    }
}
