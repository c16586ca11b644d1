//! Runs the stages of `verify-backup`, cheapest first, and comes to a verdict.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::finding::{Finding, Severity};

use super::archive::header::LocalTime;
use super::archive::input::Gauge;
use super::archive::{Archive, OpenError, ProblemKind};
use super::contents::read_contents;
use super::data::{DataOptions, DataResult, read_data};
use super::evidence::{ArchiveFacts, Before, Evidence, FileFacts, Opened, Stage, StageResult, Status};
use super::location::{Location, LocationError, Reached};
use super::manifest::{self, ManifestError};
use super::options::{Restore, VerifyOptions};
use super::restore::{Expected, RestoreFailure, Restored};
use super::row_plan::Depth;
use super::rules;
use super::text::read_plain;

/// What it all comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every stage passed, or was left out on purpose.
    Verified,
    /// Something is wrong with the backup.
    Failed,
    /// Nothing wrong was found, and not everything was looked at.
    Incomplete,
}

impl Verdict {
    /// The word for it in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Verified => "verified",
            Verdict::Failed => "failed",
            Verdict::Incomplete => "incomplete",
        }
    }
}

/// All that `verify-backup` has to say.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was learned.
    pub evidence: Evidence,
    /// The stages.
    pub stages: Vec<StageResult>,
    /// What is worth telling.
    pub findings: Vec<Finding>,
    /// What it comes to.
    pub verdict: Verdict,
    /// Seconds since 1970 when it was begun.
    pub begun_at: u64,
}

/// Why the backup couldn't be checked; says nothing about the backup.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It can't be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It can't be had from where it is.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// A manifest can't be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The backup to compare with can't be read.
    #[error("the backup before, {path}: {source}")]
    Previous {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The backup to compare with is none.
    #[error("the backup before, {path}: {what}")]
    PreviousNoDump {
        /// Which.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// Somebody writes to it.
    #[error("{0}: the dump changed while it was read: is it still being written or copied?")]
    Changed(PathBuf),
    /// A restore was asked for and can't be tried.
    #[error("the restore that was asked for can't be tried: {}", .0.with_causes())]
    Restore(RestoreFailure),
}

impl VerifyError {
    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            VerifyError::Restore(failure) => failure.hint(),
            VerifyError::Location(error) => error.hint(),
            VerifyError::Unreadable { source, .. }
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                Some("run rollsafe as the user who owns the dump, or let this one read it".to_owned())
            }
            VerifyError::PreviousNoDump { .. } => {
                Some("--previous takes a dump or its manifest; leave it out for the first backup".to_owned())
            }
            _ => None,
        }
    }
}

/// Verifies the backup. `gauge` counts the bytes read, and can stop it.
///
/// # Errors
/// When it can't be checked; what is wrong with the backup is in the report.
pub fn verify(options: &VerifyOptions, gauge: &Arc<Gauge>) -> Result<Report, VerifyError> {
    let mut run = Run {
        options,
        evidence: Evidence {
            limits: options.limits.clone(),
            expected_tables: options.expected_tables.clone(),
            ..Evidence::default()
        },
        stages: vec![],
        begun_at: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
    };
    if options.large_windows {
        gauge.allow_large_windows();
    }
    run.stages(gauge)?;
    run.report()
}

struct Run<'a> {
    options: &'a VerifyOptions,
    evidence: Evidence,
    stages: Vec<StageResult>,
    begun_at: u64,
}

