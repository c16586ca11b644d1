//! The two ways to write a connection down, as libpq reads them: `postgresql://…` and `host=… dbname=…`.

use super::ConnectionError;

/// What libpq knows (manual, "Parameter Key Words"; 12 to 18) with the environment variable of each.
pub(super) const PARAMETERS: &[(&str, Option<&str>)] = &[
    ("service", Some("PGSERVICE")),
    ("servicefile", Some("PGSERVICEFILE")),
    ("host", Some("PGHOST")),
    ("hostaddr", Some("PGHOSTADDR")),
    ("port", Some("PGPORT")),
    ("dbname", Some("PGDATABASE")),
    ("user", Some("PGUSER")),
    ("password", Some("PGPASSWORD")),
    ("passfile", Some("PGPASSFILE")),
    ("require_auth", Some("PGREQUIREAUTH")),
    ("channel_binding", Some("PGCHANNELBINDING")),
    ("connect_timeout", Some("PGCONNECT_TIMEOUT")),
    ("client_encoding", Some("PGCLIENTENCODING")),
    ("options", Some("PGOPTIONS")),
    ("application_name", Some("PGAPPNAME")),
    ("fallback_application_name", None),
    ("keepalives", None),
    ("keepalives_idle", None),
    ("keepalives_interval", None),
    ("keepalives_count", None),
    ("tcp_user_timeout", None),
    ("replication", None),
    ("gssencmode", Some("PGGSSENCMODE")),
    ("krbsrvname", Some("PGKRBSRVNAME")),
    ("gsslib", Some("PGGSSLIB")),
    ("gssdelegation", Some("PGGSSDELEGATION")),
    ("sslmode", Some("PGSSLMODE")),
    ("sslnegotiation", Some("PGSSLNEGOTIATION")),
    ("sslcompression", Some("PGSSLCOMPRESSION")),
    ("sslcert", Some("PGSSLCERT")),
    ("sslkey", Some("PGSSLKEY")),
    ("sslpassword", None),
    ("sslcertmode", Some("PGSSLCERTMODE")),
    ("sslrootcert", Some("PGSSLROOTCERT")),
    ("sslcrl", Some("PGSSLCRL")),
    ("sslcrldir", Some("PGSSLCRLDIR")),
    ("sslsni", Some("PGSSLSNI")),
    ("requirepeer", Some("PGREQUIREPEER")),
    ("ssl_min_protocol_version", Some("PGSSLMINPROTOCOLVERSION")),
    ("ssl_max_protocol_version", Some("PGSSLMAXPROTOCOLVERSION")),
    ("min_protocol_version", Some("PGMINPROTOCOLVERSION")),
    ("max_protocol_version", Some("PGMAXPROTOCOLVERSION")),
    ("target_session_attrs", Some("PGTARGETSESSIONATTRS")),
    ("load_balance_hosts", Some("PGLOADBALANCEHOSTS")),
    ("scram_client_key", None),
    ("scram_server_key", None),
    ("oauth_issuer", None),
    ("oauth_client_id", None),
    ("oauth_client_secret", None),
    ("oauth_scope", None),
    ("sslkeylogfile", None),
];

/// Parameters whose values are never shown, nor put where other users of the machine see them.
pub(super) const SECRET: &[&str] =
    &["password", "sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret"];

/// Parameters in the order they were written.
pub(super) type Pairs = Vec<(&'static str, String)>;

/// Reads a URL, a connection string, or a bare database name.
pub(super) fn read(text: &str) -> Result<Pairs, ConnectionError> {
    let text = text.trim();
    if let Some((scheme, rest)) = text.split_once("://")
        && !scheme.contains(['=', ' '])
    {
        return match scheme {
            "postgresql" | "postgres" => url(rest),
            _ => Err(ConnectionError::text(format!(
                "a database URL begins with postgresql://, not with {scheme}://"
            ))),
        };
    }
    // As psql takes its --dbname.
    if text.contains('=') { key_values(text) } else { Ok(vec![("dbname", text.to_owned())]) }
}

/// The text without passwords, to be shown.
pub(super) fn without_secrets(text: &str, pairs: &Pairs) -> String {
    let text = text.trim();
    let is_secret = |key: &str| SECRET.contains(&key);
    let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| !scheme.contains(['=', ' ']))
    else {
        if !pairs.iter().any(|(key, _)| is_secret(key)) {
            return text.to_owned();
        }
        return written(pairs);
    };
    let (authority, tail) = rest.split_at(authority_end(rest));
    let authority = match authority.rsplit_once('@') {
        Some((userinfo, host)) => {
            format!("{}@{host}", userinfo.split_once(':').map_or(userinfo, |(user, _)| user))
        }
        None => authority.to_owned(),
    };
    let tail = match tail.split_once('?') {
        Some((path, query)) => {
            let kept: Vec<&str> = query
                .split('&')
                .filter(|part| !is_secret(&percent_decoded(part.split('=').next().unwrap_or(""))))
                .collect();
            if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
        }
        None => tail.to_owned(),
    };
    format!("{scheme}://{authority}{tail}")
}

