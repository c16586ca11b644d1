//! Any bytes as rows of a table with a column of every type that is checked: in one piece and in many, with
//! the same result.

use std::collections::HashSet;
use std::sync::Arc;

use rollsafe::backup::encoding::Encoding;
use rollsafe::backup::rows::{Depth, KeyPlan, RowPlan, RowReader};
use rollsafe::backup::value::{ValueType, value_type};

const TYPES: &[&str] = &[
    "integer",
    "bigint",
    "boolean",
    "numeric(10,2)",
    "numeric",
    "double precision",
    "character varying(5)",
    "character(3)",
    "bytea",
    "date",
    "time without time zone",
    "time with time zone",
    "timestamp without time zone",
    "timestamp with time zone",
    "interval",
    "uuid",
    "jsonb",
    "inet",
    "cidr",
    "macaddr",
    "bit(3)",
    "bit varying(4)",
    "pg_lsn",
    "daterange",
    "integer[]",
    "text[]",
    "mood",
    "text",
];
const ENCODINGS: &[&str] = &["UTF8", "LATIN1", "EUC_JP", "SJIS", "GB18030", "BIG5"];

/// Panics where that doesn't hold.
pub fn check(input: &[u8]) {
    let [first, encoding, piece, bytes @ ..] = input else { return };
    let mood = |name: &str| {
        (name == "mood").then(|| ValueType::Enum(Arc::new(HashSet::from([b"sad".to_vec(), b"ok".to_vec()]))))
    };
    let kind = value_type(TYPES[usize::from(*first) % TYPES.len()], &mood);
    let plan = Arc::new(RowPlan {
        table: "t".into(),
        names: vec!["a".into(), "b".into()],
        types: vec![kind, ValueType::Int(0, 1000)],
        not_null: vec![false, true],
        encoding: Encoding::named(ENCODINGS[usize::from(*encoding) % ENCODINGS.len()]),
        depth: Depth { checksums: true, values: true, keys: true },
        keys: vec![
            KeyPlan { columns: vec![1], unique: true, budget: 1024 },
            KeyPlan { columns: vec![0, 1], unique: true, budget: 1024 },
        ],
        largest: vec![1],
    });
    let mut whole = RowReader::new(&plan, true);
    whole.push(bytes);
    let mut pieces = RowReader::new(&plan, true);
    bytes.chunks(usize::from(*piece).max(1)).for_each(|piece| pieces.push(piece));
    let (whole, pieces) = (whole.finish(), pieces.finish());
    assert_eq!(whole.sum, pieces.sum);
    assert_eq!(whole.problem_rows, pieces.problem_rows);
}
