//! A folder of migrations that is judged again and again while one of its files is edited: what didn't change is neither
//! parsed nor replayed again.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::catalog::Catalog;
use super::lint::{self, Checkpoint, LintOptions, LintReport};
use super::migration::{Direction, Migration};
use super::parse::{self, Script};

/// The migrations of a folder, read, with what stands before the files that were judged last.
#[derive(Default)]
pub struct Desk {
    migrations: Vec<Migration>,
    scripts: Vec<Script>,
    checkpoints: HashMap<PathBuf, Checkpoint>,
}

/// What judging a file came to.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// As `rollsafe lint FILE` has it.
    pub report: LintReport,
    /// What exists before the file.
    pub before: Catalog,
    /// What exists after the last migration of the folder.
    pub after: Catalog,
}

impl Desk {
    /// The migrations, in the order in which they run.
    pub fn migrations(&self) -> &[Migration] {
        &self.migrations
    }

    /// Takes the migrations as they are now. Only texts that are new are parsed, and what stands before the first change
    /// is kept.
    pub fn update(&mut self, migrations: Vec<Migration>) {
        let same = |a: &Migration, b: &Migration| {
            std::sync::Arc::ptr_eq(&a.text, &b.text)
                && a.range == b.range
                && a.direction == b.direction
                && a.undoes == b.undoes
                && a.path == b.path
        };
        let first_change = self.migrations.iter().zip(&migrations).take_while(|(a, b)| same(a, b)).count();
        self.checkpoints.retain(|_, checkpoint| checkpoint.at <= first_change);
        // Without a history the first migration is judged on what isn't known, so its kind matters.
        if (self.migrations.len() < 3) != (migrations.len() < 3) {
            self.checkpoints.clear();
        }
        let mut known: HashMap<(*const u8, Range<usize>), Script> = self
            .migrations
            .iter()
            .zip(self.scripts.drain(..))
            .map(|(migration, script)| ((migration.text.as_ptr(), migration.range.clone()), script))
            .collect();
        // The old migrations are still held here, so that no new text can have an old one's address.
        let old = std::mem::take(&mut self.migrations);
        self.scripts = migrations
            .iter()
            .map(|migration| {
                let key = (migration.text.as_ptr(), migration.range.clone());
                known.remove(&key).unwrap_or_else(|| parse::parse(&migration.text, migration.range.clone()))
            })
            .collect();
        drop(old);
        self.migrations = migrations;
    }

    /// Judges one file as a change to all that comes before it in order. `None`: it isn't among the migrations.
    pub fn judge(&mut self, path: &Path, options: &LintOptions) -> Option<Judgement> {
        let mut first: Option<usize> = None;
        for (index, migration) in self.migrations.iter_mut().enumerate() {
            migration.judged = migration.path == path;
            if migration.judged {
                // A way back is judged behind what it undoes.
                let at = match (migration.direction, migration.undoes) {
                    (Direction::Down, Some(undoes)) => undoes.min(index),
                    _ => index,
                };
                first = Some(first.map_or(at, |first| first.min(at)));
            }
        }
        let first = first?;
        let start = self.checkpoints.get(path).filter(|checkpoint| checkpoint.at == first).cloned();
        let judged = lint::judge(&self.migrations, &self.scripts, options, start, Some(first));
        let before = judged.checkpoint.as_ref().map(|kept| kept.catalog.clone()).unwrap_or_default();
        if let Some(checkpoint) = judged.checkpoint {
            self.checkpoints.insert(path.to_owned(), checkpoint);
        }
        Some(Judgement { report: judged.report, before, after: judged.after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(texts: &[&str]) -> Vec<Migration> {
        texts
            .iter()
            .enumerate()
            .map(|(at, text)| {
                let mut migration = Migration::whole(format!("{at}.sql").into(), (*text).into());
                migration.runner_known = true;
                migration
            })
            .collect()
    }

    #[test]
    fn an_edit_gives_what_a_lint_from_scratch_gives() {
        let texts = [
            "CREATE TABLE a (id int);",
            "CREATE TABLE b (id int);",
            "ALTER TABLE b ADD COLUMN x int;",
            "CREATE INDEX i ON b (x);",
        ];
        let options = LintOptions::default();
        let mut desk = Desk::default();
        let mut migrations = folder(&texts);
        desk.update(migrations.clone());
        let path = Path::new("2.sql");
        desk.judge(path, &options);
        for text in ["DROP TABLE b", "DROP TABLE nobody;", "", "ALTER TABLE b ADD CHECK (id > 0);"] {
            let mut edited = Migration::whole(path.to_owned(), text.into());
            edited.runner_known = true;
            migrations[2] = edited;
            desk.update(migrations.clone());
            let quick = desk.judge(path, &options).expect("it is there").report;
            let mut judged = migrations.clone();
            for migration in &mut judged {
                migration.judged = migration.path == path;
            }
            let slow = lint::lint(&judged, &options);
            assert_eq!(quick.findings, slow.findings, "{text}");
            assert_eq!(quick.history, slow.history);
        }
        // History itself changes: nothing old is left.
        migrations[1] = folder(&["", "CREATE TABLE c (id int);"]).remove(1);
        desk.update(migrations.clone());
        let after = desk.judge(path, &options).expect("it is there");
        assert!(after.report.findings.iter().any(|finding| finding.code == "relation_missing"));
    }
}
