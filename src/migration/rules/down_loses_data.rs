//! `down_loses_data`: what was written since the up migration goes with the way back.

use crate::migration::catalog::QName;
use crate::migration::effects::DestroyedKind;
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::{Access, Body, ObjectKind, Statement};

use super::{Check, ReversalContext, Rule, Sink, joined};

pub static RULE: Rule =
    Rule { code: "down_loses_data", page: migration_page!("down_loses_data"), check: Check::Reversal(check) };

fn check(cx: &ReversalContext<'_>, sink: &mut Sink) {
    let Some(down) = &cx.down else { return };
    let seeded = seeded(cx);
    for record in down.records {
        let takes_back = down.statements.get(record.index).is_some_and(deletes_some);
        // Only what lives on: dropping the table that the up migration made is what everybody expects of its down.
        let lost: Vec<String> = record
            .effects
            .destroys
            .iter()
            .filter(|gone| !gone.cascaded)
            .filter(|gone| match gone.what {
                DestroyedKind::Object(ObjectKind::Table | ObjectKind::Column) => {
                    gone.relation.as_ref().is_some_and(|relation| cx.before.relation(relation).is_some())
                }
                // The rows that the up migration has written itself are its own to take back.
                DestroyedKind::Rows => gone.relation.as_ref().is_some_and(|relation| {
                    cx.before.relation(relation).is_some() && !(takes_back && seeded.contains(&relation))
                }),
                DestroyedKind::Values | DestroyedKind::Object(_) => false,
            })
            .map(|gone| gone.name.clone())
            .collect();
        if lost.is_empty() {
            continue;
        }
        sink.say(
            record.span,
            format!("rolling back throws away what was written to {} since the release", joined(&lost)),
        )
        .in_migration(down.migration)
        .help(
            "Before the down migration is run, keep the values aside, so that they can be put back with the next release:\n\
             CREATE TABLE kept_before_rollback AS SELECT … ;",
        );
    }
}

/// The tables that the up migration inserts rows into.
fn seeded<'a>(cx: &ReversalContext<'a>) -> Vec<&'a QName> {
    let inserts = |statement: &Statement| match &statement.body {
        Body::Query(query) => query.changes.iter().any(|change| change.access == Access::Insert),
        _ => false,
    };
    let records = cx.statements.iter().zip(cx.records).filter(|(statement, _)| inserts(statement));
    records
        .flat_map(|(_, record)| &record.effects.locks)
        .filter(|lock| lock.mode == LockMode::RowExclusive)
        .map(|lock| &lock.relation)
        .collect()
}

/// Whether it deletes rows, and not all there are.
fn deletes_some(statement: &Statement) -> bool {
    let Body::Query(query) = &statement.body else { return false };
    query
        .changes
        .iter()
        .filter(|change| change.access == Access::Delete)
        .all(|change| change.filter.as_ref().is_some_and(|filter| !filter.always_true))
}
