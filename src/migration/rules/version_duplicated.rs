//! `version_duplicated`: two migrations with the same version.

use super::{Check, Rule, RunContext, Sink};

pub static RULE: Rule = Rule {
    code: "version_duplicated",
    page: migration_page!("version_duplicated"),
    check: Check::Run(check),
};

fn check(cx: &RunContext<'_>, sink: &mut Sink) {
    for migration in
        cx.migrations.iter().filter(|migration| !migration.version.is_empty() && !migration.run.down)
    {
        let other = cx
            .versions
            .iter()
            .find(|(version, path, _)| *version == migration.version && *path != migration.path);
        let Some((version, path, _)) = other else { continue };
        // Told once, at the later one.
        if *path > migration.path {
            continue;
        }
        let span = migration.statements.first().map(|statement| statement.span).unwrap_or_default();
        sink.say(
            span,
            format!("version {version} is taken by {path}: the tool refuses both, or runs only one of them"),
        )
        .in_migration(migration.migration)
        .help("Give this one the next free version.");
    }
}
