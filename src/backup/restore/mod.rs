//! The restore stage: brings a dump into a throw-away server and compares what arrived with what the dump holds.
//!
//! # Trust
//! A dump runs code of its author's choice where it is restored (manual, "pg_dump", "pg_restore"). So
//! it is restored by a role that is no superuser, can't run programs or read the server's files, on a
//! server of its own without network. The superuser only creates, before anything of the dump is run,
//! what the role can't: the database, roles without rights, extensions that the server has. Plain
//! dumps never see psql.

mod archive;
mod compare;
mod declared;
mod errors;
pub mod keep;
mod names;
mod objects;
mod plan;
mod scan;
mod script;
mod target;
mod watch;
mod zone;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::backup::archive::{Archive, Format};
use crate::backup::checksum::{Checksum, RowSum};
use crate::postgres::child::RunError;
use crate::postgres::cluster::ClusterError;
use crate::postgres::connection::ConnectionError;
use crate::postgres::sql_text::quote_identifier;
use crate::postgres::tools::ToolsError;

pub use compare::{ObjectDifference, SequenceDifference, TableComparison};
pub(crate) use objects::ObjectSum;

pub use errors::{ErrorClass, RestoreError};

/// How to restore.
#[derive(Clone, Debug)]
pub struct Options {
    /// A server of one's own, as a connection URL; a scratch cluster otherwise. The dump goes into a
    /// new database there, which is dropped again.
    pub url: Option<String>,
    /// Where a scratch cluster goes; see [`crate::postgres::cluster::Options::scratch_directory`].
    pub scratch_directory: Option<PathBuf>,
    /// When a restore is stopped; and the comparison after it, which has as long again.
    pub hard_limit: Duration,
    /// Parallel jobs of pg_restore, where the format allows them.
    pub jobs: usize,
    /// Settings of the scratch cluster over and above its own.
    pub settings: Vec<(String, String)>,
    /// Bytes of the longest statement of a plain dump that is tried: a row of an INSERT may be large. The server itself takes
    /// 1 GB.
    pub longest_statement: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            url: None,
            scratch_directory: None,
            hard_limit: Duration::from_secs(20 * 60),
            jobs: std::thread::available_parallelism().map_or(1, |count| count.get().min(8)),
            settings: Vec::new(),
            longest_statement: 256 << 20,
        }
    }
}

/// What reading the dump found, to be held against what was restored. A key is the table as the COPY
/// statement names it: `public.users`, `public."Order's"`.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Rows of each table, by database and name. The database is empty but for a cluster's dump.
    pub tables: BTreeMap<(String, String), ExpectedTable>,
    /// Large objects, where they were read.
    pub large_objects: Option<LargeObjects>,
}

/// What the dump holds of one table.
#[derive(Clone, Debug, Default)]
pub struct ExpectedTable {
    /// The column list as in the COPY statement, with its parentheses; empty where it has none.
    pub columns: String,
    /// Rows, and their checksum unless only counted.
    pub sum: RowSum,
    /// Whether `sum` was hashed and not only counted.
    pub hashed: bool,
    /// Whether its COPY statements name the columns in different orders: then hashes of rows can't be put together.
    pub reordered: bool,
}

impl Expected {
    /// Adds the rows that one COPY statement introduces. Several may feed one table: partitions loaded
    /// through their root.
    pub fn add(&mut self, database: &str, copy: &str, sum: RowSum, hashed: bool) {
        let Some(target) = names::copy_target(copy) else { return };
        let key = (database.to_owned(), target.relation.to_owned());
        let first = !self.tables.contains_key(&key);
        let table = self.tables.entry(key).or_default();
        if first {
            table.columns = target.columns.to_owned();
        }
        table.reordered |= table.columns != target.columns;
        table.sum.merge(&sum);
        table.hashed = hashed && !table.reordered && (first || table.hashed);
    }

    /// Adds rows that INSERT statements write into `relation`, which can only be counted.
    pub fn add_inserted(&mut self, database: &str, relation: &str, rows: u64) {
        let table = self.tables.entry((database.to_owned(), relation.to_owned())).or_default();
        table.sum.rows += rows;
        table.hashed = false;
    }

    /// The COPY statement with its table's schema, which pg_dump leaves to the search_path before 10.3.
    pub(crate) fn in_schema<'a>(copy: &'a str, schema: Option<&str>) -> Cow<'a, str> {
        let written = names::copy_target(copy).and_then(|target| names::split_relation(target.relation));
        match (written, schema, copy.strip_prefix("COPY ")) {
            (Some((own, _)), Some(schema), Some(rest)) if own.is_empty() && !schema.is_empty() => {
                // Reports are easier to read without quotes, and this one name certainly needs none.
                let schema = if schema == "public" { schema.to_owned() } else { quote_identifier(schema) };
                format!("COPY {schema}.{rest}").into()
            }
            _ => copy.into(),
        }
    }

    fn tables_of(&self, database: &str) -> impl Iterator<Item = (&str, &ExpectedTable)> {
        self.tables
            .iter()
            .filter(move |((of, _), _)| of == database)
            .map(|((_, name), table)| (name.as_str(), table))
    }
}

