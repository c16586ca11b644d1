//! `set_unlogged`: ALTER TABLE … SET UNLOGGED empties the table after a crash.

use crate::migration::statement::{ActionKind, Persistence};

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "set_unlogged", page: migration_page!("set_unlogged"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some((alter, table, known)) = cx.altered() else { return };
    if known.is_some_and(|table| table.persistence == Persistence::Unlogged) {
        return;
    }
    for action in &alter.actions {
        if matches!(action.kind, ActionKind::SetUnlogged) {
            sink.say(
                action.span,
                format!(
                    "{table} isn't written to the WAL any more: after a crash or a failover it is empty, replicas \
                     and physical backups don't have its rows"
                ),
            )
            .help(format!(
                "-- keep {table} logged; rows that may be lost belong in a table made for them\n\
                 CREATE UNLOGGED TABLE {}_buffer (…);",
                table.name
            ));
        }
    }
}
