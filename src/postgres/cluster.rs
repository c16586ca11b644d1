//! Scratch clusters: throw-away PostgreSQL servers on a private socket, always removed.
//!
//! ```no_run
//! use rollsafe::postgres::cluster::{Options, ScratchCluster};
//!
//! let cluster = ScratchCluster::start(&Options::default())?;
//! let mut client = cluster.connect("postgres", "postgres")?;
//! client.batch_execute("CREATE TABLE users (id int)")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use postgres::{Client, Config, NoTls};
use rustix::process::{Pid, Signal, kill_process};

use super::child::{RunError, clean_environment, wait_until};
use super::directory::{self, PrivateDirectory};
use super::guard::Guard;
use super::interrupt::{self, Registered, Remains};
use super::sql_text::{quote_identifier, quote_literal};
use super::template::{self, Recipe};
use super::tools::{Installation, Installations, Tool, ToolsError, Wanted};
use super::unprivileged::{NobodyToRunAs, RunAs};
use super::version::PgVersion;

pub use super::directory::free_bytes;

/// The role that initdb makes, a superuser.
pub const SUPERUSER: &str = "postgres";

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// The socket's name is `.s.PGSQL.5432`; TCP is off, so the port is a name only, unless the settings say otherwise.
const SOCKET_FILE: &str = "/.s.PGSQL.5432";
/// The shortest of the systems' `sun_path`, macOS's, without its final zero.
const LONGEST_SOCKET_PATH: usize = 103;

/// No safety, all speed: a scratch cluster that crashes is thrown away. autovacuum is off so that it
/// takes no locks and no time in the middle of a measurement.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("synchronous_commit", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_wal_size", "4GB"),
    ("checkpoint_timeout", "1h"),
    ("autovacuum", "off"),
    ("jit", "off"),
    ("max_connections", "60"),
    ("max_locks_per_transaction", "256"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    // In files of the data directory: /dev/shm is 64 MB in a container.
    ("dynamic_shared_memory_type", "mmap"),
    // What the server itself has to say, not what clients' statements ran into.
    ("log_min_messages", "log"),
    ("log_min_error_statement", "panic"),
    ("log_checkpoints", "off"),
    ("logging_collector", "off"),
];

/// What kind of server to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which version.
    pub wanted: Wanted,
    /// Which programs must come with the server, beside the server itself.
    pub tools: Vec<Tool>,
    /// The server encoding of `template1` and `postgres`; databases can differ.
    pub encoding: String,
    /// Settings over and above the fast ones, as in `postgresql.conf`; the last of a name counts.
    pub settings: Vec<(String, String)>,
    /// Where to put the data directory; otherwise `ROLLSAFE_SCRATCH_DIR`, or the system's directory
    /// for temporary files.
    pub scratch_directory: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            wanted: Wanted::Newest,
            tools: Vec::new(),
            encoding: "UTF8".to_owned(),
            settings: Vec::new(),
            scratch_directory: None,
        }
    }
}

impl Options {
    /// A server of exactly this major version.
    pub fn major(major: u16) -> Options {
        Options { wanted: Wanted::Major(major), ..Options::default() }
    }

    /// Adds a setting.
    pub fn setting(mut self, name: &str, value: &str) -> Options {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    fn port(&self) -> u16 {
        let port = self.settings.iter().rev().find(|(name, _)| name == "port");
        port.and_then(|(_, value)| value.parse().ok()).unwrap_or(5432)
    }
}

/// The directory where scratch clusters go unless told otherwise.
pub fn scratch_base() -> PathBuf {
    std::env::var_os("ROLLSAFE_SCRATCH_DIR")
        .filter(|value| !value.is_empty())
        .map_or_else(std::env::temp_dir, PathBuf::from)
}

/// No scratch cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No server programs, or not of that version.
    #[error(transparent)]
    Tools(#[from] ToolsError),
    /// rollsafe is root and has nobody to run the server as.
    #[error(transparent)]
    Nobody(#[from] NobodyToRunAs),
    /// A program could not be run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The file system is full.
    #[error("no space left for a scratch cluster in {}", directory.display())]
    NoSpace {
        /// Where it was to be.
        directory: PathBuf,
    },
    /// A file or directory could not be made, read or removed.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// initdb failed.
    #[error("initdb ended with {status}: {said}")]
    Initdb {
        /// How it ended.
        status: ExitStatus,
        /// The end of its messages.
        said: String,
    },
    /// The server ended at once.
    #[error("the scratch cluster's server ended with {status}: {said}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        said: String,
    },
    /// The server runs but lets nobody in.
    #[error("the scratch cluster's server took no connection within {} s: {said}", START_LIMIT.as_secs())]
    NotReady {
        /// The end of its log.
        said: String,
    },
}

impl ClusterError {
    pub(super) fn from_io(action: &'static str, path: &Path, source: io::Error) -> ClusterError {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                ClusterError::NoSpace { directory: path.to_owned() }
            }
            _ => ClusterError::Io { action, path: path.to_owned(), source },
        }
    }

    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            ClusterError::Tools(error) => Some(error.hint()),
            ClusterError::NoSpace { .. } => Some(
                "free some space, or put scratch clusters elsewhere:\n  export ROLLSAFE_SCRATCH_DIR=/path/with/space"
                    .to_owned(),
            ),
            ClusterError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Some(
                "name a directory you may write in:\n  export ROLLSAFE_SCRATCH_DIR=/path/of/yours".to_owned(),
            ),
            ClusterError::Nobody(_) => {
                Some("run rollsafe as an ordinary user, or create one for the server: useradd postgres".to_owned())
            }
            _ => None,
        }
    }
}

