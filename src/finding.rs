//! Findings: the things worth telling, and the words that classify them.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::source::Location;

/// How much a finding matters; the order is the order of weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Notice,
    /// Look before you release.
    Warning,
    /// Don't release like this.
    Error,
}

impl Severity {
    /// The word used in reports and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Notice => "notice",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }

    /// The next lower one; a notice stays one.
    pub fn lower(self) -> Severity {
        match self {
            Severity::Error => Severity::Warning,
            Severity::Warning | Severity::Notice => Severity::Notice,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Severity {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "notice" => Ok(Severity::Notice),
            "warning" => Ok(Severity::Warning),
            "error" => Ok(Severity::Error),
            _ => Err(format!("unknown severity `{word}`: use error, warning or notice")),
        }
    }
}

/// What kind of harm a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// Data that can't come back.
    Destructive,
    /// Blocks reads or writes for as long as the data is large.
    Locking,
    /// Breaks the application version that is still running, or that one rolls back to.
    Compatibility,
    /// Fails, or holds locks longer than it looks.
    Transaction,
    /// No way back.
    Rollback,
    /// Fails, or does other than it seems.
    Correctness,
    /// House style; off until asked for.
    Convention,
    /// About a backup.
    Backup,
    /// About a rehearsal.
    Rehearsal,
}

impl Category {
    /// All categories in the order reports list them.
    pub const ALL: [Category; 9] = [
        Category::Destructive,
        Category::Locking,
        Category::Compatibility,
        Category::Transaction,
        Category::Rollback,
        Category::Correctness,
        Category::Convention,
        Category::Backup,
        Category::Rehearsal,
    ];

    /// The word used in reports and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Category::Destructive => "destructive",
            Category::Locking => "locking",
            Category::Compatibility => "compatibility",
            Category::Transaction => "transaction",
            Category::Rollback => "rollback",
            Category::Correctness => "correctness",
            Category::Convention => "convention",
            Category::Backup => "backup",
            Category::Rehearsal => "rehearsal",
        }
    }

    /// What the category is about, in one line.
    pub fn about(self) -> &'static str {
        match self {
            Category::Destructive => "data that can't come back",
            Category::Locking => "reads or writes blocked for as long as the data is large",
            Category::Compatibility => "the application version that is still running breaks",
            Category::Transaction => "fails, or holds locks longer than it looks",
            Category::Rollback => "no way back",
            Category::Correctness => "fails, or does other than it seems",
            Category::Convention => "house style, off until asked for",
            Category::Backup => "the backup one would fall back on",
            Category::Rehearsal => "what a rehearsal of the release measured",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Category {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Category::ALL
            .into_iter()
            .find(|category| category.as_str() == word)
            .ok_or_else(|| format!("unknown category `{word}`"))
    }
}

/// One replacement of source text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// First byte replaced.
    pub start: u32,
    /// One past the last byte replaced; equal to `start` for an insertion.
    pub end: u32,
    /// What comes in its place.
    pub text: String,
}

/// Whether a fix may be applied without a person's look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Applicability {
    /// The schema and the data in the end are the same, and what succeeds or fails together still does.
    Safe,
    /// Something else changes with it: a file runs outside its transaction from then on, a column has another type.
    #[default]
    Unsafe,
}

/// When a fix is applied among those of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Turn {
    /// Before all others and by itself: it changes how the whole file is run.
    Alone,
    /// Together with others.
    #[default]
    Any,
    /// When no other is left: what it adds depends on what they do.
    Last,
}

/// A mechanical way to mend a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// What the fix does, as an order: "build the index CONCURRENTLY".
    pub title: String,
    /// Whether it may be applied unseen.
    #[serde(default)]
    pub applicability: Applicability,
    /// What has to be known or done besides: a setting of the migration tool, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The replacements, in order and without overlaps.
    pub edits: Vec<Edit>,
    /// When it is applied among the fixes of one file.
    #[serde(skip)]
    pub turn: Turn,
}

/// One thing worth telling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The code: the name of its page.
    pub code: Cow<'static, str>,
    /// What kind of harm it is about.
    pub category: Category,
    /// How much it matters here, after configuration.
    pub severity: Severity,
    /// The file (or the archive, or its part) it is about; shared by those of one file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Arc<Path>>,
    /// Where in that file; none when it is about the whole of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Location>,
    /// What it is about inside an archive or database: `public.users`, `TOC entry 17`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// What is wrong and why, in the user's own names. One sentence or two, no trailing newline.
    pub message: String,
    /// What to do instead: SQL or a command to paste. May have many lines; shared by those that say the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<Arc<str>>,
    /// A mechanical fix, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<Box<Fix>>,
}

/// A finding that isn't told, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// What was found.
    pub finding: Finding,
    /// What holds it back.
    pub by: Hold,
}

/// What holds a finding back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// A comment in the migration.
    Comment {
        /// Its place in the same file.
        place: Location,
        /// The reason that it gives.
        reason: Option<String>,
    },
    /// An entry of the baseline.
    Baseline,
}