/// How many large objects, and their bytes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LargeObjects {
    /// How many.
    pub count: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// The sum of the hashes of OID and content, where the content was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
}

impl LargeObjects {
    /// Whether nothing speaks against both being the same.
    pub fn agrees(&self, other: &LargeObjects) -> bool {
        let content = match (self.checksum, other.checksum) {
            (Some(own), Some(theirs)) => own == theirs,
            _ => true,
        };
        content && self.count == other.count && self.bytes == other.bytes
    }
}

/// What a restore showed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Restored {
    /// The server it was restored into.
    pub server_version: String,
    /// The pg_restore that did it; none for plain dumps.
    pub pg_restore_version: Option<String>,
    /// Parallel jobs.
    pub jobs: usize,
    /// How long restoring took, without starting the server and without comparing.
    pub seconds: f64,
    /// How long comparing took.
    pub compare_seconds: f64,
    /// Whether it was stopped at the hard limit; nothing is compared then.
    pub stopped: bool,
    /// How large the database became.
    pub database_bytes: Option<u64>,
    /// What the server or pg_restore complained about, the first thousand.
    pub errors: Vec<RestoreError>,
    /// How many complaints there were in all.
    pub errors_total: u64,
    /// Every table that the dump has rows of.
    pub tables: Vec<TableComparison>,
    /// Objects that aren't there or aren't valid.
    pub objects: Vec<ObjectDifference>,
    /// How many objects were looked for.
    pub objects_compared: u64,
    /// Sequences that stand elsewhere than in the dump, or behind their table's data.
    pub sequences: Vec<SequenceDifference>,
    /// Large objects: in the dump, restored.
    pub large_objects: Option<(LargeObjects, LargeObjects)>,
    /// What was left out on purpose, and why.
    pub not_restored: Vec<NotRestored>,
    /// Worth knowing about how it was restored.
    pub notes: Vec<String>,
}

/// Something in the dump that was not tried.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NotRestored {
    /// What it is: `EXTENSION postgis`, `EVENT TRIGGER audit`.
    pub what: String,
    /// Why it was left out.
    pub why: String,
}

impl Restored {
    /// Complaints that tell against the dump, not against the place it was restored in.
    pub fn errors_of_backup(&self) -> impl Iterator<Item = &RestoreError> {
        self.errors.iter().filter(|error| error.class == ErrorClass::Backup)
    }

    /// Whether all that the dump holds is there: no error of the dump's, every row counted, every
    /// object there and valid.
    pub fn is_whole(&self) -> bool {
        !self.stopped
            && self.errors_of_backup().next().is_none()
            && self.tables.iter().all(TableComparison::is_equal)
            && self.objects.is_empty()
            && self.large_objects.is_none_or(|(expected, found)| expected.agrees(&found))
    }

    /// Whether tables were left out of the comparison altogether, or something could not be made here and nobody knows
    /// whose fault that is: then the restore proves less than the whole dump.
    pub fn is_partial(&self) -> bool {
        self.tables.iter().any(|table| table.found_rows.is_none())
            || self
                .errors
                .iter()
                .any(|error| error.class == ErrorClass::Environment && !error.is_of_a_setting())
    }

    /// What could not be made here without telling against the dump, in words.
    pub fn refused_here(&self) -> Vec<String> {
        const NAMED: usize = 20;
        let of_place = |error: &&RestoreError| {
            matches!(error.class, ErrorClass::Environment | ErrorClass::Privilege) && !error.is_of_a_setting()
        };
        let mut told: Vec<String> = self
            .errors
            .iter()
            .filter(of_place)
            .take(NAMED)
            .map(|error| {
                let object = error.object.as_deref().unwrap_or("a statement");
                format!("{object}: {}", error.message.lines().next().unwrap_or("").trim())
            })
            .collect();
        let more = self.errors.iter().filter(of_place).count().saturating_sub(NAMED);
        if more > 0 {
            told.push(format!("{more} more objects"));
        }
        told
    }

    /// Whether something was left out or refused here, so that not all of the dump was restored: everything into one
    /// tablespace is all of it.
    pub fn leaves_out(&self) -> bool {
        self.not_restored.iter().any(|left| !left.what.starts_with("TABLESPACE "))
            || !self.refused_here().is_empty()
    }

