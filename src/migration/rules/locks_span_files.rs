//! `locks_span_files`: the migration tool runs all pending files in one transaction, so their locks add up.

use crate::migration::catalog::QName;

use super::{Check, Rule, RunContext, Sink, joined};

/// The rule.
pub static RULE: Rule =
    Rule { code: "locks_span_files", page: migration_page!("locks_span_files"), check: Check::Run(check) };

fn check(cx: &RunContext<'_>, sink: &mut Sink) {
    // Strong locks of the open transaction: relation, and the file that took it first.
    let mut held: Vec<(QName, &str)> = Vec::new();
    for migration in cx.migrations.iter().filter(|migration| migration.run.one_transaction_for_all) {
        let mut reported = false;
        for record in migration.records.iter().filter(|record| record.in_transaction != Some(false)) {
            let others: Vec<&(QName, &str)> = held
                .iter()
                .filter(|(relation, path)| {
                    *path != migration.path && record.strong.iter().all(|(here, _)| here != relation)
                })
                .collect();
            if let (false, false, Some((first, _))) = (reported, others.is_empty(), record.strong.first()) {
                let mut names: Vec<&QName> = others.iter().map(|(relation, _)| relation).collect();
                names.dedup();
                let files: Vec<&str> = others.iter().map(|(_, path)| *path).collect();
                sink.say(
                    record.span,
                    format!(
                        "the migration tool runs all pending files in one transaction, so {} (locked in {}) and {first} \
                         stay locked together until the last file is through",
                        joined(&names),
                        files.first().copied().unwrap_or("an earlier file")
                    ),
                )
                .help("Release one of these migrations at a time, or tell the tool to commit after each file.")
                .in_migration(migration.migration);
                reported = true;
            }
        }
        for record in migration.records.iter().filter(|record| record.in_transaction != Some(false)) {
            for (relation, _) in &record.strong {
                if !held.iter().any(|(known, _)| known == relation) {
                    held.push((relation.clone(), migration.path));
                }
            }
        }
    }
}
