//! What a rehearsal found, as plain data: what `--format json` and `--report` write, and what `gate` and
//! `runbook` read.
//!
//! Times are seconds (fractions allowed). Those called `at`, `start`, `end`, `acquired` and `released` are
//! counted from the rehearsal's zero, the moment before the first pending migration was begun; what
//! happened earlier is negative. Sizes are bytes. Relations are written as `regclass` prints them with
//! `search_path = public`: `orders`, `billing.invoices`. Lock modes are spelled as in the manual.

use serde::{Deserialize, Serialize};

use crate::finding::Finding;
use crate::source::Location;

/// The version of this contract: fields may be added, none are removed or change their meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// A whole rehearsal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rehearsal {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Who wrote it.
    pub tool: Tool,
    /// When it began, UTC, `2026-11-24T09:30:00Z`.
    pub started_at: String,
    /// How long all of it took, restores and comparisons included.
    pub seconds: f64,
    /// The data it was rehearsed on.
    pub source: Source,
    /// The server it was rehearsed on.
    pub server: Server,
    /// How the migrations were run.
    pub run: Run,
    /// The limits that held.
    pub limits: Limits,
    /// What was done, one after the other: for a time line.
    pub phases: Vec<Phase>,
    /// The pending migrations, in the order they were run.
    pub migrations: Vec<MigrationRun>,
    /// Every user table, by name.
    pub tables: Vec<TableRun>,
    /// How closely the probes looked.
    pub probes: Probes,
    /// The application's queries; none where none were given.
    pub queries: Option<Queries>,
    /// The way back.
    pub rollback: Rollback,
    /// What is different from before after going back.
    pub comparison: Comparison,
    /// What a larger database would take; none where sizes of production weren't given.
    pub extrapolation: Option<Extrapolation>,
    /// What wasn't looked at, each with its reason. Nothing of this passed.
    pub not_checked: Vec<String>,
    /// Worth knowing.
    pub notes: Vec<String>,
    /// What is worth telling, by weight.
    pub findings: Vec<Finding>,
    /// Passed, failed, or not all of it could be looked at.
    pub verdict: Verdict,
}

/// The program that wrote a report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tool {
    /// `rollsafe`.
    pub name: String,
    /// `0.1.0`.
    pub version: String,
}

/// Whether the release can go out, as far as a rehearsal can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All that was asked was tried, and no finding is an error.
    Passed,
    /// At least one finding is an error.
    Failed,
    /// No error, but something that was asked for could not be tried: see `not_checked`.
    #[default]
    Incomplete,
}

/// The data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// The backup, where one was given.
    pub backup: Option<Backup>,
    /// The disposable copy, where one was given: its URL without the password.
    pub database_url: Option<String>,
    /// How large the database was before the migrations.
    pub database_bytes: u64,
    /// Rows of all user tables before the migrations, where they were counted.
    pub rows: Option<u64>,
}

/// The backup that was restored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Backup {
    /// The file or directory, as given.
    pub path: String,
    /// `custom`, `directory`, `tar`, `plain`.
    pub format: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256 as `backup::manifest::sha256` computes it: how a gate knows that this very backup was rehearsed.
    pub sha256: Option<String>,
    /// When it was taken by its own clock, where it says.
    pub created_at: Option<String>,
    /// The database that it was taken of, where it says.
    pub database: Option<String>,
    /// The version of the server that it was taken of, where it says.
    pub server_version: Option<String>,
    /// How long the first restore took.
    pub restore_seconds: f64,
    /// What the restore complained about, the first hundred.
    pub restore_errors: Vec<String>,
}

/// The server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Server {
    /// `15.18`.
    pub version: String,
    /// A scratch cluster, or a copy that the user named.
    pub kind: ServerKind,
    /// The role that ran the migrations.
    pub role: String,
    /// Settings by which it differs from a production server in speed: `fsync=off`.
    pub settings: Vec<String>,
}

/// Whose server it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerKind {
    /// Started for this rehearsal and removed.
    #[default]
    ScratchCluster,
    /// Named by the user as disposable.
    DisposableCopy,
}

/// How the migrations were run, and how it was known which are pending.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// The migration tool as `--runner` names it, where it is known.
    pub runner: Option<String>,
    /// The project's own command, where it ran the migrations; otherwise rollsafe did.
    pub command: Option<String>,
    /// The project's own command for the way back.
    pub rollback_command: Option<String>,
    /// Which files are pending, and how that was known.
    pub pending: Pending,
}

