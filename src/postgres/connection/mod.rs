//! The database that a user names: by URL, by connection string, or by the `PG*` environment variables,
//! all read as libpq reads them; and sessions there, with time limits and TLS.
//!
//! ```no_run
//! use rollsafe::postgres::connection::{Connection, Limits};
//!
//! let connection = Connection::new(Some("postgresql://me@db.example/shop?sslmode=verify-full"))?;
//! let mut client = connection.connect(&Limits::default())?;
//! client.batch_execute("SELECT 1")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Passwords are in no error, no `Display`, no `Debug`, and no argument of a program.

mod files;
mod text;
mod tls;

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use postgres::config::{ChannelBinding, SslMode, SslNegotiation};
use postgres::error::SqlState;
use postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::unprivileged;
use text::Pairs;

/// Where distributions put the server's socket, and PostgreSQL itself.
pub(crate) const DEFAULT_SOCKET_DIRECTORIES: &[&str] = &["/var/run/postgresql", "/run/postgresql", "/tmp"];

/// What [`Connection::connect`] allows a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To be let in; the connection's own `connect_timeout` wins. Zero: no limit.
    pub connect: Duration,
    /// `statement_timeout`; zero: none.
    pub statement: Duration,
    /// `lock_timeout`; zero: none.
    pub lock: Duration,
    /// `idle_in_transaction_session_timeout`; zero: none.
    pub idle: Duration,
    /// `default_transaction_read_only`.
    pub read_only: bool,
}

impl Default for Limits {
    /// A careful reader: 10 s to connect, 60 s for a statement, 5 s for a lock, 60 s idle, read-only.
    fn default() -> Self {
        Limits {
            connect: Duration::from_secs(10),
            statement: Duration::from_secs(60),
            lock: Duration::from_secs(5),
            idle: Duration::from_secs(60),
            read_only: true,
        }
    }
}

impl Limits {
    /// No limit but that on connecting, nothing forbidden: for a session whose transactions see to it themselves, or
    /// that has to show the settings as the role has them.
    pub fn none() -> Limits {
        let zero = Duration::ZERO;
        Limits { statement: zero, lock: zero, idle: zero, read_only: false, ..Limits::default() }
    }

    /// The settings with their values in milliseconds, for `SET` and for `-c`.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let milliseconds = |time: Duration| time.as_millis().to_string();
        let mut settings = vec![
            ("statement_timeout", milliseconds(self.statement)),
            ("lock_timeout", milliseconds(self.lock)),
            ("idle_in_transaction_session_timeout", milliseconds(self.idle)),
        ];
        if self.read_only {
            settings.push(("default_transaction_read_only", "on".to_owned()));
        }
        settings
    }
}

/// No session.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// What the user wrote, or a file that it names, can't be used.
    #[error("{0}")]
    Text(String),
    /// The server, or the way to it, refused.
    #[error("{target}: {reason}")]
    Refused {
        /// Which, without the password.
        target: String,
        /// Why, one line for each host that was tried.
        reason: String,
        /// What to do about it.
        hint: Option<String>,
    },
}

impl ConnectionError {
    fn text(message: String) -> ConnectionError {
        ConnectionError::Text(message)
    }

    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<&str> {
        match self {
            ConnectionError::Text(_) => None,
            ConnectionError::Refused { hint, .. } => hint.as_deref(),
        }
    }
}

/// A user's database.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Connection {
    /// As the user wrote it, passwords left out; none: the environment alone.
    given: Option<String>,
    /// What the user wrote.
    explicit: Pairs,
    /// What the service file and the environment add.
    inherited: Pairs,
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.given {
            Some(given) => f.write_str(given),
            None => {
                let database = self.database();
                f.write_str(&text::written(&vec![
                    ("host", self.get("host").or(self.get("hostaddr")).unwrap_or("local socket").to_owned()),
                    ("port", self.get("port").unwrap_or("5432").to_owned()),
                    ("dbname", database),
                    ("user", self.user()),
                ]))
            }
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.to_string()).finish()
    }
}

