//! How fast rows are split and checked, and streams decoded: `cargo bench --bench backup`.
//!
//! Whole dumps against pg_restore: `scripts/backup-speed.sh`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use divan::Bencher;
use divan::counter::BytesCount;

use rollsafe::backup::archive::Archive;
use rollsafe::backup::contents::read_contents;
use rollsafe::backup::data::{DataOptions, read_data};
use rollsafe::backup::rows::{Depth, KeyPlan, RowPlan, RowReader};
use rollsafe::backup::value::value_type;

fn main() {
    divan::main();
}

/// Rows like those of a table of orders.
fn rows() -> Vec<u8> {
    let mut text = vec![];
    for i in 0..50_000u32 {
        let row = format!(
            "{i}\t{}\t2026-01-{:02} 10:11:12.5+00\t{}.{:02}\ta0eebc99-9c0b-4ef8-bb6d-{i:012x}\tMüller {i}\\tnéw\t\\N\n",
            i % 977,
            1 + i % 28,
            i % 10_000,
            i % 100
        );
        text.extend_from_slice(row.as_bytes());
    }
    text.extend_from_slice(b"\\.\n\n\n");
    text
}

const TYPES: [&str; 7] = [
    "bigint",
    "integer",
    "timestamp with time zone",
    "numeric(12,2)",
    "uuid",
    "character varying(60)",
    "jsonb",
];

#[divan::bench(args = ["structure", "values", "all"])]
fn check_rows(bencher: Bencher<'_, '_>, depth: &str) {
    let text = rows();
    let depth = Depth { checksums: depth != "structure", values: depth != "structure", keys: depth == "all" };
    let plan = Arc::new(RowPlan {
        table: "orders".into(),
        names: TYPES.map(str::to_owned).to_vec(),
        types: TYPES.iter().map(|name| value_type(name, &|_| None)).collect(),
        not_null: vec![true; 6],
        encoding: Default::default(),
        depth,
        keys: vec![KeyPlan { columns: vec![0], unique: true, budget: 1 << 20 }],
        largest: vec![],
    });
    bencher.counter(BytesCount::of_slice(&text)).bench(|| {
        let mut reader = RowReader::new(&plan, true);
        text.chunks(128 * 1024).for_each(|piece| reader.push(piece));
        reader.finish()
    });
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dumps").join(name)
}

#[divan::bench(args = ["17-custom-none.dump", "17-custom-gzip.dump", "17-custom-lz4.dump", "17-custom-zstd.dump", "17-directory-gzip", "17.tar"])]
fn read_small_dump(name: &str) -> usize {
    let depth = Depth { checksums: true, values: true, keys: true };
    let archive = Archive::open(&fixture(name), &Arc::default()).expect("the fixture is intact");
    let (contents, schema) = read_contents(&archive.toc);
    read_data(&archive, &schema, &contents, DataOptions { depth, threads: 1 }).tables.len()
}
