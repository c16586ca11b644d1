//! Holds what was seen of the live server against the limits.

use super::check::Check;
use super::clock::duration;
use super::limits::Limits;
use super::live::{HeldLock, LiveFacts, Session, Target, Written};
use crate::amount::bytes as size;
use crate::migration::lock_mode::LockMode;
use crate::postgres::sql_text::quote_literal;
use crate::postgres::version::PgVersion;

/// What the live server is held against.
pub struct Expected<'a> {
    /// The limits.
    pub limits: &'a Limits,
    /// The relations that the migrations lock.
    pub targets: &'a [Target],
    /// The version of the server that it was rehearsed on, as it calls itself.
    pub rehearsed_on: Option<&'a str>,
    /// The major version that the migrations were linted for.
    pub linted_for: u16,
    /// Free disk as somebody says.
    pub disk_free: Option<u64>,
}

/// The checks of the group `live`.
pub fn judge(facts: &LiveFacts, expected: &Expected<'_>) -> Vec<Check> {
    let limits = expected.limits;
    let mut checks = vec![primary(facts), version(facts, expected), tables(facts)];
    checks.push(sessions(
        facts,
        "long_transactions",
        limits.max_transaction_age,
        |_| true,
        |session| session.transaction_age,
        "end these transactions, or wait for them: CREATE INDEX CONCURRENTLY waits for every one of them, and \
         locks that they hold are kept",
    ));
    checks.push(sessions(
        facts,
        "idle_in_transaction",
        limits.max_idle_in_transaction,
        |session| session.state.starts_with("idle in transaction"),
        |session| session.state_age,
        "these hold their locks and do nothing; after asking their owners: SELECT pg_terminate_backend(PID);",
    ));
    checks.extend([blockers(facts, expected), lock_waits(facts)]);
    let prepared = facts.prepared.len();
    checks.push(
        Check::judged("prepared_transactions", prepared.to_string(), "0", prepared == 0)
            .because("each keeps its locks until COMMIT PREPARED or ROLLBACK PREPARED ends it")
            .with(
                facts
                    .prepared
                    .iter()
                    .map(|one| format!("{} of {}, prepared {} ago", one.gid, one.owner, duration(one.age))),
            ),
    );
    let free = facts.connections.free();
    checks.push(
        Check::judged(
            "free_connections",
            format!("{free} of {}", facts.connections.max),
            format!("≥ {}", limits.min_free_connections),
            free >= i64::from(limits.min_free_connections),
        )
        .because("close idle ones first: while the migrations hold their locks, waiting queries take more connections")
        .with([format!(
            "{} taken, {} of them active; {} reserved",
            facts.connections.used, facts.connections.active, facts.connections.reserved
        )]),
    );
    checks.extend([lag(facts, limits), slots(facts, limits), invalid(facts, expected.targets)]);
    checks.extend([disk(facts, expected), wraparound(facts)]);
    checks
}

fn primary(facts: &LiveFacts) -> Check {
    let value = match (facts.in_recovery, facts.read_only) {
        (true, _) => "a replica",
        (false, true) => "a primary whose transactions are read-only by default",
        (false, false) => "a primary",
    };
    Check::judged("live_primary", value, "a primary", !facts.in_recovery && !facts.read_only)
        .because("migrations can't run here: name the primary's URL")
        .with([format!("{} as {}, database {}", facts.url, facts.role, facts.database)])
}

fn version(facts: &LiveFacts, expected: &Expected<'_>) -> Check {
    let live = PgVersion::from_number(facts.version);
    let (other, of) = match expected.rehearsed_on.and_then(PgVersion::find_in) {
        Some(rehearsed) => (rehearsed.major(), "rehearsed"),
        None => (expected.linted_for, "linted"),
    };
    Check::judged("server_version", live.to_string(), format!("{other} ({of})"), live.major() == other)
        .because(format!(
            "what was {of} holds for PostgreSQL {other}; locks and rewrites differ between major versions: \
             repeat it for {}",
            live.major()
        ))
}

