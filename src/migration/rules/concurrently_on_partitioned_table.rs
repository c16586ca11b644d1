//! `concurrently_on_partitioned_table`: CONCURRENTLY where a partitioned table doesn't allow it.

use crate::migration::statement::{ActionKind, Body, ObjectKind};

use super::create_index_on_partitioned_table::recipe;
use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "concurrently_on_partitioned_table",
    page: migration_page!("concurrently_on_partitioned_table"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    match &cx.statement.body {
        Body::CreateIndex(create) if create.concurrently => {
            let Some(table) = cx.relation(&create.table).filter(|table| table.is_partitioned()) else {
                return;
            };
            sink.say(
                cx.statement.span,
                format!(
                    "{} is partitioned, and PostgreSQL refuses CREATE INDEX CONCURRENTLY on a partitioned table",
                    table.name
                ),
            )
            .help(format!(
                "-- outside a transaction; the parent's index stays invalid until every partition's is attached\n{}",
                recipe(cx, create, &table.name)
            ));
        }
        Body::Drop(drop) if drop.concurrently && drop.kind == ObjectKind::Index => {
            for dropped in &drop.names {
                let name = cx.resolve(&dropped.name);
                let Some((table, _)) = cx.before.index(&name).filter(|(table, _)| table.is_partitioned())
                else {
                    continue;
                };
                sink.say(
                    dropped.span,
                    format!(
                        "{name} is the index of {}, which is partitioned, and PostgreSQL refuses to drop it \
                         CONCURRENTLY",
                        table.name
                    ),
                )
                .help(format!(
                    "-- the partitions' indexes go with it; each is locked only for a moment\n\
                     SET lock_timeout = '2s';\nDROP INDEX {name};"
                ));
            }
        }
        Body::AlterTable(alter) => {
            let table = cx.resolve(&alter.name);
            for action in &alter.actions {
                let ActionKind::DetachPartition { partition, concurrently: true, .. } = &action.kind else {
                    continue;
                };
                let Some(default) = cx.before.default_partition(&table) else { continue };
                sink.say(
                    action.span,
                    format!(
                        "{table} has a default partition, {default}, and PostgreSQL then refuses DETACH PARTITION \
                         CONCURRENTLY"
                    ),
                )
                .help(format!(
                    "SET lock_timeout = '2s';\nALTER TABLE {table} DETACH PARTITION {};",
                    cx.resolve(partition)
                ));
            }
        }
        _ => {}
    }
}
