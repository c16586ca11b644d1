//! Takes a dump: under another name first, counted in the snapshot that it is taken from, read back and
//! compared, and only then given its name.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use crate::amount;
use crate::backup::archive::directory::is_part;
use crate::backup::archive::{Archive, OpenError};
use crate::backup::evidence::Evidence;
use crate::backup::manifest::{self, ManifestError};
use crate::backup::options::{Restore, VerifyOptions};
use crate::backup::verify::{Report, VerifyError, verify};
use crate::finding::Severity;
use crate::postgres::child::{Ended, Run, RunError};
use crate::postgres::cluster::free_bytes;
use crate::postgres::connection::Connection;
use crate::postgres::ephemeral::Unfinished;
use crate::postgres::psql::{PsqlError, PsqlSession};
use crate::postgres::sql_text::quote_identifier;
use crate::postgres::tools::{Installations, Tool, ToolsError, Wanted};
use crate::postgres::version::PgVersion;

/// How a dump is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DumpFormat {
    /// One compressed file.
    #[default]
    Custom,
    /// A directory with a compressed file for each table; the one that can be written in parallel.
    Directory,
    /// One uncompressed tar file.
    Tar,
    /// SQL text.
    Plain,
}

impl DumpFormat {
    /// As pg_dump's `--format` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            DumpFormat::Custom => "custom",
            DumpFormat::Directory => "directory",
            DumpFormat::Tar => "tar",
            DumpFormat::Plain => "plain",
        }
    }
}

/// What to dump, and where to.
#[derive(Clone, Debug)]
pub struct TakeOptions {
    /// The server and database.
    pub connection: Connection,
    /// The file, or directory, that the dump becomes.
    pub output: PathBuf,
    /// Its layout.
    pub format: DumpFormat,
    /// pg_dump's `--compress`: `zstd:3`, `9`.
    pub compress: Option<String>,
    /// Parallel jobs of pg_dump, for a directory.
    pub jobs: usize,
    /// Whether an output that is there already may be replaced (by a verified one).
    pub replace: bool,
    /// Whether to go on with less space free than the database may need.
    pub ignore_space: bool,
    /// Where to write the manifest of the dump.
    pub manifest: Option<PathBuf>,
    /// More arguments for pg_dump, at the user's own risk: what they leave out is told, not refused.
    pub extra: Vec<String>,
    /// When to give up.
    pub limit: Duration,
}

/// A table in the snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CountedTable {
    /// `public.users`
    pub name: String,
    /// Rows that the database held.
    pub rows: u64,
    /// Rows that the dump holds; none when it has no data of the table.
    pub in_dump: Option<u64>,
}

/// A dump that was taken and verified.
#[derive(Debug)]
pub struct Taken {
    /// Where it is.
    pub path: PathBuf,
    /// How large.
    pub bytes: u64,
    /// How long pg_dump took.
    pub dump_seconds: f64,
    /// How long reading it back took.
    pub verify_seconds: f64,
    /// The database.
    pub database: String,
    /// The server.
    pub server_version: PgVersion,
    /// The pg_dump.
    pub pg_dump_version: PgVersion,
    /// Every table of the snapshot.
    pub tables: Vec<CountedTable>,
    /// Large objects of the snapshot.
    pub large_objects: u64,
    /// What pg_dump said although it succeeded.
    pub warnings: String,
    /// Tables that the extra arguments left out.
    pub left_out: Vec<String>,
    /// Large objects that they left out.
    pub large_objects_left_out: u64,
    /// What reading it back gave.
    pub evidence: Evidence,
}

