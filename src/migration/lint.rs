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
use super::custom::CustomRule;
use super::effects::Effects;
use super::migration::{Direction, Migration};
use super::parse::{self, Script};
use super::rules::{
    Check, DownMigration, JudgedMigration, Mend, RELEASE, RULES, Record, ReversalContext, Rule, RuleOptions,
    RunContext, Said, Sink,
};
use super::statement::{Body, Statement};
use super::suppress::{self, Suppressing, Suppression};
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
    /// What exists before the first migration, where a schema or snapshot told it.
    pub schema: Option<Catalog>,
    /// The project's own rules.
    pub custom: Vec<CustomRule>,
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

/// How much text is read ahead of the judge: enough to keep all cores busy, and little enough for what was read to be
/// still at hand when it is judged.
const WINDOW: usize = 256 * 1024;

/// Lints `migrations`, which are in the order in which they run; down migrations may stand anywhere.
pub fn lint(migrations: &[Migration], options: &LintOptions) -> LintReport {
    let rules = active_rules(options);
    let custom = active_custom(options, &rules);
    let mut run = Run::new(migrations, options, &rules, &custom, first_catalog(migrations, options));
    let steps = steps(migrations);
    let mut rest = &steps[..];
    let mut read = read_window(migrations, &mut rest);
    while !read.is_empty() {
        let mut next = Vec::new();
        // While one window is judged, which takes one thread, the others read the next.
        rayon::in_place_scope(|scope| {
            let (next, rest) = (&mut next, &mut rest);
            scope.spawn(move |_| *next = read_window(migrations, rest));
            for (step, scripts) in read.drain(..) {
                run.step(step, &scripts.up, &scripts.downs.iter().collect::<Vec<_>>());
            }
        });
        read = next;
    }
    run.finish(options).0
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

/// Judges what is to be judged of migrations that have been read, from `start` on (nothing before it is judged);
/// `keep`: the place before which everything is to be kept.
pub(super) fn judge(
    migrations: &[Migration],
    scripts: &[Script],
    options: &LintOptions,
    start: Option<Checkpoint>,
    keep: Option<usize>,
) -> Judged {
    let rules = active_rules(options);
    let custom = active_custom(options, &rules);
    let first = start.as_ref().map_or(0, |start| start.at);
    let catalog = match &start {
        Some(start) => start.catalog.clone(),
        None => first_catalog(migrations, options),
    };
    let mut run = Run::new(migrations, options, &rules, &custom, catalog);
    if let Some(start) = start {
        (run.walk.session, run.walk.run, run.history) = (start.session, start.run, start.history);
    }
    let mut checkpoint = None;
    for step in steps(migrations).iter().filter(|step| step.up.is_none_or(|up| up >= first)) {
        if let Some(at) = keep.filter(|&keep| checkpoint.is_none() && step.up.is_none_or(|up| up >= keep)) {
            checkpoint = Some(Checkpoint {
                at,
                catalog: run.catalog.clone(),
                session: run.walk.session.clone(),
                run: run.walk.run,
                history: run.history,
            });
        }
        let nothing = Script::default();
        let up = step.up.map_or(&nothing, |up| &scripts[up]); // steps are made of these indexes
        let downs: Vec<&Script> = step.downs.iter().map(|&down| &scripts[down]).collect();
        run.step(step, up, &downs);
    }
    let (report, after) = run.finish(options);
    Judged { report, after, checkpoint }
}

fn active_rules(options: &LintOptions) -> Vec<ActiveRule> {
    RULES
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
        .collect()
}

fn active_custom(options: &LintOptions, rules: &[ActiveRule]) -> Vec<CustomRule> {
    options
        .custom
        .iter()
        .filter(|custom| rules.iter().any(|active| std::ptr::eq(active.rule, custom.rule)))
        .cloned()
        .collect()
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

/// What is walked through together: a migration and what undoes it; or a way back that undoes none of them.
struct Step {
    up: Option<usize>,
    downs: Vec<usize>,
}

/// The scripts of a step: of its migration, and of its ways back as far as they are wanted.
#[derive(Default)]
struct Scripts {
    up: Script,
    downs: Vec<Script>,
}

fn steps(migrations: &[Migration]) -> Vec<Step> {
    let mut downs: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut alone = Vec::new();
    for (index, migration) in migrations.iter().enumerate() {
        match (migration.direction, migration.undoes) {
            (Direction::Down, Some(undoes)) => downs.entry(undoes).or_default().push(index),
            (Direction::Down, None) if migration.judged => alone.push(Step { up: None, downs: vec![index] }),
            _ => {}
        }
    }
    let ups = migrations.iter().enumerate().filter(|(_, migration)| migration.direction != Direction::Down);
    let mut steps: Vec<Step> = ups
        .map(|(index, up)| {
            let mut downs = downs.remove(&index).unwrap_or_default();
            // Of history, only a new way back is looked at.
            downs.retain(|&down| up.judged || migrations[down].judged); // indexes of this very slice
            Step { up: Some(index), downs }
        })
        .collect();
    steps.append(&mut alone);
    steps
}

/// Takes steps off the front of `rest` until their texts fill a window, and reads them.
fn read_window<'s>(migrations: &[Migration], rest: &mut &'s [Step]) -> Vec<(&'s Step, Scripts)> {
    let mut size = 0;
    let within = rest
        .iter()
        .take_while(|step| {
            let go_on = size < WINDOW;
            size +=
                step.up.iter().chain(&step.downs).map(|&index| migrations[index].range.len()).sum::<usize>();
            go_on
        })
        .count();
    let (window, behind) = rest.split_at(within);
    *rest = behind;
    let read = |&index: &usize| {
        let migration = &migrations[index]; // steps are made of these indexes
        let range = migration.range.clone();
        if migration.judged {
            parse::parse(&migration.text, range)
        } else {
            parse::parse_history(&migration.text, range)
        }
    };
    window
        .par_iter()
        .map(|step| {
            let up = step.up.as_ref().map(read).unwrap_or_default();
            (step, Scripts { up, downs: step.downs.iter().map(read).collect() })
        })
        .collect()
}

/// A migration that has been judged, without what nobody will ask of it any more.
struct Settled {
    index: usize,
    /// The statements as the report has them.
    told: Vec<StatementReport>,
    /// The first statement.
    first: Span,
    /// Kept for rules over the run; else empty, and so are the records.
    statements: Vec<Statement>,
    records: Vec<Record>,
    suppressions: Vec<Suppression>,
    lines: LineIndex,
}

/// The state of a run through all migrations.
struct Run<'a> {
    migrations: &'a [Migration],
    rules: &'a [ActiveRule],
    options: &'a RuleOptions,
    walk: Walk<'a>,
    catalog: Catalog,
    /// Few enough are judged to go out together.
    is_release: bool,
    downs_are_usual: bool,
    judged: Vec<Settled>,
    said: Vec<(usize, &'static str, Said)>,
    history: usize,
}

impl<'a> Run<'a> {
    fn new(
        migrations: &'a [Migration],
        options: &'a LintOptions,
        rules: &'a [ActiveRule],
        custom: &'a [CustomRule],
        catalog: Catalog,
    ) -> Self {
        let judged = migrations.iter().filter(|m| m.judged && m.direction != Direction::Down).count();
        Run {
            migrations,
            rules,
            options: &options.rules,
            walk: Walk::new(migrations, rules, &options.rules).with_custom(custom),
            catalog,
            is_release: judged <= RELEASE,
            downs_are_usual: migrations.iter().any(|m| m.direction == Direction::Down && m.undoes.is_some()),
            judged: Vec::new(),
            said: Vec::new(),
            history: 0,
        }
    }

    /// The report, and what exists after the last migration.
    fn finish(mut self, options: &LintOptions) -> (LintReport, Catalog) {
        self.judged.sort_by_key(|judged| judged.index);
        let said = self.ask_run();
        self.said.extend(said);
        let report = report(self.migrations, self.judged, self.said, self.rules, options, self.history);
        (report, self.catalog)
    }

    /// Walks through a step; the scripts are those of its migrations.
    fn step(&mut self, step: &Step, up: &Script, downs: &[&Script]) {
        let Some(index) = step.up else {
            for (&down, script) in step.downs.iter().zip(downs) {
                self.judge_on_copy(down, script);
            }
            return;
        };
        let migration = &self.migrations[index]; // steps are made of these indexes
        if !migration.judged {
            self.history += 1;
            self.walk.replay(index, up, &mut self.catalog);
            for (&down, script) in step.downs.iter().zip(downs) {
                // Only the way back is new: judged on what is there now.
                self.judge_on_copy(down, script);
            }
            return;
        }
        // Only a way back is compared with what was before it.
        let has_down = !step.downs.is_empty();
        let before = if has_down { self.catalog.clone() } else { Catalog::default() };
        let walked = self.walk.judge(index, up, &mut self.catalog);
        self.said.extend(walked.said.into_iter().map(|(code, one)| (index, code, one)));
        // A way back may come in several sections, each a migration of its own.
        let mut after = if has_down { self.catalog.clone() } else { Catalog::default() };
        let mut down_records: Vec<Option<Vec<Record>>> = Vec::new();
        for (&down, script) in step.downs.iter().zip(downs) {
            if self.migrations[down].judged {
                let walked = self.walk.judge(down, script, &mut after);
                self.said.extend(walked.said.into_iter().map(|(code, one)| (down, code, one)));
                down_records.push(Some(walked.records));
            } else {
                self.walk.replay(down, script, &mut after);
                down_records.push(None);
            }
        }
        let last = step.downs.last().zip(downs.last());
        let reversal = ReversalContext {
            before: &before,
            between: &self.catalog,
            migration: index as u32,
            statements: &up.statements,
            records: &walked.records,
            down: last.map(|(&down, script)| DownMigration {
                migration: down as u32,
                statements: &script.statements,
                records: down_records.iter().rev().flatten().next().map_or(&[], Vec::as_slice),
                span: Span::new(self.migrations[down].range.start, self.migrations[down].range.end),
                after: &after,
            }),
            downs_are_usual: self.downs_are_usual,
            down_text: last.map_or("", |(&down, _)| &self.migrations[down].text),
            text: &migration.text,
        };
        let mut sink = Sink::default();
        for active in self.rules {
            if let Check::Reversal(check) = active.rule.check {
                check(&reversal, &mut sink);
                self.said.extend(sink.said.drain(..).map(|one| {
                    (one.migration.map_or(index, |migration| migration as usize), active.rule.code, one)
                }));
            }
        }
        for ((&down, script), records) in step.downs.iter().zip(downs).zip(down_records) {
            if let Some(records) = records {
                self.put_away(down, script, records);
            }
        }
        self.put_away(index, up, walked.records);
    }

    /// Judges a way back alone.
    fn judge_on_copy(&mut self, down: usize, script: &Script) {
        let walked = self.walk.judge(down, script, &mut self.catalog.clone());
        self.said.extend(walked.said.into_iter().map(|(code, one)| (down, code, one)));
        self.put_away(down, script, walked.records);
    }

    /// Keeps of a judged migration what the report needs, and what rules over several migrations do.
    fn put_away(&mut self, index: usize, script: &Script, mut records: Vec<Record>) {
        let migration = &self.migrations[index]; // steps are made of these indexes
        let lines = LineIndex::new(&migration.text);
        let spans: Vec<Span> = script.statements.iter().map(|statement| statement.span).collect();
        let told = script
            .statements
            .iter()
            .zip(&mut records)
            .filter(|(statement, _)| !matches!(statement.body, Body::MetaCommand { .. }))
            .map(|(statement, record)| statement_report(&migration.text, &lines, statement, record))
            .collect();
        let keep = self.is_release || migration.run.one_transaction_for_all;
        let mut settled = Settled {
            index,
            told,
            first: spans.first().copied().unwrap_or_default(),
            statements: if keep { script.statements.clone() } else { Vec::new() },
            records: Vec::new(),
            suppressions: suppress::suppressions(
                &migration.text,
                &script.comments,
                &spans,
                migration.range.clone(),
            ),
            lines,
        };
        if keep {
            settled.records = records;
        } else if migration.direction != Direction::Down {
            let path = migration.path.display().to_string();
            let context = RunContext {
                migrations: vec![settled.shown(self.migrations, &path, &script.statements, &records)],
                versions: Vec::new(),
                after: &self.catalog,
                options: self.options,
            };
            let said = ask(self.rules, &context, index, true);
            self.said.extend(said);
        }
        self.judged.push(settled);
    }

    /// Asks the rules over the whole run.
    fn ask_run(&self) -> Vec<(usize, &'static str, Said)> {
        let shown: Vec<String> =
            self.migrations.iter().map(|migration| migration.path.display().to_string()).collect();
        let up = |judged: &&Settled| self.migrations[judged.index].direction != Direction::Down;
        let context = RunContext {
            migrations: self
                .judged
                .iter()
                .filter(up)
                .map(|judged| {
                    let path = &shown[judged.index]; // the index of a judged one of them
                    judged.shown(self.migrations, path, &judged.statements, &judged.records)
                })
                .collect(),
            versions: self
                .migrations
                .iter()
                .zip(&shown)
                .filter(|(migration, _)| migration.direction == Direction::Up)
                .map(|(migration, shown)| {
                    let old = migration.change != Some(super::rules::Change::Added);
                    (migration.version.as_str(), shown.as_str(), old)
                })
                .collect(),
            after: &self.catalog,
            options: self.options,
        };
        let last = self.judged.last().map_or(0, |judged| judged.index);
        let mut said = ask(self.rules, &context, last, false);
        said.extend(ask(self.rules, &context, last, true));
        said
    }
}

impl Settled {
    /// As rules over several migrations see it.
    fn shown<'a>(
        &self,
        migrations: &'a [Migration],
        path: &'a str,
        statements: &'a [Statement],
        records: &'a [Record],
    ) -> JudgedMigration<'a> {
        let migration = &migrations[self.index]; // the index of a judged one of them
        JudgedMigration {
            migration: self.index as u32,
            path,
            text: &migration.text,
            first: self.first,
            statements,
            records,
            run: &migration.run,
            version: &migration.version,
            change: migration.change,
        }
    }
}

