//! SARIF 2.1.0, as code scanning on GitHub, Azure DevOps and editors read it.
//!
//! Form: OASIS, "Static Analysis Results Interchange Format Version 2.1.0". What GitHub takes of it: its documentation,
//! "SARIF support for code scanning".

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::json;
use serde_sarif::sarif;

use super::fingerprint::fingerprints;
use super::terminal::Style;
use super::{Document, Report, shortened};
use crate::finding::{Applicability, Finding, Fix, Hold, Severity, Suppressed};
use crate::source::{LineIndex, Location};

/// GitHub takes no more results of a run than this.
const MOST_RESULTS: usize = 25_000;
/// Bytes of a rule's full description that GitHub takes.
const LONGEST_DESCRIPTION: usize = 1000;

/// The log, ending in a newline. Where nothing was found its results are an empty list.
pub fn report(report: &Report<'_>, _style: Style) -> String {
    let all = || report.findings.iter().chain(report.suppressed.iter().map(|one| &one.finding));
    let marks = fingerprints(all(), report.sources, report.lint.map(|lint| lint.report));
    let mut used: BTreeMap<&str, usize> = all().map(|finding| (&*finding.code, 0)).collect();
    let rules: Vec<sarif::ReportingDescriptor> = used
        .iter_mut()
        .enumerate()
        .map(|(index, (code, place))| {
            *place = index;
            rule(code, (report.documents)(code).as_ref())
        })
        .collect();
    let mut indexes = HashMap::new();
    let holds = std::iter::repeat_n(None, report.findings.len()).chain(report.suppressed.iter().map(Some));
    let results: Vec<sarif::Result> = all()
        .zip(holds)
        .zip(marks)
        .take(MOST_RESULTS)
        .map(|((finding, held), mark)| {
            let index = used.get(&*finding.code).copied().unwrap_or(0);
            result(report, finding, held, mark.to_string(), index, &mut indexes)
        })
        .collect();
    let driver = sarif::ToolComponent::builder()
        .name("rollsafe")
        .version(env!("CARGO_PKG_VERSION"))
        .semantic_version(env!("CARGO_PKG_VERSION"))
        .rules(rules)
        .build();
    let run = sarif::Run::builder()
        .tool(sarif::Tool::builder().driver(driver).build())
        // The slash at the end makes it the category by which GitHub keeps several uploads apart.
        .automation_details(
            sarif::RunAutomationDetails::builder().id(format!("rollsafe/{}/", report.command)).build(),
        )
        .invocations(vec![sarif::Invocation::builder().execution_successful(true).build()])
        .column_kind(json!("unicodeCodePoints"))
        .results(results)
        .build();
    let log = sarif::Sarif::builder()
        .schema("https://json.schemastore.org/sarif-2.1.0.json")
        .version(json!("2.1.0"))
        .runs(vec![run])
        .build();
    // Strings and numbers only: writing it can't fail.
    let mut text = serde_json::to_string_pretty(&log).unwrap_or_default();
    text.push('\n');
    text
}

fn level(severity: Option<Severity>) -> &'static str {
    match severity {
        Some(Severity::Error) => "error",
        Some(Severity::Warning) => "warning",
        Some(Severity::Notice) => "note",
        None => "none",
    }
}

fn multiformat(text: &str, markdown: Option<&str>) -> sarif::MultiformatMessageString {
    sarif::MultiformatMessageString {
        text: text.to_owned(),
        markdown: markdown.map(str::to_owned),
        properties: None,
    }
}

fn rule(code: &str, document: Option<&Document<'_>>) -> sarif::ReportingDescriptor {
    let Some(document) = document else {
        return sarif::ReportingDescriptor::builder().id(code).build();
    };
    let why = document.prose.split("\n## Why\n").nth(1).unwrap_or(&document.prose);
    let why = why.split("\n## ").next().unwrap_or("").trim();
    let full = if why.is_empty() { document.summary } else { why };
    let problem = match document.severity {
        Some(Severity::Error) => "error",
        Some(Severity::Warning) | None => "warning",
        Some(Severity::Notice) => "recommendation",
    };
    let properties = sarif::PropertyBag {
        tags: Some(vec!["postgresql".to_owned(), document.category.to_string()]),
        additional_properties: BTreeMap::from([
            ("precision".to_owned(), json!("high")),
            ("problem.severity".to_owned(), json!(problem)),
        ]),
    };
    let configuration = sarif::ReportingConfiguration {
        enabled: Some(document.severity.is_some()),
        level: Some(json!(level(document.severity.or(Some(Severity::Warning))))),
        ..Default::default()
    };
    sarif::ReportingDescriptor::builder()
        .id(code)
        .name(in_camel_case(code))
        .short_description(multiformat(document.summary, None))
        .full_description(multiformat(&shortened(full, LONGEST_DESCRIPTION), None))
        .help(multiformat(&document.prose, Some(&document.prose)))
        .default_configuration(configuration)
        .properties(properties)
        .build()
}

/// `DropColumn` for `drop_column`: a name that only repeats the id is none to those who check SARIF.
fn in_camel_case(code: &str) -> String {
    code.split('_')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters)
        })
        .collect()
}

