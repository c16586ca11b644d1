//! Diesel: `<version>_name/up.sql` and `down.sql`; one transaction for each, the file one query in it; none with
//! `run_in_transaction = false` in `metadata.toml`. A `metadata.toml` without that key counts as false.

use std::path::{Path, PathBuf};

use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "diesel",
    title: "Diesel",
    signs: Signs {
        above: &["diesel.toml"],
        inside: &["00000000000000_diesel_initial_setup/up.sql"],
        manifest: &[("Cargo.toml", "diesel")],
        ..NO_SIGNS
    },
    named: numbered_folder_up_down,
    order: Order::Version, // in which the dashes of `2026-01-01-000000` don't count
    sections: Sections::Whole,
    around: Around::Migration,
    unit: Unit::Section,
    switch: &[Switch::Beside(metadata, in_transaction)],
    alone: "put `run_in_transaction = false` into the migration's metadata.toml, and leave the statement alone in its file, which is sent as one query",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: Some(Ledger {
        tables: &["__diesel_schema_migrations"],
        columns: &["version", "run_on"],
        compare: as_text,
        ..ONE_ROW_EACH
    }),
    export: None,
};

fn metadata(path: &Path) -> PathBuf {
    path.with_file_name("metadata.toml")
}

fn in_transaction(metadata: &str) -> Option<bool> {
    let Ok(table) = metadata.parse::<toml::Table>() else { return Some(true) };
    Some(table.get("run_in_transaction").and_then(toml::Value::as_bool).unwrap_or(false))
}
