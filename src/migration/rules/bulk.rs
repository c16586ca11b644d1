//! Changes of many rows in one transaction: which parts of a statement have no bound.

use compact_str::CompactString;

use crate::migration::catalog::{ConstraintDetail, QName, Relation};
use crate::migration::parse::cursor::fold;
use crate::migration::statement::{Access, Beside, Body, Change, Filter};
use crate::source::Span;

use super::StatementContext;

impl<'a> StatementContext<'a> {
    /// The parts that UPDATE, DELETE or MERGE rows of a heavy table without a bound, with the table.
    pub fn unbounded_changes(&self) -> Vec<(&'a Change, QName)> {
        self.changes_run()
            .iter()
            .filter(|change| matches!(change.access, Access::Update | Access::Delete | Access::Merge))
            .map(|change| (change, self.resolve(&change.target)))
            .filter(|(change, table)| self.heavy(table) && !self.is_bounded(change, table))
            .collect()
    }

    /// The parts that INSERT what a query reads from a heavy table, with the target and that table.
    pub fn unbounded_inserts(&self) -> Vec<(&'a Change, QName, QName)> {
        let Some(query) = self.query_run() else { return Vec::new() };
        if self.inner.is_some_and(|inner| inner.in_loop && inner.loop_commits) {
            return Vec::new();
        }
        query
            .changes
            .iter()
            .filter(|change| change.access == Access::Insert && change.rows.is_none())
            .filter(|change| {
                !["where", "limit", "fetch"].iter().any(|word| has_word(self.sql(change.span), word))
            })
            .map(|change| (change, self.resolve(&change.target)))
            .filter(|(_, target)| self.may_be_used(target))
            .filter_map(|(change, target)| {
                let source =
                    change.sources.iter().map(|name| self.resolve(name)).find(|source| self.heavy(source))?;
                Some((change, target, source))
            })
            .collect()
    }

    /// WITH and its queries before a change, which its expressions may name; `None` where a change can't be made by
    /// itself: it is one of these queries, or changes rows beside another.
    pub fn with_before(&self, change: &Change) -> Option<Option<&'a str>> {
        let query = self.query_run()?;
        if change.in_cte || query.changes.len() > 1 {
            return None;
        }
        let before = self.text.get(query.span.start as usize..change.span.start as usize)?.trim_end();
        let is_with = before.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("with"));
        Some(Some(before).filter(|_| is_with))
    }

    /// A heavy table of which this DO block changes rows without a bound, in one transaction.
    pub fn changed_in_block(&self) -> Option<QName> {
        let Body::Do(block) = &self.statement.body else { return None };
        block
            .routine
            .as_ref()?
            .statements
            .iter()
            .filter(|inner| !(inner.in_loop && inner.loop_commits))
            .filter_map(|inner| match &inner.statement.body {
                Body::Query(query) => Some(&query.changes),
                _ => None,
            })
            .flatten()
            .filter(|change| matches!(change.access, Access::Update | Access::Delete))
            .map(|change| (change, self.resolve(&change.target)))
            .find(|(change, table)| {
                let bounded = change.filter.as_ref().is_some_and(|filter| {
                    filter.bounded && !filter.always_true && self.names_rows(filter, table, None)
                });
                !bounded && self.heavy(table)
            })
            .map(|(_, table)| table)
    }

    fn is_bounded(&self, change: &Change, table: &QName) -> bool {
        let bounded = self.is_bounded_alone(change, table);
        match self.inner {
            Some(inner) if inner.in_loop && inner.loop_commits => {
                bounded || change.filter.as_ref().is_some_and(|filter| !filter.always_true)
            }
            // A loop without COMMIT is one transaction, however small its steps.
            Some(inner) if inner.in_loop && !inner.few_rounds && !table.is_put_in() => false,
            _ => bounded,
        }
    }

    /// Whether the change, run once, has a bound.
    pub fn is_bounded_alone(&self, change: &Change, table: &QName) -> bool {
        // MERGE changes at most what its source has: rows that the statement itself spells out are few, unless each of
        // them is paired with every row.
        let paired = change.filter.as_ref().is_some_and(|filter| filter.always_true);
        if change.access == Access::Merge && change.sources.is_empty() {
            return !paired || change.columns.is_empty();
        }
        change.filter.as_ref().is_some_and(|filter| {
            // Each of a few written rows means one of the table by its key.
            (filter.bounded || change.beside == Beside::Written)
                && !filter.always_true
                && self.names_rows(filter, table, Some(change))
        })
    }

    /// Whether a condition that compares with constants does so on a key: `status = 'new'` may meet every row.
    /// `change`: whose columns those are that have a qualifier.
    fn names_rows(&self, filter: &Filter, table: &QName, change: Option<&Change>) -> bool {
        if filter.limited {
            return true;
        }
        let Some(known) = self.before.relation(table).filter(|known| known.columns_known) else {
            return true;
        };
        let is_own = |written: Option<&str>| {
            written.is_none()
                || change.is_none_or(|change| {
                    let name = change.alias.as_ref().unwrap_or(&change.target.name);
                    written == Some(name.as_str())
                })
        };
        // Written rows are compared with a key, and bound by how few they are.
        let beside_written = change.is_some_and(|change| change.beside == Beside::Written);
        let named = |column: &str| {
            filter.by.iter().any(|other| other.name == column && is_own(other.of.as_deref()))
                || beside_written
                    && filter.expr.columns.iter().any(|other| {
                        other.as_str() == column && is_own(qualifier(self.text, other.span).as_deref())
                    })
        };
        if named("ctid") {
            return true;
        }
        let keys = unique_keys(known);
        if keys.is_empty() {
            return true; // nothing to tell keys by
        }
        keys.iter().any(|key| key.iter().all(|column| named(column)))
    }
}

/// The name that stands before a column's and a dot, as the server sees it.
fn qualifier(text: &str, column: Span) -> Option<CompactString> {
    let before = text.get(..column.start as usize)?.trim_end().strip_suffix('.')?.trim_end();
    match before.strip_suffix('"') {
        Some(quoted) => quoted.rsplit('"').next().map(CompactString::from),
        None => before.rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).next().map(fold),
    }
}

/// Whether a word stands in the text, strings and comments not told apart: enough for a notice.
fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|part| part.eq_ignore_ascii_case(word))
}

/// The columns of each key and each valid unique index.
fn unique_keys(relation: &Relation) -> Vec<Vec<&str>> {
    let constraints = relation.constraints.iter().filter_map(|constraint| match &constraint.detail {
        ConstraintDetail::PrimaryKey { columns, .. } | ConstraintDetail::Unique { columns, .. } => {
            Some(columns.iter().map(|column| column.as_str()).collect())
        }
        _ => None,
    });
    let indexes = relation
        .indexes
        .iter()
        .filter(|index| index.unique && index.valid && index.predicate.is_none())
        .filter_map(|index| index.plain_columns());
    constraints.chain(indexes).filter(|columns: &Vec<&str>| !columns.is_empty()).collect()
}
