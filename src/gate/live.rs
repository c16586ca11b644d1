//! The live server, looked at without changing anything: sessions, locks, connections, replicas, room.
//!
//! Everything is read in one read-only session. What the role may not see is counted as hidden and not taken for
//! absent (manual, "The Cumulative Statistics System": other roles' activity needs pg_read_all_stats).

use std::path::Path;

use postgres::{Client, Row};
use serde::{Deserialize, Serialize};

use crate::postgres::sql_text::IS_CLIENT;

/// A relation that the migrations lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// As `regclass` prints it.
    pub name: String,
    /// With its schema, quoted, for `to_regclass`.
    pub qualified: String,
    /// The strongest mode, as in the manual.
    pub mode: String,
    /// Its heap is written anew, or an index is built from it.
    pub written: Written,
}

/// What is written anew of a relation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// Nothing.
    #[default]
    Nothing,
    /// An index.
    Index,
    /// The table with its indexes.
    Table,
}

/// All that was seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveFacts {
    /// The URL, without the password.
    pub url: String,
    /// The database.
    pub database: String,
    /// The role that looked.
    pub role: String,
    /// `server_version_num`
    pub version: u32,
    /// It is a replica.
    pub in_recovery: bool,
    /// Transactions are read-only unless they say otherwise.
    pub read_only: bool,
    /// The role sees what other roles do.
    pub sees_all: bool,
    /// Sessions whose activity it doesn't see.
    pub hidden_sessions: u32,
    /// Sessions of this database with a transaction.
    pub sessions: Vec<Session>,
    /// Locks on affected relations that others hold or wait for.
    pub locks: Vec<HeldLock>,
    /// Transactions prepared for a two-phase commit in this database.
    pub prepared: Vec<Prepared>,
    /// Connections.
    pub connections: Connections,
    /// Replicas.
    pub replicas: Vec<Replica>,
    /// Replication slots.
    pub slots: Vec<Slot>,
    /// Indexes that aren't valid: (index, table).
    pub invalid_indexes: Vec<(String, String)>,
    /// VACUUM at work on affected relations.
    pub vacuums: Vec<Vacuum>,
    /// Vacuum progress of other roles isn't seen.
    pub vacuums_hidden: bool,
    /// The affected relations.
    pub relations: Vec<RelationFacts>,
    /// `autovacuum_freeze_max_age`
    pub freeze_max_age: i64,
    /// Free bytes where the data directory is, where that can be known.
    pub disk_free: Option<u64>,
}

/// A session with a transaction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its process.
    pub pid: i32,
    /// The role.
    pub role: String,
    /// What it calls itself.
    pub application: String,
    /// `active`, `idle in transaction` …
    pub state: String,
    /// How long its transaction has been open, in seconds.
    pub transaction_age: f64,
    /// How long it has been in this state.
    pub state_age: f64,
    /// The beginning of its query.
    pub query: String,
}

/// A lock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeldLock {
    /// Whose; none for a prepared transaction.
    pub pid: Option<i32>,
    /// The role.
    pub role: String,
    /// What it calls itself.
    pub application: String,
    /// On what.
    pub relation: String,
    /// As in the manual.
    pub mode: String,
    /// Held, or waited for.
    pub granted: bool,
    /// Autovacuum, which yields unless it prevents a wraparound.
    pub autovacuum: bool,
    /// How long its transaction has been open; none where it isn't seen.
    pub transaction_age: Option<f64>,
    /// The beginning of its query.
    pub query: String,
}

/// A prepared transaction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    /// Its identifier.
    pub gid: String,
    /// Whose.
    pub owner: String,
    /// How long ago.
    pub age: f64,
}

/// Connections.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Connections {
    /// `max_connections`
    pub max: i64,
    /// Kept for superusers and, from 16, for pg_use_reserved_connections.
    pub reserved: i64,
    /// Taken.
    pub used: i64,
    /// Taken and doing something.
    pub active: i64,
    /// What the database allows; none where it sets no limit.
    pub database_limit: Option<i64>,
    /// Taken in this database.
    pub used_in_database: i64,
}

impl Connections {
    /// How many an ordinary role can still open.
    pub fn free(&self) -> i64 {
        let of_server = self.max - self.reserved - self.used;
        let of_database = self.database_limit.map_or(i64::MAX, |limit| limit - self.used_in_database);
        of_server.min(of_database).max(0)
    }
}

/// A replica.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Replica {
    /// What it calls itself.
    pub name: String,
    /// `streaming`, `catchup` …
    pub state: Option<String>,
    /// `sync`, `async` …
    pub sync: Option<String>,
    /// Bytes that it hasn't replayed; none where that isn't seen.
    pub lag_bytes: Option<i64>,
    /// Seconds, where it says.
    pub lag_seconds: Option<f64>,
}

/// A replication slot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// Somebody reads from it.
    pub active: bool,
    /// `reserved`, `extended`, `unreserved`, `lost`; from 13.
    pub status: Option<String>,
    /// WAL kept for it.
    pub retained: Option<i64>,
}

