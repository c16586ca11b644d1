//! What the page shows, worked out so that the template only has to place it.

use std::collections::HashMap;

use serde::Serialize;

use super::timeline::{Timeline, timeline};
use crate::amount::{bytes as size, grouped};
use crate::finding::{Finding, Severity};
use crate::gate::check::{Answer, Group};
use crate::gate::clock::{Start, duration};
use crate::gate::risk::Risk;
use crate::gate::{GateReport, Verdict};
use crate::rehearsal::report::{
    self, Access, MigrationRun, PhaseName, Rehearsal, SchemaDifference, ServerError, StatementRun, Status,
};

/// Findings of one code shown before the rest is folded away.
const MOST_OF_A_CODE: usize = 12;

/// Rows of a table shown before the rest is folded away.
const ROWS_SHOWN: usize = 60;

/// All that the page shows.
#[derive(Debug, Default, Serialize)]
pub struct Facts {
    title: String,
    verdict: String,
    verdict_class: &'static str,
    verdict_said: String,
    head: Vec<(&'static str, String)>,
    meters: Vec<Meter>,
    groups: Vec<CheckGroup>,
    risks: Vec<RiskRow>,
    risk_limit: String,
    has_rehearsal: bool,
    forward: Timeline,
    backward: Timeline,
    phases: Vec<PhaseRow>,
    statements: Vec<StatementRow>,
    more_statements: Vec<StatementRow>,
    missed: usize,
    ways: Vec<Way>,
    written: Vec<WrittenRow>,
    queries: Option<QueriesFacts>,
    findings: Vec<FindingRow>,
    more_findings: Vec<FindingRow>,
    extrapolation: Option<InProduction>,
    not_checked: Vec<String>,
    notes: Vec<String>,
    tables: Vec<TableRow>,
    foot: Vec<String>,
    version: &'static str,
}

#[derive(Debug, Serialize)]
struct InProduction {
    assumption: String,
    /// The statement, here, there.
    rows: Vec<(String, String, String)>,
}

#[derive(Debug, Serialize)]
struct Meter {
    label: &'static str,
    value: String,
    limit: String,
    /// Share of the limit in percent, at most 100.
    share: f64,
    over: bool,
    said: String,
}

#[derive(Debug, Serialize)]
struct CheckGroup {
    name: &'static str,
    /// The one reason why none of them was made.
    skipped: Option<(String, String)>,
    checks: Vec<CheckRow>,
}

#[derive(Debug, Serialize)]
struct CheckRow {
    title: String,
    value: String,
    limit: String,
    answer: &'static str,
    class: &'static str,
    sign: &'static str,
    reason: Option<String>,
    details: Vec<String>,
}

#[derive(Debug, Serialize)]
struct RiskRow {
    score: String,
    code: String,
    path: String,
    weight: String,
    decision: String,
    open: bool,
}

#[derive(Debug, Serialize)]
struct PhaseRow {
    name: &'static str,
    seconds: String,
    share: f64,
}

#[derive(Debug, Serialize)]
struct StatementRow {
    id: u32,
    place: String,
    text: String,
    way: &'static str,
    status: &'static str,
    class: &'static str,
    error: Option<String>,
    seconds: String,
    wal: String,
    sizes: Vec<String>,
    compared: Vec<Compared>,
    understood: bool,
    predicted: bool,
    missed: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Compared {
    what: &'static str,
    predicted: Vec<String>,
    measured: Vec<String>,
    same: bool,
    /// Why not all of it was seen, where that says nothing against the prediction.
    unseen: Option<&'static str>,
}

impl Compared {
    /// What was predicted and not seen is no difference, for this reason; more than was predicted still is one.
    fn excused(mut self, reason: &'static str) -> Compared {
        if !self.same && self.measured.iter().all(|name| self.predicted.contains(name)) {
            (self.same, self.unseen) = (true, Some(reason));
        }
        self
    }
}

#[derive(Debug, Serialize)]
struct Way {
    name: &'static str,
    status: &'static str,
    class: &'static str,
    seconds: String,
    limit: String,
    share: f64,
    over: bool,
    equal: bool,
    schema: Vec<Difference>,
    data: Vec<String>,
    errors: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Difference {
    what: String,
    before: String,
    after: String,
}

#[derive(Debug, Serialize)]
struct WrittenRow {
    table: String,
    rows: u64,
    kept: String,
    /// Rows are gone.
    rows_lost: bool,
    /// Rows or values are gone.
    lost: bool,
    columns: String,
    why_not: Option<String>,
}

#[derive(Debug, Serialize)]
struct QueriesFacts {
    source: String,
    total: u32,
    before: u32,
    after: u32,
    rolled_back: Option<u32>,
    failed: Vec<QueryRow>,
}

#[derive(Debug, Serialize)]
struct QueryRow {
    place: String,
    text: String,
    is_new: bool,
    before: String,
    after: String,
    rolled_back: String,
    broken_by: Option<u32>,
}

#[derive(Debug, Serialize)]
struct FindingRow {
    severity: &'static str,
    sign: &'static str,
    code: String,
    place: String,
    message: String,
    help: Option<String>,
    /// What of the help is to be pasted.
    sql: Option<String>,
    /// That is so much that it is folded away.
    long: bool,
}

#[derive(Debug, Serialize)]
struct TableRow {
    name: String,
    size: String,
    before: String,
    after: String,
    rolled_back: String,
    restored: String,
    differs: bool,
}

/// Works out what the page shows.
pub fn facts(rehearsal: Option<&Rehearsal>, gate: Option<&GateReport>) -> Facts {
    let mut facts = Facts { version: env!("CARGO_PKG_VERSION"), ..Facts::default() };
    if let Some(rehearsal) = rehearsal {
        of_rehearsal(rehearsal, &mut facts);
    }
    if let Some(gate) = gate {
        of_gate(gate, &mut facts);
    }
    let mut told: HashMap<String, usize> = HashMap::new();
    let (shown, more) = std::mem::take(&mut facts.findings).into_iter().partition(|finding: &FindingRow| {
        let count = told.entry(finding.code.clone()).or_default();
        *count += 1;
        *count <= MOST_OF_A_CODE
    });
    (facts.findings, facts.more_findings) = (shown, more);
    if facts.title.is_empty() {
        facts.title = "rollsafe".to_owned();
    }
    facts
}

fn of_gate(gate: &GateReport, facts: &mut Facts) {
    let (verdict, class) = match gate.verdict {
        Verdict::Go => ("GO", "go"),
        Verdict::NoGo => ("NO-GO", "nogo"),
        Verdict::CouldNotCheck => ("NO-GO", "nogo"),
    };
    (facts.verdict, facts.verdict_class) = (verdict.to_owned(), class);
    // The verdict itself stands beside it.
    let line = crate::gate::report::verdict_line(gate);
    facts.verdict_said = match line.split_once('(') {
        Some((before, counts)) => {
            let counts = counts.trim_end_matches(')');
            before.split_once(": ").map_or(counts.to_owned(), |(_, why)| format!("{}: {counts}", why.trim()))
        }
        None => line,
    };
    facts.title = match &gate.asked.release {
        Some(release) => format!("Release gate: {release}"),
        None => "Release gate".to_owned(),
    };
    let mut head = vec![("asked at", moment(&gate.asked_at.to_string()))];
    if !gate.asked.by.is_empty() {
        head.push(("asked by", format!("{} on {}", gate.asked.by, gate.asked.host)));
    }
    head.extend(gate.asked.revision.as_ref().map(|revision| ("revision", revision.clone())));
    head.push((
        "migrations",
        format!("{} pending; {}", gate.release.migrations.len(), gate.release.pending.said),
    ));
    if let Some(backup) = &gate.backup {
        head.push(("backup", format!("{}, {}, {}", backup.path, size(backup.bytes), backup.verdict)));
    }
    head.extend(gate.live.as_ref().map(|live| ("live server", live.url.clone())));
    head.append(&mut facts.head);
    facts.head = head;
    for group in Group::ALL {
        let checks: Vec<CheckRow> = gate
            .checks
            .iter()
            .filter(|check| check.group == group)
            .map(|check| {
                let (class, sign) = match check.answer {
                    Answer::Yes => ("yes", "✓"),
                    Answer::No => ("no", "✗"),
                    Answer::NotChecked => ("unknown", "?"),
                    Answer::LeftOut => ("unknown", "–"),
                };
                CheckRow {
                    title: check.title.to_string(),
                    value: check.value.clone(),
                    limit: check.limit.clone(),
                    answer: check.answer.as_str(),
                    class,
                    sign,
                    reason: check.reason.clone(),
                    details: check.details.clone(),
                }
            })
            .collect();
        let skipped = checks.first().and_then(|first| {
            let reason = first.reason.clone()?;
            let same = checks.iter().all(|one| {
                one.class == "unknown"
                    && one.value == "–"
                    && one.answer == first.answer
                    && one.reason == first.reason
            });
            same.then(|| (first.answer.to_owned(), format!("{} checks: {reason}", checks.len())))
        });
        if !checks.is_empty() {
            facts.groups.push(CheckGroup { name: group.as_str(), skipped, checks });
        }
    }
    facts.risk_limit = format!("{:.0}", gate.limits.risk_limit);
    facts.risks = gate.risks.risks.iter().map(|risk| risk_row(risk, gate.limits.risk_limit)).collect();
    facts.findings = gate.findings.iter().map(finding).collect();
    facts.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity == "error"));
}

/// A time of a report as people read it; one without a zone stays without.
fn moment(text: &str) -> String {
    match text.parse::<Start>() {
        Ok(Start::Zoned(at)) => at.to_utc().format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Ok(Start::Local(at)) => at.format("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => text.to_owned(),
    }
}

fn risk_row(risk: &Risk, limit: f64) -> RiskRow {
    let decision = match &risk.accepted {
        Some(accept) => {
            let until = accept.until.as_ref().map_or(String::new(), |until| format!(" until {until}"));
            format!("accepted by {}{until}: {}", accept.by, accept.reason)
        }
        None if risk.open(limit) => "to be dealt with first".to_owned(),
        None => "below the limit".to_owned(),
    };
    let times = if risk.count > 1 { format!(" ×{}", risk.count) } else { String::new() };
    RiskRow {
        score: format!("{:.1}", risk.score),
        code: format!("{}{times}", risk.code),
        path: risk.path.clone().unwrap_or_default(),
        weight: format!("{} % × {} ({})", risk.weight.probability, risk.weight.impact, risk.because),
        decision,
        open: risk.open(limit),
    }
}

fn of_rehearsal(rehearsal: &Rehearsal, facts: &mut Facts) {
    facts.has_rehearsal = true;
    facts.title = "Rehearsal of a release".to_owned();
    (facts.verdict, facts.verdict_class) = match rehearsal.verdict {
        report::Verdict::Passed => ("passed".to_owned(), "go"),
        report::Verdict::Failed => ("failed".to_owned(), "nogo"),
        report::Verdict::Incomplete => ("incomplete".to_owned(), "unknown"),
    };
    let errors = rehearsal.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let warnings = rehearsal.findings.iter().filter(|finding| finding.severity == Severity::Warning).count();
    let done = rehearsal.migrations.iter().filter(|run| run.status == Status::Done).count();
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    facts.verdict_said = format!(
        "{done} of {} ran; {}, {}",
        plural(rehearsal.migrations.len(), "migration"),
        plural(errors, "error"),
        plural(warnings, "warning")
    );
    if !rehearsal.not_checked.is_empty() {
        facts.verdict_said.push_str(&format!(", {} left unlooked at", rehearsal.not_checked.len()));
    }
    facts.head.push((
        "rehearsed",
        format!("{}, in {}", moment(&rehearsal.started_at), duration(rehearsal.seconds)),
    ));
    if let Some(backup) = &rehearsal.source.backup {
        let taken = backup.created_at.as_ref().map_or(String::new(), |at| format!(", taken {}", moment(at)));
        facts.head.push(("on", format!("{} ({}{taken})", backup.path, size(backup.bytes))));
    }
    facts.head.extend(rehearsal.source.database_url.as_ref().map(|url| ("on", url.clone())));
    facts.head.push(("server", format!("PostgreSQL {}", rehearsal.server.version)));
    if !rehearsal.run.pending.said.is_empty() {
        facts.head.push(("pending", rehearsal.run.pending.said.clone()));
    }
    meters(rehearsal, facts);
    let forward: Vec<&MigrationRun> = rehearsal.migrations.iter().collect();
    let backward: Vec<&MigrationRun> =
        rehearsal.rollback.downs.iter().flat_map(|downs| &downs.steps).map(|step| &step.migration).collect();
    facts.forward = timeline(rehearsal, &forward);
    facts.backward = timeline(rehearsal, &backward);
    phases(rehearsal, facts);
    let looked_every = rehearsal.probes.lock_sample_seconds;
    for (runs, way) in [(&forward, "up"), (&backward, "down")] {
        facts.statements.extend(
            runs.iter()
                .flat_map(|run| run.statements.iter().map(|one| statement(run, one, way, looked_every))),
        );
    }
    facts.missed = facts.statements.iter().filter(|row| !row.missed.is_empty()).count();
    facts.more_statements = facts.statements.split_off(ROWS_SHOWN.min(facts.statements.len()));
    ways(rehearsal, facts);
    facts.queries = rehearsal.queries.as_ref().map(queries);
    facts.findings = rehearsal.findings.iter().map(finding).collect();
    facts.extrapolation = rehearsal.extrapolation.as_ref().map(|there| {
        let rows = there.statements.iter().map(|one| {
            (
                format!("{}: statement {}", one.relation, one.statement),
                format!("{}, {}", duration(one.seconds_here), size(one.bytes_here)),
                format!("{}, {}", duration(one.seconds_there), size(one.bytes_there)),
            )
        });
        InProduction { assumption: format!("{} ({})", there.assumption, there.source), rows: rows.collect() }
    });
    facts.not_checked = rehearsal.not_checked.clone();
    facts.notes = rehearsal.notes.clone();
    facts.tables = tables(rehearsal);
    facts.foot.push(format!(
        "Probed {} tables over {} connections, each at least every {}; stalls shorter than {} aren't listed. Locks were looked at every {}.",
        rehearsal.probes.tables,
        rehearsal.probes.connections,
        duration(rehearsal.probes.interval_seconds),
        duration(rehearsal.probes.shortest_stall_seconds),
        duration(rehearsal.probes.lock_sample_seconds)
    ));
    if !rehearsal.server.settings.is_empty() {
        facts.foot.push(format!(
            "The server differs from one in production by {}.",
            rehearsal.server.settings.join(", ")
        ));
    }
}

fn meter(label: &'static str, seconds: f64, limit: f64, more: String) -> Meter {
    let share = if limit > 0.0 { (seconds / limit * 100.0).clamp(0.0, 100.0) } else { 100.0 };
    Meter {
        label,
        value: duration(seconds),
        limit: duration(limit),
        share,
        over: seconds > limit,
        said: more,
    }
}

fn meters(rehearsal: &Rehearsal, facts: &mut Facts) {
    let limits = &rehearsal.limits;
    let there = rehearsal.extrapolation.as_ref();
    let measured =
        |seconds: f64| format!("{} measured, carried over to production's size", duration(seconds));
    if rehearsal.migrations.iter().any(|run| run.start.is_some()) {
        let here = rehearsal.migrate_seconds();
        let judged = there.map_or(here, |there| there.migrate_seconds.max(here));
        let more = if there.is_some() { measured(here) } else { "all pending migrations".to_owned() };
        facts.meters.push(meter("migrations", judged, limits.migrate, more));
    }
    if rehearsal.probes.sent > 0 {
        for (label, of) in
            [("longest stall of reads", Access::Reads), ("longest stall of writes", Access::Writes)]
        {
            let longest = rehearsal
                .tables
                .iter()
                .filter_map(|table| {
                    let stall = match of {
                        Access::Reads => table.longest_read_stall.as_ref(),
                        Access::Writes => table.longest_write_stall.as_ref(),
                    };
                    Some((stall?.seconds(), table.name.clone()))
                })
                .max_by(|a, b| a.0.total_cmp(&b.0));
            let worst_there = there
                .iter()
                .flat_map(|there| &there.stalls)
                .filter(|stall| stall.of == of)
                .max_by(|a, b| a.seconds_there.total_cmp(&b.seconds_there));
            facts.meters.push(match (longest, worst_there) {
                (Some((here, _)), Some(worst)) if worst.seconds_there > here => meter(
                    label,
                    worst.seconds_there,
                    limits.stall,
                    format!("{}; {}", worst.table, measured(here)),
                ),
                (Some((here, table)), _) => meter(label, here, limits.stall, table),
                (None, _) => meter(label, 0.0, limits.stall, "none seen".to_owned()),
            });
        }
    }
    if let Some(downs) = rehearsal.rollback.downs.as_ref().filter(|downs| downs.status != Status::NotRun) {
        let judged = there
            .and_then(|there| there.rollback_seconds)
            .map_or(downs.seconds, |there| there.max(downs.seconds));
        facts.meters.push(meter(
            "way back by down migrations",
            judged,
            limits.rollback,
            unless_done(downs.status),
        ));
    }
    if let Some(restore) =
        rehearsal.rollback.restore.as_ref().filter(|restore| restore.status != Status::NotRun)
    {
        let judged = there
            .and_then(|there| there.restore_seconds)
            .map_or(restore.seconds, |there| there.max(restore.seconds));
        facts.meters.push(meter(
            "way back by the backup",
            judged,
            limits.rollback,
            unless_done(restore.status),
        ));
    }
}

/// A time within its limit says that it ended.
fn unless_done(status: Status) -> String {
    if status == Status::Done { String::new() } else { word(status).to_owned() }
}

fn phases(rehearsal: &Rehearsal, facts: &mut Facts) {
    let total: f64 = rehearsal.phases.iter().map(|phase| phase.end - phase.start).sum();
    facts.phases = rehearsal
        .phases
        .iter()
        .map(|phase| PhaseRow {
            name: match phase.phase {
                PhaseName::Restore => "the backup is restored",
                PhaseName::RecordBefore => "schema and rows before",
                PhaseName::Migrate => "the migrations run",
                PhaseName::RecordAfter => "schema and rows after",
                PhaseName::Write => "rows are written as by the new application",
                PhaseName::RollBack => "back by down migrations",
                PhaseName::RecordRolledBack => "schema and rows after that",
                PhaseName::RestoreAgain => "back by the backup",
                PhaseName::RecordRestored => "schema and rows after that",
            },
            seconds: duration(phase.end - phase.start),
            share: if total > 0.0 { (phase.end - phase.start) / total * 100.0 } else { 0.0 },
        })
        .collect();
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Done => "done",
        Status::Failed => "failed",
        Status::Stopped => "stopped at the limit",
        Status::NotRun => "not run",
    }
}

fn class(status: Status) -> &'static str {
    match status {
        Status::Done => "yes",
        Status::Failed | Status::Stopped => "no",
        Status::NotRun => "unknown",
    }
}

