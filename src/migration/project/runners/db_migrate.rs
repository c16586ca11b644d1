//! db-migrate: `sqls/<timestamp>-name-up.sql` and `-down.sql`; the file is one query in a transaction.

use crate::migration::migration::Direction;
use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "db-migrate",
    title: "db-migrate",
    signs: Signs {
        folder: &["migrations/sqls"],
        manifest: &[("package.json", "\"db-migrate\"")],
        ..NO_SIGNS
    },
    named,
    order: Order::Text,
    sections: Sections::Whole,
    around: Around::Migration,
    unit: Unit::Section,
    switch: &[],
    alone: "run it with `--non-transactional`, and leave the statement alone in its file",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: Some(Ledger {
        tables: &["migrations"],
        columns: &["name", "run_on"],
        key: "ltrim(name, '/')",
        newest: "run_on",
        compare: as_text,
        names: Names::Each(|_, relative| {
            let stem = file_stem(relative);
            Some(stem.strip_suffix("-up").or(stem.strip_suffix("-down")).unwrap_or(&stem).to_owned())
        }),
        ..ONE_ROW_EACH
    }),
    export: None,
};

fn named(path: &str) -> Option<Named> {
    let (version, rest) = leading_number(path).filter(|_| is_flat(path))?;
    let direction = if rest.ends_with("-up.sql") {
        Direction::Up
    } else if rest.ends_with("-down.sql") {
        Direction::Down
    } else {
        return None;
    };
    Some(Named { version: version.to_owned(), direction })
}
