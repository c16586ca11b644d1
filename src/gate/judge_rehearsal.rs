//! Holds a rehearsal against the limits, and against the release that it is to stand for.

use super::check::{Answer, Check};
use super::clock::{Instant, duration};
use super::limits::Limits;
use super::pending::same_file;
use super::release::Release;
use crate::finding::Severity;
use crate::rehearsal::report::{Access, Rehearsal, Stall, Status};
use crate::rehearsal::rules::said;

/// What a rehearsal is held against.
pub struct Expected<'a> {
    /// The limits of the gate.
    pub limits: &'a Limits,
    /// What is to be released.
    pub release: &'a Release,
    /// The SHA-256 of the backup that one would fall back on; none without one.
    pub backup_sha256: Option<&'a str>,
    /// Now.
    pub now: Instant,
    /// Errors of the rehearsal that somebody has accepted, by code.
    pub accepted: &'a [String],
}

/// The checks of the group `rehearsal`.
pub fn judge(rehearsal: &Rehearsal, expected: &Expected<'_>) -> Vec<Check> {
    let errors: Vec<String> = rehearsal
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .filter(|finding| !expected.accepted.iter().any(|code| *code == finding.code))
        .map(|finding| format!("{}: {}", finding.code, finding.message))
        .collect();
    vec![
        complete(rehearsal),
        age(rehearsal, expected),
        matches(rehearsal, expected),
        ran(rehearsal),
        time(rehearsal),
        stall(rehearsal, "read_stall", Access::Reads),
        stall(rehearsal, "write_stall", Access::Writes),
        queries(rehearsal),
        way_back(rehearsal),
        way_back_time(rehearsal),
        as_before(rehearsal),
        Check::judged("rehearsal_errors", errors.len().to_string(), "0 not accepted", errors.is_empty())
            .because("deal with them, or accept each with a reason: [[gate.accept]]")
            .with(errors),
    ]
}

fn complete(rehearsal: &Rehearsal) -> Check {
    let left = rehearsal.not_checked.len();
    if left == 0 {
        return Check::judged("rehearsed", "all of it", "nothing left out", true);
    }
    let mut check =
        Check::new("rehearsed", format!("{left} left out"), "nothing left out", Answer::NotChecked).because(
            "what wasn't rehearsed hasn't passed; --without rehearsed='WHY' says that this is meant",
        );
    check.details = rehearsal.not_checked.clone();
    check
}

fn age(rehearsal: &Rehearsal, expected: &Expected<'_>) -> Check {
    let limit = expected.limits.max_rehearsal_age;
    let shown = format!("≤ {}", duration(limit as f64));
    let Ok(started) = rehearsal.started_at.parse::<Instant>() else {
        return Check::not_checked("rehearsal_age", shown, "the report doesn't say when it was made");
    };
    let age = expected.now.since(started);
    if age < -300 {
        return Check::judged("rehearsal_age", format!("in the future: {started}"), shown, false)
            .because("a clock is wrong, here or where it was rehearsed");
    }
    Check::judged(
        "rehearsal_age",
        duration(age.max(0) as f64),
        shown,
        age <= i64::try_from(limit).unwrap_or(i64::MAX),
    )
    .because("data and schema have gone on since: rehearse again")
    .with([format!("made {started}")])
}

