//! dbmate: `-- migrate:up` and `-- migrate:down` in one file, each section one query in one transaction;
//! `transaction:false` on the line for none (the section stays one query).

use crate::migration::migration::Direction;
use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "dbmate",
    title: "dbmate",
    signs: Signs { content: &["-- migrate:up", "--migrate:up"], ..NO_SIGNS },
    named: numbered,
    order: Order::Text,
    sections: Sections::Lines(section),
    around: Around::Migration,
    unit: Unit::Section,
    switch: &[],
    alone: "write `-- migrate:up transaction:false`, and leave the statement alone in its section, which is sent as one query",
    opt_out: OptOut::SectionLine(" transaction:false"),
    psql: false,
    ledger: Some(Ledger {
        tables: &["schema_migrations"],
        columns: &["version"],
        foreign: &["dirty", "inserted_at", "statements"],
        compare: as_text,
        ..ONE_ROW_EACH
    }),
    export: None,
};

fn section(line: &str) -> Option<Opens> {
    let comment = line.strip_prefix("--")?.trim_start();
    let mut words = comment.split_whitespace();
    let direction = match words.next()? {
        "migrate:up" => Direction::Up,
        "migrate:down" => Direction::Down,
        _ => return None,
    };
    Some(Opens { direction, transaction: Some(words.all(|word| word != "transaction:false")) })
}
