//! Any text is parsed without a panic, what is not understood says why, and a body in a DO block is read
//! too, whatever it holds.

use rollsafe::migration::parse::parse;

/// Panics where that doesn't hold.
pub fn check(text: &str) {
    for text in [text.to_owned(), format!("DO $body_of_it$ BEGIN {text}; END $body_of_it$")] {
        for statement in parse(&text, 0..text.len()).statements {
            assert!(statement.understood() || !statement.problems.is_empty());
            for problem in &statement.problems {
                assert!(text.get(problem.span.range()).is_some());
            }
        }
    }
}