/// Asks the rules over the run, or those over what one transaction may span; what isn't said of a migration is said of
/// the one at `index`.
fn ask(
    rules: &[ActiveRule],
    context: &RunContext<'_>,
    index: usize,
    together: bool,
) -> Vec<(usize, &'static str, Said)> {
    let mut said = Vec::new();
    let mut sink = Sink::default();
    for active in rules {
        match active.rule.check {
            Check::Run(check) if !together => check(context, &mut sink),
            Check::Together(check) if together => check(context, &mut sink),
            _ => continue,
        }
        said.extend(
            sink.said.drain(..).map(|one| {
                (one.migration.map_or(index, |migration| migration as usize), active.rule.code, one)
            }),
        );
    }
    said
}

/// What exists after all of `migrations` have run: `--schema`.
pub fn replay(migrations: &[Migration]) -> Catalog {
    let options = RuleOptions::default();
    let mut catalog = Catalog::empty();
    let mut walk = Walk::new(migrations, &[], &options);
    for (index, migration) in migrations.iter().enumerate() {
        let script = parse::parse_history(&migration.text, migration.range.clone());
        walk.replay(index, &script, &mut catalog);
    }
    catalog.leave_sources();
    catalog
}

/// Puts together what was found, suppressions heeded.
fn report(
    migrations: &[Migration],
    judged: Vec<Settled>,
    said: Vec<(usize, &'static str, Said)>,
    rules: &[ActiveRule],
    options: &LintOptions,
    history: usize,
) -> LintReport {
    let mut report = LintReport { history, ..LintReport::default() };
    report.findings.reserve(said.len());
    let mut by_migration: HashMap<usize, Vec<(&'static str, Said)>> = HashMap::new();
    for (index, code, one) in said {
        by_migration.entry(index).or_default().push((code, one));
    }
    let active: HashMap<&str, &ActiveRule> = rules.iter().map(|active| (active.rule.code, active)).collect();
    for settled in judged {
        let migration = &migrations[settled.index]; // the index of a judged one of them
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
                path: Some(migration.path.clone()),
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
        for (code, one) in by_migration.remove(&settled.index).unwrap_or_default() {
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
        findings.extend(
            suppressing.findings(&options.custom).into_iter().filter_map(|(code, one)| told(code, one)),
        );
        held.sort_by(|a, b| order(&a.finding).cmp(&order(&b.finding)));
        held.dedup_by(|a, b| a.finding == b.finding);
        report.suppressed.extend(held);
        findings.sort_by(|a, b| order(a).cmp(&order(b)));
        findings.dedup();
        report.findings.extend(findings);
        report.files.push(FileReport {
            path: migration.path.clone(),
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
fn statement_report(
    text: &str,
    lines: &LineIndex,
    statement: &Statement,
    record: &mut Record,
) -> StatementReport {
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
        effects: std::mem::take(&mut record.effects),
    }
}