/// The parameters as a connection string, without the secret ones.
pub(super) fn written(pairs: &Pairs) -> String {
    let quoted = |value: &str| {
        let plain =
            !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c == '\'' || c == '\\');
        if plain {
            value.to_owned()
        } else {
            format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
        }
    };
    let shown = pairs.iter().filter(|(key, _)| !SECRET.contains(key));
    shown.map(|(key, value)| format!("{key}={}", quoted(value))).collect::<Vec<_>>().join(" ")
}

fn authority_end(rest: &str) -> usize {
    rest.find(['/', '?']).unwrap_or(rest.len())
}

/// `user:password@host:port,host:port/dbname?key=value`, as libpq's conninfo_uri_parse_options reads it.
fn url(rest: &str) -> Result<Pairs, ConnectionError> {
    let mut pairs = Pairs::new();
    let (authority, tail) = rest.split_at(authority_end(rest));
    let hosts = match authority.rsplit_once('@') {
        Some((userinfo, hosts)) => {
            let (user, password) = match userinfo.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (userinfo, None),
            };
            put(&mut pairs, "user", percent_decoded(user));
            if let Some(password) = password {
                put(&mut pairs, "password", percent_decoded(password));
            }
            hosts
        }
        None => authority,
    };
    let (mut names, mut ports) = (vec![], vec![]);
    for one in hosts.split(',') {
        let (name, port) = if let Some(v6) = one.strip_prefix('[') {
            let (name, behind) = v6
                .split_once(']')
                .ok_or_else(|| ConnectionError::text("the URL's IPv6 address has no closing ]".to_owned()))?;
            (name, behind.strip_prefix(':').unwrap_or(""))
        } else {
            one.split_once(':').unwrap_or((one, ""))
        };
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            // It may be the rest of a password with a slash in it: not to be shown.
            return Err(ConnectionError::text(
                "the URL's port is no number (in a password, the characters / ? # @ : % are written \
                 %2F %3F %23 %40 %3A %25)"
                    .to_owned(),
            ));
        }
        names.push(percent_decoded(name));
        ports.push(port.to_owned());
    }
    if names.iter().any(|name| !name.is_empty()) {
        put(&mut pairs, "host", names.join(","));
    }
    if ports.iter().any(|port| !port.is_empty()) {
        put(&mut pairs, "port", ports.join(","));
    }
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    if let Some(database) = path.strip_prefix('/').filter(|it| !it.is_empty()) {
        put(&mut pairs, "dbname", percent_decoded(database));
    }
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let Some((key, value)) = part.split_once('=') else {
            return Err(ConnectionError::text("the URL has a parameter without a value".to_owned()));
        };
        let (key, value) = (percent_decoded(key), percent_decoded(value));
        // JDBC's spelling, which libpq takes too.
        if key == "ssl" && value == "true" {
            put(&mut pairs, "sslmode", "require".to_owned());
        } else {
            let key = known(&key)?;
            put(&mut pairs, key, value);
        }
    }
    Ok(pairs)
}

