//! graphile-migrate: `committed/NNNNNN.sql`, then `current.sql` or `current/`, with a header of `--! Previous:`; the file is one query in a transaction;
//! `--! no-transaction` for none.

use crate::migration::migration::Direction;
use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "graphile-migrate",
    title: "graphile-migrate",
    signs: Signs {
        above: &[".gmrc", ".gmrc.js"],
        nested: &[
            ("committed", ".gmrc"),
            ("committed", ".gmrc.js"),
            ("current", ".gmrc"),
            ("current", ".gmrc.js"),
        ],
        content: &["--! previous:"],
        ..NO_SIGNS
    },
    named,
    order: Order::Text, // `committed/` before `current/`
    sections: Sections::Whole,
    around: Around::Migration,
    unit: Unit::Section,
    switch: &[Switch::Line(|line| {
        line.strip_prefix("--!").is_some_and(|rest| rest.trim_start().starts_with("no-transaction"))
    })],
    alone: "make `--! no-transaction` the first line, and leave the statement alone in its file",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: Some(Ledger {
        tables: &["graphile_migrate.migrations"],
        columns: &["hash", "previous_hash", "filename"],
        key: "filename",
        compare: as_text,
        names: Names::Each(|migration, relative| {
            (!migration.version.is_empty()).then(|| file_name(relative).to_owned())
        }),
        ..ONE_ROW_EACH
    }),
    export: None,
};

fn named(path: &str) -> Option<Named> {
    let current = path.strip_prefix("current/").map(|rest| (rest.ends_with(".sql"), rest));
    if path == "current.sql" || current.is_some_and(|(sql, _)| sql) {
        return Some(Named { version: String::new(), direction: Direction::Up });
    }
    numbered(path.strip_prefix("committed/").unwrap_or(path))
}
