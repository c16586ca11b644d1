//! What one statement did: WAL, files and sizes, and what the server said that it read and built.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use postgres::Client;

use super::{Executor, Session};
use crate::migration::statement::{Body, Statement};
use crate::rehearsal::RehearsalError;
use crate::rehearsal::relations::Relations;
use crate::rehearsal::report::{SizeChange, StatementRun};

impl Executor<'_> {
    /// Bytes of WAL written since the server began.
    pub(super) fn wal(&mut self) -> Result<u64, RehearsalError> {
        let row = self
            .admin
            .query_one(
                "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::bigint",
                &[],
            )
            .map_err(|source| RehearsalError::server("ask for the WAL's position", source))?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    }

    /// Files, sizes, and what the server said that it read. Asked in the session itself: nobody else sees
    /// what isn't committed, or may touch what is locked.
    pub(super) fn measure(
        &mut self,
        session: &mut Session,
        statement: &Statement,
        messages: &[String],
        measured: &mut StatementRun,
    ) -> Result<(), RehearsalError> {
        let own = self.watch.touched(&[measured.id]);
        // What an earlier statement of the transaction locked this one may write and read without a lock of its own.
        let touched: Vec<u32> = self
            .watch
            .touched(&session.inside)
            .into_iter()
            .filter(|oid| self.relations.contains_key(oid))
            .collect();
        if touched.is_empty() {
            return Ok(());
        }
        let rows = session
            .client
            .query(
                "SELECT c.oid, coalesce(pg_catalog.pg_relation_filenode(c.oid), 0), \
                 CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_total_relation_size(c.oid) ELSE 0 END, \
                 c.relkind IN ('r', 'm') AND pg_catalog.pg_relation_size(c.oid) > 0 \
                 FROM pg_catalog.pg_class c WHERE c.oid = ANY ($1)",
                &[&touched],
            )
            .map_err(|source| RehearsalError::server("measure relations", source))?;
        let empties = matches!(statement.body, Body::Truncate(_));
        let mut now: BTreeMap<u32, (u32, u64, bool)> = BTreeMap::new();
        for row in &rows {
            let bytes: Option<i64> = row.get(2);
            let filled: Option<bool> = row.get(3);
            now.insert(row.get(0), (row.get(1), bytes.unwrap_or(0).unsigned_abs(), filled.unwrap_or(false)));
        }
        let mut updated = (*self.relations).clone();
        for oid in &touched {
            let Some(relation) = updated.get_mut(oid) else { continue };
            let after = now.get(oid);
            if own.contains(oid) || after.map(|after| after.1) != Some(relation.bytes) {
                measured.sizes.push(SizeChange {
                    relation: relation.name.clone(),
                    before: relation.bytes,
                    after: after.map(|after| after.1),
                });
            }
            if let Some(&(file, bytes, filled)) = after {
                if file != relation.file && relation.file != 0 && (filled || !empties) {
                    measured.rewrites.push(relation.name.clone());
                }
                (relation.file, relation.bytes) = (file, bytes);
            }
        }
        measured.sizes.sort_by(|a, b| a.relation.cmp(&b.relation));
        // TRUNCATE makes the indexes anew, of nothing.
        let messages = if empties { &[] } else { messages };
        let read = Read::of(messages, &mut session.client, &self.relations, &touched);
        self.relations = Arc::new(updated);
        measured.scans = read.scans;
        measured.scans.extend(measured.rewrites.iter().cloned());
        measured.index_builds = read.index_builds;
        for names in [&mut measured.rewrites, &mut measured.scans, &mut measured.index_builds] {
            names.sort();
            names.dedup();
        }
        self.built_on.insert(measured.id, read.built_on);
        Ok(())
    }
}

