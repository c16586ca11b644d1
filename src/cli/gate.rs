//! `rollsafe gate`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::lint::{self, Scope};
use super::output::has_a_place;
use super::rehearse;
use super::{Outcome, Surroundings};
use crate::backup::archive::input::Gauge;
use crate::backup::manifest;
use crate::backup::options::{Restore, VerifyArgs, VerifyOptions, parse_size};
use crate::backup::verify;
use crate::config::{self, Loaded};
use crate::gate::clock::Instant;
use crate::gate::limits::{GateConfig, LimitArgs, Limits};
use crate::gate::live::{self, LiveFacts};
use crate::gate::pending;
use crate::gate::release::{self, Pending, PendingFrom, Release};
use crate::gate::{self, Asked, Gathered, Input, LeftOut, Part, report, risk};
use crate::git;
use crate::migration::project::Project;
use crate::postgres::connection::{self, Connection};
use crate::postgres::version::PgVersion;
use crate::rehearsal::report::Rehearsal;
use crate::report::terminal::Style;

/// GO or NO-GO: all that a release needs, held against fixed limits
///
/// Lints the pending migrations, verifies the backup, asks whether it covers what they destroy, reads the rehearsal,
/// and looks at the live server without changing anything. Each check has a value, a limit and an answer; one that was not
/// made is never a yes.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 GO; 1 NO-GO; 2 not everything could be checked, which is no GO.\n\n\
    Example:\n  \
    rollsafe rehearse --backup shop.dump --report rehearsal.json\n  \
    rollsafe gate --backup shop.dump --rehearsal rehearsal.json \\\n    \
    --database-url postgresql://release@db.example/shop --evidence release-42")]
pub struct GateArgs {
    #[command(flatten)]
    pub(super) gathering: GatherArgs,
    /// How to report
    #[arg(long, value_enum, default_value_t = Format::Terminal, value_name = "FORMAT")]
    format: Format,
    /// Write FILE.json and FILE.md: who asked, when, what, with which figures, limits and decisions. Never
    /// overwritten
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
    /// Write one self-contained page to look at
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// List the checks and what each is about
    #[arg(long)]
    list_checks: bool,
}

/// What the gate and the runbook look at.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct GatherArgs {
    #[command(flatten)]
    pub(super) scope: Scope,
    /// The dump that one would fall back on
    #[arg(long, value_name = "DUMP", help_heading = "Backup")]
    pub(super) backup: Option<PathBuf>,
    /// The manifest of that dump: nothing may differ
    #[arg(long, value_name = "FILE", requires = "backup", help_heading = "Backup")]
    manifest: Option<PathBuf>,
    /// The backup before it, to compare sizes and rows with
    #[arg(long, value_name = "FILE", requires = "backup", help_heading = "Backup")]
    previous: Option<PathBuf>,
    /// Restore it into a throw-away server and compare what arrives
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", help_heading = "Backup")]
    restore: Restore,
    /// Parallel jobs of the restore
    #[arg(long, value_name = "N", help_heading = "Backup")]
    jobs: Option<usize>,
    /// The least size, for example 500kB [default: 1MB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size, help_heading = "Backup")]
    min_size: Option<u64>,
    /// The least number of tables with rows [default: 10]
    #[arg(long, value_name = "N", help_heading = "Backup")]
    min_tables: Option<u64>,
    /// The report of a rehearsal: what `rollsafe rehearse --report` wrote
    #[arg(long, value_name = "FILE", help_heading = "Rehearsal")]
    pub(super) rehearsal: Option<PathBuf>,
    /// Rehearse now, on the backup, with the settings of [rehearsal]
    #[arg(long, requires = "backup", conflicts_with = "rehearsal", help_heading = "Rehearsal")]
    rehearse: bool,
    /// Queries of the running application, for --rehearse
    #[arg(long, value_name = "FILE", requires = "rehearse", help_heading = "Rehearsal")]
    queries: Vec<PathBuf>,
    /// The live server, which is only looked at, in a read-only session. The password comes from ~/.pgpass, PGPASSWORD
    /// or the URL; it is never printed
    #[arg(long, value_name = "URL", help_heading = "Live server")]
    pub(super) database_url: Option<String>,
    /// Free disk of the live server, which PostgreSQL doesn't tell: 200GB
    #[arg(long, value_name = "SIZE", value_parser = parse_size, help_heading = "Live server")]
    disk_free: Option<u64>,
    /// Leave out a check, or a group of them (migrations, backup, rehearsal, live), and say why; the report says so
    #[arg(long, value_name = "CHECK=WHY")]
    without: Vec<String>,
    /// The release's name, for the report
    #[arg(long, value_name = "NAME")]
    pub(super) release: Option<String>,
    /// Who asks, for the report [default: the account]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    limits: LimitArgs,
}

