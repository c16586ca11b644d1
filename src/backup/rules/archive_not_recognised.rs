//! `archive_not_recognised`: the file is no dump of PostgreSQL.

use crate::backup::evidence::Opened;

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule = Rule {
    code: "archive_not_recognised",
    stage: Stage::File,
    page: backup_page!("archive_not_recognised"),
    check,
};

fn check(evidence: &Evidence, sink: &mut Sink) {
    if let Opened::NotRecognised(what) = &evidence.file.opened {
        sink.push(
            Found::new(format!("{}: {what}", evidence.file.path.display()))
                .help("dumps of pg_dump (custom, directory, tar, plain) and pg_dumpall are read, from PostgreSQL 9.0 on"),
        );
    }
}
