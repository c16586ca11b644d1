//! Alembic's `upgrade --sql`: BEGIN and COMMIT are those that Alembic sends; which statements are one string of `op.execute`, and
//! so one query, it doesn't print.

use crate::migration::migration::Direction;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "alembic",
    title: "Alembic",
    signs: NO_SIGNS,
    named: |path| {
        path.ends_with(".sql").then(|| Named { version: path.to_owned(), direction: Direction::Up })
    },
    order: Order::Text,
    sections: Sections::Whole,
    around: Around::Nothing,
    unit: Unit::Statement,
    switch: &[],
    alone: "put it into `with op.get_context().autocommit_block():`, as an `op.execute` of its own",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: None,
    export: Some(Export {
        command: "alembic upgrade --sql",
        shows_transactions: true,
        lost: "--sql doesn't print which statements are one string of op.execute, and those go to the server as one query",
    }),
};