/// How it was known which migrations are pending.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pending {
    /// From where.
    pub by: PendingBy,
    /// The ledger table, `public.schema_migrations`, where one was read.
    pub ledger: Option<String>,
    /// Versions that the ledger says have been applied.
    pub applied: u64,
    /// Versions in the ledger that no file has.
    pub unknown_versions: Vec<String>,
    /// In words: "schema_migrations says that 0012 was the last".
    pub said: String,
    /// The files that were there and not pending: what is neither here nor among the migrations came later. None
    /// where that isn't known.
    pub history: Option<Vec<String>>,
}

/// From where it is known which migrations are pending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PendingBy {
    /// The runner's ledger table in the restored data.
    #[default]
    Ledger,
    /// `--pending-from` or `--pending`.
    Given,
    /// The project's own command decided.
    Command,
}

/// Limits in force, seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Reads or writes of a table may stand still that long.
    pub stall: f64,
    /// All pending migrations together.
    pub migrate: f64,
    /// Going back, either way.
    pub rollback: f64,
    /// Going back is stopped then.
    pub hard_stop: f64,
    /// From the start of the migrations to the end of the rollback.
    pub decision: f64,
}

impl Limits {
    /// When migrations are stopped, in seconds from their start: a hard stop after their limit, or when it is too
    /// late for any decision.
    pub fn stop_migrating(&self) -> f64 {
        (self.migrate + self.hard_stop).min(self.decision)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits { stall: 2.0, migrate: 2400.0, rollback: 900.0, hard_stop: 1200.0, decision: 7200.0 }
    }
}

/// One part of the rehearsal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Phase {
    /// Which.
    pub phase: PhaseName,
    /// When it began.
    pub start: f64,
    /// When it ended.
    pub end: f64,
}

/// The parts of a rehearsal, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseName {
    /// The backup is restored.
    #[default]
    Restore,
    /// Schema, rows and queries as they are before.
    RecordBefore,
    /// The pending migrations.
    Migrate,
    /// Schema, rows and queries as they are after the migrations.
    RecordAfter,
    /// Rows are written as the new application would.
    Write,
    /// Down migrations in reverse.
    RollBack,
    /// Schema, rows and queries as they are after going back.
    RecordRolledBack,
    /// The backup is restored anew, as the other way back.
    RestoreAgain,
    /// Schema and rows of what was restored anew.
    RecordRestored,
}

/// One migration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MigrationRun {
    /// The file; for `--migrate-command` the command.
    pub path: String,
    /// The SHA-256 of the file's bytes, in hexadecimal: how a gate knows that these very migrations were rehearsed.
    pub sha256: Option<String>,
    /// The version as the runner compares it; empty where it has none.
    pub version: String,
    /// What became of it.
    pub status: Status,
    /// When it was begun; none where it wasn't.
    pub start: Option<f64>,
    /// How long it took, with its commit.
    pub seconds: f64,
    /// Its statements in order, without those of transaction control.
    pub statements: Vec<StatementRun>,
    /// Its down migration's file, where it has one.
    pub down: Option<String>,
    /// The SHA-256 of that file's bytes.
    pub down_sha256: Option<String>,
    /// Of `--migrate-command`: the files that were pending, and whether the tool's ledger names them now. Empty where
    /// the ledger didn't tell.
    pub files: Vec<FileRun>,
}

/// A file that a command was to run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileRun {
    /// The file.
    pub path: String,
    /// The SHA-256 of its bytes.
    pub sha256: Option<String>,
    /// Done, or not run: still pending.
    pub status: Status,
    /// Its down migration's file, where it has one.
    pub down: Option<String>,
    /// The SHA-256 of that file's bytes.
    pub down_sha256: Option<String>,
}

/// What became of something that was to be run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not run, because something before it failed, or because there is nothing to run.
    #[default]
    NotRun,
    /// Ran to its end.
    Done,
    /// The server refused it.
    Failed,
    /// Stopped at a time limit.
    Stopped,
}

