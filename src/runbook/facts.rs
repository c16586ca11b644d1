//! What a template may name.

use chrono::{Datelike, NaiveDate};
use serde::Serialize;

use super::commands::{self, PSQL, commands};
use super::japanese;
use super::shell::quote;
use super::{Language, Options};
use crate::amount::bytes as size;
use crate::gate::check::Answer;
use crate::gate::clock::{Instant, Start, Zone};
use crate::gate::release::Step;
use crate::gate::{BackupLimits, GateReport};
use crate::migration::lock_mode::LockMode;
use crate::postgres::connection::OF_A_CLIENT;
use crate::postgres::sql_text::{quote_identifier, quote_literal};
use crate::postgres::version::PgVersion;
use crate::rehearsal::report::{MigrationRun, Rehearsal, Status};

/// The time-out of a step is so many times what was measured, and never less than a minute.
const TIMEOUT_FACTOR: f64 = 3.0;

/// Minutes of the parts of a release, as planned where nothing was measured.
const PREPARATION: u64 = 30;
const BACKUP: u64 = 20;
const DEPLOY: u64 = 40;
const CHECKS: u64 = 30;

/// All of it.
#[derive(Debug, Serialize)]
pub struct Facts {
    /// What is filled in by hand.
    blank: &'static str,
    version: &'static str,
    written_at: String,
    release: Option<String>,
    revision: Option<String>,
    start: Option<String>,
    url: Option<String>,
    database: Option<String>,
    server_version: Option<String>,
    gate: Option<GateFacts>,
    runner: Option<Runner>,
    pending: String,
    migrations: Vec<MigrationFacts>,
    /// The tool runs them one by one: a step each; otherwise one step for all.
    one_by_one: bool,
    all: Option<String>,
    status: Option<String>,
    ledger: Option<String>,
    last_version: Option<String>,
    first_version: Option<String>,
    tables: Vec<TableFacts>,
    /// SQL and command that record the rows of the affected tables.
    record: Option<String>,
    backup: BackupFacts,
    timetable: Timetable,
    rehearsed: Option<Rehearsed>,
    back: Back,
    limits: LimitFacts,
    risks: Vec<RiskFacts>,
    psql: &'static str,
    /// The role in `url`, as SQL, where the server was looked at.
    role: Option<String>,
    /// Tells who is connected.
    sessions: String,
    /// Tells free connections and replication lag.
    room: String,
    /// Tells which statements run.
    running: String,
    /// Ends a statement that outlives the tool that sent it.
    cancel: String,
    /// Another database of the same server.
    maintenance_url: Option<String>,
    activity: String,
    blockers: String,
}

#[derive(Debug, Serialize)]
struct GateFacts {
    verdict: String,
    asked_at: String,
    by: String,
    open: Vec<(String, String, String)>,
}

#[derive(Debug, Serialize)]
struct Runner {
    name: String,
    title: String,
    uses_jdbc: bool,
}

#[derive(Debug, Serialize)]
struct MigrationFacts {
    number: usize,
    path: String,
    version: String,
    down: Option<String>,
    command: Option<String>,
    back: Option<String>,
    /// Sentences about what it does.
    does: Vec<String>,
    /// Tables whose reads, and whose writes, wait for it.
    blocks_reads: Vec<String>,
    blocks_writes: Vec<String>,
    /// Tables of which only writes to changed rows waited in the rehearsal.
    blocks_rows: Vec<String>,
    destroys: Vec<String>,
    measured: Option<String>,
    timeout: Option<String>,
    stall: Option<String>,
    failed: Option<String>,
}

#[derive(Debug, Serialize)]
struct TableFacts {
    name: String,
    rows: Option<u64>,
    rows_from: &'static str,
}

#[derive(Debug, Serialize)]
struct BackupFacts {
    path: Option<String>,
    sha256: Option<String>,
    size: Option<String>,
    verdict: Option<String>,
    created_at: Option<String>,
    tables: Option<usize>,
    min_size: String,
    min_tables: u64,
    /// Flags for `rollsafe verify-backup`, with a blank before each.
    flags: String,
    restore: Option<String>,
    restore_measured_in: &'static str,
    needed: Vec<(String, String)>,
}

