//! One transaction with strong locks on three or more tables in use.

use std::collections::HashSet;

use crate::migration::catalog::{QName, RelationKind};
use crate::migration::statement::Body;

use super::{Check, MigrationContext, Record, Rule, Sink, joined};

pub static RULE: Rule = Rule {
    code: "many_tables_locked",
    page: migration_page!("many_tables_locked"),
    check: Check::Migration(check),
};

/// With two it is mostly a foreign key and its other table.
const MANY: usize = 3;

fn check(context: &MigrationContext<'_>, sink: &mut Sink) {
    let together = |record: &&Record| record.in_transaction == Some(true);
    let mut records = context.records.iter().filter(together).peekable();
    while let Some(first) = records.next() {
        let mut tables: Vec<QName> = Vec::new();
        let mut seen: HashSet<QName> = HashSet::new();
        let mut takers = 0;
        let mut at = None;
        let mut record = first;
        loop {
            let before = tables.len();
            for table in locked_tables(context, record) {
                if seen.insert(table.clone()) {
                    tables.push(table);
                }
            }
            takers += usize::from(tables.len() > before);
            if at.is_none() && tables.len() >= MANY && takers > 1 {
                at = Some(record.span);
            }
            match records.peek() {
                Some(next) if next.transaction == first.transaction => record = next,
                _ => break,
            }
            records.next();
        }
        if let Some(span) = at {
            sink.say(
                span,
                format!(
                    "this transaction takes strong locks on {} tables ({}) one after the other: the first stands still while it waits for the \
                     others, and an application that uses them in another order makes a deadlock",
                    tables.len(),
                    joined(&tables)
                ),
            )
            .help("One table per transaction: a migration for each, or COMMIT in between. Each can then be repeated by itself.");
        }
    }
}

/// The tables in use that a statement locks strongly because it is about them: partitions count as their parent,
/// and what a new table's foreign key refers to doesn't count.
pub(super) fn locked_tables(context: &MigrationContext<'_>, record: &Record) -> Vec<QName> {
    let new = match context.statements.get(record.index).map(|statement| &statement.body) {
        Some(Body::CreateTable(create)) => create.partition_of.is_none(),
        Some(Body::AlterTable(alter)) => {
            !record.strong.iter().any(|(table, _)| table.name == alter.name.name.value)
        }
        _ => false,
    };
    if new {
        return Vec::new();
    }
    let mut tables: Vec<QName> = Vec::new();
    let mut seen: HashSet<QName> = HashSet::new();
    for (table, _) in &record.strong {
        if context.after.relation(table).is_some_and(|known| known.kind == RelationKind::View) {
            continue;
        }
        let top = context.after.partition_ancestors(table).pop().unwrap_or_else(|| table.clone());
        if seen.insert(top.clone()) {
            tables.push(top);
        }
    }
    tables
}