fn tables(facts: &LiveFacts) -> Check {
    let total = facts.relations.len();
    let missing: Vec<&str> =
        facts.relations.iter().filter(|one| !one.exists).map(|one| one.name.as_str()).collect();
    let value = format!("{} of {total} there", total - missing.len());
    let details = facts.relations.iter().filter(|one| one.exists).map(|one| {
        format!(
            "{}: about {} rows, {} and {} of indexes",
            one.name,
            one.rows,
            size(one.table_bytes.unsigned_abs()),
            size(one.index_bytes.unsigned_abs())
        )
    });
    Check::judged("tables_there", value, "all", missing.is_empty())
        .because(format!("not on this server: {}; is it the right database?", missing.join(", ")))
        .with(details)
}

fn described(session: &Session) -> String {
    let application =
        if session.application.is_empty() { String::new() } else { format!(" ({})", session.application) };
    format!(
        "pid {} of {}{application}: {}, transaction open for {}: {}",
        session.pid,
        session.role,
        session.state,
        duration(session.transaction_age),
        session.query
    )
}

/// The oldest of some sessions against a limit. A yes needs that every session was seen.
fn sessions(
    facts: &LiveFacts,
    id: &'static str,
    limit: u64,
    which: impl Fn(&Session) -> bool,
    age: impl Fn(&Session) -> f64,
    what_to_do: &str,
) -> Check {
    let shown_limit = format!("≤ {}", duration(limit as f64));
    let mut chosen: Vec<&Session> = facts.sessions.iter().filter(|session| which(session)).collect();
    chosen.sort_by(|a, b| age(b).total_cmp(&age(a)));
    let oldest = chosen.first().map_or(0.0, |session| age(session));
    let over: Vec<String> = chosen
        .iter()
        .filter(|session| age(session) > limit as f64)
        .take(20)
        .map(|session| described(session))
        .collect();
    if over.is_empty() && facts.hidden_sessions > 0 {
        return Check::not_checked(id, shown_limit, hidden(facts));
    }
    let value = if chosen.is_empty() { "none".to_owned() } else { duration(oldest) };
    Check::judged(id, value, shown_limit, over.is_empty()).because(what_to_do).with(over)
}

fn hidden(facts: &LiveFacts) -> String {
    let plural = if facts.hidden_sessions == 1 { "session" } else { "sessions" };
    format!(
        "{} {plural} of other roles can't be seen by {}: GRANT pg_monitor TO {};",
        facts.hidden_sessions,
        facts.role,
        crate::postgres::sql_text::quote_identifier(&facts.role)
    )
}

/// The mode that the migrations will ask for on a relation.
fn wanted(targets: &[Target], relation: &str) -> Option<LockMode> {
    targets.iter().find(|target| target.name == relation).and_then(|target| LockMode::from_name(&target.mode))
}

fn blockers(facts: &LiveFacts, expected: &Expected<'_>) -> Check {
    let limit = expected.limits.max_blocker_age;
    let in_the_way: Vec<&HeldLock> = facts
        .locks
        .iter()
        .filter(|lock| lock.granted && !lock.autovacuum)
        .filter(|lock| {
            let held = LockMode::from_name(&lock.mode);
            held.zip(wanted(expected.targets, &lock.relation))
                .is_some_and(|(held, wanted)| wanted.conflicts_with(held))
        })
        .collect();
    let too_old: Vec<String> = in_the_way
        .iter()
        // A prepared transaction has no session and no age here: it never goes by itself.
        .filter(|lock| lock.pid.is_none() || lock.transaction_age.is_some_and(|age| age > limit as f64))
        .map(|lock| {
            let who = match (lock.pid, &lock.prepared) {
                (Some(pid), _) => format!("pid {pid} of {}", lock.role),
                (None, Some(gid)) => {
                    format!("the prepared transaction {} of {}", quote_literal(gid), lock.role)
                }
                (None, None) => "a prepared transaction".to_owned(),
            };
            let age = lock.transaction_age.map_or(String::new(), |age| format!(" for {}", duration(age)));
            let query = if lock.query.is_empty() { String::new() } else { format!(": {}", lock.query) };
            format!("{who} holds {} on {}{age}{query}", lock.mode, lock.relation)
        })
        .collect();
    let shown_limit = format!("0 older than {}", duration(limit as f64));
    let unseen = in_the_way.iter().any(|lock| lock.pid.is_some() && lock.transaction_age.is_none());
    if too_old.is_empty() && unseen && facts.hidden_sessions > 0 {
        return Check::not_checked("blockers", shown_limit, hidden(facts));
    }
    let brief = in_the_way.len() - too_old.len();
    let value = match (too_old.len(), brief) {
        (old, 0) => old.to_string(),
        (old, brief) => format!("{old}, and {brief} brief"),
    };
    Check::judged("blockers", value, shown_limit, too_old.is_empty())
        .because("the migrations would wait behind these, and everybody else behind the migrations")
        .with(too_old)
}

