//! `drop_materialized_view`: DROP MATERIALIZED VIEW removes a stored result that queries read.

use crate::migration::statement::ObjectKind;

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "drop_materialized_view",
    page: migration_page!("drop_materialized_view"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    for (dropped, view, _) in cx.dropped(ObjectKind::MaterializedView) {
        sink.say(
            dropped.span,
            format!(
                "queries that read {view} fail once it is dropped; to have it back it must be computed from its \
                 tables again, and its indexes rebuilt"
            ),
        )
        .help(format!(
            "Build its replacement under another name, let the next release read that, and drop {view} after it."
        ));
    }
}