/// `--format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Terminal,
    /// By the contract, `schema_version` 1
    Json,
    /// For a ticket or a wiki
    Markdown,
}

/// Runs it.
pub fn run(arguments: &GateArgs, loaded: &Loaded, style: Style, around: Surroundings) -> Outcome {
    if arguments.list_checks {
        return Outcome::ok(list());
    }
    // What can't be written is said before the long work.
    let evidence = match arguments.evidence.as_deref().map(evidence_files).transpose() {
        Ok(evidence) => evidence,
        Err(message) => return Outcome::failed(message),
    };
    let files = evidence.iter().flat_map(|(json, markdown)| [json, markdown]).chain(&arguments.html);
    if let Some(message) = files.map(|path| has_a_place(path)).find_map(Result::err) {
        return Outcome::failed(message);
    }
    let gathered = match gather(&arguments.gathering, loaded, around) {
        Ok(gathered) => gathered,
        Err(message) => return Outcome::failed(message),
    };
    let report = gate::judge(&gathered.gathered);
    let mut stderr: String = gathered.notes.iter().map(|note| format!("note: {note}\n")).collect();
    let mut code = report.verdict.code();
    let mut write = |path: &Path, text: String, new: bool| {
        let written = if new {
            std::fs::File::create_new(path)
                .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
        } else {
            std::fs::write(path, text)
        };
        if let Err(error) = written {
            stderr.push_str(&format!("error: can't write {}: {error}\n", path.display()));
            code = 2;
        }
    };
    if let Some((json, markdown)) = &evidence {
        write(json, report::json(&report), true);
        write(markdown, report::markdown(&report), true);
    }
    if let Some(path) = &arguments.html {
        write(path, crate::html::page(report.rehearsal.as_ref(), Some(&report)), false);
    }
    let stdout = match arguments.format {
        Format::Terminal => report::terminal(&report, style.color, style.width),
        Format::Json => report::json(&report),
        Format::Markdown => report::markdown(&report),
    };
    Outcome { stdout, stderr, code }
}

fn list() -> String {
    let width = gate::check::CHECKS.iter().map(|check| check.id.len()).max().unwrap_or(0);
    let mut out = String::new();
    for group in gate::check::Group::ALL {
        out.push_str(&format!("{}\n", group.as_str()));
        for check in gate::check::CHECKS.iter().filter(|check| check.group == group) {
            out.push_str(&format!("  {:<width$}  {}\n", check.id, check.about));
        }
    }
    out
}

/// FILE.json and FILE.md; neither may be there, because evidence of a release isn't to be lost to the next one.
fn evidence_files(path: &Path) -> Result<(PathBuf, PathBuf), String> {
    let known = path.extension().is_some_and(|ending| ending == "json" || ending == "md");
    let with = |ending: &str| {
        if known {
            return path.with_extension(ending);
        }
        // A name like release-1.2 keeps its 2.
        let mut whole = path.as_os_str().to_owned();
        whole.push(format!(".{ending}"));
        PathBuf::from(whole)
    };
    let files = (with("json"), with("md"));
    for file in [&files.0, &files.1] {
        if file.exists() {
            return Err(format!(
                "{} is there already, and evidence is never overwritten: give another name",
                file.display()
            ));
        }
    }
    Ok(files)
}

