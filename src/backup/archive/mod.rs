//! Readers of pg_dump's archives: custom, directory and tar, and of its plain SQL.
//!
//! # Trust
//! The bytes come from anywhere. Whatever they are, the readers here
//! - never panic: every length and offset is checked against what is there before it is used;
//! - never allocate for a length that the file merely claims: memory grows with bytes really read, the
//!   table of contents is the only part held as a whole, and decoders are bounded by their formats;
//! - always end: each step consumes input, and a block is read at most twice (found, then decoded);
//! - never leave the dump: names of files in a table of contents are looked up among the dump's own
//!   files, names with a path are refused, and neither symbolic links nor devices are opened.
//!
//! Readers return what they could read together with the [`Problem`]s; they don't stop at the first.

pub mod compression;
pub mod custom;
pub mod directory;
pub mod header;
pub mod input;
pub mod plain;
pub mod tar;
pub mod text_reader;
pub mod toc;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use compression::Compression;
use compression::{Container, DecodeError, Decoder};
use header::{Header, HeaderError, HeaderFormat, read_header};
use input::{Gauge, Input, ReadError};
use toc::{PlaceKind, Toc, read_toc};

/// How a dump is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `pg_dump -Fc`
    Custom,
    /// `pg_dump -Fd`
    Directory,
    /// `pg_dump -Ft`
    Tar,
    /// `pg_dump -Fp`: SQL text of one database
    Plain,
    /// `pg_dumpall`: SQL text of a cluster
    Cluster,
}

impl Format {
    /// The word for it in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Custom => "custom",
            Format::Directory => "directory",
            Format::Tar => "tar",
            Format::Plain => "plain",
            Format::Cluster => "cluster",
        }
    }

    /// Whether it is SQL text.
    pub fn is_text(self) -> bool {
        matches!(self, Format::Plain | Format::Cluster)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What kind of damage a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// The header isn't as pg_dump writes it.
    Header,
    /// The table of contents isn't.
    Toc,
    /// The file ends too early.
    Truncated,
    /// The system can't read it.
    Unreadable,
    /// A data block can't be decoded, or isn't what the table of contents says.
    BlockDamaged,
    /// A data block or its file isn't there.
    BlockMissing,
    /// A row isn't what its table can hold.
    Row,
    /// Bytes that aren't characters of the dump's encoding.
    Encoding,
    /// The dump stops before pg_dump said that it was done.
    Incomplete,
    /// Large objects are missing or unreadable.
    LargeObject,
    /// A key occurs twice, or a foreign key points nowhere: the restore will fail.
    Key,
    /// It wasn't read, because that takes more memory than is allowed.
    TooLarge,
    /// Somebody asked to stop.
    Cancelled,
}

/// Where a problem is.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    /// The file of a directory or the member of a tar file; none for the dump's single file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Byte of that file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Dump id of the TOC entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<i32>,
    /// The table or large object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Row of the table, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = vec![];
        parts.extend(self.object.clone());
        parts.extend(self.row.map(|row| format!("row {row}")));
        parts.extend(self.file.as_ref().map(|file| format!("file {file}")));
        parts.extend(self.offset.map(|offset| format!("byte {offset}")));
        parts.extend(self.entry.map(|entry| format!("TOC entry {entry}")));
        f.write_str(&parts.join(", "))
    }
}

/// One thing that isn't as pg_dump writes it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// What kind.
    pub kind: ProblemKind,
    /// Where.
    pub place: Place,
    /// What is wrong, as a clause without a full stop.
    pub what: String,
}

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// Rows of a table.
    Table,
    /// Large objects, each introduced by its OID: custom archives.
    LargeObjects,
    /// One large object: a file of its own.
    LargeObject(u32),
}

/// A stretch of stored data that can be read by itself.
#[derive(Clone)]
pub struct Block {
    /// Index of its entry in [`Toc::entries`].
    pub entry: usize,
    /// What it holds.
    pub kind: BlockKind,
    /// Its bytes.
    pub source: Source,
    /// How they are compressed.
    pub compression: Compression,
    /// Where it is.
    pub place: Place,
    /// In a custom archive: offset of its first byte, and whether the next block's offset is known.
    pub custom: Option<custom::Extent>,
}

