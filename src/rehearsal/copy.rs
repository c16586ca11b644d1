//! A copy that the user names: whether it looks like production.

use super::RehearsalError;
use crate::postgres::connection::{Connection, Limits, OF_A_CLIENT};

/// Words in names of hosts, databases and users that mean production.
const PRODUCTION: &[&str] = &["prod", "prd", "production", "live", "primary", "master", "main"];
/// Words that mean a copy.
const COPIES: &[&str] = &[
    "copy",
    "clone",
    "test",
    "tests",
    "testing",
    "staging",
    "stage",
    "stg",
    "dev",
    "devel",
    "development",
    "scratch",
    "rehearsal",
    "rehearse",
    "tmp",
    "temp",
    "sandbox",
    "disposable",
    "ci",
];

/// Refuses a database that nobody has named as one that may be destroyed. `disposable` is what stands behind
/// `--disposable`: nothing, or the database's name, which is asked for where it looks like production: by its names, by
/// other sessions on it, by replicas behind it.
///
/// # Errors
/// When it isn't named so, or looks like production, with what gave it away; when it can't be reached, or is a standby.
pub fn may_be_destroyed(connection: &Connection, disposable: Option<&str>) -> Result<(), RehearsalError> {
    let Some(named) = disposable else {
        return Err(RehearsalError::Pending {
            message: format!(
                "a rehearsal runs the migrations on {connection} and writes rows there, and nothing says that this database may be destroyed"
            ),
            hint: Some("if it is a copy that may be destroyed, say so: --disposable".to_owned()),
        });
    };
    let database = connection.database();
    if !named.is_empty() && named != database {
        return Err(RehearsalError::Copy(format!(
            "--disposable={named} names another database than {connection} does ({database})"
        )));
    }
    let mut client = connection.connect(&Limits::default()).map_err(RehearsalError::Connection)?;
    let row = client
        .query_one(
            &format!(
                "SELECT pg_catalog.pg_is_in_recovery(), \
                 (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() \
                  AND pid <> pg_catalog.pg_backend_pid() AND {OF_A_CLIENT}), \
                 (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication)"
            ),
            &[],
        )
        .map_err(|source| RehearsalError::server("look at the copy", source))?;
    if row.get(0) {
        return Err(RehearsalError::Copy(format!(
            "{connection} is a standby: it can't be written to; rehearse on a copy of it"
        )));
    }
    let (sessions, replicas): (i64, i64) = (row.get(1), row.get(2));
    let names = [
        ("host", connection.get("host").unwrap_or("").to_owned()),
        ("database", database.clone()),
        ("user", connection.user()),
    ];
    let signs = signs(&names, sessions, replicas);
    if signs.is_empty() || !named.is_empty() {
        return Ok(());
    }
    Err(RehearsalError::Pending {
        message: format!("{connection} may be production: {}", signs.join("; ")),
        hint: Some(format!(
            "if it is a copy that may be destroyed all the same, say so by its name: --disposable={}",
            crate::runbook::shell::quote(&database)
        )),
    })
}

/// What speaks for production.
fn signs(names: &[(&str, String)], sessions: i64, replicas: i64) -> Vec<String> {
    let mut signs = Vec::new();
    let words = |name: &str| -> Vec<String> {
        name.to_lowercase().split(|c: char| !c.is_ascii_alphabetic()).map(str::to_owned).collect()
    };
    let has = |list: &[&str]| {
        names.iter().find_map(|(what, name)| {
            words(name).into_iter().find(|word| list.contains(&word.as_str())).map(|word| (*what, word))
        })
    };
    if let Some((what, word)) = has(PRODUCTION) {
        signs.push(format!("the {what}'s name holds \"{word}\""));
    }
    let host = names.iter().find(|(what, _)| *what == "host").map(|(_, host)| host.as_str()).unwrap_or("");
    let near = host.is_empty() || host.starts_with('/') || matches!(host, "localhost" | "127.0.0.1" | "::1");
    if !near && has(COPIES).is_none() {
        signs.push(format!("it is on another machine ({host}), and no name says that it is a copy"));
    }
    if sessions > 0 {
        let are = if sessions == 1 { "session is" } else { "sessions are" };
        signs.push(format!("{sessions} other {are} connected to it"));
    }
    if replicas > 0 {
        let follow = if replicas == 1 { "replica follows" } else { "replicas follow" };
        signs.push(format!("{replicas} {follow} it"));
    }
    signs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(host: &str, database: &str, sessions: i64) -> usize {
        let names =
            [("host", host.to_owned()), ("database", database.to_owned()), ("user", "app".to_owned())];
        signs(&names, sessions, 0).len()
    }

    #[test]
    fn production_is_told_from_copies() {
        assert_eq!(look("localhost", "shop", 0), 0);
        assert_eq!(look("/tmp/x", "shop", 2), 1);
        assert_eq!(look("db.example.com", "shop", 0), 1);
        assert_eq!(look("db.example.com", "shop_copy", 0), 0);
        assert_eq!(look("staging-db.example.com", "shop", 0), 0);
        assert_eq!(look("localhost", "shop_prod", 0), 1);
        // "delivery" holds "live".
        assert_eq!(look("localhost", "delivery", 0), 0);
    }
}
