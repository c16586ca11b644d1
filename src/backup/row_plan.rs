//! What rows are checked against, and what they told.

use super::archive::Problem;
use super::checksum::RowSum;
use super::encoding::Encoding;
use super::keys::KeySet;
use super::value::ValueType;

/// What rows are checked against.
#[derive(Clone, Debug)]
pub struct RowPlan {
    /// The table's qualified name.
    pub table: String,
    /// Names of the columns in the order of the COPY statement.
    pub names: Vec<String>,
    /// Types in the same order; shorter or empty where they aren't known.
    pub types: Vec<ValueType>,
    /// Whether a column refuses NULL.
    pub not_null: Vec<bool>,
    /// The dump's encoding.
    pub encoding: Encoding,
    /// What is to be checked.
    pub depth: Depth,
    /// Keys to collect.
    pub keys: Vec<KeyPlan>,
    /// Columns of whole numbers whose largest value is wanted: those that a sequence fills.
    pub largest: Vec<usize>,
}

impl RowPlan {
    /// The names of these columns.
    pub(super) fn names_of(&self, columns: &[usize]) -> Vec<String> {
        columns.iter().filter_map(|&at| self.names.get(at).cloned()).collect()
    }
}

/// How much is done with each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Compute checksums.
    pub checksums: bool,
    /// Check the text form of values.
    pub values: bool,
    /// Collect keys.
    pub keys: bool,
}

/// Columns whose values are collected.
#[derive(Clone, Debug)]
pub struct KeyPlan {
    /// Indexes into the row.
    pub columns: Vec<usize>,
    /// Whether a value that occurs twice is wrong.
    pub unique: bool,
    /// Memory for it.
    pub budget: usize,
}

/// What the rows of one block told.
#[derive(Debug)]
pub struct RowResult {
    /// Rows, bytes and checksum.
    pub sum: RowSum,
    /// What is wrong, the first few of each kind.
    pub problems: Vec<Problem>,
    /// How many were found of each kind, described or not: rows, encoding, others.
    pub problem_rows: u64,
    /// The sets of keys, in the order of the plan; none where a row spoiled it.
    pub keys: Vec<KeySet>,
    /// A duplicate for each key: its row and its text.
    pub duplicates: Vec<Option<(u64, String)>>,
    /// Largest values, in the order of the plan.
    pub largest: Vec<Option<i64>>,
    /// Columns longer than are held, whose values weren't checked.
    pub long_values: u64,
    /// Whether keys of such rows couldn't be collected.
    pub keys_incomplete: bool,
    /// Whether the end marker came.
    pub ended: bool,
}
