//! Where a dump is: in the file system, or on standard input; and how it gets to where the stages can read it.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::archive::input::{Gauge, Input, Stream};
use super::archive::{Archive, OpenError};
use super::manifest;
#[cfg(feature = "object-store")]
use super::object_store::{Bucket, Found};
use crate::postgres::cluster::{free_bytes, scratch_base};
use crate::postgres::ephemeral::Scratch;

/// Bytes that are copied at once.
const PIECE: usize = 1 << 20;
/// After so many bytes the space left is looked at again.
const CHECKED: u64 = 16 << 20;
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
    /// The latest of several was asked for where there is one.
    #[error("--latest looks for the newest dump below a prefix of an object store, as s3://bucket/prefix")]
    NotLatest,
    /// This rollsafe doesn't know object stores.
    #[cfg(not(feature = "object-store"))]
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
            LocationError::NotLatest => return None,
            #[cfg(not(feature = "object-store"))]
            LocationError::NoObjectStores(url) => format!(
                "build it with that feature, or read the object from a pipe:\n  cargo install rollsafe --features object-store\n  aws s3 cp {url} - | rollsafe verify-backup -"
            ),
        })
    }
}

/// A dump within reach, and what is kept of it as long as it is looked at.
#[derive(Default)]
pub(super) struct Reached {
    /// The file or directory, where it is one.
    pub(super) path: Option<PathBuf>,
    stream: Option<Arc<Stream>>,
    /// SHA-256 of what was copied.
    sha256: Option<String>,
    /// When the store says that it was changed.
    pub(super) modified: Option<SystemTime>,
    #[cfg(feature = "object-store")]
    object: Option<(Bucket, Found)>,
    /// Worth saying.
    pub(super) notes: Vec<String>,
    _kept: Option<Scratch>,
}

impl Reached {
    /// Gets hold of the dump. `as_file`: it is needed as a file, for pg_restore; `hashed`: and its SHA-256.
    pub(super) fn reach(
        location: &Location,
        latest: bool,
        as_file: bool,
        hashed: bool,
        scratch: Option<&Path>,
    ) -> Result<Reached, LocationError> {
        let none = Reached::default();
        if let (true, Location::Path(_) | Location::Stdin) = (latest, location) {
            return Err(LocationError::NotLatest);
        }
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
            #[cfg(not(feature = "object-store"))]
            Location::Object(url) => Err(LocationError::NoObjectStores(url.clone())),
            #[cfg(feature = "object-store")]
            Location::Object(url) => {
                let base = scratch.map_or_else(scratch_base, Path::to_owned);
                Reached::object(url, latest, as_file, &base)
            }
        }
    }

    #[cfg(feature = "object-store")]
    fn object(url: &str, latest: bool, as_file: bool, base: &Path) -> Result<Reached, LocationError> {
        let failed = |source| LocationError::Read { what: url.to_owned(), source };
        let (bucket, path) = Bucket::at(url).map_err(failed)?;
        let found = if latest { bucket.latest(&path) } else { bucket.find(&path) };
        let found = found.map_err(failed)?.ok_or_else(|| failed(io::Error::from(io::ErrorKind::NotFound)))?;
        let mut reached = Reached { modified: found.modified(), ..Reached::default() };
        if latest {
            reached.notes.push(format!("the latest below {url} is {}", found.name()));
        }
        if !as_file {
            reached.object = Some((bucket, found));
            return Ok(reached);
        }
        reached
            .notes
            .push(format!("{url} was kept in {} for the restore, and removed again", base.display()));
        match found {
            Found::Object(object) => {
                let (kept, path, sha256) = keep(url, &mut Whole(bucket.input(&object).cursor(0)), base)?;
                Ok(Reached { path: Some(path), sha256: Some(sha256), _kept: Some(kept), ..reached })
            }
            Found::Folder { files, .. } => {
                let not_kept = |source| LocationError::Keep { place: base.to_owned(), source };
                let scratch = Scratch::create(base).map_err(not_kept)?;
                let folder = scratch.path().join("dump");
                std::fs::create_dir(&folder).map_err(not_kept)?;
                for (name, object) in files {
                    let path = folder.join(&name);
                    copy(url, &mut Whole(bucket.input(&object).cursor(0)), &path, base)?;
                    scratch.hand_over(&path);
                }
                scratch.hand_over(&folder);
                Ok(Reached { path: Some(folder), _kept: Some(scratch), ..reached })
            }
        }
    }

    /// Opens it; `name` is what it is called.
    pub(super) fn open(&self, name: &Path, gauge: &Arc<Gauge>) -> Result<Archive, OpenError> {
        #[cfg(feature = "object-store")]
        if let Some((bucket, found)) = &self.object {
            return bucket.open(found, name, gauge);
        }
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

    /// The SHA-256 as manifests have it, but of a stream: [`Reached::end`] gives that.
    pub(super) fn sha256(&self) -> io::Result<String> {
        if let Some(known) = &self.sha256 {
            return Ok(known.clone());
        }
        #[cfg(feature = "object-store")]
        if let Some((bucket, found)) = &self.object {
            let of =
                |object| hash(&mut Whole(bucket.input(object).cursor(0)), &mut io::sink(), &mut |_| Ok(()));
            return match found {
                Found::Object(object) => of(object),
                Found::Folder { files, .. } => {
                    let sums: io::Result<Vec<(String, String)>> =
                        files.iter().map(|(name, object)| Ok((of(object)?, name.clone()))).collect();
                    Ok(manifest::sha256_of_lines(&sums?))
                }
            };
        }
        match &self.path {
            Some(path) => manifest::sha256(path),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }
}

/// Reads `from` to its end and writes it to `to`; returns its SHA-256. `between` is asked now and then whether to go on.
fn hash(
    from: &mut dyn Read,
    to: &mut dyn Write,
    between: &mut dyn FnMut(u64) -> io::Result<()>,
) -> io::Result<String> {
    let mut piece = vec![0; PIECE];
    let mut hash = Sha256::new();
    let mut done = 0u64;
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(source),
        };
        let bytes = piece.get(..read).unwrap_or(&[]);
        hash.update(bytes);
        to.write_all(bytes)?;
        done += read as u64;
        between(done)?;
    }
}

