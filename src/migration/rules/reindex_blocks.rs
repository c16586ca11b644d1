//! REINDEX without CONCURRENTLY.

use crate::migration::statement::{Body, ReindexTarget};

use super::outside::Becomes;
use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "reindex_blocks", page: migration_page!("reindex_blocks"), check: Check::Statement(check) };

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::Reindex(reindex) = &context.statement.body else { return };
    if reindex.concurrently {
        return;
    }
    let named = reindex.name.as_ref().map(|name| context.resolve(name));
    let (heavy, what) = match (reindex.target, &named) {
        (ReindexTarget::Index, Some(name)) => match context.before.index(name) {
            Some((table, _)) => (context.heavy(&table.name), context.sized(&table.name)),
            None => (!context.before.would_hold(name), format!("the table of {name}")),
        },
        (ReindexTarget::Table, Some(name)) => (context.heavy(name), context.sized(name)),
        (ReindexTarget::Schema, _) => (true, "each table of the schema in turn".to_owned()),
        (ReindexTarget::System, _) => (true, "the system catalogs".to_owned()),
        _ => (true, "each table of the database in turn".to_owned()),
    };
    if !heavy {
        return;
    }
    let said = sink.say(
        context.statement.span,
        format!(
            "REINDEX holds SHARE on {what} and ACCESS EXCLUSIVE on the index while it is rebuilt: writes wait, and so does every query that is \
             planned meanwhile"
        ),
    );
    if reindex.target == ReindexTarget::System {
        said.help("System catalogs can't be reindexed CONCURRENTLY: take a maintenance window.");
        return;
    }
    let note = context.outside_note();
    said.help(match context.with_words(reindex.target_span, " CONCURRENTLY") {
        Some(statement) => format!("{note}{statement}"),
        None => format!("{note}REINDEX … CONCURRENTLY …;"),
    });
    let edits = context.insertion(reindex.target_span, " CONCURRENTLY");
    context.mend_outside(said, "reindex CONCURRENTLY", edits, Becomes::Concurrent);
}
