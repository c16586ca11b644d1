//! What the fuzz targets check holds for the files at hand, and so the targets can't stop building unseen.

use std::path::{Path, PathBuf};

#[path = "../fuzz/checks/archive.rs"]
mod archive;
#[path = "../fuzz/checks/lint.rs"]
mod lint;
#[path = "../fuzz/checks/parse.rs"]
mod parse;
#[path = "../fuzz/checks/rows.rs"]
mod rows;
#[path = "../fuzz/checks/split.rs"]
mod split;

/// Texts that once were trouble, and some that look like it.
const TEXTS: [&str; 6] = [
    "",
    "DO $$ BEGIN SELECT 1 INTO; EXECUTE 'DROP TABLE '||t; END $$",
    "CREATE TABLE t (a int);\n---d\nDROP TABLE t;\n---q\nBEGIN; CREATE INDEX CONCURRENTLY ON t (a)",
    "SELECT '\u{0}', $a$ ;\u{feff}\u{2028} --",
    "ALTER TABLE \"${schema}\".t DROP COLUMN a, ALTER b TYPE int USING b::int;\n---H\n\\i x\n---t\n/* /*",
    "COPY t FROM STDIN;\n1\t2\n\\.\n---p\n\\gexec\n---r\nCREATE OR REPLACE VIEW v AS TABLE t",
];

/// The files below a folder of the repository, at most `largest` bytes each.
fn files(folder: &str, largest: u64) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let found: Vec<PathBuf> = walkdir::WalkDir::new(&root)
        .sort_by_file_name()
        .into_iter()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().is_file() && entry.metadata().unwrap().len() <= largest)
        .map(walkdir::DirEntry::into_path)
        .collect();
    assert!(!found.is_empty(), "no files in {}", root.display());
    found
}

#[test]
fn texts_are_split_read_linted_and_reported() {
    let migrations =
        files("fixtures/runners", 20_000).into_iter().filter_map(|path| std::fs::read_to_string(path).ok());
    for text in migrations.chain(TEXTS.map(str::to_owned)) {
        split::check(&text);
        parse::check(&text);
        lint::check(&text);
    }
    lint::check(&format!("{}DROP TABLE t;", " ".repeat(70_000)));
}

#[test]
fn dumps_are_read_whole_and_cut() {
    for path in files("fixtures/dumps", 8_000) {
        let bytes = std::fs::read(&path).unwrap();
        archive::check(&bytes);
        archive::check(&bytes[..bytes.len() / 2]);
    }
}

#[test]
fn rows_are_the_same_in_one_piece_and_in_many() {
    for kind in 0..28 {
        rows::check(&[&[kind, kind, 3][..], b"1\t2\n\\N\t\\\\x\n2026-01-01\t5\n\xff\t\\.\n"].concat());
    }
}
