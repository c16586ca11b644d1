//! Sections of a file: one file may hold the way there and the way back.

use crate::migration::migration::Direction;

/// A part of a file that is a migration of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Which part.
    pub range: std::ops::Range<usize>,
    /// `None`: nothing inside the file says.
    pub direction: Option<Direction>,
    /// Whether a transaction is around it; `None`: nothing inside the file says.
    pub transaction: Option<bool>,
    /// The tool whose markers these are.
    pub runner: Option<&'static str>,
}

/// Cuts a file at the markers of goose, dbmate and sql-migrate; a file without any is one section.
pub fn sections(text: &str) -> Vec<Section> {
    let mut found: Vec<Section> = Vec::new();
    let mut no_transaction = false;
    let mut at = 0;
    // Markers are line comments: without this a file of any size is passed by at once.
    let marked = ["+goose", "migrate:", "+migrate"]
        .iter()
        .any(|mark| memchr::memmem::find(text.as_bytes(), mark.as_bytes()).is_some());
    if marked {
        for line in text.split_inclusive('\n') {
            if let Some(comment) = line.strip_prefix("--").map(str::trim) {
                no_transaction |= comment.eq_ignore_ascii_case("+goose NO TRANSACTION");
                if let Some((direction, transaction, runner)) = marker(comment) {
                    if let Some(open) = found.last_mut() {
                        open.range.end = at;
                    }
                    found.push(Section {
                        range: at..text.len(),
                        direction: Some(direction),
                        transaction: Some(transaction),
                        runner: Some(runner),
                    });
                }
            }
            at += line.len();
        }
    }
    if found.is_empty() {
        return vec![Section { range: 0..text.len(), direction: None, transaction: None, runner: None }];
    }
    if no_transaction {
        for section in found.iter_mut().filter(|section| section.runner == Some("goose")) {
            section.transaction = Some(false);
        }
    }
    found
}

/// The direction that a comment line begins, and whether a transaction is around it.
fn marker(comment: &str) -> Option<(Direction, bool, &'static str)> {
    let mut words = comment.split_whitespace();
    match words.next()? {
        "+goose" => match words.next()?.to_ascii_lowercase().as_str() {
            "up" => Some((Direction::Up, true, "goose")),
            "down" => Some((Direction::Down, true, "goose")),
            _ => None,
        },
        "+migrate" => {
            let direction = match words.next()? {
                "Up" => Direction::Up,
                "Down" => Direction::Down,
                _ => return None,
            };
            Some((direction, words.all(|word| word != "notransaction"), "sql-migrate"))
        }
        marker @ ("migrate:up" | "migrate:down") => {
            let direction = if marker == "migrate:up" { Direction::Up } else { Direction::Down };
            Some((direction, words.all(|word| word != "transaction:false"), "dbmate"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goose_has_two_sections_and_a_switch() {
        let text = "-- +goose NO TRANSACTION\n-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n";
        let found = sections(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].direction, Some(Direction::Up));
        assert_eq!(found[1].direction, Some(Direction::Down));
        assert!(found.iter().all(|section| section.transaction == Some(false)));
        assert!(text[found[1].range.clone()].contains("SELECT 2"));
    }

    #[test]
    fn dbmate_switches_by_section() {
        let found = sections("-- migrate:up transaction:false\nSELECT 1;\n-- migrate:down\nSELECT 2;");
        assert_eq!(found[0].transaction, Some(false));
        assert_eq!(found[1].transaction, Some(true));
    }
}
