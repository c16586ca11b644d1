//! Replay: what a statement does to the catalog.
//!
//! Replay never fails. A statement that names a relation nobody made leaves a stub behind that holds what
//! is known of it from then on (a validated constraint, say), and the catalog is no longer complete.

use std::sync::Arc;

use compact_str::CompactString;

use super::naming::{choose, cut};
use super::relation::{
    Born, Column, ColumnDefault, Constraint, ConstraintDetail, Generated, Index, IndexKey, Partition, Policy,
    Relation, RelationKind, Trigger,
};
use super::{Catalog, Domain, Function, QName, Type, TypeKind};
use crate::migration::parse::lex::{Lexer, TokenKind};
use crate::migration::session::Session;
use crate::migration::statement::{
    self as sql, AlterObject, Body, ColumnDefinition, ConstraintKind, CreateIndex, CreateTable, DomainAction,
    Drop, Ident, IndexColumn, Name, ObjectChange, ObjectKind, Persistence, PublicationAction, Query,
    SequenceOption, Statement, TriggerState, TypeAction, TypeDefinition, TypeName,
};

/// What a replayed statement turned out to need.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// Relations that it changes and the catalog doesn't know.
    pub missing: Vec<QName>,
}

/// One statement being replayed: what all of its parts need.
pub(super) struct Replay<'a> {
    pub catalog: &'a mut Catalog,
    pub path: &'a [CompactString],
    pub text: &'a str,
    pub born: Born,
    pub applied: Applied,
}

impl Catalog {
    /// Replays one statement, written in `text`; new objects get the mark `born`.
    pub fn apply(&mut self, statement: &Statement, text: &str, session: &Session, born: Born) -> Applied {
        let path = session.search_path.clone();
        let mut replay = Replay { catalog: self, path: &path, text, born, applied: Applied::default() };
        replay.statement(statement);
        replay.applied
    }
}

