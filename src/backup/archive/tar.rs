//! Tar archives (`pg_dump -Ft`): the files of a directory archive as members, never compressed.
//!
//! After PostgreSQL's `pg_backup_tar.c`. The headers are read here and not by a crate, because what a
//! lenient reader forgives (a wrong checksum, a missing end) is what is looked for.

use std::collections::BTreeMap;
use std::path::Path;

use super::compression::Compression;
use super::directory::list_lines;
use super::input::{Input, ReadError};
use super::toc::{DataPlace, PlaceKind};
use super::{
    Archive, Block, BlockKind, Format, OpenError, Place, Problem, ProblemKind, Source, read_problem,
};

const RECORD: u64 = 512;

/// Whether `head` is the first record of a tar file.
pub(super) fn looks_like_tar(head: &[u8]) -> bool {
    match head.get(..RECORD as usize) {
        Some(record) => record.get(257..262) == Some(b"ustar") || (record[0] != 0 && checksum_fits(record)), // 512 bytes
        None => head.starts_with(b"toc.dat\0"),
    }
}

struct Member {
    offset: u64,
    input: Input,
}

pub(super) fn open(path: &Path, input: Input) -> Result<Archive, OpenError> {
    let mut archive = Archive::new(path, Format::Tar, input.len(), input.gauge());
    if input.is_endless() {
        return open_stream(archive, &input);
    }
    let (members, order) = read_members(&input, &mut archive.problems);
    let Some(toc) = members.get("toc.dat") else {
        if !archive.problems.is_empty() && order.is_empty() {
            return Ok(archive);
        }
        return Err(without_toc(path, &order));
    };
    if order.first().is_some_and(|name| name != "toc.dat") {
        let what = "toc.dat isn't the first member, which pg_restore needs it to be".into();
        archive.problems.push(Problem { kind: ProblemKind::Toc, place: Place::default(), what });
    }
    let toc = toc.input.clone();
    if archive.read_front(&toc, PlaceKind::FileName, Some("toc.dat")) {
        check_behind_toc(&mut archive, toc.len());
        find_blocks(&mut archive, &members, &order);
    }
    archive.compression = Compression::None;
    Ok(archive)
}

/// Nothing follows the last entry in `toc.dat`, which has `size` bytes.
fn check_behind_toc(archive: &mut Archive, size: u64) {
    if archive.toc.whole && archive.toc.end != size {
        let what = format!("{} bytes follow the last entry", size.saturating_sub(archive.toc.end));
        let place = Place { file: Some("toc.dat".into()), offset: Some(archive.toc.end), ..Place::default() };
        archive.problems.push(Problem { kind: ProblemKind::Toc, place, what });
    }
}

/// The member that lists the large objects of an entry. What the entry names is one that pg_dump never writes.
fn list_name(dump_id: i32, old_lists: bool) -> String {
    if old_lists { "blobs.toc".to_owned() } else { format!("blobs_{dump_id}.toc") }
}

fn without_toc(path: &Path, order: &[String]) -> OpenError {
    let base = |name: &String| name.trim_start_matches("./") == "PG_VERSION" || name == "backup_label";
    let what = if order.iter().any(base) {
        "it is a base backup (pg_basebackup) as a tar file: check it with pg_verifybackup"
    } else if order.iter().any(|name| name.ends_with("/toc.dat")) {
        "it is a directory dump packed into a tar file: unpack it and name the directory"
    } else {
        "it is a tar file without toc.dat, so no dump of pg_dump -Ft"
    };
    OpenError::NotRecognised { path: path.to_owned(), what: what.to_owned() }
}

/// As [`open`], of a file that can be read forward only: `toc.dat` comes first, where pg_dump puts it.
fn open_stream(mut archive: Archive, input: &Input) -> Result<Archive, OpenError> {
    let mut cursor = input.cursor(0).with_buffer(RECORD as usize);
    let Some(head) = read_member(&mut cursor, &mut archive.problems) else { return Ok(archive) };
    if head.name != "toc.dat" {
        let OpenError::NotRecognised { path, what } = without_toc(&archive.path, &[head.name]) else {
            return Ok(archive);
        };
        let what = format!("{what}; if toc.dat comes later in it, save it to a file and name that");
        return Err(OpenError::NotRecognised { path, what });
    }
    let toc = input.part(head.start, head.size);
    if archive.read_front(&toc, PlaceKind::FileName, Some("toc.dat")) {
        check_behind_toc(&mut archive, head.size);
    }
    archive.compression = Compression::None;
    Ok(archive)
}

