//! `applied_migration_edited`: a migration that was there before the change at hand says something else now, or has another
//! name. That it is gone is told by who asked for the change: there is no text to tell it at.

use super::{Change, Check, Rule, RunContext, Sink};

pub static RULE: Rule = Rule {
    code: "applied_migration_edited",
    page: migration_page!("applied_migration_edited"),
    check: Check::Run(check),
};

fn check(cx: &RunContext<'_>, sink: &mut Sink) {
    for (migration, was) in cx.migrations.iter().filter_map(|one| Some((one, one.was?.display()))) {
        sink.say(
            migration.first,
            format!(
                "this migration was there before the change at hand as {was}: databases that have run it under that name take \
                 it for a new one and run it again"
            ),
        )
        .in_migration(migration.migration)
        .help(format!("Give the file its name back: git mv '{}' '{was}'", migration.path));
    }
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
