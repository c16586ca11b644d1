//! `rollsafe verify-backup`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::lint::FailOn;
use super::{Outcome, Surroundings};
use crate::backup::archive::input::Gauge;
use crate::backup::evidence::ExpectedTables;
use crate::backup::expected::{self, ExpectedError};
use crate::backup::options::{VerifyArgs, VerifyOptions, in_full, parse_size, parse_time};
use crate::backup::report::{self, Look};
use crate::backup::rules;
use crate::backup::verify::{self, Verdict};
use crate::config::{BackupConfig, Loaded, severity_or_off};
use crate::migration::catalog::RelationKind;
use crate::migration::lint;
use crate::migration::project::{self, Request};
use crate::report::terminal::Style;

/// Prove that a pg_dump file is whole and restores
///
/// Reads every byte, counts every row, says what is missing, restores it into a throw-away server, and
/// compares what arrived. Reads custom, directory, tar and plain dumps, plain ones also as .gz, .zst, .lz4, .bz2 and .xz.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    rollsafe verify-backup shop.dump --max-age 26h\n  \
    rollsafe verify-backup shop/ --previous yesterday/ --migrations db/migrations\n  \
    rollsafe verify-backup shop.dump --write-manifest shop.json      # now; and later, after copying:\n  \
    rollsafe verify-backup copy.dump --manifest shop.json --restore never\n  \
    ssh db pg_dump -Fc shop | rollsafe verify-backup - --restore never\n  \
    rollsafe verify-backup shop.dump --format junit --evidence evidence.json\n\n\
    Exit codes: 0 verified; 1 findings; 2 could not check, or not all of it (verdict incomplete).")]
pub struct VerifyBackupArgs {
    #[command(flatten)]
    verify: VerifyArgs,
    /// Tables that these migrations make must be in the dump
    #[arg(long, value_name = "DIR", help_heading = "Comparison")]
    migrations: Vec<PathBuf>,
    /// Tables of this snapshot (rollsafe snapshot) must be in the dump
    #[arg(long, value_name = "FILE", help_heading = "Comparison")]
    snapshot: Option<PathBuf>,
    /// Tables that this live database has must be in the dump; it is only read
    #[arg(long, value_name = "URL", help_heading = "Comparison")]
    expect_from: Option<String>,
    /// How to report
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    format: Format,
    /// The lowest severity that makes the exit code 1
    #[arg(long, value_enum, default_value_t = FailOn::Error, value_name = "SEVERITY")]
    fail_on: FailOn,
    /// Write what was checked, when and with which figures, as JSON, for audits
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
}

/// `--format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Terminal,
    /// By the contract, `schema_version` 1
    Json,
    /// For a comment or a wiki
    Markdown,
    /// For CI systems that show test results
    Junit,
}

/// Runs it.
pub fn run(arguments: &VerifyBackupArgs, loaded: &Loaded, style: Style, around: Surroundings) -> Outcome {
    let options = match options(arguments, &loaded.config.backup) {
        Ok(options) => options,
        Err(message) => return Outcome::failed(message),
    };
    let gauge = Arc::new(Gauge::default());
    let progress = Progress::start(&options, gauge.clone(), around);
    let verified = verify::verify(&options, &gauge);
    progress.stop();
    let report = match verified {
        Ok(report) => report,
        Err(error) => {
            let hint = error.hint().map(|hint| format!("\nhelp: {hint}")).unwrap_or_default();
            return Outcome::failed(format!("{error}{hint}"));
        }
    };
    if let Some(path) = &arguments.evidence
        && let Err(error) = std::fs::write(path, report::evidence(&report))
    {
        return Outcome::failed(format!("can't write {}: {error}", path.display()));
    }
    let stdout = match arguments.format {
        Format::Terminal => report::terminal(&report, Look { color: style.color, tables: Some(30) }),
        Format::Json => report::json(&report),
        Format::Markdown => report::markdown(&report),
        Format::Junit => report::junit(&report),
    };
    let failing = report.findings.iter().any(|finding| arguments.fail_on.fails(finding.severity));
    let code = match report.verdict {
        _ if failing => 1,
        Verdict::Failed if arguments.fail_on == FailOn::Never => 0,
        Verdict::Failed => 1,
        // What was not looked at has not passed.
        Verdict::Incomplete => 2,
        Verdict::Verified => 0,
    };
    Outcome { stdout, code, ..Outcome::default() }
}

fn options(arguments: &VerifyBackupArgs, config: &BackupConfig) -> Result<VerifyOptions, String> {
    let mut options = with_settings(arguments.verify.clone(), config)?;
    // Evidence has to say of which bytes.
    options.hash |= arguments.evidence.is_some();
    if !arguments.migrations.is_empty() {
        options.expected_tables.push(tables_of(&arguments.migrations)?);
    }
    if let Some(path) = &arguments.snapshot {
        let tables = expected::of_snapshot(path).map_err(|error| told(&error))?;
        options.expected_tables.push(tables);
    }
    if let Some(url) = &arguments.expect_from {
        let tables = expected::of_database(url).map_err(|error| told(&error))?;
        options.expected_tables.push(tables);
    }
    Ok(options)
}

