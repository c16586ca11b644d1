//! The gate: one question before a release, GO or NO-GO. Joins what the linter, the backup's verification, the rehearsal
//! and the live server say, and holds it against fixed limits.
//!
//! [`judge`] is pure: all that was gathered goes in, a [`GateReport`] comes out. A check that was not made is never a
//! yes.

pub mod check;
pub mod clock;
mod judge_backup;
mod judge_live;
mod judge_rehearsal;
pub mod limits;
pub mod live;
pub mod pending;
pub mod release;
pub mod report;
pub mod risk;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::finding::{Category, Finding, Severity};
use crate::rehearsal::report::Rehearsal;

use check::{Answer, CHECKS, Check, Group};
use clock::Instant;
use limits::{GateConfig, Limits};
use live::LiveFacts;
use release::Release;
use risk::Risks;

/// The version of the JSON contract: fields may be added, none are removed or change their meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// What it all comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every check says yes, or was left out by name.
    Go,
    /// At least one says no.
    NoGo,
    /// None says no, and not everything could be checked.
    #[default]
    CouldNotCheck,
}

impl Verdict {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Verdict::Go => 0,
            Verdict::NoGo => 1,
            Verdict::CouldNotCheck => 2,
        }
    }
}

/// Who asked, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// The person, or the account.
    pub by: String,
    /// The machine.
    pub host: String,
    /// The directory that paths are relative to.
    pub directory: String,
    /// The revision that is checked out, where there is a git repository.
    pub revision: Option<String>,
    /// The release's name, where one was given.
    pub release: Option<String>,
}

/// A file that went into the judgement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Input {
    /// `migration`, `backup`, `rehearsal`, `configuration`, `schema`.
    pub kind: String,
    /// As given.
    pub path: String,
    /// Bytes.
    pub bytes: u64,
    /// Of its content; of a directory, of the lines `<sha256>  <name>` of its files.
    pub sha256: String,
}

/// A check that somebody left out, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// A check's name, or a group's.
    pub name: String,
    /// Why.
    pub reason: String,
}

impl LeftOut {
    /// Reads `NAME=WHY`.
    ///
    /// # Errors
    /// When there is no such check or group (with the nearest name), or no reason.
    pub fn read(text: &str) -> Result<LeftOut, String> {
        let (name, reason) = text.split_once('=').unwrap_or((text, ""));
        let name = name.trim().replace('-', "_");
        let names =
            || Group::ALL.iter().map(|group| group.as_str()).chain(CHECKS.iter().map(|check| check.id));
        if names().any(|known| known == name) {
            let reason = reason.trim().to_owned();
            if reason.is_empty() {
                return Err(format!("what is left out needs a reason: --without {name}='WHY'"));
            }
            return Ok(LeftOut { name, reason });
        }
        let near = names()
            .map(|known| (strsim::jaro_winkler(known, &name), known))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        Err(match near {
            Some((_, near)) => format!("there is no check `{name}`; did you mean `{near}`?"),
            None => format!("there is no check `{name}`; `rollsafe gate --list-checks` lists them"),
        })
    }

    fn covers(&self, check: &Check) -> bool {
        self.name == check.id || self.name == check.group.as_str()
    }
}

/// What was gathered for one part of the gate.
#[derive(Clone, Debug, Default)]
pub enum Part<T> {
    /// It.
    Here(T),
    /// Nothing, and why.
    Missing(String),
    /// It was not asked for.
    #[default]
    NotAsked,
}

impl<T> Part<T> {
    fn here(&self) -> Option<&T> {
        match self {
            Part::Here(it) => Some(it),
            _ => None,
        }
    }
}

