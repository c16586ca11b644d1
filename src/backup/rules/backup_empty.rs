//! `backup_empty`: the backup holds nothing.

use crate::backup::evidence::Opened;

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule =
    Rule { code: "backup_empty", stage: Stage::File, page: backup_page!("backup_empty"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    if evidence.file.opened == Opened::Empty {
        let (path, size) = (evidence.file.path.display(), evidence.file.size);
        let message = if size == 0 {
            format!("{path} has no bytes: pg_dump wrote nothing, or the disk was full")
        } else {
            format!(
                "{path} has {size} bytes and holds nothing once decompressed: pg_dump failed in front of a pipe into gzip"
            )
        };
        sink.push(Found::new(message).help(
            "in scripts, `set -o pipefail` and test pg_dump's exit code; better let pg_dump compress: pg_dump -Fc -f shop.dump",
        ));
    }
}
