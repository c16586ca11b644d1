//! Replay of what makes tables, columns, constraints and indexes.

use std::sync::Arc;

use compact_str::CompactString;

use super::index_columns;
use super::naming::{choose, cut};
use super::relation::{
    Born, Column, ColumnDefault, Constraint, ConstraintDetail, Generated, Index, IndexKey, Partition,
    Relation, RelationKind, Statistics,
};
use super::{QName, Type, TypeKind};
use crate::migration::statement::{
    self as sql, ColumnDefinition, ConstraintKind, CreateIndex, CreateTable, Expr, Ident, IndexColumn, Name,
    Persistence, TypeName,
};

use super::apply::Replay;

/// PostgreSQL refuses more (MaxHeapAttributeNumber). What is beyond isn't kept, lest a file of many thousand columns take
/// minutes.
pub(super) const MAX_COLUMNS: usize = 1600;

impl Replay<'_> {
    pub(super) fn add_relation(&mut self, name: QName, mut relation: Relation) {
        relation.name = name.clone();
        self.catalog.has_temporary |= name.schema == super::TEMPORARY;
        if self.catalog.relations.contains_key(&name) {
            self.forget_links(&name);
        }
        self.catalog.list_sequence(&name, relation.owned_by.as_ref());
        self.catalog.touch(&name);
        self.catalog.relations.insert(name, Arc::new(relation));
    }

    pub(super) fn create_table(&mut self, create: &CreateTable) {
        let name = self.new_name(&create.name, create.persistence == Persistence::Temporary);
        if create.if_not_exists && self.catalog.relations.contains_key(&name) {
            return;
        }
        let born = self.born_if(create.if_not_exists);
        let mut relation = Relation {
            name: name.clone(),
            kind: if create.foreign {
                RelationKind::ForeignTable
            } else if create.partition_by.is_some() {
                RelationKind::PartitionedTable
            } else {
                RelationKind::Table
            },
            columns_known: true,
            persistence: create.persistence,
            partition_by: create.partition_by.clone(),
            born,
            ..Relation::default()
        };
        self.catalog.has_temporary |= name.schema == super::TEMPORARY;
        self.catalog.touch(&name);
        self.catalog.relations.insert(name.clone(), Arc::new(relation.clone()));

        // What comes from elsewhere comes first, as in PostgreSQL.
        let mut parents: Vec<QName> = create.inherits.iter().map(|parent| self.resolve(parent)).collect();
        relation.inherits = parents.clone();
        if let Some(of) = &create.partition_of {
            let parent = self.resolve(&of.parent);
            relation.partition_of = Some(Partition { parent: parent.clone(), bound: Some(of.bound.clone()) });
            parents.push(parent);
        }
        for parent in &parents {
            match self.catalog.relations.get(parent).cloned() {
                Some(parent) => {
                    for column in &parent.columns {
                        if relation.column(&column.name).is_none() {
                            relation.columns.push(Column { born, ..column.clone() });
                        }
                    }
                    relation.columns_known &= parent.columns_known;
                    let inherited = parent.constraints.iter().filter(|constraint| {
                        !constraint.no_inherit && matches!(constraint.detail, ConstraintDetail::Check { .. })
                    });
                    relation.constraints.extend(inherited.map(|c| Constraint { born, ..c.clone() }));
                }
                None => {
                    relation.columns_known = false;
                    self.applied.missing.push(parent.clone());
                }
            }
        }
        if let Some(of_type) = &create.of_type {
            let of_type = self.catalog.resolve_type(of_type, self.path);
            match self.catalog.type_named(&of_type).map(|found| found.kind.clone()) {
                Some(TypeKind::Composite(columns)) => {
                    relation.columns = columns.into_iter().map(|column| Column { born, ..column }).collect();
                }
                _ => relation.columns_known = false,
            }
            self.catalog.typed.get_or_default(&of_type).push(name.clone());
            relation.of_type = Some(of_type);
        }
        for like in &create.like {
            self.copy_like(&mut relation, like);
        }
        let made_before = relation.constraints.end();
        let is_copied = !relation.columns.is_empty();
        self.catalog.relations.insert(name.clone(), Arc::new(relation));
        if is_copied {
            self.catalog.note_relation(&name);
        }
        for parent in parents {
            self.catalog.children.get_or_default(&parent).push(name.clone());
        }
        self.catalog.list_default(&name);

        for column in &create.columns {
            self.add_column(&name, column, born);
        }
        for constraint in &create.constraints {
            self.add_constraint(&name, constraint, None, born);
        }
        self.merge_equal_keys(&name, made_before);
        if let Some(of) = &create.partition_of {
            let parent = self.resolve(&of.parent);
            self.copy_parent_indexes(&parent, &name);
        }
    }

    /// A partition gets the indexes (with their constraints) and foreign keys of its parent.
    pub(super) fn copy_parent_indexes(&mut self, parent: &QName, partition: &QName) {
        let Some(parent) = self.catalog.relations.get(parent).cloned() else { return };
        let born = self.born;
        for index in &parent.indexes {
            let columns = index.column_names();
            let primary =
                parent.primary_key().is_some_and(|key| Some(&key.name) == index.constraint.as_ref());
            let (columns, label) = match (primary, &index.constraint) {
                (true, _) => (String::new(), "pkey"),
                (false, Some(_)) => (columns, "key"),
                (false, None) => (columns, "idx"),
            };
            let chosen = choose(&partition.name, &columns, label, |candidate| {
                self.taken(&partition.schema, candidate)
            });
            let constraint = index.constraint.as_ref().map(|_| chosen.clone());
            let part_of = Some(index.name.clone());
            let owner = index.constraint.as_ref().and_then(|owner| parent.constraint(owner)).cloned();
            if let Some(relation) = self.known_mut(partition) {
                if let Some(own) = relation.part_of(&parent, index, false, &[]).map(|own| own.name.clone()) {
                    relation.indexes.change(&own, |own| own.part_of.clone_from(&part_of));
                    continue;
                }
                relation.indexes.push(Index {
                    name: chosen.clone(),
                    constraint,
                    part_of,
                    born,
                    ..index.clone()
                });
                if let Some(owner) = owner {
                    let detail = match owner.detail {
                        ConstraintDetail::PrimaryKey { columns, .. } => {
                            ConstraintDetail::PrimaryKey { columns, index: chosen.clone() }
                        }
                        ConstraintDetail::Unique { columns, .. } => {
                            ConstraintDetail::Unique { columns, index: chosen.clone() }
                        }
                        other => other,
                    };
                    let name = chosen.clone();
                    relation.constraints.push(Constraint { name, detail, born, ..owner });
                }
            }
            self.catalog.note_index(index, partition);
            self.catalog
                .indexes
                .insert(QName { schema: partition.schema.clone(), name: chosen }, partition.clone());
        }
        self.copy_foreign_keys(&parent, partition);
    }

    /// A partition gets the foreign keys of its parent that it has no part of.
    fn copy_foreign_keys(&mut self, parent: &Relation, partition: &QName) {
        let born = self.born;
        let foreign_keys: Vec<Constraint> = parent
            .constraints
            .iter()
            .filter(|constraint| matches!(constraint.detail, ConstraintDetail::ForeignKey { .. }))
            .cloned()
            .collect();
        for foreign_key in foreign_keys {
            if self.catalog.relation(partition).is_none_or(|own| own.constraint(&foreign_key.name).is_some())
            {
                continue;
            }
            if let ConstraintDetail::ForeignKey { target, target_columns, .. } = &foreign_key.detail {
                self.catalog.link_foreign_key(target, partition, target_columns);
            }
            self.ensure(partition).constraints.push(Constraint { born, ..foreign_key });
        }
    }

    pub(super) fn copy_like(&mut self, relation: &mut Relation, like: &sql::LikeClause) {
        let source = self.resolve(&like.source);
        let Some(source) = self.catalog.relations.get(&source).cloned() else {
            relation.columns_known = false;
            return;
        };
        let including = |what: &str| {
            like.options.iter().fold(
                false,
                |on, (include, word)| {
                    if word == "all" || word == what { *include } else { on }
                },
            )
        };
        for column in &source.columns {
            relation.columns.push(Column {
                default: column.default.clone().filter(|_| including("defaults")),
                generated: column.generated.clone().filter(|_| including("generated")),
                identity: column.identity.filter(|_| including("identity")),
                born: relation.born,
                ..column.clone()
            });
        }
        relation.columns_known &= source.columns_known;
        if including("constraints") {
            let checks =
                source.constraints.iter().filter(|c| matches!(c.detail, ConstraintDetail::Check { .. }));
            relation.constraints.extend(checks.map(|c| Constraint { born: relation.born, ..c.clone() }));
        }
        if including("indexes") {
            for index in &source.indexes {
                let columns = index.column_names();
                let owner = index.constraint.as_ref().and_then(|owner| source.constraint(owner));
                let (columns, label) = match owner.map(|owner| &owner.detail) {
                    Some(ConstraintDetail::PrimaryKey { .. }) => (String::new(), "pkey"),
                    Some(_) => (columns, "key"),
                    None => (columns, "idx"),
                };
                let taken = |candidate: &str| self.taken(&relation.name.schema, candidate);
                let name = choose(&relation.name.name, &columns, label, taken);
                self.catalog.indexes.insert(
                    QName { schema: relation.name.schema.clone(), name: name.clone() },
                    relation.name.clone(),
                );
                if let Some(owner) = owner {
                    let detail = match &owner.detail {
                        ConstraintDetail::PrimaryKey { columns, .. } => {
                            ConstraintDetail::PrimaryKey { columns: columns.clone(), index: name.clone() }
                        }
                        ConstraintDetail::Unique { columns, .. } => {
                            ConstraintDetail::Unique { columns: columns.clone(), index: name.clone() }
                        }
                        other => other.clone(),
                    };
                    relation.constraints.push(Constraint {
                        name: name.clone(),
                        detail,
                        born: relation.born,
                        ..owner.clone()
                    });
                }
                let constraint = owner.map(|_| name.clone());
                relation.indexes.push(Index {
                    name,
                    constraint,
                    part_of: None,
                    born: relation.born,
                    ..index.clone()
                });
            }
        }
    }

    /// Adds a column with its constraints.
    pub(super) fn add_column(&mut self, table: &QName, definition: &ColumnDefinition, born: Born) {
        let relation = self.catalog.relation(table);
        let known = relation.and_then(|relation| relation.column(&definition.name.value));
        let existing = known.is_some();
        if !existing && relation.is_some_and(|relation| relation.columns.len() >= MAX_COLUMNS) {
            return;
        }
        let mut column = match known {
            // Column options of a partition or typed table; or an inherited column written again.
            Some(known) => known.clone(),
            None => Column { name: cut(&definition.name.value).into(), born, ..Column::default() },
        };
        if let Some(type_name) = &definition.type_name {
            column.type_name = self.stored_type(type_name);
        }
        if let Some(collation) = &definition.collation {
            column.collation = Some(collation.name.value.clone());
        }
        let serial = match column.type_name.name.name.as_str() {
            "serial2" => Some("int2"),
            "serial4" => Some("int4"),
            "serial8" => Some("int8"),
            _ => None,
        };
        if let Some(integer) = serial {
            column.type_name.name = Name::made(None, integer);
            column.not_null = true;
            column.default = Some(ColumnDefault { text: String::new(), serial: true });
        }
        // A domain's NOT NULL is none of the column: SET NOT NULL reads the table all the same.
        if let Some(Type { kind: TypeKind::Domain(domain), .. }) = self.catalog.type_of(&column.type_name)
            && column.default.is_none()
        {
            column.default = domain.default.clone();
        }
        for constraint in &definition.constraints {
            match &constraint.kind {
                ConstraintKind::NotNull { .. } if constraint.not_valid => {}
                ConstraintKind::NotNull { .. } => column.not_null = true,
                ConstraintKind::Default(expr) => {
                    column.default = self.default_at(expr.span);
                }
                ConstraintKind::Generated { expr, stored } => {
                    column.generated = Some(Generated {
                        text: self.slice(expr.span),
                        stored: *stored,
                        columns: expr.columns.iter().map(|column| column.value.clone()).collect(),
                    });
                }
                ConstraintKind::Identity { always, .. } => {
                    column.identity = Some(*always);
                    column.not_null = true;
                }
                _ => {}
            }
        }
        self.catalog.note_column(&column, table);
        let name = column.name.clone();
        let owns_sequence = serial.is_some() || column.identity.is_some();
        let relation = self.ensure(table);
        match existing {
            true => relation.columns.change(&name, |known| known.clone_from(&column)),
            false => relation.columns.push(column),
        }
        if owns_sequence && !existing {
            self.own_sequence(table, &name, None, born);
        }
        for constraint in &definition.constraints {
            self.add_constraint(table, constraint, Some(&definition.name), born);
        }
    }

    /// The sequence of a serial or identity column, under the name written or else PostgreSQL's choice.
    pub(super) fn own_sequence(&mut self, table: &QName, column: &str, written: Option<QName>, born: Born) {
        let name = written.unwrap_or_else(|| {
            let taken = |candidate: &str| self.taken(&table.schema, candidate);
            QName { schema: table.schema.clone(), name: choose(&table.name, column, "seq", taken) }
        });
        let relation = Relation {
            kind: RelationKind::Sequence,
            columns_known: true,
            owned_by: Some((table.clone(), column.into())),
            born,
            ..Relation::default()
        };
        self.add_relation(name, relation);
    }

    /// A type as columns store it: with its schema where migrations made it.
    pub(super) fn stored_type(&mut self, written: &TypeName) -> TypeName {
        let mut stored = written.clone();
        let resolved = self.catalog.resolve_type(&written.name, self.path);
        if self.catalog.types.contains_key(&resolved) {
            stored.name = Name::made(Some(&resolved.schema), &resolved.name);
        }
        stored
    }

    /// Adds a table or column constraint. DEFAULT, GENERATED and IDENTITY belong to the column.
    pub(super) fn add_constraint(
        &mut self,
        table: &QName,
        constraint: &sql::Constraint,
        column: Option<&Ident>,
        born: Born,
    ) {
        let list = |columns: &[Ident]| -> Vec<CompactString> {
            columns.iter().map(|column| CompactString::from(cut(&column.value))).collect()
        };
        let of_column = |columns: &[Ident]| match column {
            Some(column) if columns.is_empty() => vec![CompactString::from(cut(&column.value))],
            _ => list(columns),
        };
        let mut validated = !constraint.not_valid;
        let (detail, label, columns) = match &constraint.kind {
            ConstraintKind::NotNull { column } => {
                let name = CompactString::from(cut(&column.value));
                if validated {
                    if let Some(column) =
                        self.known_mut(table).and_then(|relation| relation.column_mut(&name))
                    {
                        column.not_null = true;
                    }
                    // PostgreSQL before 18 keeps no constraint for it; a named one matters to later statements.
                    if constraint.name.is_none() {
                        return;
                    }
                }
                (ConstraintDetail::NotNull { column: name.clone() }, "not_null", vec![name])
            }
            ConstraintKind::Check(expr) => {
                let mut named: Vec<CompactString> = Vec::new();
                for column in &expr.columns {
                    if !named.contains(&column.value) {
                        named.push(column.value.clone());
                    }
                }
                let label_columns = match (column, named.as_slice()) {
                    (Some(column), _) => vec![column.value.clone()],
                    (None, [one]) => vec![one.clone()],
                    _ => Vec::new(),
                };
                validated &= constraint.enforced != Some(false);
                (
                    ConstraintDetail::Check { expr: expr.clone(), text: self.slice(expr.span) },
                    "check",
                    label_columns,
                )
            }
            ConstraintKind::ForeignKey(key) => {
                let columns = of_column(&key.columns);
                let target = self.resolve(&key.target);
                let mut target_columns = list(&key.target_columns);
                if target_columns.is_empty()
                    && let Some(ConstraintDetail::PrimaryKey { columns, .. }) =
                        self.catalog.relation(&target).and_then(Relation::primary_key).map(|c| &c.detail)
                {
                    target_columns = columns.clone();
                }
                self.catalog.link_foreign_key(&target, table, &target_columns);
                validated &= constraint.enforced != Some(false);
                (
                    ConstraintDetail::ForeignKey {
                        columns: columns.clone(),
                        target,
                        target_columns,
                        on_delete: key.on_delete,
                        on_update: key.on_update,
                    },
                    "fkey",
                    columns,
                )
            }
            ConstraintKind::Unique(index) | ConstraintKind::PrimaryKey(index) => {
                let primary = matches!(constraint.kind, ConstraintKind::PrimaryKey(_));
                self.add_index_constraint(table, constraint, index, primary, of_column(&index.columns), born);
                return;
            }
            ConstraintKind::Exclude { method, columns, predicate } => {
                let keys: Vec<IndexKey> = columns.iter().map(|key| self.index_key(key)).collect();
                let name =
                    self.constraint_name(table, constraint, &index_columns::joined(&keys, &[]), "excl");
                let index = Index {
                    name: name.clone(),
                    method: method.as_ref().map_or_else(|| "gist".into(), |method| method.value.clone()),
                    keys,
                    predicate: predicate.as_ref().map(|predicate| self.slice(predicate.span)),
                    valid: true,
                    constraint: Some(name.clone()),
                    born,
                    span: constraint.span,
                    ..Index::default()
                };
                self.add_index(table, index);
                let detail = ConstraintDetail::Exclude { index: name.clone() };
                self.push_constraint(table, constraint, name, detail, true, born);
                return;
            }
            ConstraintKind::Null
            | ConstraintKind::Default(_)
            | ConstraintKind::Generated { .. }
            | ConstraintKind::Identity { .. } => return,
        };
        let name = self.constraint_name(table, constraint, &columns.join("_"), label);
        self.push_constraint(table, constraint, name, detail, validated, born);
    }

    pub(super) fn constraint_name(
        &self,
        table: &QName,
        constraint: &sql::Constraint,
        columns: &str,
        label: &str,
    ) -> CompactString {
        match &constraint.name {
            Some(name) => cut(&name.value).into(),
            None => self.catalog.choose_name(table, columns, label),
        }
    }

    pub(super) fn push_constraint(
        &mut self,
        table: &QName,
        constraint: &sql::Constraint,
        name: CompactString,
        detail: ConstraintDetail,
        validated: bool,
        born: Born,
    ) {
        let made = Constraint {
            named: constraint.name.is_some(),
            detail,
            validated,
            enforced: constraint.enforced != Some(false),
            deferrable: constraint.deferrable == Some(true) || constraint.initially_deferred == Some(true),
            no_inherit: constraint.no_inherit,
            born,
            span: constraint.span,
            name,
        };
        if let ConstraintDetail::Check { expr, .. } = &made.detail {
            self.catalog.note_calls(&expr.calls, table);
        }
        self.ensure(table).constraints.push(made);
    }

    pub(super) fn add_index_constraint(
        &mut self,
        table: &QName,
        constraint: &sql::Constraint,
        written: &sql::IndexConstraint,
        primary: bool,
        mut columns: Vec<CompactString>,
        born: Born,
    ) {
        let label = if primary { "pkey" } else { "key" };
        let name = match (&constraint.name, &written.using_index) {
            (None, Some(index)) => index.value.clone(),
            _ => self.constraint_name(
                table,
                constraint,
                &if primary {
                    String::new()
                } else {
                    let include = written.include.iter().map(|column| column.value.as_str());
                    columns.iter().map(CompactString::as_str).chain(include).collect::<Vec<_>>().join("_")
                },
                label,
            ),
        };
        if let Some(using) = &written.using_index {
            // The index takes the constraint's name.
            let old = QName { schema: table.schema.clone(), name: using.value.clone() };
            self.catalog.indexes.remove(&old);
            self.catalog
                .indexes
                .insert(QName { schema: table.schema.clone(), name: name.clone() }, table.clone());
            let relation = self.ensure(table);
            relation.indexes.rename(&using.value, |index| {
                index.name = name.clone();
                index.constraint = Some(name.clone());
                columns = index.keys.iter().filter_map(|key| key.column.clone()).collect();
            });
        } else {
            let index = Index {
                name: name.clone(),
                unique: true,
                method: "btree".into(),
                keys: columns.iter().map(plain_key).collect(),
                include: written.include.iter().map(|column| column.value.clone()).collect(),
                valid: true,
                nulls_not_distinct: written.nulls_not_distinct,
                constraint: Some(name.clone()),
                born,
                span: constraint.span,
                ..Index::default()
            };
            self.add_index(table, index);
        }
        if primary {
            let relation = self.ensure(table);
            for name in &columns {
                if let Some(column) = relation.column_mut(name) {
                    column.not_null = true;
                }
            }
        }
        let detail = if primary {
            ConstraintDetail::PrimaryKey { columns, index: name.clone() }
        } else {
            ConstraintDetail::Unique { columns, index: name.clone() }
        };
        self.push_constraint(table, constraint, name, detail, true, born);
    }

    pub(super) fn add_index(&mut self, table: &QName, index: Index) {
        self.catalog
            .indexes
            .insert(QName { schema: table.schema.clone(), name: index.name.clone() }, table.clone());
        self.catalog.note_index(&index, table);
        self.ensure(table).indexes.push(index);
    }

    pub(super) fn index_key(&self, key: &IndexColumn) -> IndexKey {
        IndexKey::of(key, &self.slice(key.expr.span))
    }

    pub(super) fn create_index(&mut self, create: &CreateIndex) {
        let table = self.resolve(&create.table);
        let keys: Vec<IndexKey> = create.columns.iter().map(|key| self.index_key(key)).collect();
        let include: Vec<CompactString> = create.include.iter().map(|column| column.value.clone()).collect();
        let name = match &create.name {
            Some(name) => CompactString::from(cut(&name.value)),
            None => {
                let taken = |candidate: &str| self.taken(&table.schema, candidate);
                choose(&table.name, &index_columns::joined(&keys, &include), "idx", taken)
            }
        };
        let known = QName { schema: table.schema.clone(), name: name.clone() };
        if create.if_not_exists && self.catalog.indexes.contains_key(&known) {
            return;
        }
        let partitioned = self.catalog.relation(&table).is_some_and(Relation::is_partitioned);
        let index = Index {
            name,
            unique: create.unique,
            method: create.method.as_ref().map_or_else(|| "btree".into(), |method| method.value.clone()),
            keys,
            include,
            predicate: create.predicate.as_ref().map(|predicate| self.slice(predicate.span)),
            valid: !(create.only && partitioned && self.catalog.has_children(&table)),
            nulls_not_distinct: create.nulls_not_distinct,
            constraint: None,
            part_of: None,
            born: self.born_if(create.if_not_exists),
            span: create.name.as_ref().map_or(create.table.span(), |name| name.span),
            bytes: None,
        };
        let recurse = partitioned && !create.only;
        self.add_index(&table, index);
        if recurse {
            self.spread_indexes(&table);
        }
    }

    /// Gives the foreign keys of a partitioned table to its partitions, at any depth; its indexes are another matter.
    pub(super) fn spread_foreign_keys(&mut self, table: &QName) {
        for child in self.catalog.descendants(table) {
            let parent = self.catalog.relation(&child).and_then(|known| known.partition_of.as_ref());
            let parent = parent.and_then(|of| self.catalog.relations.get(&of.parent)).cloned();
            if let Some(parent) = parent {
                self.copy_foreign_keys(&parent, &child);
            }
        }
    }

    pub(super) fn create_statistics(
        &mut self,
        name: Option<&Name>,
        if_not_exists: bool,
        table: &Name,
        keys: &[Expr],
    ) {
        let table = self.resolve(table);
        let name = match name {
            Some(name) => self.new_name(name, false),
            None => {
                let label = |key: &Expr| match &key.bare_column {
                    Some(column) if key.cast.is_none() => column.value.to_string(),
                    _ => "expr".to_owned(),
                };
                let labels: Vec<String> = keys.iter().map(label).collect();
                let of = |name: &str| QName::new(&table.schema, name);
                let taken = |name: &str| self.catalog.statistics.contains_key(&of(name));
                of(&choose(&table.name, &labels.join("_"), "stat", taken))
            }
        };
        if if_not_exists && self.catalog.statistics.contains_key(&name) {
            return;
        }
        let mut columns: Vec<CompactString> =
            keys.iter().flat_map(|key| &key.columns).map(|column| column.value.clone()).collect();
        columns.dedup();
        self.ensure(&table).statistics.push(Statistics { name: name.clone(), columns });
        self.catalog.statistics.insert(name, table);
    }

    /// Gives the indexes of a partitioned table to its partitions, at any depth.
    pub(super) fn spread_indexes(&mut self, table: &QName) {
        for child in self.catalog.descendants(table) {
            let of = self.catalog.relation(&child).and_then(|known| known.partition_of.as_ref());
            if let Some(parent) = of.map(|of| of.parent.clone()) {
                self.copy_parent_indexes(&parent, &child);
            }
        }
    }
}

pub(super) fn plain_key(column: &CompactString) -> IndexKey {
    IndexKey { column: Some(column.clone()), columns: vec![column.clone()], ..IndexKey::default() }
}
