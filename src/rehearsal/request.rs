//! What is to be rehearsed, how, and who is told how far it is.

use std::path::PathBuf;
use std::sync::Arc;

use super::extrapolate::Sizes;
use super::report::{Limits, PhaseName};
use crate::migration::project::Part;
use crate::postgres::connection::Connection;

/// What is to be rehearsed, and how.
#[derive(Clone, Default)]
pub struct Request {
    /// The migrations and the tool that runs them.
    pub part: Part,
    /// The backup to restore.
    pub backup: Option<PathBuf>,
    /// A disposable copy to rehearse on, instead of a scratch cluster; with its URL as given.
    pub copy: Option<(Arc<Connection>, Arc<str>)>,
    /// The database, where the backup holds several.
    pub database: Option<String>,
    /// The first pending migration, where the ledger isn't to tell.
    pub pending_from: Option<String>,
    /// Another name of the ledger table.
    pub ledger: Option<String>,
    /// The project's own command that migrates.
    pub migrate_command: Option<String>,
    /// The project's own command that goes back.
    pub rollback_command: Option<String>,
    /// Where the commands are run.
    pub directory: PathBuf,
    /// Files of the running application's queries.
    pub queries: Vec<PathBuf>,
    /// Files of the new application's queries.
    pub new_queries: Vec<PathBuf>,
    /// The application's search_path.
    pub search_path: Option<String>,
    /// Production's sizes.
    pub sizes: Option<Sizes>,
    /// The limits.
    pub limits: Limits,
    /// After a migration that fails, try the next.
    pub keep_going: bool,
    /// Count rows only.
    pub no_checksums: bool,
    /// Don't go back by down migrations.
    pub no_rollback: bool,
    /// Don't restore a second time: the first restore's time stands for it.
    pub restore_once: bool,
    /// Run migrations as the scratch cluster's superuser.
    pub superuser: bool,
    /// Where a scratch cluster goes.
    pub scratch_directory: Option<PathBuf>,
    /// Severities after configuration.
    pub severities: crate::migration::lint::Severities,
    /// What is known already and belongs into the report.
    pub notes: Vec<String>,
}

/// Who is told how far it is.
pub trait Progress {
    /// A new part begins.
    fn phase(&self, phase: PhaseName);
    /// What is being done in it.
    fn step(&self, what: &str);
}

/// Nobody is told.
pub struct Silent;

impl Progress for Silent {
    fn phase(&self, _: PhaseName) {}
    fn step(&self, _: &str) {}
}
