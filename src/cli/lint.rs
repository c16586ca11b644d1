//! `rollsafe lint`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use rustc_hash::FxHashSet;

use super::baseline::BaselineArgs;
use super::explain::document;
use super::output::OutputArgs;
use super::{Outcome, fix};
use crate::amount;
use crate::backup::options::parse_size;
use crate::config::{self, Loaded};
use crate::finding::{Category, Finding, Severity};
use crate::git::{self, GitError, Selection, Status};
use crate::migration::catalog::{Catalog, QName};
use crate::migration::lint::{self, LintOptions, LintReport, Severities};
use crate::migration::live::{Demand, Live};
use crate::migration::migration::Migration;
use crate::migration::project::runner::Runner;
use crate::migration::project::{self, Part, Project, ReadAhead, Request, runners};
use crate::migration::rules::{
    Change, RuleOptions, SmallRelations, applied_migration_edited, relation_missing,
};
use crate::migration::session;
use crate::names::nearest;
use crate::patterns::Patterns;
use crate::place::Places;
use crate::report::terminal::Style;
use crate::report::{Linted, Report, Sources};
use crate::snapshot::Snapshot;
use crate::source::LineIndex;

/// Tell what migrations lock, rewrite, destroy and break
///
/// Every file given is judged as a change against all that comes before it in order: earlier files are
/// history that has run, on tables that hold data.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 nothing at or above --fail-on; 1 findings; 2 could not check.\n\n\
    Suppress a finding with a comment before the statement or on its line:\n  \
    -- rollsafe: ignore drop_column -- reading code removed in release 42")]
pub struct LintArgs {
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    output: OutputArgs,
    /// The lowest severity that makes the exit code 1
    #[arg(long, value_enum, value_name = "SEVERITY", help_heading = "Output")]
    fail_on: Option<FailOn>,
    #[command(flatten)]
    baseline: BaselineArgs,
    #[command(flatten)]
    fix: fix::FixArgs,
}

/// Which migrations are judged, and how they run.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Scope {
    /// Files, folders or globs; `-` for standard input. Without any: the migrations of this repository, of which
    /// those are judged that the change at hand adds or edits
    pub(super) paths: Vec<PathBuf>,
    /// Judge what has changed since this revision forked off, uncommitted changes included [default: the branch
    /// that the change is to be merged into]
    #[arg(long, value_name = "REVISION", conflicts_with_all = ["staged", "all"])]
    pub(super) since: Option<String>,
    /// Judge what is staged for the next commit
    #[arg(long, conflicts_with = "all")]
    pub(super) staged: bool,
    /// Judge every migration
    #[arg(long)]
    pub(super) all: bool,
    /// Switch on codes or categories that are off by default; `all` for everything
    #[arg(long, value_name = "CODE|CATEGORY", value_delimiter = ',')]
    pub(super) select: Vec<String>,
    /// Switch off codes or categories
    #[arg(long, value_name = "CODE|CATEGORY", value_delimiter = ',')]
    pub(super) ignore: Vec<String>,
    /// The PostgreSQL major version that the migrations run on, 12 to 18 [default: 18]
    #[arg(long, value_name = "MAJOR", value_parser = clap::value_parser!(u16).range(12..=18))]
    pub(super) postgres_version: Option<u16>,
    /// Each migration runs in a transaction (true), or statement by statement (false); by default what the
    /// file itself says counts
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub(super) assume_in_transaction: Option<bool>,
    /// The tool that runs the migrations, when it isn't recognised: flyway, goose, sqlx, psql …
    #[arg(long, value_name = "TOOL")]
    pub(super) runner: Option<String>,
    /// Heed squawk's suppression comments too: -- squawk-ignore ban-drop-column
    #[arg(long)]
    pub(super) squawk_comments: bool,
    /// The schema before the first migration: a file of `pg_dump --schema-only`, or structure.sql
    #[arg(long, value_name = "FILE")]
    pub(super) schema: Option<PathBuf>,
    /// The database that the migrations are for: a file of `rollsafe snapshot`. What has run there is history; sizes
    /// are known, so that messages say how long and small relations stay quiet
    #[arg(long, value_name = "FILE")]
    pub(super) snapshot: Option<PathBuf>,
}

