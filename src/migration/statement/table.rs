//! Tables, their columns, constraints and indexes, and the actions of ALTER TABLE.

use compact_str::CompactString;

use super::{Expr, Ident, Name, ObjectKind, Query, SequenceOption, TypeName};
use crate::source::Span;

/// LOGGED or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Persistence {
    /// An ordinary relation.
    #[default]
    Permanent,
    /// UNLOGGED: empty after a crash.
    Unlogged,
    /// TEMPORARY: this session's.
    Temporary,
}

/// CREATE TABLE.
#[derive(Clone, Debug, Default)]
pub struct CreateTable {
    pub name: Name,
    pub if_not_exists: bool,
    pub foreign: bool,
    pub persistence: Persistence,
    pub columns: Vec<ColumnDefinition>,
    /// Table constraints, in order.
    pub constraints: Vec<Constraint>,
    pub like: Vec<LikeClause>,
    pub inherits: Vec<Name>,
    /// OF type.
    pub of_type: Option<Name>,
    pub partition_of: Option<PartitionOf>,
    pub partition_by: Option<PartitionBy>,
    pub options: Vec<StorageOption>,
    pub tablespace: Option<Ident>,
    pub access_method: Option<Ident>,
}

/// PARTITION OF parent FOR VALUES ….
#[derive(Clone, Debug)]
pub struct PartitionOf {
    pub parent: Name,
    pub bound: PartitionBound,
    /// Where the bound is written, FOR VALUES or DEFAULT included.
    pub bound_span: Span,
}

/// A partition's bound, expressions as written.
#[derive(Clone, Debug, PartialEq)]
pub enum PartitionBound {
    Default,
    In(Vec<Expr>),
    Range { from: Vec<Expr>, to: Vec<Expr> },
    Hash { modulus: i64, remainder: i64 },
}

/// PARTITION BY.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionBy {
    pub strategy: PartitionStrategy,
    /// Each key: a plain column (`bare_column`) or an expression.
    pub keys: Vec<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionStrategy {
    List,
    Range,
    Hash,
}

/// LIKE source INCLUDING ….
#[derive(Clone, Debug)]
pub struct LikeClause {
    pub source: Name,
    /// Folded words: `all`, `defaults`, `indexes` …, with whether they are included, in order.
    pub options: Vec<(bool, CompactString)>,
}

/// A column of CREATE TABLE or ADD COLUMN.
#[derive(Clone, Debug, Default)]
pub struct ColumnDefinition {
    pub name: Ident,
    /// None for a typed table's or a partition's column options, which name no type.
    pub type_name: Option<TypeName>,
    pub collation: Option<Name>,
    pub compression: Option<Ident>,
    pub storage: Option<Ident>,
    /// Column constraints, in order: DEFAULT, NOT NULL, PRIMARY KEY … with one column each.
    pub constraints: Vec<Constraint>,
    pub span: Span,
}

/// A table or column constraint.
#[derive(Clone, Debug)]
pub struct Constraint {
    /// `CONSTRAINT name`.
    pub name: Option<Ident>,
    pub kind: ConstraintKind,
    pub deferrable: Option<bool>,
    pub initially_deferred: Option<bool>,
    /// NOT VALID.
    pub not_valid: bool,
    /// `Some(false)`: NOT ENFORCED.
    pub enforced: Option<bool>,
    /// NO INHERIT.
    pub no_inherit: bool,
    /// Where it is written, from CONSTRAINT or its first word.
    pub span: Span,
}

/// What a constraint demands. For column constraints `columns` holds that column.
#[derive(Clone, Debug)]
pub enum ConstraintKind {
    NotNull {
        column: Ident,
    },
    /// An explicit NULL.
    Null,
    Default(Expr),
    Check(Expr),
    Generated {
        expr: Expr,
        stored: bool,
    },
    Identity {
        always: bool,
        options: Vec<SequenceOption>,
    },
    Unique(IndexConstraint),
    PrimaryKey(IndexConstraint),
    Exclude {
        method: Option<Ident>,
        columns: Vec<IndexColumn>,
        predicate: Option<Expr>,
    },
    ForeignKey(ForeignKey),
}

/// UNIQUE and PRIMARY KEY.
#[derive(Clone, Debug, Default)]
pub struct IndexConstraint {
    pub columns: Vec<Ident>,
    /// INCLUDE (…).
    pub include: Vec<Ident>,
    pub nulls_not_distinct: bool,
    pub without_overlaps: bool,
    /// USING INDEX name.
    pub using_index: Option<Ident>,
    /// Where `WITH (…)` is written; empty where it isn't.
    pub options: Span,
    pub tablespace: Option<Ident>,
}

