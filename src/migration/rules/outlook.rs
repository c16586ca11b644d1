//! What rules ask about a statement beyond its own text: what follows it in the same transaction, whether it
//! stays done, what rows it changes, and which of the relations it names are in use.

use crate::migration::catalog::{QName, Relation};
use crate::migration::effects;
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::{
    Action, ActionKind, AlterTable, Body, Change, DropName, Ident, Name, ObjectKind, Persistence, Query,
    Statement, TransactionControl, has_placeholder,
};

use super::StatementContext;

/// How many statements ahead are looked at: what is further away doesn't count, so that a file of many
/// thousand statements is read in linear time, and soon.
const FARTHEST: usize = 200;

impl<'a> StatementContext<'a> {
    /// The statements that follow in the same transaction, the rest of the DO block first. Where the runner isn't
    /// known, the rest of the migration is taken to be one transaction, as most runners have it.
    pub fn later_in_transaction(&self) -> impl Iterator<Item = &'a Statement> {
        let block = self.statements.get(self.index).map(|statement| &statement.body);
        let siblings = match (self.inner, block) {
            (Some(_), Some(Body::Do(block))) => {
                block.routine.as_ref().map_or(&[][..], |routine| routine.statements.as_slice())
            }
            _ => &[],
        };
        let here = self.statement.span;
        let rest = if self.in_transaction() == Some(false) {
            &[][..]
        } else {
            self.statements.get(self.index + 1..).unwrap_or(&[])
        };
        siblings
            .iter()
            .map(|inner| &inner.statement)
            .filter(move |statement| statement.span.start >= here.end)
            .chain(rest.iter().take_while(|statement| !ends_transaction(statement)))
            .take(FARTHEST)
    }

    /// Whether the transaction holds ACCESS EXCLUSIVE on the relation already, or a later statement of it takes that in
    /// any case: dropping or altering the table. What this statement locks makes nobody wait more then.
    pub fn is_locked_anyway(&self, relation: &QName) -> bool {
        if self.inner.is_some() || self.in_transaction() != Some(true) {
            return false;
        }
        let exclusive = Some(LockMode::AccessExclusive);
        let about = |statement: &&Statement| match &statement.body {
            Body::AlterTable(alter) => same_name(&alter.name, relation),
            Body::Drop(drop) => {
                drop.kind == ObjectKind::Table && drop.names.iter().any(|one| same_name(&one.name, relation))
            }
            _ => false,
        };
        let locks = |statement: &Statement| {
            effects::compute(statement, self.before, self.session, self.options.version).lock_on(relation)
        };
        self.session.held.mode_on(relation) == exclusive
            || self.later_in_transaction().filter(about).any(|statement| locks(statement) == exclusive)
    }

    /// What the running version calls a relation: its name before this migration.
    pub fn name_before(&self, relation: &QName) -> QName {
        let mut name = relation.clone();
        for statement in self.earlier() {
            let Body::AlterTable(alter) = &statement.body else { continue };
            let renames = |action: &Action| matches!(&action.kind, ActionKind::RenameTo { to } if to.value == name.name);
            if alter.kind != ObjectKind::Index && alter.actions.iter().any(renames) {
                name.name = alter.name.name.value.clone();
            }
        }
        name
    }

    /// The statements of the migration before this one, the nearest first.
    pub fn earlier(&self) -> impl Iterator<Item = &'a Statement> {
        self.statements.get(..self.index).unwrap_or(&[]).iter().rev().take(FARTHEST)
    }

    /// Whether it is taken back: its BEGIN ends in ROLLBACK, or a savepoint before it is rolled back to.
    pub fn rolled_back(&self) -> bool {
        if !self.rolls_back || self.in_transaction() == Some(false) {
            return false;
        }
        let rest = self.statements.get(self.index + 1..).unwrap_or(&[]);
        for statement in rest.iter().take(FARTHEST) {
            match &statement.body {
                Body::Transaction(TransactionControl::Rollback { .. }) => {
                    // Without a BEGIN in the file the runner's transaction would be what is rolled back, and
                    // with an unknown runner perhaps none.
                    return self.session.opened().is_some();
                }
                Body::Transaction(TransactionControl::RollbackTo(savepoint)) if self.is_after(savepoint) => {
                    return true;
                }
                _ if ends_transaction(statement) => return false,
                _ => {}
            }
        }
        false
    }

    /// Whether `savepoint` was set before this statement, in the same transaction.
    fn is_after(&self, savepoint: &Ident) -> bool {
        let earlier = self.statements.get(..self.index).unwrap_or(&[]);
        earlier
            .iter()
            .rev()
            .take(FARTHEST)
            .take_while(|statement| !ends_transaction(statement))
            .any(|s| matches!(&s.body, Body::Transaction(TransactionControl::Savepoint(name)) if name == savepoint))
    }

    /// Whether what the statement does stays done, and isn't the very point of a down migration: rules about
    /// lost data and broken applications ask this first.
    pub fn lasts(&self) -> bool {
        !self.run.down && !self.rolled_back()
    }

    /// Whether a named relation is there (or may be) and in use: not known to be absent, not temporary, not
    /// new in the same change.
    pub fn may_be_used(&self, relation: &QName) -> bool {
        if relation.schema == "pg_temp" {
            return false;
        }
        match self.before.relation(relation) {
            None => !self.before.lacks(relation),
            Some(known) => known.persistence != Persistence::Temporary && self.in_use(relation),
        }
    }

    /// The relations that a DROP of this kind names, where they are in use and the drop lasts.
    pub fn dropped(&self, kind: ObjectKind) -> Vec<(&'a DropName, QName, Option<&'a Relation>)> {
        let Body::Drop(drop) = &self.statement.body else { return Vec::new() };
        if drop.kind != kind || !self.lasts() {
            return Vec::new();
        }
        drop.names
            .iter()
            .map(|dropped| (dropped, self.resolve(&dropped.name)))
            .filter(|(_, relation)| self.may_be_used(relation))
            .map(|(dropped, relation)| {
                let known = self.before.relation(&relation);
                (dropped, relation, known)
            })
            .collect()
    }

    /// The ALTER TABLE that this is, with the relation it means, where that is in use and the change lasts.
    pub fn altered(&self) -> Option<(&'a AlterTable, QName, Option<&'a Relation>)> {
        let Body::AlterTable(alter) = &self.statement.body else { return None };
        let relation = self.kept.altered.get_or_init(|| {
            let relation = self.resolve(&alter.name);
            (self.may_be_used(&relation) && self.lasts()).then_some(relation)
        });
        let relation = relation.clone()?;
        let known = self.before.relation(&relation);
        Some((alter, relation, known))
    }

    /// Whether a column is there (or may be) and was before this change.
    pub fn column_in_use(&self, relation: Option<&Relation>, column: &Ident) -> bool {
        match relation {
            None => true,
            Some(relation) => match relation.column(column.as_str()) {
                Some(column) => self.in_use_since(column.born),
                None => {
                    !relation.columns_known || !self.before.complete() || has_placeholder(column.as_str())
                }
            },
        }
    }

    /// Whether a type or domain that is named may be in use: not one that this change made.
    pub fn type_in_use(&self, name: &Name) -> bool {
        let name = self.before.resolve_type(name, &self.session.search_path);
        match self.before.type_named(&name) {
            Some(known) => self.in_use_since(known.born),
            // A table's row type has the table's name.
            None => self.before.relation(&name).is_none_or(|relation| self.in_use(&relation.name)),
        }
    }

    /// Whether a function or procedure that is named may be in use: not one that this change made, and not one
    /// of this session alone. Extensions bring functions that the catalog doesn't know.
    pub fn function_in_use(&self, name: &Name) -> bool {
        if name.schema.as_ref().is_some_and(|schema| *schema == "pg_temp") {
            return false;
        }
        let name = self.before.resolve_function(name, &self.session.search_path);
        let known = self.before.functions(&name);
        known.is_empty() || known.iter().any(|function| self.in_use_since(function.born))
    }

    /// The query that runs now: the statement itself, what EXPLAIN ANALYZE runs, COPY's, a prepared one that
    /// EXECUTE runs. A mere PREPARE or EXPLAIN runs nothing.
    pub fn query_run(&self) -> Option<&'a Query> {
        fn of(statement: &Statement) -> Option<&Query> {
            match &statement.body {
                Body::Query(query) => Some(query),
                Body::Copy(copy) => copy.query.as_ref(),
                Body::Explain { analyze: true, statement } => of(statement),
                _ => None,
            }
        }
        match &self.statement.body {
            Body::Execute { name } => self.session.prepared.get(&name.value),
            _ => of(self.statement),
        }
    }

    /// The parts of the statement that change rows, when it runs.
    pub fn changes_run(&self) -> &'a [Change] {
        self.query_run().map_or(&[], |query| query.changes.as_slice())
    }
}

/// COMMIT, ROLLBACK and PREPARE TRANSACTION.
fn ends_transaction(statement: &Statement) -> bool {
    matches!(
        statement.body,
        Body::Transaction(
            TransactionControl::Commit { .. }
                | TransactionControl::Rollback { .. }
                | TransactionControl::Prepare
        )
    )
}

/// Whether `name`, as written later in the file, means `relation`, as far as can be told without replaying
/// what lies between.
pub fn same_name(name: &Name, relation: &QName) -> bool {
    name.name.value == relation.name
        && name.schema.as_ref().is_none_or(|schema| schema.value == relation.schema)
}

/// The actions of the ALTER TABLEs among `statements` on `relation`.
pub fn actions_on<'a>(
    statements: impl Iterator<Item = &'a Statement>,
    relation: &QName,
) -> impl Iterator<Item = &'a Action> {
    statements
        .filter_map(|statement| match &statement.body {
            Body::AlterTable(alter) => Some(alter.as_ref()),
            _ => None,
        })
        .filter(move |alter| same_name(&alter.name, relation))
        .flat_map(|alter| alter.actions.iter())
}
