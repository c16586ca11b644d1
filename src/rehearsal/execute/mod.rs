//! Runs migrations as the project's tool would, statement by statement, and measures each.
//!
//! Statements of one query string are sent one by one inside the transaction that the query string would have
//! been (manual, "Multiple Statements in a Simple Query"): what they do is the same, and each can be timed. A
//! statement that stands alone is wrapped in a transaction of its own where that makes no difference, so that
//! the locks it holds at its end can be read.

pub(super) mod changes;
mod gaps;
mod measure;
mod send;
mod transaction;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use postgres::Client;

use self::changes::Changes;
pub(super) use self::gaps::Gaps;
use self::measure::changed_rows;
use self::send::{may_be_wrapped, send};
use self::transaction::{Open, attach};
use super::RehearsalError;
use super::place::{As, Hear, Place};
use super::prediction::{self, Predictions};
use super::queries::{one_line, server_error};
use super::relations::{self, Relations};
use super::report::{LockRun, MigrationRun, StatementRun, Status};
use super::watch::{self, Seen, Watch};
use crate::migration::lock_mode::LockMode;
use crate::migration::migration::{Direction, Migration};
use crate::migration::parse::parse;
use crate::migration::statement::{Body, Statement};
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
    /// When everything is stopped, in seconds since zero without those that rollsafe itself took.
    pub deadline: Option<f64>,
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
    /// Whose rows each statement changes, as its text says.
    changes: BTreeMap<u32, Changes>,
    /// Tables of which a statement changed rows that were there, where the server's counts could be read.
    rows_locked: BTreeMap<u32, BTreeSet<u32>>,
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
    /// Tables that rows were inserted into since then.
    inserted: BTreeSet<u32>,
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
            changes: BTreeMap::new(),
            rows_locked: BTreeMap::new(),
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

    /// Whose rows a statement changes that somebody else ran.
    pub fn changes(&mut self, statement: u32, changes: Changes) {
        self.changes.insert(statement, changes);
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

    /// `deadline` by the clock: with what rollsafe took for measuring until now.
    fn allowing(&self, deadline: f64) -> f64 {
        deadline + self.gaps.iter().map(|(start, end)| end - start).sum::<f64>()
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
        // The watch cancels at the deadline; should it lose its connection, the server does a little later.
        let left = manner
            .deadline
            .map_or(0.0, |deadline| (self.allowing(deadline) - self.place.now()).max(0.0) + 5.0);
        let options = format!(
            "-c client_min_messages=debug1 -c statement_timeout={}",
            ((left * 1000.0) as u64).min(i32::MAX as u64)
        );
        let mut client = self.place.open(As::Owner, "rollsafe: migrating", &options, Some(hear))?;
        let pid: i32 = client
            .query_one("SELECT pg_catalog.pg_backend_pid()", &[])
            .map_err(|source| RehearsalError::server("ask for the session's process", source))?
            .get(0);
        self.watch.follow(vec![pid]);
        Ok(Session {
            client,
            messages,
            open: Open::Nobody,
            transaction: 0,
            inside: Vec::new(),
            inserted: BTreeSet::new(),
        })
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
        let deadline = context.manner.deadline.map(|deadline| self.allowing(deadline));
        if deadline.is_some_and(|deadline| self.place.now() > deadline) {
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
            session.inserted.clear();
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
        let changes = changes::of(statement);
        // Outside of a transaction it may end one itself, and what was counted until then is gone.
        let counts_rows = session.open != Open::Nobody && (changes.opaque || !changes.targets.is_empty());
        let counted = if counts_rows { Some(changed_rows(session)?) } else { None };
        self.changes.insert(id, changes);
        let wal_before = self.wal()?;
        take(&session.messages);
        let start = self.place.now();
        self.watch.statement(id, start, deadline);
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
                if let Some(counted) = counted {
                    self.count_rows(session, id, &counted)?;
                }
                // Before a transaction's first query its isolation level can still be set.
                if !matches!(statement.body, Body::Set(_) | Body::SetConstraints { .. }) {
                    self.measure(session, statement, &messages, &mut measured)?;
                }
                if session.open == Open::Nobody {
                    self.watch.transaction_ended(end);
                }
            }
            Err(error) => {
                let late = self.watch.was_cancelled() || deadline.is_some_and(|deadline| end > deadline);
                went = if late { Went::Stopped } else { Went::Failed };
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

    fn refresh(&mut self) -> Result<(), RehearsalError> {
        self.relations = Arc::new(relations::read(&mut self.admin)?);
        Ok(())
    }

    /// Fills in what is only known at the end: how long locks were held, and what was worse than predicted.
    pub fn finish(&self, runs: &mut [MigrationRun]) {
        let (mut seen, _) = self.watch.seen();
        let gaps = self.gaps();
        let end = gaps.without(self.place.now());
        watch::take_out(&mut seen, &gaps);
        let mut held_before: BTreeMap<(u32, String), LockMode> = BTreeMap::new();
        let mut opaque_before: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
        for run in runs.iter_mut() {
            run.start = run.start.map(|start| gaps.without(start));
        }
        for statement in runs.iter_mut().flat_map(|run| &mut run.statements) {
            statement.start = gaps.without(statement.start);
            let Some(known) = self.known.get(&statement.id) else { continue };
            let own: Vec<&Seen> = seen.iter().filter(|one| one.statement == statement.id).collect();
            let mut transactions: Vec<&str> = own.iter().map(|one| one.transaction.as_str()).collect();
            transactions.sort_unstable();
            transactions.dedup();
            statement.commits = transactions.len() > 1;
            let name = |oid: u32| known.get(&oid).map(|relation| relation.name.clone());
            let written = own.iter().filter(|one| one.mode == LockMode::RowExclusive);
            let written = written.filter_map(|one| name(one.relation));
            let changes = self.changes.get(&statement.id);
            if changes.is_some_and(|changes| changes.opaque) {
                let before = opaque_before.entry(statement.transaction).or_default();
                before.extend(written);
                // In a transaction it may go on with tables that are locked already.
                let targets = changes.iter().flat_map(|changes| &changes.targets).map(|target| &target.name);
                let by_name = |target: &&String| known.values().any(|relation| relation.name == **target);
                before.extend(targets.filter(by_name).cloned());
                statement.writes = before.iter().cloned().collect();
            } else if let Some(changes) = changes.filter(|_| statement.rows.is_none_or(|rows| rows > 0)) {
                let predicted = statement.predicted.iter().flat_map(|predicted| &predicted.locks);
                let predicted = predicted.filter(|lock| lock.mode == LockMode::RowExclusive.as_str());
                let all: BTreeSet<String> = match changes.targets.is_empty() {
                    true => BTreeSet::new(),
                    false => changes
                        .targets
                        .iter()
                        .map(|target| target.name.clone())
                        .chain(predicted.map(|lock| lock.relation.clone()))
                        .chain(written)
                        .filter(|target| known.values().any(|relation| relation.name == *target))
                        .collect(),
                };
                statement.writes = all.into_iter().collect();
            }
            statement.locks = watch::of_statement(&seen, statement.id, known, end);
            // What the transaction holds already, an earlier statement took; a look that came in between two
            // others may have lost sight of it.
            let held =
                |lock: &LockRun| held_before.get(&(statement.transaction, lock.relation.clone())).copied();
            let fresh = |lock: &LockRun| {
                LockMode::from_name(&lock.mode).is_none_or(|mode| held(lock).is_none_or(|held| held < mode))
            };
            let kept: Vec<LockRun> = statement.locks.iter().filter(|lock| fresh(lock)).cloned().collect();
            for lock in std::mem::replace(&mut statement.locks, kept) {
                let Some(mode) = LockMode::from_name(&lock.mode) else { continue };
                let held = held_before.entry((statement.transaction, lock.relation)).or_insert(mode);
                *held = (*held).max(mode);
            }
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

/// Rows of a table that a statement changed, and until when others can't.
pub(super) struct RowsLocked {
    pub table: u32,
    pub statement: u32,
    pub start: f64,
    pub end: f64,
}

impl Executor<'_> {
    /// Rows stay locked from the statement that changes them to the end of its transaction. No probe can know which
    /// rows that are. To be asked after [`Executor::finish`].
    pub fn rows_locked<'r>(&self, runs: impl Iterator<Item = &'r MigrationRun>) -> Vec<RowsLocked> {
        let (mut seen, _) = self.watch.seen();
        watch::take_out(&mut seen, &self.gaps());
        let mut all = Vec::new();
        for statement in runs.flat_map(|run| &run.statements) {
            let Some(known) = self.known.get(&statement.id) else { continue };
            let by_text: Vec<&str> = self
                .changes
                .get(&statement.id)
                .into_iter()
                .flat_map(|changes| &changes.targets)
                .filter(|target| target.locks_rows)
                .map(|target| target.name.as_str())
                .collect();
            let counted = self.rows_locked.get(&statement.id);
            let locks_rows = |oid: &u32, name: &String| match counted {
                Some(counted) => counted.contains(oid),
                None => statement.writes.contains(name) && by_text.contains(&name.as_str()),
            };
            let (begun, ended) = (statement.start, statement.start + statement.seconds);
            for (oid, _) in known.iter().filter(|(oid, relation)| locks_rows(oid, &relation.name)) {
                // Where its transaction keeps all writes out already, nobody waits for these rows.
                let kept_out = |of: &Seen| {
                    seen.iter().any(|one| {
                        (one.relation, one.pid) == (of.relation, of.pid)
                            && one.transaction == of.transaction
                            && one.statement <= statement.id
                            && one.mode.blocks_writes()
                    })
                };
                // Of a statement that commits while it runs the longest of its transactions counts.
                let held = seen
                    .iter()
                    .filter(|one| one.relation == *oid && one.mode == LockMode::RowExclusive)
                    .filter(|one| !kept_out(one))
                    .filter_map(|one| Some((one.acquired.max(begun), one.released?)))
                    .filter(|(from, to)| *to >= begun && *from <= ended)
                    .max_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)));
                all.extend(held.map(|(start, end)| RowsLocked {
                    table: *oid,
                    statement: statement.id,
                    start,
                    end,
                }));
            }
        }
        all
    }
}

/// What a statement is run in.
struct Context<'a> {
    migration: &'a Migration,
    lines: &'a LineIndex,
    unit: u32,
    /// Its query string holds others.
    shared: bool,
    manner: Manner,
}

fn take(messages: &Mutex<Vec<String>>) -> Vec<String> {
    std::mem::take(&mut *messages.lock().unwrap_or_else(PoisonError::into_inner))
}
