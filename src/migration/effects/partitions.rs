//! Partitions: attach, detach, and what a new partition locks.

use compact_str::CompactString;

use super::computation::Computation;
use super::proof::{excludes_bound, proves_bound};
use super::{IndexBuildReason, ScanReason};
use crate::migration::catalog::{ConstraintDetail, QName, Relation};
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::PartitionBound;

impl Computation<'_> {
    pub(super) fn attach_partition(
        &mut self,
        parent: &QName,
        partition: &QName,
        bound: Option<&PartitionBound>,
    ) {
        self.lock(parent, LockMode::ShareUpdateExclusive, None);
        self.read_bounds_above(parent);
        let why = format!("becomes a partition of {parent}");
        self.lock_tree_because(partition, false, LockMode::AccessExclusive, Some(why));
        for leaf in self.leaves(partition, false) {
            if !self.bound_is_proved(parent, &[&leaf, partition], bound) {
                self.scan(&leaf, ScanReason::PartitionBound { parent: parent.clone() });
            }
        }
        self.check_default_partition(parent, bound);
        let Some(known) = self.relation(parent) else { return };
        // The parent's indexes that the partition lacks are built on it.
        let mut used: Vec<CompactString> = Vec::new();
        for index in &known.indexes {
            let columns = index.column_names();
            let primary = known.primary_key().is_some_and(|key| Some(&key.name) == index.constraint.as_ref());
            let (columns, label) = match (primary, &index.constraint) {
                (true, _) => (String::new(), "pkey"),
                (false, Some(_)) => (columns, "key"),
                (false, None) => (columns, "idx"),
            };
            for leaf in self.leaves(partition, false) {
                let there = self.relation(&leaf).is_some_and(|own| {
                    if leaf == *partition {
                        let part = own.part_of(known, index, self.version < 17, &used);
                        used.extend(part.map(|part| part.name.clone()));
                        part.is_some()
                    } else {
                        own.indexes.iter().any(|own| own.valid && own.is_part_of(index))
                    }
                });
                if !there {
                    let name = self.choose_index_name(&leaf, &columns, label);
                    self.build(&leaf, Some(name), IndexBuildReason::Partition, false);
                }
            }
        }
        for constraint in &known.constraints {
            let ConstraintDetail::ForeignKey { columns, target, target_columns, .. } = &constraint.detail
            else {
                continue;
            };
            let own = self.relation(partition).is_some_and(|relation| {
                relation.constraints.iter().any(|own| {
                    matches!(&own.detail, ConstraintDetail::ForeignKey { columns: c, target: t, target_columns: tc, .. }
                        if c == columns && t == target && tc == target_columns)
                })
            });
            if own {
                // The partition's own foreign key is merged with the parent's: its triggers go.
                let why = format!("the foreign key of {partition} becomes part of {parent}'s");
                self.lock(target, LockMode::AccessExclusive, Some(why));
            } else {
                self.lock_foreign_key_target(target, partition);
                for leaf in self.leaves(partition, false) {
                    let reason = ScanReason::ForeignKey {
                        constraint: Some(constraint.name.clone()),
                        referencing: true,
                    };
                    self.scan(&leaf, reason);
                }
            }
        }
        self.lock_referencing(parent, LockMode::ShareRowExclusive);
    }

    pub(super) fn detach_partition(
        &mut self,
        parent: &QName,
        partition: &QName,
        concurrently: bool,
        finalize: bool,
    ) {
        if concurrently || finalize {
            self.lock(parent, LockMode::ShareUpdateExclusive, None);
            self.brief = true;
            self.lock(
                partition,
                LockMode::AccessExclusive,
                Some(format!("partition of {parent}, at the end")),
            );
            self.brief = false;
        } else {
            self.lock(parent, LockMode::AccessExclusive, None);
            self.read_bounds_above(parent);
            let why = format!("partition of {parent}");
            self.lock_tree_because(partition, false, LockMode::AccessExclusive, Some(why));
        }
        if let Some(default) = self.default_partition(parent)
            && default != *partition
            && !concurrently
        {
            self.lock(&default, LockMode::AccessExclusive, Some(format!("default partition of {parent}")));
        }
        self.lock_targets(parent, partition);
        // No row may refer to what leaves: the referencing tables are searched.
        for table in self.referencing(parent) {
            self.lock(&table, LockMode::AccessExclusive, Some(format!("has a foreign key to {parent}")));
            self.scan(&table, ScanReason::ForeignKey { constraint: None, referencing: true });
        }
    }

    /// CREATE TABLE … PARTITION OF: the new partition itself is nobody's yet.
    pub(super) fn create_partition(&mut self, parent: &QName, bound: &PartitionBound, partition: &QName) {
        self.lock(parent, LockMode::AccessExclusive, Some("gets a new partition".into()));
        if self.default_partition(parent).is_some() {
            self.read_bounds_above(parent);
        }
        self.check_default_partition(parent, Some(bound));
        self.lock_targets(parent, partition);
        self.lock_referencing(parent, LockMode::ShareRowExclusive);
    }

    /// The bounds of the partitioned tables above are those of the partition, too.
    fn read_bounds_above(&mut self, parent: &QName) {
        for above in self.catalog.partition_ancestors(parent) {
            self.lock(&above, LockMode::AccessShare, Some(format!("{parent} is a partition of it")));
        }
    }

    /// The tables that the foreign keys of `parent` point at, as far as `partition` comes to have those keys or loses them.
    fn lock_targets(&mut self, parent: &QName, partition: &QName) {
        let targets: Vec<QName> = self
            .relation(parent)
            .into_iter()
            .flat_map(|relation| &relation.constraints)
            .filter_map(|constraint| match &constraint.detail {
                ConstraintDetail::ForeignKey { target, .. } => Some(target.clone()),
                _ => None,
            })
            .collect();
        for target in targets {
            self.lock_foreign_key_target(&target, partition);
        }
    }

    /// Tables with foreign keys to a partitioned table, or to one above it.
    fn referencing(&self, parent: &QName) -> Vec<QName> {
        let mut targets = vec![parent.clone()];
        targets.extend(self.catalog.partition_ancestors(parent));
        let keys = targets.iter().flat_map(|target| self.catalog.foreign_keys_to(target));
        keys.map(|(table, _)| table.name.clone()).collect()
    }

    fn lock_referencing(&mut self, parent: &QName, mode: LockMode) {
        for table in self.referencing(parent) {
            self.lock(&table, mode, Some(format!("has a foreign key to {parent}")));
        }
    }

    /// A default partition may hold rows that belong into the new one.
    fn check_default_partition(&mut self, parent: &QName, bound: Option<&PartitionBound>) {
        let Some(default) = self.default_partition(parent) else { return };
        let why = format!("default partition of {parent}");
        self.lock_tree_because(&default, false, LockMode::AccessExclusive, Some(why));
        let key = self.partition_key(parent);
        for leaf in self.leaves(&default, false) {
            let excluded = match (&key, bound, self.relation(&leaf)) {
                (Some(key), Some(bound), Some(relation)) => excludes_bound(relation, key, bound),
                _ => false,
            };
            if !excluded {
                self.scan(&leaf, ScanReason::DefaultPartition { parent: parent.clone() });
            }
        }
    }

    fn bound_is_proved(&self, parent: &QName, relations: &[&QName], bound: Option<&PartitionBound>) -> bool {
        let (Some(key), Some(bound)) = (self.partition_key(parent), bound) else { return false };
        // The bounds of the partitioned tables above are checked with it.
        if let Some(above) = self.relation(parent).and_then(|known| known.partition_of.as_ref())
            && !self.bound_is_proved(&above.parent, relations, above.bound.as_ref())
        {
            return false;
        }
        if *bound == PartitionBound::Default {
            // What none of the others takes.
            let others: Vec<Option<&PartitionBound>> = self
                .catalog
                .children(parent)
                .filter(|child| !relations.contains(child))
                .map(|child| self.relation(child)?.partition_of.as_ref()?.bound.as_ref())
                .collect();
            return others.iter().all(|other| {
                other.is_some_and(|other| {
                    let excluded = |r: &Relation| excludes_bound(r, &key, other);
                    relations.iter().any(|name| self.relation(name).is_some_and(excluded))
                })
            });
        }
        relations.iter().any(|name| self.relation(name).is_some_and(|r| proves_bound(r, &key, bound)))
    }

    /// The column that a table is partitioned by, when it is one column.
    fn partition_key(&self, parent: &QName) -> Option<String> {
        match self.relation(parent)?.partition_by.as_ref()?.keys.as_slice() {
            // One that is cast is an expression.
            [only] if only.cast.is_none() => {
                only.bare_column.as_ref().map(|column| column.as_str().to_owned())
            }
            _ => None,
        }
    }
}
