//! `enum_value_position`: ADD VALUE without BEFORE or AFTER puts the new label last.

use crate::migration::statement::{Body, TypeAction};

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "enum_value_position",
    page: migration_page!("enum_value_position"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::AlterType(alter) = &cx.statement.body else { return };
    let TypeAction::AddValue { value, positioned: false, .. } = &alter.action else { return };
    if !cx.type_in_use(&alter.name) || !cx.lasts() {
        return;
    }
    let name = cx.before.resolve_type(&alter.name, &cx.session.search_path);
    sink.say(
        cx.statement.span,
        format!("'{value}' becomes the greatest value of {name} for ORDER BY and comparisons, and its place is final"),
    )
    .help(format!("ALTER TYPE {name} ADD VALUE '{}' AFTER '…';", value.replace('\'', "''")));
}
