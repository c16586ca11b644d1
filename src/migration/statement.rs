//! The vocabulary between the parser and everything behind it: what a statement is and what it does.
//!
//! Nothing here names a parser. Names are folded as PostgreSQL folds them (unquoted to lower case),
//! so comparing two [`Ident`]s compares what the server would compare. Every part that a finding may
//! point at carries its exact byte [`Span`] in the file.

use compact_str::CompactString;

use crate::source::Span;

/// One identifier, folded. Two are equal when the server would take them for the same name.
#[derive(Clone, Debug, Default)]
pub struct Ident {
    /// The name as the server sees it: folded, unescaped, *not* cut to 63 bytes.
    pub value: CompactString,
    /// Whether it was written with double quotes.
    pub quoted: bool,
    /// Where it is written, quotes included.
    pub span: Span,
}

impl Ident {
    /// An identifier that isn't written anywhere.
    pub fn made(value: &str) -> Self {
        Ident { value: value.into(), quoted: false, span: Span::default() }
    }
    /// The folded name.
    pub fn as_str(&self) -> &str {
        &self.value
    }
}

impl PartialEq for Ident {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}
impl Eq for Ident {}
impl PartialEq<str> for Ident {
    fn eq(&self, other: &str) -> bool {
        self.value == other
    }
}
impl PartialEq<&str> for Ident {
    fn eq(&self, other: &&str) -> bool {
        self.value == *other
    }
}

/// A name with an optional schema, as written. (`db.schema.name` keeps only the last two parts.)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// The schema, where it is written.
    pub schema: Option<Ident>,
    /// The name itself.
    pub name: Ident,
}

impl Name {
    /// Where the whole name is written.
    pub fn span(&self) -> Span {
        match &self.schema {
            Some(schema) => schema.span.to(self.name.span),
            None => self.name.span,
        }
    }
    /// A name that isn't written anywhere.
    pub fn made(schema: Option<&str>, name: &str) -> Self {
        Name { schema: schema.map(Ident::made), name: Ident::made(name) }
    }
}

impl std::fmt::Display for Name {
    /// Quotes as `quote_ident` would.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", quote_ident(&schema.value))?;
        }
        f.write_str(&quote_ident(&self.name.value))
    }
}

/// `name` with double quotes where PostgreSQL needs them (`quote_ident`).
pub fn quote_ident(name: &str) -> std::borrow::Cow<'_, str> {
    let plain = !name.is_empty()
        && name.bytes().enumerate().all(|(at, b)| {
            b == b'_' || b.is_ascii_lowercase() || (at > 0 && (b.is_ascii_digit() || b == b'$'))
        })
        && !crate::migration::parse::keywords::must_be_quoted(name);
    if plain { name.into() } else { format!("\"{}\"", name.replace('"', "\"\"")).into() }
}

/// A type as written: `numeric(10,2)[]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TypeName {
    /// The name, with the grammar's spellings made one: `int` → `int4`, `character varying` →
    /// `varchar`, `timestamp with time zone` → `timestamptz`, `double precision` → `float8`,
    /// `char` → `bpchar`, `decimal` → `numeric`, `serial` stays `serial4`. `pg_catalog.` is dropped.
    pub name: Name,
    /// The type modifiers that are plain numbers: `numeric(10,2)` gives 10 and 2.
    pub modifiers: Vec<i64>,
    /// The fields of an interval type, folded: `year to month`; or other modifiers as written.
    pub fields: Option<String>,
    /// How many array dimensions.
    pub dimensions: u32,
    /// `SETOF`.
    pub set_of: bool,
    /// `%TYPE` follows (functions only).
    pub percent_type: bool,
    /// Where it is written.
    pub span: Span,
}

/// An expression, or a query used as one: what the rest needs to know of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expr {
    /// Where it is written.
    pub span: Span,
    /// Functions called, in order. Special forms count under PostgreSQL's name for them:
    /// `current_timestamp`, `extract`, `coalesce`, `nextval` …
    pub calls: Vec<Call>,
    /// Column references (`a`, `t.a`: the last part), in order, outside subqueries.
    pub columns: Vec<Ident>,
    /// What subqueries read and write.
    pub uses: Vec<RelationUse>,
    /// The literal that it is, when it is nothing but one.
    pub literal: Option<Literal>,
    /// The outermost `::type` or `CAST(… AS type)`, when the whole expression is a cast.
    pub cast: Option<TypeName>,
    /// The column that it is, when it is nothing but a column (maybe in parentheses, maybe cast).
    pub bare_column: Option<Ident>,
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `NULL`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A number as written (with its sign).
    Number(String),
    /// A string, unescaped.
    String(String),
}

