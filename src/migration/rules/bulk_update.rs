//! UPDATE (or MERGE) without a bound on a table in use.

use crate::migration::catalog::QName;
use crate::migration::statement::{Access, Beside, Change};
use crate::source::Span;

use super::{Check, Rule, Sink, StatementContext, plans};

pub static RULE: Rule =
    Rule { code: "bulk_update", page: migration_page!("bulk_update"), check: Check::Statement(check) };

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    for (change, table) in context.unbounded_changes() {
        let verb = match change.access {
            Access::Update => "UPDATE",
            Access::Merge => "MERGE",
            _ => continue,
        };
        let looped = context.inner.is_some_and(|inner| inner.in_loop);
        let all = change.filter.as_ref().is_none_or(|filter| filter.always_true);
        let which = if all { "changes all rows of" } else { "has no bound on the rows it changes in" };
        let sized = context.sized(&table);
        let message = if looped && context.is_bounded_alone(change, &table) {
            format!(
                "this {verb} runs in a loop that doesn't COMMIT: all rows of {sized} that the rounds change stay locked until the last one is done"
            )
        } else {
            let why = if looped {
                "; the loop around it doesn't COMMIT, so it is one transaction all the same"
            } else {
                ""
            };
            format!("this {verb} {which} {sized}: each of them stays locked until the transaction ends{why}")
        };
        let said = sink.say(change.span, message);
        said.help(match plan(context, change, &table) {
            Some(plan) => format!("-- outside a transaction\n{plan}"),
            None => "Change about 1,000 rows at a time, with a COMMIT and a pause of 0.1 s after each batch."
                .to_owned(),
        });
    }
}

/// The same change in batches: the table is walked through in the order of its key, since a condition for what is
/// still to be done might stay true for ever (`SET n = n + 1`, a volatile function, a value rounded when stored).
fn plan(context: &StatementContext<'_>, change: &Change, table: &QName) -> Option<String> {
    let (first, last) = (change.columns.first()?, change.values.last()?);
    let plain = change.access == Access::Update
        && change.beside == Beside::Nothing
        && !change.names_variables
        && change.columns.len() == change.values.len()
        && context.verbatim()
        && !context.inner.is_some_and(|inner| inner.in_loop);
    if !plain || first.span.start >= last.span.end {
        return None;
    }
    let with = context.with_before(change)?;
    let assignments = context.sql(Span { start: first.span.start, end: last.span.end });
    let condition = change
        .filter
        .as_ref()
        .filter(|filter| !filter.always_true)
        .map(|filter| context.sql(filter.expr.span));
    plans::walk(plans::Rows::changed(context.before, table, change, with), assignments, condition)
}
