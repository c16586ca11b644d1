//! What is worth collecting of each table's rows: keys, the largest values of columns that sequences fill.

use std::collections::{HashMap, HashSet};

use super::encoding::Encoding;
use super::rows::{Depth, KeyPlan, RowPlan};
use super::schema::{CopyTarget, Schema};
use super::value::ValueType;

/// What is to be collected of each table's rows beside the rows themselves.
#[derive(Default)]
pub(super) struct Wanted {
    /// Columns of keys, and whether they must be unique.
    pub(super) keys: HashMap<String, Vec<(Vec<String>, bool)>>,
    /// Columns that sequences fill, with the sequence.
    pub(super) largest: HashMap<String, Vec<(String, String)>>,
    /// Keys that are held against others once all are read: those of foreign keys.
    pub(super) compared: HashSet<(String, Vec<String>)>,
}

impl Wanted {
    /// Reads from the schema what is worth collecting.
    pub(super) fn of(schema: &Schema, with_keys: bool) -> Wanted {
        let mut wanted = Wanted::default();
        if with_keys {
            for key in &schema.unique_keys {
                // A partitioned table's key holds in each partition; which partition a value may be in is
                // the server's to check.
                for table in schema.leaves(&key.table) {
                    wanted.key(table, key.columns.clone(), true);
                }
            }
            for key in &schema.foreign_keys {
                if !comparable(schema, key) {
                    continue;
                }
                for (tables, columns) in [(&key.table, &key.columns), (&key.target, &key.target_columns)] {
                    for table in schema.leaves(tables) {
                        wanted.key(table.clone(), columns.clone(), false);
                        wanted.compared.insert((table, columns.clone()));
                    }
                }
            }
        }
        for (name, sequence) in &schema.sequences {
            let (Some((table, column)), false) = (&sequence.fills, sequence.descending || sequence.cycles)
            else {
                continue;
            };
            for table in schema.leaves(table) {
                wanted.largest.entry(table).or_default().push((column.clone(), name.clone()));
            }
        }
        wanted
    }

    fn key(&mut self, table: String, columns: Vec<String>, unique: bool) {
        let keys = self.keys.entry(table).or_default();
        match keys.iter_mut().find(|(of, _)| *of == columns) {
            Some((_, is_unique)) => *is_unique |= unique,
            None => keys.push((columns, unique)),
        }
    }
}

/// Whether a foreign key's values can be compared as text on both sides.
fn comparable(schema: &Schema, key: &super::schema::ForeignKey) -> bool {
    let column = |table: &str, name: &str| {
        let column = schema.column(table, name)?;
        Some((schema.value_type(column).0, column.collated, column.kind.clone()))
    };
    key.validated
        && key.columns.len() == key.target_columns.len()
        && key.columns.iter().zip(&key.target_columns).all(|(own, target)| {
            match (column(&key.table, own), column(&key.target, target)) {
                (Some((ValueType::Int(..), ..)), Some((ValueType::Int(..), ..))) => true,
                (Some((ValueType::Any, false, own)), Some((ValueType::Any, false, target))) => {
                    let text = |kind: &str| matches!(kind, "text" | "character varying");
                    text(&own) && text(&target)
                }
                (
                    Some((ValueType::Varchar(_) | ValueType::Any, false, own)),
                    Some((ValueType::Varchar(_) | ValueType::Any, false, target)),
                ) => {
                    let text = |kind: &str| kind == "text" || kind.starts_with("character varying");
                    text(&own) && text(&target)
                }
                (Some((own, false, _)), Some((target, false, _))) => own == target && own.is_canonical(),
                _ => false,
            }
        })
}

/// The plan for the rows of one COPY statement.
pub(super) fn row_plan(
    target: &CopyTarget,
    schema: &Schema,
    wanted: &Wanted,
    encoding: &Encoding,
    depth: Depth,
    budget: usize,
) -> RowPlan {
    let mut types = vec![];
    let mut not_null = vec![];
    for name in &target.columns {
        let (kind, refuses) = schema
            .column(&target.table, name)
            .map_or((ValueType::Any, false), |column| schema.value_type(column));
        types.push(kind);
        not_null.push(refuses);
    }
    let index = |name: &String| target.columns.iter().position(|column| column == name);
    let mut keys = vec![];
    if depth.keys {
        for (columns, unique) in wanted.keys.get(&target.table).into_iter().flatten() {
            if let Some(columns) = columns.iter().map(index).collect::<Option<Vec<_>>>() {
                keys.push(KeyPlan { columns, unique: *unique, budget });
            }
        }
    }
    let largest = wanted
        .largest
        .get(&target.table)
        .into_iter()
        .flatten()
        .filter_map(|(column, _)| index(column))
        .collect();
    RowPlan {
        table: target.table.clone(),
        names: target.columns.clone(),
        types,
        not_null,
        encoding: encoding.clone(),
        depth,
        keys,
        largest,
    }
}
