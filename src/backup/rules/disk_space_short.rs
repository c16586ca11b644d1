//! `disk_space_short`: there is too little free space to restore the backup.

use super::{Found, Rule, Sink};
use crate::amount;
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "disk_space_short", stage: Stage::File, page: backup_page!("disk_space_short"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    let Some((free, path)) = &evidence.file.free else { return };
    let wanted = (evidence.file.size as f64 * evidence.limits.free_space_factor) as u64;
    if *free < wanted {
        sink.push(
            Found::new(format!(
                "{} has {} free, and restoring a backup of {} may need {}",
                path.display(),
                amount::bytes(*free),
                amount::bytes(evidence.file.size),
                amount::bytes(wanted)
            ))
            .help("free space there, or name another place: export ROLLSAFE_SCRATCH_DIR=/path/with/space"),
        );
    }
}
