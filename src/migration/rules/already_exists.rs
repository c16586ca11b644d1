//! `already_exists`: CREATE or ADD of something that is already there.

use crate::migration::catalog::{PUBLIC, QName};
use crate::migration::statement::{
    Action, ActionKind, Body, Constraint, ConstraintKind, Name, ObjectKind, Persistence, quote_ident,
};
use crate::source::Span;

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule =
    Rule { code: "already_exists", page: migration_page!("already_exists"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    // A block may ask first whether the thing is there.
    if cx.inner.is_some() || !cx.before.complete() || cx.before.unnamed().gone {
        return;
    }
    let mut say = |span: Span, what: String| {
        sink.say(span, format!("{what} already exists, so this fails"));
    };
    match &cx.statement.body {
        Body::CreateTable(create)
            if !create.if_not_exists && create.persistence != Persistence::Temporary =>
        {
            relation(cx, &create.name, &mut say);
        }
        Body::CreateTableAs(create)
            if !create.if_not_exists && create.persistence != Persistence::Temporary =>
        {
            relation(cx, &create.name, &mut say);
        }
        Body::CreateView(create) if !create.temporary => {
            let name = new_name(cx, &create.name);
            let replaces = create.replace
                && cx
                    .before
                    .relation(&name)
                    .is_some_and(|known| known.kind == crate::migration::catalog::RelationKind::View);
            if !replaces {
                relation(cx, &create.name, &mut say);
            }
        }
        Body::CreateSequence { name, if_not_exists: false, temporary: false, .. } => {
            relation(cx, name, &mut say)
        }
        Body::CreateIndex(create) if !create.if_not_exists => {
            if let Some(ident) = &create.name {
                let table = cx.resolve(&create.table);
                taken(cx, &QName { schema: table.schema, name: cut(ident.as_str()) }, ident.span, &mut say);
            }
        }
        Body::CreateType { name, .. } => {
            let new = new_name(cx, name);
            if cx.before.type_named(&new).is_some() {
                say(name.span(), format!("the type {new}"));
            }
        }
        Body::CreateSchema { name: Some(name), if_not_exists: false, .. }
            if cx.before.made_schema(name.as_str()) && name.as_str() != PUBLIC =>
        {
            say(name.span, format!("the schema {}", quote_ident(name.as_str())));
        }
        Body::CreateTrigger(create) if !create.replace => {
            let exists = cx
                .relation(&create.table)
                .is_some_and(|table| table.triggers.has(&cut(create.name.as_str())));
            if exists {
                say(
                    create.name.span,
                    format!("the trigger {} of {}", quote_ident(create.name.as_str()), create.table),
                );
            }
        }
        Body::AlterTable(alter) if alter.kind != ObjectKind::Type => {
            let Some(table) = cx.relation(&alter.name) else { return };
            // What a statement drops goes before it adds anything, whatever the order.
            let dropped = |action: &Action| match &action.kind {
                ActionKind::DropColumn { column, .. } => Some(column.value.clone()),
                ActionKind::DropConstraint { name, .. } => Some(name.value.clone()),
                _ => None,
            };
            let gone: Vec<_> = alter.actions.iter().filter_map(dropped).collect();
            for action in &alter.actions {
                let is_primary = |added: &&Constraint| matches!(added.kind, ConstraintKind::PrimaryKey(_));
                if let Some(added) = action.added_constraints().iter().find(is_primary)
                    && let Some(key) = table.primary_key()
                    && !gone.contains(&key.name)
                    && !key.detail.columns().iter().any(|column| gone.contains(column))
                {
                    say(added.span, format!("the primary key {} of {}", quote_ident(&key.name), table.name));
                    continue;
                }
                match &action.kind {
                    ActionKind::AddColumn { column, if_not_exists: false }
                        if !gone.contains(&column.name.value)
                            && table.column(&cut(column.name.as_str())).is_some() =>
                    {
                        say(
                            column.name.span,
                            format!("the column {} of {}", quote_ident(column.name.as_str()), table.name),
                        );
                    }
                    ActionKind::AddConstraint(constraint) => {
                        let Some(name) = &constraint.name else { continue };
                        if !gone.contains(&name.value) && table.constraint(&cut(name.as_str())).is_some() {
                            say(
                                name.span,
                                format!("the constraint {} of {}", quote_ident(name.as_str()), table.name),
                            );
                        }
                    }
                    ActionKind::RenameColumn { to, .. } if table.column(&cut(to.as_str())).is_some() => {
                        say(to.span, format!("the column {} of {}", quote_ident(to.as_str()), table.name));
                    }
                    ActionKind::RenameTo { to } => {
                        let name = QName { schema: table.name.schema.clone(), name: cut(to.as_str()) };
                        taken(cx, &name, to.span, &mut say);
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

fn cut(name: &str) -> compact_str::CompactString {
    crate::migration::catalog::naming::cut(name).into()
}

/// The name that CREATE would give: in the schema written, else in the first of the path.
fn new_name(cx: &StatementContext<'_>, name: &Name) -> QName {
    let schema = match &name.schema {
        Some(schema) => schema.value.clone(),
        None => cx.session.search_path.first().cloned().unwrap_or_else(|| PUBLIC.into()),
    };
    QName { schema, name: cut(name.name.as_str()) }
}

fn relation(cx: &StatementContext<'_>, name: &Name, say: &mut impl FnMut(Span, String)) {
    taken(cx, &new_name(cx, name), name.span(), say);
}

/// Relations and indexes share their names.
fn taken(cx: &StatementContext<'_>, name: &QName, span: Span, say: &mut impl FnMut(Span, String)) {
    if let Some(known) = cx.before.relation(name) {
        say(span, format!("the {} {name}", known.kind.noun()));
    } else if let Some((table, _)) = cx.before.index(name) {
        say(span, format!("the index {name} (on {})", table.name));
    }
}
