//! `constraint_not_named`: a constraint without a name of its own.

use crate::migration::statement::{ActionKind, Body, Constraint, ConstraintKind, Persistence};

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "constraint_not_named",
    page: migration_page!("constraint_not_named"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    for constraint in constraints(&cx.statement.body) {
        if constraint.name.is_some() {
            continue;
        }
        let what = match &constraint.kind {
            ConstraintKind::Check(_) => "CHECK",
            ConstraintKind::Unique(key) if key.using_index.is_none() => "UNIQUE",
            ConstraintKind::Exclude { .. } => "EXCLUDE",
            ConstraintKind::ForeignKey(_) => "FOREIGN KEY",
            _ => continue,
        };
        sink.say(
            constraint.span,
            format!(
                "PostgreSQL makes up this {what} constraint's name, and another database may have another one"
            ),
        )
        .help(format!("CONSTRAINT name_of_your_own {}", cx.sql(constraint.span)));
    }
}

fn constraints(body: &Body) -> Vec<&Constraint> {
    match body {
        Body::CreateTable(create) if create.persistence != Persistence::Temporary => {
            create.columns.iter().flat_map(|column| &column.constraints).chain(&create.constraints).collect()
        }
        Body::AlterTable(alter) => alter
            .actions
            .iter()
            .flat_map(|action| match &action.kind {
                ActionKind::AddConstraint(constraint) => std::slice::from_ref(constraint.as_ref()),
                ActionKind::AddColumn { column, .. } => column.constraints.as_slice(),
                _ => &[],
            })
            .collect(),
        _ => Vec::new(),
    }
}
