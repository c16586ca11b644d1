//! `drop_function`: dropping or renaming a function breaks queries that call it.

use crate::migration::catalog::QName;
use crate::migration::statement::{Body, Name, ObjectChange, ObjectKind, Statement};
use crate::source::Span;

use super::outlook::same_name;
use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "drop_function", page: migration_page!("drop_function"), check: Check::Statement(check) };

fn is_routine(kind: ObjectKind) -> bool {
    matches!(kind, ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine | ObjectKind::Aggregate)
}

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    match &cx.statement.body {
        Body::Drop(drop) if is_routine(drop.kind) => {
            for dropped in &drop.names {
                let arguments = dropped.arguments.as_ref().map(Vec::len);
                judge(cx, sink, &dropped.name, arguments, dropped.span, drop.if_exists);
            }
        }
        Body::AlterObject(alter) if is_routine(alter.kind) => {
            if let ObjectChange::RenameTo(_) = alter.change {
                judge(cx, sink, &alter.name, None, cx.statement.span, false);
            }
        }
        _ => {}
    }
}

fn judge(
    cx: &StatementContext<'_>,
    sink: &mut Sink,
    name: &Name,
    arguments: Option<usize>,
    span: Span,
    if_exists: bool,
) {
    if !cx.function_in_use(name) || !cx.lasts() {
        return;
    }
    let function = cx.before.resolve_function(name, &cx.session.search_path);
    let known = cx.before.functions(&function);
    if known.is_empty() && if_exists && cx.before.complete() {
        return;
    }
    // No query can call a trigger function, and PostgreSQL refuses while a trigger does.
    let for_triggers = !known.is_empty()
        && known.iter().all(|function| {
            function
                .definition
                .returns
                .as_ref()
                .is_some_and(|returns| matches!(returns.name.name.as_str(), "trigger" | "event_trigger"))
        });
    // A procedure that the migration makes for its own use and drops again.
    let made_here = cx.earlier().any(|statement| makes(statement, &function));
    // Another with more arguments than the old callers give isn't found by them; some of fewer may have defaults.
    let takes = |statement: &Statement| match (&statement.body, arguments) {
        (Body::CreateRoutine(routine), Some(given)) => {
            routine.required.is_none_or(|required| (required..=routine.arguments.len()).contains(&given))
        }
        _ => true,
    };
    let made_again =
        cx.later_in_transaction().any(|statement| makes(statement, &function) && takes(statement));
    if for_triggers || made_here || made_again {
        return;
    }
    sink.say(
        span,
        format!(
            "queries and function bodies that call {function} fail from the commit on; PostgreSQL knows of triggers, views \
             and defaults that use it, not of those"
        ),
    )
    .help("Make the new function beside the old one, call it in the next release, and drop the old one after that.");
}

fn makes(statement: &Statement, function: &QName) -> bool {
    matches!(&statement.body, Body::CreateRoutine(routine) if same_name(&routine.name, function))
}
