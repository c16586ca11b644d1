//! ADD EXCLUDE on a table in use.

use crate::migration::effects::IndexBuildReason;

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "add_exclusion_builds_index",
    page: migration_page!("add_exclusion_builds_index"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let mut told = Vec::new();
    for build in &context.effects.index_builds {
        if build.reason != IndexBuildReason::Exclude
            || !context.heavy(&build.relation)
            || told.contains(&build.span)
        {
            continue;
        }
        told.push(build.span);
        sink.say(
            build.span,
            format!(
                "EXCLUDE builds an index on {} and looks up every row in it under ACCESS EXCLUSIVE: reads and writes wait until both are done. It \
                 can't be done CONCURRENTLY or NOT VALID",
                context.sized(&build.relation)
            ),
        )
        .help(
            "Give a new table the constraint from the start, write to both, copy the old rows in batches and switch over.\n\
             Or rehearse it on a copy, and take a maintenance window as long as that took.",
        );
    }
}
