//! postgrator: `NNN.do.name.sql` and `NNN.undo.name.sql`; no transaction of the tool's, the file is one query.

use crate::migration::migration::Direction;
use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "postgrator",
    title: "postgrator",
    signs: Signs { unique: Some(|path| named(path).is_some()), ..NO_SIGNS },
    named,
    order: Order::Number,
    sections: Sections::Whole,
    around: Around::Nothing,
    unit: Unit::Section,
    switch: &[],
    alone: "leave the statement alone in its file: the whole file is sent as one query",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: Some(Ledger { tables: &["schemaversion"], columns: &["version"], up_to: "true", ..ONE_ROW_EACH }),
    export: None,
};

fn named(path: &str) -> Option<Named> {
    let (version, rest) = leading_number(path).filter(|_| is_flat(path))?;
    let direction = if rest.starts_with(".do.") {
        Direction::Up
    } else if rest.starts_with(".undo.") {
        Direction::Down
    } else {
        return None;
    };
    rest.ends_with(".sql").then(|| Named { version: version.to_owned(), direction })
}
