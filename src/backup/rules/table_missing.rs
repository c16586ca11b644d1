//! `table_missing`: a table that must be in the backup isn't.

use std::collections::BTreeSet;

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "table_missing", stage: Stage::Contents, page: backup_page!("table_missing"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    let Some(contents) = &evidence.contents else { return };
    let here: BTreeSet<&str> = contents
        .tables
        .iter()
        .map(|table| table.name.as_str())
        .chain(contents.data_without_definition.iter().map(String::as_str))
        .chain(evidence.tables.iter().map(|table| table.name.as_str()))
        .collect();
    for expected in &evidence.expected_tables {
        for table in expected.tables.iter().filter(|table| !here.contains(table.as_str())) {
            sink.push(Found::new(format!("{table} isn't in the backup; by {} it must be there", expected.by)).on(table).help(
                "look for -t, -n, -T or -N in the pg_dump command, and whether it was run on the right database",
            ));
        }
    }
    if let Some(manifest) = &evidence.manifest {
        for table in manifest.tables.keys().filter(|table| !here.contains(table.as_str())) {
            let message =
                format!("{table} isn't in the backup, and its manifest {} has it", manifest.path.display());
            sink.push(
                Found::new(message)
                    .on(table)
                    .help("the manifest is of another dump, or this dump was damaged"),
            );
        }
    }
}