/// Reads the members of a stream in the order in which they come.
pub(super) fn read_in_order(archive: &Archive, input: &Input, visit: &mut super::Visit<'_>) -> Vec<Problem> {
    let mut problems = vec![];
    let old_lists = archive.header.as_ref().is_some_and(|header| header.version.minor < 16);
    let mut tables: BTreeMap<&str, usize> = BTreeMap::new();
    let mut lists: BTreeMap<String, usize> = BTreeMap::new();
    for (at, entry) in archive.toc.entries.iter().enumerate() {
        let DataPlace::File(name) = &entry.place else { continue };
        if entry.kind == "BLOBS" {
            lists.insert(list_name(entry.dump_id, old_lists), at);
        } else {
            tables.insert(name, at);
        }
    }
    let of_objects = lists.values().next().copied();
    // Large objects by the name of their member; their lists come behind them.
    let mut seen: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();
    let mut objects: BTreeMap<String, u64> = BTreeMap::new();
    let mut first = true;
    let mut cursor = input.cursor(0).with_buffer(RECORD as usize);
    while let Some(head) = read_member(&mut cursor, &mut problems) {
        let name = head.name.clone();
        if !seen.insert(name.clone()) {
            let place = Place { file: Some(name.clone()), offset: Some(head.offset), ..Place::default() };
            let what = "two members of the tar file have this name".into();
            problems.push(Problem { kind: ProblemKind::Toc, place, what });
        }
        let content = input.part(head.start, head.size);
        let member = Member { offset: head.offset, input: content.clone() };
        let blob = name.strip_prefix("blob_").and_then(|rest| rest.strip_suffix(".dat")?.parse::<u32>().ok());
        if let Some(&entry) = tables.get(name.as_str()) {
            let place = place_of(archive, entry, &name, head.offset);
            visit_member(archive, block_of(entry, BlockKind::Table, &member, place), visit);
        } else if let (Some(entry), Some(oid)) = (of_objects, blob) {
            objects.insert(name.clone(), head.offset);
            let mut place = place_of(archive, entry, &name, head.offset);
            place.object = Some(format!("large object {oid}"));
            visit_member(archive, block_of(entry, BlockKind::LargeObject(oid), &member, place), visit);
        } else if let Some(&entry) = lists.get(&name) {
            let (lines, found) = list_lines(&archive.toc, entry, &content, &name);
            problems.extend(found);
            for (_, oid, blob) in lines {
                if objects.remove(&blob).is_none() && !seen.contains(&blob) {
                    let mut place = place_of(archive, entry, &blob, head.offset);
                    place.object = Some(format!("large object {oid}"));
                    let what = "its member isn't in the tar file".into();
                    problems.push(Problem { kind: ProblemKind::LargeObject, place, what });
                }
            }
        } else if !(first && name == "toc.dat") && name != "restore.sql" && archive.toc.whole {
            let place = Place { file: Some(name.clone()), ..Place::default() };
            let what = "no entry of the table of contents names this member".into();
            problems.push(Problem { kind: ProblemKind::Toc, place, what });
        }
        first = false;
        if archive.gauge.is_cancelled() {
            return problems;
        }
        let padded = head.size.checked_next_multiple_of(RECORD);
        if padded.is_none_or(|padded| cursor.skip(padded).is_err()) {
            break;
        }
    }
    if !archive.toc.whole {
        return problems;
    }
    for name in objects.into_keys() {
        let place = Place { file: Some(name), ..Place::default() };
        let what = "no list of large objects names this member".into();
        problems.push(Problem { kind: ProblemKind::LargeObject, place, what });
    }
    let names = tables.iter().map(|(name, at)| ((*name).to_owned(), *at));
    for (name, entry) in names.chain(lists).filter(|(name, _)| !seen.contains(name)) {
        let place = Place { offset: None, ..place_of(archive, entry, &name, 0) };
        let what = "its member isn't in the tar file".into();
        problems.push(Problem { kind: ProblemKind::BlockMissing, place, what });
    }
    problems
}

fn visit_member(archive: &Archive, block: Block, visit: &mut super::Visit<'_>) {
    visit(&block, &mut |sink| {
        let mut count = Counted { sink, bytes: 0 };
        let mut problems = archive.read_block(&block, &mut count);
        let lacks = block.stored_len().saturating_sub(count.bytes);
        if lacks > 0 && problems.is_empty() {
            let what = format!("the tar file ends {lacks} bytes before the end of this member");
            problems.push(Problem { kind: ProblemKind::Truncated, place: block.place.clone(), what });
        }
        problems
    });
}

