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
pub fn is_versioned(name: &str) -> bool {
    let bare = name.strip_prefix(['V', 'v', 'U', 'B', 'm']).unwrap_or(name);
    bare.starts_with(|c: char| c.is_ascii_digit())
}

/// Compares versions as numbers of any length.
pub fn by_number(a: &str, b: &str) -> Ordering {
    by_digits(a.as_bytes(), b.as_bytes())
}

fn by_digits(a: &[u8], b: &[u8]) -> Ordering {
    let zeros = |digits: &[u8]| digits.iter().take_while(|digit| **digit == b'0').count();
    let (a, b) = (&a[zeros(a)..], &b[zeros(b)..]); // within: counted just now
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Compares versions as Flyway does: parts by value, `_` a dot, what is missing is zero.
pub fn by_parts(a: &str, b: &str) -> Ordering {
    let ends = |byte: &u8| matches!(byte, b'.' | b'_');
    let (mut left, mut right) = (a.as_bytes().split(ends), b.as_bytes().split(ends));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (l, r) => match by_digits(l.unwrap_or(b""), r.unwrap_or(b"")) {
                Ordering::Equal => {}
                other => return other,
            },
        }
    }
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
    fn versions_are_compared_part_by_part() {
        assert_eq!(by_parts("1.10", "1.9"), Ordering::Greater);
        assert_eq!(by_parts("1", "1.0.0"), Ordering::Equal);
        assert_eq!(by_parts("2_1", "2.1"), Ordering::Equal);
        assert_eq!(by_number("0099", "100"), Ordering::Less);
    }

    #[test]
    fn up_and_down_share_their_stem() {
        assert_eq!(stem(Path::new("m/1_a.up.sql")), stem(Path::new("m/1_a.down.sql")));
        assert_eq!(stem(Path::new("m/1_a/up.sql")), stem(Path::new("m/1_a/down.sql")));
        assert_eq!(direction_of(Path::new("m/1_a/down.sql")), Direction::Down);
        assert_eq!(direction_of(Path::new("m/1_breakdown.sql")), Direction::Up);
    }
}
