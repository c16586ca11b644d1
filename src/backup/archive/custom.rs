//! Custom archives (`pg_dump -Fc`): data blocks behind the table of contents, without gaps.
//!
//! After PostgreSQL's `pg_backup_custom.c`. A block is its type, its dump id and chunks, each with its
//! length before it; the chunks of one table or large object together are one compressed stream.

use std::collections::HashMap;
use std::path::Path;

use super::compression::{Container, DecodeError, Decoder};
use super::header::{HeaderFormat, Primitives};
use super::input::{Cursor, Input, ReadError, UNKNOWN};
use super::toc::{DataPlace, PlaceKind, read_toc};
use super::{
    Archive, Block, BlockKind, BlockSink, Format, OpenError, Place, Problem, ProblemKind, Source,
    read_problem,
};

const TABLE_DATA: u8 = 1;
const LARGE_OBJECTS: u8 = 3;

/// Where a block of a custom archive lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Offset of its first byte.
    pub start: u64,
    /// Offset of the first byte behind it, where the next block or the file's end is.
    pub end: u64,
    /// Whether the file ends there: bytes that lack are a truncation and no damage.
    pub last: bool,
}

/// Opens a file that begins with PGDMP.
pub(super) fn open(path: &Path, input: Input) -> Result<Archive, OpenError> {
    let mut archive = Archive::new(path, Format::Custom, input.len(), input.gauge());
    if !archive.read_front(&input, PlaceKind::Offset, None) {
        return Ok(archive);
    }
    if archive.header.as_ref().is_some_and(|header| header.format == HeaderFormat::Tar)
        && path.file_name().is_some_and(|name| name == "toc.dat")
    {
        let what =
            "it is the table of contents of a directory dump; name the directory that it is in".to_owned();
        return Err(OpenError::NotRecognised { path: path.to_owned(), what });
    }
    find_blocks(&mut archive, &input);
    Ok(archive)
}

/// Reads the blocks of a stream in the order in which they come.
pub(super) fn read_in_order(archive: &Archive, input: &Input, visit: &mut super::Visit<'_>) -> Vec<Problem> {
    if !archive.blocks.is_empty() {
        for block in &archive.blocks {
            visit(block, &mut |sink| archive.read_block(block, sink));
        }
        return vec![];
    }
    if !archive.toc.whole {
        return vec![];
    }
    let mut problems = vec![];
    let entries = &archive.toc.entries;
    let mut wanted: HashMap<i32, usize> = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.has_data)
        .map(|(at, entry)| (entry.dump_id, at))
        .collect();
    let int_size = archive.header.as_ref().map_or(4, |header| header.int_size);
    let mut reader = Chunks::new(input.cursor(archive.toc.end), int_size);
    loop {
        let start = reader.cursor.position();
        if wanted.is_empty() && is_second_toc(archive, input, start) {
            break;
        }
        let (kind, dump_id) = match reader.block_head() {
            Ok(None) => break,
            Ok(Some(head)) => head,
            Err(error) => {
                problems.push(error.problem(Place { offset: Some(start), ..Place::default() }));
                break;
            }
        };
        let Some(entry) = wanted.remove(&dump_id) else {
            problems.push(unwanted(start, dump_id));
            break;
        };
        let extent = Extent { start, end: UNKNOWN, last: true };
        let Some(block) = block_at(archive, input, entry, extent) else { break };
        let mut was_read = false;
        visit(&block, &mut |sink| {
            was_read = true;
            let fits = check_kind(kind, &block, start).inspect_err(|_| reader.lost = true);
            let result = fits.and_then(|()| read_body(&mut reader, &block, start, sink));
            result.err().map(|bad| bad.problem(block.place.clone())).into_iter().collect()
        });
        if !was_read && reader.skip_block(kind).is_err() {
            break;
        }
        if reader.lost || archive.gauge.is_cancelled() {
            break;
        }
    }
    let missing = without_block(archive, wanted);
    problems.extend(missing);
    problems
}

