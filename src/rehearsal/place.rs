//! Where a rehearsal takes place: how its connections are made, and what they may do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use postgres::{Client, Config};

use super::RehearsalError;

/// Makes connections from a configuration; with or without TLS is its business.
pub type Connect = Arc<dyn Fn(&Config) -> Result<Client, postgres::Error> + Send + Sync>;

/// The database that is rehearsed on.
#[derive(Clone)]
pub struct Place {
    /// As whom migrations, probes and queries run.
    pub owner: Config,
    /// As whom the server is watched, and rows are written without triggers: the superuser of a scratch cluster,
    /// or nobody else than the owner.
    pub admin: Config,
    /// How connections are made.
    pub connect: Connect,
    /// Whether the server is a scratch cluster of rollsafe's.
    pub is_scratch: bool,
    /// When the rehearsal's clock stood at zero.
    pub zero: Instant,
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
    pub fn watcher(&self) -> Result<Client, RehearsalError> {
        let options = "-c search_path=pg_catalog -c lock_timeout=10s -c statement_timeout=10min";
        self.open(&self.admin, "rollsafe: watching", options)
    }

    /// A connection that reads rows and definitions, in a text that is the same each time.
    pub fn reader(&self) -> Result<Client, RehearsalError> {
        let options = format!("-c search_path=pg_catalog -c lock_timeout=1min {SAME_TEXT}");
        self.open(&self.admin, "rollsafe: comparing", &options)
    }

    /// A connection that does as the application does; waits no longer than `patience` for a lock.
    pub fn application(&self, name: &str, patience: Duration) -> Result<Client, RehearsalError> {
        let wait = patience.as_millis().max(1);
        let options = format!("-c lock_timeout={wait} -c statement_timeout={}", wait * 4 + 10_000);
        self.open(&self.owner, &format!("rollsafe: {name}"), &options)
    }

    /// A connection that writes without triggers.
    pub fn writer(&self) -> Result<Client, RehearsalError> {
        let options = format!("-c lock_timeout=10s -c statement_timeout=1min {SAME_TEXT}");
        self.open(&self.admin, "rollsafe: writing", &options)
    }

    /// `config` with a name and start-up options. Options that a URL carries stay.
    pub fn open(&self, config: &Config, name: &str, options: &str) -> Result<Client, RehearsalError> {
        let mut config = config.clone();
        let mut all = config.get_options().unwrap_or("").to_owned();
        if !all.is_empty() {
            all.push(' ');
        }
        all.push_str(options);
        config.application_name(name).options(&all).connect_timeout(Duration::from_secs(30));
        (self.connect)(&config).map_err(|source| RehearsalError::server("connect to the database", source))
    }
}
