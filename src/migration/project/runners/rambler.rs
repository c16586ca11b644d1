//! rambler: `-- rambler up` and `-- rambler down` sections, each one query without a transaction of the tool's.

use crate::migration::migration::Direction;
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
    psql: false,
};

fn section(line: &str) -> Option<Opens> {
    let direction = match line.trim().strip_prefix("-- rambler ")? {
        "up" => Direction::Up,
        "down" => Direction::Down,
        _ => return None,
    };
    Some(Opens { direction, transaction: None })
}
