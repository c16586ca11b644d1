//! `enum_value_used_in_same_transaction`: a new enum value is used in the transaction that adds it.

use std::rc::Rc;

use compact_str::CompactString;
use rustc_hash::FxHashMap;

use crate::migration::catalog::{Born, Catalog, PUBLIC, QName};
use crate::migration::statement::{
    Access, ActionKind, Body, Change, Constraint, ConstraintKind, Expr, Name, Query, Statement, TypeAction,
    TypeName,
};
use crate::source::Span;

use super::{Check, Rule, RunContext, Sink};

/// The rule.
pub static RULE: Rule = Rule {
    code: "enum_value_used_in_same_transaction",
    page: migration_page!("enum_value_used_in_same_transaction"),
    check: Check::Together(check),
};

/// A value that a transaction has added to an enum.
struct Added {
    transaction: u32,
    enum_type: QName,
    value: String,
    /// Relations with columns of the type.
    columns: Rc<Columns>,
}

type Columns = Vec<(QName, Vec<CompactString>)>;

fn check(cx: &RunContext<'_>, sink: &mut Sink) {
    let mut added: Vec<Added> = Vec::new();
    // Their places by value: a transaction may add thousands, and name them in thousands of statements.
    let mut by_value: FxHashMap<String, Vec<usize>> = FxHashMap::default();
    let mut columns: FxHashMap<QName, Rc<Columns>> = FxHashMap::default();
    for migration in &cx.migrations {
        for (statement, record) in migration.statements.iter().zip(migration.records) {
            if record.in_transaction != Some(true) {
                continue;
            }
            if added.last().is_some_and(|value| value.transaction != record.transaction) {
                added.clear();
                by_value.clear();
            }
            for part in parts(statement) {
                if let Some(new) = addition(cx, part, record.transaction, &mut columns) {
                    by_value.entry(between_quotes(&new.value).to_owned()).or_default().push(added.len());
                    added.push(new);
                    continue;
                }
                if added.is_empty() {
                    continue;
                }
                let quoted = part.span.of(migration.text).split('\'');
                let mut named: Vec<usize> =
                    quoted.filter_map(|text| by_value.get(text)).flatten().copied().collect();
                named.sort_unstable();
                named.dedup();
                for value in named.into_iter().filter_map(|place| added.get(place)) {
                    let Some(span) = value.used_in(cx.after, part, migration.text) else { continue };
                    sink.say(
                        span,
                        format!(
                            "'{}' was added to {} in this transaction, and PostgreSQL lets nobody use it before COMMIT: \
                             this fails with \"unsafe use of new value\"",
                            value.value, value.enum_type
                        ),
                    )
                    .help("Put ALTER TYPE … ADD VALUE into a migration of its own, before this one, so that it is committed.")
                    .in_migration(migration.migration);
                }
            }
        }
    }
}

/// A statement, and those that a DO block runs.
fn parts(statement: &Statement) -> Vec<&Statement> {
    match &statement.body {
        Body::Do(block) => block
            .routine
            .iter()
            .flat_map(|routine| routine.statements.iter().map(|inner| &inner.statement))
            .collect(),
        _ => vec![statement],
    }
}

/// What of a value certainly stands between two quotes wherever it is written: a quote in it is written as two.
fn between_quotes(value: &str) -> &str {
    value.split('\'').next().unwrap_or_default()
}

fn addition(
    cx: &RunContext<'_>,
    statement: &Statement,
    transaction: u32,
    columns: &mut FxHashMap<QName, Rc<Columns>>,
) -> Option<Added> {
    let Body::AlterType(alter) = &statement.body else { return None };
    let TypeAction::AddValue { value, .. } = &alter.action else { return None };
    let enum_type = cx.after.resolve_type(&alter.name, &[PUBLIC.into()]);
    let made_here = cx.after.type_named(&enum_type).is_some_and(
        |known| matches!(known.born, Born::Here { transaction: born, .. } if born == transaction),
    );
    // Measured: 15 refuses it, 17 allows it for a type of the same transaction.
    if made_here && cx.options.version >= 17 {
        return None;
    }
    let of_type = || {
        let using = cx.after.relations_using_type(&enum_type).into_iter();
        let named = using.map(|(relation, columns)| {
            (relation.name.clone(), columns.into_iter().map(|column| column.name.clone()).collect())
        });
        Rc::new(named.collect())
    };
    let columns = columns.entry(enum_type.clone()).or_insert_with(of_type).clone();
    Some(Added { transaction, enum_type, value: value.clone(), columns })
}

