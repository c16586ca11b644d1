//! `data_and_schema_together`: rows are changed and then the schema, in one transaction.

use std::collections::HashMap;

use crate::migration::catalog::QName;
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::{Access, Body, Change, Query, Statement};

use super::{Check, MigrationContext, Record, Rule, Sink};

/// The rule.
pub static RULE: Rule = Rule {
    code: "data_and_schema_together",
    page: migration_page!("data_and_schema_together"),
    check: Check::Migration(check),
};

fn check(cx: &MigrationContext<'_>, sink: &mut Sink) {
    // Relations whose rows the open transaction has changed, without a bound; the transaction they belong to.
    let mut changed: HashMap<&QName, u32> = HashMap::new();
    for (statement, record) in cx.statements.iter().zip(cx.records) {
        if record.in_transaction != Some(true) {
            continue;
        }
        // A lock that is already held needs no waiting for; that it is held is lock_held_during_slow_work.
        let hit =
            record.awaited.iter().find(|(relation, _)| changed.get(relation) == Some(&record.transaction));
        if let Some((relation, mode)) = hit
            && changes_schema(statement)
        {
            sink.say(
                statement.span,
                format!(
                    "rows of {relation} were changed earlier in this transaction and stay locked while this waits for \
                     its {mode} lock; if the wait is too long, that work is lost as well"
                ),
            )
            .help("Put the schema into one migration and the change of rows into another, in batches with a COMMIT after each.");
            // One finding for each table is enough.
            let relation = relation.clone();
            changed.remove(&relation);
        }
        if unbounded(statement) {
            for relation in written(record) {
                changed.insert(relation, record.transaction);
            }
        }
    }
}

/// Relations whose rows a statement writes.
fn written(record: &Record) -> impl Iterator<Item = &QName> {
    record.effects.locks.iter().filter(|lock| lock.mode == LockMode::RowExclusive).map(|lock| &lock.relation)
}

fn changes_schema(statement: &Statement) -> bool {
    matches!(
        statement.body,
        Body::AlterTable(_)
            | Body::CreateIndex(_)
            | Body::CreateTrigger(_)
            | Body::Drop(_)
            | Body::CreateTable(_)
    )
}

/// Whether a statement changes rows without a bound on how many.
fn unbounded(statement: &Statement) -> bool {
    let query = |query: &Query| query.changes.iter().any(open_ended);
    match &statement.body {
        Body::Query(one) => query(one),
        Body::Do(block) => block.routine.as_ref().is_some_and(|routine| {
            routine.statements.iter().any(|inner| !inner.loop_commits && unbounded(&inner.statement))
        }),
        _ => false,
    }
}

fn open_ended(change: &Change) -> bool {
    match change.access {
        Access::Update | Access::Delete | Access::Merge => {
            change.filter.as_ref().is_none_or(|filter| !filter.bounded)
        }
        Access::Insert => !change.sources.is_empty(),
        Access::Read | Access::ReadForUpdate => false,
    }
}
