//! sqlx: `<version>_name.sql`, or `.up.sql` with `.down.sql`; one transaction for each, the file one query in it;
//! none when the file's very first bytes are `-- no-transaction` (it stays one query).

use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "sqlx",
    title: "sqlx",
    signs: Signs { above: &["sqlx.toml", "sqlx-data.json"], manifest: &[("Cargo.toml", "sqlx")], ..NO_SIGNS },
    named: |path| numbered_up_down(path).or_else(|| numbered(path)),
    order: Order::Number,
    sections: Sections::Whole,
    around: Around::Migration,
    unit: Unit::Section,
    switch: &[Switch::Prefix("-- no-transaction")],
    alone: "make `-- no-transaction` the very first bytes of the file, and leave the statement alone in it: it is sent as one query",
    opt_out: OptOut::FirstLine("-- no-transaction"),
    psql: false,
    ledger: Some(Ledger {
        tables: &["_sqlx_migrations"],
        columns: &["version", "installed_on", "success"],
        applied: "success",
        failed: "NOT success",
        ..ONE_ROW_EACH
    }),
    export: None,
};