impl Run<'_> {
    fn stages(&mut self, gauge: &Arc<Gauge>) -> Result<(), VerifyError> {
        let name = self.options.dump.as_path();
        let location = Location::of(name);
        self.evidence.file.path = match location {
            Location::Stdin => PathBuf::from("standard input"),
            _ => name.to_owned(),
        };
        if let Some(path) = &self.options.manifest {
            self.evidence.manifest = Some(manifest::read(path)?);
        }
        let as_file = self.options.restore != Restore::Never;
        let hashed =
            self.options.hash || self.options.manifest.is_some() || self.options.write_manifest.is_some();
        let scratch = self.options.restore_options.scratch_directory.as_deref();
        let reached = Reached::reach(&location, self.options.latest, as_file, hashed, scratch)?;
        self.evidence.notes.extend(reached.notes.iter().cloned());
        let started = Instant::now();
        let archive = match reached.open(&self.evidence.file.path, gauge) {
            Ok(archive) => Some(archive),
            Err(OpenError::Io { path, source }) => return Err(VerifyError::Unreadable { path, source }),
            Err(OpenError::Missing(_)) => self.not_opened(Opened::Missing),
            Err(OpenError::Empty(_)) => self.not_opened(Opened::Empty),
            Err(OpenError::NotRecognised { what, .. }) => self.not_opened(Opened::NotRecognised(what)),
        };
        let opened_in = started.elapsed().as_secs_f64();
        let started = Instant::now();
        self.file_facts(archive.as_ref(), reached.path.as_deref(), reached.modified);
        self.previous(archive.as_ref(), gauge)?;
        self.stage(Stage::File, started.elapsed().as_secs_f64(), None);
        let Some(archive) = archive else {
            for stage in [Stage::Contents, Stage::Data, Stage::Restore] {
                self.stage(stage, 0.0, Some("the file isn't a dump that can be read".into()));
            }
            return Ok(());
        };
        let before = reached.path.as_deref().map(state);
        let expected = self.read(&archive, opened_in);
        if reached.path.as_deref().map(state) != before {
            return Err(VerifyError::Changed(name.to_owned()));
        }
        let sha256 = self.end_of(&reached)?;
        if hashed {
            self.hash(&reached, sha256);
        }
        let restored = self.restore(&archive, &expected);
        // Then what came of it, errors too, is of no dump that there ever was.
        if reached.path.as_deref().map(state) != before {
            return Err(VerifyError::Changed(name.to_owned()));
        }
        restored
    }

    /// Reads a stream to its end: only then is it known how long it is.
    fn end_of(&mut self, reached: &Reached) -> Result<Option<String>, VerifyError> {
        let Some(end) = reached.end() else { return Ok(None) };
        let path = self.evidence.file.path.clone();
        let (size, sha256) = end.map_err(|source| VerifyError::Unreadable { path, source })?;
        self.evidence.file.size = size;
        Ok(sha256)
    }

    fn not_opened(&mut self, opened: Opened) -> Option<Archive> {
        self.evidence.file.opened = opened;
        None
    }

    fn stage(&mut self, stage: Stage, seconds: f64, skipped: Option<String>) {
        let status = if skipped.is_some() { Status::Skipped } else { Status::Passed };
        self.stages.push(StageResult { stage, status, reason: skipped, seconds });
    }

    fn file_facts(&mut self, archive: Option<&Archive>, path: Option<&Path>, modified: Option<SystemTime>) {
        // What came through a pipe has no time of its own: a copy's is that of copying.
        let own = path.filter(|path| **path == *self.evidence.file.path);
        let of_file =
            own.and_then(|path| std::fs::metadata(path).ok()).and_then(|metadata| metadata.modified().ok());
        let modified = of_file
            .or(modified)
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .map(|since| since.as_secs() as i64);
        let file: &mut FileFacts = &mut self.evidence.file;
        file.size = archive.map_or_else(
            || path.and_then(|path| std::fs::metadata(path).ok()).map_or(0, |metadata| metadata.len()),
            |archive| archive.size,
        );
        let created = archive.and_then(|archive| archive.header.as_ref()).and_then(|header| header.created);
        let (age, without_zone) = age(self.begun_at as i64, created, modified);
        (file.age, file.age_without_zone) = (age, without_zone);
        if self.options.restore != Restore::Never && self.options.restore_options.url.is_none() {
            let folder = self
                .options
                .restore_options
                .scratch_directory
                .clone()
                .or_else(|| std::env::var_os("ROLLSAFE_SCRATCH_DIR").map(PathBuf::from))
                .unwrap_or_else(std::env::temp_dir);
            file.free = free_space(&folder).map(|free| (free, folder));
        }
    }

    /// What the backup before this one held.
    fn previous(&mut self, archive: Option<&Archive>, gauge: &Gauge) -> Result<(), VerifyError> {
        let Some(path) = &self.options.previous else { return Ok(()) };
        let before = match path.is_file() && manifest::is_manifest(path) {
            true => manifest::read(path)?,
            false => self.read_before(path, gauge)?,
        };
        let differs =
            |before: &Option<String>, now: String| before.as_ref().is_some_and(|before| *before != now);
        let (format, compression) = &before.layout;
        let other_layout = archive.is_some_and(|archive| {
            differs(format, archive.format.to_string())
                || differs(compression, archive.compression.to_string())
        });
        if other_layout {
            let layout: Vec<&str> = [format, compression].into_iter().flatten().map(String::as_str).collect();
            self.evidence.notes.push(format!(
                "sizes are not compared: {} is laid out otherwise ({})",
                path.display(),
                layout.join(", ")
            ));
        } else {
            self.evidence.file.previous = before.size.map(|size| (size, path.clone()));
        }
        self.evidence.previous = Some(before);
        Ok(())
    }

    /// Counts the rows of a dump that nobody wrote a manifest of.
    fn read_before(&mut self, path: &Path, gauge: &Gauge) -> Result<Before, VerifyError> {
        let unreadable = |source| VerifyError::Previous { path: path.to_owned(), source };
        let no_dump =
            |what: &str| VerifyError::PreviousNoDump { path: path.to_owned(), what: what.to_owned() };
        let archive = Archive::open(path, &Arc::new(Gauge::like(gauge))).map_err(|error| match error {
            OpenError::Io { source, .. } => unreadable(source),
            OpenError::Missing(_) => no_dump("there is no file and no directory of that name"),
            OpenError::Empty(_) => no_dump("the file is empty"),
            OpenError::NotRecognised { what, .. } => no_dump(&what),
        })?;
        let depth = Depth { checksums: false, values: false, keys: false };
        let options = DataOptions { depth, threads: self.options.threads };
        let read = if archive.format.is_text() {
            read_plain(&archive, options).data
        } else {
            let (contents, schema) = read_contents(&archive.toc);
            read_data(&archive, &schema, &contents, options)
        };
        if read.tables.iter().any(|table| !table.whole) || !archive.problems.is_empty() {
            self.evidence.notes.push(format!(
                "the backup before, {}, is damaged itself: tables that aren't whole in it are not compared",
                path.display()
            ));
        }
        let tables = read.tables.into_iter().filter(|table| table.whole);
        Ok(Before {
            path: path.to_owned(),
            size: Some(archive.size),
            layout: (Some(archive.format.to_string()), Some(archive.compression.to_string())),
            tables: tables.map(|table| (table.name.clone(), table)).collect(),
            large_objects: Some((read.large_objects.count, None)),
            ..Before::default()
        })
    }

    /// Adds notes that aren't there yet.
    fn note(&mut self, notes: impl IntoIterator<Item = String>) {
        for note in notes {
            if !self.evidence.notes.contains(&note) {
                self.evidence.notes.push(note);
            }
        }
    }

    /// The contents and the data stage.
    fn read(&mut self, archive: &Archive, opened_in: f64) -> Expected {
        let started = Instant::now();
        let depth = self.options.depth;
        let data_options = DataOptions { depth, threads: self.options.threads };
        self.evidence.problems.clone_from(&archive.problems);
        self.evidence.notes.extend(archive.notes.iter().cloned());
        let text = |bytes: &Option<Vec<u8>>| bytes.clone().map(|bytes| archive.toc.encoding.text(bytes));
        let mut facts = ArchiveFacts {
            format: archive.format,
            archive_version: archive.header.as_ref().map(|header| header.version.to_string()),
            compression: archive.compression,
            created_at: archive
                .header
                .as_ref()
                .and_then(|header| header.created)
                .map(|time| time.to_string()),
            database: archive.header.as_ref().and_then(|header| text(&header.database)),
            encoding: archive.toc.encoding.name.clone(),
            server_version: archive.header.as_ref().and_then(|header| text(&header.server_version)),
            pg_dump_version: archive.header.as_ref().and_then(|header| text(&header.pg_dump_version)),
            piped: archive.piped,
            entries: archive.toc.entries.len(),
        };
        let read;
        if archive.format.is_text() {
            let found = read_plain(archive, data_options);
            facts.encoding = found.encoding.name.clone();
            facts.server_version = found.server_version;
            facts.pg_dump_version = found.pg_dump_version;
            facts.created_at = found.created.map(|time| time.to_string());
            facts.database = found.database;
            facts.entries = found.entries;
            if found.created.is_some() {
                let (age, without_zone) = age(self.begun_at as i64, found.created, None);
                (self.evidence.file.age, self.evidence.file.age_without_zone) = (age, without_zone);
            }
            self.evidence.contents = Some(found.contents);
            self.stage(Stage::Contents, opened_in, None);
            read = found.data;
        } else {
            let (contents, schema) = read_contents(&archive.toc);
            let contents_in = opened_in + started.elapsed().as_secs_f64();
            self.stage(Stage::Contents, contents_in, None);
            read = read_data(archive, &schema, &contents, data_options);
            self.evidence.contents = archive.header.is_some().then_some(contents);
        }
        if archive.piped && archive.problems.iter().all(|problem| problem.kind == ProblemKind::Toc) {
            self.evidence.notes.push(
                "pg_dump wrote it into a pipe, so the table of contents doesn't say where data is: pg_restore reads it from the start for each parallel job"
                    .to_owned(),
            );
        }
        self.evidence.archive = Some(facts);
        let readable = archive.text.is_some() || archive.header.is_some();
        let expected = self.take(read);
        let cancelled = archive.gauge.is_cancelled();
        let too_large = self.too_large();
        self.evidence.data_read = readable && !cancelled && too_large.is_none();
        let skipped = match (readable, cancelled) {
            (false, _) => Some("the header can't be read".to_owned()),
            (_, true) => Some("stopped before its end".to_owned()),
            _ => too_large,
        };
        self.stage(Stage::Data, started.elapsed().as_secs_f64(), skipped);
        expected
    }

    /// What wasn't read because it takes too much memory.
    fn too_large(&self) -> Option<String> {
        let mut large = self.evidence.problems.iter().filter(|problem| problem.kind == ProblemKind::TooLarge);
        let first = large.next()?;
        let more = large.count();
        let others = if more == 0 { String::new() } else { format!("; and so do {more} more blocks") };
        Some(format!("{}: {}{others}", first.place, first.what))
    }

    fn take(&mut self, mut read: DataResult) -> Expected {
        let evidence = &mut self.evidence;
        evidence.tables = read.tables;
        evidence.large_objects = read.large_objects;
        evidence.keys = read.keys;
        evidence.sequences_behind = read.sequences_behind;
        evidence.meta_commands = read.meta_commands;
        evidence.problem_rows = read.problem_rows;
        evidence.problems.append(&mut read.problems);
        evidence.notes.append(&mut read.notes);
        read.expected
    }

    fn hash(&mut self, reached: &Reached, sha256: Option<String>) {
        let computed = sha256.map_or_else(|| reached.sha256(), Ok);
        match computed {
            Ok(sha256) => self.evidence.sha256 = Some(sha256),
            Err(error) => self.evidence.notes.push(format!("the SHA-256 could not be computed: {error}")),
        }
    }

    fn restore(&mut self, archive: &Archive, expected: &Expected) -> Result<(), VerifyError> {
        if self.options.restore == Restore::Never {
            self.stage(Stage::Restore, 0.0, Some("not asked for (--restore=never)".into()));
            return Ok(());
        }
        let readable = !archive.toc.entries.is_empty() || archive.text.is_some();
        if !readable {
            self.stage(Stage::Restore, 0.0, Some("the table of contents can't be read".into()));
            return Ok(());
        }
        // A restore takes long and pg_restore waits for ever on some damage: what is known to be broken isn't tried.
        let broken = self.evidence.problems.iter().any(|problem| {
            matches!(
                problem.kind,
                ProblemKind::Header
                    | ProblemKind::Truncated
                    | ProblemKind::BlockDamaged
                    | ProblemKind::BlockMissing
                    | ProblemKind::Incomplete
            )
        });
        if self.too_large().is_some() {
            self.stage(Stage::Restore, 0.0, Some("not all of the data could be read to compare with".into()));
            return Ok(());
        }
        if broken {
            self.stage(Stage::Restore, 0.0, Some("the dump is damaged: see the findings".into()));
            return Ok(());
        }
        let started = Instant::now();
        match super::restore::restore(archive, expected, &self.options.restore_options) {
            Ok(restored) => {
                self.note(restored.notes.iter().cloned());
                self.note(
                    restored
                        .not_restored
                        .iter()
                        .map(|left| format!("not restored: {}: {}", left.what, left.why)),
                );
                self.note(restored.refused_here().into_iter().map(|what| format!("not made here: {what}")));
                self.note(restored.not_compared().into_iter().map(|what| format!("not compared: {what}")));
                self.evidence.restored = Some(restored);
                self.stage(Stage::Restore, started.elapsed().as_secs_f64(), None);
                Ok(())
            }
            Err(failure) if self.options.restore == Restore::Always => Err(VerifyError::Restore(failure)),
            Err(failure) => {
                let hint = failure.hint().map_or(String::new(), |hint| format!("; {hint}"));
                self.stage(
                    Stage::Restore,
                    started.elapsed().as_secs_f64(),
                    Some(format!("{}{hint}", failure.with_causes())),
                );
                Ok(())
            }
        }
    }

    fn report(mut self) -> Result<Report, VerifyError> {
        let found = rules::judge(&self.evidence, &self.options.severities);
        for result in &mut self.stages {
            let errors = found
                .iter()
                .filter(|(stage, finding)| *stage == result.stage && finding.severity == Severity::Error)
                .count();
            if errors > 0 && result.status == Status::Passed {
                result.status = Status::Failed;
                result.reason = Some(format!("{errors} error{}", if errors == 1 { "" } else { "s" }));
            }
        }
        let findings: Vec<Finding> = found.into_iter().map(|(_, finding)| finding).collect();
        let failed = findings.iter().any(|finding| finding.severity == Severity::Error);
        let skipped = self.stages.iter().any(|result| {
            result.status == Status::Skipped
                && !(result.stage == Stage::Restore && self.options.restore == Restore::Never)
        });
        // Tables that couldn't be made here, for lack of an extension, are not verified by the restore.
        let partial = self.evidence.restored.as_ref().is_some_and(Restored::is_partial);
        let verdict = match (failed, skipped || partial) {
            (true, _) => Verdict::Failed,
            (false, true) => Verdict::Incomplete,
            (false, false) => Verdict::Verified,
        };
        if let Some(path) = &self.options.write_manifest {
            if failed {
                self.evidence
                    .notes
                    .push(format!("no manifest was written to {}: the backup is not whole", path.display()));
            } else {
                manifest::write(path, &self.evidence)?;
            }
        }
        Ok(Report {
            evidence: self.evidence,
            stages: self.stages,
            findings,
            verdict,
            begun_at: self.begun_at,
        })
    }
}

