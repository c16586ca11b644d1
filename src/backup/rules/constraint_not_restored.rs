//! `constraint_not_restored`: a constraint isn't there, or isn't valid, after the restore.

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule = Rule {
    code: "constraint_not_restored",
    stage: Stage::Restore,
    page: backup_page!("constraint_not_restored"),
    check,
};

fn check(evidence: &Evidence, sink: &mut Sink) {
    let Some(restored) = &evidence.restored else { return };
    for object in &restored.objects {
        if matches!(object.kind.as_str(), "CONSTRAINT" | "FK CONSTRAINT" | "CHECK CONSTRAINT") {
            let message =
                format!("the constraint {} is {} after the restore", object.name, object.difference);
            sink.push(
                Found::new(message)
                    .on(&object.name)
                    .help("rows that break it are told by duplicate_key and orphaned_reference"),
            );
        }
    }
}
