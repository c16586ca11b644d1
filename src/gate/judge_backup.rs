//! Holds the backup against the limits, and what the migrations destroy against the backup.

use super::check::{Answer, Check};
use super::clock::duration;
use super::limits::Limits;
use super::release::{Needed, Release};
use crate::amount::bytes as size;
use crate::backup::evidence::{Stage, Status};
use crate::backup::verify::Report;

/// The checks of the group `backup`. `limits` are the gate's; size and number of tables are those that the backup was
/// verified with.
pub fn judge(report: &Report, limits: &Limits, release: &Release) -> Vec<Check> {
    let evidence = &report.evidence;
    let mut checks = vec![verified(report), restored(report)];
    let oldest = format!("≤ {}", duration(limits.max_backup_age as f64));
    checks.push(match evidence.file.age {
        Some(age) => {
            let zone = evidence
                .file
                .age_without_zone
                .then(|| "by its machine's clock, whose time zone the dump doesn't hold".to_owned());
            Check::judged("backup_age", duration(age as f64), oldest, age <= limits.max_backup_age)
                .because("what was written since would be lost: take a new one, by `rollsafe backup`")
                .with(zone)
        }
        None => {
            Check::not_checked("backup_age", oldest, "neither the dump nor the file says when it was taken")
        }
    });
    let least = evidence.limits.min_size;
    checks.push(
        Check::judged(
            "backup_size",
            size(evidence.file.size),
            format!("≥ {}", size(least)),
            evidence.file.size >= least,
        )
        .because("a dump this small is most often one that failed; --min-size sets another limit"),
    );
    let with_rows = evidence.tables.iter().filter(|table| table.rows > 0).count() as u64;
    let least = evidence.limits.min_tables;
    checks.push(if evidence.data_was_read() {
        Check::judged("backup_tables", with_rows.to_string(), format!("≥ {least}"), with_rows >= least)
            .because("tables are missing or empty; --min-tables sets another limit")
    } else {
        Check::not_checked("backup_tables", format!("≥ {least}"), "the rows could not be read")
    });
    checks.push(coverage(report, release));
    checks
}

fn verified(report: &Report) -> Check {
    let looked: Vec<_> = report.stages.iter().filter(|stage| stage.stage != Stage::Restore).collect();
    let shown = looked
        .iter()
        .map(|stage| format!("{} {}", stage.stage.as_str(), stage.status.as_str()))
        .collect::<Vec<_>>()
        .join(", ");
    let answer = if looked.iter().any(|stage| stage.status == Status::Failed) {
        Answer::No
    } else if looked.iter().any(|stage| stage.status == Status::Skipped) || looked.is_empty() {
        Answer::NotChecked
    } else {
        Answer::Yes
    };
    let findings = report
        .findings
        .iter()
        .filter(|finding| finding.severity == crate::finding::Severity::Error)
        .map(|finding| format!("{}: {}", finding.code, finding.message));
    Check::new("backup_verified", shown, "all passed", answer)
        .because("don't rely on this backup: `rollsafe verify-backup` tells more")
        .with(findings)
}

fn restored(report: &Report) -> Check {
    let limit = format!("≤ {}", duration(report.evidence.limits.restore_seconds as f64));
    let Some(stage) = report.stages.iter().find(|stage| stage.stage == Stage::Restore) else {
        return Check::not_checked("backup_restored", limit, "it was not tried");
    };
    let reason = stage.reason.clone().unwrap_or_else(|| "see the findings of verify-backup".to_owned());
    match stage.status {
        Status::Skipped => Check::not_checked("backup_restored", limit, reason),
        Status::Passed => {
            Check::judged("backup_restored", format!("equal, in {}", duration(stage.seconds)), limit, true)
        }
        Status::Failed => Check::judged(
            "backup_restored",
            format!("failed, after {}", duration(stage.seconds)),
            limit,
            false,
        )
        .because(reason),
    }
}

/// How a needed table stands in the backup.
enum Found {
    /// With so many rows.
    Rows(u64),
    /// There, without a row.
    Empty,
    /// Not there.
    Missing,
}

fn find(report: &Report, needed: &Needed) -> Found {
    let evidence = &report.evidence;
    // In a dump of a whole cluster names begin with the database.
    let is_it = |name: &str| {
        name == needed.in_backup
            || name.strip_suffix(&needed.in_backup).is_some_and(|rest| rest.ends_with('.'))
    };
    if let Some(table) = evidence.tables.iter().find(|table| is_it(&table.name)) {
        return if table.rows > 0 { Found::Rows(table.rows) } else { Found::Empty };
    }
    let defined =
        evidence.contents.iter().flat_map(|contents| &contents.tables).find(|table| is_it(&table.name));
    match defined {
        // A partitioned table: its rows are its partitions', each a table of the dump.
        Some(table) if !table.wants_data => Found::Rows(0),
        Some(_) => Found::Empty,
        None => Found::Missing,
    }
}

fn coverage(report: &Report, release: &Release) -> Check {
    let needed = &release.needs_backup;
    if needed.is_empty() {
        return Check::judged("coverage", "nothing is destroyed or written anew", "–", true);
    }
    if !report.evidence.data_was_read() {
        return Check::not_checked(
            "coverage",
            format!("{} tables", needed.len()),
            "the rows of the backup could not be read",
        );
    }
    let mut covered = 0;
    let mut details = Vec::new();
    for one in needed {
        let found = match find(report, one) {
            Found::Rows(0) => {
                covered += 1;
                "its rows are those of its partitions".to_owned()
            }
            Found::Rows(rows) => {
                covered += 1;
                format!("{rows} rows in the backup")
            }
            Found::Empty => "NO rows in the backup".to_owned(),
            Found::Missing => "NOT in the backup".to_owned(),
        };
        details.push(format!("{} ({}): {found}", one.name, one.because.join(", ")));
    }
    Check::judged(
        "coverage",
        format!("{covered} of {} tables", needed.len()),
        "all, with rows",
        covered == needed.len(),
    )
    .because("what these migrations destroy could not be brought back from this backup")
    .with(details)
}
