//! Where a dump is restored: a scratch cluster, or a new database on a server of the user's own.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use postgres::config::Host;
use postgres::{Client, Config, NoTls};

use crate::backup::archive::{Archive, Format};
use crate::postgres::cluster::{Options as ClusterOptions, SUPERUSER, ScratchCluster};
use crate::postgres::sql_text::{quote_identifier, quote_literal};
use crate::postgres::tools::{Installation, Installations, Tool, Wanted};
use crate::postgres::unprivileged::RunAs;
use crate::postgres::version::PgVersion;

use super::errors::server_message;
use super::names::{database_options, extension_in, roles_in};
use super::script::{Scan, ScanSink};
use super::{NotRestored, Options, RestoreFailure, Restored};

/// The role that restores. It owns the databases and may nothing else.
const RESTORER: &str = "rollsafe_restore";
/// The database on a scratch cluster; that of a cluster's dump have their own names.
const DATABASE: &str = "rollsafe_restore";

/// Kinds of entries that only a superuser can create, or that would reach out to other servers.
const SUPERUSER_KINDS: &[(&str, &str)] = &[
    ("EVENT TRIGGER", "only a superuser can create one"),
    ("SUBSCRIPTION", "it would connect to another server"),
    ("SUBSCRIPTION TABLE", "it would connect to another server"),
    ("FOREIGN DATA WRAPPER", "only a superuser can create one"),
    ("SERVER", "it would connect to another server"),
    ("USER MAPPING", "it would connect to another server"),
    ("FOREIGN TABLE", "its rows are on another server"),
    ("ACCESS METHOD", "only a superuser can create one"),
    ("OPERATOR CLASS", "only a superuser can create one"),
    ("OPERATOR FAMILY", "only a superuser can create one"),
    ("TEXT SEARCH PARSER", "only a superuser can create one"),
    ("TEXT SEARCH TEMPLATE", "only a superuser can create one"),
    ("TRANSFORM", "only a superuser can create one"),
    ("SECURITY LABEL", "it needs a label provider"),
    ("PUBLICATION TABLES IN SCHEMA", "only a superuser can create one"),
    ("SUBSCRIPTION", "it would connect to another server"),
];

/// What must be there before a dump is restored, and what of it is left out.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The version that the server must have at least.
    pub(super) version: Option<PgVersion>,
    /// The databases: one without a name, or those of a cluster's dump.
    databases: BTreeMap<String, PlannedDatabase>,
    roles: BTreeSet<String>,
    /// Entries left out, by dump id.
    pub(super) skipped: BTreeMap<i32, NotRestored>,
    /// Entries of extensions, by dump id.
    extension_entries: BTreeMap<i32, String>,
    has_tablespaces: bool,
    needs_pg_restore: bool,
}

#[derive(Debug, Default)]
struct PlannedDatabase {
    options: Vec<(&'static str, String)>,
    extensions: Vec<(String, Option<String>)>,
}

impl Plan {
    /// What an archive's table of contents asks for.
    pub(super) fn of_toc(archive: &Archive) -> Plan {
        let mut plan = Plan { needs_pg_restore: true, ..Plan::default() };
        let mut database = PlannedDatabase::default();
        if let Some(header) = &archive.header {
            let version = |text: &Option<Vec<u8>>| {
                text.as_deref().and_then(|text| PgVersion::find_in(&String::from_utf8_lossy(text)))
            };
            plan.version = version(&header.server_version).max(version(&header.pg_dump_version));
        }
        for entry in &archive.toc.entries {
            let kind = entry.kind.as_str();
            plan.has_tablespaces |= entry.tablespace.as_deref().is_some_and(|name| !name.is_empty());
            if let Some(owner) = entry.owner.as_deref().filter(|owner| !owner.is_empty()) {
                roles_in(&format!("TO {}", quote_identifier(owner)), &mut plan.roles);
            }
            match kind {
                "ACL" | "DEFAULT ACL" | "POLICY" => roles_in(&entry.definition, &mut plan.roles),
                "DATABASE" => database.options = database_options(&entry.definition),
                "EXTENSION" => {
                    let (name, schema) =
                        extension_in(&entry.definition).unwrap_or_else(|| (entry.tag.clone(), None));
                    plan.extension_entries.insert(entry.dump_id, name.clone());
                    database.extensions.push((name, schema));
                }
                _ => {}
            }
            let by_superuser =
                SUPERUSER_KINDS.iter().find(|(name, _)| *name == kind).map(|(_, why)| *why).or_else(|| {
                    let definition = entry.definition.as_str();
                    let is_c = matches!(kind, "FUNCTION" | "PROCEDURE")
                        && [" LANGUAGE c\n", " LANGUAGE c ", " LANGUAGE internal"]
                            .iter()
                            .any(|c| definition.contains(c));
                    let all_tables = kind == "PUBLICATION" && definition.contains("FOR ALL TABLES");
                    (is_c || all_tables).then_some("only a superuser can create one")
                });
            if let Some(why) = by_superuser {
                let what = format!("{kind} {}", entry.qualified());
                plan.skipped.insert(entry.dump_id, NotRestored { what, why: why.to_owned() });
            }
        }
        // A header without an encoding entry, from a damaged dump: the default is as good as any.
        if !database.options.iter().any(|(name, _)| *name == "ENCODING") {
            database.options.push(("ENCODING", archive.toc.encoding.name.clone()));
        }
        plan.databases.insert(String::new(), database);
        plan
    }

