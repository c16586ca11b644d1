//! Where a dump is restored: a scratch cluster, or a new database on a server of the user's own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use postgres::{CancelToken, Client, NoTls};

use crate::postgres::child::Run;
use crate::postgres::cluster::{Options as ClusterOptions, SUPERUSER, ScratchCluster};
use crate::postgres::connection::{Connection, ConnectionError, Limits};
use crate::postgres::guest::{self, Guest};
use crate::postgres::sql_text::{quote_identifier, quote_literal};
use crate::postgres::tools::{Installation, Installations, Tool, Wanted};
use crate::postgres::unprivileged::RunAs;
use crate::postgres::version::PgVersion;

use super::errors::server_message;
use super::plan::{Plan, PlannedDatabase};
use super::{NotRestored, Options, RestoreFailure, Restored};

/// The role that restores. It owns the databases and may nothing else.
const RESTORER: &str = "rollsafe_restore";
/// The database on a scratch cluster; that of a cluster's dump have their own names.
const DATABASE: &str = "rollsafe_restore";

enum Server {
    Scratch(Arc<ScratchCluster>),
    Own(Box<Own>),
}

/// A server of the user's own.
struct Own {
    /// As the user named it.
    connection: Connection,
    guest: Guest,
    /// A session in the database that was made: it tells other runs that somebody is there.
    session: Mutex<Option<Client>>,
}

/// A server with an empty database, ready for a dump. Dropping it removes what it made.
pub(super) struct Target {
    server: Server,
    version: PgVersion,
    restorer: String,
    password: Option<String>,
    /// Whether the restorer was made here, to be dropped again.
    made_restorer: bool,
    /// Databases on the server by their name in the dump.
    databases: BTreeMap<String, String>,
    pg_restore: Option<Installation>,
    missing_extensions: BTreeSet<String>,
    /// Schemas made here for extensions.
    pub(super) made_schemas: BTreeSet<String>,
    not_restored: Vec<NotRestored>,
    notes: Vec<String>,
}

impl Target {
    /// Starts the server or connects to it, and makes databases, roles and extensions.
    pub(super) fn prepare(plan: &Plan, options: &Options) -> Result<Target, RestoreFailure> {
        let mut target = match &options.url {
            Some(url) => Target::own(plan, url)?,
            None => Target::scratch(plan, options)?,
        };
        target.make_roles(plan)?;
        for (name, database) in &plan.databases {
            // A cluster's dump begins outside of any database.
            if name.is_empty() && plan.databases.len() > 1 && database.extensions.is_empty() {
                let begins_in = match plan.databases.keys().find(|name| !name.is_empty()) {
                    Some(own) if plan.is_one_text => own.clone(),
                    _ => "postgres".to_owned(),
                };
                target.databases.insert(String::new(), begins_in);
                continue;
            }
            target.make_database(name, database)?;
            target.make_extensions(name, database)?;
        }
        target.not_restored.extend(plan.skipped.values().cloned());
        if plan.has_tablespaces {
            target.notes.push("tablespaces were left out: everything went into the default one".to_owned());
        }
        Ok(target)
    }

