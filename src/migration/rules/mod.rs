//! Rules: small policies over statements, effects and the catalog, and the registry of them.
//!
//! A rule does no I/O and can't fail. It says where and what; code, category and severity come from its page
//! and the configuration. A new rule is a file here, its page under `rules/migration/`, and two lines below.

use std::sync::Arc;

use compact_str::CompactString;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::finding::{Applicability, Edit, Fix, Turn};
use crate::source::Span;

use super::catalog::{Born, Catalog, Constraint, QName, Relation};
use super::effects::{Effects, IndexBuild, Lock, Scan};
use super::project::runner::Export;
use super::session::{Session, Timeout};
use super::statement::{Inner, Name, Statement};

/// A rule: its code, its page, and what it looks at.
pub struct Rule {
    /// The code: the name of the page and of the module.
    pub code: &'static str,
    /// The page, in Markdown.
    pub page: &'static str,
    /// What it looks at.
    pub check: Check,
}

/// When a rule is asked.
pub enum Check {
    /// For each statement of a judged migration, before the catalog learns of it; statements inside DO blocks
    /// and called functions too, right after the statement that runs them.
    Statement(fn(&StatementContext<'_>, &mut Sink)),
    /// Once for each judged migration, after its last statement.
    Migration(fn(&MigrationContext<'_>, &mut Sink)),
    /// Once for the run, after the last migration.
    Run(fn(&RunContext<'_>, &mut Sink)),
    /// Over migrations that one transaction may span: once for each judged migration; once over all of them where a
    /// release is judged (see [`RELEASE`]), and over those that the tool runs in one transaction.
    Together(fn(&RunContext<'_>, &mut Sink)),
    /// Once for each judged up migration, after it and what undoes it have been walked through.
    Reversal(fn(&ReversalContext<'_>, &mut Sink)),
    /// The engine itself reports it (a statement that can't be read, a suppression that does nothing).
    Engine,
}

/// With more judged migrations than this it is a history that is judged, not a release: what stands years apart never
/// runs at the same time.
pub const RELEASE: usize = 20;

/// The text of a rule's page, for `Rule::page`.
#[macro_export]
#[doc(hidden)]
macro_rules! migration_page {
    ($code:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/rules/migration/", $code, ".md"))
    };
}

/// Settings that rules heed.
#[derive(Clone, Debug)]
pub struct RuleOptions {
    /// The PostgreSQL major version that the migrations run on.
    pub version: u16,
    /// Whether anybody said so; else `version` is the newest, by whose effects is judged.
    pub version_is_known: bool,
    /// Relations known to have fewer rows than this, and fewer bytes than `small_bytes`, don't count as large.
    pub small_rows: u64,
    /// Bytes of the heap and its toast.
    pub small_bytes: u64,
    /// What becomes of findings about work on relations that are small.
    pub small_relations: SmallRelations,
    /// Bytes a second that a server reads and writes when it rewrites or scans a table, for estimates.
    pub throughput: u64,
    /// What the database is asked, where a snapshot tells it.
    pub demand: Option<std::sync::Arc<super::live::Demand>>,
    /// A lock_timeout over this many milliseconds is as good as none.
    pub longest_lock_timeout: u64,
}

impl Default for RuleOptions {
    fn default() -> Self {
        RuleOptions {
            version: 18,
            version_is_known: false,
            small_rows: 10_000,
            small_bytes: 10_000_000,
            small_relations: SmallRelations::Quiet,
            throughput: 100_000_000,
            demand: None,
            longest_lock_timeout: 60_000,
        }
    }
}

impl RuleOptions {
    /// The oldest version that the migrations may run on, whose syntax SQL that is offered has to keep to: where nobody said
    /// which, the oldest that was maintained when the newest known one came out.
    pub fn oldest(&self) -> u16 {
        if self.version_is_known { self.version } else { self.version.min(14) }
    }

    /// Whether work in proportion to a relation of this size is over before it hurts.
    pub fn is_small(&self, size: super::catalog::Size) -> bool {
        size.rows < self.small_rows && size.bytes < self.small_bytes
    }
}

/// What becomes of findings that a relation's known size makes harmless.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SmallRelations {
    /// They are counted, not told.
    #[default]
    Quiet,
    /// They are told a severity lower.
    Lower,
}

/// What a rule sees of one statement.
pub struct StatementContext<'a> {
    /// The statement.
    pub statement: &'a Statement,
    /// What it does. For a DO block: all that its inner statements do.
    pub effects: &'a Effects,
    /// What existed before it.
    pub before: &'a Catalog,
    /// The session before it.
    pub session: &'a Session,
    /// The whole text of the file; spans are its.
    pub text: &'a str,
    /// The migration, by its place in the order.
    pub migration: u32,
    /// The statement, by its place in the migration.
    pub index: usize,
    /// All statements of the migration, this one at `index` (an inner statement: the one that runs it).
    pub statements: &'a [Statement],
    /// Set for a statement inside a DO block or function: its place in control flow.
    pub inner: Option<&'a Inner>,
    /// How the migration is run.
    pub run: &'a RunFacts,
    /// Whether other statements go in the same query string.
    pub shares_query: bool,
    /// Settings.
    pub options: &'a RuleOptions,
    /// Whether the migration rolls anything back at all, so that most need not look ahead for it.
    pub rolls_back: bool,
    /// Answers that many rules want, kept for the statement.
    pub kept: Kept,
    /// The same, kept for the migration.
    pub kept_of_all: &'a KeptOfAll,
}

/// Answers about one statement that many rules want, worked out once.
#[derive(Debug, Default)]
pub struct Kept {
    /// See [`StatementContext::altered`]: the relation, where the question applies.
    pub(super) altered: std::cell::OnceCell<Option<QName>>,
    /// Whether [`StatementContext::may_be_large`] has said no because of a known size.
    pub(super) was_small: std::cell::Cell<bool>,
    /// Whether sizes are left out of account, to see what they keep quiet.
    pub(super) any_size: std::cell::Cell<bool>,
    /// See [`StatementContext::at`].
    at: std::cell::OnceCell<FxHashMap<Span, Causes>>,
    /// See [`StatementContext::concurrent`].
    pub(super) concurrent: std::cell::OnceCell<Statement>,
}

/// What an action of the statement causes, by places in the effects: an ALTER TABLE may have thousands of actions.
#[derive(Debug, Default)]
struct Causes {
    scans: Vec<u32>,
    builds: Vec<u32>,
    rewrites: Vec<u32>,
}

/// Answers about all statements of a migration that many rules want, worked out once.
#[derive(Debug, Default)]
pub struct KeptOfAll {
    /// See `StatementContext::others`, by what is asked.
    pub(super) others: std::cell::RefCell<FxHashMap<usize, [Option<usize>; 2]>>,
    /// See `StatementContext::sent_whole`.
    pub(super) joined: std::cell::OnceCell<bool>,
    /// See `StatementContext::section_line`: where lines that begin sections begin, and where they end.
    pub(super) sections: std::cell::OnceCell<Vec<(usize, usize)>>,
    /// How many statements the whole file has that aren't settings.
    pub(super) in_file: std::cell::OnceCell<usize>,
}

/// How a migration is run, as far as rules need it.
#[derive(Clone, Debug, Default)]
pub struct RunFacts {
    /// The runner's name ("flyway"), where known.
    pub runner: Option<&'static str>,
    /// It is a down migration.
    pub down: bool,
    /// All statements (of the submission unit) go as one query string.
    pub one_query: bool,
    /// What stands between lines that begin with this goes as one query string.
    pub query_mark: Option<&'static str>,
    /// The runner's transaction is open around the whole migration.
    pub runner_transaction: bool,
    /// psql runs it, so meta-commands and COPY data work.
    pub psql: bool,
    /// The runner puts all pending migrations in one transaction.
    pub one_transaction_for_all: bool,
    /// The text is what the runner prints of migrations that aren't SQL.
    pub export: Option<Export>,
    /// A comment that looks like a way out of the runner's transaction, and is none to this runner.
    pub ignored_switch: Option<Span>,
    /// The runner holds a transaction with a snapshot open on another connection: how to have it otherwise, as sentences.
    pub held_open: Option<&'static str>,
    /// The runner refuses a file with statements of which this is true, unless it holds no others.
    pub alone_only: Option<fn(&Statement) -> bool>,
}

impl<'a> StatementContext<'a> {
    /// The text of a span.
    pub fn sql(&self, span: Span) -> &'a str {
        span.of(self.text)
    }

    /// What the action at `span` causes, by places in the effects.
    fn at(&self, span: Span) -> Option<&Causes> {
        let all = self.kept.at.get_or_init(|| {
            let mut all: FxHashMap<Span, Causes> = FxHashMap::default();
            for (place, scan) in (0..).zip(&self.effects.scans) {
                all.entry(scan.span).or_default().scans.push(place);
            }
            for (place, build) in (0..).zip(&self.effects.index_builds) {
                all.entry(build.span).or_default().builds.push(place);
            }
            for (place, rewrite) in (0..).zip(&self.effects.rewrites) {
                all.entry(rewrite.span).or_default().rewrites.push(place);
            }
            all
        });
        all.get(&span)
    }

    /// The reads that the action at `span` causes.
    pub fn scans_at(&self, span: Span) -> impl Iterator<Item = &'a Scan> {
        let places = self.at(span).map_or(&[][..], |causes| &causes.scans);
        places.iter().filter_map(|&place| self.effects.scans.get(place as usize))
    }

    /// The index builds that the action at `span` causes.
    pub fn builds_at(&self, span: Span) -> impl Iterator<Item = &'a IndexBuild> {
        let places = self.at(span).map_or(&[][..], |causes| &causes.builds);
        places.iter().filter_map(|&place| self.effects.index_builds.get(place as usize))
    }

    /// Whether the action at `span` has a table written anew.
    pub fn rewrites_at(&self, span: Span) -> bool {
        self.at(span).is_some_and(|causes| !causes.rewrites.is_empty())
    }

    /// The relation that a written name means here.
    pub fn resolve(&self, name: &Name) -> QName {
        self.before.resolve(name, &self.session.search_path)
    }

    /// The relation behind a written name, if the catalog knows it.
    pub fn relation(&self, name: &Name) -> Option<&'a Relation> {
        self.before.relation(&self.resolve(name))
    }

    /// Whether other sessions may be using this relation and it may hold data: false for one that was made
    /// in the same transaction, or in the same migration and not filled since, or by the statement itself.
    /// An unknown relation counts as in use.
    pub fn in_use(&self, relation: &QName) -> bool {
        match self.before.relation(relation) {
            None => true,
            Some(relation) => self.in_use_since(relation.born),
        }
    }

    /// The same, from since when an object is there.
    pub fn in_use_since(&self, born: Born) -> bool {
        match born {
            Born::Before => true,
            Born::Here { maybe_old: true, .. } => true,
            Born::Here { migration, transaction, .. } => {
                migration != self.migration && transaction != self.session.transaction
            }
        }
    }

    /// Whether the relation is in use and, where its size is known, not below the configured size: whether work
    /// in proportion to its rows can hurt.
    pub fn may_be_large(&self, relation: &QName) -> bool {
        if !self.in_use(relation) {
            return false;
        }
        let size = self.before.relation(relation).and_then(|relation| relation.size);
        let is_small = size.is_some_and(|size| self.options.is_small(size));
        if is_small {
            self.kept.was_small.set(true);
        }
        !is_small || self.kept.any_size.get()
    }

    /// `Some(true)` when it runs together with other statements in one transaction.
    pub fn in_transaction(&self) -> Option<bool> {
        self.session.in_transaction()
    }

    /// The strong locks (those that block reads or writes) that this statement takes on relations in use.
    pub fn strong_locks(&self) -> impl Iterator<Item = &'a Lock> + use<'a, '_> {
        self.effects
            .locks
            .iter()
            .filter(|lock| lock.mode.blocks_writes() && !lock.brief && self.in_use(&lock.relation))
    }
}

/// What a rule keeps of a statement that has been looked at.
#[derive(Clone, Debug)]
pub struct Record {
    /// The statement, by its place in the migration.
    pub index: usize,
    /// Its place in the file.
    pub span: Span,
    /// What it did.
    pub effects: Effects,
    /// Whether it ran in a transaction.
    pub in_transaction: Option<bool>,
    /// Which transaction.
    pub transaction: u32,
    /// `lock_timeout` as it was in force at it.
    pub lock_timeout: Timeout,
    /// `statement_timeout` as it was in force at it.
    pub statement_timeout: Timeout,
    /// What it costs, where sizes are known.
    pub cost: Option<super::cost::Cost>,
    /// Slow work under strong locks of earlier statements of the transaction.
    pub slow: Option<SlowUnderLock>,
    /// Those of `strong` that the transaction didn't hold before it: it has to wait for them.
    pub awaited: Vec<(QName, super::lock_mode::LockMode)>,
    /// Relations it locks strongly that were in use (see [`StatementContext::in_use`]).
    pub strong: Vec<(QName, super::lock_mode::LockMode)>,
}

/// What a rule sees of a whole migration.
pub struct MigrationContext<'a> {
    /// Its statements.
    pub statements: &'a [Statement],
    /// What was noted of each statement.
    pub records: &'a [Record],
    /// The catalog after it.
    pub after: &'a Catalog,
    /// The session after it.
    pub session: &'a Session,
    /// The whole text of the file.
    pub text: &'a str,
    /// Its place in the order.
    pub migration: u32,
    /// How it is run.
    pub run: &'a RunFacts,
    /// Settings.
    pub options: &'a RuleOptions,
}

impl<'a> MigrationContext<'a> {
    /// Whether an object was made by this migration.
    pub fn born_here(&self, born: Born) -> bool {
        matches!(born, Born::Here { migration, .. } if migration == self.migration)
    }

    /// The text of a span.
    pub fn sql(&self, span: Span) -> &'a str {
        span.of(self.text)
    }
}

/// What a rule sees of the run: all judged migrations with their records.
pub struct RunContext<'a> {
    /// In order: place in the order, path as shown, records.
    pub migrations: Vec<JudgedMigration<'a>>,
    /// All up migrations, in order, history included.
    pub versions: Vec<Version<'a>>,
    /// The catalog after the last one.
    pub after: &'a Catalog,
    /// Settings.
    pub options: &'a RuleOptions,
}

