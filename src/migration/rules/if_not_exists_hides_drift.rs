//! `if_not_exists_hides_drift`: IF NOT EXISTS passes over something that exists and is different.

use crate::migration::catalog::{QName, Relation};
use crate::migration::statement::{ActionKind, Body, CreateTable, TypeName, quote_ident};

use super::written::type_text;
use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "if_not_exists_hides_drift",
    page: migration_page!("if_not_exists_hides_drift"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    // A block may ask for more than the name.
    if cx.inner.is_some() {
        return;
    }
    match &cx.statement.body {
        Body::CreateTable(create) if create.if_not_exists => {
            let Some(table) = cx.relation(&create.name).filter(|table| table.columns_known) else { return };
            let Some(difference) = difference(create, table) else { return };
            sink.say(
                create.name.span(),
                format!(
                    "{} is there already, so this does nothing, and it is not the same: {difference}",
                    table.name
                ),
            )
            .help("Say what is to change, with ALTER TABLE.");
        }
        Body::AlterTable(alter) => {
            let Some(table) = cx.relation(&alter.name) else { return };
            for action in &alter.actions {
                let ActionKind::AddColumn { column, if_not_exists: true } = &action.kind else { continue };
                let (Some(known), Some(written)) = (table.column(column.name.as_str()), &column.type_name)
                else {
                    continue;
                };
                if same_type(&known.type_name, written) {
                    continue;
                }
                let name = quote_ident(column.name.as_str());
                sink.say(
                    action.span,
                    format!(
                        "{}.{name} is there already, so this does nothing, and it is not the same: its type is {}, not {}",
                        table.name,
                        type_text(&known.type_name),
                        type_text(written)
                    ),
                )
                .help("Say what is to change, with ALTER COLUMN … TYPE, or take another name.");
            }
        }
        Body::CreateIndex(create) if create.if_not_exists => {
            let Some(name) = &create.name else { return };
            let table = cx.resolve(&create.table);
            let index = QName { schema: table.schema.clone(), name: name.value.clone() };
            let Some((on, known)) = cx.before.index(&index) else { return };
            let columns = create.columns.iter().map(|key| key.column().map(|column| column.as_str()));
            let same_columns = columns.eq(known.keys.iter().map(|key| key.column.as_deref()));
            if on.name == table && same_columns && known.unique == create.unique {
                return;
            }
            sink.say(
                name.span,
                format!(
                    "{index} is there already, on {}, so this does nothing, and it is not the same index",
                    on.name
                ),
            )
            .help("Give the new index a name of its own; drop the old one later if nothing needs it.");
        }
        _ => {}
    }
}

/// The first difference between the table as written and as it is.
fn difference(create: &CreateTable, table: &Relation) -> Option<String> {
    // What these bring isn't written here.
    if !create.like.is_empty()
        || !create.inherits.is_empty()
        || create.of_type.is_some()
        || create.partition_of.is_some()
    {
        return None;
    }
    for column in &create.columns {
        let name = quote_ident(column.name.as_str());
        let Some(known) = table.column(column.name.as_str()) else {
            return Some(format!("it has no column {name}"));
        };
        if let Some(written) = &column.type_name
            && !same_type(&known.type_name, written)
        {
            return Some(format!(
                "its column {name} is of type {}, not {}",
                type_text(&known.type_name),
                type_text(written)
            ));
        }
    }
    table
        .columns
        .iter()
        .find(|known| !create.columns.iter().any(|column| *column.name.as_str() == *known.name))
        .map(|known| format!("it also has a column {}", quote_ident(&known.name)))
}

fn same_type(known: &TypeName, written: &TypeName) -> bool {
    let plain = |name: &str| match name {
        "serial2" => "int2".to_owned(),
        "serial4" => "int4".to_owned(),
        "serial8" => "int8".to_owned(),
        other => other.to_owned(),
    };
    plain(known.name.name.as_str()) == plain(written.name.name.as_str())
        && known.modifiers == written.modifiers
        && known.fields == written.fields
        && (known.dimensions == 0) == (written.dimensions == 0)
}