fn statement(run: &MigrationRun, one: &StatementRun, way: &'static str, looked_every: f64) -> StatementRow {
    let path = one.path.as_deref().unwrap_or(&run.path);
    let place = one.span.map_or(path.to_owned(), |span| format!("{path}:{}", span.line));
    let mode = |relation: &str, mode: &str| format!("{mode} on {relation}");
    let strong = |mode: &str| {
        crate::migration::lock_mode::LockMode::from_name(mode)
            .is_none_or(|mode| mode > crate::migration::lock_mode::LockMode::RowExclusive)
    };
    let mut measured_locks: Vec<String> = one
        .locks
        .iter()
        .filter(|lock| strong(&lock.mode))
        .map(|lock| mode(&lock.relation, &lock.mode))
        .collect();
    // One that was let go and taken again is there several times.
    measured_locks.dedup();
    let mut compared = Vec::new();
    if let Some(predicted) = &one.predicted {
        let predicted_locks: Vec<String> = predicted
            .locks
            .iter()
            .filter(|lock| strong(&lock.mode))
            .map(|lock| mode(&lock.relation, &lock.mode))
            .collect();
        let mut locks = pair("locks", &predicted_locks, &measured_locks);
        if one.seconds < 2.0 * looked_every {
            locks = locks.excused("too short to be seen");
        }
        compared.push(locks);
        compared.push(pair("written anew", &predicted.rewrites, &one.rewrites));
        compared.push(pair("read in full", &predicted.scans, &one.scans));
        // The same index goes by its name or by its table's, which stands for all that a rewrite builds anew.
        let builds = pair("indexes built", &predicted.index_builds, &one.index_builds);
        let same = predicted.index_builds.is_empty() == one.index_builds.is_empty();
        compared.push(Compared { same, ..builds });
        if matches!(one.status, Status::Failed | Status::Stopped) {
            compared = compared.into_iter().map(|one| one.excused("it did not get that far")).collect();
        }
    } else {
        for (what, measured) in [
            ("locks", &measured_locks),
            ("written anew", &one.rewrites),
            ("read in full", &one.scans),
            ("indexes built", &one.index_builds),
        ] {
            compared.push(Compared {
                what,
                predicted: vec![],
                measured: measured.clone(),
                same: true,
                unseen: None,
            });
        }
    }
    compared.retain(|one| !one.predicted.is_empty() || !one.measured.is_empty());
    StatementRow {
        id: one.id,
        place,
        text: one.text.clone(),
        way,
        status: word(one.status),
        class: class(one.status),
        error: one.error.as_ref().map(error),
        seconds: if one.status == Status::NotRun { "–".to_owned() } else { duration(one.seconds) },
        wal: if one.wal_bytes > 0 { size(one.wal_bytes) } else { "–".to_owned() },
        sizes: one
            .sizes
            .iter()
            .filter(|change| change.after != Some(change.before))
            .map(|change| {
                let after = change.after.map_or("gone".to_owned(), size);
                format!("{}: {} → {after}", change.relation, size(change.before))
            })
            .collect(),
        compared,
        understood: one.predicted.as_ref().is_none_or(|predicted| predicted.understood),
        predicted: one.predicted.is_some(),
        missed: one.predicted.as_ref().map(|predicted| predicted.missed.clone()).unwrap_or_default(),
    }
}