/// Flags and, where a flag is missing, settings.
pub(super) fn with_settings(mut flags: VerifyArgs, config: &BackupConfig) -> Result<VerifyOptions, String> {
    if let (None, Some(size)) = (flags.min_size, &config.min_size) {
        flags.min_size = Some(parse_size(size).map_err(|error| format!("backup.min-size: {error}"))?);
    }
    if let (None, Some(tables)) = (flags.min_tables, config.min_tables) {
        flags.min_tables = Some(tables as u64);
    }
    for (flag, name, time) in [
        (&mut flags.max_age, "max-age", &config.max_age),
        (&mut flags.restore_limit, "restore-limit", &config.restore_limit),
        (&mut flags.restore_stop, "restore-stop", &config.restore_stop),
    ] {
        if let (None, Some(time)) = (&flag, time) {
            *flag = Some(parse_time(time).map_err(|error| format!("backup.{name}: {error}"))?);
        }
    }
    flags.free_space_factor = flags.free_space_factor.or(config.free_space_factor);
    flags.not_empty.extend(config.must_not_be_empty.iter().cloned());
    flags.without_data.extend(config.without_data.iter().cloned());
    let mut options = flags.options();
    if !config.tables.is_empty() {
        let by = "the configuration (backup.tables)".to_owned();
        options.expected_tables.push(ExpectedTables { by, tables: in_full(&config.tables) });
    }
    for (code, word) in &config.rules {
        let name = crate::names::code(code);
        if !rules::RULES.iter().any(|rule| rule.code == name) {
            return Err(format!(
                "backup.rules: there is no code `{code}` of backups; `rollsafe rules backup` lists them"
            ));
        }
        let severity = severity_or_off(word).map_err(|error| format!("backup.rules: {code}: {error}"))?;
        options.severities.insert(name, severity);
    }
    Ok(options)
}

fn told(error: &ExpectedError) -> String {
    let hint = error.hint().map(|hint| format!("\nhelp: {hint}")).unwrap_or_default();
    format!("{error}{hint}")
}

/// The tables that are there once all these migrations have run.
fn tables_of(paths: &[PathBuf]) -> Result<ExpectedTables, String> {
    let request = Request { paths: paths.to_vec(), ..Request::default() };
    let project = project::gather(&request).map_err(|error| error.to_string())?;
    let mut tables = Vec::new();
    for part in &project.parts {
        let ups: Vec<_> = part.migrations.iter().filter(|m| !m.run.down).cloned().collect();
        for relation in lint::replay(&ups).relations() {
            // Stubs are relations that migrations speak of and nobody made.
            let made = relation.kind == RelationKind::Table
                && relation.columns_known
                && relation.name.schema != "pg_temp";
            if made {
                tables.push(format!("{}.{}", relation.name.schema, relation.name.name));
            }
        }
    }
    let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    Ok(ExpectedTables { by: format!("the migrations in {}", shown.join(", ")), tables })
}

/// A bar on standard error while a dump is read, where that is a terminal.
pub(super) struct Progress {
    stop: Arc<std::sync::atomic::AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Progress {
    pub(super) fn start(options: &VerifyOptions, gauge: Arc<Gauge>, around: Surroundings) -> Progress {
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        if !around.progress {
            return Progress { stop, thread: None };
        }
        let total = size_of(&options.dump);
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let style = indicatif::ProgressStyle::with_template(
                "{spinner} {msg} {bar:30} {bytes} of {total_bytes} ({bytes_per_sec})",
            );
            let bar = indicatif::ProgressBar::new(total.max(1));
            if let Ok(style) = style {
                bar.set_style(style);
            }
            while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
                let read = gauge.read().min(total);
                bar.set_position(read);
                bar.set_message(if read >= total && total > 0 { "restoring" } else { "reading" });
                bar.tick();
                std::thread::sleep(Duration::from_millis(100));
            }
            bar.finish_and_clear();
        });
        Progress { stop, thread: Some(thread) }
    }

    pub(super) fn stop(mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Only the drawing could have failed.
            let _ = thread.join();
        }
    }
}

/// Bytes of a file, or of all files of a directory.
fn size_of(path: &std::path::Path) -> u64 {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_file() => meta.len(),
        Ok(_) => walkdir::WalkDir::new(path)
            .into_iter()
            .filter_map(Result::ok)
            .filter_map(|entry| entry.metadata().ok())
            .filter(std::fs::Metadata::is_file)
            .map(|meta| meta.len())
            .sum(),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    #[test]
    fn settings_hold_where_no_flag_is_given() {
        let mut config: BackupConfig = toml::from_str(
            r#"min-size = "5MB"
            max-age = "26h"
            restore-limit = "30m"
            restore-stop = "40m"
            tables = ["users"]
            without-data = ["audit.log"]
            rules = { table-empty = "off", backup_shrank = "error" }"#,
        )
        .unwrap();
        let flags = VerifyArgs { max_age: Some(60), ..VerifyArgs::default() };
        let options = with_settings(flags, &config).unwrap();
        let limits = &options.limits;
        assert_eq!((limits.min_size, limits.max_age), (5_000_000, Some(60)));
        assert_eq!((limits.restore_seconds, limits.restore_stop_seconds), (1800, 2400));
        assert_eq!(options.restore_options.hard_limit, Duration::from_secs(2400));
        assert_eq!(options.expected_tables[0].tables, ["public.users"]);
        assert_eq!(limits.without_data, ["audit.log"]);
        assert_eq!(options.severities["table_empty"], None);
        assert_eq!(options.severities["backup_shrank"], Some(Severity::Error));
        config.rules.insert("drop_table".to_owned(), "off".to_owned());
        let error = with_settings(VerifyArgs::default(), &config).unwrap_err();
        assert!(error.contains("no code `drop_table` of backups"), "{error}");
    }
}
