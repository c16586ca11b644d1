//! `rollsafe rehearse`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

use super::lint::FailOn;
use super::output::has_a_place;
use super::{Outcome, Surroundings};
use crate::config::{Loaded, severity_or_off};
use crate::migration::lint::Severities;
use crate::migration::project::runners::runner;
use crate::migration::project::{self, Part};
use crate::postgres::connection::Connection;
use crate::rehearsal::extrapolate::Sizes;
use crate::rehearsal::rehearse::rehearse;
use crate::rehearsal::report::{Limits, PhaseName, Rehearsal, Verdict};
use crate::rehearsal::request::{Progress, Request, Silent};
use crate::rehearsal::terminal::{self, Look};
use crate::rehearsal::{RehearsalError, copy};
use crate::report::terminal::Style;

/// Run the pending migrations on a restored backup, measure, and go back
///
/// Restores the backup into a throw-away server, runs what is pending as the project's tool would, watches locks, stalls, rewrites
/// and time, goes back by the down migrations and by the backup, and compares with before.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  rollsafe rehearse --backup shop.dump --migrations db/migrations
  rollsafe rehearse --backup shop.dump --queries queries.sql --report rehearsal.json
  rollsafe rehearse --backup shop.dump --pending-from 0042 --max-stall 500ms
  rollsafe rehearse --backup shop.dump --migrate-command 'npx prisma migrate deploy'
  rollsafe rehearse --database-url postgresql://me@localhost/shop_copy --disposable

Exit codes: 0 passed; 1 findings; 2 could not rehearse, or not all of it (verdict incomplete).")]
pub struct RehearseArgs {
    /// The backup to restore: a pg_dump of any format
    #[arg(long, value_name = "DUMP")]
    pub(crate) backup: Option<PathBuf>,
    /// A disposable copy to rehearse on instead; migrations, rows and downs are written to it. Without it ROLLSAFE_COPY_URL
    /// is read, unless a backup is given and nothing is said to be disposable
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// The copy may be destroyed; where it looks like production (others are connected, its name), its name is wanted
    #[arg(long, value_name = "DATABASE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    disposable: Option<String>,
    /// The folder of the migrations
    #[arg(long, value_name = "DIR")]
    pub(crate) migrations: Vec<PathBuf>,
    /// The tool that runs the migrations, when it isn't recognised
    #[arg(long, value_name = "NAME")]
    pub(crate) runner: Option<String>,
    /// The first pending migration (a version or file); by default the tool's ledger in the data tells
    #[arg(long, value_name = "VERSION")]
    pub(crate) pending_from: Option<String>,
    /// The tool's ledger table, where it has another name
    #[arg(long, value_name = "TABLE")]
    ledger: Option<String>,
    /// The project's own command that migrates; gets DATABASE_URL
    #[arg(long, value_name = "COMMAND")]
    migrate_command: Option<String>,
    /// The project's own command that goes back; gets DATABASE_URL
    #[arg(long, value_name = "COMMAND", requires = "migrate_command")]
    rollback_command: Option<String>,
    /// Queries of the running application: SQL, or an export of pg_stat_statements as .csv or .json
    #[arg(long, value_name = "FILE")]
    pub(crate) queries: Vec<PathBuf>,
    /// Queries of the new application, likewise
    #[arg(long, value_name = "FILE")]
    new_queries: Vec<PathBuf>,
    /// The application's search_path, where it isn't "$user",public
    #[arg(long, value_name = "SCHEMAS")]
    search_path: Option<String>,
    /// The database to rehearse on, where the backup holds several
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// Production's sizes, to extrapolate to: a file of `rollsafe snapshot`
    #[arg(long, value_name = "FILE")]
    pub(crate) sizes: Option<PathBuf>,
    /// After a migration that fails, go on with the next
    #[arg(long)]
    keep_going: bool,
    /// Count rows only, don't sum their values
    #[arg(long)]
    no_checksums: bool,
    /// Don't go back by down migrations
    #[arg(long)]
    no_rollback: bool,
    /// Don't restore the backup a second time: the first time counts
    #[arg(long)]
    restore_once: bool,
    /// Run migrations as a superuser of the throw-away server
    #[arg(long)]
    superuser: bool,
    /// How to report
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    format: Format,
    /// Write the report as JSON to a file as well: for `gate` and `runbook`
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write one self-contained page to look at: locks and stalls by table over time, the way back, findings
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// The lowest severity that makes the exit code 1
    #[arg(long, value_enum, default_value_t = FailOn::Error, value_name = "SEVERITY")]
    fail_on: FailOn,
    #[command(flatten)]
    limits: LimitArgs,
}

