//! `encoding_invalid`: text isn't valid in the dump's encoding.

use crate::backup::archive::ProblemKind;

use super::{Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "encoding_invalid", stage: Stage::Data, page: backup_page!("encoding_invalid"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    sink.problems(
        evidence,
        ProblemKind::Encoding,
        "if the row is damaged, take the backup again; if the database itself holds such bytes, find and mend them there",
    );
}
