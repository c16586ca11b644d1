//! yoyo: `name.sql` with `name.rollback.sql`; statement by statement in one transaction; the leading comment
//! `-- transactional: false` for none.

use crate::migration::migration::Direction;
use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "yoyo",
    title: "yoyo",
    signs: Signs {
        inside: &["yoyo.ini"],
        above: &["yoyo.ini"],
        unique: Some(|path| path.ends_with(".rollback.sql")),
        content: &["-- depends:"],
        ..NO_SIGNS
    },
    named: |path| {
        let stem = path.strip_suffix(".sql")?;
        let (version, direction) = match stem.strip_suffix(".rollback") {
            Some(version) => (version, Direction::Down),
            None => (stem, Direction::Up),
        };
        Some(Named { version: version.to_owned(), direction })
    },
    order: Order::Text,
    sections: Sections::Whole,
    around: Around::Migration,
    unit: Unit::Statement,
    switch: &[Switch::Line(|line| {
        line.strip_prefix("--").is_some_and(|rest| rest.trim().replace(' ', "") == "transactional:false")
    })],
    alone: "begin the file with `-- transactional: false`",
    opt_out: OptOut::FirstLine("-- transactional: false"),
    psql: false,
    ledger: Some(Ledger {
        tables: &["_yoyo_migration"],
        columns: &["migration_id", "migration_hash"],
        key: "migration_id",
        newest: "applied_at_utc",
        compare: as_text,
        names: Names::Each(|_, relative| {
            let stem = file_stem(relative);
            Some(stem.strip_suffix(".rollback").unwrap_or(&stem).to_owned())
        }),
        ..ONE_ROW_EACH
    }),
    export: None,
};
