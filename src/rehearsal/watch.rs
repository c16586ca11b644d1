//! Watches the locks of the session that migrates, from a connection of its own, every few milliseconds.
//!
//! `pg_locks` (manual, "pg_locks") shows the locks that a session holds or waits for at the moment of asking.
//! CONCURRENTLY lets go of locks before the statement ends, so looking once afterwards isn't enough.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering as Order};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use postgres::Client;

use super::RehearsalError;
use super::execute::Gaps;
use super::place::Place;
use super::relations::Relations;
use super::report::LockRun;
use crate::migration::lock_mode::LockMode;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(4);

/// A lock as it was seen.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// The session.
    pub pid: i32,
    pub relation: u32,
    pub mode: LockMode,
    /// Which statement took it.
    pub statement: u32,
    /// Not before this: the look before the one that found it.
    pub acquired: f64,
    /// When it was found.
    pub found: f64,
    pub released: Option<f64>,
    pub waited: f64,
    /// The transaction that holds it: what is let go and taken anew between two looks is two locks.
    pub transaction: String,
}

#[derive(Default)]
struct State {
    /// The sessions watched.
    pids: Vec<i32>,
    /// The statement that is running, and when it began.
    statement: u32,
    statement_start: f64,
    seen: Vec<Seen>,
    /// Places in `seen` of those that are still held.
    open: Vec<usize>,
    /// What is waited for: session, relation, mode, since when.
    waiting: Vec<(i32, u32, LockMode, f64)>,
    last_look: f64,
    /// When the newest answer so far was asked for.
    last_asked: f64,
    looks: u64,
    watched_for: f64,
    /// When the statement is to be cancelled.
    deadline: Option<f64>,
    cancelled: bool,
    problem: Option<String>,
}

/// Looks until it is dropped.
pub(super) struct Watch {
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// For looks between the thread's, at moments that matter.
    client: Client,
    place: Place,
}

const LOCKS: &str = "SELECT relation, mode, granted, pid, virtualtransaction FROM pg_catalog.pg_locks \
     WHERE locktype = 'relation' AND pid = ANY ($1) AND database = \
     (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())";

