//! `irreversible_change`: only a backup brings back what this destroys.

use crate::migration::effects::DestroyedKind;
use crate::migration::statement::{Body, ObjectKind};

use super::{Check, ReversalContext, Rule, Sink, joined};

pub static RULE: Rule = Rule {
    code: "irreversible_change",
    page: migration_page!("irreversible_change"),
    check: Check::Reversal(check),
};

fn check(cx: &ReversalContext<'_>, sink: &mut Sink) {
    let mut tables: Vec<String> = Vec::new();
    let mut place = None;
    for record in cx.records.iter().filter(|record| !record.effects.reversible) {
        for gone in &record.effects.destroys {
            let data = matches!(
                gone.what,
                DestroyedKind::Rows
                    | DestroyedKind::Values
                    | DestroyedKind::Object(ObjectKind::Table | ObjectKind::Column | ObjectKind::Schema)
            );
            let Some(relation) = gone.relation.as_ref().filter(|_| data) else { continue };
            // What this change made itself is in no backup.
            let made_here = cx.statements.iter().any(|statement| match &statement.body {
                Body::CreateTable(create) => create.name.name.value == relation.name,
                Body::CreateTableAs(create) => create.name.name.value == relation.name,
                _ => false,
            });
            if made_here || cx.between.relation(relation).is_some_and(|known| known.born.is_here()) {
                continue;
            }
            let name = relation.to_string();
            if !tables.contains(&name) {
                tables.push(name);
            }
            place.get_or_insert(gone.span);
        }
    }
    let Some(place) = place else { return };
    let dump: Vec<String> = tables.iter().map(|table| format!("-t '{table}'")).collect();
    sink.say(
        place,
        format!("no down migration brings this back; the backup must hold {}, with its rows", joined(&tables)),
    )
    .help(format!(
        "Before the release, and verified before it is relied on:\npg_dump -Fc {} -f before_release.dump\nrollsafe verify-backup before_release.dump",
        dump.join(" ")
    ));
}
