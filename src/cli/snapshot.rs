//! `rollsafe snapshot`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::Outcome;
use crate::amount;
use crate::backup::options::parse_time;
use crate::files;
use crate::migration::catalog::Catalog;
use crate::migration::project::ledger::Ledger;
use crate::migration::project::runners::RUNNERS;
use crate::postgres::connection::{Connection, Limits};
use crate::postgres::snapshot::{self, LedgerProbe};
use crate::snapshot::Snapshot;

/// Write schema, sizes and settings of a live database to a file, for lint --snapshot and others
///
/// One read-only transaction with time limits, as any role. No rows and no passwords: relations with columns,
/// constraints, indexes and sizes, types, functions without their bodies, settings, what the migration tool has noted as
/// applied, and, where pg_stat_statements is installed, the queries of each table with calls per second. What the role may not read is
/// named. The file has a stable order and one line for each object: it can be committed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    rollsafe snapshot --database-url postgresql://reader@db.example/shop?sslmode=verify-full -o schema.snapshot.json\n  \
    PGHOST=db.example PGDATABASE=shop rollsafe snapshot -o schema.snapshot.json\n  \
    rollsafe lint --snapshot schema.snapshot.json\n\n\
    The password comes from ~/.pgpass, PGPASSWORD or the URL; it is never printed or written.\n\
    Exit codes: 0 written; 2 not.")]
pub struct SnapshotArgs {
    /// The database: postgresql://user@host/database, or host=… dbname=… [default: what PGHOST, PGDATABASE and the like say]
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// The file to write; `-` for standard output
    #[arg(short, long, value_name = "FILE", default_value = "schema.snapshot.json")]
    output: PathBuf,
    /// How long a query of the system catalogs may take; 0: any time
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "60s")]
    statement_timeout: u64,
    /// How long to wait for a relation that a running migration has locked; 0: any time
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "5s")]
    lock_timeout: u64,
    /// Leave out the queries that pg_stat_statements has counted
    #[arg(long)]
    no_queries: bool,
}

/// Runs it.
pub fn run(arguments: &SnapshotArgs) -> Outcome {
    let to_stdout = arguments.output.as_os_str() == "-";
    if !to_stdout && let Err(error) = files::check_target(&arguments.output) {
        return Outcome::failed(error);
    }
    let connection = match Connection::new(arguments.database_url.as_deref()) {
        Ok(connection) => connection,
        Err(error) => return Outcome::failed(format!("--database-url: {error}")),
    };
    let limits = Limits {
        statement: Duration::from_secs(arguments.statement_timeout),
        lock: Duration::from_secs(arguments.lock_timeout),
        ..Limits::default()
    };
    let mut snapshot = match take(&connection, &limits) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            let hint = error.hint().map(|hint| format!("\nhelp: {hint}")).unwrap_or_default();
            return Outcome::failed(format!("{error}{hint}"));
        }
    };
    if arguments.no_queries {
        snapshot.queries = None;
    }
    let live = Catalog::from_snapshot(&snapshot);
    let text = snapshot.to_json();
    if to_stdout {
        return Outcome { stdout: text, stderr: notes(&snapshot, &live.not_understood), code: 0 };
    }
    if let Err(error) = files::write_whole(&arguments.output, text.as_bytes()) {
        return Outcome::failed(error);
    }
    Outcome {
        stdout: format!("{}: {}", arguments.output.display(), told(&snapshot, text.len())),
        stderr: notes(&snapshot, &live.not_understood),
        code: 0,
    }
}

/// Takes a snapshot, each query family with the relations that it touches, and what every known migration tool has
/// noted.
///
/// # Errors
/// When the database can't be reached or asked.
pub fn take(connection: &Connection, limits: &Limits) -> Result<Snapshot, snapshot::TakeError> {
    let ledgers: Vec<(&str, &Ledger)> =
        RUNNERS.iter().filter_map(|runner| Some((runner.name, runner.ledger.as_ref()?))).collect();
    let fits: Vec<_> = ledgers.iter().map(|(_, ledger)| |columns: &[&str]| ledger.fits(columns)).collect();
    let queries: Vec<_> = ledgers.iter().map(|(_, ledger)| |table: &str| ledger.query(table)).collect();
    let probes: Vec<LedgerProbe<'_>> = ledgers
        .iter()
        .zip(fits.iter().zip(&queries))
        .map(|((runner, ledger), (fits, query))| LedgerProbe { runner, tables: ledger.tables, fits, query })
        .collect();
    let mut snapshot = snapshot::take(connection, limits, &probes)?;
    if let Some(mut queries) = snapshot.queries.take() {
        let search_path = snapshot.settings.get("search_path").cloned().unwrap_or_default();
        let catalog = Catalog::from_snapshot(&snapshot).catalog;
        catalog.attribute(&mut queries, &search_path, snapshot.server.major());
        snapshot.queries = Some(queries);
    }
    Ok(snapshot)
}

fn told(snapshot: &Snapshot, bytes: usize) -> String {
    let server = &snapshot.server;
    let sized: Vec<_> = snapshot.relations.iter().filter_map(|relation| relation.size.as_ref()).collect();
    let total: u64 = sized.iter().map(|size| size.bytes + size.index_bytes).sum();
    let mut text = format!(
        "{} relations ({} with {} of data and indexes), {} types, {} functions of {} on PostgreSQL {}; {} KB\n",
        snapshot.relations.len(),
        sized.len(),
        amount::bytes(total),
        snapshot.types.len(),
        snapshot.functions.len(),
        server.database,
        server.version,
        bytes.div_ceil(1000),
    );
    for ledger in &snapshot.ledgers {
        let applied = ledger.rows.iter().filter(|row| row.applied).count();
        text.push_str(&format!(
            "{}: {applied} migrations applied ({})\n",
            ledger.table,
            ledger.runners.join(" or ")
        ));
    }
    match &snapshot.queries {
        Some(queries) => {
            let since = queries.since.as_deref().map(|since| format!(" since {since}")).unwrap_or_default();
            text.push_str(&format!("{} query families{since}\n", queries.families.len()));
        }
        None => text.push_str("no query families: pg_stat_statements isn't installed in this database\n"),
    }
    let guessed = sized.iter().filter(|size| size.rows_from == crate::snapshot::RowsFrom::Width).count();
    if guessed > 0 {
        text.push_str(&format!(
            "{guessed} tables were never analyzed: their rows are guessed from their bytes (ANALYZE mends it)\n"
        ));
    }
    text
}

/// What is missing from it.
fn notes(snapshot: &Snapshot, not_understood: &[String]) -> String {
    let mut text = String::new();
    for missing in &snapshot.not_read {
        text.push_str(&format!("note: not read: {}: {}\n", missing.what, missing.why));
    }
    for one in not_understood {
        text.push_str(&format!("note: lint will not see: {one}\n"));
    }
    text
}
