//! Play evolutions: `conf/evolutions/<db>/N.sql` with `# --- !Ups` and `# --- !Downs`; each statement commits by itself.

use crate::migration::migration::Direction;
use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "play",
    title: "Play evolutions",
    signs: Signs {
        folder: &["conf/evolutions/default"],
        content: &["# --- !ups", "-- !ups", "# !ups", "-- --- !ups"],
        ..NO_SIGNS
    },
    named: numbered,
    order: Order::Number,
    sections: Sections::Lines(section),
    around: Around::Nothing,
    unit: Unit::Statement,
    switch: &[],
    alone: "leave `autocommit=true`, its default",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: Some(Ledger {
        tables: &["play_evolutions"],
        columns: &["id", "state", "last_problem"],
        key: "id",
        applied: "state = 'applied'",
        failed: "state <> 'applied'",
        ..ONE_ROW_EACH
    }),
    export: None,
};

fn section(line: &str) -> Option<Opens> {
    let rest = line.strip_prefix('#').or_else(|| line.strip_prefix("--"))?;
    let direction = if rest.contains("!Ups") {
        Direction::Up
    } else if rest.contains("!Downs") {
        Direction::Down
    } else {
        return None;
    };
    Some(Opens { direction, transaction: None })
}
