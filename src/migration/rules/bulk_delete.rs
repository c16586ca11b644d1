//! DELETE without a bound on a table in use.

use crate::migration::statement::{Access, Beside};

use super::{Check, Rule, Sink, StatementContext, plans};

pub static RULE: Rule =
    Rule { code: "bulk_delete", page: migration_page!("bulk_delete"), check: Check::Statement(check) };

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    for (change, table) in context.unbounded_changes() {
        if change.access != Access::Delete {
            continue;
        }
        let condition = change.filter.as_ref().filter(|filter| !filter.always_true);
        let which = if condition.is_none() {
            "removes all rows of"
        } else {
            "has no bound on the rows it removes from"
        };
        let looped = context.inner.is_some_and(|inner| inner.in_loop);
        let sized = context.sized(&table);
        let message = if looped && context.is_bounded_alone(change, &table) {
            format!(
                "this DELETE runs in a loop that doesn't COMMIT: all rows of {sized} that the rounds remove stay locked until the last one is done"
            )
        } else {
            let why = if looped {
                "; the loop around it doesn't COMMIT, so it is one transaction all the same"
            } else {
                ""
            };
            format!("this DELETE {which} {sized}: each of them stays locked until the transaction ends{why}")
        };
        let said = sink.say(change.span, message);
        let plain =
            change.beside == Beside::Nothing && !change.names_variables && context.verbatim() && !looped;
        let with = context.with_before(change).filter(|_| plain);
        said.help(match condition.zip(with) {
            Some((filter, with)) => format!(
                "-- outside a transaction\n{}",
                plans::delete_in_batches(
                    plans::Rows::changed(context.before, &table, change, with),
                    context.sql(filter.expr.span)
                )
            ),
            None => "Delete about 1,000 rows at a time, with a COMMIT and a pause of 0.1 s after each batch."
                .to_owned(),
        });
    }
}
