//! shmig: `-- ====  UP  ====` and `-- ==== DOWN ====`, run by psql statement by statement; its template puts BEGIN and COMMIT
//! into the sections.

use crate::migration::migration::Direction;
use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "shmig",
    title: "shmig",
    signs: Signs { above: &["shmig.conf"], content: &["-- ====  up  ====", "-- ==== up ===="], ..NO_SIGNS },
    named: numbered,
    order: Order::Number,
    sections: Sections::Lines(section),
    around: Around::Nothing,
    unit: Unit::Statement,
    switch: &[],
    alone: "leave out BEGIN and COMMIT in this section",
    opt_out: OptOut::Elsewhere,
    psql: true,
    ledger: Some(Ledger { tables: &["shmig_version"], columns: &["version"], up_to: "true", ..ONE_ROW_EACH }),
    export: None,
};

fn section(line: &str) -> Option<Opens> {
    let direction = match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["--", "====", "UP", "===="] => Direction::Up,
        ["--", "====", "DOWN", "===="] => Direction::Down,
        _ => return None,
    };
    Some(Opens { direction, transaction: None })
}
