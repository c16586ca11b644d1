//! `table_empty`: a table that should hold rows is empty.

use crate::finding::Severity;

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "table_empty", stage: Stage::Contents, page: backup_page!("table_empty"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    if !evidence.data_was_read() {
        return;
    }
    let rows = |name: &str| evidence.tables.iter().find(|table| table.name == name).map(|table| table.rows);
    for name in &evidence.limits.not_empty {
        let is_there = rows(name).is_some()
            || evidence
                .contents
                .as_ref()
                .is_none_or(|contents| contents.tables.iter().any(|of| of.name == *name));
        if !is_there {
            sink.push(
                Found::new(format!("{name} isn't in the backup, and must hold rows"))
                    .on(name)
                    .severity(Severity::Error)
                    .help("is the name right, with its schema? if so, look for -t, -n, -T or -N in the pg_dump command"),
            );
        } else if rows(name).unwrap_or(0) == 0 {
            sink.push(
                Found::new(format!("{name} has no rows, and must hold some"))
                    .on(name)
                    .severity(Severity::Error)
                    .help(
                        "a TRUNCATE while pg_dump began empties a table in the dump; take the backup again",
                    ),
            );
        }
    }
    for before in [&evidence.manifest, &evidence.previous].into_iter().flatten() {
        for (name, table) in &before.tables {
            let known = evidence.limits.not_empty.contains(name);
            if !known && table.rows > 0 && rows(name) == Some(0) {
                sink.push(
                    Found::new(format!("{name} has no rows, and had {} in {}", table.rows, before.path.display()))
                        .on(name)
                        .help("a TRUNCATE while pg_dump began empties a table in the dump; look at the table itself"),
                );
            }
        }
    }
}
