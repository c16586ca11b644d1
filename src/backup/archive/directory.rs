//! Directory archives (`pg_dump -Fd`): `toc.dat`, a file for each table and large object, lists of these.
//!
//! After PostgreSQL's `pg_backup_directory.c`. Only regular files directly in the directory are opened.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::compression::Compression;
use super::input::{Gauge, Input};
use super::toc::{DataPlace, PlaceKind, Toc};
use super::{Archive, Block, BlockKind, Format, OpenError, Place, Problem, ProblemKind, Source, decode_all};

/// Suffixes in the order in which pg_restore tries them.
const SUFFIXES: [(&str, Compression); 4] = [
    ("", Compression::None),
    (".gz", Compression::Gzip),
    (".lz4", Compression::Lz4),
    (".zst", Compression::Zstd),
];

/// A compressed `toc.dat` or list is decoded into memory, up to this size.
const DECODED: usize = 256 << 20;

/// Holds the files of a directory dump: a directory, or a prefix of an object store.
pub trait Folder: Send + Sync {
    /// Opens the file of that name.
    ///
    /// # Errors
    /// When it can't be opened, or is no regular file.
    fn open(&self, name: &str) -> io::Result<Input>;
}

impl Folder for PathBuf {
    fn open(&self, name: &str) -> io::Result<Input> {
        Input::file(open_regular(&self.join(name))?)
    }
}

/// The regular files of a directory, with their lengths.
struct Files<'a> {
    folder: Arc<dyn Folder>,
    gauge: &'a Arc<Gauge>,
    lengths: BTreeMap<String, u64>,
    /// What else is there: links, directories.
    others: Vec<String>,
    used: BTreeSet<String>,
}

pub(super) fn open(path: &Path, gauge: &Arc<Gauge>) -> Result<Archive, OpenError> {
    let io_error = |source| OpenError::Io { path: path.to_owned(), source };
    let mut lengths = BTreeMap::new();
    let mut others = vec![];
    for entry in std::fs::read_dir(path).map_err(io_error)? {
        let entry = entry.map_err(io_error)?;
        // Doesn't follow a symbolic link.
        let metadata = entry.metadata().map_err(io_error)?;
        match entry.file_name().into_string() {
            Ok(name) if metadata.is_file() => {
                // Before anything is read: that this user may not read a file tells nothing of the dump.
                if is_part(&name) {
                    let file = entry.path();
                    rustix::fs::access(&file, rustix::fs::Access::READ_OK)
                        .map_err(|error| OpenError::Io { path: file, source: error.into() })?;
                }
                lengths.insert(name, metadata.len());
            }
            Ok(name) => others.push(name),
            Err(name) => others.push(name.to_string_lossy().into_owned()),
        }
    }
    open_folder(path, Arc::new(path.to_owned()), lengths, others, gauge)
}

/// Opens a directory dump whose files are in `folder`, by name and length; `others` is what else is there.
pub(super) fn open_folder(
    path: &Path,
    folder: Arc<dyn Folder>,
    lengths: BTreeMap<String, u64>,
    others: Vec<String>,
    gauge: &Arc<Gauge>,
) -> Result<Archive, OpenError> {
    let io_error = |source| OpenError::Io { path: path.to_owned(), source };
    let mut files = Files { folder, gauge, lengths, others, used: BTreeSet::new() };
    let mut archive = Archive::new(path, Format::Directory, files.lengths.values().sum(), gauge);
    let Some((name, compression)) = files.find("toc.dat", &mut archive.problems) else {
        return Err(not_a_dump(path, &files));
    };
    let input = match files.whole(&name, compression) {
        Ok(input) => input,
        Err(Whole::Io(source)) => return Err(io_error(source)),
        Err(Whole::Stream(problem)) => {
            archive.problems.push(problem);
            return Ok(archive);
        }
    };
    if input.is_empty() {
        let place = Place { file: Some(name), ..Place::default() };
        let what = "the table of contents is empty".into();
        archive.problems.push(Problem { kind: ProblemKind::Truncated, place, what });
        return Ok(archive);
    }
    if archive.read_front(&input, PlaceKind::FileName, Some(&name)) {
        if archive.toc.whole && archive.toc.end != input.len() {
            let what = format!("{} bytes follow the last entry", input.len() - archive.toc.end);
            let place = Place { file: Some(name), offset: Some(archive.toc.end), ..Place::default() };
            archive.problems.push(Problem { kind: ProblemKind::Toc, place, what });
        }
        find_blocks(&mut archive, &mut files);
    }
    if archive.toc.whole {
        files.report_left_over(&mut archive);
    }
    Ok(archive)
}

