//! `missing_if_exists`: DROP without IF EXISTS fails where the object is already gone.

use crate::finding::Edit;
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
    // Where the words go: before the first name.
    let mut say = |span: Span, what: String, before: Span| {
        let said =
            sink.say(span, format!("{what} fails where it is already gone; with IF EXISTS it goes on"));
        if cx.verbatim() && !before.is_empty() {
            let edit = Edit { start: before.start, end: before.start, text: "IF EXISTS ".to_owned() };
            said.fix("write IF EXISTS", vec![edit]);
        }
    };
    match &cx.statement.body {
        Body::Drop(drop) if !drop.if_exists => {
            let first = drop.names.first().map_or(Span::default(), |name| name.span);
            say(cx.statement.span, format!("DROP {}", drop.kind.sql()), first);
        }
        Body::AlterTable(alter) => {
            for action in &alter.actions {
                match &action.kind {
                    ActionKind::DropColumn { if_exists: false, column, .. } => {
                        say(action.span, "DROP COLUMN".to_owned(), column.span);
                    }
                    ActionKind::DropConstraint { if_exists: false, name, .. } => {
                        say(action.span, "DROP CONSTRAINT".to_owned(), name.span);
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}
