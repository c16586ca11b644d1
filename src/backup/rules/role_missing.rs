//! `role_missing`: the dump names roles that the target must have.

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};
use crate::postgres::sql_text::quote_identifier;

pub static RULE: Rule =
    Rule { code: "role_missing", stage: Stage::Contents, page: backup_page!("role_missing"), check };

fn check(evidence: &Evidence, sink: &mut Sink) {
    let Some(contents) = &evidence.contents else { return };
    let own = evidence
        .archive
        .as_ref()
        .is_some_and(|archive| archive.format == crate::backup::archive::Format::Cluster);
    let roles: Vec<&str> =
        contents.roles.iter().map(String::as_str).filter(|role| !own && *role != "postgres").collect();
    if !roles.is_empty() {
        let create: Vec<String> =
            roles.iter().map(|role| format!("  CREATE ROLE {};", quote_identifier(role))).collect();
        sink.push(
            Found::new(format!("objects belong to roles, or are granted to them, that the dump doesn't create: {}", roles.join(", ")))
                .help(format!("have them on the target before a restore (pg_dumpall --roles-only writes them), or restore with --no-owner --no-acl:\n{}", create.join("\n"))),
        );
    }
}