/// A function call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The function.
    pub name: Name,
    /// String literal arguments by position, unescaped (`None` where an argument isn't one).
    pub strings: Vec<Option<String>>,
    /// How many arguments are written.
    pub arguments: usize,
    /// The call, parentheses included.
    pub span: Span,
}

/// A relation that a query names, and what the query does with it.
#[derive(Clone, Debug, PartialEq)]
pub struct RelationUse {
    /// The relation. Names of CTEs in scope are left out.
    pub name: Name,
    /// What happens to it.
    pub access: Access,
    /// Written with ONLY.
    pub only: bool,
}

/// What a query does with a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads it: ACCESS SHARE.
    Read,
    /// `FOR UPDATE`, `FOR SHARE` … : ROW SHARE.
    ReadForUpdate,
    /// INSERT: ROW EXCLUSIVE.
    Insert,
    /// UPDATE: ROW EXCLUSIVE.
    Update,
    /// DELETE: ROW EXCLUSIVE.
    Delete,
    /// MERGE target: ROW EXCLUSIVE.
    Merge,
}

/// One SQL statement of a file.
#[derive(Clone, Debug)]
pub struct Statement {
    /// From its first token to its last, without the semicolon, comments and white space around it.
    pub span: Span,
    /// What it says.
    pub body: Body,
    /// What could not be understood: empty when every token was accounted for.
    pub problems: Vec<Problem>,
}

impl Statement {
    /// Whether every token was accounted for.
    pub fn understood(&self) -> bool {
        self.problems.is_empty() && !matches!(self.body, Body::NotUnderstood)
    }
}

/// Why a statement, or a part of it, could not be understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Where reading stopped.
    pub span: Span,
    /// "expected a column name, found `)`".
    pub message: String,
    /// Whether PostgreSQL is certain to reject it too (an unterminated string, an unbalanced
    /// parenthesis, a statement that ends in the middle, an unknown first word).
    pub certain: bool,
}