fn find_blocks(archive: &mut Archive, input: &Input) {
    let entries = &archive.toc.entries;
    let with_data: Vec<usize> = (0..entries.len()).filter(|&at| entries[at].has_data).collect(); // at is in range
    archive.piped = with_data.iter().any(|&at| entries[at].place == DataPlace::NotSet);
    let mut starts: Vec<(u64, usize)> = with_data
        .iter()
        .filter_map(|&at| match entries[at].place {
            DataPlace::At(offset) => Some((offset, at)),
            _ => None,
        })
        .collect();
    starts.sort_unstable();
    // Blocks tile the file: the first begins where the table of contents ends.
    let tiled = starts.first().is_none_or(|&(offset, _)| offset == archive.toc.end)
        && starts.windows(2).all(|pair| pair[0].0 < pair[1].0) // windows are of two
        && starts.last().is_none_or(|&(offset, _)| offset < input.len());
    if !archive.toc.whole {
        // Where the data begins isn't known; what is known of it is still read.
    }
    if archive.piped || !tiled {
        if !tiled {
            let beyond = starts.last().is_some_and(|&(offset, _)| offset >= input.len());
            let place = Place { offset: Some(input.len()), ..Place::default() };
            archive.problems.push(if beyond {
                let what = "the file ends before data that its table of contents places behind this".into();
                Problem { kind: ProblemKind::Truncated, place, what }
            } else {
                let what =
                    "the table of contents gives places of data blocks that leave gaps or overlap".into();
                Problem { kind: ProblemKind::Toc, place: Place::default(), what }
            });
        }
        if archive.toc.whole && !input.is_endless() {
            scan(archive, input, &with_data);
        }
        return;
    }
    if let (true, None, false) = (archive.toc.whole, starts.first(), input.is_endless())
        && archive.toc.end < input.len()
    {
        let what = format!(
            "{} bytes follow the table of contents, which names no data",
            input.len() - archive.toc.end
        );
        let place = Place { offset: Some(archive.toc.end), ..Place::default() };
        archive.problems.push(Problem { kind: ProblemKind::Toc, place, what });
    }
    for (nth, &(start, entry)) in starts.iter().enumerate() {
        let next = starts.get(nth + 1).map(|next| next.0);
        let extent = Extent { start, end: next.unwrap_or(input.len()), last: next.is_none() };
        push_block(archive, input, entry, extent);
    }
}

fn push_block(archive: &mut Archive, input: &Input, entry: usize, extent: Extent) {
    let block = block_at(archive, input, entry, extent);
    archive.blocks.extend(block);
}

fn block_at(archive: &Archive, input: &Input, entry: usize, extent: Extent) -> Option<Block> {
    let of = archive.toc.entries.get(entry)?;
    let kind = if of.kind == "BLOBS" { BlockKind::LargeObjects } else { BlockKind::Table };
    let place = Place {
        offset: Some(extent.start),
        entry: Some(of.dump_id),
        object: (kind == BlockKind::Table).then(|| of.qualified()),
        ..Place::default()
    };
    Some(Block {
        entry,
        kind,
        source: Source::Open(input.part(0, extent.end)),
        compression: archive.compression,
        place,
        custom: Some(extent),
    })
}

/// Whether the file's rest is the table of contents once more.
///
/// pg_dump opens standard output for appending (`SetOutput` in `pg_backup_archiver.c` of 17), which holds for the file that the
/// shell has opened as well: `pg_dump -Fc > file` seeks back to write the places of the data into the table of contents, and the
/// system appends it instead.
fn is_second_toc(archive: &Archive, input: &Input, start: u64) -> bool {
    let Some(header) = &archive.header else { return false };
    let mut from = Primitives {
        cursor: input.cursor(start),
        int_size: header.int_size,
        offset_size: header.offset_size,
    };
    // At the file's end there is nothing to read.
    if !from.cursor.available().is_ok_and(|rest| !rest.is_empty()) {
        return false;
    }
    let second = read_toc(header.version, PlaceKind::Offset, &mut from);
    let first = &archive.toc.entries;
    second.whole
        && second.problems.is_empty()
        && second.entries.len() == first.len()
        && second.entries.iter().zip(first).all(|(second, first)| second.is_copy_of(first))
        && from.cursor.available().is_ok_and(<[u8]>::is_empty)
}

