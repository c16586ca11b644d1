//! An open document's text, and positions in it as the protocol counts them.

use lsp_types::{Position, Range, TextDocumentContentChangeEvent};

/// How characters of a line are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// Units of UTF-16, the protocol's default.
    #[default]
    Utf16,
    /// Characters.
    Utf32,
}

/// A text with where its lines begin. A line ends with LF, CR LF or CR.
#[derive(Clone, Debug, Default)]
pub struct Text {
    text: String,
    starts: Vec<usize>,
}

impl Text {
    /// Reads `text` once.
    pub fn new(text: String) -> Self {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        for at in memchr::memchr2_iter(b'\n', b'\r', bytes) {
            if bytes.get(at) == Some(&b'\r') && bytes.get(at + 1) == Some(&b'\n') {
                continue;
            }
            starts.push(at + 1);
        }
        Text { text, starts }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The line with its end, and where it begins.
    fn line(&self, line: usize) -> Option<(usize, &str)> {
        let start = *self.starts.get(line)?;
        let end = self.starts.get(line + 1).copied().unwrap_or(self.text.len());
        Some((start, self.text.get(start..end)?.trim_end_matches(['\n', '\r'])))
    }

    /// The byte that a position means; past the end of a line or the text: that end.
    pub fn offset(&self, position: Position, encoding: Encoding) -> usize {
        let Some((start, line)) = self.line(position.line as usize) else { return self.text.len() };
        let wanted = position.character as usize;
        let mut counted = 0;
        for (at, c) in line.char_indices() {
            let size = match encoding {
                Encoding::Utf8 => c.len_utf8(),
                Encoding::Utf16 => c.len_utf16(),
                Encoding::Utf32 => 1,
            };
            // Inside a character means before it.
            if counted + size > wanted {
                return start + at;
            }
            counted += size;
        }
        start + line.len()
    }

    /// The position of a byte.
    pub fn position(&self, offset: usize, encoding: Encoding) -> Position {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|&start| start <= offset).saturating_sub(1);
        let start = self.starts.get(line).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or("");
        let character = match encoding {
            Encoding::Utf8 => before.len(),
            Encoding::Utf16 => before.chars().map(char::len_utf16).sum(),
            Encoding::Utf32 => before.chars().count(),
        };
        Position { line: line as u32, character: character as u32 }
    }

    /// The range of bytes.
    pub fn range(&self, start: usize, end: usize, encoding: Encoding) -> Range {
        Range { start: self.position(start, encoding), end: self.position(end, encoding) }
    }

    /// Makes a change as the editor made it.
    pub fn change(&mut self, change: TextDocumentContentChangeEvent, encoding: Encoding) {
        let Some(range) = change.range else {
            *self = Text::new(change.text);
            return;
        };
        let (start, end) = (self.offset(range.start, encoding), self.offset(range.end, encoding));
        let (start, end) = (start.min(end), start.max(end));
        let mut text = std::mem::take(&mut self.text);
        text.replace_range(start..end, &change.text); // offsets are at characters of this text
        *self = Text::new(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_as_agreed_and_come_back() {
        let text = Text::new("a😀é\r\nb\rc\n".to_owned());
        for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
            for (offset, _) in text.as_str().char_indices().filter(|(_, c)| !matches!(c, '\n' | '\r')) {
                let position = text.position(offset, encoding);
                assert_eq!(text.offset(position, encoding), offset, "{encoding:?} {position:?}");
            }
        }
        assert_eq!(text.position(5, Encoding::Utf16), Position { line: 0, character: 3 });
        assert_eq!(text.position(5, Encoding::Utf8), Position { line: 0, character: 5 });
        assert_eq!(text.position(5, Encoding::Utf32), Position { line: 0, character: 2 });
        assert_eq!(text.offset(Position { line: 0, character: 2 }, Encoding::Utf16), 1, "inside the pair");
        assert_eq!(text.offset(Position { line: 0, character: 99 }, Encoding::Utf16), 7, "before CR LF");
        assert_eq!(text.offset(Position { line: 99, character: 0 }, Encoding::Utf16), text.as_str().len());
        assert_eq!(text.position(text.as_str().find('c').unwrap(), Encoding::Utf16).line, 2);
    }

    #[test]
    fn changes_are_made_where_the_editor_made_them() {
        let mut text = Text::new("SELECT '😀';\r\nSELECT 2;\r\n".to_owned());
        let at = |line, character| Position { line, character };
        let change = |start, end, new: &str| TextDocumentContentChangeEvent {
            range: Some(Range { start, end }),
            range_length: None,
            text: new.to_owned(),
        };
        text.change(change(at(0, 8), at(0, 10), "x"), Encoding::Utf16);
        assert_eq!(text.as_str(), "SELECT 'x';\r\nSELECT 2;\r\n");
        text.change(change(at(1, 7), at(1, 8), "3"), Encoding::Utf16);
        text.change(change(at(2, 0), at(2, 0), "-- end\n"), Encoding::Utf16);
        assert_eq!(text.as_str(), "SELECT 'x';\r\nSELECT 3;\r\n-- end\n");
        text.change(change(at(9, 0), at(0, 0), ""), Encoding::Utf16);
        assert_eq!(text.as_str(), "", "a range the wrong way round still ends where it should");
    }
}
