//! The checksum of a table's rows: the same for an archive and for what was restored from it.
//!
//! A row is the text that `COPY table (columns) TO STDOUT` writes for it, without the newline that
//! ends it. Each row is hashed with XXH3-128 (seed 0), and the table's checksum is the sum of its
//! rows' hashes modulo 2^128, so the order of the rows doesn't matter and duplicates do count. A table
//! without rows has the checksum zero. It is written as 32 lower-case hexadecimal digits.
//!
//! To compute the same from a server, ask with the column list that the archive's COPY statement has,
//! in a session set as pg_dump sets its own:
//!
//! ```sql
//! SET client_encoding = '<the archive's encoding>';
//! SET datestyle = ISO; SET intervalstyle = postgres; SET extra_float_digits = 3;
//! SET bytea_output = hex; SET timezone = …;   -- see below
//! COPY this_table (columns) TO STDOUT;
//! ```
//!
//! pg_dump doesn't set the time zone, so `timestamptz` columns are written in the zone of the session
//! that made the dump; [`RowSum`] hashes text and so depends on it. Where a dump's zone isn't known,
//! compare [`RowSum::rows`] alone or find the zone by the offsets that the archive's rows show. Several
//! blocks that feed one table (`--load-via-partition-root`, partitions) add up with [`RowSum::merge`].
//!
//! It guards against accidents, not against somebody who forges rows on purpose: for that the manifest
//! has the SHA-256 of the whole file.

use std::fmt;

use twox_hash::XxHash3_128;

/// Rows counted and summed up, in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowSum {
    /// How many rows.
    pub rows: u64,
    /// Their bytes, each with the newline that ends it.
    pub bytes: u64,
    sum: u128,
}

impl RowSum {
    /// Takes in one row, without its newline.
    #[inline]
    pub fn add(&mut self, row: &[u8]) {
        self.add_hashed(XxHash3_128::oneshot(row), row.len() as u64);
    }

    /// Takes in one row of `length` bytes that was hashed piece by piece, with [`RowHasher`].
    #[inline]
    pub fn add_hashed(&mut self, hash: u128, length: u64) {
        self.rows += 1;
        self.bytes += length + 1;
        self.sum = self.sum.wrapping_add(hash);
    }

    /// Counts one row without hashing it.
    #[inline]
    pub fn count(&mut self, length: u64) {
        self.rows += 1;
        self.bytes += length + 1;
    }

    /// Adds the rows of another block of the same table.
    pub fn merge(&mut self, other: &RowSum) {
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// The checksum as 32 hexadecimal digits.
    pub fn checksum(&self) -> Checksum {
        Checksum(self.sum)
    }
}

/// A table's checksum; prints as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Checksum(pub u128);

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl serde::Serialize for Checksum {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Hashes a row that comes in pieces, because it is too long to be held.
#[derive(Clone)]
pub struct RowHasher {
    state: XxHash3_128,
    length: u64,
}

impl Default for RowHasher {
    fn default() -> Self {
        RowHasher { state: XxHash3_128::new(), length: 0 }
    }
}

impl RowHasher {
    /// Takes in the next piece of the row.
    pub fn write(&mut self, piece: &[u8]) {
        self.state.write(piece);
        self.length += piece.len() as u64;
    }

    /// Ends the row and adds it to `sum`.
    pub fn finish(self, sum: &mut RowSum) {
        sum.add_hashed(self.state.finish_128(), self.length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_and_duplicates_do() {
        let of = |rows: &[&str]| {
            let mut sum = RowSum::default();
            rows.iter().for_each(|row| sum.add(row.as_bytes()));
            sum
        };
        assert_eq!(of(&["1\ta", "2\tb"]), of(&["2\tb", "1\ta"]));
        assert_ne!(of(&["1\ta", "1\ta"]).checksum(), of(&["1\ta"]).checksum());
        assert_ne!(of(&["1\ta"]).checksum(), of(&["1\tb"]).checksum());
        assert_eq!(of(&[]).checksum().to_string(), "0".repeat(32));
        assert_eq!(of(&["1\ta", "2\tb"]).bytes, 8);
    }

    #[test]
    fn pieces_hash_like_the_whole() {
        let row: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
        let mut whole = RowSum::default();
        whole.add(&row);
        let mut pieces = RowSum::default();
        let mut hasher = RowHasher::default();
        row.chunks(777).for_each(|piece| hasher.write(piece));
        hasher.finish(&mut pieces);
        assert_eq!(whole, pieces);
    }
}
