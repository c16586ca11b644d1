//! What the linter predicts of each statement that is to be rehearsed, and what turned out worse.

use std::collections::HashMap;
use std::path::PathBuf;

use super::report::{LockRun, Predicted, PredictedLock};
use crate::migration::catalog::Catalog;
use crate::migration::effects::Effects;
use crate::migration::lint::{LintOptions, lint};
use crate::migration::lock_mode::LockMode;
use crate::migration::migration::Direction;
use crate::migration::project::Part;

use super::pending::Plan;

/// Predictions by file, direction and the statement's first byte.
#[derive(Default)]
pub(super) struct Predictions {
    by_place: HashMap<(PathBuf, Direction, u32), (String, Predicted)>,
}

impl Predictions {
    /// Predicts what the pending migrations and their ways back do on PostgreSQL `version`, after all others ran;
    /// or on `schema`, where the database itself told it.
    pub fn of(part: &Part, plan: &Plan, version: u16, schema: Option<Catalog>) -> Predictions {
        let mut migrations = part.migrations.clone();
        for (index, migration) in migrations.iter_mut().enumerate() {
            let way_back = plan.downs.values().any(|down| *down == index);
            migration.judged = plan.ups.contains(&index) || way_back;
        }
        if schema.is_some() {
            // What has run is in the schema already.
            let kept: Vec<usize> = (0..migrations.len())
                .filter(|index| migrations.get(*index).is_some_and(|migration| migration.judged))
                .collect();
            let place = |old: usize| kept.iter().position(|index| *index == old);
            for migration in &mut migrations {
                migration.undoes = migration.undoes.and_then(place);
            }
            migrations.retain(|migration| migration.judged);
        }
        let mut options = LintOptions { schema, ..LintOptions::default() };
        options.rules.version = version;
        let report = lint(&migrations, &options);
        let mut by_place = HashMap::new();
        for file in report.files {
            for statement in file.statements {
                let predicted = predicted(&statement.effects, statement.understood);
                let key = (file.path.to_path_buf(), file.direction, statement.location.start);
                by_place.insert(key, (statement.kind.into(), predicted));
            }
        }
        Predictions { by_place }
    }

    /// What is predicted of a statement, with its kind.
    pub fn get(
        &self,
        path: &std::path::Path,
        direction: Direction,
        start: u32,
    ) -> Option<&(String, Predicted)> {
        self.by_place.get(&(path.to_owned(), direction, start))
    }

    /// Relations that anything is predicted to lock more strongly than a reader does.
    pub fn concerned(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .by_place
            .values()
            .flat_map(|(_, predicted)| &predicted.locks)
            .filter(|lock| lock.mode != LockMode::AccessShare.as_str())
            .map(|lock| lock.relation.clone())
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

fn predicted(effects: &Effects, understood: bool) -> Predicted {
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names.dedup();
        names
    };
    let locks = effects.strongest_locks();
    Predicted {
        locks: locks
            .iter()
            .map(|(relation, mode)| PredictedLock {
                relation: relation.to_string(),
                mode: mode.as_str().to_owned(),
            })
            .collect(),
        rewrites: sorted(effects.rewrites.iter().map(|one| one.relation.to_string()).collect()),
        scans: sorted(
            effects
                .scans
                .iter()
                .map(|one| one.relation.to_string())
                .chain(effects.rewrites.iter().map(|one| one.relation.to_string()))
                .collect(),
        ),
        index_builds: sorted(effects.index_builds.iter().map(|one| one.relation.to_string()).collect()),
        missed: Vec::new(),
        understood,
    }
}

/// What was worse than predicted, in words. Weak locks are left to the rows: which a statement takes through
/// foreign keys and triggers depends on them.
pub(super) fn missed(
    predicted: &Predicted,
    locks: &[LockRun],
    rewrites: &[String],
    scans: &[String],
    built_on: &[String],
) -> Vec<String> {
    let mut missed = Vec::new();
    if !predicted.understood {
        return missed;
    }
    for lock in locks {
        let Some(mode) = LockMode::from_name(&lock.mode) else { continue };
        if mode < LockMode::ShareUpdateExclusive {
            continue;
        }
        let expected = predicted
            .locks
            .iter()
            .filter(|one| one.relation == lock.relation)
            .filter_map(|one| LockMode::from_name(&one.mode))
            .max();
        match expected {
            Some(expected) if expected >= mode => {}
            Some(expected) => missed.push(format!(
                "it locked {} in {} mode; {} was predicted",
                lock.relation,
                mode.as_str(),
                expected.as_str()
            )),
            None => missed.push(format!(
                "it locked {} in {} mode; no lock was predicted",
                lock.relation,
                mode.as_str()
            )),
        }
    }
    // A lock that was let go and taken again is missed once.
    missed.dedup();
    for name in rewrites.iter().filter(|name| !predicted.rewrites.contains(name)) {
        missed.push(format!("it wrote {name} anew, which was not predicted"));
    }
    let only_scans = scans.iter().filter(|name| !predicted.scans.contains(name) && !rewrites.contains(name));
    for name in only_scans {
        missed.push(format!("it read {name} in full, which was not predicted"));
    }
    for name in built_on.iter().filter(|name| !predicted.index_builds.contains(name)) {
        if !rewrites.contains(name) {
            missed.push(format!("it built an index on {name}, which was not predicted"));
        }
    }
    missed
}
