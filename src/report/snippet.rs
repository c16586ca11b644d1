//! A source text as miette asks for it, with lines found by a precomputed index.
//!
//! miette's own `NamedSource` scans the text from its beginning for each finding, which makes a large file
//! with many findings quadratic.

use std::ops::Range;
use std::sync::Arc;

use crate::source::{LineIndex, Span};

/// Of a longer line only a part is shown: miette counts columns in 16 bits, and nobody reads that far.
const LONGEST: usize = 2_000;

/// How much of a long line is shown before and behind what it is about.
const AROUND: usize = 200;

/// A file's text with its line index, cheap to share between findings.
#[derive(Clone, Debug)]
pub struct Text {
    /// The path as it is shown.
    pub name: String,
    /// The whole text.
    pub text: Arc<str>,
    /// Where its lines begin.
    pub lines: Arc<LineIndex>,
}

impl Text {
    /// Indexes the lines of `text`.
    pub fn new(name: String, text: Arc<str>) -> Self {
        let lines = Arc::new(LineIndex::new(&text));
        Text { name, text, lines }
    }

    /// The part of `span` to underline: all of it, unless a line of it is long.
    pub fn underlined(&self, span: Span) -> Range<usize> {
        let (start, end) = (span.start as usize, span.end as usize);
        let mut line = self.line_start(start);
        while let Some(from) = line {
            match self.line_end(from) {
                Some(to) if to < end => line = Some(to + 1),
                Some(_) => return start..end,
                None => line = None,
            }
        }
        let to = self.floor(start + AROUND);
        start..end.min(to).min(self.line_end(start).unwrap_or(to))
    }

    /// What is shown around `part`: its lines, with `before` lines before and `after` lines behind them, as far as they
    /// aren't long.
    pub fn shown(&self, part: Range<usize>, before: usize, after: usize) -> Range<usize> {
        let mut from = self.line_start(part.start);
        for _ in 0..before {
            let line = from.filter(|from| *from > 0).and_then(|from| self.line_start(from - 1));
            from = line.or(from);
        }
        let mut to = part.end;
        for _ in 0..=after {
            match self.line_end(to) {
                Some(end) => to = (end + 1).min(self.text.len()),
                None => {
                    to = self.floor(to + AROUND);
                    break;
                }
            }
        }
        from.unwrap_or_else(|| self.floor(part.start.saturating_sub(AROUND)))..to
    }

    /// Where the line that holds `at` begins, if that isn't far.
    fn line_start(&self, at: usize) -> Option<usize> {
        let at = at.min(self.text.len());
        let far = at.saturating_sub(LONGEST);
        let found = memchr::memrchr(b'\n', &self.text.as_bytes()[far..at]);
        found.map(|n| far + n + 1).or((far == 0).then_some(0))
    }

    /// Where the line goes on to from `at`, its line feed or the end of the text, if that isn't far.
    fn line_end(&self, at: usize) -> Option<usize> {
        let at = at.min(self.text.len());
        let far = (at + LONGEST).min(self.text.len());
        let found = memchr::memchr(b'\n', &self.text.as_bytes()[at..far]);
        found.map(|n| at + n).or((far == self.text.len()).then_some(far))
    }

    /// `at`, or the beginning of the character that holds it.
    fn floor(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_long_lines_a_part_is_shown() {
        let long =
            format!("SELECT 1;\n{}DROP TABLE é;{}\nSELECT 2;\n", " ".repeat(70_000), "é".repeat(70_000));
        let text = Text::new("a.sql".to_owned(), long.into());
        let start = 10 + 70_000;
        let drop = Span::new(start, start + 13);
        assert_eq!(text.underlined(drop), start..start + 13);
        let shown = text.shown(start..start + 13, 1, 1);
        assert_eq!(shown, start - AROUND..text.floor(start + 13 + AROUND));
        assert!(text.text.get(shown).is_some());
        let all = Span::new(0, text.text.len());
        assert_eq!(text.underlined(all), 0..9);
        assert_eq!(text.shown(0..9, 1, 1), 0..10 + AROUND);
        let last = text.text.len() - 10;
        assert_eq!(text.underlined(Span::new(last, last + 9)), last..last + 9);
        assert_eq!(text.shown(last..last + 9, 1, 1), last..text.text.len());
    }
}