/// Where the bytes of a block are.
#[derive(Clone)]
pub enum Source {
    /// In a file that is open.
    Open(Input),
    /// In a file of its own, opened when it is read: there may be more files than a process can have open.
    File {
        /// Where it is.
        folder: Arc<dyn directory::Folder>,
        /// What it is called there.
        name: String,
        /// How long it was when it was found.
        len: u64,
    },
}

impl Block {
    /// Bytes as stored.
    pub fn stored_len(&self) -> u64 {
        match (&self.source, self.custom) {
            (_, Some(extent)) => extent.end.saturating_sub(extent.start),
            (Source::Open(input), None) => input.len(),
            (Source::File { len, .. }, None) => *len,
        }
    }
}

/// Receives what a block holds.
pub trait BlockSink {
    /// The large object `oid` begins; what follows is its content.
    fn large_object(&mut self, oid: u32);
    /// Decoded bytes, in order and in pieces of no particular size.
    fn data(&mut self, bytes: &[u8]);
    /// The block ends as it should, whatever comes behind it.
    fn whole(&mut self) {}
}

/// Is shown a block, and how to read it into a sink.
pub type Visit<'a> = dyn FnMut(&Block, &mut dyn FnMut(&mut dyn BlockSink) -> Vec<Problem>) + 'a;

/// An opened dump: header and table of contents are read, data isn't.
pub struct Archive {
    /// As given.
    pub path: PathBuf,
    /// How it is laid out.
    pub format: Format,
    /// Bytes it takes, all files of a directory together.
    pub size: u64,
    /// The header; none for text, or where it can't be read.
    pub header: Option<Header>,
    /// The table of contents; empty for text until that is read.
    pub toc: Toc,
    /// Data blocks, in the order of the archive; empty for text.
    pub blocks: Vec<Block>,
    /// How the data is compressed, by what the files are.
    pub compression: Compression,
    /// Whether pg_dump couldn't write the places of the blocks: it wrote into a pipe or was killed.
    pub piped: bool,
    /// What is wrong with it up to here.
    pub problems: Vec<Problem>,
    /// Worth saying, but no problem.
    pub notes: Vec<String>,
    /// The text of a plain dump.
    pub text: Option<Input>,
    /// Whether that text lacks the heading of a dump, and is one by the look of the rest.
    pub without_heading: bool,
    /// The whole, where it can be read forward only: then blocks are read by [`Archive::read_in_order`].
    pub stream: Option<Input>,
    /// Counts what is read.
    pub gauge: Arc<Gauge>,
}

/// Why a dump couldn't be opened at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is nothing.
    #[error("{0}: there is no such file or directory")]
    Missing(PathBuf),
    /// It has no bytes.
    #[error("{0}: the file is empty")]
    Empty(PathBuf),
    /// The system refuses.
    #[error("{path}: cannot be read")]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("{path}: {what}")]
    NotRecognised {
        /// What.
        path: PathBuf,
        /// What it is, as far as that can be told, and what to do.
        what: String,
    },
}

