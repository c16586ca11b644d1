//! `untrusted_content`: restoring the dump runs more than plain SQL.

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule = Rule {
    code: "untrusted_content",
    stage: Stage::Contents,
    page: backup_page!("untrusted_content"),
    check,
};

fn check(evidence: &Evidence, sink: &mut Sink) {
    for line in evidence.meta_commands.iter().take(5) {
        sink.push(
            Found::new(format!("the dump holds the psql meta-command {line:?}, which psql runs on the machine that restores it"))
                .help("pg_dump writes none but \\connect, \\restrict and \\unrestrict: find out who added it, and don't feed the file to psql"),
        );
    }
    let Some(contents) = &evidence.contents else { return };
    for one in contents.runs_code.iter().take(10) {
        sink.push(
            Found::new(format!("{}: {}", one.object, one.what))
                .on(&one.object)
                .help("restore as a role that is no superuser, and only what you know the author of"),
        );
    }
    if contents.runs_code.len() > 10 {
        let more = contents.runs_code.len() - 10;
        sink.push(Found::new(format!("{more} more objects run code or need a superuser")));
    }
}
