//! `down_does_not_undo`: after up and down the schema isn't what it was.

use crate::migration::catalog;
use crate::migration::statement::Body;

use super::down_empty::idle;
use super::{Check, ReversalContext, Rule, Sink};

pub static RULE: Rule = Rule {
    code: "down_does_not_undo",
    page: migration_page!("down_does_not_undo"),
    check: Check::Reversal(check),
};

/// So many differences are listed.
const MOST: usize = 12;

fn check(cx: &ReversalContext<'_>, sink: &mut Sink) {
    let Some(down) = &cx.down else { return };
    let unread = cx.statements.iter().chain(down.statements).any(|statement| !statement.understood());
    let dynamic = cx.statements.iter().chain(down.statements).any(|statement| match &statement.body {
        Body::Do(block) => block.routine.as_ref().is_none_or(|r| {
            !r.dynamic.is_empty() || !r.problems.is_empty() || r.statements.iter().any(|s| s.partial)
        }),
        Body::MetaCommand { .. } => true,
        _ => false,
    });
    // A way back that says outright that there is none.
    let refuses = down.statements.iter().any(|statement| {
        let text = statement.span.of(cx.down_text);
        matches!(statement.body, Body::Do(_)) && text.to_ascii_lowercase().contains("raise exception")
    });
    if unread || dynamic || refuses {
        return; // what can't be read proves nothing
    }
    // An empty way back is a finding of its own.
    let Some(first) = down.statements.iter().find(|statement| !idle(&statement.body)) else { return };
    let lines = catalog::difference(cx.before, down.after);
    if lines.is_empty() {
        return;
    }
    let mut shown = lines.iter().take(MOST).map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n");
    if lines.len() > MOST {
        shown.push_str(&format!("\n- and {} more", lines.len() - MOST));
    }
    let count =
        if lines.len() == 1 { "1 difference".to_owned() } else { format!("{} differences", lines.len()) };
    sink.say(
        first.span,
        format!(
            "after up and down the schema isn't what it was: {}{}",
            lines[0],
            if lines.len() > 1 { format!(" ({count})") } else { String::new() }
        ),
    )
    .in_migration(down.migration)
    .help(format!("What differs from before the up migration:\n{shown}"));
}