/// `--fail-on`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Errors only.
    Error,
    /// Warnings and errors.
    Warning,
    /// Anything.
    Notice,
    /// Never: report only.
    Never,
}

impl FailOn {
    /// The lowest severity that makes the exit code 1; `None`: none does.
    pub fn severity(self) -> Option<Severity> {
        match self {
            FailOn::Error => Some(Severity::Error),
            FailOn::Warning => Some(Severity::Warning),
            FailOn::Notice => Some(Severity::Notice),
            FailOn::Never => None,
        }
    }

    /// What is said of a word that is none of them.
    pub fn unknown(word: &str) -> String {
        let known: Vec<String> = FailOn::value_variants()
            .iter()
            .filter_map(|one| Some(one.to_possible_value()?.get_name().to_owned()))
            .collect();
        format!("unknown severity `{word}`: use one of {}", known.join(", "))
    }

    /// Whether a finding of this severity makes the exit code 1.
    pub fn fails(self, severity: Severity) -> bool {
        match self {
            FailOn::Error => severity >= Severity::Error,
            FailOn::Warning => severity >= Severity::Warning,
            FailOn::Notice => true,
            FailOn::Never => false,
        }
    }
}

/// Runs it.
pub fn run(
    arguments: &LintArgs,
    loaded: &Loaded,
    style: Style,
    out: Option<&mut dyn std::io::Write>,
) -> Outcome {
    let here = match std::env::current_dir() {
        Ok(here) => here,
        Err(error) => return Outcome::failed(format!("no working directory: {error}")),
    };
    let places = Places::of(&here);
    let judged = match arguments.output.check().and_then(|()| lint(arguments, loaded, &places)) {
        Ok(judged) => judged,
        Err(message) => return Outcome::failed(message),
    };
    let Judged { project, report, options, fail_on, sources, fixed } = judged;
    if let Some(differences) = fixed.as_ref().and_then(fix::Fixed::differences) {
        return differences;
    }
    let told = Report {
        command: "lint",
        findings: &report.findings,
        suppressed: &report.suppressed,
        sources: &sources,
        fails_from: fail_on.severity(),
        documents: &|code| document(code, &options.custom),
        places: &places,
        lint: Some(Linted {
            report: &report,
            postgres_version: options.rules.version,
            runner: project.runner(),
        }),
    };
    // Where the text is mended that standard input gave, standard output is for it.
    let delivered = arguments.output.deliver(&told, style, out.filter(|_| fixed.is_none()));
    let mut stderr: String = project
        .notes
        .iter()
        .chain(&report.notes)
        .chain(&delivered.notes)
        .map(|note| format!("note: {note}\n"))
        .collect();
    stderr.extend(delivered.failures.iter().map(|failure| format!("error: {failure}\n")));
    let code = match delivered.failures.is_empty() {
        true => u8::from(report.findings.iter().any(|finding| fail_on.fails(finding.severity))),
        // Whoever waits for the file has not been told.
        false => 2,
    };
    let outcome = Outcome { stdout: delivered.stdout, stderr, code };
    match fixed {
        Some(fixed) => fixed.told(outcome, &report),
        None => outcome,
    }
}

/// What was judged, and what came of it.
struct Judged {
    project: Project,
    report: LintReport,
    options: LintOptions,
    fail_on: FailOn,
    sources: Sources,
    fixed: Option<fix::Fixed>,
}

