//! Runs migrations as the project's tool would, statement by statement, and measures each.
//!
//! Statements of one query string are sent one by one inside the transaction that the query string would have
//! been (manual, "Multiple Statements in a Simple Query"): what they do is the same, and each can be timed. A
//! statement that stands alone is wrapped in a transaction of its own where that makes no difference, so that
//! the locks it holds at its end can be read.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use postgres::{Client, SimpleQueryMessage};

use super::RehearsalError;
use super::place::{As, Hear, Place};
use super::prediction::{self, Predictions};
use super::queries::{one_line, server_error};
use super::relations::{self, Relations};
use super::report::{MigrationRun, ServerError, SizeChange, StatementRun, Status};
use super::watch::{self, Watch};
use crate::migration::lock_mode::LockMode;
use crate::migration::migration::{Direction, Migration};
use crate::migration::parse::{Script, parse};
use crate::migration::project::runner::needs_no_transaction;
use crate::migration::statement::{Body, Copy, QueryKind, Statement, TransactionControl};
use crate::source::LineIndex;

/// What is told between two statements.
pub(super) trait Observer {
    /// A statement is about to run: its number, `path:line`, and its text.
    fn statement(&mut self, id: u32, place: &str, sql: &str);
    /// A transaction was committed that held these statements.
    fn committed(&mut self, statements: &[u32]) -> Result<(), RehearsalError>;
}

/// How to run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    /// After a migration that failed, the next one is tried.
    pub keep_going: bool,
    /// When everything is stopped, in seconds since zero.
    pub deadline: Option<f64>,
    /// statement_timeout of the session, in milliseconds.
    pub statement_timeout: u64,
}

/// Runs and measures.
pub(super) struct Executor<'a> {
    place: &'a Place,
    predictions: &'a Predictions,
    pub watch: Watch,
    admin: Client,
    /// What is committed.
    relations: Arc<Relations>,
    /// What was committed when a statement began.
    known: BTreeMap<u32, Arc<Relations>>,
    /// Indexed tables of the indexes that each statement built.
    built_on: BTreeMap<u32, Vec<String>>,
    next_statement: u32,
    next_transaction: u32,
    psql_left_out: Vec<String>,
    /// When the server last had answered.
    worked_until: Option<f64>,
    /// Times between two pieces of work, in which nobody but rollsafe did anything.
    gaps: Vec<(f64, f64)>,
}

/// The session that migrates.
struct Session {
    client: Client,
    messages: Arc<Mutex<Vec<String>>>,
    open: Open,
    transaction: u32,
    /// Statements since the transaction began.
    inside: Vec<u32>,
}

/// Who opened the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Nobody,
    /// The tool, around the migration or the run.
    Runner,
    /// The server, around a query string of several statements.
    Unit,
    /// The file says BEGIN.
    File,
}

/// How one statement went.
enum Went {
    On,
    Failed,
    Stopped,
}

