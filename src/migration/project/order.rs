//! The order of migration files, and what their names say of their direction.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use crate::migration::migration::Direction;

/// Natural order of paths: numbers by value, folder by folder. A down file follows its up file.
pub fn compare(a: &Path, b: &Path) -> Ordering {
    let (mut left, mut right) = (a.components(), b.components());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(l), Some(r)) => {
                let (l, r) = (l.as_os_str().to_string_lossy(), r.as_os_str().to_string_lossy());
                match natural(&l, &r) {
                    Ordering::Equal => {}
                    other => return other,
                }
            }
        }
    }
}

/// Compares two names, runs of digits by their value.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        match (a.first(), b.first()) {
            (None, None) => return Ordering::Equal,
            (None, _) => return Ordering::Less,
            (_, None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let digits = |s: &[u8]| s.iter().take_while(|b| b.is_ascii_digit()).count();
                let (m, n) = (digits(a), digits(b));
                let (left, right) = (&a[..m], &b[..n]); // within: counted just now
                let value = |s: &[u8]| s.iter().position(|b| *b != b'0').map_or(s.len(), |at| at);
                let (left, right) = (&left[value(left)..], &right[value(right)..]); // within: a position or the length
                match left.len().cmp(&right.len()).then_with(|| left.cmp(right)) {
                    Ordering::Equal => (a, b) = (&a[m..], &b[n..]),
                    other => return other,
                }
            }
            (Some(x), Some(y)) if x == y => (a, b) = (&a[1..], &b[1..]),
            (Some(x), Some(y)) => return x.cmp(y),
        }
    }
}

/// What a file's name says of its direction.
pub fn direction_of(path: &Path) -> Direction {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let folder = path
        .parent()
        .and_then(Path::file_name)
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let down = name == "down.sql"
        || name.ends_with(".down.sql")
        || name.ends_with("_down.sql")
        || name.ends_with("-down.sql")
        || name.ends_with(".rollback.sql")
        || name.ends_with("_rollback.sql")
        || name.contains(".undo.")
        || matches!(folder.as_str(), "down" | "revert" | "undo" | "rollback");
    if down { Direction::Down } else { Direction::Up }
}

/// The path without what names the direction: the same for an up file and its down file.
pub fn stem(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let lower = name.to_lowercase();
    for ending in [
        ".down.sql",
        ".up.sql",
        "_down.sql",
        "_up.sql",
        "-down.sql",
        "-up.sql",
        ".rollback.sql",
        "down.sql",
        "up.sql",
    ] {
        if lower.ends_with(ending) {
            return path.with_file_name(name.get(..name.len() - ending.len()).unwrap_or(""));
        }
    }
    path.with_file_name(name.trim_end_matches(".sql"))
}

/// Whether a name begins as versioned migrations do: with a number, or V and a number.
fn is_versioned(name: &str) -> bool {
    let bare = name.strip_prefix(['V', 'v', 'U']).unwrap_or(name);
    bare.starts_with(|c: char| c.is_ascii_digit())
}

/// The files that run before `file` in its migrations folder: the history of a file that is given alone.
///
/// Only where names are versioned; else nothing in the tree says that the neighbours are history.
pub fn earlier_siblings(file: &Path) -> Vec<PathBuf> {
    let Some(name) = file.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    let parent = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let nested = matches!(name, "up.sql" | "down.sql" | "migration.sql");
    let versioned = if nested {
        parent.file_name().and_then(|name| name.to_str()).is_some_and(is_versioned)
    } else {
        is_versioned(name)
    };
    if !versioned {
        return Vec::new();
    }
    let root = if nested { parent.parent().map(Path::to_owned).unwrap_or(parent) } else { parent };
    let depth = if nested { 2 } else { 1 };
    walkdir::WalkDir::new(&root)
        .min_depth(depth)
        .max_depth(depth)
        .into_iter()
        .filter_map(Result::ok)
        .map(walkdir::DirEntry::into_path)
        .map(|path| {
            if file.starts_with(".") {
                path
            } else {
                path.strip_prefix(".").map(Path::to_owned).unwrap_or(path)
            }
        })
        .filter(|path| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("sql")))
        .filter(|path| {
            let named = if nested { path.parent().and_then(Path::file_name) } else { path.file_name() };
            named.and_then(|name| name.to_str()).is_some_and(is_versioned)
        })
        .filter(|path| direction_of(path) != Direction::Down && compare(path, file) == Ordering::Less)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_by_value() {
        let mut names = vec!["10_b.sql", "9_a.sql", "010_a.sql", "V2__x.sql", "V10__x.sql"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["9_a.sql", "010_a.sql", "10_b.sql", "V2__x.sql", "V10__x.sql"]);
    }

    #[test]
    fn up_and_down_share_their_stem() {
        assert_eq!(stem(Path::new("m/1_a.up.sql")), stem(Path::new("m/1_a.down.sql")));
        assert_eq!(stem(Path::new("m/1_a/up.sql")), stem(Path::new("m/1_a/down.sql")));
        assert_eq!(direction_of(Path::new("m/1_a/down.sql")), Direction::Down);
        assert_eq!(direction_of(Path::new("m/1_breakdown.sql")), Direction::Up);
    }
}
