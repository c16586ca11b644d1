//! The readers through their public seam: all layouts of one database tell the same, old versions are read,
//! and hostile archives are refused without harm.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rollsafe::backup::archive::input::{Gauge, Input};
use rollsafe::backup::archive::{Archive, Format, ProblemKind};
use rollsafe::backup::contents::read_contents;
use rollsafe::backup::data::{DataOptions, DataResult, read_data};
use rollsafe::backup::rows::Depth;
use rollsafe::backup::text::read_plain;

const ALL: DataOptions =
    DataOptions { depth: Depth { checksums: true, values: true, keys: true }, threads: 2 };

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dumps").join(name)
}

fn open(path: &Path) -> Archive {
    Archive::open(path, &Arc::<Gauge>::default())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn data(archive: &Archive) -> DataResult {
    if archive.format.is_text() {
        return read_plain(archive, ALL).data;
    }
    let (contents, schema) = read_contents(&archive.toc);
    read_data(archive, &schema, &contents, ALL)
}

/// Rows and checksum of each table.
fn tables(data: &DataResult) -> BTreeMap<String, (u64, Option<String>)> {
    data.tables.iter().map(|table| (table.name.clone(), (table.rows, table.checksum.clone()))).collect()
}

#[test]
fn every_layout_and_compression_of_a_database_tells_the_same() {
    let reference = data(&open(&fixture("17-custom-none.dump")));
    assert_eq!(reference.problems, []);
    let tables_of_reference = tables(&reference);
    assert_eq!(tables_of_reference["public.users"].0, 60);
    assert_eq!(tables_of_reference["billing.order_items"].0, 180);
    assert_eq!(tables_of_reference["public.no_columns"].0, 2);
    assert_eq!(tables_of_reference["public.empty"], (0, Some("0".repeat(32))));
    assert_eq!(reference.large_objects.count, 3);
    assert_eq!(reference.large_objects.bytes, 3614);
    for name in [
        "17-custom-gzip.dump",
        "17-custom-lz4.dump",
        "17-custom-zstd.dump",
        "17-directory-none",
        "17-directory-gzip",
        "17-directory-lz4",
        "17-directory-zstd",
        "17.tar",
        "17.sql",
        "17.sql.gz",
        "17.sql.lz4",
        "17.sql.zst",
        "17.sql.bz2",
        "17.sql.xz",
        "17-piped.dump",
        "17-piped-none.dump",
        "17-clean-create.sql",
    ] {
        let archive = open(&fixture(name));
        let found = data(&archive);
        assert_eq!(found.problems, [], "{name}");
        assert_eq!(tables(&found), tables_of_reference, "{name}");
        assert_eq!((found.large_objects.count, found.large_objects.bytes), (3, 3614), "{name}");
        if !archive.format.is_text() {
            assert_eq!(found.large_objects.checksum, reference.large_objects.checksum, "{name}");
        }
    }
}

#[test]
fn rows_of_inserts_and_of_a_cluster_are_counted_alike() {
    let rows = |data: &DataResult, prefix: &str| -> BTreeMap<String, u64> {
        data.tables
            .iter()
            .filter_map(|table| Some((table.name.strip_prefix(prefix)?.to_owned(), table.rows)))
            .filter(|(_, rows)| *rows > 0)
            .collect()
    };
    let reference = rows(&data(&open(&fixture("17-custom-none.dump"))), "");
    assert_eq!(rows(&data(&open(&fixture("17-column-inserts.dump"))), ""), reference);
    let fifteen = rows(&data(&open(&fixture("15-custom.dump"))), "");
    assert_eq!(rows(&data(&open(&fixture("15-inserts.sql"))), ""), fifteen);
    let cluster = open(&fixture("17-all.sql"));
    assert_eq!(cluster.format, Format::Cluster);
    assert_eq!(rows(&data(&cluster), "shop."), reference);
}

#[test]
fn partitions_loaded_through_their_root_come_under_its_name() {
    let found = tables(&data(&open(&fixture("17-partition-root.dump"))));
    assert_eq!(found["billing.orders"].0, 90);
    let each: u64 = ["2025", "2026", "rest"]
        .iter()
        .map(|part| {
            tables(&data(&open(&fixture("17-custom-none.dump"))))[&format!("billing.orders_{part}")].0
        })
        .sum();
    assert_eq!(each, 90);
}

/// Walks a table of contents, to write it anew in the form of another version.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        self.at += n;
        &self.bytes[self.at - n..self.at]
    }
    fn int(&mut self) -> &'a [u8] {
        self.take(5)
    }
    fn string(&mut self) -> (&'a [u8], bool) {
        let int = self.int();
        let length = u32::from_le_bytes(int[1..].try_into().unwrap()) as usize;
        let null = int[0] != 0;
        if !null {
            self.take(length);
        }
        (&self.bytes[self.at - if null { 5 } else { 5 + length }..self.at], null)
    }
}

