//! Writes what `verify-backup` has to say: for a terminal, as JSON, Markdown and JUnit.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use crate::amount::bytes as size;
use crate::finding::{Finding, Severity};
use crate::report::xml_text;

use super::evidence::{StageResult, Status, TableFacts};
use super::restore::TableComparison;
use super::rules::RULES;
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
    let mut out = format!("\n  {:<width$} {:>12}", "table", "rows");
    if evidence.previous.is_some() {
        out += &format!(" {:>12}", "before");
    }
    out += &format!(" {:>9}", "size");
    out += if with_restore { "  restored\n" } else { "\n" };
    for table in order.iter().take(shown) {
        out += &format!("  {:<width$} {:>12}", table.name, table.rows);
        if evidence.previous.is_some() {
            out += &format!(" {:>12}", rows_before(report, &table.name).unwrap_or_else(|| "-".to_owned()));
        }
        out += &format!(" {:>9}", size(table.bytes));
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

/// Rows of the table in the backup before this one.
fn rows_before(report: &Report, table: &str) -> Option<String> {
    Some(report.evidence.previous.as_ref()?.tables.get(table)?.rows.to_string())
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
            let restored = match &report.evidence.restored {
                Some(restored) if restored.leaves_out() => {
                    "every block and row was read, and it restores but for what the notes name"
                }
                Some(_) => "every block and row was read, and it restores",
                None => "every block and row was read; it was not restored",
            };
            format!("{}: {restored} ({counts})", look.paint("1;32", "verified"))
        }
        Verdict::Failed => format!("{}: don't rely on this backup ({counts})", look.paint("1;31", "failed")),
        Verdict::Incomplete => {
            let mut skipped: Vec<&str> = report
                .stages
                .iter()
                .filter(|stage| stage.status == Status::Skipped)
                .map(|stage| stage.stage.as_str())
                .collect();
            if skipped.is_empty() {
                skipped.push("what of the restore the notes name");
            }
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
        "previous": evidence.previous.as_ref().map(|before| json!({
            "path": before.path,
            "tables": before.tables.values().map(|table| json!({"name": table.name, "rows": table.rows})).collect::<Vec<_>>(),
        })),
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
        "begun_at": begun_at(report),
        "begun_at_unix": report.begun_at,
        "verdict": report.verdict,
        "stages": report.stages,
        "findings": report.findings,
        "evidence": report.evidence,
    });
    serde_json::to_string_pretty(&value).map_or(String::new(), |text| text + "\n")
}

