//! `tables_too_few`: the backup has fewer tables with rows than it must have.

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "tables_too_few", stage: Stage::Contents, page: backup_page!("tables_too_few"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    if evidence.contents.is_none() {
        return;
    }
    let with_rows = evidence.tables.iter().filter(|table| table.rows > 0).count() as u64;
    let least = evidence.limits.min_tables;
    if with_rows < least && evidence.data_was_read() {
        sink.push(
            Found::new(format!("{with_rows} tables have rows, fewer than the {least} that must have some"))
                .help("if the database has no more, lower the limit: --min-tables, or min-tables under [backup] in rollsafe.toml"),
        );
    }
}
