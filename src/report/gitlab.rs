//! GitLab Code Quality: a JSON array of problems with stable fingerprints.
//!
//! Form: GitLab's documentation, "Code Quality", "Code Quality report format". The merge request shows what is new and
//! what is gone by comparing fingerprints.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Report;
use super::fingerprint::fingerprints;
use super::terminal::Style;
use crate::finding::Severity;

#[derive(Serialize)]
struct Problem<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: String,
    severity: &'static str,
    categories: [&'static str; 1],
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
    end: u32,
}

/// The array, ending in a newline; `[]` where nothing was found.
pub fn report(report: &Report<'_>, _style: Style) -> String {
    let marks = fingerprints(report.findings, report.sources, report.lint.map(|lint| lint.report));
    let problems: Vec<Problem<'_>> = report
        .findings
        .iter()
        .zip(marks)
        .map(|(finding, mark)| {
            // A problem must have a file: what is about none is about the command.
            let path = report.path(finding).unwrap_or_else(|| format!("rollsafe {}", report.command));
            let object = finding.object.as_deref().map(|object| format!("{object}: ")).unwrap_or_default();
            let hash = Sha256::digest(format!("{path}\0{mark}").as_bytes());
            Problem {
                description: format!("{object}{}", finding.message),
                check_name: &finding.code,
                fingerprint: hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect(),
                severity: match finding.severity {
                    Severity::Error => "critical",
                    Severity::Warning => "major",
                    Severity::Notice => "info",
                },
                categories: ["Bug Risk"],
                location: Location {
                    path: path.trim_start_matches("./").to_owned(),
                    lines: Lines {
                        begin: finding.span.map_or(1, |span| span.line),
                        end: finding.span.map_or(1, |span| span.end_line),
                    },
                },
            }
        })
        .collect();
    // Strings and numbers only: writing it can't fail.
    let mut text = serde_json::to_string_pretty(&problems).unwrap_or_default();
    text.push('\n');
    text
}
