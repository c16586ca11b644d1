//! Reports: what was found, for people and for machines. Everything here gives a `String`; printing and writing
//! files is for others.
//!
//! A format is a file here and an entry in [`FORMATS`]; help, completions and tests are derived from that list.

pub mod checkstyle;
pub mod fingerprint;
pub mod github;
pub mod gitlab;
pub mod json;
pub mod junit;
mod layout;
pub mod markdown;

pub mod rdjson;
pub mod sarif;
pub mod snippet;
pub mod terminal;

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use crate::finding::{Category, Finding, Severity, Suppressed};
use crate::migration::lint::LintReport;
use crate::place::Places;
use terminal::Style;

/// The texts of files that findings are in.
pub type Sources = HashMap<PathBuf, Arc<str>>;

/// What a report is made of. Formats that know only findings serve every command.
pub struct Report<'a> {
    /// The command that found it: "lint".
    pub command: &'static str,
    /// What was found, in the order in which it is told.
    pub findings: &'a [Finding],
    /// What suppressions and a baseline hold back.
    pub suppressed: &'a [Suppressed],
    /// The texts of the files.
    pub sources: &'a Sources,
    /// The lowest severity that makes the exit code 1; `None`: none does.
    pub fails_from: Option<Severity>,
    /// The document of a code; asked only by formats that carry documents.
    pub documents: &'a dyn Fn(&str) -> Option<Document<'a>>,
    /// Where paths lead to.
    pub places: &'a Places,
    /// What linting tells beyond findings.
    pub lint: Option<Linted<'a>>,
}

/// What linting tells beyond findings.
#[derive(Clone, Copy)]
pub struct Linted<'a> {
    /// The judged migrations with their statements.
    pub report: &'a LintReport,
    /// The PostgreSQL major version judged for.
    pub postgres_version: u16,
    /// The migration tool, where it is known.
    pub runner: Option<&'a str>,
}

/// What is known of a code: the facts of its page and the page itself.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    /// The code.
    pub code: &'a str,
    /// One line.
    pub summary: &'a str,
    /// What kind of harm.
    pub category: Category,
    /// The severity where nothing else is configured; `None`: off.
    pub severity: Option<Severity>,
    /// The version that had it first; empty for a project's own rules.
    pub since: &'a str,
    /// Why it matters and what to do, as Markdown.
    pub prose: Cow<'a, str>,
}

impl Report<'_> {
    /// Whether a finding of this severity makes the exit code 1.
    pub fn fails(&self, severity: Severity) -> bool {
        self.fails_from.is_some_and(|from| severity >= from)
    }

    /// How many findings have this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// "2 errors, 1 warning", or "nothing found".
    pub fn counts(&self) -> String {
        let told: Vec<String> =
            [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Notice, "notice")]
                .into_iter()
                .map(|(severity, noun)| (self.count(severity), noun))
                .filter(|(count, _)| *count > 0)
                .map(|(count, noun)| terminal::counted(count, noun))
                .collect();
        if told.is_empty() { "nothing found".to_owned() } else { told.join(", ") }
    }

    /// Where a finding is, for machines: the path from the repository's root; what it is about where there is no file.
    fn path(&self, finding: &Finding) -> Option<String> {
        finding.path.as_deref().map(|path| self.places.from_root(path))
    }
}

/// A way to write a report.
pub struct Format {
    /// The word for `--format`.
    pub name: &'static str,
    /// What it is for, for `--help`.
    pub about: &'static str,
    /// Writes it.
    pub write: Writer,
}

/// How a format is written.
#[derive(Clone, Copy)]
pub enum Writer {
    /// As a whole.
    Whole(fn(&Report<'_>, Style) -> String),
    /// Piece by piece: it may be as large as all that is known.
    Pieces(fn(&Report<'_>, &mut dyn Write) -> io::Result<()>),
}

impl Format {
    /// The report as a text.
    pub fn text(&self, report: &Report<'_>, style: Style) -> String {
        match self.write {
            Writer::Whole(write) => write(report, style),
            Writer::Pieces(write) => {
                let mut bytes = Vec::new();
                let written = write(report, &mut bytes);
                debug_assert!(written.is_ok(), "memory takes it all");
                String::from_utf8(bytes).unwrap_or_default() // formats are UTF-8
            }
        }
    }
}

/// All formats, in the order of the help.
pub static FORMATS: &[Format] = &[
    Format { name: "terminal", about: "For people", write: Writer::Whole(terminal::report) },
    Format {
        name: "json",
        about: "All that is known, by a contract (schema_version 1)",
        write: Writer::Pieces(json::write),
    },
    Format {
        name: "sarif",
        about: "SARIF 2.1.0: GitHub code scanning, Azure DevOps, editors",
        write: Writer::Whole(sarif::report),
    },
    Format { name: "gitlab", about: "GitLab Code Quality", write: Writer::Whole(gitlab::report) },
    Format { name: "github", about: "Annotations in GitHub Actions", write: Writer::Whole(github::report) },
    Format {
        name: "junit",
        about: "JUnit XML: Jenkins, Azure, Bitbucket, CircleCI",
        write: Writer::Whole(junit::report),
    },
    Format {
        name: "checkstyle",
        about: "Checkstyle XML: Jenkins' Warnings plugin and many more",
        write: Writer::Whole(checkstyle::report),
    },
    Format {
        name: "rdjson",
        about: "reviewdog's rdjson, fixes as suggestions",
        write: Writer::Whole(rdjson::report),
    },
    Format {
        name: "markdown",
        about: "A comment for a pull request",
        write: Writer::Whole(markdown::report),
    },
];

/// The format of this name.
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Text that XML 1.0 can hold: control characters replaced.
pub(crate) fn xml_text(text: &str) -> Cow<'_, str> {
    let forbidden = |c: char| {
        (c.is_control() && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    if text.contains(forbidden) { text.replace(forbidden, "\u{fffd}").into() } else { text.into() }
}

/// At most `most` bytes of `text`, cut between characters, with an ellipsis where something is left out.
fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return text.into();
    }
    let mut end = most.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end]).into() // on a boundary
}