/// The flags of the limits; each wins over `[rehearsal]`.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Reads or writes of a table may stand still that long [default: 2s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    max_stall: Option<f64>,
    /// All pending migrations together [default: 40m]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    migrate_limit: Option<f64>,
    /// Going back, either way [default: 15m]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    rollback_limit: Option<f64>,
    /// Going back is stopped then, and migrations so long after their limit [default: 20m]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    hard_stop: Option<f64>,
    /// From the start of the migrations to the end of the way back [default: 2h]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    decision_limit: Option<f64>,
}

/// `[rehearsal]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RehearsalConfig {
    /// Reads or writes of a table may stand still that long: "2s".
    pub max_stall: Option<String>,
    /// All pending migrations together: "40m".
    pub migrate_limit: Option<String>,
    /// Going back, either way: "15m".
    pub rollback_limit: Option<String>,
    /// Going back is stopped then: "20m".
    pub hard_stop: Option<String>,
    /// From the start of the migrations to the end of the way back: "2h".
    pub decision_limit: Option<String>,
    /// Files of the running application's queries.
    pub queries: Vec<PathBuf>,
    /// The application's search_path.
    pub search_path: Option<String>,
    /// The project's own command that migrates.
    pub migrate_command: Option<String>,
    /// The project's own command that goes back.
    pub rollback_command: Option<String>,
    /// Code = error, warning, notice or off.
    pub rules: std::collections::BTreeMap<String, String>,
}

/// `--format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Terminal,
    /// By the contract, `schema_version` 1
    Json,
}

/// The arguments alone, for a command that asks for a rehearsal itself: its defaults are these.
#[derive(Debug, Parser)]
#[command(name = "rehearse")]
struct Alone {
    #[command(flatten)]
    arguments: RehearseArgs,
}

/// Reads arguments of `rollsafe rehearse`, the command's own name being the first.
pub(super) fn read(words: Vec<std::ffi::OsString>) -> Result<RehearseArgs, String> {
    Alone::try_parse_from(words).map(|alone| alone.arguments).map_err(|error| error.to_string())
}

/// Runs it.
pub fn run(arguments: &RehearseArgs, loaded: &Loaded, style: Style, around: Surroundings) -> Outcome {
    for path in arguments.report.iter().chain(&arguments.html) {
        if let Err(message) = has_a_place(path) {
            return Outcome::failed(message);
        }
    }
    let report = match prepare(arguments, loaded).and_then(|request| carry_out(&request, around)) {
        Ok(report) => report,
        Err(message) => return Outcome::failed(message),
    };
    let json = match serde_json::to_string_pretty(&report) {
        Ok(json) => json + "\n",
        Err(error) => return Outcome::failed(error),
    };
    if let Some(path) = &arguments.report
        && let Err(error) = std::fs::write(path, &json)
    {
        return Outcome::failed(format!("can't write {}: {error}", path.display()));
    }
    if let Some(path) = &arguments.html
        && let Err(error) = std::fs::write(path, crate::html::page(Some(&report), None))
    {
        return Outcome::failed(format!("can't write {}: {error}", path.display()));
    }
    let stdout = match arguments.format {
        Format::Terminal => terminal::terminal(&report, Look { color: style.color }),
        Format::Json => json,
    };
    Outcome { stdout, code: exit_code(&report, arguments.fail_on), ..Outcome::default() }
}

fn exit_code(report: &Rehearsal, fail_on: FailOn) -> u8 {
    if report.findings.iter().any(|finding| fail_on.fails(finding.severity)) {
        return 1;
    }
    // What was not looked at has not passed.
    if report.verdict == Verdict::Incomplete || !report.not_checked.is_empty() { 2 } else { 0 }
}

