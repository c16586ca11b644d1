//! `catalog_modified_directly`: a system catalog is written to directly.

use crate::migration::statement::{Body, Name};
use crate::source::Span;

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "catalog_modified_directly",
    page: migration_page!("catalog_modified_directly"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    for change in cx.changes_run() {
        judge(cx, sink, &change.target, change.span);
    }
    if let Body::Copy(copy) = &cx.statement.body
        && copy.from
        && let Some(table) = &copy.table
    {
        judge(cx, sink, table, cx.statement.span);
    }
}

fn judge(cx: &StatementContext<'_>, sink: &mut Sink, target: &Name, span: Span) {
    let name = target.name.as_str();
    let system = match &target.schema {
        Some(schema) => schema == "pg_catalog" || schema == "pg_toast",
        // pg_catalog is searched first unless the path says otherwise.
        None => name.starts_with("pg_") && cx.relation(target).is_none(),
    };
    // UPDATE pg_settings is SET by another name (manual, "pg_settings").
    if !system || name == "pg_settings" || cx.rolled_back() {
        return;
    }
    sink.say(
        span,
        format!(
            "{name} is a system catalog: PostgreSQL trusts its rows, checks nothing, locks nothing, and other sessions \
             go on with what they have cached"
        ),
    )
    .help("Use the DDL command for it: ALTER TABLE, ALTER TYPE and their kin.");
}
