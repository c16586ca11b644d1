//! Fingerprints: the same finding keeps its fingerprint when lines move, when other statements change, and when
//! statements change places.
//!
//! Made of the code, the beginning of the statement (which says what it is about), the text that the finding points at,
//! and a number where all of these are equal. Comments and white space don't count; messages neither, as their wording
//! and figures may change. The path isn't in it: whoever needs it puts it beside.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use memchr::{memchr, memmem};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::Sources;
use crate::finding::Finding;
use crate::migration::lint::{FileReport, LintReport, StatementReport};

/// Words that say nothing about which object a statement is about.
const SILENT: [&str; 7] = ["IF", "NOT", "EXISTS", "ONLY", "CONCURRENTLY", "UNIQUE", "CONSTRAINT"];

/// By which a finding is known again: written as 16 hexadecimal digits, a colon, and a number from 1 among those in the same
/// file that are equal otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    hash: u64,
    number: u32,
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}:{}", self.hash, self.number)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The fingerprint of each finding, in the order of the findings.
pub fn fingerprints<'a>(
    findings: impl IntoIterator<Item = &'a Finding>,
    sources: &Sources,
    lint: Option<&LintReport>,
) -> Vec<Fingerprint> {
    /// How many are made at a time.
    const PIECE: usize = 64;
    let statements = Statements::new(lint);
    let findings: Vec<&Finding> = findings.into_iter().collect();
    // Those of one file: it is looked up once.
    let pieces: Vec<&[&Finding]> =
        findings.chunk_by(|a, b| a.path == b.path).flat_map(|of_file| of_file.chunks(PIECE)).collect();
    let hashes: Vec<u64> = pieces
        .par_iter()
        .flat_map_iter(|piece| {
            let path = piece.first().and_then(|finding| finding.path.as_deref());
            let source = path.and_then(|path| sources.get(path)).map(|source| &**source);
            let files = path.map_or(&[][..], |path| statements.of(path));
            piece.iter().map(move |finding| hash(finding, source, files))
        })
        .collect();
    let mut seen: FxHashMap<(Option<&OsStr>, u64), u32> = FxHashMap::default();
    findings
        .iter()
        .zip(hashes)
        .map(|(finding, hash)| {
            let number = seen.entry((finding.path.as_deref().map(Path::as_os_str), hash)).or_default();
            *number += 1;
            Fingerprint { hash, number: *number }
        })
        .collect()
}

/// `source`: the text of its file; `files`: what is reported of it.
fn hash(finding: &Finding, source: Option<&str>, files: &[&FileReport]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(finding.code.as_bytes());
    hash.update([0]);
    hash.update(finding.object.as_deref().unwrap_or("").as_bytes());
    if let (Some(span), Some(source)) = (finding.span, source) {
        let of = |start: u32, end: u32| source.get(start as usize..end as usize).unwrap_or("");
        let statement = around(files, finding);
        hash.update([0]);
        hash.update(beginning(statement.map_or("", |s| of(s.location.start, s.location.end))).as_bytes());
        hash.update([0]);
        hash.update(bare_text(of(span.start, span.end)).as_bytes());
    }
    hash.finalize().iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte))
}

/// The statements of a report, by file: to find the one that a finding is in.
pub struct Statements<'a> {
    files: FxHashMap<&'a OsStr, Vec<&'a FileReport>>,
}

impl<'a> Statements<'a> {
    /// Those of `report`; none where there is no report.
    pub fn new(report: Option<&'a LintReport>) -> Self {
        let mut files: FxHashMap<&OsStr, Vec<&FileReport>> = FxHashMap::default();
        for file in report.into_iter().flat_map(|report| &report.files) {
            files.entry(file.path.as_os_str()).or_default().push(file);
        }
        Statements { files }
    }

    /// The statement that a finding is in.
    pub fn around(&self, finding: &Finding) -> Option<&'a StatementReport> {
        around(self.of(finding.path.as_deref()?), finding)
    }

    /// What is reported of a file: its sections.
    fn of(&self, path: &Path) -> &[&'a FileReport] {
        self.files.get(path.as_os_str()).map_or(&[], Vec::as_slice)
    }
}