fn lint(arguments: &LintArgs, loaded: &Loaded, places: &Places) -> Result<Judged, String> {
    let mut scope = arguments.scope.clone();
    // A baseline is about all that is there.
    scope.all |=
        arguments.baseline.writes() && scope.paths.is_empty() && scope.since.is_none() && !scope.staged;
    let (mut request, options, notes) = asked(&scope, loaded)?;
    let fail_on = match (arguments.fail_on, loaded.config.lint.fail_on.as_deref()) {
        (Some(flag), _) => flag,
        (None, Some(word)) => {
            FailOn::from_str(word, true).map_err(|_| format!("lint.fail-on: {}", FailOn::unknown(word)))?
        }
        (None, None) => FailOn::Error,
    };
    let configured = loaded.config.lint.baseline.as_ref().map(|path| base_of(loaded).join(path));
    let configured =
        configured.map(|path| path.strip_prefix(&places.here).map(PathBuf::from).unwrap_or(path));
    let look = |request: &Request, notes: Vec<String>, writes: bool| {
        let mut project = gathered(request, &scope, loaded, notes)?;
        let mut report = judge(&project, &options);
        let mut sources = sources(&project, &report);
        if writes || !arguments.baseline.writes() {
            let configured = configured.clone();
            let note = arguments.baseline.apply(configured, &mut report, &mut sources, places, &options)?;
            project.notes.extend(note);
        }
        Ok::<_, String>((project, report, sources))
    };
    let fixed = match arguments.fix.wanted() {
        true => {
            let judge = |request: &Request| {
                look(request, Vec::new(), false).map(|(project, report, _)| (project, report))
            };
            let fixed = fix::mend(&arguments.fix, &scope.paths, &mut request, &judge)?;
            // The files hold something else now.
            request.ahead = ReadAhead::default();
            Some(fixed)
        }
        false => None,
    };
    let (project, report, sources) = look(&request, notes, true)?;
    Ok(Judged { project, report, options, fail_on, sources, fixed })
}

/// The baseline that the configuration names.
pub(super) fn baseline_of(loaded: &Loaded) -> Result<Option<crate::baseline::Baseline>, String> {
    let Some(path) = loaded.config.lint.baseline.as_ref() else { return Ok(None) };
    crate::baseline::Baseline::read(&base_of(loaded).join(path)).map(Some).map_err(|error| error.to_string())
}

/// The folder that paths in the configuration are relative to.
fn base_of(loaded: &Loaded) -> PathBuf {
    loaded.path.as_deref().and_then(std::path::Path::parent).map(PathBuf::from).unwrap_or_default()
}

/// Lints what is judged of a project.
pub(super) fn judge(project: &Project, options: &LintOptions) -> LintReport {
    let mut report = LintReport::default();
    for part in &project.parts {
        let with_ledger = options.live.as_ref().and_then(|live| live.with_ledger(part));
        let has_ledger = with_ledger.is_some();
        let of_part = with_ledger.map(|(live, told)| {
            report.notes.push(told);
            LintOptions { live: Some(Arc::new(live)), ..options.clone() }
        });
        let of_part = of_part.as_ref().unwrap_or(options);
        let mut found = lint::lint(&part.migrations, of_part);
        if found.findings.iter().any(|finding| finding.code == relation_missing::RULE.code) {
            let elsewhere = made_elsewhere(part);
            if !elsewhere.is_empty() {
                let options = LintOptions { elsewhere: Arc::new(elsewhere), ..of_part.clone() };
                found = lint::lint(&part.migrations, &options);
            }
        }
        if found.applied > 0 {
            let count = crate::report::terminal::counted(found.applied, "migration");
            report.notes.push(if has_ledger {
                format!("not judged: {count} of the change that the database of the snapshot has run already")
            } else {
                format!(
                    "not judged: {count} that the database of the snapshot seems to have run already (the snapshot holds no \
                     ledger of the migration tool; its schema is nearest to the one behind them)"
                )
            });
        }
        report.append(found);
    }
    tell_small(&mut report, &options.rules);
    add_problems(project, &mut report);
    add_deleted(project, options, &mut report);
    report
}

/// The relations that the repository's other folders make: they may run on the same database. Looked for only where
/// something is missing.
fn made_elsewhere(part: &Part) -> FxHashSet<QName> {
    let names = |migrations: &Vec<Migration>| {
        let made = lint::replay(migrations);
        made.relations_unsorted().map(|relation| relation.name.clone()).collect::<Vec<_>>()
    };
    project::elsewhere(part).iter().flat_map(names).collect()
}

/// What sizes keep quiet is said once.
fn tell_small(report: &mut LintReport, rules: &RuleOptions) {
    if report.small == 0 {
        return;
    }
    let count = crate::report::terminal::counted(report.small, "finding");
    let (rows, bytes) = (amount::grouped(rules.small_rows), amount::bytes(rules.small_bytes));
    let become_what = match rules.small_relations {
        SmallRelations::Quiet => "not told",
        SmallRelations::Lower => "told a severity lower",
    };
    report.notes.push(format!(
        "{count} {become_what}: the relations have fewer than {rows} rows and {bytes} (lint.small-rows, lint.small-bytes)"
    ));
}

