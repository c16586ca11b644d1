//! `archive_truncated`: the backup ends before all of its data.

use crate::backup::archive::ProblemKind;

use super::{Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "archive_truncated", stage: Stage::Data, page: backup_page!("archive_truncated"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    sink.problems(
        evidence,
        ProblemKind::Truncated,
        "pg_dump was killed, the disk was full, or a copy was cut: take the backup again and compare sizes after each copy",
    );
}