/// A judged migration, for [`RunContext`].
pub struct JudgedMigration<'a> {
    /// Its place in the order.
    pub migration: u32,
    /// Its path as it is shown.
    pub path: &'a str,
    /// The whole text of the file.
    pub text: &'a str,
    /// Its first statement's place; empty where it has none.
    pub first: Span,
    /// Its statements; none where more than a release is judged, but for [`Check::Together`].
    pub statements: &'a [Statement],
    /// What was noted of each, effects left out; none where there are no statements.
    pub records: &'a [Record],
    /// How it is run.
    pub run: &'a RunFacts,
    /// The version that the runner compares; empty where names have none.
    pub version: &'a str,
    /// How the change at hand came by it; `None` where nothing is known of a change.
    pub change: Option<Change>,
    /// The file that it was before the change at hand, where the runner took that for another migration.
    pub was: Option<&'a std::path::Path>,
}

impl RunContext<'_> {
    /// The constraints that judged migrations have made and that are there at the end, with their relations, in the order of
    /// these, and their migrations. A partition's are its parent's.
    pub fn constraints_made(&self) -> Vec<(&Relation, &Constraint, u32)> {
        let judged: FxHashSet<u32> = self.migrations.iter().map(|migration| migration.migration).collect();
        let made = |constraint: &Constraint| match constraint.born {
            Born::Here { migration, .. } if judged.contains(&migration) => Some(migration),
            _ => None,
        };
        let tables = match self.migrations.as_slice() {
            [one] => self.after.touched_by(one.migration),
            _ => self.after.relations(),
        };
        tables
            .into_iter()
            .filter(|table| table.partition_of.is_none())
            .flat_map(|table| table.constraints.iter().map(move |constraint| (table, constraint)))
            .filter_map(|(table, constraint)| Some((table, constraint, made(constraint)?)))
            .collect()
    }
}

