//! Any text is cut into statements that lie in order, don't overlap and end on character boundaries.

use rollsafe::migration::parse::parse;

/// Panics where that doesn't hold.
pub fn check(text: &str) {
    let script = parse(text, 0..text.len());
    let mut end = 0;
    for statement in &script.statements {
        assert!(statement.span.start >= end && statement.span.end >= statement.span.start);
        assert!(text.get(statement.span.range()).is_some());
        end = statement.span.end;
    }
    for comment in &script.comments {
        assert!(text.get(comment.range()).is_some());
    }
}
