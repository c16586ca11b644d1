//! The report of a rehearsal for people: what ran, what stood still, the ways back, findings; in the last lines
//! what a tired person has to know.

use std::collections::BTreeMap;

use super::report::{
    Access, FailedQuery, LockRun, MigrationRun, Rehearsal, Stall, StatementRun, Status, TableRun, Verdict,
};
use super::rules::short;
use crate::amount::bytes;
use crate::finding::Severity;
use crate::gate::clock::duration;
use crate::migration::project::runners;

/// A hundred findings of one kind say no more than a dozen.
const MOST_OF_A_CODE: usize = 12;

/// How to draw.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// ANSI colours.
    pub color: bool,
}

impl Look {
    fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn mark(self, status: Status) -> String {
        match status {
            Status::Done => self.paint("32", "ok"),
            Status::Failed => self.paint("1;31", "failed"),
            Status::Stopped => self.paint("1;31", "stopped"),
            Status::NotRun => self.paint("33", "not run"),
        }
    }

    fn severity(self, severity: Severity) -> String {
        let code = match severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
            Severity::Notice => "1;36",
        };
        self.paint(code, severity.as_str())
    }

    fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }
}

/// Writes it.
pub fn terminal(report: &Rehearsal, look: Look) -> String {
    let mut out = head(report);
    out += &format!("\n{}\n", look.bold("Migrations"));
    if report.migrations.is_empty() {
        out += "  none pending\n";
    }
    for run in &report.migrations {
        out += &migration(run, look, 2);
    }
    out += &stalls(report, look);
    out += &way_back(report, look);
    out += &queries(report, look);
    out += &extrapolated(report, look);
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &report.findings {
        let count = told.entry(&finding.code).or_default();
        *count += 1;
        if *count > MOST_OF_A_CODE {
            continue;
        }
        let place = match (&finding.path, finding.span) {
            (Some(path), Some(span)) => format!("{}:{}:{}: ", path.display(), span.line, span.column),
            (Some(path), None) => format!("{}: ", path.display()),
            _ => String::new(),
        };
        out +=
            &format!("\n{}[{}]: {place}{}\n", look.severity(finding.severity), finding.code, finding.message);
        if let Some(help) = &finding.help {
            out += &format!("  help: {}\n", help.replace('\n', "\n        "));
        }
    }
    for (code, more) in
        told.iter().filter_map(|(code, count)| Some((code, count.checked_sub(MOST_OF_A_CODE)?)))
    {
        if more > 0 {
            out += &format!("\nand {more} more of {code}: --report and --html list them all\n");
        }
    }
    if !report.not_checked.is_empty() || !report.notes.is_empty() {
        out.push('\n');
    }
    for left in &report.not_checked {
        out += &format!("{}: {left}\n", look.paint("33", "not rehearsed"));
    }
    for note in &report.notes {
        out += &format!("note: {note}\n");
    }
    out + &last_lines(report, look)
}

fn head(report: &Rehearsal) -> String {
    let data = match (&report.source.backup, &report.source.database_url) {
        (_, Some(url)) => url.clone(),
        (Some(backup), None) => backup.path.clone(),
        (None, None) => "an empty database".to_owned(),
    };
    let pending = counted(report.migrations.len(), "migration");
    let runner = match (&report.run.command, &report.run.runner) {
        // What it runs is one thing here, however many migrations that are.
        (Some(command), _) => format!("what is pending is run by `{command}`"),
        (None, Some(runner)) => {
            format!("{pending} pending, run as {} runs them", runners::shown(runner))
        }
        (None, None) => format!("{pending} pending, run one by one"),
    };
    let rows = report.source.rows.map(|rows| format!(", {rows} rows")).unwrap_or_default();
    let mut out = format!(
        "{data}: {}{rows}, PostgreSQL {}\n{runner}: {}\n",
        bytes(report.source.database_bytes),
        report.server.version,
        report.run.pending.said
    );
    if let Some(backup) = report.source.backup.as_ref().filter(|_| report.source.database_url.is_none()) {
        out += &format!("restored in {}\n", duration(backup.restore_seconds));
    }
    out
}

