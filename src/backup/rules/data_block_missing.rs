//! `data_block_missing`: the data of a table isn't in the backup.

use crate::backup::archive::ProblemKind;

use super::{Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "data_block_missing", stage: Stage::Data, page: backup_page!("data_block_missing"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    sink.problems(
        evidence,
        ProblemKind::BlockMissing,
        "pg_dump didn't reach its end, or the file was lost in a copy: take the backup again",
    );
}