/// What was gathered, and what is to be said about it on standard error.
pub(super) struct Found {
    pub(super) gathered: Gathered,
    pub(super) notes: Vec<String>,
}

/// Gathers all that the flags name.
pub(super) fn gather(arguments: &GatherArgs, loaded: &Loaded, around: Surroundings) -> Result<Found, String> {
    let config = &loaded.config;
    risk::check_settings(&config.gate, &code_or_category)?;
    let limits = limits(&arguments.limits, loaded)?;
    let left_out = arguments.without.iter().map(|text| LeftOut::read(text)).collect::<Result<Vec<_>, _>>()?;
    let mut notes = Vec::new();

    let mut rehearsal = arguments.rehearsal.as_deref().map(read_rehearsal).transpose()?;
    let mut not_rehearsed = None;
    if arguments.rehearse {
        match rehearse_now(arguments, loaded, around) {
            Ok(report) => rehearsal = Some(report),
            Err(why) => not_rehearsed = Some(why),
        }
    }
    let mut live = arguments.database_url.as_deref().map(Live::connect);
    let mut scope = arguments.scope.clone();
    // A ledger knows better than git what is pending: every file is read, and then chosen from.
    let by_ledger = live.as_ref().is_some_and(Result::is_ok) || rehearsal.is_some();
    scope.all |= by_ledger && scope.since.is_none() && !scope.staged;
    if config.postgres_version.is_none() && scope.postgres_version.is_none() {
        // Locks and rewrites are those of the server that it will run on, not of the newest that is known.
        let of_server = live.as_mut().and_then(|live| live.as_mut().ok()?.major());
        let rehearsed = || PgVersion::find_in(&rehearsal.as_ref()?.server.version).map(PgVersion::major);
        scope.postgres_version = of_server.or_else(rehearsed).filter(|major| (12..=18).contains(major));
    }
    let (mut project, options) = lint::gather(&scope, loaded)?;
    notes.append(&mut project.notes);
    let chosen = scope.since.is_some() || scope.staged;
    let pending =
        if chosen { by_change(&scope) } else { choose(&mut project, &mut live, rehearsal.as_ref(), &scope) };
    let linted = lint::judge(&project, &options);
    let release = release::release(&project, &linted, pending);

    let mut inputs = inputs_of(&release, loaded);
    let mut gathered = Gathered {
        now: Instant::now(),
        asked: asked(arguments),
        limits,
        config: config.gate.clone(),
        postgres_version: options.rules.version,
        findings: linted.findings.clone(),
        suppressed: linted.suppressed.len(),
        disk_free: arguments.disk_free,
        left_out,
        ..Gathered::default()
    };
    let verification = verification(arguments, loaded)?;
    gathered.backup_limits = (&verification.limits).into();
    if let Some(path) = &arguments.backup {
        gathered.backup = backup(verification, around);
        match manifest::sha256(path) {
            Ok(sha256) => {
                inputs.push(Input {
                    kind: "backup".to_owned(),
                    path: path.display().to_string(),
                    bytes: std::fs::metadata(path).map_or(0, |metadata| metadata.len()),
                    sha256: sha256.clone(),
                });
                gathered.backup_sha256 = Some(sha256);
            }
            Err(error) => notes.push(format!("{}: no SHA-256: {error}", path.display())),
        }
        if let (Part::Here(report), Some(input)) = (&gathered.backup, inputs.last_mut()) {
            input.bytes = report.evidence.file.size;
        }
    }
    if let Some(path) = &arguments.rehearsal {
        inputs.extend(input("rehearsal", path));
    }
    gathered.rehearsal = match (rehearsal, not_rehearsed) {
        (Some(rehearsal), _) => Part::Here(rehearsal),
        (None, Some(why)) => Part::Missing(format!("it could not be rehearsed: {why}")),
        (None, None) => Part::NotAsked,
    };
    gathered.live = match live {
        None => Part::NotAsked,
        Some(Err(why)) => Part::Missing(why),
        Some(Ok(mut live)) => match live.look(&release) {
            Ok(facts) => Part::Here(facts),
            Err(why) => Part::Missing(why),
        },
    };
    gathered.release = release;
    gathered.inputs = inputs;
    Ok(Found { gathered, notes })
}