/// One statement as it ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatementRun {
    /// Names it inside this report: other parts point here. Unique over up and down.
    pub id: u32,
    /// The file; none where the server's log or its activity view told of it.
    pub path: Option<String>,
    /// Where in the file.
    pub span: Option<Location>,
    /// The first 200 characters, on one line.
    pub text: String,
    /// `ALTER TABLE`, `CREATE INDEX CONCURRENTLY`: as the linter names it.
    pub kind: String,
    /// Which submission unit of its migration, from 0.
    pub unit: u32,
    /// Which transaction of the rehearsal, from 0. Statements of one number commit together.
    pub transaction: u32,
    /// Whether the runner has a transaction open around it, or its unit holds more than one statement.
    pub in_transaction: bool,
    /// What became of it.
    pub status: Status,
    /// What the server said against it.
    pub error: Option<ServerError>,
    /// When it was sent.
    pub start: f64,
    /// Until the server had answered, without the commit.
    pub seconds: f64,
    /// Rows that the server says it changed; none where it doesn't say.
    pub rows: Option<u64>,
    /// Locks on relations that were there before it, as held by it for the first time (or more strongly
    /// than before in its transaction). By relation in the strongest mode; several entries where it let go of one
    /// that others had to wait for and took it again.
    pub locks: Vec<LockRun>,
    /// Relations whose rows it changed.
    pub writes: Vec<String>,
    /// Whether it committed while it ran, as a procedure does that works in batches.
    pub commits: bool,
    /// Relations whose heap was written anew.
    pub rewrites: Vec<String>,
    /// Relations read in full for validation or an index build; a rewrite counts as one.
    pub scans: Vec<String>,
    /// Indexes built.
    pub index_builds: Vec<String>,
    /// WAL written meanwhile.
    pub wal_bytes: u64,
    /// The relations it locked more than a reader does, and how large each is with indexes and TOAST.
    pub sizes: Vec<SizeChange>,
    /// What the linter predicts; none where the statement isn't the project's text.
    pub predicted: Option<Predicted>,
}

/// The [`StatementRun::kind`] of a command that failed without any statement of its failing.
pub const COMMAND: &str = "command";

/// A lock that a statement took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LockRun {
    /// On what.
    pub relation: String,
    /// `ACCESS EXCLUSIVE`.
    pub mode: String,
    /// When it was first seen held; as exact as [`Probes::lock_sample_seconds`], and never before the statement's start.
    pub acquired: f64,
    /// When it was let go: the end of its transaction, or earlier where it was seen gone.
    pub released: f64,
    /// How long it had to be waited for, as far as was seen.
    pub waited: f64,
    /// Whether others can't read meanwhile.
    pub blocks_reads: bool,
    /// Whether others can't write meanwhile.
    pub blocks_writes: bool,
}

/// A relation's size around a statement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SizeChange {
    /// Which.
    pub relation: String,
    /// Before, with indexes and TOAST.
    pub before: u64,
    /// After; none where it is gone.
    pub after: Option<u64>,
}

/// What the server said against a statement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerError {
    /// `23505`; empty where the connection broke.
    pub sqlstate: String,
    /// Its message.
    pub message: String,
    /// Its detail.
    pub detail: Option<String>,
    /// Its hint.
    pub hint: Option<String>,
    /// The table that it is about, where the server names it.
    pub table: Option<String>,
    /// The column that it is about, where the server names it.
    pub column: Option<String>,
    /// The constraint that it is about, where the server names it.
    pub constraint: Option<String>,
}

/// The linter's prediction for a statement, in the words of `lint --format json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Predicted {
    /// Strongest lock by relation.
    pub locks: Vec<PredictedLock>,
    /// Relations written anew.
    pub rewrites: Vec<String>,
    /// Relations read in full.
    pub scans: Vec<String>,
    /// Indexed relations or indexes, where the index has a name.
    pub index_builds: Vec<String>,
    /// What was worse than predicted, in words: each is a `prediction_missed`.
    pub missed: Vec<String>,
    /// Whether the linter understood the statement.
    pub understood: bool,
}

/// A lock as predicted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PredictedLock {
    /// On what.
    pub relation: String,
    /// `ACCESS EXCLUSIVE`.
    pub mode: String,
}

/// What the application felt on one table, and what became of its rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TableRun {
    /// Its name before the migrations; of new ones, after.
    pub name: String,
    /// With indexes and TOAST, before the migrations.
    pub bytes: u64,
    /// Whether the migrations made it.
    pub is_new: bool,
    /// Whether it was gone, under this name, after the migrations.
    pub is_gone: bool,
    /// The longest that reads stood still while the migrations ran.
    pub longest_read_stall: Option<Stall>,
    /// The longest that writes stood still while the migrations ran.
    pub longest_write_stall: Option<Stall>,
    /// Every stall that was noticed, while the migrations and while the down migrations ran.
    pub stalls: Vec<Stall>,
    /// Its rows at each point; none where they weren't counted.
    pub rows: RowCounts,
}

/// A time in which a probe had to wait.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stall {
    /// Reads or writes.
    pub of: Access,
    /// When.
    pub during: PhaseName,
    /// When the probe that had to wait was sent.
    pub start: f64,
    /// When one was answered again.
    pub end: f64,
    /// [`StatementRun::id`] of the one that held the lock in the way; none where none was seen: then the
    /// server was busy.
    pub statement: Option<u32>,
    /// The mode in the way; [`ROW_LOCKS`] where only the rows that a statement changed are locked.
    pub mode: Option<String>,
}

