//! `replica_identity_changed`: a changed REPLICA IDENTITY makes writes fail or the WAL grow.

use crate::migration::statement::{ActionKind, ReplicaIdentity};

use super::{Check, Rule, Sink, StatementContext, joined};

pub static RULE: Rule = Rule {
    code: "replica_identity_changed",
    page: migration_page!("replica_identity_changed"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some((alter, table, known)) = cx.altered() else { return };
    for action in &alter.actions {
        let ActionKind::ReplicaIdentity { mode, .. } = &action.kind else { continue };
        let nothing = match mode {
            ReplicaIdentity::Nothing => true,
            ReplicaIdentity::Default => known.is_some_and(|t| t.columns_known && t.primary_key().is_none()),
            _ => false,
        };
        let publications: Vec<&str> =
            cx.before.publications_of(&table).into_iter().map(|(publication, _)| publication).collect();
        let published = if publications.is_empty() {
            "if the table is published".to_owned()
        } else {
            format!("since {} publishes it", joined(&publications))
        };
        let message = if nothing {
            format!("{table} has no replica identity then: UPDATE and DELETE fail {published}")
        } else if *mode == ReplicaIdentity::Full {
            format!(
                "each UPDATE and DELETE of {table} writes the whole old row into the WAL, and subscribers without a fitting \
                 index look for it by reading their whole table"
            )
        } else {
            continue;
        };
        sink.say(action.span, message).help(format!(
            "-- use the primary key, or a unique index over NOT NULL columns\nALTER TABLE {table} REPLICA IDENTITY DEFAULT;"
        ));
    }
}
