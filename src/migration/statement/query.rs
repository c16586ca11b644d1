//! Queries and DML.

use super::{Access, Call, Expr, Ident, Name, RelationUse};
use crate::source::Span;

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
    /// What UPDATE, DELETE and MERGE call the target in their expressions, where that is another name.
    pub alias: Option<Ident>,
    pub access: Access,
    /// INSERT column list; UPDATE's assigned columns (duplicates kept).
    pub columns: Vec<Ident>,
    /// UPDATE: the assigned expressions beside `columns` where they pair one to one.
    pub values: Vec<Expr>,
    /// What is written that is a plain column of something else.
    pub written: Written,
    /// The WHERE clause (for MERGE: the join condition).
    pub filter: Option<Filter>,
    /// INSERT … VALUES: how many rows; `None`: from a query, or DEFAULT VALUES.
    pub rows: Option<usize>,
    /// INSERT … SELECT (or UPDATE … FROM, DELETE … USING): relations read.
    pub sources: Vec<Name>,
    /// MERGE: what it does to rows of the target, `Insert`, `Update` and `Delete`.
    pub arms: Vec<Access>,
    /// UPDATE … FROM, DELETE … USING, MERGE USING: what stands there.
    pub beside: Beside,
    /// INSERT: ON CONFLICT.
    pub on_conflict: bool,
    /// It is in a CTE.
    pub in_cte: bool,
    /// It names variables or parameters of the routine that it is in.
    pub names_variables: bool,
}

/// The plain columns among the values that INSERT … SELECT and UPDATE write.
#[derive(Clone, Debug, Default)]
pub struct Written {
    pub columns: Vec<Ident>,
    /// There is a `*` among them.
    pub star: bool,
}

/// What a change reads beside the rows that it changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beside {
    /// Nothing.
    #[default]
    Nothing,
    /// Rows that the statement spells out: `(VALUES (1, 2), (3, 4))`.
    Written,
    /// Tables, queries, functions.
    Anything,
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
    /// It bounds them whatever columns it is about: a subquery with LIMIT.
    pub limited: bool,
    /// The columns that it bounds them by.
    pub by: Vec<BoundColumn>,
}

/// A column that a condition compares with a value, a list or a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundColumn {
    /// What is written before it and a dot.
    pub of: Option<String>,
    pub name: String,
}
