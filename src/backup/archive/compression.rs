//! Compressed streams, decoded piece by piece: every stream must reach its own end, and nothing may follow.
//!
//! A [`Decoder`] is pushed the bytes as they are stored and hands decoded blocks to a sink. Its memory
//! is bounded by the format: 32 KiB of window for zlib and gzip, one block of at most 4 MiB for LZ4,
//! the window that the frame declares for Zstandard (pg_dump writes 2 to 8 MiB unless told `long`), 4 MB for bzip2,
//! and the dictionary for xz. Windows of more than 8 MiB are held by one decoder at a time, and those of more than
//! 32 MiB by none unless that was allowed.

use std::fmt;
use std::hash::Hasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

use flate2::{Decompress, FlushDecompress, Status};
use twox_hash::XxHash32;
use zstd::stream::raw::{DParameter, InBuffer, Operation, OutBuffer};

/// How large the decoded blocks are, except for LZ4 (its own block size).
const OUT: usize = 128 * 1024;
/// Windows up to this size (2 to the power of) are held by every decoder, those up to the second by one at a time, those
/// up to the third where that is allowed.
const WINDOW_LOGS: [u32; 3] = [23, 25, 31];
/// Memory for xz, and for xz where large windows are allowed.
const XZ: [u64; 2] = [40 << 20, 2 << 30];
/// The head of a frame, in which its window is declared, is at most so long (RFC 8878, 3.1.1.1).
const FRAME_HEAD: usize = 18;
/// As far back as LZ4 looks.
const LZ4_HISTORY: usize = 64 * 1024;

/// How bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// Deflate: zlib streams inside custom archives, gzip members in files.
    Gzip,
    /// LZ4 frames.
    Lz4,
    /// Zstandard frames.
    Zstd,
    /// bzip2; plain dumps only, never written by pg_dump itself.
    Bzip2,
    /// xz; plain dumps only, never written by pg_dump itself.
    Xz,
}

impl Compression {
    /// The word for it in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
            Compression::Bzip2 => "bzip2",
            Compression::Xz => "xz",
        }
    }

    /// What the first bytes of a file say; none when they are of no known compression.
    pub fn of_magic(head: &[u8]) -> Option<Compression> {
        match head {
            [0x1f, 0x8b, ..] => Some(Compression::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Compression::Lz4),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Compression::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Compression::Xz),
            _ => None,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a stream is kept, which decides its frame and whether several may follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// In the chunks of a custom archive: exactly one stream, deflate with zlib's frame.
    Block,
    /// In a file of its own: deflate with gzip's frame, several members allowed.
    File,
}

/// What is wrong with a stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are no such stream.
    #[error("the {0} stream is damaged: {1}")]
    Damaged(Compression, String),
    /// The bytes stop before the stream's own end.
    #[error("the {0} stream stops before its end")]
    Unfinished(Compression),
    /// Reading it takes more memory than is allowed.
    #[error("the {0} stream needs a window of more than 32 MB in memory; --large-windows allows it")]
    TooLarge(Compression),
    /// Bytes follow the stream's end.
    #[error("{1} bytes or more follow the end of the {0} stream")]
    Trailing(Compression, usize),
}

/// Takes decoded bytes.
pub type Sink<'a> = dyn FnMut(&[u8]) + 'a;

/// A decoder of one stream.
pub struct Decoder {
    kind: Compression,
    several: bool,
    state: State,
    /// Whether the stream (the last one) has reached its end.
    ended: bool,
    /// Whether any byte came in.
    begun: bool,
    out: Vec<u8>,
    large_windows: bool,
}

/// Held by the one decoder that has a large window.
static LARGE_WINDOW: Mutex<()> = Mutex::new(());

/// A decoder of Zstandard frames, whose window is only known once a frame has begun.
struct Zstd {
    decoder: zstd::stream::raw::Decoder<'static>,
    /// What came in before anything came out, as long as it may be a head.
    head: Vec<u8>,
    /// How many of [`WINDOW_LOGS`] were tried.
    tried: usize,
    _large: Option<MutexGuard<'static, ()>>,
}

impl Zstd {
    fn new() -> Result<Zstd, DecodeError> {
        let decoder = Zstd::decoder(WINDOW_LOGS[0])?; // there are three
        Ok(Zstd { decoder, head: vec![], tried: 1, _large: None })
    }

