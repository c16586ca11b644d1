//! `drop_index_in_use`: the dropped index is the only one that serves a guarantee or a foreign key.

use crate::migration::catalog::{ConstraintDetail, Index, Relation, RelationKind};
use crate::migration::statement::{
    ActionKind, Body, ConstraintKind, ObjectKind, ReplicaIdentity, quote_ident,
};

use super::outlook::same_name;
use super::{Check, Rule, Sink, StatementContext, column_list};

pub static RULE: Rule = Rule {
    code: "drop_index_in_use",
    page: migration_page!("drop_index_in_use"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::Drop(drop) = &cx.statement.body else { return };
    if drop.kind != ObjectKind::Index || !cx.lasts() {
        return;
    }
    for dropped in &drop.names {
        let name = cx.resolve(&dropped.name);
        let Some((table, index)) = cx.before.index(&name) else { continue };
        if !cx.in_use(&table.name) || !cx.in_use_since(index.born) || !index.valid {
            continue;
        }
        if goes_or_comes_back(cx, table, index) {
            continue;
        }
        if let Some(use_) = last_use(table, index) {
            sink.say(dropped.span, use_).help(format!(
                "Build the replacement first, and drop {name} in a later migration, once it is valid."
            ));
        }
    }
}

/// Whether the transaction builds its like, or drops a column of it or the table.
fn goes_or_comes_back(cx: &StatementContext<'_>, table: &Relation, index: &Index) -> bool {
    let names = |column: &str| index.keys.iter().any(|key| key.columns.iter().any(|name| name == column));
    cx.later_in_transaction().any(|statement| match &statement.body {
        Body::CreateIndex(new) => {
            same_name(&new.table, &table.name)
                && (new.unique || !index.unique)
                && new.columns.iter().all(|key| key.column().is_some_and(|c| names(c.as_str())))
        }
        Body::AlterTable(alter) if same_name(&alter.name, &table.name) => {
            alter.actions.iter().any(|action| match &action.kind {
                ActionKind::DropColumn { column, .. } => names(column.as_str()),
                ActionKind::AddConstraint(added) => match &added.kind {
                    ConstraintKind::Unique(key) | ConstraintKind::PrimaryKey(key) => {
                        !key.columns.is_empty() && key.columns.iter().all(|column| names(column.as_str()))
                    }
                    _ => false,
                },
                _ => false,
            })
        }
        Body::Drop(drop) if drop.kind == ObjectKind::Table => {
            drop.names.iter().any(|gone| same_name(&gone.name, &table.name))
        }
        _ => false,
    })
}

/// What the index alone is good for.
fn last_use(table: &Relation, index: &Index) -> Option<String> {
    let (relation, shown) = (&table.name, quote_ident(&index.name));
    if let Some((ReplicaIdentity::Index, Some(identity))) = &table.replica_identity
        && *identity == index.name
    {
        return Some(format!(
            "{shown} is the replica identity of {relation}: without it UPDATE and DELETE fail where the table is \
             published"
        ));
    }
    let others = || table.indexes.iter().filter(|other| other.name != index.name && other.valid);
    if index.unique {
        let columns = index.plain_columns()?;
        let kept = others().any(|other| {
            other.unique
                && other.predicate.is_none()
                && other
                    .plain_columns()
                    .is_some_and(|other| other.iter().all(|column| columns.contains(column)))
        });
        if !kept && table.kind == RelationKind::MaterializedView {
            return Some(format!(
                "{shown} is the unique index that REFRESH MATERIALIZED VIEW CONCURRENTLY {relation} needs"
            ));
        }
        if !kept {
            let columns: Vec<compact_str::CompactString> = columns.into_iter().map(Into::into).collect();
            return Some(format!(
                "{shown} is what keeps ({}) of {relation} unique: without it duplicates can be written, and \
                 ON CONFLICT on it fails",
                column_list(&columns)
            ));
        }
    }
    table.constraints.iter().find_map(|constraint| {
        let ConstraintDetail::ForeignKey { columns, target, .. } = &constraint.detail else { return None };
        let serves = |index: &Index| {
            index.predicate.is_none()
                && columns.iter().all(|column| {
                    index
                        .keys
                        .iter()
                        .take(columns.len())
                        .any(|key| key.column.as_ref() == Some(column))
                })
        };
        (serves(index) && !others().any(serves)).then(|| {
            format!(
                "{shown} is the only index for {} of {relation}: without it each DELETE of a row of {target} reads \
                 all of {relation}",
                quote_ident(&constraint.name)
            )
        })
    })
}
