//! Hasura CLI: `<timestamp>_name/up.sql` and `down.sql` (older: `.up.sql`, `.down.sql`) beside `metadata/`; the file is
//! one query in a transaction; `-- hasura:no-transaction` on the first line for none.

use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "hasura",
    title: "Hasura CLI",
    signs: Signs { above: &["metadata/version.yaml", "metadata/databases/databases.yaml"], ..NO_SIGNS },
    named: |path| numbered_folder_up_down(path).or_else(|| numbered_up_down(path)),
    order: Order::Number,
    sections: Sections::Whole,
    around: Around::Migration,
    unit: Unit::Section,
    switch: &[Switch::Prefix("-- hasura:no-transaction")],
    alone: "make `-- hasura:no-transaction` the first line",
    opt_out: OptOut::FirstLine("-- hasura:no-transaction"),
    psql: false,
    ledger: Some(Ledger {
        tables: &["hdb_catalog.hdb_version"],
        columns: &["cli_state"],
        key: "one.version",
        rows: "{table}, jsonb_each(cli_state -> 'migrations') AS of_database (source, versions), jsonb_each(versions) AS one (version, dirty)",
        applied: "dirty = 'false'",
        failed: "dirty = 'true'",
        ..ONE_ROW_EACH
    }),
    export: None,
};