fn around<'a>(files: &[&'a FileReport], finding: &Finding) -> Option<&'a StatementReport> {
    let span = finding.span?;
    files.iter().find_map(|file| {
        let after = file.statements.partition_point(|statement| statement.location.start <= span.start);
        file.statements.get(after.checked_sub(1)?).filter(|statement| span.start < statement.location.end)
    })
}

/// What a statement is about: its first three words that say something.
fn beginning(statement: &str) -> String {
    const WORDS: usize = 3;
    let says = |word: &&str| !SILENT.iter().any(|silent| word.eq_ignore_ascii_case(silent));
    let mut head = String::new();
    // Of a long statement no more is read than is asked for.
    squeeze(statement, &mut head, |read| {
        read.contains('(') || read.ends_with(' ') && read.split(' ').filter(says).count() > WORDS
    });
    let head = head.split('(').next().unwrap_or("");
    head.split(' ').filter(says).take(WORDS).collect::<Vec<_>>().join(" ")
}

/// SQL without comments, and with one space wherever there is white space; quoted text stays as it is.
pub fn bare_text(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    squeeze(sql, &mut out, |_| false);
    out.truncate(out.trim_end().len());
    out
}

/// Writes [`bare_text`] piece by piece, until `enough` says so of what is written.
fn squeeze(sql: &str, out: &mut String, enough: impl Fn(&str) -> bool) {
    let bytes = sql.as_bytes();
    let mut at = 0;
    while let Some((&first, behind)) = bytes.get(at..).and_then(<[u8]>::split_first) {
        let rest = 1 + behind.len();
        let (length, is_gap) = match (first, behind.first()) {
            (b'\t'..=b'\r' | b' ', _) => (1, true),
            (b'-', Some(b'-')) => (memchr(b'\n', behind).map_or(rest, |end| 1 + end), true),
            (b'/', Some(b'*')) => (memmem::find(behind, b"*/").map_or(rest, |end| end + 3), true),
            (b'\'' | b'"', _) => (memchr(first, behind).map_or(rest, |end| end + 2), false),
            (0x80.., _) => {
                // What goes before ends where a character does.
                let char = sql.get(at..).and_then(|rest| rest.chars().next()).unwrap_or_default();
                match char.is_whitespace() {
                    true => (char.len_utf8(), true),
                    false => (char.len_utf8() + plain(&bytes[at + char.len_utf8()..]), false), // it is there
                }
            }
            _ => (1 + plain(behind), false),
        };
        if !is_gap {
            out.push_str(&sql[at..at + length]); // ends before ASCII, or a character begins there
        } else if !out.ends_with(' ') && !out.is_empty() {
            out.push(' ');
            if enough(out) {
                return;
            }
        }
        at += length;
    }
}

/// How many bytes at the beginning are neither white space nor the beginning of a comment or quoted text.
fn plain(text: &[u8]) -> usize {
    let special = |byte: u8| byte <= b' ' || byte >= 0x7f || matches!(byte, b'-' | b'/' | b'\'' | b'"');
    text.iter().position(|&byte| special(byte)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_and_comments_do_not_count() {
        assert_eq!(bare_text("ALTER  TABLE t -- why\n /* x */ ADD 'a  -- b'"), "ALTER TABLE t ADD 'a  -- b'");
        assert_eq!(bare_text("'open"), "'open");
        assert_eq!(bare_text("a-b/c \u{a0}é\tü--x"), "a-b/c é ü");
        assert_eq!(beginning("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)"), "CREATE INDEX i");
        assert_eq!(beginning("INSERT INTO\n\tlog(a, b) SELECT 1"), "INSERT INTO log");
        assert_eq!(beginning("COMMENT ON/* x */TABLE if (a)"), "COMMENT ON TABLE");
        assert_eq!(beginning("alter table only orders\n  add column x int"), "alter table orders");
    }
}
