//! Restores an archive with pg_restore.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use crate::backup::archive::toc::TocEntry;
use crate::backup::archive::{Archive, Format};
use crate::postgres::child::{Captured, Run, RunError};
use crate::postgres::cluster::scratch_base;
use crate::postgres::ephemeral::Scratch;
use crate::postgres::tools::Tool;
use crate::postgres::unprivileged::RunAs;

use super::errors::{self, ErrorClass, RestoreError};
use super::names::speaks_of;
use super::plan::Plan;
use super::target::Target;
use super::{Options, RestoreFailure, Restored};

/// Runs pg_restore on what the plan leaves in. Returns how long that took.
pub(super) fn run(
    archive: &Archive,
    plan: &Plan,
    target: &mut Target,
    options: &Options,
    restored: &mut Restored,
) -> Result<Duration, RestoreFailure> {
    let Some(installation) = target.pg_restore() else { return Ok(Duration::ZERO) };
    restored.pg_restore_version = Some(installation.version().to_string());
    // Parallel jobs read the archive out of order, which a tar file doesn't allow, and neither does a
    // custom archive that was written into a pipe.
    let parallel =
        archive.format == Format::Directory || (archive.format == Format::Custom && !archive.piped);
    restored.jobs = if parallel { options.jobs.max(1) } else { 1 };
    let mut attempt = attempt(archive, plan, target, options, restored.jobs)?;
    let took = attempt.took;
    if restored.jobs > 1 && attempt.status.is_some() && attempt.is_muddled(archive) {
        target.remake(plan)?;
        attempt = self::attempt(archive, plan, target, options, 1)?;
        if attempt.status.is_none() {
            return Err(RestoreFailure::Tool(format!(
                "jobs of pg_restore wrote into each other's messages, and with one job it took longer than {} s",
                options.hard_limit.as_secs()
            )));
        }
        restored.notes.push(
            "jobs of pg_restore wrote into each other's messages: it was restored once more with one job, to read them"
                .to_owned(),
        );
    }
    let Attempt { stderr, status, mut found, mut total, .. } = attempt;
    match status {
        None => {
            restored.stopped = true;
            total += 1;
            found.push(errors::stopped(options.hard_limit));
        }
        Some(status) if status.success() => {}
        Some(status) => {
            use std::os::unix::process::ExitStatusExt;
            let message = match status.signal() {
                Some(signal) => Some(format!("pg_restore crashed with signal {signal}")),
                None if found.is_empty() => {
                    Some(format!("pg_restore ended with {status}: {}", stderr.last_lines(4)))
                }
                None => None,
            };
            if let Some(message) = message {
                total += 1;
                let class = errors::classify(&message, None);
                found.push(RestoreError { class, object: None, entry: None, message, statement: None });
            }
        }
    }
    name_entries(archive, &mut found);
    forgive_dependents(archive, plan, target, &mut found);
    if !stderr.is_complete() {
        restored.notes.push(
            "pg_restore complained so much that only the first and the last of it were kept".to_owned(),
        );
    }
    restored.errors = found;
    restored.errors_total = total;
    Ok(took)
}

/// One run of pg_restore.
struct Attempt {
    took: Duration,
    stderr: Captured,
    /// None when it was stopped at its time limit.
    status: Option<ExitStatus>,
    /// What it complained about, and how often in all.
    found: Vec<RestoreError>,
    total: u64,
}

impl Attempt {
    /// Whether jobs that complained in the same moment may have made one message of two.
    fn is_muddled(&self, archive: &Archive) -> bool {
        // A long message is written in pieces, between which another may come on lines of its own: then
        // what follows "Command was:" is no entry's.
        let is_nobodys = |error: &RestoreError| {
            let foreign = error.statement.as_ref().is_some_and(|statement| statement.is_ascii());
            foreign && !error.is_of_a_setting() && entries_of(archive, error).next().is_none()
        };
        errors::is_muddled(&self.stderr.text())
            || self.found.iter().filter(|error| error.entry.is_none()).any(is_nobodys)
    }
}

fn attempt(
    archive: &Archive,
    plan: &Plan,
    target: &Target,
    options: &Options,
    jobs: usize,
) -> Result<Attempt, RestoreFailure> {
    let started = Instant::now();
    // Only archives come here, and for them one was found.
    let program = match target.pg_restore() {
        Some(installation) => installation.tool(Tool::PgRestore)?,
        None => return Err(RestoreFailure::Tool("there is no pg_restore".to_owned())),
    };
    let (_kept, list) = write_list(archive, plan, target, options)?;
    let path = archive.path.canonicalize().unwrap_or_else(|_| archive.path.clone());
    let mut run = target
        .lead(Run::new(&program, options.hard_limit))
        .args(["--no-owner", "--no-tablespaces"])
        .arg("--use-list")
        .arg(&list)
        .run_as(who_can_read(&path, target.run_as()));
    if jobs > 1 {
        run = run.arg("--jobs").arg(jobs.to_string());
    }
    let (stderr, status) = match run.arg(&path).to_end() {
        Ok(ended) => (ended.stderr, Some(ended.status)),
        Err(RunError::TimedOut { stderr, .. }) => (stderr, None),
        Err(error) => return Err(error.into()),
    };
    let kind_of =
        |id: i32| archive.toc.entries.iter().find(|entry| entry.dump_id == id).map(|it| it.kind.clone());
    let (found, total) = errors::read_stderr(&stderr.text(), kind_of);
    Ok(Attempt { took: started.elapsed(), stderr, status, found, total })
}

