//! `drop_cascade`: CASCADE also drops what depends on the object.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use crate::migration::catalog::{Catalog, Constraint, ConstraintDetail, QName, Relation};
use crate::migration::statement::{ActionKind, Body, ObjectKind, quote_ident};
use crate::source::Span;

use super::{Check, Rule, Sink, StatementContext, joined};

pub static RULE: Rule =
    Rule { code: "drop_cascade", page: migration_page!("drop_cascade"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    match &cx.statement.body {
        Body::Drop(drop) if drop.cascade => {
            // The others either have a finding of their own that lists what goes (schema, type, extension …), or
            // nothing can depend on them (triggers, policies).
            use ObjectKind::*;
            let relation =
                matches!(drop.kind, Table | View | MaterializedView | ForeignTable | Sequence | Index);
            let routine = matches!(drop.kind, Function | Procedure | Routine | Aggregate);
            let untracked = matches!(
                drop.kind,
                Server
                    | ForeignDataWrapper
                    | Operator
                    | OperatorClass
                    | OperatorFamily
                    | Collation
                    | Language
            );
            if !(relation || routine || untracked) || !cx.lasts() {
                return;
            }
            let named: FxHashSet<QName> = drop.names.iter().map(|other| cx.resolve(&other.name)).collect();
            for dropped in &drop.names {
                let name = cx.resolve(&dropped.name);
                let dependents = if relation {
                    if !cx.may_be_used(&name) {
                        continue;
                    }
                    match drop.kind {
                        Sequence => defaults_from(cx.before, &name),
                        Index => cx.before.index(&name).map_or_else(Vec::new, |(table, index)| {
                            foreign_keys_on(cx.before, &table.name, &index.name)
                        }),
                        _ => over_relation(cx.before, &name, &named),
                    }
                } else if routine {
                    let function = cx.before.resolve_function(&dropped.name, &cx.session.search_path);
                    triggers_of(cx.before, &function)
                } else {
                    Vec::new()
                };
                let known = relation && cx.before.relation(&name).is_some();
                say(cx, sink, dropped.span, &name.to_string(), &dependents, untracked, known);
            }
        }
        Body::AlterTable(alter) => {
            if !alter.actions.iter().any(|action| {
                matches!(
                    action.kind,
                    ActionKind::DropColumn { cascade: true, .. }
                        | ActionKind::DropConstraint { cascade: true, .. }
                )
            }) {
                return;
            }
            let Some((alter, table, known)) = cx.altered() else { return };
            for action in &alter.actions {
                match &action.kind {
                    ActionKind::DropColumn { column, cascade: true, .. }
                        if cx.column_in_use(known, column) =>
                    {
                        let dependents = over_column(cx.before, &table, column.as_str());
                        let name = format!("{table}.{}", quote_ident(column.as_str()));
                        let known = known.is_some_and(|table| table.column(column.as_str()).is_some());
                        say(cx, sink, action.span, &name, &dependents, false, known);
                    }
                    ActionKind::DropConstraint { name, cascade: true, .. } => {
                        let key = known.and_then(|table| table.constraint(name.as_str()));
                        let dependents = match key.map(|constraint| &constraint.detail) {
                            Some(
                                ConstraintDetail::PrimaryKey { index, .. }
                                | ConstraintDetail::Unique { index, .. },
                            ) => foreign_keys_on(cx.before, &table, index),
                            _ => Vec::new(),
                        };
                        let shown = quote_ident(name.as_str());
                        say(cx, sink, action.span, &shown, &dependents, false, key.is_some());
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// `known`: what the object is, and so what depends on it, is known from the migrations.
fn say(
    cx: &StatementContext<'_>,
    sink: &mut Sink,
    span: Span,
    name: &str,
    dependents: &[String],
    untracked: bool,
    known: bool,
) {
    if dependents.is_empty() && (cx.before.complete() || known) && !untracked {
        return;
    }
    let message = if dependents.is_empty() {
        format!("CASCADE drops everything that depends on {name}, without naming it")
    } else {
        format!("CASCADE drops what depends on {name} too: {}", joined(dependents))
    };
    sink.say(span, message).help(
        "Drop each dependent by name first, and leave out CASCADE: PostgreSQL then refuses while anything is \
         forgotten, and its error lists it.",
    );
}

/// Views at any depth, and foreign keys of other tables.
/// What goes with a relation; `named`: what goes anyway.
fn over_relation(catalog: &Catalog, relation: &QName, named: &FxHashSet<QName>) -> Vec<String> {
    let mut found: Vec<String> = catalog
        .all_views_over(relation)
        .into_iter()
        .filter(|view| !named.contains(&view.name))
        .map(|view| format!("{} {}", view.kind.noun(), view.name))
        .collect();
    found.extend(
        catalog
            .foreign_keys_to(relation)
            .into_iter()
            .filter(|(table, _)| table.name != *relation && !named.contains(&table.name))
            .map(foreign_key),
    );
    found.extend(
        catalog
            .children(relation)
            .filter(|child| !named.contains(*child))
            .filter(|child| catalog.relation(child).is_some_and(|child| child.partition_of.is_none()))
            .map(|child| format!("child table {child} with its rows")),
    );
    found
}

/// Views that may use the column, foreign keys that point to it, columns generated from it.
fn over_column(catalog: &Catalog, table: &QName, column: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for view in catalog.views_naming(table, column) {
        if view.mentions.iter().any(|word| word == column) {
            found.push(format!("{} {}", view.kind.noun(), view.name));
            found.extend(over_relation(catalog, &view.name, &FxHashSet::default()));
        }
    }
    found.extend(catalog.foreign_keys_to_column(table, column).into_iter().map(foreign_key));
    if let Some(relation) = catalog.relation(table) {
        let generated = relation.generated_from(column);
        found.extend(generated.map(|column| format!("generated column {}", quote_ident(&column.name))));
    }
    found.dedup();
    found
}

/// Foreign keys that stand on an index.
fn foreign_keys_on(catalog: &Catalog, table: &QName, index: &str) -> Vec<String> {
    catalog.foreign_keys_on(table, index).into_iter().map(foreign_key).collect()
}

fn foreign_key((table, key): (&Relation, &Constraint)) -> String {
    format!("foreign key {} of {}", quote_ident(&key.name), table.name)
}

/// Columns whose default draws from the sequence.
fn defaults_from(catalog: &Catalog, sequence: &QName) -> Vec<String> {
    let mut found = Vec::new();
    let owner = catalog.relation(sequence).and_then(|s| s.owned_by.as_ref());
    let own = owner.and_then(|(table, _)| catalog.relation(table));
    let counting: BTreeMap<&QName, &Relation> =
        catalog.relations_with(&sequence.name).into_iter().chain(own).map(|it| (&it.name, it)).collect();
    for relation in counting.into_values() {
        for column in &relation.columns {
            let draws = column.default.as_ref().is_some_and(|default| {
                default.text.contains("nextval") && default.text.contains(sequence.name.as_str())
            });
            let owned = owner.is_some_and(|(table, c)| {
                *table == relation.name
                    && *c == column.name
                    && column.default.as_ref().is_some_and(|d| d.serial)
            });
            if draws || owned {
                found.push(format!("the default of {}.{}", relation.name, quote_ident(&column.name)));
            }
        }
    }
    found
}

fn triggers_of(catalog: &Catalog, function: &QName) -> Vec<String> {
    let calls = |relation: &&Relation| {
        relation.triggers.iter().any(|trigger| trigger.function == *function)
            // A view names the functions that it calls among its words.
            || relation.mentions.contains(&function.name)
    };
    let mut found = Vec::new();
    for relation in catalog.relations_with(&function.name).into_iter().filter(calls) {
        for trigger in relation.triggers.iter().filter(|trigger| trigger.function == *function) {
            found.push(format!("trigger {} of {}", quote_ident(&trigger.name), relation.name));
        }
        if relation.mentions.contains(&function.name) {
            found.push(format!("{} {}", relation.kind.noun(), relation.name));
        }
    }
    found
}
