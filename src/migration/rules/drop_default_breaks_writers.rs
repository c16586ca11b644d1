//! `drop_default_breaks_writers`: DROP DEFAULT changes what inserts write that leave the column out.

use crate::migration::statement::{ActionKind, Ident, ObjectKind, quote_ident};

use super::outlook::actions_on;
use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "drop_default_breaks_writers",
    page: migration_page!("drop_default_breaks_writers"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some((alter, table, known)) = cx.altered() else { return };
    if alter.kind == ObjectKind::Type {
        return;
    }
    for (at, action) in alter.actions.iter().enumerate() {
        let ActionKind::DropDefault { column } = &action.kind else { continue };
        // A type change often takes the default away and gives it back.
        let given_back = alter.actions.iter().skip(at + 1).any(|later| gives_default(&later.kind, column))
            || actions_on(cx.later_in_transaction(), &table).any(|later| gives_default(&later.kind, column));
        if given_back {
            continue;
        }
        let old = known.and_then(|table| table.column(column.as_str()));
        let not_null = old.is_some_and(|column| column.not_null);
        if let Some(old) = old {
            // Code that doesn't know a new column leaves it out, which only a NOT NULL minds.
            if old.default.is_none() || (!cx.in_use_since(old.born) && !not_null) {
                continue;
            }
        } else if known.is_some_and(|table| table.columns_known) && cx.before.complete() {
            continue;
        }
        let shown = quote_ident(column.as_str());
        let consequence = match (old, not_null) {
            (_, true) => "fail on its NOT NULL",
            (Some(_), false) => "write NULL",
            (None, false) => "write NULL, or fail where it is NOT NULL",
        };
        sink.say(
            action.span,
            format!("inserts of the running version that leave {table}.{shown} out now {consequence}"),
        )
        .help(format!("Keep the default until no version that may run leaves {shown} out of an INSERT."));
    }
}

fn gives_default(action: &ActionKind, column: &Ident) -> bool {
    match action {
        ActionKind::SetDefault { column: other, .. } | ActionKind::AddIdentity { column: other, .. } => {
            other == column
        }
        ActionKind::DropColumn { column: other, .. } => other == column,
        _ => false,
    }
}
