//! postgres-migrations: `N_name.sql`; the file is one query in a transaction; the text
//! `-- postgres-migrations disable-transaction` anywhere for none.

use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "postgres-migrations",
    title: "postgres-migrations",
    signs: Signs { manifest: &[("package.json", "\"postgres-migrations\"")], ..NO_SIGNS },
    named: numbered,
    order: Order::Number,
    sections: Sections::Whole,
    around: Around::Migration,
    unit: Unit::Section,
    switch: &[Switch::Line(|line| line.contains("-- postgres-migrations disable-transaction"))],
    alone: "write `-- postgres-migrations disable-transaction` into the file, and leave the statement alone in it",
    opt_out: OptOut::FirstLine("-- postgres-migrations disable-transaction"),
    psql: false,
    ledger: Some(Ledger {
        tables: &["migrations"],
        columns: &["id", "name", "hash", "executed_at"],
        key: "NULLIF(id, 0)",
        ..ONE_ROW_EACH
    }),
    export: None,
};
