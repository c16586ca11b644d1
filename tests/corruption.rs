//! Damages of every kind in every layout and compression: which must be found without a manifest, and that
//! a manifest finds all. The figures of a larger run are in `docs/corruption.md`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;

use rollsafe::backup::archive::Archive;
use rollsafe::backup::archive::input::{Gauge, Input};
use rollsafe::backup::contents::read_contents;
use rollsafe::backup::data::{DataOptions, read_data};
use rollsafe::backup::options::{Restore, VerifyArgs, VerifyOptions};
use rollsafe::backup::rows::Depth;
use rollsafe::backup::text::read_plain;
use rollsafe::backup::verify::{Report, Verdict, verify};

/// Layouts and compressions that are damaged.
const DUMPS: &[&str] = &[
    "15-custom.dump",
    "17-custom-none.dump",
    "17-custom-gzip.dump",
    "17-custom-lz4.dump",
    "17-custom-zstd.dump",
    "17-piped.dump",
    "17-directory-none",
    "17-directory-gzip",
    "17-directory-lz4",
    "17-directory-zstd",
    "17.tar",
    "17.sql",
    "17.sql.gz",
    "17.sql.lz4",
    "17.sql.zst",
];

/// Damages of each kind for each dump: enough to notice that a check is gone, few enough to be quick.
const EACH: u64 = 5;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dumps").join(name)
}

fn options(dump: &Path) -> VerifyOptions {
    let args = VerifyArgs {
        dump: dump.to_owned(),
        min_size: Some(1),
        min_tables: Some(0),
        restore: Restore::Never,
        threads: Some(1),
        ..VerifyArgs::default()
    };
    args.options()
}

fn verdict(options: &VerifyOptions) -> Verdict {
    report(options).verdict
}

fn report(options: &VerifyOptions) -> Report {
    verify(options, &Arc::<Gauge>::default())
        .unwrap_or_else(|error| panic!("{}: {error}", options.dump.display()))
}

/// Numbers that are the same in each run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// A copy of a dump, of which one file is damaged at a time.
struct Patient {
    _folder: tempfile::TempDir,
    dump: PathBuf,
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Patient {
    fn of(name: &str) -> Patient {
        let folder = tempfile::tempdir().expect("a folder");
        let dump = folder.path().join(name);
        let from = fixture(name);
        let mut files = vec![];
        if from.is_dir() {
            std::fs::create_dir(&dump).expect("created");
            for entry in std::fs::read_dir(&from).expect("readable") {
                let entry = entry.expect("readable");
                files.push((dump.join(entry.file_name()), std::fs::read(entry.path()).expect("readable")));
            }
            files.sort();
        } else {
            files.push((dump.clone(), std::fs::read(&from).expect("readable")));
        }
        for (path, bytes) in &files {
            std::fs::write(path, bytes).expect("written");
        }
        Patient { _folder: folder, dump, files }
    }

    /// Damages one file, looks, and heals it.
    fn with<T>(&self, nth: usize, damaged: &[u8], look: impl FnOnce() -> T) -> T {
        let (path, intact) = &self.files[nth];
        std::fs::write(path, damaged).expect("written");
        let told = look();
        std::fs::write(path, intact).expect("written");
        told
    }
}

#[test]
fn every_truncation_is_found_and_a_manifest_finds_everything() {
    let mut missed = vec![];
    for name in DUMPS {
        let patient = Patient::of(name);
        let manifest = patient.dump.with_extension("json");
        let mut writing = options(&patient.dump);
        writing.write_manifest = Some(manifest.clone());
        assert_eq!(verdict(&writing), Verdict::Verified, "{name} is intact");
        let alone = options(&patient.dump);
        let mut compared = options(&patient.dump);
        compared.manifest = Some(manifest);
        let front =
            Archive::open(&patient.dump, &Arc::default()).map_or(0, |archive| archive.toc.end as usize);
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        for round in 0..EACH {
            // A bit, a page of zeros, a cut: each somewhere else.
            let nth = numbers.below(patient.files.len());
            let (path, intact) = &patient.files[nth];
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if intact.is_empty() {
                continue;
            }
            let mut flipped = intact.clone();
            let at = numbers.below(intact.len());
            flipped[at] ^= 1 << numbers.below(8);
            let mut zeroed = intact.clone();
            let page = at / 512 * 512;
            zeroed[page..(page + 512).min(intact.len())].fill(0);
            let cut = &intact[..at];
            for (what, damaged) in
                [("a flipped bit", &flipped[..]), ("a zeroed page", &zeroed), ("a cut", cut)]
            {
                if damaged == intact {
                    continue;
                }
                let (without, with) = patient.with(nth, damaged, || (verdict(&alone), report(&compared)));
                assert_eq!(
                    with.verdict,
                    Verdict::Failed,
                    "{name}, {file}: {what} at {at} is found with a manifest"
                );
                let changed = with.findings.iter().any(|finding| {
                    finding.code != "checksum_mismatch"
                        || !finding.message.contains("no row and no large object differs")
                });
                // The length of a large object isn't stored anywhere; only a directory keeps one in a raw file.
                let large_object = name.ends_with("none") && file.starts_with("blob_");
                if what == "a cut" && without == Verdict::Verified && !large_object {
                    missed.push(format!("{name}, {file}: {what} at {at} in round {round}"));
                }
                // The last byte of a deflate stream has bits that nobody reads: then every row is as it was.
                let checked = has_checksum(name, &file, at, front);
                if what == "a flipped bit" && checked && without == Verdict::Verified && changed {
                    missed.push(format!("{name}, {file}: {what} at {at} in a stream with a checksum"));
                }
            }
        }
    }
    assert_eq!(missed, Vec::<String>::new());
}

/// Whether the byte is one that gzip's or zlib's checksum covers.
fn has_checksum(name: &str, file: &str, at: usize, front: usize) -> bool {
    match name {
        "15-custom.dump" | "17-custom-gzip.dump" | "17-piped.dump" => at >= front,
        // Time, flags and system of a gzip header say nothing about the data.
        "17.sql.gz" => at >= 10,
        "17-directory-gzip" => file.ends_with(".dat.gz") && at >= 10,
        _ => false,
    }
}

#[test]
fn missing_swapped_and_added_files_are_found() {
    for name in ["17-directory-none", "17-directory-gzip", "17-directory-lz4", "17-directory-zstd"] {
        let patient = Patient::of(name);
        let alone = options(&patient.dump);
        for (path, intact) in &patient.files {
            std::fs::remove_file(path).expect("removed");
            assert_eq!(verdict(&alone), Verdict::Failed, "{} is missing", path.display());
            std::fs::write(path, intact).expect("written");
        }
        let tables: Vec<&(PathBuf, Vec<u8>)> = patient
            .files
            .iter()
            .filter(|(path, _)| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('2')))
            .collect();
        // Rows of one partition in another fit all that is written about them; only the server knows the bounds.
        let mut fits = 0;
        for pair in tables.windows(2) {
            let [(one, first), (other, second)] = pair else { continue };
            if first == second {
                continue;
            }
            std::fs::write(one, second).expect("written");
            std::fs::write(other, first).expect("written");
            fits += usize::from(verdict(&alone) == Verdict::Verified);
            std::fs::write(one, first).expect("written");
            std::fs::write(other, second).expect("written");
        }
        assert!(fits <= 2, "{name}: {fits} swaps of neighbouring files go unseen");
        let added = patient.dump.join("9999.dat");
        std::fs::write(&added, "1\n\\.\n\n\n").expect("written");
        assert_eq!(verdict(&alone), Verdict::Failed, "a file too many");
        std::fs::remove_file(added).expect("removed");
        assert_eq!(verdict(&alone), Verdict::Verified);
    }
}

