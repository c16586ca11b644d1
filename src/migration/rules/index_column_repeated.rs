//! `index_column_repeated`: an index that holds the same column twice.

use crate::migration::statement::{Body, quote_ident};

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "index_column_repeated",
    page: migration_page!("index_column_repeated"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::CreateIndex(create) = &cx.statement.body else { return };
    let mut seen: Vec<(&str, Option<&str>)> = Vec::new();
    for key in &create.columns {
        let Some(column) = key.column() else { continue };
        let class = key.operator_class.as_ref().map(|class| class.name.as_str());
        if seen.contains(&(column.as_str(), class)) {
            sink.say(key.expr.span, message(column.as_str()));
        }
        seen.push((column.as_str(), class));
    }
    for (at, column) in create.include.iter().enumerate() {
        let key = seen.iter().any(|(known, _)| *known == column.as_str());
        if key || create.include.iter().take(at).any(|known| known == column) {
            sink.say(column.span, message(column.as_str()));
        }
    }
}

fn message(column: &str) -> String {
    format!("{} is in this index already; was another column meant?", quote_ident(column))
}
