//! `add_column_json`: a column of type json breaks SELECT DISTINCT and UNION over the table's rows.

use crate::finding::Edit;
use crate::migration::statement::{ActionKind, ConstraintKind, ObjectKind, quote_ident};

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "add_column_json",
    page: migration_page!("add_column_json"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some((alter, table, _)) = cx.altered() else { return };
    if alter.kind == ObjectKind::Type {
        return;
    }
    for action in &alter.actions {
        let ActionKind::AddColumn { column, .. } = &action.kind else { continue };
        let json = column
            .type_name
            .as_ref()
            .filter(|type_name| type_name.name.schema.is_none() && type_name.name.name == "json");
        let Some(json) = json else { continue };
        let shown = quote_ident(column.name.as_str());
        let jsonb = format!("jsonb{}", "[]".repeat(json.dimensions as usize));
        let said = sink.say(
            action.span,
            format!(
                "json has no equality operator: with {shown} in {table}, SELECT DISTINCT and UNION over its rows fail, in \
                 queries that worked before and don't use the column"
            ),
        );
        said.help(format!("ALTER TABLE {table} ADD COLUMN {shown} {jsonb};"));
        // A default that is cast to json would no longer fit.
        let cast = column.constraints.iter().any(
            |constraint| matches!(&constraint.kind, ConstraintKind::Default(expr) if expr.cast.is_some()),
        );
        if cx.verbatim() && !cast {
            let at = json.name.name.span;
            said.unsafe_fix(
                "make it jsonb",
                vec![Edit { start: at.start, end: at.end, text: "jsonb".to_owned() }],
            );
        }
    }
}
