//! Liquibase formatted SQL: changesets in files that begin with `--liquibase formatted sql`; one transaction for
//! each changeset unless it says `runInTransaction:false`.

use crate::migration::migration::Direction;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "liquibase",
    title: "Liquibase",
    signs: Signs {
        above: &["liquibase.properties"],
        content: &["--liquibase formatted", "-- liquibase formatted"],
        ..NO_SIGNS
    },
    named: |path| {
        path.ends_with(".sql").then(|| Named { version: path.to_owned(), direction: Direction::Up })
    },
    order: Order::Text,
    sections: Sections::Lines(changeset),
    around: Around::Migration,
    unit: Unit::Statement,
    switch: &[],
    alone: "put `runInTransaction:false` on the `--changeset` line",
    psql: false,
};

fn changeset(line: &str) -> Option<Opens> {
    let comment = line.trim_start().strip_prefix("--")?.trim_start();
    let rest =
        comment.get(..9).filter(|word| word.eq_ignore_ascii_case("changeset")).map(|_| &comment[9..])?;
    let attributes = rest.trim().to_ascii_lowercase();
    attributes.contains(':').then_some(Opens {
        direction: Direction::Up,
        transaction: Some(!attributes.contains("runintransaction:false")),
    })
}
