//! What linting found, put together: severities set, suppressions heeded, in the order in which it is told.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use compact_str::CompactString;

use super::run::{Settled, Told};
use super::{ActiveRule, LintOptions};
use crate::finding::{Category, Finding, Hold, Severity, Suppressed};
use crate::migration::cost::Cost;
use crate::migration::effects::Effects;
use crate::migration::migration::{Direction, Migration};
use crate::migration::rules::{Mend, Record, Said, SmallRelations};
use crate::migration::statement::{Body, Statement};
use crate::migration::suppress::Suppressing;
use crate::source::{LineIndex, Location};

/// What linting found.
#[derive(Clone, Debug, Default)]
pub struct LintReport {
    /// The judged migrations, in order.
    pub files: Vec<FileReport>,
    /// All findings: by file, place and code.
    pub findings: Vec<Finding>,
    /// The findings that suppressions and the baseline hold back, in the same order.
    pub suppressed: Vec<Suppressed>,
    /// How many migrations were replayed as history.
    pub history: usize,
    /// How many that were to be judged have run on the live database already, and so were taken for history.
    pub applied: usize,
    /// How many findings the known size of relations keeps quiet, or makes a severity lower.
    pub small: usize,
    /// What keeps drift between migrations and database from being told.
    pub notes: Vec<String>,
    /// Findings that a fix could be looked for, and why there is none.
    pub unfixed: Vec<Unfixed>,
}

/// Why a finding can't be mended mechanically.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfixed {
    /// The file.
    pub path: PathBuf,
    /// Where the finding is.
    pub location: Location,
    /// Its code.
    pub code: &'static str,
    /// Why, as a clause.
    pub why: String,
}

/// One judged migration.
#[derive(Clone, Debug)]
pub struct FileReport {
    /// The file.
    pub path: Arc<Path>,
    /// Which way it goes.
    pub direction: Direction,
    /// Its statements.
    pub statements: Vec<StatementReport>,
}

/// One statement of a judged migration.
#[derive(Clone, Debug)]
pub struct StatementReport {
    /// Where it is.
    pub location: Location,
    /// "ALTER TABLE".
    pub kind: CompactString,
    /// Whether every token was accounted for.
    pub understood: bool,
    /// Whether it runs together with others in one transaction; `None` where only the runner could tell.
    pub in_transaction: Option<bool>,
    /// What it does.
    pub effects: Effects,
    /// What it costs, where sizes are known.
    pub cost: Option<Box<Cost>>,
}

impl LintReport {
    /// How many findings have this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Adds what linting another folder found.
    pub fn append(&mut self, other: LintReport) {
        self.files.extend(other.files);
        self.findings.extend(other.findings);
        self.suppressed.extend(other.suppressed);
        self.history += other.history;
        self.unfixed.extend(other.unfixed);
        self.applied += other.applied;
        self.small += other.small;
        self.notes.extend(other.notes);
    }

    /// How many statements were judged.
    pub fn statements(&self) -> usize {
        self.files.iter().map(|file| file.statements.len()).sum()
    }

    /// How many judged statements could not be understood.
    pub fn not_understood(&self) -> usize {
        self.files.iter().flat_map(|file| &file.statements).filter(|statement| !statement.understood).count()
    }
}

