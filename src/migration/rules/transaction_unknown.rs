//! `transaction_unknown`: whether the statement works depends on a transaction of which nothing tells whether it is open.

use crate::migration::project::runner::needs_no_transaction;
use crate::migration::project::runners::runner;
use crate::migration::statement::{Body, SetScope, Statement};

use super::{Check, MigrationContext, Rule, Sink, switches};

/// The rule.
pub static RULE: Rule = Rule {
    code: "transaction_unknown",
    page: migration_page!("transaction_unknown"),
    check: Check::Migration(check),
};

fn check(cx: &MigrationContext<'_>, sink: &mut Sink) {
    // Told once for a file.
    let depends = cx.statements.iter().zip(cx.records).find_map(|(statement, record)| {
        let (inside, outside) = readings(statement)?;
        match record.in_transaction {
            None => Some((statement, inside, outside)),
            // Printed outside a transaction, where others may have been in the same string.
            Some(false) if lost(cx) && needs_no_transaction(statement) => Some((statement, inside, outside)),
            _ => None,
        }
    });
    let Some((statement, inside, outside)) = depends else { return };
    let title = cx.run.runner.and_then(runner).map_or("the tool", |runner| runner.title);
    let kind = statement.kind_name();
    let (message, help) = match cx.run.export {
        Some(export) if export.shows_transactions => (
            format!(
                "{}: {kind} {outside} if it was a string of its own, and {inside} if it wasn't",
                export.lost
            ),
            format!("{title}: {}.", cx.run.runner.and_then(runner).map_or("", |runner| runner.alone)),
        ),
        Some(export) => (
            format!("{}: in a transaction {kind} {inside}, outside one it {outside}", export.lost),
            format!("{title}: {}.", cx.run.runner.and_then(runner).map_or("", |runner| runner.alone)),
        ),
        // The tool is known, and how it sends the file isn't.
        None if cx.run.runner.is_some() => (
            format!(
                "nothing tells whether {title} sends this file as one query, in which case {kind} {inside}, or statement by \
                 statement, in which case it {outside}"
            ),
            switches::without_transaction(cx.run),
        ),
        None => (
            format!(
                "nothing tells how this file is run: if the tool opens a transaction, or sends the file as one query with other \
                 statements in it, {kind} {inside}; statement by statement it {outside}"
            ),
            "Name the tool: --runner NAME, or runner = \"NAME\" under [project] in rollsafe.toml.".to_owned(),
        ),
    };
    sink.say(statement.span, message).help(help);
}

/// Whether the export may hide that several statements are one query: it prints others outside a transaction too.
fn lost(cx: &MigrationContext<'_>) -> bool {
    let outside = |(statement, record): (&Statement, &super::Record)| {
        record.in_transaction == Some(false) && !matches!(statement.body, Body::Transaction(_))
    };
    cx.run.export.is_some() && cx.statements.iter().zip(cx.records).filter(|pair| outside(*pair)).count() > 1
}

/// What a statement does in a transaction and outside one, where that differs.
fn readings(statement: &Statement) -> Option<(&'static str, &'static str)> {
    match &statement.body {
        Body::Lock(_) => Some(("works", "fails")),
        Body::Set(set) if set.scope == SetScope::Local && !set.transaction => {
            Some(("holds until it ends", "does nothing"))
        }
        _ => needs_no_transaction(statement).then_some(("fails", "works")),
    }
}
