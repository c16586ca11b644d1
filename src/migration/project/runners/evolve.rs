//! Evolve: Flyway's names in .NET projects; the script is one query in a transaction; `evolve-tx-off` in a comment of the first
//! line for none.

use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "evolve",
    title: "Evolve",
    signs: Signs { content: &["-- evolve-tx-off", "-- evolve-repeat-always"], ..NO_SIGNS },
    named: super::flyway::named,
    order: Order::Dotted,
    sections: Sections::Whole,
    around: Around::Migration,
    unit: Unit::Section,
    switch: &[Switch::Line(|line| line.starts_with("--") && line.contains("evolve-tx-off"))],
    alone: "make `evolve-tx-off` the comment of the first line, and leave the statement alone in its file",
    opt_out: OptOut::FirstLine("-- evolve-tx-off"),
    psql: false,
    ledger: Some(Ledger {
        tables: &["changelog"],
        columns: &["version", "checksum", "installed_by", "success"],
        key: "CASE WHEN version IS NULL THEN 'R__' || replace(description, ' ', '_') ELSE version END",
        applied: "success",
        failed: "NOT success",
        newest: "id",
        compare: by_parts,
        names: Names::Each(super::flyway::key),
        ..ONE_ROW_EACH
    }),
    export: None,
};
