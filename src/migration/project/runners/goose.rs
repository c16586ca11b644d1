//! goose: `-- +goose Up` and `-- +goose Down` in one file, statement by statement in one transaction;
//! `-- +goose NO TRANSACTION` for none. What stands between `StatementBegin` and `StatementEnd` is one query.

use crate::migration::migration::Direction;
use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "goose",
    title: "goose",
    signs: Signs { content: &["-- +goose"], manifest: &[("go.mod", "github.com/pressly/goose")], ..NO_SIGNS },
    named: numbered,
    order: Order::Number,
    sections: Sections::Lines(section),
    around: Around::Migration,
    unit: Unit::Lines(|line| match annotation(line)? {
        mark if mark.eq_ignore_ascii_case("statementbegin") => Some(true),
        mark if mark.eq_ignore_ascii_case("statementend") => Some(false),
        _ => None,
    }),
    switch: &[Switch::Line(|line| {
        annotation(line).is_some_and(|a| a.eq_ignore_ascii_case("no transaction"))
    })],
    alone: "put `-- +goose NO TRANSACTION` at the top of the file",
    opt_out: OptOut::FirstLine("-- +goose NO TRANSACTION"),
    psql: false,
    ledger: Some(Ledger {
        tables: &["goose_db_version"],
        columns: &["version_id", "is_applied"],
        key: "NULLIF(version_id, 0)",
        applied: "is_applied",
        newest: "id",
        ..ONE_ROW_EACH
    }),
    export: None,
};

/// The annotation of a line; one that is indented is an error to goose, and none here.
fn annotation(line: &str) -> Option<&str> {
    line.strip_prefix("--")?.trim_start().strip_prefix("+goose").map(str::trim)
}

fn section(line: &str) -> Option<Opens> {
    let direction = match annotation(line)?.to_ascii_lowercase().as_str() {
        "up" => Direction::Up,
        "down" => Direction::Down,
        _ => return None,
    };
    Some(Opens { direction, transaction: None })
}
