//! pop, soda and popx: `<version>_name.up.sql` with an optional dialect; the file is one query in a transaction;
//! popx's `.autocommit.` for none.

use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "pop",
    title: "pop",
    signs: Signs {
        above: &["database.yml"],
        unique: Some(|path| path.contains(".autocommit.") || path.contains(".postgres.up.")),
        manifest: &[("go.mod", "github.com/gobuffalo/pop"), ("go.mod", "github.com/ory/pop")],
        ..NO_SIGNS
    },
    named: |path| {
        let other =
            [".mysql.", ".sqlite3.", ".sqlite.", ".cockroach."].iter().any(|dialect| path.contains(dialect));
        numbered_up_down(path).filter(|_| !other)
    },
    order: Order::Number,
    sections: Sections::Whole,
    around: Around::Migration,
    unit: Unit::Section,
    switch: &[Switch::Path(|path| path.contains(".autocommit."))],
    alone: "call the file `.autocommit.up.sql` (popx), and leave the statement alone in it",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: Some(Ledger {
        tables: &["schema_migration"],
        columns: &["version"],
        compare: as_text,
        ..ONE_ROW_EACH
    }),
    export: None,
};
