//! Slow work while an earlier statement of the transaction still holds a strong lock.

use crate::migration::catalog::QName;
use crate::migration::effects::ScanReason;
use crate::migration::session::HeldLock;

use super::validate_in_same_transaction::validated_here;
use super::{Check, Rule, Sink, StatementContext, joined};

pub static RULE: Rule = Rule {
    code: "lock_held_during_slow_work",
    page: migration_page!("lock_held_during_slow_work"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    if context.in_transaction() != Some(true) || !validated_here(context).is_empty() {
        return;
    }
    // Locks that this statement doesn't need itself: what it needs is another rule's matter.
    let held: Vec<&HeldLock> = context
        .session
        .held
        .iter()
        .filter(|held| held.mode.blocks_writes() && context.in_use(&held.relation))
        .filter(|held| context.effects.lock_on(&held.relation).is_none_or(|own| own < held.mode))
        .collect();
    let Some(strongest) = held.iter().map(|held| held.mode).max() else { return };
    let Some(work) = slow_work(context) else { return };
    let mut tables: Vec<&QName> = Vec::new();
    for lock in held.iter().filter(|held| held.mode == strongest) {
        if !tables.contains(&&lock.relation) {
            tables.push(&lock.relation);
        }
    }
    sink.say(
        context.statement.span,
        format!(
            "this {work} while the transaction still holds {strongest} on {} from an earlier statement: {} wait until it is done",
            joined(&tables),
            strongest.blocks()
        ),
    )
    .help("Put it in a migration of its own, or COMMIT before it; where its own lock is weak, put it first in the transaction.");
}

/// What the statement does that takes as long as a table is large.
fn slow_work(context: &StatementContext<'_>) -> Option<String> {
    let effects = context.effects;
    if let Some(rewrite) = effects.rewrites.iter().find(|rewrite| context.heavy(&rewrite.relation)) {
        return Some(format!("writes {} anew", context.sized(&rewrite.relation)));
    }
    if let Some(build) = effects.index_builds.iter().find(|build| context.heavy(&build.relation)) {
        return Some(format!("builds an index on {}", context.sized(&build.relation)));
    }
    let scan = effects.scans.iter().find(|scan| {
        context.heavy(&scan.relation)
            && !matches!(scan.reason, ScanReason::ForeignKey { referencing: false, .. })
    });
    if let Some(scan) = scan {
        return Some(format!("reads all of {}", context.sized(&scan.relation)));
    }
    if let Some((_, table)) = context.unbounded_changes().first() {
        return Some(format!("changes many rows of {}", context.sized(table)));
    }
    let (_, _, source) = context.unbounded_inserts().into_iter().next()?;
    Some(format!("copies all rows of {}", context.sized(&source)))
}