fn region(span: &Location) -> sarif::Region {
    sarif::Region {
        start_line: Some(span.line.into()),
        start_column: Some(span.column.into()),
        end_line: Some(span.end_line.into()),
        end_column: Some(span.end_column.into()),
        byte_offset: Some(span.start.into()),
        byte_length: Some((span.end.saturating_sub(span.start)).into()),
        ..Default::default()
    }
}

fn message(text: &str) -> sarif::Message {
    sarif::Message { text: Some(text.to_owned()), ..Default::default() }
}

fn artifact(path: &str) -> sarif::ArtifactLocation {
    sarif::ArtifactLocation { uri: Some(uri(path)), ..Default::default() }
}

fn location(path: &str, span: Option<&Location>) -> sarif::Location {
    sarif::Location {
        physical_location: Some(sarif::PhysicalLocation {
            artifact_location: Some(artifact(path)),
            // Code scanning wants a place: the first line stands for the whole file.
            region: Some(
                span.map_or_else(|| sarif::Region { start_line: Some(1), ..Default::default() }, region),
            ),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn result<'a>(
    report: &'a Report<'_>,
    finding: &'a Finding,
    held: Option<&Suppressed>,
    mark: String,
    rule_index: usize,
    indexes: &mut HashMap<&'a Path, LineIndex>,
) -> sarif::Result {
    let text = match &finding.help {
        Some(help) => format!("{}\n\n{}", finding.message, help.trim_end()),
        None => finding.message.clone(),
    };
    let mut built = sarif::Result::builder()
        .rule_id(&*finding.code)
        .rule_index(i64::try_from(rule_index).unwrap_or(-1))
        .level(match finding.severity {
            Severity::Error => sarif::ResultLevel::Error,
            Severity::Warning => sarif::ResultLevel::Warning,
            Severity::Notice => sarif::ResultLevel::Note,
        })
        .message(message(&text))
        .partial_fingerprints(BTreeMap::from([
            ("primaryLocationLineHash".to_owned(), mark.clone()),
            ("rollsafe/v1".to_owned(), mark),
        ]))
        .build();
    let path = report.path(finding);
    let mut place = path.as_deref().map(|path| location(path, finding.span.as_ref()));
    if let Some(object) = &finding.object {
        let logical =
            sarif::LogicalLocation { fully_qualified_name: Some(object.clone()), ..Default::default() };
        place.get_or_insert_default().logical_locations = Some(vec![logical]);
    }
    built.locations = place.map(|place| vec![place]);
    if let Some(held) = held {
        built.suppressions = Some(vec![suppression(held, path.as_deref())]);
    }
    let source = finding.path.as_deref().and_then(|path| Some((path, report.sources.get(path)?)));
    if let (Some(fix), Some((file, source)), Some(path)) = (&finding.fix, source, path.as_deref()) {
        let index = indexes.entry(file).or_insert_with(|| LineIndex::new(source));
        let replacements = fix
            .edits
            .iter()
            .map(|edit| {
                let span = crate::source::Span { start: edit.start, end: edit.end };
                sarif::Replacement {
                    deleted_region: region(&index.location(source, span)),
                    inserted_content: Some(sarif::ArtifactContent {
                        text: Some(edit.text.clone()),
                        ..Default::default()
                    }),
                    properties: None,
                }
            })
            .collect();
        built.fixes = Some(vec![sarif::Fix {
            artifact_changes: vec![sarif::ArtifactChange {
                artifact_location: artifact(path),
                properties: None,
                replacements,
            }],
            description: Some(message(&described(fix))),
            properties: None,
        }]);
    }
    built
}

/// What a fix does, and what has to be known of one that isn't safe.
fn described(fix: &Fix) -> String {
    match (&fix.applicability, &fix.note) {
        (Applicability::Safe, _) => fix.title.clone(),
        (Applicability::Unsafe, None) => format!("{} (unsafe)", fix.title),
        (Applicability::Unsafe, Some(note)) => format!("{} (unsafe: {note})", fix.title),
    }
}

fn suppression(held: &Suppressed, path: Option<&str>) -> sarif::Suppression {
    let (kind, justification, place) = match &held.by {
        Hold::Comment { place, reason } => {
            ("inSource", reason.clone(), path.map(|path| location(path, Some(place))))
        }
        Hold::Baseline => ("external", Some("in the baseline".to_owned()), None),
    };
    sarif::Suppression {
        guid: None,
        justification,
        kind: json!(kind),
        location: place,
        properties: None,
        status: Some(json!("accepted")),
    }
}

/// A path as a relative URI reference (RFC 3986), everything outside its plain characters escaped.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for (at, byte) in path.bytes().enumerate() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(byte.into())
            }
            // In the first part a colon would end a scheme.
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'+' | b',' | b';' | b'=' | b'@' if at > 0 => {
                out.push(byte.into());
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    if out.starts_with('/') { format!("file://{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_uris() {
        assert_eq!(uri("db/V2__a b%c:ü.sql"), "db/V2__a%20b%25c%3A%C3%BC.sql");
        assert_eq!(uri("/tmp/x.sql"), "file:///tmp/x.sql");
    }
}
