//! `extension_unavailable`: an extension that the dump needs isn't on the server that it was restored into.

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule = Rule {
    code: "extension_unavailable",
    stage: Stage::Contents,
    page: backup_page!("extension_unavailable"),
    check,
};

fn check(evidence: &Evidence, sink: &mut Sink) {
    let Some(restored) = &evidence.restored else { return };
    for left_out in restored.not_restored.iter() {
        let Some(name) = left_out.what.strip_prefix("EXTENSION ") else { continue };
        sink.push(
            Found::new(format!("the dump needs the extension {name}, which PostgreSQL {} here doesn't have: what uses it could not be verified", restored.server_version))
                .on(name)
                .help(format!("install it where the restore is tried, and on the server of the rollback:\n  CREATE EXTENSION {name};")),
        );
    }
}
