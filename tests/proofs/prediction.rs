//! What the linter says a statement does, in the form in which the cases record it.

use std::sync::Arc;

use rollsafe::migration::catalog::{Catalog, QName};
use rollsafe::migration::lint::{LintOptions, Severities, lint, replay};
use rollsafe::migration::lock_mode::LockMode;
use rollsafe::migration::migration::Migration;
use rollsafe::migration::rules::RuleOptions;

use crate::cases::{Case, Outcome};

/// Replays the setup and computes the effects of what is run.
pub fn predict(case: &Case, version: u32) -> Result<Outcome, String> {
    let migration = |text: &str, judged: bool| Migration {
        judged,
        ..Migration::whole("case.sql".into(), Arc::from(text))
    };
    let setup: Vec<Migration> = case.setup.iter().map(|text| migration(text, false)).collect();
    let before = if setup.is_empty() { Catalog::empty() } else { replay(&setup) };
    let mut severities = Severities::default();
    severities.set("all", None);
    let options = LintOptions {
        rules: RuleOptions {
            version: u16::try_from(version).expect("a small number"),
            ..RuleOptions::default()
        },
        severities,
        schema: Some(before.clone()),
    };
    let report = lint(&[migration(&case.run, true)], &options);
    let mut outcome = Outcome::default();
    for statement in report.files.iter().flat_map(|file| &file.statements) {
        if !statement.understood {
            return Err(format!("not understood: {}", case.run.trim()));
        }
        let effects = &statement.effects;
        // What an earlier statement of the run made wasn't there before.
        let old = |relation: &QName| before.relation(relation).is_some();
        for (relation, mode) in effects.strongest_locks() {
            if old(relation) {
                let held =
                    outcome.locks.get(&relation.to_string()).and_then(|held| LockMode::from_name(held));
                if held.is_none_or(|held| held < mode) {
                    outcome.locks.insert(relation.to_string(), mode.as_str().to_owned());
                }
            }
        }
        let names = |relations: Vec<&QName>| {
            relations.into_iter().filter(|r| old(r)).map(|r| r.to_string()).collect::<Vec<String>>()
        };
        outcome.rewrites.extend(names(effects.rewrites.iter().map(|rewrite| &rewrite.relation).collect()));
        outcome.scans.extend(names(effects.scans.iter().map(|scan| &scan.relation).collect()));
        for build in effects.index_builds.iter().filter(|build| old(&build.relation)) {
            outcome.index_builds.insert(build.index.as_ref().map_or("?".into(), ToString::to_string));
        }
    }
    Ok(outcome)
}
