//! The project: which files are migrations, in which order, which way each goes and how it is run.

mod detect;
pub mod ledger;
mod order;
pub mod runner;
pub mod runners;
mod sections;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use thiserror::Error;
use walkdir::WalkDir;

use super::migration::{Direction, Migration};
use super::rules::{Change, RunFacts};
use crate::source::Span;

pub use detect::Detected;
use runner::{Around, Named, Order, Runner, Sections, Switch, Unit};

/// Larger files are refused: a span counts bytes in 32 bits.
const LARGEST: u64 = u32::MAX as u64;

/// What is to be linted.
#[derive(Clone, Default)]
pub struct Request {
    /// Files, folders and globs, as given; `-` is standard input, whose text is in `stdin`. Empty: what the
    /// repository around `here` holds.
    pub paths: Vec<PathBuf>,
    /// The text of standard input.
    pub stdin: Option<Vec<u8>>,
    /// Every migration runs in one transaction of its own (`Some(true)`), or statement by statement
    /// (`Some(false)`), whatever the files say.
    pub assume_in_transaction: Option<bool>,
    /// The tool, whatever the files say.
    pub runner: Option<&'static Runner>,
    /// Only these files are judged, the others are history; `None`: all that `paths` mean.
    pub changed: Option<BTreeMap<PathBuf, Change>>,
    /// Texts to take in place of what the files hold.
    pub texts: HashMap<PathBuf, Vec<u8>>,
}

/// The migrations of one folder, in order.
#[derive(Clone, Default)]
pub struct Part {
    /// The migrations folder; empty for standard input.
    pub root: PathBuf,
    /// The tool, and what gave it away, where it is known.
    pub runner: Option<Detected>,
    /// In the order in which they run.
    pub migrations: Vec<Migration>,
}

/// The migrations, folder by folder, and what was noticed while gathering them.
#[derive(Clone, Default)]
pub struct Project {
    /// Each folder has its own history.
    pub parts: Vec<Part>,
    /// Text that isn't as SQL files are: (file, place, message), each a finding.
    pub problems: Vec<(PathBuf, Span, String)>,
    /// What was left aside, for people to know.
    pub notes: Vec<String>,
}

impl Project {
    /// The runner, where it is known and the same everywhere.
    pub fn runner(&self) -> Option<&'static str> {
        let mut names = self.parts.iter().map(|part| part.runner.map(|found| found.runner.name));
        let first = names.next()??;
        names.all(|name| name == Some(first)).then_some(first)
    }
}

/// Why no project could be gathered.
#[derive(Debug, Error)]
pub enum ProjectError {
    /// Nothing there.
    #[error("no such file or folder: {0}")]
    Missing(PathBuf),
    /// A file or folder that can't be read.
    #[error("can't read {path}: {error}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A pattern that can't be one.
    #[error("bad pattern {pattern}: {error}")]
    Pattern {
        /// As given.
        pattern: String,
        /// Why.
        error: globset::Error,
    },
    /// A pattern or folder without SQL files.
    #[error("no .sql files in {0}")]
    NoSql(PathBuf),
    /// Over 4 GiB.
    #[error("{0} is larger than 4 GiB")]
    TooLarge(PathBuf),
}

