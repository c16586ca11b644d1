//! `row_malformed`: a row isn't one that its table can hold.

use crate::backup::archive::ProblemKind;

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "row_malformed", stage: Stage::Data, page: backup_page!("row_malformed"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    sink.problems(
        evidence,
        ProblemKind::Row,
        "the dump was damaged after it was written, or by memory that fails: take it again, and check disks and memory",
    );
    let told = sink.told(ProblemKind::Row, evidence) + sink.told(ProblemKind::Encoding, evidence);
    if evidence.problem_rows > told {
        let more = evidence.problem_rows - told;
        sink.push(Found::new(format!("{more} more rows are malformed or wrongly encoded")));
    }
}
