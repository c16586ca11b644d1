//! tern: `NNN_name.sql` with `---- create above / drop below ----` between up and down; one query in a transaction;
//! `---- tern: disable-tx ----` for statement by statement without one.

use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "tern",
    title: "tern",
    signs: Signs {
        inside: &["tern.conf"],
        above: &["tern.conf"],
        content: &["---- create above / drop below ----"],
        manifest: &[("go.mod", "github.com/jackc/tern")],
        ..NO_SIGNS
    },
    named: numbered,
    order: Order::Number,
    sections: Sections::Separator(|line| line.trim_end() == "---- create above / drop below ----"),
    around: Around::Migration,
    unit: Unit::Section,
    switch: &[Switch::LineSplits(|line| line.trim_end() == "---- tern: disable-tx ----")],
    alone: "put the line `---- tern: disable-tx ----` into the file",
    opt_out: OptOut::FirstLine("---- tern: disable-tx ----"),
    psql: false,
    ledger: Some(Ledger {
        tables: &["public.schema_version"],
        columns: &["version"],
        foreign: &["installed_by", "installed_rank"],
        key: "NULLIF(version, 0)",
        up_to: "true",
        ..ONE_ROW_EACH
    }),
    export: None,
};