/// Finds and reads the migrations, and says how to judge them.
pub(super) fn gather(arguments: &Scope, loaded: &Loaded) -> Result<(Project, LintOptions), String> {
    let (request, options, notes) = asked(arguments, loaded)?;
    Ok((gathered(&request, arguments, loaded, notes)?, options))
}

pub(super) fn gathered(
    request: &Request,
    arguments: &Scope,
    loaded: &Loaded,
    mut notes: Vec<String>,
) -> Result<Project, String> {
    let mut project = project::gather(request).map_err(|error| match &loaded.path {
        Some(file) if arguments.paths.is_empty() && !loaded.config.project.migrations.is_empty() => {
            format!("{}: project.migrations: {error}", file.display())
        }
        _ => error.to_string(),
    })?;
    if arguments.paths.is_empty() {
        project.describe().for_each(|line| notes.push(line));
    }
    notes.append(&mut project.notes);
    project.notes = notes;
    let here = std::env::current_dir().map_err(|error| format!("no working directory: {error}"))?;
    exclude(&mut project, &loaded.config.lint.exclude, &base_of(loaded), &Places::of(&here))?;
    Ok(project)
}

/// What to look at and how to judge it, with what people should know of that.
fn asked(arguments: &Scope, loaded: &Loaded) -> Result<(Request, LintOptions, Vec<String>), String> {
    asked_of(arguments, loaded, None)
}

/// The same; `text` is what `-` stands for, where standard input is something else.
pub(super) fn asked_of(
    arguments: &Scope,
    loaded: &Loaded,
    text: Option<Vec<u8>>,
) -> Result<(Request, LintOptions, Vec<String>), String> {
    let config = &loaded.config;
    // Paths in the configuration are relative to its file.
    let base = base_of(loaded);
    let relative = |path: &PathBuf| match std::env::current_dir() {
        Ok(here) => {
            base.join(path).strip_prefix(&here).map(PathBuf::from).unwrap_or_else(|_| base.join(path))
        }
        Err(_) => base.join(path),
    };
    let by_change =
        arguments.since.is_some() || arguments.staged || (arguments.paths.is_empty() && !arguments.all);
    let mut notes = Vec::new();
    let mut of_change = Vec::new();
    let looked = || -> Result<_, String> {
        if !arguments.paths.is_empty() {
            return Ok((arguments.paths.clone(), Vec::new()));
        }
        if !config.project.migrations.is_empty() {
            return Ok((config.project.migrations.iter().map(relative).collect(), Vec::new()));
        }
        let survey = project::survey(std::path::Path::new(".")).map_err(|error| error.to_string())?;
        if survey.folders.is_empty() {
            return Err(no_migrations(&survey.notes));
        }
        Ok((survey.folders, survey.notes))
    };
    // git's processes take as long as the folders take to look through and to read.
    let is_known = &AtomicBool::new(false);
    let (looked, ahead, changed) = std::thread::scope(|scope| {
        let changed = by_change.then(|| {
            scope.spawn(|| {
                let changed = change(arguments, &mut of_change);
                is_known.store(true, Ordering::Relaxed);
                changed
            })
        });
        let looked = looked();
        let ahead = match (&looked, &changed) {
            (Ok((folders, _)), Some(_)) => ReadAhead::of(folders, is_known),
            _ => ReadAhead::default(),
        };
        let changed =
            changed.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        (looked, ahead, changed)
    });
    let (paths, mut of_survey): (Vec<PathBuf>, Vec<String>) = looked?;
    let changed = changed.unwrap_or_else(|| Ok(Changed::default()))?;
    notes.append(&mut of_survey);
    notes.append(&mut of_change);
    let stdin = match text {
        Some(text) => Some(text),
        None if paths.iter().any(|path| path.as_os_str() == "-") => Some(super::read_stdin()?),
        None => None,
    };
    let request = Request {
        apart: arguments.paths.is_empty(),
        paths,
        stdin,
        assume_in_transaction: arguments.assume_in_transaction.or(config.project.assume_in_transaction),
        runner: match arguments.runner.as_ref().or(config.project.runner.as_ref()) {
            Some(name) => Some(runner(name)?),
            None => None,
        },
        changed: changed.files,
        renamed: changed.renamed,
        deleted: changed.deleted,
        texts: changed.texts,
        ahead,
    };
    let here = std::env::current_dir().map_err(|error| format!("no working directory: {error}"))?;
    let places = Places::of(&here);
    let options = options(arguments, loaded, &base, &places, &relative)?;
    Ok((request, options, notes))
}

