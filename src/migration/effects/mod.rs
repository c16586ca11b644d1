//! Effects: what PostgreSQL does when it runs a statement on a given catalog, at a given version.
//!
//! The one place that knows. Rules are policies over these; a rehearsal measures the same on a server.

use compact_str::CompactString;

use super::catalog::QName;
use super::lock_mode::LockMode;
use super::statement::{ObjectKind, TypeName};
use crate::source::Span;

/// All that a statement does.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// Locks on relations, catalogs, indexes, sequences and toast left out; at most one for each relation and
    /// action. Relations that the statement itself creates are left out.
    pub locks: Vec<Lock>,
    /// Relations whose heap is written anew.
    pub rewrites: Vec<Rewrite>,
    /// Relations read in full, for validation or to build an index; a rewrite counts as a scan too.
    pub scans: Vec<Scan>,
    /// Indexes built, rebuilt by a rewrite or type change included.
    pub index_builds: Vec<IndexBuild>,
    /// What is gone afterwards.
    pub destroys: Vec<Destroyed>,
    /// Whether plain SQL can undo it without a backup.
    pub reversible: bool,
    /// Some of the names are put together at run time (dynamic SQL), and stand here as `${what they are made of}`.
    pub nameless: bool,
}

impl Effects {
    /// Gives back memory that was put by for more: reports keep the effects of every statement.
    pub(super) fn trim(&mut self) {
        self.locks.shrink_to_fit();
        self.rewrites.shrink_to_fit();
        self.scans.shrink_to_fit();
        self.index_builds.shrink_to_fit();
        self.destroys.shrink_to_fit();
    }
}

/// A lock taken on a relation.
#[derive(Clone, Debug, PartialEq)]
pub struct Lock {
    /// On what.
    pub relation: QName,
    /// How strong.
    pub mode: LockMode,
    /// The action that takes it.
    pub span: Span,
    /// Why, where it isn't plain: "referenced by a foreign key", "partition of orders".
    pub because: Option<String>,
    /// CONCURRENTLY's own waiting locks and the like: held only for moments, or released before the transaction ends.
    pub brief: bool,
}

/// A relation written anew.
#[derive(Clone, Debug, PartialEq)]
pub struct Rewrite {
    /// What.
    pub relation: QName,
    /// Why.
    pub reason: RewriteReason,
    /// The action that causes it.
    pub span: Span,
}

/// Why a relation is written anew. (Rewrites are few: the size of the largest reason costs nothing.)
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum RewriteReason {
    /// ADD COLUMN with a default that calls a volatile function.
    VolatileDefault { column: CompactString, function: Option<String> },
    /// ADD COLUMN serial.
    Serial { column: CompactString },
    /// ADD COLUMN … GENERATED AS IDENTITY.
    Identity { column: CompactString },
    /// ADD COLUMN … GENERATED ALWAYS AS (…) STORED.
    StoredGenerated { column: CompactString },
    /// ADD COLUMN of a domain with constraints.
    ConstrainedDomain { column: CompactString, domain: QName },
    /// ALTER COLUMN TYPE.
    ColumnType { column: CompactString, from: Option<TypeName>, to: TypeName },
    /// ALTER COLUMN SET EXPRESSION of a stored column.
    Expression { column: CompactString },
    /// SET LOGGED / UNLOGGED.
    Persistence,
    /// SET TABLESPACE: copied, file by file.
    Tablespace,
    /// SET ACCESS METHOD.
    AccessMethod,
    /// CLUSTER.
    Cluster,
    /// VACUUM FULL.
    VacuumFull,
    /// REFRESH MATERIALIZED VIEW.
    Refresh,
    /// ALTER TYPE of a composite type that a typed table is made of.
    CompositeType,
}

/// A relation read in full.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// What.
    pub relation: QName,
    /// Why.
    pub reason: ScanReason,
    /// The action that causes it.
    pub span: Span,
    /// The lock held on the relation meanwhile.
    pub under: LockMode,
}

