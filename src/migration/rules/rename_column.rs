//! `rename_column`: RENAME COLUMN breaks every query that uses the old name.

use crate::migration::statement::{ActionKind, ObjectKind, TypeName, quote_ident};

use super::replacement::{NewDefault, Replacement};
use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "rename_column", page: migration_page!("rename_column"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some((alter, table, known)) = cx.altered() else { return };
    if matches!(alter.kind, ObjectKind::Type | ObjectKind::Index) {
        return; // composite_type_changed; an index's columns are nobody's
    }
    for action in &alter.actions {
        let ActionKind::RenameColumn { column, to } = &action.kind else { continue };
        if !cx.column_in_use(known, column) {
            continue;
        }
        let (old, new) = (quote_ident(column.as_str()), quote_ident(to.as_str()));
        let said = sink.say(
            action.span,
            format!(
                "the running version fails on {}.{old} from the commit on, the new one on {new} before it, and \
                 rolling back the application finds no {old}",
                cx.name_before(&table)
            ),
        );
        if known.is_none_or(|relation| relation.kind.has_storage()) {
            let replacement = Replacement {
                catalog: cx.before,
                table: &table,
                old: column.as_str(),
                new: to.as_str(),
                type_name: None,
                // What CREATE TABLE AS makes has types that aren't known.
                type_text: known
                    .and_then(|table| table.column(column.as_str()))
                    .filter(|column| !column.type_name.name.name.value.is_empty())
                    .map(|column| written(&column.type_name)),
                value: old.into_owned(),
                default: NewDefault::Old,
                version: cx.options.oldest(),
            };
            said.help(replacement.plan());
        } else {
            said.help(format!(
                "Make a second view with the new name beside {table}, read it in the next release, then drop this one."
            ));
        }
    }
}

/// A type as SQL writes it.
pub(super) fn written(type_name: &TypeName) -> String {
    let mut text = match &type_name.name.schema {
        Some(_) => type_name.name.to_string(),
        None => match type_name.name.name.as_str() {
            "serial2" | "int2" => "smallint".to_owned(),
            // serial isn't a type; the column's type is the integer under it.
            "serial4" | "int4" => "integer".to_owned(),
            "serial8" | "int8" => "bigint".to_owned(),
            "bool" => "boolean".to_owned(),
            "float8" => "double precision".to_owned(),
            "float4" => "real".to_owned(),
            "bpchar" => "char".to_owned(),
            // Names of built-in types need no quotes where a type is expected.
            "timestamp" | "timestamptz" | "time" | "timetz" | "interval" | "numeric" | "varchar" | "bit"
            | "json" => type_name.name.name.as_str().to_owned(),
            _ => type_name.name.to_string(),
        },
    };
    let modifiers: Vec<String> = type_name.modifiers.iter().map(i64::to_string).collect();
    if !modifiers.is_empty() {
        text.push_str(&format!("({})", modifiers.join(",")));
    } else if let Some(fields) = &type_name.fields {
        text.push_str(&format!(" {fields}"));
    }
    for _ in 0..type_name.dimensions {
        text.push_str("[]");
    }
    text
}
