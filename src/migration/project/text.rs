//! The text of migration files: bytes that may be no UTF-8, and files too large to count in.

use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::files::find;
use super::{ProjectError, Request};
use crate::source::Span;

/// Larger files are refused: a span counts bytes in 32 bits.
const LARGEST: u64 = u32::MAX as u64;

/// The text of a file, and what is wrong with it.
pub(super) type Read = (Arc<str>, Option<(Span, String)>);

pub(super) fn text_of(path: &Path, request: &Request) -> Result<Read, ProjectError> {
    match (request.texts.get(path), request.ahead.texts.get(path.as_os_str())) {
        (Some(bytes), _) => Ok(decode(bytes)),
        (None, Some(read)) => Ok(read.clone()),
        (None, None) => read(path),
    }
}

/// What files hold, read while something else was waited for.
#[derive(Clone, Default)]
pub struct ReadAhead {
    /// What each folder holds.
    files: FxHashMap<PathBuf, Vec<PathBuf>>,
    texts: FxHashMap<OsString, Read>,
}

impl ReadAhead {
    /// Reads the SQL files of folders until `enough` is set. What can't be read is left to whoever asks for it.
    pub fn of(folders: &[PathBuf], enough: &AtomicBool) -> Self {
        let found = folders.iter().filter_map(|folder| Some((folder.clone(), find(folder).ok()?)));
        let files: FxHashMap<PathBuf, Vec<PathBuf>> = found.collect();
        let all: Vec<&PathBuf> = files.values().flatten().collect();
        let mut texts = FxHashMap::default();
        texts.reserve(all.len());
        for some in all.chunks(CHUNK) {
            if enough.load(Ordering::Relaxed) {
                break;
            }
            let read: Vec<(OsString, Read)> = some
                .par_iter()
                .filter_map(|path| Some((path.as_os_str().to_owned(), read(path).ok()?)))
                .collect();
            texts.extend(read);
        }
        ReadAhead { files, texts }
    }

    /// The SQL files of a folder, where it was looked through.
    pub fn found(&self, folder: &Path) -> Option<Vec<PathBuf>> {
        self.files.get(folder).cloned()
    }
}

/// How many files are read before it is asked again whether that is enough.
const CHUNK: usize = 64;

fn read(path: &Path) -> Result<Read, ProjectError> {
    let unreadable = |error| ProjectError::Unreadable { path: path.to_owned(), error };
    let mut file = File::open(path).map_err(unreadable)?;
    // Most migrations fit: then nobody need ask how large the file is, which takes as long as reading it.
    let mut first = [0; FIRST];
    let mut filled = 0;
    while let Some(room) = first.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read(room) {
            Ok(0) => return Ok(decode(&first[..filled])), // as far as it is filled
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    let size = file.metadata().map_err(unreadable)?.len();
    if size > LARGEST {
        return Err(ProjectError::TooLarge(path.to_owned()));
    }
    // One byte more than there is: the end shows without another buffer.
    let mut bytes = Vec::with_capacity((size as usize).max(FIRST) + 1);
    bytes.extend_from_slice(&first);
    file.take(LARGEST).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(decode(&bytes))
}

/// How many bytes are read at once.
const FIRST: usize = 4 * 1024;

/// Bytes as text, and what is wrong with them. Offsets stay those of the bytes: each byte that isn't UTF-8 becomes `?`.
pub(super) fn decode(bytes: &[u8]) -> (Arc<str>, Option<(Span, String)>) {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        let little = bytes[0] == 0xFF; // two bytes are there: it starts with them
        let units = bytes[2..].chunks_exact(2).map(|pair| match (pair, little) {
            ([a, b], true) => u16::from_le_bytes([*a, *b]),
            ([a, b], false) => u16::from_be_bytes([*a, *b]),
            _ => 0,
        });
        let text: String =
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        let message = "the file is UTF-16, which PostgreSQL can't read; save it as UTF-8".to_owned();
        return (text.into(), Some((Span::at(0), message)));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.into(), None),
        Err(error) => {
            let at = error.valid_up_to();
            let mut bytes = bytes.to_vec();
            let wrong = bytes.get(at).copied().unwrap_or(0);
            let mut from = at;
            while let Err(error) = std::str::from_utf8(&bytes[from..]) {
                from += error.valid_up_to();
                bytes[from] = b'?'; // in bounds: the error is at this byte
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let message = format!(
                "byte 0x{wrong:02X} is not UTF-8: PostgreSQL would reject it, or store other characters than meant; save the file as UTF-8"
            );
            (text.into(), Some((Span::new(at, at + 1), message)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_keep_their_places() {
        let (text, problem) = decode(b"SELECT 'a\xE9b\xFF';");
        assert_eq!(&*text, "SELECT 'a?b?';");
        assert_eq!(problem.unwrap().0, Span::new(9, 10));
        let (text, problem) = decode(&[0xFF, 0xFE, b'a', 0, b'b', 0]);
        assert_eq!((&*text, problem.is_some()), ("ab", true));
    }
}
