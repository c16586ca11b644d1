//! The engine: walks migrations in order, replays history, and judges what is to be judged.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;

use rayon::prelude::*;

use crate::finding::{Category, Finding, Hold, Severity, Suppressed};
use crate::pages;
use crate::patterns::Patterns;
use crate::source::{LineIndex, Location, Span};

use super::catalog::Catalog;
use super::cost::Cost;
use super::custom::CustomRule;
use super::effects::Effects;
use super::live::{self, Live};
use super::migration::{Direction, Migration};
use super::parse::{self, Script};
use super::rules::{
    Check, DownMigration, JudgedMigration, Mend, RULES, Record, ReversalContext, Rule, RuleOptions,
    RunContext, Said, SmallRelations,
};
use super::statement::{Body, Statement};
use super::suppress::{self, Suppression};
use super::walk::Walk;

/// Severities after configuration: which rules run, and how much each matters.
#[derive(Clone, Debug, Default)]
pub struct Severities {
    changed: Vec<(String, Option<Severity>)>,
    by_path: Vec<PathSeverity>,
}

#[derive(Clone, Debug)]
struct PathSeverity {
    paths: Patterns,
    except: Patterns,
    code: String,
    severity: Option<Severity>,
}

impl Severities {
    /// Sets the severity of a code or of a whole category; `None` is off. What is set later wins.
    pub fn set(&mut self, code_or_category: &str, severity: Option<Severity>) {
        self.changed.push((code_or_category.to_owned(), severity));
    }

    /// As [`Severities::set`], for files that `paths` mean and `except` doesn't.
    pub fn set_for(
        &mut self,
        paths: &Patterns,
        except: &Patterns,
        code_or_category: &str,
        severity: Option<Severity>,
    ) {
        self.by_path.push(PathSeverity {
            paths: paths.clone(),
            except: except.clone(),
            code: code_or_category.to_owned(),
            severity,
        });
    }

    /// The severity of a code before anything that depends on the path; `None` is off.
    pub fn of(&self, code: &str, category: Category, default: Option<Severity>) -> Option<Severity> {
        let names = |word: &str| word == code || word == category.as_str() || word == "all";
        self.changed.iter().rev().find(|(word, _)| names(word)).map_or(default, |(_, severity)| *severity)
    }

    /// Whether a code can be on for any path at all.
    fn anywhere(&self, code: &str, category: Category, default: Option<Severity>) -> bool {
        self.of(code, category, default).is_some()
            || self
                .by_path
                .iter()
                .any(|by| by.code == code || by.code == category.as_str() || by.code == "all")
    }

    /// The severity of a code in one file.
    pub fn in_file(
        &self,
        path: &std::path::Path,
        code: &str,
        category: Category,
        default: Option<Severity>,
    ) -> Option<Severity> {
        let by_path = self.by_path.iter().rev().find(|by| {
            (by.code == code || by.code == category.as_str() || by.code == "all")
                && by.paths.matches(path)
                && !by.except.matches(path)
        });
        match by_path {
            Some(by) => by.severity,
            None => self.of(code, category, default),
        }
    }
}

/// What to lint with.
#[derive(Clone, Debug, Default)]
pub struct LintOptions {
    /// Settings of the rules.
    pub rules: RuleOptions,
    /// Severities after configuration.
    pub severities: Severities,
    /// What exists before the first migration, where a schema told it.
    pub schema: Option<Catalog>,
    /// The project's own rules.
    pub custom: Vec<CustomRule>,
    /// Comments that suppress squawk's findings suppress ours.
    pub squawk_comments: bool,
    /// The database that the migrations are for, where a snapshot tells of it: what has run there is history, what
    /// hasn't is judged on what is there.
    pub live: Option<std::sync::Arc<Live>>,
}

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
    pub path: PathBuf,
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
    pub kind: String,
    /// Whether every token was accounted for.
    pub understood: bool,
    /// Whether it runs together with others in one transaction; `None` where only the runner could tell.
    pub in_transaction: Option<bool>,
    /// What it does.
    pub effects: Effects,
    /// What it costs, where sizes are known.
    pub cost: Option<Cost>,
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

