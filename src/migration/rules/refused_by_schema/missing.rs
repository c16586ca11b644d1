//! What a table doesn't have: an index, a trigger, a policy, a rule.

use crate::migration::catalog::{Relation, naming};
use crate::migration::statement::{
    ActionKind, ConstraintKind, Ident, Name, ObjectKind, TriggerTarget, quote_ident,
};

use super::{On, Refusal, StatementContext, sure};

/// Whether the action names what the table hasn't.
pub(super) fn refusal(on: On<'_>) -> Option<Refusal> {
    let table = on.table;
    match &on.action.kind {
        ActionKind::ClusterOn { index } | ActionKind::ReplicaIdentity { index: Some(index), .. } => {
            without_index(on, index, "index for table does not exist")
        }
        ActionKind::AddConstraint(constraint) => match &constraint.kind {
            ConstraintKind::PrimaryKey(key) | ConstraintKind::Unique(key) => {
                without_index(on, key.using_index.as_ref()?, "index does not exist")
            }
            _ => None,
        },
        ActionKind::Trigger { name: TriggerTarget::Named(name), .. } => without_trigger(table, name),
        ActionKind::Rule { name, .. } => without_rule(table, name),
        _ => None,
    }
}

/// Whether a table hasn't what the statement drops, renames or changes of it.
pub(super) fn of_table(
    cx: &StatementContext<'_>,
    kind: ObjectKind,
    name: &Ident,
    on_table: Option<&Name>,
) -> Option<Refusal> {
    let table = sure(cx, on_table?)?;
    match kind {
        ObjectKind::Trigger => without_trigger(table, name),
        ObjectKind::Rule => without_rule(table, name),
        ObjectKind::Policy => {
            let is_there = table.policies.has(naming::cut(name.as_str()));
            (!is_there).then(|| lacks(table, "policy", name, "policy for table does not exist"))
        }
        _ => None,
    }
}

/// CLUSTER … USING an index that the table hasn't.
pub(super) fn clustered(cx: &StatementContext<'_>, table: &Name, index: &Ident) -> Option<Refusal> {
    let table = sure(cx, table)?;
    let is_there = table.index(naming::cut(index.as_str())).is_some() || cx.before.unnamed().indexes;
    (!is_there).then(|| lacks(table, "index", index, "index for table does not exist"))
}

fn lacks(table: &Relation, noun: &str, name: &Ident, words: &'static str) -> Refusal {
    Refusal::new(format!("{} has no {noun} {}", table.name, quote_ident(name.as_str())), words)
}

fn without_index(on: On<'_>, name: &Ident, words: &'static str) -> Option<Refusal> {
    // Another action may make it, a constraint's under a name that PostgreSQL chooses.
    let made = on.alter.actions.iter().any(|other| {
        let takes = |constraint: &crate::migration::statement::Constraint| match &constraint.kind {
            ConstraintKind::PrimaryKey(key) | ConstraintKind::Unique(key) => key.using_index.is_none(),
            ConstraintKind::Exclude { .. } => true,
            _ => false,
        };
        matches!(other.kind, ActionKind::AddColumn { .. }) || other.added_constraints().iter().any(takes)
    });
    let is_there = on.table.index(naming::cut(name.as_str())).is_some();
    (!is_there && !made && !on.cx.before.unnamed().indexes).then(|| lacks(on.table, "index", name, words))
}

fn without_trigger(table: &Relation, name: &Ident) -> Option<Refusal> {
    // A partition has its parents' triggers too; a foreign key's have names of their own.
    let is_there = table.partition_of.is_some()
        || table.triggers.has(naming::cut(name.as_str()))
        || name.as_str().starts_with("RI_ConstraintTrigger");
    (!is_there).then(|| lacks(table, "trigger", name, "trigger for table does not exist"))
}

fn without_rule(table: &Relation, name: &Ident) -> Option<Refusal> {
    let is_there = table.rules.iter().any(|rule| rule.name == naming::cut(name.as_str()));
    (!is_there).then(|| lacks(table, "rule", name, "rule for relation does not exist"))
}
