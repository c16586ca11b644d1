//! The project's own command: run with DATABASE_URL, its statements seen from outside.
//!
//! On a scratch cluster the server's log tells every statement with its time (manual, "What to Log"); on a copy
//! the activity view is looked at every few milliseconds, and what was shorter goes unseen.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use postgres::Client;

use super::RehearsalError;
use super::execute::{Executor, changes};
use super::place::{Place, Server};
use super::queries::one_line;
use super::relations;
use super::report::{COMMAND, MigrationRun, ServerError, StatementRun, Status};
use super::watch::{Leader, Seen};
use crate::migration::parse::parse;
use crate::migration::statement::{Body, QueryKind};
use crate::postgres::child::{Run, RunError};
use crate::postgres::cluster::SUPERUSER;
use crate::postgres::sql_text::quote_identifier;

/// The pause between two looks at the activity view.
const PAUSE: Duration = Duration::from_millis(3);

/// Beginning of each line of the log: epoch, process, SQLSTATE, database, application.
const PREFIX: &str = "rollsafe|%n|%p|%e|%d|%a|";

/// What has sessions tell each statement, and at DEBUG1 what it reads and rewrites.
const LOGGED: [(&str, &str); 3] = [
    ("log_min_duration_statement", "0"),
    ("log_min_messages", "debug1"),
    ("log_min_error_statement", "error"),
];

/// Runs `command` in a shell and watches what it does.
pub(super) fn run(
    place: &Place,
    executor: &mut Executor<'_>,
    command: &str,
    directory: &Path,
    limit: Duration,
) -> Result<(MigrationRun, Vec<String>), RehearsalError> {
    let before = relations::read(&mut place.watcher()?)?;
    let others = sessions(&mut place.watcher()?)?;
    let log = Log::start(place)?;
    let clock = Clock::of(place);
    let mut child = Run::new("/bin/sh", limit).args(["-c", command]).directory(directory);
    for (name, value) in environment(place) {
        child = child.env(name, value);
    }
    let first = executor.next_id();
    let start = place.now();
    executor.watch.statement(first, start, None);
    let ended = AtomicBool::new(false);
    let leader = executor.watch.leader();
    let mut watcher = place.watcher()?;
    let (outcome, activity) = std::thread::scope(|scope| {
        let looking = scope.spawn(|| look_on(&mut watcher, &leader, place, &others, &ended));
        let outcome = child.to_end();
        ended.store(true, Ordering::SeqCst);
        (outcome, looking.join().unwrap_or_default())
    });
    if matches!(outcome, Err(RunError::TimedOut { .. })) {
        // A server goes on with a query whose client is gone, and holds its locks until then.
        let mut watcher = place.watcher()?;
        let left: Vec<i32> =
            sessions(&mut watcher)?.into_iter().filter(|pid| !others.contains(pid)).collect();
        let sql = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.unnest($1::int[]) pid";
        watcher
            .execute(sql, &[&left])
            .map_err(|source| RehearsalError::server("end the command's sessions", source))?;
    }
    let end = place.now();
    executor.watch.transaction_ended(end);
    executor.watch.follow(Vec::new());
    let mut notes = Vec::new();
    let told = match log {
        Some(log) => log.finish(place, &clock)?,
        None => {
            notes.push(format!(
                "the command's statements were seen by looking every {} ms: shorter ones may be missing",
                PAUSE.as_millis()
            ));
            activity
        }
    };
    let mut run = MigrationRun {
        path: command.to_owned(),
        start: Some(start),
        seconds: end - start,
        ..MigrationRun::default()
    };
    let now = relations::read(&mut place.watcher()?)?;
    run.statements = statements(told, executor, &[&before, &now]);
    let known = std::sync::Arc::new(before);
    for statement in &run.statements {
        executor.knew(statement.id, known.clone());
    }
    executor.refreshed(now);
    let (status, said) = match outcome {
        Ok(ended) if ended.succeeded() => (Status::Done, None),
        Ok(ended) => {
            let said = [ended.stderr.last_lines(5), ended.stdout.last_lines(5)].join("\n");
            let said = match said.trim() {
                "" => String::new(),
                said => format!(": {said}"),
            };
            (Status::Failed, Some(format!("the command ended with {}{said}", ended.status)))
        }
        Err(error @ RunError::TimedOut { .. }) => (Status::Stopped, Some(error.to_string())),
        Err(error) => {
            return Err(RehearsalError::Copy(format!("the command could not be run: {error}")));
        }
    };
    run.status = status;
    if let Some(said) = said
        && !run.statements.iter().any(|statement| statement.error.is_some())
    {
        run.statements.push(StatementRun {
            id: executor.next_id(),
            text: one_line(command, 200),
            kind: COMMAND.to_owned(),
            status,
            start,
            seconds: end - start,
            error: Some(ServerError { message: said, ..ServerError::default() }),
            ..StatementRun::default()
        });
    }
    Ok((run, notes))
}