/// A rule with the facts of its page.
pub(super) struct ActiveRule {
    pub rule: &'static Rule,
    pub category: Category,
    pub default: Option<Severity>,
}

/// Lints `migrations`, which are in the order in which they run; down migrations may stand anywhere.
pub fn lint(migrations: &[Migration], options: &LintOptions) -> LintReport {
    let scripts: Vec<Script> = migrations
        .par_iter()
        .map(|migration| parse::parse(&migration.text, migration.range.clone()))
        .collect();
    judge(migrations, &scripts, options, None, None).report
}

/// What stands before a migration: kept, so that history needn't be replayed to judge it again.
#[derive(Clone, Debug)]
pub(super) struct Checkpoint {
    /// The migration, by its place in the order.
    pub at: usize,
    pub catalog: Catalog,
    session: super::session::Session,
    run: Option<bool>,
    history: usize,
}

/// What judging came to.
pub(super) struct Judged {
    pub report: LintReport,
    /// What exists after the last migration.
    pub after: Catalog,
    /// What stands before the migration that was asked for.
    pub checkpoint: Option<Checkpoint>,
}

/// Judges what is to be judged, from `start` on (nothing before it is judged); `keep`: the place before which everything
/// is to be kept.
pub(super) fn judge(
    migrations: &[Migration],
    scripts: &[Script],
    options: &LintOptions,
    start: Option<Checkpoint>,
    keep: Option<usize>,
) -> Judged {
    let rules: Vec<ActiveRule> = RULES
        .iter()
        .filter_map(|rule| {
            let facts = pages::facts(rule.page)?;
            options.severities.anywhere(rule.code, facts.category, facts.severity).then_some(ActiveRule {
                rule,
                category: facts.category,
                default: facts.severity,
            })
        })
        .chain(options.custom.iter().filter_map(|custom| {
            let (category, severity) = (custom.definition.category, Some(custom.definition.severity));
            let code = &custom.definition.code;
            options.severities.anywhere(code, category, severity).then_some(ActiveRule {
                rule: custom.rule,
                category,
                default: severity,
            })
        }))
        .collect();
    let custom: Vec<CustomRule> = options
        .custom
        .iter()
        .filter(|custom| rules.iter().any(|active| std::ptr::eq(active.rule, custom.rule)))
        .cloned()
        .collect();

    let mut walk = Walk::new(migrations, scripts, &rules, &options.rules).with_custom(&custom);
    let first = start.as_ref().map_or(0, |start| start.at);
    let (mut catalog, mut history) = match start {
        Some(start) => {
            (walk.session, walk.run) = (start.session, start.run);
            (start.catalog, start.history)
        }
        None => (first_catalog(migrations, options), 0),
    };
    // What has run on the live database comes first: it made what is there.
    let ran: Vec<bool> = match &options.live {
        Some(live) => live::applied(migrations, scripts, &catalog, live, &options.rules),
        None => vec![],
    };
    let has_run = |index: usize| ran.get(index).copied().unwrap_or(false);
    let is_judged =
        |index: usize| migrations[index].judged && (!has_run(index) || live::was_edited(&migrations[index]));
    let mut order: Vec<usize> = (first..migrations.len()).collect();
    order.sort_by_key(|&index| options.live.is_some() && !has_run(index));
    let mut arrived = Arrived::default();
    let mut checkpoint = None;
    let mut judged: Vec<(usize, Vec<Record>)> = Vec::new();
    let mut said: Vec<(usize, &'static str, Said)> = Vec::new();
    let mut small: Vec<(usize, &'static str, Said)> = Vec::new();
    let downs_are_usual = migrations.iter().any(|m| m.direction == Direction::Down && m.undoes.is_some());
    let mut downs: HashMap<usize, Vec<usize>> = HashMap::new();
    for (index, migration) in migrations.iter().enumerate() {
        if let (Direction::Down, Some(undoes)) = (migration.direction, migration.undoes) {
            downs.entry(undoes).or_default().push(index);
        }
    }
    for index in order {
        let migration = &migrations[index]; // in order of their places
        // With a live database the order isn't that of the places, and what is before one depends on what has run.
        if keep == Some(index) && options.live.is_none() {
            checkpoint = Some(Checkpoint {
                at: index,
                catalog: catalog.clone(),
                session: walk.session.clone(),
                run: walk.run,
                history,
            });
        }
        if migration.direction == Direction::Down {
            continue;
        }
        if !has_run(index) {
            arrived.at(&mut catalog, history, options);
        }
        let mine = downs.get(&index).map_or(&[][..], Vec::as_slice);
        if !is_judged(index) {
            history += 1;
            walk.replay(index, &mut catalog);
            for &down in mine.iter().filter(|&&down| is_judged(down)) {
                // Only the way back is new: judged on what is there now.
                let walked = walk.judge(down, &mut catalog.clone());
                said.extend(walked.said.into_iter().map(|(code, one)| (down, code, one)));
                small.extend(walked.small.into_iter().map(|(code, one)| (down, code, one)));
                judged.push((down, walked.records));
            }
            continue;
        }
        // Only a way back is compared with what was before it.
        let before = if mine.is_empty() { Catalog::default() } else { catalog.clone() };
        let walked = walk.judge(index, &mut catalog);
        said.extend(walked.said.into_iter().map(|(code, one)| (index, code, one)));
        small.extend(walked.small.into_iter().map(|(code, one)| (index, code, one)));
        // A way back may come in several sections, each a migration of its own.
        let mut after = if mine.is_empty() { Catalog::default() } else { catalog.clone() };
        let mut down_records = Vec::new();
        for &down in mine {
            if is_judged(down) {
                let walked = walk.judge(down, &mut after);
                said.extend(walked.said.into_iter().map(|(code, one)| (down, code, one)));
                small.extend(walked.small.into_iter().map(|(code, one)| (down, code, one)));
                down_records = walked.records;
                judged.push((down, down_records.clone()));
            } else {
                walk.replay(down, &mut after);
            }
        }
        let reversal = ReversalContext {
            before: &before,
            between: &catalog,
            migration: index as u32,
            statements: &scripts[index].statements,
            records: &walked.records,
            down: mine.last().map(|&down| DownMigration {
                migration: down as u32,
                statements: &scripts[down].statements,
                records: &down_records,
                span: Span::new(migrations[down].range.start, migrations[down].range.end),
                after: &after,
            }),
            downs_are_usual,
            down_text: mine.last().map_or("", |&down| &migrations[down].text),
            text: &migration.text,
        };
        for active in &rules {
            if let Check::Reversal(check) = active.rule.check {
                let mut sink = super::rules::Sink::default();
                check(&reversal, &mut sink);
                said.extend(sink.said.into_iter().map(|one| {
                    (one.migration.map_or(index, |migration| migration as usize), active.rule.code, one)
                }));
            }
        }
        judged.push((index, walked.records));
    }
    for (down, migration) in migrations.iter().enumerate() {
        if migration.direction == Direction::Down && is_judged(down) && migration.undoes.is_none() {
            let walked = walk.judge(down, &mut catalog.clone());
            said.extend(walked.said.into_iter().map(|(code, one)| (down, code, one)));
            small.extend(walked.small.into_iter().map(|(code, one)| (down, code, one)));
            judged.push((down, walked.records));
        }
    }
    arrived.at(&mut catalog, history, options);
    judged.sort_by_key(|(index, _)| *index);
    said.extend(run_rules(migrations, scripts, &judged, &catalog, &rules, &options.rules));

    let mut report = report(migrations, scripts, judged, (said, small), &rules, options, history);
    report.findings.extend(arrived.drift);
    report.notes.extend(arrived.note);
    report.applied = (0..migrations.len())
        .filter(|&at| migrations[at].direction != Direction::Down && migrations[at].judged && !is_judged(at))
        .count();
    Judged { report, after: catalog, checkpoint }
}

/// The place in the order where what has run ends and the live database takes over.
#[derive(Default)]
struct Arrived {
    yet: bool,
    /// What it has otherwise than the migrations say.
    drift: Vec<Finding>,
    /// Why that isn't known.
    note: Option<String>,
}

impl Arrived {
    /// The catalog becomes the live one, once.
    fn at(&mut self, catalog: &mut Catalog, history: usize, options: &LintOptions) {
        let Some(live) = options.live.as_ref().filter(|_| !self.yet) else { return };
        self.yet = true;
        let facts = pages::facts(super::rules::schema_drift::RULE.page);
        let severity =
            facts.and_then(|facts| options.severities.of("schema_drift", facts.category, facts.severity));
        if let Some(severity) = severity {
            if history > 0 && catalog.complete() {
                self.drift = live::drift(catalog, live, severity);
            } else {
                self.note = Some(
                    "drift between migrations and database was not looked for: the migrations that have run aren't all \
                     known and understood"
                        .to_owned(),
                );
            }
        }
        *catalog = live.catalog.clone();
    }
}

/// What exists before the first migration.
fn first_catalog(migrations: &[Migration], options: &LintOptions) -> Catalog {
    match &options.schema {
        Some(schema) => schema.clone(),
        // One migration alone says nothing of what was there before it.
        None if migrations.iter().filter(|m| m.direction != Direction::Down).count() < 2 => {
            Catalog::unknown()
        }
        None => Catalog::empty(),
    }
}

/// What exists after all of `migrations` have run: `--schema`.
pub fn replay(migrations: &[Migration]) -> Catalog {
    let scripts: Vec<Script> =
        migrations.iter().map(|migration| parse::parse(&migration.text, migration.range.clone())).collect();
    let options = RuleOptions::default();
    let mut catalog = Catalog::empty();
    let mut walk = Walk::new(migrations, &scripts, &[], &options);
    for index in 0..migrations.len() {
        walk.replay(index, &mut catalog);
    }
    catalog.leave_sources();
    catalog
}

/// Asks the rules over the whole run.
fn run_rules(
    migrations: &[Migration],
    scripts: &[Script],
    judged: &[(usize, Vec<Record>)],
    catalog: &Catalog,
    rules: &[ActiveRule],
    options: &RuleOptions,
) -> Vec<(usize, &'static str, Said)> {
    let shown: Vec<String> =
        migrations.iter().map(|migration| migration.path.display().to_string()).collect();
    let run = RunContext {
        migrations: judged
            .iter()
            .filter(|(index, _)| migrations[*index].direction != Direction::Down) // indexes of this very slice
            .map(|(index, records)| JudgedMigration {
                migration: *index as u32,
                path: &shown[*index],
                text: &migrations[*index].text,
                statements: &scripts[*index].statements,
                records,
                run: &migrations[*index].run,
                version: &migrations[*index].version,
                change: migrations[*index].change,
            })
            .collect(),
        versions: migrations
            .iter()
            .zip(&shown)
            .filter(|(migration, _)| migration.direction == Direction::Up)
            .map(|(migration, shown)| {
                (
                    migration.version.as_str(),
                    shown.as_str(),
                    migration.change != Some(super::rules::Change::Added),
                )
            })
            .collect(),
        after: catalog,
        options,
    };
    let mut said = Vec::new();
    for active in rules {
        if let Check::Run(check) = active.rule.check {
            let mut sink = super::rules::Sink::default();
            check(&run, &mut sink);
            let last = judged.last().map_or(0, |(index, _)| *index);
            said.extend(sink.said.into_iter().map(|one| {
                (one.migration.map_or(last, |migration| migration as usize), active.rule.code, one)
            }));
        }
    }
    said
}

/// What rules say, each with the place of its migration and the rule's code.
type Told = Vec<(usize, &'static str, Said)>;

/// Puts together what was found, suppressions heeded.
fn report(
    migrations: &[Migration],
    scripts: &[Script],
    judged: Vec<(usize, Vec<Record>)>,
    (said, small): (Told, Told),
    rules: &[ActiveRule],
    options: &LintOptions,
    history: usize,
) -> LintReport {
    let mut report = LintReport { history, ..LintReport::default() };
    let mut small_of: HashMap<usize, Vec<(&'static str, Said)>> = HashMap::new();
    for (index, code, one) in small {
        small_of.entry(index).or_default().push((code, one));
    }
    let mut by_migration: std::collections::HashMap<usize, Vec<(&'static str, Said)>> = Default::default();
    for (index, code, one) in said {
        by_migration.entry(index).or_default().push((code, one));
    }
    for (index, records) in judged {
        // `index` came from enumerating these slices.
        let (migration, script) = (&migrations[index], &scripts[index]);
        let lines = LineIndex::new(&migration.text);
        let said = by_migration.remove(&index).unwrap_or_default();
        let spans: Vec<Span> = script.statements.iter().map(|statement| statement.span).collect();
        let suppressions = suppress::suppressions(
            &migration.text,
            &script.comments,
            &spans,
            migration.range.clone(),
            options.squawk_comments,
        );
        let mut used = vec![vec![false; 0]; suppressions.len()];
        for (suppression, used) in suppressions.iter().zip(&mut used) {
            used.resize(suppression.codes.len(), false);
        }
        let mut findings: Vec<Finding> = Vec::new();
        let mut held: Vec<Suppressed> = Vec::new();
        let told = |code: &'static str, one: Said| {
            let active = rules.iter().find(|active| active.rule.code == code)?;
            let severity =
                options.severities.in_file(&migration.path, code, active.category, active.default)?;
            Some(Finding {
                code: Cow::Borrowed(code),
                category: active.category,
                severity,
                path: Some(migration.path.clone()),
                span: Some(lines.location(&migration.text, one.span)),
                object: None,
                message: one.message,
                help: one.help,
                fix: match one.fix {
                    Some(Mend::Fix(fix)) => Some(fix),
                    Some(Mend::Not(_)) | None => None,
                },
            })
        };
        for (code, one) in said {
            let category = rules.iter().find(|active| active.rule.code == code).map(|active| active.category);
            let by = hold_back(&suppressions, &mut used, code, category, one.span);
            let not = match &one.fix {
                Some(Mend::Not(why)) => Some((why.clone(), one.span)),
                _ => None,
            };
            let finding = told(code, one);
            if let (Some((why, span)), Some(_), None) = (not, &finding, by) {
                let (path, location) = (migration.path.clone(), lines.location(&migration.text, span));
                report.unfixed.push(Unfixed { path, location, code, why });
            }
            match (finding, by) {
                (Some(finding), Some(by)) => held.push(Suppressed {
                    finding,
                    by: Hold::Comment {
                        place: lines.location(&migration.text, by.span),
                        reason: by.reason.clone(),
                    },
                }),
                (finding, _) => findings.extend(finding),
            }
        }
        for (code, one) in small_of.remove(&index).unwrap_or_default() {
            let category = rules.iter().find(|active| active.rule.code == code).map(|active| active.category);
            // The same migration is large elsewhere: its suppressions have their use.
            if hold_back(&suppressions, &mut used, code, category, one.span).is_some() {
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
            suppression_findings(&suppressions, &used, &options.custom)
                .into_iter()
                .filter_map(|(code, one)| told(code, one)),
        );
        held.sort_by(|a, b| order(&a.finding).cmp(&order(&b.finding)));
        held.dedup_by(|a, b| a.finding == b.finding);
        report.suppressed.extend(held);
        findings.sort_by(|a, b| order(a).cmp(&order(b)));
        findings.dedup();
        for (statement, record) in script.statements.iter().zip(&records) {
            if let Some(cost) = &record.cost {
                tell_cost(&mut findings, lines.location(&migration.text, statement.span), cost);
            }
        }
        report.findings.extend(findings);
        let statements = script
            .statements
            .iter()
            .zip(records)
            .filter(|(statement, _)| !matches!(statement.body, Body::MetaCommand { .. }))
            .map(|(statement, record)| statement_report(&migration.text, &lines, statement, record))
            .collect();
        report.files.push(FileReport {
            path: migration.path.clone(),
            direction: migration.direction,
            statements,
        });
    }
    report
}

fn statement_report(text: &str, lines: &LineIndex, statement: &Statement, record: Record) -> StatementReport {
    StatementReport {
        location: lines.location(text, statement.span),
        kind: match statement.body {
            // What it begins with is the best name for what can't be read.
            Body::NotUnderstood => {
                let first: Vec<&str> = statement.span.of(text).split_whitespace().take(2).collect();
                first.join(" ").chars().take(40).collect::<String>().to_uppercase()
            }
            _ => statement.kind_name(),
        },
        understood: statement.understood(),
        in_transaction: record.in_transaction,
        effects: record.effects,
        cost: record.cost,
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

/// In which order findings of a file are told.
fn order(finding: &Finding) -> (Option<Location>, &str, &str) {
    (finding.span, &finding.code, &finding.message)
}

/// The suppression that holds a finding back; all that do are marked as used.
fn hold_back<'a>(
    suppressions: &'a [Suppression],
    used: &mut [Vec<bool>],
    code: &str,
    category: Option<Category>,
    span: Span,
) -> Option<&'a Suppression> {
    let mut held = None;
    for (suppression, used) in suppressions.iter().zip(used) {
        let covers = suppression.covers.is_some_and(|covered| {
            covered.start <= span.start && span.start < covered.end.max(covered.start + 1)
        });
        if !covers {
            continue;
        }
        for ((name, _), used) in suppression.codes.iter().zip(used) {
            let names =
                name == code || name == "all" || category.is_some_and(|category| name == category.as_str());
            if names {
                *used = true;
                held = held.or(Some(suppression));
            }
        }
    }
    held
}

fn suppression_findings(
    suppressions: &[Suppression],
    used: &[Vec<bool>],
    custom: &[CustomRule],
) -> Vec<(&'static str, Said)> {
    let mut found = Vec::new();
    let mut say = |code: &'static str, span: Span, message: String, help: Option<String>| {
        found.push((code, Said { span, migration: None, message, help, fix: None }));
    };
    for (suppression, used) in suppressions.iter().zip(used) {
        if let Some(problem) = &suppression.malformed {
            say(
                "suppression_unused",
                suppression.span,
                format!("this suppression does nothing: {problem}"),
                None,
            );
            continue;
        }
        if suppression.foreign {
            continue;
        }
        for ((code, span), used) in suppression.codes.iter().zip(used) {
            if *used {
                continue;
            }
            let own = custom.iter().any(|custom| custom.definition.code == *code);
            if own || super::rules::rule(code).is_some() || code.parse::<Category>().is_ok() || code == "all"
            {
                say(
                    "suppression_unused",
                    *span,
                    format!("nothing here gives `{code}`, so this suppression does nothing"),
                    Some(
                        "Remove it, or move it onto the line of the statement that it is meant for."
                            .to_owned(),
                    ),
                );
            } else {
                let near = nearest(code);
                let message = match near {
                    Some(near) => format!("there is no code `{code}`; did you mean `{near}`?"),
                    None => format!("there is no code `{code}`; `rollsafe rules` lists them"),
                };
                say("suppression_unused", *span, message, None);
            }
        }
        if suppression.reason.is_none() {
            say(
                "suppression_without_reason",
                suppression.span,
                "this suppression gives no reason, so nobody can tell later whether it still holds"
                    .to_owned(),
                Some("-- rollsafe: ignore CODE -- why it is fine here".to_owned()),
            );
        }
    }
    found
}

/// The code most like `word`, if one is near enough to be meant.
pub fn nearest(word: &str) -> Option<&'static str> {
    RULES
        .iter()
        .map(|rule| (strsim::jaro_winkler(rule.code, word), rule.code))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, code)| code)
}
