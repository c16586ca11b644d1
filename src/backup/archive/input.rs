//! Reading bytes at offsets: the seam between the readers and whatever holds a dump.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

/// How much a [`Cursor`] reads at once.
const BUFFER: usize = 256 * 1024;
/// The length of an [`Input`] whose end isn't known before it is reached.
pub const UNKNOWN: u64 = u64::MAX / 4;

/// Something that holds bytes and gives them out by offset: a file, or a slice in tests.
pub trait ReadAt: Send + Sync {
    /// Reads up to `buffer.len()` bytes at `offset`; 0 only at or behind the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

impl ReadAt for File {
    #[cfg(unix)]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buffer, offset)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.get(at..)).unwrap_or(&[]);
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]); // n is at most either length
        Ok(n)
    }
}

/// A pipe, or anything else that can be read forward only: gives out by offset what lies not far behind the
/// furthest byte read.
pub struct Stream {
    window: Mutex<Window>,
}

/// What of a stream is at hand.
struct Window {
    from: Box<dyn io::Read + Send>,
    bytes: Vec<u8>,
    /// Offset of the first of them.
    start: u64,
    ended: bool,
    digest: Option<Sha256>,
}

/// How much of a stream stays at hand behind the furthest byte read. The head of a dump is looked at twice, and a
/// cursor reads at most its buffer ahead of what it gives out.
const BEHIND: usize = 2 << 20;

impl Stream {
    /// Reads from `from`; with `hashed`, computes the SHA-256 of all of it on the way.
    pub fn new(from: impl io::Read + Send + 'static, hashed: bool) -> Stream {
        let window = Window {
            from: Box::new(from),
            bytes: vec![],
            start: 0,
            ended: false,
            digest: hashed.then(Sha256::new),
        };
        Stream { window: Mutex::new(window) }
    }

    /// Reads what is left, and says how long the whole was, and its SHA-256 if that was asked for.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn end(&self) -> io::Result<(u64, Option<String>)> {
        let mut window = self.lock();
        while !window.ended {
            window.more()?;
        }
        let digest = window
            .digest
            .clone()
            .map(|digest| digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        Ok((window.end(), digest))
    }

    fn lock(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Reads some more, and forgets what lies too far behind.
    fn more(&mut self) -> io::Result<()> {
        if self.bytes.len() >= 2 * BEHIND {
            let gone = self.bytes.len() - BEHIND;
            self.bytes.drain(..gone);
            self.start += gone as u64;
        }
        let before = self.bytes.len();
        self.bytes.resize(before + BUFFER, 0);
        // before is at most the length
        let read = self.from.read(&mut self.bytes[before..]);
        self.bytes.truncate(before + *read.as_ref().unwrap_or(&0));
        match read {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
            Ok(0) => self.ended = true,
            Ok(_) => {}
        }
        if let (Some(digest), Some(new)) = (&mut self.digest, self.bytes.get(before..)) {
            digest.update(new);
        }
        Ok(())
    }
}

impl ReadAt for Stream {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut window = self.lock();
        if offset < window.start {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "a stream can't be read backwards"));
        }
        while offset >= window.end() && !window.ended {
            window.more()?;
        }
        let at = usize::try_from(offset - window.start).unwrap_or(usize::MAX);
        let rest = window.bytes.get(at..).unwrap_or(&[]);
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]); // n is at most either length
        Ok(n)
    }
}

/// What the readers tell while they read, and ask before they go on. Shared by all threads.
#[derive(Debug, Default)]
pub struct Gauge {
    read: AtomicU64,
    cancelled: AtomicBool,
    large_windows: AtomicBool,
}

impl Gauge {
    /// Bytes of the dump read up to now, as stored.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// A gauge of its own that allows the same.
    pub fn like(other: &Gauge) -> Gauge {
        let gauge = Gauge::default();
        gauge.large_windows.store(other.allows_large_windows(), Ordering::Relaxed);
        gauge
    }

