//! Columns: adding and dropping them, NOT NULL, types, generated expressions.

use compact_str::CompactString;
use rustc_hash::FxHashSet;

use super::alter::{Altered, NewColumn};
use super::coercion::{
    TypeChange, UsingCast, base_type, changes_comparison, is_collatable, is_utc, loses_values, type_change,
    uses_only,
};
use super::computation::Computation;
use super::proof::proves_not_null;
use super::{DestroyedKind, IndexBuildReason, RewriteReason, ScanReason};
use crate::migration::catalog::{Column, ConstraintDetail, Index, QName, Relation, TypeKind};
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::{
    ColumnDefinition, ConstraintKind, Expr, Ident, Literal, Name, ObjectKind, TypeName,
};

impl Computation<'_> {
    // ---- adding ----

    pub(super) fn add_column(
        &mut self,
        altered: &Altered<'_>,
        column: &ColumnDefinition,
        if_not_exists: bool,
    ) {
        let (table, only) = (&altered.table, altered.only);
        self.lock_tree(table, only, LockMode::AccessExclusive);
        if if_not_exists && self.relation(table).is_some_and(|r| r.column(&column.name.value).is_some()) {
            return;
        }
        let rewrite = self.rewrite_of_new_column(column);
        let find = |test: fn(&ConstraintKind) -> bool| column.constraints.iter().find(|c| test(&c.kind));
        let generated = find(|kind| matches!(kind, ConstraintKind::Generated { .. })).is_some();
        let filled = generated || self.default_of(column);
        match &rewrite {
            Some(reason) => {
                for leaf in self.leaves(table, only) {
                    self.rewrite(&leaf, reason.clone());
                }
            }
            None => {
                let not_null = column.constraints.iter().any(|c| {
                    matches!(c.kind, ConstraintKind::NotNull { .. } | ConstraintKind::PrimaryKey(_))
                        && !c.not_valid
                });
                // A constant default fills the rows that are there; nothing else does.
                if not_null && (!filled || generated) {
                    for leaf in self.leaves(table, only) {
                        self.scan(&leaf, ScanReason::NotNull { column: column.name.value.clone() });
                    }
                }
            }
        }
        let new = NewColumn { name: &column.name.value, filled: filled || rewrite.is_some() };
        for constraint in &column.constraints {
            if !matches!(constraint.kind, ConstraintKind::NotNull { .. }) {
                self.add_constraint(altered, constraint, Some(new));
            }
        }
    }

    /// Whether the rows that are there get a value that isn't NULL.
    fn default_of(&self, column: &ColumnDefinition) -> bool {
        let written = column.constraints.iter().find_map(|constraint| match &constraint.kind {
            ConstraintKind::Default(expr) => Some(expr.literal != Some(Literal::Null)),
            ConstraintKind::Identity { .. } => Some(true),
            _ => None,
        });
        written.unwrap_or_else(|| {
            column.type_name.as_ref().is_some_and(|written| {
                written.name.name.value.starts_with("serial") || self.domain_default(written).is_some()
            })
        })
    }

    /// Why ADD COLUMN writes the table anew, if it does: the values differ from row to row, or are stored.
    fn rewrite_of_new_column(&self, column: &ColumnDefinition) -> Option<RewriteReason> {
        let name = column.name.value.clone();
        for constraint in &column.constraints {
            match &constraint.kind {
                ConstraintKind::Generated { stored: true, .. } => {
                    return Some(RewriteReason::StoredGenerated { column: name });
                }
                ConstraintKind::Generated { stored: false, .. } => return None,
                ConstraintKind::Identity { .. } => return Some(RewriteReason::Identity { column: name }),
                _ => {}
            }
        }
        let written = column.type_name.as_ref()?;
        if written.name.schema.is_none()
            && matches!(written.name.name.as_str(), "serial2" | "serial4" | "serial8")
        {
            return Some(RewriteReason::Serial { column: name });
        }
        let default = column.constraints.iter().find_map(|constraint| match &constraint.kind {
            ConstraintKind::Default(expr) => Some(expr),
            _ => None,
        });
        let volatile = match default {
            Some(expr) => self.volatile_call(expr),
            None => self.domain_default(written).and_then(|text| self.volatile_call_in(&text)),
        };
        if let Some(function) = volatile {
            return Some(RewriteReason::VolatileDefault { column: name, function: Some(function) });
        }
        // Measured: each value is tested against the domain by storing it.
        let base = base_type(self.catalog, &self.session.search_path, written);
        base.constrained.map(|domain| RewriteReason::ConstrainedDomain { column: name, domain })
    }

    fn domain_default(&self, written: &TypeName) -> Option<String> {
        if written.dimensions > 0 {
            return None;
        }
        let resolved = self.catalog.resolve_type(&written.name, &self.session.search_path);
        match &self.catalog.type_named(&resolved)?.kind {
            TypeKind::Domain(domain) => domain.default.as_ref().map(|default| default.text.clone()),
            _ => None,
        }
    }

    // ---- dropping ----

    pub(super) fn drop_column(&mut self, altered: &Altered<'_>, column: &str, cascade: bool) {
        let (table, only) = (&altered.table, altered.only);
        let known = self.relation(table);
        if known.is_some_and(|known| known.columns_known && known.column(column).is_none()) {
            // There is nothing to look for further down.
            self.lock(table, LockMode::AccessExclusive, None);
            return;
        }
        self.lock_tree(table, only, LockMode::AccessExclusive);
        if only {
            self.lock_children(table);
        }
        self.column_goes(table, only, column, cascade, false);
    }

    /// What goes with a column; `cascaded`: that goes with something else.
    pub(super) fn column_goes(
        &mut self,
        table: &QName,
        only: bool,
        column: &str,
        cascade: bool,
        cascaded: bool,
    ) {
        self.destroy_object(ObjectKind::Column, member(table, column), Some(table.clone()), cascaded);
        let Some(relation) = self.relation(table) else { return };
        for constraint in relation.constraints.about(column) {
            match &constraint.detail {
                ConstraintDetail::ForeignKey { columns, target, .. }
                    if columns.iter().any(|c| c == column) =>
                {
                    let partitioned = self.is_partitioned(target);
                    self.lock_tree_because(
                        target,
                        !partitioned,
                        LockMode::AccessExclusive,
                        Some(format!(
                            "target of the foreign key {}, which goes with the column",
                            constraint.name
                        )),
                    );
                    self.destroy_object(ObjectKind::Constraint, constraint.name.to_string(), None, true);
                }
                ConstraintDetail::PrimaryKey { columns, index }
                | ConstraintDetail::Unique { columns, index }
                    if columns.iter().any(|c| c == column) =>
                {
                    self.destroy_object(ObjectKind::Constraint, constraint.name.to_string(), None, true);
                    if cascade {
                        self.drop_foreign_keys_on(table, index);
                    }
                }
                ConstraintDetail::Check { expr, .. } if expr.columns.iter().any(|c| *c == column) => {
                    self.destroy_object(ObjectKind::Constraint, constraint.name.to_string(), None, true);
                }
                _ => {}
            }
        }
        let indexes = relation.indexes_about(&[column]);
        for index in indexes.iter().filter(|index| index.constraint.is_none() && uses_column(index, column)) {
            self.destroy_object(ObjectKind::Index, index.name.to_string(), None, true);
        }
        if cascade {
            let others = relation.columns.iter().filter(|other| {
                other
                    .generated
                    .as_ref()
                    .is_some_and(|generated| generated.columns.iter().any(|c| c == column))
            });
            for other in others {
                self.destroy_object(
                    ObjectKind::Column,
                    member(table, &other.name),
                    Some(table.clone()),
                    true,
                );
            }
            for member in self.tree(table, only) {
                for view in self.catalog.views_naming(&member, column) {
                    self.drop_view_and_above(&view.name, &format!("reads {member}.{column}"));
                }
            }
        }
    }

    // ---- NOT NULL ----

    /// SET NOT NULL, and NOT NULL constraints (18) that are checked at once.
    pub(super) fn set_not_null(&mut self, altered: &Altered<'_>, column: &str, validate: bool) {
        let (table, only) = (&altered.table, altered.only);
        // The partitions of a table whose column is NOT NULL have that, too; since 18, all descendants.
        let there = self.relation(table).and_then(|r| r.column(column)).is_some_and(|c| c.not_null);
        let stays = there && (self.version >= 18 || self.is_partitioned(table));
        self.lock_tree(table, only || stays, LockMode::AccessExclusive);
        if validate && !stays {
            self.check_not_null(altered, column, only);
        }
    }

    /// Reads those of the tree whose column may hold NULL, as far as is known.
    pub(super) fn check_not_null(&mut self, altered: &Altered<'_>, column: &str, only: bool) {
        for leaf in self.leaves(&altered.table, only) {
            let relation = self.relation(&leaf);
            let there = relation.and_then(|r| r.column(column)).is_some_and(|c| c.not_null);
            let proved =
                self.version >= 12 && relation.is_some_and(|r| proves_not_null(r, column, &altered.leaving));
            if !there && !proved {
                self.scan(&leaf, ScanReason::NotNull { column: column.into() });
            }
        }
    }

    pub(super) fn drop_not_null(&mut self, altered: &Altered<'_>, column: &str) {
        // Since 18 it is a constraint: where there is none, there is nothing to recurse to.
        let there = self.relation(&altered.table).and_then(|r| r.column(column)).is_none_or(|c| c.not_null);
        let stops = self.version >= 18 && !there;
        self.lock_tree(&altered.table, altered.only || stops, LockMode::AccessExclusive);
        if self.version >= 18 && there {
            self.lock_children(&altered.table);
        }
    }

    pub(super) fn set_expression(&mut self, altered: &Altered<'_>, column: &str) {
        self.lock_tree(&altered.table, altered.only, LockMode::AccessExclusive);
        for leaf in self.leaves(&altered.table, altered.only) {
            let stored = self
                .relation(&leaf)
                .and_then(|r| r.column(column))
                .and_then(|c| c.generated.as_ref())
                .is_none_or(|generated| generated.stored);
            if stored {
                self.rewrite(&leaf, RewriteReason::Expression { column: column.into() });
            }
        }
    }

    // ---- types ----

    pub(super) fn set_type(
        &mut self,
        altered: &Altered<'_>,
        column: &Ident,
        written: &TypeName,
        collation: Option<&Name>,
        using: Option<&Expr>,
    ) {
        self.lock_tree(&altered.table, altered.only, LockMode::AccessExclusive);
        for member in self.tree(&altered.table, altered.only) {
            self.set_type_of(altered, &member, column, written, collation, using);
        }
    }

    fn set_type_of(
        &mut self,
        altered: &Altered<'_>,
        table: &QName,
        column: &Ident,
        written: &TypeName,
        collation: Option<&Name>,
        using: Option<&Expr>,
    ) {
        let path = &self.session.search_path;
        let to = base_type(self.catalog, path, written);
        let relation = self.relation(table);
        let old = relation.and_then(|r| r.column(&column.value));
        let reason = |from: Option<TypeName>| RewriteReason::ColumnType {
            column: column.value.clone(),
            from,
            to: written.clone(),
        };
        let (Some(relation), Some(old)) = (relation, old) else {
            // What it was isn't known: the worst is assumed.
            self.rewrite(table, reason(None));
            return;
        };
        if old.type_name.name.name.value.is_empty() {
            self.rewrite(table, reason(None));
            return;
        }
        if old.generated.as_ref().is_some_and(|generated| !generated.stored) {
            return;
        }
        let from = base_type(self.catalog, path, &old.type_name);
        let utc = is_utc(self.session.setting("timezone"));
        let casts = using.into_iter().flat_map(|using| using.inner_casts.iter().chain(using.cast.as_deref()));
        let between: Vec<_> = casts.map(|cast| base_type(self.catalog, path, cast)).collect();
        let through = using.map(|using| match uses_only(using, &column.value) {
            false => UsingCast::Other,
            true if between.is_empty() => UsingCast::Column,
            true => UsingCast::Casts(&between),
        });
        let mut change = type_change(&from, &to, through, utc);
        let new_collation = collation.map(|name| name.name.value.as_str()).filter(|name| *name != "default");
        let old_collation = old.collation.as_deref().filter(|name| *name != "default");
        let collation_only =
            change == TypeChange::Nothing && is_collatable(&to) && new_collation != old_collation;
        if collation_only {
            change = TypeChange::RebuildIndexes;
        }
        let lossy = match through {
            Some(UsingCast::Other) => loses_values(&from, &to, true) || !keeps_meaning(using),
            _ => {
                // Only casts that are written cut what is too long.
                let starts = [&from].into_iter().chain(&between);
                let ends = between.iter().chain([&to]);
                starts.zip(ends).enumerate().any(|(at, (a, b))| loses_values(a, b, at < between.len()))
            }
        };
        if change == TypeChange::Rewrite {
            self.rewrite(table, reason(Some(old.type_name.clone())));
            if lossy {
                let name = member(table, &column.value);
                self.destroy(DestroyedKind::Values, name, Some(table.clone()), false);
            }
        } else {
            self.rebuild_what_depends(relation, old, change, collation_only);
        }
        // `ATPostAlterTypeParse`: what was checked counts no more once the table is written anew.
        let check = change == TypeChange::Rewrite || changes_comparison(&from, &to);
        self.rebuild_foreign_keys(altered, relation, &column.value, check);
        if !check {
            self.unchecked.push((table.clone(), column.value.clone(), self.span));
        }
    }

    /// A type change that keeps the heap: indexes that sort otherwise, and those with expressions or
    /// predicates and the parts of a partitioned table's, which PostgreSQL always builds anew; CHECK constraints that name the
    /// column.
    fn rebuild_what_depends(
        &mut self,
        relation: &Relation,
        column: &Column,
        change: TypeChange,
        collation_only: bool,
    ) {
        let table = &relation.name;
        for index in
            relation.indexes_about(&[&column.name]).iter().filter(|index| uses_column(index, &column.name))
        {
            if self.leaving_indexes.contains(&QName::new(&table.schema, &index.name)) {
                continue;
            }
            // A key with a collation of its own keeps it.
            let own_collation = |collation: &Option<CompactString>| {
                collation_only && collation.is_some() && *collation != column.collation
            };
            let keyed = index
                .keys
                .iter()
                .any(|key| key.column.as_deref() == Some(&column.name) && !own_collation(&key.collation));
            // An index of a partitioned table has no file that could be taken over (`TryReuseIndex`): its parts go with it.
            let special = index.predicate.is_some()
                || index.part_of.is_some()
                || index.keys.iter().any(|key| key.column.is_none());
            if special || (keyed && change == TypeChange::RebuildIndexes) {
                self.build(table, Some(index.name.clone()), IndexBuildReason::ColumnType, false);
            }
        }
        for constraint in relation.constraints.about(&column.name) {
            if let ConstraintDetail::Check { expr, .. } = &constraint.detail
                && constraint.validated
                && constraint.enforced
                && expr.columns.iter().any(|named| *named == column.name.as_str())
            {
                self.scan(table, ScanReason::Check { constraint: Some(constraint.name.clone()) });
            }
        }
    }

    /// Where another action of the same statement writes the table anew, all of that is checked.
    pub(super) fn check_rewritten(&mut self, altered: &Altered<'_>) {
        for (table, column, span) in std::mem::take(&mut self.unchecked) {
            let rewritten = self.effects.rewrites.iter().any(|rewrite| rewrite.relation == table);
            if let Some(relation) = self.relation(&table).filter(|_| rewritten) {
                self.span = span;
                self.rebuild_foreign_keys(altered, relation, &column, true);
            }
        }
    }

    /// Foreign keys over a column whose type changes are dropped and made again; they are checked again
    /// where the comparison is another one.
    fn rebuild_foreign_keys(
        &mut self,
        altered: &Altered<'_>,
        relation: &Relation,
        column: &str,
        check: bool,
    ) {
        for constraint in relation.constraints.about(column) {
            let ConstraintDetail::ForeignKey { columns, target, .. } = &constraint.detail else { continue };
            if !columns.iter().any(|c| c == column) || altered.leaving.contains(constraint.name.as_str()) {
                continue;
            }
            let why = format!("target of the foreign key {}, which is made again", constraint.name);
            self.lock(target, LockMode::AccessExclusive, Some(why));
            if check && constraint.validated {
                let reason =
                    ScanReason::ForeignKey { constraint: Some(constraint.name.clone()), referencing: true };
                self.scan(&relation.name, reason);
            }
        }
        let referencing: Vec<(QName, CompactString, bool)> = self
            .catalog
            .foreign_keys_naming(&relation.name, &[column])
            .into_iter()
            .filter(|(_, constraint)| match &constraint.detail {
                ConstraintDetail::ForeignKey { target_columns, .. } => {
                    target_columns.iter().any(|c| c == column)
                        || (target_columns.is_empty() && is_key_column(relation, column))
                }
                _ => false,
            })
            .map(|(table, constraint)| (table.name.clone(), constraint.name.clone(), constraint.validated))
            .collect();
        for (table, constraint, validated) in referencing {
            let why = format!("its foreign key {constraint} to {} is made again", relation.name);
            self.lock(&table, LockMode::AccessExclusive, Some(why));
            if check && validated {
                self.scan(&table, ScanReason::ForeignKey { constraint: Some(constraint), referencing: true });
            }
        }
    }
}

