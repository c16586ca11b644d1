//! `backup_missing`: there is no backup at this path.

use crate::backup::evidence::Opened;

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "backup_missing", stage: Stage::File, page: backup_page!("backup_missing"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    if evidence.file.opened == Opened::Missing {
        let path = evidence.file.path.display();
        sink.push(Found::new(format!("there is no file and no directory {path}")).help(
            "look at the job that should have written it: its exit code and what it wrote to standard error",
        ));
    }
}
