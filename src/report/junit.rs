//! JUnit XML: a suite for each judged file, a test case for each finding. Findings that make the exit code 1 are
//! failures, others are told in the output of cases that pass.

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::terminal::Style;
use super::{Report, xml_text};
use crate::finding::Finding;

/// The document.
pub fn report(report: &Report<'_>, _style: Style) -> String {
    let mut document = Document::new("rollsafe");
    let mut paths: Vec<String> = report
        .lint
        .iter()
        .flat_map(|lint| &lint.report.files)
        .map(|file| report.places.from_root(&file.path))
        .chain(report.findings.iter().map(|finding| suite_of(report, finding)))
        .collect();
    let mut seen = std::collections::HashSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    if paths.is_empty() {
        paths.push(format!("rollsafe {}", report.command));
    }
    for path in &paths {
        let mut suite = TestSuite::new(&*xml_text(path));
        let findings: Vec<&Finding> =
            report.findings.iter().filter(|finding| suite_of(report, finding) == *path).collect();
        for finding in &findings {
            suite.add_test_case(case(report, finding, path));
        }
        if findings.is_empty() {
            let mut case = TestCase::new(report.command, TestCaseStatus::success());
            case.set_classname(&*xml_text(path));
            suite.add_test_case(case);
        }
        document.add_test_suite(suite);
    }
    // Writing to memory can't fail.
    document.to_string().unwrap_or_default()
}

fn suite_of(report: &Report<'_>, finding: &Finding) -> String {
    report.path(finding).unwrap_or_else(|| format!("rollsafe {}", report.command))
}

fn case(report: &Report<'_>, finding: &Finding, path: &str) -> TestCase {
    let place = match (finding.span, &finding.object) {
        (Some(span), _) => format!("{path}:{}:{}", span.line, span.column),
        (None, Some(object)) => format!("{path}: {object}"),
        (None, None) => path.to_owned(),
    };
    let mut text = format!("{place}: {}[{}]\n{}", finding.severity, finding.code, finding.message);
    if let Some(help) = &finding.help {
        text.push_str(&format!("\n\n{help}"));
    }
    let status = if report.fails(finding.severity) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(&*xml_text(&finding.message));
        status.set_type(&*finding.code);
        status.set_description(&*xml_text(&text));
        status
    } else {
        TestCaseStatus::success()
    };
    let name = match finding.span {
        Some(span) => format!("{} at line {}", finding.code, span.line),
        None => match &finding.object {
            Some(object) => format!("{} of {object}", finding.code),
            None => finding.code.to_string(),
        },
    };
    let mut case = TestCase::new(&*xml_text(&name), status);
    case.set_classname(&*xml_text(path));
    if !report.fails(finding.severity) {
        case.set_system_out(&*xml_text(&text));
    }
    case
}
