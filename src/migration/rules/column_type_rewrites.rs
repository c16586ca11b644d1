//! ALTER COLUMN … TYPE (or SET EXPRESSION) that writes a table in use anew.

use crate::migration::effects::{RewriteReason, ScanReason};
use crate::migration::statement::{ActionKind, Body};

use super::{Check, Rule, Sink, StatementContext, plans};

pub static RULE: Rule = Rule {
    code: "column_type_rewrites",
    page: migration_page!("column_type_rewrites"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let mut told = Vec::new();
    let rewrites = context.effects.rewrites.iter().filter_map(|rewrite| {
        let column = match &rewrite.reason {
            RewriteReason::ColumnType { column, .. } | RewriteReason::Expression { column } => {
                Some(column.as_str())
            }
            RewriteReason::CompositeType => None,
            _ => return None,
        };
        Some((&rewrite.relation, rewrite.span, column, true))
    });
    let scans = context.effects.scans.iter().filter_map(|scan| match &scan.reason {
        ScanReason::ColumnType { column } => Some((&scan.relation, scan.span, Some(column.as_str()), false)),
        _ => None,
    });
    for (relation, span, column, written) in rewrites.chain(scans) {
        if told.contains(&span) || !context.heavy(relation) {
            continue;
        }
        told.push(span);
        let what = if written {
            format!("{} and its indexes are written anew under ACCESS EXCLUSIVE", context.sized(relation))
        } else {
            format!("every row of {} is checked under ACCESS EXCLUSIVE", context.sized(relation))
        };
        let said = sink.say(span, format!("{what}: reads and writes wait until that is done"));
        let Body::AlterTable(alter) = &context.statement.body else { continue };
        let table = context.resolve(&alter.name);
        let action = alter.actions.iter().find(|action| action.span == span);
        let (Some(column), Some(action)) = (column, action) else { continue };
        let new = format!("{column}_next");
        let text = |span| if context.verbatim() { context.sql(span) } else { "…" };
        match &action.kind {
            ActionKind::SetType { type_name, using, .. } => {
                let old = crate::migration::statement::quote_ident(column);
                let value =
                    using.as_ref().map_or_else(|| old.to_string(), |using| text(using.span).to_owned());
                said.help(plans::replace_column(
                    context.before,
                    &table,
                    column,
                    &new,
                    text(type_name.span),
                    &value,
                ));
            }
            ActionKind::SetExpression { expr, .. } => {
                said.help(format!(
                    "A column beside it, filled by a trigger and in batches with the new expression ({}), then the application reads that one.",
                    text(expr.span)
                ));
            }
            _ => {}
        }
    }
}
