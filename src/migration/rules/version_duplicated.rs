//! `version_duplicated`: two migrations with the same version.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::migration::project::runner::Sections;
use crate::migration::project::runners::runner;

use super::{Check, Rule, RunContext, Sink, Version};

pub static RULE: Rule = Rule {
    code: "version_duplicated",
    page: migration_page!("version_duplicated"),
    check: Check::Run(check),
};

fn check(cx: &RunContext<'_>, sink: &mut Sink) {
    let runner = cx.migrations.iter().find_map(|migration| runner(migration.run.runner?));
    let key = |version| runner.map_or(Cow::Borrowed(version), |runner| runner.order.key(version));
    // Files may hold several migrations of one version; where the file names each, they are told apart.
    let named_inside = runner.is_some_and(|runner| matches!(runner.sections, Sections::Own { .. }));
    let mut holders: HashMap<Cow<'_, str>, Vec<&Version<'_>>> =
        cx.migrations.iter().map(|migration| (key(migration.version), Vec::new())).collect();
    for one in &cx.versions {
        if let Some(holders) = holders.get_mut(&key(one.version)) {
            holders.push(one);
        }
    }
    let judged: HashSet<u32> = cx.migrations.iter().map(|migration| migration.migration).collect();
    for migration in
        cx.migrations.iter().filter(|migration| !migration.version.is_empty() && !migration.run.down)
    {
        let holders = holders.get(&key(migration.version)).map_or(&[][..], Vec::as_slice);
        let mut others = holders.iter().filter(|one| {
            one.migration != migration.migration && (named_inside || one.path != migration.path)
        });
        let Some(other) = others.clone().next() else { continue };
        // Told once, at the last one that is judged.
        if others.any(|one| one.migration > migration.migration && judged.contains(&one.migration)) {
            continue;
        }
        let version = migration.version;
        let path = other.path;
        let taken = match named_inside {
            true => format!("{version} is there twice: the tool refuses all of the file"),
            false => format!(
                "version {version} is taken by {path}: the tool refuses both, or runs only one of them"
            ),
        };
        sink.say(migration.first, taken).in_migration(migration.migration).help(if named_inside {
            "Give this one an id of its own."
        } else {
            "Give this one the next free version."
        });
    }
}