/// How the command finds the database.
fn environment(place: &Place) -> Vec<(&'static str, String)> {
    match &place.server {
        Server::Scratch { cluster, database, role } => {
            let host = cluster.socket_directory().display().to_string();
            let encoded: String = host
                .bytes()
                .map(|byte| match byte {
                    b'/' | b'-' | b'.' | b'_' => (byte as char).to_string(),
                    byte if byte.is_ascii_alphanumeric() => (byte as char).to_string(),
                    byte => format!("%{byte:02X}"),
                })
                .collect();
            vec![
                ("DATABASE_URL", format!("postgresql://{role}@localhost/{database}?host={encoded}")),
                ("PGHOST", host),
                ("PGUSER", role.clone()),
                ("PGDATABASE", database.clone()),
            ]
        }
        Server::Copy(connection, url) => {
            let mut all = vec![("DATABASE_URL", url.to_string())];
            all.extend(connection.environment());
            all
        }
    }
}

/// From the server's epoch to the rehearsal's zero.
struct Clock {
    zero: f64,
}

impl Clock {
    fn of(place: &Place) -> Clock {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        Clock { zero: epoch - place.now() }
    }
}

/// One statement as it was told.
#[derive(Clone, Debug, Default)]
struct Told {
    pid: i32,
    sql: String,
    start: f64,
    seconds: f64,
    error: Option<ServerError>,
    /// What the server said at DEBUG1.
    messages: Vec<String>,
}