/// A custom archive, or the `toc.dat` of another one, of version 1.14 or 1.16 as an older version would have it.
fn rewritten(bytes: &[u8], to_minor: u8) -> Vec<u8> {
    let (from_minor, custom) = (bytes[6], bytes[10] == 1);
    let mut walk = Walk { bytes, at: 5 + 3 + 2 + 1 };
    let mut head = bytes[..11].to_vec();
    head[6] = to_minor;
    if from_minor >= 15 {
        let algorithm = walk.take(1);
        if to_minor >= 15 { head.extend(algorithm) } else { head.extend([0, 6, 0, 0, 0]) }
    } else {
        head.extend(walk.int());
    }
    for _ in 0..7 {
        head.extend(walk.int());
    }
    for _ in 0..3 {
        head.extend(walk.string().0);
    }
    let count = walk.int();
    head.extend(count);
    let mut offsets = vec![];
    for _ in 0..u32::from_le_bytes(count[1..].try_into().unwrap()) {
        head.extend(walk.int());
        head.extend(walk.int());
        for _ in 0..4 {
            head.extend(walk.string().0);
        }
        head.extend(walk.int());
        for _ in 0..5 {
            head.extend(walk.string().0);
        }
        let access_method = walk.string().0;
        if to_minor >= 14 {
            head.extend(access_method);
        }
        if from_minor >= 16 {
            let kind = walk.int();
            if to_minor >= 16 {
                head.extend(kind);
            }
        }
        head.extend(walk.string().0);
        head.extend(walk.string().0);
        loop {
            let (dependency, null) = walk.string();
            head.extend(dependency);
            if null {
                break;
            }
        }
        if custom {
            offsets.push(head.len());
            head.extend(walk.take(9));
        } else {
            head.extend(walk.string().0);
        }
    }
    let moved = walk.at - head.len();
    for at in offsets {
        if head[at] == 2 {
            let offset = u64::from_le_bytes(head[at + 1..at + 9].try_into().unwrap()) - moved as u64;
            head[at + 1..at + 9].copy_from_slice(&offset.to_le_bytes());
        }
    }
    head.extend(&bytes[walk.at..]);
    head
}

#[test]
fn versions_from_1_12_are_read_and_older_and_newer_ones_refused_by_name() {
    let fourteen = std::fs::read(fixture("15-custom.dump")).unwrap();
    let sixteen = std::fs::read(fixture("17-custom-gzip.dump")).unwrap();
    let wanted_15 = tables(&data(&open(&fixture("15-custom.dump"))));
    let wanted_17 = tables(&data(&open(&fixture("17-custom-gzip.dump"))));
    for (bytes, minor, wanted) in [
        (&fourteen, 12, &wanted_15),
        (&fourteen, 13, &wanted_15),
        (&fourteen, 14, &wanted_15),
        (&sixteen, 15, &wanted_17),
        (&sixteen, 14, &wanted_17),
    ] {
        let archive =
            Archive::open_input(Path::new("old.dump"), Input::bytes(rewritten(bytes, minor))).unwrap();
        assert_eq!(archive.problems, [], "1.{minor}");
        assert_eq!(archive.header.as_ref().unwrap().version.minor, minor);
        assert_eq!(&tables(&data(&archive)), wanted, "1.{minor}");
    }
    for (minor, words) in [
        (10, "archive version 1.10 is pg_dump 8.0 to 8.3"),
        (11, "pg_dump 8.4"),
        (17, "a pg_dump newer than 18"),
    ] {
        let mut bytes = fourteen.clone();
        bytes[6] = minor;
        let archive = Archive::open_input(Path::new("x.dump"), Input::bytes(bytes)).unwrap();
        let [problem] = archive.problems.as_slice() else { panic!("{:?}", archive.problems) };
        assert_eq!(problem.kind, ProblemKind::Header);
        assert!(problem.what.contains(words), "{}", problem.what);
    }
}

