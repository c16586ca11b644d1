//! Places between statements, as a person would choose them: comments stay with the statement that they are about, lines
//! that steer the migration tool stay where they are.

use crate::finding::Edit;
use crate::source::Span;

/// Beginnings of comment lines that are no prose: a migration tool reads them.
const STEERING: [&str; 14] =
    ["+", "!", ">", ";;", "--", "=", "//", "@", ":", "migrate:", "rambler", "bun:", "changeset", "rollback"];

/// The edit that puts `sql` on lines of its own before a statement, above the comments that are about it.
pub fn before(text: &str, statement: Span, sql: &str) -> Edit {
    let start = statement.start as usize;
    let mut at = line_start(text, start);
    let indent = text.get(at..start).unwrap_or("");
    if !indent.trim().is_empty() {
        // Something else stands before it on the line.
        return insertion(start, format!("{sql}\n"));
    }
    let indent = indent.to_owned();
    while let Some(above) = line_above(text, at) {
        let line = text.get(above..at).unwrap_or("").trim();
        let Some(comment) = line.strip_prefix("--") else { break };
        let words = comment.trim_start();
        let lower = words.to_ascii_lowercase();
        let suppresses = lower.starts_with("rollsafe:");
        let opens_block = lower.starts_with('+') && lower.contains("statementbegin");
        let steers = STEERING.iter().any(|sign| words.starts_with(sign) || comment.starts_with(sign))
            || [
                "no-transaction",
                "transaction",
                "disable-tx",
                "txmode",
                "up migration",
                "down migration",
                "tx-off",
            ]
            .iter()
            .any(|word| lower.contains(word));
        // What opens a file may be read by its place alone.
        if !(suppresses || opens_block || (!steers && above > 0)) {
            break;
        }
        at = above;
    }
    let place =
        at + text.get(at..start).map_or(0, |rest| rest.len() - rest.trim_start_matches([' ', '\t']).len());
    let lines: Vec<&str> = sql.lines().collect();
    insertion(place, format!("{}\n{indent}", lines.join(&format!("\n{indent}"))))
}

/// The edit that puts `sql` on lines of its own behind a statement and what stands behind it on its line. `None` where the
/// statement doesn't end with a semicolon or the text.
pub fn after(text: &str, statement: Span, sql: &str) -> Option<Edit> {
    let start = statement.start as usize;
    let line = line_start(text, start);
    let indent = text.get(line..start).filter(|before| before.trim().is_empty()).unwrap_or("");
    let sql = sql.lines().map(|line| format!("\n{indent}{line}")).collect::<String>();
    let Some(semicolon) = semicolon(text, statement.end as usize)? else {
        return Some(insertion(statement.end as usize, format!(";{sql}")));
    };
    let rest_end = line_end(text, semicolon);
    let rest = text.get(semicolon..rest_end).unwrap_or("").trim();
    let mut at = if rest.is_empty() || rest.starts_with("--") { rest_end } else { semicolon };
    // The end of a block that goes to the server as one query.
    let behind = text.get(at..).unwrap_or("");
    let next = behind.len() - behind.trim_start().len();
    let next_line = text.get(at + next..line_end(text, at + next)).unwrap_or("").to_ascii_lowercase();
    if next_line.starts_with("--") && next_line.contains("statementend") {
        at = line_end(text, at + next);
    }
    Some(insertion(at, sql))
}

/// Where the semicolon behind a statement ends; `None` inside: the text ends without one. Outer `None`: something else
/// follows.
#[allow(clippy::option_option)]
fn semicolon(text: &str, from: usize) -> Option<Option<usize>> {
    let mut at = from;
    loop {
        let rest = text.get(at..)?;
        let skipped = rest.len() - rest.trim_start().len();
        at += skipped;
        let rest = text.get(at..)?;
        if rest.is_empty() {
            return Some(None);
        } else if rest.starts_with(';') {
            return Some(Some(at + 1));
        } else if rest.starts_with("--") {
            let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
            // A section ends there, or the text: the statement's own end is its last token.
            let words = line.trim_start_matches('-').trim_start();
            if STEERING.iter().any(|sign| words.starts_with(sign)) || line.starts_with("---") {
                return Some(None);
            }
            at += line.len();
        } else if rest.starts_with("/*") {
            at += rest.find("*/")? + 2;
        } else {
            return None;
        }
    }
}

