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
        sink.push(
            Found::new(message)
                .on(&table.name)
                .help("what the server said about it is told by restore_failed"),
        );
    }
}
