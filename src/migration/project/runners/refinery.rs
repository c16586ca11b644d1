//! refinery: `V1__x.sql` and, for out-of-order ones, `U1__x.sql`: both forward; one transaction for each, no way out.

use crate::migration::migration::Direction;
use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "refinery",
    title: "refinery",
    signs: Signs { above: &["refinery.toml"], manifest: &[("Cargo.toml", "refinery")], ..NO_SIGNS },
    named,
    order: Order::Number,
    sections: Sections::Whole,
    around: Around::Migration,
    unit: Unit::Section,
    switch: &[],
    alone: "it can't: run the statement by other means",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: Some(Ledger {
        tables: &["refinery_schema_history"],
        columns: &["version", "applied_on", "checksum"],
        ..ONE_ROW_EACH
    }),
    export: None,
};

fn named(path: &str) -> Option<Named> {
    let rest = file_name(path).strip_prefix(['V', 'U'])?;
    let (version, rest) = leading_number(rest)?;
    (rest.starts_with("__") && rest.ends_with(".sql"))
        .then(|| Named { version: version.to_owned(), direction: Direction::Up })
}
