//! Code actions: fixes, all safe fixes of a file, and suppressions; and the symbols of a document.

use std::path::Path;

use lsp_types::Range;
use serde_json::{Value, json};

use super::text::{Encoding, Text};
use super::workspace::Workspace;
use super::{Document, Judged, diagnostic};
use crate::finding::{Applicability, Edit, Finding, Fix};
use crate::migration::fix;

/// What is asked for.
pub struct Asked<'a> {
    /// The document's address.
    pub uri: &'a str,
    /// The selection.
    pub range: Range,
    /// The kinds that are wanted; empty: all.
    pub only: Vec<&'a str>,
    /// How positions count.
    pub encoding: Encoding,
    /// The client takes edits with versions.
    pub versioned: bool,
}

/// Actions over a document, for its findings in the range.
pub fn actions(document: &Document, asked: &Asked<'_>, workspace: &mut Workspace<'_>) -> Value {
    let wants = |kind: &str| {
        asked.only.is_empty()
            || asked.only.iter().any(|only| kind == *only || kind.starts_with(&format!("{only}.")))
    };
    let (start, end) = (
        document.text.offset(asked.range.start, asked.encoding),
        document.text.offset(asked.range.end, asked.encoding),
    );
    let mut found: Vec<Value> = Vec::new();
    if wants("quickfix") {
        let here: Vec<&Finding> = document
            .judged
            .findings()
            .iter()
            .filter(|finding| {
                finding.span.is_some_and(|span| span.start as usize <= end && start <= span.end as usize)
            })
            .collect();
        for finding in &here {
            if let Some(fix) = &finding.fix {
                found.push(fix_action(document, asked, finding, fix));
            }
        }
        for finding in &here {
            found.extend(suppression(document, asked, finding));
        }
    }
    // Only where it is asked for, as on saving: in the menu it would hide what it changes.
    if !asked.only.is_empty() && wants("source.fixAll.rollsafe") {
        found.extend(fix_all(document, asked, workspace));
    }
    Value::Array(found)
}

fn fix_action(document: &Document, asked: &Asked<'_>, finding: &Finding, fix: &Fix) -> Value {
    let safe = fix.applicability == Applicability::Safe;
    let mut title = fix.title.clone();
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if !safe {
        title.push_str(" (unsafe)");
    }
    if let Some(note) = &fix.note {
        title.push_str(&format!(": {note}"));
    }
    json!({
        "title": title,
        "kind": "quickfix",
        "isPreferred": safe,
        "diagnostics": [diagnostic(document, finding, asked.encoding)],
        "edit": edit(document, asked, &fix.edits),
    })
}

/// A comment before the statement that the finding is about.
fn suppression(document: &Document, asked: &Asked<'_>, finding: &Finding) -> Option<Value> {
    let Judged::Done(judgement) = &document.judged else { return None };
    let span = finding.span?;
    if finding.code == "syntax_error" || finding.code.starts_with("suppression_") {
        return None;
    }
    let statement = judgement
        .report
        .files
        .iter()
        .flat_map(|file| &file.statements)
        .map(|statement| statement.location)
        .find(|location| location.start <= span.start && span.start <= location.end)?;
    let text = document.text.as_str();
    let before = text.get(..statement.start as usize)?;
    let line = before.rsplit(['\n', '\r']).next().unwrap_or("");
    let indent = if line.trim().is_empty() { line } else { "" };
    let comment = format!("-- rollsafe: ignore {} -- reason\n{indent}", finding.code);
    let edits = [Edit { start: statement.start, end: statement.start, text: comment }];
    Some(json!({
        "title": format!("Suppress {} for this statement", finding.code),
        "kind": "quickfix",
        "diagnostics": [diagnostic(document, finding, asked.encoding)],
        "edit": edit(document, asked, &edits),
    }))
}

/// All safe fixes, in rounds, as one edit.
fn fix_all(document: &Document, asked: &Asked<'_>, workspace: &mut Workspace<'_>) -> Option<Value> {
    let Judged::Done(judgement) = &document.judged else { return None };
    let path = judgement.report.files.first().map(|file| file.path.clone())?;
    let now = document.text.as_str();
    let first = judgement.report.findings.clone();
    let mended = fix::mend::<()>(
        |texts| match texts.get(&*path).and_then(|bytes| std::str::from_utf8(bytes).ok()) {
            None => Ok(first.clone()),
            Some(other) => Ok(workspace.findings(&document.path, now, other)),
        },
        |_: &Path| Ok(now.as_bytes().to_vec()),
        |of| *of == *path,
        false,
    )
    .ok()?;
    let after = String::from_utf8(mended.files.get(&*path)?.after.clone()).ok()?;
    let edits = [Edit { start: 0, end: now.len() as u32, text: after }];
    let count = mended.applied.len();
    let what = if count == 1 { "the safe fix".to_owned() } else { format!("all {count} safe fixes") };
    Some(json!({
        "title": format!("Apply {what}"),
        "kind": "source.fixAll.rollsafe",
        "edit": edit(document, asked, &edits),
    }))
}

/// Edits of the text as the protocol has them.
fn edit(document: &Document, asked: &Asked<'_>, edits: &[Edit]) -> Value {
    let crlf = document.text.as_str().contains("\r\n");
    let edits: Vec<Value> = edits
        .iter()
        .map(|edit| {
            let text = match crlf {
                true => edit.text.replace("\r\n", "\n").replace('\n', "\r\n"),
                false => edit.text.clone(),
            };
            let range = document.text.range(edit.start as usize, edit.end as usize, asked.encoding);
            json!({"range": range, "newText": text})
        })
        .collect();
    if asked.versioned {
        let of = json!({"uri": asked.uri, "version": document.version});
        return json!({"documentChanges": [{"textDocument": of, "edits": edits}]});
    }
    let mut changes = serde_json::Map::new();
    changes.insert(asked.uri.to_owned(), Value::Array(edits));
    json!({"changes": changes})
}

/// The statements of a document.
pub fn symbols(document: &Document, encoding: Encoding) -> Value {
    let Judged::Done(judgement) = &document.judged else { return json!([]) };
    let text: &Text = &document.text;
    let all = judgement.report.files.iter().flat_map(|file| &file.statements).map(|statement| {
        let (start, end) = (statement.location.start as usize, statement.location.end as usize);
        let written = text.as_str().get(start..end).unwrap_or("");
        let name: String =
            written.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(80).collect();
        let range = text.range(start, end, encoding);
        let locks: Vec<String> = statement
            .effects
            .strongest_locks()
            .iter()
            .take(3)
            .map(|(relation, mode)| format!("{mode} on {relation}"))
            .collect();
        // 24: an event, the nearest to a statement that there is.
        json!({
            "name": if name.is_empty() { statement.kind.to_string() } else { name },
            "detail": locks.join(", "),
            "kind": 24,
            "range": range,
            "selectionRange": range,
        })
    });
    Value::Array(all.collect())
}
