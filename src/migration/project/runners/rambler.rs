//! rambler: `-- rambler up` and `-- rambler down` sections, each one query without a transaction of the tool's.

use crate::migration::migration::Direction;
use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "rambler",
    title: "rambler",
    signs: Signs { above: &["rambler.json"], content: &["-- rambler up"], ..NO_SIGNS },
    named: numbered,
    order: Order::Text,
    sections: Sections::Lines(section),
    around: Around::Nothing,
    unit: Unit::Section,
    switch: &[],
    alone: "leave the statement alone in its section, which is sent as one query",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: Some(Ledger {
        tables: &["migrations"],
        columns: &["migration"],
        foreign: &["run_on"],
        key: "migration",
        compare: as_text,
        names: Names::Each(|_, relative| Some(file_name(relative).to_owned())),
        ..ONE_ROW_EACH
    }),
    export: None,
};

fn section(line: &str) -> Option<Opens> {
    let direction = match line.trim().strip_prefix("-- rambler ")? {
        "up" => Direction::Up,
        "down" => Direction::Down,
        _ => return None,
    };
    Some(Opens { direction, transaction: None })
}
