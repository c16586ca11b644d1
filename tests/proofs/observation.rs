//! What a server really does with a statement: locks, rewrites, scans and index builds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};

use crate::cases::{Case, Outcome};
use rollsafe::migration::lock_mode::LockMode;
use rollsafe::postgres::cluster::{SUPERUSER, ScratchCluster};

/// Relations that were there before the statement.
struct Before {
    /// oid to name as regclass prints it, and file node.
    relations: HashMap<u32, (String, Option<u32>)>,
}

const RELATIONS: &str = "SELECT c.oid, c.oid::regclass::text, pg_relation_filenode(c.oid), \
     coalesce(pg_relation_size(c.oid), 0) > 0 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r','p','v','m','f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

const CLEAN: &str = "DO $$ DECLARE r record; BEGIN
  FOR r IN SELECT evtname FROM pg_event_trigger LOOP EXECUTE format('DROP EVENT TRIGGER %I', r.evtname); END LOOP;
  FOR r IN SELECT pubname FROM pg_publication LOOP EXECUTE format('DROP PUBLICATION %I', r.pubname); END LOOP;
  FOR r IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
    EXECUTE format('DROP SCHEMA %I CASCADE', r.nspname); END LOOP;
  FOR r IN SELECT fdwname FROM pg_foreign_data_wrapper LOOP EXECUTE format('DROP FOREIGN DATA WRAPPER %I CASCADE', r.fdwname); END LOOP;
  FOR r IN SELECT amname FROM pg_am WHERE oid >= 16384 LOOP EXECUTE format('DROP ACCESS METHOD %I CASCADE', r.amname); END LOOP;
  EXECUTE 'CREATE SCHEMA public'; EXECUTE 'GRANT ALL ON SCHEMA public TO PUBLIC';
END $$";

/// Prepares a fresh server for cases: a database, a role and a tablespace that cases may name.
pub fn prepare(server: &ScratchCluster) {
    let mut client = connect_to(server, "postgres", None);
    if client
        .query_opt("SELECT 1 FROM pg_database WHERE datname = 'proofs'", &[])
        .expect("pg_database")
        .is_some()
    {
        return;
    }
    client.batch_execute("CREATE ROLE app").expect("role app");
    client.batch_execute("SET allow_in_place_tablespaces = on").expect("setting");
    client.batch_execute("CREATE TABLESPACE other_disk LOCATION ''").expect("tablespace");
    client.batch_execute("CREATE DATABASE proofs TEMPLATE template0").expect("database");
    client.batch_execute("ALTER DATABASE proofs SET client_min_messages = warning").expect("setting");
}

fn connect_to(server: &ScratchCluster, database: &str, messages: Option<Arc<Mutex<Vec<String>>>>) -> Client {
    let mut config = server.config(SUPERUSER, database);
    if let Some(messages) = messages {
        config.notice_callback(move |notice| {
            messages.lock().expect("no thread died holding it").push(notice.message().to_owned());
        });
    }
    config.connect(NoTls).unwrap_or_else(|e| panic!("connecting: {e}"))
}

/// A connection to the cases' database.
pub fn connect(server: &ScratchCluster) -> Client {
    connect_to(server, "proofs", None)
}

/// Runs a case and says what happened; or what went wrong. `monitor` looks on and cleans up.
pub fn observe(server: &ScratchCluster, monitor: &mut Client, case: &Case) -> Result<Outcome, String> {
    if case.no_transaction {
        observe_outside(server, case, monitor)
    } else {
        observe_inside(server, case, monitor)
    }
}

/// A session that runs statements, with what the server says to it.
pub struct Session {
    client: Client,
    messages: Arc<Mutex<Vec<String>>>,
    pid: i32,
}

