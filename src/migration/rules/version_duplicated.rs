//! `version_duplicated`: two migrations with the same version.

use std::collections::HashMap;

use super::{Check, Rule, RunContext, Sink};

pub static RULE: Rule = Rule {
    code: "version_duplicated",
    page: migration_page!("version_duplicated"),
    check: Check::Run(check),
};

fn check(cx: &RunContext<'_>, sink: &mut Sink) {
    let mut holders: HashMap<&str, Vec<&str>> = HashMap::new();
    for (version, path, _) in &cx.versions {
        holders.entry(version).or_default().push(path);
    }
    for migration in
        cx.migrations.iter().filter(|migration| !migration.version.is_empty() && !migration.run.down)
    {
        let holders = holders.get(migration.version).map_or(&[][..], Vec::as_slice);
        let Some(path) = holders.iter().find(|path| **path != migration.path) else { continue };
        let version = migration.version;
        // Told once, at the later one.
        if *path > migration.path {
            continue;
        }
        sink.say(
            migration.first,
            format!("version {version} is taken by {path}: the tool refuses both, or runs only one of them"),
        )
        .in_migration(migration.migration)
        .help("Give this one the next free version.");
    }
}
