//! Two transactions of the run that take the same tables in opposite order.

use std::collections::HashMap;

use crate::migration::catalog::{QName, RelationKind};
use crate::migration::statement::Body;

use super::{Check, JudgedMigration, RELEASE, Record, Rule, RunContext, Sink};

pub static RULE: Rule = Rule {
    code: "lock_order_inconsistent",
    page: migration_page!("lock_order_inconsistent"),
    check: Check::Run(check),
};

/// Tables of one transaction that are compared in pairs; a transaction over more is `many_tables_locked` anyway.
const COMPARED: usize = 32;

fn check(context: &RunContext<'_>, sink: &mut Sink) {
    if context.migrations.len() > RELEASE {
        return;
    }
    // (first, second) → where a transaction took them in that order.
    let mut seen: HashMap<(QName, QName), &str> = HashMap::new();
    for migration in &context.migrations {
        for transaction in transactions(context, migration) {
            let mut told = false;
            let mut pairs = Vec::new();
            for (at, (second, record)) in transaction.iter().enumerate() {
                for (first, earlier) in transaction.iter().take(at) {
                    if earlier.index == record.index {
                        continue;
                    }
                    if let Some(path) = seen.get(&(second.clone(), first.clone())).filter(|_| !told) {
                        told = true;
                        let other = if *path == migration.path {
                            "another transaction of this file".to_owned()
                        } else {
                            format!("a transaction of {path}")
                        };
                        sink.say(
                            record.span,
                            format!(
                                "this transaction locks {first}, then {second}; {other} locks {second}, then {first}: at the same time they make a \
                                 deadlock, as one of them does with an application that uses the two together"
                            ),
                        )
                        .help("Take them in the same order everywhere, the one in which the application uses them; or COMMIT in between.")
                        .in_migration(migration.migration);
                    }
                    pairs.push((first.clone(), second.clone()));
                }
            }
            for pair in pairs {
                seen.entry(pair).or_insert(migration.path);
            }
        }
    }
}

/// For each transaction of a migration: the tables in use that it locks strongly, in order, each with its statement.
fn transactions<'a>(
    context: &RunContext<'_>,
    migration: &JudgedMigration<'a>,
) -> Vec<Vec<(QName, &'a Record)>> {
    let mut all: Vec<Vec<(QName, &Record)>> = Vec::new();
    let mut current = None;
    for record in migration.records.iter().filter(|record| record.in_transaction == Some(true)) {
        if current != Some(record.transaction) {
            current = Some(record.transaction);
            all.push(Vec::new());
        }
        // What a new table's foreign key refers to is locked in an order that nobody chose.
        let new = match migration.statements.get(record.index).map(|statement| &statement.body) {
            Some(Body::CreateTable(create)) => create.partition_of.is_none(),
            _ => false,
        };
        let Some(tables) = all.last_mut().filter(|_| !new) else { continue };
        for (table, _) in &record.strong {
            let view = context.after.relation(table).is_some_and(|known| known.kind == RelationKind::View);
            if !view && tables.len() < COMPARED && !tables.iter().any(|(known, _)| known == table) {
                tables.push((table.clone(), record));
            }
        }
    }
    all
}
