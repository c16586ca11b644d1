//! `policy_changed`: a changed row security policy shows or hides rows at once.

use crate::migration::catalog::{QName, Relation};
use crate::migration::statement::{ActionKind, Body, Name, ObjectKind, quote_ident};

use super::outlook::{actions_on, same_name};
use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "policy_changed", page: migration_page!("policy_changed"), check: Check::Statement(check) };

const HELP: &str = "-- rehearse it with a role like the application's, and compare what it sees before and after\n\
                    SET ROLE …;\n\
                    SELECT count(*) FROM …;";

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    match &cx.statement.body {
        Body::CreatePolicy { name, table, permissive, .. } => {
            let Some(table) = guarded(cx, table, false) else { return };
            let effect = if *permissive { "shows rows" } else { "hides rows" };
            sink.say(
                cx.statement.span,
                format!(
                    "{} {effect} of {table} at once, to the running version too",
                    quote_ident(name.as_str())
                ),
            )
            .help(HELP);
        }
        Body::AlterPolicy { name, table, rename_to: None, .. } => {
            let Some(table) = guarded(cx, table, true) else { return };
            sink.say(
                cx.statement.span,
                format!(
                    "{} lets other rows of {table} through at once, for the running version too",
                    quote_ident(name.as_str())
                ),
            )
            .help(HELP);
        }
        Body::Drop(drop) if drop.kind == ObjectKind::Policy => {
            for dropped in &drop.names {
                let Some(table) = dropped.on_table.as_ref().and_then(|table| guarded(cx, table, true)) else {
                    continue;
                };
                let policy = dropped.name.name.as_str();
                // Made again at once it is an ALTER; the CREATE speaks for both.
                let again = cx.later_in_transaction().any(|statement| {
                    matches!(&statement.body, Body::CreatePolicy { name, table: on, .. }
                        if *name == policy && same_name(on, &table))
                });
                let absent = drop.if_exists
                    && cx.before.relation(&table).is_some_and(|table| !table.policies.has(policy));
                if again || absent {
                    continue;
                }
                sink.say(
                    dropped.span,
                    format!(
                        "without {} other rows of {table} are visible at once, none at all if it was the last policy",
                        quote_ident(policy)
                    ),
                )
                .help(HELP);
            }
        }
        Body::AlterTable(_) => {
            let Some((alter, table, known)) = cx.altered() else { return };
            for action in &alter.actions {
                let off = match action.kind {
                    ActionKind::RowSecurity { enable: false } => "every role with SELECT",
                    ActionKind::ForceRowSecurity { force: false } => "its owner",
                    _ => continue,
                };
                if known.is_some_and(|table| !table.row_security) {
                    continue;
                }
                sink.say(action.span, format!("{off} sees every row of {table} from the commit on"))
                    .help(HELP);
            }
        }
        _ => {}
    }
}

/// The table, where row level security is in force on it since before this migration. `unknown`: what to take a
/// table for that isn't known.
fn guarded(cx: &StatementContext<'_>, table: &Name, unknown: bool) -> Option<QName> {
    let table = cx.resolve(table);
    let on = |known: Option<&Relation>| known.map_or(unknown, |table| table.row_security);
    if !cx.may_be_used(&table) || !on(cx.before.relation(&table)) || !cx.lasts() {
        return None;
    }
    let enabled_here = actions_on(cx.earlier(), &table)
        .any(|action| matches!(action.kind, ActionKind::RowSecurity { enable: true }));
    (!enabled_here).then_some(table)
}