impl<'a> Executor<'a> {
    pub fn new(place: &'a Place, predictions: &'a Predictions) -> Result<Executor<'a>, RehearsalError> {
        let watch = Watch::start(place)?;
        let mut admin = place.watcher()?;
        let relations = Arc::new(relations::read(&mut admin)?);
        Ok(Executor {
            place,
            predictions,
            watch,
            admin,
            relations,
            known: BTreeMap::new(),
            built_on: BTreeMap::new(),
            next_statement: 0,
            next_transaction: 0,
            psql_left_out: Vec::new(),
            worked_until: None,
            gaps: Vec::new(),
        })
    }

    /// What was committed when a statement that somebody else ran began.
    pub fn knew(&mut self, statement: u32, relations: Arc<Relations>) {
        self.known.insert(statement, relations);
    }

    /// What is committed now, after somebody else ran something.
    pub fn refreshed(&mut self, relations: Relations) {
        self.relations = Arc::new(relations);
    }

    /// Numbers for transactions that somebody else ran.
    pub fn next_transaction(&mut self) -> u32 {
        let number = self.next_transaction;
        self.next_transaction += 1;
        number
    }

    /// The server worked from `start` to `end`; what lies between two such times is rollsafe's own doing.
    fn worked(&mut self, start: f64, end: f64) {
        if let Some(until) = self.worked_until
            && start > until
        {
            self.gaps.push((until, start));
        }
        self.worked_until = Some(end);
    }

    /// A part of the rehearsal is over: what comes now is no gap in it.
    pub fn rest(&mut self) {
        self.worked_until = None;
    }

    /// Times in which migrations would have gone on, had rollsafe not looked.
    pub fn gaps(&self) -> Gaps {
        Gaps(self.gaps.clone())
    }

    /// Commands of psql that were left out.
    pub fn left_out(&self) -> &[String] {
        &self.psql_left_out
    }

    /// Numbers for statements that somebody else ran.
    pub fn next_id(&mut self) -> u32 {
        let id = self.next_statement;
        self.next_statement += 1;
        id
    }

    /// Runs them in this order. What comes after a failure is not run, unless `manner` says so.
    pub fn run(
        &mut self,
        migrations: &[&Migration],
        manner: Manner,
        observer: &mut dyn Observer,
    ) -> Result<Vec<MigrationRun>, RehearsalError> {
        let mut runs = Vec::new();
        let mut session: Option<Session> = None;
        let mut over = false;
        for migration in migrations {
            let mut run = MigrationRun {
                path: migration.path.display().to_string(),
                version: migration.version.clone(),
                ..MigrationRun::default()
            };
            if over {
                runs.push(run);
                continue;
            }
            let around_all = migration.run.one_transaction_for_all && migration.direction != Direction::Down;
            let mut current = match session.take() {
                Some(session) if around_all && session.open == Open::Runner => session,
                _ => self.session(manner)?,
            };
            self.migration(migration, &mut current, manner, observer, &mut run)?;
            let stopped = run.status == Status::Stopped;
            over = stopped || (run.status == Status::Failed && !manner.keep_going);
            runs.push(run);
            session = Some(current);
        }
        // The transaction around all of them.
        if let Some(mut session) = session
            && session.open == Open::Runner
        {
            let last = runs.iter_mut().rfind(|run| run.status == Status::Done);
            if let Some(run) = last {
                let (seconds, error) = self.commit(&mut session, observer)?;
                run.seconds += seconds;
                attach(run, error);
            }
        }
        Ok(runs)
    }

    fn session(&mut self, manner: Manner) -> Result<Session, RehearsalError> {
        let messages: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = messages.clone();
        let hear: Hear = Arc::new(move |notice| {
            let mut messages = kept.lock().unwrap_or_else(PoisonError::into_inner);
            // What a loop says a million times is not for us.
            if messages.len() < 10_000 {
                messages.push(notice.message().to_owned());
            }
        });
        // At DEBUG1 the server says what it reads and rewrites (`tablecmds.c`, `index.c`).
        let options =
            format!("-c client_min_messages=debug1 -c statement_timeout={}", manner.statement_timeout);
        let mut client = self.place.open(As::Owner, "rollsafe: migrating", &options, Some(hear))?;
        let pid: i32 = client
            .query_one("SELECT pg_catalog.pg_backend_pid()", &[])
            .map_err(|source| RehearsalError::server("ask for the session's process", source))?
            .get(0);
        self.watch.follow(vec![pid]);
        Ok(Session { client, messages, open: Open::Nobody, transaction: 0, inside: Vec::new() })
    }

    fn migration(
        &mut self,
        migration: &Migration,
        session: &mut Session,
        manner: Manner,
        observer: &mut dyn Observer,
        run: &mut MigrationRun,
    ) -> Result<(), RehearsalError> {
        let script = parse(&migration.text, migration.range.clone());
        let lines = LineIndex::new(&migration.text);
        let queries = migration.queries(&script.statements);
        let unit_of =
            |place: usize| queries.as_ref().map_or(place, |units| units.get(place).copied().unwrap_or(0));
        let count = script.statements.len();
        let begins = |place: usize| place == 0 || unit_of(place - 1) != unit_of(place);
        let ends = |place: usize| place + 1 == count || unit_of(place + 1) != unit_of(place);
        let around_all = migration.run.one_transaction_for_all && migration.direction != Direction::Down;
        let exits = migration.exits.is_some_and(|exits| script.statements.iter().any(exits));
        run.start = Some(self.place.now());
        run.status = Status::Done;
        if session.open == Open::Nobody && (migration.run.runner_transaction || around_all) && !exits {
            run.seconds += self.begin(session, Open::Runner)?;
        }
        for (place, statement) in script.statements.iter().enumerate() {
            let alone = migration.alone.is_some_and(|alone| alone(statement));
            if alone && session.open == Open::Runner {
                let (seconds, error) = self.commit(session, observer)?;
                run.seconds += seconds;
                if attach(run, error) {
                    return Ok(());
                }
            }
            if session.open == Open::Nobody && !(begins(place) && ends(place)) {
                run.seconds += self.begin(session, Open::Unit)?;
            }
            let context = Context {
                migration,
                script: &script,
                lines: &lines,
                unit: unit_of(place) as u32,
                shared: !(begins(place) && ends(place)),
                manner,
            };
            match self.statement(&context, statement, session, observer, run)? {
                Went::On => {}
                Went::Failed => {
                    run.status = Status::Failed;
                    return Ok(());
                }
                Went::Stopped => {
                    run.status = Status::Stopped;
                    return Ok(());
                }
            }
            if session.open == Open::Unit && ends(place) {
                let (seconds, error) = self.commit(session, observer)?;
                run.seconds += seconds;
                if attach(run, error) {
                    return Ok(());
                }
            }
            if alone && session.open == Open::Nobody {
                run.seconds += self.begin(session, Open::Runner)?;
            }
        }
        let stays_open = around_all && session.open == Open::Runner;
        if session.open != Open::Nobody && !stays_open {
            let (seconds, error) = if session.open == Open::File {
                // Nobody commits it: the tool's connection ends, and the server rolls it back.
                self.roll_back(session)?;
                (0.0, None)
            } else {
                self.commit(session, observer)?
            };
            run.seconds += seconds;
            attach(run, error);
        }
        Ok(())
    }

    /// Sends one statement, and says what it did.
    fn statement(
        &mut self,
        context: &Context,
        statement: &Statement,
        session: &mut Session,
        observer: &mut dyn Observer,
        run: &mut MigrationRun,
    ) -> Result<Went, RehearsalError> {
        let sql = statement.span.of(&context.migration.text);
        match &statement.body {
            Body::Transaction(control) => return self.control(control, sql, session, observer, run),
            Body::MetaCommand { name, .. } => {
                let line = context.lines.position(&context.migration.text, statement.span.start).0;
                self.psql_left_out.push(format!("{}:{line}: \\{name}", run.path));
                return Ok(Went::On);
            }
            _ => {}
        }
        if context.manner.deadline.is_some_and(|deadline| self.place.now() > deadline) {
            self.roll_back(session)?;
            return Ok(Went::Stopped);
        }
        let wrapped = session.open == Open::Nobody && may_be_wrapped(statement);
        let in_transaction = session.open != Open::Nobody;
        if wrapped {
            run.seconds += self.begin(session, Open::Unit)?;
        } else if !in_transaction {
            session.transaction = self.next_transaction;
            self.next_transaction += 1;
            session.inside.clear();
        }
        let location = context.lines.location(&context.migration.text, statement.span);
        let id = self.next_id();
        observer.statement(id, &format!("{}:{}", run.path, location.line), sql);
        self.known.insert(id, self.relations.clone());
        let (kind, predicted) = match self.predictions.get(
            &context.migration.path,
            context.migration.direction,
            statement.span.start,
        ) {
            Some((kind, predicted)) => (kind.clone(), Some(predicted.clone())),
            None => (statement.kind_name(), None),
        };
        let wal_before = self.wal()?;
        take(&session.messages);
        let start = self.place.now();
        self.watch.statement(id, start, context.manner.deadline);
        let answer = send(&mut session.client, statement, sql, &context.migration.text);
        let end = self.place.now();
        self.worked(start, end);
        let mut measured = StatementRun {
            id,
            path: Some(run.path.clone()),
            span: Some(location),
            text: one_line(sql, 200),
            kind,
            unit: context.unit,
            transaction: session.transaction,
            in_transaction: in_transaction || context.shared,
            status: Status::Done,
            start,
            seconds: end - start,
            predicted,
            ..StatementRun::default()
        };
        run.seconds += end - start;
        session.inside.push(id);
        let mut went = Went::On;
        match answer {
            Ok(rows) => {
                measured.rows = rows;
                if session.open != Open::Nobody {
                    self.watch.look()?;
                }
                let messages = take(&session.messages);
                // Before a transaction's first query its isolation level can still be set.
                if !matches!(statement.body, Body::Set(_) | Body::SetConstraints { .. }) {
                    self.measure(session, statement, &messages, &mut measured)?;
                }
                if session.open == Open::Nobody {
                    self.watch.transaction_ended(end);
                }
            }
            Err(error) => {
                went = if self.watch.was_cancelled() { Went::Stopped } else { Went::Failed };
                measured.status =
                    if matches!(went, Went::Stopped) { Status::Stopped } else { Status::Failed };
                measured.error = Some(server_error(&error));
            }
        }
        measured.wal_bytes = self.wal()?.saturating_sub(wal_before);
        run.statements.push(measured);
        match went {
            Went::On if wrapped => {
                let (seconds, error) = self.commit(session, observer)?;
                run.seconds += seconds;
                if attach(run, error) {
                    return Ok(Went::Failed);
                }
            }
            Went::On if session.open == Open::Nobody => self.after_commit(session, observer)?,
            Went::On => {}
            Went::Failed | Went::Stopped => self.roll_back(session)?,
        }
        Ok(went)
    }

    fn control(
        &mut self,
        control: &TransactionControl,
        sql: &str,
        session: &mut Session,
        observer: &mut dyn Observer,
        run: &mut MigrationRun,
    ) -> Result<Went, RehearsalError> {
        match control {
            TransactionControl::Begin if session.open == Open::Unit => {
                // The query string's implicit transaction becomes this one.
                session.open = Open::File;
                return Ok(Went::On);
            }
            TransactionControl::Begin if session.open == Open::Nobody => {
                session.transaction = self.next_transaction;
                self.next_transaction += 1;
                session.inside.clear();
                session.open = Open::File;
            }
            _ => {}
        }
        let ends = matches!(
            control,
            TransactionControl::Commit { chain: false }
                | TransactionControl::Rollback { chain: false }
                | TransactionControl::Prepare
        );
        let started = self.place.now();
        let answer = session.client.batch_execute(sql);
        let now = self.place.now();
        self.worked(started, now);
        run.seconds += now - started;
        if let Err(error) = answer {
            attach(run, Some(server_error(&error)));
            self.roll_back(session)?;
            return Ok(Went::Failed);
        }
        if ends {
            session.open = Open::Nobody;
            self.watch.transaction_ended(now);
            self.after_commit(session, observer)?;
        }
        Ok(Went::On)
    }

    fn begin(&mut self, session: &mut Session, by: Open) -> Result<f64, RehearsalError> {
        let started = self.place.now();
        session
            .client
            .batch_execute("BEGIN")
            .map_err(|source| RehearsalError::server("begin a transaction", source))?;
        session.open = by;
        session.transaction = self.next_transaction;
        self.next_transaction += 1;
        session.inside.clear();
        let now = self.place.now();
        self.worked(started, now);
        Ok(now - started)
    }

    /// Commits; gives how long that took, and what the server said against it.
    fn commit(
        &mut self,
        session: &mut Session,
        observer: &mut dyn Observer,
    ) -> Result<(f64, Option<ServerError>), RehearsalError> {
        let started = self.place.now();
        let answer = session.client.batch_execute("COMMIT");
        let now = self.place.now();
        self.worked(started, now);
        session.open = Open::Nobody;
        self.watch.transaction_ended(now);
        match answer {
            Ok(()) => {
                self.after_commit(session, observer)?;
                Ok((now - started, None))
            }
            Err(error) => {
                self.refresh()?;
                Ok((now - started, Some(server_error(&error))))
            }
        }
    }

    fn roll_back(&mut self, session: &mut Session) -> Result<(), RehearsalError> {
        if session.open != Open::Nobody {
            // A connection that broke has nothing to roll back.
            let _ = session.client.batch_execute("ROLLBACK");
        }
        session.open = Open::Nobody;
        session.inside.clear();
        self.watch.transaction_ended(self.place.now());
        self.refresh()
    }

    fn after_commit(
        &mut self,
        session: &mut Session,
        observer: &mut dyn Observer,
    ) -> Result<(), RehearsalError> {
        let inside = std::mem::take(&mut session.inside);
        if !inside.is_empty() {
            self.refresh()?;
            observer.committed(&inside)?;
        }
        Ok(())
    }

    fn refresh(&mut self) -> Result<(), RehearsalError> {
        self.relations = Arc::new(relations::read(&mut self.admin)?);
        Ok(())
    }

    /// Bytes of WAL written since the server began.
    fn wal(&mut self) -> Result<u64, RehearsalError> {
        let row = self
            .admin
            .query_one(
                "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::bigint",
                &[],
            )
            .map_err(|source| RehearsalError::server("ask for the WAL's position", source))?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    }

    /// Files, sizes, and what the server said that it read. Asked in the session itself: nobody else sees
    /// what isn't committed, or may touch what is locked.
    fn measure(
        &mut self,
        session: &mut Session,
        statement: &Statement,
        messages: &[String],
        measured: &mut StatementRun,
    ) -> Result<(), RehearsalError> {
        let touched: Vec<u32> = self
            .watch
            .touched(measured.id)
            .into_iter()
            .filter(|oid| self.relations.contains_key(oid))
            .collect();
        if touched.is_empty() {
            return Ok(());
        }
        let rows = session
            .client
            .query(
                "SELECT c.oid, coalesce(pg_catalog.pg_relation_filenode(c.oid), 0), \
                 CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_total_relation_size(c.oid) ELSE 0 END, \
                 c.relkind IN ('r', 'm') AND pg_catalog.pg_relation_size(c.oid) > 0 \
                 FROM pg_catalog.pg_class c WHERE c.oid = ANY ($1)",
                &[&touched],
            )
            .map_err(|source| RehearsalError::server("measure relations", source))?;
        let empties = matches!(statement.body, Body::Truncate(_));
        let mut now: BTreeMap<u32, (u32, u64, bool)> = BTreeMap::new();
        for row in &rows {
            let bytes: Option<i64> = row.get(2);
            let filled: Option<bool> = row.get(3);
            now.insert(row.get(0), (row.get(1), bytes.unwrap_or(0).unsigned_abs(), filled.unwrap_or(false)));
        }
        let mut updated = (*self.relations).clone();
        for oid in &touched {
            let Some(relation) = updated.get_mut(oid) else { continue };
            let after = now.get(oid);
            measured.sizes.push(SizeChange {
                relation: relation.name.clone(),
                before: relation.bytes,
                after: after.map(|after| after.1),
            });
            if let Some(&(file, bytes, filled)) = after {
                if file != relation.file && relation.file != 0 && (filled || !empties) {
                    measured.rewrites.push(relation.name.clone());
                }
                (relation.file, relation.bytes) = (file, bytes);
            }
        }
        measured.sizes.sort_by(|a, b| a.relation.cmp(&b.relation));
        // TRUNCATE makes the indexes anew, of nothing.
        let messages = if empties { &[] } else { messages };
        let read = Read::of(messages, &mut session.client, &self.relations, &touched);
        self.relations = Arc::new(updated);
        measured.scans = read.scans;
        measured.scans.extend(measured.rewrites.iter().cloned());
        measured.index_builds = read.index_builds;
        for names in [&mut measured.rewrites, &mut measured.scans, &mut measured.index_builds] {
            names.sort();
            names.dedup();
        }
        self.built_on.insert(measured.id, read.built_on);
        Ok(())
    }

    /// Fills in what is only known at the end: how long locks were held, and what was worse than predicted.
    pub fn finish(&self, runs: &mut [MigrationRun]) {
        let (mut seen, _) = self.watch.seen();
        let gaps = self.gaps();
        let end = gaps.without(self.place.now());
        watch::take_out(&mut seen, &gaps);
        let mut held_before: BTreeMap<(u32, String), Option<LockMode>> = BTreeMap::new();
        for run in runs.iter_mut() {
            run.start = run.start.map(|start| gaps.without(start));
        }
        for statement in runs.iter_mut().flat_map(|run| &mut run.statements) {
            statement.start = gaps.without(statement.start);
            let Some(known) = self.known.get(&statement.id) else { continue };
            statement.locks = watch::of_statement(&seen, statement.id, known, end);
            // What the transaction holds already, an earlier statement took; a look that came in between two
            // others may have lost sight of it.
            statement.locks.retain(|lock| {
                let Some(mode) = LockMode::from_name(&lock.mode) else { return true };
                let held = held_before.entry((statement.transaction, lock.relation.clone())).or_insert(None);
                let is_new = held.is_none_or(|held| held < mode);
                *held = (*held).max(Some(mode));
                is_new
            });
            let built_on = self.built_on.get(&statement.id).map(Vec::as_slice).unwrap_or_default();
            if let (Some(predicted), Status::Done) = (&mut statement.predicted, statement.status) {
                predicted.missed = prediction::missed(
                    predicted,
                    &statement.locks,
                    &statement.rewrites,
                    &statement.scans,
                    built_on,
                );
            }
        }
    }
}

