//! What the rules about locks share: whether work on a relation can hurt, whether waiting for a lock has an end,
//! and the user's own statement with words put in.

use crate::amount;
use crate::finding::Edit;
use crate::migration::catalog::QName;
use crate::migration::parse::lex::Lexer;
use crate::migration::session::Timeout;
use crate::source::Span;

use super::{RuleOptions, StatementContext};

impl<'a> StatementContext<'a> {
    /// Whether work in proportion to the relation's rows can hurt: it is there (or may be), others use it, and it
    /// isn't known to be small.
    pub fn heavy(&self, relation: &QName) -> bool {
        self.may_be_used(relation) && self.may_be_large(relation)
    }

    /// The relation with its size, where it is known: "orders (about 1,200,000 rows, 38 GB)".
    pub fn sized(&self, relation: &QName) -> String {
        match self.before.relation(relation).and_then(|known| known.size) {
            Some(size) => {
                format!("{relation} (about {} rows, {})", grouped(size.rows), amount::bytes(size.bytes))
            }
            None => relation.to_string(),
        }
    }

    /// Whether the text of this statement stands in the file as it runs: not in a string of EXECUTE, and not in a
    /// body with escapes.
    pub fn verbatim(&self) -> bool {
        self.inner.is_none_or(|inner| !inner.dynamic)
            && self
                .sql(self.statement.span)
                .starts_with(|first: char| first.is_ascii_alphabetic() || first == '(')
    }

    /// The statement with words put in after `place`, semicolon included. `None` where the text can't be used.
    pub fn with_words(&self, place: Span, words: &str) -> Option<String> {
        let whole = self.statement.span;
        if !self.verbatim() || !whole.contains(place) || place.is_empty() {
            return None;
        }
        let before = self.sql(Span { start: whole.start, end: place.end });
        let after = self.sql(Span { start: place.end, end: whole.end });
        Some(format!("{before}{words}{after};"))
    }

    /// The text of an action with a part of it left out. `None` where the text can't be used.
    pub fn without(&self, action: Span, part: Span) -> Option<String> {
        if !self.verbatim() || !action.contains(part) || part.is_empty() {
            return None;
        }
        let before = to_last_token(self.sql(Span { start: action.start, end: part.start }));
        let after = to_last_token(self.sql(Span { start: part.end, end: action.end })).trim_start();
        Some(if after.is_empty() { before.to_owned() } else { format!("{before} {after}") })
    }

    /// ADD COLUMN without one of its constraints, as the first statement of a plan that adds that one later.
    pub fn column_without(&self, table: &QName, action: Span, constraint: Span) -> String {
        match self.without(action, constraint) {
            Some(action) => format!("ALTER TABLE {table} {action};\n"),
            None => "-- first ADD COLUMN without it, then\n".to_owned(),
        }
    }

    /// The edit that puts words in after `place`. None where the text can't be used.
    pub fn insertion(&self, place: Span, words: &str) -> Vec<Edit> {
        let usable = self.verbatim() && self.statement.span.contains(place) && !place.is_empty();
        let edit = || Edit { start: place.end, end: place.end, text: words.to_owned() };
        usable.then(edit).into_iter().collect()
    }

    /// A line of comment for SQL that can't run where the statement stands now.
    pub fn outside_note(&self) -> &'static str {
        match (self.inner.is_some(), self.in_transaction()) {
            (true, _) => "-- as a statement of its own, outside DO and outside a transaction\n",
            (false, Some(false)) => "",
            (false, _) => "-- in a migration of its own that runs outside a transaction\n",
        }
    }

    /// Whether waiting for a lock ends by itself at this statement.
    pub fn waits_end(&self) -> bool {
        ends_waiting(self.session.lock_timeout(), self.options)
    }
}

/// Whether `timeout` ends a wait before it hurts. A value that isn't a constant is taken to be a sensible one.
pub fn ends_waiting(timeout: Timeout, options: &RuleOptions) -> bool {
    match timeout {
        Timeout::Unset | Timeout::Off => false,
        Timeout::Milliseconds(ms) => ms <= options.longest_lock_timeout,
        Timeout::Unknown => true,
    }
}

/// A text up to its last token: a comment behind that would swallow what is put there.
fn to_last_token(text: &str) -> &str {
    let mut lexer = Lexer::new(text, 0..text.len());
    let last = std::iter::from_fn(|| lexer.next_token()).last();
    last.and_then(|token| text.get(..token.span.end as usize)).unwrap_or_default()
}

pub use crate::amount::grouped;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_a_short_timeout_only() {
        let options = RuleOptions::default();
        assert!(ends_waiting(Timeout::Milliseconds(2_000), &options));
        assert!(!ends_waiting(Timeout::Milliseconds(3_600_000), &options));
        assert!(!ends_waiting(Timeout::Off, &options));
        assert!(!ends_waiting(Timeout::Unset, &options));
    }
}
