//! Sections of a file: one file may hold the way there and the way back.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;

use super::runner::{Cut, Sections, Unit};
use crate::migration::migration::Direction;
use crate::source::Span;

/// A part of a file that is a migration of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Which part.
    pub range: Range<usize>,
    /// `None`: nothing inside the file says.
    pub direction: Option<Direction>,
    /// Whether a transaction is around it; `None`: nothing inside the file says.
    pub transaction: Option<bool>,
    /// What tells it from others of the file, where the file names it.
    pub version: Option<String>,
}

impl Section {
    /// One that the file doesn't name.
    fn new(range: Range<usize>, direction: Option<Direction>, transaction: Option<bool>) -> Self {
        Section { range, direction, transaction, version: None }
    }
}

/// Cuts a file as its tool does.
pub fn cut(text: &str, sections: Sections) -> Vec<Section> {
    let whole = || vec![Section::new(0..text.len(), None, None)];
    let mut found: Vec<Section> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\n', '\r']);
        let opens = match sections {
            // `Own` cuts by itself.
            Sections::Whole | Sections::Own { .. } => return whole(),
            Sections::Lines(opens) | Sections::Gathered(opens) => {
                opens(bare).map(|opens| (opens.direction, opens.transaction))
            }
            Sections::Separator(separates) => {
                if separates(bare) && found.is_empty() {
                    found.push(Section::new(0..at, Some(Direction::Up), None));
                    Some((Direction::Down, None))
                } else {
                    None
                }
            }
        };
        if let Some((direction, transaction)) = opens {
            if let Some(open) = found.last_mut() {
                open.range.end = at;
            }
            found.push(Section::new(at..text.len(), Some(direction), transaction));
        }
        at += line.len();
    }
    if found.is_empty() { whole() } else { found }
}

/// Sections of one direction made one, with the text as far as it belongs to it: what belongs to the other direction is
/// blanked out, so that every place stays where it is.
pub fn gather(text: &str, found: Vec<Section>) -> Vec<Cut> {
    let mut gathered: Vec<Cut> = Vec::new();
    for direction in [Some(Direction::Up), Some(Direction::Down)] {
        let mine: Vec<&Section> = found.iter().filter(|section| section.direction == direction).collect();
        let (Some(first), Some(last)) = (mine.first(), mine.last()) else { continue };
        let transaction = mine.iter().all(|section| section.transaction != Some(false));
        let mut kept = String::with_capacity(text.len());
        for section in &found {
            if kept.len() < section.range.start {
                let before = kept.len(); // what stands before the first section
                blank(&mut kept, &text[before..section.range.start]);
            }
            let part = &text[section.range.clone()]; // sections are cut at lines of this text
            if section.direction == direction { kept.push_str(part) } else { blank(&mut kept, part) }
        }
        let section = Section::new(first.range.start..last.range.end, direction, Some(transaction));
        gathered.push((section, kept.into()));
    }
    gathered
}

/// The text without the lines that begin sections, where these are no comments of SQL (Play's `# --- !Ups`): blanks stand in
/// their place.
pub fn without_marks(text: &Arc<str>, found: &[Section]) -> Arc<str> {
    let marks = || {
        found.iter().filter_map(|section| {
            let mark = text.get(section.range.clone())?.split('\n').next()?;
            mark.starts_with('#').then_some((section.range.start, mark))
        })
    };
    if marks().next().is_none() {
        return text.clone();
    }
    let mut kept = String::with_capacity(text.len());
    for (at, mark) in marks() {
        kept.push_str(&text[kept.len()..at]); // sections come in order, each behind the mark of the one before
        blank(&mut kept, mark);
    }
    kept.push_str(&text[kept.len()..]);
    kept.into()
}

/// As many blanks as `text` has bytes; line breaks stay.
pub fn blank(out: &mut String, text: &str) {
    out.extend(text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
}

/// A comment that ends as some tool's way out of its transaction does.
pub fn seeming_switch(text: &str) -> Option<Span> {
    const ENDS: [&str; 7] = [
        "notransaction",
        "disabletransaction",
        "disabletx",
        "transactionfalse",
        "transactionalfalse",
        "txmodenone",
        "evolvetxoff",
    ];
    static DASHES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("--"));
    let mut line_end = 0;
    for at in DASHES.find_iter(text.as_bytes()) {
        if at < line_end {
            continue; // not the first of its line
        }
        let (before, from) = text.split_at(at); // two ASCII characters begin there
        let bare = from.split('\n').next().unwrap_or(from);
        line_end = at + bare.len();
        let bare = bare.trim_end();
        let is_first = || {
            let line = before.rsplit('\n').next().unwrap_or(before);
            line.trim_start_matches('\u{feff}').trim_start().is_empty()
        };
        if bare.len() < 60 && ENDS.iter().any(|end| ends_like(bare, end)) && is_first() {
            return Some(Span::new(at, at + bare.len()));
        }
    }
    None
}

