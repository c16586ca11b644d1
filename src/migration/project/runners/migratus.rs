//! migratus and ragtime: `<id>-name.up.sql` with a dash; chunks between `--;;` in one transaction;
//! `-- :disable-transaction` as the file's first bytes for none.

use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "migratus",
    title: "migratus",
    signs: Signs { content: &["--;;", "-- ;;"], unique: Some(|path| named(path).is_some()), ..NO_SIGNS },
    named,
    order: Order::Number,
    sections: Sections::Whole,
    around: Around::Migration,
    unit: Unit::Chunk("--;;"),
    switch: &[Switch::Prefix("-- :disable-transaction")],
    alone: "make `-- :disable-transaction` the first bytes of the file, and put `--;;` around the statement",
    opt_out: OptOut::FirstLine("-- :disable-transaction"),
    psql: false,
    ledger: Some(Ledger {
        tables: &["schema_migrations"],
        columns: &["id", "applied", "description"],
        key: "id",
        ..ONE_ROW_EACH
    }),
    export: None,
};

fn named(path: &str) -> Option<Named> {
    up_down_behind(path, '-')
}
