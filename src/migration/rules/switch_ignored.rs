//! `switch_ignored`: a comment that is meant to take the tool's transaction away, and doesn't.

use super::{Check, MigrationContext, Rule, Sink, switches};

/// The rule.
pub static RULE: Rule =
    Rule { code: "switch_ignored", page: migration_page!("switch_ignored"), check: Check::Migration(check) };

fn check(cx: &MigrationContext<'_>, sink: &mut Sink) {
    let Some(span) = cx.run.ignored_switch else { return };
    sink.say(
        span,
        format!(
            "`{}` does nothing here: the migration tool reads its switch only where and as it expects it, so this file \
             still runs in a transaction",
            cx.sql(span).trim()
        ),
    )
    .help(switches::without_transaction(cx.run));
}