/// No dump, or none that may be called one.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// No psql or pg_dump, or too old ones.
    #[error(transparent)]
    Tools(#[from] ToolsError),
    /// A program could not be run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The server can't be asked.
    #[error("{server}: {source}")]
    Server {
        /// Which.
        server: String,
        /// What it said.
        source: PsqlError,
    },
    /// Something has that name already.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// Something has that name that isn't a dump, and is not replaced by one.
    #[error("{} is there already and is not replaced: {why}", path.display())]
    NoDump {
        /// What.
        path: PathBuf,
        /// What speaks against its being a dump.
        why: String,
    },
    /// It would not fit.
    #[error(
        "{} has {} free; the database is {}, and its dump may need {}",
        directory.display(), amount::bytes(*free), amount::bytes(*database), amount::bytes(*needed)
    )]
    Space {
        /// Where it would go.
        directory: PathBuf,
        /// Bytes free there.
        free: u64,
        /// Bytes of the database.
        database: u64,
        /// Bytes asked for.
        needed: u64,
    },
    /// pg_dump failed. Nothing is left of its output.
    #[error("pg_dump ended with {status}: {said}")]
    PgDump {
        /// How it ended.
        status: ExitStatus,
        /// The end of its messages.
        said: String,
    },
    /// The dump can't be read back.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The dump is there and verified, its manifest isn't.
    #[error("the dump is verified, but {0}")]
    Manifest(#[from] ManifestError),
    /// The dump doesn't hold what the database held.
    #[error("the dump was not verified and is kept as {}: {}", kept.display(), reasons.join("; "))]
    NotVerified {
        /// Its name now.
        kept: PathBuf,
        /// Why not.
        reasons: Vec<String>,
    },
    /// A file could not be written or renamed.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl TakeError {
    fn io(action: &'static str, path: &Path, source: io::Error) -> TakeError {
        TakeError::Io { action, path: path.to_owned(), source }
    }

    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            TakeError::Tools(error) => Some(error.hint()),
            TakeError::Exists(path) => Some(format!(
                "choose another name, or replace it once the new dump is verified:\n  --replace\nkept until then: {}",
                path.display()
            )),
            TakeError::NoDump { .. } => Some(
                "--replace only replaces dumps; choose another name, or move away what has this one"
                    .to_owned(),
            ),
            TakeError::Space { .. } => Some(
                "free some space, choose another place, or go on regardless with --ignore-space".to_owned(),
            ),
            TakeError::NotVerified { kept, .. } => {
                Some(format!("see what is wrong with it:\n  rollsafe verify-backup {}", kept.display()))
            }
            _ => None,
        }
    }
}

/// The tables whose rows pg_dump dumps: ordinary ones, partitions among them, that belong to no extension; a partition
/// with the table that all of it is a part of, through which pg_dump may write its rows.
const TABLES: &str = "WITH RECURSIVE above (leaf, relid, depth) AS (
       SELECT i.inhrelid, i.inhparent, 1 FROM pg_catalog.pg_inherits i
         JOIN pg_catalog.pg_class p ON p.oid = i.inhparent AND p.relkind = 'p'
       UNION ALL
       SELECT a.leaf, i.inhparent, a.depth + 1 FROM above a JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.relid)
  SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(n.nspname, c.relname,
             (SELECT rn.nspname || '.' || r.relname FROM above a
                JOIN pg_catalog.pg_class r ON r.oid = a.relid JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
               WHERE a.leaf = c.oid ORDER BY a.depth DESC LIMIT 1)) ORDER BY c.relpages DESC), '[]')
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                        AND d.objid = c.oid AND d.deptype = 'e')";

