//! `int_primary_key`: a primary key of type integer runs out at 2,147,483,647.

use super::written::type_text;
use crate::migration::statement::{
    ActionKind, Body, ColumnDefinition, Constraint, ConstraintKind, Ident, Name, Persistence, quote_ident,
};

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "int_primary_key",
    page: migration_page!("int_primary_key"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    match &cx.statement.body {
        Body::CreateTable(create)
            if create.persistence != Persistence::Temporary
                && !create.foreign
                && create.partition_of.is_none() =>
        {
            for column in &create.columns {
                let key =
                    is_key(&column.constraints, &column.name) || is_key(&create.constraints, &column.name);
                if key && !refers(column, &create.constraints) {
                    judge(&create.name, column, sink);
                }
            }
        }
        Body::AlterTable(alter) => {
            for action in &alter.actions {
                if let ActionKind::AddColumn { column, .. } = &action.kind
                    && is_key(&column.constraints, &column.name)
                    && !refers(column, &[])
                {
                    judge(&alter.name, column, sink);
                }
            }
        }
        _ => {}
    }
}

/// Whether `column` alone is the primary key.
fn is_key(constraints: &[Constraint], column: &Ident) -> bool {
    constraints.iter().any(|constraint| match &constraint.kind {
        ConstraintKind::PrimaryKey(key) => matches!(key.columns.as_slice(), [only] if only == column),
        _ => false,
    })
}

/// Whether the column is a foreign key too: then its type is its target's.
fn refers(column: &ColumnDefinition, constraints: &[Constraint]) -> bool {
    column.constraints.iter().chain(constraints).any(|constraint| match &constraint.kind {
        ConstraintKind::ForeignKey(key) => key.columns.contains(&column.name),
        _ => false,
    })
}

fn judge(table: &Name, column: &ColumnDefinition, sink: &mut Sink) {
    let Some(type_name) = &column.type_name else { return };
    if type_name.dimensions > 0 || type_name.name.schema.is_some() {
        return;
    }
    let counts = column
        .constraints
        .iter()
        .any(|constraint| matches!(constraint.kind, ConstraintKind::Identity { .. }));
    let largest = match type_name.name.name.as_str() {
        "int4" | "serial4" => "2,147,483,647",
        "serial2" => "32,767",
        "int2" if counts => "32,767",
        _ => return,
    };
    let name = quote_ident(column.name.as_str());
    sink.say(
        type_name.span,
        format!(
            "{table}.{name} is {}: after {largest} every INSERT fails, and the way to bigint rewrites the table",
            type_text(type_name)
        ),
    )
    .help(format!("{name} bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"));
}
