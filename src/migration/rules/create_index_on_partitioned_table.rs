//! CREATE INDEX on a partitioned table with partitions, where CONCURRENTLY is refused.

use compact_str::CompactString;

use crate::migration::catalog::{Catalog, QName, RelationKind, naming};
use crate::migration::statement::{Body, CreateIndex, quote_ident};
use crate::source::Span;

use super::{Check, Rule, Sink, StatementContext, joined};

pub static RULE: Rule = Rule {
    code: "create_index_on_partitioned_table",
    page: migration_page!("create_index_on_partitioned_table"),
    check: Check::Statement(check),
};

/// Partitions spelled out in advice; the others are counted.
pub(super) const SHOWN: usize = 4;

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
    .help(format!("{}{}", context.outside_note(), recipe(context, create, &table)));
}

/// The index of `create` on a partitioned table without blocking writes.
pub(super) fn recipe(context: &StatementContext<'_>, create: &CreateIndex, table: &QName) -> String {
    let columns: Vec<&str> = create
        .columns
        .iter()
        .map(|key| key.expr.bare_column.as_ref().map_or("expr", |column| column.as_str()))
        .collect();
    let columns = columns.join("_");
    let parent = create
        .name
        .as_ref()
        .map_or_else(|| context.before.choose_name(table, &columns, "idx"), |name| name.value.clone());
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
    index.recipe(context.before, table)
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
    /// ON ONLY the partitioned tables, CONCURRENTLY on each partition with rows, ATTACH from below.
    pub fn recipe(&self, catalog: &Catalog, table: &QName) -> String {
        let PartitionedIndex { tail, label, .. } = self;
        let unique = if self.unique { "UNIQUE " } else { "" };
        let parent = QName { schema: table.schema.clone(), name: self.name.into() };
        let mut steps = Steps { used: vec![parent.name.clone()], ..Steps::default() };
        steps.only.push_str(&format!(
            "CREATE {unique}INDEX IF NOT EXISTS {} ON ONLY {table} {tail};\n",
            quote_ident(&parent.name)
        ));
        steps.left = leaves(catalog, table).len();
        if steps.left > SHOWN {
            (steps.left, steps.more) = (SHOWN - 1, steps.left - (SHOWN - 1));
        }
        if steps.left == 0 {
            return format!(
                "{}-- for each partition:\n\
                 CREATE {unique}INDEX CONCURRENTLY partition_{label} ON partition {tail};\n\
                 ALTER INDEX {parent} ATTACH PARTITION partition_{label};",
                steps.only
            );
        }
        self.descend(catalog, table, &parent, &mut steps);
        if steps.more > 0 {
            steps.builds.push_str(&format!("-- and so for {} more partitions\n", steps.more));
        }
        format!("{}{}{}", steps.only, steps.builds, steps.attach.trim_end())
    }

    fn descend(&self, catalog: &Catalog, table: &QName, index: &QName, steps: &mut Steps) {
        let unique = if self.unique { "UNIQUE " } else { "" };
        for partition in catalog.children(table) {
            let partitioned = catalog.relation(partition).is_some_and(|known| known.is_partitioned());
            if steps.left == 0 || !partitioned && !holds_index(catalog, partition) {
                continue;
            }
            let name = naming::choose(&partition.name, self.columns, self.label, |candidate| {
                !catalog.is_free(partition, candidate) || steps.used.iter().any(|used| used == candidate)
            });
            steps.used.push(name.clone());
            let own = QName { schema: partition.schema.clone(), name };
            if partitioned {
                steps.only.push_str(&format!(
                    "CREATE {unique}INDEX IF NOT EXISTS {} ON ONLY {partition} {};\n",
                    quote_ident(&own.name),
                    self.tail
                ));
                self.descend(catalog, partition, &own, steps);
            } else {
                steps.left -= 1;
                steps.builds.push_str(&format!(
                    "{}CREATE {unique}INDEX CONCURRENTLY {} ON {partition} {};\n",
                    leftover(catalog, &own, false),
                    quote_ident(&own.name),
                    self.tail
                ));
            }
            steps.attach.push_str(&format!("ALTER INDEX {index} ATTACH PARTITION {own};\n"));
        }
    }
}

/// The parts of a recipe.
#[derive(Default)]
struct Steps {
    only: String,
    builds: String,
    attach: String,
    /// Names that are given.
    used: Vec<CompactString>,
    /// Partitions that are still to be spelled out, and those that won't be.
    left: usize,
    more: usize,
}

/// Whether an index can be on it.
fn holds_index(catalog: &Catalog, partition: &QName) -> bool {
    catalog.relation(partition).is_none_or(|known| known.kind != RelationKind::ForeignTable)
}

/// The partitions with rows of their own, at any depth.
pub(super) fn leaves(catalog: &Catalog, table: &QName) -> Vec<QName> {
    let mut found = Vec::new();
    for partition in catalog.children(table) {
        if catalog.relation(partition).is_some_and(|known| known.is_partitioned()) {
            found.extend(leaves(catalog, partition));
        } else if holds_index(catalog, partition) {
            found.push(partition.clone());
        }
    }
    found
}

/// The line that drops what a failed build has left under a name. Never an index that is known to be in use; a name that
/// nobody wrote (`written`) may have one of those where the history isn't known from its start.
pub(super) fn leftover(catalog: &Catalog, index: &QName, written: bool) -> String {
    if catalog.is_taken(&index.schema, &index.name) {
        String::new()
    } else if written || catalog.complete() {
        format!("DROP INDEX CONCURRENTLY IF EXISTS {index};\n")
    } else {
        format!("-- if a failed build has left it: DROP INDEX CONCURRENTLY {index};\n")
    }
}