    /// Lets decoders hold windows of more than 32 MiB in memory.
    pub fn allow_large_windows(&self) {
        self.large_windows.store(true, Ordering::Relaxed);
    }

    /// Whether they may.
    pub fn allows_large_windows(&self) -> bool {
        self.large_windows.load(Ordering::Relaxed)
    }

    /// Asks the readers to stop as soon as they can.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// A stretch of bytes: a whole file, or a member of a tar file.
#[derive(Clone)]
pub struct Input {
    source: Arc<dyn ReadAt>,
    start: u64,
    len: u64,
    gauge: Arc<Gauge>,
}

impl Input {
    /// All of `file`, with the length it has now.
    pub fn file(file: File) -> io::Result<Input> {
        let len = file.metadata()?.len();
        Ok(Input { source: Arc::new(file), start: 0, len, gauge: Arc::default() })
    }

    /// The file at `path`.
    pub fn open(path: &Path) -> io::Result<Input> {
        Input::file(File::open(path)?)
    }

    /// What can be read forward only, up to an end that isn't known yet.
    pub fn stream(stream: Arc<Stream>) -> Input {
        Input { source: stream, start: 0, len: UNKNOWN, gauge: Arc::default() }
    }

    /// Bytes of whatever kind, `len` of them.
    pub fn of(source: Arc<dyn ReadAt>, len: u64) -> Input {
        Input { source, start: 0, len, gauge: Arc::default() }
    }

    /// Whether the end isn't known before it is reached.
    pub fn is_endless(&self) -> bool {
        self.start.saturating_add(self.len) >= UNKNOWN
    }

    /// Bytes in memory.
    pub fn bytes(bytes: Vec<u8>) -> Input {
        let len = bytes.len() as u64;
        Input { source: Arc::new(bytes), start: 0, len, gauge: Arc::default() }
    }

    /// The same bytes, counted on `gauge`.
    pub fn on(mut self, gauge: &Arc<Gauge>) -> Input {
        self.gauge = Arc::clone(gauge);
        self
    }

    /// The gauge that reads are counted on.
    pub fn gauge(&self) -> &Arc<Gauge> {
        &self.gauge
    }

    /// The bytes from `from`, `len` of them at most; empty where that lies behind the end.
    pub fn part(&self, from: u64, len: u64) -> Input {
        let from = from.min(self.len);
        let len = len.min(self.len - from);
        Input {
            source: Arc::clone(&self.source),
            start: self.start + from,
            len,
            gauge: Arc::clone(&self.gauge),
        }
    }

    /// How many bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reads up to `buffer.len()` bytes at `offset`; fewer only at the end.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let room = self.len.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let mut done = 0;
        while done < room {
            // done < room <= buffer.len()
            match self.source.read_at(self.start + offset + done as u64, &mut buffer[done..room]) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// The first bytes, up to `n` of them.
    pub fn head(&self, n: usize) -> io::Result<Vec<u8>> {
        let mut head = vec![0; n.min(usize::try_from(self.len).unwrap_or(n))];
        let got = self.read_at(0, &mut head)?;
        head.truncate(got);
        Ok(head)
    }

    /// A cursor at `offset`.
    pub fn cursor(&self, offset: u64) -> Cursor {
        Cursor { input: self.clone(), buffer: vec![], at: 0, offset, size: BUFFER }
    }
}

/// Why bytes could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read.
    #[error("cannot read at byte {offset}")]
    Io {
        /// Where.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The file stops before what was to be read.
    #[error("the file ends at byte {offset}")]
    Ended {
        /// The file's end.
        offset: u64,
    },
    /// Somebody asked to stop.
    #[error("stopped")]
    Cancelled,
}

/// Reads an [`Input`] forward through a buffer of fixed size.
pub struct Cursor {
    input: Input,
    buffer: Vec<u8>,
    /// Next byte in `buffer`.
    at: usize,
    /// Offset in the input of the buffer's end.
    offset: u64,
    size: usize,
}

impl Cursor {
    /// Offset of the next byte.
    pub fn position(&self) -> u64 {
        self.offset - (self.buffer.len() - self.at) as u64
    }