/// Finds and reads the migrations.
///
/// # Errors
/// When a path is missing or unreadable, or holds no SQL: what was not looked at never passes.
pub fn gather(request: &Request) -> Result<Project, ProjectError> {
    let mut project = Project::default();
    // Folder → files in it, with whether each is judged.
    let mut folders: BTreeMap<PathBuf, BTreeMap<PathBuf, bool>> = BTreeMap::new();
    for path in request.paths.iter().filter(|path| path.as_os_str() != "-") {
        for file in find(path)? {
            let root = root_of(&file);
            folders.entry(root).or_default().insert(file, true);
        }
    }
    if let Some(changed) = &request.changed {
        for files in folders.values_mut() {
            for (file, judged) in files {
                *judged = changed.contains_key(file);
            }
        }
        // Nothing of a folder is asked about: it needn't be read.
        folders.retain(|_, files| files.values().any(|judged| *judged));
    }
    // A file given alone has its neighbours as history.
    for path in request.paths.iter().filter(|path| path.is_file()) {
        let root = root_of(path);
        let versioned = path
            .strip_prefix(&root)
            .ok()
            .and_then(|relative| relative.components().next())
            .is_some_and(|first| order::is_versioned(&first.as_os_str().to_string_lossy()));
        let known = versioned
            || top_of(&root).is_some_and(|top| detect_in(&root, &top, &[relative_to(path, &root)]).is_some());
        if known {
            let here = if root.as_os_str().is_empty() { Path::new(".") } else { &root };
            for neighbour in walk(here)? {
                let neighbour = neighbour.strip_prefix("./").map(Path::to_owned).unwrap_or(neighbour);
                if root_of(&neighbour) == root {
                    folders.entry(root.clone()).or_default().entry(neighbour).or_insert(false);
                }
            }
        }
    }
    let mut plain: BTreeMap<PathBuf, bool> = BTreeMap::new();
    for (root, files) in folders {
        let relative: Vec<String> = files.keys().map(|file| relative_to(file, &root)).collect();
        let top = top_of(&root).unwrap_or_else(|| root.clone());
        let runner = match request.runner {
            Some(runner) => Some(Detected { runner, because: "--runner", certain: true }),
            None => detect_in(&root, &top, &relative),
        };
        match runner {
            Some(runner) => {
                let part = with_runner(root, files, runner, request, &mut project)?;
                project.parts.push(part);
            }
            // Folders that nothing ties to a tool are one history, in the order of their paths.
            None => plain.extend(files),
        }
    }
    if !plain.is_empty() {
        let part = without_runner(plain, request, &mut project)?;
        project.parts.push(part);
    }
    if let Some(stdin) = &request.stdin {
        let path = PathBuf::from("<stdin>");
        let (text, problem) = decode(stdin.clone());
        project.problems.extend(problem.map(|(span, message)| (path.clone(), span, message)));
        let runner = request.runner.map(|runner| Detected { runner, because: "--runner", certain: true });
        let mut part = Part { runner, ..Part::default() };
        match runner {
            Some(found) => add(&mut part, path, "<stdin>", text, true, found.runner, None, request),
            None => add_plain(&mut part, path, text, true, request),
        }
        pair(&mut part.migrations);
        project.parts.push(part);
    }
    Ok(project)
}

/// A text that is no file of a project, as one migration that has run: `--schema`.
pub fn history_of(path: PathBuf, bytes: Vec<u8>) -> Migration {
    let (text, _) = decode(bytes);
    let mut migration = Migration::whole(path, text);
    migration.judged = false;
    migration.runner_known = true;
    migration
}

fn detect_in(root: &Path, top: &Path, files: &[String]) -> Option<Detected> {
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    detect::detect(&detect::Folder { root: &root, top, files })
}

/// The root of the repository around a folder, as an absolute path.
fn top_of(root: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(root).ok()?;
    let top = absolute.ancestors().find(|above| above.join(".git").exists());
    Some(top.map(Path::to_owned).unwrap_or(absolute))
}

fn relative_to(file: &Path, root: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).to_string_lossy().replace('\\', "/")
}

/// The migrations folder that a file belongs to.
fn root_of(file: &Path) -> PathBuf {
    let parent = file.parent().map(Path::to_owned).unwrap_or_default();
    let name =
        |path: &Path| path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let file_name = name(file);
    let nested = matches!(file_name.as_str(), "up.sql" | "down.sql" | "migration.sql")
        && order::is_versioned(&name(&parent));
    if nested {
        return parent.parent().map(Path::to_owned).unwrap_or_default();
    }
    if matches!(name(&parent).as_str(), "deploy" | "revert" | "verify")
        && let Some(above) = parent.parent().filter(|above| above.join("sqitch.plan").is_file())
    {
        return above.to_owned();
    }
    // Versions sorted into folders below `migrations`: one history. Folders of a dialect are apart.
    let mut below: Vec<String> = Vec::new();
    for above in parent.ancestors().take(4) {
        let folder = name(above);
        if below.iter().any(|folder| is_dialect(folder)) {
            break;
        }
        if matches!(folder.as_str(), "migration" | "migrations")
            && below
                .iter()
                .all(|folder| order::is_versioned(folder) || folder.bytes().all(|b| b.is_ascii_digit()))
        {
            return above.to_owned();
        }
        below.push(folder);
    }
    parent
}

