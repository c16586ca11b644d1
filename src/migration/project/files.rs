//! Which files there are: those that paths and patterns mean, and the migrations folders of a repository.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::dialect::LeftAlone;
use super::elsewhere::Seen;
use super::folders::Folders;
use super::runners::RUNNERS;
use super::{ProjectError, detect_in, dialect, order, relative_to, top_of};

/// A file's folder and name: as `parent` and `file_name` tell them, of a path without `//` or `/.` in it, whose other parts
/// needn't be looked at. A thousand migrations are asked about several times.
pub fn folder_and_name(file: &Path) -> (&Path, &OsStr) {
    let bytes = file.as_os_str().as_bytes();
    match memchr::memrchr(b'/', bytes) {
        Some(at) => {
            let (folder, name) = (&bytes[..at.max(1)], &bytes[at + 1..]); // it was found there
            (Path::new(OsStr::from_bytes(folder)), OsStr::from_bytes(name))
        }
        None => (Path::new(""), file.as_os_str()),
    }
}

/// [`root_of`] for many files: those of one folder mostly have the same.
#[derive(Default)]
pub struct Roots {
    /// The folder asked about last, whether the file's name was one that counts, and the root.
    last: Option<(PathBuf, bool, PathBuf)>,
}

impl Roots {
    /// The migrations folder that a file belongs to.
    pub fn of(&mut self, file: &Path) -> &Path {
        let (parent, name) = folder_and_name(file);
        let counts = is_one_of_folder(name);
        let as_last = self
            .last
            .as_ref()
            .is_some_and(|(last, counted, _)| last.as_os_str() == parent.as_os_str() && *counted == counts);
        if !as_last {
            self.last = Some((parent.to_owned(), counts, root_of(file)));
        }
        self.last.as_ref().map_or(Path::new(""), |(.., root)| root)
    }
}

/// Whether a file is called like those that share a folder of their own: `001_users/up.sql`.
fn is_one_of_folder(name: &OsStr) -> bool {
    ["up.sql", "down.sql", "migration.sql"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The migrations folder that a file belongs to.
pub fn root_of(file: &Path) -> PathBuf {
    let parent = file.parent().map(Path::to_owned).unwrap_or_default();
    let name =
        |path: &Path| path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    if file.file_name().is_some_and(is_one_of_folder) && order::is_versioned(&name(&parent)) {
        return parent.parent().map(Path::to_owned).unwrap_or_default();
    }
    let folder = name(&parent);
    let inner = RUNNERS.iter().find(|runner| {
        runner.signs.nested.iter().any(|(inner, beside)| {
            *inner == folder
                && parent.parent().is_some_and(|above| {
                    above.join(beside).exists() || above.parent().is_some_and(|top| top.join(beside).exists())
                })
        })
    });
    if let (Some(_), Some(above)) = (inner, parent.parent()) {
        return above.to_owned();
    }
    let is_number = |folder: &str| !folder.is_empty() && folder.bytes().all(|b| b.is_ascii_digit());
    // Versions sorted into folders below `migrations`: one history. Folders of a dialect are apart.
    let mut below: Vec<String> = Vec::new();
    for above in parent.ancestors().take(4) {
        let folder = name(above);
        if below.iter().any(|folder| dialect::names_one(folder)) {
            break;
        }
        if matches!(folder.as_str(), "migration" | "migrations")
            && below.iter().all(|folder| order::is_versioned(folder) || is_number(folder))
        {
            return above.to_owned();
        }
        below.push(folder);
    }
    // `postgres/0/01_a.up.sql`, `2026/03/…`: folders of bare numbers are one history, wherever they are.
    let mut root = parent.as_path();
    while is_number(&name(root))
        && let Some(above) = root.parent()
    {
        root = above;
    }
    root.to_owned()
}

/// A path as a project has it: `db/1_a.sql` for `./db//1_a.sql`, as its neighbours and the change name it.
pub fn plain(path: &Path) -> PathBuf {
    bare(path.components().collect())
}

/// A path without the `./` before it: those of a change have none.
pub fn bare(path: PathBuf) -> PathBuf {
    match path.as_os_str().as_bytes().strip_prefix(b"./") {
        Some(bare) => PathBuf::from(OsStr::from_bytes(bare)),
        None => path,
    }
}

/// The SQL files that a path or pattern means.
pub fn find(path: &Path) -> Result<Vec<PathBuf>, ProjectError> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    if path.is_dir() {
        let found: Vec<PathBuf> = walk(path)?.into_iter().map(bare).collect();
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
    if !root.exists() {
        return Err(ProjectError::NoSql(path.to_owned()));
    }
    let found: Vec<PathBuf> = walk(&root)?.into_iter().map(bare).filter(|file| glob.is_match(file)).collect();
    if found.is_empty() { Err(ProjectError::NoSql(path.to_owned())) } else { Ok(found) }
}

/// The migrations folders of a repository, and what was left aside.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Migrations folders, relative to the folder that was looked through.
    pub folders: Vec<PathBuf>,
    /// What was left aside and why, for people to know.
    pub notes: Vec<String>,
}

/// Looks through `root` for migrations folders: folders whose SQL files a tool's configuration, markers or names
/// claim, or of which most are named like versions. Relative to `root`'s parent as given.
///
/// # Errors
/// When a folder can't be read.
pub fn survey(root: &Path) -> Result<Survey, ProjectError> {
    let mut survey = Survey::default();
    let mut folders = Folders::default();
    let mut others = LeftAlone::default();
    let mut seen = Seen::default();
    for file in all_files(root, &SKIPPED)? {
        let file = bare(file);
        if is_sql(&file) {
            folders.add(file, true);
        } else {
            seen.look(&file);
        }
    }
    let top = top_of(root).unwrap_or_else(|| root.to_owned());
    let mut found = Vec::new();
    let mut dialects = dialect::OfPaths::default();
    for (folder, files) in folders.sorted() {
        let count = files.len();
        let mut by_path: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut mine: Vec<&PathBuf> = Vec::new();
        for (file, _) in &files {
            match dialects.of(file) {
                Some(dialect) => *by_path.entry(dialect).or_default() += 1,
                None => mine.push(file),
            }
        }
        if mine.is_empty() {
            // A folder of plain queries for another database is nothing to tell about.
            let versioned =
                files.iter().filter(|(file, _)| order::is_versioned(&relative_to(file, &folder))).count();
            if versioned * 2 > count {
                by_path.into_iter().for_each(|(dialect, count)| others.add(dialect, count, &folder));
            }
            continue;
        }
        let relative: Vec<String> = mine.iter().map(|file| relative_to(file, &folder)).collect();
        let versioned = relative.iter().filter(|name| order::is_versioned(name)).count();
        let detected = detect_in(&folder, &top, &relative);
        let named = detected
            .map_or(0, |found| relative.iter().filter(|name| (found.runner.named)(name).is_some()).count());
        // A manifest above a folder of queries doesn't make migrations of them: most names must fit as well.
        let certain = detected.is_some_and(|found| found.certain);
        let claimed = certain && named > 0 || named * 2 > relative.len();
        if !claimed && (versioned < 2 || versioned * 2 <= relative.len()) {
            continue;
        }
        let texts: Vec<String> = mine
            .iter()
            .take(SAMPLE)
            .filter_map(|file| Some(String::from_utf8_lossy(&std::fs::read(file).ok()?).into_owned()))
            .collect();
        let absolute = std::path::absolute(&folder).unwrap_or_else(|_| folder.clone());
        let foreign = dialect::of_texts(texts.iter().map(String::as_str))
            .or_else(|| dialect::of_declaration(&absolute, mine.into_iter()))
            .or_else(|| dialect::of_manifest(&absolute, &top));
        if let Some(dialect) = foreign {
            others.add(dialect, count, &folder);
            continue;
        }
        found.push((
            if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder },
            detected.is_some(),
        ));
    }
    // Beside folders that a tool claims, numbered files that none does are dumps and queries more often than migrations.
    let any_known = found.iter().any(|(_, known)| *known);
    let says = |folder: &Path| {
        folder
            .components()
            .any(|part| part.as_os_str().to_string_lossy().to_lowercase().contains("migration"))
    };
    for (folder, known) in found {
        if known || !any_known || says(&folder) {
            survey.folders.push(folder);
        } else {
            survey.notes.push(format!(
                "{}: numbered SQL files, but nothing tells that a tool runs them, so they are left aside; to have them checked: \
                 rollsafe lint {}",
                folder.display(),
                folder.display()
            ));
        }
    }
    survey.notes.extend(others.notes());
    survey.notes.extend(seen.notes());
    Ok(survey)
}