/// FOREIGN KEY … REFERENCES.
#[derive(Clone, Debug, Default)]
pub struct ForeignKey {
    pub columns: Vec<Ident>,
    pub target: Name,
    /// Empty: the target's primary key.
    pub target_columns: Vec<Ident>,
    /// PERIOD on the last column (18).
    pub period: bool,
    /// Folded: `cascade`, `set null`, `set default`, `restrict`, `no action`.
    pub on_delete: Option<&'static str>,
    pub on_update: Option<&'static str>,
    /// `full`, `simple`.
    pub match_type: Option<&'static str>,
}

/// CREATE TABLE AS, SELECT INTO, CREATE MATERIALIZED VIEW.
#[derive(Clone, Debug)]
pub struct CreateTableAs {
    pub name: Name,
    pub materialized_view: bool,
    pub if_not_exists: bool,
    pub persistence: Persistence,
    /// The column names written, else those of the query where plain.
    pub columns: Vec<Ident>,
    pub query: Query,
    pub with_no_data: bool,
    pub tablespace: Option<Ident>,
}

/// ALTER TABLE and the other statements that take table actions.
#[derive(Clone, Debug)]
pub struct AlterTable {
    /// Table, ForeignTable, View, MaterializedView, Index, Sequence; Type for composite types.
    pub kind: ObjectKind,
    pub name: Name,
    pub if_exists: bool,
    pub only: bool,
    pub actions: Vec<Action>,
}

/// One thing that an ALTER TABLE does.
#[derive(Clone, Debug)]
pub struct Action {
    pub span: Span,
    pub kind: ActionKind,
}

impl Action {
    /// The constraints that it adds: ADD CONSTRAINT's own, or those written with ADD COLUMN.
    pub fn added_constraints(&self) -> &[Constraint] {
        match &self.kind {
            ActionKind::AddConstraint(constraint) => std::slice::from_ref(constraint.as_ref()),
            ActionKind::AddColumn { column, .. } => &column.constraints,
            _ => &[],
        }
    }
}

impl ActionKind {
    /// The column that is there before it, which it alters, drops or renames.
    pub fn altered_column(&self) -> Option<&Ident> {
        match self {
            ActionKind::DropColumn { column, .. }
            | ActionKind::SetType { column, .. }
            | ActionKind::SetDefault { column, .. }
            | ActionKind::DropDefault { column }
            | ActionKind::SetNotNull { column }
            | ActionKind::DropNotNull { column }
            | ActionKind::SetExpression { column, .. }
            | ActionKind::DropExpression { column, .. }
            | ActionKind::AddIdentity { column, .. }
            | ActionKind::AlterIdentity { column, .. }
            | ActionKind::DropIdentity { column, .. }
            | ActionKind::SetStatistics { column }
            | ActionKind::SetColumnOptions { column, .. }
            | ActionKind::SetStorage { column, .. }
            | ActionKind::SetCompression { column, .. }
            | ActionKind::RenameColumn { column, .. } => Some(column),
            _ => None,
        }
    }
}

