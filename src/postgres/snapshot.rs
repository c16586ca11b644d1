//! Asks a live server for a [`Snapshot`]: one transaction, read-only, with time limits, any role.
//!
//! System catalogs alone are read (manual, "System Catalogs", 12 to 18), no row of a table but the ledgers' of migration
//! tools, and no column that holds a password: connection strings of subscriptions, options of foreign servers and
//! user mappings, role passwords are never asked for.

use std::collections::HashMap;

use postgres::Client;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::connection::{Connection, ConnectionError, Limits, begin_reading, reason};
use super::sql_text::quote_identifier;
use crate::snapshot::{
    Attribute, Column, Constraint, EventTrigger, Extension, Family, ForeignServer, Function, Generated,
    Index, Ledger, LedgerRow, NotRead, Partition, Policy, Publication, Queries, Relation, RelationKind,
    RelationName, ReplicaIdentity, RowsFrom, SCHEMA_VERSION, Server, Size, Snapshot, Subscription, Tool,
    Trigger, Type, TypeKind,
};

/// How a migration tool's ledger is found and read.
pub struct LedgerProbe<'a> {
    /// The tool: `flyway`.
    pub runner: &'a str,
    /// Its tables, as SQL; without a schema: in any.
    pub tables: &'a [&'a str],
    /// Whether a table with these columns is one.
    pub fits: &'a dyn Fn(&[&str]) -> bool,
    /// The query that reads it: (text, boolean, boolean, boolean).
    pub query: &'a dyn Fn(&str) -> String,
}

/// No snapshot.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// No session.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The server didn't answer a question.
    #[error("{server}: asking for {what}: {reason}")]
    Server {
        /// Which, without the password.
        server: String,
        /// What was asked.
        what: &'static str,
        /// What it said.
        reason: String,
        /// The five characters of the error's class.
        code: String,
    },
    /// An answer that isn't what was asked for.
    #[error("the server's answer about {what} can't be read: {source}")]
    Answer {
        /// What was asked.
        what: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
    /// A release that isn't known.
    #[error("PostgreSQL {0} is too old: 12 and later are read")]
    TooOld(String),
}

impl TakeError {
    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        match self {
            TakeError::Connection(error) => error.hint().map(str::to_owned),
            TakeError::Server { code, .. } if code == "55P03" => Some(
                "another session holds ACCESS EXCLUSIVE on a relation (a migration that is running?): try again later, \
                 or wait longer with --lock-timeout"
                    .to_owned(),
            ),
            TakeError::Server { code, .. } if code == "57014" => {
                Some("give it more time with --statement-timeout".to_owned())
            }
            _ => None,
        }
    }
}

/// How many query families are kept.
const FAMILIES: usize = 1000;
/// The longest text of a query that is kept, in bytes.
const LONGEST_QUERY: usize = 20_000;

/// Settings that change what a migration does, how long it takes or what it makes wait.
const SETTINGS: &[&str] = &[
    "TimeZone",
    "autovacuum",
    "block_size",
    "check_function_bodies",
    "deadlock_timeout",
    "default_table_access_method",
    "default_tablespace",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "idle_in_transaction_session_timeout",
    "lock_timeout",
    "log_min_duration_statement",
    "maintenance_work_mem",
    "max_connections",
    "max_identifier_length",
    "max_locks_per_transaction",
    "max_parallel_maintenance_workers",
    "max_prepared_transactions",
    "max_wal_size",
    "row_security",
    "search_path",
    "session_replication_role",
    "shared_buffers",
    "standard_conforming_strings",
    "statement_timeout",
    "synchronous_commit",
    "transaction_timeout",
    "wal_level",
];

