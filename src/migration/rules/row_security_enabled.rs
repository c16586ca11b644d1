//! `row_security_enabled`: row level security hides rows from the running application.

use crate::migration::catalog::QName;
use crate::migration::statement::{ActionKind, Body, Literal};

use super::outlook::same_name;
use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "row_security_enabled",
    page: migration_page!("row_security_enabled"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some((alter, table, known)) = cx.altered() else { return };
    for action in &alter.actions {
        let (who, forced) = match action.kind {
            ActionKind::RowSecurity { enable: true } if !known.is_some_and(|table| table.row_security) => {
                ("every role but the owner", false)
            }
            ActionKind::ForceRowSecurity { force: true } => ("the owner too", true),
            _ => continue,
        };
        if lets_everything_through(cx, &table) {
            continue;
        }
        let without =
            !forced && known.is_some_and(|table| table.policies.is_empty()) && !gets_a_policy(cx, &table);
        let sees = if without {
            "sees no row: there is no policy, and no query fails that would tell"
        } else {
            "sees only rows that a policy lets through, and no query fails that would tell"
        };
        sink.say(action.span, format!("from the commit on {who} {sees} (table {table})")).help(format!(
            "-- begin with a policy that lets everything through; narrow it when the version that sets what the policies \
             ask for is out\n\
             CREATE POLICY everything ON {table} USING (true);"
        ));
    }
}

/// Whether the same transaction goes on to make a policy on the table.
fn gets_a_policy(cx: &StatementContext<'_>, table: &QName) -> bool {
    cx.later_in_transaction().any(
        |statement| matches!(&statement.body, Body::CreatePolicy { table: on, .. } if same_name(on, table)),
    )
}

/// Whether the migration has made a permissive policy on the table whose conditions are all `true`.
fn lets_everything_through(cx: &StatementContext<'_>, table: &QName) -> bool {
    cx.earlier().any(|statement| match &statement.body {
        Body::CreatePolicy { table: on, permissive: true, expressions, .. } => {
            same_name(on, table)
                && expressions.iter().next().is_some()
                && expressions.iter().all(|expr| expr.literal == Some(Literal::Bool(true)))
        }
        _ => false,
    })
}
