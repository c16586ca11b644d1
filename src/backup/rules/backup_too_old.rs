//! `backup_too_old`: the backup is older than it may be.

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "backup_too_old", stage: Stage::File, page: backup_page!("backup_too_old"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    let (Some(age), Some(most)) = (evidence.file.age, evidence.limits.max_age) else { return };
    // The header's clock has no zone: up to 14 hours may be missing or too many.
    let surely = if evidence.file.age_without_zone { age.saturating_sub(14 * 3600) } else { age };
    if surely > most {
        let told = |seconds: u64| match seconds {
            0..6000 => format!("{} minutes", seconds.div_ceil(60)),
            _ => format!("{:.1} hours", seconds as f64 / 3600.0),
        };
        let about = if evidence.file.age_without_zone { "about " } else { "" };
        sink.push(
            Found::new(format!(
                "the backup was begun {about}{} ago, and may be {} old at most",
                told(age),
                told(most)
            ))
            .help("take a new one before the release: what was written since would be lost in a rollback"),
        );
    }
}