/// A running throw-away PostgreSQL server: one directory, one private Unix socket, no TCP.
///
/// Everybody who can reach the socket is trusted, and only rollsafe's user (and root) can. The server
/// and its directory go away when this is dropped, on Ctrl-C, SIGTERM and SIGHUP, on a panic; also a
/// moment after rollsafe is killed outright; and what is left even so (both killed, the machine
/// switched off), the next start on this machine finds and removes.
#[derive(Debug)]
pub struct ScratchCluster {
    installation: Installation,
    run_as: RunAs,
    socket_directory: PathBuf,
    port: u16,
    // Declaration order is drop order: gone first, then nobody has to watch any more.
    running: Arc<Running>,
    _registered: Registered,
    _guard: Guard,
}

/// The server process and its directories.
#[derive(Debug)]
struct Running {
    server: Mutex<Option<Child>>,
    directories: Vec<PrivateDirectory>,
}

impl ScratchCluster {
    /// Starts a server: the first of a version takes a second or two for initdb, later ones are copies
    /// of its data directory and take a fraction of that.
    ///
    /// # Errors
    /// When there are no such programs, no space, nobody to run them as, or the server doesn't come up.
    /// Nothing is left behind then.
    pub fn start(options: &Options) -> Result<ScratchCluster, ClusterError> {
        let installations = Installations::find();
        let mut tools = vec![Tool::Initdb, Tool::Postgres];
        tools.extend(&options.tools);
        ScratchCluster::start_from(installations.select(options.wanted, &tools)?, options)
    }

    /// Starts a server of this installation.
    ///
    /// # Errors
    /// As [`ScratchCluster::start`].
    pub fn start_from(
        installation: &Installation,
        options: &Options,
    ) -> Result<ScratchCluster, ClusterError> {
        let postgres = installation.tool(Tool::Postgres)?;
        let base = options.scratch_directory.clone().unwrap_or_else(scratch_base);
        let base = base.canonicalize().map_err(|source| ClusterError::from_io("enter", &base, source))?;
        directory::remove_leftovers(&base);
        let run_as = RunAs::choose(&postgres, &base)?;
        let others_enter = run_as.owner().is_some();

        let create = |base: &Path| {
            PrivateDirectory::create(base, others_enter)
                .map_err(|source| ClusterError::from_io("make a directory in", base, source))
        };
        let directory = create(&base)?;
        let home = directory.path().to_owned();
        let mut directories = vec![directory];
        if home.as_os_str().len() + "/s".len() + SOCKET_FILE.len() > LONGEST_SOCKET_PATH {
            directory::remove_leftovers(Path::new("/tmp"));
            directories.push(create(Path::new("/tmp"))?);
        }
        let paths: Vec<&Path> = directories.iter().map(PrivateDirectory::path).collect();
        let mut guard = Guard::of_directories(&paths);
        // The last one: with a short enough name.
        let socket_home = paths.last().map_or(home.clone(), |path| path.to_path_buf());
        let running = Arc::new(Running { server: Mutex::new(None), directories });
        let registered = interrupt::register(running.clone());
        // From here on `cluster` cleans up whatever happens.
        let mut cluster = ScratchCluster {
            installation: installation.clone(),
            run_as,
            socket_directory: PathBuf::new(),
            port: options.port(),
            running,
            _registered: registered,
            _guard: Guard::idle(),
        };

        let inside = |parent: &Path, name: &str| {
            directory::make_inside(parent, name, cluster.run_as.owner())
                .map_err(|source| ClusterError::from_io("make a directory in", parent, source))
        };
        let data = inside(&home, "data")?;
        cluster.socket_directory = inside(&socket_home, "s")?;
        Recipe { installation, encoding: &options.encoding }.make(
            &data,
            &cluster.run_as,
            template::cache_directory().as_deref(),
        )?;

        let log_file = home.join("log");
        let log =
            File::create(&log_file).map_err(|source| ClusterError::from_io("write", &log_file, source))?;
        let mut command = cluster.run_as.command(&postgres);
        clean_environment(&mut command, false);
        command
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&cluster.socket_directory)
            .args(SETTINGS.iter().map(|(name, value)| format!("--{name}={value}")))
            .args(options.settings.iter().map(|(name, value)| format!("--{name}={value}")))
            .current_dir(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0);
        {
            // A signal either finds the server or comes before it.
            let _starting = interrupt::starting();
            let mut server = cluster.running.server.lock().unwrap_or_else(PoisonError::into_inner);
            let child =
                command.spawn().map_err(|source| RunError::Start { program: postgres.clone(), source })?;
            guard.stop_server(child.id());
            *server = Some(child);
        }
        cluster._guard = guard;
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    fn wait_until_ready(&self) -> Result<(), ClusterError> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if self.connect(SUPERUSER, "postgres").is_ok() {
                return Ok(());
            }
            if let Some(status) = self.running.has_ended() {
                let said = self.log_tail();
                if said.contains("No space left on device") || said.contains("Disk quota exceeded") {
                    return Err(ClusterError::NoSpace { directory: self.directory().to_owned() });
                }
                return Err(ClusterError::Ended { status, said });
            }
            if Instant::now() >= deadline {
                return Err(ClusterError::NotReady { said: self.log_tail() });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A connection as `role` (no password) to `database`; `application_name` is `rollsafe`.
    ///
    /// # Errors
    /// As the server says: no such role, no such database.
    pub fn connect(&self, role: &str, database: &str) -> Result<Client, postgres::Error> {
        self.config(role, database).connect(NoTls)
    }

    /// What [`ScratchCluster::connect`] connects with, to be added to: `options`, another name.
    pub fn config(&self, role: &str, database: &str) -> Config {
        let mut config = Config::new();
        config
            .host_path(&self.socket_directory)
            .port(self.port)
            .user(role)
            .dbname(database)
            .application_name("rollsafe")
            .connect_timeout(Duration::from_secs(30));
        config
    }

    /// Arguments that send one of PostgreSQL's programs here.
    pub fn arguments(&self, role: &str, database: &str) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["--no-password".into(), "--host".into()];
        arguments.push(self.socket_directory.clone().into());
        arguments.extend(["--port".into(), self.port.to_string().into()]);
        arguments.extend(["--username", role, "--dbname", database].map(OsString::from));
        arguments
    }

