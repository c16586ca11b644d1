//! The rehearsal from its beginning to its end: restore, record, migrate, write, go back, restore again, compare.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::RehearsalError;
use super::execute::{Executor, Gaps, Manner, Observer};
use super::extrapolate::{self, Sizes};
use super::pending::{self, Given, Plan};
use super::place::{As, Place, Server};
use super::prediction::Predictions;
use super::probe::{self, Probing};
use super::queries::{self, Query};
use super::relations::Relations;
use super::report::{
    self, Access, DownStep, Downs, Limits, MigrationRun, Phase, PhaseName, Probes, Queries, Rehearsal,
    RestoreAgain, Run, ServerKind, Source, Status, TableRun, Tool, Verdict,
};
use super::schema::Schema;
use super::stalls;
use super::sums::{self, LeftOut, Sums};
use super::watch;
use super::writer::{self, Put};
use crate::backup::archive::Archive;
use crate::backup::archive::input::Gauge;
use crate::backup::restore::keep::{self, Kept};
use crate::backup::restore::{ErrorClass, Options as RestoreOptions, RestoreError, Restored};
use crate::finding::Severity;
use crate::gate::clock;
use crate::migration::catalog::Catalog;
use crate::migration::migration::Migration;
use crate::migration::project::Part;
use crate::postgres::cluster::SUPERUSER;
use crate::postgres::connection::Connection;
use crate::postgres::snapshot;
use crate::postgres::version::PgVersion;

/// How many complaints of a restore are kept.
const MOST_ERRORS: usize = 100;

/// What is to be rehearsed, and how.
#[derive(Clone, Default)]
pub struct Request {
    /// The migrations and the tool that runs them.
    pub part: Part,
    /// The backup to restore.
    pub backup: Option<PathBuf>,
    /// A disposable copy to rehearse on, instead of a scratch cluster; with its URL as given.
    pub copy: Option<(Arc<Connection>, Arc<str>)>,
    /// The database, where the backup holds several.
    pub database: Option<String>,
    /// The first pending migration, where the ledger isn't to tell.
    pub pending_from: Option<String>,
    /// Another name of the ledger table.
    pub ledger: Option<String>,
    /// The project's own command that migrates.
    pub migrate_command: Option<String>,
    /// The project's own command that goes back.
    pub rollback_command: Option<String>,
    /// Where the commands are run.
    pub directory: PathBuf,
    /// Files of the running application's queries.
    pub queries: Vec<PathBuf>,
    /// Files of the new application's queries.
    pub new_queries: Vec<PathBuf>,
    /// The application's search_path.
    pub search_path: Option<String>,
    /// Production's sizes.
    pub sizes: Option<Sizes>,
    /// The limits.
    pub limits: Limits,
    /// After a migration that fails, try the next.
    pub keep_going: bool,
    /// Count rows only.
    pub no_checksums: bool,
    /// Don't go back by down migrations.
    pub no_rollback: bool,
    /// Don't restore a second time: the first restore's time stands for it.
    pub restore_once: bool,
    /// Run migrations as the scratch cluster's superuser.
    pub superuser: bool,
    /// Where a scratch cluster goes.
    pub scratch_directory: Option<PathBuf>,
    /// Severities after configuration.
    pub severities: crate::migration::lint::Severities,
    /// What is known already and belongs into the report.
    pub notes: Vec<String>,
}

/// Who is told how far it is.
pub trait Progress {
    /// A new part begins.
    fn phase(&self, phase: PhaseName);
    /// What is being done in it.
    fn step(&self, what: &str);
}

/// Nobody is told.
pub struct Silent;

impl Progress for Silent {
    fn phase(&self, _: PhaseName) {}
    fn step(&self, _: &str) {}
}

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
    report.findings = super::rules::judge(report, &request.severities);
    let failed = report.findings.iter().any(|finding| finding.severity == Severity::Error);
    report.verdict = match (failed, report.not_checked.is_empty()) {
        (true, _) => Verdict::Failed,
        (false, false) => Verdict::Incomplete,
        (false, true) => Verdict::Passed,
    };
}

