//! `down_empty`: a way back that does nothing.

use crate::migration::statement::Body;

use super::{Check, ReversalContext, Rule, Sink};

pub static RULE: Rule =
    Rule { code: "down_empty", page: migration_page!("down_empty"), check: Check::Reversal(check) };

fn check(cx: &ReversalContext<'_>, sink: &mut Sink) {
    let Some(down) = &cx.down else { return };
    let up_is_idle = cx.statements.iter().all(|statement| idle(&statement.body));
    if up_is_idle || !down.statements.iter().all(|statement| idle(&statement.body)) {
        return;
    }
    let span = down.statements.first().map_or(crate::source::Span::at(down.span.start as usize), |s| s.span);
    sink.say(
        span,
        "the down migration does nothing: rolling back leaves the schema as the up migration made it, and the tool \
         believes it is gone",
    )
    .in_migration(down.migration)
    .help("Undo what the up migration does; where that can't be done, make the down fail, so that nobody relies on it:\nDO $$ BEGIN RAISE EXCEPTION 'no way back: restore the backup'; END $$;");
}

/// Whether a statement changes nothing that would have to be undone.
pub(super) fn idle(body: &Body) -> bool {
    match body {
        Body::Set(_) | Body::Transaction(_) => true,
        // `SELECT 1;` is what people write so that the tool accepts the file.
        Body::Query(query) => query.uses.is_empty() && query.calls.is_empty() && query.changes.is_empty(),
        _ => false,
    }
}