/// Carries a rehearsal out with a spinner where somebody watches.
pub(crate) fn carry_out(request: &Request, around: Surroundings) -> Result<Rehearsal, String> {
    let spinner = Spinner::start(around);
    let outcome = match &spinner {
        Some(spinner) => rehearse(request, spinner),
        None => rehearse(request, &Silent),
    };
    if let Some(spinner) = spinner {
        spinner.bar.finish_and_clear();
    }
    outcome.map_err(|error| with_hint(&error))
}

fn with_hint(error: &RehearsalError) -> String {
    let hint = error.hint().map(|hint| format!("\nhelp: {hint}")).unwrap_or_default();
    format!("{error}{hint}")
}

/// What arguments and configuration come to.
pub(crate) fn prepare(arguments: &RehearseArgs, loaded: &Loaded) -> Result<Request, String> {
    let config = &loaded.config.rehearsal;
    let base = loaded.path.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
    let (part, notes) = gather(arguments, loaded, &base)?;
    let disposable = arguments.disposable.as_deref();
    let of_environment = || {
        // Who names a backup rehearses on it, whatever copy the environment speaks of.
        let wanted = arguments.backup.is_none() || disposable.is_some();
        std::env::var("ROLLSAFE_COPY_URL").ok().filter(|url| wanted && !url.is_empty())
    };
    let copy = match arguments.database_url.clone().or_else(of_environment) {
        Some(url) => {
            let connection = Connection::new(Some(&url)).map_err(|error| error.to_string())?;
            copy::may_be_destroyed(&connection, disposable).map_err(|error| with_hint(&error))?;
            Some((Arc::new(connection), Arc::from(url)))
        }
        None if disposable.is_some() => {
            return Err(
                "--disposable says that a database may be destroyed: name it with --database-url URL"
                    .to_owned(),
            );
        }
        None => None,
    };
    let mut severities = Severities::default();
    for (code, word) in &config.rules {
        let name = crate::names::code(code);
        if crate::rehearsal::rules::rule(&name).is_none() {
            return Err(format!(
                "rehearsal.rules: there is no code `{code}` of rehearsals; `rollsafe rules rehearsal` lists them"
            ));
        }
        let severity = severity_or_off(word).map_err(|error| format!("rehearsal.rules: {code}: {error}"))?;
        severities.set(&name, severity);
    }
    if config.rollback_command.is_some()
        && config.migrate_command.is_none()
        && arguments.migrate_command.is_none()
    {
        return Err(
            "rehearsal.rollback-command needs rehearsal.migrate-command: where rollsafe runs the migrations itself it \
             writes nothing into the tool's ledger, and the command would find nothing to undo, or undo an earlier release"
                .to_owned(),
        );
    }
    let queries = if arguments.queries.is_empty() {
        config.queries.iter().map(|path| from_here(base.join(path))).collect()
    } else {
        arguments.queries.clone()
    };
    Ok(Request {
        part,
        backup: arguments.backup.clone(),
        copy,
        database: arguments.database.clone(),
        pending_from: arguments.pending_from.clone(),
        ledger: arguments.ledger.clone(),
        migrate_command: arguments.migrate_command.clone().or_else(|| config.migrate_command.clone()),
        rollback_command: arguments
            .rollback_command
            .clone()
            .or_else(|| config.rollback_command.clone().filter(|_| arguments.migrate_command.is_none())),
        directory: std::env::current_dir().map_err(|error| format!("no working directory: {error}"))?,
        queries,
        new_queries: arguments.new_queries.clone(),
        search_path: arguments.search_path.clone().or_else(|| config.search_path.clone()),
        sizes: arguments.sizes.as_deref().map(read_sizes).transpose()?,
        limits: arguments.limits.limits(config)?,
        keep_going: arguments.keep_going,
        no_checksums: arguments.no_checksums,
        no_rollback: arguments.no_rollback,
        restore_once: arguments.restore_once,
        superuser: arguments.superuser,
        scratch_directory: None,
        severities,
        notes,
    })
}

