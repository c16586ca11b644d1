//! All that was learned about a backup, as plain data: what the rules judge and what an audit keeps.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::archive::{Compression, Format, Problem};
use super::contents::Contents;
use super::restore::Restored;

/// Everything.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Evidence {
    /// What was asked for: limits that the rules hold the rest against.
    pub limits: Limits,
    /// The file itself.
    pub file: FileFacts,
    /// Header and layout; none where it couldn't be opened as a dump.
    pub archive: Option<ArchiveFacts>,
    /// What it holds; none where it couldn't be opened.
    pub contents: Option<Contents>,
    /// Rows of each table, in order of their names.
    pub tables: Vec<TableFacts>,
    /// Large objects that were read.
    pub large_objects: LargeObjectFacts,
    /// Keys with duplicates and foreign keys that point nowhere.
    pub keys: Vec<KeyFacts>,
    /// Sequences behind the column that they fill.
    pub sequences_behind: Vec<SequenceFacts>,
    /// psql meta-commands other than pg_dump's own, with the line's text.
    pub meta_commands: Vec<String>,
    /// What isn't as pg_dump writes it.
    pub problems: Vec<Problem>,
    /// How many rows or values were wrong, described among the problems or not.
    pub problem_rows: u64,
    /// The manifest of this very dump: everything must be equal.
    pub manifest: Option<Before>,
    /// The backup before this one.
    pub previous: Option<Before>,
    /// Whether the data stage was reached and ran to its end.
    pub data_read: bool,
    /// The whole-file SHA-256, where it was asked for.
    pub sha256: Option<String>,
    /// Tables that must be there, and who says so.
    pub expected_tables: Vec<ExpectedTables>,
    /// What the restore showed; none when it wasn't tried.
    pub restored: Option<Restored>,
    /// What is worth saying and no finding: what was not looked at.
    pub notes: Vec<String>,
}

impl Evidence {
    /// Whether rows were read, so that their numbers mean something.
    pub fn data_was_read(&self) -> bool {
        self.data_read
    }

    /// Whether the backup is SQL text, which pg_restore doesn't read.
    pub fn is_text(&self) -> bool {
        self.archive.as_ref().is_some_and(|archive| archive.format.is_text())
    }

    /// Whether the backup is a directory.
    pub fn is_directory(&self) -> bool {
        self.archive.as_ref().is_some_and(|archive| archive.format == Format::Directory)
    }
}

/// Limits, from flags and configuration.
#[derive(Clone, Debug, Serialize)]
pub struct Limits {
    /// Least size in bytes.
    pub min_size: u64,
    /// Least number of tables with rows.
    pub min_tables: u64,
    /// Greatest age in seconds; none when it doesn't matter.
    pub max_age: Option<u64>,
    /// Free space where it would be restored, as a multiple of the backup's size.
    pub free_space_factor: f64,
    /// How much smaller than the one before it may be, as a share.
    pub shrink: f64,
    /// Tables that must hold rows.
    pub not_empty: Vec<String>,
    /// Tables that are known to be left without data on purpose.
    pub without_data: Vec<String>,
    /// Major version of the server it is to be restored into.
    pub target_version: Option<u16>,
    /// How long a restore may take, in seconds, and when it is stopped.
    pub restore_seconds: u64,
    /// The hard stop, in seconds.
    pub restore_stop_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            min_size: 1_000_000,
            min_tables: 10,
            max_age: None,
            free_space_factor: 2.0,
            shrink: 0.2,
            not_empty: vec![],
            without_data: vec![],
            target_version: None,
            restore_seconds: 15 * 60,
            restore_stop_seconds: 20 * 60,
        }
    }
}

/// What became of opening the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Opened {
    /// It was opened.
    #[default]
    Yes,
    /// There is nothing there.
    Missing,
    /// It has no bytes.
    Empty,
    /// It is something else: what.
    NotRecognised(String),
}

/// The file or directory.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FileFacts {
    /// As given.
    pub path: PathBuf,
    /// Whether it could be opened as a dump.
    pub opened: Opened,
    /// Bytes.
    pub size: u64,
    /// Age in seconds, by the dump's own clock where it has one, else by the file's time.
    pub age: Option<u64>,
    /// Whether `age` may be off by the difference of time zones, because the dump doesn't store its own.
    pub age_without_zone: bool,
    /// Free bytes where it would be restored, and where that is.
    pub free: Option<(u64, PathBuf)>,
    /// The size of the backup before this one.
    pub previous: Option<(u64, PathBuf)>,
}