    /// What could not be compared, in words; empty when everything was.
    pub fn not_compared(&self) -> Vec<String> {
        self.tables
            .iter()
            .filter_map(|table| Some(format!("{}: {}", table.name, table.not_compared.as_ref()?)))
            .collect()
    }
}

/// The dump could not be tried; nothing is said about the dump.
#[derive(Debug, thiserror::Error)]
pub enum RestoreFailure {
    /// No scratch cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// No pg_restore, or too old a one.
    #[error(transparent)]
    Tools(#[from] ToolsError),
    /// pg_restore could not be run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The server refused something that the dump has no part in.
    #[error("could not {action}: {}", errors::server_message(source))]
    Server {
        /// What was tried.
        action: String,
        /// What the server said.
        source: postgres::Error,
    },
    /// The user's server can't be reached.
    #[error("the restore URL can't be used: {0}")]
    Connection(ConnectionError),
    /// The connection URL can't be used.
    #[error("the restore URL can't be used: {0}")]
    Url(String),
    /// The disk is full.
    #[error("the disk became full in {place}")]
    NoSpace {
        /// Where.
        place: String,
    },
    /// pg_restore can't read such a dump, or the server went away.
    #[error("the restore could not be carried through: {0}")]
    Tool(String),
    /// A file could not be written.
    #[error("could not write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl RestoreFailure {
    pub(crate) fn server(action: impl Into<String>, source: postgres::Error) -> RestoreFailure {
        RestoreFailure::Server { action: action.into(), source }
    }

    /// The failure with what caused it, in one line.
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            let said = cause.to_string();
            // What the server said stands in the failure's own text already.
            if !text.contains(&said) && !matches!(self, RestoreFailure::Server { .. }) {
                text.push_str(&format!(": {said}"));
            }
            source = cause.source();
        }
        text
    }

    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            RestoreFailure::Cluster(error) => error.hint(),
            RestoreFailure::Tools(error) => Some(error.hint()),
            RestoreFailure::Connection(error) => error.hint().map(str::to_owned),
            RestoreFailure::Tool(message) if message.contains("compress") => Some(format!(
                "this pg_restore was built without that compression; name another one:\n  export {}=/path/to/postgresql/bin",
                crate::postgres::tools::VARIABLE
            )),
            RestoreFailure::NoSpace { .. } => Some(
                "restored, a dump takes about twice its uncompressed size; name a place with more:\n  export ROLLSAFE_SCRATCH_DIR=/path/with/space"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// Restores `archive` and compares it with `expected`. Whatever happens, the server (or the database
/// on a server of one's own) is gone afterwards.
///
/// # Errors
/// When it could not be tried; what goes wrong inside the restore is in what is returned.
pub fn restore(
    archive: &Archive,
    expected: &Expected,
    options: &Options,
) -> Result<Restored, RestoreFailure> {
    let plan = plan_of(archive);
    let mut target = target::Target::prepare(&plan, options)?;
    let (mut restored, held) = fill(archive, &plan, &mut target, options)?;
    if !restored.stopped {
        let started = Instant::now();
        let deadline = started + options.hard_limit;
        compare::compare(archive, &plan, expected, &target, &held, deadline, &mut restored)?;
        restored.compare_seconds = started.elapsed().as_secs_f64();
    }
    target.finish(&mut restored);
    Ok(restored)
}

fn plan_of(archive: &Archive) -> plan::Plan {
    match archive.format {
        Format::Plain | Format::Cluster => plan::Plan::of_text(archive),
        Format::Custom | Format::Directory | Format::Tar => plan::Plan::of_toc(archive),
    }
}

/// Brings the dump into `target`, timed.
fn fill(
    archive: &Archive,
    plan: &plan::Plan,
    target: &mut target::Target,
    options: &Options,
) -> Result<(Restored, script::Held), RestoreFailure> {
    let mut restored = Restored {
        server_version: target.version().to_string(),
        not_restored: target.not_restored().to_vec(),
        notes: target.notes().to_vec(),
        ..Restored::default()
    };
    let started = Instant::now();
    let (held, took) = if archive.format.is_text() {
        let held = script::run(archive, target, options, &mut restored)?;
        (held, started.elapsed())
    } else {
        (script::Held::default(), archive::run(archive, plan, target, options, &mut restored)?)
    };
    restored.seconds = took.as_secs_f64();
    restored.database_bytes = target.database_bytes();
    if restored.errors.iter().any(|error| error.class == ErrorClass::Space) {
        return Err(RestoreFailure::NoSpace { place: target.place() });
    }
    if let Some(error) = restored.errors.iter().find(|error| error.class == ErrorClass::Tool) {
        return Err(RestoreFailure::Tool(error.message.clone()));
    }
    Ok((restored, held))
}
