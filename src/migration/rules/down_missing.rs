//! `down_missing`: a migration without a way back, in a project whose migrations have one.

use crate::migration::statement::Body;

use super::{Check, ReversalContext, Rule, Sink};

pub static RULE: Rule =
    Rule { code: "down_missing", page: migration_page!("down_missing"), check: Check::Reversal(check) };

fn check(cx: &ReversalContext<'_>, sink: &mut Sink) {
    let does_something = cx.statements.iter().any(|s| !matches!(s.body, Body::Set(_) | Body::Transaction(_)));
    if cx.down.is_some() || !cx.downs_are_usual || !does_something {
        return;
    }
    let Some(first) = cx.statements.first() else { return };
    sink.say(first.span, "this migration has no way back, while others of the project have one").help(
        "Write the down migration while you still know what it must undo, and rehearse it. Where there is none, say so: \
         -- rollsafe: ignore down_missing -- the way back is the backup",
    );
}
