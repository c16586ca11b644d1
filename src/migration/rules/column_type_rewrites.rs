//! ALTER COLUMN … TYPE (or SET EXPRESSION) that writes a table in use anew.

use rustc_hash::FxHashSet;

use crate::migration::catalog::QName;
use crate::migration::catalog::naming::with_new;
use crate::migration::effects::{RewriteReason, ScanReason};
use crate::migration::statement::{Action, ActionKind, Body, Expr, Ident, TypeName, quote_ident};
use crate::source::Span;

use super::rename_column::written;
use super::replacement::{NewDefault, Replacement};
use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "column_type_rewrites",
    page: migration_page!("column_type_rewrites"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let mut told: FxHashSet<Span> = FxHashSet::default();
    for rewrite in &context.effects.rewrites {
        let why = match &rewrite.reason {
            RewriteReason::ColumnType { column, from: Some(from), .. } => {
                format!(
                    "each value of {} must be converted or checked (its type is {} now)",
                    quote_ident(column),
                    written(from)
                )
            }
            RewriteReason::ColumnType { column, from: None, .. } => {
                format!(
                    "each value of {} must be converted or checked, unless its old type, which isn't known here, is stored like the new one",
                    quote_ident(column)
                )
            }
            RewriteReason::Expression { column } => {
                format!("{} is stored, and computed anew for each row", quote_ident(column))
            }
            RewriteReason::CompositeType => "its type changes".to_owned(),
            _ => continue,
        };
        if told.contains(&rewrite.span) || !context.heavy(&rewrite.relation) {
            continue;
        }
        told.insert(rewrite.span);
        let said = sink.say(
            rewrite.span,
            format!(
                "{why}, so {} and its indexes are written anew under ACCESS EXCLUSIVE: reads and writes wait until that is done",
                context.sized(&rewrite.relation)
            ),
        );
        if let Some(help) = plan(context, rewrite.span) {
            said.help(help);
        }
    }
    for scan in &context.effects.scans {
        let ScanReason::ColumnType { column } = &scan.reason else { continue };
        if told.contains(&scan.span) || !context.heavy(&scan.relation) {
            continue;
        }
        told.insert(scan.span);
        let said = sink.say(
            scan.span,
            format!(
                "each value of {} is checked, so every row of {} is read under ACCESS EXCLUSIVE: reads and writes wait until that is done",
                quote_ident(column),
                context.sized(&scan.relation)
            ),
        );
        if let Some(help) = plan(context, scan.span) {
            said.help(help);
        }
    }
}

/// The action at `span`: they stand one behind the other.
fn action_at(actions: &[Action], span: Span) -> Option<&Action> {
    let at = actions.partition_point(|action| action.span < span);
    actions.get(at).filter(|action| action.span == span)
}

/// A second column beside the first.
fn plan(context: &StatementContext<'_>, span: Span) -> Option<String> {
    let Body::AlterTable(alter) = &context.statement.body else { return None };
    let table = context.resolve(&alter.name);
    let text = |span| if context.verbatim() { context.sql(span) } else { "…" };
    match &action_at(&alter.actions, span)?.kind {
        ActionKind::SetType { column, type_name, using, .. } => {
            Some(replacement(context, &table, column, type_name, using.as_ref()))
        }
        ActionKind::SetExpression { expr, .. } => Some(format!(
            "A column beside it, filled by a trigger and in batches with the new expression ({}); then the application reads that one.",
            text(expr.span)
        )),
        _ => None,
    }
}

/// The plan for a column whose type changes.
pub(super) fn replacement(
    context: &StatementContext<'_>,
    table: &QName,
    column: &Ident,
    type_name: &TypeName,
    using: Option<&Expr>,
) -> String {
    let verbatim = context.verbatim();
    let type_text = if verbatim { context.sql(type_name.span).to_owned() } else { written(type_name) };
    let cast = Replacement::cast(column.as_str(), type_name, &type_text);
    // `USING "a"::t` says no more than its absence: what holds for the cast holds for the default.
    let says_cast = |using: &Expr| {
        using.inner_casts.is_empty()
            && using.bare_column.as_ref() == Some(column)
            && using.cast.as_deref().is_some_and(|to| written(to) == written(type_name))
            && cast.ends_with(&type_text)
    };
    let value = match using {
        Some(using) if says_cast(using) => cast,
        Some(using) if verbatim => context.sql(using.span).to_owned(),
        Some(_) => "…".to_owned(),
        None => cast,
    };
    // PostgreSQL cuts a name that is too long, and then it may be the old one.
    let new = with_new(column.as_str());
    let replacement = Replacement {
        catalog: context.before,
        table,
        old: column.as_str(),
        new: &new,
        type_name: Some(type_name),
        type_text: Some(type_text),
        value,
        default: default_after(context, column),
        version: context.options.oldest(),
    };
    replacement.plan()
}

/// What else the statement makes of the column's default.
fn default_after(context: &StatementContext<'_>, column: &Ident) -> NewDefault {
    let Body::AlterTable(alter) = &context.statement.body else { return NewDefault::Old };
    let said = alter.actions.iter().filter_map(|action| match &action.kind {
        ActionKind::SetDefault { column: of, default } if of == column => {
            // What is known at run time only stands in no text.
            Some(if context.verbatim() {
                NewDefault::Set(context.sql(default.span).to_owned())
            } else {
                NewDefault::Old
            })
        }
        ActionKind::DropDefault { column: of } if of == column => Some(NewDefault::Dropped),
        _ => None,
    });
    // DROP DEFAULT comes first, whatever the order.
    said.reduce(|a, b| if matches!(b, NewDefault::Dropped) { a } else { b }).unwrap_or(NewDefault::Old)
}
