//! Catalogs that a migration comes back to: ROLLBACK, ROLLBACK TO.

use compact_str::CompactString;
use rustc_hash::FxHashSet;

use super::catalog::Catalog;
use super::parse::Script;
use super::session::HeldLocks;
use super::statement::{Body, TransactionControl};

/// Catalogs to come back to. Only those that the migration may come back to are kept.
pub(super) struct Returns<'s> {
    /// Whether it rolls anything back at all.
    rolls_back: bool,
    /// The savepoints that it rolls back to.
    wanted: FxHashSet<&'s str>,
    begin: Option<Catalog>,
    savepoints: Vec<Savepoint>,
}

struct Savepoint {
    name: CompactString,
    /// The catalog as it was, where it is wanted.
    catalog: Option<Catalog>,
    /// How many locks were held.
    held: usize,
}

impl<'s> Returns<'s> {
    /// Those of a migration that is about to run.
    pub fn of(script: &'s Script) -> Self {
        let mut returns =
            Returns { rolls_back: false, wanted: FxHashSet::default(), begin: None, savepoints: Vec::new() };
        for statement in &script.statements {
            match &statement.body {
                Body::Transaction(TransactionControl::Rollback { .. }) => returns.rolls_back = true,
                Body::Transaction(TransactionControl::RollbackTo(name)) => {
                    returns.rolls_back = true;
                    returns.wanted.insert(&name.value);
                }
                _ => {}
            }
        }
        returns
    }

    /// Whether the migration rolls anything back at all.
    pub fn rolls_back(&self) -> bool {
        self.rolls_back
    }

    /// A statement that controls the transaction has run: the catalog and the locks are as they are then.
    pub fn follow(&mut self, control: &TransactionControl, catalog: &mut Catalog, held: &mut HeldLocks) {
        match control {
            TransactionControl::Begin if self.rolls_back && self.begin.is_none() => {
                self.begin = Some(catalog.clone());
            }
            TransactionControl::Savepoint(name) if self.rolls_back => {
                let wanted = self.wanted.contains(name.value.as_str());
                self.savepoints.push(Savepoint {
                    name: name.value.clone(),
                    catalog: wanted.then(|| catalog.clone()),
                    held: held.len(),
                });
            }
            TransactionControl::Release(name) => {
                if let Some(at) = self.place_of(&name.value) {
                    self.savepoints.truncate(at);
                }
            }
            TransactionControl::RollbackTo(name) => {
                let Some(at) = self.place_of(&name.value) else { return };
                if let Some(Savepoint { catalog: Some(before), held: before_held, .. }) =
                    self.savepoints.get(at)
                {
                    *catalog = before.clone();
                    held.truncate(*before_held);
                }
                self.savepoints.truncate(at + 1);
            }
            TransactionControl::Rollback { .. } => {
                if let Some(before) = self.begin.take() {
                    *catalog = before;
                }
                self.savepoints.clear();
            }
            TransactionControl::Commit { .. } | TransactionControl::Prepare => {
                self.begin = None;
                self.savepoints.clear();
            }
            _ => {}
        }
    }

    /// The latest savepoint of a name is meant.
    fn place_of(&self, name: &str) -> Option<usize> {
        self.savepoints.iter().rposition(|savepoint| savepoint.name == name)
    }
}

#[cfg(test)]
mod tests {
    use crate::migration::lint::replay;
    use crate::migration::migration::Migration;

    #[test]
    fn what_is_come_back_to_is_as_it_was() {
        let cases = [
            ("SAVEPOINT a; CREATE TABLE x (); ROLLBACK TO a; CREATE TABLE y (); COMMIT;", "y"),
            ("SAVEPOINT a; CREATE TABLE x (); SAVEPOINT b; CREATE TABLE y (); ROLLBACK TO a; COMMIT;", ""),
            ("SAVEPOINT a; CREATE TABLE x (); ROLLBACK TO a; CREATE TABLE y (); ROLLBACK TO a; COMMIT;", ""),
            ("CREATE TABLE x (); SAVEPOINT b; CREATE TABLE y (); ROLLBACK TO b; ROLLBACK;", ""),
            // A released savepoint is none, nor are those that were set after it.
            ("SAVEPOINT a; CREATE TABLE x (); RELEASE a; CREATE TABLE y (); ROLLBACK TO a; COMMIT;", "x y"),
            ("SAVEPOINT b; SAVEPOINT a; CREATE TABLE x (); RELEASE b; ROLLBACK TO a; COMMIT;", "x"),
            // The latest of a name is meant, and then the one before.
            ("SAVEPOINT a; CREATE TABLE x (); SAVEPOINT a; CREATE TABLE y (); ROLLBACK TO a; COMMIT;", "x"),
            (
                "SAVEPOINT a; CREATE TABLE x (); SAVEPOINT a; CREATE TABLE y (); RELEASE a; ROLLBACK TO a; COMMIT;",
                "",
            ),
        ];
        for (sql, expected) in cases {
            let catalog = replay(&[Migration::whole("1.sql".into(), format!("BEGIN; {sql}").into())]);
            let names: Vec<&str> = catalog.relations().iter().map(|it| it.name.name.as_str()).collect();
            assert_eq!(names.join(" "), expected, "{sql}");
        }
    }
}