fn is_dialect(folder: &str) -> bool {
    OTHER_DIALECTS.contains(&folder) || matches!(folder, "postgres" | "postgresql" | "pg")
}

/// Databases that aren't PostgreSQL, as folders and infixes of file names are called after them.
const OTHER_DIALECTS: [&str; 11] = [
    "sqlite",
    "sqlite3",
    "mysql",
    "mariadb",
    "clickhouse",
    "mssql",
    "sqlserver",
    "oracle",
    "cockroach",
    "cockroachdb",
    "duckdb",
];

/// The other database that a path says its SQL is for.
fn other_dialect(relative: &Path) -> Option<&'static str> {
    let lower = relative.to_string_lossy().to_lowercase();
    let words =
        |text: &str| text.split(['/', '\\', '.', '_', '-']).map(str::to_owned).collect::<Vec<String>>();
    let folders =
        relative.parent().map(|parent| words(&parent.to_string_lossy().to_lowercase())).unwrap_or_default();
    OTHER_DIALECTS
        .into_iter()
        .find(|dialect| folders.iter().any(|word| word == dialect) || lower.contains(&format!(".{dialect}.")))
}

/// The migrations of a folder whose tool is known.
fn with_runner(
    root: PathBuf,
    files: BTreeMap<PathBuf, bool>,
    found: Detected,
    request: &Request,
    project: &mut Project,
) -> Result<Part, ProjectError> {
    let runner = found.runner;
    let mut named: Vec<(PathBuf, String, Named, bool)> = Vec::new();
    let mut left: Vec<PathBuf> = Vec::new();
    let mut foreign: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (file, judged) in files {
        let relative = relative_to(&file, &root);
        if let Some(dialect) = other_dialect(&file) {
            *foreign.entry(dialect).or_default() += 1;
            continue;
        }
        match (runner.named)(&relative) {
            Some(name) => named.push((file, relative, name, judged)),
            None => left.push(file),
        }
    }
    match runner.order {
        Order::Listed(list) => {
            let listed = list(if root.as_os_str().is_empty() { Path::new(".") } else { &root });
            if let Some(listed) = listed {
                let places: std::collections::HashMap<&str, usize> =
                    listed.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
                let down_of = |relative: &str| relative.replacen("revert/", "deploy/", 1);
                named.retain(|(file, relative, ..)| {
                    let known =
                        places.contains_key(relative.as_str()) || places.contains_key(&*down_of(relative));
                    if !known {
                        left.push(file.clone());
                    }
                    known
                });
                named.sort_by_key(|(_, relative, ..)| {
                    places.get(relative.as_str()).or_else(|| places.get(&*down_of(relative))).copied()
                });
            }
        }
        Order::Text => named.sort_by(|a, b| a.1.cmp(&b.1)),
        Order::Number => {
            named.sort_by(|a, b| {
                order::by_number(&a.2.version, &b.2.version).then_with(|| order::natural(&a.1, &b.1))
            });
        }
        Order::Dotted => {
            named.sort_by(|a, b| {
                let late = |direction| direction == Direction::Repeatable;
                late(a.2.direction)
                    .cmp(&late(b.2.direction))
                    .then_with(|| order::by_parts(&a.2.version, &b.2.version))
                    .then_with(|| order::natural(&a.1, &b.1))
            });
        }
    }
    for (dialect, count) in foreign {
        project.notes.push(format!(
            "{count} files of {} are for {dialect} by their names and were left alone",
            root.display()
        ));
    }
    if !left.is_empty() {
        let shown: Vec<String> = left.iter().take(3).map(|file| file.display().to_string()).collect();
        let more = if left.len() > 3 { format!(" and {} more", left.len() - 3) } else { String::new() };
        project.notes.push(format!(
            "left aside, since {} doesn't run files of such names: {}{more}",
            runner.title,
            shown.join(", ")
        ));
    }
    let mut part = Part { root, runner: Some(found), migrations: Vec::new() };
    let texts: Vec<_> = named.par_iter().map(|(file, ..)| text_of(file, request)).collect();
    for ((file, relative, name, judged), text) in named.into_iter().zip(texts) {
        let (text, problem) = text?;
        project
            .problems
            .extend(problem.filter(|_| judged).map(|(span, message)| (file.clone(), span, message)));
        add(&mut part, file, &relative, text, judged, runner, Some(name), request);
    }
    pair(&mut part.migrations);
    mark_changes(&mut part.migrations, request);
    Ok(part)
}

