//! `applied_migration_edited`: a migration that was there before the change at hand says something else now.

use super::{Change, Check, Rule, RunContext, Sink};

pub static RULE: Rule = Rule {
    code: "applied_migration_edited",
    page: migration_page!("applied_migration_edited"),
    check: Check::Run(check),
};

fn check(cx: &RunContext<'_>, sink: &mut Sink) {
    for migration in cx.migrations.iter().filter(|migration| migration.change == Some(Change::Edited)) {
        sink.say(
            migration.first,
            "this migration was there before the change at hand and says something else now: databases that have run it \
             don't run it again, and tools that keep checksums refuse to go on",
        )
        .in_migration(migration.migration)
        .help("Put the file back as it was, and make the change in a new migration.");
    }
}
