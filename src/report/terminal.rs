//! The report for people: each finding with the statement it is about, then one line that sums up.
//!
//! The only place that names miette.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents,
    SourceCode, SourceSpan, SpanContents, ThemeStyles,
};

use super::Report;
use super::fingerprint::Statements;
use super::snippet::Text;
use crate::finding::{Finding, Severity};
use crate::migration::lint::{LintReport, StatementReport};
use crate::source::Span;

/// How to draw.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// ANSI colours.
    pub color: bool,
    /// Lines and arrows from Unicode; else ASCII.
    pub unicode: bool,
    /// Columns of the terminal.
    pub width: usize,
}

impl Style {
    fn handler(self) -> GraphicalReportHandler {
        let mut theme = if self.unicode { GraphicalTheme::unicode() } else { GraphicalTheme::ascii() };
        theme.styles = if self.color { ThemeStyles::ansi() } else { ThemeStyles::none() };
        GraphicalReportHandler::new_themed(theme)
            .with_width(self.width)
            .with_context_lines(1)
            .with_links(false)
            .with_wrap_lines(false)
    }

    fn paint(self, severity: Severity, text: &str) -> String {
        let code = match severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
            Severity::Notice => "1;36",
        };
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn dim(self, text: &str) -> String {
        if self.color { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The report: findings in their order, then the line that sums up.
pub fn report(report: &Report<'_>, style: Style) -> String {
    let mut out = String::new();
    let mut sources: HashMap<&Path, Text> = HashMap::new();
    for path in report.findings.iter().filter_map(|finding| finding.path.as_deref()) {
        if let (false, Some(text)) = (sources.contains_key(path), report.sources.get(path)) {
            sources.insert(path, Text::new(path.display().to_string(), text.clone()));
        }
    }
    let handler = style.handler();
    let statements = Statements::new(report.lint.map(|lint| lint.report));
    for finding in report.findings {
        let source = finding.path.as_deref().and_then(|path| sources.get(path));
        let statement = statements.around(finding);
        let shown = Shown {
            finding,
            source,
            label: statement.map(|statement| label(statement, finding)).unwrap_or_default(),
            width: style.width,
        };
        // Writing to a String can't fail.
        let _ = handler.render_report(&mut out, &shown);
        out.push('\n');
    }
    match report.lint {
        Some(lint) => out.push_str(&summary(lint.report, style)),
        None => out.push_str(&format!("{}\n", report.counts())),
    }
    out
}

/// The line that sums up.
pub fn summary(report: &LintReport, style: Style) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (severity, noun) in
        [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Notice, "notice")]
    {
        let count = report.count(severity);
        if count > 0 {
            parts.push(style.paint(severity, &counted(count, noun)));
        }
    }
    let found = if parts.is_empty() { "nothing found".to_owned() } else { parts.join(", ") };
    let mut details = vec![format!(
        "{} read in {}",
        counted(report.statements(), "statement"),
        counted(report.files.len(), "migration")
    )];
    if report.history > 0 {
        details.push(format!("{} replayed as history", report.history));
    }
    if report.small > 0 {
        details.push(format!("{} on small relations", counted(report.small, "finding")));
    }
    if report.not_understood() > 0 {
        details.push(format!("{} NOT understood", report.not_understood()));
    }
    if !report.suppressed.is_empty() {
        details.push(format!("{} suppressed", counted(report.suppressed.len(), "finding")));
    }
    format!("{found} {}\n", style.dim(&format!("({})", details.join("; "))))
}

/// "1 error", "2 errors".
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// What stands at the underline: the strongest lock that the part of the statement takes, and what it blocks.
fn label(statement: &StatementReport, finding: &Finding) -> String {
    let Some(place) = finding.span else { return String::new() };
    let strongest = statement
        .effects
        .locks
        .iter()
        .filter(|lock| {
            lock.mode.blocks_writes() && lock.span.start < place.end && place.start < lock.span.end
        })
        // Of several equally strong ones the first by name, so that the report is always the same.
        .max_by(|a, b| a.mode.cmp(&b.mode).then_with(|| b.relation.cmp(&a.relation)));
    let Some((relation, mode)) = strongest.map(|lock| (&lock.relation, lock.mode)) else {
        return String::new();
    };
    let effects = &statement.effects;
    let work = if effects.rewrites.iter().any(|rewrite| rewrite.relation == *relation) {
        " while the table is rewritten"
    } else if effects.index_builds.iter().any(|build| build.relation == *relation && !build.concurrently) {
        " while the index is built"
    } else if effects.scans.iter().any(|scan| scan.relation == *relation) {
        " while the table is read in full"
    } else {
        ""
    };
    format!("{mode} on {relation}: blocks {}{work}", mode.blocks())
}

/// `text` with line breaks at spaces, so that no line is wider than `width` unless a word is.
fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for (at, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if at > 0 {
            if column + 1 + length > width {
                out.push('\n');
                column = 0;
            } else {
                out.push(' ');
                column += 1;
            }
        }
        out.push_str(word);
        column += length;
    }
    out
}

