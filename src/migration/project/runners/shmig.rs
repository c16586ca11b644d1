//! shmig: `-- ==== UP ====` and `-- ==== DOWN ====`, run by psql in one transaction.

use crate::migration::migration::Direction;
use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "shmig",
    title: "shmig",
    signs: Signs { above: &["shmig.conf"], content: &["-- ==== up ===="], ..NO_SIGNS },
    named: numbered,
    order: Order::Number,
    sections: Sections::Lines(section),
    around: Around::Migration,
    unit: Unit::Statement,
    switch: &[],
    alone: "it can't: run the statement by other means",
    psql: true,
    ledger: Some(Ledger { tables: &["shmig_version"], columns: &["version"], up_to: "true", ..ONE_ROW_EACH }),
};

fn section(line: &str) -> Option<Opens> {
    let direction = match line.trim() {
        "-- ==== UP ====" => Direction::Up,
        "-- ==== DOWN ====" => Direction::Down,
        _ => return None,
    };
    Some(Opens { direction, transaction: None })
}