/// The age in seconds, and whether the unknown zone of the dump's clock leaves it open by up to 14 hours.
fn age(now: i64, created: Option<LocalTime>, modified: Option<i64>) -> (Option<u64>, bool) {
    const DAY: i64 = 14 * 3600;
    let since = |then: i64| u64::try_from((now - then).max(0)).ok();
    match (created.map(LocalTime::as_if_utc), modified) {
        // The file was written while the dump ran: its time is exact, and it ends no more than 14 hours
        // of zone away from the dump's own.
        (Some(created), Some(modified)) if (created - modified).abs() <= DAY => (since(modified), false),
        (Some(created), _) => (since(created), true),
        (None, Some(modified)) => (since(modified), false),
        (None, None) => (None, false),
    }
}

fn free_space(folder: &Path) -> Option<u64> {
    let space = rustix::fs::statvfs(folder).ok()?;
    Some(space.f_bavail.saturating_mul(space.f_frsize))
}

/// What changes when somebody writes to the dump: bytes, and the time of the last change.
fn state(path: &Path) -> (Option<u64>, Option<SystemTime>) {
    let newest = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let files =
        std::fs::read_dir(path).into_iter().flatten().flatten().filter_map(|entry| newest(&entry.path()));
    (stored_size(path).ok(), files.chain(newest(path)).max())
}

fn stored_size(path: &Path) -> std::io::Result<u64> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let mut size = 0;
    for entry in std::fs::read_dir(path)? {
        let metadata = entry?.metadata()?;
        size += if metadata.is_file() { metadata.len() } else { 0 };
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_time_settles_the_zone_where_it_can() {
        let noon = LocalTime { year: 2026, month: 1, day: 25, hour: 12, minute: 0, second: 0 };
        let utc = noon.as_if_utc();
        assert_eq!(utc, 1_769_342_400);
        assert_eq!(age(utc + 100, Some(noon), Some(utc + 50)), (Some(50), false));
        assert_eq!(age(utc + 10_000_000, Some(noon), Some(utc + 9_000_000)), (Some(10_000_000), true));
        assert_eq!(age(utc, None, None), (None, false));
    }
}
