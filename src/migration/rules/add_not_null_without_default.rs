//! `add_not_null_without_default`: ADD COLUMN … NOT NULL without a default makes the old version's inserts fail.

use crate::migration::catalog::TypeKind;
use crate::migration::catalog::naming::with_new;
use crate::migration::statement::{
    Action, ActionKind, ColumnDefinition, ConstraintKind, Literal, ObjectKind, quote_ident,
};

use super::rename_column::written;
use super::{Check, Rule, Sink, StatementContext, plans};

pub static RULE: Rule = Rule {
    code: "add_not_null_without_default",
    page: migration_page!("add_not_null_without_default"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some((alter, table, known)) = cx.altered() else { return };
    if alter.kind == ObjectKind::Type {
        return;
    }
    for action in &alter.actions {
        let ActionKind::AddColumn { column, if_not_exists } = &action.kind else { continue };
        if *if_not_exists && known.is_some_and(|table| table.column(column.name.as_str()).is_some()) {
            continue;
        }
        if !is_required(cx, column) || has_value(cx, column) {
            continue;
        }
        let shown = quote_ident(column.name.as_str());
        let type_name = column.type_name.as_ref().map_or_else(|| "…".to_owned(), written);
        // A domain that takes no NULL can't be that of a column which is to be filled later.
        let domain = column.type_name.as_ref().and_then(|written| plans::while_empty(cx.before, written));
        let empty_type = domain.map_or_else(|| type_name.clone(), |(_, base)| base);
        let remade = |other: &Action| matches!(&other.kind, ActionKind::DropColumn { column: gone, .. } if *gone == column.name);
        if alter.actions.iter().any(remade) {
            sink.say(
                action.span,
                format!(
                    "{table}.{shown} is made anew, and there is no value for the rows that are there: where {table} has any, this \
                     ALTER TABLE fails"
                ),
            )
            .help(format!(
                "-- beside the old column, in stages\n{}",
                plans::add_not_null_column(
                    cx.before,
                    &table,
                    &with_new(column.name.as_str()),
                    &empty_type,
                    cx.options.oldest()
                )
            ));
            continue;
        }
        sink.say(
            action.span,
            format!(
                "inserts of the running version leave {table}.{shown} out and fail on its NOT NULL; where {table} has \
                 rows, this ALTER TABLE fails itself"
            ),
        )
        .help(format!(
            "-- with a constant default both versions work, and no row is rewritten\n\
             ALTER TABLE {table} ADD COLUMN {shown} {type_name} NOT NULL DEFAULT …;\n\
             \n\
             -- without one, in stages\n\
             {}",
            plans::add_not_null_column(
                cx.before,
                &table,
                column.name.as_str(),
                &empty_type,
                cx.options.oldest()
            )
        ));
    }
}

fn is_required(cx: &StatementContext<'_>, column: &ColumnDefinition) -> bool {
    let constraint = column.constraints.iter().any(|constraint| {
        matches!(constraint.kind, ConstraintKind::NotNull { .. } | ConstraintKind::PrimaryKey(_))
            && !constraint.not_valid
    });
    constraint || domain(cx, column).is_some_and(|(not_null, _)| not_null)
}

/// Whether an INSERT that leaves the column out gets a value.
fn has_value(cx: &StatementContext<'_>, column: &ColumnDefinition) -> bool {
    let given = column.constraints.iter().find_map(|constraint| match &constraint.kind {
        ConstraintKind::Default(expr) => Some(expr.literal != Some(Literal::Null)),
        ConstraintKind::Identity { .. } | ConstraintKind::Generated { .. } => Some(true),
        _ => None,
    });
    let serial = column
        .type_name
        .as_ref()
        .is_some_and(|t| t.name.schema.is_none() && t.name.name.as_str().starts_with("serial"));
    given.unwrap_or(serial || domain(cx, column).is_some_and(|(_, default)| default))
}

/// For a column of a domain: whether that is NOT NULL, and whether it has a default.
fn domain(cx: &StatementContext<'_>, column: &ColumnDefinition) -> Option<(bool, bool)> {
    let written = column.type_name.as_ref()?;
    if written.dimensions > 0 {
        return None;
    }
    let name = cx.before.resolve_type(&written.name, &cx.session.search_path);
    match &cx.before.type_named(&name)?.kind {
        TypeKind::Domain(domain) => Some((domain.not_null, domain.default.is_some())),
        _ => None,
    }
}
