//! `constraint_missing`: a constraint that the table or domain doesn't have.

use rustc_hash::FxHashSet;

use crate::migration::catalog::{Relation, RelationKind, TypeKind, naming};
use crate::migration::statement::{ActionKind, Body, DomainAction, Ident, ObjectKind, quote_ident};

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "constraint_missing",
    page: migration_page!("constraint_missing"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    if cx.inner.is_some() || !cx.before.complete() {
        return;
    }
    match &cx.statement.body {
        Body::AlterTable(alter) if matches!(alter.kind, ObjectKind::Table | ObjectKind::ForeignTable) => {
            let Some(table) = cx.relation(&alter.name).filter(|table| are_known(table)) else { return };
            let mut added: FxHashSet<&str> = FxHashSet::default();
            for action in &alter.actions {
                let names = action.added_constraints().iter().filter_map(|added| added.name.as_ref());
                added.extend(names.map(Ident::as_str));
                let wanted = match &action.kind {
                    ActionKind::DropConstraint { name, if_exists: false, .. }
                    | ActionKind::ValidateConstraint { name }
                    | ActionKind::AlterConstraint { name, .. }
                    | ActionKind::RenameConstraint { name, .. } => name,
                    _ => continue,
                };
                if !added.contains(wanted.as_str()) && !has(table, wanted) {
                    let near = nearest(wanted, table.constraints.iter().map(|known| known.name.as_str()));
                    say(sink, wanted, &table.name.to_string(), near);
                }
            }
        }
        Body::AlterDomain {
            name,
            action:
                DomainAction::DropConstraint { name: wanted, if_exists: false, .. }
                | DomainAction::ValidateConstraint { name: wanted },
        } => {
            let name = cx.before.resolve_type(name, &cx.session.search_path);
            let Some(TypeKind::Domain(domain)) = cx.before.type_named(&name).map(|known| &known.kind) else {
                return;
            };
            let cut = naming::cut(wanted.as_str());
            // A NOT NULL has a name, which nobody wrote down.
            if !domain.not_null && !domain.checks.has(cut) {
                let near = nearest(wanted, domain.checks.iter().map(|(known, ..)| known.as_str()));
                say(sink, wanted, &name.to_string(), near);
            }
        }
        _ => {}
    }
}

/// Whether the catalog knows all constraints of the table by their names.
fn are_known(table: &Relation) -> bool {
    table.columns_known && matches!(table.kind, RelationKind::Table | RelationKind::PartitionedTable)
}

fn has(table: &Relation, wanted: &Ident) -> bool {
    // From 18 on NOT NULL is a constraint, with a name that PostgreSQL chose.
    table.constraint(naming::cut(wanted.as_str())).is_some() || wanted.as_str().contains("not_null")
}

/// The known name that is most like a missing one.
fn nearest<'a>(wanted: &Ident, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    super::nearest::nearest(wanted.as_str(), known.map(|known| (known.into(), known)), 3)
}

fn say(sink: &mut Sink, wanted: &Ident, of: &str, near: Option<&str>) {
    let hint = near.map_or_else(String::new, |near| format!("; did you mean {}?", quote_ident(near)));
    sink.say(
        wanted.span,
        format!("{of} has no constraint {}, so this fails{hint}", quote_ident(wanted.as_str())),
    );
}
