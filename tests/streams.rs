//! Dumps that come through a pipe: the same tables and the same verdict as of a file, whole or damaged.

mod program;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use rollsafe::backup::archive::input::{Input, Stream};
use rollsafe::backup::archive::{Archive, Problem};
use rollsafe::backup::contents::read_contents;
use rollsafe::backup::data::{DataOptions, DataResult, read_data};
use rollsafe::backup::rows::Depth;
use rollsafe::backup::text::read_plain;

const DUMPS: &[&str] = &[
    "15-custom.dump",
    "15-custom-none.dump",
    "15.tar",
    "17-custom-none.dump",
    "17-custom-gzip.dump",
    "17-custom-lz4.dump",
    "17-custom-zstd.dump",
    "17-piped.dump",
    "17-schema-only.dump",
    "17-column-inserts.dump",
    "17-partition-root.dump",
    "17.tar",
    "18.tar",
    "17.sql",
    "17.sql.gz",
    "17.sql.zst",
    "17-all.sql",
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dumps").join(name)
}

/// Gives bytes in small and uneven pieces, as pipes do.
struct Pipe {
    bytes: Vec<u8>,
    at: usize,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let n = rest.len().min(buffer.len()).min(1 + self.at % 4093);
        buffer[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }
}

fn read(input: Input) -> Option<(DataResult, Vec<Problem>)> {
    let depth = Depth { checksums: true, values: true, keys: true };
    let options = DataOptions { depth, threads: 1 };
    let archive = Archive::open_input(Path::new("x"), input).ok()?;
    let data = if archive.format.is_text() {
        read_plain(&archive, options).data
    } else {
        let (contents, schema) = read_contents(&archive.toc);
        read_data(&archive, &schema, &contents, options)
    };
    Some((data, archive.problems))
}

fn of_file(bytes: &[u8]) -> Option<(DataResult, Vec<Problem>)> {
    read(Input::bytes(bytes.to_vec()))
}

fn of_stream(bytes: &[u8]) -> Option<(DataResult, Vec<Problem>)> {
    read(Input::stream(Arc::new(Stream::new(Pipe { bytes: bytes.to_vec(), at: 0 }, false))))
}

fn problems(found: &Option<(DataResult, Vec<Problem>)>) -> usize {
    found.as_ref().map_or(1, |(data, front)| data.problems.len() + front.len() + data.keys.len())
}

#[test]
fn a_stream_tells_the_same_as_a_file() {
    for name in DUMPS {
        let bytes = std::fs::read(fixture(name)).expect("readable");
        let (file, stream) = (of_file(&bytes).expect("opens"), of_stream(&bytes).expect("opens"));
        assert_eq!(stream.1, [], "{name}");
        assert_eq!(stream.0.problems, [], "{name}");
        assert_eq!(stream.0.tables, file.0.tables, "{name}");
        assert_eq!(stream.0.large_objects.count, file.0.large_objects.count, "{name}");
        assert_eq!(stream.0.large_objects.checksum, file.0.large_objects.checksum, "{name}");
    }
}

#[test]
fn damage_shows_in_a_stream_as_it_does_in_a_file() {
    let mut number = 0x2545_f491_4f6c_dd1du64;
    let mut below = |limit: usize| {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        (number % limit.max(1) as u64) as usize
    };
    let mut only_one = vec![];
    for name in DUMPS {
        let intact = std::fs::read(fixture(name)).expect("readable");
        for round in 0..6 {
            let mut damaged = intact.clone();
            let at = below(intact.len());
            match round % 3 {
                0 => damaged[at] ^= 1 << below(8),
                1 => damaged.truncate(at),
                _ => damaged[at / 512 * 512..(at / 512 * 512 + 512).min(intact.len())].fill(0),
            }
            let (file, stream) = (problems(&of_file(&damaged)), problems(&of_stream(&damaged)));
            if (file == 0) != (stream == 0) {
                only_one.push(format!(
                    "{name}, round {round} at {at}: {file} in the file, {stream} in the stream"
                ));
            }
        }
    }
    assert_eq!(only_one, Vec::<String>::new());
}

#[test]
fn standard_input_is_read_once_and_hashed_on_the_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let manifest = folder.path().join("manifest.json");
    let bytes = std::fs::read(fixture("17-custom-zstd.dump")).expect("readable");
    let verify = |bytes: &[u8], arguments: &[&str]| {
        let mut child = program::alone(env!("CARGO_BIN_EXE_rollsafe"))
            .args(["--no-config", "verify-backup", "-", "--restore=never", "--min-size=1", "--min-tables=0"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        // Written whole, or as far as it was wanted.
        let _ = child.stdin.take().expect("a pipe").write_all(bytes);
        let output = child.wait_with_output().expect("ends");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let path = manifest.to_str().expect("text");
    let (code, text) = verify(&bytes, &["--write-manifest", path]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("standard input\n"), "{text}");
    assert_eq!(verify(&bytes, &["--manifest", path]).0, Some(0));
    let mut damaged = bytes.clone();
    let last = damaged.len() / 2;
    damaged[last] ^= 1;
    assert_eq!(verify(&damaged, &["--manifest", path]).0, Some(1), "a flipped bit is found");
    assert_eq!(verify(&bytes[..last], &[]).0, Some(1), "a cut is found");
    assert_eq!(verify(b"", &[]).0, Some(1), "nothing at all is found");
}

/// `pg_dump -Fc > file`: the table of contents is there twice, because standard output is opened for appending.
#[test]
fn a_second_table_of_contents_at_the_end_is_no_damage() {
    let piped = std::fs::read(fixture("17-piped.dump")).expect("readable");
    let archive = Archive::open_input(Path::new("x"), Input::bytes(piped.clone())).expect("opens");
    // The header has the magic, versions, sizes, format and compression; seven numbers; three strings.
    let number =
        |at: usize| u32::from_le_bytes(piped[at + 1..at + 5].try_into().expect("four bytes")) as usize;
    let mut at = 12 + 7 * 5;
    for _ in 0..3 {
        at += 5 + number(at);
    }
    let mut appended = piped.clone();
    appended.extend_from_slice(&piped[at..archive.toc.end as usize]);
    for (what, read) in [("file", of_file(&appended)), ("stream", of_stream(&appended))] {
        assert_eq!(problems(&read), 0, "{what}: {:?}", read.map(|(data, front)| (data.problems, front)));
    }
    for damage in [appended.len() - 1, appended.len() - 300] {
        assert_ne!(problems(&of_file(&appended[..damage])), 0, "a cut second one is found");
    }
    let flip = appended.len() - 2000;
    appended[flip] ^= 4;
    assert_ne!(problems(&of_file(&appended)), 0, "a damaged second one is found");
}
