//! SET LOGGED / UNLOGGED, SET TABLESPACE, SET ACCESS METHOD on a table in use.

use crate::migration::effects::RewriteReason;
use crate::migration::statement::{Body, ObjectKind};

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "table_storage_rewrites",
    page: migration_page!("table_storage_rewrites"),
    check: Check::Statement(check),
};

const HELP: &str = "Make a new table as it shall be, copy the rows in batches while both are written, and switch over; or take pg_repack.\n\
                    If a maintenance window is long enough, rehearse it on a copy first.";

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    if let Body::MoveAllInTablespace {
        kind: ObjectKind::Table | ObjectKind::MaterializedView, from, ..
    } = &context.statement.body
    {
        sink.say(
            context.statement.span,
            format!(
                "every table in the tablespace {} is copied under ACCESS EXCLUSIVE, and all the locks are held until the last one is done",
                from.value
            ),
        )
        .help(HELP);
        return;
    }
    let mut told = Vec::new();
    for rewrite in &context.effects.rewrites {
        let what = match rewrite.reason {
            RewriteReason::Persistence => "writes it and its indexes anew",
            RewriteReason::Tablespace => "copies it",
            RewriteReason::AccessMethod => "writes it and its indexes anew",
            _ => continue,
        };
        if !context.heavy(&rewrite.relation) || told.contains(&rewrite.span) {
            continue;
        }
        told.push(rewrite.span);
        sink.say(
            rewrite.span,
            format!(
                "this holds ACCESS EXCLUSIVE on {} and {what}: reads and writes wait until it is done",
                context.sized(&rewrite.relation)
            ),
        )
        .help(HELP);
    }
}
