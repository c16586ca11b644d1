//! ALTER TABLE and its kin: the lock that each action takes, and which subject works out the rest.
//!
//! Source of the lock modes: `AlterTableGetLockLevel` in `tablecmds.c` and `reloptions.c`; measured on 15, 17, 18.

use rustc_hash::FxHashSet;

use super::columns::uses_any;
use super::computation::Computation;
use super::indexes::excluded_names;
use super::{RewriteReason, ScanReason};
use crate::migration::catalog::{ConstraintDetail, Index, QName, Relation, RelationKind};
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::{
    Action, ActionKind, AlterTable, Constraint, ConstraintKind, ObjectKind, Persistence, StorageOption,
    TriggerTarget,
};

/// An ALTER TABLE that is being worked out.
pub(super) struct Altered<'a> {
    pub table: QName,
    pub only: bool,
    /// The strongest lock that one of its actions takes: all of them go down to the children with it.
    pub level: LockMode,
    /// Constraints that the same statement drops: PostgreSQL drops before it checks.
    pub leaving: FxHashSet<&'a str>,
    /// Constraints with names that it adds.
    pub added: FxHashSet<&'a str>,
}

impl<'a> Altered<'a> {
    /// A table to which something else goes on.
    pub fn of(table: QName) -> Self {
        Altered {
            table,
            only: false,
            level: LockMode::AccessExclusive,
            leaving: FxHashSet::default(),
            added: FxHashSet::default(),
        }
    }

    fn new(table: QName, statement: &'a AlterTable, view: bool) -> Self {
        let levels = statement.actions.iter().map(|action| level(&action.kind, view));
        let mut altered = Altered {
            table,
            only: statement.only,
            level: levels.max().unwrap_or(LockMode::AccessExclusive),
            leaving: FxHashSet::default(),
            added: FxHashSet::default(),
        };
        for action in &statement.actions {
            match &action.kind {
                ActionKind::DropConstraint { name, .. } => _ = altered.leaving.insert(name.as_str()),
                ActionKind::AddConstraint(constraint) => {
                    altered.added.extend(constraint.name.as_ref().map(|name| name.as_str()));
                }
                _ => {}
            }
        }
        altered
    }
}