/// Counts what a member holds on its way to a sink.
struct Counted<'a> {
    sink: &'a mut dyn super::BlockSink,
    bytes: u64,
}

impl super::BlockSink for Counted<'_> {
    fn large_object(&mut self, oid: u32) {
        self.sink.large_object(oid);
    }

    fn data(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.sink.data(bytes);
    }
}

fn place_of(archive: &Archive, entry: usize, name: &str, offset: u64) -> Place {
    let of = archive.toc.entries.get(entry);
    Place {
        entry: of.map(|of| of.dump_id),
        object: of.filter(|of| of.kind != "BLOBS").map(super::toc::TocEntry::qualified),
        file: Some(name.to_owned()),
        offset: Some(offset),
        ..Place::default()
    }
}

/// The header of a member.
struct Head {
    name: String,
    /// Offset of the header, and of what follows it.
    offset: u64,
    start: u64,
    size: u64,
}

/// The header of the next member; none behind the last one, and where the file is damaged.
fn read_member(cursor: &mut super::input::Cursor, problems: &mut Vec<Problem>) -> Option<Head> {
    let offset = cursor.position();
    let at = |file: Option<&str>| Place {
        offset: Some(offset),
        file: file.map(str::to_owned),
        ..Place::default()
    };
    let mut record = [0; RECORD as usize];
    if let Err(error) = cursor.exact(&mut record) {
        let mut problem = read_problem(&error, at(None));
        if matches!(error, ReadError::Ended { .. }) {
            problem.what = "the tar file ends without the two empty records that end one".into();
        }
        problems.push(problem);
        return None;
    }
    if record.iter().all(|&byte| byte == 0) {
        check_end(cursor, problems);
        return None;
    }
    if !checksum_fits(&record) {
        let what =
            "the header of a tar member doesn't match its checksum; what follows can't be found".into();
        problems.push(Problem { kind: ProblemKind::BlockDamaged, place: at(None), what });
        return None;
    }
    let name = String::from_utf8_lossy(until_nul(&record[..100])).into_owned(); // a record has 512 bytes
    let Some(size) = number(&record[124..136]) else {
        let what = "the header of a tar member gives no length".into();
        problems.push(Problem { kind: ProblemKind::BlockDamaged, place: at(Some(&name)), what });
        return None;
    };
    if !matches!(record[156], b'0' | 0) {
        let what = format!("the tar member is no regular file (type {:?})", char::from(record[156]));
        problems.push(Problem { kind: ProblemKind::Toc, place: at(Some(&name)), what });
    }
    Some(Head { name, offset, start: cursor.position(), size })
}

fn read_members(input: &Input, problems: &mut Vec<Problem>) -> (BTreeMap<String, Member>, Vec<String>) {
    let mut members = BTreeMap::new();
    let mut order = vec![];
    let mut cursor = input.cursor(0).with_buffer(RECORD as usize);
    while let Some(Head { name, offset, start, size }) = read_member(&mut cursor, problems) {
        let at = || Place { offset: Some(offset), file: Some(name.clone()), ..Place::default() };
        let member = Member { offset: start, input: input.part(start, size) };
        if member.input.len() < size {
            let what = format!(
                "the tar file ends {} bytes before the end of this member",
                size - member.input.len()
            );
            problems.push(Problem { kind: ProblemKind::Truncated, place: at(), what });
        }
        let padded = size.checked_next_multiple_of(RECORD);
        order.push(name.clone());
        if members.insert(name.clone(), member).is_some() {
            let what = "two members of the tar file have this name".into();
            problems.push(Problem { kind: ProblemKind::Toc, place: at(), what });
        }
        match padded.map(|padded| cursor.skip(padded)) {
            Some(Ok(())) => {}
            _ => {
                if input.len().saturating_sub(start) >= size {
                    let what = "the tar file ends inside the padding of this member".into();
                    problems.push(Problem { kind: ProblemKind::Truncated, place: at(), what });
                }
                break;
            }
        }
    }
    (members, order)
}