fn code_or_category(word: &str) -> Result<String, String> {
    let name = crate::names::code(word);
    let of_backup = crate::backup::rules::RULES.iter().any(|rule| rule.code == name);
    if of_backup || super::explain::exists(&name) { Ok(name) } else { config::code_or_category(word) }
}

fn limits(flags: &LimitArgs, loaded: &Loaded) -> Result<Limits, String> {
    let config = &loaded.config;
    let mut of_gate: GateConfig = config.gate.clone();
    // What verify-backup holds a dump against holds here too, where the gate has no limit of its own.
    of_gate.max_backup_age = of_gate.max_backup_age.or_else(|| config.backup.max_age.clone());
    flags.limits(&of_gate)
}

fn by_change(scope: &Scope) -> Pending {
    let said = match &scope.since {
        Some(revision) => format!("what has changed since {revision}, by git"),
        None => "what is staged for the next commit, by git".to_owned(),
    };
    Pending { from: PendingFrom::Change, said, problem: None }
}

/// Judges what is pending by the live ledger, else by the rehearsal, else what was named or changed.
fn choose(
    project: &mut Project,
    live: &mut Option<Result<Live, String>>,
    rehearsal: Option<&Rehearsal>,
    scope: &Scope,
) -> Pending {
    let mut without = Vec::new();
    if let Some(Ok(live)) = live {
        match live.pending(project) {
            Ok(Some(pending)) => return pending,
            Ok(None) => without
                .push("the live database has no ledger of a migration tool that is known here".to_owned()),
            Err(why) => without.push(format!("the live database's ledger can't be read: {why}")),
        }
    }
    if let Some(rehearsal) = rehearsal {
        let told = rehearsal.migrations.iter().any(|run| !run.files.is_empty());
        if rehearsal.run.command.is_none() || told || rehearsal.run.pending.history.is_some() {
            let only = project.parts.len() == 1;
            let since: usize =
                project.parts.iter_mut().map(|part| pending::judge_rehearsed(part, rehearsal, only)).sum();
            let mut said = match since {
                // What the command ran nobody told, nor then what came since.
                _ if rehearsal.run.command.is_some() && !told => {
                    "those that the rehearsal's command had to run, and what came since".to_owned()
                }
                0 => "those rehearsed".to_owned(),
                since => format!("those rehearsed, and {since} that came since"),
            };
            if !rehearsal.run.pending.said.is_empty() {
                said.push_str(&format!(": {}", rehearsal.run.pending.said));
            }
            return Pending { from: PendingFrom::Rehearsal, said: joined(said, &without), problem: None };
        }
    }
    let named = !scope.paths.is_empty() || scope.all;
    let (from, said) = if named {
        (PendingFrom::Given, "all that were named")
    } else {
        (PendingFrom::Change, "what the change at hand adds or edits, by git")
    };
    Pending { from, said: joined(said.to_owned(), &without), problem: None }
}

fn joined(said: String, without: &[String]) -> String {
    std::iter::once(said).chain(without.iter().cloned()).collect::<Vec<_>>().join("; ")
}

/// A session with the live server.
struct Live {
    url: String,
    client: postgres::Client,
    limits: connection::Limits,
}