/// A migration as the tool tells it from others.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    /// Its place in the order.
    pub migration: u32,
    /// The version as it is written; empty where names have none.
    pub version: &'a str,
    /// Its path as it is shown.
    pub path: &'a str,
    /// It was there before the change at hand.
    pub old: bool,
}

/// What a rule sees of a migration and its way back.
pub struct ReversalContext<'a> {
    /// What existed before it; empty where there is no way back to compare with it.
    pub before: &'a Catalog,
    /// What exists after it.
    pub between: &'a Catalog,
    /// The migration, by its place in the order.
    pub migration: u32,
    /// Its statements.
    pub statements: &'a [Statement],
    /// What was noted of each.
    pub records: &'a [Record],
    /// The way back, where there is one.
    pub down: Option<DownMigration<'a>>,
    /// Other migrations of the project have a way back, and the tool runs them.
    pub downs_are_usual: bool,
    /// The whole text of the way back's file.
    pub down_text: &'a str,
    /// The whole text of the file.
    pub text: &'a str,
}

/// A way back, for [`ReversalContext`].
pub struct DownMigration<'a> {
    /// The migration, by its place in the order.
    pub migration: u32,
    /// Its statements.
    pub statements: &'a [Statement],
    /// What was noted of each; empty where it isn't judged.
    pub records: &'a [Record],
    /// The part of its file that it is.
    pub span: Span,
    /// What exists after it.
    pub after: &'a Catalog,
}

