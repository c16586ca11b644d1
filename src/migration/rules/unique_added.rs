//! `unique_added`: a new unique index makes writes of duplicates fail, and fails where there are some.

use std::borrow::Cow;

use crate::migration::catalog::{QName, Relation};
use crate::migration::statement::{ActionKind, Body, ConstraintKind, Expr, Ident, ObjectKind, quote_ident};
use crate::source::Span;

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "unique_added", page: migration_page!("unique_added"), check: Check::Statement(check) };

/// How many statements ahead a primary key is looked for.
const FARTHEST: usize = 50;

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    match &cx.statement.body {
        Body::CreateIndex(index) if index.unique => {
            let table = cx.resolve(&index.table);
            if !cx.may_be_used(&table) || !cx.lasts() {
                return;
            }
            let known = cx.before.relation(&table);
            let exists = index.name.as_ref().is_some_and(|name| {
                index.if_not_exists && known.is_some_and(|table| table.index(name.as_str()).is_some())
            });
            // A primary key has its own rule; the index that it is made of says nothing more.
            if exists || index.name.as_ref().is_some_and(|name| becomes_primary_key(cx, name)) {
                return;
            }
            // An expression's uniqueness follows from nothing that is known here.
            let columns: Option<Vec<&str>> =
                index.columns.iter().map(|key| key.column().map(|c| c.as_str())).collect();
            // In a string of EXECUTE the places of expressions aren't known.
            let text = |expr: &Expr| if cx.verbatim() { cx.sql(expr.span) } else { "…" };
            let keys: Vec<Cow<'_, str>> = index
                .columns
                .iter()
                .map(|key| match key.column() {
                    Some(column) => quote_ident(column.as_str()),
                    None => text(&key.expr).into(),
                })
                .collect();
            let predicate = index.predicate.as_ref().map(text);
            // A constant is no key to group by: its place among the output columns is.
            let constant = index.columns.iter().any(|key| key.expr.columns.is_empty());
            let places = || (1..=keys.len()).map(|at| at.to_string()).collect::<Vec<_>>().join(", ");
            let shown = keys.join(", ");
            let grouped = if constant { places() } else { shown.clone() };
            let keys = Keys { columns: columns.as_deref(), shown: &shown, grouped: &grouped, predicate };
            judge(cx, sink, &table, known, &keys, cx.statement.span);
        }
        Body::AlterTable(_) => {
            let Some((alter, table, known)) = cx.altered() else { return };
            if alter.kind == ObjectKind::Type {
                return;
            }
            for action in &alter.actions {
                let ActionKind::AddConstraint(constraint) = &action.kind else { continue };
                let ConstraintKind::Unique(unique) = &constraint.kind else { continue };
                // USING INDEX: the index made it unique before.
                if unique.using_index.is_some() {
                    continue;
                }
                let columns: Vec<&str> = unique.columns.iter().map(|column| column.as_str()).collect();
                let shown: Vec<_> = columns.iter().map(|column| quote_ident(column)).collect();
                let shown = shown.join(", ");
                let keys = Keys { columns: Some(&columns), shown: &shown, grouped: &shown, predicate: None };
                judge(cx, sink, &table, known, &keys, action.span);
            }
        }
        _ => {}
    }
}

/// Whether a later statement of the file makes a primary key of the index.
fn becomes_primary_key(cx: &StatementContext<'_>, index: &Ident) -> bool {
    let later = cx.statements.get(cx.index + 1..).unwrap_or(&[]);
    later.iter().take(FARTHEST).any(|statement| {
        matches!(&statement.body, Body::AlterTable(alter) if alter.actions.iter().any(|action| {
            matches!(&action.kind, ActionKind::AddConstraint(constraint)
                if matches!(&constraint.kind, ConstraintKind::PrimaryKey(key)
                    if key.using_index.as_ref() == Some(index)))
        }))
    })
}

/// What is to be unique.
struct Keys<'a> {
    /// The columns, where all keys are plain ones.
    columns: Option<&'a [&'a str]>,
    /// As SQL writes them.
    shown: &'a str,
    /// As GROUP BY takes them.
    grouped: &'a str,
    /// WHERE, as written.
    predicate: Option<&'a str>,
}

fn judge(
    cx: &StatementContext<'_>,
    sink: &mut Sink,
    table: &QName,
    known: Option<&Relation>,
    keys: &Keys<'_>,
    span: Span,
) {
    if let (Some(known), Some(columns)) = (known, keys.columns)
        && (is_unique_already(known, columns) || has_new_column(cx, known, columns))
    {
        return;
    }
    let (shown, grouped) = (keys.shown, keys.grouped);
    let (these, filter) = match keys.predicate {
        Some(predicate) => (format!(" where {predicate}"), format!(" WHERE {predicate}")),
        None => Default::default(),
    };
    sink.say(
        span,
        format!(
            "if rows of {table}{these} have the same ({shown}) this fails; and a running version that writes such rows \
             fails from then on"
        ),
    )
    .help(format!(
        "-- count the duplicates, mend them, and deploy code that writes none first\n\
         SELECT {shown}, count(*) FROM {table}{filter} GROUP BY {grouped} HAVING count(*) > 1;\n\
         -- a CONCURRENTLY build that fails leaves an INVALID index behind, to be dropped with DROP INDEX CONCURRENTLY",
    ));
}

/// Whether a unique index over some of the columns rules duplicates out.
fn is_unique_already(table: &Relation, columns: &[&str]) -> bool {
    table.indexes.about_any(columns).any(|index| {
        index.unique
            && index.valid
            && index.predicate.is_none()
            && !index.keys.is_empty()
            && index.keys.iter().all(|key| key.column.as_deref().is_some_and(|column| columns.contains(&column)))
            // NULLs are distinct, so that rows with NULL in the old key say nothing of the others.
            && index.keys.iter().all(|key| {
                key.column
                    .as_deref()
                    .and_then(|column| table.column(column))
                    .is_some_and(|column| column.not_null)
                    || index.nulls_not_distinct
                    || index.keys.len() == columns.len()
            })
    })
}

/// Whether a column is new in this change and NULL in every row, so that no two are equal.
fn has_new_column(cx: &StatementContext<'_>, table: &Relation, columns: &[&str]) -> bool {
    columns.iter().any(|column| {
        table.column(column).is_some_and(|column| {
            !cx.in_use_since(column.born) && column.default.is_none() && column.generated.is_none()
        })
    })
}