fn lock_waits(facts: &LiveFacts) -> Check {
    let waiting: Vec<String> = facts
        .locks
        .iter()
        .filter(|lock| !lock.granted)
        .map(|lock| {
            let pid = lock.pid.unwrap_or_default();
            format!("pid {pid} of {} waits for {} on {}: {}", lock.role, lock.mode, lock.relation, lock.query)
        })
        .collect();
    Check::judged("lock_waits", waiting.len().to_string(), "0", waiting.is_empty())
        .because("there is a queue already; SELECT pg_blocking_pids(PID); tells who is at its head")
        .with(waiting)
}

fn lag(facts: &LiveFacts, limits: &Limits) -> Check {
    let limit = format!("≤ {}", size(limits.max_replication_lag));
    if facts.replicas.is_empty() {
        return Check::judged("replication_lag", "no replica is connected", limit, true);
    }
    let details: Vec<String> = facts
        .replicas
        .iter()
        .map(|replica| {
            let bytes = replica.lag_bytes.map_or("unknown".to_owned(), |lag| size(lag.max(0).unsigned_abs()));
            let seconds = replica.lag_seconds.map_or(String::new(), |lag| format!(", {}", duration(lag)));
            let state = replica.state.as_deref().unwrap_or("unknown state");
            format!("{}: {state}, behind by {bytes}{seconds}", replica.name)
        })
        .collect();
    let worst = facts.replicas.iter().filter_map(|replica| replica.lag_bytes).max();
    let over = worst.is_some_and(|worst| worst.max(0).unsigned_abs() > limits.max_replication_lag);
    if !over && facts.replicas.iter().any(|replica| replica.lag_bytes.is_none()) {
        let why = if facts.sees_all {
            "a replica doesn't say how far it is (a base backup, or just connected)".to_owned()
        } else {
            format!("the positions of replicas can't be seen by {}: GRANT pg_monitor TO it", facts.role)
        };
        return Check::not_checked("replication_lag", limit, why).with(details);
    }
    let value = size(worst.unwrap_or_default().max(0).unsigned_abs());
    Check::judged("replication_lag", value, limit, !over)
        .because("a rewrite writes the whole table to the WAL and puts the replicas further behind: wait until they are there")
        .with(details)
}

fn slots(facts: &LiveFacts, limits: &Limits) -> Check {
    let limit = format!("≤ {} kept, none lost", size(limits.max_retained_wal));
    if facts.slots.is_empty() {
        return Check::judged("replication_slots", "none", limit, true);
    }
    let kept = |slot: &super::live::Slot| slot.retained.unwrap_or_default().max(0).unsigned_abs();
    let bad = facts.slots.iter().any(|slot| {
        matches!(slot.status.as_deref(), Some("lost" | "unreserved")) || kept(slot) > limits.max_retained_wal
    });
    let most = facts.slots.iter().map(kept).max().unwrap_or_default();
    let details = facts.slots.iter().map(|slot| {
        let status = slot.status.as_deref().map_or(String::new(), |status| format!(", {status}"));
        let active = if slot.active { "active" } else { "inactive" };
        format!("{}: {active}{status}, keeps {}", slot.name, size(kept(slot)))
    });
    Check::judged("replication_slots", format!("{}, at most {} kept", facts.slots.len(), size(most)), limit, !bad)
        .because("the WAL of the migrations is kept too: the disk can fill. Drop the slots that nobody reads: SELECT pg_drop_replication_slot(NAME);")
        .with(details)
}

fn invalid(facts: &LiveFacts, targets: &[Target]) -> Check {
    let (here, elsewhere): (Vec<_>, Vec<_>) = facts
        .invalid_indexes
        .iter()
        .partition(|(_, table)| targets.iter().any(|target| target.name == *table));
    let value = match elsewhere.len() {
        0 => here.len().to_string(),
        more => format!("{}, and {more} on other tables", here.len()),
    };
    let shown = |(index, table): &(String, String)| format!("{index} on {table}");
    Check::judged("invalid_indexes", value, "0", here.is_empty())
        .because("IF NOT EXISTS takes them for the real ones, and every write pays for them: DROP INDEX CONCURRENTLY, or REINDEX INDEX CONCURRENTLY")
        .with(here.iter().map(|one| shown(one)).chain(elsewhere.iter().map(|one| shown(one))))
}

