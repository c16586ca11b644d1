//! A run through all migrations, in the order in which they run: what is judged, what is replayed, and what is kept.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::report::{self, LintReport, StatementReport};
use super::{ActiveRule, LintOptions};
use crate::finding::Finding;
use crate::migration::catalog::Catalog;
use crate::migration::custom::CustomRule;
use crate::migration::live;
use crate::migration::migration::{Direction, Migration};
use crate::migration::parse::Script;
use crate::migration::project::runners::runner;
use crate::migration::rules::{
    Change, Check, DownMigration, JudgedMigration, RELEASE, Record, ReversalContext, RunContext, Said, Sink,
    Version, schema_drift,
};
use crate::migration::statement::{Body, Statement};
use crate::migration::suppress::{self, Suppression};
use crate::migration::walk::{Walk, Walked};
use crate::pages;
use crate::source::{LineIndex, Span};

/// What rules say, each with the rule's code, by the place of the migration. For each of them a list of its own: whoever
/// makes findings of it gives its memory back one by one.
#[derive(Default)]
pub(super) struct Told(FxHashMap<usize, Vec<(&'static str, Said)>>);

impl Told {
    /// Takes what is said of the migration at `index`.
    pub fn take(&mut self, index: usize) -> Vec<(&'static str, Said)> {
        self.0.remove(&index).unwrap_or_default()
    }

    /// How much is said in all.
    pub fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// All that is said at once, with room for these and no more.
    fn of(&mut self, index: usize, mut said: Vec<(&'static str, Said)>) {
        match self.0.get_mut(&index) {
            _ if said.is_empty() => {}
            Some(more) => more.append(&mut said),
            None => {
                said.shrink_to_fit();
                self.0.insert(index, said);
            }
        }
    }

    fn extend(&mut self, many: impl IntoIterator<Item = (usize, &'static str, Said)>) {
        many.into_iter().for_each(|(index, code, one)| self.0.entry(index).or_default().push((code, one)));
    }
}

/// What is walked through together: a migration and what undoes it; or a way back that undoes none of them.
pub(super) struct Step {
    pub up: Option<usize>,
    pub downs: Vec<usize>,
}

/// The scripts of a step: of its migration, and of its ways back as far as they are wanted.
#[derive(Default)]
pub(super) struct Scripts {
    pub up: Script,
    pub downs: Vec<Script>,
}

/// Which migrations are judged, and which have run.
struct Standing<'a> {
    migrations: &'a [Migration],
    /// With a live database, for each migration whether it has run there; else empty.
    ran: Vec<bool>,
}

impl Standing<'_> {
    fn has_run(&self, index: usize) -> bool {
        self.ran.get(index).copied().unwrap_or(false)
    }

    fn is_judged(&self, index: usize) -> bool {
        let migration = &self.migrations[index]; // indexes of this very slice
        migration.judged && (!self.has_run(index) || live::was_edited(migration))
    }
}

/// A migration that has been judged, without what nobody will ask of it any more.
pub(super) struct Settled {
    pub index: usize,
    /// The statements as the report has them.
    pub told: Vec<StatementReport>,
    /// The first statement.
    first: Span,
    /// Kept for rules over the run; else empty, and so are the records.
    statements: Vec<Statement>,
    records: Vec<Record>,
    pub suppressions: Vec<Suppression>,
    pub lines: LineIndex,
}

/// The state of a run through all migrations.
pub(super) struct Run<'a> {
    migrations: &'a [Migration],
    rules: &'a [ActiveRule],
    options: &'a LintOptions,
    standing: Standing<'a>,
    pub walk: Walk<'a>,
    pub catalog: Catalog,
    arrived: Arrived,
    /// Few enough are judged to go out together.
    is_release: bool,
    downs_are_usual: bool,
    judged: Vec<Settled>,
    said: Told,
    /// What would have been said, were the relations not known to be small.
    small: Told,
    /// Baselines that the migrations beside them make unnecessary.
    spared: Vec<usize>,
    /// How many have been replayed.
    pub history: usize,
    /// What is advised so far.
    helps: FxHashSet<Arc<str>>,
}

/// Baselines that aren't walked through: a database runs the newest one or the versions up to it, never both. As long as
/// any of these versions is there, they are the history.
fn spared(migrations: &[Migration]) -> Vec<usize> {
    let is = |direction: Direction| move |one: &Migration| one.direction == direction;
    let Some(newest) = migrations.iter().rposition(is(Direction::Baseline)) else { return Vec::new() };
    let baseline = &migrations[newest]; // a position in them
    let key = |one: &Migration| match one.run.runner.and_then(runner) {
        Some(runner) => runner.order.key(&one.version).into_owned(),
        None => one.version.clone(),
    };
    let (before, behind) = migrations.split_at(newest);
    let is_up = is(Direction::Up);
    let has_versions = before.iter().any(is_up)
        || behind.iter().filter(|one| is_up(one)).take(1).any(|one| key(one) == key(baseline));
    let mut baselines: Vec<usize> =
        (0..=newest).filter(|&at| migrations[at].direction == Direction::Baseline).collect(); // within: up to a position
    if !has_versions {
        baselines.pop();
    }
    baselines
}

impl<'a> Run<'a> {
    /// `ran`: with a live database, for each migration whether it has run there; else empty.
    pub fn new(
        migrations: &'a [Migration],
        options: &'a LintOptions,
        rules: &'a [ActiveRule],
        custom: &'a [CustomRule],
        catalog: Catalog,
        ran: Vec<bool>,
    ) -> Self {
        let judged = migrations.iter().filter(|m| m.judged && m.direction != Direction::Down).count();
        Run {
            migrations,
            rules,
            options,
            standing: Standing { migrations, ran },
            walk: Walk::new(migrations, rules, &options.rules)
                .with_custom(custom)
                .over_history(judged > RELEASE),
            catalog,
            arrived: Arrived::default(),
            is_release: judged <= RELEASE,
            downs_are_usual: migrations.iter().any(|m| m.direction == Direction::Down && m.undoes.is_some()),
            judged: Vec::new(),
            said: Told::default(),
            small: Told::default(),
            spared: spared(migrations),
            history: 0,
            helps: FxHashSet::default(),
        }
    }

    /// What there is to walk through, in order: what has run on the live database comes first, as it made what is there.
    pub fn steps(&self) -> Vec<Step> {
        let (migrations, standing) = (self.migrations, &self.standing);
        let mut downs: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut alone = Vec::new();
        for (index, migration) in migrations.iter().enumerate() {
            match (migration.direction, migration.undoes) {
                (Direction::Down, Some(undoes)) => downs.entry(undoes).or_default().push(index),
                (Direction::Down, None) if standing.is_judged(index) => {
                    alone.push(Step { up: None, downs: vec![index] });
                }
                _ => {}
            }
        }
        let mut ups: Vec<usize> = (0..migrations.len())
            .filter(|&index| migrations[index].direction != Direction::Down) // indexes of this very slice
            .collect();
        ups.sort_by_key(|&index| self.options.live.is_some() && !standing.has_run(index));
        let mut steps: Vec<Step> = ups
            .into_iter()
            .map(|up| {
                let mut downs = downs.remove(&up).unwrap_or_default();
                // Of history, only a new way back is looked at.
                downs.retain(|&down| standing.is_judged(up) || standing.is_judged(down));
                Step { up: Some(up), downs }
            })
            .collect();
        steps.append(&mut alone);
        steps
    }

    /// The report; `leave` takes what exists after the last migration, before the report needs memory of its own.
    pub fn finish(mut self, leave: impl FnOnce(Catalog)) -> LintReport {
        self.arrived.at(&mut self.catalog, self.history, self.options);
        self.judged.sort_by_key(|judged| judged.index);
        let said = self.ask_run();
        leave(std::mem::take(&mut self.catalog));
        self.said.extend(said);
        let said = (self.said, self.small);
        let mut report =
            report::report(self.migrations, self.judged, said, self.rules, self.options, self.history);
        report.findings.extend(self.arrived.drift);
        report.notes.extend(self.arrived.note);
        let ups = self.migrations.iter().enumerate().filter(|(_, one)| one.direction != Direction::Down);
        report.applied = ups.filter(|(at, one)| one.judged && !self.standing.is_judged(*at)).count();
        report
    }

    /// Walks through a step; the scripts are those of its migrations.
    pub fn step(&mut self, step: &Step, up: &Script, downs: &[&Script]) {
        let Some(index) = step.up else {
            for (&down, script) in step.downs.iter().zip(downs) {
                self.judge_on(down, script, self.catalog.clone());
            }
            return;
        };
        let migration = &self.migrations[index]; // steps are made of these indexes
        if self.spared.contains(&index) {
            // It runs on an empty database only, in place of what is before it.
            if self.standing.is_judged(index) {
                self.judge_on(index, up, super::first_catalog(self.migrations, self.options));
            }
            return;
        }
        if !self.standing.has_run(index) {
            self.arrived.at(&mut self.catalog, self.history, self.options);
        }
        if !self.standing.is_judged(index) {
            self.history += 1;
            self.walk.replay(index, up, &mut self.catalog);
            for (&down, script) in step.downs.iter().zip(downs) {
                // Only the way back is new: judged on what is there now.
                self.judge_on(down, script, self.catalog.clone());
            }
            return;
        }
        // Only a way back is compared with what was before it.
        let has_down = !step.downs.is_empty();
        let before = if has_down { self.catalog.clone() } else { Catalog::default() };
        let walked = self.walk.judge(index, up, &mut self.catalog);
        let records = self.hear(index, walked);
        // A way back may come in several sections, each a migration of its own.
        let mut after = if has_down { self.catalog.clone() } else { Catalog::default() };
        let mut down_records: Vec<Option<Vec<Record>>> = Vec::new();
        for (&down, script) in step.downs.iter().zip(downs) {
            if self.standing.is_judged(down) {
                let walked = self.walk.judge(down, script, &mut after);
                down_records.push(Some(self.hear(down, walked)));
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
            records: &records,
            down: last.map(|(&down, script)| DownMigration {
                migration: down as u32,
                statements: &script.statements,
                records: down_records.iter().rev().flatten().next().map_or(&[], Vec::as_slice),
                span: Span::new(self.migrations[down].range.start, self.migrations[down].range.end),
                after: &after,
            }),
            // What is run again when it changes, and what stands in for all before it, has no way back.
            downs_are_usual: self.downs_are_usual && migration.direction == Direction::Up,
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
        self.put_away(index, up, records);
    }

    /// Judges a migration on a catalog that the others know nothing of.
    fn judge_on(&mut self, index: usize, script: &Script, mut catalog: Catalog) {
        let walked = self.walk.judge(index, script, &mut catalog);
        let records = self.hear(index, walked);
        self.put_away(index, script, records);
    }

    /// Takes in what was said of a migration; gives what is known of its statements.
    fn hear(&mut self, index: usize, walked: Walked) -> Vec<Record> {
        let helps = &mut self.helps;
        let mut kept = |mut said: Vec<(&'static str, Said)>| {
            for (_, one) in &mut said {
                one.trim();
                // The same advice is given to many, and is half of what is kept of a finding.
                if let Some(help) = &mut one.help {
                    match helps.get(&**help) {
                        Some(known) => *help = known.clone(),
                        None => _ = helps.insert(help.clone()),
                    }
                }
            }
            said
        };
        self.said.of(index, kept(walked.said));
        self.small.of(index, kept(walked.small));
        walked.records
    }

    /// Keeps of a judged migration what the report needs, and what rules over several migrations do.
    fn put_away(&mut self, index: usize, script: &Script, mut records: Vec<Record>) {
        let migration = &self.migrations[index]; // steps are made of these indexes
        let lines = LineIndex::new(&migration.text);
        let spans: Vec<Span> = script.statements.iter().map(|statement| statement.span).collect();
        let is_told = |statement: &Statement| !matches!(statement.body, Body::MetaCommand { .. });
        // Room for these and no more: they are kept to the end.
        let mut told = Vec::with_capacity(script.statements.iter().filter(|one| is_told(one)).count());
        for (statement, record) in script.statements.iter().zip(&mut records).filter(|(one, _)| is_told(one))
        {
            told.push(report::statement_report(&migration.text, &lines, statement, record));
        }
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
                self.options.squawk_comments,
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
                options: &self.options.rules,
            };
            let said = ask(self.rules, &context, index, true);
            self.said.extend(said);
        }
        self.judged.push(settled);
    }

    /// Asks the rules over the whole run.
    fn ask_run(&self) -> Vec<(usize, &'static str, Said)> {
        let shown: Vec<Cow<'_, str>> =
            self.migrations.iter().map(|migration| migration.path.to_string_lossy()).collect();
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
                .enumerate()
                .filter(|(_, (migration, _))| migration.direction == Direction::Up)
                .map(|(index, (migration, shown))| Version {
                    migration: index as u32,
                    version: &migration.version,
                    path: shown,
                    old: migration.change != Some(Change::Added),
                })
                .collect(),
            after: &self.catalog,
            options: &self.options.rules,
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
            was: migration.was.as_deref(),
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
        let facts = pages::facts(schema_drift::RULE.page);
        let severity =
            facts.and_then(|facts| options.severities.of("schema_drift", facts.category, facts.severity));
        if let Some(severity) = severity {
            if history > 0 && catalog.exact() {
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