/// What a statement says. Statements without an effect on locks, data or compatibility beyond their
/// kind share [`Body::Other`].
#[derive(Clone, Debug)]
pub enum Body {
    /// CREATE TABLE, CREATE FOREIGN TABLE.
    CreateTable(Box<CreateTable>),
    /// CREATE TABLE AS, SELECT INTO, CREATE MATERIALIZED VIEW.
    CreateTableAs(Box<CreateTableAs>),
    /// ALTER TABLE / FOREIGN TABLE / VIEW / MATERIALIZED VIEW / INDEX / SEQUENCE with table actions.
    AlterTable(Box<AlterTable>),
    /// ALTER TABLE ALL IN TABLESPACE … SET TABLESPACE (and INDEX, MATERIALIZED VIEW).
    MoveAllInTablespace { kind: ObjectKind, from: Ident, to: Ident },
    /// CREATE INDEX.
    CreateIndex(Box<CreateIndex>),
    /// DROP of any kind but OWNED.
    Drop(Box<Drop>),
    /// RENAME, SET SCHEMA, OWNER TO, DEPENDS ON EXTENSION of any object that isn't handled by [`AlterTable`].
    AlterObject(Box<AlterObject>),
    /// TRUNCATE.
    Truncate(Box<Truncate>),
    /// LOCK TABLE.
    Lock(Box<LockTable>),
    /// CLUSTER.
    Cluster { table: Option<Name>, index: Option<Ident>, verbose: bool },
    /// VACUUM.
    Vacuum(Box<Vacuum>),
    /// ANALYZE.
    Analyze { tables: Vec<Name>, only: bool },
    /// REINDEX.
    Reindex(Box<Reindex>),
    /// REFRESH MATERIALIZED VIEW.
    RefreshMaterializedView { name: Name, concurrently: bool, with_no_data: bool },
    /// COPY.
    Copy(Box<Copy>),
    /// CREATE TYPE.
    CreateType { name: Name, definition: TypeDefinition },
    /// ALTER TYPE other than rename, schema and owner.
    AlterType(Box<AlterType>),
    /// CREATE DOMAIN.
    CreateDomain(Box<CreateDomain>),
    /// ALTER DOMAIN other than rename, schema and owner.
    AlterDomain { name: Name, action: DomainAction },
    /// CREATE SEQUENCE.
    CreateSequence {
        name: Name,
        if_not_exists: bool,
        temporary: bool,
        unlogged: bool,
        options: Vec<SequenceOption>,
    },
    /// ALTER SEQUENCE with options.
    AlterSequence { name: Name, if_exists: bool, options: Vec<SequenceOption> },
    /// CREATE VIEW.
    CreateView(Box<CreateView>),
    /// CREATE FUNCTION, CREATE PROCEDURE.
    CreateRoutine(Box<CreateRoutine>),
    /// ALTER FUNCTION / PROCEDURE / ROUTINE with options.
    AlterRoutine { kind: ObjectKind, name: Name, security_definer: Option<bool>, sets: Vec<CompactString> },
    /// CREATE TRIGGER, CREATE CONSTRAINT TRIGGER.
    CreateTrigger(Box<CreateTrigger>),
    /// CREATE RULE.
    CreateRule { name: Ident, table: Name, replace: bool, uses: Vec<RelationUse> },
    /// CREATE POLICY.
    CreatePolicy { name: Ident, table: Name, permissive: bool, expressions: Vec<Expr> },
    /// ALTER POLICY (also its RENAME).
    AlterPolicy { name: Ident, table: Name, rename_to: Option<Ident>, expressions: Vec<Expr> },
    /// CREATE STATISTICS.
    CreateStatistics { name: Option<Name>, if_not_exists: bool, table: Option<Name> },
    /// CREATE SCHEMA. The elements are statements of their own, run inside it.
    CreateSchema { name: Option<Ident>, if_not_exists: bool, elements: Vec<Statement> },
    /// CREATE EXTENSION.
    CreateExtension { name: Ident, if_not_exists: bool, schema: Option<Ident>, cascade: bool },
    /// ALTER EXTENSION UPDATE, ADD, DROP (SET SCHEMA is [`Body::AlterObject`]).
    AlterExtension { name: Ident, update: bool, version: Option<String> },
    /// CREATE PUBLICATION.
    CreatePublication { name: Ident, all_tables: bool, tables: Vec<Name> },
    /// ALTER PUBLICATION ADD/SET/DROP/SET (…).
    AlterPublication { name: Ident, action: PublicationAction, tables: Vec<Name> },
    /// CREATE SUBSCRIPTION.
    CreateSubscription { name: Ident, creates_slot: bool },
    /// ALTER SUBSCRIPTION.
    AlterSubscription { name: Ident, refreshes: bool },
    /// CREATE DATABASE.
    CreateDatabase { name: Ident },
    /// ALTER DATABASE … SET/RESET/options/REFRESH COLLATION VERSION/SET TABLESPACE.
    AlterDatabase { name: Ident, setting: Option<CompactString>, set_tablespace: bool },
    /// CREATE TABLESPACE.
    CreateTablespace { name: Ident },
    /// ALTER SYSTEM. `None`: RESET ALL.
    AlterSystem { setting: Option<CompactString> },
    /// CREATE ROLE / USER / GROUP.
    CreateRole { name: Ident },
    /// ALTER ROLE / USER / GROUP: attributes, or a setting.
    AlterRole { name: Option<Ident>, setting: Option<CompactString>, password: bool },
    /// GRANT, REVOKE, also of roles, also ALTER DEFAULT PRIVILEGES.
    Grant(Box<Grant>),
    /// COMMENT ON, SECURITY LABEL.
    Comment { kind: ObjectKind, name: Option<Name>, on_table: Option<Name>, security_label: bool },
    /// REASSIGN OWNED.
    ReassignOwned { roles: Vec<Ident> },
    /// DROP OWNED.
    DropOwned { roles: Vec<Ident>, cascade: bool },
    /// IMPORT FOREIGN SCHEMA.
    ImportForeignSchema { schema: Ident },
    /// SET, RESET of a run-time setting; `SELECT set_config(…)` is a query that calls it.
    Set(Box<SetSetting>),
    /// SET CONSTRAINTS.
    SetConstraints { all: bool, names: Vec<Name>, deferred: bool },
    /// BEGIN, COMMIT and their kin.
    Transaction(TransactionControl),
    /// DO.
    Do(Box<DoBlock>),
    /// CALL.
    Call(Box<Call>),
    /// SELECT, VALUES, TABLE, INSERT, UPDATE, DELETE, MERGE, alone or under WITH.
    Query(Box<Query>),
    /// PREPARE name AS query.
    Prepare { name: Ident, query: Box<Query> },
    /// EXECUTE name.
    Execute { name: Ident },
    /// EXPLAIN.
    Explain { analyze: bool, statement: Box<Statement> },
    /// DISCARD.
    Discard { all: bool },
    /// A psql meta-command (`\i`, `\set` …), by name without the backslash. Ends with its line.
    MetaCommand { name: CompactString, arguments: CompactString },
    /// Understood, and without an effect on relations: CREATE CAST, NOTIFY, DECLARE CURSOR …
    Other(Box<Other>),
    /// Not understood; see [`Statement::problems`].
    NotUnderstood,
}