impl Session {
    /// A new session on an empty database.
    pub fn on_empty(server: &ScratchCluster, monitor: &mut Client) -> Result<Session, String> {
        monitor.batch_execute(CLEAN).map_err(|e| format!("cleaning up: {}", say(&e)))?;
        let messages = Arc::new(Mutex::new(Vec::new()));
        let mut client = connect_to(server, "proofs", Some(messages.clone()));
        let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).map_err(|e| say(&e))?.get(0);
        Ok(Session { client, messages, pid })
    }

    /// Sends SQL as one query string.
    pub fn run(&mut self, sql: &str) -> Result<(), String> {
        self.client.batch_execute(sql).map_err(|e| say(&e))
    }

    fn take_messages(&self) -> Vec<String> {
        std::mem::take(&mut *self.messages.lock().expect("no thread died holding it"))
    }

    /// Runs SQL in a transaction, which stays open, and says what it did.
    pub fn measure(&mut self, monitor: &mut Client, sql: &str) -> Result<Outcome, String> {
        let before = Before::look(monitor)?;
        self.run("BEGIN")?;
        let reads_before = reads(&mut self.client)?;
        self.run("SET LOCAL client_min_messages = debug1")?;
        self.take_messages();
        self.run(sql)?;
        let messages = self.take_messages();
        let mut outcome = Outcome::default();
        locks(monitor, self.pid, &before, &mut outcome)?;
        self.run("SET LOCAL client_min_messages = warning")?;
        let mut scanned = reads(&mut self.client)?;
        scanned.retain(|oid, count| *count > reads_before.get(oid).copied().unwrap_or(0));
        let emptied = files(&mut self.client, &before, sql, &mut outcome)?;
        read_messages(&mut self.client, &messages, &before, &emptied, &scanned, &mut outcome)?;
        if is_definition(sql) {
            let probed = referenced_by_validation(&mut self.client, &messages)?;
            for oid in scanned.keys().filter(|oid| !probed.contains(oid)) {
                if let Some((name, _)) = before.relations.get(oid) {
                    outcome.scans.insert(name.clone());
                }
            }
        }
        outcome.scans.extend(outcome.rewrites.iter().cloned());
        Ok(outcome)
    }
}

impl Before {
    fn look(monitor: &mut Client) -> Result<Before, String> {
        let mut before = Before { relations: HashMap::new() };
        for row in monitor.query(RELATIONS, &[]).map_err(|e| say(&e))? {
            let oid: u32 = row.get(0);
            before.relations.insert(oid, (row.get(1), row.get(2)));
        }
        Ok(before)
    }
}

fn set_up(server: &ScratchCluster, case: &Case, monitor: &mut Client) -> Result<Session, String> {
    let mut session = Session::on_empty(server, monitor)?;
    for setup in &case.setup {
        session.run(setup).map_err(|e| format!("setup: {e}"))?;
    }
    Ok(session)
}

fn observe_inside(server: &ScratchCluster, case: &Case, monitor: &mut Client) -> Result<Outcome, String> {
    set_up(server, case, monitor)?.measure(monitor, &case.run).map_err(|e| format!("run: {e}"))
}

