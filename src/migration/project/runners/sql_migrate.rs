//! sql-migrate: `-- +migrate Up` and `-- +migrate Down`, statement by statement in one transaction; `notransaction`
//! on the line for none. Case matters. Several sections of one direction are one migration.

use crate::migration::migration::Direction;
use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "sql-migrate",
    title: "sql-migrate",
    signs: Signs { above: &["dbconfig.yml"], content: &["-- +migrate"], ..NO_SIGNS },
    named: |path| {
        path.ends_with(".sql").then(|| Named {
            version: leading_number(file_name(path)).map_or_else(String::new, |(n, _)| n.to_owned()),
            direction: Direction::Up,
        })
    },
    order: Order::Number,
    sections: Sections::Gathered(section),
    around: Around::Migration,
    unit: Unit::Lines(|line| match line.strip_prefix("-- +migrate ")?.trim() {
        "StatementBegin" => Some(true),
        "StatementEnd" => Some(false),
        _ => None,
    }),
    switch: &[],
    alone: "write `-- +migrate Up notransaction`",
    opt_out: OptOut::SectionLine(" notransaction"),
    psql: false,
    ledger: Some(Ledger {
        tables: &["gorp_migrations"],
        columns: &["id", "applied_at"],
        key: "id",
        newest: "applied_at",
        compare: as_text,
        names: Names::Each(|_, relative| Some(file_name(relative).to_owned())),
        ..ONE_ROW_EACH
    }),
    export: None,
};

fn section(line: &str) -> Option<Opens> {
    let mut words = line.strip_prefix("-- +migrate ")?.split_whitespace();
    let direction = match words.next()? {
        "Up" => Direction::Up,
        "Down" => Direction::Down,
        _ => return None,
    };
    Some(Opens { direction, transaction: Some(words.all(|word| word != "notransaction")) })
}