    fn scratch(plan: &Plan, options: &Options) -> Result<Target, RestoreFailure> {
        let wanted = plan.version.map_or(Wanted::Newest, Wanted::AtLeast);
        let installations = Installations::find();
        let server = [Tool::Initdb, Tool::Postgres];
        let with_pg_restore = [Tool::Initdb, Tool::Postgres, Tool::PgRestore];
        // Server and pg_restore of one installation if there is one; otherwise each from where it is.
        let (installation, pg_restore) = match installations.select(wanted, &with_pg_restore) {
            Ok(both) => (both, Some(both.clone())),
            Err(_) => {
                let server = installations.select(wanted, &server)?;
                let pg_restore = if plan.needs_pg_restore {
                    Some(installations.select(wanted, &[Tool::PgRestore])?.clone())
                } else {
                    None
                };
                (server, pg_restore)
            }
        };
        let memory = memory_for_server();
        let mut cluster_options = ClusterOptions {
            scratch_directory: options.scratch_directory.clone(),
            ..ClusterOptions::default()
        }
        .setting("shared_buffers", &format!("{}MB", memory.shared_buffers))
        .setting("maintenance_work_mem", &format!("{}MB", memory.maintenance))
        .setting("max_wal_size", "2GB");
        cluster_options.settings.extend(options.settings.iter().cloned());
        let cluster = ScratchCluster::start_from(installation, &cluster_options)?;
        let version = cluster.version();
        Ok(Target {
            server: Server::Scratch(Arc::new(cluster)),
            version,
            restorer: RESTORER.to_owned(),
            password: None,
            made_restorer: true,
            databases: BTreeMap::new(),
            pg_restore,
            missing_extensions: BTreeSet::new(),
            made_schemas: BTreeSet::new(),
            not_restored: vec![],
            notes: vec![],
        })
    }

    /// Another empty database, called `database`, on the same scratch cluster; `None` on a server of the
    /// user's own.
    pub(super) fn beside(&self, plan: &Plan, database: &str) -> Result<Option<Target>, RestoreFailure> {
        let Server::Scratch(cluster) = &self.server else { return Ok(None) };
        let mut target = Target {
            server: Server::Scratch(cluster.clone()),
            version: self.version,
            restorer: self.restorer.clone(),
            password: None,
            made_restorer: self.made_restorer,
            databases: BTreeMap::new(),
            pg_restore: self.pg_restore.clone(),
            missing_extensions: BTreeSet::new(),
            made_schemas: BTreeSet::new(),
            not_restored: vec![],
            notes: vec![],
        };
        for (name, planned) in plan.databases.iter().filter(|(name, _)| name.is_empty()) {
            target.make_database_called(name, database, planned)?;
            target.make_extensions(name, planned)?;
        }
        Ok(Some(target))
    }

    /// The scratch cluster, unless the server is the user's own.
    pub(super) fn cluster(&self) -> Option<&Arc<ScratchCluster>> {
        match &self.server {
            Server::Scratch(cluster) => Some(cluster),
            Server::Own(_) => None,
        }
    }

    /// The role that restores and owns everything.
    pub(super) fn restorer(&self) -> &str {
        &self.restorer
    }

    fn own(plan: &Plan, url: &str) -> Result<Target, RestoreFailure> {
        let unusable = |error: ConnectionError| RestoreFailure::Connection(error);
        let connection = Connection::new(Some(url)).map_err(unusable)?;
        if plan.databases.len() > 1 {
            return Err(RestoreFailure::Url(
                "a dump of a whole cluster can only be restored into a scratch cluster".to_owned(),
            ));
        }
        let mut client = connection.connect(&unhurried()).map_err(unusable)?;
        let row = client
            .query_one(
                "SELECT current_setting('server_version_num')::int, r.rolname::text, r.rolsuper, r.rolcreatedb
                   FROM pg_catalog.pg_roles r WHERE r.rolname = current_user",
                &[],
            )
            .map_err(|error| RestoreFailure::server("ask the server for its version", error))?;
        let number: i32 = row.get(0);
        let version = PgVersion::from_number(number.unsigned_abs());
        if let Some(needed) = plan.version
            && !needed.is_same_major(version)
            && version < needed
        {
            return Err(RestoreFailure::Url(format!(
                "the server is PostgreSQL {version}, older than the dump's {needed}"
            )));
        }
        let installations = Installations::find();
        let pg_restore = if plan.needs_pg_restore {
            let wanted = plan.version.map_or(Wanted::Newest, Wanted::AtLeast);
            Some(installations.select(wanted, &[Tool::PgRestore])?.clone())
        } else {
            None
        };
        let (user, is_superuser): (String, bool) = (row.get(1), row.get(2));
        let mut notes =
            vec!["owners and privileges were left out: the roles of your server aren't touched".to_owned()];
        let gone = guest::remove_leftovers(&mut client);
        if !gone.is_empty() {
            notes.push(format!("dropped what a killed run had left on your server: {}", gone.join(", ")));
        }
        let own = Own { guest: Guest::new(&connection), connection, session: Mutex::default() };
        let mut target = Target {
            server: Server::Own(Box::new(own)),
            version,
            restorer: user,
            password: None,
            made_restorer: false,
            databases: BTreeMap::new(),
            pg_restore,
            missing_extensions: BTreeSet::new(),
            made_schemas: BTreeSet::new(),
            not_restored: vec![],
            notes,
        };
        if is_superuser {
            // A superuser's restore would run whatever the dump says, as the superuser.
            target.restorer = format!("{}{}", guest::ROLE, unique());
            target.password = Some(secret());
        }
        Ok(target)
    }

