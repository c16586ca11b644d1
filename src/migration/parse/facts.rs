//! What reading an expression or a query has found so far: one collector for the whole statement, so that
//! a subquery ten levels down costs no more than a column.

use std::collections::HashMap;
use std::ops::Range;

use compact_str::CompactString;

use super::condition;
use super::cursor::Cursor;
use crate::migration::statement::{
    Access, Call, Change, Expr, Filter, Ident, Literal, Name, Persistence, Query, QueryKind, RelationUse,
    TypeName, Written,
};
use crate::source::Span;

/// Longer strings can't be labels of an enum (`NAMEDATALEN` – 1), which is what they are kept for.
const LONGEST_LABEL: usize = 63;

/// What an expression is, when it is something simple.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// A constant.
    pub literal: Option<LiteralAt>,
    /// A cast, as the outermost thing.
    pub cast: Option<Box<TypeName>>,
    /// Casts inside of that, the innermost first.
    pub inner_casts: Vec<TypeName>,
    /// A column.
    pub column: Option<Ident>,
    /// `t.*`.
    pub star: bool,
}

/// A constant that stays in its tokens until somebody asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiteralAt {
    Null,
    Bool(bool),
    Number {
        negative: bool,
        token: usize,
    },
    /// By the index of its first token.
    String(usize),
}

impl Shape {
    /// The same, cast.
    pub fn cast_to(mut self, to: TypeName) -> Shape {
        let inner = self.cast.replace(Box::new(to));
        self.inner_casts.extend(inner.map(|inner| *inner));
        self.star = false;
        self
    }
}

impl LiteralAt {
    /// The constant's value.
    pub fn value(self, c: &Cursor<'_>) -> Option<Literal> {
        Some(match self {
            LiteralAt::Null => Literal::Null,
            LiteralAt::Bool(value) => Literal::Bool(value),
            LiteralAt::Number { negative, token } => {
                let digits = c.at_index(token).peek().map(|token| c.str(token))?;
                Literal::Number(if negative { format!("-{digits}") } else { digits.to_owned() })
            }
            LiteralAt::String(first) => Literal::String(c.at_index(first).string("").ok()?),
        })
    }
}

/// A relation that was named.
#[derive(Clone, Debug)]
pub struct Use {
    pub relation: RelationUse,
    /// It turned out to be the name of a CTE.
    pub cte: bool,
    /// How deep in subqueries, and the alias: for FOR UPDATE OF.
    pub level: u32,
    pub alias: Option<CompactString>,
}

/// How much had been found at some point.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    calls: usize,
    columns: usize,
    uses: usize,
}

/// An expression inside a query whose relations are filled in at the end, when CTE names are known.
#[derive(Debug)]
pub struct PendingExpr {
    expr: Expr,
    uses: Range<usize>,
}

impl PendingExpr {
    /// The columns in it, outside subqueries.
    pub fn into_columns(self) -> Vec<Ident> {
        self.expr.columns
    }
}

/// A change whose relations are filled in at the end.
#[derive(Debug)]
pub struct PendingChange {
    pub change: Change,
    pub sources: Range<usize>,
    pub values: Vec<PendingExpr>,
    /// The condition and its text.
    pub filter: Option<(PendingExpr, String)>,
}

/// `INTO [TEMP] table` of a SELECT.
#[derive(Clone, Debug)]
pub struct Into {
    pub name: Name,
    pub persistence: Persistence,
}

/// What the outermost query looks like.
#[derive(Debug, Default)]
pub struct Top {
    pub kind: Option<QueryKind>,
    pub output: Vec<Option<Ident>>,
    pub star: bool,
    pub row_locks: bool,
    pub has_where: bool,
    pub has_limit: bool,
    pub into: Option<Into>,
    /// How many SELECTs were read at this level: the arms of a UNION.
    pub arms: u32,
}

/// The collector.
#[derive(Debug, Default)]
pub struct Facts {
    pub calls: Vec<Call>,
    pub columns: Vec<Ident>,
    pub uses: Vec<Use>,
    pub changes: Vec<PendingChange>,
    pub strings: Vec<(String, Span)>,
    pub keep_strings: bool,
    /// How deep in subqueries and CTEs.
    pub level: u32,
    /// Inside a CTE.
    pub in_cte: bool,
    /// What the SELECT of an INSERT gives, and its level.
    pub inserted: Option<(u32, Written)>,
    pub top: Top,
}

/// The names of a WITH clause, each with the index of the first use that may mean it.
#[derive(Debug, Default)]
pub struct With {
    names: Vec<(CompactString, usize)>,
}

