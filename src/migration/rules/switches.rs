//! How to have a statement run outside any transaction: the words to print, from the migration tool's description.

use super::RunFacts;
use crate::migration::project::runners::runner;

/// What to do so that the migration tool opens no transaction around a statement; in general words where the tool isn't
/// known.
pub fn without_transaction(run: &RunFacts) -> String {
    match run.runner.and_then(runner) {
        Some(runner) if run.down => format!("{}: {}.", runner.title, of_the_way_back(runner.alone)),
        Some(runner) => format!("{}: {}.", runner.title, runner.alone),
        None => "Put the statement into a file of its own, and tell the migration tool to run that file outside a \
                 transaction."
            .to_owned(),
    }
}

/// The marks of sections and files as a way back has them.
fn of_the_way_back(alone: &str) -> String {
    alone
        .replace("+migrate Up", "+migrate Down")
        .replace("migrate:up", "migrate:down")
        .replace(".up.sql", ".down.sql")
}
