//! `transaction_left_open`: a transaction that the file begins and doesn't end.

use crate::migration::statement::{Body, TransactionControl};

use super::{Check, MigrationContext, Rule, Sink};

/// The rule.
pub static RULE: Rule = Rule {
    code: "transaction_left_open",
    page: migration_page!("transaction_left_open"),
    check: Check::Migration(check),
};

fn check(cx: &MigrationContext<'_>, sink: &mut Sink) {
    // There BEGIN does nothing, or begins what the runner itself commits.
    if cx.run.runner_transaction || cx.run.one_transaction_for_all {
        return;
    }
    let last = cx.statements.iter().rev().find_map(|statement| match &statement.body {
        Body::Transaction(control) => match control {
            TransactionControl::Begin => Some((statement.span, true)),
            TransactionControl::Commit { chain } | TransactionControl::Rollback { chain } => {
                Some((statement.span, *chain))
            }
            TransactionControl::Prepare => Some((statement.span, false)),
            _ => None,
        },
        _ => None,
    });
    if let Some((span, true)) = last {
        sink.say(
            span,
            "the transaction that begins here is never committed: what it does is rolled back when the connection \
             closes, or stays locked until something else ends it",
        )
        .help("COMMIT;");
    }
}
