//! `constraint_not_named`: a constraint without a name of its own.

use compact_str::CompactString;

use crate::migration::catalog::naming;
use crate::migration::fix::place;
use crate::migration::statement::{Body, Constraint, ConstraintKind, Persistence, quote_ident};

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "constraint_not_named",
    page: migration_page!("constraint_not_named"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    // A temporary table's constraints go with it.
    if matches!(&cx.statement.body, Body::CreateTable(create) if create.persistence == Persistence::Temporary)
    {
        return;
    }
    for constraint in cx.statement.body.added_constraints() {
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
        let said = sink.say(
            constraint.span,
            format!(
                "PostgreSQL makes up this {what} constraint's name, and another database may have another one"
            ),
        );
        said.help(format!("CONSTRAINT name_of_your_own {}", cx.sql(constraint.span)));
        if let Some(name) = chosen(cx, constraint).filter(|_| cx.verbatim()) {
            let at = constraint.span.start as usize;
            let edit = place::insertion(at, format!("CONSTRAINT {} ", quote_ident(&name)));
            said.fix("give it the name that PostgreSQL would choose", vec![edit]);
        }
    }
}

/// The name that PostgreSQL would choose, where that is certain.
fn chosen(cx: &StatementContext<'_>, constraint: &Constraint) -> Option<CompactString> {
    let (table, all) = match &cx.statement.body {
        Body::CreateTable(create) => (cx.resolve(&create.name), cx.statement.body.added_constraints()),
        Body::AlterTable(alter) => (cx.resolve(&alter.name), cx.statement.body.added_constraints()),
        _ => return None,
    };
    let of = |constraint: &Constraint| {
        let (columns, label): (Vec<&str>, &str) = match &constraint.kind {
            ConstraintKind::Unique(key) => {
                (key.columns.iter().map(|column| column.as_str()).collect(), "key")
            }
            ConstraintKind::ForeignKey(key) => {
                (key.columns.iter().map(|column| column.as_str()).collect(), "fkey")
            }
            ConstraintKind::Check(expr) => {
                let mut columns: Vec<&str> = expr.columns.iter().map(|column| column.as_str()).collect();
                columns.sort_unstable();
                columns.dedup();
                // PostgreSQL puts the column into the name where there is just one.
                (columns.into_iter().take(2).collect(), "check")
            }
            _ => return None,
        };
        let stem = if label == "check" && columns.len() > 1 { String::new() } else { columns.join("_") };
        Some(naming::choose(&table.name, &stem, label, |_| false))
    };
    let name = of(constraint)?;
    // Of two with one name the second gets a number.
    let twice =
        all.iter().filter(|other| other.name.is_none() && of(other).as_ref() == Some(&name)).count() > 1;
    let written = all.iter().any(|other| other.name.as_ref().is_some_and(|other| other.value == name));
    (!twice && !written && cx.is_free(&table, &name)).then_some(name)
}
