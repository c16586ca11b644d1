//! `explain_analyze_runs`: EXPLAIN ANALYZE of a statement that changes rows, which it really does.

use crate::migration::statement::{Body, Statement};

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "explain_analyze_runs",
    page: migration_page!("explain_analyze_runs"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::Explain { analyze: true, statement } = &cx.statement.body else { return };
    if !changes(cx, statement) || cx.rolled_back() {
        return;
    }
    let said = sink.say(cx.statement.span, "EXPLAIN ANALYZE runs the statement: what it changes stays");
    if cx.inner.is_none() {
        said.help(format!("BEGIN;\n{};\nROLLBACK;", cx.sql(cx.statement.span)));
    }
}

fn changes(cx: &StatementContext<'_>, statement: &Statement) -> bool {
    match &statement.body {
        Body::Query(query) => !query.changes.is_empty(),
        Body::Execute { name } => {
            cx.session.prepared.get(name.as_str()).is_none_or(|query| !query.changes.is_empty())
        }
        Body::CreateTableAs(_) | Body::RefreshMaterializedView { .. } => true,
        _ => false,
    }
}
