//! `server_newer_than_target`: the dump is of a newer PostgreSQL than the server it would be restored into.

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule = Rule {
    code: "server_newer_than_target",
    stage: Stage::Contents,
    page: backup_page!("server_newer_than_target"),
    check,
};

fn check(evidence: &Evidence, sink: &mut Sink) {
    let (Some(target), Some(archive)) = (evidence.limits.target_version, &evidence.archive) else { return };
    let Some(version) = &archive.server_version else { return };
    let Some(major) =
        version.split(['.', ' ', 'd', 'b', 'r']).next().and_then(|major| major.parse::<u16>().ok())
    else {
        return;
    };
    if major > target {
        sink.push(
            Found::new(format!("the dump is of PostgreSQL {version}, and the target is {target}: newer syntax and settings fail there"))
                .help(format!("restore into PostgreSQL {major} or newer, with a pg_restore of that version")),
        );
    }
}