fn unwanted(start: u64, dump_id: i32) -> Problem {
    let what =
        format!("a data block says that it belongs to the TOC entry {dump_id}, which has no data to come");
    let place = Place { offset: Some(start), ..Place::default() };
    Problem { kind: ProblemKind::BlockDamaged, place, what }
}

/// Entries whose blocks didn't come.
fn without_block(archive: &Archive, wanted: HashMap<i32, usize>) -> Vec<Problem> {
    let mut missing: Vec<(i32, usize)> = wanted.into_iter().collect();
    missing.sort_unstable();
    let problem = |(dump_id, entry): (i32, usize)| {
        let object = archive.toc.entries.get(entry).map(super::toc::TocEntry::qualified);
        let place = Place { entry: Some(dump_id), object, ..Place::default() };
        Problem { kind: ProblemKind::BlockMissing, place, what: "the file holds no data block for it".into() }
    };
    missing.into_iter().map(problem).collect()
}

/// Finds the blocks of an archive that doesn't say where they are, from length to length.
fn scan(archive: &mut Archive, input: &Input, with_data: &[usize]) {
    let mut wanted: HashMap<i32, usize> =
        with_data.iter().filter_map(|&at| Some((archive.toc.entries.get(at)?.dump_id, at))).collect();
    let int_size = archive.header.as_ref().map_or(4, |header| header.int_size);
    let mut reader = Chunks::new(input.cursor(archive.toc.end), int_size);
    loop {
        let start = reader.cursor.position();
        if wanted.is_empty() && is_second_toc(archive, input, start) {
            archive.notes.push(
                "pg_dump could only append to its output (pg_dump > file): a second copy of the table of contents is at the end, and pg_restore reads the first"
                    .to_owned(),
            );
            break;
        }
        let (kind, dump_id) = match reader.block_head() {
            Ok(None) => break,
            Ok(Some(head)) => head,
            Err(error) => {
                archive.problems.push(error.problem(Place { offset: Some(start), ..Place::default() }));
                break;
            }
        };
        let Some(entry) = wanted.remove(&dump_id) else {
            archive.problems.push(unwanted(start, dump_id));
            break;
        };
        let skipped = reader.skip_block(kind);
        let last = skipped.is_err();
        let end = if last { input.len() } else { reader.cursor.position() };
        push_block(archive, input, entry, Extent { start, end, last: end == input.len() });
        if last {
            // Reading the block tells what is wrong with it.
            break;
        }
    }
    let missing = without_block(archive, wanted);
    archive.problems.extend(missing);
}

/// Why a block can't be read on.
enum Bad {
    Read(ReadError),
    /// What pg_dump never writes.
    Frame(u64, String),
    /// What takes more memory than is allowed.
    TooLarge(u64, String),
}

impl Bad {
    fn of(offset: u64, error: &DecodeError) -> Bad {
        match error {
            DecodeError::TooLarge(_) => Bad::TooLarge(offset, error.to_string()),
            _ => Bad::Frame(offset, error.to_string()),
        }
    }
}

impl From<ReadError> for Bad {
    fn from(error: ReadError) -> Self {
        Bad::Read(error)
    }
}

impl Bad {
    fn problem(self, mut place: Place) -> Problem {
        match self {
            Bad::Read(error) => read_problem(&error, place),
            Bad::Frame(offset, what) => {
                place.offset = Some(offset);
                Problem { kind: ProblemKind::BlockDamaged, place, what }
            }
            Bad::TooLarge(offset, what) => {
                place.offset = Some(offset);
                Problem { kind: ProblemKind::TooLarge, place, what }
            }
        }
    }
}

/// Reads what blocks are made of.
struct Chunks {
    cursor: Cursor,
    int_size: u8,
    /// Whether a length was damaged, so that it isn't known where anything is that follows.
    lost: bool,
}

impl Chunks {
    fn new(cursor: Cursor, int_size: u8) -> Chunks {
        Chunks { cursor, int_size, lost: false }
    }