/// Makes history of the migrations that the configuration excludes.
fn exclude(
    project: &mut Project,
    patterns: &[String],
    base: &std::path::Path,
    places: &Places,
) -> Result<(), String> {
    let excluded = Patterns::new(patterns, base, places).map_err(|error| format!("lint.exclude: {error}"))?;
    let mut count = 0;
    for migration in project.parts.iter_mut().flat_map(|part| &mut part.migrations) {
        if migration.judged && excluded.matches(&migration.path) {
            migration.judged = false;
            count += 1;
        }
    }
    project.deleted.retain(|path| !excluded.matches(path));
    if count > 0 {
        project.notes.push(format!(
            "{} excluded by lint.exclude, and so history",
            crate::report::terminal::counted(count, "migration")
        ));
    }
    Ok(())
}

fn no_migrations(notes: &[String]) -> String {
    let mut message = "no migrations in SQL found here: name files or folders, or set `migrations` under [project] in rollsafe.toml"
        .to_owned();
    for note in notes {
        message.push_str("\n  ");
        message.push_str(note);
    }
    message
}

/// What the change at hand does to files, by their paths from here.
#[derive(Default)]
struct Changed {
    /// Files that it adds and edits; `None`: nothing is known of a change.
    files: Option<BTreeMap<PathBuf, Change>>,
    /// What those that have another name now were called.
    renamed: BTreeMap<PathBuf, PathBuf>,
    /// Files that it takes away.
    deleted: BTreeSet<PathBuf>,
    /// Staged texts.
    texts: HashMap<PathBuf, Vec<u8>>,
}

fn change(arguments: &Scope, notes: &mut Vec<String>) -> Result<Changed, String> {
    let selection = match (&arguments.since, arguments.staged) {
        (Some(revision), _) => Selection::Since(revision.clone()),
        (None, true) => Selection::Staged,
        (None, false) => Selection::Branch,
    };
    let here = std::env::current_dir().map_err(|error| format!("no working directory: {error}"))?;
    let mut found = match git::changes(&here, &selection) {
        Ok(found) => found,
        // Outside a repository there is no change to be had: everything is judged.
        Err(GitError::NoRepository) if selection == Selection::Branch => {
            notes.push("not in a git repository: every migration is judged".to_owned());
            return Ok(Changed::default());
        }
        Err(error) => return Err(error.to_string()),
    };
    // Paths from here, as the project sees them.
    let prefix = here.strip_prefix(&found.root).map(PathBuf::from).unwrap_or_default();
    let here_of = |path: &PathBuf| {
        path.strip_prefix(&prefix).map(PathBuf::from).unwrap_or_else(|_| found.root.join(path))
    };
    let mut changed = BTreeMap::new();
    let mut texts = HashMap::new();
    let mut deleted = BTreeSet::new();
    for (path, status) in &found.files {
        let from_here = here_of(path);
        let change = match status {
            Status::Added => Change::Added,
            Status::Edited => Change::Edited,
            Status::Deleted => {
                deleted.insert(from_here);
                continue;
            }
        };
        if let Some(text) = found.staged.remove(path) {
            texts.insert(from_here.clone(), text);
        }
        changed.insert(from_here, change);
    }
    if !deleted.is_empty() {
        let shown: Vec<String> = deleted.iter().map(|path| path.display().to_string()).collect();
        notes.push(format!("deleted since {}: {}", found.base.told(), shown.join(", ")));
    }
    if changed.is_empty() && deleted.is_empty() {
        notes.push(format!(
            "no SQL file has changed since {}; --all judges every migration",
            found.base.told()
        ));
    }
    let renamed = found.renamed.iter().map(|(new, old)| (here_of(new), here_of(old))).collect();
    Ok(Changed { files: Some(changed), renamed, deleted, texts })
}