/// VACUUM at work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Vacuum {
    /// On what.
    pub relation: String,
    /// To prevent wraparound: it doesn't yield.
    pub wraparound: bool,
    /// Where it is.
    pub phase: String,
}

/// An affected relation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RelationFacts {
    /// As the migrations call it.
    pub name: String,
    /// It is there.
    pub exists: bool,
    /// Heap and TOAST.
    pub table_bytes: i64,
    /// Indexes.
    pub index_bytes: i64,
    /// Rows as of the last ANALYZE.
    pub rows: i64,
    /// `age(relfrozenxid)`
    pub frozen_age: i64,
}

const IDENTITY: &str = "
SELECT current_database()::text, current_user::text, current_setting('server_version_num')::int4,
       pg_is_in_recovery(),
       -- What holds for other sessions: this one asked for it itself.
       EXISTS (SELECT FROM pg_db_role_setting s
               WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
                 AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))
                 AND 'default_transaction_read_only=on' = ANY (s.setconfig)),
       pg_has_role('pg_read_all_stats', 'USAGE'),
       current_setting('max_connections')::int8,
       current_setting('superuser_reserved_connections')::int8
           + coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::int8,
       (SELECT nullif(datconnlimit, -1)::int8 FROM pg_database WHERE datname = current_database()),
       current_setting('autovacuum_freeze_max_age')::int8,
       inet_server_addr() IS NULL,
       (SELECT setting FROM pg_settings WHERE name = 'data_directory')";

fn sessions_sql() -> String {
    format!(
        "SELECT pid, coalesce(usename, '')::text, coalesce(application_name, ''), coalesce(state, ''),
                extract(epoch FROM clock_timestamp() - xact_start)::float8,
                extract(epoch FROM clock_timestamp() - state_change)::float8,
                left(regexp_replace(coalesce(query, ''), '\\s+', ' ', 'g'), 120),
                coalesce(query = '<insufficient privilege>', false),
                datname = current_database()
         FROM pg_stat_activity
         WHERE {IS_CLIENT} AND pid <> pg_backend_pid()
         ORDER BY xact_start NULLS LAST, pid"
    )
}

const RELATIONS: &str = "
SELECT n.place, c.oid, coalesce(pg_table_size(c.oid), 0)::int8, coalesce(pg_indexes_size(c.oid), 0)::int8,
       greatest(coalesce(c.reltuples, 0), 0)::int8,
       CASE WHEN c.relfrozenxid IS NULL OR c.relfrozenxid = '0'::xid THEN 0 ELSE age(c.relfrozenxid) END::int8,
       c.reltoastrelid
FROM unnest($1::text[]) WITH ORDINALITY AS n(name, place)
LEFT JOIN pg_class c ON c.oid = to_regclass(n.name)
ORDER BY n.place";

const LOCKS: &str = "
SELECT l.pid, coalesce(a.usename, '')::text, coalesce(a.application_name, ''), l.relation::regclass::text, l.mode,
       l.granted, coalesce(a.backend_type = 'autovacuum worker', false),
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8,
       left(regexp_replace(coalesce(a.query, ''), '\\s+', ' ', 'g'), 120)
FROM pg_locks l
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.relation = ANY ($1::oid[])
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.pid IS DISTINCT FROM pg_backend_pid()
ORDER BY l.granted, l.pid NULLS FIRST, l.relation, l.mode";

const PREPARED: &str = "
SELECT gid, owner::text, extract(epoch FROM clock_timestamp() - prepared)::float8
FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared, gid";

const REPLICAS: &str = "
SELECT coalesce(application_name, ''), state, sync_state,
       pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
                       replay_lsn)::int8,
       extract(epoch FROM replay_lag)::float8
FROM pg_stat_replication ORDER BY 1, pid";

const INVALID: &str = "
SELECT i.indexrelid::regclass::text, i.indrelid::regclass::text
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relkind = 'i' ORDER BY 1";

const VACUUMS: &str = "
SELECT p.relid::oid, p.relid::regclass::text, coalesce(a.query, '') LIKE '%(to prevent wraparound)%', p.phase
FROM pg_stat_progress_vacuum p LEFT JOIN pg_stat_activity a ON a.pid = p.pid
WHERE p.datname = current_database() ORDER BY p.pid";

/// Slots, with `wal_status` where the version has it.
fn slots_sql(version: u32) -> String {
    let status = if version >= 130_000 { "wal_status" } else { "NULL::text" };
    format!(
        "SELECT slot_name::text, active, {status},
                pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
                                restart_lsn)::int8
         FROM pg_replication_slots WHERE NOT temporary ORDER BY 1"
    )
}

/// A name printed with no search_path as it is printed with `search_path = public`.
fn in_public(name: String) -> String {
    name.strip_prefix("public.").map(str::to_owned).unwrap_or(name)
}

