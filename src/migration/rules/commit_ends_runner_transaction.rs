//! `commit_ends_runner_transaction`: COMMIT or ROLLBACK ends the transaction that the migration tool opened.

use crate::migration::session::Opened;
use crate::migration::statement::{ActionKind, Body, TransactionControl};

use super::{Check, Rule, Sink, StatementContext, switches};

/// The rule.
pub static RULE: Rule = Rule {
    code: "commit_ends_runner_transaction",
    page: migration_page!("commit_ends_runner_transaction"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    if cx.inner.is_some() || cx.run.export.is_some() || cx.session.opened() != Some(Opened::Runner) {
        return;
    }
    let Body::Transaction(control) = &cx.statement.body else { return };
    if matches!(control, TransactionControl::Commit { .. }) && only_way_out(cx) {
        return;
    }
    let message = match control {
        TransactionControl::Commit { .. } | TransactionControl::Prepare => {
            "this ends the transaction that the migration tool opened: what stands above stays even if the rest \
             fails, and what follows, the tool's own record of the migration included, is no longer all or nothing"
        }
        TransactionControl::Rollback { .. } => {
            "this undoes all of the file so far, and ends the transaction that the migration tool opened: the tool \
             records the migration as done"
        }
        _ => return,
    };
    sink.say(cx.statement.span, message).help(format!(
        "Leave it to the tool to commit. Or have the file run outside a transaction, and write both BEGIN and COMMIT. {}",
        switches::without_transaction(cx.run)
    ));
}

/// Whether the COMMIT is there for a statement that can't run in a transaction, or shouldn't, under a tool that puts all pending
/// migrations in one and has no switch for a single file.
fn only_way_out(cx: &StatementContext<'_>) -> bool {
    cx.run.one_transaction_for_all
        && cx.statements.iter().skip(cx.index + 1).any(|statement| match &statement.body {
            Body::CreateIndex(create) => create.concurrently,
            Body::Drop(drop) => drop.concurrently,
            Body::Reindex(reindex) => reindex.concurrently,
            Body::Vacuum(_) => true,
            Body::AlterTable(alter) => alter.actions.iter().any(|action| {
                matches!(
                    action.kind,
                    ActionKind::DetachPartition { concurrently: true, .. }
                        | ActionKind::ValidateConstraint { .. }
                )
            }),
            _ => false,
        })
}
