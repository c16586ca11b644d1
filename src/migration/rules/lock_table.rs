//! LOCK TABLE in a mode that blocks writes or more.

use crate::migration::catalog::QName;
use crate::migration::statement::Body;

use super::{Check, Rule, Sink, StatementContext, joined};

pub static RULE: Rule =
    Rule { code: "lock_table", page: migration_page!("lock_table"), check: Check::Statement(check) };

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::Lock(lock) = &context.statement.body else { return };
    if !lock.mode.blocks_writes() {
        return;
    }
    let tables: Vec<QName> = lock
        .tables
        .iter()
        .map(|(name, _)| context.resolve(name))
        .filter(|table| context.may_be_used(table))
        .collect();
    if tables.is_empty() {
        return;
    }
    let queue =
        if lock.nowait { "" } else { ", and while it waits for its turn, all of them wait behind it" };
    sink.say(
        context.statement.span,
        format!(
            "LOCK TABLE holds {} on {} until the transaction ends: {} wait that long{queue}",
            lock.mode,
            joined(&tables),
            lock.mode.blocks(),
        ),
    )
    .help(
        "DDL takes the locks it needs by itself: leave LOCK TABLE out. To keep two jobs apart without touching the table:\n\
         SELECT pg_advisory_xact_lock(…);",
    );
}