fn migration(run: &MigrationRun, look: Look, indent: usize) -> String {
    let time = if run.status == Status::NotRun { String::new() } else { duration(run.seconds) };
    let mut out =
        format!("{:indent$}{:<8} {:>9}  {}\n", "", look.mark(run.status), time, run.path, indent = indent);
    for file in &run.files {
        out += &format!(
            "{:indent$}  {:<8} {:>7}  {}\n",
            "",
            look.mark(file.status),
            "",
            file.path,
            indent = indent
        );
    }
    for statement in &run.statements {
        // What neither took time nor a lock that anybody could notice isn't worth a line.
        let quiet = statement.status == Status::Done
            && statement.seconds < 0.05
            && !statement.locks.iter().any(|lock| lock.blocks_writes || lock.blocks_reads);
        if !quiet {
            out += &statement_line(statement, look, indent + 2);
        }
    }
    out
}

fn statement_line(statement: &StatementRun, look: Look, indent: usize) -> String {
    let line = statement.span.map(|span| format!("{}:", span.line)).unwrap_or_default();
    let mut facts = Vec::new();
    // By relation the longest, and how many times it was taken.
    let mut held: Vec<(&LockRun, f64, usize)> = Vec::new();
    for lock in statement.locks.iter().filter(|lock| lock.blocks_writes || lock.blocks_reads) {
        let seconds = lock.released - lock.acquired;
        match held.iter_mut().find(|(known, ..)| known.relation == lock.relation) {
            Some((_, longest, times)) => (*longest, *times) = (longest.max(seconds), *times + 1),
            None => held.push((lock, seconds, 1)),
        }
    }
    let mut locks: Vec<String> = held
        .into_iter()
        .map(|(lock, seconds, times)| {
            let times = if times > 1 { format!(" (the longest of {times} times)") } else { String::new() };
            format!("{} on {} for {}{times}", lock.mode, lock.relation, duration(seconds))
        })
        .collect();
    if locks.len() > 4 {
        let more = locks.len() - 3;
        locks.truncate(3);
        locks.push(format!("and {more} more tables"));
    }
    facts.extend(locks);
    if !statement.rewrites.is_empty() {
        facts.push(format!("writes {} anew", statement.rewrites.join(", ")));
    }
    let scans: Vec<&str> = statement
        .scans
        .iter()
        .filter(|name| !statement.rewrites.contains(name))
        .map(String::as_str)
        .collect();
    if !scans.is_empty() {
        facts.push(format!("reads {} in full", scans.join(", ")));
    }
    if let Some(rows) = statement.rows.filter(|rows| *rows > 0) {
        facts.push(counted(rows as usize, "row"));
    }
    if statement.wal_bytes >= 1_000_000 {
        facts.push(format!("{} of WAL", bytes(statement.wal_bytes)));
    }
    let facts = if facts.is_empty() { String::new() } else { format!(": {}", facts.join("; ")) };
    let mut out = format!(
        "{:indent$}{line:<5}{:>9}  {}{facts}\n",
        "",
        duration(statement.seconds),
        statement.kind,
        indent = indent
    );
    if let Some(error) = &statement.error {
        let detail = error.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
        out += &format!(
            "{:indent$}               {}\n",
            "",
            look.paint("31", &format!("{}{detail}", error.message)),
            indent = indent
        );
    }
    out
}

/// Tables that stood still, the longest first: (table, stall).
fn longest_stalls(report: &Rehearsal) -> Vec<(&TableRun, &Stall)> {
    let mut all: Vec<(&TableRun, &Stall)> = report
        .tables
        .iter()
        .flat_map(|table| {
            let stalls = table.longest_read_stall.iter().chain(&table.longest_write_stall);
            stalls.map(move |stall| (table, stall))
        })
        .collect();
    all.sort_by(|a, b| b.1.seconds().total_cmp(&a.1.seconds()).then_with(|| a.0.name.cmp(&b.0.name)));
    all
}