#[derive(Debug, Serialize)]
struct Timetable {
    /// The zone of the times of day.
    zone: Option<String>,
    rows: Vec<TimeRow>,
}

#[derive(Debug, Serialize)]
struct TimeRow {
    /// `preparation`, `backup`, `migrations`, `application`, `checks`, `end`
    part: &'static str,
    from: String,
    minutes: Option<u64>,
    measured: Option<String>,
}

#[derive(Debug, Serialize)]
struct Rehearsed {
    at: String,
    on: String,
    total: String,
    limit: String,
    read_stall: Option<(String, String)>,
    write_stall: Option<(String, String)>,
    stall_limit: String,
    failed: bool,
    assumption: Option<String>,
    not_checked: Vec<String>,
    broken_queries: Vec<(String, String)>,
}

#[derive(Debug, Serialize)]
struct Back {
    limit: String,
    hard_stop: String,
    decision: String,
    downs: Option<WayFacts>,
    restore: Option<WayFacts>,
    steps: Vec<BackStep>,
    lost: Vec<(String, String)>,
}

#[derive(Debug, Serialize)]
struct WayFacts {
    works: bool,
    equal: bool,
    seconds: String,
}

#[derive(Debug, Serialize)]
struct BackStep {
    number: usize,
    undoes: String,
    version: Option<String>,
    down: Option<String>,
    command: Option<String>,
    measured: Option<String>,
}

#[derive(Debug, Serialize)]
struct LimitFacts {
    transaction_age: String,
    idle: String,
    free_connections: u32,
    lag: String,
    backup_age: String,
    disk_factor: String,
    risk: String,
}

#[derive(Debug, Serialize)]
struct RiskFacts {
    score: String,
    code: String,
    path: String,
    message: String,
    accepted: Option<String>,
}

