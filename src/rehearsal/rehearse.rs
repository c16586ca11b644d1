//! The rehearsal from its beginning to its end: restore, record, migrate, write, go back, restore again, compare.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::RehearsalError;
use super::asking::Asking;
use super::execute::{Executor, Gaps, Manner};
use super::extrapolate;
use super::pending::{self, Given, Plan};
use super::place::{As, Place, Server};
use super::prediction::Predictions;
use super::probe::{self, Probing};
use super::queries::{self, Query};
use super::relations::Relations;
use super::report::{
    self, Phase, PhaseName, Probes, Rehearsal, Run, ServerKind, Source, Status, Tool, Verdict,
};
use super::request::{Progress, Request};
use super::restoration::{database_of, open, restore, role_of};
use super::schema::Schema;
use super::sums::{self, LeftOut, Sequences, Sums};
use super::writer::{self, Put};
use super::{stalls, tables, watch};
use crate::backup::archive::Archive;
use crate::backup::restore::keep::Kept;
use crate::finding::Severity;
use crate::gate::clock;
use crate::migration::catalog::Catalog;
use crate::migration::migration::{Direction, Migration};
use crate::migration::project::Part;
use crate::postgres::cluster::SUPERUSER;
use crate::postgres::snapshot;
use crate::postgres::version::PgVersion;

/// Rehearses. Whatever happens, a scratch cluster is gone afterwards.
///
/// # Errors
/// When there is no rehearsal to speak of; what went wrong in it is in the report.
pub fn rehearse(request: &Request, progress: &dyn Progress) -> Result<Rehearsal, RehearsalError> {
    let begun = Instant::now();
    let mut phases: Vec<(PhaseName, Instant, Instant)> = Vec::new();
    let mut report = blank(request);
    let mut restored = None;
    if let Some(path) = &request.backup {
        progress.phase(PhaseName::Restore);
        let started = Instant::now();
        let archive = open(path, request, &mut report)?;
        // A copy that was given is what is rehearsed on; the backup is then only restored as the way back.
        if request.copy.is_none() {
            let kept = restore(&archive, request, &mut report)?;
            restored = Some((archive, Some(kept)));
            phases.push((PhaseName::Restore, started, Instant::now()));
        } else {
            restored = Some((archive, None));
        }
    }
    let place = match (&request.copy, &restored) {
        (Some((copy, url)), _) => Place {
            server: Server::Copy(copy.clone(), url.clone()),
            zero: begun,
            search_path: request.search_path.clone(),
        },
        (None, Some((_, Some(kept)))) => Place {
            server: Server::Scratch {
                cluster: kept.cluster().clone(),
                database: database_of(kept, request)?,
                role: role_of(kept, request),
            },
            zero: begun,
            search_path: request.search_path.clone(),
        },
        _ => {
            return Err(RehearsalError::Copy(
                "there is nothing to rehearse on: name a backup (--backup DUMP) or a disposable copy (--database-url URL)"
                    .to_owned(),
            ));
        }
    };
    finish(
        Rehearsing { request, progress, place, phases, report, gaps: Gaps::default() },
        restored.as_ref().map(|(archive, kept)| (archive, kept.as_ref())),
        begun,
    )
}

/// Rehearses on a database that is there already; there is no backup to go back to.
///
/// # Errors
/// As [`rehearse`].
pub fn rehearse_on(
    place: Place,
    request: &Request,
    progress: &dyn Progress,
) -> Result<Rehearsal, RehearsalError> {
    let report = blank(request);
    let gaps = Gaps::default();
    let rehearsing = Rehearsing { request, progress, place, phases: Vec::new(), report, gaps };
    finish(rehearsing, None, Instant::now())
}

