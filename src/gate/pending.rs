//! Which migrations are pending: read from the tool's ledger in a database.

use postgres::Client;

use crate::migration::migration::{Direction, Migration};
use crate::migration::project::Part;
use crate::migration::project::ledger::{Ledger, Row, Standing};
use crate::rehearsal::report::Rehearsal;

/// What a ledger says about the migrations of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The ledger's table, as it was found.
    pub table: String,
    /// How each migration of the folder stands.
    pub standings: Vec<Standing>,
    /// How many have run.
    pub applied: usize,
    /// What stopped half way.
    pub failed: Vec<String>,
    /// What has run and has no file here.
    pub strays: Vec<String>,
}

const COLUMNS: &str = "
SELECT c.oid::regclass::text, a.attname::text
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.oid = to_regclass($1)";

/// Reads the ledger; none where the database has none of that tool's tables.
///
/// # Errors
/// When a query is refused, or the connection breaks.
pub fn read(client: &mut Client, ledger: &Ledger, part: &Part) -> Result<Option<Reading>, postgres::Error> {
    for name in ledger.tables {
        let found = client.query(COLUMNS, &[name])?;
        let columns: Vec<&str> = found.iter().map(|row| row.get(1)).collect();
        let Some(table) = found.first().map(|row| row.get::<_, String>(0)) else { continue };
        if !ledger.fits(&columns) {
            continue;
        }
        let rows: Vec<Row> = client
            .query(&ledger.query(&table), &[])?
            .iter()
            .map(|row| Row { key: row.get(0), applied: row.get(1), failed: row.get(2), up_to: row.get(3) })
            .collect();
        let standings = ledger.standings(part, &rows);
        return Ok(Some(Reading {
            applied: rows.iter().filter(|row| row.applied).count(),
            failed: rows.iter().filter(|row| row.failed).map(|row| row.key.clone()).collect(),
            strays: ledger.strays(part, &rows).into_iter().map(|row| row.key.clone()).collect(),
            table,
            standings,
        }));
    }
    Ok(None)
}

/// Makes the pending migrations of a folder those that are judged, their ways back with them; the rest is history.
pub fn judge_pending(part: &mut Part, standings: &[Standing]) {
    let pending =
        |standing: Option<&Standing>| matches!(standing, Some(Standing::Pending | Standing::Failed));
    let up: Vec<bool> = (0..part.migrations.len()).map(|index| pending(standings.get(index))).collect();
    for (index, migration) in part.migrations.iter_mut().enumerate() {
        migration.judged = match (migration.direction, migration.undoes) {
            (Direction::Down, Some(undoes)) => up.get(undoes).copied().unwrap_or(false),
            _ => up.get(index).copied().unwrap_or(false),
        };
    }
}

/// Makes those pending that a rehearsal ran, and what has come since: files that it neither ran nor says were history.
/// Gives how many came since. Where the project has other folders (`only` is false), one that the rehearsal knows no
/// file of is another than it was of.
pub fn judge_rehearsed(part: &mut Part, rehearsal: &Rehearsal, only: bool) -> usize {
    let ran: Vec<String> = rehearsal.files().into_iter().map(|file| file.path).collect();
    let is_of = |files: &[String], migration: &Migration| {
        let path = migration.path.display().to_string();
        files.iter().any(|file| same_file(file, &path))
    };
    let history = rehearsal.run.pending.history.as_deref();
    let known = |migration: &Migration| {
        is_of(&ran, migration) || history.is_some_and(|history| is_of(history, migration))
    };
    let first = part.migrations.iter().position(known);
    let mut since = 0;
    let up: Vec<bool> = part
        .migrations
        .iter()
        .enumerate()
        .map(|(index, migration)| {
            let forward = matches!(migration.direction, Direction::Up | Direction::Repeatable);
            // An older report doesn't say what was history: then it is what comes before.
            let before = history.is_none() && first.is_none_or(|first| index < first);
            let is_new = forward && (only || first.is_some()) && !before && !known(migration);
            since += usize::from(is_new);
            is_new || is_of(&ran, migration)
        })
        .collect();
    for (migration, own) in part.migrations.iter_mut().zip(&up) {
        let undone = migration.undoes.and_then(|undoes| up.get(undoes));
        migration.judged = *undone.unwrap_or(own);
    }
    since
}

/// Reports are made in one directory and read in another: what names the migration is the end of its path.
pub fn same_file(one: &str, other: &str) -> bool {
    let (one, other) = (one.trim_start_matches("./"), other.trim_start_matches("./"));
    let end = |long: &str, short: &str| {
        long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with(['/', '\\']))
    };
    end(one, other) || end(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_file_is_known_by_the_end_of_its_path() {
        assert!(same_file("db/migrate/1.up.sql", "./db/migrate/1.up.sql"));
        assert!(same_file("/srv/app/db/migrate/1.up.sql", "migrate/1.up.sql"));
        assert!(!same_file("db/11.up.sql", "1.up.sql"));
        assert!(!same_file("a/1.sql", "b/1.sql"));
    }
}
