//! `sequence_behind_data`: a sequence stands behind the column that it fills.

use std::collections::BTreeSet;

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule = Rule {
    code: "sequence_behind_data",
    stage: Stage::Restore,
    page: backup_page!("sequence_behind_data"),
    check,
};

fn check(evidence: &Evidence, sink: &mut Sink) {
    let mut told = BTreeSet::new();
    for sequence in &evidence.sequences_behind {
        told.insert(sequence.name.as_str());
        sink.push(
            Found::new(format!(
                "the dump sets {} to {}, and {} goes up to {}: inserts fail after a restore, or repeat numbers",
                sequence.name, sequence.value, sequence.column, sequence.largest
            ))
            .on(&sequence.name)
            .help(format!("in the database that is dumped, and after a restore:\n  SELECT setval('{}', {});", sequence.name, sequence.largest)),
        );
    }
    let Some(restored) = &evidence.restored else { return };
    for sequence in restored.sequences.iter().filter(|sequence| !told.contains(sequence.name.as_str())) {
        let message = match (&sequence.behind, sequence.expected) {
            (Some((column, largest)), _) => format!(
                "{} stands at {} after the restore, behind {column} with {largest}",
                sequence.name, sequence.last_value
            ),
            (None, Some(expected)) => format!(
                "{} stands at {} after the restore, and at {expected} in the dump",
                sequence.name, sequence.last_value
            ),
            (None, None) => continue,
        };
        sink.push(Found::new(message).on(&sequence.name));
    }
}