/// The actions of ALTER TABLE.
#[derive(Clone, Debug)]
// Most actions are small; the few with an expression aren't worth a box in every pattern that takes them apart.
#[allow(clippy::large_enum_variant)]
pub enum ActionKind {
    AddColumn {
        column: Box<ColumnDefinition>,
        if_not_exists: bool,
    },
    DropColumn {
        column: Ident,
        if_exists: bool,
        cascade: bool,
    },
    SetType {
        column: Ident,
        type_name: TypeName,
        collation: Option<Name>,
        using: Option<Expr>,
    },
    SetDefault {
        column: Ident,
        default: Expr,
    },
    DropDefault {
        column: Ident,
    },
    SetNotNull {
        column: Ident,
    },
    DropNotNull {
        column: Ident,
    },
    SetExpression {
        column: Ident,
        expr: Expr,
    },
    DropExpression {
        column: Ident,
        if_exists: bool,
    },
    AddIdentity {
        column: Ident,
        always: bool,
        options: Vec<SequenceOption>,
    },
    /// SET GENERATED, RESTART and SET option.
    AlterIdentity {
        column: Ident,
        always: Option<bool>,
        options: Vec<SequenceOption>,
    },
    DropIdentity {
        column: Ident,
        if_exists: bool,
    },
    /// Columns by name; an index's columns by number.
    SetStatistics {
        column: Ident,
    },
    /// SET (n_distinct = …) on a column; RESET.
    SetColumnOptions {
        column: Ident,
        options: Vec<StorageOption>,
        reset: bool,
    },
    SetStorage {
        column: Ident,
        storage: Ident,
    },
    SetCompression {
        column: Ident,
        method: Ident,
    },
    AddConstraint(Box<Constraint>),
    AlterConstraint {
        name: Ident,
        deferrable: Option<bool>,
        initially_deferred: Option<bool>,
        enforced: Option<bool>,
        inherit: Option<bool>,
    },
    ValidateConstraint {
        name: Ident,
    },
    DropConstraint {
        name: Ident,
        if_exists: bool,
        cascade: bool,
    },
    RenameColumn {
        column: Ident,
        to: Ident,
    },
    RenameConstraint {
        name: Ident,
        to: Ident,
    },
    RenameTo {
        to: Ident,
    },
    SetSchema {
        schema: Ident,
    },
    OwnerTo {
        role: Ident,
    },
    /// ENABLE/DISABLE TRIGGER; `None`: ALL, `user`: USER.
    Trigger {
        name: TriggerTarget,
        state: TriggerState,
    },
    Rule {
        name: Ident,
        state: TriggerState,
    },
    /// ENABLE (true), DISABLE (false) ROW LEVEL SECURITY.
    RowSecurity {
        enable: bool,
    },
    ForceRowSecurity {
        force: bool,
    },
    ClusterOn {
        index: Ident,
    },
    SetWithoutCluster,
    SetWithoutOids,
    SetAccessMethod {
        method: Option<Ident>,
    },
    SetTablespace {
        tablespace: Ident,
    },
    SetLogged,
    SetUnlogged,
    SetOptions {
        options: Vec<StorageOption>,
        reset: bool,
    },
    Inherit {
        parent: Name,
    },
    NoInherit {
        parent: Name,
    },
    OfType {
        type_name: Name,
    },
    NotOfType,
    ReplicaIdentity {
        index: Option<Ident>,
        mode: ReplicaIdentity,
    },
    AttachPartition {
        partition: Name,
        bound: Option<PartitionBound>,
    },
    DetachPartition {
        partition: Name,
        concurrently: bool,
        finalize: bool,
    },
    /// ALTER INDEX … [NO] DEPENDS ON EXTENSION, FOREIGN TABLE … OPTIONS, and the like: no effect.
    Harmless,
}

#[derive(Clone, Debug, PartialEq)]
pub enum TriggerTarget {
    Named(Ident),
    All,
    User,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerState {
    Enable,
    Disable,
    EnableReplica,
    EnableAlways,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaIdentity {
    Default,
    Full,
    Nothing,
    Index,
}

/// `fillfactor = 70`.
#[derive(Clone, Debug, PartialEq)]
pub struct StorageOption {
    /// Folded, with its namespace: `toast.autovacuum_enabled`.
    pub name: CompactString,
    /// As written, unquoted.
    pub value: Option<String>,
}

/// CREATE INDEX.
#[derive(Clone, Debug, Default)]
pub struct CreateIndex {
    /// `None`: PostgreSQL chooses.
    pub name: Option<Ident>,
    pub table: Name,
    pub only: bool,
    pub unique: bool,
    pub concurrently: bool,
    /// Where to put (or where stands) CONCURRENTLY: the span of the word INDEX.
    pub index_word: Span,
    pub if_not_exists: bool,
    pub method: Option<Ident>,
    pub columns: Vec<IndexColumn>,
    pub include: Vec<Ident>,
    pub nulls_not_distinct: bool,
    pub options: Vec<StorageOption>,
    pub tablespace: Option<Ident>,
    pub predicate: Option<Expr>,
}

/// A key of an index or an exclusion constraint.
#[derive(Clone, Debug, Default)]
pub struct IndexColumn {
    /// A plain column (`bare_column`) or an expression.
    pub expr: Expr,
    pub collation: Option<Name>,
    pub operator_class: Option<Name>,
    pub descending: bool,
    pub nulls_first: Option<bool>,
    /// EXCLUDE … WITH operator.
    pub operator: Option<CompactString>,
}

impl IndexColumn {
    /// The column that it is; one that is cast is an expression.
    pub fn column(&self) -> Option<&Ident> {
        self.expr.bare_column.as_ref().filter(|_| self.expr.cast.is_none())
    }
}
