//! `concurrently_on_partitioned_table`: CONCURRENTLY where a partitioned table doesn't allow it.

use crate::migration::catalog::{QName, Relation};
use crate::migration::statement::{ActionKind, Body, CreateIndex, ObjectKind, PartitionBound, quote_ident};

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
            .help(piecewise(cx, create, table));
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
                    "Its partitions' indexes go with it, and each is locked only for a moment:\n\
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
                let Some(default) = default_partition(cx, &table) else { continue };
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

fn default_partition<'a>(cx: &StatementContext<'a>, table: &QName) -> Option<&'a QName> {
    cx.before.children(table).iter().find(|child| {
        cx.before
            .relation(child)
            .and_then(|child| child.partition_of.as_ref())
            .is_some_and(|of| of.bound == Some(PartitionBound::Default))
    })
}

/// The index on the parent alone, on each partition CONCURRENTLY, and the partitions' attached.
fn piecewise(cx: &StatementContext<'_>, create: &CreateIndex, table: &Relation) -> String {
    const SHOWN: usize = 3;
    // As written, from the access method or the key on: USING gin (a), (a, b) WHERE …
    let rest = cx.statement.span.end;
    let definition = cx.text.get(create.table.span().end as usize..rest as usize).unwrap_or("(…)").trim();
    let name = create
        .name
        .as_ref()
        .map_or_else(|| format!("{}_idx", table.name.name), |name| name.as_str().to_owned());
    let unique = if create.unique { "UNIQUE " } else { "" };
    let schema = if table.name.schema == crate::migration::catalog::PUBLIC {
        String::new()
    } else {
        format!("{}.", quote_ident(&table.name.schema))
    };
    let parent = quote_ident(&name);
    let mut steps = vec![
        "-- outside a transaction; the parent's index stays invalid until every partition's is attached"
            .to_owned(),
        format!("CREATE {unique}INDEX {parent} ON ONLY {} {definition};", table.name),
    ];
    let partitions = cx.before.children(&table.name);
    for partition in partitions.iter().take(SHOWN) {
        let own = quote_ident(&format!("{}_{name}", partition.name)).into_owned();
        steps.push(format!("CREATE {unique}INDEX CONCURRENTLY {own} ON {partition} {definition};"));
        steps.push(format!("ALTER INDEX {schema}{parent} ATTACH PARTITION {own};"));
    }
    if partitions.len() > SHOWN {
        steps.push(format!("-- and so on for the other {} partitions", partitions.len() - SHOWN));
    } else if partitions.is_empty() {
        steps.push(
            "-- then CREATE INDEX CONCURRENTLY on each partition, and ALTER INDEX … ATTACH PARTITION …"
                .to_owned(),
        );
    }
    steps.join("\n")
}