/// How the change at hand came by a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It was there, and says something else now.
    Edited,
}

/// Takes what rules have to say.
#[derive(Default)]
pub struct Sink {
    pub(super) said: Vec<Said>,
}

/// One thing that a rule said.
#[derive(Clone, Debug)]
pub struct Said {
    /// The part of the file it is about.
    pub span: Span,
    /// The migration, where it isn't the one being looked at (rules over the run).
    pub migration: Option<u32>,
    /// What is wrong, and why.
    pub message: String,
    /// What to do instead.
    pub help: Option<Arc<str>>,
    /// A mechanical fix, or why there is none where one would be looked for.
    pub fix: Option<Mend>,
}

impl Said {
    /// Gives back memory that was put by for more: what is said is kept to the end.
    pub(super) fn trim(&mut self) {
        self.message.shrink_to_fit();
        if let Some(Mend::Fix(fix)) = &mut self.fix {
            fix.edits.shrink_to_fit();
        }
    }
}

/// What can be done about a finding mechanically.
#[derive(Clone, Debug)]
pub enum Mend {
    /// This.
    Fix(Box<Fix>),
    /// Nothing here: why, as a clause behind "not fixed: ".
    Not(String),
}

impl Sink {
    /// Says something about the part `span` of the file.
    pub fn say(&mut self, span: Span, message: impl Into<String>) -> &mut Said {
        self.said.push(Said::new(span, message));
        let last = self.said.len() - 1;
        &mut self.said[last] // just pushed
    }
}

