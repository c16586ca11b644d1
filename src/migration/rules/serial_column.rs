//! `serial_column`: serial instead of an identity column.

use crate::migration::statement::quote_ident;

use super::written::{columns, type_text};
use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule =
    Rule { code: "serial_column", page: migration_page!("serial_column"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    for column in columns(cx.statement) {
        let integer = match (&column.type_name.name.schema, column.type_name.name.name.as_str()) {
            (None, "serial2") => "smallint",
            (None, "serial4") => "integer",
            (None, "serial8") => "bigint",
            _ => continue,
        };
        let name = quote_ident(column.name.as_str());
        let said = sink.say(
            column.type_name.span,
            format!("{name} is {}: its sequence needs privileges of its own, and any number may be written into it", type_text(column.type_name)),
        );
        let identity = format!("{integer} GENERATED ALWAYS AS IDENTITY");
        said.help(format!("{name} {identity}"));
        if let Some(edits) = column.retyped(cx, &identity) {
            said.unsafe_fix("make it an identity column", edits);
        }
    }
}
