//! `create_rule`: CREATE RULE rewrites the statements of the running application.

use crate::migration::statement::{Body, quote_ident};

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "create_rule", page: migration_page!("create_rule"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::CreateRule { name, table, .. } = &cx.statement.body else { return };
    let relation = cx.resolve(table);
    if *name == "_RETURN" || !cx.may_be_used(&relation) || !cx.lasts() {
        return;
    }
    sink.say(
        cx.statement.span,
        format!(
            "{} rewrites the running version's statements on {relation}: RETURNING, ON CONFLICT, row counts and COPY don't \
             behave as before",
            quote_ident(name.as_str())
        ),
    )
    .help("Use a trigger: it runs once for each row, with its final values, and COPY fires it.");
}
