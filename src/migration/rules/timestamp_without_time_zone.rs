//! `timestamp_without_time_zone`: a timestamp column without time zone.

use crate::migration::statement::quote_ident;

use super::written::columns;
use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "timestamp_without_time_zone",
    page: migration_page!("timestamp_without_time_zone"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    for column in columns(cx.statement) {
        if column.type_name.name.schema.is_none() && column.type_name.name.name == "timestamp" {
            let name = quote_ident(column.name.as_str());
            let said = sink.say(
                column.type_name.span,
                format!("{name} keeps the digits of a clock and not whose: what instant they mean depends on each session's TimeZone"),
            );
            said.help(format!("{name} timestamptz"));
            let precision =
                column.type_name.modifiers.first().map(|digits| format!("({digits})")).unwrap_or_default();
            if let Some(edits) = column.retyped(cx, &format!("timestamptz{precision}")) {
                said.unsafe_fix("make it timestamptz", edits);
            }
        }
    }
}
