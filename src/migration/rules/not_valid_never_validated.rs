//! `not_valid_never_validated`: a constraint is added NOT VALID, and no migration validates it.

use crate::migration::statement::quote_ident;

use super::{Check, Rule, RunContext, Sink};

/// The rule.
pub static RULE: Rule = Rule {
    code: "not_valid_never_validated",
    page: migration_page!("not_valid_never_validated"),
    check: Check::Run(check),
};

fn check(cx: &RunContext<'_>, sink: &mut Sink) {
    for (table, constraint, migration) in cx.constraints_made() {
        if constraint.validated || !constraint.enforced {
            continue;
        }
        let name = quote_ident(&constraint.name);
        sink.say(
            constraint.span,
            format!(
                "nothing here validates {name}: rows that are already in {} may break it, and PostgreSQL doesn't rely on it",
                table.name
            ),
        )
        .help(format!(
            "-- in a transaction of its own; reads the table, and blocks nobody\n\
             ALTER TABLE {} VALIDATE CONSTRAINT {name};",
            table.name
        ))
        .in_migration(migration);
    }
}