impl Connection {
    /// The database that `given` names: `postgresql://user:password@host/database`, `host=… dbname=…`, or a
    /// bare name; what it leaves open the service file says, then the environment (manual, "Database
    /// Connection Control Functions"). Without it the environment alone.
    ///
    /// # Errors
    /// When it is neither, names a parameter that PostgreSQL doesn't know, or a service that isn't there.
    pub fn new(given: Option<&str>) -> Result<Connection, ConnectionError> {
        let given = given.filter(|given| !given.trim().is_empty());
        let explicit = given.map(text::read).transpose()?.unwrap_or_default();
        let shown = given.map(|given| text::without_secrets(given, &explicit));
        let environment: Pairs = text::PARAMETERS
            .iter()
            .filter_map(|(key, variable)| Some((*key, std::env::var((*variable)?).ok()?)))
            // Whose PGAPPNAME it is isn't rollsafe's.
            .filter(|(key, value)| !value.is_empty() && *key != "application_name")
            .collect();
        Connection::resolve(shown, explicit, environment)
    }

    fn resolve(
        given: Option<String>,
        explicit: Pairs,
        environment: Pairs,
    ) -> Result<Connection, ConnectionError> {
        let find = |key: &str| {
            let all = explicit.iter().chain(&environment);
            all.clone().find(|(there, _)| *there == key).map(|(_, value)| value.clone())
        };
        let mut inherited = match find("service").filter(|name| !name.is_empty()) {
            Some(name) => files::service(&name, find("servicefile").as_deref())?,
            None => vec![],
        };
        inherited.extend(environment);
        Ok(Connection { given, explicit, inherited })
    }