impl Archive {
    /// Opens the dump at `path` and reads its header and table of contents.
    pub fn open(path: &Path, gauge: &Arc<Gauge>) -> Result<Archive, OpenError> {
        let io_error = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => OpenError::Missing(path.to_owned()),
            _ => OpenError::Io { path: path.to_owned(), source },
        };
        let metadata = std::fs::metadata(path).map_err(io_error)?;
        if metadata.is_dir() {
            return directory::open(path, gauge);
        }
        if !metadata.is_file() {
            let what = "it is neither a file nor a directory; read a pipe as standard input, by the name -, or save the dump to a file first".to_owned();
            return Err(OpenError::NotRecognised { path: path.to_owned(), what });
        }
        let input = Input::open(path).map_err(io_error)?.on(gauge);
        Archive::open_input(path, input)
    }

    /// Opens a directory dump, wherever its files are kept: `lengths` are their names and lengths. `path` is only used
    /// to name it.
    ///
    /// # Errors
    /// When it is no such dump.
    pub fn open_folder(
        path: &Path,
        folder: Arc<dyn directory::Folder>,
        lengths: BTreeMap<String, u64>,
        gauge: &Arc<Gauge>,
    ) -> Result<Archive, OpenError> {
        directory::open_folder(path, folder, lengths, vec![], gauge)
    }

    /// Opens a dump that is one file, from bytes wherever they are; `path` is only used to name it.
    pub fn open_input(path: &Path, input: Input) -> Result<Archive, OpenError> {
        let io_error = |source| OpenError::Io { path: path.to_owned(), source };
        let head = input.head(1024).map_err(io_error)?;
        if head.is_empty() {
            return Err(OpenError::Empty(path.to_owned()));
        }
        let stream = input.is_endless().then(|| input.clone());
        let mut archive = Archive::open_by_head(path, input, &head)?;
        archive.stream = stream;
        Ok(archive)
    }

    fn open_by_head(path: &Path, input: Input, head: &[u8]) -> Result<Archive, OpenError> {
        if head.starts_with(b"PGDMP") {
            return custom::open(path, input);
        }
        if tar::looks_like_tar(head) {
            return tar::open(path, input);
        }
        plain::open(path, input, head)
    }

    /// An archive of which nothing is known yet.
    fn new(path: &Path, format: Format, size: u64, gauge: &Arc<Gauge>) -> Archive {
        Archive {
            path: path.to_owned(),
            format,
            size,
            header: None,
            toc: Toc::default(),
            blocks: vec![],
            compression: Compression::None,
            piped: false,
            problems: vec![],
            notes: vec![],
            text: None,
            without_heading: false,
            stream: None,
            gauge: Arc::clone(gauge),
        }
    }

    /// Reads header and table of contents from `input` into the archive; `file` names it in places.
    fn read_front(&mut self, input: &Input, places: PlaceKind, file: Option<&str>) -> bool {
        let file = file.map(str::to_owned);
        match read_header(input) {
            Ok((header, mut primitives)) => {
                if header.created.is_none() {
                    self.problems.push(Problem {
                        kind: ProblemKind::Header,
                        place: Place { file: file.clone(), ..Place::default() },
                        what: "the time of the dump isn't a time".into(),
                    });
                }
                if header.int_size != 4 || header.offset_size != 8 {
                    let (int, offset) = (header.int_size, header.offset_size);
                    self.problems.push(Problem {
                        kind: ProblemKind::Header,
                        place: Place { file: file.clone(), ..Place::default() },
                        what: format!(
                            "numbers of {int} and offsets of {offset} bytes; pg_dump writes 4 and 8"
                        ),
                    });
                }
                if header.version.revision != 0 {
                    self.problems.push(Problem {
                        kind: ProblemKind::Header,
                        place: Place { file: file.clone(), offset: Some(7), ..Place::default() },
                        what: format!(
                            "the archive's revision is {}; pg_dump writes 0",
                            header.version.revision
                        ),
                    });
                }
                let wanted =
                    if self.format == Format::Custom { HeaderFormat::Custom } else { HeaderFormat::Tar };
                if header.format != wanted {
                    self.problems.push(Problem {
                        kind: ProblemKind::Header,
                        place: Place { file: file.clone(), offset: Some(10), ..Place::default() },
                        what: format!(
                            "the header's format is {}, which isn't that of a {} archive",
                            header.format, self.format
                        ),
                    });
                }
                self.toc = read_toc(header.version, places, &mut primitives);
                for mut problem in self.toc.problems.drain(..) {
                    problem.place.file = file.clone();
                    self.problems.push(problem);
                }
                self.compression = header.compression;
                self.header = Some(header);
                true
            }
            Err(error) => {
                let (kind, offset) = match &error {
                    HeaderError::Read(ReadError::Ended { offset }) => (ProblemKind::Truncated, Some(*offset)),
                    HeaderError::Read(ReadError::Io { offset, .. }) => {
                        (ProblemKind::Unreadable, Some(*offset))
                    }
                    HeaderError::Read(ReadError::Cancelled) => (ProblemKind::Cancelled, None),
                    HeaderError::Field { offset, .. } => (ProblemKind::Header, Some(*offset)),
                    HeaderError::Magic | HeaderError::Version(..) => (ProblemKind::Header, Some(0)),
                };
                let place = Place { file, offset, ..Place::default() };
                self.problems.push(Problem {
                    kind,
                    place,
                    what: format!("the header can't be read: {error}"),
                });
                false
            }
        }
    }

    /// Reads the blocks of a [stream](Archive::stream), one after the other; returns what is wrong with their
    /// order and number.
    pub fn read_in_order(&self, visit: &mut Visit<'_>) -> Vec<Problem> {
        match (&self.stream, self.format) {
            (Some(input), Format::Custom) => custom::read_in_order(self, input, visit),
            (Some(input), Format::Tar) => tar::read_in_order(self, input, visit),
            _ => vec![],
        }
    }

    /// Reads and decodes one block into `sink` and returns what is wrong with it.
    pub fn read_block(&self, block: &Block, sink: &mut dyn BlockSink) -> Vec<Problem> {
        match block.custom {
            Some(extent) => custom::read_block(self, block, extent, sink),
            None => read_file(block, &self.gauge, sink),
        }
    }
}

