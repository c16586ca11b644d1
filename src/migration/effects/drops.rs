//! DROP, and what goes with the dropped: dependents by CASCADE, partitions, foreign keys, their locks.

use compact_str::CompactString;

use super::DestroyedKind;
use super::columns::{member, names_word};
use super::computation::{Computation, object_kind};
use crate::migration::catalog::{Caller, ConstraintDetail, QName, Relation, RelationKind, callers};
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::{Drop, DropName, Name, ObjectKind, TypeName};

impl Computation<'_> {
    pub(super) fn drop(&mut self, drop: &Drop) {
        for object in &drop.names {
            self.drop_one(drop, object);
        }
    }

    fn drop_one(&mut self, drop: &Drop, object: &DropName) {
        match drop.kind {
            ObjectKind::Table
            | ObjectKind::ForeignTable
            | ObjectKind::View
            | ObjectKind::MaterializedView => {
                let relation = self.resolve(&object.name);
                if drop.if_exists && self.is_absent(&relation) {
                    return;
                }
                self.drop_relation(&relation, drop.kind, drop.cascade, None);
            }
            ObjectKind::Index => self.drop_index(drop, object),
            ObjectKind::Schema => self.drop_schema(&object.name, drop.cascade),
            ObjectKind::Type | ObjectKind::Domain => self.drop_type(&object.name, drop.kind, drop.cascade),
            ObjectKind::Sequence => {
                let sequence = self.resolve(&object.name);
                if drop.if_exists && self.is_absent(&sequence) {
                    return;
                }
                self.destroy_object(ObjectKind::Sequence, sequence.to_string(), None, false);
                if drop.cascade {
                    self.drop_defaults(&sequence.name);
                    // A serial column's default isn't kept as text.
                    let owner = self.relation(&sequence).and_then(|r| r.owned_by.clone());
                    let is_serial = |(table, column): &(QName, CompactString)| {
                        let default = self.relation(table).and_then(|r| r.column(column)?.default.as_ref());
                        default.is_some_and(|default| default.serial)
                    };
                    if let Some((table, column)) = owner.filter(is_serial) {
                        self.lock(
                            &table,
                            LockMode::AccessExclusive,
                            Some(format!("the default of {column} goes")),
                        );
                    }
                }
            }
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine | ObjectKind::Aggregate => {
                self.destroy_object(drop.kind, object.name.to_string(), None, false);
                if drop.cascade {
                    self.drop_uses_of_function(&object.name, object.arguments.as_deref());
                }
            }
            ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule => self.drop_on_table(drop, object),
            ObjectKind::Extension => {
                self.destroy_object(ObjectKind::Extension, object.name.to_string(), None, false);
                if drop.cascade {
                    self.effects.reversible = false;
                    // A type that an extension is named after (citext, hstore, ltree, geometry's postgis not).
                    self.drop_columns_of_type(&QName {
                        schema: CompactString::default(),
                        name: object.name.name.value.clone(),
                    });
                }
            }
            ObjectKind::Collation => {
                self.destroy_object(ObjectKind::Collation, object.name.to_string(), None, false);
                if drop.cascade {
                    let collation = &object.name.name.value;
                    let found: Vec<(QName, CompactString)> = self
                        .catalog
                        .relations()
                        .into_iter()
                        .flat_map(|r| r.columns.iter().map(move |c| (r, c)))
                        .filter(|(_, c)| c.collation.as_ref() == Some(collation))
                        .map(|(r, c)| (r.name.clone(), c.name.clone()))
                        .collect();
                    for (table, column) in found {
                        self.drop_dependent_column(&table, &column, &format!("uses collation {collation}"));
                    }
                }
            }
            ObjectKind::Statistics => {
                if let Some((table, _)) = self.catalog.statistics(&object.name, &self.session.search_path) {
                    self.lock(table, LockMode::ShareUpdateExclusive, None);
                }
                self.destroy_object(ObjectKind::Statistics, object.name.to_string(), None, false);
            }
            kind => self.destroy_object(kind, object.name.to_string(), None, false),
        }
    }

    /// A relation goes. `because`: it goes with something else.
    fn drop_relation(&mut self, name: &QName, kind: ObjectKind, cascade: bool, because: Option<String>) {
        let relation = self.relation(name);
        let kind = relation.map_or(kind, object_kind);
        let cascaded = because.is_some();
        if self.is_dropped(name) {
            return;
        }
        self.lock(name, LockMode::AccessExclusive, because);
        self.destroy_object(kind, name.to_string(), Some(name.clone()), cascaded);
        let Some(relation) = relation else { return };
        if let Some(partition) = &relation.partition_of
            && !self.is_dropped(&partition.parent)
        {
            let parent = partition.parent.clone();
            self.lock(&parent, LockMode::AccessExclusive, Some(format!("{name} is a partition of it")));
            if let Some(default) = self.default_partition(&parent)
                && default != *name
            {
                self.lock(
                    &default,
                    LockMode::AccessExclusive,
                    Some(format!("default partition of {parent}")),
                );
            }
        }
        for constraint in &relation.constraints {
            if let ConstraintDetail::ForeignKey { target, .. } = &constraint.detail
                // A partition's part of its parent's foreign key has no triggers on the target.
                && !self.is_part_of_key(relation, &constraint.name)
                && target != name
            {
                let partitioned = self.is_partitioned(target);
                let why = format!("target of {name}'s foreign key {}", constraint.name);
                self.lock_tree_because(target, !partitioned, LockMode::AccessExclusive, Some(why));
            }
        }
        // A constraint trigger goes with the table of its FROM, without CASCADE too.
        for (table, trigger) in self.catalog.triggers_from(name) {
            if table.name != *name {
                let why = format!("its trigger {} goes, which is FROM {name}", trigger.name);
                self.lock_tree_because(
                    &table.name,
                    !table.is_partitioned(),
                    LockMode::AccessExclusive,
                    Some(why),
                );
                self.destroy_object(ObjectKind::Trigger, member(&table.name, &trigger.name), None, true);
            }
        }
        let partitioned = relation.is_partitioned();
        for child in self.catalog.children(name).cloned().collect::<Vec<_>>() {
            if partitioned || cascade {
                let why = if partitioned {
                    format!("partition of {name}")
                } else {
                    format!("inherits from {name}")
                };
                self.drop_relation(&child, ObjectKind::Table, cascade, Some(why));
            }
        }
        if cascade {
            self.drop_dependents(relation);
        }
    }

    /// Whether a foreign key of a partition is its part of one of a table above.
    fn is_part_of_key(&self, partition: &Relation, name: &str) -> bool {
        let above = self.catalog.partition_ancestors(&partition.name);
        above.iter().any(|above| self.relation(above).is_some_and(|above| above.constraint(name).is_some()))
    }

    /// What CASCADE reaches from a relation.
    fn drop_dependents(&mut self, relation: &Relation) {
        let name = &relation.name;
        let views: Vec<QName> =
            self.catalog.views_over(name).into_iter().map(|view| view.name.clone()).collect();
        for view in views {
            self.drop_view_and_above(&view, &format!("reads {name}"));
        }
        for (whose, rule) in self.catalog.rules_over(name) {
            if whose.name != *name {
                let why = format!("its rule {} goes", rule.name);
                self.lock(&whose.name, LockMode::AccessExclusive, Some(why));
                self.destroy_object(ObjectKind::Rule, member(&whose.name, &rule.name), None, true);
            }
        }
        for (table, policy) in self.catalog.policies_over(name) {
            if table.name != *name {
                self.drop_policy(&table.name, &policy.name);
            }
        }
        for function in self.catalog.functions_over(name) {
            self.drop_dependent_function(&function.name, &function.definition.arguments);
        }
        // A foreign key to a partitioned table is one to each partition.
        let mut targets = vec![name.clone()];
        targets.extend(self.catalog.partition_ancestors(name));
        for target in targets {
            let referencing: Vec<(QName, CompactString)> = self
                .catalog
                .foreign_keys_to(&target)
                .into_iter()
                .filter(|(table, _)| table.name != *name)
                .map(|(table, constraint)| (table.name.clone(), constraint.name.clone()))
                .collect();
            for (table, constraint) in referencing {
                self.drop_foreign_key_to(&target, &table, &constraint);
            }
        }
        self.drop_columns_of_type(name);
        if relation.kind == RelationKind::Table {
            let mut owned: Vec<QName> =
                self.catalog.sequences_of(name).map(|sequence| sequence.name.clone()).collect();
            owned.sort();
            for sequence in owned {
                self.drop_defaults(&sequence.name);
            }
        }
    }

    pub(super) fn drop_view_and_above(&mut self, view: &QName, why: &str) {
        let Some(relation) = self.relation(view) else { return };
        let kind = object_kind(relation);
        self.drop_relation(view, kind, true, Some(why.to_owned()));
    }

    fn drop_index(&mut self, drop: &Drop, object: &DropName) {
        let name = self.resolve(&object.name);
        let Some((table, _)) = self.catalog.index(&name) else {
            if !(drop.if_exists && self.catalog.would_hold(&name)) {
                self.destroy_object(ObjectKind::Index, name.to_string(), None, false);
            }
            return;
        };
        let mode = if drop.concurrently { LockMode::ShareUpdateExclusive } else { LockMode::AccessExclusive };
        let partitioned = table.is_partitioned();
        self.lock_tree(&table.name.clone(), !partitioned, mode);
        self.destroy_object(ObjectKind::Index, name.to_string(), None, false);
        if drop.cascade {
            self.drop_foreign_keys_on(&table.name, &name.name);
        }
    }

    fn drop_schema(&mut self, name: &Name, cascade: bool) {
        let schema = name.name.value.clone();
        self.destroy_object(ObjectKind::Schema, schema.to_string(), None, false);
        if !cascade {
            // It can only be empty.
            return;
        }
        self.effects.reversible = false;
        for relation in self.catalog.relations_in(&schema) {
            let why = format!("in schema {schema}");
            self.drop_relation(&relation.name, object_kind(relation), true, Some(why));
        }
        for found in self.catalog.types_in(&schema) {
            self.drop_columns_of_type(&found.name);
        }
    }

    fn drop_type(&mut self, name: &Name, kind: ObjectKind, cascade: bool) {
        let name = self.catalog.resolve_type(name, &self.session.search_path);
        self.destroy_object(kind, name.to_string(), None, false);
        if cascade {
            self.drop_columns_of_type(&name);
            for table in self.catalog.tables_of_type(&name) {
                self.drop_relation(
                    &table.name,
                    ObjectKind::Table,
                    true,
                    Some(format!("is of the type {name}")),
                );
            }
        }
    }

    fn drop_columns_of_type(&mut self, name: &QName) {
        let found: Vec<(QName, Vec<CompactString>)> = if name.schema.is_empty() {
            self.catalog
                .relations()
                .into_iter()
                .map(|r| {
                    let used = r.columns.iter().filter(|c| c.type_name.name.name.value == name.name);
                    (r.name.clone(), used.map(|c| c.name.clone()).collect())
                })
                .filter(|(_, columns): &(QName, Vec<CompactString>)| !columns.is_empty())
                .collect()
        } else {
            self.catalog
                .relations_using_type(name)
                .into_iter()
                .map(|(r, columns)| (r.name.clone(), columns.into_iter().map(|c| c.name.clone()).collect()))
                .collect()
        };
        for (table, columns) in found {
            for column in columns {
                self.drop_dependent_column(&table, &column, &format!("has a column of type {}", name.name));
            }
        }
    }

    fn drop_dependent_column(&mut self, table: &QName, column: &str, why: &str) {
        self.lock_tree_because(table, false, LockMode::AccessExclusive, Some(why.to_owned()));
        self.column_goes(table, false, column, true, true);
    }

    /// Column defaults that name a sequence or function: their tables are locked.
    fn drop_defaults(&mut self, named: &str) {
        let mut found: Vec<(QName, CompactString)> = Vec::new();
        for relation in self.catalog.relations_with(named) {
            for column in &relation.columns {
                if column.default.as_ref().is_some_and(|default| names_word(&default.text, named)) {
                    found.push((relation.name.clone(), column.name.clone()));
                }
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        for (table, column) in found {
            self.lock(&table, LockMode::AccessExclusive, Some(format!("the default of {column} goes")));
        }
    }

    fn drop_uses_of_function(&mut self, name: &Name, arguments: Option<&[TypeName]>) {
        let function = self.catalog.resolve_function(name, &self.session.search_path);
        let mut found: Vec<(QName, String)> = Vec::new();
        for relation in self.catalog.relations_with(&function.name) {
            for trigger in relation.triggers.iter().filter(|trigger| trigger.function == function) {
                found.push((relation.name.clone(), format!("its trigger {} goes", trigger.name)));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        for (table, why) in found {
            let partitioned = self.is_partitioned(&table);
            self.lock_tree_because(&table, !partitioned, LockMode::AccessExclusive, Some(why));
        }
        self.drop_callers(&function, arguments);
    }

    fn drop_callers(&mut self, function: &QName, arguments: Option<&[TypeName]>) {
        for caller in callers::of(self.catalog, &self.session.search_path, function, arguments) {
            match caller {
                Caller::Default(table, column) => {
                    let why = format!("the default of {column} goes");
                    self.lock(&table, LockMode::AccessExclusive, Some(why));
                }
                Caller::Generated(table, column) => {
                    self.drop_dependent_column(
                        &table,
                        &column,
                        &format!("{column} is generated with {function}"),
                    );
                }
                Caller::Constraint(table, name) => {
                    let why = format!("its constraint {name} goes");
                    self.lock_tree_because(&table, false, LockMode::AccessExclusive, Some(why));
                    self.destroy_object(ObjectKind::Constraint, name.to_string(), None, true);
                }
                Caller::Index(table, name) => {
                    let partitioned = self.is_partitioned(&table);
                    let why = format!("its index {name} goes");
                    self.lock_tree_because(&table, !partitioned, LockMode::AccessExclusive, Some(why));
                    let index = QName { schema: table.schema, name };
                    self.destroy_object(ObjectKind::Index, index.to_string(), None, true);
                }
                Caller::Policy(table, name) => self.drop_policy(&table, &name),
                Caller::View(view) => self.drop_view_and_above(&view, &format!("calls {function}")),
                Caller::Domain(domain, name) => {
                    self.destroy_object(ObjectKind::Constraint, member(&domain, &name), None, true);
                }
                Caller::Function(name, arguments) => self.drop_dependent_function(&name, &arguments),
            }
        }
    }

    /// A policy goes with something that it names.
    fn drop_policy(&mut self, table: &QName, name: &str) {
        let why = format!("its policy {name} goes");
        self.lock(table, LockMode::AccessExclusive, Some(why));
        self.destroy_object(ObjectKind::Policy, member(table, name), None, true);
    }

    /// A function goes with something that its body names, and what calls it goes with it.
    fn drop_dependent_function(&mut self, name: &QName, arguments: &[TypeName]) {
        let shown = name.to_string();
        if !self.is_destroyed(DestroyedKind::Object(ObjectKind::Function), &shown) {
            self.destroy_object(ObjectKind::Function, shown, None, true);
            self.drop_callers(name, Some(arguments));
        }
    }

    fn drop_on_table(&mut self, drop: &Drop, object: &DropName) {
        let Some(table) = &object.on_table else { return };
        let table = self.resolve(table);
        if drop.if_exists {
            let name = &object.name.name.value;
            let known = self.relation(&table);
            let there = known.is_some_and(|relation| match drop.kind {
                ObjectKind::Trigger => relation.triggers.has(name),
                ObjectKind::Policy => relation.policies.has(name),
                _ => relation.rules.has(name),
            });
            if !there && self.catalog.would_hold(&table) {
                return;
            }
        }
        let copies = drop.kind == ObjectKind::Trigger && self.has_copies(&table, object.name.name.as_str());
        self.lock_tree(&table, !copies, LockMode::AccessExclusive);
        self.destroy_object(drop.kind, member(&table, &object.name.name.value), None, false);
    }
}
