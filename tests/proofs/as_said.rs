//! An example as its page says that it goes: in a transaction or out of one, refused or not, and with the locks that the
//! page's facts name.

use std::collections::BTreeMap;
use std::io::Write as _;

use postgres::{Client, NoTls};
use rollsafe::migration::lock_mode::LockMode;
use rollsafe::migration::parse::parse;
use rollsafe::migration::statement::Body;
use rollsafe::postgres::cluster::{SUPERUSER, ScratchCluster};

use crate::examples::Example;

const DATABASE: &str = "examples";

const CLEAN: &str = "DO $$ DECLARE r record; BEGIN
  FOR r IN SELECT evtname FROM pg_event_trigger LOOP EXECUTE format('DROP EVENT TRIGGER %I', r.evtname); END LOOP;
  FOR r IN SELECT pubname FROM pg_publication LOOP EXECUTE format('DROP PUBLICATION %I', r.pubname); END LOOP;
  FOR r IN SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' LOOP EXECUTE format('DROP EXTENSION IF EXISTS %I CASCADE', r.extname); END LOOP;
  FOR r IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
    EXECUTE format('DROP SCHEMA %I CASCADE', r.nspname); END LOOP;
  FOR r IN SELECT fdwname FROM pg_foreign_data_wrapper LOOP EXECUTE format('DROP FOREIGN DATA WRAPPER %I CASCADE', r.fdwname); END LOOP;
  EXECUTE 'CREATE SCHEMA public'; EXECUTE 'GRANT ALL ON SCHEMA public TO PUBLIC';
END $$";

const ROLES: &str = "CREATE ROLE app_user; CREATE ROLE reader; CREATE ROLE reporting; CREATE ROLE owner;";

/// Prepares a fresh server, behind `observation::prepare`: examples may name the roles.
pub fn prepare(server: &ScratchCluster) {
    let mut client = server.connect(SUPERUSER, "postgres").expect("connecting");
    client.batch_execute(ROLES).expect("roles");
    client.batch_execute(&format!("CREATE DATABASE {DATABASE} TEMPLATE template0")).expect("a database");
}

impl Example {
    /// Whether a server of this version shows it.
    fn shows_on(&self, major: u16) -> bool {
        let wanted = self.words.iter().find_map(|word| word.strip_prefix("pg=")?.parse::<u16>().ok());
        // What one version refuses a newer one may allow.
        if let (Some(wanted), true) = (wanted, self.has("fails")) {
            return major == wanted;
        }
        // A page may ask for an old version to show what is different there; the syntax is in newer ones too.
        major >= 15 && wanted.is_none_or(|wanted| wanted <= 15 || major >= wanted)
    }

    /// Whether its statements, one by one and each in a transaction of its own, are all there is to it.
    pub fn is_plain(&self) -> bool {
        let circumstances = ["tx", "onequery", "unknown", "fails", "live", "alone"];
        !circumstances.iter().any(|word| self.has(word))
            && !["-- next file\n", "-- the way back\n"].iter().any(|line| self.sql.contains(line))
    }

    /// Runs it; what goes otherwise than the page says.
    pub fn run_as_said(&self, server: &ScratchCluster) -> Option<String> {
        let major = server.version().major();
        if !self.shows_on(major) {
            return None;
        }
        clean(server);
        // A way back is judged by what it undoes; what it refuses to do it may say with an error.
        let parts =
            self.sql.split("-- next file\n").filter_map(|part| part.split("-- the way back\n").next());
        let refused = self
            .before
            .as_ref()
            // What a live database has stands in place of what the migrations made.
            .filter(|_| !self.has("live"))
            .and_then(|setup| run(server, setup, false).err().map(|e| format!("the setup fails: {e}")))
            .or_else(|| {
                parts.into_iter().find_map(|part| match self.has("onequery") {
                    true => connect(server).batch_execute(part).err().map(|e| e.to_string()),
                    // Where it isn't known whether a transaction is open, one of the two must do.
                    false if self.has("unknown") => {
                        run(server, part, false).or_else(|_| run(server, part, true)).err()
                    }
                    false => run(server, part, self.has("tx")).err(),
                })
            });
        let place = format!("{} ({}) on {major}", self.place(), self.words.join(" "));
        match (refused, self.has("fails")) {
            (Some(error), false) => Some(format!("{place}: {}", error.trim())),
            (None, true) => Some(format!("{place}: is not refused")),
            _ => None,
        }
    }