/// Why a relation is read in full.
#[derive(Clone, Debug, PartialEq)]
pub enum ScanReason {
    /// ADD CHECK without NOT VALID, or ADD COLUMN … CHECK.
    Check { constraint: Option<CompactString> },
    /// SET NOT NULL, or ADD NOT NULL.
    NotNull { column: CompactString },
    /// ADD FOREIGN KEY without NOT VALID: this is the referencing or the referenced table.
    ForeignKey { constraint: Option<CompactString>, referencing: bool },
    /// VALIDATE CONSTRAINT.
    Validate { constraint: CompactString },
    /// ATTACH PARTITION: rows against the bound.
    PartitionBound { parent: QName },
    /// A new partition: rows of the default partition against it.
    DefaultPartition { parent: QName },
    /// An index is built from it.
    IndexBuild { index: Option<CompactString>, concurrently: bool },
    /// ALTER DOMAIN.
    Domain { domain: QName },
    /// ALTER COLUMN TYPE that checks each value and writes none.
    ColumnType { column: CompactString },
    /// It is written anew.
    Rewrite,
}

/// An index built from a relation.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexBuild {
    /// The indexed relation.
    pub relation: QName,
    /// The index, where it has a name yet.
    pub index: Option<CompactString>,
    /// CONCURRENTLY.
    pub concurrently: bool,
    /// The lock held on the relation meanwhile.
    pub under: LockMode,
    /// Why.
    pub reason: IndexBuildReason,
    /// The action that causes it.
    pub span: Span,
}

/// Why an index is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexBuildReason {
    /// CREATE INDEX.
    Create,
    /// ADD UNIQUE, or a UNIQUE column.
    Unique,
    /// ADD PRIMARY KEY.
    PrimaryKey,
    /// ADD EXCLUDE.
    Exclude,
    /// REINDEX.
    Reindex,
    /// A type change that keeps the heap but not the index.
    ColumnType,
    /// A relation that is written anew.
    Rewrite,
    /// ATTACH PARTITION / CREATE … PARTITION OF builds the parent's indexes on the partition.
    Partition,
}

/// Something that is gone afterwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Destroyed {
    /// What kind of thing; [`ObjectKind::Table`] with `rows` for rows.
    pub what: DestroyedKind,
    /// Its name, as it is shown: `users`, `users.email`.
    pub name: String,
    /// The relation whose data goes, where there is one.
    pub relation: Option<QName>,
    /// The action that causes it.
    pub span: Span,
    /// It goes because something else does (CASCADE, a partition of a dropped table, an index of a dropped column).
    pub cascaded: bool,
}

impl Destroyed {
    /// Whether it is the column of that name.
    pub fn is_column(&self, column: &str) -> bool {
        let of = |table| columns::member(table, column) == self.name;
        self.what == DestroyedKind::Object(ObjectKind::Column) && self.relation.as_ref().is_some_and(of)
    }
}

/// What kind of thing is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DestroyedKind {
    /// An object of the schema.
    Object(ObjectKind),
    /// Rows: TRUNCATE, DELETE.
    Rows,
    /// Old values: UPDATE, a narrowing type change.
    Values,
}

impl DestroyedKind {
    /// The JSON word: `table`, `column`, `rows`.
    pub fn as_str(self) -> String {
        match self {
            DestroyedKind::Object(kind) => kind.sql().to_lowercase(),
            DestroyedKind::Rows => "rows".to_owned(),
            DestroyedKind::Values => "values".to_owned(),
        }
    }
}

impl Effects {
    /// The strongest lock on a relation.
    pub fn lock_on(&self, relation: &QName) -> Option<LockMode> {
        self.locks.iter().filter(|lock| lock.relation == *relation).map(|lock| lock.mode).max()
    }

    /// Each locked relation with its strongest mode, in the order of names.
    pub fn strongest_locks(&self) -> Vec<(&QName, LockMode)> {
        let mut strongest: std::collections::BTreeMap<&QName, LockMode> = std::collections::BTreeMap::new();
        for lock in &self.locks {
            let mode = strongest.entry(&lock.relation).or_insert(lock.mode);
            *mode = (*mode).max(lock.mode);
        }
        strongest.into_iter().collect()
    }
}

mod alter;
mod coercion;
mod columns;
mod computation;
mod constraints;
mod creation;
mod defaults;
mod drops;
mod indexes;
mod objects;
mod partitions;
mod proof;
mod rows;
pub(super) mod volatility;