    /// A parameter that isn't empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        // What is written empty is the default, whatever the environment says.
        let all = self.explicit.iter().chain(&self.inherited);
        all.into_iter()
            .find(|(there, _)| *there == key)
            .map(|(_, it)| it.as_str())
            .filter(|it| !it.is_empty())
    }

    /// The role: `user=`, or who runs rollsafe.
    pub fn user(&self) -> String {
        self.get("user").map_or_else(unprivileged::own_name, str::to_owned)
    }

    /// The database: `dbname=`, or the role's namesake.
    pub fn database(&self) -> String {
        self.get("dbname").map_or_else(|| self.user(), str::to_owned)
    }

    /// Another database of the same server, as the same role.
    pub fn with_database(&self, name: &str) -> Connection {
        let mut other = self.clone();
        other.explicit.retain(|(key, _)| *key != "dbname");
        other.explicit.push(("dbname", name.to_owned()));
        other.given = Some(text::written(&other.explicit));
        other
    }

    /// The same database as another role, with its password where it has one.
    pub fn with_role(&self, name: &str, password: Option<&str>) -> Connection {
        let mut other = self.clone();
        other.explicit.retain(|(key, _)| *key != "user" && *key != "password");
        other.explicit.push(("user", name.to_owned()));
        other.explicit.extend(password.map(|password| ("password", password.to_owned())));
        other.given = Some(text::written(&other.explicit));
        other
    }

    /// Arguments for psql, pg_dump and pg_restore. Other users of the machine can see them, so the
    /// password isn't among them.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["--no-password".into()];
        let written = text::written(&self.explicit);
        if !written.is_empty() {
            arguments.extend(["--dbname".into(), written.into()]);
        }
        arguments
    }

    /// Environment variables to go with the arguments.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = vec![("PGAPPNAME", "rollsafe".to_owned())];
        let password = self.explicit.iter().find(|(key, _)| *key == "password");
        environment.extend(password.map(|(_, password)| ("PGPASSWORD", password.clone())));
        environment
    }

    /// A session; the first host that lets one in, and is what `target_session_attrs` asks for.
    ///
    /// The limits go along as startup options. A pooler that takes none is asked again without them, so what
    /// must be read-only says so in its transaction as well: see [`begin_reading`].
    ///
    /// # Errors
    /// With every host's reason, and without passwords.
    pub fn connect(&self, limits: &Limits) -> Result<Client, ConnectionError> {
        self.connect_adjusted(limits, &|_| {})
    }

    /// As [`Connection::connect`], with what `adjust` adds: a name, options, somebody to hear the notices.
    ///
    /// # Errors
    /// As [`Connection::connect`].
    pub fn connect_adjusted(
        &self,
        limits: &Limits,
        adjust: &dyn Fn(&mut Config),
    ) -> Result<Client, ConnectionError> {
        self.check_parameters()?;
        let wanted = self.get("target_session_attrs").unwrap_or("any");
        let rounds: &[&str] = match wanted {
            "any" | "read-write" | "read-only" | "primary" | "standby" => &[wanted],
            "prefer-standby" => &["standby", "any"],
            other => {
                return Err(ConnectionError::text(format!("target_session_attrs: there is no `{other}`")));
            }
        };
        let mut reasons = Vec::new();
        let mut hint = None;
        for role in rounds {
            for place in self.places()? {
                match self.connect_place(&place, limits, role, adjust) {
                    Ok(client) => return Ok(client),
                    Err(Refusal { reason, hint: more }) => {
                        let line =
                            if self.places()?.len() > 1 { format!("{place}: {reason}") } else { reason };
                        if !reasons.contains(&line) {
                            reasons.push(line);
                        }
                        hint = hint.or(more);
                    }
                }
            }
        }
        Err(ConnectionError::Refused { target: self.to_string(), reason: reasons.join("\n"), hint })
    }

    /// What libpq would heed and this can't is refused, not passed over.
    fn check_parameters(&self) -> Result<(), ConnectionError> {
        let is_default = |key: &str, value: &str| match key {
            "gssencmode" => value != "require",
            "replication" => matches!(value, "false" | "off" | "no" | "0"),
            _ => false,
        };
        for key in ["require_auth", "requirepeer", "sslpassword", "sslcrldir", "gssencmode", "replication"] {
            if let Some(value) = self.get(key)
                && !is_default(key, value)
            {
                return Err(ConnectionError::text(format!(
                    "the connection parameter {key} isn't supported here"
                )));
            }
        }
        let mode = self.ssl_mode();
        if !["disable", "allow", "prefer", "require", "verify-ca", "verify-full"].contains(&mode) {
            return Err(ConnectionError::text(format!(
                "sslmode: there is no `{mode}`; there are disable, allow, prefer, require, verify-ca and verify-full"
            )));
        }
        if self.get("sslrootcert") == Some("system") && mode != "verify-full" {
            return Err(ConnectionError::text(format!(
                "sslmode={mode} is too weak for sslrootcert=system: use verify-full"
            )));
        }
        if self.get("sslnegotiation") == Some("direct") && matches!(mode, "disable" | "allow" | "prefer") {
            return Err(ConnectionError::text(format!(
                "sslmode={mode} is too weak for sslnegotiation=direct: use require or more"
            )));
        }
        Ok(())
    }

    fn ssl_mode(&self) -> &str {
        let default = if self.get("sslrootcert") == Some("system") { "verify-full" } else { "prefer" };
        self.get("sslmode").unwrap_or(default)
    }

    /// The hosts, in the order to try them.
    fn places(&self) -> Result<Vec<Place>, ConnectionError> {
        let list = |key| -> Vec<&str> { self.get(key).map(|it| it.split(',').collect()).unwrap_or_default() };
        let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
        let count = hosts.len().max(addresses.len()).max(1);
        let counts = |what: &str, number: usize| {
            ConnectionError::text(format!("there are {count} hosts, but {number} {what}"))
        };
        if !addresses.is_empty() && !hosts.is_empty() && addresses.len() != hosts.len() {
            return Err(counts("of hostaddr", addresses.len()));
        }
        if ports.len() > 1 && ports.len() != count {
            return Err(counts("ports", ports.len()));
        }
        let mut places = Vec::new();
        for at in 0..count {
            let port = match ports.get(at).or(ports.first()).copied().unwrap_or("") {
                "" => 5432,
                port => port.trim().parse().ok().filter(|port| *port > 0).ok_or_else(|| {
                    ConnectionError::text("the port is no number from 1 to 65535".to_owned())
                })?,
            };
            let host = hosts.get(at).copied().filter(|host| !host.is_empty());
            let address =
                match addresses.get(at).copied().filter(|it| !it.is_empty()) {
                    Some(address) => Some(address.parse::<IpAddr>().map_err(|_| {
                        ConnectionError::text(format!("hostaddr: `{address}` is no IP address"))
                    })?),
                    None => None,
                };
            let host = match (host, address) {
                (Some(host), _) => host.to_owned(),
                (None, Some(address)) => address.to_string(),
                (None, None) => default_socket_directory(port),
            };
            places.push(Place { host, address, port });
        }
        if self.get("load_balance_hosts") == Some("random") {
            // Evenly enough for who starts the program now and then.
            let start = std::process::id() as usize % places.len().max(1);
            places.rotate_left(start);
        }
        Ok(places)
    }

    fn connect_place(
        &self,
        place: &Place,
        limits: &Limits,
        role: &str,
        adjust: &dyn Fn(&mut Config),
    ) -> Result<Client, Refusal> {
        let mut password = self.get("password").map(str::to_owned);
        let mut password_note = None;
        if password.is_none() {
            match files::password(
                self.get("passfile"),
                &place.host,
                place.port,
                &self.database(),
                &self.user(),
            ) {
                Ok(found) => password = found,
                Err(note) => password_note = Some(note),
            }
        }
        let mut config = self.config(place, limits, password.as_deref());
        adjust(&mut config);
        let attempts: &[bool] = match self.ssl_mode() {
            // libpq: "sslmode is ignored for Unix domain socket communication".
            _ if place.is_socket() => &[false],
            "disable" => &[false],
            "allow" => &[false, true],
            "prefer" => &[true, false],
            _ => &[true],
        };
        let time = match self.get("connect_timeout").and_then(|it| it.parse::<i64>().ok()) {
            Some(seconds) => Duration::from_secs(u64::try_from(seconds).unwrap_or(0)),
            None => limits.connect,
        };
        let mut refusal: Option<Refusal> = None;
        for encrypted in attempts {
            let outcome = self.attempt(&mut config, place, *encrypted, time);
            match outcome {
                Ok(client) => return check_role(client, role),
                Err(again) => {
                    let go_on = again.may_differ;
                    let said = self.refusal(again, &password, password_note.as_deref());
                    // What the first way said is what people look for; the second is told if it differs.
                    refusal = Some(match refusal {
                        Some(first) if first.reason != said.reason => Refusal {
                            reason: format!(
                                "{}; {} TLS: {}",
                                first.reason,
                                if *encrypted { "with" } else { "without" },
                                said.reason
                            ),
                            hint: first.hint.or(said.hint),
                        },
                        _ => said,
                    });
                    if !go_on {
                        break;
                    }
                }
            }
        }
        Err(refusal.unwrap_or(Refusal { reason: "no way to connect".to_owned(), hint: None }))
    }

    fn config(&self, place: &Place, limits: &Limits, password: Option<&str>) -> Config {
        let mut config = Config::new();
        if place.is_socket() {
            config.host_path(&place.host);
        } else {
            config.host(&place.host);
        }
        if let Some(address) = place.address {
            config.hostaddr(address);
        }
        config.port(place.port).user(&self.user()).dbname(&self.database());
        config.application_name(self.get("application_name").unwrap_or("rollsafe"));
        if let Some(password) = password {
            config.password(password);
        }
        // The user's own come first, so that these win.
        let mut options = self.get("options").unwrap_or("").to_owned();
        // A zero is left out, so that the session shows what holds without rollsafe.
        for (name, value) in limits.settings().into_iter().filter(|(_, value)| value != "0") {
            options.push_str(&format!(" -c {name}={value}"));
        }
        config.options(options.trim());
        config.channel_binding(match self.get("channel_binding") {
            Some("disable") => ChannelBinding::Disable,
            Some("require") => ChannelBinding::Require,
            _ => ChannelBinding::Prefer,
        });
        if self.get("sslnegotiation") == Some("direct") {
            config.ssl_negotiation(SslNegotiation::Direct);
        }
        if let Some(idle) = self.get("keepalives_idle").and_then(|it| it.parse().ok()) {
            config.keepalives_idle(Duration::from_secs(idle));
        }
        if self.get("keepalives") == Some("0") {
            config.keepalives(false);
        }
        config
    }

    /// One try, with or without TLS; without startup options where a pooler wants none.
    fn attempt(
        &self,
        config: &mut Config,
        place: &Place,
        encrypted: bool,
        time: Duration,
    ) -> Result<Client, Failure> {
        config.ssl_mode(if encrypted { SslMode::Require } else { SslMode::Disable });
        let tls = if encrypted {
            let wanted = tls::Wanted {
                mode: self.ssl_mode(),
                root_certificate: self.get("sslrootcert"),
                certificate: self.get("sslcert"),
                key: self.get("sslkey"),
                certificate_mode: self.get("sslcertmode"),
                revoked: self.get("sslcrl"),
                least_version: self.get("ssl_min_protocol_version"),
                server_name_sent: self.get("sslsni") != Some("0"),
            };
            let tls = tls::configuration(&wanted, &place.host).map_err(|error| Failure {
                reason: error.to_string(),
                code: None,
                may_differ: false,
            })?;
            Some(MakeRustlsConnect::new(tls))
        } else {
            None
        };
        match within(time, config.clone(), tls.clone()) {
            Err(failure) if failure.reason.contains("unsupported startup parameter") => {
                config.options(self.get("options").unwrap_or(""));
                within(time, config.clone(), tls)
            }
            outcome => outcome,
        }
    }

    fn refusal(&self, failure: Failure, password: &Option<String>, note: Option<&str>) -> Refusal {
        let mut reason = failure.reason;
        let mut hint = None;
        if reason.contains("password missing") {
            reason = "the server asks for a password, and there is none".to_owned();
            hint = Some(match note {
                Some(note) => note.to_owned(),
                None => format!(
                    "put it into ~/.pgpass (mode 0600), or set PGPASSWORD; for ~/.pgpass:\n  *:*:{}:{}:PASSWORD",
                    self.database(),
                    self.user()
                ),
            });
        } else if failure.code == Some(SqlState::INVALID_PASSWORD) && password.is_some() {
            hint = Some("the password is of the URL, PGPASSWORD or ~/.pgpass, in this order".to_owned());
        }
        Refusal { reason, hint }
    }
}

