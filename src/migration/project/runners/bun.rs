//! bun: `<version>_name.up.sql` without a transaction, `.tx.up.sql` with one; chunks between `--bun:split` are one
//! query each.

use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "bun",
    title: "bun",
    signs: Signs {
        content: &["--bun:split"],
        unique: Some(|path| path.ends_with(".tx.up.sql") || path.ends_with(".tx.down.sql")),
        manifest: &[("go.mod", "github.com/uptrace/bun")],
        ..NO_SIGNS
    },
    named: numbered_up_down,
    order: Order::Text,
    sections: Sections::Whole,
    around: Around::Migration,
    unit: Unit::Chunk("--bun:split"),
    switch: &[Switch::Path(|path| !path.contains(".tx."))],
    alone: "call the file `.up.sql`, not `.tx.up.sql`, and put `--bun:split` around the statement",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: Some(Ledger {
        tables: &["bun_migrations"],
        columns: &["name", "group_id"],
        key: "name",
        ..ONE_ROW_EACH
    }),
    export: None,
};
