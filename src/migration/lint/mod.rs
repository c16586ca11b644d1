//! The engine: walks migrations in order, replays history, and judges what is to be judged.

mod ahead;
mod report;
mod run;
mod severities;

use std::borrow::Cow;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::catalog::{Catalog, QName};
use super::custom::CustomRule;
use super::live::{self, Live};
use super::migration::{Direction, Migration};
use super::parse::{self, Script};
use super::rules::{RULES, Rule, RuleOptions};
use super::session::Session;
use super::walk::Walk;
use crate::finding::{Category, Severity};
use crate::pages;

pub use report::{FileReport, LintReport, StatementReport, Unfixed};
pub use severities::Severities;

use run::Run;

/// What to lint with.
#[derive(Clone, Debug, Default)]
pub struct LintOptions {
    /// Settings of the rules.
    pub rules: RuleOptions,
    /// Severities after configuration.
    pub severities: Severities,
    /// What exists before the first migration, where a schema told it.
    pub schema: Option<Catalog>,
    /// Relations that migrations of other folders make: that this folder's don't proves nothing.
    pub elsewhere: Arc<FxHashSet<QName>>,
    /// The project's own rules.
    pub custom: Vec<CustomRule>,
    /// Comments that suppress squawk's findings suppress ours.
    pub squawk_comments: bool,
    /// The database that the migrations are for, where a snapshot tells of it: what has run there is history, what
    /// hasn't is judged on what is there.
    pub live: Option<Arc<Live>>,
}

/// Lints `migrations`, which are in the order in which they run; down migrations may stand anywhere.
pub fn lint(migrations: &[Migration], options: &LintOptions) -> LintReport {
    let rules = active_rules(options);
    let custom = active_custom(options, &rules);
    let start = first_catalog(migrations, options);
    let ran = match &options.live {
        Some(live) => {
            let read = |migration: &Migration| parse::parse_history(&migration.text, migration.range.clone());
            live::applied(
                migrations,
                |index| Cow::Owned(read(&migrations[index])),
                &start,
                live,
                &options.rules,
            )
        }
        None => vec![],
    };
    let mut run = Run::new(migrations, options, &rules, &custom, start, ran);
    let steps = run.steps();
    ahead::read(migrations, &steps, |step, scripts| {
        run.step(step, &scripts.up, &scripts.downs.iter().collect::<Vec<_>>());
    });
    // A catalog of thousands of relations takes a while to give back, and nobody waits for that.
    run.finish(|catalog| rayon::spawn(move || drop(catalog)))
}

/// What stands before a migration: kept, so that history needn't be replayed to judge it again.
#[derive(Clone, Debug)]
pub(super) struct Checkpoint {
    /// The migration, by its place in the order.
    pub at: usize,
    pub catalog: Catalog,
    session: Session,
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
    let ran = match &options.live {
        Some(live) => live::applied(
            migrations,
            |index| Cow::Borrowed(&scripts[index]), // as many as migrations
            &catalog,
            live,
            &options.rules,
        ),
        None => vec![],
    };
    let mut run = Run::new(migrations, options, &rules, &custom, catalog, ran);
    if let Some(start) = start {
        (run.walk.session, run.walk.run, run.history) = (start.session, start.run, start.history);
    }
    // With a live database the order isn't that of the places, and what is before one depends on what has run.
    let keep = keep.filter(|_| options.live.is_none());
    let mut checkpoint = None;
    for step in run.steps().iter().filter(|step| step.up.is_none_or(|up| up >= first)) {
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
    let mut after = Catalog::default();
    let report = run.finish(|catalog| after = catalog);
    Judged { report, after, checkpoint }
}

/// A rule with the facts of its page.
pub(super) struct ActiveRule {
    pub rule: &'static Rule,
    pub category: Category,
    pub default: Option<Severity>,
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
    let mut catalog = match &options.schema {
        Some(schema) => schema.clone(),
        // One migration alone says nothing of what was there before it.
        None if migrations.iter().filter(|m| m.direction != Direction::Down).count() < 2 => {
            Catalog::unknown()
        }
        None => Catalog::empty(),
    };
    catalog.set_elsewhere(options.elsewhere.clone());
    catalog
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
