//! Liquibase's `update-sql`: neither BEGIN and COMMIT nor `runInTransaction` are printed, so nothing tells what surrounds a
//! statement.

use crate::migration::migration::Direction;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "liquibase-update-sql",
    title: "Liquibase (update-sql)",
    signs: NO_SIGNS,
    named: |path| {
        path.ends_with(".sql").then(|| Named { version: path.to_owned(), direction: Direction::Up })
    },
    order: Order::Text,
    sections: Sections::Whole,
    around: Around::Nothing,
    unit: Unit::Statement,
    switch: &[],
    alone: "put `runInTransaction:false` on the changeset",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: None,
    export: Some(Export {
        command: "liquibase update-sql",
        shows_transactions: false,
        lost: "update-sql prints neither the transactions nor `runInTransaction:false`",
    }),
};
