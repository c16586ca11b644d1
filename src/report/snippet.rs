//! A source text as miette asks for it, with lines found by a precomputed index.
//!
//! miette's own `NamedSource` scans the text from its beginning for each finding, which makes a large file
//! with many findings quadratic.

use std::sync::Arc;

use crate::source::LineIndex;

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
}
