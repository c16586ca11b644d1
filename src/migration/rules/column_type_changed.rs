//! `column_type_changed`: a column's new type is another one for the running application.

use crate::migration::statement::{ActionKind, ObjectKind, TypeName, quote_ident};

use super::rename_column::written;
use super::{Check, Rule, Sink, StatementContext, column_type_narrowed, column_type_rewrites};

pub static RULE: Rule = Rule {
    code: "column_type_changed",
    page: migration_page!("column_type_changed"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some((alter, table, known)) = cx.altered() else { return };
    if alter.kind == ObjectKind::Type {
        return; // composite_type_changed
    }
    for action in &alter.actions {
        let ActionKind::SetType { column, type_name, using, .. } = &action.kind else { continue };
        let Some(old) = known.and_then(|table| table.column(column.as_str())) else { continue };
        if !cx.in_use_since(old.born)
            || same_for_clients(&old.type_name, type_name)
            || column_type_narrowed::loss(&old.type_name, type_name).is_some()
        {
            continue;
        }
        let shown = quote_ident(column.as_str());
        let new = written(type_name);
        sink.say(
            action.span,
            format!(
                "the running version takes {table}.{shown} for {}: as {new} it may not fit the driver's type, and \
                 prepared statements that return it fail once with \"cached plan must not change result type\"",
                written(&old.type_name)
            ),
        )
        .help(column_type_rewrites::replacement(cx, &table, column, type_name, using.as_ref()));
    }
}

/// Whether a client gets values of the same kind: the same type whatever its length, or text in another guise.
fn same_for_clients(from: &TypeName, to: &TypeName) -> bool {
    let kind = |t: &TypeName| -> String {
        match t.name.name.as_str() {
            "varchar" | "text" | "bpchar" => "text".to_owned(),
            "serial2" => "int2".to_owned(),
            "serial4" => "int4".to_owned(),
            "serial8" => "int8".to_owned(),
            "bit" | "varbit" => "bit".to_owned(),
            other => other.to_owned(),
        }
    };
    // The stored type carries a schema where it isn't built in, the written one only where it was written.
    let schemas = match (&from.name.schema, &to.name.schema) {
        (Some(old), Some(new)) => old == new,
        _ => true,
    };
    kind(from) == kind(to) && schemas && from.dimensions == to.dimensions
}
