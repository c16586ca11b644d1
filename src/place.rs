//! Where paths lead: findings name files as the user did; CI systems want paths from the repository's root.

use std::path::{Component, Path, PathBuf};

/// The working directory and the repository's root, both absolute.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The working directory.
    pub here: PathBuf,
    /// The root of the repository around it; the working directory itself where there is none.
    pub root: PathBuf,
}

impl Places {
    /// The places of a working directory; looks for `.git` upward.
    pub fn of(here: &Path) -> Self {
        let root = here.ancestors().find(|above| above.join(".git").exists()).unwrap_or(here);
        Places { here: here.to_owned(), root: root.to_owned() }
    }

    /// `path` (from the working directory, or absolute) from the repository's root, with `/`; from the working directory
    /// where it lies outside.
    pub fn from_root(&self, path: &Path) -> String {
        self.relative_to(&self.root, path).unwrap_or_else(|| slashed(path))
    }

    /// `path` from `folder`, with `/`; `None` where it lies outside.
    pub fn relative_to(&self, folder: &Path, path: &Path) -> Option<String> {
        // Standard input is no file.
        if path.as_os_str().to_string_lossy().starts_with('<') {
            return Some(slashed(path));
        }
        let whole = plain(&self.here.join(path));
        whole.strip_prefix(plain(&self.here.join(folder))).ok().map(slashed)
    }
}

/// A path without `.` and `..`, as far as its text tells.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// A path with forward slashes, on every system.
pub fn slashed(path: &Path) -> String {
    let shown = path.to_string_lossy();
    if std::path::MAIN_SEPARATOR == '/' {
        shown.into_owned()
    } else {
        shown.replace(std::path::MAIN_SEPARATOR, "/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_count_from_the_root() {
        let places = Places { here: "/repo/db".into(), root: "/repo".into() };
        assert_eq!(places.from_root(Path::new("./migrations/1.sql")), "db/migrations/1.sql");
        assert_eq!(places.from_root(Path::new("../other/1.sql")), "other/1.sql");
        assert_eq!(places.from_root(Path::new("/elsewhere/1.sql")), "/elsewhere/1.sql");
        assert_eq!(places.from_root(Path::new("<stdin>")), "<stdin>");
    }
}
