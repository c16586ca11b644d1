//! `composite_type_changed`: a composite type with other attributes breaks code that builds or reads its values.

use crate::migration::statement::{
    ActionKind, AttributeActionKind, Body, Name, ObjectKind, TypeAction, quote_ident,
};
use crate::source::Span;

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "composite_type_changed",
    page: migration_page!("composite_type_changed"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    match &cx.statement.body {
        Body::AlterType(alter) => match &alter.action {
            TypeAction::Attributes(actions) => {
                for action in actions {
                    let change = match &action.kind {
                        AttributeActionKind::Add(column) => Change::Add(column.name.as_str()),
                        AttributeActionKind::Drop { name, .. } => Change::Drop(name.as_str()),
                        AttributeActionKind::SetType { name, .. } => Change::Retype(name.as_str()),
                    };
                    judge(cx, sink, &alter.name, change, action.span);
                }
            }
            TypeAction::RenameAttribute { name, .. } => {
                judge(cx, sink, &alter.name, Change::Rename(name.as_str()), cx.statement.span);
            }
            _ => {}
        },
        Body::AlterTable(alter) if alter.kind == ObjectKind::Type => {
            for action in &alter.actions {
                let change = match &action.kind {
                    ActionKind::AddColumn { column, .. } => Change::Add(column.name.as_str()),
                    ActionKind::DropColumn { column, .. } => Change::Drop(column.as_str()),
                    ActionKind::SetType { column, .. } => Change::Retype(column.as_str()),
                    ActionKind::RenameColumn { column, .. } => Change::Rename(column.as_str()),
                    _ => continue,
                };
                judge(cx, sink, &alter.name, change, action.span);
            }
        }
        _ => {}
    }
}

enum Change<'a> {
    Add(&'a str),
    Drop(&'a str),
    Retype(&'a str),
    Rename(&'a str),
}

fn judge(cx: &StatementContext<'_>, sink: &mut Sink, name: &Name, change: Change<'_>, span: Span) {
    if !cx.type_in_use(name) || !cx.lasts() {
        return;
    }
    let name = cx.before.resolve_type(name, &cx.session.search_path);
    let message = match change {
        Change::Add(attribute) => format!(
            "with {} in it, code that builds values of {name} by position fails: ROW(…)::{name} and '(…)'::{name} have too \
             few fields",
            quote_ident(attribute)
        ),
        Change::Drop(attribute) => format!(
            "every stored value of {name} loses {0}, and code that builds or reads it by position fails",
            quote_ident(attribute)
        ),
        Change::Retype(attribute) => {
            format!("code that builds or reads {}.{} has the old type", name, quote_ident(attribute))
        }
        Change::Rename(attribute) => {
            format!("queries that read {} of {name} by name fail from the commit on", quote_ident(attribute))
        }
    };
    sink.say(span, message).help(
        "Make a second type, and a column of it beside the old one; write both, fill it in batches, read the new one, and \
         drop the old one last.",
    );
}