fn pair(what: &'static str, predicted: &[String], measured: &[String]) -> Compared {
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names.dedup();
        names
    };
    let (predicted, measured) = (sorted(predicted), sorted(measured));
    Compared { what, same: predicted == measured, unseen: None, predicted, measured }
}

fn error(error: &ServerError) -> String {
    let mut text = error.message.clone();
    if !error.sqlstate.is_empty() {
        text.push_str(&format!(" (SQLSTATE {})", error.sqlstate));
    }
    text.extend(error.detail.as_ref().map(|detail| format!(". {detail}")));
    text
}

fn difference(one: &SchemaDifference) -> Difference {
    Difference {
        what: format!("{} {}", one.kind, one.name),
        before: one.before.clone().unwrap_or_else(|| "not there".to_owned()),
        after: one.after.clone().unwrap_or_else(|| "gone".to_owned()),
    }
}

fn ways(rehearsal: &Rehearsal, facts: &mut Facts) {
    let limit = rehearsal.limits.rollback;
    let share = |seconds: f64| if limit > 0.0 { (seconds / limit * 100.0).clamp(0.0, 100.0) } else { 100.0 };
    if let Some(downs) = &rehearsal.rollback.downs {
        let comparison = &rehearsal.comparison;
        let data: Vec<String> = comparison
            .data
            .iter()
            .map(|one| {
                let after = one
                    .rows_after
                    .map_or("the table is gone".to_owned(), |rows| format!("{} after", grouped(rows)));
                let mut said = format!("{}: {} rows before, {after}", one.table, grouped(one.rows_before));
                if !one.columns.is_empty() {
                    said.push_str(&format!("; other values in {}", one.columns.join(", ")));
                }
                for gone in &one.columns_gone {
                    said.push_str(&format!("; {} gone with {} values", gone.column, grouped(gone.values)));
                }
                said
            })
            .collect();
        let errors = downs.steps.iter().flat_map(|step| {
            let missing =
                step.migration.path.is_empty().then(|| format!("{}: has no down migration", step.undoes));
            let failed = step.migration.statements.iter().filter_map(|one| one.error.as_ref());
            failed
                .map(|of| format!("{}: {}", step.migration.path, error(of)))
                .chain(missing)
                .collect::<Vec<_>>()
        });
        facts.ways.push(Way {
            name: "By down migrations",
            status: word(downs.status),
            class: class(downs.status),
            seconds: duration(downs.seconds),
            limit: duration(limit),
            share: share(downs.seconds),
            over: downs.seconds > limit,
            equal: downs.status == Status::Done && comparison.rolled_back.is_empty() && data.is_empty(),
            schema: comparison.rolled_back.iter().map(difference).collect(),
            errors: errors.collect(),
            data,
        });
    }
    if let Some(restore) = &rehearsal.rollback.restore {
        facts.ways.push(Way {
            name: "By the backup",
            status: word(restore.status),
            class: class(restore.status),
            seconds: duration(restore.seconds),
            limit: duration(limit),
            share: share(restore.seconds),
            over: restore.seconds > limit,
            equal: restore.status == Status::Done
                && restore.schema_differences.is_empty()
                && restore.tables_differing.is_empty(),
            schema: restore.schema_differences.iter().map(difference).collect(),
            data: restore.tables_differing.iter().map(|table| format!("{table}: the rows differ")).collect(),
            errors: restore.errors.clone(),
        });
    }
    facts.written = rehearsal
        .comparison
        .written
        .iter()
        .map(|one| WrittenRow {
            table: one.table.clone(),
            rows: one.rows,
            kept: one.rows_kept.map_or("–".to_owned(), |kept| kept.to_string()),
            rows_lost: one.rows_kept.is_some_and(|kept| kept < one.rows),
            lost: one.rows_kept.is_some_and(|kept| kept < one.rows) || !one.columns_lost.is_empty(),
            columns: one.columns_lost.join(", "),
            why_not: one.not_written.clone(),
        })
        .collect();
}

