//! CREATE INDEX, REINDEX.

use compact_str::CompactString;

use super::IndexBuildReason;
use super::computation::Computation;
use crate::migration::catalog::{IndexKey, QName, RelationKind};
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
        let columns: Vec<&str> = create.columns.iter().map(column_label).collect();
        let columns = columns.join("_");
        if self.is_partitioned(&table) {
            for partition in self.leaves(&table, only) {
                let there = self.relation(&partition).is_some_and(|relation| {
                    relation.indexes.iter().any(|index| {
                        index.valid
                            && (index.unique || !create.unique)
                            && keys_match(&index.keys, &create.columns)
                            && index.predicate.is_some() == create.predicate.is_some()
                    })
                });
                if !there {
                    let name = self.choose_index_name(&partition, &columns, "idx");
                    self.build(&partition, Some(name), IndexBuildReason::Create, false);
                }
            }
            return;
        }
        let name = match &create.name {
            Some(name) => name.value.clone(),
            None => self.choose_index_name(&table, &columns, "idx"),
        };
        self.build(&table, Some(name), IndexBuildReason::Create, create.concurrently);
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
            let known = self.relation(&table).filter(|relation| !relation.is_partitioned());
            let indexes: Vec<CompactString> = match (known, only_index) {
                (None, _) => Vec::new(),
                (Some(relation), None) => relation.indexes.iter().map(|index| index.name.clone()).collect(),
                (Some(relation), Some(only)) => Vec::from_iter(relation.indexes.has(&only).then_some(only)),
            };
            for index in indexes {
                self.build(&table, Some(index), IndexBuildReason::Reindex, reindex.concurrently);
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

/// What PostgreSQL puts into an index's name for a key.
fn column_label(column: &IndexColumn) -> &str {
    if let Some(column) = &column.expr.bare_column {
        return column.as_str();
    }
    column.expr.calls.first().map_or("expr", |call| call.name.name.as_str())
}

fn keys_match(keys: &[IndexKey], written: &[IndexColumn]) -> bool {
    keys.len() == written.len()
        && keys.iter().zip(written).all(|(key, written)| match (&key.column, &written.expr.bare_column) {
            (Some(key), Some(written)) => *written == key.as_str(),
            _ => false,
        })
}