use self::computation::Computation;
use self::rows::Depth;
use super::catalog::Catalog;
use super::session::Session;
use super::statement::{Body, Statement};

/// What `statement` does on `catalog` (as it is before it) in `session`, on PostgreSQL `version` (a major, 12 to 18).
///
/// What a DO block, a called function or an executed prepared statement of an earlier migration does is not
/// looked at here: the caller walks those, on a catalog that changes with them.
pub fn compute(statement: &Statement, catalog: &Catalog, session: &Session, version: u16) -> Effects {
    let mut work = Computation::new(catalog, session, version, statement.span);
    work.statement(statement);
    work.finish()
}

impl Computation<'_> {
    fn statement(&mut self, statement: &Statement) {
        use super::lock_mode::LockMode::*;
        match &statement.body {
            Body::CreateTable(create) => self.create_table(create),
            Body::CreateTableAs(create) => self.create_table_as(create),
            Body::CreateView(create) => self.create_view(create),
            Body::AlterTable(alter) => self.alter_table(alter),
            Body::CreateIndex(create) => self.create_index(create),
            Body::Reindex(reindex) => self.reindex(reindex),
            Body::Drop(drop) => self.drop(drop),
            Body::AlterObject(alter) => self.alter_object(alter),
            Body::Truncate(truncate) => self.truncate(truncate),
            Body::Lock(lock) => self.lock_tables(lock),
            Body::Cluster { table, .. } => self.cluster(table.as_ref()),
            Body::Vacuum(vacuum) => self.vacuum(vacuum),
            Body::Analyze { tables, only } => self.analyze(tables, *only),
            Body::RefreshMaterializedView { name, concurrently, with_no_data } => {
                self.refresh(name, *concurrently, *with_no_data);
            }
            Body::Copy(copy) => self.copy(copy),
            Body::AlterType(alter) => self.alter_type(alter),
            Body::AlterDomain { name, action } => self.alter_domain(name, action),
            Body::CreateSequence { options, .. } | Body::AlterSequence { options, .. } => {
                self.sequence_options(options);
            }
            Body::CreateRoutine(create) => self.create_routine(create),
            Body::CreateTrigger(create) => self.create_trigger(create),
            Body::CreateRule { table, rule, .. } => {
                let table = self.resolve(table);
                self.lock(&table, AccessExclusive, None);
                self.uses(&rule.uses, Depth::Named);
            }
            Body::CreatePolicy { table, expressions, .. } | Body::AlterPolicy { table, expressions, .. } => {
                let table = self.resolve(table);
                self.lock(&table, AccessExclusive, None);
                for expression in expressions.iter() {
                    self.uses(&expression.uses, Depth::Named);
                }
            }
            Body::CreateStatistics { table, .. } => {
                let table = self.resolve(table);
                self.lock(&table, ShareUpdateExclusive, None);
            }
            Body::CreateSchema { elements, .. } => {
                for element in elements {
                    self.span = element.span;
                    self.statement(element);
                }
            }
            Body::CreatePublication { name, tables, .. } => self.publication(name.as_str(), tables, None),
            Body::AlterPublication { name, action, tables } => {
                self.publication(name.as_str(), tables, Some(*action));
            }
            Body::Grant(grant) => self.grant(grant),
            Body::Comment { kind, name, on_table, .. } => {
                self.comment(*kind, name.as_ref(), on_table.as_ref());
            }
            Body::Query(query) => self.query(query, Depth::Run),
            Body::Prepare { query, .. } => self.query(query, Depth::Rewritten),
            Body::Execute { name } => {
                let session = self.session;
                if let Some(query) = session.prepared.get(&name.value) {
                    self.query(query, Depth::Run);
                }
            }
            Body::Explain { analyze, statement } => match &statement.body {
                Body::Query(query) if !analyze => self.query(query, Depth::Planned),
                _ if *analyze => self.statement(statement),
                Body::CreateTableAs(create) => self.query(&create.query, Depth::Planned),
                _ => {}
            },
            Body::Other(other) if other.kind == "DECLARE CURSOR" => self.uses(&other.uses, Depth::Planned),
            Body::Other(other) => self.uses(&other.uses, Depth::Named),
            _ => {}
        }
    }
}