/// Reads whatever it is to the end.
fn read(bytes: Vec<u8>) {
    let depth = Depth { checksums: true, values: true, keys: true };
    let options = DataOptions { depth, threads: 1 };
    let Ok(archive) = Archive::open_input(Path::new("x"), Input::bytes(bytes)) else { return };
    if archive.format.is_text() {
        read_plain(&archive, options);
    } else {
        let (contents, schema) = read_contents(&archive.toc);
        read_data(&archive, &schema, &contents, options);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_reader_panic(
        dump in prop::sample::select(vec!["17-custom-none.dump", "17-custom-lz4.dump", "17-custom-zstd.dump", "17.tar", "17-piped.dump", "17.sql.lz4"]),
        damages in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..9)), 1..12),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = std::fs::read(fixture(dump)).expect("readable");
        for (at, with) in &damages {
            let at = at.index(bytes.len());
            let n = with.len().min(bytes.len() - at);
            bytes[at..at + n].copy_from_slice(&with[..n]);
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        read(bytes);
    }

    #[test]
    fn rows_are_the_same_in_pieces_of_any_size(
        fields in prop::collection::vec(prop::collection::vec(prop::option::of("[ -~\\n\\t\\\\\u{e9}\u{4e2d}]{0,40}"), 3), 0..40),
        pieces in prop::collection::vec(1usize..200, 1..20),
    ) {
        use rollsafe::backup::checksum::RowSum;
        use rollsafe::backup::rows::{RowPlan, RowReader};
        let mut text = vec![];
        let mut wanted = RowSum::default();
        for row in &fields {
            let row: Vec<String> = row.iter().map(|field| field.as_ref().map_or("\\N".to_owned(), |text| {
                text.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t")
            })).collect();
            let row = row.join("\t");
            wanted.add(row.as_bytes());
            text.extend(row.bytes());
            text.push(b'\n');
        }
        text.extend(b"\\.\n\n\n");
        let plan = Arc::new(RowPlan {
            table: "t".into(),
            names: vec!["a".into(), "b".into(), "c".into()],
            types: vec![],
            not_null: vec![],
            encoding: Default::default(),
            depth: Depth { checksums: true, values: true, keys: true },
            keys: vec![],
            largest: vec![],
        });
        let mut reader = RowReader::new(&plan, true);
        let mut rest = &text[..];
        for n in pieces.iter().cycle() {
            let (piece, after) = rest.split_at((*n).min(rest.len()));
            reader.push(piece);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        let result = reader.finish();
        prop_assert_eq!(result.problems, vec![]);
        prop_assert_eq!(result.sum, wanted);
    }
}
