//! `drop_trigger`: DROP TRIGGER ends what the trigger did for every writer.

use crate::migration::catalog::QName;
use crate::migration::statement::{Body, ObjectKind, Statement, quote_ident};

use super::outlook::same_name;
use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "drop_trigger", page: migration_page!("drop_trigger"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::Drop(drop) = &cx.statement.body else { return };
    if drop.kind != ObjectKind::Trigger || !cx.lasts() {
        return;
    }
    for dropped in &drop.names {
        let Some(on) = &dropped.on_table else { continue };
        let table = cx.resolve(on);
        let trigger = dropped.name.name.as_str();
        if !cx.may_be_used(&table) {
            continue;
        }
        let absent = cx.before.complete()
            && cx.before.relation(&table).is_some_and(|table| !table.triggers.has(trigger));
        let made_here = cx.earlier().any(|statement| makes(statement, trigger, &table));
        let made_again = cx.later_in_transaction().any(|statement| makes(statement, trigger, &table));
        let table_goes = cx.later_in_transaction().any(|statement| {
            matches!(&statement.body, Body::Drop(drop) if drop.kind == ObjectKind::Table
                && drop.names.iter().any(|gone| same_name(&gone.name, &table)))
        });
        if absent || made_here || made_again || table_goes {
            continue;
        }
        sink.say(
            dropped.span,
            format!(
                "what {} did for every write to {table} ends at the commit, and no write fails that would tell",
                quote_ident(trigger)
            ),
        )
        .help("Drop it in a release after the one that does its work itself or no longer needs it; to change it, drop and \
               create it in one transaction.");
    }
}

fn makes(statement: &Statement, trigger: &str, table: &QName) -> bool {
    matches!(&statement.body, Body::CreateTrigger(create) if create.name == trigger && same_name(&create.table, table))
}