/// Statements that refuse a transaction block may hold different locks at different times, and let go
/// of them before they end. Each relation is held in turn by another session, in modes that make the
/// statement wait at different places, and what the statement holds and wants is read while it waits.
fn observe_outside(server: &ScratchCluster, case: &Case, monitor: &mut Client) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let mut count = usize::MAX;
    let mut at = 0;
    while at <= count {
        for mode in ["ACCESS SHARE", "SHARE UPDATE EXCLUSIVE", "ACCESS EXCLUSIVE"] {
            let session = set_up(server, case, monitor)?;
            let before = Before::look(monitor)?;
            let Session { client: mut session, messages, pid } = session;
            let mut names: Vec<&String> = before.relations.values().map(|(name, _)| name).collect();
            names.sort();
            count = names.len();
            let mut holder = connect_to(server, "proofs", None);
            if at < count {
                let name = names[at]; // in bounds: at < count
                // LOCK TABLE refuses materialized views; these statements take the same locks.
                let instead = match mode {
                    "ACCESS SHARE" => format!("SELECT FROM {name} LIMIT 0"),
                    "SHARE UPDATE EXCLUSIVE" => format!("COMMENT ON MATERIALIZED VIEW {name} IS NULL"),
                    _ => format!("ALTER MATERIALIZED VIEW {name} OWNER TO CURRENT_USER"),
                };
                if holder.batch_execute(&format!("BEGIN; LOCK TABLE ONLY {name} IN {mode} MODE")).is_err() {
                    holder.batch_execute("ROLLBACK").map_err(|e| say(&e))?;
                    if holder.batch_execute(&format!("BEGIN; {instead}")).is_err() {
                        continue;
                    }
                }
            } else if mode != "ACCESS SHARE" {
                continue;
            }
            session.batch_execute("SET client_min_messages = debug1").map_err(|e| say(&e))?;
            messages.lock().expect("no thread died holding it").clear();
            let run = case.run.clone();
            let worker = std::thread::spawn(move || {
                let result = session.batch_execute(&run).map_err(|e| format!("run: {}", say(&e)));
                (session, result)
            });
            let started = Instant::now();
            let mut quiet = 0;
            let mut held = at < count;
            while !worker.is_finished() {
                locks(monitor, pid, &before, &mut outcome)?;
                let waiting: bool = monitor
                    .query_one("SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)", &[&pid])
                    .map_err(|e| say(&e))?
                    .get(0);
                quiet = if waiting { quiet + 1 } else { 0 };
                if held && quiet > 3 {
                    holder.batch_execute("ROLLBACK").map_err(|e| say(&e))?;
                    held = false;
                }
                if started.elapsed() > Duration::from_secs(20) {
                    return Err("run: not finished after 20 s".into());
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            let (mut session, result) = worker.join().map_err(|_| "the session's thread died".to_owned())?;
            result?;
            let _ = holder.batch_execute("ROLLBACK");
            if at == count {
                session.batch_execute("SET client_min_messages = warning").map_err(|e| say(&e))?;
                let messages: Vec<String> =
                    std::mem::take(&mut *messages.lock().expect("no thread died holding it"));
                let emptied = files(&mut session, &before, &case.run, &mut outcome)?;
                read_messages(&mut session, &messages, &before, &emptied, &BTreeMap::new(), &mut outcome)?;
                outcome.scans.extend(outcome.rewrites.iter().cloned());
            }
        }
        at += 1;
    }
    Ok(outcome)
}

/// Adds what the session holds or waits for, the strongest per relation.
fn locks(monitor: &mut Client, pid: i32, before: &Before, outcome: &mut Outcome) -> Result<(), String> {
    let rows = monitor
        .query("SELECT relation, mode FROM pg_locks WHERE pid = $1 AND locktype = 'relation' AND relation IS NOT NULL", &[&pid])
        .map_err(|e| say(&e))?;
    for row in rows {
        let oid: u32 = row.get(0);
        let mode = LockMode::from_name(row.get(1)).ok_or("a lock mode of another kind")?;
        let Some((name, _)) = before.relations.get(&oid) else { continue };
        let old = outcome.locks.get(name).and_then(|old| LockMode::from_name(old));
        if old.is_none_or(|old| old < mode) {
            outcome.locks.insert(name.clone(), mode.as_str().to_owned());
        }
    }
    Ok(())
}

/// Heaps that stand in a new file. Those that TRUNCATE emptied weren't rewritten, and building their
/// indexes reads nothing: they are given back.
fn files(
    session: &mut Client,
    before: &Before,
    sql: &str,
    outcome: &mut Outcome,
) -> Result<BTreeSet<String>, String> {
    let sql = sql.to_uppercase();
    let empties = sql.contains("TRUNCATE") || sql.contains("NO DATA");
    let mut emptied = BTreeSet::new();
    for row in session.query(RELATIONS, &[]).map_err(|e| say(&e))? {
        let oid: u32 = row.get(0);
        let now: Option<u32> = row.get(2);
        let Some((name, then)) = before.relations.get(&oid) else { continue };
        let filled: bool = row.get(3);
        if *then == now {
            continue;
        }
        if filled || !empties {
            outcome.rewrites.insert(name.clone());
        } else {
            emptied.insert(name.clone());
        }
    }
    Ok(emptied)
}

/// Sequential scans by relation, in this session.
fn reads(session: &mut Client) -> Result<BTreeMap<u32, i64>, String> {
    let rows =
        session.query("SELECT relid, seq_scan FROM pg_stat_xact_user_tables", &[]).map_err(|e| say(&e))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get::<_, Option<i64>>(1).unwrap_or(0))).collect())
}

