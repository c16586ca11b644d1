//! `expand_and_contract_together`: a new column and the drop of the one it replaces are in one release.

use std::collections::HashSet;

use compact_str::CompactString;

use crate::migration::catalog::{PUBLIC, QName};
use crate::migration::statement::{Access, ActionKind, Body, Name, Query, Statement, quote_ident};
use crate::source::Span;

use super::{Check, Rule, RunContext, Sink, plans};

pub static RULE: Rule = Rule {
    code: "expand_and_contract_together",
    page: migration_page!("expand_and_contract_together"),
    check: Check::Together(check),
};

/// What the release has done so far, as far as this rule needs it.
#[derive(Default)]
struct Release {
    tables: HashSet<QName>,
    added: HashSet<(QName, CompactString)>,
    /// Table, new column, column that it was filled from.
    filled: Vec<(QName, CompactString, CompactString)>,
}

fn check(cx: &RunContext<'_>, sink: &mut Sink) {
    let mut release = Release::default();
    for migration in &cx.migrations {
        if migration.run.down {
            continue;
        }
        for statement in migration.statements {
            for (table, old, new, span) in release.learn(statement) {
                let (old_shown, new_shown) = (quote_ident(&old), quote_ident(&new));
                sink.say(
                    span,
                    format!(
                        "{table}.{new_shown} comes and {table}.{old_shown}, which it was filled from, goes in one release: \
                         the running version fails on {old_shown}, what it writes in between is lost, and there is no \
                         way back"
                    ),
                )
                .help(plans::replace_column(cx.after, &table, &old, &new, "…", &old_shown))
                .in_migration(migration.migration);
            }
        }
    }
}

impl Release {
    /// Takes in one statement; returns the columns that it drops and that a new one replaces.
    fn learn(&mut self, statement: &Statement) -> Vec<(QName, CompactString, CompactString, Span)> {
        match &statement.body {
            Body::CreateTable(create) => {
                self.tables.insert(qualified(&create.name));
                Vec::new()
            }
            Body::Query(query) => {
                self.copies(query);
                Vec::new()
            }
            Body::Do(block) => {
                let inner = block.routine.as_ref().map_or(&[][..], |routine| routine.statements.as_slice());
                inner.iter().flat_map(|inner| self.learn(&inner.statement)).collect()
            }
            Body::AlterTable(alter) => {
                let table = qualified(&alter.name);
                if self.tables.contains(&table) {
                    return Vec::new();
                }
                let mut found = Vec::new();
                for action in &alter.actions {
                    match &action.kind {
                        ActionKind::AddColumn { column, .. } => {
                            self.added.insert((table.clone(), column.name.value.clone()));
                        }
                        ActionKind::DropColumn { column, .. } => {
                            let filled = self
                                .filled
                                .iter()
                                .find(|(on, _, from)| *on == table && *from == column.value);
                            if let Some((_, new, old)) = filled {
                                found.push((table.clone(), old.clone(), new.clone(), action.span));
                            }
                        }
                        _ => {}
                    }
                }
                found
            }
            _ => Vec::new(),
        }
    }

    /// Notes which new columns an UPDATE fills from which others.
    fn copies(&mut self, query: &Query) {
        for change in &query.changes {
            if change.access != Access::Update {
                continue;
            }
            let table = qualified(&change.target);
            for (column, value) in change.columns.iter().zip(&change.values) {
                if self.added.contains(&(table.clone(), column.value.clone())) {
                    let from = value.columns.iter().filter(|from| *from != column);
                    self.filled
                        .extend(from.map(|from| (table.clone(), column.value.clone(), from.value.clone())));
                }
            }
        }
    }
}

/// The relation that a name means with the usual search_path; good enough within one release.
fn qualified(name: &Name) -> QName {
    QName::new(name.schema.as_ref().map_or(PUBLIC, |schema| schema.as_str()), name.name.as_str())
}
