//! The rehearsal of a release: the backup is restored, the pending migrations run and are measured, and both
//! ways back are tried.
//!
//! Joins what `migration` knows of files and effects with what `backup` can restore; neither knows of it.

pub mod report;

mod asking;
mod command;
pub mod copy;
mod execute;
pub mod extrapolate;
mod pending;
mod place;
mod prediction;
mod probe;
mod queries;
pub mod rehearse;
mod relations;
pub mod request;
mod restoration;
pub mod rules;
mod schema;
mod stalls;
mod sums;
mod tables;
pub mod terminal;
mod watch;
mod way_back;
mod writer;

pub use place::{Place, Server};

/// Why there is no rehearsal. What goes wrong *in* a rehearsal is in its report.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The dump can't be read.
    #[error("can't read the backup {path}: {message}")]
    Backup {
        /// Which.
        path: String,
        /// Why.
        message: String,
    },
    /// The dump could not be restored.
    #[error("can't restore the backup: {}", .0.with_causes())]
    Restore(#[from] crate::backup::restore::RestoreFailure),
    /// The server refused something that the migrations have no part in.
    #[error("could not {action}: {}", said(source))]
    Server {
        /// What was tried.
        action: String,
        /// What the server said.
        source: postgres::Error,
    },
    /// No connection to the copy.
    #[error(transparent)]
    Connection(crate::postgres::connection::ConnectionError),
    /// The migrations can't be found or read.
    #[error(transparent)]
    Project(#[from] crate::migration::project::ProjectError),
    /// The copy can't be used.
    #[error("{0}")]
    Copy(String),
    /// It isn't known which migrations are pending.
    #[error("{message}")]
    Pending {
        /// Why not.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A file can't be read or written.
    #[error("can't {action} {path}: {message}")]
    File {
        /// read, write
        action: &'static str,
        /// Which.
        path: String,
        /// Why.
        message: String,
    },
    /// Stopped by the user.
    #[error("stopped")]
    Stopped,
}

impl RehearsalError {
    pub(crate) fn server(action: impl Into<String>, source: postgres::Error) -> Self {
        RehearsalError::Server { action: action.into(), source }
    }

    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            RehearsalError::Restore(failure) => failure.hint(),
            RehearsalError::Pending { hint, .. } => hint.clone(),
            RehearsalError::Connection(error) => error.hint().map(str::to_owned),
            _ => None,
        }
    }
}

/// What a server says, in one line; `postgres::Error` itself only says "db error".
pub(crate) fn said(error: &postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => {
            let detail = error.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
            format!("{}{detail}", error.message())
        }
        None => {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(error);
            while let Some(cause) = source {
                text.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            text
        }
    }
}