/// Header and layout.
#[derive(Clone, Debug, Serialize)]
pub struct ArchiveFacts {
    /// Layout.
    pub format: Format,
    /// `1.16`; none for text.
    pub archive_version: Option<String>,
    /// How the data is compressed.
    pub compression: Compression,
    /// When pg_dump began, by the clock of its machine: `2026-01-25T20:00:00`.
    pub created_at: Option<String>,
    /// The database.
    pub database: Option<String>,
    /// The encoding.
    pub encoding: String,
    /// The server's version.
    pub server_version: Option<String>,
    /// pg_dump's version.
    pub pg_dump_version: Option<String>,
    /// Whether it went through a pipe, or pg_dump was killed: no offsets.
    pub piped: bool,
    /// Entries of the table of contents.
    pub entries: usize,
}

/// The rows of one table.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TableFacts {
    /// `billing.orders`; in a dump of a cluster with the database before it.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Bytes of COPY text, line ends counted.
    pub bytes: u64,
    /// The checksum (see `checksum`); none where it can't be computed, as from INSERT statements.
    pub checksum: Option<String>,
    /// Whether every row was read to the end of the data.
    pub whole: bool,
}

/// Large objects.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LargeObjectFacts {
    /// Read whole.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Sum of the hashes of OID and content, as for rows.
    pub checksum: Option<String>,
    /// Declared by the table of contents and not read.
    pub missing: Vec<u32>,
    /// How many are missing in all.
    pub missing_count: u64,
    /// Read, but not declared.
    pub undeclared: u64,
}

/// A key that a restore will refuse.
#[derive(Clone, Debug, Serialize)]
pub struct KeyFacts {
    /// The table.
    pub table: String,
    /// The constraint or index.
    pub constraint: String,
    /// What is wrong with it.
    pub wrong: KeyProblem,
    /// How many were found.
    pub count: u64,
    /// One of them, and its row.
    pub example: Option<(u64, String)>,
    /// The share of the keys that was compared; 1 for all.
    pub share: f64,
}

/// What is wrong with a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyProblem {
    /// A value occurs twice.
    Duplicate,
    /// A value points at no row of this table.
    Orphan(String),
}

/// A sequence behind its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SequenceFacts {
    /// The sequence.
    pub name: String,
    /// `public.users.id`
    pub column: String,
    /// What the dump sets it to.
    pub value: i64,
    /// The largest value in the column.
    pub largest: i64,
}

/// What a manifest says, or an earlier dump.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Before {
    /// The manifest, or the dump.
    pub path: PathBuf,
    /// Its whole-file SHA-256.
    pub sha256: Option<String>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Format and compression, as far as they are known: sizes say something only where both are the same.
    pub layout: (Option<String>, Option<String>),
    /// Rows and checksums by table.
    pub tables: BTreeMap<String, TableFacts>,
    /// Large objects.
    pub large_objects: Option<(u64, Option<String>)>,
}

/// Tables that must be there.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ExpectedTables {
    /// Who says so: "the migrations in db/migrate".
    pub by: String,
    /// Their qualified names.
    pub tables: Vec<String>,
}

/// A stage's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// There, large enough, young enough.
    File,
    /// Header, table of contents, what is missing.
    Contents,
    /// Every block and row.
    Data,
    /// Into a throw-away server.
    Restore,
}

impl Stage {
    /// The word for it in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::File => "file",
            Stage::Contents => "contents",
            Stage::Data => "data",
            Stage::Restore => "restore",
        }
    }
}

/// How a stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing wrong was found.
    Passed,
    /// Something was.
    Failed,
    /// It wasn't done; the reason says why.
    Skipped,
}

impl Status {
    /// The word for it in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Passed => "passed",
            Status::Failed => "failed",
            Status::Skipped => "skipped",
        }
    }
}

/// One stage and how it ended.
#[derive(Clone, Debug, Serialize)]
pub struct StageResult {
    /// Which.
    pub stage: Stage,
    /// How.
    pub status: Status,
    /// Why it was skipped, or what was found.
    pub reason: Option<String>,
    /// How long it took.
    pub seconds: f64,
}
