//! `missing_if_exists`: DROP without IF EXISTS fails where the object is already gone.

use crate::migration::statement::{ActionKind, Body};
use crate::source::Span;

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "missing_if_exists",
    page: migration_page!("missing_if_exists"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let mut say = |span: Span, what: String| {
        sink.say(span, format!("{what} fails where it is already gone; with IF EXISTS it goes on"));
    };
    match &cx.statement.body {
        Body::Drop(drop) if !drop.if_exists => say(cx.statement.span, format!("DROP {}", drop.kind.sql())),
        Body::AlterTable(alter) => {
            for action in &alter.actions {
                match &action.kind {
                    ActionKind::DropColumn { if_exists: false, .. } => {
                        say(action.span, "DROP COLUMN".to_owned())
                    }
                    ActionKind::DropConstraint { if_exists: false, .. } => {
                        say(action.span, "DROP CONSTRAINT".to_owned())
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}