/// Notes how the change at hand came by each file.
fn mark_changes(migrations: &mut [Migration], request: &Request) {
    let Some(changed) = &request.changed else { return };
    for migration in migrations {
        migration.change = changed.get(&migration.path).copied();
        // A repeatable migration is meant to be edited.
        if migration.direction == Direction::Repeatable && migration.change == Some(Change::Edited) {
            migration.change = None;
        }
    }
}

/// Files of which nothing says how they are run, in natural order of their paths.
fn without_runner(
    files: BTreeMap<PathBuf, bool>,
    request: &Request,
    project: &mut Project,
) -> Result<Part, ProjectError> {
    let mut files: Vec<(PathBuf, bool)> = files.into_iter().collect();
    files.sort_by(|a, b| order::compare(&a.0, &b.0));
    let mut part = Part::default();
    let texts: Vec<_> = files.par_iter().map(|(path, _)| text_of(path, request)).collect();
    for ((path, judged), text) in files.into_iter().zip(texts) {
        let (text, problem) = text?;
        project
            .problems
            .extend(problem.filter(|_| judged).map(|(span, message)| (path.clone(), span, message)));
        add_plain(&mut part, path, text, judged, request);
    }
    pair(&mut part.migrations);
    mark_changes(&mut part.migrations, request);
    Ok(part)
}

fn add_plain(part: &mut Part, path: PathBuf, text: Arc<str>, judged: bool, request: &Request) {
    let direction = order::direction_of(&path);
    let transaction = request.assume_in_transaction;
    let mut migration = Migration::whole(path, text);
    migration.direction = direction;
    migration.judged = judged;
    migration.runner_known = transaction.is_some();
    migration.run.down = direction == Direction::Down;
    migration.run.runner_transaction = transaction == Some(true);
    part.migrations.push(migration);
}

/// Adds the sections of a file.
#[allow(clippy::too_many_arguments)]
fn add(
    part: &mut Part,
    path: PathBuf,
    relative: &str,
    text: Arc<str>,
    judged: bool,
    runner: &'static Runner,
    name: Option<Named>,
    request: &Request,
) {
    let whole = name.as_ref().map_or(Direction::Up, |name| name.direction);
    // What the file itself switches; `Some(false)`: no transaction of the tool's.
    let mut switched: Option<bool> = None;
    let mut splits = false;
    let mut exits = None;
    let mut alone = None;
    for switch in runner.switch {
        match *switch {
            Switch::Prefix(prefix) => switched = switched.or(text.starts_with(prefix).then_some(false)),
            Switch::Line(is) => switched = switched.or(text.lines().any(is).then_some(false)),
            Switch::LineSplits(is) => {
                if text.lines().any(is) {
                    switched = Some(false);
                    splits = true;
                }
            }
            Switch::Path(is) => switched = switched.or(is(relative).then_some(false)),
            Switch::Beside(says) => switched = switched.or(says(&path)),
            Switch::Statements(is) => exits = Some(is),
            Switch::Alone(is) => alone = Some(is),
        }
    }
    if switched.is_some() {
        exits = None; // said outright, the tool doesn't look
    }
    let found = sections::cut(&text, runner.sections);
    let found: Vec<(sections::Section, Arc<str>)> = match runner.sections {
        Sections::Gathered(_) if found.len() > 1 => {
            sections::gather(&text, found).into_iter().map(|(section, kept)| (section, kept.into())).collect()
        }
        _ => found.into_iter().map(|section| (section, text.clone())).collect(),
    };
    for (section, kept) in found {
        let direction = section.direction.unwrap_or(whole);
        let around = match request.assume_in_transaction.or(section.transaction).or(switched) {
            Some(false) => Around::Nothing,
            Some(true) if runner.around == Around::Nothing => Around::Migration,
            _ => runner.around,
        };
        let unit = if splits { Unit::Statement } else { runner.unit };
        part.migrations.push(Migration {
            path: path.clone(),
            text: kept,
            source: text.clone(),
            chunks: sections::chunks(&text, section.range.clone(), unit),
            range: section.range,
            direction,
            undoes: None,
            run: RunFacts {
                runner: Some(runner.name),
                down: direction == Direction::Down,
                one_query: unit == Unit::Section,
                runner_transaction: around == Around::Migration,
                psql: runner.psql,
                one_transaction_for_all: around == Around::Run,
            },
            runner_known: true,
            judged,
            change: None,
            version: name.as_ref().map(|name| name.version.clone()).unwrap_or_default(),
            exits: exits.filter(|_| around != Around::Nothing),
            alone,
        });
    }
}