    fn decoder(window_log: u32) -> Result<zstd::stream::raw::Decoder<'static>, DecodeError> {
        let damaged = |error: std::io::Error| DecodeError::Damaged(Compression::Zstd, error.to_string());
        let mut decoder = zstd::stream::raw::Decoder::new().map_err(damaged)?;
        decoder.set_parameter(DParameter::WindowLogMax(window_log)).map_err(damaged)?;
        Ok(decoder)
    }

    fn step(&mut self, input: &[u8], out: &mut [u8], large_windows: bool) -> Result<Step, DecodeError> {
        let mut from = InBuffer::around(input);
        let mut to = OutBuffer::around(out);
        match self.decoder.run(&mut from, &mut to) {
            Ok(left) => {
                let (read, written) = (from.pos(), to.pos());
                if self.head.len() < FRAME_HEAD {
                    let new = input.get(..read.min(FRAME_HEAD)).unwrap_or(&[]);
                    self.head.extend_from_slice(new);
                }
                // With nothing given and nothing had, the hint is about a frame not begun.
                let ended = left == 0 && (read > 0 || written > 0);
                Ok(Step { read, written, ended })
            }
            Err(error) if error.to_string().contains("too much memory") => {
                self.enlarge(input, out, large_windows)
            }
            Err(error) => Err(DecodeError::Damaged(Compression::Zstd, error.to_string())),
        }
    }

    /// Begins the frame again with a larger window.
    fn enlarge(&mut self, input: &[u8], out: &mut [u8], large_windows: bool) -> Result<Step, DecodeError> {
        let allowed = if large_windows { WINDOW_LOGS.len() } else { WINDOW_LOGS.len() - 1 };
        let Some(&log) = WINDOW_LOGS.get(..allowed).and_then(|logs| logs.get(self.tried)) else {
            return Err(DecodeError::TooLarge(Compression::Zstd));
        };
        self.tried += 1;
        // Nothing is behind the lock that a panic could have left half done.
        self._large.get_or_insert_with(|| LARGE_WINDOW.lock().unwrap_or_else(PoisonError::into_inner));
        self.decoder = Zstd::decoder(log)?;
        let head = std::mem::take(&mut self.head);
        if !head.is_empty() {
            let mut from = InBuffer::around(&head);
            // Part of a head gives nothing.
            let _ = self.decoder.run(&mut from, &mut OutBuffer::around(&mut [][..]));
            self.head = head;
        }
        self.step(input, out, large_windows)
    }
}

enum State {
    Raw,
    Deflate(Box<Decompress>),
    Lz4(Box<Lz4>),
    Zstd(Box<Zstd>),
    Bzip2(Box<bzip2::Decompress>),
    Xz(Box<liblzma::stream::Stream>),
}

/// What a step of a decoder did.
struct Step {
    read: usize,
    written: usize,
    ended: bool,
}

impl Decoder {
    /// A decoder for one stream as it is kept in `container`.
    pub fn new(kind: Compression, container: Container) -> Result<Decoder, DecodeError> {
        let several = container == Container::File;
        let out = match kind {
            Compression::Lz4 => vec![],
            Compression::None => Vec::with_capacity(OUT),
            _ => vec![0; OUT],
        };
        let state = State::new(kind, container, false)?;
        Ok(Decoder { kind, several, state, ended: false, begun: false, out, large_windows: false })
    }

    /// Lets it hold windows of more than 32 MiB.
    pub fn with_large_windows(mut self, large: bool) -> Result<Decoder, DecodeError> {
        self.large_windows = large;
        if large && self.kind == Compression::Xz {
            self.state = State::new(self.kind, Container::File, true)?;
        }
        Ok(self)
    }

    /// Decodes what `input` adds; whole blocks go to `sink`.
    pub fn push(&mut self, mut input: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        if input.is_empty() {
            return Ok(());
        }
        self.begun = true;
        if let State::Raw = self.state {
            self.gather(input, sink);
            return Ok(());
        }
        if let State::Lz4(lz4) = &mut self.state {
            return lz4.push(input, self.several, sink);
        }
        while !input.is_empty() {
            if self.ended {
                if !self.several {
                    return Err(DecodeError::Trailing(self.kind, input.len()));
                }
                self.state = State::new(self.kind, Container::File, self.large_windows)?;
                self.ended = false;
            }
            let step = self.state.step(self.kind, input, &mut self.out, self.large_windows)?;
            // A step never tells more than it was given.
            input = input.get(step.read..).unwrap_or(&[]);
            self.ended = step.ended;
            if let Some(decoded) = self.out.get(..step.written).filter(|decoded| !decoded.is_empty()) {
                sink(decoded);
            }
            if step.read == 0 && step.written == 0 && !step.ended {
                return Err(DecodeError::Damaged(self.kind, "no progress".into()));
            }
        }
        // What still waits inside once all the input is taken comes out here.
        while !self.ended {
            let step = self.state.step(self.kind, &[], &mut self.out, self.large_windows)?;
            self.ended = step.ended;
            match self.out.get(..step.written) {
                Some(decoded) if !decoded.is_empty() => sink(decoded),
                _ => break,
            }
        }
        Ok(())
    }