fn open(
    path: &std::path::Path,
    request: &Request,
    report: &mut Rehearsal,
) -> Result<Archive, RehearsalError> {
    let shown = path.display().to_string();
    let archive = Archive::open(path, &Arc::new(Gauge::default()))
        .map_err(|error| RehearsalError::Backup { path: shown.clone(), message: error.to_string() })?;
    let text = |bytes: &Option<Vec<u8>>| bytes.clone().map(|bytes| archive.toc.encoding.text(bytes));
    let header = archive.header.as_ref();
    report.source.backup = Some(report::Backup {
        path: shown,
        format: archive.format.as_str().to_owned(),
        bytes: archive.size,
        sha256: crate::backup::manifest::sha256(path).ok(),
        created_at: header.and_then(|header| header.created).map(|time| time.to_string()),
        database: header.and_then(|header| text(&header.database)),
        server_version: header.and_then(|header| text(&header.server_version)),
        ..report::Backup::default()
    });
    if request.copy.is_some() {
        report.notes.push(
            "the migrations were rehearsed on the copy; the backup was only restored as the way back"
                .to_owned(),
        );
    }
    Ok(archive)
}

fn restore_options(request: &Request) -> RestoreOptions {
    let settings = [
        // As in production: what is written is written to the WAL as well.
        ("wal_level", "replica"),
        ("max_connections", "80"),
    ];
    RestoreOptions {
        scratch_directory: request.scratch_directory.clone(),
        hard_limit: Duration::from_secs_f64(request.limits.hard_stop.clamp(0.001, 1e9)),
        settings: settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..RestoreOptions::default()
    }
}

fn restore(archive: &Archive, request: &Request, report: &mut Rehearsal) -> Result<Kept, RehearsalError> {
    let mut options = restore_options(request);
    // The first restore is how one gets here, not what is judged.
    options.hard_limit = options.hard_limit.max(Duration::from_secs(4 * 3600));
    let (restored, kept) = keep::restore(archive, &options)?;
    if restored.stopped {
        return Err(RehearsalError::Backup {
            path: archive.path.display().to_string(),
            message: format!("the restore was stopped after {:.0} s", restored.seconds),
        });
    }
    for left_out in &restored.not_restored {
        report.notes.push(format!("not restored: {} ({})", left_out.what, left_out.why));
    }
    report.notes.extend(restored.notes.iter().cloned());
    if let Some(backup) = &mut report.source.backup {
        backup.restore_seconds = restored.seconds;
        backup.restore_errors = complaints(&restored);
        if !backup.restore_errors.is_empty() {
            report.not_checked.push(format!(
                "{}: the restore complained {} times, so what was rehearsed on isn't all of the data: rollsafe verify-backup {}",
                backup.path, restored.errors_total, backup.path
            ));
        }
    }
    Ok(kept)
}

/// What tells against the dump.
fn complaints(restored: &Restored) -> Vec<String> {
    let against = |error: &&RestoreError| error.class == ErrorClass::Backup;
    let shown = |error: &RestoreError| match &error.object {
        Some(object) => format!("{object}: {}", error.message),
        None => error.message.clone(),
    };
    restored.errors.iter().filter(against).take(MOST_ERRORS).map(shown).collect()
}

fn role_of(kept: &Kept, request: &Request) -> String {
    if request.superuser { crate::postgres::cluster::SUPERUSER.to_owned() } else { kept.role().to_owned() }
}

fn database_of(kept: &Kept, request: &Request) -> Result<String, RehearsalError> {
    let databases = kept.databases();
    match (&request.database, databases.as_slice()) {
        (_, [only]) => Ok(only.clone()),
        (Some(wanted), _) if databases.contains(wanted) => Ok(wanted.clone()),
        (wanted, _) => {
            let names: Vec<&str> =
                databases.iter().map(String::as_str).filter(|name| *name != "postgres").collect();
            if let (None, [only]) = (wanted, names.as_slice()) {
                return Ok((*only).to_owned());
            }
            Err(RehearsalError::Copy(format!(
                "the backup holds several databases: name one with --database ({})",
                names.join(", ")
            )))
        }
    }
}

/// State as it is at one point.
struct State {
    schema: Schema,
    sums: Sums,
    columns: BTreeMap<(u32, i16), String>,
    relations: Relations,
}

struct Rehearsing<'a> {
    request: &'a Request,
    progress: &'a dyn Progress,
    place: Place,
    phases: Vec<(PhaseName, Instant, Instant)>,
    report: Rehearsal,
    /// What is taken out of all times.
    gaps: Gaps,
}