/// Works out what the template may name.
pub fn facts(report: &GateReport, options: &Options) -> Facts {
    let language = options.language;
    let release = &report.release;
    let rehearsal = report.rehearsal.as_ref();
    let runner = release.runner.as_deref();
    let folder = release.folders.first().map_or(".", String::as_str);
    let general = commands(runner, folder, None);
    let migrations: Vec<MigrationFacts> = release
        .migrations
        .iter()
        .enumerate()
        .map(|(index, step)| migration(index + 1, step, report, language))
        .collect();
    let one_by_one = !migrations.is_empty() && migrations.iter().all(|one| one.command.is_some());
    let versions =
        |step: Option<&Step>| step.map(|step| step.version.clone()).filter(|version| !version.is_empty());
    let tables = tables(report);
    Facts {
        blank: "________",
        version: env!("CARGO_PKG_VERSION"),
        written_at: moment(report.asked_at, options),
        release: report.asked.release.clone(),
        revision: report.asked.revision.clone(),
        start: options.start.map(|start| moment(start, options)),
        url: report.live.as_ref().map(|live| live.url.clone()),
        database: report
            .live
            .as_ref()
            .map(|live| live.database.clone())
            .or_else(|| report.backup.as_ref().and_then(|backup| backup.database.clone())),
        server_version: report
            .live
            .as_ref()
            .map(|live| PgVersion::from_number(live.version).to_string())
            .or_else(|| rehearsal.map(|rehearsal| rehearsal.server.version.clone())),
        gate: options.judged.then(|| gate(report, options)),
        runner: runner.map(|name| Runner {
            name: name.to_owned(),
            title: {
                let title = crate::migration::project::runners::runner(name).map_or(name, |one| one.title);
                match language {
                    Language::En => title.to_owned(),
                    Language::Ja => japanese::tool(title),
                }
            },
            uses_jdbc: matches!(name, "flyway" | "liquibase"),
        }),
        pending: match language {
            Language::En => release.pending.said.clone(),
            Language::Ja => japanese::pending(release.pending.from).to_owned(),
        },
        one_by_one,
        all: general.all,
        status: general.status,
        ledger: commands::ledger_sql(runner).map(|sql| format!("{PSQL} -c {}", quote(&sql))),
        last_version: versions(release.migrations.last()),
        first_version: versions(release.migrations.first()),
        record: record(&tables),
        tables,
        backup: backup(report, options),
        timetable: timetable(report, options),
        rehearsed: rehearsal.map(|rehearsal| rehearsed(rehearsal, options)),
        back: back(report, &migrations, language),
        limits: limits(report, language),
        risks: risks(report, language),
        psql: PSQL,
        activity: format!(
            "{PSQL} -c {}",
            // A session that isn't seen may be in a transaction; a prepared one has no session at all.
            quote(
                "SELECT pid, usename, coalesce(state, 'not visible') AS state, now() - xact_start AS open_for, left(query, 60) \
                 AS query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND \
                 (xact_start < now() - interval '1 minute' OR query = '<insufficient privilege>') UNION ALL SELECT NULL, \
                 owner, 'prepared', now() - prepared, gid FROM pg_prepared_xacts WHERE database = current_database() ORDER BY \
                 open_for DESC NULLS LAST;"
            )
        ),
        blockers: format!(
            "{PSQL} -c {}",
            quote(
                "SELECT pid, pg_blocking_pids(pid) AS waits_for, now() - query_start AS since, left(query, 60) AS query \
                 FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0 ORDER BY query_start;"
            )
        ),
        sessions: format!(
            "{PSQL} -c {}",
            quote(&format!(
                "SELECT usename, application_name, coalesce(state, 'not visible') AS state, count(*) FROM \
                 pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND {OF_A_CLIENT} GROUP BY \
                 1, 2, 3 ORDER BY 4 DESC;"
            ))
        ),
        room: format!(
            "{PSQL} -c {}",
            quote(&format!(
                "SELECT least(current_setting('max_connections')::int - \
                 current_setting('superuser_reserved_connections')::int - \
                 coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::int - count(*), (SELECT \
                 nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()) - count(*) FILTER (WHERE \
                 datname = current_database())) AS free_connections, (SELECT CASE WHEN count(*) = 0 THEN 'no replica' ELSE \
                 coalesce(pg_size_pretty(max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))), 'not visible') END FROM \
                 pg_stat_replication) AS replication_lag FROM pg_stat_activity WHERE {OF_A_CLIENT};"
            ))
        ),
        running: format!(
            "{PSQL} -c {}",
            quote(
                "SELECT pid, usename, now() - query_start AS since, left(query, 60) AS query FROM pg_stat_activity WHERE \
                 datname = current_database() AND pid <> pg_backend_pid() AND state = 'active' ORDER BY query_start;"
            )
        ),
        cancel: format!("{PSQL} -c {}", quote("SELECT pg_cancel_backend(PID);")),
        // Shown as code in a table, where nothing can be escaped.
        role: report
            .live
            .as_ref()
            .map(|live| quote_identifier(&live.role))
            .filter(|role| !role.contains(['|', '`', '\n', '\r'])),
        maintenance_url: report.live.as_ref().and_then(|live| maintenance_url(&live.url, &live.database)),
        migrations,
    }
}

/// The URL of the database `postgres` on the same server: no database can be renamed from inside.
fn maintenance_url(url: &str, database: &str) -> Option<String> {
    let (address, parameters) = match url.split_once('?') {
        Some((address, parameters)) => (address, format!("?{parameters}")),
        None => (url, String::new()),
    };
    let server = address.strip_prefix("postgresql://")?.strip_suffix(database)?.strip_suffix('/')?;
    (!server.contains('/')).then(|| format!("postgresql://{server}/postgres{parameters}"))
}

/// A duration in the words of the language.
fn duration(seconds: f64, language: Language) -> String {
    let text = crate::gate::clock::duration(seconds);
    match language {
        Language::En => text,
        Language::Ja => japanese::duration(&text),
    }
}

/// A date and time of day in the zone of the runbook, as the language writes it.
fn moment(at: Instant, options: &Options) -> String {
    let Zone(offset) = options.zone;
    let local = at.0.with_timezone(&offset);
    let day = date(local.date_naive(), options.language, true);
    match options.language {
        Language::En => format!("{day}{} ({})", local.format("%H:%M"), options.zone),
        Language::Ja => format!("{day}{}（{}）", local.format("%H:%M"), options.zone),
    }
}