#[test]
fn directories_and_tar_files_of_old_versions_are_read() {
    let wanted = tables(&data(&open(&fixture("15-custom.dump"))));
    for minor in [12, 13] {
        let folder = copy_directory("15-directory");
        let toc = folder.path().join("toc.dat");
        std::fs::write(&toc, rewritten(&std::fs::read(&toc).unwrap(), minor)).unwrap();
        let archive = open(folder.path());
        assert_eq!(archive.problems, [], "1.{minor}");
        assert_eq!(archive.header.as_ref().unwrap().version.minor, minor);
        let found = data(&archive);
        assert_eq!((tables(&found), found.large_objects.count), (wanted.clone(), 3), "1.{minor}");

        let archive = Archive::open_input(Path::new("old.tar"), Input::bytes(old_tar(minor))).unwrap();
        assert_eq!((archive.format, &archive.problems[..]), (Format::Tar, &[][..]), "1.{minor}");
        let found = data(&archive);
        assert_eq!((tables(&found), found.large_objects.count), (wanted.clone(), 3), "1.{minor}");
    }
}

/// A tar dump as pg_dump before 9.3 writes it: another magic, and a table of contents of its time.
fn old_tar(minor: u8) -> Vec<u8> {
    let bytes = std::fs::read(fixture("15.tar")).unwrap();
    let mut old = vec![];
    let mut at = 0;
    while bytes[at] != 0 {
        let mut head = bytes[at..at + 512].to_vec();
        let size = usize::from_str_radix(std::str::from_utf8(&head[124..135]).unwrap(), 8).unwrap();
        let mut content = bytes[at + 512..at + 512 + size].to_vec();
        if at == 0 {
            content = rewritten(&content, minor);
            head[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        }
        head[257..265].copy_from_slice(b"ustar00\0");
        head[148..156].fill(b' ');
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        old.extend(head);
        content.resize(content.len().next_multiple_of(512), 0);
        old.extend(content);
        at += 512 + size.next_multiple_of(512);
    }
    old.extend([0; 1024]);
    old
}

#[test]
fn what_a_pg_dump_16_wrote_tells_the_same_in_each_layout() {
    let mut wanted = tables(&data(&open(&fixture("15-custom.dump"))));
    // Some types are written otherwise since.
    let every_type = tables(&data(&open(&fixture("16.tar")))).remove("public.every_type").unwrap();
    assert_eq!(wanted.insert("public.every_type".to_owned(), every_type).unwrap().0, 3);
    for name in ["16-custom.dump", "16-directory", "16.tar"] {
        let archive = open(&fixture(name));
        assert_eq!(archive.header.as_ref().unwrap().version.minor, 15, "{name}");
        let found = data(&archive);
        assert_eq!((&archive.problems[..], &found.problems[..]), (&[][..], &[][..]), "{name}");
        assert_eq!(tables(&found), wanted, "{name}");
        assert_eq!((found.large_objects.count, found.large_objects.bytes), (3, 3614), "{name}");
    }
}

fn copy_directory(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture(name)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

fn first_data_file(folder: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension().is_some_and(|end| end == "dat")
                && path
                    .file_stem()
                    .is_some_and(|stem| stem.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()))
        })
        .collect();
    files.sort();
    files.remove(0)
}

