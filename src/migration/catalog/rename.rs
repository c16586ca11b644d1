//! Replay of what renames and moves objects.

use std::sync::Arc;

use super::naming::cut;
use super::relation::{Constraint, ConstraintDetail, Relation, of_whole};
use super::{Function, Link, List, QName, Reader, Type, TypeKind};
use crate::migration::statement::{AlterObject, Name, ObjectChange, ObjectKind, RuleDefinition, TypeName};

use super::apply::Replay;

impl Replay<'_> {
    pub(super) fn alter_object(&mut self, alter: &AlterObject) {
        let name = &alter.name;
        match (alter.kind, &alter.change) {
            (
                ObjectKind::Table
                | ObjectKind::ForeignTable
                | ObjectKind::View
                | ObjectKind::MaterializedView
                | ObjectKind::Sequence
                | ObjectKind::Index,
                change,
            ) => {
                let old = self.resolve(name);
                match change {
                    ObjectChange::RenameTo(to) => {
                        let new = QName { schema: old.schema.clone(), name: cut(&to.value).into() };
                        self.rename_relation(&old, new);
                    }
                    ObjectChange::SetSchema(schema) => {
                        let new = QName { schema: schema.value.clone(), name: old.name.clone() };
                        self.rename_relation(&old, new);
                    }
                    _ => {}
                }
            }
            (ObjectKind::Type | ObjectKind::Domain, ObjectChange::RenameTo(to)) => {
                let old = self.catalog.resolve_type(name, self.path);
                let new = QName { schema: old.schema.clone(), name: to.value.clone() };
                self.rename_type(&old, new);
            }
            (ObjectKind::Type | ObjectKind::Domain, ObjectChange::SetSchema(schema)) => {
                let old = self.catalog.resolve_type(name, self.path);
                let new = QName { schema: schema.value.clone(), name: old.name.clone() };
                self.rename_type(&old, new);
            }
            (ObjectKind::Domain, ObjectChange::RenameConstraint { name: from, to }) => {
                if let Some(Type { kind: TypeKind::Domain(domain), .. }) = self.type_mut(name) {
                    domain.checks.rename(&from.value, |(known, ..)| *known = to.value.clone());
                }
            }
            (ObjectKind::Schema, ObjectChange::RenameTo(to)) => {
                let old = name.name.value.clone();
                if let Some(born) = self.catalog.schemas.remove(&old) {
                    self.catalog.schemas.insert(to.value.clone(), born);
                }
                for relation in self.catalog.relations.in_schema(&old) {
                    let new = QName { schema: to.value.clone(), name: relation.name.clone() };
                    self.rename_relation(&relation, new);
                }
                for named in self.catalog.types.in_schema(&old) {
                    let new = QName { schema: to.value.clone(), name: named.name.clone() };
                    self.rename_type(&named, new);
                }
            }
            (ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule, ObjectChange::RenameTo(to)) => {
                let Some(table) = &alter.on_table else { return };
                let table = self.resolve(table);
                let (old, new) = (name.name.value.clone(), to.value.clone());
                let Some(relation) = self.known_mut(&table) else { return };
                relation.triggers.rename(&old, |trigger| trigger.name = new.clone());
                relation.policies.rename(&old, |policy| policy.name = new.clone());
                relation.rules.rename(&old, |rule| rule.name = new.clone());
            }
            (ObjectKind::Statistics, ObjectChange::RenameTo(_) | ObjectChange::SetSchema(_)) => {
                let known = self.catalog.statistics(name, self.path);
                let Some((table, old)) = known.map(|(table, name)| (table.clone(), name)) else { return };
                let new = match &alter.change {
                    ObjectChange::RenameTo(to) => {
                        QName { schema: old.schema.clone(), name: cut(&to.value).into() }
                    }
                    ObjectChange::SetSchema(to) => QName { schema: to.value.clone(), name: old.name.clone() },
                    _ => return,
                };
                self.catalog.statistics.remove(&old);
                self.catalog.statistics.insert(new.clone(), table.clone());
                let statistics = self.known_mut(&table).map(|table| table.statistics.iter_mut());
                statistics.into_iter().flatten().filter(|known| known.name == old).for_each(|known| {
                    known.name = new.clone();
                });
            }
            (
                ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine,
                ObjectChange::RenameTo(_) | ObjectChange::SetSchema(_),
            ) => {
                let old = self.catalog.resolve_function(name, self.path);
                let new = match &alter.change {
                    ObjectChange::RenameTo(to) => {
                        QName { schema: old.schema.clone(), name: to.value.clone() }
                    }
                    ObjectChange::SetSchema(to) => QName { schema: to.value.clone(), name: old.name.clone() },
                    _ => return,
                };
                let meant = |function: &Function| {
                    alter.arguments.as_ref().is_none_or(|arguments| function.takes(arguments))
                };
                let known = self.catalog.functions.remove(&old).unwrap_or_default();
                let (mut moved, stays): (Vec<_>, Vec<_>) = known.into_iter().partition(meant);
                // A trigger calls the one without arguments.
                if alter.arguments.as_ref().is_none_or(Vec::is_empty) {
                    self.rename_called(&old, &new);
                }
                for function in &mut moved {
                    function.name = new.clone();
                    self.catalog.note_function(function);
                }
                if !stays.is_empty() {
                    self.catalog.functions.insert(old, stays);
                }
                if !moved.is_empty() {
                    self.catalog.functions.get_or_insert_with(&new, Vec::new).extend(moved);
                }
            }
            _ => {}
        }
    }

    pub(super) fn rename_type(&mut self, old: &QName, new: QName) {
        let Some(found) = self.catalog.types.remove(old) else { return };
        self.catalog.note_new_word(&old.name, &new.name);
        let using: Vec<QName> = self
            .catalog
            .relations_using_type(old)
            .into_iter()
            .map(|(relation, _)| relation.name.clone())
            .collect();
        let follow = |written: &mut TypeName| {
            let same_schema = written.name.schema.as_ref().is_some_and(|schema| schema.value == old.schema);
            if same_schema && written.name.name.value == old.name {
                written.name = Name::made(Some(&new.schema), &new.name);
            }
        };
        for relation in using {
            let Some(relation) = self.known_mut(&relation) else { continue };
            relation.columns.iter_mut().for_each(|column| follow(&mut column.type_name));
        }
        let over: Vec<QName> = self.catalog.types_with(&old.name).iter().map(|it| it.name.clone()).collect();
        for name in over {
            match self.catalog.types.get_mut(&name).map(|known| &mut Arc::make_mut(known).kind) {
                Some(TypeKind::Domain(domain)) => follow(&mut domain.base),
                Some(TypeKind::Composite(attributes)) => {
                    attributes.iter_mut().for_each(|attribute| follow(&mut attribute.type_name));
                }
                _ => {}
            }
        }
        if let Some(tables) = self.catalog.typed.remove(old) {
            for table in &tables {
                if let Some(of) = self.known_mut(table).and_then(|table| table.of_type.as_mut()) {
                    *of = new.clone();
                }
            }
            self.catalog.typed.insert(new.clone(), tables);
        }
        let renamed = Type { name: new.clone(), ..found.as_ref().clone() };
        self.catalog.types.insert(new.clone(), Arc::new(renamed));
        self.catalog.note_type_itself(&new);
    }

    /// What policies and bodies name follows.
    fn rename_read(&mut self, old: &QName, new: &QName) {
        let replace = |list: &mut Vec<QName>| {
            for name in list.iter_mut().filter(|name| *name == old) {
                *name = new.clone();
            }
        };
        let readers = self.catalog.read_by.remove(old).unwrap_or_default();
        for reader in &readers {
            match reader {
                Reader::Policies(table) => {
                    let policies = self.known_mut(table).map(|table| table.policies.iter_mut());
                    let named = policies.into_iter().flatten().flat_map(|policy| policy.expressions_mut());
                    named.for_each(|named| replace(&mut named.needs.relations));
                }
                Reader::Rules(whose) => {
                    let rules = self.known_mut(whose).map(|whose| whose.rules.iter_mut());
                    let known = rules.into_iter().flatten().filter_map(|rule| rule.definition.as_mut());
                    for definition in known {
                        let RuleDefinition { uses, changes, .. } = Arc::make_mut(definition);
                        let names = uses.iter_mut().map(|used| &mut used.name);
                        let names = names.chain(changes.iter_mut().map(|change| &mut change.target));
                        for name in names.filter(|name| of_whole(name) == *old) {
                            *name = Name::made(Some(&new.schema), &new.name);
                        }
                    }
                }
                Reader::Triggers(table) => {
                    let triggers = self.known_mut(table).map(|table| table.triggers.iter_mut());
                    let from = triggers.into_iter().flatten().filter_map(|trigger| trigger.from.as_mut());
                    from.filter(|from| *from == old).for_each(|from| *from = new.clone());
                }
                Reader::Function(name) => {
                    let functions = self.catalog.functions.get_mut(name).into_iter().flatten();
                    functions.for_each(|function| replace(&mut function.needs.relations));
                }
            }
        }
        if !readers.is_empty() {
            self.catalog.read_by.insert(new.clone(), readers);
        }
        for readers in self.catalog.read_by.values_mut() {
            for reader in readers {
                if let Reader::Policies(table) | Reader::Triggers(table) | Reader::Rules(table) = reader
                    && table == old
                {
                    *table = new.clone();
                }
            }
        }
    }

    /// Renames (or moves) a relation or an index; all that points to it follows.
    pub(super) fn rename_relation(&mut self, old: &QName, new: QName) {
        if let Some(table) = self.catalog.indexes.remove(old) {
            if let Some(relation) = self.known_mut(&table) {
                let Relation { indexes, constraints, .. } = relation;
                indexes.rename(&old.name, |index| {
                    // A constraint's index and the constraint share their name.
                    if let Some(owner) = index.constraint.take() {
                        constraints.rename(&owner, |constraint| {
                            constraint.name = new.name.clone();
                            if let Some(index) = constraint.detail.index_mut() {
                                *index = new.name.clone();
                            }
                        });
                        index.constraint = Some(new.name.clone());
                    }
                    index.name = new.name.clone();
                });
            }
            let partitions: Vec<QName> = self.catalog.children(&table).cloned().collect();
            for partition in partitions {
                let indexes = self.known_mut(&partition).map(|known| known.indexes.iter_mut());
                for part in indexes.into_iter().flatten() {
                    if part.part_of.as_ref() == Some(&old.name) {
                        part.part_of = Some(new.name.clone());
                    }
                }
            }
            self.catalog.indexes.insert(new, table);
            return;
        }
        let Some(relation) = self.catalog.relations.remove(old) else {
            self.applied.missing.push(old.clone());
            return;
        };
        let mut relation = Arc::unwrap_or_clone(relation);
        relation.name = new.clone();
        for index in &relation.indexes {
            self.catalog.indexes.remove(&QName { schema: old.schema.clone(), name: index.name.clone() });
            self.catalog
                .indexes
                .insert(QName { schema: new.schema.clone(), name: index.name.clone() }, new.clone());
        }
        for known in &relation.statistics {
            self.catalog.statistics.insert(known.name.clone(), new.clone());
        }
        let parents: Vec<QName> = relation
            .inherits
            .iter()
            .chain(relation.partition_of.as_ref().map(|of| &of.parent))
            .cloned()
            .collect();
        // Which relations have it in their lists is written in it: there may be many thousands.
        let targets: Vec<QName> = relation.constraints.iter().filter_map(target_of).cloned().collect();
        let reads = relation.reads.clone();
        if let Some(tables) = relation.of_type.as_ref().and_then(|of| self.catalog.typed.get_mut(of)) {
            tables.rename(old, |name| *name = new.clone());
        }
        self.catalog.list_sequence(&new, relation.owned_by.as_ref());
        self.catalog.touch(&new);
        self.catalog.relations.insert(new.clone(), Arc::new(relation));
        self.catalog.note_relation(&new);
        let replace = |list: &mut Vec<QName>| {
            for name in list.iter_mut().filter(|name| *name == old) {
                *name = new.clone();
            }
        };
        let replace_in = |list: &mut List<QName>| list.rename(old, |name| *name = new.clone());
        let relink = |list: &mut List<Link>| list.rename(old, |link| link.from = new.clone());
        for parent in &parents {
            self.catalog.children.get_mut(parent).map(replace_in);
        }
        self.catalog.list_default(&new);
        let children = self.catalog.children.remove(old).unwrap_or_default();
        for child in &children {
            if let Some(child) = self.known_mut(child) {
                replace(&mut child.inherits);
                if let Some(of) = child.partition_of.as_mut().filter(|of| of.parent == *old) {
                    of.parent = new.clone();
                }
            }
        }
        self.catalog.children.insert(new.clone(), children);
        if let Some(defaults) = self.catalog.defaults.remove(old) {
            self.catalog.defaults.insert(new.clone(), defaults);
        }
        let mut referencing = self.catalog.referencing.remove(old).unwrap_or_default();
        relink(&mut referencing);
        for link in &referencing {
            let Some(table) = self.known_mut(&link.from) else { continue };
            for constraint in table.constraints.iter_mut() {
                if let ConstraintDetail::ForeignKey { target, .. } = &mut constraint.detail
                    && target == old
                {
                    *target = new.clone();
                }
            }
        }
        self.catalog.referencing.insert(new.clone(), referencing);
        for target in &targets {
            self.catalog.referencing.get_mut(target).map(relink);
        }
        let views = self.catalog.views_over.remove(old).unwrap_or_default();
        for link in &views {
            if let Some(view) = self.known_mut(&link.from) {
                replace(&mut view.reads);
                for (of, _) in view.reads_columns.iter_mut().filter(|(of, _)| of == old) {
                    *of = new.clone();
                }
            }
        }
        self.catalog.views_over.insert(new.clone(), views);
        for read in &reads {
            self.catalog.views_over.get_mut(read).map(relink);
        }
        self.rename_read(old, &new);
        for (_, tables) in self.catalog.publications.values_mut() {
            replace_in(tables);
        }
        let owned: Vec<QName> = self.catalog.sequences_of(old).map(|it| it.name.clone()).collect();
        for name in owned {
            let Some(owner) = self.known_mut(&name).and_then(|it| it.owned_by.as_mut()) else { continue };
            owner.0 = new.clone();
            let owner = owner.clone();
            self.catalog.list_sequence(&name, Some(&owner));
        }
        self.catalog.sequences.remove(old);
    }
}

