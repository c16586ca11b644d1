//! The project: which files are migrations, in which order, which way each goes and how it is run.

mod order;
mod sections;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use thiserror::Error;
use walkdir::WalkDir;

use super::migration::{Direction, Migration};
use super::rules::RunFacts;
use crate::source::Span;

/// Larger files are refused: a span counts bytes in 32 bits.
const LARGEST: u64 = u32::MAX as u64;

/// What is to be linted.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Files, folders and globs, as given; `-` is standard input, whose text is in `stdin`.
    pub paths: Vec<PathBuf>,
    /// The text of standard input.
    pub stdin: Option<Vec<u8>>,
    /// Every migration runs in one transaction of its own (`Some(true)`), or statement by statement
    /// (`Some(false)`), whatever the files say.
    pub assume_in_transaction: Option<bool>,
}

/// The migrations, in order, and what was noticed while gathering them.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// In the order in which they run.
    pub migrations: Vec<Migration>,
    /// The runner, where it is known.
    pub runner: Option<&'static str>,
    /// Text that isn't as SQL files are: (file, place, message), each a finding.
    pub problems: Vec<(PathBuf, Span, String)>,
    /// What was left aside, for people to know.
    pub notes: Vec<String>,
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
    let mut files: Vec<(PathBuf, bool)> = Vec::new();
    for path in &request.paths {
        if path.as_os_str() == "-" {
            continue;
        }
        let found = find(path)?;
        files.extend(found.into_iter().map(|file| (file, true)));
    }
    let given: std::collections::HashSet<PathBuf> = files.iter().map(|(file, _)| file.clone()).collect();
    let mut history: Vec<PathBuf> = Vec::new();
    for path in request.paths.iter().filter(|path| path.is_file()) {
        for earlier in order::earlier_siblings(path) {
            if !given.contains(&earlier) && !history.contains(&earlier) {
                history.push(earlier);
            }
        }
    }
    files.extend(history.into_iter().map(|file| (file, false)));
    files.sort_by(|a, b| order::compare(&a.0, &b.0));
    files.dedup_by(|a, b| a.0 == b.0);

    let texts: Vec<Result<(Arc<str>, Option<(Span, String)>), ProjectError>> =
        files.par_iter().map(|(path, _)| read(path)).collect();
    for ((path, judged), text) in files.into_iter().zip(texts) {
        let (text, problem) = text?;
        project
            .problems
            .extend(problem.filter(|_| judged).map(|(span, message)| (path.clone(), span, message)));
        add(&mut project, path, text, judged, request);
    }
    if let Some(stdin) = &request.stdin {
        let path = PathBuf::from("<stdin>");
        let (text, problem) = decode(stdin.clone());
        project.problems.extend(problem.map(|(span, message)| (path.clone(), span, message)));
        add(&mut project, path, text, true, request);
    }
    pair(&mut project.migrations);
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

fn add(project: &mut Project, path: PathBuf, text: Arc<str>, judged: bool, request: &Request) {
    let whole = order::direction_of(&path);
    for section in sections::sections(&text) {
        let transaction = match (request.assume_in_transaction, section.transaction) {
            (Some(assumed), _) => Some(assumed),
            (None, marked) => marked,
        };
        project.migrations.push(Migration {
            path: path.clone(),
            text: text.clone(),
            range: section.range,
            direction: section.direction.unwrap_or(whole),
            undoes: None,
            run: RunFacts {
                down: section.direction.unwrap_or(whole) == Direction::Down,
                runner: section.runner,
                runner_transaction: transaction == Some(true),
                ..RunFacts::default()
            },
            runner_known: transaction.is_some(),
            judged,
        });
    }
}

/// Ties down migrations to what they undo.
fn pair(migrations: &mut [Migration]) {
    let mut ups: std::collections::HashMap<PathBuf, usize> = std::collections::HashMap::new();
    for (index, migration) in migrations.iter().enumerate() {
        if migration.direction != Direction::Down {
            ups.insert(order::stem(&migration.path), index);
        }
    }
    for index in 0..migrations.len() {
        // In bounds: the loop's range.
        if migrations[index].direction == Direction::Down {
            migrations[index].undoes = ups.get(&order::stem(&migrations[index].path)).copied();
        }
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

fn read(path: &Path) -> Result<(Arc<str>, Option<(Span, String)>), ProjectError> {
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
