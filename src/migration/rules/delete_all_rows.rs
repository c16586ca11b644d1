//! `delete_all_rows`: DELETE without a WHERE clause that excludes anything.

use crate::migration::statement::{Access, Body};

use super::{Check, Rule, Sink, StatementContext, plans};

pub static RULE: Rule = Rule {
    code: "delete_all_rows",
    page: migration_page!("delete_all_rows"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let changes = cx.changes_run();
    if changes.is_empty() || !cx.lasts() {
        return;
    }
    for change in changes {
        let deletes = match change.access {
            Access::Delete => true,
            // What a MERGE does with the rows that it finds stands in its text alone.
            Access::Merge => {
                let words: Vec<&str> = cx.sql(change.span).split_whitespace().collect();
                words.windows(2).any(|pair| {
                    matches!(pair, [then, delete] if then.eq_ignore_ascii_case("then")
                        && delete.trim_end_matches(';').eq_ignore_ascii_case("delete"))
                })
            }
            _ => false,
        };
        if !deletes {
            continue;
        }
        let why = match &change.filter {
            // USING without a condition pairs every row with something.
            None => "there is no WHERE",
            Some(filter) if filter.always_true => "the condition is always true",
            Some(_) => continue,
        };
        let table = cx.resolve(&change.target);
        if !cx.may_be_used(&table) {
            continue;
        }
        // EXECUTE runs a query that is written elsewhere.
        let span =
            if matches!(cx.statement.body, Body::Execute { .. }) { cx.statement.span } else { change.span };
        sink.say(span, format!("every row of {table} is deleted, since {why}")).help(format!(
            "-- name the rows that are meant to go, in place of …, and delete them in batches\n{}",
            plans::delete_in_batches(plans::Rows::changed(cx.before, &table, change, None), "…")
        ));
    }
}
