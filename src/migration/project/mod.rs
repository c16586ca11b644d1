//! The project: which files are migrations, in which order, which way each goes and how it is run.

mod detect;
mod dialect;
mod elsewhere;
mod files;
mod folders;
pub mod ledger;
mod order;
pub mod runner;
pub mod runners;
pub mod sections;
mod text;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use thiserror::Error;

use super::migration::{Direction, Migration};
use super::rules::{Change, RunFacts};
use crate::source::Span;

pub use detect::Detected;
use dialect::LeftAlone;
use files::{Roots, bare, find, root_of, walk};
pub use files::{Survey, plain, survey};
use folders::{Files, Folders};
use runner::{Around, Named, Order, Runner, Sections, Switch, Unit};
pub use text::ReadAhead;
use text::{decode, text_of};

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
    /// Of the changed ones, those that have another name now: what they were called.
    pub renamed: BTreeMap<PathBuf, PathBuf>,
    /// Files that the change takes away.
    pub deleted: BTreeSet<PathBuf>,
    /// Texts to take in place of what the files hold.
    pub texts: HashMap<PathBuf, Vec<u8>>,
    /// What files hold, as far as it was read already.
    pub ahead: ReadAhead,
    /// Folders that no tool claims are histories of their own; else they are one, in the order of their paths.
    pub apart: bool,
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
    /// Whether the tool refuses files that mix what can and what can't run in a transaction; asked once.
    refuses_mixed: std::cell::OnceCell<bool>,
    /// Whether the tool runs all pending migrations in one transaction; asked once.
    is_grouped: std::cell::OnceCell<bool>,
    /// Whether the tool holds a transaction open on another connection; asked once.
    holds_open: std::cell::OnceCell<bool>,
    /// What lies in the folder itself; asked once.
    names: std::cell::OnceCell<FxHashSet<OsString>>,
}

/// The migrations, folder by folder, and what was noticed while gathering them.
#[derive(Clone, Default)]
pub struct Project {
    /// Each folder has its own history.
    pub parts: Vec<Part>,
    /// Text that isn't as SQL files are: (file, place, message), each a finding.
    pub problems: Vec<(PathBuf, Span, String)>,
    /// Migrations that were there before the change at hand, and whose version none has any more.
    pub deleted: Vec<PathBuf>,
    /// What was left aside, for people to know.
    pub notes: Vec<String>,
    /// Files for other databases.
    others: LeftAlone,
}

impl Project {
    /// The runner, where it is known and the same everywhere.
    pub fn runner(&self) -> Option<&'static str> {
        let mut names = self.parts.iter().map(|part| part.runner.map(|found| found.runner.name));
        let first = names.next()??;
        names.all(|name| name == Some(first)).then_some(first)
    }
}

impl Part {
    /// The folder, as people know it.
    pub fn place(&self) -> &Path {
        let place = match self.migrations.first() {
            Some(first) if self.root.as_os_str().is_empty() => first.path.parent().unwrap_or(Path::new("")),
            _ => &self.root,
        };
        if place.as_os_str().is_empty() { Path::new(".") } else { place }
    }

    /// The text of a file beside migrations, where there is one. A folder of a thousand migrations isn't asked a thousand
    /// times for what it doesn't hold.
    fn text_beside(&self, path: &Path) -> Option<String> {
        let names = || {
            let here = if self.root.as_os_str().is_empty() { Path::new(".") } else { &self.root };
            let listed = std::fs::read_dir(here).into_iter().flatten().flatten();
            listed.map(|entry| entry.file_name()).collect()
        };
        let (folder, name) = files::folder_and_name(path);
        let is_absent = folder == self.root && !self.names.get_or_init(names).contains(name);
        if is_absent { None } else { std::fs::read_to_string(path).ok() }
    }
}

