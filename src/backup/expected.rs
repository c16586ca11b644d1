//! Which tables a backup must hold, as a live database says, or a snapshot of one.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::evidence::ExpectedTables;
use crate::postgres::connection::{Connection, ConnectionError, Limits, begin_reading, reason};
use crate::snapshot::{RelationKind, Snapshot};

/// No snapshot of a real database is larger.
const LONGEST: u64 = 1 << 30;
/// Tables that pg_dump dumps: ordinary and partitioned ones, of no extension and no session.
const TABLES: &str = "SELECT n.nspname::text || '.' || c.relname::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
     AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
   ORDER BY 1";

/// Nobody says which tables there must be.
#[derive(Debug, thiserror::Error)]
pub enum ExpectedError {
    /// The database can't be reached.
    #[error("the database whose tables are expected: {0}")]
    Connection(#[from] ConnectionError),
    /// It can't be asked.
    #[error("the database whose tables are expected: {0}")]
    Server(String),
    /// The snapshot can't be read.
    #[error("the snapshot {path}: {why}")]
    Snapshot {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl ExpectedError {
    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<&str> {
        match self {
            ExpectedError::Connection(error) => error.hint(),
            ExpectedError::Server(_) | ExpectedError::Snapshot { .. } => None,
        }
    }
}

/// The tables of the database that `url` names, read as a careful guest.
///
/// # Errors
/// When it can't be reached or asked.
pub fn of_database(url: &str) -> Result<ExpectedTables, ExpectedError> {
    let connection = Connection::new(Some(url))?;
    let limits = Limits::default();
    let mut client = connection.connect(&limits)?;
    let failed = |error| ExpectedError::Server(reason(&error));
    begin_reading(&mut client, &limits).map_err(failed)?;
    let rows = client.query(TABLES, &[]).map_err(failed)?;
    let tables: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    Ok(ExpectedTables { by: format!("the database {connection}"), tables: tables.map_err(failed)? })
}

/// The tables of a snapshot's file.
///
/// # Errors
/// When it can't be read, or is none.
pub fn of_snapshot(path: &Path) -> Result<ExpectedTables, ExpectedError> {
    let failed = |why: String| ExpectedError::Snapshot { path: path.to_owned(), why };
    let mut bytes = vec![];
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    file.take(LONGEST).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    let snapshot = Snapshot::from_json(&bytes).map_err(|error| failed(error.to_string()))?;
    let tables = snapshot
        .relations
        .iter()
        .filter(|relation| matches!(relation.kind, RelationKind::Table | RelationKind::PartitionedTable))
        .filter(|relation| relation.extension.is_none())
        .map(|relation| format!("{}.{}", relation.schema, relation.name))
        .collect();
    Ok(ExpectedTables { by: format!("the snapshot {}", path.display()), tables })
}
