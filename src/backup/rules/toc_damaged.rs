//! `toc_damaged`: the archive's table of contents isn't as pg_dump writes it.

use crate::backup::archive::ProblemKind;

use super::{Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "toc_damaged", stage: Stage::Contents, page: backup_page!("toc_damaged"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    let help = if evidence.is_text() {
        "take the backup again; what can still be used is SQL, which psql runs statement by statement"
    } else {
        "take the backup again; what can still be read is listed by: pg_restore --list"
    };
    sink.problems(evidence, ProblemKind::Toc, help);
}
