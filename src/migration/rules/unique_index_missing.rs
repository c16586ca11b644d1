//! `unique_index_missing`: what needs a unique index, and has none.

use std::cell::LazyCell;

use crate::migration::catalog::{Relation, RelationKind, naming};
use crate::migration::statement::{
    Action, ActionKind, Body, Constraint, ConstraintKind, ForeignKey, Ident, ObjectKind, quote_ident,
};

use super::{Check, Rule, Sink, StatementContext, column_list};

/// The rule.
pub static RULE: Rule = Rule {
    code: "unique_index_missing",
    page: migration_page!("unique_index_missing"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    if cx.inner.is_some() || !cx.before.complete() || cx.before.unnamed().indexes {
        return;
    }
    match &cx.statement.body {
        Body::RefreshMaterializedView { name, concurrently: true, .. } => {
            let Some(view) = cx.relation(name).filter(|view| view.kind == RelationKind::MaterializedView)
            else {
                return;
            };
            let serves =
                view.indexes.iter().any(|i| i.unique && i.predicate.is_none() && i.plain_columns().is_some());
            if !serves {
                sink.say(
                    cx.statement.span,
                    format!(
                        "{} has no unique index on plain columns of all its rows, so CONCURRENTLY fails",
                        view.name
                    ),
                );
            }
        }
        Body::CreateTable(_) | Body::AlterTable(_) => {
            // One statement may make the key and refer to it.
            let changes = match &cx.statement.body {
                Body::AlterTable(alter) if alter.kind == ObjectKind::Table => Some(alter),
                _ => None,
            };
            let own = changes.map(|alter| cx.resolve(&alter.name));
            let may_make = |action: &Action| {
                matches!(action.kind, ActionKind::AddColumn { .. })
                    || action.added_constraints().iter().any(is_key)
            };
            let makes_key = LazyCell::new(|| changes.is_some_and(|alter| alter.actions.iter().any(may_make)));
            for constraint in cx.statement.body.added_constraints() {
                let ConstraintKind::ForeignKey(key) = &constraint.kind else { continue };
                let Some(target) = cx.relation(&key.target).filter(|target| can_be_referred_to(target))
                else {
                    continue;
                };
                let made_here = own.as_ref() == Some(&target.name) && *makes_key;
                if !made_here {
                    judge(sink, constraint, key, target);
                }
            }
        }
        _ => {}
    }
}

fn can_be_referred_to(target: &Relation) -> bool {
    target.columns_known && matches!(target.kind, RelationKind::Table | RelationKind::PartitionedTable)
}

fn is_key(constraint: &Constraint) -> bool {
    matches!(constraint.kind, ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_))
}

fn judge(sink: &mut Sink, constraint: &Constraint, key: &ForeignKey, target: &Relation) {
    let cut = |column: &Ident| naming::cut(column.as_str()).into();
    let columns: Vec<compact_str::CompactString> = key.target_columns.iter().map(cut).collect();
    // A column that isn't there is a finding of its own.
    if target.key_index(&columns).is_some() || columns.iter().any(|column| target.column(column).is_none()) {
        return;
    }
    if columns.is_empty() {
        sink.say(
            constraint.span,
            format!("{} has no primary key, so a foreign key that names no columns of it fails", target.name),
        );
        return;
    }
    let list = column_list(&columns);
    let name = naming::choose(&target.name.name, &columns.join("_"), "key", |name| {
        target.index(name).is_some() || target.constraint(name).is_some()
    });
    let name = quote_ident(&name);
    sink.say(
        constraint.span,
        format!(
            "no primary key or unique constraint of {} is on just ({list}), so a foreign key to it fails",
            target.name
        ),
    )
    .help(format!(
        "-- before it, if each ({list}) is there once\n\
         CREATE UNIQUE INDEX CONCURRENTLY {name} ON {0} ({list});\n\
         ALTER TABLE {0} ADD CONSTRAINT {name} UNIQUE USING INDEX {name};",
        target.name
    ));
}