impl Executor<'_> {
    /// Notes the tables of which a statement updated or deleted rows that others know of; `before` was counted before
    /// it ran.
    pub(super) fn count_rows(
        &mut self,
        session: &mut Session,
        id: u32,
        before: &BTreeMap<u32, Rows>,
    ) -> Result<(), RehearsalError> {
        let now = changed_rows(session)?;
        let more = |oid: &u32, rows: &Rows, of: fn(&Rows) -> i64| of(rows) > before.get(oid).map_or(0, of);
        session.inserted.extend(
            now.iter().filter(|(oid, rows)| more(oid, rows, |rows| rows.inserted)).map(|(oid, _)| *oid),
        );
        let changed = now.iter().filter(|(oid, rows)| more(oid, rows, |rows| rows.changed));
        let changed: Vec<(u32, &Rows)> = changed.map(|(oid, rows)| (*oid, rows)).collect();
        let mut locked = BTreeSet::new();
        for (oid, rows) in changed {
            if !self.relations.contains_key(&oid) {
                continue;
            }
            // What the transaction inserted itself nobody else can see, nor wait for.
            if !session.inserted.contains(&oid) || self.changed_what_was_there(rows) {
                locked.insert(oid);
                locked.extend(&rows.above);
            }
        }
        self.rows_locked.insert(id, locked);
        Ok(())
    }

    /// Whether a row that others see was changed by this transaction, which goes on.
    fn changed_what_was_there(&mut self, rows: &Rows) -> bool {
        // A row's xmax is the transaction that changed it, or one inside of it, which came later.
        let sql = format!(
            "BEGIN; SET LOCAL lock_timeout = '200ms'; SELECT 1 FROM ONLY {} WHERE xmax <> '0'::xid AND \
             age(xmax) <= age('{}'::xid) LIMIT 1",
            rows.name, rows.transaction
        );
        let found = match self.admin.simple_query(&sql) {
            Ok(answers) => {
                answers.iter().any(|answer| matches!(answer, postgres::SimpleQueryMessage::Row(_)))
            }
            // Whoever can't even look is kept out by a lock that keeps writes out too.
            Err(error) => error.code() != Some(&postgres::error::SqlState::LOCK_NOT_AVAILABLE),
        };
        let _ = self.admin.batch_execute("ROLLBACK");
        found
    }
}

/// Rows of a table that the session's transaction changed, by the server's count.
pub(super) struct Rows {
    inserted: i64,
    /// Updated or deleted.
    changed: i64,
    /// Partitioned tables that it is a partition of.
    above: Vec<u32>,
    /// The transaction's number.
    transaction: String,
    /// The table's name with its schema's, as SQL.
    name: String,
}

/// Counts until now, those of an earlier transaction among them that the session hasn't handed on yet.
pub(super) fn changed_rows(session: &mut Session) -> Result<BTreeMap<u32, Rows>, RehearsalError> {
    let rows = session
        .client
        .query(
            "SELECT relid, n_tup_ins, n_tup_upd + n_tup_del, ARRAY(SELECT a.relid::oid FROM \
             pg_catalog.pg_partition_ancestors(s.relid) a WHERE a.relid <> s.relid), \
             coalesce((pg_catalog.txid_current_if_assigned() & 4294967295)::text, ''), \
             pg_catalog.format('%I.%I', schemaname, relname) \
             FROM pg_catalog.pg_stat_xact_user_tables s WHERE n_tup_ins + n_tup_upd + n_tup_del > 0",
            &[],
        )
        .map_err(|source| RehearsalError::server("count the rows that were changed", source))?;
    Ok(rows
        .iter()
        .map(|row| {
            let rows = Rows {
                inserted: row.get(1),
                changed: row.get(2),
                above: row.get(3),
                transaction: row.get(4),
                name: row.get(5),
            };
            (row.get(0), rows)
        })
        .collect())
}

/// What the server said at DEBUG1 that it read and built.
#[derive(Default)]
struct Read {
    scans: Vec<String>,
    index_builds: Vec<String>,
    built_on: Vec<String>,
}

impl Read {
    /// Messages give the bare name: of several relations called so, it is one that the statement locked.
    fn of(messages: &[String], client: &mut Client, relations: &Relations, touched: &[u32]) -> Read {
        let named = |bare: &str| {
            touched
                .iter()
                .filter_map(|oid| relations.get(oid))
                .map(|relation| &relation.name)
                .find(|name| name.rsplit('.').next().is_some_and(|last| last.trim_matches('"') == bare))
        };
        let mut read = Read::default();
        for message in messages {
            let words: Vec<&str> = message.split('"').skip(1).step_by(2).collect();
            if message.starts_with("verifying table") || message.starts_with("rewriting table") {
                read.scans.extend(words.first().and_then(|table| named(table)).cloned());
            } else if message.starts_with("building index")
                && let [index, table, ..] = words[..]
            {
                let Some(table) = named(table) else { continue };
                let index = index.trim_end_matches("_ccnew").to_owned();
                read.index_builds.push(index);
                read.built_on.push(table.clone());
                read.scans.push(table.clone());
            } else if message.starts_with("validating foreign key constraint")
                && let Some(constraint) = words.first()
            {
                let sql = "SELECT conrelid FROM pg_catalog.pg_constraint WHERE contype = 'f' AND conname = $1 AND conrelid = ANY ($2)";
                let rows = client.query(sql, &[constraint, &touched]).unwrap_or_default();
                let tables = rows.iter().filter_map(|row| relations.get(&row.get::<_, u32>(0)));
                read.scans.extend(tables.map(|relation| relation.name.clone()));
            }
        }
        read.built_on.sort();
        read.built_on.dedup();
        read
    }
}
