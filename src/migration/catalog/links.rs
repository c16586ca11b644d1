//! What points to a relation: views that read it, tables with a foreign key to it.
//!
//! Thousands may point to one, each about a column or two of it: they are found by these.

use std::sync::Arc;

use compact_str::CompactString;
use rustc_hash::FxHashSet;

use super::list::Named;
use super::{Catalog, Constraint, ConstraintDetail, QName, Relation};

/// What points to a relation.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// The view, or the table with a foreign key.
    pub from: QName,
    /// Of the relation that it points to it names no other columns than these, and it may name less; `*`: all that there are.
    /// None: it isn't known.
    pub columns: Arc<[CompactString]>,
}

impl Named for Link {
    type Name = QName;
    fn name(&self) -> &QName {
        &self.from
    }
    fn columns(&self, note: &mut dyn FnMut(&str)) {
        self.columns.iter().for_each(|column| note(column));
        if self.columns.is_empty() {
            note("");
        }
    }
}

impl Catalog {
    /// Notes that a table has a foreign key to columns of `target`.
    pub(super) fn link_foreign_key(&mut self, target: &QName, table: &QName, columns: &[CompactString]) {
        let links = self.referencing.get_or_default(target);
        if !links.has(table) {
            return links.push(Link { from: table.clone(), columns: columns.into() });
        }
        links.change(table, |link| {
            let known = |column| link.columns.contains(column);
            if columns.is_empty() || link.columns.is_empty() {
                link.columns = Arc::default();
            } else if !columns.iter().all(known) {
                let new = columns.iter().filter(|column| !link.columns.contains(column));
                link.columns = link.columns.iter().chain(new).cloned().collect();
            }
        });
    }

    /// Notes that a view reads a relation, as it has it in `mentions`.
    pub(super) fn link_view(&mut self, read: &QName, view: &QName, mentions: &Arc<[CompactString]>) {
        let links = self.views_over.get_or_default(read);
        if !links.has(view) {
            return links.push(Link { from: view.clone(), columns: mentions.clone() });
        }
        links.change(view, |link| link.columns.clone_from(mentions));
    }

    /// Foreign keys that point to `target`: (table, constraint), in the order of tables.
    pub fn foreign_keys_to(&self, target: &QName) -> Vec<(&Relation, &Constraint)> {
        let links = self.referencing.get(target).into_iter().flatten();
        self.foreign_keys_by(target, links)
    }

    /// Those of them, among others perhaps, that name one of these columns or can't tell.
    pub fn foreign_keys_naming(&self, target: &QName, columns: &[&str]) -> Vec<(&Relation, &Constraint)> {
        let Some(links) = self.referencing.get(target) else { return Vec::new() };
        let or_unknown: Vec<&str> = columns.iter().copied().chain([""]).collect();
        self.foreign_keys_by(target, links.about_any(&or_unknown))
    }

    fn foreign_keys_by<'a>(
        &'a self,
        target: &QName,
        links: impl Iterator<Item = &'a Link>,
    ) -> Vec<(&'a Relation, &'a Constraint)> {
        let mut tables: Vec<&QName> = links.map(|link| &link.from).collect();
        tables.sort_unstable();
        tables
            .into_iter()
            .filter_map(|table| self.relation(table))
            .flat_map(|table| table.constraints.iter().map(move |constraint| (table, constraint)))
            .filter(|(_, constraint)| {
                matches!(&constraint.detail, ConstraintDetail::ForeignKey { target: to, .. } if to == target)
            })
            .collect()
    }

    /// Of the foreign keys that point to the table of an index, those that stand on this index: on the first of the
    /// table's that has their columns.
    pub fn foreign_keys_on(&self, table: &QName, index: &str) -> Vec<(&Relation, &Constraint)> {
        let Some(relation) = self.relation(table) else { return Vec::new() };
        let Some(keys) = relation.index(index).and_then(|index| index.plain_columns()) else {
            return Vec::new();
        };
        let mut keys = self.foreign_keys_naming(table, &keys);
        keys.retain(|(_, key)| {
            let ConstraintDetail::ForeignKey { target_columns, .. } = &key.detail else { return false };
            relation.key_index(target_columns).is_some_and(|found| found.name == index)
        });
        keys
    }

    /// Foreign keys that point to a column.
    pub fn foreign_keys_to_column(&self, table: &QName, column: &str) -> Vec<(&Relation, &Constraint)> {
        let mut keys = self.foreign_keys_naming(table, &[column]);
        keys.retain(|(_, key)| {
            matches!(&key.detail, ConstraintDetail::ForeignKey { target_columns, .. }
                if target_columns.iter().any(|target| target == column))
        });
        keys
    }

    /// Views and materialized views directly over a relation, sorted.
    pub fn views_over(&self, relation: &QName) -> Vec<&Relation> {
        self.views_by(self.views_over.get(relation).into_iter().flatten())
    }

    /// Of those, the ones that mention a column, `*`, or nobody knows what.
    pub fn views_naming(&self, relation: &QName, column: &str) -> Vec<&Relation> {
        let Some(links) = self.views_over.get(relation) else { return Vec::new() };
        let mut views = self.views_by(links.about_any(&[column, "*", ""]));
        views.retain(|view| {
            let names = |word: &str| view.mentions.iter().any(|mentioned| mentioned == word);
            view.mentions.is_empty() || names(column) || names("*")
        });
        views
    }

    fn views_by<'a>(&'a self, links: impl Iterator<Item = &'a Link>) -> Vec<&'a Relation> {
        let mut names: Vec<&QName> = links.map(|link| &link.from).collect();
        names.sort_unstable();
        names.into_iter().filter_map(|name| self.relation(name)).collect()
    }

    /// Of those, the ones that certainly read a column.
    pub fn views_reading<'a>(&'a self, relation: &QName, column: &str) -> impl Iterator<Item = &'a Relation> {
        let reads = move |view: &&Relation| {
            view.reads_columns.iter().any(|(of, read)| of == relation && read == column)
        };
        self.views_naming(relation, column).into_iter().filter(reads)
    }

    /// Views and materialized views over a relation at any depth, nearest first.
    pub fn all_views_over<'a>(&'a self, relation: &'a QName) -> Vec<&'a Relation> {
        let mut found: Vec<&Relation> = Vec::new();
        let mut known: FxHashSet<&QName> = FxHashSet::default();
        let mut open = vec![relation];
        while let Some(next) = open.pop() {
            for view in self.views_over(next) {
                if known.insert(&view.name) {
                    found.push(view);
                    open.push(&view.name);
                }
            }
        }
        found
    }
}
