//! `locks_span_files`: the migration tool runs all pending files in one transaction, so their locks add up.

use crate::migration::catalog::QName;

use super::{Check, Rule, RunContext, Sink, joined};

/// The rule.
pub static RULE: Rule =
    Rule { code: "locks_span_files", page: migration_page!("locks_span_files"), check: Check::Run(check) };

fn check(cx: &RunContext<'_>, sink: &mut Sink) {
    // Strong locks of the open transaction: relation, and the file that took it first.
    let mut held: Vec<(&QName, &str)> = Vec::new();
    let mut transaction = None;
    let mut reported = false;
    for migration in cx.migrations.iter().filter(|migration| migration.run.one_transaction_for_all) {
        for record in migration.records.iter().filter(|record| record.in_transaction != Some(false)) {
            if transaction.replace(record.transaction) != Some(record.transaction) {
                held.clear();
                reported = false;
            }
            // Once for each transaction: what the last files add goes without saying.
            let others: Vec<&(&QName, &str)> = held
                .iter()
                .filter(|(relation, path)| {
                    *path != migration.path && record.strong.iter().all(|(here, _)| here != *relation)
                })
                .collect();
            if let (false, Some((_, path)), Some((first, _))) =
                (reported, others.first(), record.strong.first())
            {
                let names: Vec<&QName> = others.iter().map(|(relation, _)| *relation).collect();
                let earlier =
                    if others.iter().all(|(_, other)| other == path) { path } else { "earlier files" };
                sink.say(
                    record.span,
                    format!(
                        "the migration tool runs all pending files in one transaction, so {first} is locked here while \
                         {} (locked in {earlier}) still is: all stay locked until the last file is through",
                        joined(&names)
                    ),
                )
                .help("Release one of these migrations at a time, or tell the tool to commit after each file.")
                .in_migration(migration.migration);
                reported = true;
            }
            for (relation, _) in &record.strong {
                if !held.iter().any(|(known, _)| *known == relation) {
                    held.push((relation, migration.path));
                }
            }
        }
    }
}
