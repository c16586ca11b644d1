//! `int_primary_key`: a primary key of type integer runs out at 2,147,483,647.

use crate::migration::catalog::ConstraintDetail;
use crate::migration::statement::{
    ActionKind, Body, ColumnDefinition, Constraint, ConstraintKind, Ident, Name, Persistence, quote_ident,
};

use super::written::type_text;
use super::{Check, MigrationContext, Rule, Sink};

/// The rule.
pub static RULE: Rule = Rule {
    code: "int_primary_key",
    page: migration_page!("int_primary_key"),
    check: Check::Migration(check),
};

fn check(cx: &MigrationContext<'_>, sink: &mut Sink) {
    // The way back makes again what there was.
    if cx.run.down {
        return;
    }
    for statement in cx.statements {
        match &statement.body {
            Body::CreateTable(create)
                if create.persistence != Persistence::Temporary
                    && !create.foreign
                    && create.partition_of.is_none() =>
            {
                for column in &create.columns {
                    let key = is_key(&column.constraints, &column.name)
                        || is_key(&create.constraints, &column.name);
                    if key {
                        judge(cx, &create.name, column, sink);
                    }
                }
            }
            Body::AlterTable(alter) => {
                for action in &alter.actions {
                    if let ActionKind::AddColumn { column, .. } = &action.kind
                        && is_key(&column.constraints, &column.name)
                    {
                        judge(cx, &alter.name, column, sink);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Whether `column` alone is the primary key.
fn is_key(constraints: &[Constraint], column: &Ident) -> bool {
    constraints.iter().any(|constraint| match &constraint.kind {
        ConstraintKind::PrimaryKey(key) => matches!(key.columns.as_slice(), [only] if only == column),
        _ => false,
    })
}

/// Whether the column is a foreign key too, perhaps by a later statement: then its type is its target's.
fn refers(cx: &MigrationContext<'_>, table: &Name, column: &ColumnDefinition) -> bool {
    let name = cx.after.resolve(table, &cx.session.search_path);
    cx.after.relation(&name).is_some_and(|table| {
        table.constraints.iter().any(|constraint| {
            matches!(&constraint.detail, ConstraintDetail::ForeignKey { columns, .. }
                if columns.iter().any(|name| *name.as_str() == *column.name.as_str()))
        })
    })
}

fn judge(cx: &MigrationContext<'_>, table: &Name, column: &ColumnDefinition, sink: &mut Sink) {
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
    if refers(cx, table, column) {
        return;
    }
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