/// A date with its weekday, for a time of day to follow.
fn date(day: NaiveDate, language: Language, year: bool) -> String {
    match language {
        Language::En if year => day.format("%a %Y-%m-%d ").to_string(),
        Language::En => day.format("%a %m-%d ").to_string(),
        Language::Ja => {
            let weekday = ["月", "火", "水", "木", "金", "土", "日"]
                .get(day.weekday().num_days_from_monday() as usize)
                .copied()
                .unwrap_or_default();
            let year = if year { format!("{}年", day.year()) } else { String::new() };
            format!("{year}{}月{}日（{weekday}）", day.month(), day.day())
        }
    }
}

/// A time as a report has it; only a dump tells one without a zone, by the clock of the machine that made it.
fn moment_of(text: &str, options: &Options) -> String {
    if let Ok(Start::Zoned(at)) = text.parse::<Start>() {
        return moment(Instant(at.to_utc()), options);
    }
    match text.parse::<Start>() {
        Ok(Start::Local(at)) => {
            let day = date(at.date(), options.language, true);
            match options.language {
                Language::En => format!("{day}{} (by the dump's own clock)", at.format("%H:%M")),
                Language::Ja => format!("{day}{}（ダンプを取得したサーバーの時計）", at.format("%H:%M")),
            }
        }
        _ => text.to_owned(),
    }
}

fn gate(report: &GateReport, options: &Options) -> GateFacts {
    let language = options.language;
    GateFacts {
        verdict: match language {
            Language::En => crate::gate::report::verdict_line(report),
            Language::Ja => japanese::verdict(report),
        },
        asked_at: moment(report.asked_at, options),
        by: report.asked.by.clone(),
        open: report
            .checks
            .iter()
            .filter(|check| check.answer != Answer::Yes)
            .map(|check| {
                let (title, value) = match language {
                    Language::En => (check.title.to_string(), check.value.clone()),
                    Language::Ja => (japanese::title(&check.id).to_owned(), japanese::value(check, report)),
                };
                (title, check.answer.as_str().to_owned(), value)
            })
            .collect(),
    }
}

fn run_of<'a>(rehearsal: Option<&'a Rehearsal>, step: &Step) -> Option<&'a MigrationRun> {
    rehearsal?.migrations.iter().find(|run| {
        let (one, other) = (run.path.trim_start_matches("./"), step.path.trim_start_matches("./"));
        one == other || one.ends_with(&format!("/{other}")) || other.ends_with(&format!("/{one}"))
    })
}

