//! Prisma Migrate: `<timestamp>_name/migration.sql`. Up to 7.3 the file is one query without a transaction of
//! the tool's; from 7.4 each statement is sent alone.

use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

const OLD: Runner = Runner {
    name: "prisma",
    title: "Prisma Migrate (up to 7.3)",
    signs: Signs { inside: &["migration_lock.toml"], ..NO_SIGNS },
    named: numbered_folder,
    order: Order::Text,
    sections: Sections::Whole,
    around: Around::Nothing,
    unit: Unit::Section,
    switch: &[],
    alone: "leave the statement alone in its migration: the whole file is sent as one query",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: Some(Ledger {
        tables: &["_prisma_migrations"],
        columns: &["migration_name", "finished_at", "rolled_back_at"],
        key: "migration_name",
        applied: "finished_at IS NOT NULL AND rolled_back_at IS NULL",
        failed: "finished_at IS NULL AND rolled_back_at IS NULL",
        newest: "started_at",
        compare: as_text,
        names: Names::Each(|_, relative| folder_name(relative)),
        ..ONE_ROW_EACH
    }),
    export: None,
};

pub static RUNNER: Runner = OLD;

/// Chosen in place of [`RUNNER`] where `package.json` asks for 7.4 or newer (see `detect`).
pub static SPLITTING: Runner = Runner {
    name: "prisma-7.4",
    title: "Prisma Migrate (7.4 and newer)",
    signs: NO_SIGNS,
    unit: Unit::Statement,
    alone: "leave out BEGIN and COMMIT",
    ..OLD
};
