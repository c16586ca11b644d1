//! A comment for a pull request: what each statement locks, blocks and rewrites, and the findings, folded.
//!
//! GitHub refuses comments of more than 65,536 characters; this stays below, and says what it leaves out.

use std::fmt::Write;

use super::terminal::{Style, counted};
use super::{Linted, Report, shortened};
use crate::finding::{Finding, Severity};
use crate::migration::lint::{FileReport, StatementReport};
use crate::migration::lock_mode::LockMode;

/// Bytes that a comment may have: GitHub counts characters, and whoever posts it may add a line.
const LONGEST: usize = 64_000;
/// Rows of the table.
const MOST_ROWS: usize = 60;
/// A comment of rollsafe is found again, to be replaced, by its first line.
pub const MARK: &str = "<!-- rollsafe -->";

/// The comment.
pub fn report(report: &Report<'_>, _style: Style) -> String {
    let mut out = format!("{MARK}\n### rollsafe {}: {}\n\n", report.command, report.counts());
    if let Some(linted) = report.lint {
        statements(&mut out, report, linted);
    }
    findings(&mut out, report);
    out
}

fn statements(out: &mut String, report: &Report<'_>, linted: Linted<'_>) {
    let all: Vec<(&FileReport, &StatementReport)> = linted
        .report
        .files
        .iter()
        .flat_map(|file| file.statements.iter().map(move |statement| (file, statement)))
        .collect();
    let mut rows: Vec<(&FileReport, &StatementReport)> =
        all.iter().copied().filter(|(_, statement)| matters(statement)).collect();
    let quiet = all.len() - rows.len();
    let mut beginning = format!(
        "{} in {}, for PostgreSQL {}",
        counted(all.len(), "statement"),
        counted(linted.report.files.len(), "migration"),
        linted.postgres_version
    );
    if let Some(runner) = linted.runner {
        let _ = write!(beginning, " and {runner}");
    }
    if linted.report.not_understood() > 0 {
        let _ = write!(beginning, "; **{} not understood**", linted.report.not_understood());
    }
    if !report.suppressed.is_empty() {
        let _ = write!(beginning, "; {} suppressed", counted(report.suppressed.len(), "finding"));
    }
    let _ = writeln!(out, "{beginning}.\n");
    if rows.is_empty() {
        if !all.is_empty() {
            out.push_str("No statement blocks reads or writes, rewrites a table or destroys anything.\n\n");
        }
        return;
    }
    let cut = rows.len().saturating_sub(MOST_ROWS);
    rows.truncate(MOST_ROWS);
    out.push_str("| statement | lock | blocks | also |\n| --- | --- | --- | --- |\n");
    for (file, statement) in rows {
        row(out, report, file, statement);
    }
    out.push('\n');
    let mut rest = Vec::new();
    if cut > 0 {
        rest.push(counted(cut, "more statement"));
    }
    if quiet > 0 {
        let verb = if quiet == 1 { "blocks" } else { "block" };
        rest.push(format!("{} that {verb} neither reads nor writes", counted(quiet, "statement")));
    }
    if !rest.is_empty() {
        let _ = writeln!(out, "Not listed: {}.\n", rest.join(", "));
    }
}

/// Whether a statement is worth a row.
fn matters(statement: &StatementReport) -> bool {
    let effects = &statement.effects;
    !statement.understood
        || !effects.rewrites.is_empty()
        || !effects.destroys.is_empty()
        || effects.locks.iter().any(|lock| lock.mode.blocks_writes() && !lock.brief)
}

fn row(out: &mut String, report: &Report<'_>, file: &FileReport, statement: &StatementReport) {
    let path = report.places.from_root(&file.path);
    let name = path.rsplit('/').next().unwrap_or(&path);
    let place = statement.location;
    let sql = report
        .sources
        .get(&*file.path)
        .and_then(|text| text.get(place.start as usize..place.end as usize))
        .map(super::fingerprint::bare_text)
        .unwrap_or_default();
    let down = if file.direction == crate::migration::migration::Direction::Down { " (down)" } else { "" };
    let _ = write!(out, "| {} {}:{}{down} ", code(&shortened(&sql, 80)), cell(name), place.line);
    if !statement.understood {
        out.push_str("| ? | ? | not understood, not checked |\n");
        return;
    }
    let locks: Vec<_> = statement
        .effects
        .strongest_locks()
        .into_iter()
        .filter(|(_, mode)| *mode >= LockMode::ShareUpdateExclusive)
        .collect();
    let strongest = locks.iter().map(|(_, mode)| *mode).max();
    let shown: Vec<String> = locks
        .iter()
        .take(3)
        .map(|(relation, mode)| format!("{mode} on {}", cell(&relation.to_string())))
        .collect();
    let more = locks.len().saturating_sub(3);
    let more = if more > 0 { format!("<br>{more} more") } else { String::new() };
    let blocks = strongest.map_or("", LockMode::blocks);
    let _ = writeln!(out, "| {}{more} | {blocks} | {} |", shown.join("<br>"), also(statement));
}

