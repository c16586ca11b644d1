//! `rows_fewer_than_before`: a table has fewer rows than in the backup before.

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule = Rule {
    code: "rows_fewer_than_before",
    stage: Stage::Contents,
    page: backup_page!("rows_fewer_than_before"),
    check,
};

fn check(evidence: &Evidence, sink: &mut Sink) {
    let Some(previous) = &evidence.previous else { return };
    if !evidence.data_was_read() {
        return;
    }
    for (name, before) in &previous.tables {
        let path = previous.path.display();
        match evidence.tables.iter().find(|table| table.name == *name) {
            None if before.rows > 0 => {
                let message = format!("{name} isn't in this backup, and had {} rows in {path}", before.rows);
                sink.push(
                    Found::new(message)
                        .on(name)
                        .help("was it dropped or renamed since? if not, look at pg_dump's options"),
                );
            }
            Some(now)
                if now.rows > 0
                    && (now.rows as f64) < before.rows as f64 * (1.0 - evidence.limits.shrink) =>
            {
                let message = format!("{name} has {} rows, and had {} in {path}", now.rows, before.rows);
                sink.push(
                    Found::new(message)
                        .on(name)
                        .help("was so much deleted? row security hides rows from pg_dump, too"),
                );
            }
            _ => {}
        }
    }
}