/// Condition on a row of `pg_stat_activity`: a client's session. Of one that the role may not see even `backend_type`
/// is NULL; it has a database and a role all the same.
pub const OF_A_CLIENT: &str = "(backend_type = 'client backend' OR backend_type IS NULL AND datid IS NOT NULL AND usesysid IS NOT NULL)";

/// Begins a transaction that sees one state of the database, can't write, and is held to `limits` whatever
/// stands between here and the server. `search_path` is empty in it, so that the server writes names in full.
///
/// # Errors
/// As the server says.
pub fn begin_reading(client: &mut Client, limits: &Limits) -> Result<(), postgres::Error> {
    let mut sql = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = '';".to_owned();
    for (name, value) in limits.settings() {
        if name != "default_transaction_read_only" {
            sql.push_str(&format!(" SET LOCAL {name} = {value};"));
        }
    }
    client.batch_execute(&sql)
}

/// An error of the server or of the way to it, in one line and without repeating itself.
pub fn reason(error: &postgres::Error) -> String {
    if let Some(database) = error.as_db_error() {
        let mut text = database.message().to_owned();
        if let Some(detail) = database.detail() {
            text.push_str(&format!(" ({detail})"));
        }
        return text;
    }
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

/// A host to try.
struct Place {
    /// A name, an address, or the directory of a socket.
    host: String,
    address: Option<IpAddr>,
    port: u16,
}

impl Place {
    fn is_socket(&self) -> bool {
        self.address.is_none() && self.host.starts_with('/')
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.is_socket() { "/.s.PGSQL." } else { ":" };
        write!(f, "{}{separator}{}", self.host, self.port)
    }
}

fn default_socket_directory(port: u16) -> String {
    let with_socket = DEFAULT_SOCKET_DIRECTORIES
        .iter()
        .find(|directory| Path::new(directory).join(format!(".s.PGSQL.{port}")).exists());
    (*with_socket.unwrap_or(&"/tmp")).to_owned()
}

/// Why a host won't do.
struct Refusal {
    reason: String,
    hint: Option<String>,
}

/// Why one way to a host won't do.
struct Failure {
    reason: String,
    code: Option<SqlState>,
    /// Whether it may go otherwise with, or without, TLS.
    may_differ: bool,
}

/// Connects, and gives up after `time`: the crate's own limit ends when the socket is open.
fn within(time: Duration, config: Config, tls: Option<MakeRustlsConnect>) -> Result<Client, Failure> {
    let (sender, receiver) = channel();
    let connecting = std::thread::Builder::new().name("connect".to_owned()).spawn(move || {
        let outcome = match tls {
            Some(tls) => config.connect(tls),
            None => config.connect(NoTls),
        };
        // Nobody waits any more: the session ends with the client.
        let _ = sender.send(outcome);
    });
    if let Err(error) = connecting {
        return Err(Failure { reason: format!("no thread: {error}"), code: None, may_differ: false });
    }
    let outcome = if time.is_zero() {
        receiver.recv().map_err(|_| RecvTimeoutError::Disconnected)
    } else {
        receiver.recv_timeout(time)
    };
    match outcome {
        Ok(Ok(client)) => Ok(client),
        Ok(Err(error)) => {
            let text = reason(&error);
            Err(Failure {
                // No line of pg_hba.conf for this way, or no TLS between these two.
                may_differ: error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
                    || error.to_string().contains("TLS"),
                code: error.code().cloned(),
                reason: text,
            })
        }
        Err(RecvTimeoutError::Timeout) => Err(Failure {
            reason: format!("no answer within {} s", time.as_secs_f64()),
            code: None,
            may_differ: false,
        }),
        Err(RecvTimeoutError::Disconnected) => {
            Err(Failure { reason: "connecting failed".to_owned(), code: None, may_differ: false })
        }
    }
}

fn check_role(mut client: Client, role: &str) -> Result<Client, Refusal> {
    if role == "any" {
        return Ok(client);
    }
    let failed = |error: postgres::Error| Refusal { reason: reason(&error), hint: None };
    let row = client.query_one("SELECT pg_catalog.pg_is_in_recovery()", &[]).map_err(failed)?;
    let is_standby: bool = row.try_get(0).map_err(failed)?;
    match (role, is_standby) {
        ("primary" | "read-write", true) => {
            Err(Refusal { reason: "the server is a standby".to_owned(), hint: None })
        }
        ("standby" | "read-only", false) => {
            Err(Refusal { reason: "the server is no standby".to_owned(), hint: None })
        }
        _ => Ok(client),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(given: &str, environment: &[(&'static str, &str)]) -> Connection {
        let explicit = text::read(given).unwrap();
        let shown = text::without_secrets(given, &explicit);
        let environment = environment.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        Connection::resolve(Some(shown), explicit, environment).unwrap()
    }

    #[test]
    fn passwords_travel_in_the_environment_only() {
        for given in ["postgresql://me:p%40ss:w@db.example:5433/shop", "host=db user=me password=p@ss:w"] {
            let connection = Connection::new(Some(given)).unwrap();
            assert!(connection.environment().contains(&("PGPASSWORD", "p@ss:w".to_owned())));
            let seen = format!("{connection:?} {connection} {:?}", connection.arguments());
            assert!(!seen.contains("ss:w") && !seen.contains("p%40"), "{seen}");
        }
    }

    #[test]
    fn what_is_written_wins_over_the_environment() {
        let connection = connection(
            "postgresql://db/shop?port=6000",
            &[("host", "other"), ("user", "me"), ("sslmode", "require")],
        );
        assert_eq!((connection.get("host"), connection.user()), (Some("db"), "me".to_owned()));
        assert_eq!((connection.get("port"), connection.ssl_mode()), (Some("6000"), "require"));
        assert_eq!(connection.with_database("a b").to_string(), "host=db port=6000 dbname='a b'");
    }

    #[test]
    fn hosts_ports_and_addresses_go_together() {
        let places = |given: &str| -> String {
            match connection(given, &[]).places() {
                Ok(places) => places.iter().map(Place::to_string).collect::<Vec<_>>().join(" "),
                Err(error) => error.to_string(),
            }
        };
        assert_eq!(places("postgresql://a:1,b,[::1]:3/x"), "a:1 b:5432 ::1:3");
        assert_eq!(places("host=a,/run/pg port=7"), "a:7 /run/pg/.s.PGSQL.7");
        assert_eq!(places("hostaddr=127.0.0.1"), "127.0.0.1:5432");
        assert!(places("host=a,b port=1,2,3").contains("2 hosts, but 3 ports"));
        assert!(places("host=a port=0").contains("port"));
    }

    #[test]
    fn what_cannot_be_heeded_is_refused() {
        for (given, why) in [
            ("host=h sslmode=strict", "there is no `strict`"),
            ("host=h sslmode=require sslrootcert=system", "too weak"),
            ("host=h require_auth=scram-sha-256", "require_auth"),
            ("host=h target_session_attrs=best", "there is no `best`"),
            ("host=h sslmode=verify-full sslrootcert=/nowhere", "/nowhere isn't there"),
        ] {
            let error = connection(given, &[]).connect(&Limits::default()).err().unwrap().to_string();
            assert!(error.contains(why), "{given}: {error}");
        }
    }
}