/// What a statement does besides locking.
fn also(statement: &StatementReport) -> String {
    let effects = &statement.effects;
    let list = |names: Vec<String>| {
        let mut names = names;
        names.sort();
        names.dedup();
        let more = names.len().saturating_sub(4);
        names.truncate(4);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", names.iter().map(|name| cell(name)).collect::<Vec<_>>().join(", "))
    };
    let mut parts = Vec::new();
    if !effects.rewrites.is_empty() {
        parts.push(format!(
            "rewrites {}",
            list(effects.rewrites.iter().map(|r| r.relation.to_string()).collect())
        ));
    }
    let scanned: Vec<String> = effects
        .scans
        .iter()
        .filter(|scan| !effects.rewrites.iter().any(|rewrite| rewrite.relation == scan.relation))
        .map(|scan| scan.relation.to_string())
        .collect();
    if !scanned.is_empty() {
        parts.push(format!("reads all of {}", list(scanned)));
    }
    let gone: Vec<String> =
        effects.destroys.iter().map(|gone| format!("{} {}", gone.what.as_str(), gone.name)).collect();
    if !gone.is_empty() {
        parts.push(format!("destroys {}", list(gone)));
    }
    parts.join("<br>")
}

fn findings(out: &mut String, report: &Report<'_>) {
    let mut sorted: Vec<&Finding> = report.findings.iter().collect();
    // The worst first: what doesn't fit is the least.
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    for (at, finding) in sorted.iter().enumerate() {
        let text = folded(report, finding);
        let left = sorted.len() - at;
        if out.len() + text.len() + 200 > LONGEST {
            let _ = writeln!(out, "{} left out here: the log has them all.", counted(left, "more finding"));
            return;
        }
        out.push_str(&text);
    }
}

fn folded(report: &Report<'_>, finding: &Finding) -> String {
    let mut place = report.path(finding).unwrap_or_default();
    if let Some(span) = finding.span {
        let _ = write!(place, ":{}", span.line);
    }
    if let Some(object) = &finding.object {
        let _ = write!(place, " {object}");
    }
    let open = if finding.severity == Severity::Error { " open" } else { "" };
    let mut out = format!(
        "<details{open}><summary><b>{}</b> <code>{}</code> {}</summary>\n\n{}\n\n",
        finding.severity,
        finding.code,
        html(place.trim()),
        cell(&finding.message)
    );
    if let Some(help) = &finding.help {
        let help = shortened(help.trim_end(), 6000);
        let mut fence = "```".to_owned();
        while help.contains(&fence) {
            fence.push('`');
        }
        let sql = help.lines().any(|line| line.trim_end().ends_with(';') || line.starts_with("--"));
        let _ = writeln!(out, "{fence}{}\n{help}\n{fence}\n", if sql { "sql" } else { "text" });
    }
    out.push_str("</details>\n\n");
    out
}

/// Text that can't break out of a table cell or a line, and mentions and links nothing.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '~' => {
                out.push('\\');
                out.push(c);
            }
            // No user is to be told because SQL has an @, no issue linked because it has a #.
            '@' | '#' => {
                out.push(c);
                out.push('\u{2060}');
            }
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Text inside HTML.
fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\n', " ")
}

/// Code inside a table cell.
fn code(text: &str) -> String {
    let mut text = text.replace(['\n', '\r'], " ").replace('|', "\\|");
    if text.is_empty() {
        return String::new();
    }
    let mut fence = "`".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    if fence.len() > 1 || text.starts_with('`') {
        text = format!(" {text} ");
    }
    format!("{fence}{text}{fence}<br>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_where_they_are() {
        assert_eq!(cell("a|b\n<x> @me"), "a\\|b &lt;x&gt; @\u{2060}me");
        assert_eq!(code("a | `b`"), "`` a \\| `b` ``<br>");
    }
}