/// All that was gathered.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// When it was asked.
    pub now: Instant,
    /// Who asked.
    pub asked: Asked,
    /// The limits in force.
    pub limits: Limits,
    /// Weights and decisions.
    pub config: GateConfig,
    /// The major version that the migrations were linted for.
    pub postgres_version: u16,
    /// The release.
    pub release: Release,
    /// What the linter says about it.
    pub findings: Vec<Finding>,
    /// How many findings suppression comments held back.
    pub suppressed: usize,
    /// What a backup is held against.
    pub backup_limits: BackupLimits,
    /// The backup as verified.
    pub backup: Part<crate::backup::verify::Report>,
    /// The SHA-256 of the backup.
    pub backup_sha256: Option<String>,
    /// The rehearsal.
    pub rehearsal: Part<Rehearsal>,
    /// The live server.
    pub live: Part<LiveFacts>,
    /// Free disk of the live server, as somebody says.
    pub disk_free: Option<u64>,
    /// Checks that are left out.
    pub left_out: Vec<LeftOut>,
    /// Files that went into it.
    pub inputs: Vec<Input>,
}

/// All that the gate has to say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GateReport {
    /// [`SCHEMA_VERSION`]
    pub schema_version: u32,
    /// The program and its version.
    pub tool: BTreeMap<String, String>,
    /// When it was asked, UTC.
    pub asked_at: Instant,
    /// Who asked.
    pub asked: Asked,
    /// What it comes to.
    pub verdict: Verdict,
    /// The checks, in the order of [`CHECKS`].
    pub checks: Vec<Check>,
    /// The limits in force.
    pub limits: Limits,
    /// The major version that the migrations were linted for.
    pub postgres_version: u16,
    /// The release.
    pub release: Release,
    /// Risks, and decisions about them.
    pub risks: Risks,
    /// What the linter, the verification and the rehearsal found.
    pub findings: Vec<Finding>,
    /// How many findings suppression comments held back.
    pub suppressed: usize,
    /// Checks that were left out, and why.
    pub left_out: Vec<LeftOut>,
    /// What a backup is held against.
    pub backup_limits: BackupLimits,
    /// The backup.
    pub backup: Option<BackupFacts>,
    /// The rehearsal's figures.
    pub rehearsal: Option<Rehearsal>,
    /// The live server.
    pub live: Option<LiveFacts>,
    /// Files that went into it.
    pub inputs: Vec<Input>,
}

/// What a backup is held against: the one that was judged, and the one that is taken for the release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackupLimits {
    /// Least size in bytes.
    pub min_size: u64,
    /// Least number of tables with rows.
    pub min_tables: u64,
}

impl Default for BackupLimits {
    fn default() -> BackupLimits {
        BackupLimits::from(&crate::backup::evidence::Limits::default())
    }
}

impl From<&crate::backup::evidence::Limits> for BackupLimits {
    fn from(limits: &crate::backup::evidence::Limits) -> BackupLimits {
        BackupLimits { min_size: limits.min_size, min_tables: limits.min_tables }
    }
}

/// The backup's figures, as evidence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackupFacts {
    /// As given.
    pub path: String,
    /// Its SHA-256.
    pub sha256: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// `custom`, `directory`, `tar`, `plain`.
    pub format: String,
    /// When it was begun, by its machine's clock.
    pub created_at: Option<String>,
    /// The database it was taken of.
    pub database: Option<String>,
    /// The server it was taken of.
    pub server_version: Option<String>,
    /// pg_dump's version.
    pub pg_dump_version: Option<String>,
    /// Tables and their rows.
    pub tables: Vec<(String, u64)>,
    /// Large objects.
    pub large_objects: u64,
    /// How long the restore took, where it was tried.
    pub restore_seconds: Option<f64>,
    /// `verified`, `failed`, `incomplete`.
    pub verdict: String,
    /// What wasn't looked at.
    pub notes: Vec<String>,
}