/// `key = value key='a value'`, as libpq's conninfo_parse reads it.
fn key_values(text: &str) -> Result<Pairs, ConnectionError> {
    let mut pairs = Pairs::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(pairs);
        }
        let mut key = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=' && !c.is_whitespace()) {
            key.push(c);
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.next() != Some('=') {
            // The word may be the rest of an unquoted password.
            return Err(ConnectionError::text(
                "the connection string has a word without `=` (a value with spaces stands in quotes: \
                 password='two words')"
                    .to_owned(),
            ));
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let quoted = chars.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        let mut closed = !quoted;
        while let Some(c) = chars.peek().copied() {
            if !quoted && c.is_whitespace() {
                break;
            }
            chars.next();
            match c {
                '\'' if quoted => {
                    closed = true;
                    break;
                }
                '\\' => value.extend(chars.next()),
                _ => value.push(c),
            }
        }
        if !closed {
            return Err(ConnectionError::text(
                "the connection string has a quote that isn't closed".to_owned(),
            ));
        }
        let key = known(&key)?;
        put(&mut pairs, key, value);
    }
}

/// The last of a key counts.
fn put(pairs: &mut Pairs, key: &'static str, value: String) {
    pairs.retain(|(there, _)| *there != key);
    pairs.push((key, value));
}

pub(super) fn known(key: &str) -> Result<&'static str, ConnectionError> {
    if let Some((known, _)) = PARAMETERS.iter().find(|(known, _)| *known == key) {
        return Ok(known);
    }
    let near = PARAMETERS
        .iter()
        .map(|(known, _)| (strsim::jaro_winkler(known, key), known))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| format!("; did you mean `{known}`?"));
    Err(ConnectionError::text(format!(
        "PostgreSQL knows no connection parameter `{key}`{}",
        near.unwrap_or_else(|| "; other drivers may: leave it out".to_owned())
    )))
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

    fn pairs(text: &str) -> String {
        match read(text) {
            Ok(pairs) => {
                pairs.iter().map(|(key, value)| format!("{key}=[{value}]")).collect::<Vec<_>>().join(" ")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn urls_are_read_as_libpq_reads_them() {
        assert_eq!(
            pairs("postgresql://me:p%40ss:w@db.example:5433/shop?sslmode=require&application_name=a%20b"),
            "user=[me] password=[p@ss:w] host=[db.example] port=[5433] dbname=[shop] sslmode=[require] application_name=[a b]"
        );
        assert_eq!(pairs("postgres://a:1,b/x"), "host=[a,b] port=[1,] dbname=[x]");
        assert_eq!(pairs("postgresql://[2001:db8::1]:5432/"), "host=[2001:db8::1] port=[5432]");
        assert_eq!(pairs("postgresql:///x?host=/run/pg&port=6000"), "dbname=[x] host=[/run/pg] port=[6000]");
        assert_eq!(pairs("postgresql://%2Frun%2Fpg/x"), "host=[/run/pg] dbname=[x]");
        assert_eq!(pairs("postgresql://h/x?ssl=true"), "host=[h] dbname=[x] sslmode=[require]");
        assert_eq!(pairs("shop"), "dbname=[shop]");
    }

    #[test]
    fn connection_strings_are_read_as_libpq_reads_them() {
        assert_eq!(
            pairs("host = db  dbname='my \\'shop' password=a\\ b"),
            "host=[db] dbname=[my 'shop] password=[a b]"
        );
        assert_eq!(pairs("password='' user=u"), "password=[] user=[u]");
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for text in [
            "postgresql://me:geh/eim@host/db",
            "host=db password=geh eim",
            "host=db password='geheim",
            "mysql://me:geheim@host/db",
            "postgresql://me:geheim@host/db?schema=public",
        ] {
            let error = pairs(text);
            assert!(!error.contains("eim") && !error.contains("geh"), "{error}");
        }
        assert!(pairs("hots=db").contains("did you mean `host`?"));
        assert!(pairs("postgresql://h/d?schema=public").contains("`schema`"));
    }

    #[test]
    fn passwords_are_not_shown() {
        let shown = |text: &str| without_secrets(text, &read(text).unwrap());
        for (given, expected) in [
            ("postgresql://me:a@b@host/db", "postgresql://me@host/db"),
            ("postgresql://host/db?password=x&sslmode=require", "postgresql://host/db?sslmode=require"),
            ("postgresql://host/db?%70assword=x", "postgresql://host/db"),
            ("host=db  password='a b' dbname='x y'", "host=db dbname='x y'"),
            ("host=db dbname=shop", "host=db dbname=shop"),
            ("postgresql:///shop?host=/tmp/a:b@c", "postgresql:///shop?host=/tmp/a:b@c"),
        ] {
            assert_eq!(shown(given), expected);
        }
    }
}
