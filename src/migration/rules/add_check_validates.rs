//! ADD CHECK without NOT VALID on a table in use, also as part of ADD COLUMN.

use crate::migration::effects::ScanReason;
use crate::migration::statement::{Action, ActionKind, Body, Constraint, ConstraintKind, Expr, quote_ident};

use super::not_valid::OneConstraint;
use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "add_check_validates",
    page: migration_page!("add_check_validates"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::AlterTable(alter) = &context.statement.body else { return };
    let table = context.resolve(&alter.name);
    for action in &alter.actions {
        let validates = context
            .scans_at(action.span)
            .any(|scan| matches!(scan.reason, ScanReason::Check { .. }) && context.heavy(&scan.relation));
        let Some((constraint, expr)) = condition(action).filter(|_| validates) else { continue };
        let column = match &action.kind {
            ActionKind::AddColumn { column, .. } => Some(column.name.as_str()),
            _ => None,
        };
        let said = sink.say(
            action.span,
            format!(
                "every row of {} is checked under ACCESS EXCLUSIVE: reads and writes wait until that is done",
                context.sized(&table)
            ),
        );
        let name = constraint.name.as_ref().map_or_else(
            || {
                let column = column.or_else(|| match expr.columns.as_slice() {
                    [first, rest @ ..] if rest.iter().all(|other| other == first) => Some(first.as_str()),
                    _ => None,
                });
                context.before.choose_name(&table, column.unwrap_or(""), "check")
            },
            |name| name.value.clone(),
        );
        let chosen = name;
        let name = quote_ident(&chosen);
        let condition = if context.verbatim() { context.sql(expr.span) } else { "…" };
        let first =
            column.map_or(String::new(), |_| context.column_without(&table, action.span, constraint.span));
        said.help(format!(
            "{first}ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID;\n\
             -- next migration (another transaction): reads every row, blocks nobody\n\
             ALTER TABLE {table} VALIDATE CONSTRAINT {name};"
        ));
        let definition = format!("CONSTRAINT {name} CHECK ({condition}) NOT VALID");
        let one = OneConstraint { action, constraint, name: &chosen, table: &table, definition: &definition };
        context.mend_not_valid(said, "add the CHECK NOT VALID, then validate it", &one);
    }
}

/// The CHECK that an action adds.
fn condition(action: &Action) -> Option<(&Constraint, &Expr)> {
    action.added_constraints().iter().find_map(|constraint| match &constraint.kind {
        ConstraintKind::Check(expr) => Some((constraint, expr)),
        _ => None,
    })
}