impl With {
    /// `name` is known from the use with index `from` on.
    pub fn declare(&mut self, name: &Ident, from: usize) {
        self.names.push((name.value.clone(), from));
    }
}

impl Facts {
    pub fn mark(&self) -> Mark {
        Mark { calls: self.calls.len(), columns: self.columns.len(), uses: self.uses.len() }
    }

    /// Notes that a relation is named.
    pub fn relation(&mut self, name: Name, access: Access, only: bool) {
        let relation = RelationUse { name, access, only };
        self.uses.push(Use { relation, cte: false, level: self.level, alias: None });
    }

    /// Notes a string constant.
    pub fn string(&mut self, c: &Cursor<'_>, first: usize) {
        let span = c.span_since(first);
        if self.keep_strings
            && span.len() <= LONGEST_LABEL + 2
            && let Ok(value) = c.at_index(first).string("")
        {
            self.strings.push((value, span));
        }
    }

    /// The names of `with` are no relations, from where each is known.
    pub fn close_with(&mut self, with: &With) {
        let Some(first) = with.names.iter().map(|(_, from)| *from).min() else { return };
        let known: HashMap<&str, usize> =
            with.names.iter().map(|(name, from)| (name.as_str(), *from)).collect();
        for (index, used) in self.uses.iter_mut().enumerate().skip(first) {
            let reads = matches!(used.relation.access, Access::Read | Access::ReadForUpdate);
            if reads && used.relation.name.schema.is_none() && !used.cte {
                used.cte = known.get(used.relation.name.name.as_str()).is_some_and(|from| *from <= index);
            }
        }
    }

    /// What has been found since `mark`, as an expression of its own.
    pub fn expr_since(&self, c: &Cursor<'_>, mark: Mark, first: usize, shape: Shape) -> PendingExpr {
        let expr = Expr {
            span: c.span_since(first),
            calls: self.calls.get(mark.calls..).unwrap_or(&[]).to_vec(),
            columns: self.columns.get(mark.columns..).unwrap_or(&[]).to_vec(),
            uses: Vec::new(),
            literal: shape.literal.and_then(|literal| literal.value(c)),
            cast: shape.cast,
            inner_casts: shape.inner_casts,
            bare_column: shape.column,
        };
        PendingExpr { expr, uses: mark.uses..self.uses.len() }
    }

    fn relations(&self, range: Range<usize>) -> Vec<RelationUse> {
        self.uses
            .get(range)
            .unwrap_or(&[])
            .iter()
            .filter(|used| !used.cte)
            .map(|used| used.relation.clone())
            .collect()
    }

    /// The one expression that was read, from the token with index `first` on.
    pub fn into_expr(self, c: &Cursor<'_>, first: usize, shape: Shape) -> Expr {
        Expr {
            span: c.span_since(first),
            uses: self.uses.into_iter().filter(|used| !used.cte).map(|used| used.relation).collect(),
            calls: self.calls,
            columns: self.columns,
            literal: shape.literal.and_then(|literal| literal.value(c)),
            cast: shape.cast,
            inner_casts: shape.inner_casts,
            bare_column: shape.column,
        }
    }

    fn settle(&self, pending: PendingExpr) -> Expr {
        Expr { uses: self.relations(pending.uses), ..pending.expr }
    }

    /// Where to note what the SELECT of an INSERT gives, while its own targets are read.
    pub fn inserted_here(&mut self) -> Option<&mut Written> {
        let level = self.level;
        self.inserted.as_mut().filter(|(own, _)| *own == level).map(|(_, written)| written)
    }

    /// The one query that was read.
    pub fn into_query(mut self, span: Span) -> Query {
        let mut changes = Vec::with_capacity(self.changes.len());
        for pending in std::mem::take(&mut self.changes) {
            let mut change = pending.change;
            for used in self.relations(pending.sources) {
                if !change.sources.contains(&used.name) {
                    change.sources.push(used.name);
                }
            }
            change.values = pending.values.into_iter().map(|value| self.settle(value)).collect();
            change.filter = pending.filter.map(|(expr, text)| {
                let judged = condition::judge(&text);
                Filter {
                    expr: self.settle(expr),
                    always_true: judged.always_true,
                    bounded: judged.bounded,
                    limited: judged.limited,
                    by: judged.by,
                }
            });
            changes.push(change);
        }
        Query {
            span,
            kind: self.top.kind.unwrap_or_default(),
            uses: self.uses.into_iter().filter(|used| !used.cte).map(|used| used.relation).collect(),
            calls: self.calls,
            changes,
            output: self.top.output,
            star: self.top.star,
            row_locks: self.top.row_locks,
            strings: self.strings,
            has_where: self.top.has_where,
            has_limit: self.top.has_limit,
        }
    }
}