impl Replay<'_> {
    fn statement(&mut self, statement: &Statement) {
        match &statement.body {
            Body::CreateTable(create) => self.create_table(create),
            Body::CreateTableAs(create) => {
                let kind = if create.materialized_view {
                    RelationKind::MaterializedView
                } else {
                    RelationKind::Table
                };
                let (columns, known) = self.output_columns(&create.columns, &create.query);
                let name = self.new_name(&create.name, create.persistence == Persistence::Temporary);
                if create.if_not_exists && self.catalog.relations.contains_key(&name) {
                    return;
                }
                let relation = Relation {
                    kind,
                    columns,
                    columns_known: known,
                    persistence: create.persistence,
                    born: self.born_if(create.if_not_exists),
                    filled_here: !create.with_no_data,
                    ..Relation::default()
                };
                self.add_relation(name.clone(), relation);
                if create.materialized_view {
                    self.record_reads(&name, &create.query);
                }
            }
            Body::CreateView(view) => {
                let name = self.new_name(&view.name, view.temporary);
                let (columns, known) = self.output_columns(&view.columns, &view.query);
                let born = match self.catalog.relation(&name) {
                    Some(old) if view.replace => old.born,
                    _ => self.born_if(view.replace),
                };
                let relation = Relation {
                    kind: RelationKind::View,
                    columns,
                    columns_known: known,
                    born,
                    ..Relation::default()
                };
                self.add_relation(name.clone(), relation);
                self.record_reads(&name, &view.query);
            }
            Body::AlterTable(alter) => self.alter_table(alter),
            Body::CreateIndex(create) => self.create_index(create),
            Body::Drop(drop) => self.drop(drop),
            Body::AlterObject(alter) => self.alter_object(alter),
            Body::CreateType { name, definition } => self.create_type(name, definition),
            Body::AlterType(alter) => self.alter_type(&alter.name, &alter.action),
            Body::CreateDomain(create) => self.create_domain(create),
            Body::AlterDomain { name, action } => self.alter_domain(name, action),
            Body::CreateSequence { name, if_not_exists, temporary, options, .. } => {
                let name = self.new_name(name, *temporary);
                if *if_not_exists && self.catalog.relations.contains_key(&name) {
                    return;
                }
                let relation = Relation {
                    kind: RelationKind::Sequence,
                    columns_known: true,
                    owned_by: self.sequence_owner(options),
                    born: self.born_if(*if_not_exists),
                    ..Relation::default()
                };
                self.add_relation(name, relation);
            }
            Body::AlterSequence { name, options, .. } => {
                let name = self.resolve(name);
                if options.iter().any(|option| matches!(option, SequenceOption::OwnedBy(_))) {
                    let owner = self.sequence_owner(options);
                    if let Some(sequence) = self.known_mut(&name) {
                        sequence.owned_by = owner;
                    }
                }
            }
            Body::CreateRoutine(create) => {
                let name = self.new_name(&create.name, false);
                let function = Function {
                    name: name.clone(),
                    definition: Arc::new((**create).clone()),
                    born: self.born_if(create.replace),
                    migration: self.catalog.migration,
                };
                let overloads = self.catalog.functions.entry(name).or_default();
                match overloads.iter_mut().find(|known| known.definition.arguments == create.arguments) {
                    Some(known) => *known = Function { born: known.born, ..function },
                    None => overloads.push(function),
                }
            }
            Body::CreateTrigger(create) => {
                let function = self.catalog.resolve_function(&create.function, self.path);
                let table = self.resolve(&create.table);
                let trigger =
                    Trigger { name: create.name.value.clone(), function, state: TriggerState::Enable };
                let relation = self.ensure(&table);
                relation.triggers.retain(|known| known.name != trigger.name);
                relation.triggers.push(trigger);
            }
            Body::CreateRule { name, table, .. } => {
                let table = self.resolve(table);
                let rule = name.value.clone();
                let relation = self.ensure(&table);
                if !relation.rules.contains(&rule) {
                    relation.rules.push(rule);
                }
            }
            Body::CreatePolicy { name, table, .. } => {
                let table = self.resolve(table);
                let policy = Policy { name: name.value.clone() };
                self.ensure(&table).policies.push(policy);
            }
            Body::AlterPolicy { name, table, rename_to: Some(to), .. } => {
                let table = self.resolve(table);
                if let Some(policy) = self.known_mut(&table).and_then(|relation| {
                    relation.policies.iter_mut().find(|policy| policy.name == name.value)
                }) {
                    policy.name = to.value.clone();
                }
            }
            Body::CreateSchema { name: Some(name), if_not_exists, elements } => {
                let born = self.born_if(*if_not_exists);
                self.catalog.schemas.entry(name.value.clone()).or_insert(born);
                let path = [name.value.clone()];
                let mut inside = Replay {
                    catalog: self.catalog,
                    path: &path,
                    text: self.text,
                    born: self.born,
                    applied: Applied::default(),
                };
                for element in elements {
                    inside.statement(element);
                }
                self.applied.missing.append(&mut inside.applied.missing);
            }
            Body::CreateExtension { name, .. } => {
                let born = self.born_if(true);
                self.catalog.extensions.entry(name.value.clone()).or_insert(born);
            }
            Body::CreatePublication { name, all_tables, tables } => {
                let tables = tables.iter().map(|table| self.resolve(table)).collect();
                self.catalog.publications.insert(name.value.clone(), (*all_tables, tables));
            }
            Body::AlterPublication { name, action, tables } => {
                let tables: Vec<QName> = tables.iter().map(|table| self.resolve(table)).collect();
                let known = &mut self.catalog.publications.entry(name.value.clone()).or_default().1;
                match action {
                    PublicationAction::Add => known.extend(tables),
                    PublicationAction::Set => *known = tables,
                    PublicationAction::Drop => known.retain(|table| !tables.contains(table)),
                    PublicationAction::SetOptions => {}
                }
            }
            Body::Query(query) => self.mark_filled(query),
            Body::Copy(copy) if copy.from => {
                if let Some(table) = &copy.table {
                    let table = self.resolve(table);
                    if let Some(relation) = self.known_mut(&table) {
                        relation.filled_here = true;
                    }
                }
            }
            Body::DropOwned { .. } | Body::ImportForeignSchema { .. } => self.catalog.complete = false,
            _ => {}
        }
    }

    // ---- names ----

    pub(super) fn resolve(&self, name: &Name) -> QName {
        let name = self.catalog.resolve(name, self.path);
        QName { schema: name.schema, name: cut(&name.name).into() }
    }

    /// The name that a CREATE makes: in the schema written, else the first of the path.
    fn new_name(&self, name: &Name, temporary: bool) -> QName {
        let schema = match &name.schema {
            Some(schema) => schema.value.clone(),
            None if temporary => super::TEMPORARY.into(),
            None => self.path.first().cloned().unwrap_or_else(|| super::PUBLIC.into()),
        };
        QName { schema, name: cut(&name.name.value).into() }
    }

    pub(super) fn born_if(&self, tolerant: bool) -> Born {
        match self.born {
            Born::Here { migration, transaction, .. } => {
                Born::Here { migration, transaction, maybe_old: tolerant && !self.catalog.complete }
            }
            Born::Before => Born::Before,
        }
    }

    pub(super) fn slice(&self, span: crate::source::Span) -> String {
        span.of(self.text).trim().to_owned()
    }

    /// A relation that the catalog knows.
    pub(super) fn known_mut(&mut self, name: &QName) -> Option<&mut Relation> {
        self.catalog.relations.get_mut(name).map(Arc::make_mut)
    }

    /// A relation, a stub where the catalog doesn't know it.
    pub(super) fn ensure(&mut self, name: &QName) -> &mut Relation {
        if !self.catalog.relations.contains_key(name) {
            self.applied.missing.push(name.clone());
            self.catalog.complete = false;
        }
        let stub = || Arc::new(Relation { name: name.clone(), columns_known: false, ..Relation::default() });
        Arc::make_mut(self.catalog.relations.entry(name.clone()).or_insert_with(stub))
    }

    fn taken(&self, schema: &str, name: &str) -> bool {
        let name = QName::new(schema, name);
        self.catalog.relations.contains_key(&name) || self.catalog.indexes.contains_key(&name)
    }

    // ---- creating ----

    fn add_relation(&mut self, name: QName, mut relation: Relation) {
        relation.name = name.clone();
        self.catalog.has_temporary |= name.schema == super::TEMPORARY;
        if self.catalog.relations.contains_key(&name) {
            self.forget_links(&name);
        }
        self.catalog.relations.insert(name, Arc::new(relation));
    }

    fn create_table(&mut self, create: &CreateTable) {
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
                Some(TypeKind::Composite(columns)) => relation.columns = columns,
                _ => relation.columns_known = false,
            }
        }
        for like in &create.like {
            self.copy_like(&mut relation, like);
        }
        self.catalog.relations.insert(name.clone(), Arc::new(relation));
        for parent in parents {
            self.catalog.children.entry(parent).or_default().push(name.clone());
        }

        for column in &create.columns {
            self.add_column(&name, column, born);
        }
        for constraint in &create.constraints {
            self.add_constraint(&name, constraint, None, born);
        }
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
            let columns: Vec<&str> =
                index.keys.iter().map(|key| key.column.as_deref().unwrap_or("expr")).collect();
            let primary =
                parent.primary_key().is_some_and(|key| Some(&key.name) == index.constraint.as_ref());
            let (columns, label) = match (primary, &index.constraint) {
                (true, _) => (String::new(), "pkey"),
                (false, Some(_)) => (columns.join("_"), "key"),
                (false, None) => (columns.join("_"), "idx"),
            };
            let chosen = choose(&partition.name, &columns, label, |candidate| {
                self.taken(&partition.schema, candidate)
            });
            self.catalog
                .indexes
                .insert(QName { schema: partition.schema.clone(), name: chosen.clone() }, partition.clone());
            let constraint = index.constraint.as_ref().map(|_| chosen.clone());
            let owner = index.constraint.as_ref().and_then(|owner| parent.constraint(owner)).cloned();
            if let Some(relation) = self.known_mut(partition) {
                if relation
                    .indexes
                    .iter()
                    .any(|known| known.keys == index.keys && known.unique == index.unique)
                {
                    continue;
                }
                relation.indexes.push(Index { name: chosen.clone(), constraint, born, ..index.clone() });
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
                    relation.constraints.push(Constraint { name: chosen, detail, born, ..owner });
                }
            }
        }
        let foreign_keys: Vec<Constraint> = parent
            .constraints
            .iter()
            .filter(|constraint| matches!(constraint.detail, ConstraintDetail::ForeignKey { .. }))
            .cloned()
            .collect();
        for foreign_key in foreign_keys {
            if let ConstraintDetail::ForeignKey { target, .. } = &foreign_key.detail {
                self.catalog.referencing.entry(target.clone()).or_default().push(partition.clone());
            }
            if let Some(relation) = self.known_mut(partition)
                && relation.constraint(&foreign_key.name).is_none()
            {
                relation.constraints.push(Constraint { born, ..foreign_key });
            }
        }
    }

    fn copy_like(&mut self, relation: &mut Relation, like: &sql::LikeClause) {
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
                let columns: Vec<&str> =
                    index.keys.iter().map(|key| key.column.as_deref().unwrap_or("expr")).collect();
                let owner = index.constraint.as_ref().and_then(|owner| source.constraint(owner));
                let (columns, label) = match owner.map(|owner| &owner.detail) {
                    Some(ConstraintDetail::PrimaryKey { .. }) => (String::new(), "pkey"),
                    Some(_) => (columns.join("_"), "key"),
                    None => (columns.join("_"), "idx"),
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
                relation.indexes.push(Index { name, constraint, born: relation.born, ..index.clone() });
            }
        }
    }

    /// Adds a column with its constraints.
    pub(super) fn add_column(&mut self, table: &QName, definition: &ColumnDefinition, born: Born) {
        let existing =
            self.catalog.relation(table).is_some_and(|r| r.column(&definition.name.value).is_some());
        let mut column = match (existing, self.catalog.relation(table)) {
            // Column options of a partition or typed table; or an inherited column written again.
            (true, Some(relation)) => relation.column(&definition.name.value).cloned().unwrap_or_default(),
            _ => Column { name: cut(&definition.name.value).into(), born, ..Column::default() },
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
        if let Some(Type { kind: TypeKind::Domain(domain), .. }) = self.catalog.type_of(&column.type_name) {
            column.not_null |= domain.not_null;
            if column.default.is_none() {
                column.default = domain.default.clone();
            }
        }
        for constraint in &definition.constraints {
            match &constraint.kind {
                ConstraintKind::NotNull { .. } if constraint.not_valid => {}
                ConstraintKind::NotNull { .. } => column.not_null = true,
                ConstraintKind::Default(expr) => {
                    column.default = Some(ColumnDefault { text: self.slice(expr.span), serial: false });
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
        let name = column.name.clone();
        let owns_sequence = serial.is_some() || column.identity.is_some();
        let relation = self.ensure(table);
        match relation.column_mut(&name) {
            Some(known) => *known = column,
            None => relation.columns.push(column),
        }
        if owns_sequence && !existing {
            let taken = |candidate: &str| self.taken(&table.schema, candidate);
            let sequence = choose(&table.name, &name, "seq", taken);
            let relation = Relation {
                kind: RelationKind::Sequence,
                columns_known: true,
                owned_by: Some((table.clone(), name.clone())),
                born,
                ..Relation::default()
            };
            self.add_relation(QName { schema: table.schema.clone(), name: sequence }, relation);
        }
        for constraint in &definition.constraints {
            self.add_constraint(table, constraint, Some(&definition.name), born);
        }
    }

    /// A type as columns store it: with its schema where migrations made it.
    pub(super) fn stored_type(&self, written: &TypeName) -> TypeName {
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
                self.catalog.referencing.entry(target.clone()).or_default().push(table.clone());
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
                let label: Vec<&str> =
                    keys.iter().map(|key| key.column.as_deref().unwrap_or("expr")).collect();
                let name = self.constraint_name(table, constraint, &label.join("_"), "excl");
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

    fn constraint_name(
        &self,
        table: &QName,
        constraint: &sql::Constraint,
        columns: &str,
        label: &str,
    ) -> CompactString {
        match &constraint.name {
            Some(name) => cut(&name.value).into(),
            None => {
                let relation = self.catalog.relation(table);
                choose(&table.name, columns, label, |candidate| {
                    self.taken(&table.schema, candidate)
                        || relation.is_some_and(|relation| relation.constraint(candidate).is_some())
                })
            }
        }
    }

    fn push_constraint(
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
        self.ensure(table).constraints.push(made);
    }

    fn add_index_constraint(
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
                &if primary { String::new() } else { columns.join("_") },
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
            if let Some(index) = relation.indexes.iter_mut().find(|index| index.name == using.value) {
                index.name = name.clone();
                index.constraint = Some(name.clone());
                columns = index.keys.iter().filter_map(|key| key.column.clone()).collect();
            }
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

    fn add_index(&mut self, table: &QName, index: Index) {
        self.catalog
            .indexes
            .insert(QName { schema: table.schema.clone(), name: index.name.clone() }, table.clone());
        self.ensure(table).indexes.push(index);
    }

    pub(super) fn index_key(&self, key: &IndexColumn) -> IndexKey {
        IndexKey {
            column: key.expr.bare_column.as_ref().map(|column| cut(&column.value).into()),
            text: if key.expr.bare_column.is_some() { String::new() } else { self.slice(key.expr.span) },
            columns: key.expr.columns.iter().map(|column| column.value.clone()).collect(),
            operator_class: key.operator_class.as_ref().map(|class| class.name.value.clone()),
            collation: key.collation.as_ref().map(|collation| collation.name.value.clone()),
            descending: key.descending,
            nulls_first: key.nulls_first,
        }
    }

    fn create_index(&mut self, create: &CreateIndex) {
        let table = self.resolve(&create.table);
        let keys: Vec<IndexKey> = create.columns.iter().map(|key| self.index_key(key)).collect();
        let name = match &create.name {
            Some(name) => CompactString::from(cut(&name.value)),
            None => {
                let columns: Vec<&str> =
                    keys.iter().map(|key| key.column.as_deref().unwrap_or("expr")).collect();
                let taken = |candidate: &str| self.taken(&table.schema, candidate);
                choose(&table.name, &columns.join("_"), "idx", taken)
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
            include: create.include.iter().map(|column| column.value.clone()).collect(),
            predicate: create.predicate.as_ref().map(|predicate| self.slice(predicate.span)),
            valid: !(create.only && partitioned && !self.catalog.children(&table).is_empty()),
            nulls_not_distinct: create.nulls_not_distinct,
            constraint: None,
            born: self.born_if(create.if_not_exists),
            span: create.name.as_ref().map_or(create.table.span(), |name| name.span),
            bytes: None,
        };
        let recurse = partitioned && !create.only;
        self.add_index(&table, index);
        if recurse {
            for child in self.catalog.descendants(&table) {
                self.copy_parent_indexes(&table, &child);
            }
        }
    }

    // ---- types ----

    fn create_type(&mut self, name: &Name, definition: &TypeDefinition) {
        let name = self.new_name(name, false);
        let born = self.born;
        let kind = match definition {
            TypeDefinition::Enum(labels) => TypeKind::Enum(
                labels.iter().map(|label| (CompactString::from(label.as_str()), born)).collect(),
            ),
            TypeDefinition::Composite(columns) => TypeKind::Composite(
                columns
                    .iter()
                    .map(|column| Column {
                        name: column.name.value.clone(),
                        type_name: column.type_name.as_ref().map(|t| self.stored_type(t)).unwrap_or_default(),
                        born,
                        ..Column::default()
                    })
                    .collect(),
            ),
            TypeDefinition::Range => TypeKind::Range,
            TypeDefinition::Base | TypeDefinition::Shell => TypeKind::Base,
        };
        self.catalog.types.insert(name.clone(), Arc::new(Type { name, kind, born }));
    }

    pub(super) fn type_mut(&mut self, name: &Name) -> Option<&mut Type> {
        let name = self.catalog.resolve_type(name, self.path);
        self.catalog.types.get_mut(&name).map(Arc::make_mut)
    }

    fn alter_type(&mut self, name: &Name, action: &TypeAction) {
        let born = self.born;
        let attributes: Option<Vec<TypeName>> = match action {
            TypeAction::Attributes(actions) => Some(
                actions
                    .iter()
                    .map(|action| match &action.kind {
                        sql::AttributeActionKind::Add(column) => {
                            column.type_name.as_ref().map(|t| self.stored_type(t)).unwrap_or_default()
                        }
                        sql::AttributeActionKind::SetType { type_name, .. } => self.stored_type(type_name),
                        sql::AttributeActionKind::Drop { .. } => TypeName::default(),
                    })
                    .collect(),
            ),
            _ => None,
        };
        let Some(found) = self.type_mut(name) else { return };
        match (&mut found.kind, action) {
            (TypeKind::Enum(labels), TypeAction::AddValue { value, .. })
                if !labels.iter().any(|(label, _)| label == value) =>
            {
                labels.push((value.as_str().into(), born));
            }
            (TypeKind::Enum(labels), TypeAction::RenameValue { from, to }) => {
                if let Some((label, _)) = labels.iter_mut().find(|(label, _)| label == from) {
                    *label = to.as_str().into();
                }
            }
            (TypeKind::Composite(columns), TypeAction::RenameAttribute { name, to, .. }) => {
                if let Some(column) = columns.iter_mut().find(|column| column.name == name.value) {
                    column.name = to.value.clone();
                }
            }
            (TypeKind::Composite(columns), TypeAction::Attributes(actions)) => {
                for (action, resolved) in actions.iter().zip(attributes.unwrap_or_default()) {
                    match &action.kind {
                        sql::AttributeActionKind::Add(column) => columns.push(Column {
                            name: column.name.value.clone(),
                            type_name: resolved,
                            born,
                            ..Column::default()
                        }),
                        sql::AttributeActionKind::Drop { name, .. } => {
                            columns.retain(|column| column.name != name.value);
                        }
                        sql::AttributeActionKind::SetType { name, .. } => {
                            if let Some(column) = columns.iter_mut().find(|column| column.name == name.value)
                            {
                                column.type_name = resolved;
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn create_domain(&mut self, create: &sql::CreateDomain) {
        let name = self.new_name(&create.name, false);
        let base = self.stored_type(&create.base);
        let mut domain = Domain { base, not_null: false, default: None, checks: Vec::new() };
        for constraint in &create.constraints {
            self.add_domain_constraint(&mut domain, &name, constraint);
        }
        let made = Type { name: name.clone(), kind: TypeKind::Domain(domain), born: self.born };
        self.catalog.types.insert(name, Arc::new(made));
    }

    fn add_domain_constraint(&self, domain: &mut Domain, name: &QName, constraint: &sql::Constraint) {
        match &constraint.kind {
            ConstraintKind::NotNull { .. } => domain.not_null = true,
            ConstraintKind::Default(expr) => {
                domain.default = Some(ColumnDefault { text: self.slice(expr.span), serial: false });
            }
            ConstraintKind::Check(expr) => {
                let taken = |candidate: &str| domain.checks.iter().any(|(known, ..)| known == candidate);
                let chosen = match &constraint.name {
                    Some(name) => name.value.clone(),
                    None => choose(&name.name, "", "check", taken),
                };
                domain.checks.push((chosen, expr.clone(), !constraint.not_valid));
            }
            _ => {}
        }
    }

    fn alter_domain(&mut self, name: &Name, action: &DomainAction) {
        let qualified = self.catalog.resolve_type(name, self.path);
        let Some(Type { kind: TypeKind::Domain(domain), .. }) = self.catalog.type_named(&qualified) else {
            return;
        };
        let mut domain = domain.clone();
        match action {
            DomainAction::SetDefault(expr) => {
                domain.default = Some(ColumnDefault { text: self.slice(expr.span), serial: false });
            }
            DomainAction::DropDefault => domain.default = None,
            DomainAction::SetNotNull => domain.not_null = true,
            DomainAction::DropNotNull => domain.not_null = false,
            DomainAction::AddConstraint(constraint) => {
                self.add_domain_constraint(&mut domain, &qualified, constraint);
            }
            DomainAction::DropConstraint { name, .. } => {
                domain.checks.retain(|(known, ..)| *known != name.value);
            }
            DomainAction::ValidateConstraint { name } => {
                for (known, _, validated) in &mut domain.checks {
                    *validated |= *known == name.value;
                }
            }
        }
        if let Some(found) = self.type_mut(name) {
            found.kind = TypeKind::Domain(domain);
        }
    }

    // ---- views, rows ----

    /// Output columns, and whether they are all.
    fn output_columns(&self, written: &[Ident], query: &Query) -> (Vec<Column>, bool) {
        let named = |name: &Ident| Column { name: name.value.clone(), born: self.born, ..Column::default() };
        if !written.is_empty() {
            return (written.iter().map(named).collect(), query.output.len() <= written.len() && !query.star);
        }
        let known = !query.star && query.output.iter().all(Option::is_some) && !query.output.is_empty();
        (query.output.iter().flatten().map(named).collect(), known)
    }

    fn record_reads(&mut self, view: &QName, query: &Query) {
        let mut reads: Vec<QName> = query.uses.iter().map(|used| self.resolve(&used.name)).collect();
        reads.sort();
        reads.dedup();
        for relation in &reads {
            self.catalog.views_over.entry(relation.clone()).or_default().push(view.clone());
        }
        let mut mentions: Vec<CompactString> = Vec::new();
        let mut lexer = Lexer::new(self.text, query.span.range());
        while let Some(token) = lexer.next_token() {
            let written = token.span.of(self.text);
            match token.kind {
                TokenKind::Word => mentions.push(crate::migration::parse::cursor::fold(written)),
                TokenKind::Quoted => mentions.push(written.trim_matches('"').replace("\"\"", "\"").into()),
                TokenKind::Operator if written == "*" => mentions.push("*".into()),
                _ => {}
            }
        }
        mentions.sort();
        mentions.dedup();
        if let Some(relation) = self.known_mut(view) {
            relation.reads = reads;
            relation.mentions = mentions;
        }
    }

    fn mark_filled(&mut self, query: &Query) {
        for change in &query.changes {
            if matches!(change.access, sql::Access::Insert | sql::Access::Merge) {
                let target = self.resolve(&change.target);
                if let Some(relation) = self.known_mut(&target) {
                    relation.filled_here = true;
                }
            }
        }
    }

    fn sequence_owner(&self, options: &[SequenceOption]) -> Option<(QName, CompactString)> {
        options.iter().rev().find_map(|option| match option {
            SequenceOption::OwnedBy(owner) => {
                Some(owner.as_ref().map(|(table, column)| (self.resolve(table), column.value.clone())))
            }
            _ => None,
        })?
    }

    // ---- dropping ----

    fn drop(&mut self, drop: &Drop) {
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
                    }
                    self.catalog.types.remove(&name);
                }
                ObjectKind::Schema => self.drop_schema(&object.name.name.value),
                ObjectKind::Function
                | ObjectKind::Procedure
                | ObjectKind::Routine
                | ObjectKind::Aggregate => {
                    let name = self.catalog.resolve_function(&object.name, self.path);
                    if let Some(overloads) = self.catalog.functions.get_mut(&name) {
                        match &object.arguments {
                            Some(arguments) => overloads.retain(|f| f.definition.arguments != *arguments),
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
                            ObjectKind::Trigger => relation.triggers.retain(|trigger| trigger.name != name),
                            ObjectKind::Policy => relation.policies.retain(|policy| policy.name != name),
                            _ => relation.rules.retain(|rule| *rule != name),
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// DROP FUNCTION … CASCADE takes the triggers that call it.
    fn drop_triggers_calling(&mut self, function: &QName) {
        for table in self.tables_calling(function) {
            if let Some(relation) = self.known_mut(&table) {
                relation.triggers.retain(|trigger| trigger.function != *function);
            }
        }
    }

    /// Triggers call a function by its identity: they follow when it is renamed.
    fn rename_called(&mut self, old: &QName, new: &QName) {
        for table in self.tables_calling(old) {
            if let Some(relation) = self.known_mut(&table) {
                for trigger in relation.triggers.iter_mut().filter(|trigger| trigger.function == *old) {
                    trigger.function = new.clone();
                }
            }
        }
    }

    fn tables_calling(&self, function: &QName) -> Vec<QName> {
        self.catalog
            .relations
            .values()
            .filter(|relation| relation.triggers.iter().any(|trigger| trigger.function == *function))
            .map(|relation| relation.name.clone())
            .collect()
    }

    fn drop_schema(&mut self, schema: &str) {
        self.catalog.schemas.remove(schema);
        let inside: Vec<QName> =
            self.catalog.relations.keys().filter(|name| name.schema == schema).cloned().collect();
        for name in inside {
            self.drop_relation(&name, true);
        }
        self.catalog.types.retain(|name, _| name.schema != schema);
        self.catalog.functions.retain(|name, _| name.schema != schema);
    }

    /// Drops a relation with its partitions and, as CASCADE would, the foreign keys and views that need it.
    pub(super) fn drop_relation(&mut self, name: &QName, cascade: bool) {
        let Some(relation) = self.catalog.relations.get(name).cloned() else { return };
        let partitioned = relation.is_partitioned();
        for child in self.catalog.children(name).to_vec() {
            if partitioned || cascade {
                self.drop_relation(&child, cascade);
            }
        }
        for referencing in self.catalog.referencing.get(name).cloned().unwrap_or_default() {
            if let Some(other) = self.known_mut(&referencing) {
                other.constraints.retain(|constraint| {
                    !matches!(&constraint.detail, ConstraintDetail::ForeignKey { target, .. } if target == name)
                });
            }
        }
        for view in self.catalog.views_over.get(name).cloned().unwrap_or_default() {
            self.drop_relation(&view, cascade);
        }
        let owned: Vec<QName> = self
            .catalog
            .relations
            .iter()
            .filter(|(_, other)| other.owned_by.as_ref().is_some_and(|(table, _)| table == name))
            .map(|(sequence, _)| sequence.clone())
            .collect();
        for sequence in owned {
            self.catalog.relations.remove(&sequence);
        }
        self.forget_links(name);
        self.catalog.relations.remove(name);
    }

    /// Takes a relation out of the reverse maps.
    fn forget_links(&mut self, name: &QName) {
        let Some(relation) = self.catalog.relations.get(name).cloned() else { return };
        for index in &relation.indexes {
            self.catalog
                .indexes
                .remove(&QName { schema: relation.name.schema.clone(), name: index.name.clone() });
        }
        let parents = relation.inherits.iter().chain(relation.partition_of.as_ref().map(|of| &of.parent));
        for parent in parents {
            if let Some(children) = self.catalog.children.get_mut(parent) {
                children.retain(|child| child != name);
            }
        }
        for constraint in &relation.constraints {
            if let ConstraintDetail::ForeignKey { target, .. } = &constraint.detail
                && let Some(tables) = self.catalog.referencing.get_mut(target)
            {
                tables.retain(|table| table != name);
            }
        }
        for read in &relation.reads {
            if let Some(views) = self.catalog.views_over.get_mut(read) {
                views.retain(|view| view != name);
            }
        }
        self.catalog.children.remove(name);
        self.catalog.referencing.remove(name);
        self.catalog.views_over.remove(name);
    }

    pub(super) fn drop_index(&mut self, name: &QName) {
        let Some(table) = self.catalog.indexes.remove(name) else { return };
        let index = name.name.clone();
        if let Some(relation) = self.known_mut(&table) {
            relation.indexes.retain(|known| known.name != index);
        }
    }

    /// Drops a column with the indexes and constraints that it is part of.
    pub(super) fn drop_column(&mut self, table: &QName, column: &str) {
        let Some(relation) = self.known_mut(table) else { return };
        relation.columns.retain(|known| known.name != column);
        let mut gone: Vec<CompactString> = Vec::new();
        relation.indexes.retain(|index| {
            let uses = index.include.iter().any(|name| name == column)
                || index.keys.iter().any(|key| key.columns.iter().any(|name| name == column))
                || index.keys.iter().any(|key| key.column.as_deref() == Some(column));
            if uses {
                gone.push(index.name.clone());
            }
            !uses
        });
        relation.constraints.retain(|constraint| match &constraint.detail {
            ConstraintDetail::Check { expr, .. } => !expr.columns.iter().any(|name| name.value == column),
            ConstraintDetail::NotNull { column: name } => name != column,
            ConstraintDetail::PrimaryKey { columns, .. }
            | ConstraintDetail::Unique { columns, .. }
            | ConstraintDetail::ForeignKey { columns, .. } => !columns.iter().any(|name| name == column),
            ConstraintDetail::Exclude { index } => !gone.contains(index),
        });
        let schema = table.schema.clone();
        for index in gone {
            self.catalog.indexes.remove(&QName { schema: schema.clone(), name: index });
        }
        let owned: Vec<QName> = self
            .catalog
            .relations
            .values()
            .filter(|other| other.owned_by.as_ref().is_some_and(|(of, by)| of == table && by == column))
            .map(|other| other.name.clone())
            .collect();
        for sequence in owned {
            self.catalog.relations.remove(&sequence);
        }
    }

    // ---- renaming ----

    fn alter_object(&mut self, alter: &AlterObject) {
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
                    for (known, ..) in &mut domain.checks {
                        if *known == from.value {
                            *known = to.value.clone();
                        }
                    }
                }
            }
            (ObjectKind::Schema, ObjectChange::RenameTo(to)) => {
                let old = name.name.value.clone();
                if let Some(born) = self.catalog.schemas.remove(&old) {
                    self.catalog.schemas.insert(to.value.clone(), born);
                }
                let inside: Vec<QName> =
                    self.catalog.relations.keys().filter(|name| name.schema == old).cloned().collect();
                for relation in inside {
                    let new = QName { schema: to.value.clone(), name: relation.name.clone() };
                    self.rename_relation(&relation, new);
                }
                let types: Vec<QName> =
                    self.catalog.types.keys().filter(|name| name.schema == old).cloned().collect();
                for named in types {
                    let new = QName { schema: to.value.clone(), name: named.name.clone() };
                    self.rename_type(&named, new);
                }
            }
            (ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule, ObjectChange::RenameTo(to)) => {
                let Some(table) = &alter.on_table else { return };
                let table = self.resolve(table);
                let (old, new) = (name.name.value.clone(), to.value.clone());
                let Some(relation) = self.known_mut(&table) else { return };
                for trigger in relation.triggers.iter_mut().filter(|trigger| trigger.name == old) {
                    trigger.name = new.clone();
                }
                for policy in relation.policies.iter_mut().filter(|policy| policy.name == old) {
                    policy.name = new.clone();
                }
                for rule in relation.rules.iter_mut().filter(|rule| **rule == old) {
                    *rule = new.clone();
                }
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
                self.rename_called(&old, &new);
                if let Some(mut overloads) = self.catalog.functions.remove(&old) {
                    for function in &mut overloads {
                        function.name = new.clone();
                    }
                    self.catalog.functions.entry(new).or_default().extend(overloads);
                }
            }
            _ => {}
        }
    }

    fn rename_type(&mut self, old: &QName, new: QName) {
        let Some(found) = self.catalog.types.remove(old) else { return };
        let using: Vec<QName> = self
            .catalog
            .relations_using_type(old)
            .into_iter()
            .map(|(relation, _)| relation.name.clone())
            .collect();
        for relation in using {
            let Some(relation) = self.known_mut(&relation) else { continue };
            for column in &mut relation.columns {
                let written = &mut column.type_name.name;
                let same_schema = written.schema.as_ref().is_some_and(|schema| schema.value == old.schema);
                if same_schema && written.name.value == old.name {
                    *written = Name::made(Some(&new.schema), &new.name);
                }
            }
        }
        let renamed = Type { name: new.clone(), ..found.as_ref().clone() };
        self.catalog.types.insert(new, Arc::new(renamed));
    }

    /// Renames (or moves) a relation or an index; all that points to it follows.
    pub(super) fn rename_relation(&mut self, old: &QName, new: QName) {
        if let Some(table) = self.catalog.indexes.remove(old) {
            if let Some(relation) = self.known_mut(&table) {
                for index in relation.indexes.iter_mut().filter(|index| index.name == old.name) {
                    // A constraint's index and the constraint share their name.
                    if let Some(owner) = index.constraint.take() {
                        for constraint in relation.constraints.iter_mut().filter(|c| c.name == owner) {
                            constraint.name = new.name.clone();
                        }
                        index.constraint = Some(new.name.clone());
                    }
                    index.name = new.name.clone();
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
        let parents: Vec<QName> = relation
            .inherits
            .iter()
            .chain(relation.partition_of.as_ref().map(|of| &of.parent))
            .cloned()
            .collect();
        self.catalog.relations.insert(new.clone(), Arc::new(relation));
        let replace = |list: &mut Vec<QName>| {
            for name in list.iter_mut().filter(|name| *name == old) {
                *name = new.clone();
            }
        };
        for parent in parents {
            self.catalog.children.get_mut(&parent).map(replace);
        }
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
        let mut referencing = self.catalog.referencing.remove(old).unwrap_or_default();
        replace(&mut referencing);
        for table in &referencing {
            let Some(table) = self.known_mut(table) else { continue };
            for constraint in &mut table.constraints {
                if let ConstraintDetail::ForeignKey { target, .. } = &mut constraint.detail
                    && target == old
                {
                    *target = new.clone();
                }
            }
        }
        self.catalog.referencing.insert(new.clone(), referencing);
        self.catalog.referencing.values_mut().for_each(replace);
        let views = self.catalog.views_over.remove(old).unwrap_or_default();
        for view in &views {
            if let Some(view) = self.known_mut(view) {
                replace(&mut view.reads);
            }
        }
        self.catalog.views_over.insert(new.clone(), views);
        self.catalog.views_over.values_mut().for_each(replace);
        for (_, tables) in self.catalog.publications.values_mut() {
            replace(tables);
        }
        let owned: Vec<QName> = self
            .catalog
            .relations
            .values()
            .filter(|other| other.owned_by.as_ref().is_some_and(|(table, _)| table == old))
            .map(|other| other.name.clone())
            .collect();
        for sequence in owned {
            if let Some((table, _)) =
                self.known_mut(&sequence).and_then(|sequence| sequence.owned_by.as_mut())
            {
                *table = new.clone();
            }
        }
    }
}

fn plain_key(column: &CompactString) -> IndexKey {
    IndexKey { column: Some(column.clone()), columns: vec![column.clone()], ..IndexKey::default() }
}
