//! golang-migrate: `<version>_name.up.sql` and `.down.sql`; no transaction of the tool's, the whole file one query, which is
//! an implicit transaction as soon as it holds two statements.

use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "golang-migrate",
    title: "golang-migrate",
    signs: Signs { manifest: &[("go.mod", "github.com/golang-migrate/migrate")], ..NO_SIGNS },
    named: numbered_up_down,
    order: Order::Number,
    sections: Sections::Whole,
    around: Around::Nothing,
    unit: Unit::Section,
    switch: &[],
    alone: "leave the statement alone in its file, even without a SET before it: the whole file is sent as one query",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: Some(Ledger {
        tables: &["schema_migrations"],
        columns: &["version", "dirty"],
        applied: "NOT dirty",
        failed: "dirty",
        up_to: "true",
        ..ONE_ROW_EACH
    }),
    export: None,
};