#[test]
fn a_directory_dump_can_not_lead_outside_of_itself() {
    let folder = copy_directory("17-directory-none");
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(outside.path(), "secret").unwrap();
    let file = first_data_file(folder.path());
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    // A name with a path in the table of contents.
    let toc = folder.path().join("toc.dat");
    let bytes = std::fs::read(&toc).unwrap();
    let at = memchr::memmem::find(&bytes, name.as_bytes()).unwrap();
    let mut hostile = bytes.clone();
    hostile[at..at + 3].copy_from_slice(b"../");
    std::fs::write(&toc, &hostile).unwrap();
    let archive = open(folder.path());
    assert!(
        archive.problems.iter().any(|problem| problem.what.contains("outside the dump; that is not read")),
        "{:?}",
        archive.problems
    );
    std::fs::write(&toc, &bytes).unwrap();
    // A symbolic link in place of a data file.
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(outside.path(), &file).unwrap();
    let archive = open(folder.path());
    let problem =
        archive.problems.iter().find(|problem| problem.place.file.as_deref() == Some(name.as_str())).unwrap();
    assert_eq!(problem.kind, ProblemKind::BlockMissing);
    assert!(archive.notes.iter().any(|note| note.contains(&name)), "{:?}", archive.notes);
    // A pipe that nobody writes to isn't waited for.
    std::fs::remove_file(&file).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    assert!(open(folder.path()).problems.iter().any(|problem| problem.kind == ProblemKind::BlockMissing));
}

#[test]
fn lengths_that_a_file_only_claims_cost_no_memory() {
    let intact = std::fs::read(fixture("17-custom-gzip.dump")).unwrap();
    // The number of entries, and the length of the first string behind it.
    for at in (12..400).step_by(7) {
        for value in [[0, 0xff, 0xff, 0xff, 0x7f], [0, 0, 0, 0, 0x40], [1, 2, 0, 0, 0]] {
            let mut bytes = intact.clone();
            bytes[at..at + 5].copy_from_slice(&value);
            if let Ok(archive) = Archive::open_input(Path::new("x.dump"), Input::bytes(bytes)) {
                data(&archive);
            }
        }
    }
}

#[test]
fn other_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let message = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        match Archive::open(&path, &Arc::default()) {
            Ok(archive) => panic!("{name} is taken for a {} dump", archive.format),
            Err(error) => error.to_string(),
        }
    };
    for (name, bytes, wanted) in [
        ("a.age", &b"age-encryption.org/v1\n-> X25519 abc\n"[..], "encrypted with age"),
        ("a.asc", b"-----BEGIN PGP MESSAGE-----\n", "encrypted with PGP"),
        ("a.gpg", &[0x85, 0x01, 0x0c, 0x03, 1, 2, 3, 4], "encrypted with PGP"),
        ("a.enc", b"Salted__12345678", "openssl enc"),
        ("my.sql", b"-- MySQL dump 10.13  Distrib 8.0\n--\n", "MySQL or MariaDB"),
        ("a.db", b"SQLite format 3\0", "SQLite"),
        ("a.zip", b"PK\x03\x04", "zip"),
        ("zeros", &[0; 4096], "all zero"),
        ("text", b"hello world\n", "no dump that pg_dump or pg_dumpall wrote"),
        ("empty", b"", "empty"),
        ("empty.gz", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0], "empty"),
    ] {
        let told = message(name, bytes);
        assert!(told.contains(wanted), "{name}: {told}");
    }
    let missing = Archive::open(&folder.path().join("none"), &Arc::default()).err().unwrap().to_string();
    assert!(missing.contains("there is no such file"), "{missing}");
    let toc =
        Archive::open(&fixture("17-directory-none/toc.dat"), &Arc::default()).err().unwrap().to_string();
    assert!(toc.contains("name the directory"), "{toc}");
}