/// Looks at the server, in a session without a search_path (so that no object of the database can stand in for one of
/// PostgreSQL's) and read-only: see `postgres::connection::begin_reading`.
///
/// # Errors
/// When a query is refused, or the connection breaks.
pub fn look(client: &mut Client, url: &str, targets: &[Target]) -> Result<LiveFacts, postgres::Error> {
    let row = client.query_one(IDENTITY, &[])?;
    let mut facts = LiveFacts {
        url: url.to_owned(),
        database: row.get(0),
        role: row.get(1),
        version: u32::try_from(row.get::<_, i32>(2)).unwrap_or_default(),
        in_recovery: row.get(3),
        read_only: row.get(4),
        sees_all: row.get(5),
        freeze_max_age: row.get(9),
        ..LiveFacts::default()
    };
    facts.connections = Connections {
        max: row.get(6),
        reserved: row.get(7),
        database_limit: row.get(8),
        ..Default::default()
    };
    facts.disk_free = local_disk(&row);
    sessions(client, &mut facts)?;

    let names: Vec<&str> = targets.iter().map(|target| target.qualified.as_str()).collect();
    let mut oids: Vec<u32> = Vec::new();
    let mut with_toast: Vec<u32> = Vec::new();
    for (row, target) in client.query(RELATIONS, &[&names])?.iter().zip(targets) {
        let oid: Option<u32> = row.get(1);
        oids.extend(oid);
        with_toast.extend(oid);
        with_toast.extend(row.get::<_, Option<u32>>(6).filter(|toast| *toast != 0));
        facts.relations.push(RelationFacts {
            name: target.name.clone(),
            exists: oid.is_some(),
            table_bytes: row.get(2),
            index_bytes: row.get(3),
            rows: row.get(4),
            frozen_age: row.get(5),
        });
    }
    for row in client.query(LOCKS, &[&oids])? {
        let mode: String = row.get(4);
        facts.locks.push(HeldLock {
            pid: row.get(0),
            role: row.get(1),
            application: row.get(2),
            relation: in_public(row.get(3)),
            mode: crate::migration::lock_mode::LockMode::from_name(&mode)
                .map_or(mode, |mode| mode.as_str().to_owned()),
            granted: row.get(5),
            autovacuum: row.get(6),
            transaction_age: row.get(7),
            query: row.get(8),
        });
    }
    for row in client.query(PREPARED, &[])? {
        facts.prepared.push(Prepared { gid: row.get(0), owner: row.get(1), age: row.get(2) });
    }
    for row in client.query(REPLICAS, &[])? {
        facts.replicas.push(Replica {
            name: row.get(0),
            state: row.get(1),
            sync: row.get(2),
            lag_bytes: row.get(3),
            lag_seconds: row.get(4),
        });
    }
    for row in client.query(&slots_sql(facts.version), &[])? {
        facts.slots.push(Slot {
            name: row.get(0),
            active: row.get(1),
            status: row.get(2),
            retained: row.get(3),
        });
    }
    for row in client.query(INVALID, &[])? {
        facts.invalid_indexes.push((in_public(row.get(0)), in_public(row.get(1))));
    }
    for row in client.query(VACUUMS, &[])? {
        // Without the right to see it the progress of others is all NULL.
        match row.get::<_, Option<u32>>(0) {
            None => facts.vacuums_hidden = true,
            Some(oid) if with_toast.contains(&oid) => facts.vacuums.push(Vacuum {
                relation: in_public(row.get(1)),
                wraparound: row.get(2),
                phase: row.get::<_, Option<String>>(3).unwrap_or_default(),
            }),
            Some(_) => {}
        }
    }
    Ok(facts)
}

fn sessions(client: &mut Client, facts: &mut LiveFacts) -> Result<(), postgres::Error> {
    for row in client.query(&sessions_sql(), &[])? {
        facts.connections.used += 1;
        let here: Option<bool> = row.get(8);
        let state: String = row.get(3);
        facts.connections.active += i64::from(state == "active");
        if here == Some(true) {
            facts.connections.used_in_database += 1;
        }
        if row.get(7) {
            facts.hidden_sessions += 1;
            continue;
        }
        if let (Some(true), Some(transaction_age)) = (here, row.get::<_, Option<f64>>(4)) {
            facts.sessions.push(Session {
                pid: row.get(0),
                role: row.get(1),
                application: row.get(2),
                state,
                transaction_age,
                state_age: row.get::<_, Option<f64>>(5).unwrap_or_default(),
                query: row.get(6),
            });
        }
    }
    // This session itself.
    facts.connections.used += 1;
    facts.connections.used_in_database += 1;
    Ok(())
}

/// Free space where the data directory is. PostgreSQL doesn't tell; a server on this very machine (it was reached by
/// a socket) keeps its data where the file system can be asked.
fn local_disk(row: &Row) -> Option<u64> {
    let (by_socket, directory): (bool, Option<String>) = (row.get(10), row.get(11));
    let directory = directory.filter(|_| by_socket)?;
    crate::postgres::cluster::free_bytes(Path::new(&directory)).ok()
}
