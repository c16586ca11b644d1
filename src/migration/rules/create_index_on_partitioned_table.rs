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

/// The index of `create` on a partitioned table without blocking writes.
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
    let parent = create
        .name
        .as_ref()
        .map_or_else(|| naming::choose(&table.name, &columns, "idx", |_| false), |name| name.value.clone());
    // What follows the table's name: the method, the keys, WHERE.
    let tail = if context.verbatim() {
        let rest = Span { start: create.table.span().end, end: context.statement.span.end };
        context.sql(rest).trim().trim_start_matches('*').trim_start().to_owned()
    } else {
        "(…)".to_owned()
    };
    let index = PartitionedIndex {
        name: &parent,
        unique: create.unique,
        tail: &tail,
        columns: &columns,
        label: "idx",
    };
    index.recipe(context, table, partitions)
}

/// An index that a partitioned table and its partitions shall have.
pub(super) struct PartitionedIndex<'a> {
    /// The parent's index.
    pub name: &'a str,
    pub unique: bool,
    /// What follows the table's name in CREATE INDEX.
    pub tail: &'a str,
    /// The key columns, joined with `_`, and what the kind of index is called in its name.
    pub columns: &'a str,
    pub label: &'a str,
}

impl PartitionedIndex<'_> {
    /// ON ONLY the parent, CONCURRENTLY on each partition, ATTACH.
    pub fn recipe(&self, context: &StatementContext<'_>, table: &QName, partitions: &[QName]) -> String {
        let PartitionedIndex { tail, label, .. } = self;
        let unique = if self.unique { "UNIQUE " } else { "" };
        let parent = quote_ident(self.name);
        let parent_qualified = QName { schema: table.schema.clone(), name: self.name.into() };
        let mut sql = format!("CREATE {unique}INDEX IF NOT EXISTS {parent} ON ONLY {table} {tail};\n");
        let is_partitioned =
            |name: &&QName| context.before.relation(name).is_some_and(|known| known.is_partitioned());
        let leaves: Vec<&QName> = partitions.iter().filter(|partition| !is_partitioned(partition)).collect();
        if leaves.is_empty() {
            sql.push_str(&format!(
                "-- for each partition:\n\
                 CREATE {unique}INDEX CONCURRENTLY partition_{label} ON partition {tail};\n\
                 ALTER INDEX {parent_qualified} ATTACH PARTITION partition_{label};"
            ));
            return sql;
        }
        let shown = if leaves.len() > SHOWN { SHOWN - 1 } else { leaves.len() };
        let mut attach = String::new();
        for partition in leaves.iter().take(shown) {
            let index = naming::choose(&partition.name, self.columns, label, |_| false);
            let qualified = QName { schema: partition.schema.clone(), name: index.clone() };
            sql.push_str(&format!(
                "DROP INDEX CONCURRENTLY IF EXISTS {qualified};\n\
                 CREATE {unique}INDEX CONCURRENTLY {} ON {partition} {tail};\n",
                quote_ident(&index)
            ));
            attach.push_str(&format!("ALTER INDEX {parent_qualified} ATTACH PARTITION {qualified};\n"));
        }
        if shown < leaves.len() {
            sql.push_str(&format!("-- and so for {} more partitions\n", leaves.len() - shown));
        }
        if leaves.len() < partitions.len() {
            sql.push_str(
                "-- partitions that are partitioned themselves: ON ONLY there too, and ATTACH from below\n",
            );
        }
        sql.push_str(attach.trim_end());
        sql
    }
}
