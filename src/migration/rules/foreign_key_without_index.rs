//! `foreign_key_without_index`: a foreign key whose columns no index begins with.

use compact_str::CompactString;

use crate::migration::catalog::{Catalog, ConstraintDetail, Index, Relation};

use super::create_index_on_partitioned_table::PartitionedIndex;
use super::{Check, Rule, RunContext, Sink, column_list};

/// The rule.
pub static RULE: Rule = Rule {
    code: "foreign_key_without_index",
    page: migration_page!("foreign_key_without_index"),
    check: Check::Run(check),
};

fn check(cx: &RunContext<'_>, sink: &mut Sink) {
    for (table, constraint, migration) in cx.constraints_made() {
        if table.size.is_some_and(|size| cx.options.is_small(size)) {
            continue;
        }
        let ConstraintDetail::ForeignKey { columns, target, .. } = &constraint.detail else { continue };
        if columns.is_empty() || is_indexed(table, columns) {
            continue;
        }
        sink.say(
            constraint.span,
            format!(
                "no index of {} begins with {}: each DELETE of a row of {target}, and each UPDATE of its key, reads all of \
                 {}",
                table.name,
                column_list(columns),
                table.name
            ),
        )
        .help(index(cx.after, table, columns))
        .in_migration(migration);
    }
}

/// The index, made while others write.
fn index(catalog: &Catalog, table: &Relation, columns: &[CompactString]) -> String {
    let list = column_list(columns);
    if !table.is_partitioned() {
        return format!("CREATE INDEX CONCURRENTLY ON {} ({list});  -- outside a transaction", table.name);
    }
    let columns = columns.join("_");
    let name = catalog.choose_name(&table.name, &columns, "idx");
    let tail = format!("({list})");
    let index = PartitionedIndex { name: &name, unique: false, tail: &tail, columns: &columns, label: "idx" };
    format!(
        "-- outside a transaction; a partitioned table refuses CONCURRENTLY, its partitions don't\n{}",
        index.recipe(catalog, &table.name)
    )
}

/// Whether an index over all rows begins with these columns, in any order.
fn is_indexed(table: &Relation, columns: &[CompactString]) -> bool {
    match columns.first() {
        Some(first) => table.indexes.about(first).any(|index| begins_with(index, columns)),
        None => table.indexes.iter().any(|index| begins_with(index, columns)),
    }
}

fn begins_with(index: &Index, columns: &[CompactString]) -> bool {
    if index.predicate.is_some() || !matches!(index.method.as_str(), "btree" | "hash") {
        return false;
    }
    let first: Vec<&CompactString> =
        index.keys.iter().take(columns.len()).filter_map(|key| key.column.as_ref()).collect();
    first.len() == columns.len() && columns.iter().all(|column| first.contains(&column))
}
