//! `index_not_restored`: an index isn't there, or isn't valid, after the restore.

use super::constraint_not_restored::help;
use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule = Rule {
    code: "index_not_restored",
    stage: Stage::Restore,
    page: backup_page!("index_not_restored"),
    check,
};

fn check(evidence: &Evidence, sink: &mut Sink) {
    let Some(restored) = &evidence.restored else { return };
    let help = help(restored, "what the server said about it is told by restore_failed");
    for object in &restored.objects {
        if matches!(object.kind.as_str(), "INDEX" | "INDEX ATTACH") {
            let message = format!("the index {} is {} after the restore", object.name, object.difference);
            sink.push(Found::new(message).on(&object.name).help(help));
        }
    }
}
