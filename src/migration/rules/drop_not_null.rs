//! `drop_not_null`: DROP NOT NULL lets NULLs reach code that doesn't expect them.

use crate::migration::statement::{ActionKind, ObjectKind, quote_ident};

use super::outlook::actions_on;
use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "drop_not_null", page: migration_page!("drop_not_null"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some((alter, table, known)) = cx.altered() else { return };
    if alter.kind == ObjectKind::Type {
        return;
    }
    for action in &alter.actions {
        let ActionKind::DropNotNull { column } = &action.kind else { continue };
        let nullable = known.and_then(|t| t.column(column.as_str())).is_some_and(|column| !column.not_null);
        let goes = actions_on(cx.later_in_transaction(), &table).any(
            |later| matches!(&later.kind, ActionKind::DropColumn { column: gone, .. } if gone == column),
        );
        if nullable || goes || !cx.column_in_use(known, column) {
            continue;
        }
        let shown = quote_ident(column.as_str());
        sink.say(
            action.span,
            format!(
                "once something writes a NULL to {table}.{shown}, code that doesn't expect one fails, and the constraint \
                 can't be put back before the NULLs are gone"
            ),
        )
        .help(format!("Deploy code that can read NULL in {shown} first, and code that writes it after this."));
    }
}
