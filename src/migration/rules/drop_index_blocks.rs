//! DROP INDEX without CONCURRENTLY on a table in use.

use crate::finding::Edit;
use crate::migration::catalog::QName;
use crate::migration::statement::{Body, ObjectKind};

use super::outside::Becomes;
use super::{Check, Rule, Sink, StatementContext, drop_constraint, joined};

pub static RULE: Rule = Rule {
    code: "drop_index_blocks",
    page: migration_page!("drop_index_blocks"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::Drop(drop) = &context.statement.body else { return };
    if drop.kind != ObjectKind::Index || drop.concurrently {
        return;
    }
    let mut tables: Vec<QName> = Vec::new();
    let mut indexes: Vec<QName> = Vec::new();
    for dropped in &drop.names {
        let name = context.resolve(&dropped.name);
        match context.before.index(&name) {
            Some((table, index)) => {
                // CONCURRENTLY is refused for a partitioned table's index, and a constraint's index can't be dropped.
                if table.is_partitioned() || index.constraint.is_some() || !context.may_be_used(&table.name) {
                    continue;
                }
                if context.is_locked_anyway(&table.name) {
                    continue;
                }
                if !tables.contains(&table.name) {
                    tables.push(table.name.clone());
                }
            }
            None if context.before.would_hold(&name) => continue,
            None => {}
        }
        indexes.push(name);
    }
    if indexes.is_empty() {
        return;
    }
    let table = match tables.as_slice() {
        [] if indexes.len() == 1 => "the index's table".to_owned(),
        [] => "the indexes' tables".to_owned(),
        known => joined(known),
    };
    let more = later_on(context, &tables);
    let also = match more.len() {
        0 => String::new(),
        1 => "; 1 more index goes so in the same transaction".to_owned(),
        count => format!("; {count} more indexes go so in the same transaction"),
    };
    let said = sink.say(
        context.statement.span,
        format!(
            "DROP INDEX takes ACCESS EXCLUSIVE on {table}: it waits for every query there, and all later queries, reads too, wait behind it{also}"
        ),
    );
    let if_exists = if drop.if_exists { "IF EXISTS " } else { "" };
    let one_by_one: Vec<String> = indexes
        .iter()
        .map(|index| format!("DROP INDEX CONCURRENTLY {if_exists}{index};"))
        .chain(more)
        .collect();
    let first = if drop.cascade { dependents(context, &indexes) } else { String::new() };
    said.help(format!("{first}{}{}", context.outside_note(), one_by_one.join("\n")));
    if drop.cascade {
        said.unfixed("CONCURRENTLY and CASCADE don't go together");
    } else if let [_] = drop.names.as_slice() {
        let edits = context.insertion(drop.kind_span, " CONCURRENTLY");
        context.mend_outside(said, "drop the index CONCURRENTLY", edits, Becomes::Concurrent);
    } else if indexes.len() == drop.names.len() {
        // CONCURRENTLY takes one index at a time.
        let names: Vec<String> =
            drop.names.iter().map(|dropped| context.sql(dropped.span).to_owned()).collect();
        let text: Vec<String> =
            names.iter().map(|name| format!("DROP INDEX CONCURRENTLY {if_exists}{name}")).collect();
        let span = context.statement.span;
        let edits = vec![Edit { start: span.start, end: span.end, text: text.join(";\n") }];
        context.mend_outside(said, "drop the indexes CONCURRENTLY, one by one", edits, Becomes::Several);
    }
}

/// The indexes of these tables that later statements of the transaction drop, under the lock that it has then; as SQL that
/// drops them CONCURRENTLY.
fn later_on(context: &StatementContext<'_>, tables: &[QName]) -> Vec<String> {
    if context.inner.is_some() || context.in_transaction() != Some(true) {
        return Vec::new();
    }
    let drops = context.later_in_transaction().filter_map(|statement| match &statement.body {
        Body::Drop(drop) if drop.kind == ObjectKind::Index && !drop.concurrently => Some(drop),
        _ => None,
    });
    let named =
        drops.flat_map(|drop| drop.names.iter().map(move |dropped| (drop, context.resolve(&dropped.name))));
    named
        .filter(|(_, name)| context.before.index(name).is_some_and(|(table, _)| tables.contains(&table.name)))
        .map(|(drop, name)| {
            let if_exists = if drop.if_exists { "IF EXISTS " } else { "" };
            format!("DROP INDEX CONCURRENTLY {if_exists}{name};")
        })
        .collect()
}

/// What CASCADE would take with the indexes, dropped by itself: CONCURRENTLY takes no CASCADE.
fn dependents(context: &StatementContext<'_>, indexes: &[QName]) -> String {
    let known: Vec<_> = indexes.iter().map(|index| context.before.index(index)).collect();
    let known_all = known.iter().all(Option::is_some);
    let keys = known.into_iter().flatten().flat_map(|(table, index)| {
        // A partition's part of a key goes with its parent's.
        let whole = context.before.foreign_keys_on(&table.name, &index.name).into_iter();
        whole.filter(|(referring, _)| referring.partition_of.is_none())
    });
    let drops: String =
        keys.map(|(referring, key)| drop_constraint(&referring.name, &key.name) + "\n").collect();
    match (drops.is_empty(), known_all) {
        (false, _) => {
            format!("-- CONCURRENTLY takes no CASCADE: what hangs on the index goes first\n{drops}")
        }
        (true, true) => String::new(),
        (true, false) => {
            "-- CONCURRENTLY takes no CASCADE: drop the foreign keys that hang on the index first\n"
                .to_owned()
        }
    }
}
