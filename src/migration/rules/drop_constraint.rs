//! `drop_constraint`: DROP CONSTRAINT gives up a guarantee about the data.

use std::mem::{Discriminant, discriminant};

use compact_str::CompactString;
use rustc_hash::FxHashMap;

use crate::migration::catalog::naming::with_new;
use crate::migration::catalog::{Constraint, ConstraintDetail, QName, Relation};
use crate::migration::statement::{
    Action, ActionKind, Body, ConstraintKind, DomainAction, Ident, ObjectKind, Statement, quote_ident,
};

use super::add_foreign_key_validates::stages;
use super::outlook::{actions_on, same_name};
use super::replacement::foreign_key;
use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "drop_constraint",
    page: migration_page!("drop_constraint"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    if let Body::AlterDomain { name, action: DomainAction::DropConstraint { name: constraint, .. } } =
        &cx.statement.body
        && cx.lasts()
    {
        let domain = cx.before.resolve_type(name, &cx.session.search_path);
        let has_another =
            cx.earlier().chain(cx.later_in_transaction()).any(|statement| adds_check(statement, &domain));
        if has_another {
            return;
        }
        if cx.before.type_named(&domain).is_none_or(|domain| cx.in_use_since(domain.born)) {
            sink.say(
                cx.statement.span,
                format!(
                    "without {} values that break it can be written to every column of type {domain}",
                    quote_ident(constraint.as_str())
                ),
            );
        }
        return;
    }
    let Some((alter, table, known)) = cx.altered() else { return };
    // Of thousands of actions most only drop.
    let settles = |action: &&Action| {
        use ActionKind::{AddConstraint, DropColumn, SetNotNull};
        matches!(action.kind, DropColumn { .. } | SetNotNull { .. } | AddConstraint(_))
    };
    let mut alike = Alike::default();
    let settling: Vec<&Action> = alter.actions.iter().filter(settles).collect();
    for action in &alter.actions {
        let ActionKind::DropConstraint { name, if_exists, .. } = &action.kind else { continue };
        let constraint = known.and_then(|table| table.constraint(name.as_str()));
        if let Some(constraint) = constraint {
            if !cx.in_use_since(constraint.born) || !constraint.enforced {
                continue;
            }
            if known.is_some_and(|table| is_kept_up(table, constraint, &mut alike)) {
                continue;
            }
            // The actions of one ALTER TABLE take effect together.
            let others = || settling.iter().copied().chain(actions_on(cx.later_in_transaction(), &table));
            if is_settled(others(), constraint) || goes_later(cx, &table, constraint) {
                continue;
            }
            if let Some(message) = rekeyed(others(), &table, constraint) {
                sink.say(action.span, message);
                continue;
            }
        } else if *if_exists && known.is_some() && cx.before.complete() {
            continue; // nothing to drop
        }
        let (message, help) = describe(cx, &table, name.as_str(), constraint);
        let said = sink.say(action.span, message);
        if let Some(help) = help {
            said.help(help);
        }
    }
}

/// The first two constraints that do as much as those of a kind, over the same columns and to the same target: a statement
/// may drop thousands over one column.
type Alike<'a> =
    FxHashMap<(Discriminant<ConstraintDetail>, Vec<CompactString>, Option<&'a QName>), Vec<&'a Constraint>>;

/// Whether a statement gives a domain a CHECK.
fn adds_check(statement: &Statement, domain: &QName) -> bool {
    matches!(&statement.body, Body::AlterDomain { name, action: DomainAction::AddConstraint(added) }
        if same_name(name, domain) && matches!(added.kind, ConstraintKind::Check(_)))
}

/// What goes with it, and how to do without the gap.
fn describe(
    cx: &StatementContext<'_>,
    table: &QName,
    name: &str,
    constraint: Option<&Constraint>,
) -> (String, Option<String>) {
    let shown = quote_ident(name);
    match constraint.map(|constraint| &constraint.detail) {
        Some(ConstraintDetail::ForeignKey { target, columns, target_columns, on_delete, on_update }) => (
            format!(
                "without {shown} rows of {table} can point to rows of {target} that aren't there; dropping it locks \
                 {target} ACCESS EXCLUSIVE as well as {table}"
            ),
            Some({
                let deferrable = match constraint {
                    Some(constraint) if constraint.deferrable => " DEFERRABLE",
                    _ => "",
                };
                let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
                let definition =
                    foreign_key(&columns, target, target_columns, (*on_delete, *on_update), deferrable);
                let new = with_new(name);
                let new = quote_ident(&new);
                format!(
                    "-- to change it, add the new one first, then drop this one in a later migration\n\
                     {}",
                    stages(cx.before, table, &new, &definition, "", cx.options.oldest())
                )
            }),
        ),
        Some(ConstraintDetail::PrimaryKey { .. }) => (
            format!(
                "without its primary key {table} takes duplicate rows, lookups by key read the whole table, and \
                 logical replication can't update it"
            ),
            None,
        ),
        Some(ConstraintDetail::Unique { columns, .. }) => (
            format!(
                "without {shown} duplicates of ({}) can be written to {table}, ON CONFLICT on it fails, and its index \
                 is gone",
                super::column_list(columns)
            ),
            None,
        ),
        Some(ConstraintDetail::Check { text, .. }) => {
            (format!("without {shown} rows of {table} can be written that break: {}", one_line(text)), None)
        }
        _ => (format!("without {shown} rows that break it can be written to {table}"), None),
    }
}

/// The text on one line, cut where it is long.
fn one_line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

/// Whether another constraint, validated and in force before this change, does the same work; or a NOT NULL does
/// what a CHECK did.
fn is_kept_up<'a>(table: &'a Relation, dropped: &'a Constraint, alike: &mut Alike<'a>) -> bool {
    if let ConstraintDetail::Check { expr, text } = &dropped.detail
        && let [column] = expr.columns.as_slice()
        && table.column(column.as_str()).is_some_and(|column| column.not_null)
        && says_not_null(text)
    {
        return true;
    }
    let columns = dropped.detail.columns();
    let target = match &dropped.detail {
        ConstraintDetail::ForeignKey { target, .. } => Some(target),
        _ => None,
    };
    let like = (discriminant(&dropped.detail), columns, target);
    // Of two at least one isn't that which is dropped.
    let alike = alike.entry(like).or_insert_with_key(|(_, columns, _)| {
        let columns: Vec<&str> = columns.iter().map(|column| column.as_str()).chain([""]).collect();
        table.constraints.about_any(&columns).filter(|other| does_as_much(other, dropped)).take(2).collect()
    });
    alike.iter().any(|other| other.name != dropped.name)
}