fn matches(rehearsal: &Rehearsal, expected: &Expected<'_>) -> Check {
    let limit = "these migrations, this backup";
    let mut different = Vec::new();
    let mut unknown = Vec::new();
    match (&rehearsal.source.backup, expected.backup_sha256) {
        (Some(backup), Some(sha256)) => match &backup.sha256 {
            Some(rehearsed) if rehearsed == sha256 => {}
            Some(_) => different
                .push(format!("the backup: {} was rehearsed, and its content is another", backup.path)),
            None => unknown.push(format!("the report has no checksum of its backup, {}", backup.path)),
        },
        (None, _) => unknown.push("it ran on a copy that was named by URL, not on a backup".to_owned()),
        // Without a backup the checks of the group `backup` say so.
        (Some(_), None) => {}
    }
    let files = rehearsal.files();
    if rehearsal.run.command.is_some() && files.iter().all(|file| file.sha256.is_none()) {
        unknown.push(
            "the project's own command ran the migrations: which files those were isn't recorded".to_owned(),
        );
    } else {
        for step in &expected.release.migrations {
            let Some(run) = files.iter().find(|run| same_file(&run.path, &step.path)) else {
                different.push(format!("{}: not rehearsed", step.path));
                continue;
            };
            match &run.sha256 {
                Some(sha256) if *sha256 == step.sha256 => {}
                Some(_) => different.push(format!("{}: changed since it was rehearsed", step.path)),
                None => unknown.push(format!("{}: the report has no checksum of it", step.path)),
            }
            match (&step.down, &run.down) {
                (None, None) => {}
                (Some(down), None) => different.push(format!("{down}: a way back that was not rehearsed")),
                (None, Some(down)) => different.push(format!("{down}: rehearsed as the way back, and gone")),
                // A section of the same file was compared with it.
                (Some(down), Some(_)) if *down == step.path => {}
                (Some(down), Some(_)) => match (&run.down_sha256, &step.down_sha256) {
                    (Some(rehearsed), Some(sha256)) if rehearsed == sha256 => {}
                    (Some(_), _) => different.push(format!("{down}: changed since it was rehearsed")),
                    (None, _) => unknown.push(format!("{down}: the report has no checksum of it")),
                },
            }
        }
        for run in &files {
            if !expected.release.migrations.iter().any(|step| same_file(&run.path, &step.path)) {
                different.push(format!("{}: rehearsed, and not pending now", run.path));
            }
        }
    }
    if !different.is_empty() {
        let count = different.len();
        let plural = if count == 1 { "difference" } else { "differences" };
        return Check::judged("rehearsal_matches", format!("{count} {plural}"), limit, false)
            .because("another release was rehearsed: rehearse this one")
            .with(different);
    }
    if !unknown.is_empty() {
        let mut check =
            Check::not_checked("rehearsal_matches", limit, "it can't be told whether it was this release");
        check.details = unknown;
        return check;
    }
    Check::judged("rehearsal_matches", "by checksum", limit, true)
}

fn ran(rehearsal: &Rehearsal) -> Check {
    let files = rehearsal.files();
    let total = files.len();
    let done = files.iter().filter(|file| file.status == Status::Done).count();
    let details = rehearsal.migrations.iter().filter(|run| run.status != Status::Done).map(|run| {
        let error = run.statements.iter().find_map(|statement| statement.error.as_ref());
        match error {
            _ if run.status == Status::Stopped => format!("{}: stopped at a time limit", run.path),
            Some(error) => format!("{}: {}", run.path, said(error)),
            None => format!("{}: not run", run.path),
        }
    });
    let of_commands = rehearsal.migrations.iter().flat_map(|run| &run.files);
    let details = details.chain(
        of_commands
            .filter(|file| file.status != Status::Done)
            .map(|file| format!("{}: still pending after the command", file.path)),
    );
    Check::judged("migrations_ran", format!("{done} of {total}"), "all", done == total)
        .because("a migration fails on the data of production: mend it, and rehearse again")
        .with(details)
}

fn time(rehearsal: &Rehearsal) -> Check {
    let limit = rehearsal.limits.migrate;
    let shown = format!("≤ {}", duration(limit));
    if rehearsal.migrations.iter().all(|run| run.start.is_none()) {
        if rehearsal.migrations.is_empty() {
            return Check::judged("migration_time", "nothing is pending", shown, true);
        }
        return Check::not_checked("migration_time", shown, "no migration was begun");
    }
    let measured = rehearsal.migrate_seconds();
    let there = rehearsal.extrapolation.as_ref().map(|there| there.migrate_seconds);
    let judged = there.map_or(measured, |there| there.max(measured));
    let value = match there {
        Some(there) => format!("{} ({} measured)", duration(there), duration(measured)),
        None => duration(measured),
    };
    Check::judged("migration_time", value, shown, judged <= limit)
        .because("the release doesn't fit its window: split it, or do the slow part in batches beforehand")
        .with(rehearsal.extrapolation.as_ref().map(|there| there.assumption.clone()))
}