    /// What is wrong with the locks that the page claims for it, where it claims any.
    pub fn check_claim(&self, server: &ScratchCluster) -> Option<String> {
        let major = server.version().major();
        let claimed = claimed(self.locks.as_deref()?, &self.place());
        // What refuses a transaction can't be looked at from inside one.
        if !self.shows_on(major) || self.has("fails") || self.sql.contains("VACUUM") {
            return None;
        }
        clean(server);
        if let Some(setup) = &self.before {
            run(server, setup, false).unwrap_or_else(|e| panic!("{}: {e}", self.place()));
        }
        let seen = observed(&mut connect(server), &self.sql, self.has("tx"));
        (seen != claimed)
            .then(|| format!("{} on {major}: the page claims {claimed:?}, it takes {seen:?}", self.place()))
    }
}

/// `ACCESS EXCLUSIVE on orders, …`: relation to mode.
fn claimed(locks: &str, place: &str) -> BTreeMap<String, LockMode> {
    locks
        .split(", ")
        .map(|lock| {
            let (mode, relation) = lock.split_once(" on ").unwrap_or_else(|| panic!("{place}: {lock}"));
            let mode = LockMode::from_name(mode).unwrap_or_else(|| panic!("{place}: no lock mode {mode}"));
            (relation.to_owned(), mode)
        })
        .collect()
}

fn connect(server: &ScratchCluster) -> Client {
    server
        .config(SUPERUSER, DATABASE)
        .options("-c client_min_messages=error -c allow_in_place_tablespaces=on -c statement_timeout=60s")
        .connect(NoTls)
        .expect("connecting")
}

/// Takes away what the example before has made.
fn clean(server: &ScratchCluster) {
    connect(server).batch_execute(CLEAN).expect("cleaning up");
}

/// Runs a text statement by statement, as a migration tool does; the error if one is refused.
fn run(server: &ScratchCluster, sql: &str, in_transaction: bool) -> Result<(), String> {
    let mut client = connect(server);
    let said = |e: postgres::Error| e.as_db_error().map_or_else(|| e.to_string(), |e| e.message().to_owned());
    if in_transaction {
        client.batch_execute("BEGIN").map_err(said)?;
    }
    for statement in &parse(sql, 0..sql.len()).statements {
        match &statement.body {
            // psql's business, not the server's.
            Body::MetaCommand { .. } => {}
            Body::Copy(copy) if copy.data.is_some() => {
                let mut writer = client.copy_in(statement.span.of(sql)).map_err(said)?;
                writer
                    .write_all(copy.data.map_or("", |data| data.of(sql)).as_bytes())
                    .map_err(|e| e.to_string())?;
                writer.finish().map_err(said)?;
            }
            _ => client.batch_execute(statement.span.of(sql)).map_err(said)?,
        }
    }
    if in_transaction {
        client.batch_execute("COMMIT").map_err(said)?;
    }
    Ok(())
}

/// The strongest lock on each relation that was there before, over all statements.
fn observed(client: &mut Client, sql: &str, together: bool) -> BTreeMap<String, LockMode> {
    const LOCKS: &str = "SELECT c.oid::regclass::text, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
        WHERE l.pid = pg_backend_pid() AND c.relkind IN ('r','p','m','v','f') AND c.oid = ANY($1) \
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let before: Vec<u32> = client
        .query("SELECT oid FROM pg_class WHERE oid >= 16384", &[])
        .expect("pg_class")
        .iter()
        .map(|row| row.get(0))
        .collect();
    let mut strongest: BTreeMap<String, LockMode> = BTreeMap::new();
    let mut open = false;
    for statement in &parse(sql, 0..sql.len()).statements {
        let text = statement.span.of(sql);
        let control = ["BEGIN", "COMMIT", "ROLLBACK"].iter().any(|word| text.starts_with(word));
        if !open && !control {
            client.batch_execute("BEGIN").expect("begin");
            open = true;
        }
        client.batch_execute(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        if control {
            open = text.starts_with("BEGIN");
        }
        for row in client.query(LOCKS, &[&before]).expect("pg_locks") {
            let mode: String = row.get(1);
            let mode = LockMode::from_name(&mode).expect("a lock mode");
            let known = strongest.entry(row.get(0)).or_insert(mode);
            *known = (*known).max(mode);
        }
        if open && !together && !control && !sql.starts_with("BEGIN") {
            client.batch_execute("COMMIT").expect("commit");
            open = false;
        }
    }
    strongest
}