    /// Many small pieces are joined, so that the sink is called once for many rows.
    fn gather(&mut self, input: &[u8], sink: &mut Sink<'_>) {
        if self.out.len() + input.len() > OUT {
            if !self.out.is_empty() {
                sink(&self.out);
                self.out.clear();
            }
            if input.len() >= OUT {
                sink(input);
                return;
            }
        }
        self.out.extend_from_slice(input);
    }

    /// Ends the stream: an error if it isn't at its own end.
    pub fn finish(&mut self, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        match &self.state {
            State::Raw => {
                if !self.out.is_empty() {
                    sink(&self.out);
                    self.out.clear();
                }
                Ok(())
            }
            State::Lz4(lz4) if lz4.at_end() => Ok(()),
            State::Lz4(_) => Err(DecodeError::Unfinished(self.kind)),
            _ if self.ended => Ok(()),
            _ => Err(DecodeError::Unfinished(self.kind)),
        }
    }

    /// Whether any byte came in.
    pub fn begun(&self) -> bool {
        self.begun
    }
}

impl State {
    fn new(kind: Compression, container: Container, large_windows: bool) -> Result<State, DecodeError> {
        let damaged = |error: &dyn fmt::Display| DecodeError::Damaged(kind, error.to_string());
        Ok(match kind {
            Compression::None => State::Raw,
            Compression::Gzip => State::Deflate(Box::new(match container {
                Container::Block => Decompress::new(true),
                Container::File => Decompress::new_gzip(15),
            })),
            Compression::Lz4 => State::Lz4(Box::default()),
            Compression::Zstd => State::Zstd(Box::new(Zstd::new()?)),
            Compression::Bzip2 => State::Bzip2(Box::new(bzip2::Decompress::new(false))),
            Compression::Xz => State::Xz(Box::new(
                liblzma::stream::Stream::new_stream_decoder(XZ[usize::from(large_windows)], 0)
                    .map_err(|error| damaged(&error))?,
            )),
        })
    }

    fn step(
        &mut self,
        kind: Compression,
        input: &[u8],
        out: &mut [u8],
        large_windows: bool,
    ) -> Result<Step, DecodeError> {
        let damaged = |error: &dyn fmt::Display| DecodeError::Damaged(kind, error.to_string());
        match self {
            // Both have their own paths in `Decoder::push`.
            State::Raw | State::Lz4(_) => Ok(Step { read: input.len(), written: 0, ended: false }),
            State::Deflate(inflate) => {
                let (read, written) = (inflate.total_in(), inflate.total_out());
                let status =
                    inflate.decompress(input, out, FlushDecompress::None).map_err(|error| damaged(&error))?;
                Ok(Step {
                    read: (inflate.total_in() - read) as usize,
                    written: (inflate.total_out() - written) as usize,
                    ended: status == Status::StreamEnd,
                })
            }
            State::Zstd(decoder) => decoder.step(input, out, large_windows),
            State::Bzip2(decoder) => {
                let (read, written) = (decoder.total_in(), decoder.total_out());
                let status = decoder.decompress(input, out).map_err(|error| damaged(&error))?;
                Ok(Step {
                    read: (decoder.total_in() - read) as usize,
                    written: (decoder.total_out() - written) as usize,
                    ended: status == bzip2::Status::StreamEnd,
                })
            }
            State::Xz(decoder) => {
                let (read, written) = (decoder.total_in(), decoder.total_out());
                let status =
                    decoder.process(input, out, liblzma::stream::Action::Run).map_err(
                        |error| match error {
                            liblzma::stream::Error::MemLimit => DecodeError::TooLarge(kind),
                            other => damaged(&other),
                        },
                    )?;
                Ok(Step {
                    read: (decoder.total_in() - read) as usize,
                    written: (decoder.total_out() - written) as usize,
                    ended: status == liblzma::stream::Status::StreamEnd,
                })
            }
        }
    }
}

/// LZ4 frames, after the format's specification 1.6.
///
/// The frame is read here and only its blocks by the crate, because its reader takes the end of the
/// input for the end of the frame: a cut dump would pass.
#[derive(Default)]
struct Lz4 {
    part: Part,
    /// Bytes of a part that hasn't come in whole yet.
    pending: Vec<u8>,
    /// History followed by the block now decoded.
    window: Vec<u8>,
    /// End of what is decoded in `window`.
    at: usize,
    frame: Frame,
    content: Option<Box<XxHash32>>,
    content_read: u64,
}

