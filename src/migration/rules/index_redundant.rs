//! `index_redundant`: an index that an existing one already covers.

use crate::migration::catalog::{Index, IndexKey, QName};
use crate::migration::statement::{
    Action, ActionKind, Body, CreateIndex, IndexColumn, ObjectKind, quote_ident,
};

use super::{Check, Rule, Sink, StatementContext, outlook};

/// The rule.
pub static RULE: Rule = Rule {
    code: "index_redundant",
    page: migration_page!("index_redundant"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::CreateIndex(create) = &cx.statement.body else { return };
    // The way back makes again what there was.
    if create.unique || cx.run.down {
        return;
    }
    let Some(table) = cx.relation(&create.table) else { return };
    let method = create.method.as_ref().map_or("btree", |method| method.as_str());
    let keys: Vec<IndexKey> = create.columns.iter().map(|key| as_key(cx, key)).collect();
    let predicate = create.predicate.as_ref().map(|predicate| cx.sql(predicate.span).trim());
    // It has the same first key.
    let like_it: Vec<&Index> = match keys.first().and_then(|key| key.column.as_ref()) {
        Some(column) => table.indexes.about(column).collect(),
        None => table.indexes.iter().collect(),
    };
    let covering = like_it.into_iter().find(|index| {
        index.valid
            && index.method == method
            && create.name.as_ref().is_none_or(|name| *name.as_str() != *index.name)
            && index.predicate.as_deref().map(str::trim) == predicate
            && if method == "btree" { index.keys.starts_with(&keys) } else { index.keys == keys }
            && includes(index, create)
            && !dropped_later(cx, &table.name, index)
    });
    let Some(index) = covering else { return };
    let shown = quote_ident(&index.name);
    let what =
        if index.keys.len() > keys.len() { "begins with the same columns" } else { "has the same columns" };
    let owner = match &index.constraint {
        Some(_) => format!("{shown}, the index of a constraint,"),
        None => shown.into_owned(),
    };
    sink.say(
        cx.statement.span,
        format!(
            "{owner} {what} and serves every search that this index could; both must be kept up at each write to {}",
            table.name
        ),
    );
}

/// As the catalog keeps a key.
fn as_key(cx: &StatementContext<'_>, key: &IndexColumn) -> IndexKey {
    IndexKey::of(key, cx.sql(key.expr.span))
}

/// Whether the index holds what the new one would INCLUDE.
fn includes(index: &Index, create: &CreateIndex) -> bool {
    create.include.iter().all(|column| {
        index.include.contains(&column.value)
            || index.keys.iter().any(|key| key.column.as_ref() == Some(&column.value))
    })
}

/// Whether the same migration drops the index further down: by itself, with its constraint or with a column of it.
fn dropped_later(cx: &StatementContext<'_>, table: &QName, index: &Index) -> bool {
    let name = QName { schema: table.schema.clone(), name: index.name.clone() };
    let later = || cx.statements.iter().skip(cx.index + 1).take(100);
    let takes_it = |action: &Action| match &action.kind {
        ActionKind::DropConstraint { name, .. } => index.constraint.as_ref() == Some(&name.value),
        ActionKind::DropColumn { column, .. } => {
            index.include.contains(&column.value)
                || index.keys.iter().any(|key| key.columns.contains(&column.value))
        }
        _ => false,
    };
    let by_itself = later().any(|statement| {
        matches!(&statement.body, Body::Drop(drop) if drop.kind == ObjectKind::Index
            && drop.names.iter().any(|dropped| outlook::same_name(&dropped.name, &name)))
    });
    by_itself || outlook::actions_on(later(), table).any(takes_it)
}
