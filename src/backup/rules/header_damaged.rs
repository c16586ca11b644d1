//! `header_damaged`: the archive's header isn't as pg_dump writes it.

use crate::backup::archive::ProblemKind;

use super::{Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "header_damaged", stage: Stage::Contents, page: backup_page!("header_damaged"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    sink.problems(
        evidence,
        ProblemKind::Header,
        "take the backup again; if it is the only one, keep a copy before anything is tried on it",
    );
}
