//! `drop_schema`: DROP SCHEMA … CASCADE removes a schema with every table in it.

use crate::migration::statement::{Body, ObjectKind, has_placeholder, quote_ident};

use super::{Check, Rule, Sink, StatementContext, joined};

pub static RULE: Rule =
    Rule { code: "drop_schema", page: migration_page!("drop_schema"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::Drop(drop) = &cx.statement.body else { return };
    // Without CASCADE PostgreSQL refuses to drop a schema that holds anything.
    if drop.kind != ObjectKind::Schema || !drop.cascade || !cx.lasts() {
        return;
    }
    for dropped in &drop.names {
        let schema = dropped.name.name.as_str();
        let is_known = cx.before.complete() && !has_placeholder(schema);
        if is_known && !cx.before.has_schema(schema) {
            continue;
        }
        let inside: Vec<_> = cx
            .before
            .relations_in(schema)
            .into_iter()
            .filter(|relation| relation.kind.has_storage())
            .collect();
        let used: Vec<String> = inside
            .iter()
            .filter(|relation| cx.may_be_used(&relation.name))
            .map(|relation| relation.name.to_string())
            .collect();
        // Whether it is empty is only known where all of history is; with nothing but new tables in it, it is new.
        if used.is_empty() && is_known {
            continue;
        }
        let shown = quote_ident(schema);
        let if_exists = if drop.if_exists { "IF EXISTS " } else { "" };
        let holds =
            if used.is_empty() { "every table in it".to_owned() } else { format!("{} in it", joined(&used)) };
        sink.say(
            dropped.span,
            format!(
                "schema {shown} goes with {holds}, and CASCADE takes whatever depends on them: only a backup \
                 brings the rows back"
            ),
        )
        .help(format!(
            "-- drop what is in it one by one, each as a decision of its own; without CASCADE PostgreSQL refuses while \
             anything is left\nDROP SCHEMA {if_exists}{shown};"
        ));
    }
}
