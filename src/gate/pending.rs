//! Which migrations are pending: read from the tool's ledger in a database.

use postgres::Client;

use crate::migration::migration::Direction;
use crate::migration::project::Part;
use crate::migration::project::ledger::{Ledger, Row, Standing};

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
