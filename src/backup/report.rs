//! Writes what `verify-backup` has to say: for a terminal, as JSON, Markdown and JUnit.

use serde_json::{Value, json};

use crate::amount::bytes as size;
use crate::finding::{Finding, Severity};

use super::evidence::{StageResult, Status, TableFacts};
use super::restore::TableComparison;
use super::verify::{Report, Verdict};

/// How to draw for a terminal.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// ANSI colours.
    pub color: bool,
    /// How many tables are listed; none for all.
    pub tables: Option<usize>,
}

impl Look {
    fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn status(self, result: &StageResult) -> String {
        let word = format!("{:<8}", result.status.as_str());
        match result.status {
            Status::Passed => self.paint("32", &word),
            Status::Failed => self.paint("1;31", &word),
            Status::Skipped => self.paint("33", &word),
        }
    }

    fn severity(self, severity: Severity) -> String {
        let code = match severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
            Severity::Notice => "1;36",
        };
        self.paint(code, severity.as_str())
    }
}

/// The report for people: stages, tables, findings, and the verdict in the last line.
pub fn terminal(report: &Report, look: Look) -> String {
    let evidence = &report.evidence;
    let mut out = format!("{}\n", evidence.file.path.display());
    if let Some(line) = archive_line(report) {
        out += &format!("{line}\n");
    }
    out.push('\n');
    for stage in &report.stages {
        let reason =
            stage.reason.as_ref().map_or(String::new(), |reason| format!("  {}", indented(reason, 32)));
        out += &format!(
            "  {:<9} {} {:>8}{reason}\n",
            stage.stage.as_str(),
            look.status(stage),
            seconds(stage.seconds)
        );
    }
    out += &tables(report, look);
    for finding in &report.findings {
        out += &format!("\n{}[{}]: {}\n", look.severity(finding.severity), finding.code, finding.message);
        if let Some(help) = &finding.help {
            out += &format!("  help: {}\n", indented(help, 8));
        }
    }
    if !evidence.notes.is_empty() {
        out.push('\n');
        for note in &evidence.notes {
            out += &format!("note: {note}\n");
        }
    }
    out += &format!("\n{}\n", verdict_line(report, look));
    out
}

fn archive_line(report: &Report) -> Option<String> {
    let archive = report.evidence.archive.as_ref()?;
    let mut parts = vec![format!("{} dump", archive.format)];
    parts.extend(archive.archive_version.as_ref().map(|version| format!("archive version {version}")));
    parts.push(format!("compression {}", archive.compression));
    parts.push(size(report.evidence.file.size));
    let mut line = parts.join(", ");
    match (&archive.database, &archive.server_version) {
        (Some(database), Some(version)) => line += &format!("; database {database} of PostgreSQL {version}"),
        (Some(database), None) => line += &format!("; database {database}"),
        (None, Some(version)) => line += &format!("; PostgreSQL {version}"),
        (None, None) => {}
    }
    if let Some(created) = &archive.created_at {
        line += &format!("; begun {created} by its machine's clock");
    }
    Some(line)
}

fn tables(report: &Report, look: Look) -> String {
    let evidence = &report.evidence;
    if evidence.tables.is_empty() {
        return String::new();
    }
    let restored = |table: &TableFacts| {
        let restored = evidence.restored.as_ref()?;
        restored.tables.iter().find(|of| unquoted(&of.name) == table.name)
    };
    let mut order: Vec<&TableFacts> = evidence.tables.iter().collect();
    order.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.name.cmp(&b.name)));
    let shown = look.tables.unwrap_or(order.len()).min(order.len());
    let width =
        order.iter().take(shown).map(|table| table.name.chars().count()).max().unwrap_or(5).clamp(5, 50);
    let with_restore = evidence.restored.as_ref().is_some_and(|restored| !restored.stopped);
    let mut out = format!("\n  {:<width$} {:>12} {:>9}", "table", "rows", "size");
    out += if with_restore { "  restored\n" } else { "\n" };
    for table in order.iter().take(shown) {
        out += &format!("  {:<width$} {:>12} {:>9}", table.name, table.rows, size(table.bytes));
        if with_restore {
            out += &format!("  {}", restored(table).map_or("not compared", |of| told(of)));
        }
        out += if table.whole { "\n" } else { "  not whole\n" };
    }
    let rows: u64 = evidence.tables.iter().map(|table| table.rows).sum();
    let bytes: u64 = evidence.tables.iter().map(|table| table.bytes).sum();
    if shown < order.len() {
        out += &format!("  … and {} more\n", order.len() - shown);
    }
    let plural = if order.len() == 1 { "" } else { "s" };
    out += &format!("  {} table{plural}, {rows} rows, {}", order.len(), size(bytes));
    if evidence.large_objects.count > 0 {
        out += &format!(
            "; {} large objects, {}",
            evidence.large_objects.count,
            size(evidence.large_objects.bytes)
        );
    }
    out.push('\n');
    out
}

