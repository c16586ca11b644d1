//! What creates, changes and drops objects that aren't tables; kinds of objects.

use compact_str::CompactString;

use super::{ColumnDefinition, Constraint, Expr, Ident, Name, Query, Routine, TypeName};
use crate::source::Span;

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
    /// The names of its parameters, those of the result too.
    pub parameters: Vec<CompactString>,
    /// How many arguments a call must give; `None`: it may give more than there are.
    pub required: Option<usize>,
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
    /// PL/pgSQL and SQL bodies, read for when a migration calls the function.
    pub body: Option<Box<Routine>>,
    /// The body is written as SQL (BEGIN ATOMIC, RETURN): PostgreSQL keeps what it names for it.
    pub atomic: bool,
    /// The body is PL/pgSQL of a migration that has run, and was left unread until something calls it.
    pub unread: bool,
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
    /// The table's columns that UPDATE OF and WHEN name.
    pub columns: Vec<Ident>,
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
