//! What the probes felt, tied to the statement whose lock was in the way.

use std::collections::BTreeMap;

use postgres::Client;

use super::RehearsalError;
use super::execute::RowsLocked;
use super::probe::{Felt, SHORTEST};
use super::report::{Access, PhaseName, ROW_LOCKS, Stall};
use super::watch::Seen;
use crate::migration::lock_mode::LockMode;

/// Without a lock in the way it was the machine that was slow: only long waits are worth telling.
const SLOW_MACHINE: f64 = 0.5;

/// Tables by those that inherit from them or are their partitions: reading or locking the one takes locks on
/// the other.
pub(super) fn parents(client: &mut Client) -> Result<BTreeMap<u32, Vec<u32>>, RehearsalError> {
    let rows = client
        .query("SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits", &[])
        .map_err(|source| RehearsalError::server("read pg_inherits", source))?;
    let mut parents: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for row in rows {
        parents.entry(row.get(0)).or_default().push(row.get(1));
    }
    Ok(parents)
}

/// Stalls by table.
pub(super) fn tie(
    felt: Vec<Felt>,
    seen: &[Seen],
    parents: &BTreeMap<u32, Vec<u32>>,
) -> BTreeMap<u32, Vec<Stall>> {
    let mut stalls: BTreeMap<u32, Vec<Stall>> = BTreeMap::new();
    for one in felt {
        let needs = match one.of {
            Access::Reads => LockMode::AccessShare,
            Access::Writes => LockMode::RowExclusive,
        };
        let overlap =
            |lock: &Seen| lock.released.unwrap_or(one.end).min(one.end) - lock.acquired.max(one.start);
        let behind = seen
            .iter()
            .filter(|lock| lock.mode.conflicts_with(needs) && overlap(lock) > 0.0)
            .filter(|lock| is_under(lock.relation, one.table, parents, 8))
            .max_by(|a, b| overlap(a).total_cmp(&overlap(b)));
        if behind.is_none() && one.end - one.start < SLOW_MACHINE {
            continue;
        }
        stalls.entry(one.table).or_default().push(Stall {
            of: one.of,
            during: one.during,
            start: one.start,
            end: one.end,
            statement: behind.map(|lock| lock.statement),
            mode: behind.map(|lock| lock.mode.as_str().to_owned()),
        });
    }
    stalls
}

/// Adds what no probe feels: writes to rows that a statement changed wait for its transaction's end. Where all
/// writes stood still meanwhile that is said already.
pub(super) fn add_rows(stalls: &mut BTreeMap<u32, Vec<Stall>>, locked: Vec<RowsLocked>, during: PhaseName) {
    for one in locked.into_iter().filter(|one| one.end - one.start >= SHORTEST) {
        let of_table = stalls.entry(one.table).or_default();
        let said = of_table.iter().any(|stall| {
            stall.of == Access::Writes
                && stall.start <= one.start + SHORTEST
                && stall.end >= one.end - SHORTEST
        });
        if !said {
            of_table.push(Stall {
                of: Access::Writes,
                during,
                start: one.start,
                end: one.end,
                statement: Some(one.statement),
                mode: Some(ROW_LOCKS.to_owned()),
            });
        }
    }
}

fn is_under(relation: u32, table: u32, parents: &BTreeMap<u32, Vec<u32>>, depth: u32) -> bool {
    relation == table
        || depth > 0
            && parents
                .get(&relation)
                .is_some_and(|above| above.iter().any(|one| is_under(*one, table, parents, depth - 1)))
}

/// The longest stall of its kind while the migrations ran; one behind a lock before one of a busy machine.
pub(super) fn longest(stalls: &[Stall], of: Access) -> Option<Stall> {
    stalls
        .iter()
        .filter(|stall| stall.of == of && stall.during == PhaseName::Migrate)
        .max_by(|a, b| {
            (a.statement.is_some(), a.seconds())
                .partial_cmp(&(b.statement.is_some(), b.seconds()))
                .unwrap_or(std::cmp::Ordering::Equal)
        })
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_tied_to_the_lock_in_the_way() {
        let lock = |relation, mode, statement, acquired, released| Seen {
            pid: 1,
            relation,
            mode,
            statement,
            acquired,
            found: acquired,
            released: Some(released),
            waited: 0.0,
            transaction: "3/1".to_owned(),
        };
        let seen = [
            lock(1, LockMode::Share, 7, 0.0, 1.0),
            lock(1, LockMode::AccessShare, 8, 0.0, 9.0),
            lock(2, LockMode::AccessExclusive, 9, 2.0, 3.0),
        ];
        let felt = |table, of, start, end| Felt { table, of, during: PhaseName::Migrate, start, end };
        let parents = BTreeMap::from([(2, vec![3])]);
        let stalls = tie(
            vec![
                felt(1, Access::Writes, 0.1, 0.9),
                felt(1, Access::Reads, 0.1, 0.2),
                felt(3, Access::Reads, 2.1, 2.9),
            ],
            &seen,
            &parents,
        );
        // Reads aren't in the way of SHARE, and a tenth of a second is the machine's.
        assert_eq!(stalls[&1].len(), 1);
        assert_eq!(stalls[&1][0].statement, Some(7));
        assert_eq!(stalls[&3][0].statement, Some(9));
        assert!(longest(&stalls[&1], Access::Reads).is_none());
    }
}
