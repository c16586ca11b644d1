//! `backup_too_small`: the backup is smaller than a backup of this database can be.

use crate::amount;
use crate::backup::evidence::Opened;

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "backup_too_small", stage: Stage::File, page: backup_page!("backup_too_small"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    let (size, least) = (evidence.file.size, evidence.limits.min_size);
    if evidence.file.opened == Opened::Yes && size < least {
        sink.push(
            Found::new(format!(
                "the backup has {size} bytes, less than the {} that it must have at least",
                amount::bytes(least)
            ))
                .help("if the database really is that small, lower the limit: --min-size, or min-size under [backup] in rollsafe.toml"),
        );
    }
}