/// Puts together what was found, suppressions heeded.
pub(super) fn report(
    migrations: &[Migration],
    judged: Vec<Settled>,
    (mut said, mut small): (Told, Told),
    rules: &[ActiveRule],
    options: &LintOptions,
    history: usize,
) -> LintReport {
    let mut report = LintReport { history, ..LintReport::default() };
    // A list that grows is held twice each time.
    report.findings.reserve_exact(said.len());
    report.files.reserve_exact(judged.len());
    let active: HashMap<&str, &ActiveRule> = rules.iter().map(|active| (active.rule.code, active)).collect();
    for settled in judged {
        let migration = &migrations[settled.index]; // the index of a judged one of them
        let path: Arc<Path> = migration.path.as_path().into();
        let mut suppressing = Suppressing::new(&settled.suppressions);
        let mut findings: Vec<Finding> = Vec::new();
        let mut held: Vec<Suppressed> = Vec::new();
        let told = |code: &'static str, one: Said| {
            let active = active.get(code)?;
            let severity =
                options.severities.in_file(&migration.path, code, active.category, active.default)?;
            Some(Finding {
                code: Cow::Borrowed(code),
                category: active.category,
                severity,
                path: Some(path.clone()),
                span: Some(settled.lines.location(&migration.text, one.span)),
                object: None,
                message: one.message,
                help: one.help,
                fix: match one.fix {
                    Some(Mend::Fix(fix)) => Some(fix),
                    Some(Mend::Not(_)) | None => None,
                },
            })
        };
        for (code, one) in said.take(settled.index) {
            let category = active.get(code).map(|active| active.category);
            let by = suppressing.holds(code, category, one.span);
            let not = match &one.fix {
                Some(Mend::Not(why)) => Some((why.clone(), one.span)),
                _ => None,
            };
            let finding = told(code, one);
            if let (Some((why, span)), Some(_), None) = (not, &finding, by) {
                let location = settled.lines.location(&migration.text, span);
                report.unfixed.push(Unfixed { path: migration.path.clone(), location, code, why });
            }
            match (finding, by) {
                (Some(finding), Some(by)) => held.push(Suppressed {
                    finding,
                    by: Hold::Comment {
                        place: settled.lines.location(&migration.text, by.span),
                        reason: by.reason.clone(),
                    },
                }),
                (finding, _) => findings.extend(finding),
            }
        }
        for (code, one) in small.take(settled.index) {
            let category = active.get(code).map(|active| active.category);
            // The same migration is large elsewhere: its suppressions have their use.
            if suppressing.holds(code, category, one.span).is_some() {
                continue;
            }
            let Some(mut finding) = told(code, one) else { continue };
            report.small += 1;
            if options.rules.small_relations == SmallRelations::Lower {
                finding.severity = finding.severity.lower();
                findings.push(finding);
            }
        }
        findings.extend(
            suppressing.findings(&options.custom).into_iter().filter_map(|(code, one)| told(code, one)),
        );
        held.sort_by(|a, b| order(&a.finding).cmp(&order(&b.finding)));
        held.dedup_by(|a, b| a.finding == b.finding);
        report.suppressed.extend(held);
        findings.sort_by(|a, b| order(a).cmp(&order(b)));
        findings.dedup();
        for statement in &settled.told {
            if let Some(cost) = &statement.cost {
                tell_cost(&mut findings, statement.location, cost);
            }
        }
        report.findings.extend(findings);
        report.files.push(FileReport {
            path: path.clone(),
            direction: migration.direction,
            statements: settled.told,
        });
    }
    report
}

/// In which order findings of a file are told.
fn order(finding: &Finding) -> (Option<Location>, &str, &str) {
    (finding.span, &finding.code, &finding.message)
}

/// A statement as the report has it; its effects leave the record.
pub(super) fn statement_report(
    text: &str,
    lines: &LineIndex,
    statement: &Statement,
    record: &mut Record,
) -> StatementReport {
    record.effects.trim();
    StatementReport {
        location: lines.location(text, statement.span),
        kind: match statement.body {
            // What it begins with is the best name for what can't be read.
            Body::NotUnderstood => {
                let first: Vec<&str> = statement.span.of(text).split_whitespace().take(2).collect();
                first.join(" ").chars().take(40).collect::<CompactString>().to_uppercase()
            }
            _ => statement.kind_name().into(),
        },
        understood: statement.understood(),
        in_transaction: record.in_transaction,
        effects: std::mem::take(&mut record.effects),
        cost: record.cost.take().map(Box::new),
    }
}

/// Puts what a statement costs behind the gravest thing that is said of its locks.
fn tell_cost(findings: &mut [Finding], place: Location, cost: &Cost) {
    let told = cost.told();
    if told.is_empty() {
        return;
    }
    let is_within = |finding: &&mut Finding| {
        finding.category == Category::Locking
            && finding
                .span
                .is_some_and(|span| place.start <= span.start && span.start < place.end.max(place.start + 1))
    };
    // The first of the gravest.
    let gravest = findings
        .iter_mut()
        .filter(is_within)
        .reduce(|best, next| if next.severity > best.severity { next } else { best });
    if let Some(finding) = gravest {
        finding.message.push_str(&format!("; {told}"));
    }
}