/// A help text whose comments and sentences fit into `width`; SQL and directives stay as they are, to be pasted.
fn advice(help: &str, width: usize) -> String {
    let sentence = !help.contains('\n') && !help.trim_end().ends_with(';');
    if sentence {
        return wrapped(help, width);
    }
    let mut out = String::with_capacity(help.len());
    for (at, line) in help.lines().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        let (indent, text) = line.split_at(line.len() - line.trim_start().len());
        match text.strip_prefix("-- ") {
            Some(comment) if line.chars().count() > width && !comment.starts_with("rollsafe:") => {
                let lead = format!("\n{indent}-- ");
                let room = width.saturating_sub(indent.chars().count() + 3);
                out.push_str(&lead[1..]); // behind its line feed
                out.push_str(&wrapped(comment, room).replace('\n', &lead));
            }
            _ => out.push_str(line),
        }
    }
    out
}

/// A finding as miette draws it.
struct Shown<'a> {
    finding: &'a Finding,
    source: Option<&'a Text>,
    label: String,
    width: usize,
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").field("finding", self.finding).finish()
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = self.finding.object.as_ref().filter(|_| self.source.is_none());
        let prefix = object.map(|object| format!("{object}: ")).unwrap_or_default();
        // Only sentences are wrapped: the SQL in the help must stay as it is, to be pasted.
        f.write_str(&wrapped(&format!("{prefix}{}", self.finding.message), self.width.saturating_sub(4)))
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(format!("{}[{}]", self.finding.severity, self.finding.code)))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.finding.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Notice => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        // Behind "  help: ".
        let width = self.width.saturating_sub(8).max(20);
        self.finding.help.as_ref().map(|help| Box::new(advice(help, width)) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.finding.span?;
        let underlined = self.source?.underlined(Span { start: place.start, end: place.end });
        let text = (!self.label.is_empty()).then(|| self.label.clone());
        Some(Box::new(std::iter::once(LabeledSpan::new(text, underlined.start, underlined.len()))))
    }
}

impl SourceCode for Text {
    /// The lines of the span and those around it, found without scanning the whole text.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let bytes = self.text.as_bytes();
        let (start, end) = (span.offset(), span.offset() + span.len());
        if end > bytes.len() {
            return Err(MietteError::OutOfBounds);
        }
        if before == 0 && after == 0 {
            // Asked only for the place itself.
            let (line, column) = self.lines.position(&self.text, start as u32);
            return Ok(Box::new(MietteSpanContents::new_named(
                self.name.clone(),
                &bytes[start..end],
                *span,
                line as usize - 1,
                column as usize - 1,
                1,
            )));
        }
        let shown = self.shown(start..end, before, after);
        let (line, _) = self.lines.position(&self.text, shown.start as u32);
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            &bytes[shown.clone()],
            (shown.start, shown.len()).into(),
            line as usize - 1,
            0,
            // Only an estimate is asked for.
            self.text[shown].lines().count(),
        )))
    }
}