fn not_a_dump(path: &Path, files: &Files<'_>) -> OpenError {
    let has = |name: &str| files.lengths.contains_key(name) || files.others.iter().any(|other| other == name);
    let what = if has("PG_VERSION") && has("global") {
        "it is a data directory or a base backup (pg_basebackup), which pg_verifybackup checks; pg_dump writes logical dumps"
    } else if has("base.tar") || has("base.tar.gz") || has("backup_manifest") {
        "it is a base backup (pg_basebackup): check it with pg_verifybackup"
    } else if files.lengths.is_empty() {
        "the directory holds no files"
    } else {
        "it has no toc.dat, so it is no directory dump (pg_dump -Fd); to check one of the files in it, name that file"
    };
    OpenError::NotRecognised { path: path.to_owned(), what: what.to_owned() }
}

enum Whole {
    Io(io::Error),
    Stream(Problem),
}

impl Files<'_> {
    /// The file called `name`, or that with a suffix; more than one is a problem.
    fn find(&mut self, name: &str, problems: &mut Vec<Problem>) -> Option<(String, Compression)> {
        let mut found = SUFFIXES
            .iter()
            .map(|(suffix, compression)| (format!("{name}{suffix}"), *compression))
            .filter(|(name, _)| self.lengths.contains_key(name));
        let first = found.next()?;
        self.used.insert(first.0.clone());
        for (second, _) in found {
            let place = Place { file: Some(second.clone()), ..Place::default() };
            let what = format!("both {} and {second} are there; pg_restore reads the first", first.0);
            problems.push(Problem { kind: ProblemKind::Toc, place, what });
            self.used.insert(second);
        }
        Some(first)
    }

    /// Why there is no file called `name`.
    fn why_not(&self, name: &str) -> &'static str {
        let is_other = SUFFIXES.iter().any(|(suffix, _)| self.others.contains(&format!("{name}{suffix}")));
        if is_other { "is a link or no regular file, and isn't followed" } else { "isn't there" }
    }

    fn source(&self, name: &str) -> Source {
        let len = self.lengths.get(name).copied().unwrap_or(0);
        Source::File { folder: Arc::clone(&self.folder), name: name.to_owned(), len }
    }

    fn open(&self, name: &str) -> io::Result<Input> {
        Ok(self.folder.open(name)?.on(self.gauge))
    }

    /// A file that is read as a whole, decoded where it is compressed.
    fn whole(&self, name: &str, compression: Compression) -> Result<Input, Whole> {
        let input = self.open(name).map_err(Whole::Io)?;
        if compression == Compression::None {
            return Ok(input);
        }
        let mut decoded = vec![];
        let mut too_long = false;
        let result = decode_all(&input, compression, &mut |bytes| {
            too_long |= decoded.len() + bytes.len() > DECODED;
            if !too_long {
                decoded.extend_from_slice(bytes);
            }
        });
        let place = Place { file: Some(name.to_owned()), ..Place::default() };
        if let Err(error) = result {
            return Err(Whole::Stream(error.problem(place)));
        }
        if too_long {
            let what = format!("it holds more than {} MB", DECODED >> 20);
            return Err(Whole::Stream(Problem { kind: ProblemKind::Toc, place, what }));
        }
        Ok(Input::bytes(decoded).on(self.gauge))
    }

    /// Files that no entry names: of pg_dump's own names they tell that the table of contents lost entries.
    fn report_left_over(&self, archive: &mut Archive) {
        let mut strange = self.others.clone();
        for name in self.lengths.keys().filter(|name| !self.used.contains(*name)) {
            if is_data_file(name) {
                let place = Place { file: Some(name.clone()), ..Place::default() };
                let (kind, what) = if name.starts_with("blob_") {
                    (ProblemKind::LargeObject, "no list of large objects names this file")
                } else {
                    (ProblemKind::Toc, "no entry of the table of contents names this data file")
                };
                archive.problems.push(Problem { kind, place, what: what.into() });
            } else {
                strange.push(name.clone());
            }
        }
        if !strange.is_empty() {
            archive.notes.push(format!("not part of the dump and not looked at: {}", strange.join(", ")));
        }
    }
}

/// Whether pg_dump names files of a dump so.
pub(in crate::backup) fn is_part(name: &str) -> bool {
    let stem = SUFFIXES.iter().rev().find_map(|(suffix, _)| name.strip_suffix(suffix)).unwrap_or(name);
    stem == "toc.dat" || is_data_file(name)
}

/// Whether pg_dump names data files so.
fn is_data_file(name: &str) -> bool {
    let stem = SUFFIXES.iter().rev().find_map(|(suffix, _)| name.strip_suffix(suffix)).unwrap_or(name);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(number) = stem.strip_suffix(".dat") {
        return digits(number) || number.strip_prefix("blob_").is_some_and(digits);
    }
    stem == "blobs.toc"
        || stem.strip_prefix("blobs_").and_then(|rest| rest.strip_suffix(".toc")).is_some_and(digits)
}

/// Opens a regular file: no link, no device, no pipe that would wait for a writer.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.custom_flags(flags.bits() as i32);
    }
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

/// A name that can only be that of a file directly in the directory.
pub(super) fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\\', '\0']) && name != "." && name != ".."
}