fn options(
    arguments: &Scope,
    loaded: &Loaded,
    base: &std::path::Path,
    places: &Places,
    relative: &dyn Fn(&PathBuf) -> PathBuf,
) -> Result<LintOptions, String> {
    let config = &loaded.config;
    let snapshot = arguments.snapshot.clone().or_else(|| config.project.snapshot.as_ref().map(relative));
    let snapshot = snapshot.map(|path| read_snapshot(&path)).transpose()?;
    let of_server = snapshot.as_ref().map(|snapshot| snapshot.server.major());
    let said = arguments.postgres_version.or(config.postgres_version).or(of_server);
    let version = said.unwrap_or(RuleOptions::default().version);
    if !(12..=18).contains(&version) {
        return Err(format!("postgres-version = {version}: only 12 to 18 are known"));
    }
    let mut rules = RuleOptions { version, version_is_known: said.is_some(), ..RuleOptions::default() };
    if let Some(longest) = &config.lint.longest_lock_timeout {
        rules.longest_lock_timeout = session::milliseconds(longest)
            .ok_or_else(|| format!("lint.longest-lock-timeout: `{longest}` is no time; write \"60s\""))?;
    }
    rules.small_rows = config.lint.small_rows.unwrap_or(rules.small_rows);

    let mut severities = Severities::default();
    for word in config.lint.select.iter().chain(&arguments.select) {
        severities.select(&config.code_or_category(word)?);
    }
    for word in &config.lint.ignore {
        severities.set(&config.code_or_category(word)?, None);
    }
    for (word, severity) in &config.lint.rules {
        severities.set(&config.code_or_category(word)?, config::severity_or_off(severity)?);
    }
    for word in &arguments.ignore {
        severities.ignore(&config.code_or_category(word)?);
    }
    for one in &config.lint.overrides {
        let patterns = |written: &[String]| {
            Patterns::new(written, base, places).map_err(|error| format!("lint.overrides: {error}"))
        };
        let (meant, except) = (patterns(&one.paths)?, patterns(&one.exclude)?);
        for (word, severity) in &one.rules {
            severities.set_for(
                &meant,
                &except,
                &config.code_or_category(word)?,
                config::severity_or_off(severity)?,
            );
        }
    }

    rules.small_bytes = match &config.lint.small_bytes {
        Some(text) => parse_size(text).map_err(|error| format!("lint.small-bytes: {error}"))?,
        None => rules.small_bytes,
    };
    rules.small_relations = match config.lint.small_relations.as_deref() {
        None | Some("quiet") => SmallRelations::Quiet,
        Some("lower") => SmallRelations::Lower,
        Some(other) => return Err(format!("lint.small-relations: `{other}`: use quiet or lower")),
    };
    if let Some(text) = &config.lint.throughput {
        rules.throughput = parse_size(text).map_err(|error| format!("lint.throughput: {error}"))?;
        if rules.throughput == 0 {
            return Err("lint.throughput: nothing a second takes for ever; write \"100MB\"".to_owned());
        }
    }
    rules.demand = snapshot.as_ref().and_then(|it| it.queries.as_ref()).map(|it| Arc::new(Demand::of(it)));
    let live = snapshot.as_ref().map(|snapshot| Arc::new(Live::of(snapshot)));

    let schema = match arguments.schema.clone().or_else(|| config.project.schema.as_ref().map(relative)) {
        Some(path) => Some(read_schema(path)?),
        None => None,
    };
    Ok(LintOptions {
        rules,
        severities,
        schema,
        squawk_comments: arguments.squawk_comments || config.lint.squawk_comments.unwrap_or(false),
        custom: config.custom_rules()?,
        elsewhere: Arc::default(),
        live,
    })
}

fn read_snapshot(path: &std::path::Path) -> Result<Snapshot, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("can't read {}: {error}", path.display()))?;
    Snapshot::from_json(&bytes).map_err(|error| format!("{}: {error}", path.display()))
}

