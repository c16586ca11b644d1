//! `set_schema`: SET SCHEMA breaks every query that looks for the object where it was.

use crate::migration::catalog::{QName, RelationKind};
use crate::migration::statement::{ActionKind, Body, Ident, ObjectChange, ObjectKind, quote_ident};
use crate::source::Span;

use super::rename_table::is_view_over;
use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "set_schema", page: migration_page!("set_schema"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    match &cx.statement.body {
        Body::AlterTable(_) => {
            let Some((alter, relation, known)) = cx.altered() else { return };
            for action in &alter.actions {
                let ActionKind::SetSchema { schema } = &action.kind else { continue };
                let back =
                    cx.later_in_transaction().any(|later| is_view_over(later, &relation, &relation.name));
                if back || *schema == relation.schema.as_str() {
                    continue;
                }
                let moved = QName::new(schema.as_str(), &relation.name);
                let sequence = known.is_some_and(|relation| relation.kind == RelationKind::Sequence);
                let help = if sequence {
                    "Have both schemas in the search_path of every connection before it moves.".to_owned()
                } else {
                    format!(
                        "-- leave a view behind, in the same transaction; drop it when no version looks there\n\
                         BEGIN;\n\
                         ALTER {} {relation} SET SCHEMA {};\n\
                         CREATE VIEW {}.{} AS SELECT * FROM {moved};\n\
                         COMMIT;",
                        alter.kind.sql(),
                        quote_ident(schema.as_str()),
                        quote_ident(&relation.schema),
                        quote_ident(&relation.name),
                    )
                };
                say(sink, action.span, &relation.to_string(), schema, help);
            }
        }
        Body::AlterObject(alter) => {
            let ObjectChange::SetSchema(schema) = &alter.change else { return };
            let path = &cx.session.search_path;
            let (name, used) = match alter.kind {
                ObjectKind::Type | ObjectKind::Domain => {
                    (cx.before.resolve_type(&alter.name, path), cx.type_in_use(&alter.name))
                }
                ObjectKind::Function
                | ObjectKind::Procedure
                | ObjectKind::Routine
                | ObjectKind::Aggregate => {
                    (cx.before.resolve_function(&alter.name, path), cx.function_in_use(&alter.name))
                }
                ObjectKind::Extension => (QName::new("", alter.name.name.as_str()), true),
                // Nothing that a query names without knowing its schema.
                _ => return,
            };
            if used && cx.lasts() {
                let help =
                    "Have both schemas in the search_path of every connection before it moves.".to_owned();
                say(sink, cx.statement.span, &name.to_string(), schema, help);
            }
        }
        _ => {}
    }
}

fn say(sink: &mut Sink, span: Span, name: &str, schema: &Ident, help: String) {
    let schema = quote_ident(schema.as_str());
    sink.say(
        span,
        format!(
            "queries that look for {name} where it was fail from the commit on, unless {schema} is in the search_path of \
             every connection; the version you would roll back to looks there too"
        ),
    )
    .help(help);
}
