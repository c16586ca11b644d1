//! `char_column`: a char(n) column, which pads with blanks.

use crate::migration::statement::quote_ident;

use super::written::{columns, type_text};
use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule =
    Rule { code: "char_column", page: migration_page!("char_column"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    for column in columns(cx.statement) {
        if column.type_name.name.schema.is_none() && column.type_name.name.name == "bpchar" {
            let name = quote_ident(column.name.as_str());
            let said = sink.say(
                column.type_name.span,
                format!("{name} is {}: values are filled up with blanks, which count in some comparisons and not in others", type_text(column.type_name)),
            );
            said.help(format!("{name} text"));
            if let Some(edits) = column.retyped(cx, "text") {
                said.unsafe_fix("make it text", edits);
            }
        }
    }
}
