//! `restore_failed`: the backup doesn't restore without errors.

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "restore_failed", stage: Stage::Restore, page: backup_page!("restore_failed"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    let Some(restored) = &evidence.restored else { return };
    if restored.stopped {
        sink.push(
            Found::new(format!(
                "the restore was stopped after {:.0} seconds, the hard limit",
                restored.seconds
            ))
            .help("a rollback that relies on it doesn't fit into the release window: see restore_too_slow"),
        );
    }
    for error in restored.errors_of_backup().take(20) {
        let object = error.object.clone().unwrap_or_else(|| "the dump".to_owned());
        let mut found = Found::new(format!("{object} doesn't restore: {}", error.message.trim())).on(&object);
        if let Some(statement) = &error.statement {
            found = found.help(format!("the statement was:\n  {}", statement.trim()));
        }
        sink.push(found);
    }
    let more = restored.errors_of_backup().count().saturating_sub(20);
    if more > 0 {
        sink.push(Found::new(format!("{more} more statements failed")));
    }
    for object in &restored.objects {
        if !matches!(
            object.kind.as_str(),
            "INDEX" | "CONSTRAINT" | "FK CONSTRAINT" | "CHECK CONSTRAINT" | "INDEX ATTACH"
        ) {
            let name = format!("{} {}", object.kind, object.name);
            sink.push(Found::new(format!("{name} is {} after the restore", object.difference)).on(&name));
        }
    }
}
