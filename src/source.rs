//! Places in source text: byte spans, and the line and column a person reads.

use serde::{Deserialize, Serialize};

/// A half-open range of bytes in one source text.
///
/// Files over 4 GiB are refused before anything is lexed, so `u32` is enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The span from byte `start` up to, not including, byte `end`.
    pub fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end && end <= u32::MAX as usize);
        Span { start: start as u32, end: end as u32 }
    }

    /// An empty span at `at`.
    pub fn at(at: usize) -> Self {
        Span::new(at, at)
    }

    /// The smallest span that covers both.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Length in bytes.
    #[inline]
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether it covers no byte.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Whether `other` lies wholly inside.
    pub fn contains(self, other: Span) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The bytes as a range, to index with.
    #[inline]
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The text of this span in `source`; empty where the span doesn't fit it.
    #[inline]
    pub fn of(self, source: &str) -> &str {
        source.get(self.range()).unwrap_or("")
    }
}

/// A span with lines and columns, as reports show it. Lines and columns count from 1, columns in
/// characters (Unicode scalar values); the end is exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Location {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// Line of the first byte.
    pub line: u32,
    /// Column of the first byte.
    pub column: u32,
    /// Line of the end.
    pub end_line: u32,
    /// Column of the end, exclusive.
    pub end_column: u32,
}

/// Where each line of a text begins, to turn byte offsets into lines and columns.
#[derive(Clone, Debug, Default)]
pub struct LineIndex {
    starts: Vec<u32>,
    /// How many characters are before each [`STEP`]th byte; empty for a text of ASCII alone, where these are bytes.
    characters: Vec<u32>,
}

/// Between how many bytes characters are counted anew for a column: a line may be a whole file, with thousands of findings.
const STEP: usize = 1024;

/// How many characters begin in these bytes: those bytes that aren't UTF-8 continuation bytes.
fn characters(bytes: &[u8]) -> u32 {
    bytes.iter().filter(|&&b| (b & 0xC0) != 0x80).count() as u32
}

impl LineIndex {
    /// Reads `text` once.
    pub fn new(text: &str) -> Self {
        let mut starts = vec![0];
        starts.extend(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at as u32 + 1));
        let mut counted = Vec::new();
        if !text.is_ascii() {
            let mut before = 0;
            for part in text.as_bytes().chunks(STEP) {
                counted.push(before);
                before += characters(part);
            }
        }
        LineIndex { starts, characters: counted }
    }

    /// Line and column, from 1, of byte `offset` in `text` (the text the index was made of).
    pub fn position(&self, text: &str, offset: u32) -> (u32, u32) {
        let line = self.starts.partition_point(|&start| start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0) as usize;
        let end = (offset as usize).min(text.len()).max(start);
        (line as u32, self.before(text, end) - self.before(text, start) + 1)
    }

    /// How many characters begin before a byte.
    fn before(&self, text: &str, at: usize) -> u32 {
        let Some(counted) = self.characters.get(at / STEP) else {
            // ASCII alone; or the very end, where no step begins.
            return if self.characters.is_empty() { at as u32 } else { characters(text.as_bytes()) };
        };
        counted + characters(text.as_bytes().get(at - at % STEP..at).unwrap_or(&[]))
    }

    /// Line and column, from 1, of byte `offset`; the column counts bytes.
    pub fn byte_position(&self, text: &str, offset: u32) -> (u32, u32) {
        let offset = offset.min(text.len() as u32); // files over 4 GiB are refused
        let line = self.starts.partition_point(|&start| start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        (line as u32, offset - start + 1)
    }

    /// The location of `span` in `text`.
    pub fn location(&self, text: &str, span: Span) -> Location {
        let (line, column) = self.position(text, span.start);
        let (end_line, end_column) = self.position(text, span.end);
        Location { start: span.start, end: span.end, line, column, end_line, end_column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_from_one() {
        let text = "é x\n  ü y";
        let index = LineIndex::new(text);
        assert_eq!(index.position(text, 0), (1, 1));
        assert_eq!(index.position(text, 3), (1, 3));
        let y = text.find('y').unwrap();
        assert_eq!(index.position(text, y as u32), (2, 5));
    }

    #[test]
    fn columns_of_long_lines_are_counted_in_steps() {
        for letters in ["x", "é", "xé€"] {
            for many in [1, 340, 341, 342, 512, 1024, 3000] {
                let text = format!("\n{}\n{}", letters.repeat(many), letters.repeat(many));
                let index = LineIndex::new(&text);
                let (mut line, mut column) = (1, 1);
                for (at, letter) in text.char_indices() {
                    assert_eq!(index.position(&text, at as u32), (line, column));
                    (line, column) = if letter == '\n' { (line + 1, 1) } else { (line, column + 1) };
                }
                assert_eq!(index.position(&text, text.len() as u32), (line, column));
                assert_eq!(index.position(&text, text.len() as u32 + 9), (line, column), "behind the end");
            }
        }
    }
}