fn stall(rehearsal: &Rehearsal, id: &'static str, of: Access) -> Check {
    let limit = rehearsal.limits.stall;
    let shown = format!("≤ {}", duration(limit));
    if rehearsal.probes.sent == 0 {
        return Check::not_checked(id, shown, "no table was probed");
    }
    let longest = |table: &crate::rehearsal::report::TableRun| -> Option<Stall> {
        match of {
            Access::Reads => table.longest_read_stall.clone(),
            Access::Writes => table.longest_write_stall.clone(),
        }
    };
    // (table, here, there)
    let mut stalls: Vec<(String, f64, Option<f64>)> = rehearsal
        .tables
        .iter()
        .filter_map(|table| Some((table.name.clone(), longest(table)?.seconds())))
        .map(|(table, here)| {
            let there = rehearsal.extrapolation.as_ref().and_then(|there| {
                there
                    .stalls
                    .iter()
                    .find(|stall| stall.table == table && stall.of == of)
                    .map(|stall| stall.seconds_there)
            });
            (table, here, there)
        })
        .collect();
    let judged = |stall: &(String, f64, Option<f64>)| stall.2.map_or(stall.1, |there| there.max(stall.1));
    stalls.sort_by(|a, b| judged(b).total_cmp(&judged(a)).then_with(|| a.0.cmp(&b.0)));
    let what = match of {
        Access::Reads => "reads of",
        Access::Writes => "writes to",
    };
    let value = match stalls.first() {
        None => format!("none seen longer than {}", duration(rehearsal.probes.shortest_stall_seconds)),
        Some(worst) => match worst.2 {
            Some(there) => format!("{} ({} measured), {}", duration(there), duration(worst.1), worst.0),
            None => format!("{}, {}", duration(worst.1), worst.0),
        },
    };
    let worst = stalls.first().map_or(0.0, judged);
    let over: Vec<String> = stalls
        .iter()
        .filter(|stall| judged(stall) > limit)
        .map(|stall| format!("{what} {} stood still for {}", stall.0, duration(judged(stall))))
        .collect();
    Check::judged(id, value, shown, worst <= limit)
        .because(format!("{} stand still for longer than users wait; the findings say which statement, and how to do it without", what.split(" ").next().unwrap_or(what)))
        .with(over)
}

fn queries(rehearsal: &Rehearsal) -> Check {
    let Some(queries) = &rehearsal.queries else {
        return Check::not_checked(
            "queries",
            "all that did before",
            "no queries of the application were given: `rollsafe rehearse --queries FILE`",
        );
    };
    let broken =
        queries.failed.iter().filter(|query| !query.is_new && query.before.is_none()).filter_map(|query| {
            let error = query.after.as_ref()?;
            Some(format!("{}: {}: {}", query.place, super::release::one_line(&query.text), error.message))
        });
    Check::judged(
        "queries",
        format!("{} of {}", queries.prepared_after, queries.prepared_before),
        "all that did before",
        queries.prepared_after >= queries.prepared_before,
    )
    .because("the version now running breaks, or the one that you go back to: expand first, contract in a later release")
    .with(broken)
}

fn way_back(rehearsal: &Rehearsal) -> Check {
    let mut said = Vec::new();
    let mut works = false;
    if let Some(downs) = &rehearsal.rollback.downs {
        works |= downs.status == Status::Done;
        said.push(format!("down migrations {}", word(downs.status)));
    }
    if let Some(restore) = &rehearsal.rollback.restore {
        works |= restore.status == Status::Done;
        said.push(format!("backup {}", word(restore.status)));
    }
    if said.is_empty() {
        return Check::not_checked("way_back", "one that works", "no way back was tried");
    }
    Check::judged("way_back", said.join(", "), "one that works", works)
        .because("there is no way back: the findings say what failed")
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Done => "done",
        Status::Failed => "failed",
        Status::Stopped => "stopped at the limit",
        Status::NotRun => "not run",
    }
}

