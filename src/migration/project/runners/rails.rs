//! Rails' `db/structure.sql`: what psql loads, statement by statement.

use crate::migration::migration::Direction;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "rails",
    title: "Rails",
    signs: NO_SIGNS,
    named: |path| {
        path.ends_with(".sql").then(|| Named { version: path.to_owned(), direction: Direction::Up })
    },
    order: Order::Text,
    sections: Sections::Whole,
    around: Around::Nothing,
    unit: Unit::Statement,
    switch: &[],
    alone: "write `disable_ddl_transaction!` in the migration",
    opt_out: OptOut::Elsewhere,
    psql: true,
    ledger: None,
    export: None,
};
