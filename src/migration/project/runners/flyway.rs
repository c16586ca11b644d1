//! Flyway: `V1__x.sql`, `U1__x.sql`, `B1__x.sql`, `R__x.sql`; one transaction for each migration, none for a
//! file with a statement that can't run in one, or with `executeInTransaction=false` in `V1__x.sql.conf`.

use std::path::{Path, PathBuf};

use crate::migration::migration::{Direction, Migration};
use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;
use crate::migration::statement::{Body, Statement};

pub static RUNNER: Runner = Runner {
    name: "flyway",
    title: "Flyway",
    signs: Signs {
        above: &["flyway.conf", "flyway.toml", "conf/flyway.conf"],
        folder: &["src/main/resources/db/migration"],
        unique: Some(only_here),
        manifest: &[("pom.xml", "flyway"), ("build.gradle", "flyway"), ("build.gradle.kts", "flyway")],
        usual: Some(|path| named(path).is_some()),
        ..NO_SIGNS
    },
    named,
    order: Order::Dotted,
    sections: Sections::Whole,
    around: Around::Migration,
    unit: Unit::Statement,
    switch: &[
        Switch::Beside(sidecar, in_transaction),
        Switch::Statements(not_transactional, |folder| is_set(folder, "mixed")),
        Switch::Grouped(|folder| is_set(folder, "group")),
        Switch::HeldOpen(lock_is_a_transaction, LOCK_OF_THE_SESSION),
    ],
    alone: "put `executeInTransaction=false` into a file of the migration's name with `.conf` appended, and set `flyway.postgresql.transactional.lock=false`",
    opt_out: OptOut::Elsewhere,
    psql: false,
    ledger: Some(Ledger {
        tables: &["flyway_schema_history", "schema_version"],
        columns: &["installed_rank", "version", "description", "type", "script", "success"],
        key: "CASE WHEN version IS NULL THEN 'R__' || replace(description, ' ', '_') ELSE version END",
        applied: "success AND type NOT IN ('UNDO_SQL', 'DELETE')",
        failed: "NOT success",
        newest: "installed_rank",
        up_to: "success AND type IN ('BASELINE', 'SQL_BASELINE')",
        compare: by_parts,
        names: Names::Each(key),
        ..ONE_ROW_EACH
    }),
    export: None,
};

/// Names are recognised without case; the version is what stands before `__`.
pub(super) fn named(path: &str) -> Option<Named> {
    let name = file_name(path);
    let (stem, ending) = name.split_at_checked(name.len().checked_sub(".sql".len())?)?;
    if !ending.eq_ignore_ascii_case(".sql") {
        return None;
    }
    let (prefix, _) = stem.split_once("__")?;
    let version = prefix.get(1..)?;
    let is_version =
        !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'_');
    let direction = match (prefix.get(..1)?, is_version) {
        ("V", true) => Direction::Up,
        ("U", true) => Direction::Down,
        ("B", true) => Direction::Baseline,
        ("R", _) if version.is_empty() => Direction::Repeatable,
        _ => return None,
    };
    Some(Named { version: version.to_owned(), direction })
}

/// Repeatable, baseline and dotted names, and the callbacks.
fn only_here(path: &str) -> bool {
    let name = file_name(path);
    match named(path) {
        Some(Named { direction: Direction::Repeatable | Direction::Baseline, .. }) => true,
        Some(Named { version, .. }) => version.contains(['.', '_']),
        None => ["beforeMigrate", "afterMigrate", "beforeEachMigrate", "afterEachMigrate"]
            .iter()
            .any(|callback| name.starts_with(callback)),
    }
}

fn sidecar(path: &Path) -> PathBuf {
    let mut conf = path.as_os_str().to_owned();
    conf.push(".conf");
    PathBuf::from(conf)
}

fn in_transaction(conf: &str) -> Option<bool> {
    conf.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "executeInTransaction").then(|| value.trim() != "false")
    })
}

