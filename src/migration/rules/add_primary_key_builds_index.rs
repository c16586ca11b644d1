//! ADD PRIMARY KEY that builds its index, or reads for NOT NULL, on a table in use.

use rustc_hash::FxHashSet;

use crate::migration::effects::{IndexBuildReason, ScanReason};
use crate::migration::statement::{ActionKind, Body, ConstraintKind};

use super::add_unique_builds_index::{constraints_built, mend, plan};
use super::{Check, Rule, Sink, StatementContext, plans};

pub static RULE: Rule = Rule {
    code: "add_primary_key_builds_index",
    page: migration_page!("add_primary_key_builds_index"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let built = constraints_built(context, IndexBuildReason::PrimaryKey, |kind| match kind {
        ConstraintKind::PrimaryKey(index) => Some(index),
        _ => None,
    });
    for (action, constraint, index, table) in built {
        let nullable = nullable_columns(context, action.span);
        let also = if nullable.is_empty() || !matches!(action.kind, ActionKind::AddConstraint(_)) {
            String::new()
        } else {
            format!(", and reads the table once more because {} can still be NULL", nullable.join(", "))
        };
        let help = if context.before.relation(&table).is_some_and(|known| known.is_partitioned()) {
            "A partitioned table refuses USING INDEX: take a maintenance window, or make do with a unique index (ON ONLY the parent, CONCURRENTLY \
             on each partition, ATTACH)."
                .to_owned()
        } else {
            let mut help = String::new();
            for column in nullable.iter().filter(|_| !also.is_empty()) {
                help.push_str(&plans::set_not_null(context.before, &table, column, context.options.oldest()));
                help.push('\n');
            }
            help + &plan(context, action, constraint, index, &table, "PRIMARY KEY")
        };
        let said = sink.say(
            action.span,
            format!(
                "PRIMARY KEY builds an index on {} under ACCESS EXCLUSIVE{also}: reads and writes wait until it is built",
                context.sized(&table)
            ),
        );
        said.help(help);
        if nullable.is_empty() && matches!(action.kind, ActionKind::AddConstraint(_)) {
            mend(context, said, action, constraint, index, &table, "PRIMARY KEY");
        } else {
            said.unfixed("the column is NOT NULL first, by the steps of the help");
        }
    }
    // With USING INDEX nothing is built, but a column that can be NULL is still read.
    let Body::AlterTable(alter) = &context.statement.body else { return };
    let table = context.resolve(&alter.name);
    for action in &alter.actions {
        let ActionKind::AddConstraint(constraint) = &action.kind else { continue };
        let ConstraintKind::PrimaryKey(index) = &constraint.kind else { continue };
        let nullable = nullable_columns(context, action.span);
        if index.using_index.is_none() || nullable.is_empty() || !context.heavy(&table) {
            continue;
        }
        let first: Vec<String> = nullable
            .iter()
            .map(|column| plans::set_not_null(context.before, &table, column, context.options.oldest()))
            .collect();
        sink.say(
            action.span,
            format!(
                "{} can still be NULL, so every row of {} is read under ACCESS EXCLUSIVE: reads and writes wait until that is done",
                nullable.join(", "),
                context.sized(&table)
            ),
        )
        .help(format!("{}\n-- then\n{};", first.join("\n"), context.sql(context.statement.span)));
    }
}

/// The columns that an action reads the table for, to see that they hold no NULL.
fn nullable_columns(context: &StatementContext<'_>, span: crate::source::Span) -> Vec<String> {
    let mut known = FxHashSet::default();
    let mut columns = Vec::new();
    for scan in context.scans_at(span) {
        if let ScanReason::NotNull { column } = &scan.reason
            && known.insert(column)
        {
            columns.push(column.to_string());
        }
    }
    columns
}