fn migration(number: usize, step: &Step, report: &GateReport, language: Language) -> MigrationFacts {
    let release = &report.release;
    let folder = release.folders.first().map_or(".", String::as_str);
    let commands = commands(release.runner.as_deref(), folder, Some(step));
    let run = run_of(report.rehearsal.as_ref(), step).filter(|run| run.start.is_some());
    let of_release = |name: &String| release.targets.iter().any(|target| target.name == *name);
    let mut blocks_reads: Vec<String> = Vec::new();
    let mut blocks_writes: Vec<String> = Vec::new();
    for (relation, mode) in step.statements.iter().flat_map(|statement| &statement.locks) {
        let Some(mode) = LockMode::from_name(mode).filter(|_| of_release(relation)) else { continue };
        if mode.blocks_reads() && !blocks_reads.contains(relation) {
            blocks_reads.push(relation.clone());
        }
        if mode.blocks_writes() && !blocks_writes.contains(relation) {
            blocks_writes.push(relation.clone());
        }
    }
    let measured = run.filter(|run| run.status == Status::Done).map(|run| {
        // Carried over to production's size, where that is known.
        let there = report.rehearsal.iter().filter_map(|rehearsal| rehearsal.extrapolation.as_ref());
        let more: f64 = there
            .flat_map(|there| &there.statements)
            .filter(|one| run.statements.iter().any(|statement| statement.id == one.statement))
            .map(|one| (one.seconds_there - one.seconds_here).max(0.0))
            .sum();
        run.seconds + more
    });
    let ids: Vec<u32> = run.iter().flat_map(|run| &run.statements).map(|statement| statement.id).collect();
    let tables = report.rehearsal.iter().flat_map(|rehearsal| &rehearsal.tables);
    let stalls: Vec<_> = tables
        .flat_map(|table| table.stalls.iter().map(move |stall| (table, stall)))
        .filter(|(_, stall)| stall.statement.is_some_and(|id| ids.contains(&id)))
        .collect();
    // Which rows are changed no text says beforehand.
    let mut blocks_rows: Vec<String> = Vec::new();
    for (table, _) in stalls.iter().filter(|(_, stall)| stall.of_rows()) {
        if ![&blocks_reads, &blocks_writes, &blocks_rows].iter().any(|told| told.contains(&table.name)) {
            blocks_rows.push(table.name.clone());
        }
    }
    let stall = stalls.iter().max_by(|a, b| a.1.seconds().total_cmp(&b.1.seconds())).map(|(table, stall)| {
        match language {
            Language::En => format!("{} ({})", duration(stall.seconds(), language), table.name),
            Language::Ja => format!("{}、{}", duration(stall.seconds(), language), table.name),
        }
    });
    let mut destroys: Vec<String> = Vec::new();
    for statement in &step.statements {
        for said in gone(statement, language).map(|(said, _)| said) {
            if !destroys.contains(&said) {
                destroys.push(said);
            }
        }
    }
    MigrationFacts {
        number,
        path: step.path.clone(),
        version: step.version.clone(),
        down: step.down.clone(),
        command: commands.one,
        back: commands.back.filter(|_| step.down.is_some()),
        does: step.statements.iter().filter_map(|statement| does(statement, language)).collect(),
        blocks_reads,
        blocks_writes,
        blocks_rows,
        destroys,
        timeout: measured.map(|seconds| {
            let minutes = (seconds * TIMEOUT_FACTOR / 60.0).ceil().max(1.0);
            duration(minutes * 60.0, language)
        }),
        measured: measured.map(|seconds| duration(seconds, language)),
        stall,
        failed: run.filter(|run| run.status != Status::Done).map(|run| {
            let error = run.statements.iter().find_map(|statement| statement.error.as_ref());
            error.map_or(String::new(), |error| error.message.clone())
        }),
    }
}

/// What goes, as the object of a sentence, and whether it surely does: a narrower type spoils only what it can't hold.
fn gone(
    statement: &crate::gate::release::StatementFacts,
    language: Language,
) -> impl Iterator<Item = (String, bool)> {
    let alters = statement.kind.starts_with("ALTER");
    statement.destroys.iter().map(move |(kind, name)| {
        let surely = !(alters && kind == "values");
        let said = match (language, kind.as_str()) {
            (Language::Ja, kind) => japanese::gone(kind, name, surely),
            (Language::En, "rows") => format!("rows of {name}"),
            (Language::En, "values") => format!("the old values of {name}"),
            (Language::En, kind) => format!("the {kind} {name}"),
        };
        (said, surely)
    })
}

/// What a statement does, in one sentence; none for what only sets a parameter.
fn does(statement: &crate::gate::release::StatementFacts, language: Language) -> Option<String> {
    let said = |names: &[String], en: &str, ja: &str| match language {
        _ if names.is_empty() => None,
        Language::En => Some(format!("{en} {}", names.join(", "))),
        Language::Ja => {
            let names = names.join("、");
            let blank = if names.ends_with(|last: char| last.is_ascii()) { " " } else { "" };
            Some(format!("{names}{blank}{ja}"))
        }
    };
    let (gone, spoiled): (Vec<_>, Vec<_>) = gone(statement, language).partition(|(_, surely)| *surely);
    let [gone, spoiled] =
        [gone, spoiled].map(|all| all.into_iter().map(|(said, _)| said).collect::<Vec<_>>());
    let only_scanned: Vec<String> = statement
        .scans
        .iter()
        .filter(|name| !statement.rewrites.contains(name) && !statement.index_builds.contains(name))
        .cloned()
        .collect();
    let indexed: Vec<String> =
        statement.index_builds.iter().filter(|name| !statement.rewrites.contains(name)).cloned().collect();
    let mut parts: Vec<String> = Vec::new();
    parts.extend(said(&statement.rewrites, "rewrites every row of", "の全行を書き換えます"));
    parts.extend(said(&indexed, "builds an index of", "のインデックスを作成します"));
    parts.extend(said(&only_scanned, "reads every row of", "の全行を読み取ります"));
    parts.extend(said(&gone, "destroys", "が失われます"));
    parts.extend(said(&spoiled, "may destroy", "が失われることがあります"));
    // Those of one mode together.
    let mut modes: Vec<(&str, Vec<String>)> = Vec::new();
    for (name, mode) in &statement.locks {
        match modes.iter_mut().find(|(known, _)| known == mode) {
            Some((_, names)) => names.push(name.clone()),
            None => modes.push((mode, vec![name.clone()])),
        }
    }
    for (mode, names) in &modes {
        parts.extend(said(names, &format!("takes {mode} on"), &format!("を {mode} モードでロックします")));
    }
    if matches!(statement.kind.as_str(), "SET" | "RESET" | "SELECT") && parts.is_empty() {
        return None;
    }
    let text = &statement.text;
    Some(match (language, parts.is_empty()) {
        (_, true) => text.clone(),
        (Language::En, false) => format!("{text} — {}", parts.join("; ")),
        (Language::Ja, false) => format!("{text} — {}", parts.join("。")),
    })
}