/// Judges the release by all that was gathered.
pub fn judge(gathered: &Gathered) -> GateReport {
    let limits = &gathered.limits;
    let mut findings = gathered.findings.clone();
    if let Part::Here(backup) = &gathered.backup {
        findings.extend(backup.findings.iter().cloned());
    }
    if let Part::Here(rehearsal) = &gathered.rehearsal {
        findings.extend(rehearsal.findings.iter().cloned());
    }
    let risks = risk::weigh(&findings, &gathered.config, gathered.now.day());
    let mut checks = migration_checks(gathered, &risks);
    checks.extend(match &gathered.backup {
        Part::Here(report) => judge_backup::judge(report, limits, &gathered.release),
        Part::Missing(why) => missing(Group::Backup, why),
        Part::NotAsked => missing(Group::Backup, "no backup was given: --backup DUMP"),
    });
    let accepted: Vec<String> = risks
        .risks
        .iter()
        .filter(|risk| risk.category == Category::Rehearsal && risk.accepted.is_some())
        .map(|risk| risk.code.clone())
        .collect();
    checks.extend(match &gathered.rehearsal {
        Part::Here(rehearsal) => judge_rehearsal::judge(
            rehearsal,
            &judge_rehearsal::Expected {
                limits,
                release: &gathered.release,
                backup_sha256: gathered.backup_sha256.as_deref(),
                now: gathered.now,
                accepted: &accepted,
            },
        ),
        Part::Missing(why) => missing(Group::Rehearsal, why),
        Part::NotAsked => missing(Group::Rehearsal, "no rehearsal: --rehearsal FILE, or --rehearse"),
    });
    checks.extend(match &gathered.live {
        Part::Here(live) => judge_live::judge(
            live,
            &judge_live::Expected {
                limits,
                targets: &gathered.release.targets,
                rehearsed_on: gathered.rehearsal.here().map(|rehearsal| rehearsal.server.version.as_str()),
                linted_for: gathered.postgres_version,
                disk_free: gathered.disk_free,
            },
        ),
        Part::Missing(why) => missing(Group::Live, why),
        Part::NotAsked => missing(Group::Live, "no live server was named: --database-url URL"),
    });
    for check in &mut checks {
        let Some(left) = gathered.left_out.iter().find(|left| left.covers(check)) else { continue };
        if matches!(check.answer, Answer::No | Answer::NotChecked) {
            let was = std::mem::replace(&mut check.answer, Answer::LeftOut);
            let why = &left.reason;
            let before = check.reason.take().map(|reason| format!(" ({}: {reason})", was.as_str()));
            check.reason = Some(format!("{why}{}", before.unwrap_or_default()));
        }
    }
    // Who leaves out everything has asked nothing, and nothing is no yes.
    let nothing_asked = checks.iter().all(|check| gathered.left_out.iter().any(|left| left.covers(check)));
    let verdict = if nothing_asked || checks.iter().any(|check| check.answer == Answer::No) {
        Verdict::NoGo
    } else if checks.iter().any(|check| check.answer == Answer::NotChecked) {
        Verdict::CouldNotCheck
    } else {
        Verdict::Go
    };
    GateReport {
        schema_version: SCHEMA_VERSION,
        tool: BTreeMap::from([
            ("name".to_owned(), "rollsafe".to_owned()),
            ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]),
        asked_at: gathered.now,
        asked: gathered.asked.clone(),
        verdict,
        checks,
        limits: limits.clone(),
        postgres_version: gathered.postgres_version,
        release: gathered.release.clone(),
        risks,
        findings,
        suppressed: gathered.suppressed,
        left_out: gathered.left_out.clone(),
        backup_limits: gathered.backup_limits.clone(),
        backup: gathered.backup.here().map(|report| backup_facts(report, gathered.backup_sha256.clone())),
        rehearsal: gathered.rehearsal.here().cloned(),
        live: gathered.live.here().cloned(),
        inputs: gathered.inputs.clone(),
    }
}

/// The checks of a group of which nothing could be looked at.
fn missing(group: Group, why: &str) -> Vec<Check> {
    CHECKS
        .iter()
        .filter(|known| known.group == group)
        .map(|known| Check::not_checked(known.id, "–", why))
        .collect()
}