fn blank(request: &Request) -> Rehearsal {
    Rehearsal {
        schema_version: report::SCHEMA_VERSION,
        tool: Tool { name: "rollsafe".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        started_at: clock::Instant::now().to_string(),
        limits: request.limits.clone(),
        notes: request.notes.clone(),
        ..Rehearsal::default()
    }
}

fn finish(
    mut rehearsing: Rehearsing<'_>,
    backup: Option<(&Archive, Option<&Kept>)>,
    begun: Instant,
) -> Result<Rehearsal, RehearsalError> {
    rehearsing.go(backup)?;
    let Rehearsing { request, place, phases, mut report, gaps, .. } = rehearsing;
    report.phases = phases
        .into_iter()
        .map(|(phase, start, end)| Phase {
            phase,
            start: gaps.without(place.at(start)),
            end: gaps.without(place.at(end)),
        })
        .collect();
    report.seconds = begun.elapsed().as_secs_f64();
    conclude(&mut report, request);
    Ok(report)
}

/// Findings and verdict.
fn conclude(report: &mut Rehearsal, request: &Request) {
    // The way there and the way back have the same to say.
    let mut known = BTreeSet::new();
    report.notes.retain(|note| known.insert(note.clone()));
    report.findings = super::rules::judge(report, &request.severities);
    let failed = report.findings.iter().any(|finding| finding.severity == Severity::Error);
    report.verdict = match (failed, report.not_checked.is_empty()) {
        (true, _) => Verdict::Failed,
        (false, false) => Verdict::Incomplete,
        (false, true) => Verdict::Passed,
    };
}

/// A migration with its way back, by their checksums.
fn file_of(part: &Part, plan: &Plan, index: usize, status: Status) -> report::FileRun {
    let path = |index: &usize| part.migrations.get(*index).map(|migration| migration.path.as_path());
    let sum = |path: &std::path::Path| crate::backup::manifest::sha256(path).ok();
    let (up, down) = (path(&index), plan.downs.get(&index).and_then(path));
    report::FileRun {
        path: up.map(|path| path.display().to_string()).unwrap_or_default(),
        sha256: up.and_then(sum),
        status,
        down: down.map(|path| path.display().to_string()),
        down_sha256: down.and_then(sum),
    }
}

/// State as it is at one point.
pub(super) struct State {
    pub schema: Schema,
    pub sums: Sums,
    pub sequences: Sequences,
    columns: BTreeMap<(u32, i16), String>,
    pub relations: Relations,
}

/// A rehearsal that goes on.
pub(super) struct Rehearsing<'a> {
    pub request: &'a Request,
    pub progress: &'a dyn Progress,
    pub place: Place,
    phases: Vec<(PhaseName, Instant, Instant)>,
    pub report: Rehearsal,
    /// What is taken out of all times.
    gaps: Gaps,
}