impl Project {
    /// What each folder was taken for, for people to see whether it is right.
    pub fn describe(&self) -> impl Iterator<Item = String> {
        self.parts.iter().map(|part| {
            let forward = part.migrations.iter().filter(|migration| migration.direction != Direction::Down);
            let count = forward.clone().count();
            let judged = forward.filter(|migration| migration.judged).count();
            let s = if count == 1 { "" } else { "s" };
            let judged = if judged == count { String::new() } else { format!(", {judged} judged") };
            let place = part.place();
            match part.runner {
                Some(found) => format!(
                    "{}: {}, told by {}; {count} migration{s}{judged}",
                    place.display(),
                    found.runner.title,
                    found.because
                ),
                None => format!(
                    "{}: nothing tells which tool runs it (--runner names it); {count} migration{s}{judged}",
                    place.display()
                ),
            }
        })
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
    let paths: Vec<PathBuf> = request.paths.iter().map(|path| plain(path)).collect();
    let mut found = Folders::default();
    // Folders that are asked about as such, not only files in them.
    let mut whole: BTreeSet<PathBuf> = BTreeSet::new();
    let mut streams: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    for path in paths.iter().filter(|path| path.as_os_str() != "-") {
        if is_stream(path) {
            let bytes = std::fs::read(path)
                .map_err(|error| ProjectError::Unreadable { path: path.clone(), error })?;
            streams.push((path.clone(), bytes));
            continue;
        }
        let is_whole = !path.is_file();
        for file in request.ahead.found(path).map_or_else(|| find(path), Ok)? {
            if let Some(root) = found.add(file, true).filter(|_| is_whole) {
                whole.insert(root.to_owned());
            }
        }
    }
    let mut folders = found.sorted();
    let mut deleted: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    if let Some(changed) = &request.changed {
        let names: FxHashSet<&OsStr> = changed.keys().map(|path| path.as_os_str()).collect();
        for (file, judged) in folders.values_mut().flatten() {
            *judged = names.contains(file.as_os_str());
        }
        // A file that isn't among the migrations any more is as good as gone.
        let there: FxHashSet<&OsStr> = match request.renamed.is_empty() {
            true => FxHashSet::default(),
            false => folders.values().flatten().map(|(file, _)| file.as_os_str()).collect(),
        };
        let moved = request.renamed.iter().filter(|(new, _)| !there.contains(new.as_os_str()));
        let gone = moved.map(|(_, old)| old).chain(&request.deleted);
        for path in gone {
            let root = root_of(path);
            if whole.contains(&root) {
                deleted.entry(root).or_default().push(path.clone());
            }
        }
        // Nothing of a folder is asked about: it needn't be read.
        folders.retain(|root, files| files.iter().any(|(_, judged)| *judged) || deleted.contains_key(root));
    }
    // A file given alone has its neighbours as history.
    let mut with_neighbours: FxHashSet<PathBuf> = FxHashSet::default();
    let mut roots = Roots::default();
    for path in paths.iter().filter(|path| path.is_file()) {
        let root = root_of(path);
        if with_neighbours.contains(&root) {
            continue;
        }
        let versioned = path
            .strip_prefix(&root)
            .ok()
            .and_then(|relative| relative.components().next())
            .is_some_and(|first| order::is_versioned(&first.as_os_str().to_string_lossy()));
        let known = versioned
            || top_of(&root).is_some_and(|top| detect_in(&root, &top, &[relative_to(path, &root)]).is_some());
        if known {
            let here = if root.as_os_str().is_empty() { Path::new(".") } else { &root };
            let files = folders.entry(root.clone()).or_default();
            let neighbours =
                walk(here)?.into_iter().map(bare).filter(|neighbour| roots.of(neighbour) == root);
            files.extend(neighbours.map(|neighbour| (neighbour, false)));
            folders::sort(files);
            with_neighbours.insert(root);
        }
    }
    let mut untold = Files::new();
    for (root, files) in folders {
        let relative: Vec<String> = files.iter().map(|(file, _)| relative_to(file, &root)).collect();
        let top = top_of(&root).unwrap_or_else(|| root.clone());
        let runner = match request.runner {
            Some(runner) => Some(Detected { runner, because: "--runner", certain: true }),
            None => detect_in(&root, &top, &relative),
        };
        match runner {
            Some(runner) => {
                let gone = deleted.remove(&root).unwrap_or_default();
                let files = files.into_iter().zip(relative).collect();
                let part = with_runner(root, files, runner, &paths, request, &mut project)?;
                project.deleted.extend(gone.into_iter().filter(|path| lacks(&part, path)));
                project.parts.push(part);
            }
            None if request.apart => {
                let gone = deleted.remove(&root).unwrap_or_default();
                let part = without_runner(root, files, request, &mut project)?;
                project.deleted.extend(gone.into_iter().filter(|path| lacks(&part, path)));
                project.parts.push(part);
            }
            // Named together, folders that nothing ties to a tool are one history, in the order of their paths.
            None => untold.extend(files),
        }
    }
    if !untold.is_empty() {
        let part = without_runner(PathBuf::new(), untold, request, &mut project)?;
        project.parts.push(part);
    }
    project.notes.extend(project.others.notes());
    streams.extend(request.stdin.iter().map(|text| (PathBuf::from("<stdin>"), text.clone())));
    for (path, bytes) in streams {
        let (text, problem) = decode(&bytes);
        project.problems.extend(problem.map(|(span, message)| (path.clone(), span, message)));
        let runner = match request.runner {
            Some(runner) => Some(Detected { runner, because: "--runner", certain: true }),
            None => detect::by_text(&text),
        };
        let mut part = Part { runner, ..Part::default() };
        let shown = path.to_string_lossy().into_owned();
        match runner {
            Some(found) => add(&mut part, path, &shown, text, true, found.runner, None, request),
            None => add_plain(&mut part, path, text, true, request),
        }
        pair(&mut part.migrations);
        project.parts.push(part);
    }
    Ok(project)
}

/// The migrations forward of the repository's other folders that a tool claims, folder by folder; what can't be read is left out.
pub fn elsewhere(part: &Part) -> Vec<Vec<Migration>> {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let own = absolute(&part.root);
    let Some(top) = top_of(&own) else { return Vec::new() };
    let folders = survey(&top).map(|survey| survey.folders).unwrap_or_default();
    let others = folders.into_iter().filter(|folder| absolute(folder) != own);
    let read = |folder| gather(&Request { paths: vec![folder], apart: true, ..Request::default() });
    let parts = others.filter_map(|folder| read(folder).ok()).flat_map(|project| project.parts);
    let forward = |part: Part| {
        part.migrations.into_iter().filter(|migration| migration.direction != Direction::Down).collect()
    };
    parts.filter(|part| part.runner.is_some()).map(forward).collect()
}

/// Whether a path is there and neither a file nor a folder: a pipe, `<(…)` of a shell, `/dev/null`. It can be read once, and
/// has no neighbours.
fn is_stream(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// A folder's migrations with another text for one of its files: what an editor holds, say. Nothing else is read anew. Also
/// what is wrong with the text.
pub fn with_text(
    part: &Part,
    path: &Path,
    bytes: Vec<u8>,
    request: &Request,
) -> (Vec<Migration>, Option<(Span, String)>) {
    let (text, problem) = decode(&bytes);
    let mut changed = Part { root: part.root.clone(), runner: part.runner, ..Part::default() };
    let mut text = Some(text);
    for migration in &part.migrations {
        if migration.path != path {
            changed.migrations.push(migration.clone());
            continue;
        }
        // All sections of the file come from the new text, in place of the first.
        let Some(text) = text.take() else { continue };
        match part.runner {
            Some(found) => {
                let relative = relative_to(path, &part.root);
                let name = (found.runner.named)(&relative);
                add(
                    &mut changed,
                    path.to_owned(),
                    &relative,
                    text,
                    migration.judged,
                    found.runner,
                    name,
                    request,
                );
            }
            None => add_plain(&mut changed, path.to_owned(), text, migration.judged, request),
        }
        for new in changed.migrations.iter_mut().rev().take_while(|new| new.path == path) {
            new.change = migration.change;
        }
    }
    pair(&mut changed.migrations);
    (changed.migrations, problem)
}

/// A text that is no file of a project, as one migration that has run: `--schema`.
pub fn history_of(path: PathBuf, bytes: Vec<u8>) -> Migration {
    let (text, _) = decode(&bytes);
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

/// The root of the repository around a folder, as an absolute path. Without a repository, as in an image or an unpacked
/// archive: the working directory, else the folder itself.
fn top_of(root: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(root).ok()?;
    let repository = absolute.ancestors().find(|above| above.join(".git").exists()).map(Path::to_owned);
    let here = || std::env::current_dir().ok().filter(|here| absolute.starts_with(here));
    Some(repository.or_else(here).unwrap_or(absolute))
}

fn relative_to(file: &Path, root: &Path) -> String {
    // Mostly one is the other's beginning, byte by byte, and the parts of the paths needn't be looked at.
    let bytes = file.as_os_str().as_encoded_bytes().strip_prefix(root.as_os_str().as_encoded_bytes());
    let quick = bytes.and_then(|rest| std::str::from_utf8(rest.strip_prefix(b"/")?).ok());
    let relative = match quick {
        Some(relative) => std::borrow::Cow::Borrowed(relative),
        None => file.strip_prefix(root).unwrap_or(file).to_string_lossy(),
    };
    if relative.contains('\\') { relative.replace('\\', "/") } else { relative.into_owned() }
}

/// The migrations of a folder whose tool is known.
fn with_runner(
    root: PathBuf,
    files: Vec<((PathBuf, bool), String)>,
    found: Detected,
    paths: &[PathBuf],
    request: &Request,
    project: &mut Project,
) -> Result<Part, ProjectError> {
    let runner = found.runner;
    if let Some(dialect) = dialect::of_declaration(&root, files.iter().map(|((file, _), _)| file)) {
        project.others.add(dialect, files.len(), &root);
        return Ok(Part { root, runner: Some(found), ..Part::default() });
    }
    let mut named: Vec<(PathBuf, String, Named, bool)> = Vec::new();
    let mut left: Vec<PathBuf> = Vec::new();
    let mut dialects = dialect::OfPaths::default();
    for ((file, judged), relative) in files {
        if let Some(dialect) = dialects.of(&file) {
            project.others.add(dialect, 1, &root);
            continue;
        }
        match (runner.named)(&relative) {
            Some(name) => named.push((file, relative, name, judged)),
            None => left.push(file),
        }
    }
    // `1_a.postgres.up.sql` is run in place of `1_a.up.sql`.
    let ours: Vec<(String, Named)> = named
        .iter()
        .filter_map(|(_, path, name, _)| Some((dialect::stands_in_for(path)?.to_owned(), name.clone())))
        .collect();
    if !ours.is_empty() {
        named.retain(|(_, relative, name, _)| {
            dialect::stands_in_for(relative).is_some()
                || !ours.iter().any(|(start, own)| relative.starts_with(start) && own == name)
        });
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
        Order::Led(list) => {
            let listed = list(if root.as_os_str().is_empty() { Path::new(".") } else { &root });
            let place = |name: &str| listed.iter().position(|one| one == name).unwrap_or(listed.len());
            named.sort_by_cached_key(|(_, relative, ..)| (place(relative), relative.clone()));
        }
        Order::Text => named.sort_by(|a, b| a.1.cmp(&b.1)),
        Order::Version => named.sort_by(|a, b| (&a.2.version, &a.1).cmp(&(&b.2.version, &b.1))),
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
    ups_first(&mut named);
    // What is named outright is checked, whatever its name.
    let asked = |file: &PathBuf| paths.contains(file);
    let (unfit, left): (Vec<PathBuf>, Vec<PathBuf>) = left.into_iter().partition(asked);
    if !unfit.is_empty() {
        project.notes.push(format!(
            "{} doesn't run files of such names, so this is checked as if it came last: {}",
            runner.title,
            some_of(&unfit)
        ));
    }
    if !left.is_empty() {
        project.notes.push(format!(
            "left aside, since {} doesn't run files of such names: {}",
            runner.title,
            some_of(&left)
        ));
    }
    let mut part = Part { root, runner: Some(found), ..Part::default() };
    let texts: Vec<_> = named.par_iter().map(|(file, ..)| text_of(file, request)).collect();
    part.migrations.reserve(named.len());
    for ((file, relative, name, judged), text) in named.into_iter().zip(texts) {
        let (text, problem) = text?;
        project
            .problems
            .extend(problem.filter(|_| judged).map(|(span, message)| (file.clone(), span, message)));
        add(&mut part, file, &relative, text, judged, runner, Some(name), request);
    }
    for file in unfit {
        let (text, problem) = text_of(&file, request)?;
        project.problems.extend(problem.map(|(span, message)| (file.clone(), span, message)));
        let relative = relative_to(&file, &part.root);
        add(&mut part, file, &relative, text, true, runner, None, request);
    }
    pair(&mut part.migrations);
    mark_changes(&mut part, request);
    Ok(part)
}

/// The first few of some files, for a note.
fn some_of(files: &[PathBuf]) -> String {
    let shown: Vec<String> = files.iter().take(3).map(|file| file.display().to_string()).collect();
    let more = if files.len() > 3 { format!(" and {} more", files.len() - 3) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// Puts each way back behind what it undoes, where both have the same version.
fn ups_first(named: &mut [(PathBuf, String, Named, bool)]) {
    let mut start = 0;
    while start < named.len() {
        let version = named[start].2.version.clone(); // within: just compared
        let end =
            named[start..].iter().position(|one| one.2.version != version).map_or(named.len(), |n| start + n);
        if !version.is_empty() {
            named[start..end].sort_by_key(|one| one.2.direction == Direction::Down); // stable
        }
        start = end;
    }
}

/// The version of a migration as the tool tells it from others; `None`: the file is no way forward that runs once.
fn key_of(found: Option<Detected>, root: &Path, path: &Path) -> Option<String> {
    match found {
        Some(found) => {
            let name = (found.runner.named)(&relative_to(path, root))?;
            (name.direction == Direction::Up).then(|| found.runner.order.key(&name.version).into_owned())
        }
        None => {
            let name = path.file_name()?.to_string_lossy().into_owned();
            (order::is_versioned(&name) && order::direction_of(path) == Direction::Up).then_some(name)
        }
    }
}

/// Whether a file that is gone was a migration whose version none has now.
fn lacks(part: &Part, path: &Path) -> bool {
    let key = key_of(part.runner, &part.root, path);
    key.is_some() && part.migrations.iter().all(|one| key_of(part.runner, &part.root, &one.path) != key)
}

/// Notes how the change at hand came by each file.
fn mark_changes(part: &mut Part, request: &Request) {
    let Some(changed) = &request.changed else { return };
    let (found, root) = (part.runner, &part.root);
    let names: FxHashSet<&OsStr> =
        changed.keys().chain(request.renamed.keys()).map(|path| path.as_os_str()).collect();
    for migration in part.migrations.iter_mut().filter(|one| names.contains(one.path.as_os_str())) {
        migration.change = changed.get(&migration.path).copied();
        let was = request.renamed.get(&migration.path);
        migration.was = was
            .filter(|old| {
                let (then, now) = (key_of(found, &root_of(old), old), key_of(found, root, &migration.path));
                then.is_some() && now.is_some() && then != now
            })
            .cloned();
        // A repeatable migration is meant to be edited.
        if migration.direction == Direction::Repeatable && migration.change == Some(Change::Edited) {
            migration.change = None;
        }
    }
}

/// Files of which nothing says how they are run, in natural order of their paths.
fn without_runner(
    root: PathBuf,
    mut files: Files,
    request: &Request,
    project: &mut Project,
) -> Result<Part, ProjectError> {
    let is_down = |path: &Path| order::direction_of(path) == Direction::Down;
    files.sort_by(|(a, _), (b, _)| {
        order::compare(&order::stem(a), &order::stem(b))
            .then_with(|| is_down(a).cmp(&is_down(b)))
            .then_with(|| order::compare(a, b))
    });
    let mut part = Part { root, ..Part::default() };
    let texts: Vec<_> = files.par_iter().map(|(path, _)| text_of(path, request)).collect();
    part.migrations.reserve_exact(files.len());
    for ((path, judged), text) in files.into_iter().zip(texts) {
        let (text, problem) = text?;
        project
            .problems
            .extend(problem.filter(|_| judged).map(|(span, message)| (path.clone(), span, message)));
        add_plain(&mut part, path, text, judged, request);
    }
    pair(&mut part.migrations);
    mark_changes(&mut part, request);
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
    // What `update-sql` prints is no formatted SQL.
    let runner = match runner.name {
        "liquibase" if is_update_sql(&text) => runners::runner("liquibase-update-sql").unwrap_or(runner),
        _ => runner,
    };
    let whole = name.as_ref().map_or(Direction::Up, |name| name.direction);
    // What the file itself switches; `Some(false)`: no transaction of the tool's.
    let mut switched: Option<bool> = None;
    let mut splits = false;
    let mut exits = None;
    let mut alone = None;
    let mut joined = None;
    let mut grouped = false;
    let mut held_open = None;
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
            Switch::Text(is) => switched = switched.or(is(&text).then_some(false)),
            Switch::WayThere(is) => {
                let version = name.as_ref().map(|name| &name.version);
                let there = match whole {
                    Direction::Down => part
                        .migrations
                        .iter()
                        .rfind(|up| up.direction == Direction::Up && Some(&up.version) == version)
                        .map(|up| up.source.clone()),
                    _ => Some(text.clone()),
                };
                switched = switched.or(there.is_some_and(|text: Arc<str>| is(&text)).then_some(false));
            }
            Switch::Path(is) => switched = switched.or(is(relative).then_some(false)),
            Switch::Beside(at, says) => {
                switched = switched.or_else(|| says(&part.text_beside(&at(&path))?));
            }
            Switch::Statements(is, _) => exits = Some(is),
            Switch::Alone(is) => alone = Some(is),
            Switch::Joined(is) => joined = Some(is),
            Switch::Grouped(_) => grouped = is_grouped(runner, part),
            Switch::HeldOpen(holds, otherwise) => {
                held_open = (judged && *part.holds_open.get_or_init(|| holds(&absolute(&part.root))))
                    .then_some(otherwise);
            }
        }
    }
    if switched.is_some() {
        exits = None; // said outright, the tool doesn't look
    }
    let found = sections::cut(&text, runner.sections);
    let found: Vec<runner::Cut> = match runner.sections {
        Sections::Own { cut, .. } => match cut(&text) {
            Some(found) => found,
            None => found.into_iter().map(|section| (section, text.clone())).collect(),
        },
        Sections::Gathered(_) if found.len() > 1 => sections::gather(&text, found),
        _ => {
            let kept = sections::without_marks(&text, &found);
            found.into_iter().map(|section| (section, kept.clone())).collect()
        }
    };
    // What a file switches for one direction it needn't switch for the other. Of history nobody is told.
    let unswitched =
        judged && switched.is_none() && found.iter().all(|(section, _)| section.transaction != Some(false));
    let ignored_switch = if unswitched { sections::seeming_switch(&text) } else { None };
    for (section, kept) in found {
        let direction = section.direction.unwrap_or(whole);
        let around = match request.assume_in_transaction.or(section.transaction).or(switched) {
            Some(false) => Around::Nothing,
            Some(true) if runner.around == Around::Nothing => Around::Migration,
            _ if grouped => Around::Run,
            _ => runner.around,
        };
        let unit = if splits { Unit::Statement } else { runner.unit };
        // In the section that it would be for.
        let ignored_switch = ignored_switch
            .filter(|span| around != Around::Nothing && section.range.contains(&(span.start as usize)));
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
                one_query: matches!(unit, Unit::Section),
                query_mark: match unit {
                    Unit::Chunk(mark) => Some(mark),
                    _ => None,
                },
                runner_transaction: around == Around::Migration,
                psql: runner.psql,
                one_transaction_for_all: around == Around::Run,
                export: runner.export,
                ignored_switch,
                held_open,
                alone_only: exits
                    .filter(|_| around != Around::Nothing && judged && refuses_mixed(runner, part)),
            },
            runner_known: request.assume_in_transaction.is_some()
                || runner.export.is_none_or(|export| export.shows_transactions),
            judged,
            change: None,
            was: None,
            version: match (&name, section.version) {
                (Some(name), Some(own)) => format!("{}::{own}", name.version),
                (name, _) => name.as_ref().map(|name| name.version.clone()).unwrap_or_default(),
            },
            exits: exits.filter(|_| around != Around::Nothing),
            alone,
            joined,
            either: matches!(unit, Unit::Either),
        });
    }
}

/// The folder from the root of the file system, so that its ancestors are known.
fn absolute(folder: &Path) -> PathBuf {
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf())
}