/// Whether a constraint is validated, in force, and demands what `dropped` does.
fn does_as_much(other: &Constraint, dropped: &Constraint) -> bool {
    other.validated
        && other.enforced
        && match (&other.detail, &dropped.detail) {
            (ConstraintDetail::Check { expr: new, .. }, ConstraintDetail::Check { expr: old, .. }) => {
                let covers = |column| new.columns.contains(column);
                !old.columns.is_empty() && old.columns.iter().all(covers)
            }
            (
                ConstraintDetail::Unique { columns: new, .. }
                | ConstraintDetail::PrimaryKey { columns: new, .. },
                ConstraintDetail::Unique { columns: old, .. },
            ) => new.iter().all(|column| old.contains(column)),
            (
                ConstraintDetail::ForeignKey { columns: new, target: to, .. },
                ConstraintDetail::ForeignKey { columns: old, target, .. },
            ) => new == old && to == target,
            _ => false,
        }
}

/// Whether a later action of the transaction puts the like of it in its place, or drops a column of it.
fn is_settled<'a>(later: impl Iterator<Item = &'a Action>, dropped: &Constraint) -> bool {
    let names = dropped.detail.columns();
    let within = |new: &[Ident]| new.iter().all(|column| names.contains(&column.value));
    later.into_iter().any(|action| match &action.kind {
        ActionKind::DropColumn { column, .. } => names.contains(&column.value),
        // NOT NULL says what the CHECK said.
        ActionKind::SetNotNull { column } => match &dropped.detail {
            ConstraintDetail::Check { text, .. } => {
                names.iter().all(|name| column.value == *name) && says_not_null(text)
            }
            _ => false,
        },
        ActionKind::AddConstraint(added) => match (&added.kind, &dropped.detail) {
            (ConstraintKind::ForeignKey(key), ConstraintDetail::ForeignKey { target, .. }) => {
                // More columns of the same target demand as much.
                names.iter().all(|name| key.columns.iter().any(|column| column.value == *name))
                    && same_name(&key.target, target)
            }
            (ConstraintKind::Check(new), ConstraintDetail::Check { .. }) => {
                !names.is_empty()
                    && names.iter().all(|name| new.columns.iter().any(|column| column.value == *name))
            }
            (
                ConstraintKind::Unique(key) | ConstraintKind::PrimaryKey(key),
                ConstraintDetail::Unique { .. } | ConstraintDetail::PrimaryKey { .. },
            ) => key.using_index.is_none() && within(&key.columns),
            _ => false,
        },
        _ => false,
    })
}

/// What a primary key that takes the place of another one no longer guarantees.
fn rekeyed<'a>(
    others: impl Iterator<Item = &'a Action>,
    table: &QName,
    dropped: &Constraint,
) -> Option<String> {
    let ConstraintDetail::PrimaryKey { columns, .. } = &dropped.detail else { return None };
    let comes = others.into_iter().any(|action| {
        matches!(&action.kind, ActionKind::AddConstraint(added) if matches!(added.kind, ConstraintKind::PrimaryKey(_)))
    });
    comes.then(|| {
        format!(
            "under the new primary key {table} takes rows with the same ({}), which the old one refused",
            super::column_list(columns)
        )
    })
}

/// Whether the transaction drops the table, or the one that a foreign key points to.
fn goes_later(cx: &StatementContext<'_>, table: &QName, dropped: &Constraint) -> bool {
    cx.later_in_transaction().any(|statement| match &statement.body {
        Body::Drop(drop) if drop.kind == ObjectKind::Table => drop.names.iter().any(|gone| {
            same_name(&gone.name, table)
                || matches!(&dropped.detail, ConstraintDetail::ForeignKey { target, .. } if same_name(&gone.name, target))
        }),
        _ => false,
    })
}

/// Whether a CHECK says no more than that a column isn't NULL.
pub(super) fn says_not_null(text: &str) -> bool {
    let words = text.replace(['(', ')'], " ").to_ascii_lowercase();
    let words: Vec<&str> = words.split_whitespace().collect();
    matches!(words.as_slice(), [_, "is", "not", "null"])
}
