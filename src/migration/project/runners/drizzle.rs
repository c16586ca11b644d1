//! Drizzle: files in the order of `meta/_journal.json` (or, from version 1, folders with `snapshot.json`); all
//! pending ones in one transaction, each chunk between `--> statement-breakpoint` one query.

use std::collections::HashMap;
use std::path::Path;

use crate::migration::migration::Direction;
use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

const JOURNALED: Runner = Runner {
    name: "drizzle",
    title: "Drizzle",
    signs: Signs { inside: &["meta/_journal.json"], content: &["--> statement-breakpoint"], ..NO_SIGNS },
    named: |path| {
        (is_flat(path) && path.ends_with(".sql"))
            .then(|| Named { version: path.to_owned(), direction: Direction::Up })
    },
    order: Order::Listed(journal),
    sections: Sections::Whole,
    around: Around::Run,
    unit: Unit::Chunk("--> statement-breakpoint"),
    switch: &[],
    alone: "it has no switch; `COMMIT;--> statement-breakpoint` before the statement ends the transaction, also for all that follows, later migrations included",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: Some(Ledger {
        tables: &["drizzle.__drizzle_migrations", "__drizzle_migrations"],
        columns: &["hash", "created_at"],
        key: "created_at",
        up_to: "true",
        names: Names::Listed(moments),
        ..ONE_ROW_EACH
    }),
    export: None,
};

pub static RUNNER: Runner = JOURNALED;

/// Drizzle from version 1: a folder for each migration.
pub static FOLDERS: Runner = Runner {
    name: "drizzle-1",
    title: "Drizzle (1.0 and newer)",
    signs: Signs { beside: &["snapshot.json"], ..NO_SIGNS },
    named: numbered_folder,
    order: Order::Text,
    ledger: Some(Ledger {
        tables: &["drizzle.__drizzle_migrations", "__drizzle_migrations"],
        columns: &["hash", "created_at", "name"],
        key: "name",
        compare: as_text,
        names: Names::Each(|_, relative| folder_name(relative)),
        ..ONE_ROW_EACH
    }),
    ..JOURNALED
};

/// Files that the journal doesn't list are not run.
fn journal(folder: &Path) -> Option<Vec<String>> {
    Some(entries(folder)?.into_iter().map(|(file, _)| file).collect())
}

/// The journal's `when` is what the ledger knows a migration by.
fn moments(folder: &Path) -> Option<HashMap<String, String>> {
    Some(entries(folder)?.into_iter().collect())
}

/// Files and their `when`, in order.
fn entries(folder: &Path) -> Option<Vec<(String, String)>> {
    let text = std::fs::read_to_string(folder.join("meta/_journal.json")).ok()?;
    let journal: serde_json::Value = serde_json::from_str(&text).ok()?;
    let entries = journal.get("entries")?.as_array()?.iter().filter_map(|entry| {
        let when = entry.get("when").map(ToString::to_string).unwrap_or_default();
        Some((format!("{}.sql", entry.get("tag")?.as_str()?), when))
    });
    Some(entries.collect())
}
