//! Probes: what an application feels. Connections of their own read from and write-lock every table at short
//! intervals, and note how long they had to wait.
//!
//! A probe holds its lock for less than a millisecond, and waits in the lock queue as an application's query
//! would: behind a migration that waits, too. So that one blocked table doesn't hide the others, a probe that
//! shares its connection with other tables gives up after a while and comes back; the stall goes on meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use postgres::error::SqlState;
use postgres::{Client, SimpleQueryMessage};

use super::RehearsalError;
use super::place::Place;
use super::relations::Relations;
use super::report::{Access, PhaseName};

/// Connections for reads, and as many for writes. A scratch cluster allows 60 in all.
const CONNECTIONS: usize = 10;
/// The pause between two rounds of a connection.
const PAUSE: Duration = Duration::from_millis(10);
/// Shorter waits are the machine's own.
pub(super) const SHORTEST: f64 = 0.03;
/// How long a probe waits where it shares its connection with other tables.
const SHARED_PATIENCE: Duration = Duration::from_millis(100);
/// How long one waits that has its connection for itself.
const OWN_PATIENCE: Duration = Duration::from_secs(5);

/// A wait that was felt.
#[derive(Clone, Debug)]
pub(super) struct Felt {
    pub table: u32,
    pub of: Access,
    pub during: PhaseName,
    pub start: f64,
    pub end: f64,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    paused: AtomicBool,
    sent: AtomicU64,
    phase: Mutex<PhaseName>,
    felt: Mutex<Vec<Felt>>,
    longest_round: Mutex<f64>,
}

/// Probes until they are stopped.
pub(super) struct Probing {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    connections: u32,
    tables: u32,
}

/// How closely was looked.
pub(super) struct Closeness {
    pub connections: u32,
    pub tables: u32,
    pub interval: f64,
    pub sent: u64,
}

struct Task {
    oid: u32,
    sql: String,
}

impl Probing {
    /// Starts probing every table and materialized view; those of `first` get connections of their own as far as
    /// there are enough.
    pub fn start(place: &Place, relations: &Relations, first: &[String]) -> Result<Probing, RehearsalError> {
        let shared = Arc::new(Shared::default());
        shared.paused.store(true, Ordering::SeqCst);
        let mut tables: Vec<(u32, &str, char)> = relations
            .iter()
            .filter(|(_, relation)| matches!(relation.kind, 'r' | 'p' | 'm'))
            .map(|(oid, relation)| (*oid, relation.name.as_str(), relation.kind))
            .collect();
        // Large and concerned ones first: they are the ones worth a connection.
        tables.sort_by_key(|(oid, name, _)| {
            let bytes = relations.get(oid).map_or(0, |relation| relation.bytes);
            (!first.iter().any(|one| one == name), std::cmp::Reverse(bytes))
        });
        let mut probing =
            Probing { shared, threads: Vec::new(), connections: 0, tables: tables.len() as u32 };
        for of in [Access::Reads, Access::Writes] {
            let wanted: Vec<(u32, &str)> = tables
                .iter()
                .filter(|(.., kind)| of == Access::Reads || *kind != 'm')
                .map(|(oid, name, _)| (*oid, *name))
                .collect();
            for group in share_out(&wanted, CONNECTIONS) {
                probing.spawn(place, of, group)?;
            }
        }
        Ok(probing)
    }

    fn spawn(&mut self, place: &Place, of: Access, group: Vec<(u32, &str)>) -> Result<(), RehearsalError> {
        let patience = if group.len() > 1 { SHARED_PATIENCE } else { OWN_PATIENCE };
        let mut client = place.application("probing", patience)?;
        let tasks: Vec<Task> = group
            .into_iter()
            .map(|(oid, name)| Task {
                oid,
                sql: match of {
                    Access::Reads => format!("SELECT 1 FROM {} LIMIT 1", written(name)),
                    Access::Writes => {
                        format!("BEGIN; LOCK TABLE {} IN ROW EXCLUSIVE MODE; COMMIT", written(name))
                    }
                },
            })
            .collect();
        self.connections += 1;
        let (shared, place) = (self.shared.clone(), place.clone());
        self.threads.push(std::thread::spawn(move || probe(&mut client, &place, of, &tasks, &shared)));
        Ok(())
    }

    /// What is felt from now on is felt in this phase.
    pub fn resume(&self, phase: PhaseName) {
        *self.shared.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
        self.shared.paused.store(false, Ordering::SeqCst);
    }

    /// Nothing is probed until `resume`.
    pub fn pause(&self) {
        self.shared.paused.store(true, Ordering::SeqCst);
    }

    /// Stops them all; gives what they felt.
    pub fn stop(mut self) -> (Vec<Felt>, Closeness) {
        self.end();
        let mut felt = std::mem::take(&mut *self.shared.felt.lock().unwrap_or_else(PoisonError::into_inner));
        felt.sort_by(|a, b| a.start.total_cmp(&b.start));
        let interval = *self.shared.longest_round.lock().unwrap_or_else(PoisonError::into_inner);
        let closeness = Closeness {
            connections: self.connections,
            tables: self.tables,
            interval,
            sent: self.shared.sent.load(Ordering::Relaxed),
        };
        (felt, closeness)
    }

