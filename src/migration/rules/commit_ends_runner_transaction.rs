//! `commit_ends_runner_transaction`: COMMIT or ROLLBACK ends the transaction that the migration tool opened.

use crate::migration::session::Opened;
use crate::migration::statement::{Body, TransactionControl};

use super::{Check, Rule, Sink, StatementContext, switches};

/// The rule.
pub static RULE: Rule = Rule {
    code: "commit_ends_runner_transaction",
    page: migration_page!("commit_ends_runner_transaction"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    if cx.inner.is_some() || cx.session.opened() != Some(Opened::Runner) {
        return;
    }
    let Body::Transaction(control) = &cx.statement.body else { return };
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
        switches::without_transaction(cx.run.runner)
    ));
}