/// A statement whose kind is all that matters.
#[derive(Clone, Debug)]
pub struct Other {
    /// As `Statement::kind_name` gives it: "CREATE CAST".
    pub kind: &'static str,
    /// What it is about, where that has a name.
    pub name: Option<Name>,
    /// Relations that it names.
    pub uses: Vec<RelationUse>,
}

/// Kinds of objects, for DROP, COMMENT, RENAME and the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum ObjectKind {
    AccessMethod,
    Aggregate,
    Cast,
    Collation,
    Column,
    Constraint,
    DomainConstraint,
    Conversion,
    Database,
    Domain,
    EventTrigger,
    Extension,
    ForeignDataWrapper,
    ForeignTable,
    Function,
    Group,
    Index,
    Language,
    LargeObject,
    MaterializedView,
    Operator,
    OperatorClass,
    OperatorFamily,
    Parameter,
    Policy,
    Procedure,
    Publication,
    Role,
    Routine,
    Rule,
    Schema,
    Sequence,
    Server,
    Statistics,
    Subscription,
    Table,
    Tablespace,
    TextSearchConfiguration,
    TextSearchDictionary,
    TextSearchParser,
    TextSearchTemplate,
    Transform,
    Trigger,
    Type,
    User,
    UserMapping,
    View,
    Attribute,
}

impl ObjectKind {
    /// As SQL writes it: "MATERIALIZED VIEW".
    pub fn sql(self) -> &'static str {
        use ObjectKind::*;
        match self {
            AccessMethod => "ACCESS METHOD",
            Aggregate => "AGGREGATE",
            Attribute => "ATTRIBUTE",
            Cast => "CAST",
            Collation => "COLLATION",
            Column => "COLUMN",
            Constraint => "CONSTRAINT",
            DomainConstraint => "CONSTRAINT",
            Conversion => "CONVERSION",
            Database => "DATABASE",
            Domain => "DOMAIN",
            EventTrigger => "EVENT TRIGGER",
            Extension => "EXTENSION",
            ForeignDataWrapper => "FOREIGN DATA WRAPPER",
            ForeignTable => "FOREIGN TABLE",
            Function => "FUNCTION",
            Group => "GROUP",
            Index => "INDEX",
            Language => "LANGUAGE",
            LargeObject => "LARGE OBJECT",
            MaterializedView => "MATERIALIZED VIEW",
            Operator => "OPERATOR",
            OperatorClass => "OPERATOR CLASS",
            OperatorFamily => "OPERATOR FAMILY",
            Parameter => "PARAMETER",
            Policy => "POLICY",
            Procedure => "PROCEDURE",
            Publication => "PUBLICATION",
            Role => "ROLE",
            Routine => "ROUTINE",
            Rule => "RULE",
            Schema => "SCHEMA",
            Sequence => "SEQUENCE",
            Server => "SERVER",
            Statistics => "STATISTICS",
            Subscription => "SUBSCRIPTION",
            Table => "TABLE",
            Tablespace => "TABLESPACE",
            TextSearchConfiguration => "TEXT SEARCH CONFIGURATION",
            TextSearchDictionary => "TEXT SEARCH DICTIONARY",
            TextSearchParser => "TEXT SEARCH PARSER",
            TextSearchTemplate => "TEXT SEARCH TEMPLATE",
            Transform => "TRANSFORM",
            Trigger => "TRIGGER",
            Type => "TYPE",
            User => "USER",
            UserMapping => "USER MAPPING",
            View => "VIEW",
        }
    }
}

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

