//! The walk through one migration: statement by statement, with session, catalog, effects and rules.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::catalog::{Born, Catalog, QName, RelationKind, Unnamed};
use super::cost::Cost;
use super::custom::{CustomRule, Noted, Surrounds};
use super::effects::{self, Effects};
use super::lint::ActiveRule;
use super::lock_mode::LockMode;
use super::migration::{Direction, Migration};
use super::parse::{self, Script};
use super::returns::Returns;
use super::rules::standstill::ends_waiting;
use super::rules::{
    Check, Kept, KeptOfAll, MigrationContext, Record, RuleOptions, Said, Sink, SlowUnderLock,
    StatementContext,
};
use super::session::{HeldLock, Opened, Session, Timeout};
use super::statement::{
    ActionKind, Body, Call, ConstraintKind, CreateRoutine, Inner, Name, Problem, Query, Routine, Statement,
    TransactionControl,
};
use crate::source::Span;

/// How deep called functions are followed.
const MAX_CALLS: u32 = 8;

/// How many statements inside routines are followed from one statement: functions that call each other many times
/// over would take forever.
const MAX_INNER: u32 = 20_000;

/// What judging one migration gave.
#[derive(Default)]
pub(super) struct Walked {
    pub records: Vec<Record>,
    pub said: Vec<(&'static str, Said)>,
    /// What would have been said, were the relations not known to be small.
    pub small: Vec<(&'static str, Said)>,
}

/// What walks share.
pub(super) struct Walk<'a> {
    migrations: &'a [Migration],
    rules: &'a [ActiveRule],
    options: &'a RuleOptions,
    custom: &'a [CustomRule],
    /// More is judged than a release: each judged migration was a run of its own.
    is_history: bool,
    /// The run of all pending migrations that is under way, in one transaction as far as nobody ended it; whether
    /// its migrations are judged. What has run before is another run.
    pub run: Option<bool>,
    /// As it is before the next migration.
    pub session: Session,
    /// Bodies of routines of earlier migrations that were read when something called them, by migration and place.
    read_late: FxHashMap<(u32, Span), Arc<Routine>>,
    /// The routines that are being followed, outermost first: none is followed into itself.
    calling: Vec<(u32, Span)>,
    /// How many more statements inside routines the statement at hand may have followed.
    budget: u32,
    /// What the statement at hand did inside itself that isn't all known.
    unnamed: Unnamed,
    /// The names of relations there that are known only at run time: nothing later can mean any by them.
    nameless: Vec<QName>,
    /// Of those, what it made.
    nameless_made: Vec<QName>,
}

/// What is met on following what a statement runs inside itself.
enum Met<'r> {
    Statement(&'r Inner),
    /// Something that isn't followed: where, and what is said of it, behind the name of what it stands in.
    Unread(Span, &'static str),
    /// A part that can't be read.
    Problem(&'r Problem),
}

/// What follows what a statement runs inside itself.
type Visit<'v, 'a> = &'v mut dyn FnMut(&mut Walk<'a>, Met<'_>, &mut Catalog, &InnerSource);

impl<'a> Walk<'a> {
    pub fn new(migrations: &'a [Migration], rules: &'a [ActiveRule], options: &'a RuleOptions) -> Self {
        Walk {
            migrations,
            rules,
            options,
            custom: &[],
            session: Session::default(),
            is_history: false,
            run: None,
            read_late: FxHashMap::default(),
            calling: Vec::new(),
            budget: 0,
            unnamed: Unnamed::default(),
            nameless: Vec::new(),
            nameless_made: Vec::new(),
        }
    }

    /// Whether what is judged is a history, see [`super::rules::RELEASE`].
    pub fn over_history(mut self, is_history: bool) -> Self {
        self.is_history = is_history;
        self
    }

    /// Asks a project's own rules too.
    pub fn with_custom(mut self, custom: &'a [CustomRule]) -> Self {
        self.custom = custom;
        self
    }

    /// What surrounds a statement of a migration, for a project's own rules.
    fn surrounds<'m>(
        &self,
        migration: &'m Migration,
        path: &'m str,
        text: &'m str,
        session: &Session,
    ) -> Surrounds<'m> {
        Surrounds {
            path,
            direction: migration.direction,
            run: &migration.run,
            postgres_version: self.options.version,
            in_transaction: session.in_transaction(),
            text,
        }
    }

    /// Whether the tool's transaction is around the pending migrations before and after this one too. Of a history that is
    /// judged each was a run of its own: what is years apart was never one transaction.
    fn is_around_all(&self, migration: &Migration) -> bool {
        migration.run.one_transaction_for_all
            && migration.direction != Direction::Down
            && !(self.is_history && migration.judged)
    }

    /// A session for the next migration: settings don't carry over, as one tool's connection may be another's;
    /// the numbering of transactions does, and so does a transaction around all pending migrations.
    fn open(&mut self, migration: &Migration, script: &Script) -> Units {
        let around_all = self.is_around_all(migration);
        let exits = migration.exits.is_some_and(|exits| script.statements.iter().any(exits));
        let units = Units::of(migration, script);
        // A COMMIT inside one of them ends the transaction for all that follow.
        if around_all && !exits && self.run == Some(migration.judged) {
            return units;
        }
        self.run = (around_all && !exits).then_some(migration.judged);
        let used = self.session.highest();
        self.session = Session::default();
        self.session.skip_to(used);
        self.session.transaction = used + 1;
        let unknown = !migration.runner_known || migration.either && script.statements.len() > 1;
        self.session.set_unknown_runner(unknown);
        if (migration.run.runner_transaction || migration.run.one_transaction_for_all) && !exits {
            self.session.begin(Opened::Runner);
        }
        units
    }

    /// A way back is another run than the one that is under way: what to come back to behind it.
    fn set_aside(&self, migration: &Migration) -> Option<(Session, Option<bool>)> {
        (migration.direction == Direction::Down).then(|| (self.session.clone(), self.run))
    }

    /// Behind a way back.
    fn resume(&mut self, aside: Option<(Session, Option<bool>)>) {
        let Some((session, run)) = aside else { return };
        let used = self.session.highest();
        self.session = session;
        self.session.skip_to(used);
        self.run = run;
    }

    /// Before the statement at `place`: a query string of several statements is a transaction of its own, and
    /// some tools send some statements alone.
    fn enter(&mut self, migration: &Migration, statement: &Statement, place: usize, units: &Units) {
        if migration.alone.is_some_and(|alone| alone(statement))
            && self.session.opened() == Some(Opened::Runner)
        {
            self.session.end(true);
        }
        if self.session.opened().is_none() && units.is_shared(place) {
            self.session.begin(Opened::Implicit);
        }
    }

    /// After it.
    fn leave(&mut self, migration: &Migration, statement: &Statement, place: usize, units: &Units) {
        if units.ends(place) && self.session.opened() == Some(Opened::Implicit) {
            self.session.end(true);
        }
        if migration.alone.is_some_and(|alone| alone(statement)) && self.session.opened().is_none() {
            self.session.end_statement();
            self.session.begin(Opened::Runner);
            return;
        }
        self.session.end_statement();
    }

    fn close(&mut self, migration: &Migration) {
        let around_all = self.is_around_all(migration);
        if self.session.opened().is_some() && !around_all {
            self.session.end(true);
        }
    }

    /// History: only the catalog learns from it.
    pub fn replay(&mut self, index: usize, script: &Script, catalog: &mut Catalog) {
        let migration = &self.migrations[index]; // the caller enumerates them
        catalog.set_migration(index as u32);
        let aside = self.set_aside(migration);
        let units = self.open(migration, script);
        let mut returns = Returns::of(script);
        for (place, statement) in script.statements.iter().enumerate() {
            self.enter(migration, statement, place, &units);
            self.run_inner(statement, catalog, index, &mut |walk, met, catalog, source| match met {
                Met::Statement(inner) => walk.after_inner(inner, source, catalog, Born::Before),
                Met::Unread(..) | Met::Problem(_) => walk.unnamed.anything = true,
            });
            self.advance(
                statement,
                &migration.text,
                catalog,
                Born::Before,
                &mut returns,
                migration.run.export.is_some(),
            );
            self.leave(migration, statement, place, &units);
        }
        self.close(migration);
        self.resume(aside);
    }

    /// Judges one migration; the catalog is changed as the migration changes the database.
    pub fn judge(&mut self, index: usize, script: &Script, catalog: &mut Catalog) -> Walked {
        let migration = &self.migrations[index]; // the caller enumerates them
        catalog.set_migration(index as u32);
        let aside = self.set_aside(migration);
        let units = self.open(migration, script);
        let mut walked = Walked { records: Vec::with_capacity(script.statements.len()), ..Walked::default() };
        let mut returns = Returns::of(script);
        let rolls_back = returns.rolls_back();
        let mut slow_in = None;
        let kept_of_all = KeptOfAll::default();
        let path =
            if self.custom.is_empty() { String::new() } else { crate::place::slashed(&migration.path) };
        for (place, statement) in script.statements.iter().enumerate() {
            self.enter(migration, statement, place, &units);
            problems(statement, &migration.run, migration.runner_known, &mut walked.said);
            let mut effects = effects::compute(statement, catalog, &self.session, self.options.version);
            let inside =
                self.judge_inner(script, catalog, index, place, rolls_back, &kept_of_all, &mut walked);
            for inner in inside.effects {
                effects.locks.extend(inner.locks);
                effects.rewrites.extend(inner.rewrites);
                effects.scans.extend(inner.scans);
                effects.index_builds.extend(inner.index_builds);
                effects.destroys.extend(inner.destroys);
                effects.reversible &= inner.reversible;
                effects.nameless |= inner.nameless;
            }
            let born = self.born(index);
            let context = StatementContext {
                statement,
                effects: &effects,
                before: catalog,
                session: &self.session,
                text: &migration.text,
                migration: index as u32,
                index: place,
                statements: &script.statements,
                inner: None,
                run: &migration.run,
                shares_query: units.is_shared(place),
                options: self.options,
                rolls_back,
                kept: Kept::default(),
                kept_of_all: &kept_of_all,
            };
            // What a block does is judged at the statements inside it.
            if !runs_others(statement) {
                ask(self.rules, &context, &mut walked.said, &mut walked.small);
            }
            let strong: Vec<_> =
                context.strong_locks().map(|lock| (lock.relation.clone(), lock.mode)).collect();
            let held = &self.session.held;
            let awaited = strong
                .iter()
                .filter(|(relation, mode)| held.mode_on(relation).is_none_or(|held| held < *mode))
                .cloned()
                .collect();
            // Told once for a transaction.
            let told = slow_in == Some(self.session.transaction);
            let cost = Cost::of(&effects, &strong, catalog, self.options);
            let slow = SlowUnderLock::of(&context, told);
            if slow.is_some() {
                slow_in = Some(self.session.transaction);
            }
            let record = Record {
                index: place,
                span: statement.span,
                in_transaction: self.session.in_transaction(),
                transaction: self.session.transaction,
                lock_timeout: inside.lock_timeout.unwrap_or_else(|| self.session.lock_timeout()),
                statement_timeout: self.session.statement_timeout(),
                cost,
                slow,
                awaited,
                strong,
                effects,
            };
            hold(&mut self.session, &record.effects, place, index as u32);
            let noted = (!self.custom.is_empty()).then(|| {
                // What a block does is judged at the statements inside it.
                let effects =
                    if runs_others(statement) { Effects::default() } else { record.effects.clone() };
                let noted = Noted::before(statement, &effects, catalog, &self.session);
                (noted, effects, self.session.clone())
            });
            self.advance(
                statement,
                &migration.text,
                catalog,
                born,
                &mut returns,
                migration.run.export.is_some(),
            );
            if let Some((noted, effects, session)) = noted {
                let surrounds = self.surrounds(migration, &path, &migration.text, &session);
                walked.said.extend(noted.judge(self.custom, statement, &effects, catalog, &surrounds));
            }
            self.leave(migration, statement, place, &units);
            walked.records.push(record);
        }
        let context = MigrationContext {
            statements: &script.statements,
            records: &walked.records,
            after: catalog,
            session: &self.session,
            text: &migration.text,
            migration: index as u32,
            run: &migration.run,
            options: self.options,
        };
        for active in self.rules {
            if let Check::Migration(check) = active.rule.check {
                let mut sink = Sink::default();
                check(&context, &mut sink);
                walked.said.extend(sink.said.into_iter().map(|one| (active.rule.code, one)));
            }
        }
        self.close(migration);
        self.resume(aside);
        walked
    }

    fn born(&self, index: usize) -> Born {
        Born::Here { migration: index as u32, transaction: self.session.transaction, maybe_old: false }
    }

    /// Judges the statements that a DO block or a called function runs, on a catalog that evolves with them;
    /// gives their effects in order. The catalog is left as it is after them.
    #[allow(clippy::too_many_arguments)]
    fn judge_inner(
        &mut self,
        script: &Script,
        catalog: &mut Catalog,
        index: usize,
        place: usize,
        rolls_back: bool,
        kept_of_all: &KeptOfAll,
        walked: &mut Walked,
    ) -> Inside {
        let Walked { said, small, .. } = walked;
        let mut inside = Inside::default();
        let (rules, options) = (self.rules, self.options);
        let migrations = self.migrations;
        let statement = &script.statements[place]; // the caller enumerates them
        self.run_inner(statement, catalog, index, &mut |walk, met, catalog, source| {
            let text = &*migrations[source.migration].text; // a migration of this project
            let mut here = Vec::new();
            let inner = match met {
                Met::Statement(inner) => inner,
                Met::Unread(span, what) => {
                    walk.unnamed.anything = true;
                    let name = if source.called { &source.name } else { "this DO block" };
                    let mut one = Said::new(span, format!("{name} {what}"));
                    one.help("Write the statement out, or check it by hand and say so: -- rollsafe: ignore dynamic_sql_not_checked -- …");
                    here.push(("dynamic_sql_not_checked", one));
                    source.place(&mut here, index, statement);
                    return said.extend(here);
                }
                Met::Problem(problem) => {
                    walk.unnamed.anything = true;
                    let name = if source.called { &source.name } else { "this DO block" };
                    let message =
                        format!("a part of {name} could not be read, so it was not checked: {}", problem.message);
                    here.push(("statement_not_understood", Said::new(problem.span, message)));
                    source.place(&mut here, index, statement);
                    return said.extend(here);
                }
            };
            let session = &walk.session;
            let mut effects = effects::compute(&inner.statement, catalog, session, options.version);
            effects.nameless = inner.partial;
            let context = StatementContext {
                statement: &inner.statement,
                effects: &effects,
                before: catalog,
                session,
                text,
                migration: index as u32,
                index: place,
                statements: &script.statements,
                inner: Some(inner),
                run: &migrations[index].run,
                shares_query: false,
                options,
                rolls_back,
                kept: Kept::default(),
                kept_of_all,
            };
            ask(rules, &context, &mut here, small);
            if context.strong_locks().next().is_some() {
                inside.waits(session.lock_timeout(), options);
            }
            if inner.partial {
                here.iter_mut().for_each(|(code, one)| at_run_time(code, one));
            }
            for (_, one) in here.iter_mut().filter(|_| source.called) {
                one.message = format!("in {}: {}", source.name, one.message);
            }
            source.place(&mut here, index, statement);
            said.extend(here);
            let noted = (!walk.custom.is_empty())
                .then(|| (Noted::before(&inner.statement, &effects, catalog, session), session.clone()));
            let born = Born::Here {
                migration: index as u32,
                transaction: walk.session.transaction,
                maybe_old: inner.conditional,
            };
            walk.after_inner(inner, source, catalog, born);
            if let Some((noted, session)) = noted {
                let migration = &migrations[index]; // the caller enumerates them
                let path = crate::place::slashed(&migration.path);
                let surrounds = walk.surrounds(migration, &path, text, &session);
                let mut here = noted.judge(walk.custom, &inner.statement, &effects, catalog, &surrounds);
                source.place(&mut here, index, statement);
                said.extend(here);
            }
            // Nobody else sees a table that the block itself made, whatever it is called.
            let made = |relation: &QName| walk.nameless_made.contains(relation);
            effects.locks.retain(|lock| !made(&lock.relation));
            effects.rewrites.retain(|rewrite| !made(&rewrite.relation));
            effects.scans.retain(|scan| !made(&scan.relation));
            effects.index_builds.retain(|build| !made(&build.relation));
            inside.effects.push(effects);
        });
        if self.budget == 0 {
            let message = format!(
                "this runs more than {MAX_INNER} statements inside functions that call each other; the rest was not checked"
            );
            said.push(("dynamic_sql_not_checked", Said::new(statement.span, message)));
        }
        inside
    }

    /// Calls `visit` for all that `statement`, one of the migration's own, runs inside itself.
    fn run_inner(
        &mut self,
        statement: &Statement,
        catalog: &mut Catalog,
        index: usize,
        visit: Visit<'_, 'a>,
    ) {
        self.budget = MAX_INNER;
        // Most statements run no other.
        if calls(statement).is_empty() && !matches!(statement.body, Body::Do(_)) {
            return;
        }
        self.session.enter_block();
        let source = InnerSource { migration: index, called: false, name: "a DO block".to_owned() };
        self.run_inner_of(statement, catalog, &source, visit);
        self.session.leave_block();
        for named in std::mem::take(&mut self.nameless) {
            catalog.forget(&named);
        }
        self.nameless_made.clear();
        catalog.add_unnamed(std::mem::take(&mut self.unnamed));
        if self.budget == 0 {
            catalog.set_incomplete();
        }
    }

    /// `source`: where the statement stands.
    fn run_inner_of(
        &mut self,
        statement: &Statement,
        catalog: &mut Catalog,
        source: &InnerSource,
        visit: Visit<'_, 'a>,
    ) {
        if let Body::Do(block) = &statement.body {
            let place = (source.migration as u32, statement.span);
            match &block.routine {
                Some(routine) => self.run_routine(routine, place, catalog, source, visit),
                None => {
                    let what = "is in another language than PL/pgSQL, which can't be checked here";
                    visit(self, Met::Unread(statement.span, what), catalog, source);
                }
            }
        }
        for call in calls(statement) {
            let name = catalog.resolve_function(&call.name, &self.session.search_path);
            let mut fitting = catalog
                .functions(&name)
                .iter()
                .filter(|function| function.definition.arguments.len() >= call.arguments);
            // Which overload is called isn't known: with several, none is followed.
            let (Some(function), None) = (fitting.next(), fitting.next()) else {
                self.unnamed.parts |= may_change_tables(statement, call, catalog, &self.session);
                continue;
            };
            let (definition, migration) = (function.definition.clone(), function.migration);
            let place = (migration, definition.source.unwrap_or(definition.name.span()));
            if self.calling.contains(&place) {
                continue;
            }
            let late = self.read_late(&definition, migration);
            let Some(routine) = late.as_deref().or(definition.body.as_deref()) else { continue };
            let source =
                InnerSource { migration: migration as usize, called: true, name: format!("{name}()") };
            self.run_routine(routine, place, catalog, &source, visit);
        }
    }

    /// The body of a routine that was left unread when its migration was read as history.
    fn read_late(&mut self, definition: &CreateRoutine, migration: u32) -> Option<Arc<Routine>> {
        let source = definition.source.filter(|_| definition.unread)?;
        let text = &self.migrations.get(migration as usize)?.text;
        let read = self.read_late.entry((migration, source));
        Some(read.or_insert_with(|| Arc::new(parse::routine(text, source, &definition.parameters))).clone())
    }

    /// `place`: which routine it is.
    fn run_routine(
        &mut self,
        routine: &Routine,
        place: (u32, Span),
        catalog: &mut Catalog,
        source: &InnerSource,
        visit: Visit<'_, 'a>,
    ) {
        if self.calling.len() >= MAX_CALLS as usize {
            let what = "runs inside too many others to be followed, so it was not checked";
            return visit(self, Met::Unread(place.1, what), catalog, source);
        }
        for &span in &routine.dynamic {
            let what = "builds SQL at run time, which can't be checked here";
            visit(self, Met::Unread(span, what), catalog, source);
        }
        for problem in &routine.problems {
            visit(self, Met::Problem(problem), catalog, source);
        }
        self.calling.push(place);
        for inner in &routine.statements {
            if self.budget == 0 {
                break;
            }
            self.budget -= 1;
            self.run_inner_of(&inner.statement, catalog, source, visit);
            visit(self, Met::Statement(inner), catalog, source);
        }
        self.calling.pop();
    }

    /// The session and the catalog after a statement inside a routine.
    fn after_inner(&mut self, inner: &Inner, source: &InnerSource, catalog: &mut Catalog, born: Born) {
        let text = &self.migrations[source.migration].text; // a migration of this project
        catalog.apply(&inner.statement, text, &self.session, born);
        self.set(&inner.statement, text);
        if inner.partial {
            self.unnamed.add(unnamed_by(&inner.statement.body));
            let body = &inner.statement.body;
            let resolved = |name: &Name| catalog.resolve(name, &self.session.search_path);
            let named = named_in(body).into_iter().map(resolved).filter(QName::is_put_in);
            self.nameless.extend(named);
            self.nameless_made.extend(made_by(body).map(resolved).filter(QName::is_put_in));
        }
    }

    /// What a statement sets in the session: SET, RESET, `SELECT set_config(…)`.
    fn set(&mut self, statement: &Statement, text: &str) {
        match &statement.body {
            Body::Set(set) => self.session.set(set),
            Body::Discard { all: true } => self.session.set(&super::statement::SetSetting {
                name: None,
                scope: super::statement::SetScope::Session,
                value: None,
                transaction: false,
            }),
            Body::Query(query) => self.set_config(query, text),
            _ => {}
        }
    }

    /// The session and the catalog after a statement.
    #[allow(clippy::too_many_arguments)]
    fn advance(
        &mut self,
        statement: &Statement,
        text: &str,
        catalog: &mut Catalog,
        born: Born,
        returns: &mut Returns<'_>,
        exported: bool,
    ) {
        match &statement.body {
            Body::Transaction(control) => {
                returns.follow(control, catalog, &mut self.session.held);
                match control {
                    // Printed where the tool sends it: the tool's own.
                    TransactionControl::Begin if exported && self.session.opened().is_none() => {
                        self.session.begin(Opened::Runner);
                    }
                    _ => self.session.control(control),
                }
            }
            Body::Prepare { name, query } => {
                self.session.prepared.insert(name.value.clone(), (**query).clone());
            }
            // Whatever it made or dropped isn't known.
            Body::NotUnderstood => catalog.set_incomplete(),
            Body::MetaCommand { name, .. } if runs_unread(name) => catalog.set_incomplete(),
            _ => self.set(statement, text),
        }
        catalog.apply(statement, text, &self.session, born);
    }

    /// `SELECT set_config('lock_timeout', '2s', false)`.
    fn set_config(&mut self, query: &Query, text: &str) {
        for call in query.calls.iter().filter(|call| call.name.name == "set_config") {
            let local =
                call.span.of(text).trim_end_matches(')').trim_end().to_ascii_lowercase().ends_with("true");
            if let Some(Some(name)) = call.strings.first() {
                let value = match call.strings.get(1) {
                    Some(Some(value)) => value.clone(),
                    _ => "?".to_owned(),
                };
                self.session.assign(&name.to_ascii_lowercase(), Some(value), local);
            }
        }
    }
}

/// Which statements share a query string.
struct Units {
    /// For each statement the number of its query; empty: each is alone.
    query: Vec<usize>,
}

impl Units {
    fn of(migration: &Migration, script: &Script) -> Units {
        let query = migration.queries(&script.statements).unwrap_or_default();
        Units { query }
    }

