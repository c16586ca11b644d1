//! Two ALTER TABLEs of one migration that each write the same table anew.

use std::collections::HashMap;

use crate::migration::catalog::QName;
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::{Action, ActionKind, AlterTable, Body, Ident};

use super::{Check, MigrationContext, Record, Rule, Sink};

pub static RULE: Rule = Rule {
    code: "rewrites_repeated",
    page: migration_page!("rewrites_repeated"),
    check: Check::Migration(check),
};

/// The first statement that writes a table anew.
struct First<'a> {
    alter: &'a AlterTable,
    /// Its place in the migration.
    index: usize,
    line: usize,
    /// Whether something after it changed the table as well, so that it may matter what comes first.
    followed: bool,
}

fn check(context: &MigrationContext<'_>, sink: &mut Sink) {
    let mut first: HashMap<&QName, First<'_>> = HashMap::new();
    for record in context.records {
        let alter = match context.statements.get(record.index).map(|statement| &statement.body) {
            Some(Body::AlterTable(alter)) => alter,
            _ => {
                follow(&mut first, record);
                continue;
            }
        };
        for table in rewritten(record, alter) {
            let Some(earlier) = first.get(table) else {
                let line = 1 + context
                    .text
                    .get(..record.span.start as usize)
                    .map_or(0, |text| text.matches('\n').count());
                first.insert(table, First { alter, index: record.index, line, followed: false });
                continue;
            };
            let said = format!(
                "{table} is written anew once more: the ALTER TABLE in line {} does it already",
                earlier.line
            );
            if !earlier.followed && is_one(&earlier.alter.actions, &alter.actions) {
                sink.say(record.span, format!("{said}, and one with both actions does it once"))
                    .help(together(context, earlier.alter, alter, table));
            } else {
                sink.say(
                    record.span,
                    format!("{said}, and one that leads straight to what both lead to does it once"),
                )
                .help("Write the columns in one ALTER TABLE as they are to be in the end.");
            }
        }
        follow(&mut first, record);
    }
}

/// Notes what changes a table that an earlier statement writes anew.
fn follow(first: &mut HashMap<&QName, First<'_>>, record: &Record) {
    for lock in record.effects.locks.iter().filter(|lock| lock.mode > LockMode::RowShare) {
        if let Some(earlier) = first.get_mut(&lock.relation) {
            earlier.followed |= earlier.index != record.index;
        }
    }
}

/// The tables in use that an ALTER TABLE writes anew and names; partitions are written anew with their parent, which is
/// named once.
fn rewritten<'a>(record: &'a Record, alter: &AlterTable) -> Vec<&'a QName> {
    let mut tables: Vec<&QName> = Vec::new();
    for table in record.effects.rewrites.iter().map(|rewrite| &rewrite.relation) {
        let in_use = record.strong.iter().any(|(locked, _)| locked == table);
        if in_use && table.name == alter.name.name.value && !tables.contains(&table) {
            tables.push(table);
        }
    }
    tables
}

/// Whether PostgreSQL takes the actions in one ALTER TABLE for what they are one after the other: it drops first, then alters
/// types, then adds columns (`AlterTablePass` in tablecmds.c), and alters no type twice.
fn is_one(first: &[Action], second: &[Action]) -> bool {
    let mut touched: HashMap<&str, Vec<&ActionKind>> = HashMap::new();
    for action in first {
        if let Some(column) = column_of(&action.kind) {
            touched.entry(&column.value).or_default().push(&action.kind);
        }
    }
    second.iter().all(|action| {
        let before = column_of(&action.kind).and_then(|column| touched.get(column.value.as_str()));
        before.is_none_or(|before| before.iter().all(|before| fits(before, &action.kind)))
    })
}

/// The same for two actions on one column.
fn fits(before: &ActionKind, after: &ActionKind) -> bool {
    use ActionKind::{AddColumn, DropColumn, SetType};
    !matches!(
        (before, after),
        (AddColumn { .. }, _) | (_, DropColumn { .. }) | (SetType { .. }, SetType { .. })
    )
}

/// The column that an action adds, alters or drops.
fn column_of(action: &ActionKind) -> Option<&Ident> {
    match action {
        ActionKind::AddColumn { column, .. } => Some(&column.name),
        _ => action.altered_column(),
    }
}

/// Both statements' actions in one ALTER TABLE.
fn together(
    context: &MigrationContext<'_>,
    first: &AlterTable,
    second: &AlterTable,
    table: &QName,
) -> String {
    let actions = first.actions.iter().chain(&second.actions);
    let actions: Vec<&str> = actions.map(|action| context.sql(action.span)).collect();
    format!("ALTER TABLE {table}\n  {};", actions.join(",\n  "))
}
