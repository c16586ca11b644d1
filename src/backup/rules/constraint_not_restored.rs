//! `constraint_not_restored`: a constraint isn't there, or isn't valid, after the restore.

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};
use crate::backup::restore::Restored;

pub static RULE: Rule = Rule {
    code: "constraint_not_restored",
    stage: Stage::Restore,
    page: backup_page!("constraint_not_restored"),
    check,
};

fn check(evidence: &Evidence, sink: &mut Sink) {
    let Some(restored) = &evidence.restored else { return };
    let help = help(restored, "rows that break it are told by duplicate_key and orphaned_reference");
    for object in &restored.objects {
        if matches!(object.kind.as_str(), "CONSTRAINT" | "FK CONSTRAINT" | "CHECK CONSTRAINT") {
            let message =
                format!("the constraint {} is {} after the restore", object.name, object.difference);
            sink.push(Found::new(message).on(&object.name).help(help));
        }
    }
}

/// Where to look for the reason: `told` where the server complained.
pub(super) fn help(restored: &Restored, told: &'static str) -> &'static str {
    if restored.errors_total > 0 {
        told
    } else {
        "the server took every statement of the dump: the one that makes it was lost or changed, or a later one undoes it"
    }
}
