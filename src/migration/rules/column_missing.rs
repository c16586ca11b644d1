//! `column_missing`: a column that the table doesn't have.

use rustc_hash::FxHashSet;

use crate::migration::catalog::Relation;
use crate::migration::statement::{
    ActionKind, Body, Constraint, ConstraintKind, Ident, Name, ObjectKind, has_placeholder, quote_ident,
};

use super::nearest::{lower, nearest};
use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule =
    Rule { code: "column_missing", page: migration_page!("column_missing"), check: Check::Statement(check) };

/// System columns (manual, "System Columns").
const SYSTEM: &[&str] = &["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "oid"];

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    if cx.inner.is_some() || !cx.before.complete() {
        return;
    }
    match &cx.statement.body {
        Body::AlterTable(alter)
            if !matches!(alter.kind, ObjectKind::Type | ObjectKind::Index | ObjectKind::Sequence) =>
        {
            let Some(table) = known(cx, &alter.name) else { return };
            let added = alter.actions.iter().filter_map(|action| match &action.kind {
                ActionKind::AddColumn { column, .. } => Some(column.name.as_str()),
                _ => None,
            });
            let added: FxHashSet<&str> = added.collect();
            for action in &alter.actions {
                for column in named(&action.kind) {
                    if !added.contains(column.as_str()) {
                        ask(table, column, sink);
                    }
                }
            }
        }
        Body::CreateIndex(create) => {
            let Some(table) = known(cx, &create.table) else { return };
            let keys = create.columns.iter().filter_map(|key| key.expr.bare_column.as_ref());
            for column in keys.chain(&create.include) {
                ask(table, column, sink);
            }
        }
        Body::CreateTable(create) => {
            let keys = create
                .columns
                .iter()
                .flat_map(|column| &column.constraints)
                .chain(&create.constraints)
                .filter_map(|constraint| match &constraint.kind {
                    ConstraintKind::ForeignKey(key) => Some(key),
                    _ => None,
                });
            for key in keys {
                let Some(target) = known(cx, &key.target) else { continue };
                for column in &key.target_columns {
                    ask(target, column, sink);
                }
            }
        }
        Body::Query(query) => {
            for change in &query.changes {
                let Some(table) = known(cx, &change.target) else { continue };
                for column in &change.columns {
                    ask(table, column, sink);
                }
            }
        }
        _ => {}
    }
}

/// The relation, where all of its columns are known.
fn known<'a>(cx: &StatementContext<'a>, name: &Name) -> Option<&'a Relation> {
    cx.relation(name).filter(|relation| relation.columns_known)
}

fn ask(table: &Relation, column: &Ident, sink: &mut Sink) {
    // The server looks for the name as it would keep it.
    let wanted = crate::migration::catalog::naming::cut(column.as_str());
    if table.column(wanted).is_some() || SYSTEM.contains(&wanted) || has_placeholder(wanted) {
        return;
    }
    let known = table.columns.iter().map(|known| (lower(&known.name), &known.name));
    let most = if wanted.len() > 4 && table.columns.len() > 1 { 3 } else { 2 };
    let near = nearest(wanted, known, most)
        .map(|name| format!("; did you mean {}?", quote_ident(name)))
        .unwrap_or_default();
    sink.say(
        column.span,
        format!("{} has no column {}, so this fails{near}", table.name, quote_ident(column.as_str())),
    );
}

/// The table's own columns that an action names and needs.
fn named(action: &ActionKind) -> Vec<&Ident> {
    match action {
        ActionKind::DropColumn { if_exists: true, .. } => Vec::new(),
        ActionKind::AddConstraint(constraint) => constrained(constraint),
        _ => action.altered_column().into_iter().collect(),
    }
}

fn constrained(constraint: &Constraint) -> Vec<&Ident> {
    match &constraint.kind {
        ConstraintKind::Unique(key) | ConstraintKind::PrimaryKey(key) => {
            key.columns.iter().chain(&key.include).collect()
        }
        ConstraintKind::ForeignKey(key) => key.columns.iter().collect(),
        ConstraintKind::NotNull { column } => vec![column],
        _ => Vec::new(),
    }
}
