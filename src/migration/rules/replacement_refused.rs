//! `replacement_refused`: CREATE OR REPLACE that takes from what is there what it can't.

use crate::migration::catalog::{RelationKind, written_type};
use crate::migration::statement::{Body, CreateRoutine, CreateView, quote_ident};

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "replacement_refused",
    page: migration_page!("replacement_refused"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    if cx.inner.is_some() || !cx.before.complete() {
        return;
    }
    match &cx.statement.body {
        Body::CreateView(new) if new.replace && !new.temporary => view(cx, sink, new),
        Body::CreateRoutine(new) if new.replace => routine(cx, sink, new),
        _ => {}
    }
}

/// The columns of a view stay, in their order, under their names.
fn view(cx: &StatementContext<'_>, sink: &mut Sink, new: &CreateView) {
    let Some(old) = cx.relation(&new.name) else { return };
    let columns: Option<Vec<&str>> = if new.columns.is_empty() {
        let output = new.query.output.iter().map(|column| column.as_ref().map(|column| column.as_str()));
        output.collect()
    } else {
        Some(new.columns.iter().map(|column| column.as_str()).collect())
    };
    let Some(columns) = columns.filter(|_| !new.query.star) else { return };
    if old.kind != RelationKind::View || !old.columns_known || columns.is_empty() {
        return;
    }
    let mut pairs = old.columns.iter().zip(columns.iter().copied());
    let why = match pairs.find(|(old, new)| old.name != *new) {
        Some((old, new)) => {
            format!("calls {} in its place {}", quote_ident(&old.name), quote_ident(new))
        }
        None => match old.columns.iter().nth(columns.len()) {
            Some(lost) => format!("has no {} any more", quote_ident(&lost.name)),
            None => return,
        },
    };
    let help = format!("-- in one transaction\nDROP VIEW {};\n{};", old.name, cx.sql(cx.statement.span));
    sink.say(
        cx.statement.span,
        format!(
            "the new definition of {} {why}, so this fails: CREATE OR REPLACE only adds columns, behind those that are there",
            old.name
        ),
    )
    .help(help);
}

/// What a function gives stays.
fn routine(cx: &StatementContext<'_>, sink: &mut Sink, new: &CreateRoutine) {
    let name = cx.before.resolve_function(&new.name, &cx.session.search_path);
    let known = cx.before.functions(&name).iter().find(|known| known.takes(&new.arguments));
    let Some((old, result)) = known.and_then(|old| Some((old, old.definition.returns.as_ref()?))) else {
        return;
    };
    let Some(given) = &new.returns else { return };
    let same_schema = result.name.schema.is_none()
        || given.name.schema.is_none()
        || result.name.schema == given.name.schema;
    let same = same_schema
        && result.name.name == given.name.name
        && (result.dimensions > 0) == (given.dimensions > 0)
        && result.set_of == given.set_of;
    if same || result.percent_type || given.percent_type {
        return;
    }
    let shown = |of: &crate::migration::statement::TypeName| {
        format!("{}{}", if of.set_of { "SETOF " } else { "" }, written_type(of))
    };
    sink.say(
        cx.statement.span,
        format!(
            "{} returns {}, so this fails: CREATE OR REPLACE can't make it return {}",
            old.name,
            shown(result),
            shown(given)
        ),
    );
}