fn told(of: &TableComparison) -> &'static str {
    match (of.is_equal(), of.same_content, of.found_rows) {
        (false, _, _) => "differs",
        (true, Some(true), _) => "equal",
        (true, _, Some(_)) => "as many rows",
        _ => "not compared",
    }
}

/// `public."Order's"` as `public.Order's`.
fn unquoted(name: &str) -> String {
    name.replace("\"\"", "\u{0}").replace('"', "").replace('\u{0}', "\"")
}

fn verdict_line(report: &Report, look: Look) -> String {
    let count =
        |severity: Severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let counts = format!(
        "{}, {}, {}",
        plural(count(Severity::Error), "error"),
        plural(count(Severity::Warning), "warning"),
        plural(count(Severity::Notice), "notice")
    );
    match report.verdict {
        Verdict::Verified => {
            let restored = if report.evidence.restored.is_some() {
                "every block and row was read, and it restores"
            } else {
                "every block and row was read; it was not restored"
            };
            format!("{}: {restored} ({counts})", look.paint("1;32", "verified"))
        }
        Verdict::Failed => format!("{}: don't rely on this backup ({counts})", look.paint("1;31", "failed")),
        Verdict::Incomplete => {
            let skipped: Vec<&str> = report
                .stages
                .iter()
                .filter(|stage| stage.status == Status::Skipped)
                .map(|stage| stage.stage.as_str())
                .collect();
            format!(
                "{}: nothing wrong was found, but {} was not checked ({counts})",
                look.paint("1;33", "incomplete"),
                skipped.join(" and ")
            )
        }
    }
}

/// The report by contract, `schema_version` 1.
pub fn json(report: &Report) -> String {
    let evidence = &report.evidence;
    let archive = evidence.archive.as_ref();
    let get = |get: &dyn Fn(&super::evidence::ArchiveFacts) -> Value| archive.map_or(Value::Null, get);
    let value = json!({
        "schema_version": 1,
        "tool": {"name": "rollsafe", "version": env!("CARGO_PKG_VERSION")},
        "archive": {
            "path": evidence.file.path,
            "format": get(&|archive| json!(archive.format)),
            "archive_version": get(&|archive| json!(archive.archive_version)),
            "compression": get(&|archive| json!(archive.compression)),
            "size_bytes": evidence.file.size,
            "created_at": get(&|archive| json!(archive.created_at)),
            "database": get(&|archive| json!(archive.database)),
            "encoding": get(&|archive| json!(archive.encoding)),
            "server_version": get(&|archive| json!(archive.server_version)),
            "pg_dump_version": get(&|archive| json!(archive.pg_dump_version)),
            "sha256": evidence.sha256,
        },
        "tables": evidence.tables,
        "large_objects": evidence.large_objects.count,
        "large_object_bytes": evidence.large_objects.bytes,
        "extensions": evidence.contents.as_ref().map(|contents| &contents.extensions),
        "roles": evidence.contents.as_ref().map(|contents| &contents.roles),
        "tablespaces": evidence.contents.as_ref().map(|contents| &contents.tablespaces),
        "restored": evidence.restored,
        "stages": report.stages,
        "findings": report.findings,
        "notes": evidence.notes,
        "verdict": report.verdict,
    });
    // Built of strings and numbers only: this can't fail.
    serde_json::to_string_pretty(&value).map_or(String::new(), |text| text + "\n")
}

/// Everything that was learned, for an audit: what was looked at, when, by which version, with each figure.
pub fn evidence(report: &Report) -> String {
    let value = json!({
        "schema_version": 1,
        "tool": {"name": "rollsafe", "version": env!("CARGO_PKG_VERSION")},
        "begun_at_unix": report.begun_at,
        "verdict": report.verdict,
        "stages": report.stages,
        "findings": report.findings,
        "evidence": report.evidence,
    });
    serde_json::to_string_pretty(&value).map_or(String::new(), |text| text + "\n")
}