fn disk(facts: &LiveFacts, expected: &Expected<'_>) -> Check {
    let mut needed = 0_u64;
    let mut details = Vec::new();
    for target in expected.targets {
        let Some(relation) = facts.relations.iter().find(|relation| relation.name == target.name) else {
            continue;
        };
        let (table, indexes) =
            (relation.table_bytes.max(0).unsigned_abs(), relation.index_bytes.max(0).unsigned_abs());
        let (bytes, what) = match target.written {
            Written::Nothing => continue,
            // How large a new index becomes isn't known; it is hardly larger than its table.
            Written::Index => (table, "an index is built, at most about as large as the table"),
            Written::Table => (table + indexes, "written anew with its indexes"),
        };
        needed += bytes;
        details.push(format!("{}: {what}: {}", target.name, size(bytes)));
    }
    let wanted = (needed as f64 * expected.limits.disk_factor) as u64;
    let limit = format!("≥ {}", size(wanted));
    if needed == 0 {
        return Check::judged("disk_free", "nothing is written anew", "–", true);
    }
    match expected.disk_free.or(facts.disk_free) {
        Some(free) => Check::judged("disk_free", size(free), limit, free >= wanted)
            .because("old and new are there at the same time, and the WAL comes on top: make room first")
            .with(details),
        None => Check::not_checked(
            "disk_free",
            limit,
            "PostgreSQL doesn't tell how much disk is free: look on the server and say it by --disk-free 200GB",
        )
        .with(details),
    }
}

