//! `float_column`: a floating point column, which can't hold decimal fractions exactly.

use crate::migration::statement::quote_ident;

use super::written::{columns, type_text};
use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule =
    Rule { code: "float_column", page: migration_page!("float_column"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    for column in columns(cx.statement) {
        if column.type_name.name.schema.is_none()
            && matches!(column.type_name.name.name.as_str(), "float4" | "float8")
        {
            let name = quote_ident(column.name.as_str());
            let said = sink.say(
                column.type_name.span,
                format!(
                    "{name} is {}, which can't hold 0.1 exactly: sums and comparisons are off",
                    type_text(column.type_name)
                ),
            );
            said.help(format!("{name} numeric"));
            if let Some(edits) = column.retyped(cx, "numeric") {
                said.unsafe_fix("make it numeric", edits);
            }
        }
    }
}
