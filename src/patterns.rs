//! Patterns over paths in the configuration: relative to the configuration file, as in `.gitignore`.
//!
//! A pattern with a slash counts from the configuration's folder, one without is the name of a file or folder at any depth;
//! `*` stays within a name, `**` doesn't; what matches a folder matches all in it.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::place::Places;

/// Patterns, ready to be asked.
#[derive(Clone, Debug)]
pub struct Patterns {
    set: GlobSet,
    base: PathBuf,
    places: Places,
}

impl Patterns {
    /// Patterns relative to the folder `base`.
    ///
    /// # Errors
    /// The first pattern that can't be one.
    pub fn new(written: &[String], base: &Path, places: &Places) -> Result<Self, globset::Error> {
        let mut set = GlobSetBuilder::new();
        for one in written {
            let inner = one.trim_start_matches("./").trim_end_matches('/');
            let whole = match inner.strip_prefix('/') {
                Some(anchored) => anchored.to_owned(),
                None if inner.contains('/') => inner.to_owned(),
                None => format!("**/{inner}"),
            };
            set.add(GlobBuilder::new(&whole).literal_separator(true).build()?);
        }
        Ok(Patterns { set: set.build()?, base: base.to_owned(), places: places.clone() })
    }

    /// Whether a path (from the working directory, or absolute), or a folder that it is in, is meant.
    pub fn matches(&self, path: &Path) -> bool {
        if self.set.is_empty() {
            return false;
        }
        let relative = self.places.relative_to(&self.base, path);
        let relative = relative.unwrap_or_else(|| crate::place::slashed(path));
        let relative = relative.trim_start_matches('/');
        Path::new(relative)
            .ancestors()
            .filter(|above| !above.as_os_str().is_empty())
            .any(|above| self.set.is_match(above))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_count_from_their_folder() {
        let places = Places { here: "/repo/db".into(), root: "/repo".into() };
        let matches = |pattern: &str, path: &str| {
            Patterns::new(&[pattern.to_owned()], Path::new("/repo"), &places)
                .unwrap()
                .matches(Path::new(path))
        };
        for (pattern, path) in [
            ("db/migrations/2021*", "migrations/20210101_x.sql"),
            ("db/migrations/2021*", "migrations/20210101_x/migration.sql"),
            ("db/migrations/legacy/**", "migrations/legacy/a/b.sql"),
            ("./db/migrations/legacy/", "./migrations/legacy/a/b.sql"),
            ("/db", "x.sql"),
            ("seeds", "migrations/seeds/1.sql"),
            ("*_seed.sql", "migrations/1_seed.sql"),
            ("**/seeds/**", "../other/seeds/1.sql"),
            ("{db,other}/*.sql", "../other/1.sql"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("migrations/*", "migrations/1.sql"),
            ("db/*.sql", "migrations/1.sql"),
            ("seeds", "migrations/seeds.sql"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }
}
