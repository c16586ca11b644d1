//! Plain dumps: SQL text with COPY data in it, compressed or not; and what is no dump, by name.

use std::path::Path;

use super::compression::{Compression, Container, Decoder};
use super::input::Input;
use super::text_reader::{TextReader, TextSink};
use super::{Archive, Format, OpenError, Problem, StreamError};

/// Bytes of a dump's text in which its first words must be.
const HEAD: usize = 16 * 1024;

/// Opens a file that is neither a custom nor a tar archive: text, compressed text, or something foreign.
pub(super) fn open(path: &Path, input: Input, head: &[u8]) -> Result<Archive, OpenError> {
    let not_recognised =
        |what: &str| OpenError::NotRecognised { path: path.to_owned(), what: what.to_owned() };
    if let Some(what) = foreign(head) {
        return Err(not_recognised(what));
    }
    let compression = Compression::of_magic(head).unwrap_or(Compression::None);
    let (text, damaged) = decoded_head(&input, compression).map_err(|error| match error {
        StreamError::Read(super::ReadError::Io { source, .. }) => {
            OpenError::Io { path: path.to_owned(), source }
        }
        other => not_recognised(&other.to_string()),
    })?;
    if text.is_empty() && !damaged {
        return Err(OpenError::Empty(path.to_owned()));
    }
    if text.starts_with(b"PGDMP") {
        return Err(not_recognised(&format!(
            "it is a custom archive inside a {compression} file: decompress it first"
        )));
    }
    if super::tar::looks_like_tar(&text) {
        return Err(not_recognised(&format!(
            "it is a tar file inside a {compression} file: decompress it first"
        )));
    }
    if let Some(what) = foreign(&text) {
        return Err(not_recognised(what));
    }
    let has = |needle: &[u8]| memchr::memmem::find(&text, needle).is_some();
    let without_heading = !has(b"PostgreSQL database dump") && !has(b"PostgreSQL database cluster dump");
    let format = if has(b"PostgreSQL database cluster dump") {
        Format::Cluster
    } else if has(b"PostgreSQL database dump") {
        Format::Plain
    } else if damaged && compression != Compression::None {
        return Err(not_recognised(&format!(
            "the {compression} stream is damaged or cut at its very beginning"
        )));
    } else if has(b"PostgreSQL database") || has(b"pg_dump") || has(b"FROM stdin;") {
        // The heading itself is damaged or was cut off; the rest says what it is.
        Format::Plain
    } else {
        return Err(not_recognised(
            "it is no dump that pg_dump or pg_dumpall wrote: it has none of their headings",
        ));
    };
    let mut archive = Archive::new(path, format, input.len(), input.gauge());
    archive.compression = compression;
    archive.text = Some(input);
    archive.without_heading = without_heading;
    Ok(archive)
}

/// What a file is that isn't ours, by its first bytes, and what to do about it.
fn foreign(head: &[u8]) -> Option<&'static str> {
    let starts = |magic: &[u8]| head.starts_with(magic);
    let has = |needle: &[u8]| memchr::memmem::find(head.get(..512).unwrap_or(head), needle).is_some();
    Some(if starts(b"age-encryption.org/") || starts(b"-----BEGIN AGE ENCRYPTED FILE") {
        "it is encrypted with age: decrypt it first (age --decrypt)"
    } else if starts(b"-----BEGIN PGP MESSAGE") || is_pgp(head) {
        "it is encrypted with PGP: decrypt it first (gpg --decrypt)"
    } else if starts(b"Salted__") {
        "it is encrypted with openssl enc: decrypt it first"
    } else if has(b"-- MySQL dump") || has(b"-- MariaDB dump") || has(b"mysqldump") {
        "it is a dump of MySQL or MariaDB, not of PostgreSQL"
    } else if starts(b"SQLite format 3\0") {
        "it is a SQLite database, not a dump of PostgreSQL"
    } else if starts(b"PK\x03\x04") {
        "it is a zip file: unpack it first"
    } else if starts(b"7z\xbc\xaf\x27\x1c") {
        "it is a 7z file: unpack it first"
    } else if starts(b"PGCOPY\n\xff\r\n\0") {
        "it is the binary COPY data of one table, not a dump"
    } else if head.iter().all(|&byte| byte == 0) {
        "its first bytes are all zero: the file was never written, or the disk lost it"
    } else {
        return None;
    })
}

/// A binary OpenPGP message: a packet with an encrypted session key comes first (RFC 4880, 4.2).
fn is_pgp(head: &[u8]) -> bool {
    matches!(head, [0x84 | 0x8c, _, 3 | 4, ..] | [0x85, _, _, 3, ..] | [0xc1 | 0xc3, _, 3 | 4 | 6, ..])
}

/// The first bytes of the text, and whether its stream is damaged.
fn decoded_head(input: &Input, compression: Compression) -> Result<(Vec<u8>, bool), StreamError> {
    let mut text = vec![];
    let offset_of = |source| StreamError::Decode { source, offset: 0 };
    let large = input.gauge().allows_large_windows();
    let mut decoder = Decoder::new(compression, Container::File)
        .and_then(|decoder| decoder.with_large_windows(large))
        .map_err(offset_of)?;
    let mut cursor = input.cursor(0).with_buffer(HEAD);
    let mut keep = |bytes: &[u8]| text.extend_from_slice(bytes.get(..HEAD).unwrap_or(bytes));
    let mut damaged = false;
    for _ in 0..64 {
        let bytes = cursor.available()?;
        if bytes.is_empty() {
            damaged = decoder.finish(&mut keep).is_err();
            break;
        }
        damaged = decoder.push(bytes, &mut keep).is_err();
        let n = bytes.len();
        cursor.consume(n);
        if damaged {
            break;
        }
    }
    if compression == Compression::None {
        // Short pieces wait inside.
        let _ = decoder.finish(&mut keep);
    }
    Ok((text, damaged))
}

/// Reads the text of `archive` to its end. `longest` is how much of a statement is kept.
pub fn read_text(archive: &Archive, longest: usize, sink: &mut dyn TextSink) -> Vec<Problem> {
    let Some(input) = &archive.text else { return vec![] };
    let mut reader = TextReader::new(longest);
    let result = super::decode_all(input, archive.compression, &mut |bytes| reader.push(bytes, sink));
    reader.finish(sink);
    result.err().map(|error| error.problem(super::Place::default())).into_iter().collect()
}
