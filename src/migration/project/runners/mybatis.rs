//! MyBatis Migrations: `scripts/<id>_name.sql` with `-- //@UNDO` between up and down; statement by statement in one
//! transaction.

use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "mybatis",
    title: "MyBatis Migrations",
    signs: Signs { content: &["-- //@undo", "-- @undo"], ..NO_SIGNS },
    named: numbered,
    order: Order::Number,
    sections: Sections::Separator(|line| {
        line.trim_start().strip_prefix("--").is_some_and(|rest| {
            let tag = rest.trim().trim_start_matches('/').trim();
            tag.eq_ignore_ascii_case("@UNDO")
        })
    }),
    around: Around::Migration,
    unit: Unit::Statement,
    switch: &[],
    alone: "set `auto_commit=true` and leave `send_full_script=false` in the environment's file, which holds for all scripts",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: Some(Ledger {
        tables: &["changelog"],
        columns: &["id", "applied_at", "description"],
        foreign: &["checksum"],
        key: "id",
        ..ONE_ROW_EACH
    }),
    export: None,
};