/// PostgreSQL says at DEBUG1 what it reads: `tablecmds.c` ("verifying table", "rewriting table",
/// "validating foreign key constraint") and `index.c` ("building index … on table …").
fn read_messages(
    session: &mut Client,
    messages: &[String],
    before: &Before,
    emptied: &BTreeSet<String>,
    scanned: &BTreeMap<u32, i64>,
    outcome: &mut Outcome,
) -> Result<(), String> {
    // Messages give the bare name: of several relations of that name, it is the one that was read.
    let known = |bare: &str, tables: Option<&[u32]>| {
        let named: Vec<(&u32, &String)> = before
            .relations
            .iter()
            .map(|(oid, (name, _))| (oid, name))
            .filter(|(_, name)| !emptied.contains(*name))
            .filter(|(_, name)| name.rsplit('.').next().is_some_and(|last| last.trim_matches('"') == bare))
            .filter(|(oid, _)| tables.is_none_or(|tables| tables.contains(oid)))
            .collect();
        let several = named.len() > 1 || tables.is_some_and(|tables| tables.len() > 1);
        named.into_iter().find(|(oid, _)| !several || scanned.contains_key(oid)).map(|(_, name)| name.clone())
    };
    for message in messages {
        let words = quoted(message);
        if message.starts_with("verifying table") || message.starts_with("rewriting table") {
            outcome.scans.extend(words.first().and_then(|table| known(table, None)));
        } else if message.starts_with("building index")
            && let [index, table, ..] = &words[..]
        {
            let tables: Vec<u32> = session
                .query(
                    "SELECT i.indrelid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname = $1",
                    &[index],
                )
                .map_err(|e| say(&e))?
                .iter()
                .map(|row| row.get(0))
                .collect();
            if let Some(table) =
                known(table, Some(&tables).filter(|tables| !tables.is_empty()).map(Vec::as_slice))
            {
                outcome.scans.insert(table);
                if !index.ends_with("_ccnew") {
                    outcome.index_builds.insert(index.clone());
                } else {
                    outcome.index_builds.insert(index.trim_end_matches("_ccnew").to_owned());
                }
            }
        } else if message.starts_with("validating foreign key constraint")
            && let Some(constraint) = words.first()
        {
            let rows = session
                .query(
                    "SELECT conrelid::oid FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid \
                     WHERE k.contype = 'f' AND k.conname = $1 AND c.relkind = 'r'",
                    &[constraint],
                )
                .map_err(|e| say(&e))?;
            // Partitions share the constraint's name with their parent: those that were read.
            let several = rows.len() > 1;
            for oid in rows.iter().map(|row| row.get::<_, u32>(0)) {
                if !several || scanned.contains_key(&oid) {
                    outcome.scans.extend(before.relations.get(&oid).map(|(name, _)| name.clone()));
                }
            }
        }
    }
    Ok(())
}

/// Tables that the validation of a foreign key looks its keys up in: whether that is done with a
/// sequential scan is the planner's choice.
fn referenced_by_validation(session: &mut Client, messages: &[String]) -> Result<BTreeSet<u32>, String> {
    let mut found = BTreeSet::new();
    for message in messages.iter().filter(|message| message.starts_with("validating foreign key constraint"))
    {
        let words = quoted(message);
        let Some(name) = words.first() else { continue };
        let rows = session
            .query(
                "SELECT p.relid::oid FROM pg_constraint k, LATERAL (SELECT k.confrelid AS relid UNION ALL \
                 SELECT relid FROM pg_partition_tree(k.confrelid)) p \
                 WHERE k.contype = 'f' AND k.conname = $1 AND k.confrelid <> k.conrelid",
                &[name],
            )
            .map_err(|e| say(&e))?;
        found.extend(rows.iter().map(|row| row.get::<_, u32>(0)));
    }
    Ok(found)
}

fn quoted(message: &str) -> Vec<String> {
    message.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether reading a table is the statement's own checking, and not what the user asked for.
fn is_definition(sql: &str) -> bool {
    let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
    let first: Vec<&str> = sql.split(' ').take(3).collect();
    match first[..] {
        ["ALTER" | "DROP" | "COMMENT" | "REINDEX" | "CLUSTER", ..] => true,
        ["CREATE", "MATERIALIZED" | "SCHEMA", ..] => false,
        ["CREATE", "TABLE" | "TEMPORARY" | "TEMP" | "UNLOGGED", ..] => {
            ![" AS SELECT", " AS TABLE", " AS WITH", " AS VALUES", " AS ("]
                .iter()
                .any(|query| sql.contains(query))
        }
        ["CREATE", ..] => true,
        _ => false,
    }
}

fn say(e: &postgres::Error) -> String {
    match e.as_db_error() {
        Some(e) => format!(
            "{} ({}){}",
            e.message(),
            e.code().code(),
            e.detail().map(|d| format!(": {d}")).unwrap_or_default()
        ),
        None => e.to_string(),
    }
}
