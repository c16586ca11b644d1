//! How to have a statement run outside any transaction: the words to print, from the migration tool's description.

use crate::migration::project::runners::runner;

/// What to do so that the migration tool `name` opens no transaction around a statement; in general words where
/// the tool isn't known.
pub fn without_transaction(name: Option<&str>) -> String {
    match name.and_then(runner) {
        Some(runner) => format!("{}: {}.", runner.title, runner.alone),
        None => "Put the statement into a file of its own, and tell the migration tool to run that file outside a \
                 transaction."
            .to_owned(),
    }
}
