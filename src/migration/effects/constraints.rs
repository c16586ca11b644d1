//! Constraints: keys that build an index, foreign keys, VALIDATE, DROP CONSTRAINT.

use compact_str::CompactString;

use super::alter::{Altered, NewColumn};
use super::computation::Computation;
use super::proof::proves_not_null;
use super::{IndexBuildReason, ScanReason};
use crate::migration::catalog::naming::choose;
use crate::migration::catalog::{Column, ConstraintDetail, QName};
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::{Constraint, ForeignKey, IndexConstraint, ObjectKind};

impl Computation<'_> {
    // ---- keys ----

    pub(super) fn add_index_constraint(
        &mut self,
        altered: &Altered<'_>,
        constraint: &Constraint,
        index: &IndexConstraint,
        primary: bool,
        new_column: Option<NewColumn<'_>>,
    ) {
        let (table, only) = (&altered.table, altered.only);
        let name = constraint.name.as_ref().map(|name| name.value.clone());
        let columns: Vec<CompactString> = match (&index.using_index, new_column) {
            (Some(using), _) => {
                let using = QName { schema: table.schema.clone(), name: using.value.clone() };
                self.catalog
                    .index(&using)
                    .map(|(_, index)| index.keys.iter().filter_map(|key| key.column.clone()).collect())
                    .unwrap_or_default()
            }
            (None, Some(column)) if index.columns.is_empty() => vec![column.name.into()],
            _ => index.columns.iter().map(|column| column.value.clone()).collect(),
        };
        // A primary key makes its columns NOT NULL, all the way down, where they aren't yet; a unique constraint only
        // reaches partitions, whose indexes are built under SHARE before 18.
        let not_null = |column: &CompactString| {
            self.relation(table).and_then(|r| r.column(column)).is_some_and(|known| known.not_null)
        };
        let partitioned = self.is_partitioned(table);
        let there =
            partitioned && new_column.is_none() && !columns.is_empty() && columns.iter().all(not_null);
        let spreads = primary && !there;
        if spreads || self.version >= 18 {
            self.lock_tree(table, only, LockMode::AccessExclusive);
        } else {
            self.lock(table, LockMode::AccessExclusive, None);
            if partitioned {
                // The trigger of a deferrable one takes more.
                let deferrable =
                    constraint.deferrable == Some(true) || constraint.initially_deferred == Some(true);
                let mode = if deferrable { LockMode::ShareRowExclusive } else { LockMode::Share };
                self.lock_tree(table, only, mode);
            }
        }
        if index.using_index.is_none() {
            let (joined, label, reason) = if primary {
                (String::new(), "pkey", IndexBuildReason::PrimaryKey)
            } else {
                (columns.join("_"), "key", IndexBuildReason::Unique)
            };
            self.build_constraint_index(table, only, name, &joined, label, reason);
        }
        if primary && new_column.is_none() {
            if columns.is_empty() {
                // The index isn't known, so neither is whether its columns may hold NULL.
                self.scan(table, ScanReason::NotNull { column: CompactString::default() });
            }
            for column in &columns {
                for leaf in self.leaves(table, only) {
                    let relation = self.relation(&leaf);
                    let there = relation.and_then(|r| r.column(column)).is_some_and(|c| c.not_null);
                    let proved = relation.is_some_and(|r| proves_not_null(r, column, &altered.leaving));
                    if !there && !proved {
                        self.scan(&leaf, ScanReason::NotNull { column: column.clone() });
                    }
                }
            }
        }
    }

    /// The index behind a constraint, on the table or on each partition.
    pub(super) fn build_constraint_index(
        &mut self,
        table: &QName,
        only: bool,
        name: Option<CompactString>,
        columns: &str,
        label: &str,
        reason: IndexBuildReason,
    ) {
        if self.is_partitioned(table) {
            for partition in self.leaves(table, only) {
                let chosen = self.choose_index_name(&partition, columns, label);
                self.build(&partition, Some(chosen), reason, false);
            }
        } else {
            let chosen = name.unwrap_or_else(|| self.choose_index_name(table, columns, label));
            self.build(table, Some(chosen), reason, false);
        }
    }

    // ---- foreign keys ----

    pub(super) fn add_foreign_key(
        &mut self,
        altered: &Altered<'_>,
        constraint: &Constraint,
        key: &ForeignKey,
        new_column: Option<NewColumn<'_>>,
    ) {
        let (table, only) = (&altered.table, altered.only);
        let down = self.is_partitioned(table) || self.version >= 18;
        self.lock_tree_of(altered, !only && down, LockMode::ShareRowExclusive);
        let target = self.resolve(&key.target);
        self.lock_foreign_key_target(&target, table);
        // A new column without a value has nothing to look up.
        let empty = new_column.is_some_and(|column| !column.filled);
        if !constraint.not_valid && constraint.enforced != Some(false) && !empty {
            let name = constraint.name.as_ref().map(|name| name.value.clone());
            let partitions = self.is_partitioned(table);
            for leaf in self.leaves(table, only || !partitions) {
                self.scan(&leaf, ScanReason::ForeignKey { constraint: name.clone(), referencing: true });
            }
        }
    }

    /// The referenced table, and its partitions, get triggers.
    pub(super) fn lock_foreign_key_target(&mut self, target: &QName, referencing: &QName) {
        let partitioned = self.is_partitioned(target);
        self.lock_tree_because(
            target,
            !partitioned,
            LockMode::ShareRowExclusive,
            (target != referencing).then(|| format!("referenced by a foreign key of {referencing}")),
        );
    }

    pub(super) fn alter_constraint(
        &mut self,
        table: &QName,
        name: &str,
        enforced: Option<bool>,
        inherit: Option<bool>,
    ) {
        self.lock(table, LockMode::AccessExclusive, None);
        let Some(constraint) = self.relation(table).and_then(|r| r.constraint(name)) else { return };
        match &constraint.detail {
            ConstraintDetail::ForeignKey { target, .. } => match enforced {
                Some(true) if !constraint.enforced => {
                    self.lock_foreign_key_target(target, table);
                    for leaf in self.leaves(table, false) {
                        let reason =
                            ScanReason::ForeignKey { constraint: Some(name.into()), referencing: true };
                        self.scan(&leaf, reason);
                    }
                }
                Some(false) if constraint.enforced => {
                    let why = format!("referenced by the foreign key {name}");
                    self.lock(target, LockMode::AccessExclusive, Some(why));
                }
                _ => {}
            },
            ConstraintDetail::NotNull { column } if inherit == Some(true) => {
                for child in self.catalog.descendants(table) {
                    self.lock(&child, LockMode::AccessExclusive, Some(format!("inherits from {table}")));
                    let known = self.relation(&child);
                    let there = known.and_then(|r| r.column(column)).is_some_and(|c| c.not_null);
                    // The column that came from the parent came without the constraint.
                    if !there || constraint.no_inherit {
                        self.scan(&child, ScanReason::NotNull { column: column.clone() });
                    }
                }
            }
            _ => {}
        }
    }

    pub(super) fn validate_constraint(&mut self, altered: &Altered<'_>, name: &str) {
        let (table, only) = (&altered.table, altered.only);
        let added_here = altered.added.contains(name);
        let reason = || ScanReason::Validate { constraint: name.into() };
        let known =
            self.relation(table).and_then(|r| r.constraint(name)).map(|c| (c.detail.clone(), c.validated));
        match known {
            Some((ConstraintDetail::ForeignKey { target, .. }, validated)) => {
                let partitioned = self.is_partitioned(table);
                let down = !only && partitioned && !validated;
                self.lock_tree_of(altered, down, LockMode::ShareUpdateExclusive);
                if !validated {
                    self.lock(
                        &target,
                        LockMode::RowShare,
                        Some(format!("referenced by a foreign key of {table}")),
                    );
                    let partitions = if self.is_partitioned(&target) {
                        self.catalog.descendants(&target)
                    } else {
                        Vec::new()
                    };
                    for partition in partitions {
                        self.lock(&partition, LockMode::AccessShare, Some(format!("partition of {target}")));
                    }
                    for leaf in self.leaves(table, only || !partitioned) {
                        self.scan(&leaf, reason());
                    }
                }
            }
            // Since 18 NOT NULL is a constraint with a name, which isn't kept where nobody wrote it.
            None if self.version >= 18 && self.is_not_null_named(table, name) => {
                self.lock(table, LockMode::ShareUpdateExclusive, None);
            }
            Some((_, true)) if !added_here => self.lock(table, LockMode::ShareUpdateExclusive, None),
            _ => {
                self.lock_tree_of(altered, !only, LockMode::ShareUpdateExclusive);
                for leaf in self.leaves(table, only) {
                    self.scan(&leaf, reason());
                }
            }
        }
    }

    fn is_not_null_named(&self, table: &QName, name: &str) -> bool {
        let of = |column: &Column| {
            column.not_null && choose(&table.name, &column.name, "not_null", |_| false) == name
        };
        self.relation(table).is_some_and(|known| known.columns.iter().any(of))
    }

    // ---- dropping ----

    pub(super) fn drop_constraint(&mut self, altered: &Altered<'_>, name: &str, cascade: bool) {
        let (table, only) = (&altered.table, altered.only);
        let Some(relation) = self.relation(table) else {
            self.lock(table, LockMode::AccessExclusive, None);
            self.destroy_object(ObjectKind::Constraint, name.to_owned(), None, false);
            return;
        };
        // Partitions are looked after before anything is looked up.
        let partitioned = relation.is_partitioned();
        self.lock_tree(table, !partitioned, LockMode::AccessExclusive);
        let Some(constraint) = relation.constraint(name) else {
            if self.version >= 18 && self.is_not_null_named(table, name) {
                self.lock_tree(table, only, LockMode::AccessExclusive);
                self.lock_children(table);
                self.destroy_object(ObjectKind::Constraint, name.to_owned(), None, false);
            } else if !relation.columns_known {
                self.destroy_object(ObjectKind::Constraint, name.to_owned(), None, false);
            }
            return;
        };
        self.destroy_object(ObjectKind::Constraint, name.to_owned(), None, false);
        match &constraint.detail {
            ConstraintDetail::Check { .. } | ConstraintDetail::NotNull { .. } => {
                self.lock_tree(table, only || constraint.no_inherit, LockMode::AccessExclusive);
                if only && !constraint.no_inherit {
                    self.lock_children(table);
                }
            }
            ConstraintDetail::ForeignKey { target, .. } => {
                let target_partitioned = self.is_partitioned(target);
                let why = format!("target of the dropped foreign key {name}");
                self.lock_tree_because(target, !target_partitioned, LockMode::AccessExclusive, Some(why));
            }
            ConstraintDetail::PrimaryKey { index, .. } | ConstraintDetail::Unique { index, .. } => {
                if cascade {
                    self.drop_foreign_keys_on(table, index);
                }
            }
            ConstraintDetail::Exclude { .. } => {}
        }
    }

    /// A constraint goes: with ONLY, too, the children are told that it isn't inherited any more.
    pub(super) fn lock_children(&mut self, table: &QName) {
        let catalog = self.catalog;
        for child in catalog.children(table) {
            self.lock(child, LockMode::AccessExclusive, Some(format!("inherits from {table}")));
        }
    }

    /// A foreign key to `target` goes with something else: its triggers are on the partitions of both tables.
    pub(super) fn drop_foreign_key_to(&mut self, target: &QName, referencing: &QName, name: &str) {
        let partitioned = self.is_partitioned(referencing);
        let why = format!("its foreign key {name} to {target} goes");
        self.lock_tree_because(referencing, !partitioned, LockMode::AccessExclusive, Some(why));
        let partitioned = self.is_partitioned(target);
        let why = format!("target of the foreign key {name} of {referencing}, which goes");
        self.lock_tree_because(target, !partitioned, LockMode::AccessExclusive, Some(why));
        self.destroy_object(ObjectKind::Constraint, name.to_owned(), None, true);
    }

    /// Foreign keys that stand on an index go with it: their tables are locked.
    pub(super) fn drop_foreign_keys_on(&mut self, table: &QName, index: &str) {
        for (referencing, constraint) in self.catalog.foreign_keys_on(table, index) {
            self.drop_foreign_key_to(table, &referencing.name, &constraint.name);
        }
    }
}