fn find_blocks(archive: &mut Archive, files: &mut Files<'_>) {
    let mut kinds = BTreeMap::new();
    let old_lists = archive.header.as_ref().is_some_and(|header| header.version.minor < 16);
    for entry in 0..archive.toc.entries.len() {
        let Some(of) = archive.toc.entries.get(entry) else { continue };
        let DataPlace::File(name) = &of.place else { continue };
        let is_list = of.kind == "BLOBS";
        // Before 1.16 there is one list of this name, whatever the entry says.
        let name = if is_list && old_lists { "blobs.toc".to_owned() } else { name.clone() };
        let mut place = Place {
            entry: Some(of.dump_id),
            object: (!is_list).then(|| of.qualified()),
            file: Some(name.clone()),
            ..Place::default()
        };
        if !is_plain_name(&name) {
            let what = format!("its data is said to be in {name:?}, outside the dump; that is not read");
            archive.problems.push(Problem { kind: ProblemKind::Toc, place, what });
            continue;
        }
        let Some((name, compression)) = files.find(&name, &mut archive.problems) else {
            let what = format!("its data file {}", files.why_not(&name));
            archive.problems.push(Problem { kind: ProblemKind::BlockMissing, place, what });
            continue;
        };
        place.file = Some(name.clone());
        if is_list {
            match files.whole(&name, compression) {
                Ok(list) => read_list(archive, entry, &list, &name, files),
                Err(Whole::Stream(problem)) => archive.problems.push(problem),
                Err(Whole::Io(error)) => archive.problems.push(unreadable(place, &error)),
            }
            continue;
        }
        *kinds.entry(compression.as_str()).or_insert(0) += 1;
        let kind = BlockKind::Table;
        archive.blocks.push(Block {
            entry,
            kind,
            source: files.source(&name),
            compression,
            place,
            custom: None,
        });
    }
    if let Some((most, _)) = kinds.iter().max_by_key(|(_, count)| **count)
        && let Some((_, compression)) = SUFFIXES.iter().find(|(_, compression)| compression.as_str() == *most)
    {
        archive.compression = *compression;
    }
}

fn unreadable(place: Place, error: &io::Error) -> Problem {
    Problem { kind: ProblemKind::Unreadable, place, what: format!("its file can't be read: {error}") }
}

/// Reads a list of large objects: lines of an OID and a file's name.
fn read_list(archive: &mut Archive, entry: usize, list: &Input, list_name: &str, files: &mut Files<'_>) {
    let (lines, found) = list_lines(&archive.toc, entry, list, list_name);
    archive.problems.extend(found);
    for (line, oid, name) in lines {
        let place = Place {
            file: Some(name.clone()),
            object: Some(format!("large object {oid}")),
            entry: archive.toc.entries.get(entry).map(|of| of.dump_id),
            ..Place::default()
        };
        if !is_plain_name(&name) {
            let what = format!("line {line} of {list_name} says that it is in {name:?}, outside the dump");
            archive.problems.push(Problem { kind: ProblemKind::LargeObject, place, what });
            continue;
        }
        let Some((name, compression)) = files.find(&name, &mut archive.problems) else {
            let what = format!("its file {}", files.why_not(&name));
            archive.problems.push(Problem { kind: ProblemKind::LargeObject, place, what });
            continue;
        };
        let source = files.source(&name);
        let place = Place { file: Some(name), ..place };
        archive.blocks.push(Block {
            entry,
            kind: BlockKind::LargeObject(oid),
            source,
            compression,
            place,
            custom: None,
        });
    }
}

/// A line of a list of large objects: its number, the OID, the name of the file.
pub(super) type ListLine = (usize, u32, String);

/// The lines of a list of large objects, and what is wrong with it.
pub(super) fn list_lines(toc: &Toc, entry: usize, list: &Input, name: &str) -> (Vec<ListLine>, Vec<Problem>) {
    let place = Place {
        file: Some(name.to_owned()),
        entry: toc.entries.get(entry).map(|of| of.dump_id),
        ..Place::default()
    };
    let bytes = match list.cursor(0).take(list.len()) {
        Ok(bytes) => bytes,
        Err(error) => return (vec![], vec![super::read_problem(&error, place)]),
    };
    let text = String::from_utf8_lossy(&bytes);
    let (mut lines, mut problems) = (vec![], vec![]);
    if !text.is_empty() && !text.ends_with('\n') {
        let what = "the list of large objects stops in the middle of a line".into();
        problems.push(Problem { kind: ProblemKind::Truncated, place: place.clone(), what });
    }
    for (nth, line) in text.lines().enumerate() {
        match line.split_once(' ').map(|(oid, name)| (oid.parse::<u32>(), name)) {
            Some((Ok(oid), name)) if oid != 0 => lines.push((nth + 1, oid, name.to_owned())),
            _ => {
                let what =
                    format!("line {} of the list of large objects isn't an OID and a file's name", nth + 1);
                problems.push(Problem { kind: ProblemKind::LargeObject, place: place.clone(), what });
            }
        }
    }
    (lines, problems)
}
