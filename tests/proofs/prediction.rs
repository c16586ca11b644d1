//! What the linter says a statement does, in the form in which the cases record it.

use std::sync::Arc;

use rollsafe::migration::catalog::QName;
use rollsafe::migration::lint::{LintOptions, Severities, lint, replay};
use rollsafe::migration::lock_mode::LockMode;
use rollsafe::migration::migration::Migration;
use rollsafe::migration::rules::RuleOptions;

use crate::cases::{Case, Outcome};

/// Replays the setup and computes the effects of what is run.
pub fn predict(case: &Case, version: u32) -> Result<Outcome, String> {
    let setup: Vec<&str> = case.setup.iter().map(String::as_str).collect();
    effects_of(&case.run, &setup, version, !case.no_transaction)
}

fn migration(text: &str, judged: bool) -> Migration {
    Migration { judged, runner_known: true, ..Migration::whole("case.sql".into(), Arc::from(text)) }
}

/// What the statements of `sql` do together after `setup`, on relations that were there before.
pub fn effects_of(sql: &str, setup: &[&str], version: u32, in_transaction: bool) -> Result<Outcome, String> {
    // With a migration before it, even an empty one, the history is known from an empty database on.
    let mut migrations = vec![migration("", false)];
    migrations.extend(setup.iter().map(|text| migration(text, false)));
    let before = replay(&migrations);
    let mut severities = Severities::default();
    severities.set("all", None);
    let options = LintOptions {
        rules: RuleOptions {
            version: u16::try_from(version).expect("a small number"),
            ..RuleOptions::default()
        },
        severities,
        schema: None,
        ..LintOptions::default()
    };
    let mut run = migration(sql, true);
    run.run.runner_transaction = in_transaction;
    migrations.push(run);
    let report = lint(&migrations, &options);
    let mut outcome = Outcome::default();
    for statement in report.files.iter().flat_map(|file| &file.statements) {
        if !statement.understood {
            return Err(format!("not understood: {}", sql.trim()));
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
