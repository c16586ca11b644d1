//! SET NOT NULL that reads a table in use.

use crate::migration::catalog::{ConstraintDetail, QName};
use crate::migration::effects::ScanReason;
use crate::migration::statement::{ActionKind, Body, ConstraintKind, Ident, quote_ident};

use super::drop_constraint::says_not_null;
use super::{Check, Rule, Sink, StatementContext, plans};

pub static RULE: Rule = Rule {
    code: "set_not_null_scans",
    page: migration_page!("set_not_null_scans"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::AlterTable(alter) = &context.statement.body else { return };
    let table = context.resolve(&alter.name);
    for action in &alter.actions {
        let column = match &action.kind {
            ActionKind::SetNotNull { column } => column,
            ActionKind::AddConstraint(constraint) => match &constraint.kind {
                ConstraintKind::NotNull { column } => column,
                _ => continue,
            },
            // Only a virtual column has values to be read; without a value, NOT NULL can't hold at all.
            ActionKind::AddColumn { column, .. }
                if column
                    .constraints
                    .iter()
                    .any(|c| matches!(c.kind, ConstraintKind::Generated { stored: false, .. })) =>
            {
                &column.name
            }
            _ => continue,
        };
        let reads = context.effects.scans.iter().any(|scan| {
            scan.span == action.span
                && matches!(&scan.reason, ScanReason::NotNull { .. })
                && context.heavy(&scan.relation)
        });
        if !reads {
            continue;
        }
        // A proof that this very statement drops is no proof: drops come first.
        let dropped = alter.actions.iter().find_map(|other| match &other.kind {
            ActionKind::DropConstraint { name, .. } => context
                .before
                .relation(&table)
                .and_then(|known| known.constraint(name.as_str()))
                .filter(|check| check.validated)
                .map(|_| name.as_str()),
            _ => None,
        });
        let said = sink.say(
            action.span,
            format!(
                "every row of {} is read under ACCESS EXCLUSIVE to see that {} is never NULL: reads and writes wait until that is done",
                context.sized(&table),
                quote_ident(column.as_str())
            ),
        );
        said.help(match (dropped, waiting_check(context, &table, column)) {
            (Some(name), _) => format!(
                "-- in one ALTER TABLE the constraint is dropped first, and proves nothing any more\n\
                 ALTER TABLE {table} ALTER COLUMN {} SET NOT NULL;\n\
                 ALTER TABLE {table} DROP CONSTRAINT {};",
                quote_ident(column.as_str()),
                quote_ident(name)
            ),
            (None, Some(name)) => format!(
                "ALTER TABLE {table} VALIDATE CONSTRAINT {name};\n\
                 -- next migration; no scan behind the validated CHECK (12 and later)\n\
                 ALTER TABLE {table} ALTER COLUMN {} SET NOT NULL;\n\
                 ALTER TABLE {table} DROP CONSTRAINT {name};",
                quote_ident(column.as_str())
            ),
            (None, None) => plans::set_not_null(&table, column.as_str(), context.options.version),
        });
    }
}

/// A CHECK that says the same and only waits to be validated.
fn waiting_check(context: &StatementContext<'_>, table: &QName, column: &Ident) -> Option<String> {
    let known = context.before.relation(table)?;
    known.constraints.iter().find_map(|constraint| match &constraint.detail {
        ConstraintDetail::Check { expr, text }
            if !constraint.validated
                && constraint.enforced
                && expr.columns.as_slice() == std::slice::from_ref(column)
                && says_not_null(text) =>
        {
            Some(quote_ident(&constraint.name).into_owned())
        }
        _ => None,
    })
}