impl Said {
    /// About the part `span` of the file.
    pub fn new(span: Span, message: impl Into<String>) -> Said {
        Said { span, migration: None, message: message.into(), help: None, fix: None }
    }

    /// What to do instead: SQL or a command to paste.
    pub fn help(&mut self, help: impl Into<Arc<str>>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// A mechanical fix that may be applied unseen: what it does, and the replacements in order.
    pub fn fix(&mut self, title: impl Into<String>, edits: Vec<Edit>) -> &mut Self {
        self.mend(title, Applicability::Safe, edits)
    }

    /// A mechanical fix that a person has to agree to.
    pub fn unsafe_fix(&mut self, title: impl Into<String>, edits: Vec<Edit>) -> &mut Self {
        self.mend(title, Applicability::Unsafe, edits)
    }

    /// A mechanical fix.
    pub fn mend(
        &mut self,
        title: impl Into<String>,
        applicability: Applicability,
        edits: Vec<Edit>,
    ) -> &mut Self {
        let fix = Fix { title: title.into(), applicability, note: None, edits, turn: Turn::Any };
        self.fix = Some(Mend::Fix(Box::new(fix)));
        self
    }

    /// Why it can't be mended mechanically where it stands: a clause behind "not fixed: ".
    pub fn unfixed(&mut self, why: impl Into<String>) -> &mut Self {
        self.fix = Some(Mend::Not(why.into()));
        self
    }

    /// The migration it is about, for rules over the run.
    pub fn in_migration(&mut self, migration: u32) -> &mut Self {
        self.migration = Some(migration);
        self
    }
}

/// Names joined for a sentence: "a", "a and b", "a, b and 3 more".
pub fn joined<T: ToString>(names: &[T]) -> String {
    const MOST: usize = 4;
    let shown: Vec<String> = names.iter().map(ToString::to_string).collect();
    match shown.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] if shown.len() <= MOST => format!("{} and {last}", first.join(", ")),
        _ => format!("{} and {} more", shown[..MOST - 1].join(", "), shown.len() - MOST + 1),
    }
}