    /// Type and dump id of the block that begins here; none at the file's end.
    fn block_head(&mut self) -> Result<Option<(u8, i32)>, Bad> {
        let at = self.cursor.position();
        let Some(kind) = self.cursor.next_byte()? else { return Ok(None) };
        if kind != TABLE_DATA && kind != LARGE_OBJECTS {
            return Err(Bad::Frame(
                at,
                format!("a data block begins with the type {kind}, which is neither 1 nor 3"),
            ));
        }
        let dump_id = self.number()?;
        Ok(Some((kind, dump_id)))
    }

    #[inline]
    fn number(&mut self) -> Result<i32, Bad> {
        if self.int_size == 4
            && let [sign @ (0 | 1), a, b, c, d, ..] = *self.cursor.available()?
        {
            let magnitude = u32::from_le_bytes([a, b, c, d]);
            if magnitude <= i32::MAX as u32 {
                self.cursor.consume(5);
                let value = magnitude as i32; // fits, see above
                return Ok(if sign == 1 { -value } else { value });
            }
        }
        self.number_slowly()
    }

    fn number_slowly(&mut self) -> Result<i32, Bad> {
        let at = self.cursor.position();
        let sign = self.cursor.byte()?;
        let mut magnitude: u64 = 0;
        for nth in 0..u32::from(self.int_size) {
            magnitude |= u64::from(self.cursor.byte()?) << (nth * 8); // int_size is at most 8
        }
        // OIDs of large objects are written as signed numbers, so that the magnitude reaches 2^31.
        let value = match sign {
            0 => i32::try_from(magnitude).ok(),
            1 => i32::try_from((magnitude as i64).wrapping_neg()).ok(),
            _ => None,
        };
        value.ok_or_else(|| Bad::Frame(at, "a number's sign or size is damaged".into()))
    }

    /// Length of the next chunk, 0 behind the last.
    #[inline]
    fn chunk(&mut self) -> Result<u64, Bad> {
        let at = self.cursor.position();
        let length = self.number()?;
        if length < 0 {
            return Err(Bad::Frame(at, format!("a chunk has the length {length}")));
        }
        Ok(length as u64)
    }

    fn skip_block(&mut self, kind: u8) -> Result<(), Bad> {
        loop {
            if kind == LARGE_OBJECTS && self.number()? == 0 {
                return Ok(());
            }
            loop {
                let length = self.chunk()?;
                if length == 0 {
                    break;
                }
                self.cursor.skip(length)?;
            }
            if kind == TABLE_DATA {
                return Ok(());
            }
        }
    }

    /// Decodes the chunks of one stream. Goes on to its last chunk when they can't be decoded.
    fn stream(&mut self, decoder: &mut Decoder, sink: &mut dyn BlockSink) -> Result<(), Bad> {
        let mut damaged = None;
        let chunks = self.chunks(decoder, sink, &mut damaged).inspect_err(|_| self.lost = true);
        if let Some(bad) = damaged {
            return Err(bad);
        }
        chunks?;
        let at = self.cursor.position();
        let finished = decoder.finish(&mut |bytes| sink.data(bytes));
        finished.map_err(|error| Bad::Frame(at, error.to_string()))
    }

    fn chunks(
        &mut self,
        decoder: &mut Decoder,
        sink: &mut dyn BlockSink,
        damaged: &mut Option<Bad>,
    ) -> Result<(), Bad> {
        let mut give = |bytes: &[u8]| sink.data(bytes);
        loop {
            let at = self.cursor.position();
            let mut left = self.chunk()?;
            if left == 0 {
                return Ok(());
            }
            if left > self.cursor.remaining() {
                let has = self.cursor.remaining();
                return Err(Bad::Frame(
                    at,
                    format!("a chunk has the length {left}, and only {has} bytes are left for it"),
                ));
            }
            if damaged.is_some() {
                self.cursor.skip(left)?;
                continue;
            }
            while left > 0 {
                let offset = self.cursor.position();
                let bytes = self.cursor.available()?;
                let n = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                if n == 0 {
                    return Err(Bad::Read(ReadError::Ended { offset }));
                }
                // n is at most the length
                let pushed = decoder.push(&bytes[..n], &mut give);
                self.cursor.consume(n);
                left -= n as u64;
                if let Err(error) = pushed {
                    *damaged = Some(Bad::of(offset, &error));
                    self.cursor.skip(left)?;
                    break;
                }
            }
        }
    }
}