fn tables(report: &GateReport) -> Vec<TableFacts> {
    let live = report.live.iter().flat_map(|live| &live.relations);
    let live: Vec<_> = live.filter(|relation| relation.exists).collect();
    report
        .release
        .targets
        .iter()
        .map(|target| {
            let rehearsed = report
                .rehearsal
                .iter()
                .flat_map(|rehearsal| &rehearsal.tables)
                .find(|table| table.name == target.name)
                .and_then(|table| table.rows.before.as_ref());
            let of_live = live.iter().find(|relation| relation.name == target.name);
            let of_backup = report.backup.iter().flat_map(|backup| &backup.tables).find(|(name, _)| {
                let needed = report.release.needs_backup.iter().find(|needed| needed.name == target.name);
                needed.is_some_and(|needed| needed.in_backup == *name)
                    || *name == format!("public.{}", target.name)
            });
            let (rows, rows_from) = match (rehearsed, of_backup, of_live) {
                (Some(sum), _, _) => (Some(sum.rows), "rehearsal"),
                (None, Some((_, rows)), _) => (Some(*rows), "backup"),
                (None, None, Some(live)) => (u64::try_from(live.rows).ok(), "estimate"),
                (None, None, None) => (None, ""),
            };
            TableFacts { name: target.name.clone(), rows, rows_from }
        })
        .collect()
}

/// A command that writes the number of rows of each affected table, a line each.
fn record(tables: &[TableFacts]) -> Option<String> {
    if tables.is_empty() {
        return None;
    }
    let counts: Vec<String> = tables
        .iter()
        .map(|table| {
            format!("SELECT {} AS relation, count(*) AS rows FROM {}", quote_literal(&table.name), table.name)
        })
        .collect();
    Some(format!("{PSQL} -At -c {}", quote(&format!("{} ORDER BY 1;", counts.join(" UNION ALL ")))))
}

fn backup(report: &GateReport, options: &Options) -> BackupFacts {
    let language = options.language;
    let backup = report.backup.as_ref();
    let rehearsed = report.rehearsal.as_ref().and_then(|rehearsal| {
        let again = rehearsal.rollback.restore.as_ref().filter(|restore| restore.status == Status::Done);
        let first = rehearsal.source.backup.as_ref().map(|backup| backup.restore_seconds);
        again.map(|restore| restore.seconds).or(first.filter(|seconds| *seconds > 0.0))
    });
    let verified = backup.and_then(|backup| backup.restore_seconds);
    let restore = rehearsed.or(verified);
    let limits = &report.backup_limits;
    let usual = BackupLimits::default();
    let mut flags = String::new();
    if limits.min_size != usual.min_size {
        flags.push_str(&format!(" --min-size {}", limits.min_size));
    }
    if limits.min_tables != usual.min_tables {
        flags.push_str(&format!(" --min-tables {}", limits.min_tables));
    }
    BackupFacts {
        path: backup.map(|backup| backup.path.clone()),
        sha256: backup.and_then(|backup| backup.sha256.clone()),
        size: backup.map(|backup| size(backup.bytes)),
        verdict: backup.map(|backup| match language {
            Language::En => backup.verdict.clone(),
            Language::Ja => japanese::backup_verdict(&backup.verdict).to_owned(),
        }),
        created_at: backup
            .and_then(|backup| backup.created_at.as_ref())
            .map(|created_at| moment_of(created_at, options)),
        tables: backup.map(|backup| backup.tables.iter().filter(|(_, rows)| *rows > 0).count()),
        min_size: size(limits.min_size),
        min_tables: limits.min_tables,
        flags,
        restore: restore.map(|seconds| duration(seconds, language)),
        restore_measured_in: if rehearsed.is_some() { "rehearsal" } else { "verification" },
        needed: report
            .release
            .needs_backup
            .iter()
            .map(|needed| (needed.name.clone(), needed.because.join(", ")))
            .collect(),
    }
}