impl Added {
    /// Where the statement uses the value.
    fn used_in(&self, catalog: &Catalog, statement: &Statement, text: &str) -> Option<Span> {
        let literal = format!("'{}'", self.value.replace('\'', "''"));
        let sql = statement.span.of(text);
        let at = sql.find(&literal)?;
        let start = statement.span.start as usize + at;
        let span = Span::new(start, start + literal.len());
        let cast = sql
            .get(at + literal.len()..)
            .and_then(|rest| rest.trim_start().strip_prefix("::"))
            .is_some_and(|rest| {
                let name =
                    rest.trim_start().split(|c: char| !(c.is_alphanumeric() || "_.\"".contains(c))).next();
                name.is_some_and(|name| {
                    let last = name.rsplit('.').next().unwrap_or(name).trim_matches('"');
                    last.eq_ignore_ascii_case(&self.enum_type.name)
                })
            });
        (cast || self.concerns(catalog, statement)).then_some(span)
    }

    /// Whether the literal stands where the type is at hand.
    fn concerns(&self, catalog: &Catalog, statement: &Statement) -> bool {
        match &statement.body {
            Body::Query(query) => self.in_query(catalog, query),
            Body::CreateView(create) => self.in_query(catalog, &create.query),
            Body::CreateTableAs(create) => self.in_query(catalog, &create.query),
            Body::CreateTable(create) => {
                create.columns.iter().any(|column| self.is(column.type_name.as_ref()))
            }
            Body::CreateIndex(create) => {
                let columns = self.columns_of(catalog, &create.table);
                let named = |expr: &Expr| names(expr, columns);
                create.predicate.as_ref().is_some_and(named)
                    || create.columns.iter().any(|key| named(&key.expr))
            }
            Body::CreatePolicy { table, expressions, .. } => {
                let columns = self.columns_of(catalog, table);
                expressions.iter().any(|expr| names(expr, columns))
            }
            Body::AlterTable(alter) => {
                let columns = self.columns_of(catalog, &alter.name);
                let in_check = |constraint: &Constraint| match &constraint.kind {
                    ConstraintKind::Check(expr) => names(expr, columns),
                    _ => false,
                };
                alter.actions.iter().any(|action| match &action.kind {
                    ActionKind::SetDefault { column, .. } => columns.contains(&column.value),
                    ActionKind::AddColumn { column, .. } => {
                        self.is(column.type_name.as_ref()) || column.constraints.iter().any(in_check)
                    }
                    ActionKind::AddConstraint(constraint) => in_check(constraint),
                    ActionKind::SetType { type_name, .. } => self.is(Some(type_name)),
                    _ => false,
                })
            }
            _ => false,
        }
    }

    fn is(&self, type_name: Option<&TypeName>) -> bool {
        type_name.is_some_and(|written| {
            written.name.name.value == self.enum_type.name
                && written.name.schema.as_ref().is_none_or(|schema| schema.value == self.enum_type.schema)
        })
    }

    fn columns_of(&self, catalog: &Catalog, name: &Name) -> &[CompactString] {
        let relation = catalog.resolve(name, &[PUBLIC.into()]);
        self.columns
            .iter()
            .find(|(known, _)| *known == relation)
            .map_or(&[], |(_, columns)| columns.as_slice())
    }

    fn in_query(&self, catalog: &Catalog, query: &Query) -> bool {
        if query.changes.is_empty() {
            return query.uses.iter().any(|used| !self.columns_of(catalog, &used.name).is_empty());
        }
        query.changes.iter().any(|change| self.in_change(catalog, change))
    }

    fn in_change(&self, catalog: &Catalog, change: &Change) -> bool {
        let columns = self.columns_of(catalog, &change.target);
        let assigned = change.columns.iter().any(|column| columns.contains(&column.value));
        let filtered = change.filter.as_ref().is_some_and(|filter| names(&filter.expr, columns));
        match change.access {
            Access::Insert => assigned || (change.columns.is_empty() && !columns.is_empty()),
            _ => assigned || filtered,
        }
    }
}

fn names(expr: &Expr, columns: &[CompactString]) -> bool {
    expr.columns.iter().any(|column| columns.contains(&column.value))
}