fn gather(arguments: &RehearseArgs, loaded: &Loaded, base: &Path) -> Result<(Part, Vec<String>), String> {
    let config = &loaded.config.project;
    let paths: Vec<PathBuf> = if !arguments.migrations.is_empty() {
        arguments.migrations.clone()
    } else if !config.migrations.is_empty() {
        config.migrations.iter().map(|path| base.join(path)).collect()
    } else {
        project::survey(Path::new(".")).map_err(|error| error.to_string())?.folders
    };
    if paths.is_empty() {
        return Err("there are no migrations here: name their folder with --migrations DIR".to_owned());
    }
    let name = arguments.runner.as_ref().or(config.runner.as_ref());
    let runner = match name {
        Some(name) => Some(
            runner(name).ok_or_else(|| format!("there is no runner `{name}`; see rollsafe lint --help"))?,
        ),
        None => None,
    };
    let paths = paths.into_iter().map(from_here).collect();
    let request = project::Request {
        paths,
        runner,
        assume_in_transaction: config.assume_in_transaction,
        ..project::Request::default()
    };
    let project = project::gather(&request).map_err(|error| error.to_string())?;
    let notes = project.notes.clone();
    let folders: Vec<String> = project.parts.iter().map(|part| part.root.display().to_string()).collect();
    let mut parts = project.parts.into_iter();
    match (parts.next(), parts.next()) {
        (Some(part), None) => Ok((part, notes)),
        (None, _) => Err("there are no migrations there".to_owned()),
        (Some(_), Some(_)) => Err(format!(
            "there are several folders of migrations: name one with --migrations ({})",
            folders.join(", ")
        )),
    }
}

/// Paths of the configuration come from its folder; people and reports want them from the working directory.
fn from_here(path: PathBuf) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(&here) {
        Ok(rest) if !rest.as_os_str().is_empty() => rest.to_owned(),
        _ => path,
    }
}

/// Sizes of tables in a snapshot: every object with a name and bytes.
fn read_sizes(path: &Path) -> Result<Sizes, String> {
    crate::rehearsal::extrapolate::read(path).map_err(|error| error.to_string())
}

impl LimitArgs {
    /// What flags, configuration and defaults come to.
    fn limits(&self, config: &RehearsalConfig) -> Result<Limits, String> {
        let default = Limits::default();
        let time =
            |flag: Option<f64>, setting: &Option<String>, name: &str, default: f64| match (flag, setting) {
                (Some(flag), _) => Ok(flag),
                (None, Some(text)) => {
                    parse_duration(text).map_err(|error| format!("rehearsal.{name}: {error}"))
                }
                (None, None) => Ok(default),
            };
        Ok(Limits {
            stall: time(self.max_stall, &config.max_stall, "max-stall", default.stall)?,
            migrate: time(self.migrate_limit, &config.migrate_limit, "migrate-limit", default.migrate)?,
            rollback: time(self.rollback_limit, &config.rollback_limit, "rollback-limit", default.rollback)?,
            hard_stop: time(self.hard_stop, &config.hard_stop, "hard-stop", default.hard_stop)?,
            decision: time(self.decision_limit, &config.decision_limit, "decision-limit", default.decision)?,
        })
    }
}

/// `300ms`, `1.5s`, `15m`, `2h`: seconds.
fn parse_duration(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit.trim() {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("`{text}` is no time: write 300ms, 2s, 15m or 2h")),
    };
    match number.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number * factor),
        _ => Err(format!("`{text}` is no time: write 300ms, 2s, 15m or 2h")),
    }
}

struct Spinner {
    bar: ProgressBar,
}

impl Spinner {
    fn start(around: Surroundings) -> Option<Spinner> {
        if !around.progress {
            return None;
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} ({elapsed}) {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(100));
        Some(Spinner { bar })
    }
}

impl Progress for Spinner {
    fn phase(&self, phase: PhaseName) {
        self.bar.set_prefix(match phase {
            PhaseName::Restore => "restoring the backup",
            PhaseName::RecordBefore => "recording how it is",
            PhaseName::Migrate => "migrating",
            PhaseName::RecordAfter => "recording what changed",
            PhaseName::Write => "writing as the application would",
            PhaseName::RollBack => "going back",
            PhaseName::RecordRolledBack => "comparing with before",
            PhaseName::RestoreAgain => "restoring the backup again",
            PhaseName::RecordRestored => "comparing with before",
        });
        self.bar.set_message("");
    }

    fn step(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        assert_eq!(parse_duration("300ms"), Ok(0.3));
        assert_eq!(parse_duration("1.5s"), Ok(1.5));
        assert_eq!(parse_duration("15m"), Ok(900.0));
        assert!(
            parse_duration("15").is_err() && parse_duration("0s").is_err() && parse_duration("s").is_err()
        );
    }
}