/// What stands for a mode where a statement has changed rows: others can change all but these.
pub const ROW_LOCKS: &str = "row locks";

impl Stall {
    /// Whether only writes to rows that were changed stood still. That is told by the statement and its transaction,
    /// not by a probe.
    pub fn of_rows(&self) -> bool {
        self.mode.as_deref() == Some(ROW_LOCKS)
    }

    /// How long.
    pub fn seconds(&self) -> f64 {
        self.end - self.start
    }
}

/// Reading or writing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// SELECT.
    #[default]
    Reads,
    /// INSERT, UPDATE, DELETE.
    Writes,
}

/// Rows and checksums of a table, at four points. A table that isn't there has none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RowCounts {
    /// Before the migrations.
    pub before: Option<TableSum>,
    /// After them.
    pub after: Option<TableSum>,
    /// After going back by down migrations, without the rows that the synthetic writer put in.
    pub rolled_back: Option<TableSum>,
    /// After restoring the backup anew.
    pub restored: Option<TableSum>,
}

/// Rows of a table, and what they hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TableSum {
    /// How many.
    pub rows: u64,
    /// Over all columns, in the order of their names, whatever the order of the rows; none where only counted.
    pub checksum: Option<String>,
}

/// How closely was looked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Probes {
    /// Connections that probed.
    pub connections: u32,
    /// Tables probed.
    pub tables: u32,
    /// The longest time between two looks at one table while none was blocked: stalls shorter than that
    /// may have gone unseen.
    pub interval_seconds: f64,
    /// Stalls shorter than that aren't listed.
    pub shortest_stall_seconds: f64,
    /// The time between two looks at the locks, on average.
    pub lock_sample_seconds: f64,
    /// Probes sent.
    pub sent: u64,
}

/// The application's queries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Queries {
    /// Where they are from.
    pub source: String,
    /// How many there are.
    pub total: u32,
    /// How many could be prepared before the migrations.
    pub prepared_before: u32,
    /// Of those, how many could be after the migrations.
    pub prepared_after: u32,
    /// Of those of before, how many could be after going back; none where there was no going back.
    pub prepared_rolled_back: Option<u32>,
    /// Those that couldn't be prepared at some point.
    pub failed: Vec<FailedQuery>,
}

/// A query that couldn't be prepared at some point.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FailedQuery {
    /// The first 300 characters, on one line.
    pub text: String,
    /// Whether it is one of the new application, `--new-queries`.
    pub is_new: bool,
    /// Where it stands: `queries.sql:12`.
    pub place: String,
    /// Why not, before the migrations.
    pub before: Option<ServerError>,
    /// Why not, after the migrations.
    pub after: Option<ServerError>,
    /// Why not, after going back.
    pub rolled_back: Option<ServerError>,
    /// [`StatementRun::id`] of the one after which it could no longer be prepared.
    pub broken_by: Option<u32>,
}

/// Both ways back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rollback {
    /// By down migrations; none where it wasn't tried: see `not_checked`.
    pub downs: Option<Downs>,
    /// From the backup; none where it wasn't tried.
    pub restore: Option<RestoreAgain>,
}

/// Going back by down migrations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Downs {
    /// Done, failed, or stopped at the hard limit.
    pub status: Status,
    /// All of them together.
    pub seconds: f64,
    /// In the order they were run: the last migration's first.
    pub steps: Vec<DownStep>,
}

/// One down migration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DownStep {
    /// The migration that it undoes.
    pub undoes: String,
    /// The down migration as it ran; status `not_run` with an empty path where there is none.
    pub migration: MigrationRun,
}

/// Going back by the backup.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RestoreAgain {
    /// Done, failed, or stopped at the hard limit.
    pub status: Status,
    /// From the empty database to the last index.
    pub seconds: f64,
    /// Parallel jobs.
    pub jobs: u32,
    /// What it complained about, the first hundred.
    pub errors: Vec<String>,
    /// What differs from the state before the migrations.
    pub schema_differences: Vec<SchemaDifference>,
    /// Tables whose rows differ from before.
    pub tables_differing: Vec<String>,
}

/// What going back by down migrations left different.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Comparison {
    /// What the migrations changed in the schema.
    pub migrated: Vec<SchemaDifference>,
    /// What differs from before after going back.
    pub rolled_back: Vec<SchemaDifference>,
    /// Tables whose rows differ from before after going back, the synthetic writer's rows left out.
    pub data: Vec<DataDifference>,
    /// What the synthetic writer did, and what of that was there after going back.
    pub written: Vec<Written>,
}