/// Takes a dump and verifies it. The output has its name only if everything in it could be read back and
/// every table holds as many rows as the database did in the dump's snapshot.
///
/// # Errors
/// When there is no verified dump; then what had the output's name before still has it.
pub fn take(options: &TakeOptions) -> Result<Taken, TakeError> {
    // A slash at the end would make a name of every name that is put together with it: `shop/.replaced`.
    let output = &options.output.components().collect::<PathBuf>();
    if output.symlink_metadata().is_ok() {
        if !options.replace {
            return Err(TakeError::Exists(output.clone()));
        }
        let no_dump = |why: String| TakeError::NoDump { path: output.clone(), why };
        is_dump(output).map_err(no_dump)?;
        // Whoever names an empty directory may mean that the dump goes into it.
        if options.format != DumpFormat::Directory && is_empty(output) {
            return Err(no_dump("it is an empty directory, and this dump is a file".to_owned()));
        }
    }
    let deadline = Instant::now() + options.limit;
    let installations = Installations::find();
    let psql = installations.select(Wanted::Newest, &[Tool::Psql])?.tool(Tool::Psql)?;
    let mut session = Session::begin(&psql, options)?;
    // pg_dump refuses servers newer than itself.
    let installation = installations.select(Wanted::AtLeast(session.version), &[Tool::PgDump])?;
    let pg_dump = installation.tool(Tool::PgDump)?;
    let directory = match output.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    check_space(&directory, &session, options)?;

    let unfinished = Unfinished::create(output, options.format == DumpFormat::Directory)
        .map_err(|source| TakeError::io("write", output, source))?;
    let mut run = Run::new(&pg_dump, deadline.saturating_duration_since(Instant::now()))
        .keep_pg_environment()
        .args(options.connection.arguments())
        .arg(format!("--format={}", options.format.as_str()))
        .arg(format!("--snapshot={}", session.snapshot))
        .arg("--file")
        .arg(unfinished.path());
    for (name, value) in options.connection.environment() {
        run = run.env(name, value);
    }
    if let Some(compress) = &options.compress {
        run = run.arg(format!("--compress={compress}"));
    }
    if options.format == DumpFormat::Directory && options.jobs > 1 {
        run = run.arg(format!("--jobs={}", options.jobs));
    }
    let run = run.args(&options.extra);
    let server = options.connection.to_string();
    let in_vain = AtomicBool::new(false);
    let (ended, counted) = std::thread::scope(|scope| {
        // Counted meanwhile: both read the same snapshot.
        let counting = scope.spawn(|| session.count(&in_vain));
        let ended = run.to_end();
        in_vain.store(!ended.as_ref().is_ok_and(Ended::succeeded), Ordering::Relaxed);
        let counted = counting.join().unwrap_or_else(|_| Err(PsqlError::Said("counting failed".to_owned())));
        (ended, counted)
    });
    // First: when the session with the snapshot ends, pg_dump fails for lack of it.
    let mut tables = counted.map_err(|source| TakeError::Server { server, source })?;
    let ended = ended?;
    if !ended.succeeded() {
        return Err(TakeError::PgDump { status: ended.status, said: ended.stderr.last_lines(12) });
    }

    let started = Instant::now();
    let mut report = read_back(unfinished.path())?;
    let (reasons, left_out) =
        compare(&mut tables, &session.roots(), session.large_objects, &report, !options.extra.is_empty());
    if !reasons.is_empty() {
        let kept = beside(output, ".unverified");
        remove(&kept).map_err(|source| TakeError::io("replace", &kept, source))?;
        fs::rename(unfinished.path(), &kept)
            .map_err(|source| TakeError::io("rename", unfinished.path(), source))?;
        unfinished.keep();
        return Err(TakeError::NotVerified { kept, reasons });
    }
    let verify_seconds = started.elapsed().as_secs_f64();
    give_name(unfinished.path(), output, &directory)?;
    unfinished.keep();
    report.evidence.file.path.clone_from(output);
    if let Some(path) = &options.manifest {
        let sha256 = manifest::sha256(output).map_err(|source| TakeError::io("read", output, source))?;
        report.evidence.sha256 = Some(sha256);
        manifest::write(path, &report.evidence)?;
    }
    Ok(Taken {
        path: output.clone(),
        bytes: report.evidence.file.size,
        dump_seconds: ended.took.as_secs_f64(),
        verify_seconds,
        database: session.database.clone(),
        server_version: session.version,
        pg_dump_version: installation.version(),
        tables,
        large_objects: session.large_objects,
        large_objects_left_out: session.large_objects.saturating_sub(report.evidence.large_objects.count),
        warnings: ended.stderr.text(),
        left_out,
        evidence: report.evidence,
    })
}

/// A transaction whose snapshot is the dump's.
struct Session {
    psql: PsqlSession,
    version: PgVersion,
    database: String,
    snapshot: String,
    large_objects: u64,
    tables: Vec<Relation>,
    /// Bytes of the database, indexes included.
    bytes: u64,
}

/// A table to be counted.
struct Relation {
    schema: String,
    name: String,
    /// The partitioned table that all of it is a part of.
    root: Option<String>,
}