/// Takes a snapshot of the database that `connection` names.
///
/// # Errors
/// When the server can't be reached, or doesn't answer within `limits`. What an ordinary role may not read is no
/// error: it stands in [`Snapshot::not_read`].
pub fn take(
    connection: &Connection,
    limits: &Limits,
    ledgers: &[LedgerProbe<'_>],
) -> Result<Snapshot, TakeError> {
    // Limits are set in the transaction: the session's own settings are part of what is asked.
    let client = connection.connect(&Limits { connect: limits.connect, ..Limits::none() })?;
    take_by(client, connection.to_string(), limits, ledgers)
}

/// As [`take`], in a session that is there already; `server` is what it is called in messages.
///
/// # Errors
/// When the server doesn't answer within `limits`.
pub fn take_by(
    client: Client,
    server: String,
    limits: &Limits,
    ledgers: &[LedgerProbe<'_>],
) -> Result<Snapshot, TakeError> {
    let mut asking = Asking { client, server, not_read: vec![] };
    begin_reading(&mut asking.client, limits).map_err(|error| asking.failed("the transaction", &error))?;
    let mut snapshot = asking.snapshot(ledgers)?;
    // Nothing was changed; a failure here would change nothing of what has been read.
    let _ = asking.client.batch_execute("ROLLBACK");
    snapshot.not_read = asking.not_read;
    snapshot.sort();
    Ok(snapshot)
}

struct Asking {
    client: Client,
    server: String,
    not_read: Vec<NotRead>,
}

impl Asking {
    fn failed(&self, what: &'static str, error: &postgres::Error) -> TakeError {
        TakeError::Server {
            server: self.server.clone(),
            what,
            reason: reason(error),
            code: error.code().map(|code| code.code().to_owned()).unwrap_or_default(),
        }
    }

    /// The rows of a query, each a JSON object.
    fn ask<T: DeserializeOwned>(&mut self, what: &'static str, sql: &str) -> Result<Vec<T>, TakeError> {
        let sql = format!("SELECT pg_catalog.row_to_json(answer)::text FROM ({sql}) AS answer");
        let rows = self.client.query(sql.as_str(), &[]).map_err(|error| self.failed(what, &error))?;
        rows.iter()
            .map(|row| {
                let text: &str = row.try_get(0).map_err(|error| self.failed(what, &error))?;
                serde_json::from_str(text).map_err(|source| TakeError::Answer { what, source })
            })
            .collect()
    }

    /// The same where a refusal is only noted.
    fn try_ask<T: DeserializeOwned>(
        &mut self,
        what: &'static str,
        sql: &str,
    ) -> Result<Option<Vec<T>>, TakeError> {
        self.client.batch_execute("SAVEPOINT asking").map_err(|error| self.failed(what, &error))?;
        match self.ask(what, sql) {
            Ok(rows) => {
                self.client
                    .batch_execute("RELEASE SAVEPOINT asking")
                    .map_err(|error| self.failed(what, &error))?;
                Ok(Some(rows))
            }
            Err(TakeError::Server { reason, .. }) if !self.client.is_closed() => {
                self.client
                    .batch_execute("ROLLBACK TO SAVEPOINT asking")
                    .map_err(|error| self.failed(what, &error))?;
                self.not_read.push(NotRead { what: what.to_owned(), why: reason });
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    fn snapshot(&mut self, ledgers: &[LedgerProbe<'_>]) -> Result<Snapshot, TakeError> {
        #[derive(Deserialize)]
        struct Facts {
            taken_at: String,
            #[serde(flatten)]
            server: Server,
        }
        let facts: Vec<Facts> = self.ask("the server", FACTS)?;
        let Some(Facts { taken_at, server }) = facts.into_iter().next() else {
            return Err(TakeError::TooOld("of an unknown version".to_owned()));
        };
        if server.major() < 12 {
            return Err(TakeError::TooOld(server.version));
        }
        let major = server.major();
        #[derive(Deserialize)]
        struct Setting {
            name: String,
            value: Option<String>,
        }
        let names = SETTINGS.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        let settings: Vec<Setting> = self.ask("settings", &SETTING.replace("{names}", &names))?;
        let mut snapshot = Snapshot {
            schema_version: SCHEMA_VERSION,
            tool: Tool { name: "rollsafe".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            taken_at,
            server,
            settings: settings.into_iter().filter_map(|one| Some((one.name, one.value?))).collect(),
            extensions: self.ask("extensions", EXTENSIONS)?,
            schemas: vec![],
            types: self.types()?,
            relations: vec![],
            functions: self.ask::<Function>("functions", FUNCTIONS)?,
            publications: self.publications()?,
            subscriptions: self.try_ask::<Subscription>("subscriptions", SUBSCRIPTIONS)?.unwrap_or_default(),
            foreign_servers: self.ask::<ForeignServer>("foreign servers", FOREIGN_SERVERS)?,
            event_triggers: self.ask::<EventTrigger>("event triggers", EVENT_TRIGGERS)?,
            ledgers: vec![],
            queries: None,
            not_read: vec![],
        };
        #[derive(Deserialize)]
        struct Schema {
            name: String,
        }
        snapshot.schemas =
            self.ask::<Schema>("schemas", SCHEMAS)?.into_iter().map(|schema| schema.name).collect();
        snapshot.relations = self.relations()?;
        snapshot.ledgers = self.ledgers(&snapshot.relations, ledgers)?;
        snapshot.queries = self.queries(major, &snapshot.extensions)?;
        Ok(snapshot)
    }

    fn types(&mut self) -> Result<Vec<Type>, TakeError> {
        #[derive(Deserialize)]
        struct Row {
            schema: String,
            name: String,
            kind: String,
            labels: Option<Vec<String>>,
            attributes: Option<Vec<Attribute>>,
            base: Option<String>,
            not_null: bool,
            default: Option<String>,
            constraints: Option<Vec<Constraint>>,
        }
        let rows: Vec<Row> = self.ask("types", TYPES)?;
        let types = rows.into_iter().map(|row| Type {
            schema: row.schema,
            name: row.name,
            kind: match row.kind.as_str() {
                "e" => TypeKind::Enum,
                "d" => TypeKind::Domain,
                "c" => TypeKind::Composite,
                "r" => TypeKind::Range,
                _ => TypeKind::Base,
            },
            labels: row.labels.unwrap_or_default(),
            attributes: row.attributes.unwrap_or_default(),
            base: row.base,
            not_null: row.not_null,
            default: row.default,
            constraints: row.constraints.unwrap_or_default(),
        });
        Ok(types.collect())
    }

    fn publications(&mut self) -> Result<Vec<Publication>, TakeError> {
        #[derive(Deserialize)]
        struct Row {
            name: String,
            all_tables: bool,
            tables: Option<Vec<RelationName>>,
        }
        let rows: Vec<Row> = self.ask("publications", PUBLICATIONS)?;
        let one = |row: Row| Publication {
            name: row.name,
            all_tables: row.all_tables,
            tables: row.tables.unwrap_or_default(),
        };
        Ok(rows.into_iter().map(one).collect())
    }

    fn relations(&mut self) -> Result<Vec<Relation>, TakeError> {
        let rows: Vec<RelationRow> = self.ask("relations", RELATIONS)?;
        let block: u64 = 8192;
        let mut places: HashMap<i64, usize> = HashMap::with_capacity(rows.len());
        let mut relations = Vec::with_capacity(rows.len());
        let mut counts = Vec::with_capacity(rows.len());
        for row in rows {
            places.insert(row.oid, relations.len());
            let (relation, count) = row.into_relation();
            relations.push(relation);
            counts.push(count);
        }
        let mut put = |oid: i64, change: &mut dyn FnMut(&mut Relation)| {
            if let Some(relation) = places.get(&oid).and_then(|at| relations.get_mut(*at)) {
                change(relation);
            }
        };
        for row in self.ask::<ColumnRow>("columns", COLUMNS)? {
            put(row.relation, &mut |relation| relation.columns.push(row.column()));
        }
        for row in self.ask::<ConstraintRow>("constraints", CONSTRAINTS)? {
            put(row.relation, &mut |relation| relation.constraints.push(row.constraint.clone()));
        }
        let mut index_pages: HashMap<i64, u64> = HashMap::new();
        let mut index_places: HashMap<i64, (i64, String)> = HashMap::new();
        for row in self.ask::<IndexRow>("indexes", INDEXES)? {
            index_pages.insert(row.oid, row.pages);
            index_places.insert(row.oid, (row.relation, row.index.name.clone()));
            put(row.relation, &mut |relation| relation.indexes.push(row.index.clone()));
        }
        for row in self.ask::<TriggerRow>("triggers", TRIGGERS)? {
            put(row.relation, &mut |relation| relation.triggers.push(row.trigger.clone()));
        }
        for row in self.ask::<PolicyRow>("policies", POLICIES)? {
            put(row.relation, &mut |relation| relation.policies.push(row.policy.clone()));
        }
        for row in self.ask::<RuleRow>("rules", RULES)? {
            put(row.relation, &mut |relation| relation.rules.push(row.rule.clone()));
        }
        for row in self.ask::<DefinitionRow>("statistics", STATISTICS)? {
            put(row.relation, &mut |relation| relation.statistics.extend(row.definition.clone()));
        }
        for row in self.ask::<NameRow>("inheritance", INHERITANCE)? {
            put(row.relation, &mut |relation| relation.inherits.push(row.name.clone()));
        }
        for row in self.ask::<NameRow>("what views read", VIEW_READS)? {
            put(row.relation, &mut |relation| relation.reads.push(row.name.clone()));
        }
        // The server locks what a view reads in order to write it down.
        for row in self.try_ask::<DefinitionRow>("views' definitions", VIEW_DEFINITIONS)?.unwrap_or_default()
        {
            put(row.relation, &mut |relation| {
                relation.definition = row.definition.as_deref().map(|it| it.trim_end_matches(';').to_owned());
            });
        }
        // And a relation in order to look at its files.
        let sizes = self.try_ask::<SizeRow>("sizes of files (estimated by relpages instead)", SIZES)?;
        let index_sizes = match &sizes {
            Some(_) => {
                self.try_ask::<SizeRow>("sizes of indexes (estimated by relpages instead)", INDEX_SIZES)?
            }
            None => None,
        };
        let by_oid = |rows: Option<Vec<SizeRow>>| -> HashMap<i64, SizeRow> {
            rows.unwrap_or_default().into_iter().map(|row| (row.oid, row)).collect()
        };
        let (sizes, index_sizes) = (by_oid(sizes), by_oid(index_sizes));
        let mut index_totals: HashMap<i64, u64> = HashMap::new();
        for (oid, (relation, name)) in &index_places {
            let pages = index_pages.get(oid).copied().unwrap_or(0);
            let bytes = index_sizes.get(oid).and_then(|row| row.bytes).unwrap_or(pages * block);
            *index_totals.entry(*relation).or_default() += bytes;
            put(*relation, &mut |relation| {
                // An index of a partitioned table has no file.
                if relation.kind != RelationKind::PartitionedTable
                    && let Some(index) = relation.indexes.iter_mut().find(|index| index.name == *name)
                {
                    index.bytes = Some(bytes);
                }
            });
        }
        for (oid, at) in &places {
            let (Some(relation), Some(count)) = (relations.get_mut(*at), counts.get(*at)) else { continue };
            if !matches!(relation.kind, RelationKind::Table | RelationKind::MaterializedView) {
                continue;
            }
            let measured = sizes.get(oid);
            let heap = measured.and_then(|row| row.heap).unwrap_or(count.pages * block);
            let (rows, rows_from) = estimated_rows(count, heap / block, &relation.columns);
            relation.size = Some(Size {
                rows,
                rows_from,
                pages: count.pages,
                bytes: measured.and_then(|row| row.bytes).unwrap_or(heap),
                index_bytes: index_totals.get(oid).copied().unwrap_or(0),
                last_analyze: count.last_analyze.clone(),
            });
        }
        Ok(relations)
    }

    fn ledgers(
        &mut self,
        relations: &[Relation],
        probes: &[LedgerProbe<'_>],
    ) -> Result<Vec<Ledger>, TakeError> {
        let mut found: Vec<Ledger> = vec![];
        for probe in probes {
            let fitting = relations.iter().filter(|relation| {
                let columns: Vec<&str> = relation.columns.iter().map(|column| column.name.as_str()).collect();
                matches!(relation.kind, RelationKind::Table | RelationKind::PartitionedTable)
                    && probe.tables.iter().any(|table| is_named(relation, table))
                    && (probe.fits)(&columns)
            });
            for relation in fitting {
                let table =
                    format!("{}.{}", quote_identifier(&relation.schema), quote_identifier(&relation.name));
                let Some(rows) =
                    self.try_ask::<LedgerRow>("a migration tool's ledger", &(probe.query)(&table))?
                else {
                    if let Some(last) = self.not_read.last_mut() {
                        last.what =
                            format!("{}'s ledger {}.{}", probe.runner, relation.schema, relation.name);
                    }
                    continue;
                };
                let name = format!("{}.{}", relation.schema, relation.name);
                match found.iter_mut().find(|known| known.table == name && known.rows == rows) {
                    Some(known) => known.runners.push(probe.runner.to_owned()),
                    None => found.push(Ledger { runners: vec![probe.runner.to_owned()], table: name, rows }),
                }
            }
        }
        // Several tools may try one table in vain.
        self.not_read.dedup();
        Ok(found)
    }

    /// What pg_stat_statements has counted in this database.
    fn queries(&mut self, major: u16, extensions: &[Extension]) -> Result<Option<Queries>, TakeError> {
        let Some(extension) = extensions.iter().find(|it| it.name == "pg_stat_statements") else {
            return Ok(None);
        };
        let schema = quote_identifier(&extension.schema);
        #[derive(Deserialize)]
        struct Row {
            id: Option<i64>,
            query: Option<String>,
            calls: u64,
            milliseconds: f64,
            rows: f64,
            hidden: bool,
        }
        let Some(rows) = self.try_ask::<Row>("query families", &STATEMENTS.replace("{schema}", &schema))?
        else {
            return Ok(None);
        };
        #[derive(Deserialize)]
        struct Since {
            since: Option<String>,
            seconds: Option<f64>,
        }
        let mut since = vec![];
        if major >= 14 {
            since = self
                .try_ask::<Since>(
                    "since when queries are counted",
                    &COUNTED_SINCE.replace("{schema}", &schema),
                )?
                .unwrap_or_default();
        }
        let (since, seconds) = since.pop().map_or((None, None), |it| (it.since, it.seconds));
        let hidden = rows.iter().filter(|row| row.hidden).count();
        if hidden > 0 {
            self.not_read.push(NotRead {
                what: "query families".to_owned(),
                why: format!(
                    "the texts of {hidden} queries of other roles: GRANT pg_read_all_stats TO this role"
                ),
            });
        }
        let mut queries = Queries { since, seconds, families: vec![], others: 0 };
        for row in rows {
            let (Some(id), Some(query), false) = (row.id, row.query, row.hidden) else {
                queries.others += 1;
                continue;
            };
            if queries.families.len() >= FAMILIES || query.len() > LONGEST_QUERY {
                queries.others += 1;
                continue;
            }
            let calls = row.calls.max(1) as f64;
            queries.families.push(Family {
                id,
                query,
                calls: row.calls,
                calls_per_second: seconds.filter(|it| *it > 0.0).map(|it| round(row.calls as f64 / it)),
                mean_milliseconds: round(row.milliseconds / calls),
                mean_rows: round(row.rows / calls),
                reads: vec![],
                locks: vec![],
                writes: vec![],
            });
        }
        Ok(Some(queries))
    }
}

/// Six digits are more than the counters are worth.
fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Whether a ledger's table, as SQL, is this relation.
fn is_named(relation: &Relation, table: &str) -> bool {
    let bare = |part: &str| match part.strip_prefix('"').and_then(|it| it.strip_suffix('"')) {
        Some(quoted) => quoted.to_owned(),
        None => part.to_lowercase(),
    };
    match table.split_once('.') {
        Some((schema, name)) => relation.schema == bare(schema) && relation.name == bare(name),
        None => relation.name == bare(table),
    }
}

/// What the statistics say of a relation's rows.
struct Count {
    tuples: f64,
    pages: u64,
    live: f64,
    last_analyze: Option<String>,
}

/// As the planner estimates (`table_block_relation_estimate_size`, tableam.c): the density that was counted last,
/// over the pages that are there now.
fn estimated_rows(count: &Count, pages: u64, columns: &[Column]) -> (u64, RowsFrom) {
    // Before 14 a table that nobody has counted says 0, later -1.
    if count.tuples > 0.0 && count.pages > 0 {
        let rows = count.tuples / count.pages as f64 * pages as f64;
        return (rows.round() as u64, RowsFrom::Analyze);
    }
    if pages == 0 {
        return (0, RowsFrom::Analyze);
    }
    if count.live > 0.0 {
        return (count.live.round() as u64, RowsFrom::Statistics);
    }
    if count.tuples == 0.0 && count.last_analyze.is_some() {
        return (0, RowsFrom::Analyze);
    }
    // A row's header and line pointer, and what its columns take when they aren't filled much.
    let width: u64 = 28 + columns.iter().map(|column| usual_width(&column.type_name)).sum::<u64>();
    (pages * 8192 / width.max(1), RowsFrom::Width)
}

fn usual_width(type_name: &str) -> u64 {
    match type_name {
        "boolean" | "\"char\"" => 1,
        "smallint" => 2,
        "integer" | "real" | "date" | "oid" => 4,
        "bigint" | "double precision" | "timestamp with time zone" | "timestamp without time zone" => 8,
        "uuid" | "interval" => 16,
        // What the planner takes for types of varying width (get_typavgwidth, lsyscache.c).
        _ => 32,
    }
}

#[derive(Deserialize)]
struct RelationRow {
    oid: i64,
    schema: String,
    name: String,
    kind: String,
    unlogged: bool,
    extension: Option<String>,
    row_security: bool,
    replica_identity: String,
    replica_index: Option<String>,
    partition_by: Option<String>,
    partition_of: Option<Partition>,
    of_type: Option<RelationName>,
    owned_by: Option<crate::snapshot::ColumnName>,
    tuples: f64,
    pages: u64,
    live: Option<f64>,
    last_analyze: Option<String>,
}

impl RelationRow {
    fn into_relation(self) -> (Relation, Count) {
        let relation = Relation {
            schema: self.schema,
            name: self.name,
            kind: match self.kind.as_str() {
                "p" => RelationKind::PartitionedTable,
                "f" => RelationKind::ForeignTable,
                "v" => RelationKind::View,
                "m" => RelationKind::MaterializedView,
                "S" => RelationKind::Sequence,
                _ => RelationKind::Table,
            },
            unlogged: self.unlogged,
            extension: self.extension,
            row_security: self.row_security,
            replica_identity: match self.replica_identity.as_str() {
                "f" => Some(ReplicaIdentity::Full),
                // The default of system catalogs; views and sequences say so as well.
                "n" if matches!(self.kind.as_str(), "r" | "p") => Some(ReplicaIdentity::Nothing),
                "i" => self.replica_index.map(ReplicaIdentity::Index),
                _ => None,
            },
            partition_by: self.partition_by,
            of_type: self.of_type,
            partition_of: self.partition_of,
            owned_by: self.owned_by,
            ..Relation::default()
        };
        let count = Count {
            tuples: self.tuples,
            pages: self.pages,
            live: self.live.unwrap_or(0.0),
            last_analyze: self.last_analyze,
        };
        (relation, count)
    }
}

#[derive(Deserialize)]
struct ColumnRow {
    relation: i64,
    name: String,
    type_name: String,
    not_null: bool,
    expression: Option<String>,
    generated: String,
    identity: String,
    collation: Option<String>,
}

impl ColumnRow {
    fn column(&self) -> Column {
        let generated = self.expression.clone().filter(|_| !self.generated.is_empty());
        Column {
            name: self.name.clone(),
            type_name: self.type_name.clone(),
            not_null: self.not_null,
            default: self.expression.clone().filter(|_| self.generated.is_empty()),
            generated: generated.map(|expression| Generated { expression, stored: self.generated == "s" }),
            identity: match self.identity.as_str() {
                "a" => Some("always".to_owned()),
                "d" => Some("by default".to_owned()),
                _ => None,
            },
            collation: self.collation.clone(),
        }
    }
}

#[derive(Deserialize)]
struct ConstraintRow {
    relation: i64,
    #[serde(flatten)]
    constraint: Constraint,
}

#[derive(Deserialize)]
struct IndexRow {
    oid: i64,
    relation: i64,
    pages: u64,
    #[serde(flatten)]
    index: Index,
}

#[derive(Deserialize)]
struct TriggerRow {
    relation: i64,
    #[serde(flatten)]
    trigger: Trigger,
}

#[derive(Deserialize)]
struct PolicyRow {
    relation: i64,
    #[serde(flatten)]
    policy: Policy,
}

#[derive(Deserialize)]
struct RuleRow {
    relation: i64,
    rule: String,
}

#[derive(Deserialize)]
struct NameRow {
    relation: i64,
    #[serde(flatten)]
    name: RelationName,
}

#[derive(Deserialize)]
struct DefinitionRow {
    relation: i64,
    definition: Option<String>,
}

#[derive(Deserialize)]
struct SizeRow {
    oid: i64,
    heap: Option<u64>,
    bytes: Option<u64>,
}

// search_path is empty: what isn't in pg_catalog is written in full, and nothing can be put in the way.

const FACTS: &str = "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS taken_at,
    current_setting('server_version') AS version, current_setting('server_version_num')::int AS version_num,
    d.datname AS database, current_user AS role, pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collation,
    pg_is_in_recovery() AS standby,
    CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid) END AS bytes
    FROM pg_database d WHERE d.datname = current_database()";

const SETTING: &str =
    "SELECT name, concat_ws(' ', reset_val, unit) AS value FROM pg_settings WHERE name IN ({names})";

const EXTENSIONS: &str = "SELECT e.extname AS name, e.extversion AS version, n.nspname AS schema
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace";

const SCHEMAS: &str = "SELECT nspname AS name FROM pg_namespace
    WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'";

// Those of extensions are left out, and those that a range type brings along.
const FUNCTIONS: &str = "SELECT n.nspname AS schema, p.proname AS name,
    CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' WHEN 'w' THEN 'window' ELSE 'function' END AS kind,
    pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS returns, l.lanname AS language,
    CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END AS volatility,
    p.prosecdef AS security_definer, p.proisstrict AS strict
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
    WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i'))";

const TYPES: &str = "SELECT n.nspname AS schema, t.typname AS name, t.typtype::text AS kind,
    (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) AS labels,
    (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
       FROM pg_attribute a WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) AS attributes,
    CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod)
      WHEN 'r' THEN (SELECT format_type(r.rngsubtype, NULL) FROM pg_range r WHERE r.rngtypid = t.oid) END AS base,
    t.typnotnull AS not_null, CASE t.typtype WHEN 'd' THEN t.typdefault END AS \"default\",
    (SELECT json_agg(json_build_object('name', c.conname, 'kind', 'check', 'definition', pg_get_constraintdef(c.oid),
       'validated', c.convalidated) ORDER BY c.conname)
       FROM pg_constraint c WHERE c.contypid = t.oid AND c.contype = 'c') AS constraints
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class k ON k.oid = t.typrelid
    WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND k.relkind = 'c' OR t.typtype = 'b' AND t.typcategory <> 'A')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')";

const PUBLICATIONS: &str = "SELECT p.pubname AS name, p.puballtables AS all_tables,
    CASE WHEN NOT p.puballtables THEN
      (SELECT json_agg(json_build_object('schema', t.schemaname, 'name', t.tablename) ORDER BY t.schemaname, t.tablename)
         FROM pg_publication_tables t WHERE t.pubname = p.pubname) END AS tables
    FROM pg_publication p";

// Not subconninfo, which may hold a password.
const SUBSCRIPTIONS: &str =
    "SELECT s.subname AS name, s.subenabled AS enabled, s.subpublications AS publications
    FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database()";

const FOREIGN_SERVERS: &str = "SELECT s.srvname AS name, w.fdwname AS wrapper
    FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw";

const EVENT_TRIGGERS: &str =
    "SELECT evtname AS name, evtevent AS event, evtenabled <> 'D' AS enabled FROM pg_event_trigger";

const RELATIONS: &str = "SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
    c.relpersistence = 'u' AS unlogged, x.extname AS extension, c.relrowsecurity AS row_security,
    c.relreplident::text AS replica_identity,
    CASE c.relreplident WHEN 'i' THEN (SELECT k.relname FROM pg_index i JOIN pg_class k ON k.oid = i.indexrelid
       WHERE i.indrelid = c.oid AND i.indisreplident) END AS replica_index,
    CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END AS partition_by,
    CASE WHEN c.relispartition THEN (SELECT json_build_object('schema', pn.nspname, 'name', pc.relname, 'bound', pg_get_expr(c.relpartbound, c.oid))
       FROM pg_inherits h JOIN pg_class pc ON pc.oid = h.inhparent JOIN pg_namespace pn ON pn.oid = pc.relnamespace
       WHERE h.inhrelid = c.oid LIMIT 1) END AS partition_of,
    CASE WHEN c.reloftype <> 0 THEN (SELECT json_build_object('schema', tn.nspname, 'name', t.typname)
       FROM pg_type t JOIN pg_namespace tn ON tn.oid = t.typnamespace WHERE t.oid = c.reloftype) END AS of_type,
    CASE c.relkind WHEN 'S' THEN (SELECT json_build_object('schema', on_.nspname, 'name', oc.relname, 'column', a.attname)
       FROM pg_depend d JOIN pg_class oc ON oc.oid = d.refobjid JOIN pg_namespace on_ ON on_.oid = oc.relnamespace
         JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
       WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
         AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') LIMIT 1) END AS owned_by,
    c.reltuples::float8 AS tuples, greatest(c.relpages, 0) AS pages, pg_stat_get_live_tuples(c.oid) AS live,
    to_char(greatest(pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid)) AT TIME ZONE 'UTC',
      'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS last_analyze
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN (SELECT d.objid, e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e') x ON x.objid = c.oid
    WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND c.relpersistence <> 't'
      AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'";

// attnotnull is set for a NOT NULL that is still NOT VALID (18), too.
const COLUMNS: &str = "SELECT a.attrelid::bigint AS relation, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type_name,
    a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'n'
      AND k.conkey[1] = a.attnum AND NOT k.convalidated) AS not_null,
    pg_get_expr(d.adbin, d.adrelid) AS expression, a.attgenerated::text AS generated, a.attidentity::text AS identity,
    CASE WHEN a.attcollation <> t.typcollation THEN (SELECT format('%I.%I', cn.nspname, co.collname) FROM pg_collation co
      JOIN pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation) END AS collation
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'v', 'm') AND c.relpersistence <> 't'
      AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    ORDER BY a.attrelid, a.attnum";

// A NOT NULL of 18 stands with its column, unless it isn't valid or has a name of its own.
const CONSTRAINTS: &str = "SELECT k.conrelid::bigint AS relation, k.conname AS name,
    CASE k.contype WHEN 'c' THEN 'check' WHEN 'f' THEN 'foreign_key' WHEN 'p' THEN 'primary_key' WHEN 'u' THEN 'unique'
      WHEN 'x' THEN 'exclude' ELSE 'not_null' END AS kind,
    pg_get_constraintdef(k.oid) AS definition, k.convalidated AS validated,
    k.coninhcount > 0 AND NOT k.conislocal OR k.contype = 'f' AND k.conparentid <> 0 AS inherited
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND c.relpersistence <> 't'
      AND (k.contype IN ('c', 'f', 'p', 'u', 'x') OR k.contype = 'n' AND (NOT k.convalidated OR k.conname <>
        c.relname || '_' || (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = k.conkey[1]) || '_not_null'))";

const INDEXES: &str = "SELECT i.indexrelid::bigint AS oid, i.indrelid::bigint AS relation, greatest(c.relpages, 0) AS pages, c.relname AS name,
    pg_get_indexdef(i.indexrelid) AS definition, i.indisvalid AND i.indisready AS valid,
    (SELECT k.conname FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid
       AND k.contype IN ('p', 'u', 'x') LIMIT 1) AS \"constraint\"
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND c.relpersistence <> 't'";

// A partition's copies of its parent's triggers are marked internal up to 14, by tgparentid (13) later.
const TRIGGERS: &str =
    "SELECT t.tgrelid::bigint AS relation, t.tgname AS name, pg_get_triggerdef(t.oid) AS definition,
    CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' END AS state
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND coalesce(to_jsonb(t)->>'tgparentid', '0') = '0'
      AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'";

const POLICIES: &str = "SELECT polrelid::bigint AS relation, polname AS name,
    CASE polcmd WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update' WHEN 'd' THEN 'delete' ELSE 'all' END AS command,
    polpermissive AS permissive FROM pg_policy";

const RULES: &str =
    "SELECT ev_class::bigint AS relation, rulename AS rule FROM pg_rewrite WHERE rulename <> '_RETURN'";

const STATISTICS: &str =
    "SELECT stxrelid::bigint AS relation, pg_get_statisticsobjdef(oid) AS definition FROM pg_statistic_ext";

const INHERITANCE: &str = "SELECT h.inhrelid::bigint AS relation, n.nspname AS schema, p.relname AS name
    FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid JOIN pg_class p ON p.oid = h.inhparent
      JOIN pg_namespace n ON n.oid = p.relnamespace
    WHERE NOT c.relispartition AND c.relkind IN ('r', 'f') ORDER BY h.inhrelid, h.inhseqno";

const VIEW_READS: &str = "SELECT DISTINCT r.ev_class::bigint AS relation, n.nspname AS schema, c.relname AS name
    FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
      JOIN pg_class c ON c.oid = d.refobjid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE r.rulename = '_RETURN' AND d.refobjid <> r.ev_class AND c.relkind IN ('r', 'p', 'f', 'v', 'm')";

const VIEW_DEFINITIONS: &str = "SELECT c.oid::bigint AS relation, pg_get_viewdef(c.oid) AS definition
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('v', 'm') AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'";

const SIZES: &str = "SELECT c.oid::bigint AS oid, pg_relation_size(c.oid) AS heap, pg_table_size(c.oid) AS bytes
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'";

const INDEX_SIZES: &str = "SELECT i.indexrelid::bigint AS oid, pg_relation_size(i.indexrelid) AS bytes, NULL AS heap
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'i' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'";

// Until 12 the column was total_time. One family may have run under several roles.
const STATEMENTS: &str = "SELECT s.queryid AS id, s.query, sum(s.calls) AS calls, sum(s.rows) AS rows, bool_or(s.hidden) AS hidden,
    sum(s.milliseconds) AS milliseconds
    FROM (SELECT p.queryid, p.query, p.calls, p.rows, p.query IS NULL OR p.query = '<insufficient privilege>' AS hidden,
        coalesce(to_jsonb(p)->>'total_exec_time', to_jsonb(p)->>'total_time')::float8 AS milliseconds
      FROM {schema}.pg_stat_statements p JOIN pg_database d ON d.oid = p.dbid WHERE d.datname = current_database()
        AND coalesce(p.query, '') NOT LIKE 'SELECT pg\\_catalog.row\\_to\\_json(answer)%') s
    GROUP BY s.queryid, s.query ORDER BY sum(s.calls) DESC, s.queryid";

const COUNTED_SINCE: &str =
    "SELECT to_char(stats_reset AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS since,
    extract(epoch FROM now() - stats_reset)::float8 AS seconds FROM {schema}.pg_stat_statements_info";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_estimated_as_the_planner_does() {
        let count = |tuples: f64, pages: u64, live: f64| Count { tuples, pages, live, last_analyze: None };
        assert_eq!(estimated_rows(&count(1000.0, 10, 0.0), 20, &[]), (2000, RowsFrom::Analyze));
        assert_eq!(estimated_rows(&count(-1.0, 0, 70.0), 5, &[]), (70, RowsFrom::Statistics));
        assert_eq!(estimated_rows(&count(-1.0, 0, 0.0), 0, &[]), (0, RowsFrom::Analyze));
        let columns = [Column { type_name: "bigint".into(), ..Column::default() }];
        assert_eq!(estimated_rows(&count(0.0, 0, 0.0), 9, &columns), (2048, RowsFrom::Width));
    }
}
