//! The fix that puts a lock_timeout around statements: SET LOCAL in a transaction, SET and RESET outside.

use crate::finding::{Applicability, Edit, Turn};
use crate::migration::fix::place;
use crate::migration::project::runner::needs_no_transaction;
use crate::migration::session::Timeout;
use crate::migration::statement::{ActionKind, Body, Statement};

use super::{Mend, MigrationContext, Record, Said};

/// The value: long enough for ordinary queries to end, short enough that nobody notices the queue behind it.
pub(super) const SETTING: &str = "lock_timeout = '2s'";

/// Adds the fix for the statements of `records`, which wait for locks without an end.
pub(super) fn mend(context: &MigrationContext<'_>, records: &[&Record], said: &mut Said) {
    // A SET that stands later or earlier shows that somebody meant it otherwise.
    if context.records.iter().any(|record| record.lock_timeout != Timeout::Unset) {
        said.unfixed(
            "the file sets lock_timeout itself, to something else or for other statements: change it there",
        );
        return;
    }
    let alone = makes_transaction(context);
    let mut edits: Vec<Edit> = Vec::new();
    let mut outside = false;
    let mut transaction = None;
    let mut at = 0;
    while let Some(record) = records.get(at) {
        at += 1;
        let Some(statement) = context.statements.get(record.index) else { continue };
        if record.in_transaction == Some(true) || alone {
            if alone && needs_no_transaction(statement) {
                return;
            }
            if transaction != Some(record.transaction) {
                transaction = Some(record.transaction);
                edits.push(place::before(context.text, statement.span, &format!("SET LOCAL {SETTING};")));
            }
            continue;
        }
        outside = true;
        let mut last = record.index;
        while let Some(next) = records.get(at).filter(|next| {
            next.in_transaction != Some(true)
                && context
                    .statements
                    .get(last + 1..next.index)
                    .is_some_and(|between| !between.iter().any(is_long))
        }) {
            last = next.index;
            at += 1;
        }
        edits.push(place::before(context.text, statement.span, &format!("SET {SETTING};")));
        let end = context.statements.get(last).map_or(statement.span, |last| last.span);
        match place::after(context.text, end, "RESET lock_timeout;") {
            Some(edit) => edits.push(edit),
            None => return,
        }
    }
    edits.sort_by_key(|edit| (edit.start, edit.end));
    let several = context.statements.iter().filter(|other| !matches!(other.body, Body::Set(_))).count() > 1;
    let applicability = if outside && several { Applicability::Unsafe } else { Applicability::Safe };
    said.mend("set a lock_timeout", applicability, edits);
    if let Some(Mend::Fix(fix)) = &mut said.fix {
        // What becomes CONCURRENTLY needs none.
        fix.turn = Turn::Last;
        fix.note = (applicability == Applicability::Unsafe).then(|| {
            "the file runs outside a transaction: where the timeout ends it, what stands before stays done".to_owned()
        });
    }
}

/// Whether the file's one statement would be in a transaction with a SET beside it: they go as one query.
pub(super) fn makes_transaction(context: &MigrationContext<'_>) -> bool {
    context.run.one_query && context.statements.len() == 1
}

/// Work that should go on however long it waits: a timeout would leave an invalid index.
fn is_long(statement: &Statement) -> bool {
    needs_no_transaction(statement)
        || matches!(&statement.body, Body::AlterTable(alter)
            if alter.actions.iter().any(|action| matches!(action.kind, ActionKind::ValidateConstraint { .. })))
}
