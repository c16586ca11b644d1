//! `set_not_null_breaks_writers`: SET NOT NULL makes writes fail that leave the column NULL.

use crate::migration::catalog::{ConstraintDetail, Relation};
use crate::migration::statement::{ActionKind, Ident, ObjectKind, quote_ident};

use super::{Check, Rule, Sink, StatementContext, plans};

pub static RULE: Rule = Rule {
    code: "set_not_null_breaks_writers",
    page: migration_page!("set_not_null_breaks_writers"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some((alter, table, known)) = cx.altered() else { return };
    if alter.kind == ObjectKind::Type {
        return;
    }
    for action in &alter.actions {
        let ActionKind::SetNotNull { column } = &action.kind else { continue };
        if !cx.column_in_use(known, column) || known.is_some_and(|table| refuses_null(table, column)) {
            continue;
        }
        let shown = quote_ident(column.as_str());
        sink.say(
            action.span,
            format!("a running version that leaves {table}.{shown} NULL, or out of an INSERT, fails from the commit on"),
        )
        .help(format!(
            "-- deploy code that always writes {shown} first; then\n{}",
            plans::set_not_null(cx.before, &table, column.as_str(), cx.options.oldest())
        ));
    }
}

/// Whether writers can't write NULL there already: a validated CHECK or NOT NULL says so. One that is NOT VALID
/// refuses them as well, but may be of the same release.
fn refuses_null(table: &Relation, column: &Ident) -> bool {
    table.column(column.as_str()).is_some_and(|column| column.not_null)
        || table.constraints.about(column.as_str()).any(|constraint| {
            constraint.enforced
                && constraint.validated
                && match &constraint.detail {
                    ConstraintDetail::NotNull { column: other } => *other == column.value,
                    ConstraintDetail::Check { expr, text } => {
                        expr.columns.contains(column) && text.to_ascii_lowercase().contains("is not null")
                    }
                    _ => false,
                }
        })
}