fn timetable(report: &GateReport, options: &Options) -> Timetable {
    let measured = report
        .rehearsal
        .as_ref()
        .filter(|rehearsal| rehearsal.migrations.iter().any(|run| run.start.is_some()))
        .map(|rehearsal| {
            let there = rehearsal.extrapolation.as_ref().map_or(0.0, |there| there.migrate_seconds);
            rehearsal.migrate_seconds().max(there)
        });
    // What was measured decides where it needs more than the plan gives.
    let deploy = measured.map_or(DEPLOY, |seconds| DEPLOY.max((seconds / 60.0).ceil() as u64 + 10));
    let migrate = measured.map_or(20, |seconds| ((seconds * 1.5 / 60.0).ceil() as u64).max(5)).min(deploy);
    let parts = [
        ("preparation", Some(PREPARATION), None),
        ("backup", Some(BACKUP), None),
        ("migrations", Some(migrate), measured.map(|seconds| duration(seconds, options.language))),
        ("application", Some(deploy - migrate), None),
        ("checks", Some(CHECKS), None),
        ("end", None, None),
    ];
    let mut at = 0;
    let mut last_day = None;
    let rows = parts
        .into_iter()
        .map(|(part, minutes, measured)| {
            let from = match options.start {
                Some(start) => {
                    let at = Instant::from_unix(start.0.timestamp() + i64::try_from(at).unwrap_or(0) * 60);
                    let at = at.0.with_timezone(&options.zone.0);
                    // The date where it is another one than in the row above.
                    let day = last_day.replace(at.date_naive()) != Some(at.date_naive());
                    let day =
                        if day { date(at.date_naive(), options.language, false) } else { String::new() };
                    format!("{day}{}", at.format("%H:%M"))
                }
                None => format!("T+{}:{:02}", at / 60, at % 60),
            };
            at += minutes.unwrap_or(0);
            TimeRow { part, from, minutes, measured }
        })
        .collect();
    Timetable { zone: options.start.map(|_| options.zone.to_string()), rows }
}

fn rehearsed(rehearsal: &Rehearsal, options: &Options) -> Rehearsed {
    let language = options.language;
    let longest = |reads: bool| {
        let stalls = rehearsal.tables.iter().filter_map(|table| {
            let stall = if reads { &table.longest_read_stall } else { &table.longest_write_stall };
            Some((stall.as_ref()?.seconds(), table.name.clone()))
        });
        let longest = stalls.max_by(|a, b| a.0.total_cmp(&b.0));
        longest.map(|(seconds, table)| (duration(seconds, language), table))
    };
    let there = rehearsal.extrapolation.as_ref();
    let total = rehearsal.migrate_seconds().max(there.map_or(0.0, |there| there.migrate_seconds));
    Rehearsed {
        at: moment_of(&rehearsal.started_at, options),
        on: format!("PostgreSQL {}", rehearsal.server.version),
        total: duration(total, language),
        limit: duration(rehearsal.limits.migrate, language),
        read_stall: longest(true),
        write_stall: longest(false),
        stall_limit: duration(rehearsal.limits.stall, language),
        failed: rehearsal.migrations.iter().any(|run| run.status != Status::Done),
        assumption: there.map(|there| match language {
            Language::En => there.assumption.clone(),
            Language::Ja => japanese::ASSUMPTION.to_owned(),
        }),
        not_checked: rehearsal
            .not_checked
            .iter()
            .map(|one| match language {
                Language::En => one.clone(),
                Language::Ja => japanese::not_rehearsed(one),
            })
            .collect(),
        broken_queries: rehearsal
            .queries
            .iter()
            .flat_map(|queries| &queries.failed)
            .filter(|query| query.before.is_none() && !query.is_new)
            .filter_map(|query| Some((query.place.clone(), query.after.as_ref()?.message.clone())))
            .collect(),
    }
}

