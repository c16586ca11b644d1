//! What rollsafe makes on a server of the user's own: databases and roles that go away again, however rollsafe ends.
//!
//! On Ctrl-C they are dropped at once. After a kill nobody is left to do it: then the next run finds them
//! by their names and comments, and by that no session is in them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use postgres::Client;

use super::connection::{Connection, ConnectionError, Limits, reason};
use super::interrupt::{self, Registered, Remains};
use super::sql_text::{quote_identifier, quote_literal};

/// How the names of databases begin.
pub const DATABASE: &str = "rollsafe_verify_";
/// How the names of roles begin.
pub const ROLE: &str = "rollsafe_restore_";
/// How their comments begin; the time follows, in seconds since 1970.
const COMMENT: &str = "rollsafe: for a trial restore, dropped when that ends; made at ";
/// Something younger may still wait for its first session.
const YOUNG: i64 = 120;

/// What was made on a server. Dropping it drops all of it there.
pub struct Guest {
    made: Arc<Made>,
    _registered: Registered,
}

/// Databases and roles, until they are dropped.
struct Made {
    connection: Connection,
    databases: Mutex<Vec<String>>,
    roles: Mutex<Vec<String>>,
}

impl Guest {
    /// On the server of `connection`, where nothing is made yet.
    pub fn new(connection: &Connection) -> Guest {
        let made = Arc::new(Made {
            connection: connection.clone(),
            databases: Mutex::default(),
            roles: Mutex::default(),
        });
        let registered = interrupt::register(made.clone());
        Guest { made, _registered: registered }
    }

    /// Takes charge of a database, before it is created: its name begins with [`DATABASE`].
    pub fn add_database(&self, name: &str) {
        self.made.databases.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
    }

    /// Takes charge of a role, before it is created: its name begins with [`ROLE`].
    pub fn add_role(&self, name: &str) {
        self.made.roles.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
    }

    /// The statement that marks a database or role as made by rollsafe; `kind` is `DATABASE` or `ROLE`.
    pub fn comment(kind: &str, name: &str) -> String {
        let text = quote_literal(&format!("{COMMENT}{}", now()));
        format!("COMMENT ON {kind} {} IS {text}", quote_identifier(name))
    }

    /// Drops everything and says what couldn't be dropped, and how to.
    pub fn remove(&self) -> Vec<String> {
        self.made.drop_all()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Whoever wants to know asked `remove`.
        let _ = self.made.drop_all();
    }
}

impl Remains for Made {
    fn remove(&self) {
        // The signal's thread has nobody to tell.
        let _ = self.drop_all();
    }
}

/// A session that may write, for as long as cleaning up may take.
fn session(connection: &Connection) -> Result<Client, ConnectionError> {
    let limits = Limits {
        statement: Duration::from_secs(60),
        lock: Duration::ZERO,
        read_only: false,
        ..Limits::default()
    };
    connection.connect(&limits)
}

impl Made {
    fn drop_all(&self) -> Vec<String> {
        let take = |list: &Mutex<Vec<String>>| {
            std::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner))
        };
        let (databases, roles) = (take(&self.databases), take(&self.roles));
        if databases.is_empty() && roles.is_empty() {
            return vec![];
        }
        let mut client = match session(&self.connection) {
            Ok(client) => client,
            Err(error) => {
                let left: Vec<String> = databases
                    .iter()
                    .map(|name| format!("DROP DATABASE {};", quote_identifier(name)))
                    .chain(roles.iter().map(|name| format!("DROP ROLE {};", quote_identifier(name))))
                    .collect();
                return vec![format!(
                    "what was made on your server is still there ({error}); drop it with: {}",
                    left.join(" ")
                )];
            }
        };
        drop_these(&mut client, &databases, &roles)
    }
}

fn drop_these(client: &mut Client, databases: &[String], roles: &[String]) -> Vec<String> {
    let mut left = vec![];
    for name in databases {
        if let Err(error) = drop_database(client, name) {
            left.push(format!("could not drop the database {name}: {}", reason(&error)));
        }
    }
    for name in roles {
        let sql = format!("DROP ROLE IF EXISTS {}", quote_identifier(name));
        if let Err(error) = client.batch_execute(&sql) {
            left.push(format!("could not drop the role {name}: {}", reason(&error)));
        }
    }
    left
}

/// Drops a database, whoever is in it.
///
/// # Errors
/// When the server refuses.
pub fn drop_database(client: &mut Client, name: &str) -> Result<(), postgres::Error> {
    // Sessions of a pg_restore that was stopped may linger.
    let _ = client.execute(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = $1",
        &[&name],
    );
    client.batch_execute(&format!("DROP DATABASE IF EXISTS {}", quote_identifier(name)))
}

/// Drops what killed runs left on the server; returns the names. What isn't rollsafe's beyond doubt, isn't this role's
/// to drop, or has a session in it stays.
pub fn remove_leftovers(client: &mut Client) -> Vec<String> {
    let find = |client: &mut Client, sql: &str, prefix: &str| -> Vec<String> {
        let rows = client.query(sql, &[&format!("{}%", prefix.replace('_', "\\_"))]).unwrap_or_default();
        rows.iter()
            .filter_map(|row| Some((row.try_get::<_, String>(0).ok()?, row.try_get::<_, String>(1).ok()?)))
            .filter(|(_, comment)| is_old(comment))
            .map(|(name, _)| name)
            .collect()
    };
    let databases = find(
        client,
        "SELECT d.datname::text, pg_catalog.shobj_description(d.oid, 'pg_database') FROM pg_catalog.pg_database d
          WHERE d.datname LIKE $1 AND pg_catalog.pg_has_role(d.datdba, 'MEMBER')
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)",
        DATABASE,
    );
    let mut gone = databases.clone();
    let mut stayed = drop_these(client, &databases, &[]);
    let roles = find(
        client,
        "SELECT r.rolname::text, pg_catalog.shobj_description(r.oid, 'pg_authid') FROM pg_catalog.pg_roles r
          WHERE r.rolname LIKE $1
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_database d WHERE d.datdba = r.oid)
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.usesysid = r.oid)",
        ROLE,
    );
    gone.extend(roles.iter().cloned());
    stayed.extend(drop_these(client, &[], &roles));
    gone.retain(|name| !stayed.iter().any(|said| said.contains(name.as_str())));
    gone
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// Whether the comment is one of ours, and not of just now.
fn is_old(comment: &str) -> bool {
    comment
        .strip_prefix(COMMENT)
        .and_then(|time| time.trim().parse::<i64>().ok())
        .is_some_and(|time| now() - time > YOUNG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_things_with_our_comment_are_leftovers() {
        assert!(is_old(&format!("{COMMENT}1700000000")));
        assert!(!is_old(&format!("{COMMENT}{}", now())));
        for comment in ["", "a database", COMMENT, "rollsafe", &format!("x{COMMENT}1700000000")] {
            assert!(!is_old(comment), "{comment}");
        }
        assert!(
            Guest::comment("ROLE", "rollsafe_restore_\"x")
                .starts_with("COMMENT ON ROLE \"rollsafe_restore_\"\"x\" IS '")
        );
    }
}
