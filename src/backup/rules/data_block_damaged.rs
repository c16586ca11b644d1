//! `data_block_damaged`: a block of data can't be decoded.

use crate::backup::archive::ProblemKind;

use super::{Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "data_block_damaged", stage: Stage::Data, page: backup_page!("data_block_damaged"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    for kind in [ProblemKind::BlockDamaged, ProblemKind::Unreadable] {
        let help = if evidence.is_text() {
            "take the backup again; what stands before it in the text can still be run by psql"
        } else {
            "take the backup again; the tables before and behind it can be restored one by one: pg_restore --data-only -t TABLE"
        };
        sink.problems(evidence, kind, help);
    }
}
