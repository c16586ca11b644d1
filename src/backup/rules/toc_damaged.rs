//! `toc_damaged`: the archive's table of contents isn't as pg_dump writes it.

use crate::backup::archive::ProblemKind;

use super::{Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "toc_damaged", stage: Stage::Contents, page: backup_page!("toc_damaged"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    sink.problems(
        evidence,
        ProblemKind::Toc,
        "take the backup again; what can still be read is listed by: pg_restore --list",
    );
}
