//! Slow work while an earlier statement of the transaction still holds a strong lock.

use rustc_hash::FxHashMap;

use crate::migration::catalog::QName;
use crate::migration::effects::ScanReason;
use crate::migration::lock_mode::LockMode;
use crate::migration::session::HeldLock;

use super::validate_in_same_transaction::validated_here;
use super::{Check, MigrationContext, Record, Rule, Sink, StatementContext, joined};

pub static RULE: Rule = Rule {
    code: "lock_held_during_slow_work",
    page: migration_page!("lock_held_during_slow_work"),
    check: Check::Migration(check),
};

/// Told once for each transaction, at the first slow statement: what is to be done is the same for all of them.
fn check(context: &MigrationContext<'_>, sink: &mut Sink) {
    let mut first: Option<(&Record, &SlowUnderLock)> = None;
    let mut more = 0;
    for record in context.records {
        let Some(slow) = &record.slow else { continue };
        match first {
            Some((before, _)) if before.transaction == record.transaction => more += 1,
            _ => {
                say(first.take(), more, sink);
                first = Some((record, slow));
                more = 0;
            }
        }
    }
    say(first, more, sink);
}

fn say(first: Option<(&Record, &SlowUnderLock)>, more: usize, sink: &mut Sink) {
    let Some((record, slow)) = first else { return };
    let also = match more {
        0 => String::new(),
        1 => "; so does 1 statement after it".to_owned(),
        _ => format!("; so do {more} statements after it"),
    };
    sink.say(
        record.span,
        format!(
            "this {} while the transaction still holds {} on {} from an earlier statement: {} wait until it is done{also}",
            slow.work,
            slow.mode,
            joined(&slow.tables),
            slow.mode.blocks()
        ),
    )
    .help("Put it in a migration of its own, or COMMIT before it; where its own lock is weak, put it first in the transaction.");
}

/// Slow work of a statement, and the strong locks that the transaction holds meanwhile without its need.
#[derive(Clone, Debug)]
pub struct SlowUnderLock {
    /// "builds an index on orders".
    pub work: String,
    /// The strongest of those locks.
    pub mode: LockMode,
    /// The relations that are held with it.
    pub tables: Vec<QName>,
}

impl SlowUnderLock {
    /// What there is to tell of a statement. `told`: an earlier statement of the transaction was slow already, so
    /// that it need only be counted, and not all that is held be looked at again.
    pub fn of(context: &StatementContext<'_>, told: bool) -> Option<SlowUnderLock> {
        if context.in_transaction() != Some(true) || context.session.held.is_empty() {
            return None;
        }
        let work = slow_work(context)?;
        if !validated_here(context).is_empty() {
            return None; // a code of its own
        }
        // Locks that this statement doesn't need itself: what it needs is another rule's matter.
        let own: FxHashMap<&QName, LockMode> = context.effects.strongest_locks().into_iter().collect();
        let mut held = context
            .session
            .held
            .iter()
            .filter(|held| held.mode.blocks_writes() && context.in_use(&held.relation))
            .filter(|held| own.get(&held.relation).is_none_or(|own| *own < held.mode));
        if told {
            return held.next().map(|held| SlowUnderLock { work, mode: held.mode, tables: Vec::new() });
        }
        let held: Vec<&HeldLock> = held.collect();
        let mode = held.iter().map(|held| held.mode).max()?;
        let tables = held.iter().filter(|held| held.mode == mode).map(|held| held.relation.clone()).collect();
        Some(SlowUnderLock { work, mode, tables })
    }
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
    if let Some((_, _, source)) = context.unbounded_inserts().into_iter().next() {
        return Some(format!("copies all rows of {}", context.sized(&source)));
    }
    let table = context.changed_in_block()?;
    Some(format!("changes many rows of {}", context.sized(&table)))
}