/// The ways back that ran to their end: what each is called, and how long it takes (here, in production).
fn ways(rehearsal: &Rehearsal) -> Vec<(&'static str, f64, Option<f64>)> {
    let there = rehearsal.extrapolation.as_ref();
    let mut ways = Vec::new();
    if let Some(downs) = rehearsal.rollback.downs.as_ref().filter(|downs| downs.status == Status::Done) {
        ways.push(("down migrations", downs.seconds, there.and_then(|there| there.rollback_seconds)));
    }
    if let Some(restore) =
        rehearsal.rollback.restore.as_ref().filter(|restore| restore.status == Status::Done)
    {
        ways.push(("backup", restore.seconds, there.and_then(|there| there.restore_seconds)));
    }
    ways
}

fn way_back_time(rehearsal: &Rehearsal) -> Check {
    let limit = rehearsal.limits.rollback;
    let shown = format!("≤ {}", duration(limit));
    let ways = ways(rehearsal);
    if ways.is_empty() {
        return Check::not_checked("way_back_time", shown, "no way back ran to its end");
    }
    let judged = |way: &(&str, f64, Option<f64>)| way.2.map_or(way.1, |there| there.max(way.1));
    let value =
        ways.iter().map(|way| format!("{} {}", way.0, duration(judged(way)))).collect::<Vec<_>>().join(", ");
    Check::judged("way_back_time", value, shown, ways.iter().all(|way| judged(way) <= limit))
        .because("going back takes longer than a stop may last: a faster one (parallel restore, smaller steps) is needed")
}

fn as_before(rehearsal: &Rehearsal) -> Check {
    let mut said = Vec::new();
    let mut details = Vec::new();
    let mut equal = false;
    if rehearsal.rollback.downs.as_ref().is_some_and(|downs| downs.status == Status::Done) {
        let comparison = &rehearsal.comparison;
        let (schema, data) = (comparison.rolled_back.len(), comparison.data.len());
        equal |= schema + data == 0;
        said.push(if schema + data == 0 {
            "down migrations: equal".to_owned()
        } else {
            format!("down migrations: {}", counted(schema, data))
        });
        details.extend(
            comparison.rolled_back.iter().map(|one| format!("after the downs: {} {}", one.kind, one.name)),
        );
        details
            .extend(comparison.data.iter().map(|one| format!("after the downs: the rows of {}", one.table)));
    }
    if let Some(restore) =
        rehearsal.rollback.restore.as_ref().filter(|restore| restore.status == Status::Done)
    {
        let (schema, data) = (restore.schema_differences.len(), restore.tables_differing.len());
        equal |= schema + data == 0;
        said.push(if schema + data == 0 {
            "backup: equal".to_owned()
        } else {
            format!("backup: {}", counted(schema, data))
        });
        details.extend(
            restore
                .schema_differences
                .iter()
                .map(|one| format!("after the restore: {} {}", one.kind, one.name)),
        );
        details.extend(
            restore.tables_differing.iter().map(|one| format!("after the restore: the rows of {one}")),
        );
    }
    if said.is_empty() {
        return Check::not_checked("back_as_before", "one way back equal", "no way back ran to its end");
    }
    Check::judged("back_as_before", said.join("; "), "one way back equal", equal)
        .because("going back doesn't bring back what was: mend the down migrations")
        .with(details)
}

/// "1 object and the rows of 2 tables differ"
fn counted(objects: usize, tables: usize) -> String {
    let one = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let differ = if objects + tables == 1 { "differs" } else { "differ" };
    match (objects, tables) {
        (0, tables) => format!("{} {differ}", one(tables, "table")),
        (objects, 0) => format!("{} {differ}", one(objects, "object")),
        (objects, tables) => {
            format!("{} and the rows of {} {differ}", one(objects, "object"), one(tables, "table"))
        }
    }
}
