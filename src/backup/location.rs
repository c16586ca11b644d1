//! Where a dump is: in the file system, or on standard input; and how it gets to where the stages can read it.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::archive::input::{Gauge, Input, Stream};
use super::archive::{Archive, OpenError};
use crate::postgres::cluster::{free_bytes, scratch_base};
use crate::postgres::ephemeral::Scratch;

/// Bytes that are copied at once.
const PIECE: usize = 1 << 20;
/// How much stays free where a dump is kept for the restore.
const LEFT_FREE: u64 = 64 << 20;

/// Where a dump is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A file, or the directory of a directory dump.
    Path(PathBuf),
    /// Standard input.
    Stdin,
    /// In an object store, by its URL.
    Object(String),
}

impl Location {
    /// What `text` names: `-` is standard input, `s3://…` an object.
    pub fn of(path: &Path) -> Location {
        match path.to_str() {
            Some("-") => Location::Stdin,
            Some(text) if is_url(text) && !path.exists() => Location::Object(text.to_owned()),
            _ => Location::Path(path.to_owned()),
        }
    }
}

/// Whether it begins with a scheme: `s3://`.
fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+')
    })
}

/// Why a dump can't be had from where it is.
#[derive(Debug, thiserror::Error)]
pub enum LocationError {
    /// It can't be read.
    #[error("{what} can't be read: {source}")]
    Read {
        /// What.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// It can't be kept for the restore.
    #[error("{place} can't hold the dump, which the restore needs as a file: {source}")]
    Keep {
        /// Where.
        place: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// This rollsafe doesn't know object stores.
    #[error(
        "{0}: this rollsafe was built without the feature object-store, which reads s3://, gs:// and az://"
    )]
    NoObjectStores(String),
}

impl LocationError {
    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            LocationError::Read { .. } => return None,
            LocationError::Keep { .. } => {
                "name a place with more space, or leave the restore out:\n  export ROLLSAFE_SCRATCH_DIR=/path/with/space\n  --restore=never"
                    .to_owned()
            }
            LocationError::NoObjectStores(url) => format!(
                "build it with that feature, or read the object from a pipe:\n  cargo install rollsafe --features object-store\n  aws s3 cp {url} - | rollsafe verify-backup -"
            ),
        })
    }
}

/// A dump within reach, and what is kept of it as long as it is looked at.
pub(super) struct Reached {
    /// The file or directory, where it is one.
    pub(super) path: Option<PathBuf>,
    stream: Option<Arc<Stream>>,
    /// SHA-256 of what was copied.
    sha256: Option<String>,
    /// Worth saying.
    pub(super) notes: Vec<String>,
    _kept: Option<Scratch>,
}

impl Reached {
    /// Gets hold of the dump. `as_file`: it is needed as a file, for pg_restore; `hashed`: and its SHA-256.
    pub(super) fn reach(
        location: &Location,
        as_file: bool,
        hashed: bool,
        scratch: Option<&Path>,
    ) -> Result<Reached, LocationError> {
        let none = Reached { path: None, stream: None, sha256: None, notes: vec![], _kept: None };
        match location {
            Location::Path(path) => Ok(Reached { path: Some(path.clone()), ..none }),
            Location::Stdin if !as_file => {
                Ok(Reached { stream: Some(Arc::new(Stream::new(io::stdin(), hashed))), ..none })
            }
            Location::Stdin => {
                let base = scratch.map_or_else(scratch_base, Path::to_owned);
                let (kept, path, sha256) = keep("standard input", &mut io::stdin().lock(), &base)?;
                let note = format!(
                    "standard input was kept in {} for the restore, and removed again",
                    base.display()
                );
                Ok(Reached {
                    path: Some(path),
                    sha256: Some(sha256),
                    notes: vec![note],
                    _kept: Some(kept),
                    ..none
                })
            }
            Location::Object(url) => Err(LocationError::NoObjectStores(url.clone())),
        }
    }

    /// Opens it; `name` is what it is called.
    pub(super) fn open(&self, name: &Path, gauge: &Arc<Gauge>) -> Result<Archive, OpenError> {
        match (&self.path, &self.stream) {
            (Some(path), _) => Archive::open(path, gauge),
            (None, Some(stream)) => Archive::open_input(name, Input::stream(Arc::clone(stream)).on(gauge)),
            (None, None) => Err(OpenError::Missing(name.to_owned())),
        }
    }

    /// Reads what is left of a stream: its length, and its SHA-256 if that was asked for.
    pub(super) fn end(&self) -> Option<io::Result<(u64, Option<String>)>> {
        Some(self.stream.as_ref()?.end())
    }

    /// The SHA-256 where copying it gave one.
    pub(super) fn sha256(&self) -> Option<&str> {
        self.sha256.as_deref()
    }
}

/// Copies what `from` gives into a file of its own below `base`.
fn keep(what: &str, from: &mut dyn Read, base: &Path) -> Result<(Scratch, PathBuf, String), LocationError> {
    let failed = |source| LocationError::Keep { place: base.to_owned(), source };
    let scratch = Scratch::create(base).map_err(failed)?;
    let path = scratch.path().join("dump");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
    let mut piece = vec![0; PIECE];
    let mut hash = Sha256::new();
    let mut since = 0;
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(LocationError::Read { what: what.to_owned(), source }),
        };
        let bytes = piece.get(..read).unwrap_or(&[]);
        hash.update(bytes);
        file.write_all(bytes).map_err(failed)?;
        since += read;
        if since > 16 * PIECE {
            since = 0;
            if free_bytes(base).is_ok_and(|free| free < LEFT_FREE) {
                return Err(failed(io::Error::from(io::ErrorKind::StorageFull)));
            }
        }
    }
    scratch.hand_over(&path);
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((scratch, path, sha256))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_told_apart() {
        let of = |text: &str| Location::of(Path::new(text));
        assert_eq!(of("-"), Location::Stdin);
        assert_eq!(of("s3://bucket/shop.dump"), Location::Object("s3://bucket/shop.dump".into()));
        for path in ["shop.dump", "./-", "/a/b://c", "c:/shop.dump", "://x"] {
            assert_eq!(of(path), Location::Path(path.into()));
        }
    }
}
