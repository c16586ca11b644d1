//! `expand_and_contract_together`: a new column and the drop of the one it replaces are in one release.

use std::collections::{HashMap, HashSet};

use compact_str::CompactString;

use crate::migration::catalog::{PUBLIC, QName};
use crate::migration::statement::{Access, ActionKind, Body, Name, Query, Statement, TypeName, quote_ident};
use crate::source::Span;

use super::rename_column::written;
use super::replacement::{NewDefault, Replacement};
use super::{Check, Rule, RunContext, Sink};

pub static RULE: Rule = Rule {
    code: "expand_and_contract_together",
    page: migration_page!("expand_and_contract_together"),
    check: Check::Together(check),
};

/// What the release has done so far, as far as this rule needs it.
#[derive(Default)]
struct Release {
    tables: HashSet<QName>,
    added: HashMap<(QName, CompactString), Option<TypeName>>,
    filled: Vec<Filled>,
}

/// A new column that an UPDATE fills from another.
#[derive(Clone)]
struct Filled {
    table: QName,
    new: CompactString,
    old: CompactString,
    /// The value, as written.
    value: Option<String>,
}

fn check(cx: &RunContext<'_>, sink: &mut Sink) {
    let mut release = Release::default();
    for migration in &cx.migrations {
        if migration.run.down {
            continue;
        }
        for statement in migration.statements {
            for (filled, span) in release.learn(statement, migration.text, true) {
                let Filled { table, new, old, value } = filled;
                let (old_shown, new_shown) = (quote_ident(&old), quote_ident(&new));
                let type_name = release.added.get(&(table.clone(), new.clone())).and_then(Option::as_ref);
                let replacement = Replacement {
                    catalog: cx.after,
                    table: &table,
                    old: &old,
                    new: &new,
                    type_name,
                    type_text: type_name.map(written),
                    value: value.unwrap_or_else(|| old_shown.clone().into_owned()),
                    default: NewDefault::Old,
                    version: cx.options.oldest(),
                };
                sink.say(
                    span,
                    format!(
                        "{table}.{new_shown} comes and {table}.{old_shown}, which it was filled from, goes in one release: \
                         the running version fails on {old_shown}, what it writes in between is lost, and there is no \
                         way back"
                    ),
                )
                .help(replacement.plan())
                .in_migration(migration.migration);
            }
        }
    }
}

impl Release {
    /// Takes in one statement; returns the columns that it drops and that a new one replaces. `verbatim`: its spans are
    /// places in `text`.
    fn learn(&mut self, statement: &Statement, text: &str, verbatim: bool) -> Vec<(Filled, Span)> {
        match &statement.body {
            Body::CreateTable(create) => {
                self.tables.insert(qualified(&create.name));
                Vec::new()
            }
            Body::Query(query) => {
                self.copies(query, text, verbatim);
                Vec::new()
            }
            Body::Do(block) => {
                let inner = block.routine.as_ref().map_or(&[][..], |routine| routine.statements.as_slice());
                inner
                    .iter()
                    .flat_map(|inner| self.learn(&inner.statement, text, verbatim && !inner.dynamic))
                    .collect()
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
                            let key = (table.clone(), column.name.value.clone());
                            self.added.insert(key, column.type_name.clone());
                        }
                        ActionKind::DropColumn { column, .. } => {
                            let filled = self
                                .filled
                                .iter()
                                .find(|filled| filled.table == table && filled.old == column.value);
                            found.extend(filled.map(|filled| (filled.clone(), action.span)));
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
    fn copies(&mut self, query: &Query, text: &str, verbatim: bool) {
        for change in &query.changes {
            if change.access != Access::Update {
                continue;
            }
            let table = qualified(&change.target);
            for (column, value) in change.columns.iter().zip(&change.values) {
                if !self.added.contains_key(&(table.clone(), column.value.clone())) {
                    continue;
                }
                // What names other tables, or this one by another name, isn't an expression over the row alone.
                let alone = change.sources.is_empty() && change.alias.is_none() && value.uses.is_empty();
                for from in value.columns.iter().filter(|from| *from != column) {
                    self.filled.push(Filled {
                        table: table.clone(),
                        new: column.value.clone(),
                        old: from.value.clone(),
                        value: (verbatim && alone).then(|| value.span.of(text).to_owned()),
                    });
                }
            }
        }
    }
}

/// The relation that a name means with the usual search_path; good enough within one release.
fn qualified(name: &Name) -> QName {
    QName::new(name.schema.as_ref().map_or(PUBLIC, |schema| schema.as_str()), name.name.as_str())
}
