//! The JSON report: a contract (`schema_version` 1). Fields are added, never removed.

use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::fingerprint::{Fingerprint, fingerprints};
use super::layout;
use super::{Linted, Report};
use crate::finding::{Category, Finding, Fix, Severity};
use crate::migration::catalog::QName;
use crate::migration::cost::Cost;
use crate::migration::effects::Effects;
use crate::migration::lint::{FileReport, StatementReport};
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::has_placeholder;
use crate::place::slashed;
use crate::source::Location;

/// Version of the contract.
pub const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

const TOOL: Tool = Tool { name: "rollsafe", version: env!("CARGO_PKG_VERSION") };

#[derive(Serialize)]
struct Whole<'a> {
    schema_version: u32,
    tool: Tool,
    postgres_version: u16,
    runner: Option<&'a str>,
    #[serde(serialize_with = "files")]
    files: &'a [FileReport],
    #[serde(serialize_with = "findings")]
    findings: (&'a [Finding], &'a [Fingerprint]),
    summary: Summary,
}

#[derive(Serialize)]
struct File<'a> {
    path: String,
    direction: &'static str,
    #[serde(serialize_with = "statements")]
    statements: &'a [StatementReport],
}

// One at a time is put into the contract's words: all of them at once would be the report's memory over again.

fn files<S: Serializer>(files: &[FileReport], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(files.iter().map(|file| File {
        path: slashed(&file.path),
        direction: file.direction.as_str(),
        statements: &file.statements,
    }))
}

fn statements<S: Serializer>(statements: &[StatementReport], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(statements.iter().map(|statement| Statement {
        span: &statement.location,
        kind: &statement.kind,
        understood: statement.understood,
        in_transaction: statement.in_transaction,
        effects: effects(&statement.effects),
        cost: statement.cost.as_deref().map(costs),
    }))
}

/// Findings, with their fingerprints.
fn findings<S: Serializer>(
    (findings, marks): &(&[Finding], &[Fingerprint]),
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(findings.iter().zip(*marks).map(|(finding, mark)| told(finding, *mark)))
}

#[derive(Serialize)]
struct Statement<'a> {
    span: &'a Location,
    kind: &'a str,
    understood: bool,
    in_transaction: Option<bool>,
    effects: Done<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Costs>,
}

/// What a statement costs on tables of known size.
#[derive(Serialize)]
struct Costs {
    relations: Vec<String>,
    rows: u64,
    bytes: u64,
    seconds: Option<f64>,
    bytes_per_second: u64,
    blocks: Option<&'static str>,
    waiting: Option<Waiting>,
}

/// What queues behind it.
#[derive(Serialize)]
struct Waiting {
    families: usize,
    queries_per_second: Option<f64>,
    relations: Vec<String>,
}

/// Effects as the contract has them.
#[derive(Serialize)]
struct Done<'a> {
    locks: Vec<Locked>,
    rewrites: Vec<String>,
    scans: Vec<String>,
    index_builds: Vec<Built<'a>>,
    destroys: Vec<Gone<'a>>,
    reversible: bool,
}

#[derive(Serialize)]
struct Locked {
    relation: String,
    mode: &'static str,
}

#[derive(Serialize)]
struct Built<'a> {
    relation: String,
    index: Option<&'a str>,
    concurrently: bool,
}

#[derive(Serialize)]
struct Gone<'a> {
    kind: String,
    name: &'a str,
    cascaded: bool,
}

#[derive(Serialize)]
struct Told<'a> {
    code: &'a str,
    category: Category,
    severity: Severity,
    path: Option<String>,
    span: Option<&'a Location>,
    message: &'a str,
    help: Option<&'a str>,
    fix: Option<&'a Fix>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a str>,
    fingerprint: Fingerprint,
}

#[derive(Serialize)]
struct Summary {
    files: usize,
    statements: usize,
    errors: usize,
    warnings: usize,
    notices: usize,
    suppressed: usize,
    not_understood: usize,
    history: usize,
    small: usize,
    applied: usize,
}

