//! The JSON report: a contract (`schema_version` 1). Fields are added, never removed.

use serde::Serialize;
use serde_json::{Value, json};

use crate::finding::{Finding, Severity};
use crate::migration::effects::Effects;
use crate::migration::lint::LintReport;
use crate::source::Location;

/// Version of the contract.
pub const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

const TOOL: Tool = Tool { name: "rollsafe", version: env!("CARGO_PKG_VERSION") };

/// The report of `rollsafe lint --format json`, ending in a newline.
pub fn lint(report: &LintReport, postgres_version: u16, runner: Option<&str>) -> String {
    let files: Vec<Value> = report
        .files
        .iter()
        .map(|file| {
            let statements: Vec<Value> = file
                .statements
                .iter()
                .map(|statement| {
                    json!({
                        "span": location(&statement.location),
                        "kind": statement.kind,
                        "understood": statement.understood,
                        "in_transaction": statement.in_transaction,
                        "effects": effects(&statement.effects),
                    })
                })
                .collect();
            json!({
                "path": path(&file.path),
                "direction": file.direction.as_str(),
                "statements": statements,
            })
        })
        .collect();
    let whole = json!({
        "schema_version": SCHEMA_VERSION,
        "tool": TOOL,
        "postgres_version": postgres_version,
        "runner": runner,
        "files": files,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "summary": {
            "files": report.files.len(),
            "statements": report.statements(),
            "errors": report.count(Severity::Error),
            "warnings": report.count(Severity::Warning),
            "notices": report.count(Severity::Notice),
            "suppressed": report.suppressed,
            "not_understood": report.not_understood(),
            "history": report.history,
        },
    });
    pretty(&whole)
}

/// Any value as indented JSON with a newline at its end.
pub fn pretty(value: &Value) -> String {
    // A `Value` holds only string keys and finite numbers, so writing it can't fail.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// A path with forward slashes, on every system.
fn path(path: &std::path::Path) -> String {
    let shown = path.to_string_lossy();
    if std::path::MAIN_SEPARATOR == '/' {
        shown.into_owned()
    } else {
        shown.replace(std::path::MAIN_SEPARATOR, "/")
    }
}

fn location(location: &Location) -> Value {
    json!({
        "start": location.start, "end": location.end,
        "line": location.line, "column": location.column,
        "end_line": location.end_line, "end_column": location.end_column,
    })
}

fn finding(finding: &Finding) -> Value {
    let mut value = json!({
        "code": finding.code,
        "category": finding.category,
        "severity": finding.severity,
        "path": finding.path.as_deref().map(path),
        "span": finding.span.as_ref().map(location),
        "message": finding.message,
        "help": finding.help,
        "fix": finding.fix,
    });
    if let (Some(object), Some(map)) = (&finding.object, value.as_object_mut()) {
        map.insert("object".to_owned(), json!(object));
    }
    value
}

fn effects(effects: &Effects) -> Value {
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names.dedup();
        names
    };
    let locks: Vec<Value> = effects
        .strongest_locks()
        .into_iter()
        .map(|(relation, mode)| json!({"relation": relation.to_string(), "mode": mode.as_str()}))
        .collect();
    let builds: Vec<Value> = effects
        .index_builds
        .iter()
        .map(|build| {
            json!({
                "relation": build.relation.to_string(),
                "index": build.index.as_deref(),
                "concurrently": build.concurrently,
            })
        })
        .collect();
    let destroys: Vec<Value> = effects
        .destroys
        .iter()
        .map(|gone| json!({"kind": gone.what.as_str(), "name": gone.name, "cascaded": gone.cascaded}))
        .collect();
    json!({
        "locks": locks,
        "rewrites": sorted(effects.rewrites.iter().map(|rewrite| rewrite.relation.to_string()).collect()),
        "scans": sorted(effects.scans.iter().map(|scan| scan.relation.to_string()).collect()),
        "index_builds": builds,
        "destroys": destroys,
        "reversible": effects.reversible,
    })
}
