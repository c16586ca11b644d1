//! CREATE INDEX, REINDEX.

use compact_str::CompactString;

use super::IndexBuildReason;
use super::computation::Computation;
use crate::migration::catalog::{Index, IndexKey, QName, RelationKind};
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::{CreateIndex, IndexColumn, Reindex, ReindexTarget};

impl Computation<'_> {
    pub(super) fn create_index(&mut self, create: &CreateIndex) {
        let table = self.resolve(&create.table);
        let mode = if create.concurrently { LockMode::ShareUpdateExclusive } else { LockMode::Share };
        let only = create.only || !self.is_partitioned(&table);
        if let Some(name) = &create.name
            && create.if_not_exists
        {
            let index = QName { schema: table.schema.clone(), name: name.value.clone() };
            if self.catalog.index(&index).is_some() {
                self.lock(&table, mode, None);
                return;
            }
        }
        self.lock_tree(&table, only, mode);
        let index = written(create);
        let columns = index.column_names();
        if self.is_partitioned(&table) {
            if !only {
                // What expressions say isn't known here: no other index is taken to say the same.
                let plain = index.predicate.is_none() && index.plain_columns().is_some();
                self.build_on_partitions(&table, &index, &columns, plain);
            }
            return;
        }
        let name = match &create.name {
            Some(name) => name.value.clone(),
            None => self.choose_index_name(&table, &columns, "idx"),
        };
        self.build(&table, Some(name), IndexBuildReason::Create, create.concurrently);
    }

    /// Each partition that has no index to become part of the new one gets one.
    fn build_on_partitions(&mut self, table: &QName, index: &Index, columns: &str, plain: bool) {
        for partition in self.catalog.children(table).to_vec() {
            let there = self.relation(&partition).is_some_and(|known| {
                known.indexes.iter().any(|own| own.part_of.is_none() && own.valid && own.is_part_of(index))
            });
            if plain && there {
                continue;
            }
            if self.is_partitioned(&partition) {
                self.build_on_partitions(&partition, index, columns, plain);
            } else if self.holds_rows(&partition) {
                let name = self.choose_index_name(&partition, columns, "idx");
                self.build(&partition, Some(name), IndexBuildReason::Create, false);
            }
        }
    }

    pub(super) fn reindex(&mut self, reindex: &Reindex) {
        let mode = if reindex.concurrently { LockMode::ShareUpdateExclusive } else { LockMode::Share };
        let tables: Vec<(QName, Option<CompactString>)> = match (&reindex.target, &reindex.name) {
            (ReindexTarget::Index, Some(name)) => {
                let index = self.resolve(name);
                match self.catalog.index(&index) {
                    Some((table, index)) => {
                        let name = index.name.clone();
                        let only = !table.is_partitioned();
                        self.tree(&table.name.clone(), only)
                            .into_iter()
                            .map(|t| (t, Some(name.clone())))
                            .collect()
                    }
                    None => return,
                }
            }
            (ReindexTarget::Table, Some(name)) => {
                let table = self.resolve(name);
                let only = !self.is_partitioned(&table);
                self.tree(&table, only).into_iter().map(|table| (table, None)).collect()
            }
            (ReindexTarget::Schema, Some(name)) => self.all_tables(Some(name.name.as_str())),
            (ReindexTarget::System, _) => return,
            _ => self.all_tables(None),
        };
        for (table, only_index) in tables {
            self.lock(&table, mode, None);
            let indexes: Vec<CompactString> = self
                .relation(&table)
                .map(|relation| relation.indexes.iter().map(|index| index.name.clone()).collect())
                .unwrap_or_default();
            for index in indexes {
                let partitioned = self.is_partitioned(&table);
                if !partitioned && only_index.as_ref().is_none_or(|only| *only == index) {
                    self.build(&table, Some(index), IndexBuildReason::Reindex, reindex.concurrently);
                }
            }
            if self.relation(&table).is_none() {
                self.build(&table, None, IndexBuildReason::Reindex, reindex.concurrently);
            }
        }
    }

    fn all_tables(&self, schema: Option<&str>) -> Vec<(QName, Option<CompactString>)> {
        self.catalog
            .relations()
            .into_iter()
            .filter(|relation| matches!(relation.kind, RelationKind::Table | RelationKind::MaterializedView))
            .filter(|relation| schema.is_none_or(|schema| relation.name.schema == schema))
            .map(|relation| (relation.name.clone(), None))
            .collect()
    }
}

/// An index as it is written; of expressions only what PostgreSQL calls their columns.
fn written(create: &CreateIndex) -> Index {
    Index {
        unique: create.unique,
        method: create.method.as_ref().map_or_else(|| "btree".into(), |method| method.value.clone()),
        keys: create.columns.iter().map(key).collect(),
        include: create.include.iter().map(|column| column.value.clone()).collect(),
        predicate: create.predicate.as_ref().map(|_| String::new()),
        nulls_not_distinct: create.nulls_not_distinct,
        ..Index::default()
    }
}

/// The names of an exclusion constraint's columns, as they stand in the name of its index.
pub(super) fn excluded_names<'a>(columns: impl Iterator<Item = &'a IndexColumn>) -> String {
    Index { keys: columns.map(key).collect(), ..Index::default() }.column_names()
}

fn key(written: &IndexColumn) -> IndexKey {
    let mut key = IndexKey::of(written, "");
    if key.column.is_none() {
        let call = written.expr.calls.first().map(|call| &call.name.name.value);
        let cast = written.expr.bare_column.as_ref().map(|column| &column.value);
        key.label = call.or(cast).cloned().unwrap_or("expr".into());
    }
    key
}