fn behind(report: &Rehearsal, stall: &Stall) -> String {
    let Some(statement) = stall.statement.and_then(|id| report.statement(id)) else {
        return "no lock in the way: the server was busy".to_owned();
    };
    let mode = stall.mode.as_deref().unwrap_or("a lock");
    let place = match (&statement.path, statement.span) {
        (Some(path), Some(span)) => format!("{}:{}", short(path), span.line),
        _ => statement.text.chars().take(60).collect(),
    };
    format!("{} ({mode}), {place}", statement.kind)
}

fn stalls(report: &Rehearsal, look: Look) -> String {
    let mut out = format!("\n{}\n", look.bold("What stood still"));
    let all = longest_stalls(report);
    if all.is_empty() {
        out += &format!(
            "  nothing for longer than {} ({} looked at every {})\n",
            duration(report.probes.shortest_stall_seconds.max(report.probes.interval_seconds)),
            counted(report.probes.tables as usize, "table"),
            duration(report.probes.interval_seconds.max(0.01))
        );
        return out;
    }
    let width = all.iter().take(20).map(|(table, _)| table.name.chars().count()).max().unwrap_or(0);
    for (table, stall) in all.iter().take(20) {
        let over = stall.seconds() > report.limits.stall;
        let time = format!("{:>9}", duration(stall.seconds()));
        out += &format!(
            "  {} {:<6} {:<width$}  behind {}\n",
            if over { look.paint("1;31", &time) } else { time },
            word(stall.of),
            table.name,
            behind(report, stall),
        );
    }
    if all.len() > 20 {
        out += &format!("  and {} more\n", all.len() - 20);
    }
    out
}

fn word(access: Access) -> &'static str {
    match access {
        Access::Reads => "reads",
        Access::Writes => "writes",
    }
}

fn way_back(report: &Rehearsal, look: Look) -> String {
    let rollback = &report.rollback;
    if rollback.downs.is_none() && rollback.restore.is_none() {
        return String::new();
    }
    let mut out = format!("\n{}\n", look.bold("The way back"));
    let limit = duration(report.limits.rollback);
    if let Some(downs) = &rollback.downs {
        out += &format!(
            "  {:<8} {:>9}  down migrations, limit {limit}\n",
            look.mark(downs.status),
            duration(downs.seconds)
        );
        for step in &downs.steps {
            if step.migration.path.is_empty() {
                out += &format!(
                    "    {:<8} {:>9}  {} has no way back\n",
                    look.mark(Status::NotRun),
                    "",
                    step.undoes
                );
            } else {
                out += &migration(&step.migration, look, 4);
            }
        }
    }
    if let Some(restore) = &rollback.restore {
        let jobs = if restore.jobs > 1 { format!(", {} jobs", restore.jobs) } else { String::new() };
        out += &format!(
            "  {:<8} {:>9}  restoring the backup{jobs}, limit {limit}\n",
            look.mark(restore.status),
            duration(restore.seconds)
        );
    }
    if rollback.downs.as_ref().is_some_and(|downs| downs.status == Status::Done) {
        let comparison = &report.comparison;
        let schema = match comparison.rolled_back.len() {
            0 => "the schema is as before".to_owned(),
            count => counted(count, "difference") + " in the schema",
        };
        let data = match comparison.data.len() {
            0 => "the rows of before are all there".to_owned(),
            count => format!("rows differ in {}", counted(count, "table")),
        };
        let (written, kept) = comparison
            .written
            .iter()
            .fold((0, 0), |(written, kept), one| (written + one.rows, kept + one.rows_kept.unwrap_or(0)));
        out += &format!(
            "  after the down migrations: {schema}; {data}; of {written} rows written since, {kept} are there\n"
        );
    }
    out
}

