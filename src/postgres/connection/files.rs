//! The files that libpq looks into: `.pgpass`, `pg_service.conf`, and those below `~/.postgresql`.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::ConnectionError;
use super::text::{self, Pairs};

/// Where the user's files are.
pub(super) fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// The parameters of a service (manual, "The Connection Service File").
pub(super) fn service(name: &str, file: Option<&str>) -> Result<Pairs, ConnectionError> {
    let mut files: Vec<PathBuf> = match file {
        Some(file) => vec![PathBuf::from(file)],
        None => home().map(|home| home.join(".pg_service.conf")).into_iter().collect(),
    };
    match std::env::var_os("PGSYSCONFDIR") {
        Some(directory) => files.push(PathBuf::from(directory).join("pg_service.conf")),
        // Debian's and Red Hat's; libpq has the directory compiled in.
        None => {
            files.extend(["/etc/postgresql-common", "/etc"].map(|it| Path::new(it).join("pg_service.conf")))
        }
    }
    for file in &files {
        let Ok(content) = std::fs::read_to_string(file) else { continue };
        if let Some(pairs) = section(&content, name)
            .map_err(|problem| ConnectionError::text(format!("{}: {problem}", file.display())))?
        {
            return Ok(pairs);
        }
    }
    let looked = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    Err(ConnectionError::text(format!("there is no service `{name}` in {looked}")))
}

fn section(content: &str, name: &str) -> Result<Option<Pairs>, String> {
    let mut found = None;
    for (number, line) in content.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            if header.strip_suffix(']') == Some(name) {
                found = Some(Pairs::new());
            }
            continue;
        }
        let Some(pairs) = &mut found else { continue };
        let (key, value) = line.split_once('=').ok_or_else(|| format!("line {}: no `=`", number + 1))?;
        let key = text::known(key.trim()).map_err(|error| format!("line {}: {error}", number + 1))?;
        pairs.push((key, value.trim().to_owned()));
    }
    Ok(found)
}

/// The password of the first line that fits (manual, "The Password File"), or why the file isn't read.
pub(super) fn password(
    file: Option<&str>,
    host: &str,
    port: u16,
    database: &str,
    user: &str,
) -> Result<Option<String>, String> {
    let Some(path) = file.map(PathBuf::from).or_else(|| home().map(|home| home.join(".pgpass"))) else {
        return Ok(None);
    };
    let Ok(metadata) = std::fs::metadata(&path) else { return Ok(None) };
    if !metadata.is_file() {
        return Err(format!("{} is no plain file and was not read", path.display()));
    }
    // libpq leaves such a file alone as well.
    if metadata.mode() & 0o077 != 0 {
        return Err(format!("{0} was not read because others may read it: chmod 0600 {0}", path.display()));
    }
    let Ok(content) = std::fs::read_to_string(&path) else {
        return Err(format!("{} can't be read", path.display()));
    };
    // A socket in the default directory counts as localhost.
    let host = if host.starts_with('/') && super::DEFAULT_SOCKET_DIRECTORIES.contains(&host) {
        "localhost"
    } else {
        host
    };
    let wanted = [host, &port.to_string(), database, user];
    let line = content.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let (password, keys) = fields.split_last()?;
        let fits =
            keys.len() == 4 && keys.iter().zip(wanted).all(|(key, wanted)| key == "*" || key == wanted);
        fits.then(|| password.clone())
    });
    Ok(line)
}

/// Fields between colons; a backslash takes the next character as it is. The last field holds the rest.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let count = fields.len();
        let Some(field) = fields.last_mut() else { break };
        match c {
            '\\' => field.extend(chars.next()),
            ':' if count < 5 => fields.push(String::new()),
            _ => field.push(c),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_first_line_that_fits_gives_the_password() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pgpass");
        std::fs::write(&file, "# mine\ndb:5432:shop:me:a\\:b:c\n*:*:*:you:other\nlocalhost:*:*:*:local\n")
            .unwrap();
        let of = |host: &str, user: &str| password(file.to_str(), host, 5432, "shop", user);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(of("db", "me").unwrap_err().contains("chmod 0600"));
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(of("db", "me"), Ok(Some("a:b:c".to_owned())));
        assert_eq!(of("else", "you"), Ok(Some("other".to_owned())));
        assert_eq!(of("/var/run/postgresql", "me"), Ok(Some("local".to_owned())));
        assert_eq!(of("else", "me"), Ok(None));
        assert_eq!(password(Some("/nowhere"), "db", 1, "d", "u"), Ok(None));
    }

    #[test]
    fn services_are_sections() {
        let content = "[other]\nhost=x\n\n# ours\n[shop]\nhost = db.example\nport=6000\n[third]\nhost=y\n";
        let pairs = section(content, "shop").unwrap().unwrap();
        assert_eq!(pairs, [("host", "db.example".to_owned()), ("port", "6000".to_owned())]);
        assert_eq!(section(content, "none"), Ok(None));
        assert!(section("[a]\nhots=x", "a").unwrap_err().contains("line 2"));
    }
}
