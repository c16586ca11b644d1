//! SQL for other databases: twins that projects keep beside their PostgreSQL migrations are left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::files::folder_and_name;

/// Databases that aren't PostgreSQL, as folders and infixes of file names are called after them.
const OTHERS: [(&str, &str); 11] = [
    ("sqlite", "SQLite"),
    ("sqlite3", "SQLite"),
    ("mysql", "MySQL"),
    ("mariadb", "MariaDB"),
    ("clickhouse", "ClickHouse"),
    ("mssql", "SQL Server"),
    ("sqlserver", "SQL Server"),
    ("oracle", "Oracle"),
    ("cockroach", "CockroachDB"),
    ("cockroachdb", "CockroachDB"),
    ("duckdb", "DuckDB"),
];

/// Words long enough to be found inside a longer one: `riversqlite`, `mysqlmigrations`.
const INSIDE: [(&str, &str); 5] = [
    ("sqlite", "SQLite"),
    ("mysql", "MySQL"),
    ("mariadb", "MariaDB"),
    ("clickhouse", "ClickHouse"),
    ("cockroach", "CockroachDB"),
];

/// Files for other databases: how many, and in which folders.
#[derive(Clone, Debug, Default)]
pub struct LeftAlone(BTreeMap<&'static str, (usize, BTreeSet<PathBuf>)>);

impl LeftAlone {
    /// Takes note of files of a folder.
    pub fn add(&mut self, dialect: &'static str, files: usize, folder: &Path) {
        let (count, folders) = self.0.entry(dialect).or_default();
        *count += files;
        folders.insert(folder.to_owned());
    }

    /// What to tell people.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(dialect, (files, folders))| {
            let s = if *files == 1 { "" } else { "s" };
            let shown: Vec<String> =
                folders.iter().take(3).map(|folder| folder.display().to_string()).collect();
            let more = match folders.len().saturating_sub(3) {
                0 => String::new(),
                1 => " and one more folder".to_owned(),
                more => format!(" and {more} more folders"),
            };
            format!("{files} file{s} for {dialect} left alone, in {}{more}", shown.join(", "))
        })
    }
}

/// What only other databases understand, in lower case: the database, and what gives it away.
const MARKS: [(&str, &[&str]); 4] = [
    (
        "SQLite",
        &[
            "autoincrement",
            "pragma ",
            "without rowid",
            "strftime(",
            "datetime('now'",
            "julianday(",
            "sqlite_",
        ],
    ),
    (
        "MySQL",
        &["auto_increment", "engine=innodb", "engine = innodb", "utf8mb4", "table `", "into `", "update `"],
    ),
    ("ClickHouse", &["mergetree", "lowcardinality(", "nullable(", "datetime64("]),
    ("SQL Server", &["[dbo].", "nvarchar(", "getdate()"]),
];

/// What only PostgreSQL understands, of what migrations use often.
const OURS: [&str; 15] = [
    "timestamptz",
    "jsonb",
    "$$",
    "serial",
    "::",
    "plpgsql",
    "concurrently",
    "text[]",
    "create extension",
    "bytea",
    "with time zone",
    "create type",
    "uuid_generate",
    "gen_random_uuid",
    "public.",
];

/// Whether a folder is called after a database.
pub fn names_one(folder: &str) -> bool {
    OTHERS.iter().any(|(word, _)| *word == folder) || matches!(folder, "postgres" | "postgresql" | "pg")
}

/// The other databases that paths say their SQL is for. Files of one folder mostly come one after the other: what the
/// folders' names say is asked once for all of them.
#[derive(Default)]
pub struct OfPaths {
    /// The folder asked about last, and what its names say.
    last: Option<(PathBuf, OfFolders)>,
}

/// What the names of folders say: places in [`OTHERS`] and [`INSIDE`], of which the first counts.
#[derive(Clone, Copy, Default)]
struct OfFolders {
    named: Option<usize>,
    inside: Option<usize>,
}

impl OfFolders {
    fn of(folders: &Path) -> Self {
        let lower = folders.to_string_lossy().to_lowercase();
        let words = || lower.split(['/', '\\', '.', '_', '-']).filter(|word| word.len() >= "mssql".len());
        let part_of =
            |word: &str| INSIDE.iter().position(|(part, _)| word.len() > part.len() && word.contains(part));
        OfFolders { named: words().filter_map(known).min(), inside: words().filter_map(part_of).min() }
    }
}

fn known(word: &str) -> Option<usize> {
    OTHERS.iter().position(|(other, _)| *other == word)
}