    fn same(&self, a: usize, b: Option<usize>) -> bool {
        b.is_some_and(|b| self.query.get(a).is_some() && self.query.get(a) == self.query.get(b))
    }

    /// Whether other statements are in the same query string.
    fn is_shared(&self, place: usize) -> bool {
        self.same(place, Some(place + 1)) || self.same(place, place.checked_sub(1))
    }

    /// Whether the query string ends behind the statement.
    fn ends(&self, place: usize) -> bool {
        !self.same(place, Some(place + 1))
    }
}

/// Where an inner statement stands.
pub(super) struct InnerSource {
    /// The migration whose text its spans are of.
    migration: usize,
    /// In a function that was called.
    called: bool,
    /// "a DO block", "f()".
    name: String,
}

impl InnerSource {
    /// Where the body stands in another file than migration `index`, what is said of it is said of the call.
    fn place(&self, said: &mut [(&'static str, Said)], index: usize, call: &Statement) {
        if self.migration == index {
            return;
        }
        for (_, one) in said {
            one.span = call.span;
            one.fix = None;
        }
    }
}

/// What the statements inside one do.
#[derive(Default)]
struct Inside {
    effects: Vec<Effects>,
    /// `lock_timeout` at the first that takes strong locks, or at one that would wait without an end.
    lock_timeout: Option<Timeout>,
}

impl Inside {
    /// One of them takes strong locks while this timeout is in force.
    fn waits(&mut self, timeout: Timeout, options: &RuleOptions) {
        if self.lock_timeout.is_none() || !ends_waiting(timeout, options) {
            self.lock_timeout = Some(timeout);
        }
    }
}

/// Whether what a statement does is done by statements inside it.
fn runs_others(statement: &Statement) -> bool {
    matches!(&statement.body, Body::Do(block) if block.routine.is_some())
}

/// The functions that a statement calls itself.
fn calls(statement: &Statement) -> &[Call] {
    match &statement.body {
        Body::Query(query) => &query.calls,
        Body::Call(call) => std::slice::from_ref(call),
        _ => &[],
    }
}

/// Whether a function that nobody knows may do something to tables: an extension's may make triggers or partitions of one
/// that it is given. One that is called for a value does nothing.
fn may_change_tables(statement: &Statement, call: &Call, catalog: &Catalog, session: &Session) -> bool {
    let is_value = matches!(&statement.body, Body::Query(query) if !query.changes.is_empty());
    let function = call.name.name.as_str();
    if is_value || function.starts_with("pg_") || function.starts_with("to_reg") {
        return false;
    }
    if let Some(schema) = &call.name.schema {
        return schema.value != "pg_catalog";
    }
    let names_table = |written: &str| {
        let part = |part: &str| part.trim_matches('"').to_owned();
        let name = match written.split_once('.') {
            Some((schema, name)) => Name::made(Some(&part(schema)), &part(name)),
            None => Name::made(None, &part(written)),
        };
        let known = catalog.relation(&catalog.resolve(&name, &session.search_path));
        known.is_some_and(|known| known.kind != RelationKind::Sequence)
    };
    call.strings.iter().flatten().any(|written| names_table(written))
}

/// Whether a command of psql runs SQL that isn't in the file.
fn runs_unread(command: &str) -> bool {
    matches!(command, "i" | "ir" | "include" | "include_relative" | "gexec")
}

/// The relation that a statement makes.
fn made_by(body: &Body) -> Option<&Name> {
    match body {
        Body::CreateTable(create) => Some(&create.name),
        Body::CreateTableAs(create) => Some(&create.name),
        Body::CreateView(create) => Some(&create.name),
        Body::CreateSequence { name, .. } => Some(name),
        _ => None,
    }
}

/// The relations that a statement makes or alters.
fn named_in(body: &Body) -> Vec<&Name> {
    let mut named: Vec<&Name> = made_by(body).into_iter().collect();
    match body {
        Body::AlterTable(alter) => {
            named.push(&alter.name);
            for action in &alter.actions {
                match &action.kind {
                    ActionKind::AttachPartition { partition, .. }
                    | ActionKind::DetachPartition { partition, .. } => named.push(partition),
                    ActionKind::Inherit { parent } | ActionKind::NoInherit { parent } => named.push(parent),
                    _ => {}
                }
            }
        }
        Body::CreateIndex(create) => named.push(&create.table),
        Body::CreateTrigger(create) => named.push(&create.table),
        _ => {}
    }
    named
}

/// What a statement of which parts are known only at run time may make, drop or rename that nobody can name.
fn unnamed_by(body: &Body) -> Unnamed {
    let nothing = Unnamed::default();
    match body {
        Body::AlterTable(alter) => {
            let mut done = nothing;
            for action in &alter.actions {
                match action.kind {
                    ActionKind::AddColumn { .. }
                    | ActionKind::DropColumn { .. }
                    | ActionKind::RenameColumn { .. } => done.anything = true,
                    ActionKind::RenameTo { .. } | ActionKind::SetSchema { .. } => {
                        (done.relations, done.indexes, done.gone) = (true, true, true);
                    }
                    ActionKind::OwnerTo { .. }
                    | ActionKind::RowSecurity { .. }
                    | ActionKind::ForceRowSecurity { .. }
                    | ActionKind::SetOptions { .. }
                    | ActionKind::SetColumnOptions { .. }
                    | ActionKind::SetStatistics { .. }
                    | ActionKind::SetStorage { .. }
                    | ActionKind::SetTablespace { .. }
                    | ActionKind::ValidateConstraint { .. }
                    | ActionKind::Harmless => {}
                    _ => done.parts = true,
                }
                done.indexes |= action.added_constraints().iter().any(|added| {
                    matches!(added.kind, ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_))
                });
            }
            done
        }
        Body::Drop(_) => Unnamed { gone: true, ..nothing },
        Body::CreateTable(_) | Body::CreateTableAs(_) => {
            Unnamed { relations: true, indexes: true, ..nothing }
        }
        Body::CreateView(_) | Body::CreateSequence { .. } => Unnamed { relations: true, ..nothing },
        Body::CreateIndex(_) => Unnamed { indexes: true, ..nothing },
        Body::Query(_)
        | Body::Truncate(_)
        | Body::Lock(_)
        | Body::Cluster { .. }
        | Body::Vacuum(_)
        | Body::Analyze { .. }
        | Body::Reindex(_)
        | Body::RefreshMaterializedView { .. }
        | Body::Copy(_)
        | Body::Grant(_)
        | Body::Comment { .. }
        | Body::Set(_)
        | Body::AlterRole { .. }
        | Body::AlterSequence { .. }
        | Body::AlterDatabase { .. }
        | Body::AlterPublication { .. }
        | Body::CreateRoutine(_) => nothing,
        Body::CreateTrigger(_) | Body::CreateRule { .. } => Unnamed { parts: true, ..nothing },
        _ => Unnamed { anything: true, ..nothing },
    }
}

/// What is said of a statement whose names are partly known only at run time.
fn at_run_time(code: &str, one: &mut Said) {
    let mut names: Vec<&str> = Vec::new();
    let mut rest = one.message.as_str();
    while let Some((_, behind)) = rest.split_once("${") {
        let Some((name, behind)) = behind.split_once('}') else { break };
        if !names.contains(&name) {
            names.push(name);
        }
        rest = behind;
    }
    if !names.is_empty() {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let holds = if names.len() == 1 { "holds" } else { "hold" };
        let suffix = format!("; what {} {holds} is known only at run time", super::rules::joined(&names));
        one.message.push_str(&suffix);
    }
    if one.help.as_ref().is_some_and(|help| help.contains("${")) {
        one.help(format!(
            "Write out what it runs, so that each statement can be checked; or check it by hand and say so: \
             -- rollsafe: ignore {code} -- …"
        ));
        one.fix = None;
    }
}

fn ask(
    rules: &[ActiveRule],
    context: &StatementContext<'_>,
    said: &mut Vec<(&'static str, Said)>,
    small: &mut Vec<(&'static str, Said)>,
) {
    // One for all: most have nothing to say.
    let mut sink = Sink::default();
    for active in rules {
        if let Check::Statement(check) = active.rule.check {
            context.kept.was_small.set(false);
            check(context, &mut sink);
            if context.kept.was_small.get() {
                // A size had a say: what would there be without it?
                let mut whole = Sink::default();
                context.kept.any_size.set(true);
                check(context, &mut whole);
                context.kept.any_size.set(false);
                let is_said = |one: &Said| sink.said.iter().any(|known| known.span == one.span);
                whole.said.retain(|one| !is_said(one));
                small.extend(whole.said.into_iter().map(|one| (active.rule.code, one)));
            }
            // Most say nothing of most statements, and even an empty drain costs more than that.
            if !sink.said.is_empty() {
                said.extend(sink.said.drain(..).map(|one| (active.rule.code, one)));
            }
        }
    }
}

/// Adds a statement's locks to those that the open transaction holds.
fn hold(session: &mut Session, effects: &Effects, statement: usize, migration: u32) {
    if session.in_transaction() == Some(false) {
        return;
    }
    for lock in effects.locks.iter().filter(|lock| !lock.brief && lock.mode > LockMode::AccessShare) {
        session.held.take(HeldLock {
            relation: lock.relation.clone(),
            mode: lock.mode,
            statement,
            migration,
            span: lock.span,
        });
    }
}

/// What can't be read, and what the runner can't run.
fn problems(
    statement: &Statement,
    run: &super::rules::RunFacts,
    runner_known: bool,
    said: &mut Vec<(&'static str, Said)>,
) {
    let mut say = |code, span, message: String, help: Option<&str>| {
        let mut one = Said::new(span, message);
        one.help = help.map(Into::into);
        said.push((code, one));
    };
    for problem in &statement.problems {
        if problem.certain {
            say("syntax_error", problem.span, format!("syntax error: {}", problem.message), None);
        } else {
            say(
                "statement_not_understood",
                problem.span,
                format!("this statement could not be read, so it was not checked: {}", problem.message),
                Some(
                    "Check for a typing error. If PostgreSQL accepts it, please report it to rollsafe with the statement.",
                ),
            );
        }
    }
    match &statement.body {
        Body::MetaCommand { name, .. } if runner_known && !run.psql => say(
            "meta_command_not_supported",
            statement.span,
            format!(
                "`\\{name}` is a command of psql; {} sends it to the server, which rejects it",
                run.runner.unwrap_or("this runner")
            ),
            None,
        ),
        Body::MetaCommand { name, .. } if name == "gexec" => say(
            "dynamic_sql_not_checked",
            statement.span,
            "`\\gexec` runs what the query gives as SQL, which can't be checked here".to_owned(),
            Some(
                "Write the statements out, or check them by hand and say so: -- rollsafe: ignore dynamic_sql_not_checked -- …",
            ),
        ),
        Body::MetaCommand { name, arguments } if runs_unread(name) => say(
            "dynamic_sql_not_checked",
            statement.span,
            format!(
                "`\\{name}` runs another file, which is not read from here: what {arguments} does is not checked"
            ),
            Some(&format!("rollsafe lint {arguments}")),
        ),
        _ => {}
    }
}
