//! A tool's ledger: the table in which it notes which migrations have run, and how to read it.
//!
//! A [`Ledger`] is declared by each runner; this file asks nothing of a database itself. Whoever has a connection finds
//! the table among [`Ledger::tables`] (with the columns that [`Ledger::fits`] wants), runs [`Ledger::query`], and hands the rows
//! to [`Ledger::standings`].

use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::Path;

use super::Part;
use super::order;
pub use super::order::by_parts;
use crate::migration::migration::{Direction, Migration};

/// The table in which a tool notes what has run.
pub struct Ledger {
    /// Its names as SQL, the usual one first. Without a schema: wherever the search_path finds it.
    pub tables: &'static [&'static str],
    /// Columns that it has.
    pub columns: &'static [&'static str],
    /// Columns that only another tool's table of the same name has.
    pub foreign: &'static [&'static str],
    /// What stands behind FROM, `{table}` being the table.
    pub rows: &'static str,
    /// SQL: what a row calls the migration; compared with what [`Ledger::keys`] gives.
    pub key: &'static str,
    /// SQL condition: the row says that the migration has run to its end.
    pub applied: &'static str,
    /// SQL condition: the row says that the migration stopped half way, which the tool wants mended by hand.
    pub failed: &'static str,
    /// SQL: the order in which rows were written. Of several rows of one migration the last one counts; empty: there is
    /// one, and keys are in the order in which they ran.
    pub newest: &'static str,
    /// SQL condition: the row stands for every migration up to its own.
    pub up_to: &'static str,
    /// The order of keys, and when two are the same.
    pub compare: fn(&str, &str) -> Ordering,
    /// What a migration is called in the ledger.
    pub names: Names,
}

/// How a migration's key is told.
pub enum Names {
    /// From the migration and its path below the migrations folder; `None`: it leaves no row.
    Each(fn(&Migration, &str) -> Option<String>),
    /// From a list in the migrations folder: path → key.
    Listed(fn(&Path) -> Option<HashMap<String, String>>),
}

/// Beginning of each ledger: one row for each migration that has run.
pub const ONE_ROW_EACH: Ledger = Ledger {
    tables: &[],
    columns: &[],
    foreign: &[],
    rows: "{table}",
    key: "version",
    applied: "true",
    failed: "false",
    newest: "",
    up_to: "false",
    compare: order::by_number,
    names: Names::Each(|migration, _| Some(migration.version.clone())),
};

/// One row of [`Ledger::query`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it calls the migration.
    pub key: String,
    /// It has run to its end.
    pub applied: bool,
    /// It stopped half way.
    pub failed: bool,
    /// So have all before it.
    pub up_to: bool,
}

/// How a migration stands in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has run.
    Applied,
    /// It began to run and stopped half way.
    Failed,
    /// The tool would run it next time.
    Pending,
    /// It hasn't run and won't: a baseline where there is a history, or what a baseline stands for.
    Skipped,
    /// Nothing names it in the ledger.
    Unknown,
}

impl Ledger {
    /// Whether a table with these columns is this ledger, and not one of another tool with the same name.
    pub fn fits(&self, columns: &[&str]) -> bool {
        self.columns.iter().all(|column| columns.contains(column))
            && !self.foreign.iter().any(|column| columns.contains(column))
    }

    /// The query that gives the rows, as (text, boolean, boolean, boolean) in the order of [`Row`]'s fields.
    pub fn query(&self, table: &str) -> String {
        let rows = self.rows.replace("{table}", table);
        let (key, applied, failed, up_to) = (self.key, self.applied, self.failed, self.up_to);
        let newest =
            if self.newest.is_empty() { String::new() } else { format!(", {} DESC NULLS LAST", self.newest) };
        format!(
            "SELECT DISTINCT ON (({key})::text) ({key})::text AS key, coalesce({applied}, false) AS applied, \
             coalesce({failed}, false) AS failed, coalesce({up_to}, false) AS up_to \
             FROM {rows} WHERE ({key}) IS NOT NULL ORDER BY ({key})::text{newest}"
        )
    }

    /// What each migration of a folder is called in the ledger.
    pub fn keys(&self, part: &Part) -> Vec<Option<String>> {
        let relative = |migration: &Migration| super::relative_to(&migration.path, &part.root);
        match self.names {
            Names::Each(name) => {
                part.migrations.iter().map(|migration| name(migration, &relative(migration))).collect()
            }
            Names::Listed(list) => {
                let here = if part.root.as_os_str().is_empty() { Path::new(".") } else { &part.root };
                let listed = list(here).unwrap_or_default();
                part.migrations.iter().map(|migration| listed.get(&relative(migration)).cloned()).collect()
            }
        }
    }

    /// How each migration of a folder stands, by the rows of its ledger. A way back stands as what it undoes.
    pub fn standings(&self, part: &Part, rows: &[Row]) -> Vec<Standing> {
        let keys = self.keys(part);
        let same = |a: &str, b: &str| (self.compare)(a, b) == Ordering::Equal;
        let newest_baseline = part
            .migrations
            .iter()
            .zip(&keys)
            .filter(|(migration, _)| rows.is_empty() && migration.direction == Direction::Baseline)
            .filter_map(|(_, key)| key.as_deref())
            .max_by(|a, b| (self.compare)(a, b));
        part.migrations
            .iter()
            .zip(&keys)
            .map(|(migration, key)| {
                let Some(key) = key else { return Standing::Unknown };
                // A baseline has the version of an ordinary migration; its row says that it stands for all before it.
                let baseline = migration.direction == Direction::Baseline;
                if let Some(row) = rows.iter().find(|row| same(&row.key, key) && (row.up_to || !baseline)) {
                    return match row {
                        Row { applied: true, .. } => Standing::Applied,
                        Row { failed: true, .. } => Standing::Failed,
                        _ => Standing::Pending,
                    };
                }
                match migration.direction {
                    Direction::Repeatable => return Standing::Pending,
                    Direction::Baseline => {
                        let next = newest_baseline.is_some_and(|newest| same(newest, key));
                        return if next { Standing::Pending } else { Standing::Skipped };
                    }
                    Direction::Up | Direction::Down => {}
                }
                let before = |other: &str| (self.compare)(key, other) == Ordering::Less;
                if newest_baseline.is_some_and(|newest| before(newest) || same(newest, key)) {
                    return Standing::Skipped;
                }
                let covered = rows.iter().any(|row| row.up_to && before(&row.key));
                if covered { Standing::Applied } else { Standing::Pending }
            })
            .collect()
    }

    /// Rows that no migration of the folder answers to: what has run and isn't there any more.
    pub fn strays<'a>(&self, part: &Part, rows: &'a [Row]) -> Vec<&'a Row> {
        let keys = self.keys(part);
        let known =
            |row: &Row| keys.iter().flatten().any(|key| (self.compare)(key, &row.key) == Ordering::Equal);
        rows.iter().filter(|row| (row.applied || row.failed) && !known(row)).collect()
    }
}

/// Keys that are the same only if they are written alike.
pub fn as_text(a: &str, b: &str) -> Ordering {
    a.cmp(b)
}

/// The file's name without folder and `.sql`.
pub fn file_stem(relative: &str) -> String {
    let name = super::runner::file_name(relative);
    name.strip_suffix(".sql").unwrap_or(name).to_owned()
}

/// The folder that holds the migration's files.
pub fn folder_name(relative: &str) -> Option<String> {
    relative.split_once('/').map(|(folder, _)| folder.to_owned())
}