/// Ties down migrations to what they undo: the same file, the same version, or the same name.
fn pair(migrations: &mut [Migration]) {
    let mut by_stem: HashMap<PathBuf, usize> = HashMap::new();
    let mut by_version: HashMap<String, usize> = HashMap::new();
    for (index, migration) in migrations.iter().enumerate() {
        if matches!(migration.direction, Direction::Up) {
            by_stem.insert(order::stem(&migration.path), index);
            if !migration.version.is_empty() {
                by_version.insert(migration.version.clone(), index);
            }
        }
    }
    for migration in migrations.iter_mut().filter(|migration| migration.direction == Direction::Down) {
        let stem = order::stem(&migration.path);
        migration.undoes = by_stem.get(&stem).or_else(|| by_version.get(&migration.version)).copied();
    }
}

/// The SQL files that a path or pattern means.
fn find(path: &Path) -> Result<Vec<PathBuf>, ProjectError> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    if path.is_dir() {
        let found = walk(path)?;
        return if found.is_empty() { Err(ProjectError::NoSql(path.to_owned())) } else { Ok(found) };
    }
    let pattern = path.to_string_lossy();
    if !pattern.contains(['*', '?', '[', '{']) {
        return Err(ProjectError::Missing(path.to_owned()));
    }
    let glob = globset::GlobBuilder::new(pattern.trim_start_matches("./"))
        .literal_separator(true)
        .build()
        .map_err(|error| ProjectError::Pattern { pattern: pattern.to_string(), error })?
        .compile_matcher();
    // Only below the part before the first wildcard.
    let fixed: PathBuf = Path::new(pattern.as_ref())
        .components()
        .take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']))
        .collect();
    let root = if fixed.as_os_str().is_empty() { PathBuf::from(".") } else { fixed };
    let found: Vec<PathBuf> = walk(&root)?
        .into_iter()
        .map(|file| file.strip_prefix("./").map(Path::to_owned).unwrap_or(file))
        .filter(|file| glob.is_match(file))
        .collect();
    if found.is_empty() { Err(ProjectError::NoSql(path.to_owned())) } else { Ok(found) }
}

/// Migrations folders at or below `root`: folders whose SQL files a tool's configuration, markers or names claim,
/// or of which most are named like versions. Relative to `root`'s parent as given.
///
/// # Errors
/// When a folder can't be read.
pub fn discover(root: &Path) -> Result<Vec<PathBuf>, ProjectError> {
    let mut folders: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for file in walk(root)? {
        let file = file.strip_prefix("./").map(Path::to_owned).unwrap_or(file);
        let skipped = file.components().any(|part| {
            let part = part.as_os_str().to_string_lossy().to_lowercase();
            SKIPPED.contains(&part.as_str())
        });
        if !skipped && other_dialect(&file).is_none() {
            folders.entry(root_of(&file)).or_default().push(file);
        }
    }
    let top = top_of(root).unwrap_or_else(|| root.to_owned());
    let mut found = Vec::new();
    for (folder, files) in folders {
        let relative: Vec<String> = files.iter().map(|file| relative_to(file, &folder)).collect();
        let detected = detect_in(&folder, &top, &relative);
        let versioned = relative.iter().filter(|name| order::is_versioned(name)).count();
        let named = detected
            .map_or(0, |found| relative.iter().filter(|name| (found.runner.named)(name).is_some()).count());
        // A manifest above a folder of queries doesn't make migrations of them: most names must fit as well.
        let claimed = detected.is_some_and(|found| found.certain) && named > 0 || named * 2 > relative.len();
        if claimed || (versioned >= 2 && versioned * 2 > relative.len()) {
            found.push(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder });
        }
    }
    Ok(found)
}

