//! Replay of what drops.

use std::sync::Arc;

use compact_str::CompactString;
use rustc_hash::FxHashSet;

use super::callers::{self, Caller};
use super::relation::{Constraint, ConstraintDetail, Relation, RelationKind, Statistics};
use super::{QName, Reader, Type, TypeKind};
use crate::migration::statement::{Drop, ObjectKind, TypeName};

use super::apply::Replay;

impl Replay<'_> {
    pub(super) fn drop(&mut self, drop: &Drop) {
        for object in &drop.names {
            match drop.kind {
                ObjectKind::Table
                | ObjectKind::ForeignTable
                | ObjectKind::View
                | ObjectKind::MaterializedView
                | ObjectKind::Sequence => {
                    let name = self.resolve(&object.name);
                    self.drop_relation(&name, drop.cascade);
                }
                ObjectKind::Index => {
                    let name = self.resolve(&object.name);
                    if let Some(table) = self.catalog.indexes.get(&name).cloned() {
                        self.drop_foreign_keys_on(&table, &name.name);
                    }
                    self.drop_index(&name);
                }
                ObjectKind::Type | ObjectKind::Domain => {
                    let name = self.catalog.resolve_type(&object.name, self.path);
                    if drop.cascade {
                        let using: Vec<(QName, Vec<CompactString>)> = self
                            .catalog
                            .relations_using_type(&name)
                            .into_iter()
                            .map(|(relation, columns)| {
                                (
                                    relation.name.clone(),
                                    columns.iter().map(|column| column.name.clone()).collect(),
                                )
                            })
                            .collect();
                        for (relation, columns) in using {
                            for column in columns {
                                self.drop_column(&relation, &column);
                            }
                        }
                        let typed = self.catalog.tables_of_type(&name).into_iter();
                        for table in typed.map(|table| table.name.clone()).collect::<Vec<_>>() {
                            self.drop_relation(&table, true);
                        }
                    }
                    self.catalog.types.remove(&name);
                }
                ObjectKind::Schema => self.drop_schema(&object.name.name.value),
                ObjectKind::Function
                | ObjectKind::Procedure
                | ObjectKind::Routine
                | ObjectKind::Aggregate => {
                    let name = self.catalog.resolve_function(&object.name, self.path);
                    if drop.cascade {
                        self.drop_callers(&name, object.arguments.as_deref());
                    }
                    if let Some(overloads) = self.catalog.functions.get_mut(&name) {
                        match &object.arguments {
                            Some(arguments) => overloads.retain(|function| !function.takes(arguments)),
                            None => overloads.clear(),
                        }
                        if overloads.is_empty() {
                            self.catalog.functions.remove(&name);
                        }
                    }
                    if drop.cascade {
                        self.drop_triggers_calling(&name);
                    }
                }
                ObjectKind::Statistics => {
                    let known = self.catalog.statistics(&object.name, self.path);
                    let Some((table, name)) = known.map(|(table, name)| (table.clone(), name)) else {
                        continue;
                    };
                    self.catalog.statistics.remove(&name);
                    if let Some(table) = self.known_mut(&table) {
                        table.statistics.retain(|known| known.name != name);
                    }
                }
                ObjectKind::Extension => {
                    self.catalog.extensions.remove(&object.name.name.value);
                }
                ObjectKind::Publication => {
                    self.catalog.publications.remove(&object.name.name.value);
                }
                ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule => {
                    let Some(table) = &object.on_table else { continue };
                    let table = self.resolve(table);
                    let name = object.name.name.value.clone();
                    if let Some(relation) = self.known_mut(&table) {
                        match drop.kind {
                            ObjectKind::Trigger => relation.triggers.remove(&name),
                            ObjectKind::Policy => relation.policies.remove(&name),
                            _ => relation.rules.remove(&name),
                        };
                    }
                }
                _ => {}
            }
        }
    }

    /// DROP FUNCTION … CASCADE takes the triggers that call it.
    pub(super) fn drop_triggers_calling(&mut self, function: &QName) {
        for table in self.tables_calling(function) {
            if let Some(relation) = self.known_mut(&table) {
                relation.triggers.retain(|trigger| trigger.function != *function);
            }
        }
    }

    /// Triggers call a function by its identity: they follow when it is renamed.
    pub(super) fn rename_called(&mut self, old: &QName, new: &QName) {
        for table in self.tables_calling(old) {
            self.catalog.note_word(&new.name, &table);
            if let Some(relation) = self.known_mut(&table) {
                for trigger in relation.triggers.iter_mut().filter(|trigger| trigger.function == *old) {
                    trigger.function = new.clone();
                }
            }
        }
    }

    pub(super) fn tables_calling(&self, function: &QName) -> Vec<QName> {
        let relations = self.catalog.relations_with(&function.name).into_iter();
        let calls = |relation: &&Relation| relation.triggers.iter().any(|it| it.function == *function);
        relations.filter(calls).map(|relation| relation.name.clone()).collect()
    }

    pub(super) fn drop_schema(&mut self, schema: &str) {
        self.catalog.schemas.remove(schema);
        for name in self.catalog.relations.in_schema(schema) {
            self.drop_relation(&name, true);
        }
        for name in self.catalog.types.in_schema(schema) {
            self.catalog.types.remove(&name);
        }
        for name in self.catalog.functions.in_schema(schema) {
            self.catalog.functions.remove(&name);
        }
    }

    /// Drops a relation with its partitions and, as CASCADE would, the foreign keys and views that need it.
    /// A relation goes, and with it its partitions, the views over it and the sequences it owns.
    pub(super) fn drop_relation(&mut self, name: &QName, cascade: bool) {
        // No recursion: views may stand on views a thousand deep.
        let mut open = vec![name.clone()];
        while let Some(name) = open.pop() {
            let Some(relation) = self.catalog.relations.get(&name).cloned() else { continue };
            let children = self.catalog.children.remove(&name).unwrap_or_default();
            if relation.is_partitioned() || cascade {
                open.extend(children);
            }
            for link in self.catalog.referencing.remove(&name).unwrap_or_default() {
                if let Some(other) = self.known_mut(&link.from) {
                    other.constraints.retain(|constraint| {
                        !matches!(&constraint.detail, ConstraintDetail::ForeignKey { target, .. } if *target == name)
                    });
                }
            }
            let views = self.catalog.views_over.remove(&name).unwrap_or_default();
            open.extend(views.into_iter().map(|link| link.from));
            let owned = self.catalog.sequences_of(&name).filter(|it| it.kind == RelationKind::Sequence);
            for sequence in owned.map(|it| it.name.clone()).collect::<Vec<_>>() {
                self.catalog.relations.remove(&sequence);
            }
            self.catalog.sequences.remove(&name);
            self.catalog.defaults.remove(&name);
            self.drop_readers(&name);
            self.forget_links(&name);
            self.catalog.relations.remove(&name);
        }
    }

    /// Policies and functions that named a relation go with it.
    fn drop_readers(&mut self, relation: &QName) {
        for reader in self.catalog.read_by.remove(relation).unwrap_or_default() {
            match reader {
                Reader::Policies(table) => {
                    if let Some(table) = self.known_mut(&table) {
                        table.policies.retain(|policy| !policy.reads(relation));
                    }
                }
                Reader::Rules(whose) => {
                    if let Some(whose) = self.known_mut(&whose) {
                        whose.rules.retain(|rule| !rule.names(relation));
                    }
                }
                Reader::Triggers(table) => {
                    if let Some(table) = self.known_mut(&table) {
                        table.triggers.retain(|trigger| trigger.from.as_ref() != Some(relation));
                    }
                }
                Reader::Function(name) => {
                    if let Some(functions) = self.catalog.functions.get_mut(&name) {
                        functions.retain(|function| !function.needs.relations.contains(relation));
                    }
                }
            }
        }
    }

    /// What calls a function goes with it: DROP … CASCADE.
    fn drop_callers(&mut self, function: &QName, arguments: Option<&[TypeName]>) {
        for caller in callers::of(self.catalog, self.path, function, arguments) {
            match caller {
                Caller::Default(table, column) => {
                    if let Some(column) = self.known_mut(&table).and_then(|it| it.column_mut(&column)) {
                        column.default = None;
                    }
                }
                Caller::Generated(table, column) => self.drop_column(&table, &column),
                Caller::Constraint(table, name) => self.drop_constraint(&table, &name),
                Caller::Index(table, name) => self.drop_index(&QName { schema: table.schema, name }),
                Caller::Policy(table, name) => {
                    if let Some(table) = self.known_mut(&table) {
                        table.policies.retain(|policy| policy.name != name);
                    }
                }
                Caller::View(name) => self.drop_relation(&name, true),
                Caller::Domain(name, check) => {
                    let found = self.catalog.types.get_mut(&name).map(Arc::make_mut);
                    if let Some(Type { kind: TypeKind::Domain(domain), .. }) = found {
                        domain.checks.retain(|(known, ..)| *known != check);
                    }
                }
                Caller::Function(name, arguments) => {
                    if let Some(functions) = self.catalog.functions.get_mut(&name) {
                        functions.retain(|known| known.definition.arguments != arguments);
                    }
                }
            }
        }
    }

    /// Takes a relation out of the reverse maps.
    pub(super) fn forget_links(&mut self, name: &QName) {
        let Some(relation) = self.catalog.relations.get(name).cloned() else { return };
        for index in &relation.indexes {
            self.catalog
                .indexes
                .remove(&QName { schema: relation.name.schema.clone(), name: index.name.clone() });
        }
        for known in &relation.statistics {
            self.catalog.statistics.remove(&known.name);
        }
        let parents = relation.inherits.iter().chain(relation.partition_of.as_ref().map(|of| &of.parent));
        for parent in parents {
            if let Some(children) = self.catalog.children.get_mut(parent) {
                children.remove(name);
            }
        }
        for constraint in &relation.constraints {
            if let ConstraintDetail::ForeignKey { target, .. } = &constraint.detail
                && let Some(tables) = self.catalog.referencing.get_mut(target)
            {
                tables.remove(name);
            }
        }
        for read in &relation.reads {
            if let Some(views) = self.catalog.views_over.get_mut(read) {
                views.remove(name);
            }
        }
        if let Some(tables) = relation.of_type.as_ref().and_then(|of| self.catalog.typed.get_mut(of)) {
            tables.remove(name);
        }
        self.catalog.children.remove(name);
        self.catalog.referencing.remove(name);
        self.catalog.views_over.remove(name);
    }

    pub(super) fn drop_index(&mut self, name: &QName) {
        let Some(table) = self.catalog.indexes.remove(name) else { return };
        let index = name.name.clone();
        if let Some(relation) = self.known_mut(&table) {
            relation.indexes.remove(&index);
        }
        // Its parts in the partitions go with it.
        let partitions: Vec<QName> = self.catalog.children(&table).cloned().collect();
        for partition in partitions {
            let Some(known) = self.catalog.relation(&partition) else { continue };
            let part = known.indexes.iter().find(|part| part.part_of.as_ref() == Some(&index));
            let Some((part, owner)) = part.map(|part| (part.name.clone(), part.constraint.clone())) else {
                continue;
            };
            match owner {
                Some(owner) => self.drop_constraint(&partition, &owner),
                None => self.drop_index(&QName { schema: partition.schema.clone(), name: part }),
            }
        }
    }

    /// The foreign keys that stand on an index go with it: it can't go otherwise.
    pub(super) fn drop_foreign_keys_on(&mut self, table: &QName, index: &str) {
        let keys = self.catalog.foreign_keys_on(table, index);
        self.drop_constraints(keys.into_iter().map(of_table).collect());
    }

    fn drop_constraints(&mut self, constraints: Vec<(QName, CompactString)>) {
        for (table, constraint) in constraints {
            self.drop_constraint(&table, &constraint);
        }
    }

    /// Drops a column with the indexes and constraints that it is part of, the foreign keys to it and the columns
    /// generated from it.
    pub(super) fn drop_column(&mut self, table: &QName, column: &str) {
        self.drop_column_of(std::slice::from_ref(table), column);
    }

    /// The same of several tables.
    pub(super) fn drop_column_of(&mut self, tables: &[QName], column: &str) {
        for sequence in self.sequences_of(tables, column) {
            self.catalog.relations.remove(&sequence);
        }
        for table in tables {
            self.forget_column(table, column);
        }
    }

    /// The sequences that a column of these tables owns.
    pub(super) fn sequences_of(&self, tables: &[QName], column: &str) -> Vec<QName> {
        let owned = tables.iter().flat_map(|table| self.catalog.sequences_of(table));
        let of_column = owned.filter(|it| it.owned_by.as_ref().is_some_and(|(_, by)| by == column));
        of_column.map(|it| it.name.clone()).collect()
    }

    fn forget_column(&mut self, table: &QName, column: &str) {
        let keys = self.catalog.foreign_keys_to_column(table, column);
        self.drop_constraints(keys.into_iter().map(of_table).collect());
        let Some(relation) = self.known_mut(table) else { return };
        let generated = relation.generated_from(column);
        let generated: Vec<CompactString> = generated.map(|column| column.name.clone()).collect();
        for column in generated {
            self.drop_column(table, &column);
        }
        let Some(relation) = self.known_mut(table) else { return };
        relation.columns.remove(column);
        let gone = relation.indexes.take_about(&[column], |index| {
            index.include.iter().any(|name| name == column)
                || index.keys.iter().any(|key| key.columns.iter().any(|name| name == column))
                || index.keys.iter().any(|key| key.column.as_deref() == Some(column))
        });
        let gone: FxHashSet<CompactString> = gone.into_iter().map(|index| index.name).collect();
        relation.constraints.take_about(&[column, ""], |constraint| match &constraint.detail {
            ConstraintDetail::Check { expr, .. } => expr.columns.iter().any(|name| name.value == column),
            ConstraintDetail::NotNull { column: name } => name == column,
            ConstraintDetail::PrimaryKey { columns, .. }
            | ConstraintDetail::Unique { columns, .. }
            | ConstraintDetail::ForeignKey { columns, .. } => columns.iter().any(|name| name == column),
            ConstraintDetail::Exclude { index } => gone.contains(index),
        });
        let of_column = |known: &mut Statistics| known.columns.iter().any(|name| name == column);
        let statistics: Vec<Statistics> = relation.statistics.extract_if(.., of_column).collect();
        relation.triggers.take_about(&[column], |it| it.columns.iter().any(|name| name == column));
        relation.policies.take_about(&[column], |it| it.names_column(column));
        for known in statistics {
            self.catalog.statistics.remove(&known.name);
        }
        let schema = table.schema.clone();
        for index in gone {
            self.catalog.indexes.remove(&QName { schema: schema.clone(), name: index });
        }
    }
}

/// Where a constraint is, and its name.
fn of_table((table, constraint): (&Relation, &Constraint)) -> (QName, CompactString) {
    (table.name.clone(), constraint.name.clone())
}