impl Watch {
    pub fn start(place: &Place) -> Result<Watch, RehearsalError> {
        let state = Arc::new(Mutex::new(State::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let client = place.watcher()?;
        let mut own = place.watcher()?;
        let (shared, stopped, here) = (state.clone(), stop.clone(), place.clone());
        let thread = std::thread::spawn(move || {
            while !stopped.load(Order::Relaxed) {
                std::thread::sleep(PAUSE);
                if lock(&shared).pids.is_empty() {
                    continue;
                }
                if let Err(error) = look(&mut own, &shared, &here) {
                    lock(&shared).problem.get_or_insert(super::said(&error));
                    break;
                }
            }
        });
        Ok(Watch { state, stop, thread: Some(thread), client, place: place.clone() })
    }

    /// From now on it is these sessions' locks.
    pub fn follow(&self, pids: Vec<i32>) {
        lock(&self.state).pids = pids;
    }

    /// Somebody who says which sessions to follow, on a thread of his own.
    pub fn leader(&self) -> Leader {
        Leader(self.state.clone())
    }

    /// Ties what was seen to other statements.
    pub fn assign(&self, statement: &dyn Fn(&Seen) -> Option<u32>) {
        for seen in &mut lock(&self.state).seen {
            if let Some(id) = statement(seen) {
                seen.statement = id;
            }
        }
    }

    /// A statement is about to be sent. It is cancelled at `deadline`.
    pub fn statement(&self, id: u32, start: f64, deadline: Option<f64>) {
        let mut state = lock(&self.state);
        (state.statement, state.statement_start) = (id, start);
        state.deadline = deadline;
        state.cancelled = false;
        state.waiting.clear();
        state.last_look = state.last_look.max(start);
    }

    /// Whether a statement was cancelled at its deadline.
    pub fn was_cancelled(&self) -> bool {
        lock(&self.state).cancelled
    }

    /// Looks now.
    pub fn look(&mut self) -> Result<(), RehearsalError> {
        look(&mut self.client, &self.state, &self.place)
            .map_err(|source| RehearsalError::server("read pg_locks", source))
    }

    /// The transaction is over: whatever it held it has let go.
    pub fn transaction_ended(&self, at: f64) {
        let mut state = lock(&self.state);
        state.deadline = None;
        for place in std::mem::take(&mut state.open) {
            let Some(seen) = state.seen.get_mut(place) else { continue };
            seen.released = Some(at.max(seen.acquired));
        }
    }

    /// Relations that these statements hold locked more strongly than a reader does.
    pub fn touched(&self, statements: &[u32]) -> Vec<u32> {
        let state = lock(&self.state);
        let of = state
            .seen
            .iter()
            .filter(|seen| statements.contains(&seen.statement) && seen.mode > LockMode::AccessShare)
            .map(|seen| seen.relation);
        let mut all: Vec<u32> = of.collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// All locks seen, and how far apart the looks were on average.
    pub fn seen(&self) -> (Vec<Seen>, f64) {
        let state = lock(&self.state);
        let apart = if state.looks > 0 { state.watched_for / state.looks as f64 } else { 0.0 };
        (state.seen.clone(), apart)
    }

    /// Why it could not look on, if it couldn't.
    pub fn problem(&self) -> Option<String> {
        lock(&self.state).problem.clone()
    }
}

/// Says which sessions the watch follows.
pub(super) struct Leader(Arc<Mutex<State>>);

impl Leader {
    /// As [`Watch::follow`]; what was looked at until `at` says nothing about these.
    pub fn follow(&self, pids: Vec<i32>, at: f64) {
        let mut state = lock(&self.0);
        state.pids = pids;
        state.last_look = state.last_look.max(at);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Order::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn look(client: &mut Client, state: &Mutex<State>, place: &Place) -> Result<(), postgres::Error> {
    let (pids, before) = {
        let state = lock(state);
        (state.pids.clone(), state.statement)
    };
    let asked = place.now();
    let rows = client.query(LOCKS, &[&pids])?;
    let mut state = lock(state);
    // What was true of another statement or session says nothing about this one, and what was asked before the
    // answer that the other connection brought is old.
    if state.statement != before || state.pids != pids || asked < state.last_asked {
        return Ok(());
    }
    state.last_asked = asked;
    let now = place.now();
    let earliest = state.last_look.max(state.statement_start).min(now);
    state.looks += 1;
    state.watched_for += (now - state.last_look).clamp(0.0, 1.0);
    let mut held: Vec<(i32, u32, LockMode, &str)> = Vec::new();
    let mut waiting = std::mem::take(&mut state.waiting);
    let mut still: Vec<(i32, u32, LockMode, f64)> = Vec::new();
    for row in &rows {
        let (relation, mode, granted, pid, transaction): (u32, &str, bool, i32, &str) =
            (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4));
        let Some(mode) = LockMode::from_name(mode) else { continue };
        let lock = (pid, relation, mode);
        if granted {
            held.push((pid, relation, mode, transaction));
            continue;
        }
        let since = waiting.iter().find(|it| (it.0, it.1, it.2) == lock).map_or(asked, |it| it.3);
        still.push((pid, relation, mode, since));
    }
    let statement = state.statement;
    let is = |seen: &Seen, (pid, relation, mode, transaction): (i32, u32, LockMode, &str)| {
        (seen.pid, seen.relation, seen.mode) == (pid, relation, mode) && seen.transaction == transaction
    };
    let open = std::mem::take(&mut state.open);
    let mut still_open = Vec::new();
    for place in open {
        let Some(seen) = state.seen.get_mut(place) else { continue };
        if held.iter().any(|one| is(seen, *one)) {
            still_open.push(place);
        } else {
            seen.released = Some(now);
        }
    }
    state.open = still_open;
    for &(pid, relation, mode, transaction) in &held {
        let known = |place: &usize| {
            state.seen.get(*place).is_some_and(|seen| is(seen, (pid, relation, mode, transaction)))
        };
        if !state.open.iter().any(known) {
            let wait = waiting.iter().position(|it| (it.0, it.1, it.2) == (pid, relation, mode));
            let waited = wait.map_or(0.0, |at| now - waiting.swap_remove(at).3);
            let place = state.seen.len();
            state.seen.push(Seen {
                pid,
                relation,
                mode,
                statement,
                acquired: earliest,
                found: now,
                released: None,
                waited,
                transaction: transaction.to_owned(),
            });
            state.open.push(place);
        }
    }
    state.waiting = still;
    state.last_look = now;
    let cancel = state.deadline.is_some_and(|deadline| now > deadline) && !state.cancelled;
    state.cancelled |= cancel;
    drop(state);
    if cancel {
        client.execute(
            "SELECT pg_catalog.pg_cancel_backend(pid) FROM pg_catalog.unnest($1::int[]) pid",
            &[&pids],
        )?;
    }
    Ok(())
}

/// Takes the times out in which rollsafe kept the migration waiting.
pub(super) fn take_out(seen: &mut [Seen], gaps: &Gaps) {
    for one in seen {
        one.acquired = gaps.without(one.acquired);
        one.released = one.released.map(|released| gaps.without(released));
    }
}

/// How many times of one lock that was let go and taken again are kept for the report: the longest.
const MOST_TIMES: usize = 100;

/// The locks of one statement for the report: relations that were there before, each with the strongest mode; every
/// time that it was held where others wait for it. `known` are those committed when the statement began.
pub(super) fn of_statement(seen: &[Seen], statement: u32, known: &Relations, end: f64) -> Vec<LockRun> {
    let mut found: BTreeMap<u32, Vec<&Seen>> = BTreeMap::new();
    for one in seen.iter().filter(|one| one.statement == statement) {
        let times = found.entry(one.relation).or_default();
        match times.first().map(|first| first.mode.cmp(&one.mode)) {
            Some(Ordering::Less) => *times = vec![one],
            Some(Ordering::Greater) => {}
            Some(Ordering::Equal) | None => times.push(one),
        }
    }
    let mut runs: Vec<LockRun> = Vec::new();
    for (relation, times) in found {
        let (Some(relation), Some(first)) = (known.get(&relation), times.first()) else { continue };
        let (blocks_reads, blocks_writes) = (
            first.mode.conflicts_with(LockMode::AccessShare),
            first.mode.conflicts_with(LockMode::RowExclusive),
        );
        let mut times: Vec<LockRun> = times
            .iter()
            .map(|one| LockRun {
                relation: relation.name.clone(),
                mode: one.mode.as_str().to_owned(),
                acquired: one.acquired,
                released: one.released.unwrap_or(end),
                waited: one.waited,
                blocks_reads,
                blocks_writes,
            })
            .collect();
        if !blocks_writes {
            // Nobody waits for it: from first to last is what there is to say.
            let released = times.iter().map(|one| one.released).fold(f64::NEG_INFINITY, f64::max);
            times.truncate(1);
            times.iter_mut().for_each(|one| one.released = released);
        } else if times.len() > MOST_TIMES {
            let held = |one: &LockRun| one.released - one.acquired;
            times.sort_by(|a, b| held(b).total_cmp(&held(a)));
            times.truncate(MOST_TIMES);
        }
        runs.extend(times);
    }
    runs.sort_by(|a, b| a.relation.cmp(&b.relation).then_with(|| a.acquired.total_cmp(&b.acquired)));
    runs
}
