//! `drop_owned`: DROP OWNED drops everything that a role owns.

use crate::migration::statement::{Body, quote_ident};

use super::{Check, Rule, Sink, StatementContext, joined};

pub static RULE: Rule =
    Rule { code: "drop_owned", page: migration_page!("drop_owned"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::DropOwned { roles, .. } = &cx.statement.body else { return };
    if !cx.lasts() {
        return;
    }
    let names: Vec<String> = roles.iter().map(|role| quote_ident(role.as_str()).into_owned()).collect();
    let roles = joined(&names);
    sink.say(
        cx.statement.span,
        format!(
            "every table, view and function that {roles} owns in this database goes with its data, unnamed"
        ),
    )
    .help(format!(
        "-- hand the objects over first; DROP OWNED then only revokes privileges\n\
         REASSIGN OWNED BY {} TO CURRENT_USER;",
        names.join(", ")
    ));
}
