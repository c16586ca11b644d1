//! `restore_too_slow`: the restore takes longer than the rollback plan allows.

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "restore_too_slow", stage: Stage::Restore, page: backup_page!("restore_too_slow"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    let Some(restored) = &evidence.restored else { return };
    let limit = evidence.limits.restore_seconds;
    if restored.stopped || restored.seconds > limit as f64 {
        let stop = evidence.limits.restore_stop_seconds;
        sink.push(
            Found::new(format!(
                "restoring took {:.0} s{}, and a rollback may take {limit} s ({stop} s at most)",
                restored.seconds,
                if restored.stopped { " and wasn't done" } else { "" }
            ))
            .help("plan a rollback that doesn't need the restore, use more jobs (pg_restore -j), or widen the release window"),
        );
    }
}
