//! ALTER COLUMN … TYPE (or SET EXPRESSION) that writes a table in use anew.

use crate::migration::effects::{RewriteReason, ScanReason};
use crate::migration::statement::{ActionKind, Body, quote_ident};
use crate::source::Span;

use super::rename_column::written;
use super::{Check, Rule, Sink, StatementContext, plans};

pub static RULE: Rule = Rule {
    code: "column_type_rewrites",
    page: migration_page!("column_type_rewrites"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let mut told: Vec<Span> = Vec::new();
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
        told.push(rewrite.span);
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
        told.push(scan.span);
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

/// A second column beside the first.
fn plan(context: &StatementContext<'_>, span: Span) -> Option<String> {
    let Body::AlterTable(alter) = &context.statement.body else { return None };
    let table = context.resolve(&alter.name);
    let text = |span| if context.verbatim() { context.sql(span) } else { "…" };
    match &alter.actions.iter().find(|action| action.span == span)?.kind {
        ActionKind::SetType { column, type_name, using, .. } => {
            let old = quote_ident(column.as_str());
            let new_type = text(type_name.span);
            let value = match using {
                Some(using) => text(using.span).to_owned(),
                // A cast to a shorter text would cut it without a word; an assignment refuses.
                None if matches!(type_name.name.name.as_str(), "varchar" | "bpchar" | "text") => {
                    old.into_owned()
                }
                None => format!("{old}::{new_type}"),
            };
            let new = format!("{}_new", column.as_str());
            Some(plans::replace_column(context.before, &table, column.as_str(), &new, new_type, &value))
        }
        ActionKind::SetExpression { expr, .. } => Some(format!(
            "A column beside it, filled by a trigger and in batches with the new expression ({}); then the application reads that one.",
            text(expr.span)
        )),
        _ => None,
    }
}
