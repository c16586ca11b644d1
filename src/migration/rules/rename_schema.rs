//! `rename_schema`: renaming a schema or database breaks everything that uses the old name.

use crate::migration::statement::{Body, ObjectChange, ObjectKind, quote_ident};

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "rename_schema", page: migration_page!("rename_schema"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::AlterObject(alter) = &cx.statement.body else { return };
    let ObjectChange::RenameTo(to) = &alter.change else { return };
    let name = alter.name.name.as_str();
    let (old, new) = (quote_ident(name), quote_ident(to.as_str()));
    match alter.kind {
        ObjectKind::Database if cx.lasts() => {
            sink.say(
                cx.statement.span,
                format!(
                    "connections to database {old} are refused from now on, whichever version makes them"
                ),
            )
            .help("Rename it while the application is stopped, together with its connection settings.");
        }
        ObjectKind::Schema => {
            let new_here = cx.earlier().any(|statement| {
                matches!(&statement.body, Body::CreateSchema { name: Some(made), if_not_exists: false, .. } if *made == name)
            });
            if new_here || (cx.before.complete() && !cx.before.has_schema(name)) || !cx.lasts() {
                return;
            }
            sink.say(
                cx.statement.span,
                format!(
                    "queries that write {old}. fail from the commit on, and connections with {old} in search_path look \
                     for their tables elsewhere"
                ),
            )
            .help(format!(
                "-- make the new schema, move each table into it, and leave a view behind, all in one transaction\n\
                 CREATE SCHEMA {new};\n\
                 ALTER TABLE {old}.… SET SCHEMA {new};\n\
                 CREATE VIEW {old}.… AS SELECT * FROM {new}.…;"
            ));
        }
        _ => {}
    }
}