impl Rehearsing<'_> {
    fn go(&mut self, backup: Option<(&Archive, Option<&Kept>)>) -> Result<(), RehearsalError> {
        let version = self.describe_server()?;
        let mut plan = self.plan()?;
        let part = &self.request.part;
        let (mut before, mut queries) = self.phase(PhaseName::RecordBefore, |this| {
            if this.request.copy.is_none() {
                this.progress.step("gathering statistics");
                // Nobody has, in a database that was just restored; plans would be odd without.
                let mut client = this.place.open(As::Owner, "rollsafe: analyzing", "", None)?;
                let _ = client.batch_execute("ANALYZE");
            }
            let before = this.record(&LeftOut::new(), &this.place.clone())?;
            let mut queries = this.read_queries()?;
            this.prepare(&mut queries, |query| &mut query.before)?;
            Ok((before, queries))
        })?;
        let tables = before.sums.iter().filter(|(table, _)| *table != sums::LARGE_OBJECTS);
        self.report.source.rows = Some(tables.map(|(_, sum)| sum.rows).sum());
        let schema = match self.live_catalog() {
            Ok(catalog) => Some(catalog),
            Err(why) => {
                self.report.notes.push(format!(
                    "predictions rest on the migrations' history, not on the database itself: {why}"
                ));
                None
            }
        };
        let predictions = Predictions::of(part, &plan, version.major(), schema);
        let migrations: Vec<&Migration> =
            plan.ups.iter().filter_map(|index| part.migrations.get(*index)).collect();
        if migrations.is_empty() && self.request.migrate_command.is_none() {
            self.report.notes.push("nothing is pending: there was nothing to rehearse".to_owned());
        }

        // Zero.
        self.place.zero = Instant::now();
        let place = self.place.clone();
        let probing = Probing::start(&place, &before.relations, &predictions.concerned())?;
        let mut executor = Executor::new(&place, &predictions)?;
        let stop = self.request.limits.stop_migrating();
        let manner = Manner { keep_going: self.request.keep_going, deadline: Some(stop) };
        probing.resume(PhaseName::Migrate);
        let mut runs = self.phase(PhaseName::Migrate, |this| {
            let mut asking = Asking::new(&this.place, this.progress, &mut queries)?;
            match &this.request.migrate_command {
                Some(command) => super::command::run(
                    &this.place,
                    &mut executor,
                    command,
                    &this.request.directory,
                    Duration::from_secs_f64((stop - this.place.now()).clamp(0.001, 1e9)),
                )
                .map(|(run, notes)| {
                    this.report.notes.extend(notes);
                    vec![run]
                }),
                None => executor.run(&migrations, manner, &mut asking),
            }
        })?;
        probing.pause();
        executor.rest();
        match runs.first_mut().filter(|_| self.request.migrate_command.is_some()) {
            Some(run) => self.ask_what_ran(&mut plan, run)?,
            None => {
                for (run, index) in runs.iter_mut().zip(&plan.ups) {
                    let file = file_of(part, &plan, *index, run.status);
                    (run.sha256, run.down, run.down_sha256) = (file.sha256, file.down, file.down_sha256);
                }
            }
        }

        // Where the command told of its ledger only now.
        if let (Some(ledger), Some(_)) = (&plan.told.ledger, &self.request.migrate_command) {
            before.schema = before.schema.without_table(ledger);
            before.sums.remove(ledger);
        }
        let skip = self.ledger_names(&plan);
        let skip: Vec<&str> = skip.iter().map(String::as_str).collect();
        let after = self.phase(PhaseName::RecordAfter, |this| {
            this.prepare(&mut queries, |query| &mut query.after)?;
            let after = this.record(&LeftOut::new(), &place)?;
            Ok(after)
        })?;
        self.report.comparison.migrated = before.schema.differences(&after.schema);

        let any_done = runs.iter().any(|run| run.status == Status::Done);
        if let (Some(ledger), Some(_), None, true) =
            (&plan.told.ledger, &self.request.copy, &self.request.migrate_command, any_done)
        {
            self.report.notes.push(format!(
                "rollsafe ran the SQL itself and wrote nothing into {ledger}: take a fresh copy before the next rehearsal"
            ));
        }
        let puts: Vec<Put> = if any_done {
            self.phase(PhaseName::Write, |this| {
                let known: BTreeSet<u32> = before.relations.keys().copied().collect();
                let (puts, notes) = writer::write(&mut place.writer()?, &before.columns, &known, &skip)?;
                this.report.notes.extend(notes);
                Ok(puts)
            })?
        } else {
            Vec::new()
        };

        let mut rolled_back = None;
        if self.can_go_back(&plan, &runs) {
            probing.resume(PhaseName::RollBack);
            let downs = self
                .phase(PhaseName::RollBack, |this| this.go_back(&plan, &runs, &mut executor, &mut queries))?;
            probing.pause();
            self.report.rollback.downs = Some(downs);
            let state = self.phase(PhaseName::RecordRolledBack, |this| {
                let (written, left_out, notes) = writer::look_again(&mut place.writer()?, &puts)?;
                this.report.comparison.written = written;
                this.report.notes.extend(notes);
                this.prepare(&mut queries, |query| &mut query.rolled_back)?;
                this.record(&left_out, &place)
            })?;
            self.compare_rolled_back(&before, &state, &plan);
            rolled_back = Some(state);
        } else if any_done {
            self.report.comparison.written = puts.iter().map(Put::shown).collect();
        }

        let (mut felt, closeness) = probing.stop();
        let (mut seen, apart) = executor.watch.seen();
        let gaps = executor.gaps();
        watch::take_out(&mut seen, &gaps);
        for one in &mut felt {
            (one.start, one.end) = (gaps.without(one.start), gaps.without(one.end));
        }
        felt.retain(|one| one.end - one.start >= probe::SHORTEST);
        if gaps.seconds() > 0.1 {
            self.report.notes.push(format!(
                "measuring between statements took {:.1} s more, which are taken out of all times",
                gaps.seconds()
            ));
        }
        self.gaps = gaps;
        executor.finish(&mut runs);
        if let Some(downs) = &mut self.report.rollback.downs {
            for step in &mut downs.steps {
                executor.finish(std::slice::from_mut(&mut step.migration));
            }
        }
        self.report
            .not_checked
            .extend(executor.watch.problem().map(|problem| format!("locks, from some moment on: {problem}")));
        for left_out in executor.left_out() {
            self.report.not_checked.push(format!(
                "{left_out}: a command of psql; rollsafe runs SQL only: use --migrate-command"
            ));
        }
        let parents = stalls::parents(&mut place.watcher()?)?;
        let mut tied = stalls::tie(felt, &seen, &parents);
        stalls::add_rows(&mut tied, executor.rows_locked(runs.iter()), PhaseName::Migrate);
        let downs = self.report.rollback.downs.iter().flat_map(|downs| &downs.steps);
        let downs = executor.rows_locked(downs.map(|step| &step.migration));
        stalls::add_rows(&mut tied, downs, PhaseName::RollBack);
        self.report.probes = Probes {
            connections: closeness.connections,
            tables: closeness.tables,
            interval_seconds: closeness.interval,
            shortest_stall_seconds: probe::SHORTEST,
            lock_sample_seconds: apart,
            sent: closeness.sent,
        };
        drop(executor);
        self.report.migrations = runs;

        let restored = match backup {
            Some((archive, kept)) => self.restore_again(archive, kept, &before, &skip)?,
            None => {
                self.report.notes.push(
                    "no backup was given, so restoring it as the way back was not rehearsed".to_owned(),
                );
                None
            }
        };
        self.report.tables =
            tables::tables(&before, &after, rolled_back.as_ref(), restored.as_ref(), &mut tied);
        self.report.queries = queries::shown(self.request, &queries, rolled_back.is_some());
        self.report.extrapolation =
            self.request.sizes.as_ref().map(|sizes| extrapolate::extrapolate(&self.report, sizes));
        Ok(())
    }

    pub(super) fn phase<T>(
        &mut self,
        phase: PhaseName,
        work: impl FnOnce(&mut Self) -> Result<T, RehearsalError>,
    ) -> Result<T, RehearsalError> {
        self.progress.phase(phase);
        let started = Instant::now();
        let outcome = work(self);
        self.phases.push((phase, started, Instant::now()));
        outcome
    }

    /// The schema of the database as the linter sees it: it knows what no migration says, partitions made at
    /// run time among it.
    fn live_catalog(&self) -> Result<Catalog, String> {
        let limits = crate::postgres::connection::Limits::default();
        let snapshot = match &self.place.server {
            Server::Copy(connection, _) => snapshot::take(connection, &limits, &[]),
            Server::Scratch { cluster, database, .. } => {
                let client = cluster
                    .connect(SUPERUSER, database)
                    .map_err(|error| crate::postgres::connection::reason(&error))?;
                snapshot::take_by(client, "the scratch cluster".to_owned(), &limits, &[])
            }
        };
        Ok(Catalog::from_snapshot(&snapshot.map_err(|error| error.to_string())?).catalog)
    }

    fn describe_server(&mut self) -> Result<PgVersion, RehearsalError> {
        let mut client = self.place.watcher()?;
        let row = client
            .query_one(
                "SELECT pg_catalog.current_setting('server_version_num')::int, \
                 pg_catalog.pg_database_size(pg_catalog.current_database()), current_user::text",
                &[],
            )
            .map_err(|source| RehearsalError::server("ask the server for its version", source))?;
        let version = PgVersion::from_number(row.get::<_, i32>(0).unsigned_abs());
        let settings = client
            .query(
                "SELECT name || '=' || setting || coalesce(unit, '') FROM pg_catalog.pg_settings \
                 WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'autovacuum', 'shared_buffers', \
                 'maintenance_work_mem', 'max_wal_size', 'wal_level') ORDER BY name",
                &[],
            )
            .map_err(|source| RehearsalError::server("ask the server for its settings", source))?;
        let (kind, role) = match &self.place.server {
            Server::Scratch { role, .. } => (ServerKind::ScratchCluster, role.clone()),
            Server::Copy(..) => (ServerKind::DisposableCopy, row.get(2)),
        };
        self.report.server = report::Server {
            version: version.to_string(),
            kind,
            role,
            settings: settings.iter().map(|row| row.get(0)).collect(),
        };
        self.report.source = Source {
            backup: self.report.source.backup.take(),
            database_url: self.request.copy.as_ref().map(|(copy, _)| copy.to_string()),
            database_bytes: row.get::<_, i64>(1).unsigned_abs(),
            rows: None,
        };
        Ok(version)
    }

    fn plan(&mut self) -> Result<Plan, RehearsalError> {
        let request = self.request;
        let mut client = self.place.reader()?;
        let given = Given { from: request.pending_from.as_deref(), ledger: request.ledger.as_deref() };
        let plan = match (&request.migrate_command, pending::plan(&request.part, &mut client, &given)) {
            (_, Ok(mut plan)) => {
                if request.migrate_command.is_some() {
                    plan.told.by = report::PendingBy::Command;
                }
                plan
            }
            // The command knows by itself.
            (Some(_), Err(RehearsalError::Pending { .. })) => Plan {
                told: report::Pending {
                    by: report::PendingBy::Command,
                    said: "the project's own command decides".to_owned(),
                    ..report::Pending::default()
                },
                ..Plan::default()
            },
            (_, Err(error)) => return Err(error),
        };
        self.report.run = Run {
            runner: request.part.runner.map(|found| found.runner.name.to_owned()),
            command: request.migrate_command.clone(),
            rollback_command: request.rollback_command.clone(),
            pending: plan.told.clone(),
        };
        if !plan.told.unknown_versions.is_empty() {
            let shown: Vec<&str> = plan.told.unknown_versions.iter().take(5).map(String::as_str).collect();
            self.report.notes.push(format!(
                "the ledger names {} migrations that no file here is of: {}",
                plan.told.unknown_versions.len(),
                shown.join(", ")
            ));
        }
        self.report.not_checked.extend(plan.notes.iter().cloned());
        Ok(plan)
    }

    /// Asks the ledger what of the pending migrations the command has run; what it hasn't was not rehearsed.
    fn ask_what_ran(
        &mut self,
        plan: &mut Plan,
        run: &mut report::MigrationRun,
    ) -> Result<(), RehearsalError> {
        let request = self.request;
        let given = Given { from: None, ledger: request.ledger.as_deref() };
        let now = match pending::plan(&request.part, &mut self.place.reader()?, &given) {
            Ok(now) => now,
            Err(RehearsalError::Pending { message, .. }) => {
                // It was there before: now it says that a migration stopped half way, whatever the command says.
                if plan.told.ledger.is_some() && run.status == Status::Done {
                    self.report.not_checked.push(format!("what the command ran: {message}"));
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if !plan.known {
            // The command made the ledger: before, nothing had run.
            plan.ups = (0..request.part.migrations.len())
                .filter(|index| {
                    let direction = request.part.migrations.get(*index).map(|migration| migration.direction);
                    matches!(direction, Some(Direction::Up | Direction::Repeatable))
                })
                .collect();
            plan.find_downs(&request.part);
        }
        if plan.told.ledger.is_none() {
            plan.told.ledger.clone_from(&now.told.ledger);
            self.report.run.pending.ledger.clone_from(&now.told.ledger);
        }
        let files = plan.ups.iter().map(|index| {
            let pending = now.ups.contains(index);
            file_of(&request.part, plan, *index, if pending { Status::NotRun } else { Status::Done })
        });
        run.files = files.collect();
        plan.ups.retain(|index| !now.ups.contains(index));
        let ledger = now.told.ledger.unwrap_or_default();
        for file in run.files.iter().filter(|file| file.status == Status::NotRun) {
            if run.status == Status::Done {
                self.report
                    .not_checked
                    .push(format!("{}: still pending after the command, as {ledger} says", file.path));
            }
        }
        if run.status == Status::Done && plan.ups.is_empty() && !run.files.is_empty() {
            run.status = Status::NotRun;
        }
        Ok(())
    }

    /// The project's own command changes its ledger, and so it should.
    fn ledger_names(&self, plan: &Plan) -> Vec<String> {
        plan.told.ledger.iter().cloned().collect()
    }

    pub(super) fn record(&self, left_out: &LeftOut, place: &Place) -> Result<State, RehearsalError> {
        let mut client = place.reader()?;
        self.progress.step("reading the schema");
        let mut schema = Schema::read(&mut client)?;
        let ledger = self.report.run.pending.ledger.clone();
        let by_command = self.request.migrate_command.is_some();
        let skip: Vec<&str> = ledger.as_deref().filter(|_| by_command).into_iter().collect();
        for table in &skip {
            schema = schema.without_table(table);
        }
        let relations = super::relations::read(&mut client)?;
        let columns = writer::columns(&mut client)?;
        let progress = self.progress;
        let sums = sums::read(&mut client, !self.request.no_checksums, left_out, &skip, &|table| {
            progress.step(&format!("reading the rows of {table}"));
        })?;
        let sequences = sums::sequences(&mut client)?;
        Ok(State { schema, sums, sequences, columns, relations })
    }

    fn read_queries(&self) -> Result<Vec<Query>, RehearsalError> {
        let mut all = Vec::new();
        for path in &self.request.queries {
            all.extend(queries::read(path, false)?);
        }
        for path in &self.request.new_queries {
            all.extend(queries::read(path, true)?);
        }
        Ok(all)
    }

    /// Prepares every query and notes why those couldn't be that can't.
    fn prepare(
        &self,
        queries: &mut [Query],
        slot: fn(&mut Query) -> &mut Option<report::ServerError>,
    ) -> Result<(), RehearsalError> {
        if queries.is_empty() {
            return Ok(());
        }
        self.progress.step("preparing the application's queries");
        let mut client = self.place.application("preparing", Duration::from_secs(10))?;
        for query in queries {
            let error = queries::prepare(&mut client, &query.sql);
            *slot(query) = error;
            // Something later mended what was broken for a while.
            if query.after.is_none() {
                query.broken_by = None;
            }
        }
        Ok(())
    }
}