impl OfPaths {
    /// The other database that a path says its SQL is for.
    pub fn of(&mut self, path: &Path) -> Option<&'static str> {
        let (folder, name) = folder_and_name(path);
        let of_folders = match &self.last {
            Some((last, says)) if last.as_os_str() == folder.as_os_str() => *says,
            _ => self.last.insert((folder.to_owned(), OfFolders::of(folder))).1,
        };
        // Of the file's name only what stands between two dots.
        let name = name.to_string_lossy();
        let inner = name.split_once('.').and_then(|(_, behind)| behind.rsplit_once('.'));
        let infix = inner.and_then(|(infixes, _)| infixes.to_lowercase().split('.').filter_map(known).min());
        let named = of_folders.named.into_iter().chain(infix).min().and_then(|at| OTHERS.get(at));
        let inside = || of_folders.inside.and_then(|at| INSIDE.get(at));
        named.or_else(inside).map(|(_, title)| *title)
    }
}

/// Whether a file's name says that it is for PostgreSQL alone: the beginning of the names that it stands in for.
pub fn stands_in_for(relative: &str) -> Option<&str> {
    // An infix has a dot before it and one behind it.
    memchr::memchr_iter(b'.', relative.as_bytes()).nth(1)?;
    [".postgres.", ".postgresql.", ".pg."]
        .into_iter()
        .find_map(|infix| relative.get(..relative.find(infix)? + 1))
}

/// The other database that a tool's own files say its migrations are for: Prisma's `migration_lock.toml`, Drizzle's journal or
/// the snapshots beside its files.
pub fn of_declaration<'a>(root: &Path, files: impl Iterator<Item = &'a PathBuf>) -> Option<&'static str> {
    let json = |path: PathBuf| {
        let text = std::fs::read_to_string(path).ok()?;
        let value: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(value.get("dialect")?.as_str()?.to_owned())
    };
    let lock = || {
        let text = std::fs::read_to_string(root.join("migration_lock.toml")).ok()?;
        let lock: toml::Table = text.parse().ok()?;
        Some(lock.get("provider")?.as_str()?.to_owned())
    };
    let declared = lock()
        .or_else(|| json(root.join("meta/_journal.json")))
        .or_else(|| files.take(1).find_map(|file| json(file.with_file_name("snapshot.json"))))?;
    let known = [("turso", "SQLite"), ("singlestore", "SingleStore"), ("gel", "Gel")];
    OTHERS.into_iter().chain(known).find(|(word, _)| *word == declared).map(|(_, title)| title)
}

/// The other database that the texts of a folder's files are for: something in them only that one understands, and
/// nothing only PostgreSQL does.
pub fn of_texts<'a>(texts: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    let mut found = None;
    for text in texts {
        let bare: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("--"))
            .map(|line| line.to_lowercase() + "\n")
            .collect();
        if OURS.iter().any(|mark| bare.contains(mark)) {
            return None;
        }
        found = found.or_else(|| {
            MARKS
                .iter()
                .find(|(_, marks)| marks.iter().any(|mark| bare.contains(mark)))
                .map(|(name, _)| *name)
        });
    }
    found
}

/// The other database that the nearest Cargo.toml has its driver talk to: `features = ["sqlite"]` without
/// `"postgres"`.
pub fn of_manifest(folder: &Path, top: &Path) -> Option<&'static str> {
    let path = super::runner::nearest(folder, top, "Cargo.toml")?;
    let manifest: toml::Table = std::fs::read_to_string(path).ok()?.parse().ok()?;
    let dependencies = manifest.get("dependencies")?.as_table()?;
    let features: Vec<&str> = ["sqlx", "diesel", "refinery"]
        .iter()
        .filter_map(|name| dependencies.get(*name)?.get("features")?.as_array())
        .flatten()
        .filter_map(toml::Value::as_str)
        .collect();
    let has = |start: &str| features.iter().any(|feature| feature.contains(start));
    if has("postgres") {
        return None;
    }
    [("sqlite", "SQLite"), ("mysql", "MySQL")].into_iter().find(|(start, _)| has(start)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_their_database() {
        let mut paths = OfPaths::default();
        let mut of = |path: &str| paths.of(Path::new(path));
        assert_eq!(of("db/migrations_sqlite/1_a.sql"), Some("SQLite"));
        assert_eq!(of("db/riversqlite/migration/1_a.sql"), Some("SQLite"));
        assert_eq!(of("db/1_a.mysql.up.sql"), Some("MySQL"));
        assert_eq!(of("db/1_drop_mysql_compat.up.sql"), None);
        assert_eq!(of("db/postgres/1_a.sql"), None);
    }

    #[test]
    fn texts_tell_their_database() {
        let of = |text: &str| of_texts([text].into_iter());
        assert_eq!(of("CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT);"), Some("SQLite"));
        assert_eq!(of("CREATE TABLE `a` (id INT);"), Some("MySQL"));
        assert_eq!(of("CREATE TABLE a (x String) ENGINE = MergeTree ORDER BY x;"), Some("ClickHouse"));
        assert_eq!(of("-- no AUTOINCREMENT here\nCREATE TABLE a (id bigint);"), None);
        assert_eq!(of("CREATE TABLE a (id bigserial, sqlite_file text);"), None);
    }
}
