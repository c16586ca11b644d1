//! Keys that can't be: a unique one without the column that the table is partitioned by, a foreign key to a table that
//! doesn't last as long.

use std::fmt::Display;

use compact_str::CompactString;

use crate::migration::catalog::{ConstraintDetail, Relation, naming};
use crate::migration::statement::{
    Constraint, ConstraintKind, CreateIndex, CreateTable, ForeignKey, Ident, PartitionBy, Persistence,
    quote_ident,
};

use super::{Refusal, StatementContext, sure};

/// Whether a table can't have the constraint that is added.
pub(super) fn added(cx: &StatementContext<'_>, table: &Relation, constraint: &Constraint) -> Option<Refusal> {
    refused(cx, &table.name, table.partition_by.as_ref(), table.persistence, constraint)
}

/// The same for one of a new table.
pub(super) fn created(
    cx: &StatementContext<'_>,
    create: &CreateTable,
    constraint: &Constraint,
) -> Option<Refusal> {
    refused(cx, &create.name, create.partition_by.as_ref(), create.persistence, constraint)
}

fn refused(
    cx: &StatementContext<'_>,
    table: &impl Display,
    by: Option<&PartitionBy>,
    persistence: Persistence,
    constraint: &Constraint,
) -> Option<Refusal> {
    match &constraint.kind {
        // The index is there already.
        ConstraintKind::PrimaryKey(key) | ConstraintKind::Unique(key) if key.using_index.is_none() => {
            let columns: Vec<&str> = key.columns.iter().map(Ident::as_str).collect();
            Some(Refusal::new(without_key(&table.to_string(), by?, &columns)?, UNIQUE))
        }
        ConstraintKind::ForeignKey(key) => {
            let target = sure(cx, &key.target)?;
            count(target, key).or_else(|| shorter_lived(persistence, target))
        }
        _ => None,
    }
}

/// Whether a table can't have an index.
pub(super) fn index(table: &Relation, create: &CreateIndex) -> Option<Refusal> {
    let method = create.method.as_ref().map_or("btree", Ident::as_str);
    let refused = |what: &str, words| Refusal::some(format!("a {method} index {what}"), words);
    if create.unique && matches!(method, "hash" | "gin" | "gist" | "brin" | "spgist") {
        return refused("is never UNIQUE", "access method does not support unique indexes");
    }
    if create.columns.len() > 1 && matches!(method, "hash" | "spgist") {
        return refused("has one column", "access method does not support multicolumn indexes");
    }
    if !create.include.is_empty() && matches!(method, "hash" | "gin" | "brin") {
        return refused("takes no INCLUDE", "access method does not support included columns");
    }
    if !create.unique {
        return None;
    }
    let by = table.partition_by.as_ref()?;
    let columns: Vec<&str> =
        create.columns.iter().filter_map(|key| key.column()).map(Ident::as_str).collect();
    Some(Refusal::new(without_key(&table.name.to_string(), by, &columns)?, UNIQUE))
}

/// Whether a partition, partitioned itself, can't have an index of its parent.
pub(super) fn of_parent(parent: &Relation, create: &CreateTable) -> Option<Refusal> {
    let by = create.partition_by.as_ref()?;
    parent.indexes.iter().filter(|index| index.unique).find_map(|index| {
        let key = index.plain_columns()?;
        let why = without_key(&create.name.to_string(), by, &key)?;
        Refusal::some(format!("{why}: {} of {}", quote_ident(&index.name), parent.name), UNIQUE)
    })
}

/// PostgreSQL's words for it.
const UNIQUE: &str = "unique constraint on partitioned table must include all partitioning columns";

/// A column of the partition key that a unique key leaves out: uniqueness is kept within a partition.
fn without_key(table: &str, by: &PartitionBy, columns: &[&str]) -> Option<String> {
    let left_out = by.keys.iter().filter(|key| key.cast.is_none()).find_map(|key| {
        let column = key.bare_column.as_ref()?.as_str();
        let is_it = |own: &&str| naming::cut(own) == naming::cut(column);
        (!columns.iter().any(is_it)).then_some(column)
    })?;
    Some(format!("{table} is partitioned by {}, which the key leaves out", quote_ident(left_out)))
}

fn count(target: &Relation, key: &ForeignKey) -> Option<Refusal> {
    let many = match (key.target_columns.len(), target.primary_key().map(|key| &key.detail)) {
        (0, Some(ConstraintDetail::PrimaryKey { columns, .. })) => columns.len(),
        (0, _) => return None,
        (many, _) => many,
    };
    let own = key.columns.len();
    // A column that isn't there is a finding of its own.
    let is_there = |column: &Ident| target.column(naming::cut(column.as_str())).is_some();
    (own > 0 && own != many && key.target_columns.iter().all(is_there)).then(|| {
        let noun = if many == 1 { "column" } else { "columns" };
        let list: Vec<CompactString> = key.columns.iter().map(|column| column.value.clone()).collect();
        Refusal::new(
            format!("({}) is to refer to {many} {noun} of {}", list.join(", "), target.name),
            "number of referencing and referenced columns for foreign key disagree",
        )
    })
}

/// What a row refers to lasts as long as the row.
fn shorter_lived(own: Persistence, target: &Relation) -> Option<Refusal> {
    use Persistence::{Permanent, Temporary, Unlogged};
    let words = match (own, target.persistence) {
        (Permanent, Unlogged | Temporary) => {
            "constraints on permanent tables may reference only permanent tables"
        }
        (Unlogged, Temporary) => {
            "constraints on unlogged tables may reference only permanent or unlogged tables"
        }
        (Temporary, Permanent | Unlogged) => {
            "constraints on temporary tables may reference only temporary tables"
        }
        _ => return None,
    };
    let noun = match target.persistence {
        Permanent => "a permanent table",
        Unlogged => "UNLOGGED",
        Temporary => "temporary",
    };
    Refusal::some(format!("{} is {noun}", target.name), words)
}