/// DROP.
#[derive(Clone, Debug)]
pub struct Drop {
    pub kind: ObjectKind,
    pub concurrently: bool,
    /// The word that CONCURRENTLY would follow: INDEX.
    pub kind_span: Span,
    pub if_exists: bool,
    pub names: Vec<DropName>,
    pub cascade: bool,
}

/// One object of a DROP.
#[derive(Clone, Debug)]
pub struct DropName {
    pub name: Name,
    /// `DROP TRIGGER name ON table`, also POLICY, RULE.
    pub on_table: Option<Name>,
    /// The argument types of a routine, as written and folded; `None`: not given.
    pub arguments: Option<Vec<TypeName>>,
    pub span: Span,
}

/// RENAME, SET SCHEMA, OWNER TO of an object that isn't a relation (or is named as another kind).
#[derive(Clone, Debug)]
pub struct AlterObject {
    pub kind: ObjectKind,
    pub name: Name,
    /// For triggers, rules, policies: the table.
    pub on_table: Option<Name>,
    pub arguments: Option<Vec<TypeName>>,
    pub if_exists: bool,
    pub change: ObjectChange,
}

#[derive(Clone, Debug)]
pub enum ObjectChange {
    RenameTo(Ident),
    /// ALTER DOMAIN … RENAME CONSTRAINT a TO b.
    RenameConstraint {
        name: Ident,
        to: Ident,
    },
    SetSchema(Ident),
    OwnerTo(Ident),
    /// [NO] DEPENDS ON EXTENSION, REFRESH VERSION, ENABLE/DISABLE (event triggers), SET (…) … .
    Harmless,
}

/// TRUNCATE.
#[derive(Clone, Debug)]
pub struct Truncate {
    pub tables: Vec<(Name, bool)>,
    pub restart_identity: bool,
    pub cascade: bool,
}

/// LOCK TABLE.
#[derive(Clone, Debug)]
pub struct LockTable {
    /// Names with ONLY.
    pub tables: Vec<(Name, bool)>,
    pub mode: super::lock_mode::LockMode,
    pub nowait: bool,
}

/// VACUUM.
#[derive(Clone, Debug, Default)]
pub struct Vacuum {
    pub full: bool,
    pub freeze: bool,
    pub analyze: bool,
    pub tables: Vec<Name>,
    pub only: bool,
}

