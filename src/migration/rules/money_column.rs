//! `money_column`: a column of type money.

use crate::migration::statement::quote_ident;

use super::written::columns;
use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule =
    Rule { code: "money_column", page: migration_page!("money_column"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    for column in columns(cx.statement) {
        if column.type_name.name.schema.is_none() && column.type_name.name.name == "money" {
            let name = quote_ident(column.name.as_str());
            let said = sink.say(
                column.type_name.span,
                format!("{name} is money: its decimals and the way it is read depend on the server's lc_monetary, and it has no currency"),
            );
            said.help(format!("{name} numeric(12, 2)"));
            if let Some(edits) = column.retyped(cx, "numeric(12, 2)") {
                said.unsafe_fix("make it numeric", edits);
            }
        }
    }
}
