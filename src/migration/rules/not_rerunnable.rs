//! `not_rerunnable`: outside a transaction, a later failure leaves a part that can't be run again.

use std::collections::HashSet;

use crate::migration::statement::{ActionKind, Body, Ident, Name, Persistence, Statement, quote_ident};
use crate::source::Span;

use super::relation_missing::by_others;
use super::{Check, MigrationContext, Rule, Sink};

/// The rule.
pub static RULE: Rule =
    Rule { code: "not_rerunnable", page: migration_page!("not_rerunnable"), check: Check::Migration(check) };

fn check(cx: &MigrationContext<'_>, sink: &mut Sink) {
    if cx.run.one_transaction_for_all || cx.run.down {
        return;
    }
    // A file that the tool refuses leaves nothing behind.
    let is_refused =
        |alone: fn(&Statement) -> bool| cx.statements.iter().any(alone) && !cx.statements.iter().all(alone);
    if cx.run.alone_only.is_some_and(is_refused) {
        return;
    }
    let outside =
        |index: usize| cx.records.get(index).is_none_or(|record| record.in_transaction != Some(true));
    let Some((last, why)) = cx
        .statements
        .iter()
        .enumerate()
        .rev()
        .filter(|(index, _)| outside(*index))
        .find_map(|(index, statement)| Some((index, runs_alone(statement)?)))
    else {
        return;
    };
    let mut cleared = Cleared::default();
    let mut stuck: Vec<(Span, String)> = Vec::new();
    // An export may hold several migrations: what is noted as done isn't done again.
    let before = &cx.statements[..last]; // a position in them
    let noted = match cx.run.export {
        Some(_) => before.iter().rposition(notes_what_ran).map_or(0, |at| at + 1),
        None => 0,
    };
    for statement in &before[noted..] {
        let is_tools =
            matches!(&statement.body, Body::CreateTable(create) if by_others(create.name.name.as_str()));
        if is_tools {
            continue; // the tool looks whether it is there
        }
        if let Some(what) = cleared.once_only(statement) {
            stuck.push((statement.span, what));
        }
    }
    let Some((span, what)) = stuck.first() else { return };
    let others = match stuck.len() {
        1 => String::new(),
        n => format!(" (and {} more like it)", n - 1),
    };
    sink.say(
        *span,
        format!(
            "if {why} further down fails, {what} stays{others}, and the next try of the migration fails here"
        ),
    )
    .help(format!(
        "Put {why} into a migration of its own, or write what comes before it so that it can run twice: with IF NOT EXISTS \
         or IF EXISTS, and with DROP INDEX CONCURRENTLY IF EXISTS before each CREATE INDEX CONCURRENTLY."
    ));
}

/// Whether a statement writes into the table where a migration tool notes what has run.
fn notes_what_ran(statement: &Statement) -> bool {
    let Body::Query(query) = &statement.body else { return false };
    query.changes.iter().any(|change| by_others(change.target.name.as_str()))
}

/// What can't be in a transaction, and so may fail by itself.
fn runs_alone(statement: &Statement) -> Option<&'static str> {
    match &statement.body {
        Body::CreateIndex(create) if create.concurrently => Some("CREATE INDEX CONCURRENTLY"),
        Body::Drop(drop) if drop.concurrently => Some("DROP INDEX CONCURRENTLY"),
        Body::Reindex(reindex) if reindex.concurrently => Some("REINDEX CONCURRENTLY"),
        Body::Vacuum(_) => Some("VACUUM"),
        Body::AlterTable(alter) => alter.actions.iter().find_map(|action| match action.kind {
            ActionKind::DetachPartition { concurrently: true, .. } => Some("DETACH PARTITION CONCURRENTLY"),
            _ => None,
        }),
        _ => None,
    }
}

/// Names that the file has cleared away with DROP … IF EXISTS, so that making them anew can be repeated.
#[derive(Default)]
struct Cleared<'a> {
    names: HashSet<&'a str>,
}

impl<'a> Cleared<'a> {
    /// What of the statement fails when it runs a second time.
    fn once_only(&mut self, statement: &'a Statement) -> Option<String> {
        let made = |name: &Name, tolerant: bool, noun: &str| {
            (!tolerant && !self.names.contains(name.name.as_str())).then(|| format!("the {noun} {name}"))
        };
        match &statement.body {
            Body::CreateTable(create) if create.persistence != Persistence::Temporary => {
                made(&create.name, create.if_not_exists, "table")
            }
            Body::CreateTableAs(create) if create.persistence != Persistence::Temporary => {
                made(&create.name, create.if_not_exists, "table")
            }
            Body::CreateIndex(create) => {
                let name = Name { schema: None, name: create.name.clone()? };
                made(&name, create.if_not_exists, "index")
            }
            Body::CreateView(create) => made(&create.name, create.replace || create.temporary, "view"),
            Body::CreateType { name, .. } => made(name, false, "type"),
            Body::CreateDomain(create) => made(&create.name, false, "domain"),
            Body::CreateSequence { name, if_not_exists, temporary, .. } => {
                made(name, *if_not_exists || *temporary, "sequence")
            }
            Body::CreateSchema { name: Some(name), if_not_exists, .. } => {
                (!if_not_exists).then(|| format!("the schema {}", name.as_str()))
            }
            Body::Drop(drop) => {
                if drop.if_exists {
                    self.names.extend(drop.names.iter().map(|name| name.name.name.as_str()));
                    return None;
                }
                Some(format!("the DROP {}", drop.kind.sql()))
            }
            Body::AlterTable(alter) => {
                let mut dropped: Vec<&Ident> = Vec::new();
                for action in &alter.actions {
                    let name = match &action.kind {
                        ActionKind::AddColumn { column, if_not_exists: false } => &column.name,
                        ActionKind::AddConstraint(constraint) => match &constraint.name {
                            Some(name) if !dropped.contains(&name) && !self.names.contains(name.as_str()) => {
                                name
                            }
                            _ => continue,
                        },
                        ActionKind::DropColumn { if_exists: true, .. } => continue,
                        ActionKind::DropConstraint { name, if_exists: true, .. } => {
                            dropped.push(name);
                            self.names.insert(name.as_str());
                            continue;
                        }
                        ActionKind::DropColumn { column, .. } => column,
                        ActionKind::DropConstraint { name, .. } => name,
                        ActionKind::RenameColumn { column, .. } => column,
                        ActionKind::RenameConstraint { name, .. } => name,
                        ActionKind::RenameTo { .. } | ActionKind::SetSchema { .. } => &alter.name.name,
                        _ => continue,
                    };
                    return Some(format!("the change of {} in {}", quote_ident(name.as_str()), alter.name));
                }
                None
            }
            _ => None,
        }
    }
}