/// REINDEX.
#[derive(Clone, Debug)]
pub struct Reindex {
    pub target: ReindexTarget,
    pub name: Option<Name>,
    pub concurrently: bool,
    /// The word INDEX, TABLE …, which CONCURRENTLY follows.
    pub target_span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReindexTarget {
    Index,
    Table,
    Schema,
    Database,
    System,
}

/// COPY.
#[derive(Clone, Debug)]
pub struct Copy {
    /// `None`: COPY (query) TO.
    pub table: Option<Name>,
    pub columns: Vec<Ident>,
    pub query: Option<Query>,
    pub from: bool,
    /// PROGRAM '…'.
    pub program: bool,
    /// FROM STDIN: rows that follow in the file, and where they are.
    pub data: Option<Span>,
    pub rows: u64,
}

/// CREATE TYPE.
#[derive(Clone, Debug)]
pub enum TypeDefinition {
    Enum(Vec<String>),
    Composite(Vec<ColumnDefinition>),
    Range,
    Base,
    Shell,
}

/// ALTER TYPE.
#[derive(Clone, Debug)]
pub struct AlterType {
    pub name: Name,
    pub action: TypeAction,
}

#[derive(Clone, Debug)]
pub enum TypeAction {
    AddValue {
        value: String,
        if_not_exists: bool,
        positioned: bool,
    },
    RenameValue {
        from: String,
        to: String,
    },
    RenameAttribute {
        name: Ident,
        to: Ident,
        cascade: bool,
    },
    /// ADD/DROP/ALTER ATTRIBUTE, in order, each with whether CASCADE.
    Attributes(Vec<AttributeAction>),
    /// SET (…) of a base type.
    SetOptions,
}

#[derive(Clone, Debug)]
pub struct AttributeAction {
    pub kind: AttributeActionKind,
    pub cascade: bool,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum AttributeActionKind {
    Add(Box<ColumnDefinition>),
    Drop { name: Ident, if_exists: bool },
    SetType { name: Ident, type_name: TypeName },
}

/// CREATE DOMAIN.
#[derive(Clone, Debug)]
pub struct CreateDomain {
    pub name: Name,
    pub base: TypeName,
    pub collation: Option<Name>,
    /// CHECK, NOT NULL, DEFAULT, NULL.
    pub constraints: Vec<Constraint>,
}

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // one of them exists at a time
pub enum DomainAction {
    SetDefault(Expr),
    DropDefault,
    SetNotNull,
    DropNotNull,
    AddConstraint(Box<Constraint>),
    DropConstraint { name: Ident, if_exists: bool, cascade: bool },
    ValidateConstraint { name: Ident },
}

/// An option of a sequence or an identity column.
#[derive(Clone, Debug, PartialEq)]
pub enum SequenceOption {
    As(TypeName),
    Increment(i64),
    MinValue(Option<i64>),
    MaxValue(Option<i64>),
    Start(i64),
    /// RESTART [WITH n].
    Restart(Option<i64>),
    Cache(i64),
    Cycle(bool),
    /// OWNED BY table.column; `None`: NONE.
    OwnedBy(Option<(Name, Ident)>),
    SequenceName(Name),
    Logged(bool),
}

/// CREATE VIEW.
#[derive(Clone, Debug)]
pub struct CreateView {
    pub name: Name,
    pub replace: bool,
    pub temporary: bool,
    pub recursive: bool,
    /// The column names written, else those of the query where plain.
    pub columns: Vec<Ident>,
    pub query: Query,
}

/// CREATE FUNCTION, CREATE PROCEDURE.
#[derive(Clone, Debug)]
pub struct CreateRoutine {
    pub procedure: bool,
    pub replace: bool,
    pub name: Name,
    /// Input arguments' types.
    pub arguments: Vec<TypeName>,
    pub returns: Option<TypeName>,
    /// RETURNS TABLE.
    pub returns_table: bool,
    pub language: Option<CompactString>,
    /// `immutable`, `stable`, `volatile`; default volatile.
    pub volatility: Volatility,
    pub security_definer: bool,
    /// Settings of `SET name …` clauses.
    pub sets: Vec<CompactString>,
    /// The source text's span inside its quotes, for dollar-quoted and plain strings without escapes.
    pub source: Option<Span>,
    /// PL/pgSQL and SQL bodies, read when the migration calls the function. Parsed on demand.
    pub body: Option<Box<Routine>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Volatility {
    Immutable,
    Stable,
    #[default]
    Volatile,
}

/// CREATE TRIGGER.
#[derive(Clone, Debug)]
pub struct CreateTrigger {
    pub name: Ident,
    pub table: Name,
    pub replace: bool,
    /// CREATE CONSTRAINT TRIGGER.
    pub constraint: bool,
    /// FROM referenced_table.
    pub from: Option<Name>,
    pub function: Name,
    /// Folded: `insert`, `update`, `delete`, `truncate`.
    pub events: Vec<&'static str>,
    pub for_each_row: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicationAction {
    Add,
    Set,
    Drop,
    SetOptions,
}

/// GRANT, REVOKE.
#[derive(Clone, Debug)]
pub struct Grant {
    pub revoke: bool,
    /// ALTER DEFAULT PRIVILEGES.
    pub default_privileges: bool,
    /// GRANT role TO role.
    pub roles: bool,
    /// Folded; `all`.
    pub privileges: Vec<CompactString>,
    pub kind: Option<ObjectKind>,
    /// ALL TABLES IN SCHEMA.
    pub all_in_schema: bool,
    pub objects: Vec<Name>,
    /// Folded role names; `public` is PUBLIC.
    pub grantees: Vec<Ident>,
    pub cascade: bool,
}

/// SET, RESET.
#[derive(Clone, Debug)]
pub struct SetSetting {
    /// Folded; `None`: RESET ALL. `SET TIME ZONE` is `timezone`; `SET ROLE`, `SESSION AUTHORIZATION`
    /// are `role`, `session_authorization`.
    pub name: Option<CompactString>,
    pub scope: SetScope,
    /// `None`: TO DEFAULT, RESET, FROM CURRENT. A list is joined with `, `, each item unquoted.
    pub value: Option<String>,
    /// SET TRANSACTION, SET SESSION CHARACTERISTICS.
    pub transaction: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetScope {
    Session,
    Local,
}

/// BEGIN and its kin.
#[derive(Clone, Debug, PartialEq)]
pub enum TransactionControl {
    Begin,
    /// COMMIT, END; `chain`: AND CHAIN.
    Commit {
        chain: bool,
    },
    /// ROLLBACK, ABORT.
    Rollback {
        chain: bool,
    },
    Savepoint(Ident),
    Release(Ident),
    RollbackTo(Ident),
    Prepare,
    CommitPrepared,
    RollbackPrepared,
}

/// DO.
#[derive(Clone, Debug)]
pub struct DoBlock {
    pub language: CompactString,
    /// The block, read where the language is plpgsql.
    pub routine: Option<Routine>,
}

/// A PL/pgSQL (or SQL) body: the statements inside, in order, with their place in control flow.
#[derive(Clone, Debug, Default)]
pub struct Routine {
    pub statements: Vec<Inner>,
    /// Dynamic SQL that could not be read, calls left unresolved: where.
    pub dynamic: Vec<Span>,
    /// Parts of the body that could not be read.
    pub problems: Vec<Problem>,
}

/// A statement inside a routine.
#[derive(Clone, Debug)]
pub struct Inner {
    /// Spans are in the file where the body's text is verbatim (dollar quotes); else they all cover
    /// the whole literal.
    pub statement: Statement,
    /// In an IF, CASE, EXCEPTION handler: may not run.
    pub conditional: bool,
    /// The innermost loop around it, as an index into nothing: only whether there is one.
    pub in_loop: bool,
    /// The loop around it commits in each round.
    pub loop_commits: bool,
    /// It came from EXECUTE of a literal or `format` with constant parts.
    pub dynamic: bool,
    /// Parts of the dynamic text were not constant; names may be placeholders.
    pub partial: bool,
}

/// A query or DML statement.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pub span: Span,
    pub kind: QueryKind,
    /// Everything named anywhere in it, the target included, CTE names left out.
    pub uses: Vec<RelationUse>,
    /// Functions called anywhere in it.
    pub calls: Vec<Call>,
    /// Data-changing parts: this statement, or its CTEs, in order.
    pub changes: Vec<Change>,
    /// Output columns of a SELECT: a name where it is plain (`a`, `t.a`, `… AS a`); a lone `*` is `None`
    /// with `star` set.
    pub output: Vec<Option<Ident>>,
    pub star: bool,
    /// FOR UPDATE and the like.
    pub row_locks: bool,
    /// The literal strings anywhere in it with their spans, unescaped (for enum values used).
    pub strings: Vec<(String, Span)>,
    /// A top-level WHERE of a SELECT is there.
    pub has_where: bool,
    /// A LIMIT/FETCH FIRST at top level.
    pub has_limit: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueryKind {
    #[default]
    Select,
    Values,
    Table,
    Insert,
    Update,
    Delete,
    Merge,
}

/// A part of a query that changes rows.
#[derive(Clone, Debug)]
pub struct Change {
    pub span: Span,
    pub target: Name,
    pub only: bool,
    pub access: Access,
    /// INSERT column list; UPDATE's assigned columns (duplicates kept).
    pub columns: Vec<Ident>,
    /// UPDATE: the assigned expressions beside `columns` where they pair one to one.
    pub values: Vec<Expr>,
    /// The WHERE clause (for MERGE: the join condition).
    pub filter: Option<Filter>,
    /// INSERT … VALUES: how many rows; `None`: from a query, or DEFAULT VALUES.
    pub rows: Option<usize>,
    /// INSERT … SELECT (or UPDATE … FROM, DELETE … USING): relations read.
    pub sources: Vec<Name>,
    /// INSERT: ON CONFLICT.
    pub on_conflict: bool,
    /// It is in a CTE.
    pub in_cte: bool,
}

/// A WHERE clause.
#[derive(Clone, Debug)]
pub struct Filter {
    pub expr: Expr,
    /// It holds for every row: `true`, `1=1`, `id IS NOT NULL OR true` …
    pub always_true: bool,
    /// It bounds how many rows there are: `id IN (SELECT … LIMIT n)`, `ctid = ANY (ARRAY(SELECT … LIMIT n))`,
    /// `id = 5`, `id IN (1, 2)`, `id BETWEEN a AND b` with literals or variables.
    pub bounded: bool,
}
