//! Replay: what a statement does to the catalog.
//!
//! Replay never fails. A statement that names a relation nobody made leaves a stub behind that holds what
//! is known of it from then on (a validated constraint, say), and the catalog is no longer complete.

use std::sync::Arc;

use compact_str::CompactString;

use super::naming::cut;
use super::reads::Words;
use super::relation::{
    Born, Called, Column, ColumnDefault, Names, Needs, Policy, Relation, RelationKind, RewriteRule, Trigger,
};
use super::{Catalog, Function, QName, Reader};
use crate::migration::session::Session;
use crate::migration::statement::{
    self as sql, Body, Call, Expr, Ident, Name, Persistence, PublicationAction, Query, RelationUse,
    SequenceOption, Statement, TriggerState,
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
        let path = &session.search_path;
        let mut replay = Replay { catalog: self, path, text, born, applied: Applied::default() };
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
                    columns: columns.into_iter().collect(),
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
                    columns: columns.into_iter().collect(),
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
                    self.catalog.list_sequence(&name, owner.as_ref());
                    if let Some(sequence) = self.known_mut(&name) {
                        sequence.owned_by = owner;
                    }
                }
            }
            Body::CreateRoutine(create) => {
                let name = self.new_name(&create.name, false);
                self.catalog.has_temporary |= name.schema == super::TEMPORARY;
                let needs = self.needs_of_body(&name, create);
                let function = Function {
                    needs,
                    name: name.clone(),
                    definition: Arc::new((**create).clone()),
                    born: self.born_if(create.replace),
                    migration: self.catalog.migration,
                };
                self.catalog.note_function(&function);
                let overloads = self.catalog.functions.get_or_insert_with(&name, Vec::new);
                match overloads.iter_mut().find(|known| known.takes(&create.arguments)) {
                    Some(known) => *known = Function { born: known.born, ..function },
                    None => overloads.push(function),
                }
            }
            Body::AlterRoutine { name, arguments, volatility, security_definer, sets, resets, .. } => {
                let name = self.catalog.resolve_function(name, self.path);
                for function in self.catalog.functions.get_mut(&name).into_iter().flatten() {
                    if arguments.as_ref().is_some_and(|arguments| !function.takes(arguments)) {
                        continue;
                    }
                    let definition = Arc::make_mut(&mut function.definition);
                    definition.volatility = volatility.unwrap_or(definition.volatility);
                    definition.security_definer = security_definer.unwrap_or(definition.security_definer);
                    definition.sets.retain(|set| !resets.iter().any(|reset| reset == set || reset == "all"));
                    definition.sets.extend(sets.iter().cloned());
                }
            }
            Body::CreateTrigger(create) => {
                let function = self.catalog.resolve_function(&create.function, self.path);
                let table = self.resolve(&create.table);
                let trigger = Trigger {
                    name: cut(&create.name.value).into(),
                    function,
                    state: TriggerState::Enable,
                    columns: create.columns.iter().map(|column| column.value.clone()).collect(),
                    for_each_row: create.for_each_row,
                    from: create.from.as_ref().map(|from| self.resolve(from)),
                };
                if let Some(from) = &trigger.from {
                    self.catalog.note_reader(from, Reader::Triggers(table.clone()));
                }
                self.catalog.note_word(&trigger.function.name, &table);
                let relation = self.ensure(&table);
                relation.triggers.remove(&trigger.name);
                relation.triggers.push(trigger);
            }
            Body::CreateStatistics { name, if_not_exists, table, keys } => {
                self.create_statistics(name.as_ref(), *if_not_exists, table, keys);
            }
            Body::CreateRule { name, table, rule, .. } => {
                let table = self.resolve(table);
                let mut definition = rule.clone();
                for used in &mut definition.uses {
                    let read = self.resolve(&used.name);
                    used.name = Name::made(Some(&read.schema), &read.name);
                    self.catalog.note_reader(&read, Reader::Rules(table.clone()));
                }
                for change in &mut definition.changes {
                    let target = self.resolve(&change.target);
                    change.target = Name::made(Some(&target.schema), &target.name);
                }
                let made = RewriteRule {
                    name: name.value.clone(),
                    state: TriggerState::Enable,
                    definition: Some(Arc::new(definition)),
                };
                let relation = self.ensure(&table);
                relation.rules.remove(&made.name);
                relation.rules.push(made);
            }
            Body::CreatePolicy { name, table, expressions, .. } => {
                let table = self.resolve(table);
                let using = self.names_of(&table, expressions.using.as_deref());
                let check = self.names_of(&table, expressions.check.as_deref());
                let policy = Policy { name: name.value.clone(), using, check };
                self.ensure(&table).policies.push(policy);
            }
            Body::AlterPolicy { name, table, rename_to, expressions } => {
                let table = self.resolve(table);
                // What isn't written stays as it was.
                let using = expressions.using.as_deref().map(|expr| self.names_of(&table, Some(expr)));
                let check = expressions.check.as_deref().map(|expr| self.names_of(&table, Some(expr)));
                let Some(relation) = self.known_mut(&table) else { return };
                if let Some(to) = rename_to {
                    relation.policies.rename(&name.value, |policy| policy.name = to.value.clone());
                }
                relation.policies.change(&name.value, |policy| {
                    if let Some(using) = &using {
                        policy.using = using.clone();
                    }
                    if let Some(check) = &check {
                        policy.check = check.clone();
                    }
                });
            }
            Body::CreateSchema { name: Some(name), if_not_exists, elements } => {
                let born = self.born_if(*if_not_exists);
                self.catalog.schemas.get_or_insert_with(&name.value, || born);
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
                self.catalog.extensions.get_or_insert_with(&name.value, || born);
            }
            Body::CreatePublication { name, all_tables, tables } => {
                let tables = tables.iter().map(|table| self.resolve(table)).collect();
                self.catalog.publications.insert(name.value.clone(), (*all_tables, tables));
            }
            Body::AlterPublication { name, action, tables } => {
                let tables: Vec<QName> = tables.iter().map(|table| self.resolve(table)).collect();
                let known = &mut self.catalog.publications.get_or_default(&name.value).1;
                match action {
                    PublicationAction::Add => known.extend(tables),
                    PublicationAction::Set => *known = tables.into_iter().collect(),
                    PublicationAction::Drop => tables.iter().for_each(|table| _ = known.remove(table)),
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
    pub(super) fn new_name(&self, name: &Name, temporary: bool) -> QName {
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

    /// A DEFAULT as the server keeps it: NULL, cast or not, is none (`AddRelationNewConstraints`, heap.c).
    pub(super) fn default_at(&self, span: crate::source::Span) -> Option<ColumnDefault> {
        let text = self.slice(span);
        let value = text.split("::").next().unwrap_or_default().trim_matches(['(', ')', ' ']);
        (!value.eq_ignore_ascii_case("null")).then_some(ColumnDefault { text, serial: false })
    }

    /// A relation that the catalog knows.
    pub(super) fn known_mut(&mut self, name: &QName) -> Option<&mut Relation> {
        self.catalog.touch(name);
        self.catalog.relations.get_mut(name).map(Arc::make_mut)
    }

    /// A relation, a stub where the catalog doesn't know it.
    pub(super) fn ensure(&mut self, name: &QName) -> &mut Relation {
        if !self.catalog.relations.contains_key(name) {
            self.applied.missing.push(name.clone());
            // What a platform has in its own schemas says nothing of the others.
            let others = super::is_platforms(&name.schema) && !self.catalog.has_schema(&name.schema);
            if !others && !self.catalog.elsewhere.contains(name) {
                self.catalog.complete = false;
            }
        }
        self.catalog.touch(name);
        let stub = || Arc::new(Relation { name: name.clone(), columns_known: false, ..Relation::default() });
        Arc::make_mut(self.catalog.relations.get_or_insert_with(name, stub))
    }

    pub(super) fn taken(&self, schema: &str, name: &str) -> bool {
        self.catalog.is_taken(schema, name)
    }

    // ---- views, rows ----

    /// Output columns, and whether they are all.
    pub(super) fn output_columns(&self, written: &[Ident], query: &Query) -> (Vec<Column>, bool) {
        let named = |name: &Ident| Column { name: name.value.clone(), born: self.born, ..Column::default() };
        if !written.is_empty() {
            return (written.iter().map(named).collect(), query.output.len() <= written.len() && !query.star);
        }
        let known = !query.star && query.output.iter().all(Option::is_some) && !query.output.is_empty();
        (query.output.iter().flatten().map(named).collect(), known)
    }

    pub(super) fn record_reads(&mut self, view: &QName, query: &Query) {
        let mut reads: Vec<QName> = query.uses.iter().map(|used| self.resolve(&used.name)).collect();
        reads.sort();
        reads.dedup();
        let words = Words::of(self.text, query.span);
        let known: Option<Vec<&Relation>> = reads.iter().map(|read| self.catalog.relation(read)).collect();
        let columns = known.map_or_else(Vec::new, |known| words.columns_read(&known));
        let mentions: Arc<[CompactString]> = words.mentions().into();
        for relation in &reads {
            self.catalog.link_view(relation, view, &mentions);
        }
        let calls = self.called(query.calls.iter());
        for called in &calls {
            self.catalog.note_word(&called.function.name, view);
        }
        if let Some(relation) = self.known_mut(view) {
            relation.reads = reads;
            relation.mentions = mentions;
            relation.reads_columns = columns;
            relation.calls = calls;
        }
    }

    /// Calls of functions that migrations made.
    fn called<'c>(&self, calls: impl Iterator<Item = &'c Call>) -> Vec<Called> {
        let mut found: Vec<Called> = Vec::new();
        for call in calls {
            let function = self.catalog.resolve_function(&call.name, self.path);
            let called = Called { function, arguments: call.arguments };
            if !self.catalog.functions(&called.function).is_empty() && !found.contains(&called) {
                found.push(called);
            }
        }
        found
    }

    fn needs<'u>(
        &mut self,
        reader: &Reader,
        uses: impl Iterator<Item = &'u RelationUse>,
        calls: Vec<Called>,
    ) -> Needs {
        let mut relations: Vec<QName> = uses.map(|used| self.resolve(&used.name)).collect();
        relations.sort();
        relations.dedup();
        for relation in &relations {
            self.catalog.note_reader(relation, reader.clone());
        }
        Needs { relations, calls }
    }

    fn names_of(&mut self, table: &QName, expression: Option<&Expr>) -> Names {
        let Some(expression) = expression else { return Names::default() };
        let calls = self.called(expression.calls.iter());
        for called in &calls {
            self.catalog.note_word(&called.function.name, table);
        }
        Names {
            columns: expression.columns.iter().map(|column| column.value.clone()).collect(),
            needs: self.needs(&Reader::Policies(table.clone()), expression.uses.iter(), calls),
        }
    }

    fn needs_of_body(&mut self, name: &QName, create: &sql::CreateRoutine) -> Needs {
        let body = create.body.as_ref().filter(|_| create.atomic);
        let Some(body) = body else { return Needs::default() };
        let queries = || {
            body.statements.iter().filter_map(|inner| match &inner.statement.body {
                Body::Query(query) => Some(query),
                _ => None,
            })
        };
        let calls = self.called(queries().flat_map(|query| &query.calls));
        self.needs(&Reader::Function(name.clone()), queries().flat_map(|query| &query.uses), calls)
    }

    pub(super) fn mark_filled(&mut self, query: &Query) {
        for change in &query.changes {
            if matches!(change.access, sql::Access::Insert | sql::Access::Merge) {
                let target = self.resolve(&change.target);
                if let Some(relation) = self.known_mut(&target) {
                    relation.filled_here = true;
                }
            }
        }
    }

    pub(super) fn sequence_owner(&self, options: &[SequenceOption]) -> Option<(QName, CompactString)> {
        options.iter().rev().find_map(|option| match option {
            SequenceOption::OwnedBy(owner) => {
                Some(owner.as_ref().map(|(table, column)| (self.resolve(table), column.value.clone())))
            }
            _ => None,
        })?
    }
}