/// Reads a whole block.
pub(super) fn read_block(
    archive: &Archive,
    block: &Block,
    extent: Extent,
    sink: &mut dyn BlockSink,
) -> Vec<Problem> {
    let int_size = archive.header.as_ref().map_or(4, |header| header.int_size);
    // The blocks of a custom archive are all in its one file.
    let Source::Open(input) = &block.source else { return vec![] };
    let mut reader = Chunks::new(input.cursor(extent.start), int_size);
    let result = read_whole(&mut reader, block, sink);
    let mut problems = vec![];
    match result {
        Ok(()) => {
            sink.whole();
            let end = reader.cursor.position();
            if extent.end == UNKNOWN {
                // A stream's last block: nothing may follow it.
                match reader.cursor.available() {
                    Ok([]) => {}
                    Ok(_) => {
                        let place = block.place.clone();
                        let what = format!("its data block ends at byte {end}, before the end of the file");
                        problems.push(Problem { kind: ProblemKind::BlockDamaged, place, what });
                    }
                    Err(error) => problems.push(read_problem(&error, block.place.clone())),
                }
            } else if end != extent.end {
                let what = format!(
                    "its data block ends at byte {end}, {} bytes before {}",
                    extent.end.abs_diff(end),
                    { if extent.last { "the end of the file" } else { "the next one begins" } }
                );
                problems.push(Problem { kind: ProblemKind::BlockDamaged, place: block.place.clone(), what });
            }
        }
        Err(bad) => {
            let mut problem = bad.problem(block.place.clone());
            // Only the last block can lack bytes because the file is cut; any other runs into its neighbour.
            let lacks =
                problem.kind == ProblemKind::Truncated || problem.what.contains("bytes are left for it");
            if lacks {
                problem.kind = if extent.last { ProblemKind::Truncated } else { ProblemKind::BlockDamaged };
                if !extent.last && problem.what == "the file ends here" {
                    problem.what = "its data block runs into the next one".into();
                }
            }
            problems.push(problem);
        }
    }
    problems
}

fn read_whole(reader: &mut Chunks, block: &Block, sink: &mut dyn BlockSink) -> Result<(), Bad> {
    let start = reader.cursor.position();
    let Some((kind, dump_id)) = reader.block_head()? else {
        return Err(Bad::Read(ReadError::Ended { offset: start }));
    };
    let wanted = block.place.entry.unwrap_or(0);
    if dump_id != wanted {
        let what = format!("the data block here belongs to the TOC entry {dump_id}, not to {wanted}");
        return Err(Bad::Frame(start, what));
    }
    check_kind(kind, block, start)?;
    read_body(reader, block, start, sink)
}

fn check_kind(kind: u8, block: &Block, start: u64) -> Result<(), Bad> {
    let wanted = if block.kind == BlockKind::Table { TABLE_DATA } else { LARGE_OBJECTS };
    if kind == wanted {
        return Ok(());
    }
    Err(Bad::Frame(start, format!("the data block has the type {kind}, not {wanted}")))
}

/// Reads what follows a block's type and dump id.
fn read_body(reader: &mut Chunks, block: &Block, start: u64, sink: &mut dyn BlockSink) -> Result<(), Bad> {
    let large = reader.cursor.allows_large_windows();
    let decoder = || {
        Decoder::new(block.compression, Container::Block)
            .and_then(|decoder| decoder.with_large_windows(large))
            .map_err(|error| Bad::of(start, &error))
    };
    if block.kind == BlockKind::Table {
        return reader.stream(&mut decoder()?, sink);
    }
    loop {
        let oid = reader.number().inspect_err(|_| reader.lost = true)?;
        if oid == 0 {
            return Ok(());
        }
        sink.large_object(oid as u32); // written as a signed number
        // Which object the next one would be is no matter once one is broken.
        reader.stream(&mut decoder()?, sink).inspect_err(|_| reader.lost = true)?;
    }
}