/// What comes next in an LZ4 frame.
#[derive(Clone, Copy, Default, PartialEq)]
enum Part {
    #[default]
    Magic,
    /// Flags and block size, to see how long the descriptor is.
    Flags,
    Descriptor(usize),
    BlockSize,
    Block {
        length: usize,
        stored: bool,
    },
    ContentChecksum,
    /// Length of a skippable frame, and what is left of it.
    SkipSize,
    Skip(usize),
    End,
}

#[derive(Clone, Copy, Default)]
struct Frame {
    linked: bool,
    block_checksum: bool,
    content_checksum: bool,
    content_size: Option<u64>,
    block_max: usize,
}

impl Lz4 {
    fn at_end(&self) -> bool {
        self.part == Part::End && self.pending.is_empty()
    }

    fn need(&self) -> usize {
        match self.part {
            Part::Magic | Part::BlockSize | Part::ContentChecksum | Part::SkipSize => 4,
            Part::Flags => 2,
            Part::Descriptor(length) => length,
            Part::Block { length, .. } => length + if self.frame.block_checksum { 4 } else { 0 },
            Part::Skip(left) => left,
            Part::End => 0,
        }
    }

    fn push(&mut self, mut input: &[u8], several: bool, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        while !input.is_empty() {
            if self.part == Part::End {
                if !several {
                    return Err(DecodeError::Trailing(Compression::Lz4, input.len()));
                }
                self.part = Part::Magic;
            }
            if let Part::Skip(left) = self.part {
                let n = left.min(input.len());
                input = &input[n..]; // n is at most its length
                self.part = if n == left { Part::End } else { Part::Skip(left - n) };
                continue;
            }
            let need = self.need();
            let missing = need.saturating_sub(self.pending.len());
            if self.pending.is_empty() && input.len() >= need {
                let (whole, rest) = input.split_at(need);
                input = rest;
                self.take(whole, sink)?;
            } else if input.len() >= missing {
                let (last, rest) = input.split_at(missing);
                input = rest;
                let mut whole = std::mem::take(&mut self.pending);
                whole.extend_from_slice(last);
                self.take(&whole, sink)?;
                whole.clear();
                self.pending = whole;
            } else {
                self.pending.extend_from_slice(input);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes one whole part.
    fn take(&mut self, part: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        self.part = match self.part {
            Part::Magic => match number(part) {
                0x184D_2204 => Part::Flags,
                0x184D_2A50..=0x184D_2A5F => Part::SkipSize,
                0x184C_2102 => return Err(damaged("its frame is of the legacy kind")),
                _ => return Err(damaged("it doesn't begin with a frame's magic number")),
            },
            Part::SkipSize => match number(part) as usize {
                0 => Part::End,
                left => Part::Skip(left),
            },
            Part::Flags => {
                let (flags, sizes) = (part.first().copied().unwrap_or(0), part.get(1).copied().unwrap_or(0));
                if flags >> 6 != 1 {
                    return Err(damaged("its frame has an unknown version"));
                }
                if flags & 0b11 != 0 || sizes & 0b1000_1111 != 0 {
                    return Err(damaged("its frame header has reserved bits set or asks for a dictionary"));
                }
                let has_size = flags & 0b1000 != 0;
                self.frame = Frame {
                    linked: flags & 0b10_0000 == 0,
                    block_checksum: flags & 0b1_0000 != 0,
                    content_checksum: flags & 0b100 != 0,
                    content_size: None,
                    block_max: match sizes >> 4 {
                        4 => 64 << 10,
                        5 => 256 << 10,
                        6 => 1 << 20,
                        7 => 4 << 20,
                        _ => return Err(damaged("its frame header has an unknown block size")),
                    },
                };
                self.window.clear();
                self.window.extend_from_slice(part);
                self.at = 0;
                Part::Descriptor(if has_size { 9 } else { 1 })
            }
            Part::Descriptor(_) => {
                let (check, rest) = part.split_last().unwrap_or((&0, &[]));
                self.window.extend_from_slice(rest);
                if let Ok(size) = <[u8; 8]>::try_from(rest) {
                    self.frame.content_size = Some(u64::from_le_bytes(size));
                }
                if (XxHash32::oneshot(0, &self.window) >> 8) as u8 != *check {
                    return Err(damaged("its frame header doesn't match its checksum"));
                }
                self.content = self.frame.content_checksum.then(|| Box::new(XxHash32::with_seed(0)));
                self.content_read = 0;
                self.window.clear();
                self.window.resize(LZ4_HISTORY + self.frame.block_max.max(LZ4_HISTORY), 0);
                Part::BlockSize
            }
            Part::BlockSize => match number(part) {
                0 => {
                    if self.frame.content_size.is_some_and(|size| size != self.content_read) {
                        return Err(damaged("its content isn't as long as its frame header says"));
                    }
                    if self.frame.content_checksum { Part::ContentChecksum } else { Part::End }
                }
                size => {
                    let length = (size & 0x7fff_ffff) as usize;
                    if length > self.frame.block_max {
                        return Err(damaged("a block is longer than its frame allows"));
                    }
                    Part::Block { length, stored: size >> 31 == 1 }
                }
            },
            Part::Block { length, stored } => {
                let (block, check) = part.split_at(length.min(part.len()));
                if self.frame.block_checksum && XxHash32::oneshot(0, block) != number(check) {
                    return Err(damaged("a block doesn't match its checksum"));
                }
                self.block(block, stored, sink)?;
                Part::BlockSize
            }
            Part::ContentChecksum => {
                let sum = self.content.take().map_or(0, |hash| hash.finish() as u32);
                if sum != number(part) {
                    return Err(damaged("its content doesn't match its checksum"));
                }
                Part::End
            }
            Part::Skip(_) | Part::End => self.part,
        };
        Ok(())
    }

    fn block(&mut self, block: &[u8], stored: bool, sink: &mut Sink<'_>) -> Result<(), DecodeError> {
        if self.window.len() - self.at < self.frame.block_max {
            let keep = self.at.min(LZ4_HISTORY);
            self.window.copy_within(self.at - keep..self.at, 0);
            self.at = keep;
        }
        // The window holds the history and one whole block; `at` is at most the history now.
        let (before, room) = self.window.split_at_mut(self.at);
        let room = &mut room[..self.frame.block_max];
        let written = if stored {
            room[..block.len()].copy_from_slice(block); // refused above when longer than block_max
            block.len()
        } else {
            let history =
                if self.frame.linked { &before[before.len().saturating_sub(LZ4_HISTORY)..] } else { &[] };
            let result = if history.is_empty() {
                lz4_flex::block::decompress_into(block, room)
            } else {
                lz4_flex::block::decompress_into_with_dict(block, room, history)
            };
            result.map_err(|error| damaged(&error.to_string()))?
        };
        let decoded = room.get(..written).unwrap_or(&[]);
        if let Some(hash) = &mut self.content {
            hash.write(decoded);
        }
        self.content_read += written as u64;
        if !decoded.is_empty() {
            sink(decoded);
        }
        self.at += written;
        Ok(())
    }
}

fn damaged(what: &str) -> DecodeError {
    DecodeError::Damaged(Compression::Lz4, what.to_owned())
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).rev().fold(0, |sum, &byte| sum << 8 | u32::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with a window of 2 to the power of `log`, of more than the size of a window.
    fn zstd(log: u32) -> (Vec<u8>, usize) {
        use std::io::Write;
        let mut encoder = zstd::stream::Encoder::new(vec![], 1).unwrap();
        encoder.set_parameter(zstd::zstd_safe::CParameter::WindowLog(log)).unwrap();
        let piece = b"some rows that are much alike\n".repeat(1000);
        for _ in 0..40 {
            encoder.write_all(&piece).unwrap();
        }
        (encoder.finish().unwrap(), 40 * piece.len())
    }

    fn decoded(bytes: &[u8], pieces: usize, large: bool) -> Result<usize, DecodeError> {
        let mut decoder = Decoder::new(Compression::Zstd, Container::File)?.with_large_windows(large)?;
        let mut length = 0;
        for piece in bytes.chunks(pieces) {
            decoder.push(piece, &mut |out| length += out.len())?;
        }
        decoder.finish(&mut |out| length += out.len())?;
        Ok(length)
    }

    #[test]
    fn windows_are_as_large_as_allowed() {
        for pieces in [1, 7, 100_000] {
            for log in [21, 23, 24, 25] {
                let (bytes, length) = zstd(log);
                assert_eq!(
                    decoded(&bytes, pieces, false),
                    Ok(length),
                    "window of 2^{log}, pieces of {pieces}"
                );
            }
            let (bytes, length) = zstd(27);
            assert_eq!(decoded(&bytes, pieces, false), Err(DecodeError::TooLarge(Compression::Zstd)));
            assert_eq!(decoded(&bytes, pieces, true), Ok(length));
            let mut two = zstd(24).0;
            two.extend(zstd(21).0);
            assert_eq!(decoded(&two, pieces, false), Ok(2 * length), "one frame after the other");
        }
    }
}