impl Live {
    fn connect(url: &str) -> Result<Live, String> {
        let limits = connection::Limits { read_only: true, ..connection::Limits::default() };
        let connection = Connection::new(Some(url)).map_err(|error| error.to_string())?;
        let client = connection.connect(&limits).map_err(|error| match error.hint() {
            Some(hint) => format!("{error} ({hint})"),
            None => error.to_string(),
        })?;
        Ok(Live { url: connection.to_string(), client, limits })
    }

    /// The server's major version.
    fn major(&mut self) -> Option<u16> {
        let sql = "SELECT pg_catalog.current_setting('server_version_num')::int";
        let row = self.client.query_one(sql, &[]).ok()?;
        Some(PgVersion::from_number(row.get::<_, i32>(0).unsigned_abs()).major())
    }

    /// Makes the migrations judged that the ledgers say are pending; none where there is no ledger.
    fn pending(&mut self, project: &mut Project) -> Result<Option<Pending>, String> {
        let told = |error: postgres::Error| connection::reason(&error);
        self.client.batch_execute("BEGIN READ ONLY").map_err(told)?;
        let found = self.read_ledgers(project).map_err(told);
        // After an error too: what comes next needs a transaction of its own.
        self.client.batch_execute("ROLLBACK").map_err(told)?;
        found
    }

    fn read_ledgers(&mut self, project: &mut Project) -> Result<Option<Pending>, postgres::Error> {
        let mut said = Vec::new();
        let mut problems = Vec::new();
        for part in &mut project.parts {
            let Some(ledger) = part.runner.as_ref().and_then(|found| found.runner.ledger.as_ref()) else {
                continue;
            };
            let Some(reading) = pending::read(&mut self.client, ledger, part)? else { continue };
            pending::judge_pending(part, &reading.standings);
            let strays = match reading.strays.len() {
                0 => String::new(),
                n => format!(" ({n} of them without a file here)"),
            };
            said.push(format!(
                "{} of the live database names {} as applied{strays}",
                reading.table, reading.applied
            ));
            problems.extend(
                reading.failed.iter().map(|key| {
                    format!("{} says that {key} stopped half way: mend that first", reading.table)
                }),
            );
        }
        let problem = (!problems.is_empty()).then(|| problems.join("; "));
        Ok((!said.is_empty()).then(|| Pending {
            from: PendingFrom::LiveLedger,
            said: said.join("; "),
            problem,
        }))
    }

    fn look(&mut self, release: &Release) -> Result<LiveFacts, String> {
        connection::begin_reading(&mut self.client, &self.limits)
            .and_then(|()| live::look(&mut self.client, &self.url, &release.targets))
            .map_err(|error| format!("{}: {}", self.url, connection::reason(&error)))
    }
}

/// Rehearses as `rollsafe rehearse` with these flags would.
fn rehearse_now(arguments: &GatherArgs, loaded: &Loaded, around: Surroundings) -> Result<Rehearsal, String> {
    let mut words: Vec<std::ffi::OsString> = vec!["rehearse".into()];
    let mut add = |flag: &str, value: &std::ffi::OsStr| words.extend([flag.into(), value.to_owned()]);
    if let Some(backup) = &arguments.backup {
        add("--backup", backup.as_os_str());
    }
    for path in &arguments.scope.paths {
        add("--migrations", path.as_os_str());
    }
    if let Some(runner) = &arguments.scope.runner {
        add("--runner", runner.as_ref());
    }
    for path in &arguments.queries {
        add("--queries", path.as_os_str());
    }
    let rehearse = rehearse::read(words)?;
    rehearse::prepare(&rehearse, loaded).and_then(|request| rehearse::carry_out(&request, around))
}