    fn end(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Probing {
    fn drop(&mut self) {
        self.end();
    }
}

/// The application's search_path isn't known: names without a schema are those of `public`.
fn written(name: &str) -> String {
    let mut quoted = false;
    let has_schema = name.bytes().any(|byte| {
        quoted ^= byte == b'"';
        byte == b'.' && !quoted
    });
    if has_schema { name.to_owned() } else { format!("public.{name}") }
}

/// The first tables one by one, the rest round robin over the last few connections.
fn share_out<'a>(tables: &[(u32, &'a str)], connections: usize) -> Vec<Vec<(u32, &'a str)>> {
    if tables.len() <= connections {
        return tables.iter().map(|table| vec![*table]).collect();
    }
    let shared = (connections / 2).max(1);
    let alone = connections - shared;
    let mut groups: Vec<Vec<(u32, &str)>> = tables.iter().take(alone).map(|table| vec![*table]).collect();
    let mut rest: Vec<Vec<(u32, &str)>> = vec![Vec::new(); shared];
    for (place, table) in tables.iter().skip(alone).enumerate() {
        // In bounds: a remainder of the length.
        rest[place % shared].push(*table);
    }
    groups.extend(rest);
    groups
}

fn probe(client: &mut Client, place: &Place, of: Access, tasks: &[Task], shared: &Shared) {
    // Since when each table has been waited for.
    let mut waiting: Vec<Option<f64>> = vec![None; tasks.len()];
    let mut last_round: Option<f64> = None;
    while !shared.stop.load(Ordering::SeqCst) {
        if shared.paused.load(Ordering::SeqCst) {
            last_round = None;
            for (task, since) in tasks.iter().zip(&mut waiting) {
                if let Some(start) = since.take() {
                    note(shared, task.oid, of, start, place.now());
                }
            }
            std::thread::sleep(PAUSE);
            continue;
        }
        let mut blocked = false;
        for (task, since) in tasks.iter().zip(&mut waiting) {
            if shared.stop.load(Ordering::SeqCst) {
                return;
            }
            let sent = place.now();
            let answer = client.simple_query(&task.sql);
            let answered = place.now();
            shared.sent.fetch_add(1, Ordering::Relaxed);
            match outcome(&answer) {
                Outcome::TimedOut => {
                    since.get_or_insert(sent);
                    blocked = true;
                    let _ = client.batch_execute("ROLLBACK");
                }
                result => {
                    let start = since.take().unwrap_or(sent);
                    if answered - start >= SHORTEST {
                        note(shared, task.oid, of, start, answered);
                        blocked = true;
                    }
                    match result {
                        Outcome::Lost => return,
                        // A table that is gone for now may come back with the way back.
                        Outcome::Refused => {
                            let _ = client.batch_execute("ROLLBACK");
                        }
                        _ => {}
                    }
                }
            }
        }
        let now = place.now();
        if let (Some(last), false) = (last_round, blocked) {
            let mut longest = shared.longest_round.lock().unwrap_or_else(PoisonError::into_inner);
            *longest = longest.max(now - last);
        }
        last_round = Some(now);
        std::thread::sleep(PAUSE);
    }
}

enum Outcome {
    Answered,
    TimedOut,
    Refused,
    Lost,
}

fn outcome(answer: &Result<Vec<SimpleQueryMessage>, postgres::Error>) -> Outcome {
    match answer {
        Ok(_) => Outcome::Answered,
        Err(error) => match error.code() {
            Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE || *code == SqlState::QUERY_CANCELED => {
                Outcome::TimedOut
            }
            Some(_) => Outcome::Refused,
            None => Outcome::Lost,
        },
    }
}

fn note(shared: &Shared, table: u32, of: Access, start: f64, end: f64) {
    let during = *shared.phase.lock().unwrap_or_else(PoisonError::into_inner);
    let felt = Felt { table, of, during, start, end };
    shared.felt.lock().unwrap_or_else(PoisonError::into_inner).push(felt);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_shared_out_and_none_is_lost() {
        let names: Vec<String> = (0..57).map(|n| format!("t{n}")).collect();
        let tables: Vec<(u32, &str)> =
            names.iter().enumerate().map(|(n, name)| (n as u32, name.as_str())).collect();
        let groups = share_out(&tables, 10);
        assert_eq!(groups.len(), 10);
        assert_eq!(groups.iter().map(Vec::len).sum::<usize>(), 57);
        assert!(groups.iter().take(5).all(|group| group.len() == 1));
        assert_eq!(share_out(tables.get(..3).unwrap(), 10).len(), 3);
        assert_eq!(written("orders"), "public.orders");
        assert_eq!(written("\"a.b\""), "public.\"a.b\"");
        assert_eq!(written("billing.\"a.b\""), "billing.\"a.b\"");
    }
}
