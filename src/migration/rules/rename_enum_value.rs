//! `rename_enum_value`: ALTER TYPE … RENAME VALUE breaks code that knows the old label.

use crate::migration::statement::{Body, TypeAction};

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "rename_enum_value",
    page: migration_page!("rename_enum_value"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::AlterType(alter) = &cx.statement.body else { return };
    let TypeAction::RenameValue { from, to } = &alter.action else { return };
    if !cx.type_in_use(&alter.name) || !cx.lasts() {
        return;
    }
    let name = cx.before.resolve_type(&alter.name, &cx.session.search_path);
    let literal = |label: &str| label.replace('\'', "''");
    sink.say(
        cx.statement.span,
        format!(
            "the running version fails where it writes or compares '{from}' (invalid input value for enum), and reads a \
             label '{to}' that it doesn't know"
        ),
    )
    .help(format!(
        "-- add the new label, deploy code that knows both and writes the new one, change the rows in batches, and leave \
         the old label where it is\n\
         ALTER TYPE {name} ADD VALUE '{}' AFTER '{}';",
        literal(to),
        literal(from)
    ));
}
