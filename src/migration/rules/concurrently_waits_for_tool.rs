//! `concurrently_waits_for_tool`: an index build that waits for a transaction of the migration tool's own.

use crate::migration::statement::Body;

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "concurrently_waits_for_tool",
    page: migration_page!("concurrently_waits_for_tool"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some(otherwise) = cx.run.held_open else { return };
    // DROP INDEX and DETACH … CONCURRENTLY wait for locks on the table only, not for snapshots.
    let what = match &cx.statement.body {
        Body::CreateIndex(create) if create.concurrently => "CREATE INDEX CONCURRENTLY",
        Body::Reindex(reindex) if reindex.concurrently => "REINDEX CONCURRENTLY",
        _ => return,
    };
    // Where it fails at once it doesn't wait.
    if cx.inner.is_some() || cx.in_transaction() == Some(true) {
        return;
    }
    sink.say(
        cx.statement.span,
        format!(
            "{what} waits for every transaction that has a snapshot, and the migration tool keeps one open on another \
             connection until the migration is done: neither ends, and the release hangs"
        ),
    )
    .help(otherwise);
}
