//! `restored_rows_differ`: a restored table doesn't hold what the dump holds.

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule = Rule {
    code: "restored_rows_differ",
    stage: Stage::Restore,
    page: backup_page!("restored_rows_differ"),
    check,
};

fn check(evidence: &Evidence, sink: &mut Sink) {
    let Some(restored) = &evidence.restored else { return };
    for table in restored.tables.iter().filter(|table| !table.is_equal()) {
        let message = match table.found_rows {
            Some(found) if found != table.expected_rows => {
                format!(
                    "{} has {found} rows after the restore, and {} in the dump",
                    table.name, table.expected_rows
                )
            }
            Some(_) => {
                format!("{} has as many rows after the restore as in the dump, and others", table.name)
            }
            None => format!("{} can't be read after the restore", table.name),
        };
        // An error about another object may have taken the rows away as well.
        let help = if restored.errors_of_backup().next().is_some() {
            "what the server said is told by restore_failed"
        } else {
            "the server took the dump without an error: take the backup again, and look whether rules, triggers or defaults of the table change rows that are loaded"
        };
        sink.push(Found::new(message).on(&table.name).help(help));
    }
}
