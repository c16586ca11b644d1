//! `time_with_time_zone`: a column of type time with time zone.

use crate::migration::statement::quote_ident;

use super::written::columns;
use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "time_with_time_zone",
    page: migration_page!("time_with_time_zone"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    for column in columns(cx.statement) {
        if column.type_name.name.schema.is_none() && column.type_name.name.name == "timetz" {
            let name = quote_ident(column.name.as_str());
            let said = sink.say(
                column.type_name.span,
                format!("{name} is a time of day with an offset, which without a date means nothing where clocks change"),
            );
            said.help(format!("{name} time"));
            if let Some(edits) = column.retyped(cx, "time") {
                said.unsafe_fix("make it time", edits);
            }
        }
    }
}
