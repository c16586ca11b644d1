//! `rename_table`: RENAME TO breaks every query that uses the relation's old name.

use crate::migration::catalog::{QName, RelationKind};
use crate::migration::statement::{ActionKind, Body, Ident, ObjectKind, Query, Statement};

use super::outlook::same_name;
use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "rename_table", page: migration_page!("rename_table"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some((alter, relation, known)) = cx.altered() else { return };
    if matches!(alter.kind, ObjectKind::Type | ObjectKind::Index) || cx.before.index(&relation).is_some() {
        return; // rename_type; no query names an index
    }
    for action in &alter.actions {
        let ActionKind::RenameTo { to } = &action.kind else { continue };
        // Nobody names the sequence of a serial or identity column; its default follows the rename.
        let owned = known.is_some_and(|relation| relation.owned_by.is_some());
        if owned || keeps_name(cx, &relation, to) {
            continue;
        }
        let kind = known.map_or(RelationKind::Table, |relation| relation.kind);
        let new = QName::new(&relation.schema, to.as_str());
        let help = if kind == RelationKind::Sequence {
            "Keep the name: nobody but code that calls nextval sees it.".to_owned()
        } else {
            format!(
                "-- leave a view with the old name behind, in the same transaction; drop it when no version uses it\n\
                 BEGIN;\n\
                 ALTER {} {relation} RENAME TO {};\n\
                 CREATE VIEW {relation} AS SELECT * FROM {new};\n\
                 COMMIT;",
                alter.kind.sql(),
                crate::migration::statement::quote_ident(to.as_str()),
            )
        };
        sink.say(
            action.span,
            format!(
                "{} {relation} is gone for the running version from the commit on, and {new} isn't there for the new \
                 one before it; rolling back the application finds no {relation}",
                kind.noun()
            ),
        )
        .help(help);
    }
}

/// Whether the old name means something again before the transaction ends: a view over the renamed relation, or
/// another relation that takes its name.
fn keeps_name(cx: &StatementContext<'_>, relation: &QName, to: &Ident) -> bool {
    cx.later_in_transaction().any(|statement| {
        is_view_over(statement, relation, to.as_str())
            || matches!(&statement.body, Body::AlterTable(alter)
                if alter.actions.iter().any(|action|
                    matches!(&action.kind, ActionKind::RenameTo { to } if *to == relation.name.as_str())))
    })
}

/// Whether the statement makes a view called `relation` that reads from a relation called `from`.
pub(super) fn is_view_over(statement: &Statement, relation: &QName, from: &str) -> bool {
    let reads = |query: &Query| query.uses.iter().any(|used| used.name.name == from);
    match &statement.body {
        Body::CreateView(view) => same_name(&view.name, relation) && reads(&view.query),
        Body::CreateTableAs(view) => {
            view.materialized_view && same_name(&view.name, relation) && reads(&view.query)
        }
        _ => false,
    }
}
