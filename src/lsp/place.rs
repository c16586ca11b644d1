//! `file:` addresses and paths.

use std::path::{Path, PathBuf};

/// The path of a `file:` address; `None` for others (`untitled:`, `git:`).
pub fn path_of(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    // `file://localhost/…` and `file:///…`; another host's files can't be read.
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return None;
    }
    let decoded = decode(path);
    let decoded = String::from_utf8(decoded).ok()?;
    // `/C:/x` on Windows.
    let drive = decoded.as_bytes();
    if cfg!(windows) && drive.get(2) == Some(&b':') {
        return decoded.get(1..).map(PathBuf::from);
    }
    Some(PathBuf::from(decoded))
}

fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = (byte == b'%')
            .then(|| text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok()))
            .flatten();
        match hex {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

/// The path as the linter names it: from the working directory where it lies below that.
pub fn from_here(path: &Path) -> PathBuf {
    match std::env::current_dir() {
        Ok(here) => path.strip_prefix(&here).map(Path::to_owned).unwrap_or_else(|_| path.to_owned()),
        Err(_) => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_decoded() {
        assert_eq!(path_of("file:///db/1%20%C3%A9.sql"), Some("/db/1 é.sql".into()));
        assert_eq!(path_of("file://localhost/a%zz.sql"), Some("/a%zz.sql".into()));
        assert_eq!(path_of("untitled:Untitled-1"), None);
        assert_eq!(path_of("file://other/a.sql"), None);
    }
}
