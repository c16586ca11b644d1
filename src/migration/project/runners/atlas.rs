//! Atlas: `<version>_name.sql` beside `atlas.sum`; statement by statement in one transaction for each file;
//! `-- atlas:txmode none` at the head for none.

use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "atlas",
    title: "Atlas",
    signs: Signs { inside: &["atlas.sum"], content: &["-- atlas:"], ..NO_SIGNS },
    named: numbered,
    order: Order::Text,
    sections: Sections::Whole,
    around: Around::Migration,
    unit: Unit::Statement,
    switch: &[Switch::Text(has_no_transaction)],
    alone: "put `-- atlas:txmode none` at the head of the file, followed by a blank line",
    opt_out: OptOut::FirstLine("-- atlas:txmode none\n"),
    psql: false,
    ledger: Some(Ledger {
        tables: &["atlas_schema_revisions.atlas_schema_revisions", "atlas_schema_revisions"],
        columns: &["version", "applied", "total", "type"],
        applied: "applied >= total",
        failed: "applied < total",
        up_to: "type & 1 = 1",
        compare: as_text,
        ..ONE_ROW_EACH
    }),
    export: None,
};

/// Directives are comments at the very beginning, with an empty line behind the last of them: other comments are those of
/// the first statement.
fn has_no_transaction(text: &str) -> bool {
    let head = || text.lines().take_while(|line| line.starts_with("--") || line.starts_with('#'));
    let ends = text.lines().nth(head().count()).is_some_and(str::is_empty);
    ends && head().any(|line| line.trim_end() == "-- atlas:txmode none")
}