/// What a foreign key points to.
fn target_of(constraint: &Constraint) -> Option<&QName> {
    match &constraint.detail {
        ConstraintDetail::ForeignKey { target, .. } => Some(target),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::migration::catalog::QName;
    use crate::migration::lint::replay;
    use crate::migration::migration::Migration;

    fn of(name: &str) -> QName {
        QName::new("public", name)
    }

    #[test]
    fn what_points_to_a_relation_follows_its_name() {
        let sql = "
            CREATE TABLE a (id int PRIMARY KEY, k int) PARTITION BY RANGE (id);
            CREATE TABLE rest PARTITION OF a DEFAULT;
            CREATE TABLE one PARTITION OF a FOR VALUES FROM (1) TO (2);
            CREATE TABLE keyed (a int REFERENCES a);
            CREATE VIEW seen AS SELECT id FROM a;
            ALTER TABLE a RENAME TO b;
            ALTER TABLE rest RENAME TO others;
            ALTER TABLE keyed RENAME TO referring;
            ALTER VIEW seen RENAME TO shown;";
        let renamed = replay(&[Migration::whole("1.sql".into(), Arc::from(sql))]);
        let (a, b) = (of("a"), of("b"));
        assert_eq!(renamed.default_partition(&b), Some(&of("others")));
        assert_eq!(renamed.default_partition(&a), None);
        assert_eq!(renamed.children(&b).collect::<Vec<_>>(), [&of("others"), &of("one")]);
        let keys = renamed.foreign_keys_to(&b).into_iter();
        assert_eq!(keys.map(|(table, _)| &table.name).collect::<Vec<_>>(), [&of("referring")]);
        let views = renamed.views_over(&b).into_iter();
        assert_eq!(views.map(|view| &view.name).collect::<Vec<_>>(), [&of("shown")]);
        let sql = format!("{sql} ALTER TABLE b DETACH PARTITION others; DROP TABLE referring, b CASCADE;");
        let gone = replay(&[Migration::whole("1.sql".into(), Arc::from(sql))]);
        assert_eq!((gone.default_partition(&b), gone.children(&b).count()), (None, 0));
        assert!(gone.relation(&of("one")).is_none() && gone.relation(&of("others")).is_some());
    }
}
