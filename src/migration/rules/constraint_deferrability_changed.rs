//! `constraint_deferrability_changed`: ALTER CONSTRAINT changes when a foreign key is checked.

use crate::migration::statement::{ActionKind, quote_ident};

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "constraint_deferrability_changed",
    page: migration_page!("constraint_deferrability_changed"),
    check: Check::Statement(check),
};

/// Among so many relations a constraint's name isn't looked for: another may have it.
const MANY: usize = 2000;

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some((alter, table, _)) = cx.altered() else { return };
    for action in &alter.actions {
        let ActionKind::AlterConstraint { name, deferrable, initially_deferred, .. } = &action.kind else {
            continue;
        };
        let shown = quote_ident(name.as_str());
        if *initially_deferred == Some(true) {
            // SET CONSTRAINTS means all of a name in a schema, and fails where one can't be deferred.
            let others = cx.before.relations_unsorted().enumerate().any(|(at, other)| {
                at >= MANY
                    || other.name != table
                        && other.name.schema == table.schema
                        && other.constraint(name.as_str()).is_some_and(|other| !other.deferrable)
            });
            let deferred = if others { "ALL" } else { &shown };
            sink.say(
                action.span,
                format!(
                    "{shown} of {table} is checked at COMMIT from now on: an application that expects the error at the \
                     statement gets it where it may not look for it"
                ),
            )
            .help(format!("ALTER TABLE {table} ALTER CONSTRAINT {shown} DEFERRABLE INITIALLY IMMEDIATE;\n-- and in the transactions that need it:\nSET CONSTRAINTS {deferred} DEFERRED;"));
        } else if *deferrable == Some(false) {
            sink.say(
                action.span,
                format!("{shown} of {table} can't be deferred any more: SET CONSTRAINTS … DEFERRED in running code fails"),
            );
        }
    }
}
