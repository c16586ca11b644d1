//! `json_column`: a json column, where jsonb is meant nearly always.

use crate::migration::statement::quote_ident;

use super::written::columns;
use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule =
    Rule { code: "json_column", page: migration_page!("json_column"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    for column in columns(cx.statement) {
        if column.type_name.name.schema.is_none() && column.type_name.name.name == "json" {
            let name = quote_ident(column.name.as_str());
            let said = sink.say(
                column.type_name.span,
                format!("{name} is json: it has no equality, no index looks inside, and it is parsed again at each use"),
            );
            said.help(format!("{name} jsonb"));
            if let Some(edits) = column.retyped(cx, "jsonb") {
                said.unsafe_fix("make it jsonb", edits);
            }
        }
    }
}
