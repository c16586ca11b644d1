//! `publication_changed`: a changed publication stops replication, or makes writes fail.

use crate::migration::catalog::Relation;
use crate::migration::statement::{Body, Name, ObjectKind, PublicationAction, ReplicaIdentity, quote_ident};

use super::{Check, Rule, Sink, StatementContext, joined};

pub static RULE: Rule = Rule {
    code: "publication_changed",
    page: migration_page!("publication_changed"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    match &cx.statement.body {
        Body::AlterPublication { name, action, tables } => {
            let shown = quote_ident(name.as_str());
            let message = match action {
                PublicationAction::Add => {
                    without_identity(cx, sink, tables.iter().filter_map(|table| cx.relation(table)));
                    return;
                }
                PublicationAction::Drop => {
                    format!("{} stop arriving at the subscribers of {shown}", named(tables))
                }
                PublicationAction::Set => {
                    format!("every table of {shown} but {} stops arriving at its subscribers", named(tables))
                }
                PublicationAction::SetOptions => {
                    format!("the subscribers of {shown} get other changes than before")
                }
            };
            if cx.lasts() {
                sink.say(
                    cx.statement.span,
                    format!("{message}; what is written meanwhile is missing there for good"),
                )
                .help("-- see who subscribes, and tell them first\nSELECT * FROM pg_replication_slots;");
            }
        }
        Body::CreatePublication { all_tables, tables, .. } => {
            if *all_tables {
                let all = cx.before.relations();
                without_identity(cx, sink, all.into_iter().filter(|relation| cx.in_use(&relation.name)));
            } else {
                without_identity(cx, sink, tables.iter().filter_map(|table| cx.relation(table)));
            }
        }
        Body::Drop(drop) if drop.kind == ObjectKind::Publication && cx.lasts() => {
            for dropped in &drop.names {
                sink.say(
                    dropped.span,
                    format!(
                        "the subscribers of {} get nothing any more; what is written from then on is missing there for good",
                        quote_ident(dropped.name.name.as_str())
                    ),
                )
                .help("-- see who subscribes, and tell them first\nSELECT * FROM pg_replication_slots;");
            }
        }
        _ => {}
    }
}

fn named(tables: &[Name]) -> String {
    let names: Vec<String> = tables.iter().map(ToString::to_string).collect();
    if names.is_empty() { "the tables named".to_owned() } else { joined(&names) }
}

/// Tables whose UPDATEs and DELETEs fail once they are published.
fn without_identity<'a>(
    cx: &StatementContext<'_>,
    sink: &mut Sink,
    tables: impl Iterator<Item = &'a Relation>,
) {
    let bare: Vec<String> = tables
        .filter(|table| table.kind.has_storage() && table.columns_known)
        .filter(|table| match &table.replica_identity {
            Some((ReplicaIdentity::Full | ReplicaIdentity::Index, _)) => false,
            Some((ReplicaIdentity::Nothing, _)) => true,
            Some((ReplicaIdentity::Default, _)) | None => table.primary_key().is_none(),
        })
        .map(|table| table.name.to_string())
        .collect();
    if bare.is_empty() || !cx.lasts() {
        return;
    }
    sink.say(
        cx.statement.span,
        format!("UPDATE and DELETE of {} fail once published: no primary key, no replica identity", joined(&bare)),
    )
    .help("Give the table a primary key first, or name a unique index over NOT NULL columns: ALTER TABLE … REPLICA IDENTITY \
           USING INDEX ….");
}