/// The checks of the group `migrations`.
fn migration_checks(gathered: &Gathered, risks: &Risks) -> Vec<Check> {
    let release = &gathered.release;
    let count = release.migrations.len();
    let value = format!("{count}: {}", release.pending.said);
    let paths = release.migrations.iter().map(|step| step.path.clone());
    let pending = match &release.pending.problem {
        None => Check::judged("pending", value, "known", true).with(paths),
        Some(problem) => {
            let mut check = Check::judged("pending", value, "known", false).because(problem.clone());
            check.details = paths.collect();
            check
        }
    };
    let statements =
        || release.migrations.iter().flat_map(|step| step.statements.iter().map(move |one| (step, one)));
    let total = statements().count();
    let not_understood: Vec<String> = statements()
        .filter(|(_, statement)| !statement.understood)
        .map(|(step, statement)| format!("{}:{}: {}", step.path, statement.line, statement.text))
        .collect();
    let understood = Check::judged(
        "understood",
        format!("{} of {total}", total - not_understood.len()),
        "all",
        not_understood.is_empty(),
    )
    .because("what these do was not judged: look at them yourself, and suppress statement_not_understood with the reason")
    .with(not_understood);
    let of_linter = |category: Category| !matches!(category, Category::Backup | Category::Rehearsal);
    let errors: Vec<String> = risks
        .risks
        .iter()
        .filter(|risk| {
            of_linter(risk.category) && risk.severity == Severity::Error && risk.accepted.is_none()
        })
        .map(|risk| {
            let times = if risk.count > 1 { format!(" (×{})", risk.count) } else { String::new() };
            format!("{}: {}{times}: {}", risk.path.as_deref().unwrap_or("–"), risk.code, risk.message)
        })
        .collect();
    let number: usize = risks
        .risks
        .iter()
        .filter(|risk| of_linter(risk.category) && risk.accepted.is_none())
        .map(|risk| if risk.severity == Severity::Error { risk.count } else { 0 })
        .sum();
    let accepted = risks.risks.iter().filter(|risk| risk.accepted.is_some()).count();
    let mut value = number.to_string();
    if accepted > 0 {
        value.push_str(&format!(", and {accepted} accepted"));
    }
    if gathered.suppressed > 0 {
        value.push_str(&format!(", {} suppressed", gathered.suppressed));
    }
    let lint = Check::judged("lint", value, "0 not accepted", errors.is_empty())
        .because("deal with them (`rollsafe explain CODE`), or accept each with a reason: [[gate.accept]]")
        .with(errors);
    let limit = gathered.limits.risk_limit;
    let open: Vec<_> = risks.risks.iter().filter(|risk| risk.open(limit)).collect();
    let highest = risks.risks.iter().find(|risk| risk.accepted.is_none());
    let value = highest.map_or("none".to_owned(), |risk| format!("{:.0}: {}", risk.score, risk.code));
    let mut details: Vec<String> = open
        .iter()
        .map(|risk| {
            format!(
                "{:.0} = {} % × {} / 10 ({}): {}: {}",
                risk.score,
                risk.weight.probability,
                risk.weight.impact,
                risk.because,
                risk.code,
                risk.path.as_deref().unwrap_or("–")
            )
        })
        .collect();
    for (decisions, what) in [(&risks.expired, "no longer holds"), (&risks.unused, "is needed by no finding")]
    {
        details.extend(
            decisions
                .iter()
                .map(|accept| format!("the acceptance of {} by {} {what}", accept.code, accept.by)),
        );
    }
    let risk = Check::judged("risk", value, format!("< {limit:.0}"), open.is_empty())
        .because("these risks must be dealt with first: avoid, reduce, or accept each with a reason: [[gate.accept]]")
        .with(details);
    vec![pending, understood, lint, risk]
}

fn backup_facts(report: &crate::backup::verify::Report, sha256: Option<String>) -> BackupFacts {
    use crate::backup::evidence::{Stage, Status};
    let evidence = &report.evidence;
    let archive = evidence.archive.as_ref();
    let restore =
        report.stages.iter().find(|stage| stage.stage == Stage::Restore && stage.status == Status::Passed);
    BackupFacts {
        path: evidence.file.path.display().to_string(),
        sha256,
        bytes: evidence.file.size,
        format: archive.map(|archive| archive.format.to_string()).unwrap_or_default(),
        created_at: archive.and_then(|archive| archive.created_at.clone()),
        database: archive.and_then(|archive| archive.database.clone()),
        server_version: archive.and_then(|archive| archive.server_version.clone()),
        pg_dump_version: archive.and_then(|archive| archive.pg_dump_version.clone()),
        tables: evidence.tables.iter().map(|table| (table.name.clone(), table.rows)).collect(),
        large_objects: evidence.large_objects.count,
        restore_seconds: restore.map(|stage| stage.seconds),
        verdict: report.verdict.as_str().to_owned(),
        notes: evidence.notes.clone(),
    }
}