/// An object that differs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SchemaDifference {
    /// `table`, `column`, `constraint`, `index`, `view`, `function`, `trigger`, `type`, `sequence` …
    pub kind: String,
    /// `orders.placed_at`.
    pub name: String,
    /// As it was; none where it is new.
    pub before: Option<String>,
    /// As it is; none where it is gone.
    pub after: Option<String>,
}

/// A table whose rows differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataDifference {
    /// Which.
    pub table: String,
    /// Rows before the migrations.
    pub rows_before: u64,
    /// Rows after going back; none where the table isn't there.
    pub rows_after: Option<u64>,
    /// Columns whose values differ (in whatever rows), where there are as many rows as before.
    pub columns: Vec<String>,
    /// Columns that are gone or have lost values, with how many.
    pub columns_gone: Vec<ColumnGone>,
    /// Of a sequence, which has no rows: where it stands.
    pub sequence: Option<SequenceBack>,
}

/// A sequence that stands at another value than before, so that it gives numbers anew that are in use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SequenceBack {
    /// Its last value before the migrations.
    pub before: i64,
    /// Its last value after going back; none where it begins anew.
    pub after: Option<i64>,
}

/// A column that isn't there any more, or holds fewer values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ColumnGone {
    /// Its name.
    pub column: String,
    /// How many values are gone; NULLs don't count.
    pub values: u64,
}

/// What the synthetic writer put into a table after the migrations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Written {
    /// Into which.
    pub table: String,
    /// Rows put in.
    pub rows: u64,
    /// Rows of them that were still there after going back; none where there was no going back.
    pub rows_kept: Option<u64>,
    /// New columns that were filled, whose values were gone after going back.
    pub columns_lost: Vec<String>,
    /// Why nothing could be put in.
    pub not_written: Option<String>,
}

/// What a larger database would take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Extrapolation {
    /// Where production's sizes are from.
    pub source: String,
    /// What was assumed, in words.
    pub assumption: String,
    /// Statements that rewrite, scan, build indexes or change rows, each with its factor.
    pub statements: Vec<ExtrapolatedStatement>,
    /// All migrations, where statements take as much longer as their tables are larger.
    pub migrate_seconds: f64,
    /// All down migrations, likewise.
    pub rollback_seconds: Option<f64>,
    /// The restore, as much longer as the database is larger.
    pub restore_seconds: Option<f64>,
    /// Stalls by table and statement, likewise; the longest of a table first.
    pub stalls: Vec<ExtrapolatedStall>,
}

/// A statement in production.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExtrapolatedStatement {
    /// [`StatementRun::id`].
    pub statement: u32,
    /// The table that decides.
    pub relation: String,
    /// Its size here.
    pub bytes_here: u64,
    /// Its size in production.
    pub bytes_there: u64,
    /// Here.
    pub seconds_here: f64,
    /// There.
    pub seconds_there: f64,
}

/// A stall in production.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExtrapolatedStall {
    /// Of which table.
    pub table: String,
    /// Reads or writes.
    pub of: Access,
    /// Here.
    pub seconds_here: f64,
    /// There.
    pub seconds_there: f64,
    /// [`StatementRun::id`] of the one behind it.
    pub statement: Option<u32>,
}

impl Rehearsal {
    /// Every statement, up and down, in the order they ran.
    pub fn statements(&self) -> impl Iterator<Item = &StatementRun> {
        let downs = self.rollback.downs.iter().flat_map(|downs| &downs.steps);
        self.migrations
            .iter()
            .chain(downs.map(|step| &step.migration))
            .flat_map(|migration| &migration.statements)
    }

    /// The statement with this [`StatementRun::id`].
    pub fn statement(&self, id: u32) -> Option<&StatementRun> {
        self.statements().find(|statement| statement.id == id)
    }

    /// The files that were pending, whoever ran them; the command itself where it isn't known which those were.
    pub fn files(&self) -> Vec<FileRun> {
        let of = |run: &MigrationRun| {
            if !run.files.is_empty() {
                return run.files.clone();
            }
            vec![FileRun {
                path: run.path.clone(),
                sha256: run.sha256.clone(),
                status: run.status,
                down: run.down.clone(),
                down_sha256: run.down_sha256.clone(),
            }]
        };
        self.migrations.iter().flat_map(of).collect()
    }

    /// How long all migrations took together, without what rollsafe did between them.
    pub fn migrate_seconds(&self) -> f64 {
        self.migrations.iter().map(|run| run.seconds).sum()
    }
}