impl Relation {
    fn qualified(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

impl Session {
    fn begin(psql: &Path, options: &TakeOptions) -> Result<Session, TakeError> {
        let failed = |source| TakeError::Server { server: options.connection.to_string(), source };
        let mut psql = PsqlSession::start(psql, &options.connection, options.limit).map_err(failed)?;
        psql.run(
            // row_security off: a count that row security would make too small fails instead.
            "SET search_path = ''; SET statement_timeout = 0; SET lock_timeout = 0; SET row_security = off;
             SET idle_in_transaction_session_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        )
        .map_err(failed)?;
        let facts = psql
            .ask(
                "SELECT pg_catalog.jsonb_build_array(pg_catalog.current_setting('server_version_num')::int,
                     pg_catalog.current_database(), pg_catalog.pg_export_snapshot(),
                     (SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata),
                     pg_catalog.pg_database_size(pg_catalog.current_database()))",
            )
            .map_err(failed)?;
        let tables = psql.ask(TABLES).map_err(failed)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let rows = tables.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(Session {
            psql,
            version: PgVersion::from_number(u32::try_from(facts[0].as_u64().unwrap_or(0)).unwrap_or(0)),
            database: text(&facts[1]),
            snapshot: text(&facts[2]),
            large_objects: facts[3].as_u64().unwrap_or(0),
            tables: rows
                .iter()
                .map(|row| Relation {
                    schema: text(&row[0]),
                    name: text(&row[1]),
                    root: row[2].as_str().map(str::to_owned),
                })
                .collect(),
            bytes: facts[4].as_u64().unwrap_or(0),
        })
    }

    /// Counts the rows of every table, unless it is `in_vain`.
    fn count(&mut self, in_vain: &AtomicBool) -> Result<Vec<CountedTable>, PsqlError> {
        let mut counted = vec![];
        for table in &self.tables {
            if in_vain.load(Ordering::Relaxed) {
                break;
            }
            let relation = format!("{}.{}", quote_identifier(&table.schema), quote_identifier(&table.name));
            let rows = self
                .psql
                .ask(&format!("SELECT pg_catalog.to_jsonb(pg_catalog.count(*)) FROM ONLY {relation}"))?;
            counted.push(CountedTable {
                name: table.qualified(),
                rows: rows.as_u64().unwrap_or(0),
                in_dump: None,
            });
        }
        Ok(counted)
    }

    /// The root of each partition.
    fn roots(&self) -> BTreeMap<String, String> {
        self.tables.iter().filter_map(|table| Some((table.qualified(), table.root.clone()?))).collect()
    }
}

fn check_space(directory: &Path, session: &Session, options: &TakeOptions) -> Result<(), TakeError> {
    let free = free_bytes(directory).map_err(|source| TakeError::io("enter", directory, source))?;
    // Rows as text take about the space that they take in the heap; indexes aren't dumped. Compressed, a
    // dump is seldom more than a fifth of the database; a third is asked for.
    let compressed = matches!(options.format, DumpFormat::Custom | DumpFormat::Directory)
        && options.compress.as_deref().is_none_or(|how| how != "0" && how != "none");
    let needed = if compressed { session.bytes / 3 } else { session.bytes };
    if free < needed && !options.ignore_space {
        return Err(TakeError::Space {
            directory: directory.to_owned(),
            free,
            database: session.bytes,
            needed,
        });
    }
    Ok(())
}

/// Reads the whole dump as `verify-backup` does, without restoring it.
fn read_back(path: &Path) -> Result<Report, VerifyError> {
    let mut options = VerifyOptions::new(path);
    // How small a database may be is for who verifies it later to say.
    (options.limits.min_size, options.limits.min_tables) = (0, 0);
    options.restore = Restore::Never;
    verify(&options, &Arc::default())
}

/// Why the dump doesn't hold what the database held, and which tables it leaves out on demand.
fn compare(
    tables: &mut [CountedTable],
    roots: &BTreeMap<String, String>,
    large_objects: u64,
    report: &Report,
    may_leave_out: bool,
) -> (Vec<String>, Vec<String>) {
    let evidence = &report.evidence;
    let mut reasons: Vec<String> = report
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .filter(|finding| !(may_leave_out && finding.code == "data_not_included"))
        .map(|finding| finding.message.clone())
        .collect();
    let mut left_out = vec![];
    let in_dump: BTreeMap<&str, u64> =
        evidence.tables.iter().map(|table| (table.name.as_str(), table.rows)).collect();
    let defined: BTreeMap<&str, bool> = evidence
        .contents
        .iter()
        .flat_map(|contents| &contents.tables)
        .map(|table| (table.name.as_str(), table.has_data))
        .collect();
    // Partitions whose rows were written through their root (by --load-via-partition-root, and always where the hash of an
    // enum tells the partition) are only counted together in the dump.
    let mut through: BTreeMap<&str, u64> = BTreeMap::new();
    for table in tables {
        let root = roots
            .get(&table.name)
            .filter(|root| in_dump.contains_key(root.as_str()))
            // One that isn't defined in a dump with definitions was left out, and its rows with it.
            .filter(|_| defined.get(table.name.as_str()).map_or(defined.is_empty(), |has_data| *has_data));
        table.in_dump = in_dump.get(table.name.as_str()).copied();
        match (table.in_dump, root) {
            (Some(rows), _) if rows == table.rows => {}
            (Some(rows), _) => {
                reasons.push(format!("{} has {} rows, the dump holds {rows}", table.name, table.rows));
            }
            (None, Some(root)) => {
                *through.entry(root).or_default() += table.rows;
                table.in_dump = Some(table.rows);
            }
            // Of an empty table INSERT statements leave no trace.
            (None, None) if table.rows == 0 => {
                if may_leave_out && !defined.is_empty() && !defined.contains_key(table.name.as_str()) {
                    left_out.push(table.name.clone());
                }
            }
            (None, None) if may_leave_out => left_out.push(table.name.clone()),
            (None, None) => reasons.push(format!("{} isn't in the dump", table.name)),
        }
    }
    for (root, rows) in through {
        let held = in_dump.get(root).copied().unwrap_or(0);
        if held != rows {
            reasons.push(format!("the partitions of {root} have {rows} rows, the dump holds {held}"));
        }
    }
    if !may_leave_out && evidence.large_objects.count != large_objects {
        let found = evidence.large_objects.count;
        reasons.push(format!("there are {large_objects} large objects, the dump holds {found}"));
    }
    (reasons, left_out)
}

/// Puts the finished dump in the place of what had its name before.
fn give_name(unfinished: &Path, output: &Path, directory: &Path) -> Result<(), TakeError> {
    let old = beside(output, ".replaced");
    // Of two directories, or a directory and a file, the one can't be renamed over the other.
    let has_old = output.is_dir() || (unfinished.is_dir() && output.symlink_metadata().is_ok());
    if has_old {
        remove(&old).map_err(|source| TakeError::io("remove", &old, source))?;
        fs::rename(output, &old).map_err(|source| TakeError::io("rename", output, source))?;
    }
    fs::rename(unfinished, output).map_err(|source| TakeError::io("rename", unfinished, source))?;
    // The name has to reach the disk as well; pg_dump has synced the content.
    let _ = fs::File::open(directory).and_then(|directory| directory.sync_all());
    if has_old {
        remove(&old).map_err(|source| TakeError::io("remove", &old, source))?;
    }
    Ok(())
}

/// Whether what is at `path` can be replaced by a dump: it is one, or holds nothing. Otherwise why not.
fn is_dump(path: &Path) -> Result<(), String> {
    if path.is_dir() {
        let entries = fs::read_dir(path).map_err(|error| format!("it can't be looked into ({error})"))?;
        let mut names = vec![];
        for entry in entries {
            let entry = entry.map_err(|error| format!("it can't be looked into ({error})"))?;
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            names.push((entry.file_name().to_string_lossy().into_owned(), is_file));
        }
        if names.is_empty() {
            return Ok(());
        }
        if let Some((name, _)) = names.iter().find(|(name, is_file)| !is_file || !is_part(name)) {
            return Err(format!("it holds {name}, which isn't part of a dump"));
        }
    }
    match Archive::open(path, &Arc::default()) {
        Ok(archive) if archive.without_heading => {
            Err("it doesn't begin as a dump of pg_dump does".to_owned())
        }
        Ok(_) | Err(OpenError::Empty(_)) => Ok(()),
        Err(OpenError::NotRecognised { what, .. }) => Err(what),
        Err(OpenError::Missing(_)) => Err("it is a link to nothing, or no dump".to_owned()),
        Err(error @ OpenError::Io { .. }) => Err(error.to_string()),
    }
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// A name beside `output` that is free, or that a dump has which may go.
fn beside(output: &Path, suffix: &str) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(suffix);
    let path = PathBuf::from(&name);
    if path.symlink_metadata().is_err() || is_dump(&path).is_ok() {
        return path;
    }
    name.push(format!("-{}", std::process::id()));
    PathBuf::from(name)
}
