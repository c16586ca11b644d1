//! reviewdog's rdjson: diagnostics with suggestions.
//!
//! Form: reviewdog, proto/rdf/reviewdog.proto. Lines and columns count from 1, columns in UTF-8 bytes, ends are
//! exclusive.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};

use super::Report;
use super::terminal::Style;
use crate::finding::{Applicability, Finding, Severity};
use crate::source::LineIndex;

/// The document, ending in a newline.
pub fn report(report: &Report<'_>, _style: Style) -> String {
    let mut indexes: HashMap<&Path, LineIndex> = HashMap::new();
    let diagnostics: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            let text = finding.path.as_deref().and_then(|path| Some((path, &**report.sources.get(path)?)));
            let index = text
                .map(|(path, text)| (&*indexes.entry(path).or_insert_with(|| LineIndex::new(text)), text));
            diagnostic(report, finding, index)
        })
        .collect();
    super::json::pretty(&json!({
        "source": {"name": "rollsafe"},
        "diagnostics": diagnostics,
    }))
}

fn diagnostic(report: &Report<'_>, finding: &Finding, text: Option<(&LineIndex, &str)>) -> Value {
    let range = |start: u32, end: u32| {
        let (index, text) = text?;
        let at = |offset: u32| {
            let (line, column) = index.byte_position(text, offset);
            json!({"line": line, "column": column})
        };
        Some(json!({"start": at(start), "end": at(end)}))
    };
    let message = match &finding.help {
        Some(help) => format!("{}\n\n{}", finding.message, help.trim_end()),
        None => finding.message.clone(),
    };
    let path = report.path(finding).unwrap_or_else(|| format!("rollsafe {}", report.command));
    let mut location = json!({"path": path});
    if let Some(range) = finding.span.and_then(|span| range(span.start, span.end)) {
        location["range"] = range;
    }
    let mut value = json!({
        "message": message,
        "location": location,
        "severity": match finding.severity {
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
            Severity::Notice => "INFO",
        },
        "code": {"value": finding.code},
    });
    // A suggestion is taken over with one click, and nothing beside it can say what else has to be known.
    if let Some(fix) = finding.fix.as_ref().filter(|fix| fix.applicability == Applicability::Safe) {
        let suggestions: Vec<Value> = fix
            .edits
            .iter()
            .filter_map(|edit| Some(json!({"range": range(edit.start, edit.end)?, "text": edit.text})))
            .collect();
        // Several edits are one fix: offered one by one each would be half of it.
        if suggestions.len() == 1 {
            value["suggestions"] = Value::Array(suggestions);
        }
    }
    value
}