/// Times that are taken out of the report: while rollsafe measures between two statements of a transaction its
/// locks stay, and an application would be seen to wait for rollsafe.
#[derive(Clone, Debug, Default)]
pub(super) struct Gaps(Vec<(f64, f64)>);

impl Gaps {
    /// `at` with the gaps before it taken out.
    pub fn without(&self, at: f64) -> f64 {
        let before: f64 = self.0.iter().map(|(start, end)| (at.min(*end) - start).max(0.0)).sum();
        at - before
    }

    /// All of them together.
    pub fn seconds(&self) -> f64 {
        self.0.iter().map(|(start, end)| end - start).sum()
    }
}

/// What a statement is run in.
struct Context<'a> {
    migration: &'a Migration,
    #[allow(dead_code)] // keeps the statements' owner beside them
    script: &'a Script,
    lines: &'a LineIndex,
    unit: u32,
    /// Its query string holds others.
    shared: bool,
    manner: Manner,
}

/// Puts an error that came with the commit at the last statement; whether there was one.
fn attach(run: &mut MigrationRun, error: Option<ServerError>) -> bool {
    let Some(error) = error else { return false };
    run.status = Status::Failed;
    if let Some(last) = run.statements.last_mut() {
        last.status = Status::Failed;
        last.error = Some(error);
    }
    true
}

