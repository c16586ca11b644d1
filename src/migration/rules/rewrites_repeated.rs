//! Two ALTER TABLEs of one migration that each write the same table anew.

use std::collections::HashMap;

use crate::migration::catalog::QName;
use crate::migration::statement::{AlterTable, Body};

use super::{Check, MigrationContext, Rule, Sink};

pub static RULE: Rule = Rule {
    code: "rewrites_repeated",
    page: migration_page!("rewrites_repeated"),
    check: Check::Migration(check),
};

fn check(context: &MigrationContext<'_>, sink: &mut Sink) {
    let mut first: HashMap<&QName, usize> = HashMap::new();
    for record in context.records {
        let Some(Body::AlterTable(alter)) = context.statements.get(record.index).map(|s| &s.body) else {
            continue;
        };
        let mut here: Vec<&QName> = Vec::new();
        for rewrite in &record.effects.rewrites {
            let table = &rewrite.relation;
            let in_use = record.strong.iter().any(|(locked, _)| locked == table);
            // Partitions are written anew with their parent, which is named once.
            if in_use && table.name == alter.name.name.value && !here.contains(&table) {
                here.push(table);
            }
        }
        for table in here {
            let Some(&earlier) = first.get(table) else {
                first.insert(table, record.index);
                continue;
            };
            let line = context.statements.get(earlier).map_or(0, |statement| {
                1 + context
                    .text
                    .get(..statement.span.start as usize)
                    .map_or(0, |before| before.matches('\n').count())
            });
            sink.say(
                record.span,
                format!("{table} is written anew once more: the ALTER TABLE in line {line} does it already, and one with both actions does it once"),
            )
            .help(together(context, earlier, alter, table));
        }
    }
}

/// Both statements' actions in one ALTER TABLE.
fn together(context: &MigrationContext<'_>, earlier: usize, alter: &AlterTable, table: &QName) -> String {
    let first = match context.statements.get(earlier).map(|statement| &statement.body) {
        Some(Body::AlterTable(first)) => first.actions.as_slice(),
        _ => &[],
    };
    let actions: Vec<&str> =
        first.iter().chain(&alter.actions).map(|action| context.sql(action.span)).collect();
    format!("ALTER TABLE {table}\n  {};", actions.join(",\n  "))
}
