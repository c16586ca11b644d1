//! `wide_index`: an index of more than three columns that isn't unique.

use crate::migration::statement::Body;

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule =
    Rule { code: "wide_index", page: migration_page!("wide_index"), check: Check::Statement(check) };

/// More columns than this are too many.
const MOST: usize = 3;

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::CreateIndex(create) = &cx.statement.body else { return };
    if create.unique || create.columns.len() <= MOST {
        return;
    }
    sink.say(
        cx.statement.span,
        format!(
            "this index of {} has {} columns: those after the third seldom narrow a search, and each makes writes dearer",
            cx.resolve(&create.table),
            create.columns.len()
        ),
    );
}