/// Behind the first empty record: a second one, and nothing but zeros up to the end.
fn check_end(cursor: &mut super::input::Cursor, problems: &mut Vec<Problem>) {
    let offset = cursor.position();
    let place = Place { offset: Some(offset), ..Place::default() };
    let mut second = [0; RECORD as usize];
    match cursor.exact(&mut second) {
        Err(ReadError::Ended { .. }) => {
            let what = "the tar file ends without the second of the two empty records that end one".into();
            problems.push(Problem { kind: ProblemKind::Truncated, place, what });
            return;
        }
        Err(error) => {
            problems.push(read_problem(&error, place));
            return;
        }
        Ok(()) => {}
    }
    let mut clean = second.iter().all(|&byte| byte == 0);
    while clean {
        match cursor.available() {
            Ok([]) => return,
            Ok(bytes) => {
                clean = bytes.iter().all(|&byte| byte == 0);
                let n = bytes.len();
                cursor.consume(n);
            }
            Err(error) => {
                problems.push(read_problem(&error, place));
                return;
            }
        }
    }
    let what =
        "the tar file goes on behind the records that end it: a damaged member header hides the rest".into();
    problems.push(Problem { kind: ProblemKind::BlockDamaged, place, what });
}

fn find_blocks(archive: &mut Archive, members: &BTreeMap<String, Member>, order: &[String]) {
    let old_lists = archive.header.as_ref().is_some_and(|header| header.version.minor < 16);
    let mut used: std::collections::HashSet<String> = ["toc.dat".to_owned(), "restore.sql".to_owned()].into();
    for entry in 0..archive.toc.entries.len() {
        let Some(of) = archive.toc.entries.get(entry) else { continue };
        let DataPlace::File(name) = &of.place else { continue };
        let dump_id = of.dump_id;
        let is_list = of.kind == "BLOBS";
        let name = if is_list { list_name(dump_id, old_lists) } else { name.clone() };
        let mut place = Place {
            entry: Some(dump_id),
            object: (!is_list).then(|| of.qualified()),
            file: Some(name.clone()),
            ..Place::default()
        };
        let Some(member) = members.get(&name) else {
            let what = "its member isn't in the tar file".into();
            archive.problems.push(Problem { kind: ProblemKind::BlockMissing, place, what });
            continue;
        };
        used.insert(name.clone());
        place.offset = Some(member.offset);
        if !is_list {
            push_block(archive, entry, BlockKind::Table, member, place);
            continue;
        }
        let (lines, found) = list_lines(&archive.toc, entry, &member.input, &name);
        archive.problems.extend(found);
        for (_, oid, blob) in lines {
            let place = Place {
                file: Some(blob.clone()),
                object: Some(format!("large object {oid}")),
                entry: Some(dump_id),
                ..Place::default()
            };
            match members.get(&blob) {
                Some(member) => {
                    used.insert(blob);
                    push_block(archive, entry, BlockKind::LargeObject(oid), member, place);
                }
                None => {
                    let what = "its member isn't in the tar file".into();
                    archive.problems.push(Problem { kind: ProblemKind::LargeObject, place, what });
                }
            }
        }
    }
    if archive.toc.whole {
        for name in order.iter().filter(|name| !used.contains(*name)) {
            let place = Place { file: Some(name.clone()), ..Place::default() };
            let (kind, what) = if name.starts_with("blob_") {
                (ProblemKind::LargeObject, "no list of large objects names this member")
            } else {
                (ProblemKind::Toc, "no entry of the table of contents names this member")
            };
            archive.problems.push(Problem { kind, place, what: what.into() });
        }
    }
}

fn push_block(archive: &mut Archive, entry: usize, kind: BlockKind, member: &Member, place: Place) {
    archive.blocks.push(block_of(entry, kind, member, place));
}

fn block_of(entry: usize, kind: BlockKind, member: &Member, place: Place) -> Block {
    let source = Source::Open(member.input.clone());
    Block { entry, kind, source, compression: Compression::None, place, custom: None }
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or(bytes)
}

/// A number of a header: octal digits, or base 256 where the first byte is 0x80.
fn number(field: &[u8]) -> Option<u64> {
    if let [0x80, rest @ ..] = field {
        return rest.iter().try_fold(0u64, |sum, &byte| Some(sum.checked_mul(256)? + u64::from(byte)));
    }
    let digits: Vec<u8> = field.iter().copied().filter(|byte| !matches!(byte, b' ' | 0)).collect();
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, &byte| match byte {
        b'0'..=b'7' => Some(sum.checked_mul(8)? + u64::from(byte - b'0')),
        _ => None,
    })
}

/// Whether the sum of the record's bytes, with blanks for the sum itself, is what it says.
fn checksum_fits(record: &[u8]) -> bool {
    let sum: u64 = record
        .iter()
        .enumerate()
        .map(|(at, &byte)| if (148..156).contains(&at) { 32 } else { u64::from(byte) })
        .sum();
    record.get(148..156).and_then(number) == Some(sum)
}