/// The report as Markdown, for a ticket or a pull request.
pub fn markdown(report: &Report) -> String {
    let evidence = &report.evidence;
    let plain = Look { color: false, tables: None };
    let mut out = format!(
        "# Backup {}: {}\n\n",
        cell(&evidence.file.path.display().to_string()),
        report.verdict.as_str()
    );
    if let Some(line) = archive_line(report) {
        out += &format!("{}\n\n", cell(&line));
    }
    out += "| stage | status | seconds | |\n| --- | --- | ---: | --- |\n";
    for stage in &report.stages {
        let reason = cell(stage.reason.as_deref().unwrap_or(""));
        out += &format!(
            "| {} | {} | {:.1} | {reason} |\n",
            stage.stage.as_str(),
            stage.status.as_str(),
            stage.seconds
        );
    }
    if !report.findings.is_empty() {
        out += "\n## Findings\n\n";
        for finding in &report.findings {
            out += &format!("- **{}** `{}`: {}\n", finding.severity, finding.code, cell(&finding.message));
            if let Some(help) = &finding.help {
                out += &format!("  {}\n", cell(help));
            }
        }
    }
    if !evidence.tables.is_empty() {
        out += "\n## Tables\n\n| table | rows | bytes | checksum |\n| --- | ---: | ---: | --- |\n";
        for table in &evidence.tables {
            let checksum = table.checksum.as_deref().unwrap_or("");
            out += &format!("| {} | {} | {} | `{checksum}` |\n", cell(&table.name), table.rows, table.bytes);
        }
    }
    if !evidence.notes.is_empty() {
        out += "\n## Notes\n\n";
        for note in &evidence.notes {
            out += &format!("- {}\n", cell(note));
        }
    }
    out + &format!("\n{}\n", verdict_line(report, plain))
}

/// Text that can't break out of a table cell or a line.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars() {
        match char {
            '\n' | '\r' => out.push(' '),
            '|' | '<' | '*' | '_' | '`' | '[' | '\\' => {
                out.push('\\');
                out.push(char);
            }
            char if char.is_control() => out.push('\u{fffd}'),
            char => out.push(char),
        }
    }
    out
}

/// The report as JUnit XML: a test case for each stage, the errors as its failures.
pub fn junit(report: &Report) -> String {
    let stages = crate::backup::rules::RULES;
    let of_stage =
        |finding: &Finding| stages.iter().find(|rule| rule.code == finding.code).map(|rule| rule.stage);
    let failed = report.stages.iter().filter(|stage| stage.status == Status::Failed).count();
    let skipped = report.stages.iter().filter(|stage| stage.status == Status::Skipped).count();
    let total: f64 = report.stages.iter().map(|stage| stage.seconds).sum();
    let path = xml(&report.evidence.file.path.display().to_string());
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"verify-backup {path}\" tests=\"{}\" failures=\"{failed}\" skipped=\"{skipped}\" time=\"{total:.3}\">\n",
        report.stages.len()
    );
    for stage in &report.stages {
        let name = stage.stage.as_str();
        out += &format!("    <testcase classname=\"{path}\" name=\"{name}\" time=\"{:.3}\"", stage.seconds);
        match stage.status {
            Status::Passed => out += "/>\n",
            Status::Skipped => {
                let reason = xml(stage.reason.as_deref().unwrap_or(""));
                out += &format!(">\n      <skipped message=\"{reason}\"/>\n    </testcase>\n");
            }
            Status::Failed => {
                out += ">\n";
                let found = report.findings.iter().filter(|finding| of_stage(finding) == Some(stage.stage));
                for finding in found.filter(|finding| finding.severity == Severity::Error) {
                    let (code, message) = (xml(&finding.code), xml(&finding.message));
                    let help = xml(finding.help.as_deref().unwrap_or(""));
                    out +=
                        &format!("      <failure type=\"{code}\" message=\"{message}\">{help}</failure>\n");
                }
                out += "    </testcase>\n";
            }
        }
    }
    out + "  </testsuite>\n</testsuites>\n"
}

/// Text as XML 1.0 allows it.
fn xml(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push('\t'),
            char if char.is_control() || matches!(char, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            char => out.push(char),
        }
    }
    out
}

fn indented(text: &str, by: usize) -> String {
    text.trim_end().replace('\n', &format!("\n{}", " ".repeat(by)))
}

fn seconds(seconds: f64) -> String {
    if seconds < 10.0 { format!("{seconds:.2} s") } else { format!("{seconds:.0} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_inside_their_cell() {
        assert_eq!(cell("a|b\n<x>"), "a\\|b \\<x>");
        assert_eq!(xml("<a \"b\">\u{1}"), "&lt;a &quot;b&quot;&gt;\u{fffd}");
    }
}