/// When verifying began, in UTC: `2026-11-24T03:25:12Z`.
fn begun_at(report: &Report) -> Option<String> {
    let seconds = i64::try_from(report.begun_at).ok()?;
    Some(DateTime::from_timestamp(seconds, 0)?.to_rfc3339_opts(SecondsFormat::Secs, true))
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
    if let Some(at) = begun_at(report) {
        out += &format!("Looked at by rollsafe {} at {at}.\n\n", env!("CARGO_PKG_VERSION"));
    }
    if let Some(sha256) = &evidence.sha256 {
        out += &format!("SHA-256 `{sha256}`\n\n");
    }
    out += "| stage | status | seconds | |\n| --- | --- | ---: | --- |\n";
    for stage in &report.stages {
        let reason = stage.reason.as_deref().unwrap_or("").lines().map(cell).collect::<Vec<_>>().join("<br>");
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
                out += &help_in_list(help);
            }
        }
    }
    if !evidence.tables.is_empty() {
        let with_before = evidence.previous.is_some();
        let (before, line) = if with_before { (" before |", " ---: |") } else { ("", "") };
        out += &format!(
            "\n## Tables\n\n| table | rows |{before} bytes | checksum |\n| --- | ---: |{line} ---: | --- |\n"
        );
        for table in &evidence.tables {
            let checksum = table.checksum.as_deref().unwrap_or("");
            let before = if with_before {
                format!(" {} |", rows_before(report, &table.name).unwrap_or_default())
            } else {
                String::new()
            };
            out += &format!(
                "| {} | {} |{before} {} | `{checksum}` |\n",
                cell(&table.name),
                table.rows,
                table.bytes
            );
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

/// A help text below its finding: what is indented is to be copied, and becomes a block of code.
fn help_in_list(help: &str) -> String {
    let mut out = String::new();
    let mut in_code = false;
    for line in help.trim_end().lines() {
        let code = line.starts_with("  ");
        if code != in_code {
            out += if code { "\n  ````\n" } else { "  ````\n" };
            in_code = code;
        }
        if code {
            // No name in it may end the block.
            out += &format!("  {}\n", line.trim_start().replace("````", "`\u{fffd}``"));
        } else {
            out += &format!("  {}\n", cell(line));
        }
    }
    if in_code {
        out += "  ````\n";
    }
    out
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

/// The report as JUnit XML: a test case for each stage, its errors the failure.
pub fn junit(report: &Report) -> String {
    let path = report.evidence.file.path.display().to_string();
    let mut suite = TestSuite::new(&*xml_text(&format!("verify-backup {path}")));
    for stage in &report.stages {
        let reason = stage.reason.as_deref().unwrap_or("");
        let status = match stage.status {
            Status::Passed => TestCaseStatus::success(),
            Status::Skipped => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(&*xml_text(reason));
                status
            }
            Status::Failed => failure(report, stage),
        };
        let mut case = TestCase::new(stage.stage.as_str(), status);
        case.set_classname(&*xml_text(&path));
        case.set_time(Duration::try_from_secs_f64(stage.seconds).unwrap_or_default());
        suite.add_test_case(case);
    }
    let mut document = Document::new("rollsafe");
    document.add_test_suite(suite);
    // Writing to memory can't fail.
    document.to_string().unwrap_or_default()
}

/// All errors of a stage as one failure, which is what a test case can have; the first gives it its message.
fn failure(report: &Report, stage: &StageResult) -> TestCaseStatus {
    let of_stage = |finding: &&Finding| {
        finding.severity == Severity::Error
            && RULES.iter().any(|rule| rule.code == finding.code && rule.stage == stage.stage)
    };
    let errors: Vec<&Finding> = report.findings.iter().filter(of_stage).collect();
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    if let Some(first) = errors.first() {
        status.set_type(&*first.code);
        status.set_message(&*xml_text(&first.message));
    }
    let told: Vec<String> = errors
        .iter()
        .map(|finding| {
            let help = finding.help.as_ref().map_or(String::new(), |help| format!("\n{help}"));
            format!("{}: {}{help}", finding.code, finding.message)
        })
        .collect();
    status.set_description(&*xml_text(&told.join("\n\n")));
    status
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
    use crate::backup::evidence::{Evidence, Stage};
    use crate::finding::Category;

    #[test]
    fn hostile_names_stay_inside_their_cell() {
        assert_eq!(cell("a|b\n<x>"), "a\\|b \\<x>");
    }

    #[test]
    fn reports_say_when_what_failed_and_what_was_left_out() {
        let mut report = Report {
            evidence: Evidence::default(),
            stages: vec![StageResult {
                stage: Stage::Data,
                status: Status::Failed,
                reason: None,
                seconds: 1.5,
            }],
            findings: vec![],
            verdict: Verdict::Incomplete,
            begun_at: 1_795_490_712,
        };
        assert!(
            evidence(&report).contains("\"begun_at\": \"2026-11-24T03:25:12Z\""),
            "{}",
            evidence(&report)
        );
        let text = terminal(&report, Look { color: false, tables: None });
        assert!(
            text.ends_with(
                "but what of the restore the notes name was not checked (0 errors, 0 warnings, 0 notices)\n"
            ),
            "{text}"
        );
        report.findings = ["a <b>", "c\u{1}"]
            .map(|message| Finding {
                code: "row_malformed".into(),
                category: Category::Backup,
                severity: Severity::Error,
                path: None,
                span: None,
                object: None,
                message: message.to_owned(),
                help: Some("do it again".into()),
                fix: None,
            })
            .to_vec();
        let xml = junit(&report);
        assert!(xml.contains("message=\"a &lt;b&gt;\" type=\"row_malformed\""), "{xml}");
        assert!(xml.contains("row_malformed: c\u{fffd}\ndo it again"), "{xml}");
        assert!(xml.contains("name=\"data\"") && xml.contains("time=\"1.500\""), "{xml}");
    }

    #[test]
    fn what_is_to_be_copied_is_code() {
        assert_eq!(
            help_in_list("have *them*:\n  CREATE ROLE \"a\";\nor not"),
            "  have \\*them\\*:\n\n  ````\n  CREATE ROLE \"a\";\n  ````\n  or not\n"
        );
        assert!(!help_in_list("x:\n  ````").contains("  ````\n  ````\n  ````"));
    }
}