    /// The encoding that the rows of the dump's database `name` are in.
    pub(super) fn encoding(&self, name: &str) -> &str {
        self.databases
            .get(name)
            .and_then(|database| database.options.iter().find(|(option, _)| *option == "ENCODING"))
            .map_or("UTF8", |(_, encoding)| encoding)
    }

    /// What a plain dump asks for: reads it up to its first rows (a cluster's to its end).
    pub(super) fn of_text(archive: &Archive) -> Plan {
        let mut plan = Plan::default();
        let mut scan =
            PlanScan { plan: &mut plan, database: String::new(), whole: archive.format == Format::Cluster };
        Scan::default().read(archive, &mut scan);
        plan.databases.entry(String::new()).or_default();
        plan
    }

    /// The entries that can't be there because they depend on `missing` ones, with these.
    pub(super) fn dependents(archive: &Archive, missing: impl IntoIterator<Item = i32>) -> BTreeSet<i32> {
        let mut gone: BTreeSet<i32> = missing.into_iter().collect();
        if gone.is_empty() {
            return gone;
        }
        // Entries come after what they depend on, but for a few loops: twice is enough for those.
        for _ in 0..2 {
            for entry in &archive.toc.entries {
                if entry.dependencies.iter().any(|id| gone.contains(id)) {
                    gone.insert(entry.dump_id);
                }
            }
        }
        gone
    }
}

/// Collects what a plain dump asks for.
struct PlanScan<'a> {
    plan: &'a mut Plan,
    database: String,
    whole: bool,
}