fn read_schema(path: PathBuf) -> Result<Catalog, String> {
    let bytes = std::fs::read(&path).map_err(|error| format!("can't read {}: {error}", path.display()))?;
    let migration: Migration = project::history_of(path, bytes);
    Ok(lint::replay(&[migration]))
}

fn runner(name: &str) -> Result<&'static Runner, String> {
    runners::runner(name).ok_or_else(|| {
        let known: Vec<&str> = runners::RUNNERS.iter().map(|runner| runner.name).collect();
        match nearest(name, known.iter().copied()) {
            Some(near) => format!("there is no runner `{name}`; did you mean `{near}`?"),
            None => format!("there is no runner `{name}`; known are {}", known.join(", ")),
        }
    })
}

fn migrations(project: &Project) -> impl Iterator<Item = &Migration> {
    project.parts.iter().flat_map(|part| &part.migrations)
}

/// The texts that findings stand in.
fn sources(project: &Project, report: &LintReport) -> Sources {
    let found = report.findings.iter().chain(report.suppressed.iter().map(|one| &one.finding));
    let paths: FxHashSet<&OsStr> = found.filter_map(|one| Some(one.path.as_ref()?.as_os_str())).collect();
    migrations(project)
        .filter(|one| paths.contains(one.path.as_os_str()))
        .map(|one| (one.path.clone(), one.source.clone()))
        .collect()
}

/// Files that are no text are findings as well.
fn add_problems(project: &Project, report: &mut LintReport) {
    for (path, span, message) in &project.problems {
        let text = migrations(project).find(|m| m.path == *path).map(|m| m.text.clone()).unwrap_or_default();
        let location = LineIndex::new(&text).location(&text, *span);
        let finding = Finding {
            code: "syntax_error".into(),
            category: Category::Correctness,
            severity: Severity::Error,
            path: Some(path.as_path().into()),
            span: Some(location),
            object: None,
            message: message.clone(),
            help: None,
            fix: None,
        };
        // What can't be read at that very byte is said with it.
        report.findings.retain(|one| {
            let at = one
                .span
                .is_some_and(|it| it.start <= location.start && location.start < it.end.max(it.start + 1));
            one.code != "syntax_error" || one.path.as_deref() != Some(path.as_path()) || !at
        });
        let at = report
            .findings
            .iter()
            .position(|f| f.path.as_deref() == Some(path.as_path()))
            .unwrap_or(report.findings.len());
        report.findings.insert(at, finding);
    }
}

/// Migrations that are gone are findings as well: told once for a folder.
fn add_deleted(project: &Project, options: &LintOptions, report: &mut LintReport) {
    let rule = &applied_migration_edited::RULE;
    let Some(facts) = crate::pages::facts(rule.page) else { return };
    let mut folders: BTreeMap<(Option<&std::path::Path>, Severity), Vec<&PathBuf>> = BTreeMap::new();
    for path in &project.deleted {
        let severity = options.severities.in_file(path, rule.code, facts.category, facts.severity);
        if let Some(severity) = severity {
            folders.entry((path.parent(), severity)).or_default().push(path);
        }
    }
    for ((_, severity), paths) in folders {
        let Some(first) = paths.first() else { continue };
        let shown: Vec<String> = paths.iter().take(3).map(|path| path.display().to_string()).collect();
        let more = match paths.len().saturating_sub(3) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (these, were, they) = match paths.len() {
            1 => ("this migration", "was", "it is"),
            _ => ("these migrations", "were", "they are"),
        };
        report.findings.push(Finding {
            code: rule.code.into(),
            category: facts.category,
            severity,
            path: Some(first.as_path().into()),
            span: None,
            object: None,
            message: format!(
                "{these} {were} there before the change at hand, and {they} gone: {}{more}; new databases differ from those \
                 that have run {}, and tools that look for what they have run refuse to go on",
                shown.join(", "),
                if paths.len() == 1 { "it" } else { "them" }
            ),
            help: Some(
                "Put the file back, and undo what it did in a new migration. Where older migrations are folded into one on \
                 purpose, say so in rollsafe.toml: [[lint.overrides]] with their paths and applied_migration_edited = \"off\"."
                    .into(),
            ),
            fix: None,
        });
    }
}