    fn make_roles(&mut self, plan: &Plan) -> Result<(), RestoreFailure> {
        let scratch = matches!(self.server, Server::Scratch(_));
        let mut client = self.connect_admin("postgres")?;
        if scratch || self.password.is_some() {
            let restorer = quote_identifier(&self.restorer);
            let mut sql = format!("CREATE ROLE {restorer} LOGIN");
            // Row security must not hide rows from the comparison. It gives no other right.
            sql.push_str(" BYPASSRLS");
            if let Some(password) = &self.password {
                sql.push_str(&format!(" PASSWORD {}", quote_literal(password)));
            }
            if let Server::Own(own) = &self.server {
                own.guest.add_role(&self.restorer);
                sql.push_str(&format!("; {}", Guest::comment("ROLE", &self.restorer)));
            }
            client
                .batch_execute(&sql)
                .map_err(|error| RestoreFailure::server(format!("create the role {restorer}"), error))?;
            self.made_restorer = true;
        }
        if !scratch {
            return Ok(());
        }
        for role in plan.roles.iter().filter(|role| **role != self.restorer) {
            let role = quote_identifier(role);
            let sql = format!("CREATE ROLE {role}; GRANT {role} TO {}", quote_identifier(&self.restorer));
            if let Err(error) = client.batch_execute(&sql) {
                self.notes.push(format!("role {role} could not be made: {}", server_message(&error)));
            }
        }
        Ok(())
    }

