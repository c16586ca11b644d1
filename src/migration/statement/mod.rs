//! The vocabulary between the parser and everything behind it: what a statement is and what it does.
//!
//! Nothing here names a parser. Names are folded as PostgreSQL folds them (unquoted to lower case),
//! so comparing two [`Ident`]s compares what the server would compare. Every part that a finding may
//! point at carries its exact byte [`Span`] in the file.

mod command;
mod object;
mod query;
mod table;

use compact_str::CompactString;

use crate::source::Span;

pub use command::*;
pub use object::*;
pub use query::*;
pub use table::*;

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
    // What is put in stays as it is written: quotes would make another name of it.
    if plain || is_template(name) { name.into() } else { format!("\"{}\"", name.replace('"', "\"\"")).into() }
}

/// Whether a name is nothing but placeholders and what needs no quotes around them.
fn is_template(name: &str) -> bool {
    let word = |text: &str| text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$'));
    if !has_placeholder(name) {
        return false;
    }
    if let Some(variable) = name.strip_prefix(':') {
        return word(variable.trim_matches('"'));
    }
    let mut rest = name;
    loop {
        let (open, close) = match (rest.find("${"), rest.find("{{")) {
            (Some(dollar), brace) if brace.is_none_or(|brace| dollar < brace) => (dollar, "}"),
            (_, Some(brace)) => (brace, "}}"),
            _ => return word(rest),
        };
        let (before, placeholder) = rest.split_at(open); // it was found there
        match placeholder.split_once(close) {
            Some((_, behind)) if word(before) => rest = behind,
            _ => return false,
        }
    }
}

/// Whether a part of the name is put in only when it runs: `${schema}` and `{{ name }}` of migration tools, `:name`
/// of psql, and what stands for the parts of dynamic SQL that aren't constant.
pub fn has_placeholder(name: &str) -> bool {
    name.contains("${") || name.contains("{{") || (name.starts_with(':') && name.len() > 1)
}

/// A type as written: `numeric(10,2)[]`. Two are equal when they are written alike, wherever that is.
#[derive(Clone, Debug, Default)]
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

impl PartialEq for TypeName {
    fn eq(&self, other: &Self) -> bool {
        let parts = |one: &Self| (one.dimensions, one.set_of, one.percent_type);
        self.name == other.name
            && self.modifiers == other.modifiers
            && self.fields == other.fields
            && parts(self) == parts(other)
    }
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
    pub cast: Option<Box<TypeName>>,
    /// What is cast again by that, the innermost first.
    pub inner_casts: Vec<TypeName>,
    /// The column that it is, when it is nothing but a column (maybe in parentheses, maybe cast).
    pub bare_column: Option<Ident>,
}

/// What a rule does.
#[derive(Clone, Debug, Default)]
pub struct RuleDefinition {
    /// What it is ON: `Insert`, `Update`, `Delete`; `None` for SELECT.
    pub event: Option<Access>,
    /// It takes the place of what was asked for, in each row: INSTEAD without a WHERE.
    pub instead: bool,
    /// What its condition and its actions read and write.
    pub uses: Vec<RelationUse>,
    /// How its actions change rows.
    pub changes: Vec<Change>,
}

/// What a policy asks of rows.
#[derive(Clone, Debug, Default)]
pub struct PolicyExpressions {
    /// USING.
    pub using: Option<Box<Expr>>,
    /// WITH CHECK.
    pub check: Option<Box<Expr>>,
}

impl PolicyExpressions {
    /// Those that are written.
    pub fn iter(&self) -> impl Iterator<Item = &Expr> {
        self.using.iter().chain(&self.check).map(Box::as_ref)
    }
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

impl Body {
    /// The constraints that CREATE TABLE or ALTER TABLE adds, those of columns first in CREATE TABLE.
    pub fn added_constraints(&self) -> Vec<&Constraint> {
        match self {
            Body::CreateTable(create) => {
                let of_columns = create.columns.iter().flat_map(|column| &column.constraints);
                of_columns.chain(&create.constraints).collect()
            }
            Body::AlterTable(alter) => alter.actions.iter().flat_map(Action::added_constraints).collect(),
            _ => Vec::new(),
        }
    }
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
    AlterRoutine {
        kind: ObjectKind,
        name: Name,
        arguments: Option<Vec<TypeName>>,
        volatility: Option<Volatility>,
        security_definer: Option<bool>,
        sets: Vec<CompactString>,
        /// RESET; `all` for all of them.
        resets: Vec<CompactString>,
    },
    /// CREATE TRIGGER, CREATE CONSTRAINT TRIGGER.
    CreateTrigger(Box<CreateTrigger>),
    /// CREATE RULE.
    CreateRule { name: Ident, table: Name, replace: bool, rule: RuleDefinition },
    /// CREATE POLICY.
    CreatePolicy { name: Ident, table: Name, permissive: bool, expressions: PolicyExpressions },
    /// ALTER POLICY (also its RENAME).
    AlterPolicy { name: Ident, table: Name, rename_to: Option<Ident>, expressions: PolicyExpressions },
    /// CREATE STATISTICS.
    CreateStatistics { name: Option<Name>, if_not_exists: bool, table: Name, keys: Vec<Expr> },
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