/// Expressions that give every old value a new one of its own, as far as can be told by their functions.
fn keeps_meaning(using: Option<&Expr>) -> bool {
    using.is_none_or(|using| {
        using.calls.iter().all(|call| {
            matches!(
                call.name.name.as_str(),
                "timezone"
                    | "to_timestamp"
                    | "to_jsonb"
                    | "to_json"
                    | "array"
                    | "row"
                    | "coalesce"
                    | "case"
                    | "jsonb_build_object"
                    | "json_build_object"
                    | "jsonb_build_array"
                    | "trim"
                    | "btrim"
            )
        })
    })
}

fn is_key_column(relation: &Relation, column: &str) -> bool {
    relation.primary_key().is_some_and(|key| match &key.detail {
        ConstraintDetail::PrimaryKey { columns, .. } => columns.iter().any(|c| c == column),
        _ => false,
    })
}

/// Whether an index reads a column, in its keys, INCLUDE or predicate.
pub(super) fn uses_column(index: &Index, column: &str) -> bool {
    index
        .keys
        .iter()
        .any(|key| key.column.as_deref() == Some(column) || key.columns.iter().any(|c| c == column))
        || index.include.iter().any(|c| c == column)
        || index.predicate.as_ref().is_some_and(|predicate| names_word(predicate, column))
}

/// Whether an index reads one of these columns.
pub(super) fn uses_any(index: &Index, columns: &FxHashSet<&str>) -> bool {
    let keyed = index.keys.iter().flat_map(|key| key.column.iter().chain(&key.columns));
    keyed.chain(&index.include).any(|column| columns.contains(column.as_str()))
        || index.predicate.as_ref().is_some_and(|text| columns.iter().any(|column| names_word(text, column)))
}

/// Whether a word stands in a text by itself.
pub(super) fn names_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    text.match_indices(word).any(|(at, found)| {
        let before = text[..at].chars().next_back(); // a match begins at a character boundary
        let after = text[at + found.len()..].chars().next(); // and ends at one
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

/// `users.email`.
pub(super) fn member(table: &QName, name: &str) -> String {
    format!("{table}.{}", crate::migration::statement::quote_ident(name))
}