impl ScanSink for PlanScan<'_> {
    fn comment(&mut self, line: &str) {
        for start in ["Dumped from database version ", "Dumped by pg_dump version "] {
            if let Some(version) = line.strip_prefix(start).and_then(PgVersion::find_in) {
                self.plan.version = self.plan.version.max(Some(version));
            }
        }
    }

    fn connect(&mut self, database: &str) {
        self.database = database.to_owned();
    }

    fn statement(&mut self, sql: &str) -> ControlFlow<()> {
        let here = self.plan.databases.entry(self.database.clone()).or_default();
        if let Some(extension) = extension_in(sql) {
            here.extensions.push(extension);
        } else if let Some(encoding) = super::script::client_encoding(sql) {
            here.options.retain(|(name, _)| *name != "ENCODING");
            here.options.push(("ENCODING", encoding));
        } else if let Some(name) = super::script::created_database(sql) {
            self.plan.databases.entry(name).or_default().options = database_options(sql);
        } else {
            let starts = |word: &str| super::names::strip_words(sql, &[word]).is_some();
            if starts("GRANT")
                || starts("REVOKE")
                || super::names::strip_words(sql, &["CREATE", "ROLE"]).is_some()
            {
                roles_in(sql, &mut self.plan.roles);
            }
        }
        ControlFlow::Continue(())
    }

    fn rows(&mut self) -> ControlFlow<()> {
        if self.whole { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

enum Server {
    Scratch(Arc<ScratchCluster>),
    Own { admin: Box<Config>, ssl_mode: String },
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
                target.databases.insert(String::new(), "postgres".to_owned());
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
            Server::Own { .. } => None,
        }
    }

    /// The role that restores and owns everything.
    pub(super) fn restorer(&self) -> &str {
        &self.restorer
    }

    fn own(plan: &Plan, url: &str) -> Result<Target, RestoreFailure> {
        let mut admin: Config =
            url.parse().map_err(|error: postgres::Error| RestoreFailure::Url(server_message(&error)))?;
        admin.application_name("rollsafe").connect_timeout(Duration::from_secs(30));
        if plan.databases.len() > 1 {
            return Err(RestoreFailure::Url(
                "a dump of a whole cluster can only be restored into a scratch cluster".to_owned(),
            ));
        }
        let mut client = admin
            .connect(NoTls)
            .map_err(|error| RestoreFailure::server("connect to the restore URL", error))?;
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
        let mut target = Target {
            server: Server::Own { admin: Box::new(admin), ssl_mode: "prefer".to_owned() },
            version,
            restorer: user,
            password: None,
            made_restorer: false,
            databases: BTreeMap::new(),
            pg_restore,
            missing_extensions: BTreeSet::new(),
            made_schemas: BTreeSet::new(),
            not_restored: vec![],
            notes: vec![
                "owners and privileges were left out: the roles of your server aren't touched".to_owned(),
            ],
        };
        if is_superuser {
            // A superuser's restore would run whatever the dump says, as the superuser.
            target.restorer = format!("{RESTORER}_{}", unique());
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

    fn make_database(&mut self, name: &str, planned: &PlannedDatabase) -> Result<(), RestoreFailure> {
        let here = match &self.server {
            Server::Scratch(_) if name.is_empty() => DATABASE.to_owned(),
            Server::Scratch(_) => name.to_owned(),
            Server::Own { .. } => format!("rollsafe_verify_{}", unique()),
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
        let action = || format!("connect to the database {database} as {}", self.restorer);
        self.config(database).connect(NoTls).map_err(|error| RestoreFailure::server(action(), error))
    }

    fn config(&self, database: &str) -> Config {
        match &self.server {
            Server::Scratch(cluster) => cluster.config(&self.restorer, database),
            Server::Own { admin, .. } => {
                let mut config = admin.as_ref().clone();
                config.dbname(database).user(&self.restorer);
                if let Some(password) = &self.password {
                    config.password(password);
                }
                config
            }
        }
    }

    /// A connection as the superuser (or as the URL's role) that reads nothing but catalogs.
    pub(super) fn connect_admin(&self, database: &str) -> Result<Client, RestoreFailure> {
        let config = match &self.server {
            Server::Scratch(cluster) => cluster.config(SUPERUSER, database),
            Server::Own { admin, .. } => {
                let mut config = admin.as_ref().clone();
                if self.databases.values().any(|it| it == database) {
                    config.dbname(database);
                }
                config
            }
        };
        config
            .connect(NoTls)
            .map_err(|error| RestoreFailure::server(format!("connect to the database {database}"), error))
    }

    /// As [`Target::connect`] to the dump's database, for who tells the error himself.
    pub(super) fn connect_plainly(&self) -> Result<Client, postgres::Error> {
        self.config(self.database("")).connect(NoTls)
    }

    /// As [`Target::connect_admin`] to the dump's database, for who tells the error himself.
    pub(super) fn connect_admin_plainly(&self) -> Result<Client, postgres::Error> {
        match &self.server {
            Server::Scratch(cluster) => cluster.connect(SUPERUSER, self.database("")),
            Server::Own { .. } => self.connect_plainly(),
        }
    }

    /// Arguments and environment that send pg_restore to the database.
    pub(super) fn pg_restore_arguments(&self) -> (Vec<OsString>, Vec<(&'static str, String)>) {
        let database = self.database("");
        match &self.server {
            Server::Scratch(cluster) => (cluster.arguments(&self.restorer, database), vec![]),
            Server::Own { admin, ssl_mode } => {
                let mut arguments: Vec<OsString> = vec!["--no-password".into(), "--no-acl".into()];
                arguments.extend(["--username", &self.restorer, "--dbname", database].map(OsString::from));
                if let Some(host) = admin.get_hosts().first() {
                    arguments.push("--host".into());
                    arguments.push(match host {
                        Host::Tcp(name) => name.into(),
                        Host::Unix(path) => path.into(),
                    });
                }
                if let Some(port) = admin.get_ports().first() {
                    arguments.extend(["--port".into(), port.to_string().into()]);
                }
                let mut environment = vec![("PGSSLMODE", ssl_mode.clone())];
                let password = self.password.clone().or_else(|| {
                    admin.get_password().map(|password| String::from_utf8_lossy(password).into_owned())
                });
                environment.extend(password.map(|password| ("PGPASSWORD", password)));
                (arguments, environment)
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
            Server::Own { .. } => RunAs::Myself,
        }
    }

    /// Where things are, for messages.
    pub(super) fn place(&self) -> String {
        match &self.server {
            Server::Scratch(cluster) => {
                cluster.directory().parent().unwrap_or(cluster.directory()).display().to_string()
            }
            Server::Own { .. } => "the server of the restore URL".to_owned(),
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
        let Server::Own { admin, .. } = &self.server else { return vec![] };
        let mut left = vec![];
        let databases = std::mem::take(&mut self.databases);
        let mut client = match admin.connect(NoTls) {
            Ok(client) => client,
            Err(error) => {
                let names: Vec<_> = databases.into_values().collect();
                return vec![format!(
                    "the database {} is still there: {}; drop it with: DROP DATABASE {}",
                    names.join(", "),
                    server_message(&error),
                    names.first().map(|name| quote_identifier(name)).unwrap_or_default()
                )];
            }
        };
        for name in databases.into_values() {
            // Connections of a pg_restore that was stopped may linger.
            let _ = client.execute(
                "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = $1",
                &[&name],
            );
            let sql = format!("DROP DATABASE IF EXISTS {}", quote_identifier(&name));
            if let Err(error) = client.batch_execute(&sql) {
                left.push(format!("could not drop the database {name}: {}", server_message(&error)));
            }
        }
        if self.made_restorer {
            self.made_restorer = false;
            let sql = format!("DROP ROLE IF EXISTS {}", quote_identifier(&self.restorer));
            if let Err(error) = client.batch_execute(&sql) {
                left.push(format!("could not drop the role {}: {}", self.restorer, server_message(&error)));
            }
        }
        left
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = self.clean_up();
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
