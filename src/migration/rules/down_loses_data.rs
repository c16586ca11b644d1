//! `down_loses_data`: what was written since the up migration goes with the way back.

use crate::migration::effects::DestroyedKind;
use crate::migration::statement::ObjectKind;

use super::{Check, ReversalContext, Rule, Sink, joined};

pub static RULE: Rule =
    Rule { code: "down_loses_data", page: migration_page!("down_loses_data"), check: Check::Reversal(check) };

fn check(cx: &ReversalContext<'_>, sink: &mut Sink) {
    let Some(down) = &cx.down else { return };
    for record in down.records {
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
                DestroyedKind::Rows => {
                    gone.relation.as_ref().is_some_and(|relation| cx.before.relation(relation).is_some())
                }
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