/// Whether the letters and digits of `comment` end with `end`, which is in lower case.
fn ends_like(comment: &str, end: &str) -> bool {
    let mut letters =
        comment.bytes().rev().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase());
    end.bytes().rev().all(|byte| letters.next() == Some(byte))
}

/// The parts of `range` that go as one query each, for tools that cut by lines.
pub fn chunks(text: &str, range: Range<usize>, unit: Unit) -> Option<Vec<Range<usize>>> {
    let part = text.get(range.clone())?;
    let mut found = Vec::new();
    let mut start = range.start;
    match unit {
        Unit::Statement | Unit::Section | Unit::Either => return None,
        Unit::Chunk(mark) => {
            for (at, _) in part.match_indices(mark) {
                found.push(start..range.start + at);
                start = range.start + at + mark.len();
            }
        }
        Unit::Lines(mark) => {
            let mut in_block = false;
            let mut at = range.start;
            for line in part.split_inclusive('\n') {
                at += line.len();
                let marked = mark(line.trim_end_matches(['\n', '\r']));
                in_block = marked.unwrap_or(in_block);
                let code = line.split("--").next().unwrap_or(line).trim_end();
                if marked.is_some() || (!in_block && code.ends_with(';')) {
                    found.push(start..at);
                    start = at;
                }
            }
        }
    }
    found.push(start..range.end);
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::project::runners::runner;

    fn of(tool: &str, text: &str) -> Vec<Section> {
        cut(text, runner(tool).unwrap().sections)
    }

    #[test]
    fn goose_has_two_sections() {
        let text = "-- +goose NO TRANSACTION\n-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n";
        let found = of("goose", text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].direction, Some(Direction::Up));
        assert_eq!(found[1].direction, Some(Direction::Down));
        assert!(text[found[1].range.clone()].contains("SELECT 2"));
    }

    #[test]
    fn goose_sends_a_block_as_one_query() {
        let text = "-- +goose Up\n1;\n2\n; 3; -- done\n-- +goose StatementBegin\n4;\n5;\n-- +goose StatementEnd\n6;\n";
        let found = chunks(text, 0..text.len(), runner("goose").unwrap().unit).unwrap();
        let parts: Vec<String> = found
            .into_iter()
            .map(|range| text[range].chars().filter(char::is_ascii_digit).collect())
            .filter(|part: &String| !part.is_empty())
            .collect();
        assert_eq!(parts, ["1", "23", "45", "6"]);
    }

    #[test]
    fn sections_of_one_direction_are_gathered() {
        let text = "-- +migrate Up\nA;\n-- +migrate Down\nB;\n-- +migrate Up notransaction\nC;\n";
        let found = gather(text, of("sql-migrate", text));
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].0.transaction, Some(false));
        assert_eq!(found[0].1.len(), text.len());
        let words: Vec<&str> = found[0].1.lines().filter(|l| l.ends_with(';')).collect();
        assert_eq!(words, ["A;", "C;"]);
    }

    #[test]
    fn dbmate_switches_by_section() {
        let found = of("dbmate", "-- migrate:up transaction:false\nSELECT 1;\n-- migrate:down\nSELECT 2;");
        assert_eq!(found[0].transaction, Some(false));
        assert_eq!(found[1].transaction, Some(true));
    }

    #[test]
    fn what_looks_like_a_switch_is_seen() {
        let of = |text: &str| seeming_switch(text).map(|span| span.of(text).to_owned());
        assert_eq!(of("-- MIT\n-- no-transaction\nSELECT 1;").as_deref(), Some("-- no-transaction"));
        assert_eq!(of("  -- +goose NO TRANSACTION\n").as_deref(), Some("-- +goose NO TRANSACTION"));
        assert_eq!(
            of("-- migrate:up transaction: false").as_deref(),
            Some("-- migrate:up transaction: false")
        );
        assert_eq!(of("-- no transaction is needed for this\n"), None);
        assert_eq!(of("\u{feff}-- no-transaction\n").as_deref(), Some("-- no-transaction"));
    }

    #[test]
    fn tern_separates() {
        let found = of("tern", "SELECT 1;\n---- create above / drop below ----\nSELECT 2;");
        assert_eq!(
            found.iter().map(|s| s.direction.unwrap()).collect::<Vec<_>>(),
            [Direction::Up, Direction::Down]
        );
    }

    #[test]
    fn chunks_are_queries() {
        let text = "a;\n--> statement-breakpoint\nb; c;";
        let found = chunks(text, 0..text.len(), Unit::Chunk("--> statement-breakpoint")).unwrap();
        assert_eq!(found.iter().map(|r| text[r.clone()].trim()).collect::<Vec<_>>(), ["a;", "b; c;"]);
    }
}