fn back(report: &GateReport, migrations: &[MigrationFacts], language: Language) -> Back {
    let default = crate::rehearsal::report::Limits::default();
    let limits = report.rehearsal.as_ref().map_or(&default, |rehearsal| &rehearsal.limits);
    let rollback = report.rehearsal.as_ref().map(|rehearsal| (rehearsal, &rehearsal.rollback));
    let downs = rollback.and_then(|(rehearsal, rollback)| {
        let downs = rollback.downs.as_ref()?;
        let comparison = &rehearsal.comparison;
        Some(WayFacts {
            works: downs.status == Status::Done,
            equal: comparison.rolled_back.is_empty() && comparison.data.is_empty(),
            seconds: duration(downs.seconds, language),
        })
    });
    let restore = rollback.and_then(|(_, rollback)| {
        let restore = rollback.restore.as_ref()?;
        Some(WayFacts {
            works: restore.status == Status::Done,
            equal: restore.schema_differences.is_empty() && restore.tables_differing.is_empty(),
            seconds: duration(restore.seconds, language),
        })
    });
    let measured = |path: &str| {
        let steps = rollback.and_then(|(_, rollback)| rollback.downs.as_ref()).map(|downs| &downs.steps);
        let step = steps.into_iter().flatten().find(|step| {
            step.migration.status == Status::Done
                && (step.migration.path.ends_with(path) || path.ends_with(&step.migration.path))
        });
        step.map(|step| duration(step.migration.seconds, language))
    };
    let lost = rollback.iter().flat_map(|(rehearsal, _)| &rehearsal.comparison.written).filter_map(|one| {
        let gone = one.rows_kept.is_some_and(|kept| kept < one.rows);
        let rows = match language {
            Language::En => "rows written since the release",
            Language::Ja => "マイグレーション後に書き込まれた行",
        };
        let what = match (gone, one.columns_lost.is_empty()) {
            (true, _) => rows.to_owned(),
            (false, false) => one.columns_lost.join(", "),
            (false, true) => return None,
        };
        Some((one.table.clone(), what))
    });
    Back {
        limit: duration(limits.rollback, language),
        hard_stop: duration(limits.hard_stop, language),
        decision: duration(limits.decision, language),
        downs,
        restore,
        lost: lost.collect(),
        steps: migrations
            .iter()
            .rev()
            .enumerate()
            .map(|(index, one)| BackStep {
                number: index + 1,
                undoes: one.path.clone(),
                version: Some(one.version.clone()).filter(|version| !version.is_empty()),
                down: one.down.clone(),
                command: one.back.clone(),
                measured: one.down.as_deref().and_then(measured),
            })
            .collect(),
    }
}

fn limits(report: &GateReport, language: Language) -> LimitFacts {
    let limits = &report.limits;
    LimitFacts {
        transaction_age: duration(limits.max_transaction_age as f64, language),
        idle: duration(limits.max_idle_in_transaction as f64, language),
        free_connections: limits.min_free_connections,
        lag: size(limits.max_replication_lag),
        backup_age: duration(limits.max_backup_age as f64, language),
        disk_factor: format!("{}", limits.disk_factor),
        risk: format!("{:.0}", limits.risk_limit),
    }
}

fn risks(report: &GateReport, language: Language) -> Vec<RiskFacts> {
    report
        .risks
        .risks
        .iter()
        .filter(|risk| risk.score >= report.limits.risk_limit)
        .map(|risk| RiskFacts {
            score: format!("{:.0}", risk.score),
            code: risk.code.clone(),
            path: risk.path.clone().unwrap_or_else(|| "–".to_owned()),
            message: match language {
                Language::En => risk.message.clone(),
                Language::Ja => japanese::risk(risk, report),
            },
            accepted: risk.accepted.as_ref().map(|accept| format!("{}: {}", accept.by, accept.reason)),
        })
        .collect()
}