    /// Makes the databases anew, as empty as they were.
    pub(super) fn remake(&mut self, plan: &Plan) -> Result<(), RestoreFailure> {
        if let Server::Own(own) = &self.server {
            own.session.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
        let mut client = self.connect_admin("postgres")?;
        self.made_schemas.clear();
        for (name, here) in std::mem::take(&mut self.databases) {
            guest::drop_database(&mut client, &here)
                .map_err(|error| RestoreFailure::server(format!("drop the database {here}"), error))?;
            if let Some(planned) = plan.databases.get(&name) {
                self.make_database_called(&name, &here, planned)?;
                self.make_extensions(&name, planned)?;
            }
        }
        Ok(())
    }

    fn make_database(&mut self, name: &str, planned: &PlannedDatabase) -> Result<(), RestoreFailure> {
        let here = match &self.server {
            Server::Scratch(_) if name.is_empty() => DATABASE.to_owned(),
            Server::Scratch(_) => name.to_owned(),
            Server::Own(_) => format!("{}{}", guest::DATABASE, unique()),
        };
        self.make_database_called(name, &here, planned)
    }

    fn make_database_called(
        &mut self,
        name: &str,
        here: &str,
        planned: &PlannedDatabase,
    ) -> Result<(), RestoreFailure> {
        let mut client = self.connect_admin("postgres")?;
        let owner = quote_identifier(&self.restorer);
        let quoted = quote_identifier(here);
        if matches!(here, "postgres" | "template1") {
            // They are there, and a cluster's dump only adds to them.
            client
                .batch_execute(&format!("ALTER DATABASE {quoted} OWNER TO {owner}"))
                .map_err(|error| RestoreFailure::server(format!("take over the database {here}"), error))?;
        } else {
            let create = |options: &[(&str, String)]| {
                let mut sql = format!("CREATE DATABASE {quoted} TEMPLATE template0");
                if self.made_restorer {
                    sql.push_str(&format!(" OWNER {owner}"));
                }
                for (name, value) in options {
                    sql.push_str(&format!(" {name} {}", quote_literal(value)));
                }
                sql
            };
            let encoding: Vec<_> =
                planned.options.iter().filter(|(name, _)| *name == "ENCODING").cloned().collect();
            let mut plain = encoding.clone();
            plain.extend([("LC_COLLATE", "C".to_owned()), ("LC_CTYPE", "C".to_owned())]);
            let attempts = [create(&planned.options), create(&encoding), create(&plain)];
            if let Server::Own(own) = &self.server {
                own.guest.add_database(here);
            }
            let mut first_error = None;
            let made = attempts.iter().any(|sql| match client.batch_execute(sql) {
                Ok(()) => true,
                Err(error) => {
                    first_error.get_or_insert(error);
                    false
                }
            });
            match (made, first_error) {
                (true, None) => {}
                (true, Some(error)) => self.notes.push(format!(
                    "the dump's locale isn't here, another one was used ({})",
                    server_message(&error).lines().next().unwrap_or("")
                )),
                (false, Some(error)) => {
                    return Err(RestoreFailure::server(format!("create the database {here}"), error));
                }
                // `any` was false, so there was an error.
                (false, None) => {}
            }
        }
        self.databases.insert(name.to_owned(), here.to_owned());
        if let Server::Own(own) = &self.server {
            client
                .batch_execute(&Guest::comment("DATABASE", here))
                .map_err(|error| RestoreFailure::server(format!("comment on the database {here}"), error))?;
            let session = self.connect_admin(here)?;
            *own.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
        }
        if self.made_restorer {
            // Before 15 the superuser owns it, and the dump's comments and grants on it would fail.
            let mut inside = self.connect_admin(here)?;
            inside
                .batch_execute(&format!("ALTER SCHEMA public OWNER TO {owner}"))
                .map_err(|error| RestoreFailure::server("take over the schema public", error))?;
        }
        Ok(())
    }

    /// Creates the extensions while nothing of the dump is in the database: later their scripts could be
    /// led astray by the dump's own functions.
    fn make_extensions(&mut self, name: &str, planned: &PlannedDatabase) -> Result<(), RestoreFailure> {
        if planned.extensions.is_empty() {
            return Ok(());
        }
        let mut client = self.connect_admin(self.database(name))?;
        for (extension, schema) in &planned.extensions {
            let mut sql = String::new();
            if let Some(schema) = schema.as_deref().filter(|it| !matches!(*it, "public" | "pg_catalog")) {
                let quoted = quote_identifier(schema);
                let there = client
                    .query_opt("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", &[&schema])
                    .map_err(|error| RestoreFailure::server("look for a schema", error))?;
                if there.is_none() {
                    sql.push_str(&format!("CREATE SCHEMA {quoted}"));
                    if self.made_restorer {
                        sql.push_str(&format!(" AUTHORIZATION {}", quote_identifier(&self.restorer)));
                    }
                    sql.push_str("; ");
                    self.made_schemas.insert(schema.to_owned());
                }
            }
            sql.push_str(&format!("CREATE EXTENSION IF NOT EXISTS {}", quote_identifier(extension)));
            if let Some(schema) = schema {
                sql.push_str(&format!(" WITH SCHEMA {}", quote_identifier(schema)));
            }
            sql.push_str(" CASCADE");
            if let Err(error) = client.batch_execute(&sql) {
                if let Some(schema) = schema {
                    // It went back together with the extension.
                    self.made_schemas.remove(schema);
                }
                self.missing_extensions.insert(extension.clone());
                self.not_restored.push(NotRestored {
                    what: format!("EXTENSION {extension}"),
                    why: server_message(&error).lines().next().unwrap_or("").to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Dump ids of the entries of extensions that this server doesn't have.
    pub(super) fn missing_extension_entries(&self, plan: &Plan) -> Vec<i32> {
        let missing = |(id, name): (&i32, &String)| self.missing_extensions.contains(name).then_some(*id);
        plan.extension_entries.iter().filter_map(missing).collect()
    }

    /// Whether the dump's extension `name` isn't here.
    pub(super) fn lacks(&self, name: &str) -> bool {
        self.missing_extensions.contains(name)
    }

    /// Whether an extension of the dump isn't here.
    pub(super) fn lacks_extension(&self) -> bool {
        !self.missing_extensions.is_empty()
    }

    /// The name on the server of the dump's database `name`.
    pub(super) fn database<'a>(&'a self, name: &'a str) -> &'a str {
        self.databases.get(name).map_or(name, String::as_str)
    }

    /// The databases: their name in the dump.
    pub(super) fn databases(&self) -> impl Iterator<Item = &str> {
        self.databases.keys().map(String::as_str)
    }

    /// A connection as the role that restores.
    pub(super) fn connect(&self, database: &str) -> Result<Client, RestoreFailure> {
        match &self.server {
            Server::Scratch(cluster) => cluster.connect(&self.restorer, database).map_err(|error| {
                let action = format!("connect to the database {database} as {}", self.restorer);
                RestoreFailure::server(action, error)
            }),
            Server::Own(own) => {
                self.as_restorer(own, database).connect(&unhurried()).map_err(RestoreFailure::Connection)
            }
        }
    }

    fn as_restorer(&self, own: &Own, database: &str) -> Connection {
        let there = own.connection.with_database(database);
        match &self.password {
            Some(password) => there.with_role(&self.restorer, Some(password)),
            None => there,
        }
    }

    /// A connection as the superuser (or as the URL's role) that reads nothing but catalogs.
    pub(super) fn connect_admin(&self, database: &str) -> Result<Client, RestoreFailure> {
        match &self.server {
            Server::Scratch(cluster) => cluster.connect(SUPERUSER, database).map_err(|error| {
                RestoreFailure::server(format!("connect to the database {database}"), error)
            }),
            Server::Own(own) => {
                // Its role may enter the database that the user named, and those made here.
                let made = self.databases.values().any(|it| it == database);
                let there =
                    if made { own.connection.with_database(database) } else { own.connection.clone() };
                there.connect(&unhurried()).map_err(RestoreFailure::Connection)
            }
        }
    }

    /// Stops what the session `pid`, whose token it is, does.
    pub(super) fn cancel(&self, pid: i32, token: &CancelToken) {
        match &self.server {
            Server::Scratch(_) => {
                let _ = token.cancel_query(NoTls);
            }
            // By way of a session of the same role: that is encrypted as the user wants it.
            Server::Own(own) => {
                if let Ok(mut client) = self.as_restorer(own, self.database("")).connect(&unhurried()) {
                    let _ = client.execute("SELECT pg_catalog.pg_cancel_backend($1)", &[&pid]);
                }
            }
        }
    }

    /// Lets pg_restore go to the database.
    pub(super) fn lead(&self, run: Run) -> Run {
        let database = self.database("");
        match &self.server {
            Server::Scratch(cluster) => run.args(cluster.arguments(&self.restorer, database)),
            Server::Own(own) => {
                let connection = self.as_restorer(own, database);
                let mut run = run.keep_pg_environment().args(connection.arguments()).arg("--no-acl");
                for (name, value) in connection.environment() {
                    run = run.env(name, value);
                }
                run
            }
        }
    }

    /// The pg_restore to use.
    pub(super) fn pg_restore(&self) -> Option<&Installation> {
        self.pg_restore.as_ref()
    }

    /// Who runs pg_restore, if it can read the dump.
    pub(super) fn run_as(&self) -> RunAs {
        match &self.server {
            Server::Scratch(cluster) => cluster.run_as().clone(),
            Server::Own(_) => RunAs::Myself,
        }
    }

    /// Where things are, for messages.
    pub(super) fn place(&self) -> String {
        match &self.server {
            Server::Scratch(cluster) => {
                cluster.directory().parent().unwrap_or(cluster.directory()).display().to_string()
            }
            Server::Own(_) => "the server of the restore URL".to_owned(),
        }
    }

    /// Whether the server is ours: only there are roles made that the dump names.
    pub(super) fn is_scratch(&self) -> bool {
        matches!(self.server, Server::Scratch(_))
    }

    /// Makes a role that the dump turned out to need.
    pub(super) fn make_role(&self, role: &str) -> Result<(), RestoreFailure> {
        let role = quote_identifier(role);
        self.connect_admin("postgres")?
            .batch_execute(&format!(
                "CREATE ROLE {role}; GRANT {role} TO {}",
                quote_identifier(&self.restorer)
            ))
            .map_err(|error| RestoreFailure::server(format!("create the role {role}"), error))
    }

    /// The server's version.
    pub(super) fn version(&self) -> PgVersion {
        self.version
    }

    /// What was left out from the start.
    pub(super) fn not_restored(&self) -> &[NotRestored] {
        &self.not_restored
    }

    /// Worth knowing.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How large the databases are together.
    pub(super) fn database_bytes(&self) -> Option<u64> {
        let mut client = self.connect_admin("postgres").ok()?;
        let names: Vec<&str> = self.databases.values().map(String::as_str).collect();
        let row = client
            .query_one(
                "SELECT sum(pg_catalog.pg_database_size(oid))::bigint FROM pg_catalog.pg_database WHERE datname = ANY ($1)",
                &[&names],
            )
            .ok()?;
        row.get::<_, Option<i64>>(0).map(i64::unsigned_abs)
    }

    /// Removes everything and says what couldn't be.
    pub(super) fn finish(mut self, restored: &mut Restored) {
        restored.notes.extend(self.clean_up());
    }

    /// Drops what was made on a server of the user's own; a scratch cluster goes by itself.
    fn clean_up(&mut self) -> Vec<String> {
        let Server::Own(own) = &self.server else { return vec![] };
        own.session.lock().unwrap_or_else(PoisonError::into_inner).take();
        own.guest.remove()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = self.clean_up();
    }
}

/// Restoring takes as long as it takes: only being let in is limited.
fn unhurried() -> Limits {
    Limits {
        connect: Duration::from_secs(30),
        statement: Duration::ZERO,
        lock: Duration::ZERO,
        idle: Duration::ZERO,
        read_only: false,
    }
}

struct Memory {
    shared_buffers: u64,
    maintenance: u64,
}

/// A quarter of the memory at hand for the server, 512 MB at most.
fn memory_for_server() -> Memory {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok())
        .map_or(1024, |kilobytes| kilobytes / 1024);
    Memory { shared_buffers: (available / 8).clamp(16, 512), maintenance: (available / 16).clamp(16, 256) }
}

/// A few characters that nobody else has used for a name here.
fn unique() -> String {
    let mut text = format!("{:x}", std::process::id());
    text.push_str(&secret().chars().take(8).collect::<String>());
    text
}

/// Random hexadecimal digits, from the operating system by way of std's hasher keys.
fn secret() -> String {
    use std::hash::{BuildHasher, RandomState};
    (0..2u8)
        .map(|part| format!("{:016x}", RandomState::new().hash_one((part, std::time::SystemTime::now()))))
        .collect()
}
