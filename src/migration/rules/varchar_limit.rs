//! `varchar_limit`: a length limit in the column's type.

use crate::migration::statement::quote_ident;

use super::written::{columns, type_text};
use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule =
    Rule { code: "varchar_limit", page: migration_page!("varchar_limit"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    for column in columns(cx.statement) {
        let Some(limit) = column.type_name.modifiers.first() else { continue };
        if column.type_name.name.schema.is_none() && column.type_name.name.name == "varchar" {
            let name = quote_ident(column.name.as_str());
            sink.say(
                column.type_name.span,
                format!("{name} is {}: a limit in the type can't be lowered, nor changed under a view, without touching the table", type_text(column.type_name)),
            )
            .help(format!("{name} text CHECK (length({name}) <= {limit})"));
        }
    }
}
