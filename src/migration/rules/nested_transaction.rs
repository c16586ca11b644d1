//! `nested_transaction`: BEGIN where a transaction is already open.

use crate::migration::session::Opened;
use crate::migration::statement::{Body, TransactionControl};

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "nested_transaction",
    page: migration_page!("nested_transaction"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    if !matches!(cx.statement.body, Body::Transaction(TransactionControl::Begin)) || cx.inner.is_some() {
        return;
    }
    let (open, help) = match cx.session.opened() {
        Some(Opened::Begin) => (
            "an earlier BEGIN has opened one",
            "-- a part that can be undone by itself, inside the transaction:\nSAVEPOINT part;\n-- …\nRELEASE SAVEPOINT part;",
        ),
        Some(Opened::Runner) => {
            ("the migration tool has opened one", "Leave out BEGIN and COMMIT: the tool begins and commits.")
        }
        // In an implicit transaction BEGIN makes it an ordinary one, and nothing is nested.
        Some(Opened::Implicit | Opened::Block) | None => return,
    };
    sink.say(
        cx.statement.span,
        format!(
            "this BEGIN begins nothing, since {open}; the next COMMIT ends that one, and what follows runs on its own"
        ),
    )
    .help(help);
}
