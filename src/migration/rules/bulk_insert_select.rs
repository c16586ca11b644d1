//! INSERT … SELECT of a whole table in use.

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "bulk_insert_select",
    page: migration_page!("bulk_insert_select"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    for (change, target, source) in context.unbounded_inserts() {
        sink.say(
            change.span,
            format!(
                "this copies all rows of {} into {target} in one transaction: VACUUM can't clean up behind it, replicas fall behind, and an error \
                 near the end loses all of it",
                context.sized(&source)
            ),
        )
        .help(
            "Copy about 1,000 rows at a time in the order of a key (WHERE key > the last one copied ORDER BY key LIMIT 1000), with a COMMIT and \
             a pause of 0.1 s after each batch.",
        );
    }
}
