//! Fingerprints: the same finding keeps its fingerprint when lines move, when other statements change, and when
//! statements change places.
//!
//! Made of the code, the beginning of the statement (which says what it is about), the text that the finding points at,
//! and a number where all of these are equal. Comments and white space don't count; messages neither, as their wording
//! and figures may change. The path isn't in it: whoever needs it puts it beside.

use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::Sources;
use crate::finding::Finding;
use crate::migration::lint::{FileReport, LintReport, StatementReport};

/// Words that say nothing about which object a statement is about.
const SILENT: [&str; 7] = ["IF", "NOT", "EXISTS", "ONLY", "CONCURRENTLY", "UNIQUE", "CONSTRAINT"];

/// The fingerprint of each finding, in the order of the findings: 16 hexadecimal digits, a colon, and a number from 1
/// among those in the same file that are equal otherwise.
pub fn fingerprints<'a>(
    findings: impl IntoIterator<Item = &'a Finding>,
    sources: &Sources,
    lint: Option<&LintReport>,
) -> Vec<String> {
    let statements = Statements::new(lint);
    let findings: Vec<&Finding> = findings.into_iter().collect();
    let bare: Vec<String> =
        findings.par_iter().with_min_len(64).map(|finding| bare(finding, sources, &statements)).collect();
    let mut seen: HashMap<(Option<&Path>, String), usize> = HashMap::new();
    findings
        .iter()
        .zip(bare)
        .map(|(finding, bare)| {
            let number = seen.entry((finding.path.as_deref(), bare.clone())).or_default();
            *number += 1;
            format!("{bare}:{number}")
        })
        .collect()
}

fn bare(finding: &Finding, sources: &Sources, statements: &Statements<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(finding.code.as_bytes());
    hash.update([0]);
    hash.update(finding.object.as_deref().unwrap_or("").as_bytes());
    let source = finding.path.as_ref().and_then(|path| sources.get(path));
    if let (Some(span), Some(source)) = (finding.span, source) {
        let of = |start: u32, end: u32| source.get(start as usize..end as usize).unwrap_or("");
        let statement = statements.around(finding);
        hash.update([0]);
        hash.update(beginning(statement.map_or("", |s| of(s.location.start, s.location.end))).as_bytes());
        hash.update([0]);
        hash.update(bare_text(of(span.start, span.end)).as_bytes());
    }
    format!("{:016x}", hash.finalize().iter().take(8).fold(0u64, |all, byte| all << 8 | u64::from(*byte)))
}

/// The statements of a report, by file: to find the one that a finding is in.
pub struct Statements<'a> {
    files: HashMap<&'a Path, Vec<&'a FileReport>>,
}

impl<'a> Statements<'a> {
    /// Those of `report`; none where there is no report.
    pub fn new(report: Option<&'a LintReport>) -> Self {
        let mut files: HashMap<&Path, Vec<&FileReport>> = HashMap::new();
        for file in report.into_iter().flat_map(|report| &report.files) {
            files.entry(&file.path).or_default().push(file);
        }
        Statements { files }
    }

    /// The statement that a finding is in.
    pub fn around(&self, finding: &Finding) -> Option<&'a StatementReport> {
        let span = finding.span?;
        self.files.get(finding.path.as_deref()?)?.iter().find_map(|file| {
            let after = file.statements.partition_point(|statement| statement.location.start <= span.start);
            file.statements.get(after.checked_sub(1)?).filter(|statement| span.start < statement.location.end)
        })
    }
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
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("--") {
            Some(rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            Some(rest.find("*/").map_or(rest.len(), |at| at + 2))
        } else if first.is_whitespace() {
            Some(first.len_utf8())
        } else {
            None
        };
        if let Some(skipped) = skipped {
            if !out.ends_with(' ') && !out.is_empty() {
                out.push(' ');
                if enough(out) {
                    return;
                }
            }
            rest = &rest[skipped..]; // found in it
            continue;
        }
        let taken = match first {
            '\'' | '"' => rest[1..].find(first).map_or(rest.len(), |at| at + 2),
            _ => first.len_utf8() + plain(&rest[first.len_utf8()..]), // begins with it
        };
        out.push_str(&rest[..taken]); // found in it
        rest = &rest[taken..];
    }
}

/// How many bytes at the beginning are neither white space nor the beginning of a comment or quoted text.
fn plain(text: &str) -> usize {
    let special = |byte: u8| byte <= b' ' || byte >= 0x7f || matches!(byte, b'-' | b'/' | b'\'' | b'"');
    text.bytes().position(special).unwrap_or(text.len())
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
