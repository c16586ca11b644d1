//! Reading and changing rows: queries, DML with the foreign keys behind it, COPY, TRUNCATE, LOCK.

use std::sync::Arc;

use compact_str::CompactString;
use rustc_hash::FxHashSet;

use super::DestroyedKind;
use super::computation::Computation;
use crate::migration::catalog::{ConstraintDetail, QName, Relation, RelationKind};
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::{
    Access, Change, Copy, LockTable, Query, RelationUse, RuleDefinition, TriggerState, Truncate,
};

/// Views over views over … are followed this deep; a catalog that loops is cut off.
const DEEPEST: u32 = 32;

/// Whether a statement only has to be parsed, or is also planned and run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// CREATE VIEW, CREATE TABLE AS … WITH NO DATA: only what is named is locked.
    Named,
    /// PREPARE, the body of an SQL function: what is behind views too.
    Rewritten,
    /// Partitions and children too.
    Planned,
    /// And what triggers of foreign keys touch.
    Run,
}

impl Computation<'_> {
    pub(super) fn query(&mut self, query: &Query, depth: Depth) {
        self.uses(&query.uses, depth);
        if depth == Depth::Run {
            for change in &query.changes {
                self.change_by_rules(change, 0);
            }
        }
    }

    /// A change of rows, and what rules make of it.
    fn change_by_rules(&mut self, change: &Change, depth: u32) {
        let target = self.resolve(&change.target);
        let rules = self.rules_on(&target, change.access);
        if !rules.iter().any(|(_, rule)| rule.instead) {
            self.change(change);
        }
        for (_, rule) in rules.iter().filter(|_| depth < DEEPEST) {
            for change in &rule.changes {
                self.change_by_rules(change, depth + 1);
            }
        }
    }

    pub(super) fn uses(&mut self, uses: &[RelationUse], depth: Depth) {
        self.uses_of(uses, depth, None, 0);
    }

    /// `because`: a rule names them.
    fn uses_of(&mut self, uses: &[RelationUse], depth: Depth, because: Option<&str>, deep: u32) {
        for used in uses {
            let relation = self.resolve(&used.name);
            let mode = match used.access {
                Access::Read => LockMode::AccessShare,
                Access::ReadForUpdate => LockMode::RowShare,
                Access::Insert | Access::Update | Access::Delete | Access::Merge => LockMode::RowExclusive,
            };
            let why = || because.map(str::to_owned);
            if depth == Depth::Named {
                self.lock(&relation, mode, why());
                continue;
            }
            let stays = depth == Depth::Rewritten;
            let rules = self.rules_on(&relation, used.access);
            let instead = rules.iter().any(|(_, rule)| rule.instead);
            let is_view = self.relation(&relation).is_some_and(|r| r.kind == RelationKind::View);
            if instead && is_view {
                self.lock(&relation, mode, why());
                // The rows that are there are asked for, unless nothing is done with them.
                let asked =
                    used.access != Access::Insert && rules.iter().any(|(_, rule)| !rule.uses.is_empty());
                if asked {
                    self.lock_read(&relation, used.only, stays, LockMode::AccessShare, None, 0);
                }
            } else {
                self.lock_read(&relation, used.only, stays, mode, why(), 0);
            }
            for (name, rule) in rules.iter().filter(|_| deep < DEEPEST) {
                let why = format!("named by the rule {name} of {relation}");
                self.uses_of(&rule.uses, depth, Some(&why), deep + 1);
            }
        }
    }

    /// The rules of a relation that are used when rows are changed, as far as it is known what they do.
    fn rules_on(&self, relation: &QName, access: Access) -> Vec<(CompactString, Arc<RuleDefinition>)> {
        let rules = self.relation(relation).into_iter().flat_map(|relation| &relation.rules);
        let used =
            rules.filter(|rule| matches!(rule.state, TriggerState::Enable | TriggerState::EnableAlways));
        let known = used.filter_map(|rule| Some((rule.name.clone(), rule.definition.clone()?)));
        known.filter(|(_, rule)| rule.event == Some(access)).collect()
    }

    /// The relation, what is below it unless it `stays` there, and what is behind it if it is a view.
    fn lock_read(
        &mut self,
        relation: &QName,
        only: bool,
        stays: bool,
        mode: LockMode,
        because: Option<String>,
        depth: u32,
    ) {
        self.lock_tree_because(relation, only || stays, mode, because);
        let Some(view) = self.relation(relation).filter(|r| r.kind == RelationKind::View) else { return };
        if depth < DEEPEST {
            for read in view.reads.clone() {
                self.lock_read(
                    &read,
                    false,
                    stays,
                    mode,
                    Some(format!("read by view {relation}")),
                    depth + 1,
                );
            }
        }
    }

    /// The foreign keys behind a change of rows, and the rows that go.
    fn change(&mut self, change: &Change) {
        let mut target = self.resolve(&change.target);
        for _ in 0..DEEPEST {
            // An updatable view has one table behind it.
            match self.relation(&target).filter(|r| r.kind == RelationKind::View).map(|r| r.reads.as_slice())
            {
                Some([only]) => target = only.clone(),
                _ => break,
            }
        }
        let changed: Vec<CompactString> = change.columns.iter().map(|column| column.value.clone()).collect();
        match change.access {
            Access::Insert => {
                self.look_up_targets(&target, None);
                if change.on_conflict {
                    self.search_referencing(&target, change.only, Some(&[]), 0);
                }
            }
            Access::Update => {
                self.look_up_targets(&target, Some(&changed));
                self.search_referencing(&target, change.only, Some(&changed), 0);
                let name = target.to_string();
                self.destroy(DestroyedKind::Values, name, Some(target), false);
            }
            Access::Delete => {
                self.search_referencing(&target, change.only, None, 0);
                let name = target.to_string();
                self.destroy(DestroyedKind::Rows, name, Some(target), false);
            }
            Access::Merge => {
                if change.arms.contains(&Access::Insert) {
                    self.look_up_targets(&target, None);
                }
                if change.arms.contains(&Access::Update) {
                    self.look_up_targets(&target, Some(&changed));
                    self.search_referencing(&target, change.only, Some(&changed), 0);
                }
                if change.arms.contains(&Access::Delete) {
                    self.search_referencing(&target, change.only, None, 0);
                }
                let name = target.to_string();
                self.destroy(DestroyedKind::Values, name, Some(target), false);
            }
            Access::Read | Access::ReadForUpdate => {}
        }
    }

    /// A new value of a foreign key is looked up in the target: `SELECT … FOR KEY SHARE`.
    fn look_up_targets(&mut self, table: &QName, changed: Option<&[CompactString]>) {
        let Some(relation) = self.relation(table) else { return };
        for constraint in relation.constraints.iter().filter(|constraint| constraint.enforced) {
            let ConstraintDetail::ForeignKey { columns, target, .. } = &constraint.detail else { continue };
            let touched = changed.is_none_or(|changed| columns.iter().any(|column| changed.contains(column)));
            if touched {
                let why = format!("its rows are looked up for {table}'s foreign key {}", constraint.name);
                self.lock_key_side(target, LockMode::RowShare, why);
            }
        }
    }

    /// One of the two tables of a foreign key: the queries that check it read ONLY the table, with its partitions.
    fn lock_key_side(&mut self, table: &QName, mode: LockMode, why: String) {
        let partitioned = self.is_partitioned(table);
        self.lock_tree_because(table, !partitioned, mode, Some(why));
    }

    /// Rows that go, or whose key changes, are searched for in the referencing tables.
    fn search_referencing(
        &mut self,
        table: &QName,
        only: bool,
        changed: Option<&[CompactString]>,
        depth: u32,
    ) {
        if depth > DEEPEST {
            return;
        }
        // Those to the partitioned tables above it, and to what is below it, whose rows are changed with its own.
        let mut targets = self.tree(table, only);
        targets.extend(self.catalog.partition_ancestors(table));
        let keys: Vec<(QName, CompactString, Vec<CompactString>, Option<&'static str>)> = targets
            .iter()
            .flat_map(|target| match changed {
                Some(changed) => {
                    let changed: Vec<&str> = changed.iter().map(CompactString::as_str).collect();
                    self.catalog.foreign_keys_naming(target, &changed)
                }
                None => self.catalog.foreign_keys_to(target),
            })
            .filter(|(_, constraint)| constraint.enforced)
            .filter_map(|(referencing, constraint)| match &constraint.detail {
                ConstraintDetail::ForeignKey { columns, target_columns, on_delete, on_update, .. } => {
                    let touched = changed.is_none_or(|changed| {
                        let key = |column: &CompactString| {
                            target_columns.contains(column)
                                || (target_columns.is_empty()
                                    && self.relation(table).is_some_and(|r| is_primary(r, column)))
                        };
                        changed.iter().any(key)
                    });
                    let action = if changed.is_none() { *on_delete } else { *on_update };
                    touched
                        .then(|| (referencing.name.clone(), constraint.name.clone(), columns.clone(), action))
                }
                _ => None,
            })
            .collect();
        for (referencing, constraint, columns, action) in keys {
            let acts = matches!(action, Some("cascade" | "set null" | "set default"));
            let mode = if acts { LockMode::RowExclusive } else { LockMode::RowShare };
            let locked = self.lock_on(&referencing).is_some_and(|held| held >= mode);
            let why = format!("its foreign key {constraint} points to {table}");
            self.lock_key_side(&referencing, mode, why);
            if acts && !locked {
                match (action, changed) {
                    (Some("cascade"), None) => self.search_referencing(
                        &referencing,
                        !self.is_partitioned(&referencing),
                        None,
                        depth + 1,
                    ),
                    _ => self.search_referencing(
                        &referencing,
                        !self.is_partitioned(&referencing),
                        Some(&columns),
                        depth + 1,
                    ),
                }
            }
        }
    }

    pub(super) fn copy(&mut self, copy: &Copy) {
        if let Some(query) = &copy.query {
            self.query(query, Depth::Run);
        }
        let Some(table) = &copy.table else { return };
        let table = self.resolve(table);
        if copy.from {
            let partitioned = self.is_partitioned(&table);
            self.lock_tree(&table, !partitioned, LockMode::RowExclusive);
            self.look_up_targets(&table, None);
        } else {
            self.lock(&table, LockMode::AccessShare, None);
        }
    }

    pub(super) fn truncate(&mut self, truncate: &Truncate) {
        let mut done: FxHashSet<QName> = FxHashSet::default();
        let mut open: Vec<(QName, bool, Option<QName>)> =
            truncate.tables.iter().map(|(name, only)| (self.resolve(name), *only, None)).collect();
        open.reverse();
        while let Some((table, only, because)) = open.pop() {
            if !done.insert(table.clone()) {
                continue;
            }
            let why = because.as_ref().map(|target| format!("has a foreign key to {target}"));
            self.lock_tree_because(&table, only, LockMode::AccessExclusive, why);
            self.destroy(DestroyedKind::Rows, table.to_string(), Some(table.clone()), because.is_some());
            if truncate.cascade {
                let mut targets = self.tree(&table, only);
                targets.extend(self.catalog.partition_ancestors(&table));
                for target in targets {
                    let referencing = self.catalog.foreign_keys_to(&target).into_iter();
                    // Children by inheritance have nothing to do with the foreign key.
                    open.extend(
                        referencing.map(|(from, _)| {
                            (from.name.clone(), !from.is_partitioned(), Some(target.clone()))
                        }),
                    );
                }
            }
        }
    }

    pub(super) fn lock_tables(&mut self, lock: &LockTable) {
        for (name, only) in &lock.tables {
            let table = self.resolve(name);
            self.lock_read(&table, *only, false, lock.mode, None, 0);
        }
    }
}

fn is_primary(relation: &Relation, column: &str) -> bool {
    relation.primary_key().is_some_and(|key| match &key.detail {
        ConstraintDetail::PrimaryKey { columns, .. } => columns.iter().any(|c| c == column),
        _ => false,
    })
}