fn queries(report: &Rehearsal, look: Look) -> String {
    let Some(queries) = &report.queries else { return String::new() };
    let mut out = format!(
        "\n{}\n  {} of {} run on the new schema",
        look.bold("Queries of the application"),
        queries.prepared_after,
        queries.prepared_before
    );
    if let Some(back) = queries.prepared_rolled_back {
        out += &format!(", {back} after going back");
    }
    let never = queries.failed.iter().filter(|query| !query.is_new && query.before.is_some()).count();
    if never > 0 {
        out += &format!("; not counted: {never} that did not run before either");
    }
    // Those that run on the new schema alone; what fails on both is no reason for an order.
    let fails = |query: &&FailedQuery| query.is_new && query.after.is_some();
    let new = queries
        .failed
        .iter()
        .filter(|query| query.is_new && query.before.is_some() && query.after.is_none())
        .count();
    if new > 0 {
        out += &format!("; {new} of the new application need the new schema: migrate first, then deploy");
    }
    let failing = queries.failed.iter().filter(fails).count();
    if failing > 0 {
        out += &format!("; {failing} of the new application don't run on the new schema");
    }
    out + "\n"
}

fn extrapolated(report: &Rehearsal, look: Look) -> String {
    let Some(there) = &report.extrapolation else { return String::new() };
    let mut out = format!("\n{} ({})\n", look.bold("In production"), there.source);
    out += &format!("  {:>9}  migrations\n", duration(there.migrate_seconds));
    if let Some(seconds) = there.rollback_seconds {
        out += &format!("  {:>9}  down migrations\n", duration(seconds));
    }
    if let Some(seconds) = there.restore_seconds {
        out += &format!("  {:>9}  restoring the backup\n", duration(seconds));
    }
    let mut stalls: Vec<_> = there.stalls.iter().collect();
    stalls.sort_by(|a, b| b.seconds_there.total_cmp(&a.seconds_there));
    for stall in stalls.iter().take(5) {
        out += &format!("  {:>9}  {} of {}\n", duration(stall.seconds_there), word(stall.of), stall.table);
    }
    out + &format!("  assumed: {}\n", there.assumption)
}

/// What stood still and for how long, the way back, the verdict.
fn last_lines(report: &Rehearsal, look: Look) -> String {
    let mut out = String::from("\n");
    let there = |table: &str, of: Access| {
        let all = report.extrapolation.as_ref()?;
        let stall = all.stalls.iter().find(|stall| stall.table == table && stall.of == of)?;
        Some(stall.seconds_there)
    };
    for (table, stall) in longest_stalls(report).iter().filter(|(_, stall)| stall.statement.is_some()).take(5)
    {
        let to = match stall.of {
            Access::Reads => "reads of",
            Access::Writes if stall.of_rows() => "writes to changed rows of",
            Access::Writes => "writes to",
        };
        let production = there(&table.name, stall.of)
            .filter(|there| *there > stall.seconds() * 1.05)
            .map(|there| format!(" (production: about {})", duration(there)))
            .unwrap_or_default();
        out += &format!("{to} {} stood still for {}{production}\n", table.name, duration(stall.seconds()));
    }
    let files = report.files();
    let done = files.iter().filter(|file| file.status == Status::Done).count();
    let how = |status| match status {
        Status::Done => "",
        Status::Stopped => ", stopped",
        _ => ", FAILED",
    };
    let mut back = Vec::new();
    if let Some(downs) = &report.rollback.downs {
        back.push(format!("{} by down migrations{}", duration(downs.seconds), how(downs.status)));
    }
    if let Some(restore) = &report.rollback.restore {
        back.push(format!("{} by the backup{}", duration(restore.seconds), how(restore.status)));
    }
    out += &format!(
        "{done} of {} ran in {}; the way back: {}\n",
        counted(files.len(), "migration"),
        duration(report.migrate_seconds()),
        if back.is_empty() { "not rehearsed".to_owned() } else { back.join(", ") }
    );
    let count = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    let counts = format!(
        "{}, {}",
        counted(count(Severity::Error), "error"),
        counted(count(Severity::Warning), "warning")
    );
    let verdict = match report.verdict {
        Verdict::Passed => look.paint("1;32", "PASSED"),
        Verdict::Failed => look.paint("1;31", "FAILED"),
        Verdict::Incomplete => look.paint("1;33", "INCOMPLETE"),
    };
    out + &format!("{verdict}: {counts}\n")
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