fn take(messages: &Mutex<Vec<String>>) -> Vec<String> {
    std::mem::take(&mut *messages.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Whether a transaction of its own around it changes nothing: what may commit inside, or must not be in a
/// transaction, is sent as it is.
fn may_be_wrapped(statement: &Statement) -> bool {
    statement.understood()
        && !needs_no_transaction(statement)
        && !matches!(
            statement.body,
            Body::Do(_)
                | Body::Call(_)
                | Body::Set(_)
                | Body::SetConstraints { .. }
                | Body::Cluster { table: None, .. }
                | Body::Prepare { .. }
                | Body::Execute { .. }
                | Body::Discard { .. }
                | Body::Explain { .. }
                | Body::Other(_)
                | Body::Lock(_)
                | Body::AlterDatabase { .. }
        )
}

/// Sends it; gives how many rows it changed, where the server says.
fn send(
    client: &mut Client,
    statement: &Statement,
    sql: &str,
    text: &str,
) -> Result<Option<u64>, postgres::Error> {
    match &statement.body {
        Body::Copy(copy) if copy.from && copy.data.is_some() => copy_in(client, copy, sql, text).map(Some),
        Body::Query(query)
            if matches!(
                query.kind,
                QueryKind::Insert | QueryKind::Update | QueryKind::Delete | QueryKind::Merge
            ) =>
        {
            let answers = client.simple_query(sql)?;
            Ok(answers.iter().rev().find_map(|answer| match answer {
                SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
                _ => None,
            }))
        }
        _ => client.batch_execute(sql).map(|()| None),
    }
}

/// COPY … FROM STDIN with the rows behind it.
fn copy_in(client: &mut Client, copy: &Copy, sql: &str, text: &str) -> Result<u64, postgres::Error> {
    let data = copy.data.map_or("", |span| span.of(text));
    let command = sql.split_once(';').map_or(sql, |(command, _)| command);
    let mut writer = client.copy_in(command)?;
    let rows = data.strip_suffix("\\.\n").or_else(|| data.strip_suffix("\\.")).unwrap_or(data);
    // Writing goes into a buffer; what the server says against it comes with `finish`.
    let _ = writer.write_all(rows.as_bytes());
    writer.finish()
}

/// What the server said at DEBUG1 that it read and built.
#[derive(Default)]
struct Read {
    scans: Vec<String>,
    index_builds: Vec<String>,
    built_on: Vec<String>,
}

impl Read {
    /// Messages give the bare name: of several relations called so, it is one that the statement locked.
    fn of(messages: &[String], client: &mut Client, relations: &Relations, touched: &[u32]) -> Read {
        let named = |bare: &str| {
            touched
                .iter()
                .filter_map(|oid| relations.get(oid))
                .map(|relation| &relation.name)
                .find(|name| name.rsplit('.').next().is_some_and(|last| last.trim_matches('"') == bare))
        };
        let mut read = Read::default();
        for message in messages {
            let words: Vec<&str> = message.split('"').skip(1).step_by(2).collect();
            if message.starts_with("verifying table") || message.starts_with("rewriting table") {
                read.scans.extend(words.first().and_then(|table| named(table)).cloned());
            } else if message.starts_with("building index")
                && let [index, table, ..] = words[..]
            {
                let Some(table) = named(table) else { continue };
                let index = index.trim_end_matches("_ccnew").to_owned();
                read.index_builds.push(index);
                read.built_on.push(table.clone());
                read.scans.push(table.clone());
            } else if message.starts_with("validating foreign key constraint")
                && let Some(constraint) = words.first()
            {
                let sql = "SELECT conrelid FROM pg_catalog.pg_constraint WHERE contype = 'f' AND conname = $1 AND conrelid = ANY ($2)";
                let rows = client.query(sql, &[constraint, &touched]).unwrap_or_default();
                let tables = rows.iter().filter_map(|row| relations.get(&row.get::<_, u32>(0)));
                read.scans.extend(tables.map(|relation| relation.name.clone()));
            }
        }
        read.built_on.sort();
        read.built_on.dedup();
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_taken_out_of_times() {
        let gaps = Gaps(vec![(1.0, 2.0), (5.0, 5.5)]);
        let times: Vec<f64> = [0.5, 1.5, 2.0, 4.0, 6.0].into_iter().map(|at| gaps.without(at)).collect();
        assert_eq!(times, [0.5, 1.0, 1.0, 3.0, 4.5]);
        assert_eq!(gaps.seconds(), 1.5);
    }
}