fn queries(queries: &report::Queries) -> QueriesFacts {
    let said = |of: &Option<ServerError>| of.as_ref().map_or("prepares".to_owned(), error);
    QueriesFacts {
        source: queries.source.clone(),
        total: queries.total,
        before: queries.prepared_before,
        after: queries.prepared_after,
        rolled_back: queries.prepared_rolled_back,
        failed: queries
            .failed
            .iter()
            .map(|one| QueryRow {
                place: one.place.clone(),
                text: one.text.clone(),
                is_new: one.is_new,
                before: said(&one.before),
                after: said(&one.after),
                rolled_back: said(&one.rolled_back),
                broken_by: one.broken_by,
            })
            .collect(),
    }
}

fn finding(finding: &Finding) -> FindingRow {
    let path = finding.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let place = match (finding.span, &finding.object) {
        (Some(span), _) => format!("{path}:{}", span.line),
        (None, Some(object)) if path.is_empty() => object.clone(),
        (None, Some(object)) => format!("{path}: {object}"),
        (None, None) => path,
    };
    let sign = match finding.severity {
        Severity::Error => "✗",
        Severity::Warning => "!",
        Severity::Notice => "i",
    };
    // A sentence with what is to be pasted below it, or nothing but that.
    let (said, sql) = match finding.help.as_deref() {
        Some(help) if is_sql(help) => (None, Some(help)),
        Some(help) => match help.split_once('\n') {
            Some((said, sql)) => (Some(said), Some(sql)),
            None => (Some(help), None),
        },
        None => (None, None),
    };
    FindingRow {
        severity: finding.severity.as_str(),
        sign,
        code: finding.code.to_string(),
        place,
        message: finding.message.clone(),
        help: said.map(str::to_owned),
        sql: sql.map(str::to_owned),
        long: sql.is_some_and(|sql| sql.lines().count() > 8),
    }
}

/// Whether a text begins as SQL does: with a comment, or a word of capitals that a sentence wouldn't begin with.
fn is_sql(text: &str) -> bool {
    let word = text.split_whitespace().next().unwrap_or("");
    word.starts_with("--") || word.len() > 2 && word.chars().all(|c| c.is_ascii_uppercase())
}

fn tables(rehearsal: &Rehearsal) -> Vec<TableRow> {
    let rows =
        |sum: &Option<report::TableSum>| sum.as_ref().map_or("–".to_owned(), |sum| grouped(sum.rows));
    let mut tables: Vec<TableRow> = rehearsal
        .tables
        .iter()
        .map(|table| {
            let of = &table.rows;
            let differs =
                |sum: &Option<report::TableSum>| sum.is_some() && of.before.is_some() && *sum != of.before;
            TableRow {
                name: table.name.clone(),
                size: size(table.bytes),
                before: rows(&of.before),
                after: rows(&of.after),
                rolled_back: rows(&of.rolled_back),
                restored: rows(&of.restored),
                differs: differs(&of.rolled_back) || differs(&of.restored),
            }
        })
        .collect();
    tables.sort_by_key(|table| !table.differs);
    tables
}
