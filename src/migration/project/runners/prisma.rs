//! Prisma Migrate: `<timestamp>_name/migration.sql`. Up to 7.3 the file is one query without a transaction of
//! the tool's; from 7.4 each statement is sent alone, but for files that it can't take apart.

use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;
use crate::migration::statement::{Body, Statement};

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

/// Chosen in place of [`RUNNER`] where 7.4 or newer is installed or asked for (see `detect`).
pub static SPLITTING: Runner = Runner {
    name: "prisma-7.4",
    title: "Prisma Migrate (7.4 and newer)",
    signs: NO_SIGNS,
    unit: Unit::Statement,
    switch: &[Switch::Joined(unreadable)],
    alone: "leave out BEGIN and COMMIT, and leave DROP INDEX CONCURRENTLY alone in its migration",
    ..OLD
};

/// Chosen where nothing tells the version.
pub static EITHER: Runner = Runner {
    name: "prisma-any",
    title: "Prisma Migrate (version not told)",
    signs: NO_SIGNS,
    unit: Unit::Either,
    switch: &[Switch::Joined(unreadable)],
    alone: "leave the statement alone in its migration, since versions up to 7.3 send the whole file as one query; where a newer \
            one is in use, say so with --runner prisma-7.4",
    ..OLD
};

/// What the splitter of 7.4 fails at: a file that holds it is one query as before.
fn unreadable(statement: &Statement) -> bool {
    matches!(&statement.body, Body::Drop(drop) if drop.concurrently)
}
