//! `duplicate_key`: a primary key or a unique key has the same value twice.

use crate::backup::evidence::KeyProblem;

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "duplicate_key", stage: Stage::Data, page: backup_page!("duplicate_key"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    for key in evidence.keys.iter().filter(|key| key.wrong == KeyProblem::Duplicate) {
        let example = match &key.example {
            Some((row, value)) => format!(", for example {value} in row {row}"),
            None => String::new(),
        };
        let sample = if key.share < 1.0 { " in the sample that was compared" } else { "" };
        sink.push(
            Found::new(format!(
                "{} has {} values more than once under the unique key {}{sample}{example}: the restore can't build it",
                key.table, key.count, key.constraint
            ))
            .on(&key.table)
            .help("if the database has them too (a broken index, a changed collation), REINDEX finds them; else the dump is damaged"),
        );
    }
}