/// Copies what `from` gives into a file of its own below `base`.
fn keep(what: &str, from: &mut dyn Read, base: &Path) -> Result<(Scratch, PathBuf, String), LocationError> {
    let scratch =
        Scratch::create(base).map_err(|source| LocationError::Keep { place: base.to_owned(), source })?;
    let path = scratch.path().join("dump");
    let sha256 = copy(what, from, &path, base)?;
    scratch.hand_over(&path);
    Ok((scratch, path, sha256))
}

/// Copies what `from` gives to `path`; returns its SHA-256. Leaves some space free.
fn copy(what: &str, from: &mut dyn Read, path: &Path, base: &Path) -> Result<String, LocationError> {
    let failed = |source| LocationError::Keep { place: base.to_owned(), source };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let mut from = Source { from, failed: false };
    let mut checked = 0;
    let copied = hash(&mut from, &mut file, &mut |done| {
        if done - checked > CHECKED {
            checked = done;
            if free_bytes(base).is_ok_and(|free| free < LEFT_FREE) {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
        }
        Ok(())
    });
    copied.map_err(|source| match from.failed {
        true => LocationError::Read { what: what.to_owned(), source },
        false => failed(source),
    })
}

/// Remembers whether it was reading that failed.
struct Source<'a> {
    from: &'a mut dyn Read,
    failed: bool,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer);
        self.failed |= read.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        read
    }
}

/// All of an object, from its beginning.
#[cfg(feature = "object-store")]
struct Whole(super::archive::input::Cursor);

#[cfg(feature = "object-store")]
impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.0.available().map_err(io::Error::other)?;
        let n = bytes.len().min(buffer.len());
        buffer[..n].copy_from_slice(&bytes[..n]); // n is at most either length
        self.0.consume(n);
        Ok(n)
    }
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
