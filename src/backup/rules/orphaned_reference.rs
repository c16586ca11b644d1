//! `orphaned_reference`: a foreign key points at a row that isn't in the backup.

use crate::backup::evidence::KeyProblem;

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "orphaned_reference", stage: Stage::Data, page: backup_page!("orphaned_reference"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    for key in &evidence.keys {
        let KeyProblem::Orphan(target) = &key.wrong else { continue };
        let example =
            key.example.as_ref().map_or(String::new(), |(_, value)| format!(", for example {value}"));
        let sample = if key.share < 1.0 { " in the sample that was compared" } else { "" };
        sink.push(
            Found::new(format!(
                "{} refers to {} rows of {target} that aren't in the dump{sample}{example}: the foreign key {} can't be restored",
                key.table, key.count, key.constraint
            ))
            .on(&key.table)
            .help("if the database has them too (session_replication_role = replica), mend them there; else the dump is damaged"),
        );
    }
}
