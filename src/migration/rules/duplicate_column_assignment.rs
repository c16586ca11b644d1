//! `duplicate_column_assignment`: the same column twice in one statement.

use crate::migration::statement::{Access, Body, Change, Ident, Query, quote_ident};

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "duplicate_column_assignment",
    page: migration_page!("duplicate_column_assignment"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    match &cx.statement.body {
        Body::Query(query) => of_query(cx, query, sink),
        Body::Prepare { query, .. } => of_query(cx, query, sink),
        Body::CreateTable(create) => {
            for column in repeated(create.columns.iter().map(|column| &column.name)) {
                sink.say(
                    column.span,
                    format!(
                        "the column {} stands twice, which PostgreSQL refuses",
                        quote_ident(column.as_str())
                    ),
                );
            }
        }
        _ => {}
    }
}

fn of_query(cx: &StatementContext<'_>, query: &Query, sink: &mut Sink) {
    for change in &query.changes {
        let what = match change.access {
            Access::Insert => "stands twice in the column list",
            _ => "is assigned twice",
        };
        for column in repeated(whole_columns(cx, change)) {
            sink.say(
                column.span,
                format!("{} {what}, which PostgreSQL refuses", quote_ident(column.as_str())),
            );
        }
    }
}

/// Columns that are assigned as a whole: `a[1]` and `a.field` may stand beside one another.
fn whole_columns<'a>(cx: &'a StatementContext<'_>, change: &'a Change) -> impl Iterator<Item = &'a Ident> {
    change.columns.iter().filter(|column| {
        let rest = cx.text.get(column.span.end as usize..).unwrap_or("").trim_start();
        !rest.starts_with('[') && !rest.starts_with('.')
    })
}

/// The second and further ones of equal names.
fn repeated<'a>(names: impl Iterator<Item = &'a Ident>) -> Vec<&'a Ident> {
    let mut seen = std::collections::HashSet::new();
    names.filter(|name| !seen.insert(name.as_str())).collect()
}
