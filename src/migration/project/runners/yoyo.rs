//! yoyo: `name.sql` with `name.rollback.sql`; statement by statement in one transaction; the leading comment
//! `-- transactional: false` for none, which holds for the rollback, too.

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
    switch: &[Switch::WayThere(has_no_transaction)],
    alone: "begin the migration's file with `-- transactional: false`, which holds for its rollback as well",
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

/// Directives stand before the first statement.
fn has_no_transaction(text: &str) -> bool {
    let head = text.lines().map(str::trim).take_while(|line| line.is_empty() || line.starts_with("--"));
    head.filter_map(|line| line.strip_prefix("--"))
        .any(|rest| rest.replace(' ', "").eq_ignore_ascii_case("transactional:false"))
}
