//! psql, and what is piped into it: statement by statement, each committing by itself; meta-commands and COPY data work.

use crate::migration::migration::Direction;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "psql",
    title: "psql",
    signs: NO_SIGNS,
    named: |path| {
        path.ends_with(".sql").then(|| Named { version: path.to_owned(), direction: Direction::Up })
    },
    order: Order::Text,
    sections: Sections::Whole,
    around: Around::Nothing,
    unit: Unit::Statement,
    switch: &[],
    alone: "leave out BEGIN and COMMIT, and run psql without --single-transaction",
    opt_out: OptOut::Elsewhere,
    psql: true,
    ledger: None,
    export: None,
};
