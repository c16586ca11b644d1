//! CREATE TRIGGER on a table in use, with nothing to end the waiting for its lock.

use crate::migration::catalog::{QName, RelationKind};
use crate::migration::statement::Body;

use super::standstill::ends_waiting;
use super::{Check, MigrationContext, Record, Rule, Sink, joined};

pub static RULE: Rule = Rule {
    code: "create_trigger_locks",
    page: migration_page!("create_trigger_locks"),
    check: Check::Migration(check),
};

/// Told once for a migration, at the first trigger: what is missing is one line.
fn check(context: &MigrationContext<'_>, sink: &mut Sink) {
    let mut first: Option<&Record> = None;
    let mut tables: Vec<QName> = Vec::new();
    for record in context.records {
        let trigger =
            matches!(context.statements.get(record.index).map(|s| &s.body), Some(Body::CreateTrigger(_)));
        if !trigger || ends_waiting(record.lock_timeout, context.options) {
            continue;
        }
        for (table, _) in &record.awaited {
            // INSTEAD OF: nobody writes to the view itself.
            if context.after.relation(table).is_some_and(|known| known.kind == RelationKind::View) {
                continue;
            }
            first.get_or_insert(record);
            if !tables.contains(table) {
                tables.push(table.clone());
            }
        }
    }
    let Some(record) = first else { return };
    sink.say(
        record.span,
        format!(
            "CREATE TRIGGER takes SHARE ROW EXCLUSIVE on {}: while it waits for open transactions there, all writes wait behind it, and no \
             lock_timeout ends that",
            joined(&tables)
        ),
    )
    .help("SET lock_timeout = '2s'; -- before the statement; then run the migration again until it gets through");
}