/// Column names joined for SQL: `a, "B"`.
pub fn column_list(columns: &[CompactString]) -> String {
    columns.iter().map(|column| super::statement::quote_ident(column)).collect::<Vec<_>>().join(", ")
}

/// SQL that drops a constraint.
pub fn drop_constraint(table: &QName, name: &str) -> String {
    format!("ALTER TABLE {table} DROP CONSTRAINT {};", super::statement::quote_ident(name))
}

// Shared by rules: what they ask of the context, plans and switches they print, what a statement writes down.

mod bulk;
mod nearest;
mod not_valid;
pub mod outlook;
pub mod outside;
pub mod plans;
mod replacement;
pub mod standstill;
pub mod switches;
mod timeout;
pub mod written;

// Modules, in the order of the alphabet.

mod add_check_validates;
mod add_column_json;
mod add_column_rewrites;
mod add_exclusion_builds_index;
mod add_foreign_key_validates;
mod add_not_null_without_default;
mod add_primary_key_builds_index;
mod add_unique_builds_index;
mod already_exists;
pub mod applied_migration_edited;
mod attach_partition_scans;
mod bulk_delete;
mod bulk_insert_select;
mod bulk_update;
mod catalog_modified_directly;
mod char_column;
mod cluster_table;
mod column_missing;
mod column_type_changed;
mod column_type_narrowed;
mod column_type_rebuilds_indexes;
mod column_type_rewrites;
mod commit_ends_runner_transaction;
mod composite_type_changed;
mod concurrently_in_transaction;
mod concurrently_on_partitioned_table;
mod concurrently_waits_for_tool;
mod constraint_deferrability_changed;
mod constraint_missing;
mod constraint_not_named;
mod create_index_blocks_writes;
mod create_index_on_partitioned_table;
mod create_partition_locks_parent;
mod create_rule;
mod create_table_as_copies;
mod create_table_foreign_key_locks;
mod create_trigger_locks;
mod data_and_schema_together;
mod default_changed;
mod delete_all_rows;
mod dependents;
mod detach_partition_blocks;
mod disable_trigger;
mod domain_constraint_scans;
mod down_does_not_undo;
mod down_empty;
mod down_loses_data;
mod down_missing;
mod drop_cascade;
mod drop_column;
mod drop_constraint;
mod drop_database;
mod drop_default_breaks_writers;
mod drop_extension;
mod drop_function;
mod drop_index_blocks;
mod drop_index_in_use;
mod drop_materialized_view;
mod drop_not_null;
mod drop_owned;
mod drop_partition;
mod drop_schema;
mod drop_sequence;
mod drop_table;
mod drop_trigger;
mod drop_type_in_use;
mod drop_view;
mod duplicate_column_assignment;
mod dynamic_sql_not_checked;
mod enum_value_position;
mod enum_value_used_in_same_transaction;
mod expand_and_contract_together;
mod explain_analyze_runs;
mod extension_updated;
mod float_column;
mod foreign_key_cascades;
mod foreign_key_type_mismatch;
mod foreign_key_without_index;
mod grant_to_public;
mod identifier_truncated;
mod identity_always_breaks_writers;
mod if_not_exists_hides_drift;
mod index_column_repeated;
mod index_redundant;
mod inheritance_changed;
mod int_primary_key;
mod invalid_index_hidden;
mod irreversible_change;
mod json_column;
mod lock_held_during_slow_work;
mod lock_order_inconsistent;
mod lock_table;
mod lock_timeout_missing;
mod locks_span_files;
mod many_tables_locked;
mod meta_command_not_supported;
mod migration_out_of_order;
mod missing_if_exists;
mod mixed_case_identifier;
mod mixed_transaction_file;
mod money_column;
mod nested_transaction;
mod not_allowed_in_transaction;
mod not_rerunnable;
mod not_valid_never_validated;
mod owner_changed;
mod policy_changed;
mod publication_changed;
mod refresh_materialized_view_blocks;
mod refused_by_schema;
mod reindex_blocks;
pub mod relation_missing;
mod rename_column;
mod rename_enum_value;
mod rename_schema;
mod rename_table;
mod rename_type;
mod replace_function;
mod replace_view;
mod replacement_refused;
mod replica_identity_changed;
mod revoke_privilege;
mod rewrites_repeated;
mod role_changed;
mod row_security_enabled;
pub(super) mod schema_drift;
mod schema_not_named;
mod security_definer_without_search_path;
mod sequence_restarted;
mod serial_column;
mod set_local_without_transaction;
mod set_not_null_breaks_writers;
mod set_not_null_scans;
mod set_schema;
mod set_unlogged;
mod statement_not_understood;
mod statement_timeout_missing;
mod still_depended_on;
mod suppression_unused;
mod suppression_without_reason;
mod switch_ignored;
mod syntax_error;
mod system_setting_changed;
mod table_storage_rewrites;
mod table_without_primary_key;
mod time_with_time_zone;
mod timestamp_without_time_zone;
mod transaction_left_open;
mod transaction_unknown;
mod truncate_table;
mod unique_added;
mod unique_index_missing;
mod unlogged_table;
mod vacuum_full;
mod validate_in_same_transaction;
mod varchar_limit;
mod version_duplicated;
mod wide_index;

