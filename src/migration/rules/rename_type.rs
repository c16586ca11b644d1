//! `rename_type`: renaming a type or domain breaks casts and drivers that use the old name.

use crate::migration::statement::{ActionKind, Body, Ident, Name, ObjectChange, ObjectKind};
use crate::source::Span;

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "rename_type", page: migration_page!("rename_type"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    match &cx.statement.body {
        Body::AlterObject(alter) if matches!(alter.kind, ObjectKind::Type | ObjectKind::Domain) => {
            if let ObjectChange::RenameTo(to) = &alter.change {
                judge(cx, sink, &alter.name, to, cx.statement.span);
            }
        }
        Body::AlterTable(alter) if alter.kind == ObjectKind::Type => {
            for action in &alter.actions {
                if let ActionKind::RenameTo { to } = &action.kind {
                    judge(cx, sink, &alter.name, to, action.span);
                }
            }
        }
        _ => {}
    }
}

fn judge(cx: &StatementContext<'_>, sink: &mut Sink, name: &Name, to: &Ident, span: Span) {
    if !cx.type_in_use(name) || !cx.lasts() {
        return;
    }
    // The swap that replaces an enum: the old one steps aside, and another type takes its name.
    let taken = cx.later_in_transaction().any(|statement| match &statement.body {
        Body::CreateType { name: made, .. } => made.name == name.name,
        Body::CreateDomain(domain) => domain.name.name == name.name,
        Body::AlterObject(alter) => {
            matches!(&alter.change, ObjectChange::RenameTo(to) if *to == name.name)
                && matches!(alter.kind, ObjectKind::Type | ObjectKind::Domain)
        }
        _ => false,
    });
    if taken {
        return;
    }
    let old = cx.before.resolve_type(name, &cx.session.search_path);
    sink.say(
        span,
        format!(
            "queries that cast to {old} fail from the commit on (type \"{}\" does not exist), and drivers that look the \
             type up by name don't find it",
            old.name
        ),
    )
    .help(format!(
        "Keep the name {old}, or deploy code without casts to it before it becomes {}.",
        crate::migration::statement::quote_ident(to.as_str())
    ));
}