fn read_rehearsal(path: &Path) -> Result<Rehearsal, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("can't read {}: {error}", path.display()))?;
    let rehearsal: Rehearsal = serde_json::from_slice(&bytes).map_err(|error| {
        format!("{}: {error}; it should be what `rollsafe rehearse --report` wrote", path.display())
    })?;
    // Every field has a default, so that later versions can be read: any JSON object would pass.
    if rehearsal.schema_version == 0 || rehearsal.tool.name != "rollsafe" {
        return Err(format!("{} is no report of `rollsafe rehearse`", path.display()));
    }
    if rehearsal.schema_version > crate::rehearsal::report::SCHEMA_VERSION {
        return Err(format!(
            "{}: schema_version {} is newer than this rollsafe knows ({})",
            path.display(),
            rehearsal.schema_version,
            crate::rehearsal::report::SCHEMA_VERSION
        ));
    }
    Ok(rehearsal)
}

/// How the backup is verified; the one that is taken for the release too, so that there need be none yet.
fn verification(arguments: &GatherArgs, loaded: &Loaded) -> Result<VerifyOptions, String> {
    let flags = VerifyArgs {
        dump: arguments.backup.clone().unwrap_or_default(),
        min_size: arguments.min_size,
        min_tables: arguments.min_tables,
        manifest: arguments.manifest.clone(),
        previous: arguments.previous.clone(),
        restore: arguments.restore,
        jobs: arguments.jobs,
        ..VerifyArgs::default()
    };
    let mut options: VerifyOptions = super::verify_backup::with_settings(flags, &loaded.config.backup)?;
    // The gate judges the age itself.
    options.limits.max_age = None;
    Ok(options)
}

fn backup(options: VerifyOptions, around: Surroundings) -> Part<verify::Report> {
    let gauge = Arc::new(Gauge::default());
    let progress = super::verify_backup::Progress::start(&options, gauge.clone(), around);
    let verified = verify::verify(&options, &gauge);
    progress.stop();
    match verified {
        Ok(report) => Part::Here(report),
        Err(error) => Part::Missing(match error.hint() {
            Some(hint) => format!("{error} ({hint})"),
            None => error.to_string(),
        }),
    }
}

fn input(kind: &str, path: &Path) -> Option<Input> {
    let sha256 = manifest::sha256(path).ok()?;
    let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    Some(Input { kind: kind.to_owned(), path: path.display().to_string(), bytes, sha256 })
}

fn inputs_of(release: &Release, loaded: &Loaded) -> Vec<Input> {
    let mut inputs = Vec::new();
    for step in &release.migrations {
        inputs.push(Input {
            kind: "migration".to_owned(),
            path: step.path.clone(),
            bytes: std::fs::metadata(&step.path).map_or(0, |metadata| metadata.len()),
            sha256: step.sha256.clone(),
        });
        let own = step.down.as_ref().filter(|down| **down != step.path);
        inputs.extend(own.and_then(|down| input("way back", Path::new(down))));
    }
    inputs.extend(loaded.path.as_deref().and_then(|path| input("configuration", path)));
    inputs
}

fn asked(arguments: &GatherArgs) -> Asked {
    let here = std::env::current_dir().unwrap_or_default();
    Asked {
        by: arguments.by.clone().unwrap_or_else(crate::postgres::unprivileged::own_name),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        revision: git::revision(&here).ok(),
        directory: here.display().to_string(),
        release: arguments.release.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_has_two_files_beside_each_other() {
        let names = |name: &str| evidence_files(Path::new(name)).unwrap();
        assert_eq!(
            names("/nowhere/release-1.2"),
            ("/nowhere/release-1.2.json".into(), "/nowhere/release-1.2.md".into())
        );
        assert_eq!(names("/nowhere/r.json"), ("/nowhere/r.json".into(), "/nowhere/r.md".into()));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("r.md"), "old").unwrap();
        assert!(evidence_files(&folder.path().join("r")).unwrap_err().contains("never overwritten"));
    }

    #[test]
    fn any_json_is_no_rehearsal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        for (text, expected) in [
            ("{}", "is no report"),
            ("\"x\"", "it should be"),
            ("[1]", "is no report"),
            ("{\"schema_version\": 99, \"tool\": {\"name\": \"rollsafe\"}}", "is newer"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = read_rehearsal(&path).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
