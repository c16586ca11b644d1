//! `still_depended_on`: DROP and ALTER of what other objects still need.

use std::collections::BTreeSet;

use compact_str::CompactString;
use rustc_hash::FxHashSet;

use crate::migration::catalog::{Catalog, Constraint, ConstraintDetail, QName, Relation};
use crate::migration::statement::{
    Action, ActionKind, AlterTable, AttributeActionKind, Body, DropName, Name, ObjectKind, TypeAction,
    has_placeholder, quote_ident,
};
use crate::source::Span;

use super::dependents::{self, Dependent};
use super::{Check, Rule, Sink, StatementContext, drop_constraint, joined};

/// The rule.
pub static RULE: Rule = Rule {
    code: "still_depended_on",
    page: migration_page!("still_depended_on"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    // A block may ask first; what isn't known may have dropped the dependent.
    if cx.inner.is_some() || !cx.before.complete() || cx.before.unnamed().gone {
        return;
    }
    match &cx.statement.body {
        Body::Drop(drop) if !drop.cascade => {
            let resolved = |name: &Name| match drop.kind {
                ObjectKind::Type | ObjectKind::Domain => {
                    cx.before.resolve_type(name, &cx.session.search_path)
                }
                ObjectKind::Function | ObjectKind::Routine => {
                    cx.before.resolve_function(name, &cx.session.search_path)
                }
                _ => cx.resolve(name),
            };
            let others: FxHashSet<QName> = drop.names.iter().map(|other| resolved(&other.name)).collect();
            for dropped in &drop.names {
                dropping(cx, sink, drop.kind, dropped, &others);
            }
        }
        Body::AlterTable(alter) if alter.kind == ObjectKind::Type => {
            for action in &alter.actions {
                if let ActionKind::SetType { .. } = action.kind {
                    attribute(cx, sink, &alter.name, action.span);
                }
            }
        }
        Body::AlterTable(alter) => {
            for (at, action) in alter.actions.iter().enumerate() {
                altering(cx, sink, alter, at, action);
            }
        }
        Body::AlterType(alter) => {
            let actions = match &alter.action {
                TypeAction::Attributes(actions) => actions.as_slice(),
                TypeAction::RenameAttribute { cascade: false, .. } => {
                    typed_tables(cx, sink, &alter.name, cx.statement.span);
                    return;
                }
                _ => return,
            };
            for action in actions {
                if !action.cascade {
                    typed_tables(cx, sink, &alter.name, action.span);
                }
                if let AttributeActionKind::SetType { .. } = action.kind {
                    attribute(cx, sink, &alter.name, action.span);
                }
            }
        }
        _ => {}
    }
}

/// Without CASCADE, no attribute changes of a type that tables are OF.
fn typed_tables(cx: &StatementContext<'_>, sink: &mut Sink, name: &Name, span: Span) {
    let name = cx.before.resolve_type(name, &cx.session.search_path);
    let tables: Vec<String> =
        cx.before.tables_of_type(&name).into_iter().map(|table| table.name.to_string()).collect();
    if !tables.is_empty() {
        let (noun, verb) = if tables.len() == 1 { ("table", "is") } else { ("tables", "are") };
        sink.say(span, format!("{noun} {} {verb} OF {name}, so this fails without CASCADE", joined(&tables))).help(
            "-- CASCADE changes the tables too, as ALTER TABLE would; ALTER TABLE … NOT OF makes them tables of their own first",
        );
    }
}

/// The type of an attribute doesn't change, with CASCADE either, while a column has the composite type.
fn attribute(cx: &StatementContext<'_>, sink: &mut Sink, name: &Name, span: Span) {
    let name = cx.before.resolve_type(name, &cx.session.search_path);
    let using = cx.before.relations_using_type(&name);
    let columns = using.iter().flat_map(|(relation, columns)| {
        columns.iter().map(|column| format!("{}.{}", relation.name, quote_ident(&column.name)))
    });
    let columns: Vec<String> = columns.collect();
    if !columns.is_empty() {
        let verb = if columns.len() == 1 { "has" } else { "have" };
        sink.say(
            span,
            format!(
                "{} {verb} the type {name}, so this fails: no attribute of a type that a column has changes its type",
                joined(&columns)
            ),
        );
    }
}

/// `others`: all that the statement drops.
fn dropping(
    cx: &StatementContext<'_>,
    sink: &mut Sink,
    kind: ObjectKind,
    dropped: &DropName,
    others: &FxHashSet<QName>,
) {
    let mut found: BTreeSet<Dependent> = BTreeSet::new();
    let name = cx.resolve(&dropped.name);
    match kind {
        ObjectKind::Table | ObjectKind::ForeignTable | ObjectKind::View | ObjectKind::MaterializedView => {
            let Some(relation) = cx.before.relation(&name) else { return };
            over_relation(cx.before, relation, &mut found);
            let goes = |name: &QName| {
                others.contains(name)
                    || cx.before.partition_ancestors(name).iter().any(|above| others.contains(above))
            };
            found.retain(|dependent| match dependent {
                Dependent::View(of, _)
                | Dependent::ForeignKey(of, _)
                | Dependent::Policy(of, _)
                | Dependent::Rule(of, _)
                | Dependent::Child(of) => !goes(of),
                _ => true,
            });
        }
        ObjectKind::Index => {
            let Some((table, index)) = cx.before.index(&name) else { return };
            if let Some(owner) = &index.constraint {
                let (shown, of) = (quote_ident(owner), &table.name);
                sink.say(
                    dropped.span,
                    format!("{name} is the index of the constraint {shown} of {of}, so this fails"),
                )
                .help(drop_constraint(of, owner));
                return;
            }
            found.extend(cx.before.foreign_keys_on(&table.name, &index.name).into_iter().map(key));
        }
        ObjectKind::Function | ObjectKind::Routine => {
            let function = cx.before.resolve_function(&dropped.name, &cx.session.search_path);
            dependents::of_function(cx, &function, dropped.arguments.as_deref(), &mut found);
            found.retain(|dependent| match dependent {
                Dependent::Function(of, _) => !others.contains(of),
                _ => true,
            });
        }
        ObjectKind::Sequence => {
            let Some(sequence) = cx.before.relation(&name) else { return };
            if let Some((table, column)) = &sequence.owned_by
                && let Some(owner) = cx.before.relation(table).and_then(|table| table.column(column))
                && owner.identity.is_some()
            {
                let shown = quote_ident(column);
                sink.say(
                    dropped.span,
                    format!("{name} is the sequence of the identity column {table}.{shown}, so this fails"),
                )
                .help(format!("ALTER TABLE {table} ALTER COLUMN {shown} DROP IDENTITY;"));
                return;
            }
            dependents::of_sequence(cx, &name, &mut found);
        }
        ObjectKind::Schema => {
            let inside = dependents::in_schema(cx.before, dropped.name.name.as_str());
            if !inside.is_empty() && !has_placeholder(dropped.name.name.as_str()) {
                let shown = dropped.name.to_string();
                sink.say(
                    dropped.span,
                    format!("{} still in schema {shown}, so this fails", with_verb(&inside)),
                )
                .help(format!(
                    "-- drop what is in it first, each as a decision of its own, then\nDROP SCHEMA {shown};"
                ));
            }
            return;
        }
        ObjectKind::Type | ObjectKind::Domain => {
            let resolved = cx.before.resolve_type(&dropped.name, &cx.session.search_path);
            dependents::of_type(cx, &resolved, &mut found);
            found.retain(|dependent| match dependent {
                Dependent::Domain(name) | Dependent::Attribute(name, _) => !others.contains(name),
                _ => true,
            });
        }
        _ => return,
    }
    say(cx, sink, dropped.span, &dropped.name.to_string(), &found);
}

/// "table s.a is", "table s.a and type s.b are".
fn with_verb(inside: &[String]) -> String {
    format!("{} {}", dependents::some_of(inside), if inside.len() == 1 { "is" } else { "are" })
}

/// Views, foreign keys of other tables, children that aren't partitions; those of its partitions too, which go with it.
fn over_relation(catalog: &Catalog, relation: &Relation, found: &mut BTreeSet<Dependent>) {
    let mut all = FxHashSet::from_iter([relation.name.clone()]);
    if relation.is_partitioned() {
        all.extend(catalog.descendants(&relation.name));
    }
    for name in &all {
        found.extend(catalog.views_over(name).into_iter().map(view));
        let keys = catalog.foreign_keys_to(name).into_iter();
        found.extend(keys.filter(|(table, _)| !all.contains(&table.name)).map(key));
        let over = catalog.policies_over(name).into_iter();
        found.extend(
            over.filter(|(table, _)| !all.contains(&table.name))
                .map(|(table, policy)| Dependent::Policy(table.name.clone(), policy.name.to_string())),
        );
        let over = catalog.rules_over(name).into_iter();
        found.extend(
            over.filter(|(whose, _)| !all.contains(&whose.name))
                .map(|(whose, rule)| Dependent::Rule(whose.name.clone(), rule.name.to_string())),
        );
        found.extend(catalog.functions_over(name).into_iter().map(|function| {
            let arguments = dependents::types_of(&function.definition.arguments);
            Dependent::Function(function.name.clone(), arguments)
        }));
        let is_child = |child: &&QName| catalog.relation(child).is_some_and(|it| it.partition_of.is_none());
        found.extend(catalog.children(name).filter(is_child).cloned().map(Dependent::Child));
    }
    // A foreign key to a partitioned table is one to each partition.
    for above in catalog.partition_ancestors(&relation.name) {
        found.extend(catalog.foreign_keys_to(&above).into_iter().map(key));
    }
    // The part that a partition has of its parent's foreign key goes with that one.
    let inherited = |dependent: &Dependent| match dependent {
        Dependent::ForeignKey(table, name) => catalog
            .partition_ancestors(table)
            .iter()
            .any(|above| catalog.relation(above).is_some_and(|above| above.constraint(name).is_some())),
        _ => false,
    };
    found.retain(|dependent| !inherited(dependent));
}

fn view(view: &Relation) -> Dependent {
    Dependent::View(view.name.clone(), view.kind)
}

fn key((table, key): (&Relation, &Constraint)) -> Dependent {
    Dependent::ForeignKey(table.name.clone(), key.name.to_string())
}

fn altering(cx: &StatementContext<'_>, sink: &mut Sink, alter: &AlterTable, at: usize, action: &Action) {
    let Some(table) = cx.relation(&alter.name) else { return };
    // What the statement itself drops of the table: before it, where both drop.
    let changes_type = matches!(action.kind, ActionKind::SetType { .. });
    let others = if changes_type { &alter.actions[..] } else { alter.actions.get(..at).unwrap_or_default() };
    let gone = |wanted: &str| {
        others.iter().any(|other| match &other.kind {
            ActionKind::DropColumn { column, .. } => *column == wanted,
            ActionKind::DropConstraint { name, .. } => *name == wanted,
            _ => false,
        })
    };
    let mut found: BTreeSet<Dependent> = BTreeSet::new();
    let what = match &action.kind {
        ActionKind::DropColumn { column, cascade: false, .. } | ActionKind::SetType { column, .. } => {
            let column = column.as_str();
            let mut family = vec![table.name.clone()];
            if !alter.only {
                family.extend(cx.before.descendants(&table.name));
            }
            for member in &family {
                found.extend(cx.before.views_reading(member, column).map(view));
                if !changes_type {
                    // One that is over the column as well goes with it.
                    let over = |(of, key): &(&Relation, &Constraint)| {
                        family.contains(&of.name) && key.detail.columns().iter().any(|own| own == column)
                    };
                    let keys = cx.before.foreign_keys_to_column(member, column).into_iter();
                    found.extend(keys.filter(|found| !over(found)).map(key));
                }
            }
            let named = |columns: &[CompactString]| columns.iter().any(|name| name == column);
            let triggers = table.triggers.iter().filter(|trigger| named(&trigger.columns));
            found.extend(triggers.map(|it| Dependent::Trigger(table.name.clone(), it.name.to_string())));
            let policies = table.policies.iter().filter(|policy| policy.names_column(column));
            found.extend(policies.map(|it| Dependent::Policy(table.name.clone(), it.name.to_string())));
            let generated = table.generated_from(column).filter(|generated| generated.name != column);
            found.extend(generated.map(|it| Dependent::Generated(table.name.clone(), it.name.to_string())));
            format!("{}.{}", table.name, quote_ident(column))
        }
        ActionKind::DropConstraint { name, cascade: false, .. } => {
            let detail = table.constraint(name.as_str()).map(|constraint| &constraint.detail);
            let Some(ConstraintDetail::PrimaryKey { index, .. } | ConstraintDetail::Unique { index, .. }) =
                detail
            else {
                return;
            };
            found.extend(cx.before.foreign_keys_on(&table.name, index).into_iter().map(key));
            quote_ident(name.as_str()).into_owned()
        }
        _ => return,
    };
    found.retain(|dependent| match dependent {
        Dependent::ForeignKey(of, name) | Dependent::Generated(of, name) => *of != table.name || !gone(name),
        _ => true,
    });
    say(cx, sink, action.span, &what, &found);
}

fn say(cx: &StatementContext<'_>, sink: &mut Sink, span: Span, what: &str, found: &BTreeSet<Dependent>) {
    if found.is_empty() {
        return;
    }
    let nouns: Vec<String> = found.iter().map(Dependent::noun).collect();
    let verb = if found.len() == 1 { "needs" } else { "need" };
    let mut told = FxHashSet::default();
    let mut steps: Vec<String> = found.iter().flat_map(|dependent| dependent.drop(cx.before)).collect();
    steps.retain(|step| told.insert(step.clone()));
    let again = match &cx.statement.body {
        Body::AlterTable(_) => "\n-- and make again what is still wanted of it",
        _ => "",
    };
    sink.say(span, format!("{} still {verb} {what}, so this fails", joined(&nouns))).help(format!(
        "-- in one transaction, where nothing uses what goes\n{}\n{};{again}",
        steps.join("\n"),
        cx.sql(cx.statement.span)
    ));
}
