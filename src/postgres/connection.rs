//! How PostgreSQL's own programs are led to a user's server: by URL, with the password kept out of sight.

use std::ffi::OsString;

/// A user's server. Without a URL libpq's own settings hold: `PGHOST`, `PGSERVICE`, `.pgpass` …
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Connection {
    /// Without the password.
    url: Option<String>,
    password: Option<String>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connection").field(&self.shown()).finish()
    }
}

impl Connection {
    /// The server and database that `url` names (`postgresql://user:password@host/database`), or a
    /// libpq connection string; see the manual, "Connection Strings". It is libpq that reads it, so
    /// whatever libpq takes will do.
    pub fn new(url: Option<&str>) -> Connection {
        let Some(url) = url.filter(|url| !url.is_empty()) else { return Connection::default() };
        match without_password(url) {
            Some((url, password)) => Connection { url: Some(url), password: Some(password) },
            None => Connection { url: Some(url.to_owned()), password: None },
        }
    }

    /// Arguments for psql, pg_dump and pg_restore. Other users of the machine can see them, so the
    /// password isn't among them.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["--no-password".into()];
        if let Some(url) = &self.url {
            arguments.extend(["--dbname".into(), url.into()]);
        }
        arguments
    }

    /// Environment variables to go with the arguments.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = vec![("PGAPPNAME", "rollsafe".to_owned())];
        environment.extend(self.password.iter().map(|password| ("PGPASSWORD", password.clone())));
        environment
    }

    /// For messages: without the password.
    pub fn shown(&self) -> &str {
        self.url.as_deref().unwrap_or("the server of the PG* environment variables")
    }
}

/// The URL without the password between `user:` and `@host`, and the password; none where there is none.
fn without_password(url: &str) -> Option<(String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at_checked(end)?;
    let (userinfo, host) = authority.rsplit_once('@')?;
    let (user, password) = userinfo.split_once(':')?;
    Some((format!("{scheme}://{user}@{host}{tail}"), percent_decoded(password)))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let hex = behind.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(decoded)) => {
                bytes.push(decoded);
                rest = behind.get(2..).unwrap_or(&[]);
            }
            _ => {
                bytes.push(byte);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_travel_in_the_environment_only() {
        let connection =
            Connection::new(Some("postgresql://me:p%40ss:w@db.example:5433/shop?sslmode=require"));
        assert_eq!(connection.shown(), "postgresql://me@db.example:5433/shop?sslmode=require");
        assert!(connection.environment().contains(&("PGPASSWORD", "p@ss:w".to_owned())));
        assert!(!format!("{connection:?}").contains("ss:w"));
        for url in ["postgresql://me@db/shop", "postgresql:///shop?host=/tmp/a:b@c", "host=db dbname=shop"] {
            assert_eq!(Connection::new(Some(url)).shown(), url);
        }
    }
}