    /// Creates a database from `template0`.
    ///
    /// # Errors
    /// As the server says.
    pub fn create_database(&self, database: &NewDatabase<'_>) -> Result<(), postgres::Error> {
        self.connect(SUPERUSER, "postgres")?.batch_execute(&database.statement())
    }

    /// The server's version.
    pub fn version(&self) -> PgVersion {
        self.installation.version()
    }

    /// The programs it was started from.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The operating system user it runs as; its client programs can run as the same.
    pub fn run_as(&self) -> &RunAs {
        &self.run_as
    }

    /// The directory that everything of the cluster is in.
    pub fn directory(&self) -> &Path {
        self.running.directories.first().map_or(Path::new(""), PrivateDirectory::path)
    }

    /// The directory of the socket.
    pub fn socket_directory(&self) -> &Path {
        &self.socket_directory
    }

    /// The last lines of the server's own log.
    pub fn log_tail(&self) -> String {
        let log = std::fs::read(self.directory().join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().collect();
        // The range's start is at most the length.
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// Stops the server and removes its directory, as dropping does, and says when that fails.
    ///
    /// # Errors
    /// When the directory can't be removed.
    pub fn stop(self) -> Result<(), ClusterError> {
        self.running.end()
    }
}

impl Drop for ScratchCluster {
    fn drop(&mut self) {
        self.running.remove();
    }
}

impl Running {
    fn has_ended(&self) -> Option<ExitStatus> {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        server.as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    fn end(&self) -> Result<(), ClusterError> {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut child) = server.take() {
            if let Some(pid) = Pid::from_raw(child.id() as i32) {
                // SIGQUIT is the immediate shutdown: no checkpoint for data that nobody wants.
                let _ = kill_process(pid, Signal::QUIT);
            }
            if !matches!(wait_until(&mut child, Instant::now() + STOP_LIMIT), Ok(Some(_))) {
                // Its backends notice and end too.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        let mut outcome = Ok(());
        for directory in &self.directories {
            if let Err(source) = directory::remove_all(directory.path()) {
                outcome = Err(ClusterError::from_io("remove", directory.path(), source));
            }
        }
        outcome
    }
}

impl Remains for Running {
    fn remove(&self) {
        // Nobody is left to tell; the next start tries again.
        let _ = self.end();
    }
}

/// A database to be created from `template0`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewDatabase<'a> {
    /// Its name.
    pub name: &'a str,
    /// Who owns it; the superuser by default.
    pub owner: Option<&'a str>,
    /// Its encoding; the cluster's by default.
    pub encoding: Option<&'a str>,
    /// `LC_COLLATE` and `LC_CTYPE`; `C` by default.
    pub locale: Option<&'a str>,
}

impl NewDatabase<'_> {
    /// The statement that creates it.
    pub fn statement(&self) -> String {
        let mut sql = format!("CREATE DATABASE {} TEMPLATE template0", quote_identifier(self.name));
        if let Some(owner) = self.owner {
            sql.push_str(&format!(" OWNER {}", quote_identifier(owner)));
        }
        if let Some(encoding) = self.encoding {
            sql.push_str(&format!(" ENCODING {}", quote_literal(encoding)));
        }
        if let Some(locale) = self.locale {
            let locale = quote_literal(locale);
            sql.push_str(&format!(" LC_COLLATE {locale} LC_CTYPE {locale}"));
        }
        sql
    }
}
