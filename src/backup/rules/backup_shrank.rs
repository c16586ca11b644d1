//! `backup_shrank`: the backup is much smaller than the one before it.

use super::{Found, Rule, Sink};
use crate::amount;
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "backup_shrank", stage: Stage::File, page: backup_page!("backup_shrank"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    let Some((before, path)) = &evidence.file.previous else { return };
    let now = evidence.file.size;
    let least = *before as f64 * (1.0 - evidence.limits.shrink);
    if (now as f64) < least {
        let share = 100.0 - now as f64 * 100.0 / *before as f64;
        sink.push(
            Found::new(format!(
                "the backup has {}, {share:.0} % less than the {} of {}",
                amount::bytes(now),
                amount::bytes(*before),
                path.display()
            ))
            .help("tables that lost rows are named by rows_fewer_than_before; if there are none, look at large objects and at what the rows hold"),
        );
    }
}
