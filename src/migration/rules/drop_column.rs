//! `drop_column`: ALTER TABLE … DROP COLUMN removes a column and its data.

use crate::migration::statement::{ActionKind, ObjectKind};

use super::{Check, Rule, Sink, StatementContext, joined, plans};

pub static RULE: Rule =
    Rule { code: "drop_column", page: migration_page!("drop_column"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some((alter, table, known)) = cx.altered() else { return };
    if alter.kind == ObjectKind::Type {
        return; // composite_type_changed
    }
    for action in &alter.actions {
        let ActionKind::DropColumn { column, if_exists, .. } = &action.kind else { continue };
        if !cx.column_in_use(known, column) {
            continue;
        }
        // PostgreSQL drops indexes and constraints over the column without a word, those over several included.
        let unique: Vec<&str> = known
            .iter()
            .flat_map(|table| &table.indexes)
            .filter(|index| index.unique && index.keys.len() > 1)
            .filter(|index| index.keys.iter().any(|key| key.columns.contains(&column.value)))
            .map(|index| index.name.as_str())
            .collect();
        let also = if unique.is_empty() {
            String::new()
        } else {
            format!("; the unique guarantee of {} goes with it", joined(&unique))
        };
        let definition = known.and_then(|table| table.column(column.as_str()));
        let demands = definition.map(|column| plans::demands_value(cx.before, column)).unwrap_or_default();
        let shown = crate::migration::statement::quote_ident(column.as_str());
        sink.say(
            action.span,
            format!(
                "{table}.{shown} goes with its data: only a backup brings it back, and running code that names \
                 the column, or lists all columns as ORMs do, fails at once{also}"
            ),
        )
        .help(plans::drop_column(cx.before, &table, column.as_str(), *if_exists, &demands));
    }
}