/// Whether the tool's configuration has all pending migrations run in one transaction.
fn is_grouped(runner: &Runner, part: &Part) -> bool {
    *part.is_grouped.get_or_init(|| {
        let root = absolute(&part.root);
        runner.switch.iter().any(|switch| matches!(switch, Switch::Grouped(groups) if groups(&root)))
    })
}

/// Whether the tool refuses files that mix what can and what can't run in a transaction.
fn refuses_mixed(runner: &Runner, part: &Part) -> bool {
    *part.refuses_mixed.get_or_init(|| {
        let root = absolute(&part.root);
        runner.switch.iter().any(|switch| matches!(switch, Switch::Statements(_, allowed) if !allowed(&root)))
    })
}

/// Whether a text is what Liquibase's `update-sql` prints: comments name each changeset, but none in the form of
/// formatted SQL.
fn is_update_sql(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    !first.to_ascii_lowercase().contains("formatted")
        && text
            .lines()
            .any(|line| line.starts_with("-- Changeset ") || line.starts_with("-- Update Database Script"))
}

/// Ties down migrations to what they undo: the same file, the same version, or the same name.
fn pair(migrations: &mut [Migration]) {
    if migrations.iter().all(|migration| migration.direction != Direction::Down) {
        return;
    }
    let mut by_stem: FxHashMap<PathBuf, usize> = FxHashMap::default();
    let mut by_version: FxHashMap<String, usize> = FxHashMap::default();
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
    // Where a file holds several migrations with their ways back, each undoes the one before it.
    for index in 1..migrations.len() {
        let (before, rest) = migrations.split_at_mut(index);
        let (Some(migration), Some(last)) = (rest.first_mut(), before.last()) else { continue };
        if migration.direction == Direction::Down && migration.path == last.path {
            migration.undoes = if last.direction == Direction::Up { Some(index - 1) } else { last.undoes };
        }
    }
}