/// The report by contract, ending in a newline. Without what linting tells: tool and findings.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let marks = fingerprints(report.findings, report.sources, report.lint.map(|lint| lint.report));
    match report.lint {
        Some(linted) => layout::write(&lint(linted, &marks), out),
        None => {
            let findings = (report.findings, &marks[..]);
            let found =
                Found { schema_version: SCHEMA_VERSION, tool: TOOL, command: report.command, findings };
            layout::write(&found, out)
        }
    }
}

#[derive(Serialize)]
struct Found<'a> {
    schema_version: u32,
    tool: Tool,
    command: &'a str,
    #[serde(serialize_with = "findings")]
    findings: (&'a [Finding], &'a [Fingerprint]),
}

fn lint<'a>(linted: Linted<'a>, marks: &'a [Fingerprint]) -> Whole<'a> {
    let Linted { report, postgres_version, runner } = linted;
    Whole {
        schema_version: SCHEMA_VERSION,
        tool: TOOL,
        postgres_version,
        runner,
        files: &report.files,
        findings: (&report.findings, marks),
        summary: Summary {
            files: report.files.len(),
            statements: report.statements(),
            errors: report.count(Severity::Error),
            warnings: report.count(Severity::Warning),
            notices: report.count(Severity::Notice),
            suppressed: report.suppressed.len(),
            not_understood: report.not_understood(),
            history: report.history,
            small: report.small,
            applied: report.applied,
        },
    }
}

fn told<'a>(finding: &'a Finding, fingerprint: Fingerprint) -> Told<'a> {
    Told {
        code: &finding.code,
        category: finding.category,
        severity: finding.severity,
        path: finding.path.as_deref().map(slashed),
        span: finding.span.as_ref(),
        message: &finding.message,
        help: finding.help.as_deref(),
        fix: finding.fix.as_deref(),
        object: finding.object.as_deref(),
        fingerprint,
    }
}

fn costs(cost: &Cost) -> Costs {
    let names = |relations: &[QName]| relations.iter().map(QName::to_string).collect();
    Costs {
        relations: names(&cost.relations),
        rows: cost.rows,
        bytes: cost.bytes,
        seconds: cost.seconds,
        bytes_per_second: cost.throughput,
        blocks: cost.lock.filter(|lock| lock.blocks_writes()).map(LockMode::blocks),
        waiting: cost.queue.as_ref().map(|queue| Waiting {
            families: queue.families,
            queries_per_second: queue.per_second,
            relations: names(&queue.relations),
        }),
    }
}

fn effects(effects: &Effects) -> Done<'_> {
    // A name that is put together at run time is none to look anything up by.
    let told = |name: &str| !(effects.nameless && has_placeholder(name));
    let sorted = |names: &mut dyn Iterator<Item = String>| {
        let mut names: Vec<String> = names.filter(|name| told(name)).collect();
        names.sort();
        names.dedup();
        names
    };
    Done {
        locks: effects
            .strongest_locks()
            .into_iter()
            .map(|(relation, mode)| Locked { relation: relation.to_string(), mode: mode.as_str() })
            .filter(|locked| told(&locked.relation))
            .collect(),
        rewrites: sorted(&mut effects.rewrites.iter().map(|rewrite| rewrite.relation.to_string())),
        scans: sorted(&mut effects.scans.iter().map(|scan| scan.relation.to_string())),
        index_builds: effects
            .index_builds
            .iter()
            .map(|build| Built {
                relation: build.relation.to_string(),
                index: build.index.as_deref(),
                concurrently: build.concurrently,
            })
            .filter(|built| told(&built.relation))
            .collect(),
        destroys: effects
            .destroys
            .iter()
            .filter(|gone| told(&gone.name))
            .map(|gone| Gone { kind: gone.what.as_str(), name: &gone.name, cascaded: gone.cascaded })
            .collect(),
        reversible: effects.reversible,
    }
}

/// Any value as indented JSON with a newline at its end.
pub fn pretty(value: &Value) -> String {
    // A `Value` holds only string keys and finite numbers, so writing it can't fail.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}
