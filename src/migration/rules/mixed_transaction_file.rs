//! `mixed_transaction_file`: a file that the tool refuses, since it mixes what must and what must not run outside a
//! transaction.

use super::{Check, MigrationContext, Rule, Sink, switches};

/// The rule.
pub static RULE: Rule = Rule {
    code: "mixed_transaction_file",
    page: migration_page!("mixed_transaction_file"),
    check: Check::Migration(check),
};

fn check(cx: &MigrationContext<'_>, sink: &mut Sink) {
    let Some(alone) = cx.run.alone_only else { return };
    let Some(outside) = cx.statements.iter().find(|statement| alone(statement)) else { return };
    let Some(other) = cx.statements.iter().find(|statement| !alone(statement)) else { return };
    sink.say(
        outside.span,
        format!(
            "the tool refuses this file: {} can't run in a transaction, and {} beside it wants one",
            outside.kind_name(),
            other.kind_name()
        ),
    )
    .help(format!(
        "Put it into a migration of its own. Or {}",
        lower(&switches::without_transaction(cx.run))
    ));
}

/// Behind "Or".
fn lower(sentence: &str) -> String {
    match sentence.split_once(": ") {
        Some((_, rest)) => rest.to_owned(),
        None => sentence.to_owned(),
    }
}