/// Folders whose SQL is nobody's migration: dependencies, build results, test data.
const SKIPPED: [&str; 14] = [
    "node_modules",
    "vendor",
    "target",
    "dist",
    "build",
    "testdata",
    "test_data",
    "fixtures",
    "__fixtures__",
    "__tests__",
    "test",
    "tests",
    "examples",
    "seeds",
];

fn walk(root: &Path) -> Result<Vec<PathBuf>, ProjectError> {
    let mut found = Vec::new();
    let hidden = |entry: &walkdir::DirEntry| {
        entry.depth() > 0
            && entry.file_name().to_str().is_some_and(|name| name.starts_with('.') || name == "node_modules")
    };
    for entry in WalkDir::new(root).follow_links(false).into_iter().filter_entry(|entry| !hidden(entry)) {
        let entry = entry.map_err(|error| ProjectError::Unreadable {
            path: error.path().unwrap_or(root).to_owned(),
            error: error.into(),
        })?;
        let is_sql = entry.path().extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql"));
        if is_sql && !entry.file_type().is_dir() {
            found.push(entry.into_path());
        }
    }
    Ok(found)
}

/// The text of a file, and what is wrong with it.
type Read = (Arc<str>, Option<(Span, String)>);

fn text_of(path: &Path, request: &Request) -> Result<Read, ProjectError> {
    match request.texts.get(path) {
        Some(bytes) => Ok(decode(bytes.clone())),
        None => read(path),
    }
}

fn read(path: &Path) -> Result<Read, ProjectError> {
    let unreadable = |error| ProjectError::Unreadable { path: path.to_owned(), error };
    if std::fs::metadata(path).map_err(unreadable)?.len() > LARGEST {
        return Err(ProjectError::TooLarge(path.to_owned()));
    }
    Ok(decode(std::fs::read(path).map_err(unreadable)?))
}

/// Bytes as text, and what is wrong with them. Offsets stay those of the bytes: each byte that isn't UTF-8 becomes `?`.
fn decode(bytes: Vec<u8>) -> (Arc<str>, Option<(Span, String)>) {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        let little = bytes[0] == 0xFF; // two bytes are there: it starts with them
        let units = bytes[2..].chunks_exact(2).map(|pair| match (pair, little) {
            ([a, b], true) => u16::from_le_bytes([*a, *b]),
            ([a, b], false) => u16::from_be_bytes([*a, *b]),
            _ => 0,
        });
        let text: String =
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        let message = "the file is UTF-16, which PostgreSQL can't read; save it as UTF-8".to_owned();
        return (text.into(), Some((Span::at(0), message)));
    }
    match String::from_utf8(bytes) {
        Ok(text) => (text.into(), None),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            let wrong = bytes.get(at).copied().unwrap_or(0);
            let mut from = at;
            while let Err(error) = std::str::from_utf8(&bytes[from..]) {
                from += error.valid_up_to();
                bytes[from] = b'?'; // in bounds: the error is at this byte
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let message = format!(
                "byte 0x{wrong:02X} is not UTF-8: PostgreSQL would reject it, or store other characters than meant; save the file as UTF-8"
            );
            (text.into(), Some((Span::new(at, at + 1), message)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_keep_their_places() {
        let (text, problem) = decode(b"SELECT 'a\xE9b\xFF';".to_vec());
        assert_eq!(&*text, "SELECT 'a?b?';");
        assert_eq!(problem.unwrap().0, Span::new(9, 10));
        let (text, problem) = decode(vec![0xFF, 0xFE, b'a', 0, b'b', 0]);
        assert_eq!((&*text, problem.is_some()), ("ab", true));
    }
}
