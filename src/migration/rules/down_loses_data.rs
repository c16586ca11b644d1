//! `down_loses_data`: what was written since the up migration goes with the way back.

use crate::migration::catalog::{Born, QName};
use crate::migration::effects::{Destroyed, DestroyedKind};
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::{Access, Body, Change, Expr, Ident, ObjectKind, Statement};

use super::outlook::same_name;
use super::{Check, ReversalContext, Rule, Sink, joined};

pub static RULE: Rule =
    Rule { code: "down_loses_data", page: migration_page!("down_loses_data"), check: Check::Reversal(check) };

fn check(cx: &ReversalContext<'_>, sink: &mut Sink) {
    let Some(down) = &cx.down else { return };
    let seeded = seeded(cx);
    let born_here =
        |born| matches!(born, Born::Here { migration, maybe_old: false, .. } if migration == cx.migration);
    let was_there = |gone: &Destroyed| {
        gone.relation.as_ref().is_some_and(|relation| {
            cx.before.relation(relation).is_some_and(|before| before.kind.has_storage())
                && !cx.between.relation(relation).is_some_and(|between| born_here(between.born))
        })
    };
    for record in down.records {
        let takes_back = down.statements.get(record.index).is_some_and(deletes_some);
        let earlier = down.statements.get(..record.index).unwrap_or(&[]);
        // Only what lives on: dropping the table that the up migration made is what everybody expects of its down.
        let lost: Vec<String> = record
            .effects
            .destroys
            .iter()
            .filter(|gone| !gone.cascaded)
            .filter(|gone| match gone.what {
                DestroyedKind::Object(ObjectKind::Table) => was_there(gone),
                DestroyedKind::Object(ObjectKind::Column) => {
                    was_there(gone) && !is_carried_over(gone, earlier)
                }
                // The rows that the up migration has written itself are its own to take back.
                DestroyedKind::Rows => {
                    was_there(gone)
                        && !(takes_back
                            && gone.relation.as_ref().is_some_and(|relation| seeded.contains(&relation)))
                }
                DestroyedKind::Values | DestroyedKind::Object(_) => false,
            })
            .map(|gone| gone.name.clone())
            .collect();
        if lost.is_empty() {
            continue;
        }
        sink.say(
            record.span,
            format!("rolling back throws away what was written to {} since the release", joined(&lost)),
        )
        .in_migration(down.migration)
        .help(
            "Before the down migration is run, keep the values aside, so that they can be put back with the next release:\n\
             CREATE TABLE kept_before_rollback AS SELECT … ;",
        );
    }
}

/// Whether earlier statements of the way back write the column's values somewhere else: `UPDATE t SET old = new`,
/// `INSERT INTO kept SELECT id, new FROM t`.
fn is_carried_over(gone: &Destroyed, earlier: &[Statement]) -> bool {
    let Some(table) = &gone.relation else { return false };
    let is_it = |column: &Ident| gone.is_column(column.as_str());
    // As a function makes it; not whether it is NULL, or greater than something.
    let made_of_it = |value: &Expr| {
        value.calls.first().is_some_and(|call| call.span == value.span) && value.columns.iter().any(is_it)
    };
    let reads = |change: &Change, table| change.sources.iter().any(|source| same_name(source, table));
    earlier.iter().any(|statement| match &statement.body {
        Body::CreateTableAs(create) => {
            let query = &create.query;
            let from_it =
                query.uses.iter().any(|used| used.access == Access::Read && same_name(&used.name, table));
            from_it && !create.with_no_data && (query.star || query.output.iter().flatten().any(is_it))
        }
        Body::Query(query) => query.changes.iter().any(|change| match change.access {
            Access::Insert => {
                reads(change, table) && (change.written.star || change.written.columns.iter().any(is_it))
            }
            Access::Update => {
                let own = same_name(&change.target, table);
                let is_set = own && change.columns.iter().any(is_it);
                (own || reads(change, table))
                    && !is_set
                    && (change.written.columns.iter().any(is_it) || change.values.iter().any(made_of_it))
            }
            _ => false,
        }),
        _ => false,
    })
}

/// The tables that the up migration inserts rows into.
fn seeded<'a>(cx: &ReversalContext<'a>) -> Vec<&'a QName> {
    let inserts = |statement: &Statement| match &statement.body {
        Body::Query(query) => query.changes.iter().any(|change| change.access == Access::Insert),
        _ => false,
    };
    let records = cx.statements.iter().zip(cx.records).filter(|(statement, _)| inserts(statement));
    records
        .flat_map(|(_, record)| &record.effects.locks)
        .filter(|lock| lock.mode == LockMode::RowExclusive)
        .map(|lock| &lock.relation)
        .collect()
}

/// Whether it deletes rows, and not all there are.
fn deletes_some(statement: &Statement) -> bool {
    let Body::Query(query) = &statement.body else { return false };
    query
        .changes
        .iter()
        .filter(|change| change.access == Access::Delete)
        .all(|change| change.filter.as_ref().is_some_and(|filter| !filter.always_true))
}