/// How many files of a folder are read to tell which database they are for.
const SAMPLE: usize = 12;

/// Folders whose SQL is nobody's migration: dependencies, build results, test data.
const SKIPPED: [&str; 17] = [
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
    "stub",
    "stubs",
    "third_party",
];

fn is_sql(path: &Path) -> bool {
    let (_, name) = folder_and_name(path);
    let name = name.as_bytes();
    // `.sql` is a name without an extension.
    name.len() > ".sql".len() && name[name.len() - ".sql".len()..].eq_ignore_ascii_case(b".sql")
}

/// The SQL files at or below `root`.
pub fn walk(root: &Path) -> Result<Vec<PathBuf>, ProjectError> {
    Ok(all_files(root, &[])?.into_iter().filter(|file| is_sql(file)).collect())
}

/// The files at or below `root`, but for those in folders of the names `skipped` below it: what lies above says nothing of
/// them.
fn all_files(root: &Path, skipped: &[&str]) -> Result<Vec<PathBuf>, ProjectError> {
    let mut found = Vec::new();
    let is_skipped = |entry: &walkdir::DirEntry| {
        let is = |name: &str| {
            name.starts_with('.')
                || name == "node_modules"
                || entry.file_type().is_dir() && skipped.iter().any(|one| name.eq_ignore_ascii_case(one))
        };
        entry.depth() > 0 && entry.file_name().to_str().is_some_and(is)
    };
    for entry in WalkDir::new(root).follow_links(false).into_iter().filter_entry(|entry| !is_skipped(entry)) {
        let entry = entry.map_err(|error| ProjectError::Unreadable {
            path: error.path().unwrap_or(root).to_owned(),
            error: error.into(),
        })?;
        if !entry.file_type().is_dir() {
            found.push(entry.into_path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_split_as_the_standard_library_splits_it() {
        for path in ["a.sql", "/a.sql", "db/a.sql", "/db/m/a b.sql", "../x/V1__a.SQL"] {
            let path = Path::new(path);
            let (folder, name) = folder_and_name(path);
            assert_eq!((Some(folder), Some(name)), (path.parent(), path.file_name()), "{}", path.display());
            assert!(is_sql(path));
        }
        assert!(!is_sql(Path::new("m/.sql")) && !is_sql(Path::new("m/a.sqlx")) && !is_sql(Path::new("sql")));
    }
}