fn wraparound(facts: &LiveFacts) -> Check {
    let running: Vec<String> = facts
        .vacuums
        .iter()
        .filter(|vacuum| vacuum.wraparound)
        .map(|vacuum| format!("runs on {} ({})", vacuum.relation, vacuum.phase))
        .collect();
    let due: Vec<&str> = facts
        .relations
        .iter()
        .filter(|relation| relation.exists && relation.frozen_age > facts.freeze_max_age)
        .map(|relation| relation.name.as_str())
        .collect();
    if running.is_empty() && facts.vacuums_hidden {
        return Check::not_checked(
            "wraparound",
            "0",
            format!("the progress of VACUUM can't be seen by {}: GRANT pg_monitor TO it", facts.role),
        );
    }
    let value = match due.len() {
        0 => running.len().to_string(),
        due => format!("{}, due on {due}", running.len()),
    };
    Check::judged("wraparound", value, "0", running.is_empty() && due.is_empty())
        .because("it keeps SHARE UPDATE EXCLUSIVE and doesn't yield: let it end, or VACUUM (FREEZE) the table before the release")
        .with(running.into_iter().chain(due.iter().map(|name| format!("due on {name}: its oldest row is older than autovacuum_freeze_max_age"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::check::Answer;
    use crate::gate::live::{Connections, RelationFacts, Replica, Slot, Vacuum};

    fn quiet() -> LiveFacts {
        LiveFacts {
            version: 150_018,
            sees_all: true,
            connections: Connections { max: 100, reserved: 3, used: 10, ..Connections::default() },
            relations: vec![RelationFacts {
                name: "orders".into(),
                exists: true,
                table_bytes: 1_000_000,
                index_bytes: 500_000,
                frozen_age: 1000,
                ..RelationFacts::default()
            }],
            freeze_max_age: 200_000_000,
            disk_free: Some(10_000_000),
            ..LiveFacts::default()
        }
    }

    fn answer(id: &str, facts: &LiveFacts) -> Check {
        let target = Target {
            name: "orders".into(),
            qualified: "public.orders".into(),
            mode: "ACCESS EXCLUSIVE".into(),
            written: Written::Table,
        };
        let expected = Expected {
            limits: &Limits::default(),
            targets: &[target],
            rehearsed_on: Some("15.8"),
            linted_for: 15,
            disk_free: None,
        };
        judge(facts, &expected).into_iter().find(|check| check.id == id).expect("the check is made")
    }

    fn replica(lag: Option<i64>) -> Replica {
        Replica {
            name: "standby".into(),
            state: Some("streaming".into()),
            lag_bytes: lag,
            ..Replica::default()
        }
    }

    fn slot(status: &str, retained: i64) -> Slot {
        Slot { name: "cdc".into(), active: false, status: Some(status.into()), retained: Some(retained) }
    }

    #[test]
    fn a_quiet_primary_is_a_yes_throughout() {
        let limits = Limits::default();
        let expected =
            Expected { limits: &limits, targets: &[], rehearsed_on: None, linted_for: 15, disk_free: None };
        let checks = judge(&quiet(), &expected);
        assert!(checks.iter().all(|check| check.answer == Answer::Yes), "{checks:#?}");
    }

    #[test]
    fn replicas_behind_are_a_no_and_silent_ones_no_yes() {
        let with = |replicas| answer("replication_lag", &LiveFacts { replicas, ..quiet() });
        assert_eq!(with(vec![replica(Some(64_000_000))]).answer, Answer::Yes);
        let behind = with(vec![replica(None), replica(Some(64_000_001))]);
        assert_eq!((behind.answer, behind.value.as_str()), (Answer::No, "64 MB"));
        assert!(behind.details.iter().any(|line| line.contains("standby: streaming")), "{behind:?}");
        assert_eq!(with(vec![replica(None), replica(Some(0))]).answer, Answer::NotChecked);
        // A replica ahead of what was read a moment earlier is behind by nothing.
        assert_eq!(with(vec![replica(Some(-8))]).answer, Answer::Yes);
    }

    #[test]
    fn slots_that_are_lost_or_keep_too_much_are_a_no() {
        let with = |slots| answer("replication_slots", &LiveFacts { slots, ..quiet() });
        assert_eq!(with(vec![slot("reserved", 1_000_000_000)]).answer, Answer::Yes);
        for slots in
            [vec![slot("reserved", 1_000_000_001)], vec![slot("lost", 0)], vec![slot("unreserved", 0)]]
        {
            let check = with(slots);
            assert_eq!(check.answer, Answer::No);
            assert!(check.reason.as_deref().is_some_and(|why| why.contains("pg_drop_replication_slot")));
        }
    }

    #[test]
    fn wraparound_at_work_or_due_is_a_no() {
        let vacuum =
            |wraparound| Vacuum { relation: "orders".into(), wraparound, phase: "scanning heap".into() };
        let with = |vacuums| answer("wraparound", &LiveFacts { vacuums, ..quiet() });
        assert_eq!(with(vec![vacuum(false)]).answer, Answer::Yes, "that one yields");
        assert_eq!(with(vec![vacuum(true)]).answer, Answer::No);
        let mut due = quiet();
        due.freeze_max_age = 999;
        let check = answer("wraparound", &due);
        assert_eq!((check.answer, check.value.as_str()), (Answer::No, "0, due on 1"));
        let hidden = LiveFacts { vacuums_hidden: true, ..quiet() };
        assert_eq!(answer("wraparound", &hidden).answer, Answer::NotChecked);
    }

    #[test]
    fn a_standby_a_full_disk_and_few_connections_are_a_no() {
        let standby = LiveFacts { in_recovery: true, ..quiet() };
        assert_eq!(answer("live_primary", &standby).answer, Answer::No);
        let read_only = LiveFacts { read_only: true, ..quiet() };
        assert_eq!(answer("live_primary", &read_only).answer, Answer::No);
        // Table and indexes twice over.
        assert_eq!(
            answer("disk_free", &LiveFacts { disk_free: Some(3_000_000), ..quiet() }).answer,
            Answer::Yes
        );
        assert_eq!(
            answer("disk_free", &LiveFacts { disk_free: Some(2_999_999), ..quiet() }).answer,
            Answer::No
        );
        assert_eq!(answer("disk_free", &LiveFacts { disk_free: None, ..quiet() }).answer, Answer::NotChecked);
        let mut full = quiet();
        full.connections.used = 88;
        assert_eq!(answer("free_connections", &full).answer, Answer::No);
        let mut limited = quiet();
        limited.connections.database_limit = Some(5);
        assert_eq!(answer("free_connections", &limited).answer, Answer::No);
        let mut other = quiet();
        other.version = 170_002;
        assert_eq!(answer("server_version", &other).answer, Answer::No);
        let mut gone = quiet();
        gone.relations[0].exists = false;
        assert_eq!(answer("tables_there", &gone).answer, Answer::No);
    }
}