pub use lock_held_during_slow_work::SlowUnderLock;

/// Every rule, in the order in which reports and lists show them: by category, then as their pages are read.
pub static RULES: &[&Rule] = &[
    // destructive
    &drop_table::RULE,
    &drop_column::RULE,
    &drop_schema::RULE,
    &drop_database::RULE,
    &truncate_table::RULE,
    &delete_all_rows::RULE,
    &column_type_narrowed::RULE,
    &drop_cascade::RULE,
    &drop_extension::RULE,
    &drop_type_in_use::RULE,
    &drop_materialized_view::RULE,
    &drop_sequence::RULE,
    &drop_partition::RULE,
    &set_unlogged::RULE,
    &catalog_modified_directly::RULE,
    &drop_owned::RULE,
    &drop_constraint::RULE,
    &sequence_restarted::RULE,
    &drop_index_in_use::RULE,
    // locking
    &create_index_blocks_writes::RULE,
    &create_index_on_partitioned_table::RULE,
    &drop_index_blocks::RULE,
    &reindex_blocks::RULE,
    &add_foreign_key_validates::RULE,
    &add_check_validates::RULE,
    &add_unique_builds_index::RULE,
    &add_primary_key_builds_index::RULE,
    &add_exclusion_builds_index::RULE,
    &set_not_null_scans::RULE,
    &add_column_rewrites::RULE,
    &column_type_rewrites::RULE,
    &column_type_rebuilds_indexes::RULE,
    &validate_in_same_transaction::RULE,
    &cluster_table::RULE,
    &vacuum_full::RULE,
    &refresh_materialized_view_blocks::RULE,
    &attach_partition_scans::RULE,
    &detach_partition_blocks::RULE,
    &create_partition_locks_parent::RULE,
    &table_storage_rewrites::RULE,
    &lock_table::RULE,
    &create_table_foreign_key_locks::RULE,
    &create_trigger_locks::RULE,
    &domain_constraint_scans::RULE,
    &bulk_update::RULE,
    &bulk_delete::RULE,
    &bulk_insert_select::RULE,
    &lock_timeout_missing::RULE,
    &statement_timeout_missing::RULE,
    &lock_held_during_slow_work::RULE,
    &many_tables_locked::RULE,
    &lock_order_inconsistent::RULE,
    &rewrites_repeated::RULE,
    // compatibility
    &rename_column::RULE,
    &rename_table::RULE,
    &rename_schema::RULE,
    &rename_enum_value::RULE,
    &rename_type::RULE,
    &set_schema::RULE,
    &column_type_changed::RULE,
    &add_not_null_without_default::RULE,
    &set_not_null_breaks_writers::RULE,
    &drop_default_breaks_writers::RULE,
    &drop_not_null::RULE,
    &identity_always_breaks_writers::RULE,
    &add_column_json::RULE,
    &row_security_enabled::RULE,
    &revoke_privilege::RULE,
    &drop_function::RULE,
    &drop_view::RULE,
    &replace_view::RULE,
    &disable_trigger::RULE,
    &expand_and_contract_together::RULE,
    &unique_added::RULE,
    &default_changed::RULE,
    &composite_type_changed::RULE,
    &policy_changed::RULE,
    &owner_changed::RULE,
    &drop_trigger::RULE,
    &create_rule::RULE,
    &replace_function::RULE,
    &inheritance_changed::RULE,
    &replica_identity_changed::RULE,
    &publication_changed::RULE,
    &system_setting_changed::RULE,
    &role_changed::RULE,
    &extension_updated::RULE,
    &enum_value_position::RULE,
    // transaction
    &concurrently_in_transaction::RULE,
    &concurrently_waits_for_tool::RULE,
    &concurrently_on_partitioned_table::RULE,
    &not_allowed_in_transaction::RULE,
    &enum_value_used_in_same_transaction::RULE,
    &transaction_left_open::RULE,
    &transaction_unknown::RULE,
    &mixed_transaction_file::RULE,
    &switch_ignored::RULE,
    &nested_transaction::RULE,
    &commit_ends_runner_transaction::RULE,
    &set_local_without_transaction::RULE,
    &invalid_index_hidden::RULE,
    &not_rerunnable::RULE,
    &data_and_schema_together::RULE,
    &locks_span_files::RULE,
    // rollback
    &down_missing::RULE,
    &down_empty::RULE,
    &down_does_not_undo::RULE,
    &down_loses_data::RULE,
    &irreversible_change::RULE,
    &applied_migration_edited::RULE,
    &migration_out_of_order::RULE,
    &version_duplicated::RULE,
    // correctness
    &syntax_error::RULE,
    &statement_not_understood::RULE,
    &dynamic_sql_not_checked::RULE,
    &relation_missing::RULE,
    &column_missing::RULE,
    &already_exists::RULE,
    &constraint_missing::RULE,
    &still_depended_on::RULE,
    &unique_index_missing::RULE,
    &replacement_refused::RULE,
    &refused_by_schema::RULE,
    &foreign_key_without_index::RULE,
    &foreign_key_type_mismatch::RULE,
    &index_redundant::RULE,
    &not_valid_never_validated::RULE,
    &identifier_truncated::RULE,
    &if_not_exists_hides_drift::RULE,
    &duplicate_column_assignment::RULE,
    &security_definer_without_search_path::RULE,
    &grant_to_public::RULE,
    &explain_analyze_runs::RULE,
    &create_table_as_copies::RULE,
    &index_column_repeated::RULE,
    &constraint_deferrability_changed::RULE,
    &meta_command_not_supported::RULE,
    &suppression_unused::RULE,
    &suppression_without_reason::RULE,
    // convention
    &int_primary_key::RULE,
    &serial_column::RULE,
    &timestamp_without_time_zone::RULE,
    &char_column::RULE,
    &varchar_limit::RULE,
    &money_column::RULE,
    &json_column::RULE,
    &table_without_primary_key::RULE,
    &schema_not_named::RULE,
    &schema_drift::RULE,
    &mixed_case_identifier::RULE,
    &wide_index::RULE,
    &float_column::RULE,
    &time_with_time_zone::RULE,
    &unlogged_table::RULE,
    &foreign_key_cascades::RULE,
    &constraint_not_named::RULE,
    &missing_if_exists::RULE,
];

/// The rule of a code.
pub fn rule(code: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.code == code)
}
