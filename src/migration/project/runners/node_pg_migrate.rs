//! node-pg-migrate's SQL files: `-- Up Migration` and `-- Down Migration`; all pending ones in one transaction, each section
//! one query.

use crate::migration::migration::Direction;
use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "node-pg-migrate",
    title: "node-pg-migrate",
    signs: Signs {
        content: &["-- up migration", "--- up migration"],
        manifest: &[("package.json", "\"node-pg-migrate\"")],
        ..NO_SIGNS
    },
    named: numbered,
    order: Order::Number,
    sections: Sections::Lines(section),
    around: Around::Run,
    unit: Unit::Section,
    switch: &[],
    alone: "it can't for SQL files; a JavaScript migration calls `pgm.noTransaction()`",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: Some(Ledger {
        tables: &["pgmigrations"],
        columns: &["name", "run_on"],
        key: "name",
        newest: "run_on",
        compare: as_text,
        names: Names::Each(|_, relative| Some(file_stem(relative))),
        ..ONE_ROW_EACH
    }),
    export: None,
};

fn section(line: &str) -> Option<Opens> {
    let words =
        line.trim_start().strip_prefix("--")?.trim_start_matches(['-', ' ', '\t']).to_ascii_lowercase();
    let mut words = words.split_whitespace();
    let direction = match words.next()? {
        "up" => Direction::Up,
        "down" => Direction::Down,
        _ => return None,
    };
    (words.next()? == "migration").then_some(Opens { direction, transaction: None })
}
