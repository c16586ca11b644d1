//! `rollsafe backup`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Outcome;
use crate::amount;
use crate::backup::options::parse_time;
use crate::backup::take::{self, DumpFormat, TakeError, TakeOptions, Taken};
use crate::postgres::connection::Connection;

/// Take a dump that holds what the database held, proved before it gets its name
///
/// Runs pg_dump under another name, counts the rows of each table in the same snapshot, reads the dump back to
/// its last byte, compares, and only then renames it. Nothing that is there already is overwritten unless --replace is
/// given, and then only by a dump that passed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    rollsafe backup --database-url postgresql://backup@db/shop -o shop.dump --write-manifest shop.json\n  \
    rollsafe backup --dump-format directory --jobs 4 --compress zstd:3 -o shop/ --replace\n  \
    rollsafe backup -o shop.dump -- --exclude-table-data=audit.log\n\n\
    The password comes from ~/.pgpass, PGPASSWORD or the URL; it is never printed.\n\
    Exit codes: 0 taken and verified; 1 the dump doesn't hold what the database held; 2 it could not be taken.")]
pub struct BackupArgs {
    /// The database: postgresql://user@host/database [default: what PGHOST, PGDATABASE and the like say]
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// The file (for --dump-format directory: the directory) that the dump becomes
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The layout of the dump
    #[arg(long, value_enum, default_value_t = Layout::Custom)]
    dump_format: Layout,
    /// pg_dump's --compress: zstd:3, gzip:6, 9, none
    #[arg(long, value_name = "METHOD")]
    compress: Option<String>,
    /// Parallel jobs, for --dump-format directory
    #[arg(short, long, default_value_t = 1, value_name = "N")]
    jobs: usize,
    /// Replace a dump of that name, once the new one has passed
    #[arg(long)]
    replace: bool,
    /// Go on with less free space than the database may need
    #[arg(long)]
    ignore_space: bool,
    /// Write a manifest, by which any later change of the dump is found
    #[arg(long, value_name = "FILE")]
    write_manifest: Option<PathBuf>,
    /// When to give up, for example 2h
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "24h")]
    limit: u64,
    /// More arguments for pg_dump; what they leave out is told
    #[arg(last = true, value_name = "PG_DUMP ARGUMENTS")]
    extra: Vec<String>,
}

/// `--dump-format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Layout {
    /// One compressed file
    Custom,
    /// A directory with a file for each table; can be written in parallel
    Directory,
    /// One uncompressed tar file
    Tar,
    /// SQL text
    Plain,
}

/// Runs it.
pub fn run(arguments: &BackupArgs) -> Outcome {
    let connection = match Connection::new(arguments.database_url.as_deref()) {
        Ok(connection) => connection,
        Err(error) => return Outcome::failed(format!("--database-url: {error}")),
    };
    let options = TakeOptions {
        connection,
        output: arguments.output.clone(),
        format: match arguments.dump_format {
            Layout::Custom => DumpFormat::Custom,
            Layout::Directory => DumpFormat::Directory,
            Layout::Tar => DumpFormat::Tar,
            Layout::Plain => DumpFormat::Plain,
        },
        compress: arguments.compress.clone(),
        jobs: arguments.jobs.max(1),
        replace: arguments.replace,
        ignore_space: arguments.ignore_space,
        manifest: arguments.write_manifest.clone(),
        extra: arguments.extra.clone(),
        limit: Duration::from_secs(arguments.limit),
    };
    match take::take(&options) {
        Ok(taken) => Outcome::ok(told(&taken)),
        Err(error) => {
            let hint = error.hint().map(|hint| format!("\nhelp: {hint}")).unwrap_or_default();
            let mut outcome = Outcome::failed(format!("{}{hint}", with_causes(&error)));
            outcome.code = if matches!(error, TakeError::NotVerified { .. }) { 1 } else { 2 };
            outcome
        }
    }
}

/// The error and what caused it; some causes stand in their error's own text already.
fn with_causes(error: &TakeError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(&format!(": {said}"));
        }
        source = cause.source();
    }
    text
}

fn told(taken: &Taken) -> String {
    let held: Vec<_> = taken.tables.iter().filter(|table| !taken.left_out.contains(&table.name)).collect();
    let rows: u64 = held.iter().map(|table| table.rows).sum();
    let large_objects = taken.large_objects - taken.large_objects_left_out;
    let whole = taken.left_out.is_empty() && taken.large_objects_left_out == 0;
    let mut text = format!(
        "{}: {}; {} tables, {rows} rows and {large_objects} large objects of {} (PostgreSQL {}, pg_dump {})\n\
         dumped in {:.1} s, read back in {:.1} s: {}\n",
        taken.path.display(),
        amount::bytes(taken.bytes),
        held.len(),
        taken.database,
        taken.server_version,
        taken.pg_dump_version,
        taken.dump_seconds,
        taken.verify_seconds,
        match (whole, held.is_empty()) {
            (true, _) => "every row that the snapshot held is in it",
            (false, true) => "no row of the snapshot is in it",
            (false, false) => "of what wasn't left out, every row that the snapshot held is in it",
        },
    );
    if !whole {
        let mut left_out = taken.left_out.clone();
        if taken.large_objects_left_out > 0 {
            left_out.push(format!("{} large objects", taken.large_objects_left_out));
        }
        text.push_str(&format!("left out as asked: {}\n", left_out.join(", ")));
    }
    if !taken.warnings.trim().is_empty() {
        text.push_str(&format!("pg_dump said: {}\n", taken.warnings.trim()));
    }
    text.push_str("verified but for the restore: rollsafe verify-backup restores it and compares\n");
    text
}