impl Computation<'_> {
    pub fn alter_table(&mut self, alter: &AlterTable) {
        let table = self.resolve(&alter.name);
        if alter.kind == ObjectKind::Type {
            return;
        }
        if self.catalog.index(&table).is_some() || alter.kind == ObjectKind::Index {
            self.alter_index(&table, alter);
            return;
        }
        if alter.if_exists && self.is_absent(&table) {
            return;
        }
        let kind = self.relation(&table).map_or(RelationKind::Table, |relation| relation.kind);
        if kind == RelationKind::Sequence || alter.kind == ObjectKind::Sequence {
            return;
        }
        let view = kind == RelationKind::View || alter.kind == ObjectKind::View;
        let altered = Altered::new(table, alter, view);
        self.leaving_indexes = self.indexes_that_leave(&altered, alter);
        for action in &alter.actions {
            self.span = action.span;
            self.alter_action(&altered, action, view);
        }
        self.check_rewritten(&altered);
    }

    /// Indexes that go with a constraint or column that the statement drops, before it builds any.
    fn indexes_that_leave(&self, altered: &Altered<'_>, alter: &AlterTable) -> FxHashSet<QName> {
        let Some(relation) = self.relation(&altered.table) else { return FxHashSet::default() };
        let dropped = alter.actions.iter().filter_map(|action| match &action.kind {
            ActionKind::DropColumn { column, .. } => Some(column.value.as_str()),
            _ => None,
        });
        let dropped: FxHashSet<&str> = dropped.collect();
        if altered.leaving.is_empty() && dropped.is_empty() {
            return FxHashSet::default();
        }
        let goes = |index: &&Index| {
            index.constraint.as_ref().is_some_and(|owner| altered.leaving.contains(owner.as_str()))
                || uses_any(index, &dropped)
        };
        let schema = &relation.name.schema;
        relation.indexes.iter().filter(goes).map(|index| QName::new(schema, &index.name)).collect()
    }

    fn alter_action(&mut self, altered: &Altered<'_>, action: &Action, view: bool) {
        use ActionKind::*;
        let table = &altered.table;
        let only = altered.only;
        match &action.kind {
            AddColumn { column, if_not_exists } => self.add_column(altered, column, *if_not_exists),
            DropColumn { column, cascade, .. } => self.drop_column(altered, &column.value, *cascade),
            SetType { column, type_name, collation, using } => {
                self.set_type(altered, column, type_name, collation.as_ref(), using.as_ref());
            }
            SetNotNull { column } => self.set_not_null(altered, &column.value, true),
            DropNotNull { column } => self.drop_not_null(altered, &column.value),
            SetExpression { column, .. } => self.set_expression(altered, &column.value),
            SetDefault { .. }
            | DropDefault { .. }
            | DropExpression { .. }
            | SetStorage { .. }
            | RenameColumn { .. } => {
                self.lock_tree(table, only, LockMode::AccessExclusive);
            }
            SetStatistics { .. } => self.lock_tree_of(altered, !only, level(&action.kind, view)),
            AddIdentity { .. } | AlterIdentity { .. } | DropIdentity { .. } => {
                // Partitions have shared their parent's identity since 17.
                let drops = match &action.kind {
                    DropIdentity { column, .. } => Some(column),
                    _ => None,
                };
                let known = drops.and_then(|column| self.relation(table)?.column(&column.value));
                let nothing = known.is_some_and(|column| column.identity.is_none());
                let recurses = self.version >= 17 && self.is_partitioned(table) && !nothing;
                self.lock_tree(table, only || !recurses, LockMode::AccessExclusive);
            }
            SetColumnOptions { .. } | ClusterOn { .. } | SetWithoutCluster => {
                self.lock(table, LockMode::ShareUpdateExclusive, None);
            }
            AddConstraint(constraint) => self.add_constraint(altered, constraint, None),
            AlterConstraint { name, enforced, inherit, .. } => {
                self.alter_constraint(table, &name.value, *enforced, *inherit);
            }
            ValidateConstraint { name } => self.validate_constraint(altered, &name.value),
            DropConstraint { name, cascade, .. } => self.drop_constraint(altered, &name.value, *cascade),
            RenameConstraint { name, .. } => {
                let inherited = self
                    .relation(table)
                    .and_then(|r| r.constraint(&name.value))
                    .is_some_and(|c| matches!(c.detail, ConstraintDetail::Check { .. }) && !c.no_inherit);
                self.lock_tree(table, only || !inherited, LockMode::AccessExclusive);
            }
            Trigger { name, .. } => {
                // Row triggers of a partitioned table have a copy in each partition.
                let copies = match name {
                    TriggerTarget::Named(name) => self.has_copies(table, &name.value),
                    // Those of foreign keys among them.
                    TriggerTarget::All => {
                        let has_keys = |r: &Relation| {
                            r.constraints
                                .iter()
                                .any(|c| matches!(c.detail, ConstraintDetail::ForeignKey { .. }))
                        };
                        self.has_row_triggers(table)
                            || self.relation(table).is_none_or(has_keys)
                            || !self.catalog.foreign_keys_to(table).is_empty()
                    }
                    TriggerTarget::User => self.has_row_triggers(table),
                };
                let copies = copies && self.is_partitioned(table);
                self.lock_tree_of(altered, !only && copies, level(&action.kind, view));
            }
            SetOptions { options, .. } => self.lock(table, option_lock(options, view), None),
            SetLogged | SetUnlogged => {
                self.lock(table, LockMode::AccessExclusive, None);
                let wanted = match action.kind {
                    SetLogged => Persistence::Permanent,
                    _ => Persistence::Unlogged,
                };
                if self.relation(table).is_none_or(|relation| relation.persistence != wanted) {
                    self.rewrite(table, RewriteReason::Persistence);
                }
            }
            SetTablespace { tablespace } => {
                self.lock(table, LockMode::AccessExclusive, None);
                // Which one it is in now isn't known, except that everything begins in the default one.
                if *tablespace != "pg_default" {
                    self.rewrite(table, RewriteReason::Tablespace);
                }
            }
            SetAccessMethod { method } => {
                self.lock(table, LockMode::AccessExclusive, None);
                if method.as_ref().is_some_and(|method| *method != "heap") {
                    self.rewrite(table, RewriteReason::AccessMethod);
                }
            }
            Inherit { parent } => {
                self.lock(table, LockMode::AccessExclusive, None);
                let parent = self.resolve(parent);
                self.lock(
                    &parent,
                    LockMode::ShareUpdateExclusive,
                    Some(format!("{table} will inherit from it")),
                );
            }
            NoInherit { parent } => {
                self.lock(table, LockMode::AccessExclusive, None);
                let parent = self.resolve(parent);
                self.lock(&parent, LockMode::AccessShare, Some(format!("{table} inherits from it")));
            }
            AttachPartition { partition, bound } => {
                let partition = self.resolve(partition);
                self.attach_partition(table, &partition, bound.as_ref());
            }
            DetachPartition { partition, concurrently, finalize } => {
                let partition = self.resolve(partition);
                self.detach_partition(table, &partition, *concurrently, *finalize);
            }
            SetCompression { .. }
            | RenameTo { .. }
            | SetSchema { .. }
            | OwnerTo { .. }
            | Rule { .. }
            | RowSecurity { .. }
            | ForceRowSecurity { .. }
            | SetWithoutOids
            | OfType { .. }
            | NotOfType
            | ReplicaIdentity { .. }
            | Harmless => self.lock(table, LockMode::AccessExclusive, None),
        }
    }

    /// The altered table with the lock that the action at hand takes; if it goes down, what is below with the statement's.
    pub(super) fn lock_tree_of(&mut self, altered: &Altered<'_>, down: bool, own: LockMode) {
        self.lock(&altered.table, own, None);
        if down {
            self.lock_below(&altered.table, altered.level);
        }
    }

    /// Whether a trigger has a copy in each partition.
    pub fn has_copies(&self, table: &QName, trigger: &str) -> bool {
        let statement = |r: &Relation| r.triggers.get(trigger).is_some_and(|it| !it.for_each_row);
        self.is_partitioned(table) && !self.relation(table).is_some_and(statement)
    }

    fn has_row_triggers(&self, table: &QName) -> bool {
        let row = |r: &Relation| !r.columns_known || r.triggers.iter().any(|trigger| trigger.for_each_row);
        self.relation(table).is_none_or(row)
    }

    /// ALTER INDEX locks the index, which isn't counted; only ATTACH PARTITION looks at the tables.
    fn alter_index(&mut self, index: &QName, alter: &AlterTable) {
        for action in &alter.actions {
            self.span = action.span;
            if let ActionKind::AttachPartition { partition, .. } = &action.kind {
                let partition = self.resolve(partition);
                for name in [index, &partition] {
                    if let Some((table, _)) = self.catalog.index(name) {
                        self.lock(&table.name, LockMode::AccessShare, None);
                    }
                }
            }
        }
    }

    /// A constraint written at a column or a table of an ALTER TABLE. `new_column`: ADD COLUMN's, with
    /// whether it has a value in the rows that are there.
    pub fn add_constraint(
        &mut self,
        altered: &Altered<'_>,
        constraint: &Constraint,
        new_column: Option<NewColumn<'_>>,
    ) {
        let table = &altered.table;
        let only = altered.only;
        let name = constraint.name.as_ref().map(|name| name.value.clone());
        match &constraint.kind {
            ConstraintKind::Check(_) => {
                // Since 18 the descendants are locked even where the constraint isn't theirs.
                let stays = constraint.no_inherit && self.version < 18;
                self.lock_tree(table, only || stays, LockMode::AccessExclusive);
                if !constraint.not_valid && constraint.enforced != Some(false) {
                    for leaf in self.leaves(table, only || constraint.no_inherit) {
                        self.scan(&leaf, ScanReason::Check { constraint: name.clone() });
                    }
                }
            }
            ConstraintKind::NotNull { column } => {
                self.lock_tree(table, only, LockMode::AccessExclusive);
                if new_column.is_none() && !constraint.not_valid {
                    self.set_not_null(altered, &column.value, true);
                }
            }
            ConstraintKind::Unique(index) | ConstraintKind::PrimaryKey(index) => {
                let primary = matches!(constraint.kind, ConstraintKind::PrimaryKey(_));
                self.add_index_constraint(altered, constraint, index, primary, new_column);
            }
            ConstraintKind::Exclude { columns, .. } => {
                // Partitioned tables have them since 17.
                self.lock_tree(table, only || self.version < 18, LockMode::AccessExclusive);
                let partitioned = self.is_partitioned(table);
                self.lock_tree(table, only || !partitioned, LockMode::Share);
                self.build_constraint_index(
                    table,
                    only,
                    name,
                    &excluded_names(columns.iter()),
                    "excl",
                    super::IndexBuildReason::Exclude,
                );
            }
            ConstraintKind::ForeignKey(key) => self.add_foreign_key(altered, constraint, key, new_column),
            ConstraintKind::Null
            | ConstraintKind::Default(_)
            | ConstraintKind::Generated { .. }
            | ConstraintKind::Identity { .. } => {}
        }
    }
}

