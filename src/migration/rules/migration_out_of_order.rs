//! `migration_out_of_order`: a new migration that comes before one that has run.

use std::collections::HashMap;

use super::{Change, Check, Rule, RunContext, Sink};

pub static RULE: Rule = Rule {
    code: "migration_out_of_order",
    page: migration_page!("migration_out_of_order"),
    check: Check::Run(check),
};

fn check(cx: &RunContext<'_>, sink: &mut Sink) {
    let Some(last) = cx.versions.iter().rposition(|one| one.old) else { return };
    let latest = cx.versions[last].path; // a position in it
    let places: HashMap<&str, usize> =
        cx.versions.iter().enumerate().map(|(place, one)| (one.path, place)).collect();
    for migration in cx.migrations.iter().filter(|migration| migration.change == Some(Change::Added)) {
        let place = places.get(migration.path).copied();
        if place.is_none_or(|place| place > last) {
            continue;
        }
        sink.say(
            migration.first,
            format!(
                "this new migration comes before {latest}, which is there already: databases that have run that one skip it, \
                 refuse it, or run it late, depending on the tool"
            ),
        )
        .in_migration(migration.migration)
        .help("Give it a version after the latest one.");
    }
}