/// Parallel jobs don't say which entry they were at; the statement they failed in does.
fn name_entries(archive: &Archive, errors: &mut [RestoreError]) {
    for error in errors.iter_mut().filter(|error| error.entry.is_none()) {
        let mut candidates = entries_of(archive, error);
        // Tables of one name in two schemas can't be told apart.
        let (Some(entry), None) = (candidates.next(), candidates.next()) else { continue };
        drop(candidates);
        error.entry = Some(entry.dump_id);
        error.object = Some(format!("{} {}", entry.kind, entry.qualified()));
        error.class = errors::classify(&error.message, Some(&entry.kind));
    }
}

/// The entries that the statement of an error may be of.
fn entries_of<'a>(archive: &'a Archive, error: &RestoreError) -> impl Iterator<Item = &'a TocEntry> {
    let copied = error.object.as_deref().and_then(|object| object.strip_prefix("TABLE DATA "));
    let statement = error.statement.as_deref().map(|statement| statement.trim_end_matches('…'));
    archive.toc.entries.iter().filter(move |entry| match (copied, statement) {
        (Some(table), _) => entry.kind == "TABLE DATA" && entry.tag == table,
        (None, Some(statement)) => {
            let is_of = |sql: &str| sql.trim().starts_with(statement);
            !statement.is_empty() && (is_of(&entry.definition) || is_of(&entry.copy))
        }
        (None, None) => false,
    })
}

/// Errors of entries that depend on what was left out don't tell against the dump.
fn forgive_dependents(archive: &Archive, plan: &Plan, target: &Target, errors: &mut [RestoreError]) {
    let of_class = |errors: &[RestoreError], class: ErrorClass| -> Vec<i32> {
        errors.iter().filter(|error| error.class == class).filter_map(|error| error.entry).collect()
    };
    let mut refused: Vec<i32> = plan.skipped.keys().copied().collect();
    refused.extend(of_class(errors, ErrorClass::Privilege));
    let refused = Plan::dependents(archive, refused);
    let mut lacking = target.missing_extension_entries(plan);
    lacking.extend(of_class(errors, ErrorClass::Environment));
    let lacking = Plan::dependents(archive, lacking);
    // pg_restore chooses the access method of a table by a setting, before the table's own statement.
    let is_skipped_method = |message: &str| {
        let mut methods = archive
            .toc
            .entries
            .iter()
            .filter(|entry| entry.kind == "ACCESS METHOD" && plan.skipped.contains_key(&entry.dump_id));
        message.starts_with("could not set ")
            && methods.any(|method| message.contains(&format!("\"{}\"", method.tag)))
    };
    // Values may name functions and the like, of which the table of contents says nothing: regproc columns.
    let refused_names: Vec<(String, String)> = archive
        .toc
        .entries
        .iter()
        .filter(|entry| refused.contains(&entry.dump_id))
        .map(|entry| {
            let name = entry.tag.split('(').next().unwrap_or(&entry.tag).to_owned();
            (entry.schema.clone().unwrap_or_default(), name)
        })
        .collect();
    let names_refused = |message: &str| {
        message.contains("does not exist") && refused_names.iter().any(|name| speaks_of(message, name))
    };
    for error in errors.iter_mut().filter(|error| error.class == ErrorClass::Backup) {
        let is_in = |gone: &BTreeSet<i32>| error.entry.is_some_and(|id| gone.contains(&id));
        // Of what a dependent misses, what was refused must be what it asks for.
        let misses_another = error.message.contains("does not exist") && !names_refused(&error.message);
        // Function bodies, expressions and triggers use things of extensions without saying so.
        let may_use_extension = target.lacks_extension() && error.message.contains("does not exist");
        if is_in(&lacking) || may_use_extension {
            error.class = ErrorClass::Environment;
        } else if is_in(&refused) && !misses_another
            || is_skipped_method(&error.message)
            || names_refused(&error.message)
        {
            error.class = ErrorClass::Privilege;
        }
    }
}

/// The list of entries to restore, in the archive's order; as long as the directory is kept.
fn write_list(
    archive: &Archive,
    plan: &Plan,
    target: &Target,
    options: &Options,
) -> Result<(Scratch, PathBuf), RestoreFailure> {
    let base = options.scratch_directory.clone().unwrap_or_else(scratch_base);
    let mut text = String::new();
    for entry in &archive.toc.entries {
        let of_extension = entry.kind == "EXTENSION"
            || (entry.kind == "COMMENT" && entry.tag.starts_with("EXTENSION "))
            || entry.is_initial_schema()
            || (entry.kind == "SCHEMA" && target.made_schemas.contains(&entry.tag));
        let of_database = matches!(entry.kind.as_str(), "DATABASE" | "DATABASE PROPERTIES");
        if !of_extension && !of_database && !plan.skipped.contains_key(&entry.dump_id) {
            text.push_str(&format!("{};\n", entry.dump_id));
        }
    }
    let write = || {
        let scratch = Scratch::create(&base)?;
        let path = scratch.path().join("list");
        std::fs::write(&path, &text)?;
        // pg_restore may run as another user; the list holds numbers only.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))?;
        Ok((scratch, path))
    };
    write().map_err(|source| RestoreFailure::Write { path: base.clone(), source })
}

/// The unprivileged user if it can read the dump; otherwise ourselves. pg_restore reads bytes from
/// anywhere, and crashes on some: better not as root.
fn who_can_read(path: &Path, unprivileged: RunAs) -> RunAs {
    let script = r#"if [ -d "$1" ]; then head -c 1 "$1/toc.dat"; else head -c 1 "$1"; fi"#;
    let readable = Run::new("/bin/sh", Duration::from_secs(20))
        .args(["-c", script, "sh"])
        .arg(path)
        .run_as(unprivileged.clone())
        .to_end()
        .is_ok_and(|ended| ended.succeeded());
    if readable { unprivileged } else { RunAs::Myself }
}