/// Reads a block that is a whole file.
fn read_file(block: &Block, gauge: &Arc<Gauge>, sink: &mut dyn BlockSink) -> Vec<Problem> {
    let input = match &block.source {
        Source::Open(input) => input.clone(),
        Source::File { folder, name, .. } => match folder.open(name) {
            Ok(input) => input.on(gauge),
            Err(error) => {
                let what = format!("its file can't be read: {error}");
                return vec![Problem { kind: ProblemKind::Unreadable, place: block.place.clone(), what }];
            }
        },
    };
    if let BlockKind::LargeObject(oid) = block.kind {
        sink.large_object(oid);
        // For an empty large object pg_dump 17 writes no LZ4 or Zstandard frame, but a file without any byte.
        if input.is_empty() && matches!(block.compression, Compression::Lz4 | Compression::Zstd) {
            return vec![];
        }
    }
    let result = decode_all(&input, block.compression, &mut |bytes| sink.data(bytes));
    result.err().map(|error| error.problem(block.place.clone())).into_iter().collect()
}

/// Why a whole file couldn't be decoded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    #[error("{source}")]
    Decode { source: DecodeError, offset: u64 },
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl StreamError {
    /// The problem that it is, at `place`.
    pub(crate) fn problem(&self, mut place: Place) -> Problem {
        match self {
            StreamError::Decode { source, offset } => {
                place.offset = Some(*offset);
                let kind = match source {
                    DecodeError::Unfinished(_) => ProblemKind::Truncated,
                    DecodeError::TooLarge(_) => ProblemKind::TooLarge,
                    _ => ProblemKind::BlockDamaged,
                };
                Problem { kind, place, what: source.to_string() }
            }
            StreamError::Read(error) => read_problem(error, place),
        }
    }
}

/// The problem that an error of reading is, at `place`.
pub(crate) fn read_problem(error: &ReadError, mut place: Place) -> Problem {
    match error {
        ReadError::Ended { offset } => {
            place.offset = Some(*offset);
            Problem { kind: ProblemKind::Truncated, place, what: "the file ends here".into() }
        }
        ReadError::Io { offset, source } => {
            place.offset = Some(*offset);
            Problem { kind: ProblemKind::Unreadable, place, what: format!("it can't be read: {source}") }
        }
        ReadError::Cancelled => {
            Problem { kind: ProblemKind::Cancelled, place, what: "stopped before its end".into() }
        }
    }
}

/// Decodes all of `input`, kept in a file of its own, into `sink`.
pub(crate) fn decode_all(
    input: &Input,
    compression: Compression,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), StreamError> {
    let offset_of = |source, offset| StreamError::Decode { source, offset };
    let large = input.gauge().allows_large_windows();
    let mut decoder = Decoder::new(compression, Container::File)
        .and_then(|decoder| decoder.with_large_windows(large))
        .map_err(|source| offset_of(source, 0))?;
    let mut cursor = input.cursor(0);
    loop {
        let offset = cursor.position();
        let bytes = cursor.available()?;
        if bytes.is_empty() {
            break;
        }
        decoder.push(bytes, sink).map_err(|source| offset_of(source, offset))?;
        let n = bytes.len();
        cursor.consume(n);
    }
    decoder.finish(sink).map_err(|source| offset_of(source, cursor.position()))?;
    // A compressed file without any byte holds no stream at all.
    Ok(())
}