/// Sessions of others in this database.
fn sessions(client: &mut Client) -> Result<Vec<i32>, RehearsalError> {
    let sql = "SELECT pid FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() \
         AND backend_type = 'client backend' AND application_name NOT LIKE 'rollsafe: %'";
    let rows =
        client.query(sql, &[]).map_err(|source| RehearsalError::server("list the sessions", source))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Looks at the activity view until `ended`, and has the watch follow the sessions.
fn look_on(
    client: &mut Client,
    leader: &Leader,
    place: &Place,
    others: &[i32],
    ended: &AtomicBool,
) -> Vec<Told> {
    let sql = "SELECT pid, query, extract(epoch FROM query_start)::text, state = 'active' \
         FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() \
         AND backend_type = 'client backend' AND application_name NOT LIKE 'rollsafe: %' AND pid <> ALL ($1) ORDER BY pid";
    let mut seen: BTreeMap<(i32, String), Told> = BTreeMap::new();
    let mut known: Vec<i32> = Vec::new();
    while !ended.load(Ordering::SeqCst) {
        let asked = place.now();
        let Ok(rows) = client.query(sql, &[&others]) else { break };
        let now = place.now();
        let pids: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
        if pids != known {
            leader.follow(pids.clone(), asked);
            known = pids;
        }
        for row in &rows {
            let Some(begun) = row.get::<_, Option<String>>(2) else { continue };
            let active: Option<bool> = row.get(3);
            let sql: String = row.get(1);
            let told = seen.entry((row.get(0), begun)).or_insert_with(|| Told {
                pid: row.get(0),
                sql,
                start: now,
                ..Told::default()
            });
            if active == Some(true) {
                told.seconds = now - told.start;
            }
        }
        std::thread::sleep(PAUSE);
    }
    let mut all: Vec<Told> = seen.into_values().collect();
    all.sort_by(|a, b| a.start.total_cmp(&b.start));
    all
}

/// The log of a scratch cluster, while a command runs.
struct Log {
    from: u64,
}

impl Log {
    /// Has the server log every statement; none on a copy.
    fn start(place: &Place) -> Result<Option<Log>, RehearsalError> {
        let Server::Scratch { cluster, database, .. } = &place.server else { return Ok(None) };
        let failed = |source| RehearsalError::server("have statements logged", source);
        let mut client = cluster.connect(SUPERUSER, "postgres").map_err(failed)?;
        for (name, value) in LOGGED {
            // The database's own settings win over the command line that the cluster was started with.
            let sql = format!("ALTER DATABASE {} SET {name} = '{value}'", quote_identifier(database));
            client.batch_execute(&sql).map_err(failed)?;
        }
        client
            .batch_execute(&format!("ALTER SYSTEM SET log_line_prefix = '{PREFIX}'"))
            .and_then(|()| client.batch_execute("SELECT pg_reload_conf()"))
            .map_err(failed)?;
        // The server heeds the signal when it gets round to it.
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while std::time::Instant::now() < deadline {
            let mut fresh = cluster.connect(SUPERUSER, "postgres").map_err(failed)?;
            let row = fresh
                .query_one("SELECT pg_catalog.current_setting('log_line_prefix')", &[])
                .map_err(failed)?;
            if row.get::<_, String>(0) == PREFIX {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let from = std::fs::metadata(cluster.directory().join("log")).map_or(0, |meta| meta.len());
        Ok(Some(Log { from }))
    }

    /// Reads what was logged, and has the server be quiet again.
    fn finish(self, place: &Place, clock: &Clock) -> Result<Vec<Told>, RehearsalError> {
        let Server::Scratch { cluster, database, .. } = &place.server else { return Ok(Vec::new()) };
        let path = cluster.directory().join("log");
        let failed = |error: std::io::Error| RehearsalError::File {
            action: "read",
            path: path.display().to_string(),
            message: error.to_string(),
        };
        let told = read_log(&path, self.from, database, clock).map_err(failed)?;
        if let Ok(mut client) = cluster.connect(SUPERUSER, "postgres") {
            for (name, _) in LOGGED {
                let sql = format!("ALTER DATABASE {} RESET {name}", quote_identifier(database));
                let _ = client.batch_execute(&sql);
            }
            let _ = client.batch_execute("ALTER SYSTEM RESET log_line_prefix");
            let _ = client.batch_execute("SELECT pg_reload_conf()");
        }
        Ok(told)
    }
}

fn read_log(path: &Path, from: u64, database: &str, clock: &Clock) -> std::io::Result<Vec<Told>> {
    use std::io::{BufRead, Seek, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut reader =
        LogReader { database, clock, told: Vec::new(), waiting: BTreeMap::new(), failed: BTreeMap::new() };
    let mut entry = String::new();
    for line in std::io::BufReader::new(file).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        if line.starts_with("rollsafe|") {
            reader.entry(&entry);
            entry = line;
        } else {
            entry.push('\n');
            entry.push_str(line.strip_prefix('\t').unwrap_or(&line));
        }
    }
    reader.entry(&entry);
    Ok(reader.told)
}

struct LogReader<'a> {
    database: &'a str,
    clock: &'a Clock,
    told: Vec<Told>,
    /// Messages by process, until its statement is told.
    waiting: BTreeMap<i32, Vec<String>>,
    /// Errors by process, until their statement is told.
    failed: BTreeMap<i32, (f64, ServerError)>,
}

impl LogReader<'_> {
    fn entry(&mut self, entry: &str) {
        let mut parts = entry.splitn(7, '|');
        let mut next = || parts.next().unwrap_or("");
        let (_, epoch, pid, sqlstate, database, application, text) =
            (next(), next(), next(), next(), next(), next(), next());
        let (Ok(epoch), Ok(pid)) = (epoch.parse::<f64>(), pid.parse::<i32>()) else { return };
        if database != self.database || application.starts_with("rollsafe: ") {
            return;
        }
        let at = epoch - self.clock.zero;
        let Some((level, text)) = text.split_once(":  ") else { return };
        match level {
            "LOG" => {
                let Some((milliseconds, sql)) = statement_in(text) else { return };
                let seconds = milliseconds / 1000.0;
                let messages = self.waiting.remove(&pid).unwrap_or_default();
                self.told.push(Told {
                    pid,
                    sql: sql.to_owned(),
                    start: at - seconds,
                    seconds,
                    error: None,
                    messages,
                });
            }
            "ERROR" | "FATAL" => {
                let error = ServerError {
                    sqlstate: sqlstate.to_owned(),
                    message: text.to_owned(),
                    ..ServerError::default()
                };
                self.failed.insert(pid, (at, error));
            }
            "DETAIL" => {
                if let Some((_, error)) = self.failed.get_mut(&pid) {
                    error.detail = Some(text.to_owned());
                }
            }
            "STATEMENT" => {
                if let Some((at, error)) = self.failed.remove(&pid) {
                    let messages = self.waiting.remove(&pid).unwrap_or_default();
                    let told = Told {
                        pid,
                        sql: text.to_owned(),
                        start: at,
                        seconds: 0.0,
                        error: Some(error),
                        messages,
                    };
                    self.told.push(told);
                }
            }
            _ => self.waiting.entry(pid).or_default().push(text.to_owned()),
        }
    }
}

/// `duration: 12.3 ms  statement: SELECT 1`, or `… execute <unnamed>: SELECT 1`: milliseconds and SQL. Parsing and
/// binding are told apart and run nothing.
fn statement_in(text: &str) -> Option<(f64, &str)> {
    let rest = text.strip_prefix("duration: ")?;
    let (milliseconds, rest) = rest.split_once(" ms  ")?;
    let sql = match rest.strip_prefix("statement: ") {
        Some(sql) => sql,
        None => rest.strip_prefix("execute ")?.split_once(": ")?.1,
    };
    Some((milliseconds.parse().ok()?, sql))
}

/// What was told, as statements of the report: without those that only read or set something. Locks are tied to
/// the statement of the same session that was running when they were first seen.
fn statements(
    told: Vec<Told>,
    executor: &mut Executor<'_>,
    relations: &[&relations::Relations],
) -> Vec<StatementRun> {
    let mut runs = Vec::new();
    let mut spans: Vec<Span> = Vec::new();
    let mut transactions: BTreeMap<i32, u32> = BTreeMap::new();
    for one in told {
        let script = parse(&one.sql, 0..one.sql.len());
        let body = script.statements.first().map(|statement| &statement.body);
        let single = script.statements.len() == 1;
        let in_transaction = match body {
            Some(Body::Transaction(_)) if single => {
                let fresh = executor.next_transaction();
                transactions.insert(one.pid, fresh);
                continue;
            }
            _ => transactions.contains_key(&one.pid),
        };
        let dull = match body {
            None => true,
            Some(Body::Set(_) | Body::Discard { .. }) => true,
            Some(Body::Query(query)) => {
                matches!(query.kind, QueryKind::Select | QueryKind::Values | QueryKind::Table)
                    && query.changes.is_empty()
                    && one.seconds < 0.1
            }
            Some(_) => false,
        };
        if single && dull && one.error.is_none() {
            continue;
        }
        let id = executor.next_id();
        let transaction = match transactions.get(&one.pid) {
            Some(transaction) => *transaction,
            None => executor.next_transaction(),
        };
        spans.push(Span {
            pid: one.pid,
            start: one.start,
            end: one.start + one.seconds,
            id,
            text: one.sql.to_lowercase(),
        });
        if let [only] = script.statements.as_slice() {
            executor.changes(id, changes::of(only));
        }
        let named = |start: &str| -> Vec<String> {
            one.messages
                .iter()
                .filter(|message| message.starts_with(start))
                .filter_map(|message| message.split('"').nth(1))
                .filter(|name| !name.starts_with("pg_toast"))
                .map(str::to_owned)
                .collect()
        };
        let built_on: Vec<String> = one
            .messages
            .iter()
            .filter(|message| message.starts_with("building index"))
            .filter_map(|message| message.split('"').nth(3))
            .filter(|name| !name.starts_with("pg_toast"))
            .map(str::to_owned)
            .collect();
        let rewrites = named("rewriting table");
        let mut scans = named("verifying table");
        scans.extend(rewrites.iter().cloned());
        scans.extend(built_on);
        scans.sort();
        scans.dedup();
        runs.push(StatementRun {
            id,
            text: one_line(&one.sql, 200),
            kind: match script.statements.as_slice() {
                [only] => only.kind_name(),
                several => format!("{} statements in one", several.len()),
            },
            transaction,
            in_transaction,
            status: if one.error.is_some() { Status::Failed } else { Status::Done },
            error: one.error,
            start: one.start,
            seconds: one.seconds,
            rewrites,
            scans,
            index_builds: named("building index"),
            ..StatementRun::default()
        });
    }
    spans.sort_by(|a, b| a.start.total_cmp(&b.start));
    executor.watch.assign(&|seen| {
        let name = relations.iter().find_map(|all| all.get(&seen.relation)).map(|one| one.name.as_str());
        behind(&spans, seen, name.unwrap_or("")).map(|span| span.id)
    });
    runs
}

/// When a session ran a statement.
struct Span {
    pid: i32,
    start: f64,
    end: f64,
    id: u32,
    /// In small letters.
    text: String,
}

/// Clocks and looks are that far apart, in seconds.
const APART: f64 = 0.005;

/// The statement that took a lock: of those that ran between the look before and the one that found it, the first
/// that speaks of the relation. `spans` are in order.
fn behind<'a>(spans: &'a [Span], seen: &Seen, relation: &str) -> Option<&'a Span> {
    let bare = relation.rsplit('.').next().unwrap_or("").trim_matches('"').to_lowercase();
    let of_session = || spans.iter().filter(|span| span.pid == seen.pid);
    let during =
        || of_session().filter(|span| span.start <= seen.found + APART && span.end >= seen.acquired - APART);
    during()
        .find(|span| !bare.is_empty() && span.text.contains(&bare))
        .or_else(|| during().next())
        .or_else(|| of_session().rfind(|span| span.start <= seen.found + APART))
        // What comes first in a session is seen later than it begins.
        .or_else(|| of_session().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_of_the_statement_that_took_it() {
        let span = |id, start, end, text: &str| Span { pid: 7, start, end, id, text: text.to_owned() };
        let spans = [
            span(1, 1.000, 1.002, "alter table users add column x int"),
            span(2, 1.003, 1.503, "select pg_sleep(0.5)"),
            span(3, 1.503, 1.504, "insert into goose_db_version values (2)"),
        ];
        let seen = |acquired, found| Seen {
            pid: 7,
            relation: 1,
            mode: crate::migration::lock_mode::LockMode::AccessExclusive,
            statement: 0,
            acquired,
            found,
            released: None,
            waited: 0.0,
            transaction: "3/1".to_owned(),
        };
        let of = |seen: &Seen, name| behind(&spans, seen, name).map(|span| span.id);
        assert_eq!(of(&seen(1.001, 1.006), "users"), Some(1));
        assert_eq!(of(&seen(1.001, 1.506), "users"), Some(1), "not the later one that is near");
        assert_eq!(of(&seen(1.500, 1.506), "goose_db_version"), Some(3));
        // The session was found before its first statement was told.
        assert_eq!(of(&seen(0.900, 0.950), "users"), Some(1));
        assert_eq!(behind(&spans, &Seen { pid: 8, ..seen(1.0, 1.1) }, "users").map(|span| span.id), None);
    }

    #[test]
    fn the_servers_log_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let log = "rollsafe|100.500|7|00000|shop|app|LOG:  duration: 500.000 ms  statement: ALTER TABLE t\n\
                   \tADD COLUMN x int\n\
                   rollsafe|101.000|7|00000|shop|rollsafe: probing|LOG:  duration: 1.000 ms  statement: SELECT 1\n\
                   rollsafe|101.500|7|00000|shop|app|LOG:  duration: 0.100 ms  parse <unnamed>: SELECT 2\n\
                   rollsafe|101.600|7|00000|shop|app|DEBUG:  rewriting table \"t\"\n\
                   rollsafe|102.000|7|00000|shop|app|LOG:  duration: 10.000 ms  execute <unnamed>: UPDATE t SET x = 1\n\
                   rollsafe|103.000|8|23505|shop|app|ERROR:  could not create unique index \"u\"\n\
                   rollsafe|103.000|8|23505|shop|app|DETAIL:  Key (a)=(1) is duplicated.\n\
                   rollsafe|103.000|8|23505|shop|app|STATEMENT:  CREATE UNIQUE INDEX u ON t (a)\n";
        std::fs::write(&path, log).unwrap();
        let told = read_log(&path, 0, "shop", &Clock { zero: 100.0 }).unwrap();
        let sql: Vec<&str> = told.iter().map(|one| one.sql.as_str()).collect();
        assert_eq!(
            sql,
            ["ALTER TABLE t\nADD COLUMN x int", "UPDATE t SET x = 1", "CREATE UNIQUE INDEX u ON t (a)"]
        );
        assert_eq!((told[0].start, told[0].seconds), (0.0, 0.5));
        assert_eq!(told[1].messages, ["rewriting table \"t\""]);
        let error = told[2].error.as_ref().unwrap();
        assert_eq!((error.sqlstate.as_str(), error.detail.is_some()), ("23505", true));
    }
}
