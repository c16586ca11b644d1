//! Annotations for GitHub Actions: workflow commands that the runner reads from the log.
//!
//! Form and escaping: actions/toolkit, packages/core/src/command.ts. Limits: ten annotations of each level for a step,
//! fifty for a job; GitHub drops the rest without a word, so the rest is said in the log and is in the step summary.

use std::borrow::Cow;

use super::terminal::{Style, counted};
use super::{Report, shortened};
use crate::finding::{Finding, Severity};

/// Annotations of one level that a step may have.
const LIMIT: usize = 10;
/// Bytes of a message: GitHub cuts at 64 KiB and nobody reads that much beside a diff.
const LONGEST: usize = 4000;

/// The annotations, the most severe first within GitHub's limits, and a line that sums up.
pub fn report(report: &Report<'_>, _style: Style) -> String {
    let mut out = annotations(report);
    out.push_str(&report.counts());
    out.push('\n');
    out
}

/// The annotations alone, and what is left out.
pub fn annotations(report: &Report<'_>) -> String {
    let mut out = String::new();
    let mut left_out = Vec::new();
    for severity in [Severity::Error, Severity::Warning, Severity::Notice] {
        let of_level: Vec<&Finding> = report.findings.iter().filter(|f| f.severity == severity).collect();
        for finding in of_level.iter().take(LIMIT) {
            out.push_str(&annotation(report, finding));
            out.push('\n');
        }
        if of_level.len() > LIMIT {
            left_out.push(counted(of_level.len() - LIMIT, severity.as_str()));
        }
    }
    if !left_out.is_empty() {
        out.push_str(&format!(
            "GitHub shows {LIMIT} annotations of a level: {} more are in the log and the step summary only\n",
            left_out.join(", ")
        ));
    }
    out
}

fn annotation(report: &Report<'_>, finding: &Finding) -> String {
    let mut properties = Vec::new();
    if let Some(path) = report.path(finding) {
        properties.push(format!("file={}", property(&path)));
    }
    if let Some(span) = finding.span {
        properties.push(format!("line={}", span.line));
        // A place that ends before the first character of a line ends on the line before.
        let end_line =
            if span.end_column == 1 && span.end_line > span.line { span.end_line - 1 } else { span.end_line };
        properties.push(format!("endLine={end_line}"));
        // Columns are accepted only where the place is within one line.
        if span.line == span.end_line {
            properties.push(format!("col={}", span.column));
            properties.push(format!("endColumn={}", span.end_column));
        }
    }
    let object = finding.object.as_deref().map(|object| format!(" {object}")).unwrap_or_default();
    properties.push(format!("title={}", property(&format!("{}{object}", finding.code))));
    let message = match &finding.help {
        Some(help) => format!("{}\n\n{}", finding.message, help.trim_end()),
        None => finding.message.clone(),
    };
    format!("::{} {}::{}", finding.severity, properties.join(","), data(&shortened(&message, LONGEST)))
}

/// What stands behind `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property's value.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A log that the runner takes for text: SQL of a pull request must not give it commands.
pub fn harmless(log: &str) -> Cow<'_, str> {
    let commands = |line: &str| line.trim_start().starts_with("::") || line.contains("##[");
    if !log.lines().any(commands) {
        return log.into();
    }
    // A joiner of no width keeps what is read as it was.
    let mut out = String::with_capacity(log.len() + 16);
    for line in log.split_inclusive('\n') {
        if commands(line) {
            out.push_str(&line.replace("::", ":\u{2060}:").replace("##[", "#\u{2060}#["));
        } else {
            out.push_str(line);
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_value_is_escaped() {
        assert_eq!(property("a:b,c%\n"), "a%3Ab%2Cc%25%0A");
        assert_eq!(data("a:b,c%\r\n"), "a:b,c%25%0D%0A");
    }

    #[test]
    fn sql_gives_no_commands() {
        assert_eq!(
            harmless("  ::add-mask::x\nselect a::text\n"),
            "  :\u{2060}:add-mask:\u{2060}:x\nselect a::text\n"
        );
    }
}
