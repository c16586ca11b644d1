//! CREATE INDEX on a partitioned table with partitions, where CONCURRENTLY is refused.

use crate::migration::catalog::{QName, naming};
use crate::migration::statement::{Body, CreateIndex, quote_ident};
use crate::source::Span;

use super::{Check, Rule, Sink, StatementContext, joined};

pub static RULE: Rule = Rule {
    code: "create_index_on_partitioned_table",
    page: migration_page!("create_index_on_partitioned_table"),
    check: Check::Statement(check),
};

/// Partitions spelled out in the advice; the others are counted.
const SHOWN: usize = 4;

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::CreateIndex(create) = &context.statement.body else { return };
    let table = context.resolve(&create.table);
    let partitioned = context.before.relation(&table).is_some_and(|known| known.is_partitioned());
    // CONCURRENTLY is refused there, which is `concurrently_on_partitioned_table`.
    if !partitioned || create.only || create.concurrently || !context.heavy(&table) {
        return;
    }
    let partitions: Vec<QName> =
        context.before.descendants(&table).into_iter().filter(|partition| context.heavy(partition)).collect();
    if partitions.is_empty() && context.before.complete() {
        return;
    }
    let all = if partitions.is_empty() { String::new() } else { format!(" ({})", joined(&partitions)) };
    sink.say(
        context.statement.span,
        format!(
            "CREATE INDEX on the partitioned table {table} holds SHARE locks on it and on all its partitions{all} until the last index is \
             built: all writes wait that long. CONCURRENTLY is refused on a partitioned table"
        ),
    )
    .help(format!("{}{}", context.outside_note(), recipe(context, create, &table, &partitions)));
}

/// ON ONLY the parent, CONCURRENTLY on each partition, ATTACH.
pub(super) fn recipe(
    context: &StatementContext<'_>,
    create: &CreateIndex,
    table: &QName,
    partitions: &[QName],
) -> String {
    let columns: Vec<&str> = create
        .columns
        .iter()
        .map(|key| key.expr.bare_column.as_ref().map_or("expr", |column| column.as_str()))
        .collect();
    let columns = columns.join("_");
    let chosen = |table: &str| naming::choose(table, &columns, "idx", |_| false);
    let parent_index = create.name.as_ref().map_or_else(|| chosen(&table.name), |name| name.value.clone());
    // What follows the table's name: the method, the keys, WHERE.
    let tail = if context.verbatim() {
        let rest = Span { start: create.table.span().end, end: context.statement.span.end };
        context.sql(rest).trim().trim_start_matches('*').trim_start().to_owned()
    } else {
        "(…)".to_owned()
    };
    let unique = if create.unique { "UNIQUE " } else { "" };
    let parent = quote_ident(&parent_index);
    let mut sql = format!("CREATE {unique}INDEX IF NOT EXISTS {parent} ON ONLY {table} {tail};\n");
    let mut attach = String::new();
    let leaves: Vec<&QName> = partitions
        .iter()
        .filter(|partition| !context.before.relation(partition).is_some_and(|known| known.is_partitioned()))
        .collect();
    if leaves.is_empty() {
        sql.push_str(&format!(
            "-- for each partition:\nCREATE {unique}INDEX CONCURRENTLY partition_idx ON partition {tail};\nALTER INDEX {parent} ATTACH PARTITION partition_idx;"
        ));
        return sql;
    }
    let shown = if leaves.len() > SHOWN { SHOWN - 1 } else { leaves.len() };
    for partition in leaves.iter().take(shown) {
        let index = chosen(&partition.name);
        let (bare, qualified) =
            (quote_ident(&index), QName { schema: partition.schema.clone(), name: index.clone() });
        sql.push_str(&format!(
            "DROP INDEX CONCURRENTLY IF EXISTS {qualified};\nCREATE {unique}INDEX CONCURRENTLY {bare} ON {partition} {tail};\n"
        ));
        attach.push_str(&format!("ALTER INDEX {parent} ATTACH PARTITION {qualified};\n"));
    }
    if shown < leaves.len() {
        sql.push_str(&format!("-- and so for {} more partitions\n", leaves.len() - shown));
    }
    let nested = leaves.len() < partitions.len();
    if nested {
        sql.push_str(
            "-- partitions that are partitioned themselves: ON ONLY there too, and ATTACH from below\n",
        );
    }
    sql.push_str(attach.trim_end());
    sql
}
