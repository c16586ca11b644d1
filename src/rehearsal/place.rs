//! Where a rehearsal takes place: how its connections are made, and what they may do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use postgres::error::DbError;
use postgres::{Client, Config, NoTls};

use super::RehearsalError;
use crate::postgres::cluster::{SUPERUSER, ScratchCluster};
use crate::postgres::connection::{Connection, Limits};

/// Hears what the server says beside its answers.
pub type Hear = Arc<dyn Fn(&DbError) + Send + Sync>;

/// The server that is rehearsed on.
#[derive(Clone)]
pub enum Server {
    /// A scratch cluster: migrations run as `role`, which is no superuser; the server is watched as one.
    Scratch {
        /// The server.
        cluster: Arc<ScratchCluster>,
        /// The database.
        database: String,
        /// As whom migrations, probes and queries run.
        role: String,
    },
    /// A copy that the user named as disposable, and its URL as given.
    Copy(Arc<Connection>, Arc<str>),
}

/// The database that is rehearsed on.
#[derive(Clone)]
pub struct Place {
    /// Where it is.
    pub server: Server,
    /// When the rehearsal's clock stood at zero.
    pub zero: Instant,
    /// The application's search_path, where it isn't the database's own.
    pub search_path: Option<String>,
}

/// As whom a connection is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum As {
    /// Migrations, probes, queries.
    Owner,
    /// Who watches and compares.
    Watcher,
}

/// Settings of every connection that reads what is to be compared: text must look the same each time.
const SAME_TEXT: &str = "-c datestyle=ISO,YMD -c intervalstyle=postgres -c timezone=UTC -c extra_float_digits=3 \
     -c bytea_output=hex -c xmloption=content";

impl Place {
    /// Seconds since zero.
    pub fn now(&self) -> f64 {
        self.at(Instant::now())
    }

    /// `instant` in seconds since zero; negative before it.
    pub fn at(&self, instant: Instant) -> f64 {
        match instant.checked_duration_since(self.zero) {
            Some(since) => since.as_secs_f64(),
            None => -(self.zero - instant).as_secs_f64(),
        }
    }

    /// A connection that looks at catalogs and counters. It sees nothing but `pg_catalog`, so no function of the
    /// database's own is called by mistake.
    pub(super) fn watcher(&self) -> Result<Client, RehearsalError> {
        let options = "-c search_path=pg_catalog -c lock_timeout=10s -c statement_timeout=10min";
        self.open(As::Watcher, "rollsafe: watching", options, None)
    }

    /// A connection that reads rows and definitions, in a text that is the same each time.
    pub(super) fn reader(&self) -> Result<Client, RehearsalError> {
        let options = format!("-c search_path=pg_catalog -c lock_timeout=1min {SAME_TEXT}");
        self.open(As::Watcher, "rollsafe: comparing", &options, None)
    }

    /// A connection that does as the application does; waits no longer than `patience` for a lock.
    pub(super) fn application(&self, name: &str, patience: Duration) -> Result<Client, RehearsalError> {
        let wait = patience.as_millis().max(1);
        let options = format!("-c lock_timeout={wait} -c statement_timeout={}", wait * 4 + 10_000);
        self.open(As::Owner, &format!("rollsafe: {name}"), &options, None)
    }

    /// A connection that writes without triggers.
    pub(super) fn writer(&self) -> Result<Client, RehearsalError> {
        let options = format!("-c lock_timeout=10s -c statement_timeout=1min {SAME_TEXT}");
        self.open(As::Watcher, "rollsafe: writing", &options, None)
    }

    /// A connection with a name and start-up options. Options that a URL carries come first.
    pub(super) fn open(
        &self,
        who: As,
        name: &str,
        options: &str,
        hear: Option<Hear>,
    ) -> Result<Client, RehearsalError> {
        let adjust = |config: &mut Config| {
            let mut all = config.get_options().unwrap_or("").to_owned();
            if !all.is_empty() {
                all.push(' ');
            }
            all.push_str(options);
            if let Some(path) = self.search_path.as_ref().filter(|_| who == As::Owner) {
                // In options a space ends a value (manual, "Parameter Interaction via Startup Options").
                all.push_str(&format!(" -c search_path={}", path.replace(' ', "")));
            }
            config.application_name(name).options(&all);
            if let Some(hear) = hear.clone() {
                config.notice_callback(move |notice| hear(&notice));
            }
        };
        match &self.server {
            Server::Scratch { cluster, database, role } => {
                let role = if who == As::Owner { role } else { SUPERUSER };
                let mut config = cluster.config(role, database);
                adjust(&mut config);
                config
                    .connect(NoTls)
                    .map_err(|source| RehearsalError::server("connect to the scratch cluster", source))
            }
            Server::Copy(connection, _) => {
                let limits = Limits {
                    statement: Duration::ZERO,
                    lock: Duration::ZERO,
                    idle: Duration::ZERO,
                    read_only: false,
                    ..Limits::default()
                };
                connection.connect_adjusted(&limits, &adjust).map_err(RehearsalError::Connection)
            }
        }
    }
}