/// The lock that an action takes on its own (`AlterTableGetLockLevel`).
fn level(action: &ActionKind, view: bool) -> LockMode {
    use ActionKind::*;
    match action {
        SetStatistics { .. }
        | SetColumnOptions { .. }
        | ClusterOn { .. }
        | SetWithoutCluster
        | ValidateConstraint { .. }
        | AttachPartition { .. }
        | DetachPartition { concurrently: true, .. }
        | DetachPartition { finalize: true, .. } => LockMode::ShareUpdateExclusive,
        Trigger { .. } => LockMode::ShareRowExclusive,
        AddConstraint(constraint) if matches!(constraint.kind, ConstraintKind::ForeignKey(_)) => {
            LockMode::ShareRowExclusive
        }
        SetOptions { options, .. } => option_lock(options, view),
        _ => LockMode::AccessExclusive,
    }
}

/// A column that the same action adds.
#[derive(Clone, Copy)]
pub(super) struct NewColumn<'a> {
    pub name: &'a str,
    /// It has a default that isn't NULL, or is generated: there is something to check.
    pub filled: bool,
}

/// `reloptions.c`: nearly all storage parameters of tables take SHARE UPDATE EXCLUSIVE; views' and
/// `user_catalog_table` the strongest.
fn option_lock(options: &[StorageOption], view: bool) -> LockMode {
    let weak = |option: &StorageOption| {
        let name = option.name.as_str();
        let name = name.strip_prefix("toast.").unwrap_or(name);
        matches!(
            name,
            "fillfactor"
                | "parallel_workers"
                | "toast_tuple_target"
                | "vacuum_index_cleanup"
                | "vacuum_truncate"
                | "vacuum_max_eager_freeze_failure_rate"
                | "n_distinct"
                | "n_distinct_inherited"
        ) || name.starts_with("autovacuum_")
            || name.starts_with("log_autovacuum")
    };
    if !view && options.iter().all(weak) { LockMode::ShareUpdateExclusive } else { LockMode::AccessExclusive }
}
