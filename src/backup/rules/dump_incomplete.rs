//! `dump_incomplete`: the dump lacks the line that ends it.

use crate::backup::archive::ProblemKind;

use super::{Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "dump_incomplete", stage: Stage::Data, page: backup_page!("dump_incomplete"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    sink.problems(
        evidence,
        ProblemKind::Incomplete,
        "pg_dump or pg_dumpall didn't reach its end: take the backup again, and test its exit code",
    );
}