/// What Flyway's own parser knows of: REINDEX … CONCURRENTLY and DETACH … CONCURRENTLY are not among it.
fn not_transactional(statement: &Statement) -> bool {
    match &statement.body {
        Body::Reindex(reindex) => !matches!(
            reindex.target,
            crate::migration::statement::ReindexTarget::Index
                | crate::migration::statement::ReindexTarget::Table
        ),
        Body::AlterTable(_) => false,
        _ => needs_no_transaction(statement),
    }
}

/// The version; repeatable ones are told by what they are called.
pub(super) fn key(migration: &Migration, relative: &str) -> Option<String> {
    match migration.direction {
        Direction::Repeatable => Some(file_stem(relative)),
        _ => Some(migration.version.clone()),
    }
}

/// How Flyway is told to take another kind of lock.
const LOCK_OF_THE_SESSION: &str = "Have Flyway take a lock of the session instead: flyway.postgresql.transactional.lock=false in flyway.conf, \
     postgresql.transactional.lock = false in flyway.toml, spring.flyway.postgresql.transactional-lock=false with Spring Boot.";

/// Whether the nearest configuration file says `true` to a setting.
fn is_set(folder: &Path, setting: &str) -> bool {
    let config = up_to_the_repository(folder).find_map(|above| {
        ["flyway.toml", "flyway.conf", "conf/flyway.conf"]
            .iter()
            .find_map(|name| std::fs::read_to_string(above.join(name)).ok())
    });
    config.is_some_and(|text| {
        text.lines().filter_map(|line| line.split_once('=')).any(|(key, value)| {
            let key = key.trim();
            key.strip_prefix("flyway.").unwrap_or(key) == setting && value.trim() == "true"
        })
    })
}

/// Whether nothing that configures Flyway takes its lock out of a transaction (`postgresql.transactional.lock`, true unless
/// said otherwise). Many files may say it, each in its own way; settings made in code aren't looked for.
fn lock_is_a_transaction(folder: &Path) -> bool {
    !up_to_the_repository(folder).any(|above| {
        let usual = CONFIGURES.iter().map(|name| above.join(name));
        let spring = ["", "config", "src/main/resources", "src/main/resources/config"];
        let spring = spring.iter().flat_map(|inside| springs(above.join(inside)));
        usual
            .chain(spring)
            .filter_map(|path| std::fs::read_to_string(path).ok())
            .any(|text| has_no_transactional_lock(&text))
    })
}

/// Where Flyway's settings are written, but for Spring Boot's.
const CONFIGURES: &[&str] = &[
    "flyway.toml",
    "flyway.user.toml",
    "flyway.conf",
    "conf/flyway.toml",
    "conf/flyway.conf",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "gradle.properties",
    ".env",
    "Dockerfile",
    "Makefile",
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
];

/// `application.yml`, `application-production.properties`, `bootstrap.yaml` …
fn springs(folder: PathBuf) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        (name.starts_with("application") || name.starts_with("bootstrap"))
            && [".properties", ".yml", ".yaml"].iter().any(|ending| name.ends_with(ending))
    })
}

/// `flyway.postgresql.transactional.lock=false`, `transactional-lock: false`, `[flyway.postgresql.transactional]` with
/// `lock = false`, `<postgresqlTransactionalLock>false<`, `FLYWAY_POSTGRESQL_TRANSACTIONAL_LOCK: "false"`: what differs is not
/// letters.
fn has_no_transactional_lock(text: &str) -> bool {
    let said = text
        .lines()
        .filter(|line| !["#", "//", "<!--", "!"].iter().any(|mark| line.trim_start().starts_with(mark)));
    let letters: String = said
        .flat_map(str::chars)
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    letters.contains("transactionallockfalse")
}

/// The folder and those above it, up to the repository's root.
fn up_to_the_repository(folder: &Path) -> impl Iterator<Item = &Path> {
    let mut inside = true;
    folder.ancestors().take_while(move |above| {
        let this = inside;
        inside = this && !above.join(".git").exists();
        this
    })
}