impl Rehearsing<'_> {
    fn go(&mut self, backup: Option<(&Archive, Option<&Kept>)>) -> Result<(), RehearsalError> {
        let version = self.describe_server()?;
        let plan = self.plan()?;
        let part = &self.request.part;
        let (before, mut queries) = self.phase(PhaseName::RecordBefore, |this| {
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
        self.report.source.rows = Some(before.sums.values().map(|sum| sum.rows).sum());
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
        let manner = Manner { keep_going: self.request.keep_going, deadline: None, statement_timeout: 0 };
        probing.resume(PhaseName::Migrate);
        let mut runs = self.phase(PhaseName::Migrate, |this| {
            let mut asking = Asking::new(&this.place, this.progress, &mut queries)?;
            match &this.request.migrate_command {
                Some(command) => super::command::run(
                    &this.place,
                    &mut executor,
                    command,
                    &this.request.directory,
                    Duration::from_secs_f64(this.request.limits.migrate.max(60.0) * 2.0),
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
        for (run, index) in runs.iter_mut().zip(&plan.ups) {
            let down = plan.downs.get(index).and_then(|down| part.migrations.get(*down));
            run.down = down.map(|down| down.path.display().to_string());
            run.sha256 = crate::backup::manifest::sha256(std::path::Path::new(&run.path)).ok();
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
        self.report.tables = tables(&before, &after, rolled_back.as_ref(), restored.as_ref(), &mut tied);
        self.report.queries = shown_queries(self.request, &queries, rolled_back.is_some());
        self.report.extrapolation =
            self.request.sizes.as_ref().map(|sizes| extrapolate::extrapolate(&self.report, sizes));
        Ok(())
    }

    fn phase<T>(
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
                let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
                let text = format!(
                    "host='{}' user={SUPERUSER} dbname='{}'",
                    quoted(&cluster.socket_directory().display().to_string()),
                    quoted(database)
                );
                let connection = Connection::new(Some(&text)).map_err(|error| error.to_string())?;
                snapshot::take(&connection, &limits, &[])
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

    /// The project's own command changes its ledger, and so it should.
    fn ledger_names(&self, plan: &Plan) -> Vec<String> {
        plan.told.ledger.iter().cloned().collect()
    }

    fn record(&self, left_out: &LeftOut, place: &Place) -> Result<State, RehearsalError> {
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
        Ok(State { schema, sums, columns, relations })
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

    fn can_go_back(&mut self, plan: &Plan, runs: &[MigrationRun]) -> bool {
        if self.request.no_rollback {
            self.report.not_checked.push("the way back by down migrations, as asked".to_owned());
            return false;
        }
        if self.request.rollback_command.is_some() {
            return true;
        }
        if self.request.migrate_command.is_some() && plan.ups.is_empty() {
            self.report.not_checked.push(
                "the way back by down migrations: which ones the command ran isn't known; --rollback-command says how"
                    .to_owned(),
            );
            return false;
        }
        let done = runs.iter().any(|run| run.status == Status::Done);
        if done && plan.downs.is_empty() {
            self.report.notes.push(
                "none of the pending migrations has a down migration: the way back is the backup".to_owned(),
            );
            return false;
        }
        done
    }

    fn go_back(
        &mut self,
        plan: &Plan,
        runs: &[MigrationRun],
        executor: &mut Executor<'_>,
        queries: &mut [Query],
    ) -> Result<Downs, RehearsalError> {
        let limits = &self.request.limits;
        let started = self.place.now();
        if let Some(command) = &self.request.rollback_command {
            let limit = Duration::from_secs_f64(limits.hard_stop.max(1.0));
            let (run, notes) =
                super::command::run(&self.place, executor, command, &self.request.directory, limit)?;
            self.report.notes.extend(notes);
            return Ok(Downs {
                status: run.status,
                seconds: run.seconds,
                steps: vec![DownStep { undoes: "all of them".to_owned(), migration: run }],
            });
        }
        let part = &self.request.part;
        let mut downs = Downs { status: Status::Done, ..Downs::default() };
        let by_command = self.request.migrate_command.is_some();
        // What the command ran as one is undone file by file.
        let undone: Vec<(usize, String)> = plan
            .ups
            .iter()
            .enumerate()
            .filter(|(place, _)| by_command || runs.get(*place).is_some_and(|run| run.status == Status::Done))
            .filter_map(|(_, index)| Some((*index, part.migrations.get(*index)?.path.display().to_string())))
            .collect();
        let manner =
            Manner { keep_going: false, deadline: Some(started + limits.hard_stop), statement_timeout: 0 };
        for (index, path) in undone.into_iter().rev() {
            if downs.status != Status::Done {
                break;
            }
            let down = plan.downs.get(&index).and_then(|down| part.migrations.get(*down));
            let Some(down) = down else {
                downs.status = Status::Failed;
                downs.steps.push(DownStep { undoes: path, migration: MigrationRun::default() });
                break;
            };
            // Statements that break queries on the way back aren't looked for.
            let mut asking = Asking::silent(self.progress, queries);
            let run = executor.run(&[down], manner, &mut asking)?.pop().unwrap_or_default();
            downs.seconds += run.seconds;
            downs.status = run.status;
            downs.steps.push(DownStep { undoes: path, migration: run });
        }
        Ok(downs)
    }

    fn compare_rolled_back(&mut self, before: &State, now: &State, plan: &Plan) {
        let comparison = &mut self.report.comparison;
        comparison.rolled_back = before.schema.differences(&now.schema);
        comparison.data = sums::differences(&before.sums, &now.sums);
        if let (Some(ledger), true) = (&plan.told.ledger, self.request.migrate_command.is_some()) {
            comparison.data.retain(|one| one.table != *ledger);
        }
        for table in before.schema.reordered(&now.schema) {
            self.report.notes.push(format!(
                "{table}: after the way back its columns stand in another order than before, which SELECT * and INSERT without a column list notice"
            ));
        }
    }

    fn restore_again(
        &mut self,
        archive: &Archive,
        kept: Option<&Kept>,
        before: &State,
        skip: &[&str],
    ) -> Result<Option<State>, RehearsalError> {
        let options = restore_options(self.request);
        let first = self.report.source.backup.as_ref().map(|backup| backup.restore_seconds);
        if self.request.restore_once {
            if let (Some(seconds), Some(backup), true) = (first, &self.report.source.backup, kept.is_some()) {
                self.report.rollback.restore = Some(RestoreAgain {
                    status: Status::Done,
                    seconds,
                    errors: backup.restore_errors.clone(),
                    ..RestoreAgain::default()
                });
                self.report.notes.push("the backup was restored once only, as asked".to_owned());
            }
            return Ok(None);
        }
        const DATABASE: &str = "rollsafe_restored_again";
        let restored = self.phase(PhaseName::RestoreAgain, |_| match kept {
            Some(kept) => Ok(kept.again(archive, DATABASE, &options)?.map(|restored| (restored, None))),
            None => {
                let (restored, kept) = keep::restore(archive, &options)?;
                Ok(Some((restored, Some(kept))))
            }
        })?;
        let Some((restored, own)) = restored else {
            self.report.not_checked.push(
                "restoring the backup a second time: it is a dump of a whole cluster, which names its databases itself"
                    .to_owned(),
            );
            return Ok(None);
        };
        let errors = complaints(&restored);
        let mut again = RestoreAgain {
            status: if restored.stopped {
                Status::Stopped
            } else if errors.is_empty() {
                Status::Done
            } else {
                Status::Failed
            },
            seconds: restored.seconds,
            jobs: restored.jobs as u32,
            errors,
            ..RestoreAgain::default()
        };
        let place = match (&own, kept) {
            (Some(own), _) => Some((own, database_of(own, self.request)?)),
            (None, Some(kept)) => Some((kept, DATABASE.to_owned())),
            (None, None) => None,
        };
        let mut state = None;
        if let (Some((kept, database)), false) = (place, restored.stopped) {
            let place = Place {
                server: Server::Scratch {
                    cluster: kept.cluster().clone(),
                    database,
                    role: kept.role().to_owned(),
                },
                zero: self.place.zero,
                search_path: None,
            };
            let now = self.phase(PhaseName::RecordRestored, |this| this.record(&LeftOut::new(), &place))?;
            again.schema_differences = before.schema.differences(&now.schema);
            again.tables_differing = sums::differences(&before.sums, &now.sums)
                .into_iter()
                .map(|one| one.table)
                .filter(|table| !skip.contains(&table.as_str()))
                .collect();
            if own.is_some() {
                // The copy and the backup needn't be of one moment.
                self.report.notes.push(
                    "the copy was given apart from the backup, so that their rows differ is no fault of the backup's"
                        .to_owned(),
                );
            }
            state = Some(now);
        }
        self.report.rollback.restore = Some(again);
        Ok(state)
    }
}

/// Every table with what it felt and held.
fn tables(
    before: &State,
    after: &State,
    rolled_back: Option<&State>,
    restored: Option<&State>,
    stalls: &mut BTreeMap<u32, Vec<report::Stall>>,
) -> Vec<TableRun> {
    let is_table = |kind: char| matches!(kind, 'r' | 'p' | 'm');
    let shown = |sums: &Sums, name: &str| sums.get(name).map(sums::Sum::shown);
    let mut all: Vec<TableRun> = Vec::new();
    let oids: BTreeSet<u32> = before.relations.keys().chain(after.relations.keys()).copied().collect();
    for oid in oids {
        let (was, is) = (before.relations.get(&oid), after.relations.get(&oid));
        let Some(relation) = was.or(is).filter(|relation| is_table(relation.kind)) else { continue };
        let stalls = stalls.remove(&oid).unwrap_or_default();
        let now = is.map_or(relation.name.as_str(), |is| is.name.as_str());
        all.push(TableRun {
            name: relation.name.clone(),
            bytes: was.map_or(0, |was| was.bytes),
            is_new: was.is_none(),
            is_gone: is.is_none_or(|is| is.name != relation.name),
            longest_read_stall: stalls::longest(&stalls, Access::Reads),
            longest_write_stall: stalls::longest(&stalls, Access::Writes),
            stalls,
            rows: report::RowCounts {
                before: was.and_then(|was| shown(&before.sums, &was.name)),
                after: is.and_then(|_| shown(&after.sums, now)),
                rolled_back: rolled_back.and_then(|state| shown(&state.sums, &relation.name)),
                restored: restored.and_then(|state| shown(&state.sums, &relation.name)),
            },
        });
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn shown_queries(request: &Request, queries: &[Query], went_back: bool) -> Option<Queries> {
    if queries.is_empty() {
        return None;
    }
    let files: Vec<String> =
        request.queries.iter().chain(&request.new_queries).map(|path| path.display().to_string()).collect();
    let count = |which: &dyn Fn(&Query) -> bool| queries.iter().filter(|query| which(query)).count() as u32;
    let old = |query: &Query| !query.is_new && query.before.is_none();
    Some(Queries {
        source: files.join(", "),
        total: queries.len() as u32,
        prepared_before: count(&|query| old(query)),
        prepared_after: count(&|query| old(query) && query.after.is_none()),
        prepared_rolled_back: went_back.then(|| count(&|query| old(query) && query.rolled_back.is_none())),
        failed: queries
            .iter()
            .filter(|query| query.before.is_some() || query.after.is_some() || query.rolled_back.is_some())
            .map(Query::shown)
            .collect(),
    })
}

/// Prepares the queries that could be prepared so far after each transaction.
struct Asking<'a> {
    progress: &'a dyn Progress,
    queries: &'a mut [Query],
    client: Option<postgres::Client>,
    texts: BTreeMap<u32, String>,
}

impl<'a> Asking<'a> {
    fn new(
        place: &Place,
        progress: &'a dyn Progress,
        queries: &'a mut [Query],
    ) -> Result<Asking<'a>, RehearsalError> {
        let asked = queries.iter().any(|query| !query.is_new && query.before.is_none());
        let client =
            if asked { Some(place.application("preparing", Duration::from_secs(10))?) } else { None };
        Ok(Asking { progress, queries, client, texts: BTreeMap::new() })
    }

    fn silent(progress: &'a dyn Progress, queries: &'a mut [Query]) -> Asking<'a> {
        Asking { progress, queries, client: None, texts: BTreeMap::new() }
    }
}

impl Observer for Asking<'_> {
    fn statement(&mut self, id: u32, place: &str, sql: &str) {
        self.progress.step(&format!("{place}  {}", queries::one_line(sql, 60)));
        if self.client.is_some() {
            self.texts.insert(id, sql.to_owned());
        }
    }

    fn committed(&mut self, statements: &[u32]) -> Result<(), RehearsalError> {
        let Some(client) = &mut self.client else { return Ok(()) };
        for query in self.queries.iter_mut() {
            if query.is_new || query.before.is_some() || query.after.is_some() {
                continue;
            }
            if let Some(error) = queries::prepare(client, &query.sql) {
                query.broken_by = queries::breaker(&error, statements, &self.texts);
                query.after = Some(error);
            }
        }
        Ok(())
    }
}