    /// Whether decoders of what it reads may hold large windows.
    pub fn allows_large_windows(&self) -> bool {
        self.input.gauge.allows_large_windows()
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> u64 {
        self.input.len.saturating_sub(self.position())
    }

    /// Uses a smaller buffer: for small pieces read here and there.
    pub fn with_buffer(mut self, size: usize) -> Cursor {
        self.size = size.max(1);
        self
    }

    /// The bytes at hand; reads more if there are none. Empty only at the end.
    #[inline]
    pub fn available(&mut self) -> Result<&[u8], ReadError> {
        if self.at == self.buffer.len() {
            self.fill()?;
        }
        // at <= buffer.len() always
        Ok(&self.buffer[self.at..])
    }

    #[cold]
    fn fill(&mut self) -> Result<(), ReadError> {
        if self.input.gauge.is_cancelled() {
            return Err(ReadError::Cancelled);
        }
        let want = self.remaining().min(self.size as u64) as usize;
        self.at = 0;
        self.buffer.resize(want, 0);
        let read = self.input.read_at(self.offset, &mut self.buffer);
        let got = match read {
            Ok(got) => got,
            Err(source) => {
                self.buffer.clear();
                return Err(ReadError::Io { offset: self.offset, source });
            }
        };
        self.buffer.truncate(got);
        self.offset += got as u64;
        self.input.gauge.read.fetch_add(got as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Goes on by `n` of the bytes that [`Cursor::available`] showed.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        self.at = (self.at + n).min(self.buffer.len());
    }

    /// The next byte, or none at the end.
    #[inline]
    pub fn next_byte(&mut self) -> Result<Option<u8>, ReadError> {
        let byte = self.available()?.first().copied();
        if byte.is_some() {
            self.at += 1;
        }
        Ok(byte)
    }

    /// The next byte; an error at the end.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, ReadError> {
        self.next_byte()?.ok_or(ReadError::Ended { offset: self.position() })
    }

    /// Fills `out` from the input.
    pub fn exact(&mut self, mut out: &mut [u8]) -> Result<(), ReadError> {
        while !out.is_empty() {
            let bytes = self.available()?;
            if bytes.is_empty() {
                return Err(ReadError::Ended { offset: self.position() });
            }
            let n = bytes.len().min(out.len());
            out[..n].copy_from_slice(&bytes[..n]); // n is at most either length
            out = &mut out[n..];
            self.consume(n);
        }
        Ok(())
    }

    /// The next `n` bytes. Allocates no more than there are.
    pub fn take(&mut self, n: u64) -> Result<Vec<u8>, ReadError> {
        if n > self.remaining() {
            return Err(ReadError::Ended { offset: self.position() + self.remaining() });
        }
        let n = usize::try_from(n).map_err(|_| ReadError::Ended { offset: self.position() })?;
        // Where the end isn't known, the length may be a lie: what is taken grows with what is there.
        let mut bytes = Vec::with_capacity(n.min(64 * 1024));
        while bytes.len() < n {
            let at_hand = self.available()?;
            if at_hand.is_empty() {
                return Err(ReadError::Ended { offset: self.position() });
            }
            let piece = at_hand.get(..n - bytes.len()).unwrap_or(at_hand);
            bytes.extend_from_slice(piece);
            let taken = piece.len();
            self.consume(taken);
        }
        Ok(bytes)
    }

    /// Goes on by `n` bytes without reading those that aren't at hand.
    pub fn skip(&mut self, n: u64) -> Result<(), ReadError> {
        let at_hand = (self.buffer.len() - self.at) as u64;
        if n <= at_hand {
            self.at += n as usize;
            return Ok(());
        }
        if n > self.remaining() {
            return Err(ReadError::Ended { offset: self.position() + self.remaining() });
        }
        self.at = self.buffer.len();
        self.offset += n - at_hand;
        Ok(())
    }
}