/// An edit that only puts in.
pub fn insertion(at: usize, text: String) -> Edit {
    Edit { start: at as u32, end: at as u32, text }
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1)
}

/// The start of the line above the one that begins at `at`.
fn line_above(text: &str, at: usize) -> Option<usize> {
    at.checked_sub(1).map(|end| line_start(text, end))
}

/// The end of the line, its break (and CR) left out.
pub fn line_end(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or("");
    let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
    at + line.trim_end_matches('\r').len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span_of(text: &str, sql: &str) -> Span {
        let at = text.find(sql).unwrap();
        Span::new(at, at + sql.len())
    }

    fn edited(text: &str, edit: Edit) -> String {
        format!("{}{}{}", &text[..edit.start as usize], edit.text, &text[edit.end as usize..])
    }

    #[test]
    fn comments_about_a_statement_stay_with_it() {
        let text = "-- licence\n\n-- why\n-- rollsafe: ignore x -- y\nDROP TABLE t; -- gone\nSELECT 1;\n";
        let drop = span_of(text, "DROP TABLE t");
        assert_eq!(
            edited(text, before(text, drop, "SET a = 1;")),
            "-- licence\n\nSET a = 1;\n-- why\n-- rollsafe: ignore x -- y\nDROP TABLE t; -- gone\nSELECT 1;\n"
        );
        assert_eq!(
            edited(text, after(text, drop, "RESET a;").unwrap()),
            "-- licence\n\n-- why\n-- rollsafe: ignore x -- y\nDROP TABLE t; -- gone\nRESET a;\nSELECT 1;\n"
        );
    }

    #[test]
    fn lines_of_the_tool_stay_where_they_are() {
        let text =
            "-- +goose Up\n-- +goose StatementBegin\nDROP TABLE t;\n-- +goose StatementEnd\n-- +goose Down\n";
        let drop = span_of(text, "DROP TABLE t");
        assert_eq!(
            edited(text, before(text, drop, "SET a = 1;")),
            "-- +goose Up\nSET a = 1;\n-- +goose StatementBegin\nDROP TABLE t;\n-- +goose StatementEnd\n-- +goose Down\n"
        );
        assert_eq!(
            edited(text, after(text, drop, "RESET a;").unwrap()),
            "-- +goose Up\n-- +goose StatementBegin\nDROP TABLE t;\n-- +goose StatementEnd\nRESET a;\n-- +goose Down\n"
        );
        for head in ["-- no-transaction", "-- migrate:up", "--bun:split", "---- tern: disable-tx ----"] {
            let text = format!("\n{head}\nDROP TABLE t;");
            let out = edited(&text, before(&text, span_of(&text, "DROP TABLE t"), "SET a = 1;"));
            assert_eq!(out, format!("\n{head}\nSET a = 1;\nDROP TABLE t;"));
        }
    }

    #[test]
    fn indents_lines_shared_and_ends_without_semicolon() {
        let text = "  DROP TABLE t\n  ;\r\n";
        let drop = span_of(text, "DROP TABLE t");
        assert_eq!(edited(text, before(text, drop, "A;\nB;")), "  A;\n  B;\n  DROP TABLE t\n  ;\r\n");
        assert_eq!(edited(text, after(text, drop, "C;").unwrap()), "  DROP TABLE t\n  ;\n  C;\r\n");
        let text = "SELECT 1; DROP TABLE t";
        let drop = span_of(text, "DROP TABLE t");
        assert_eq!(edited(text, before(text, drop, "A;")), "SELECT 1; A;\nDROP TABLE t");
        assert_eq!(edited(text, after(text, drop, "C;").unwrap()), "SELECT 1; DROP TABLE t;\nC;");
        assert!(after("SELECT 1 \\gexec", Span::new(0, 8), "C;").is_none());
    }
}
