//! `drop_type_in_use`: DROP TYPE of a type that columns use takes those columns with it.

use crate::migration::statement::{Body, ObjectKind, quote_ident};

use super::{Check, Rule, Sink, StatementContext, joined};

pub static RULE: Rule = Rule {
    code: "drop_type_in_use",
    page: migration_page!("drop_type_in_use"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::Drop(drop) = &cx.statement.body else { return };
    if !matches!(drop.kind, ObjectKind::Type | ObjectKind::Domain) || cx.rolled_back() {
        return;
    }
    // To take its columns along is what a way back may be for; to be refused isn't.
    if cx.run.down && (drop.cascade || cx.inner.is_some()) {
        return;
    }
    for dropped in &drop.names {
        let name = cx.before.resolve_type(&dropped.name, &cx.session.search_path);
        let columns: Vec<String> = cx
            .before
            .relations_using_type(&name)
            .into_iter()
            .filter(|(relation, _)| cx.may_be_used(&relation.name))
            .flat_map(|(relation, columns)| {
                columns
                    .into_iter()
                    .filter(|column| cx.in_use_since(column.born))
                    .map(move |column| format!("{}.{}", relation.name, quote_ident(&column.name)))
            })
            .collect();
        let tables = cx.before.tables_of_type(&name).into_iter().filter(|table| cx.may_be_used(&table.name));
        let tables: Vec<String> = tables.map(|table| table.name.to_string()).collect();
        if drop.cascade && !tables.is_empty() {
            let noun = if tables.len() == 1 { "the table" } else { "the tables" };
            let apart: Vec<String> =
                tables.iter().map(|table| format!("ALTER TABLE {table} NOT OF;")).collect();
            sink.say(
                dropped.span,
                format!("CASCADE drops {noun} OF {name} with all rows: {}", joined(&tables)),
            )
            .help(format!("-- the tables stay, and need the type no more\n{}", apart.join("\n")));
        }
        let message = match (columns.is_empty(), drop.cascade) {
            (false, true) => {
                format!("CASCADE drops every column of type {name} with its data: {}", joined(&columns))
            }
            (false, false) => {
                let verb = if columns.len() == 1 { "has" } else { "have" };
                format!(
                    "PostgreSQL refuses to drop {name} while {} {verb} that type: the migration fails",
                    joined(&columns)
                )
            }
            (true, true) if !cx.before.complete() && cx.before.type_named(&name).is_none() => {
                format!("CASCADE drops every column of type {name} with its data")
            }
            _ => continue,
        };
        sink.say(dropped.span, message).help(format!(
            "-- move the columns to another type in stages first, then drop the type, and let PostgreSQL refuse what was \
             forgotten\nDROP {} {name};",
            drop.kind.sql()
        ));
    }
}
