//! A snapshot of a live database: its schema, sizes, settings and query families as plain data.
//!
//! `rollsafe snapshot` writes it, `lint` and the others read it. It holds no row and no password. Definitions are
//! SQL as the server writes it with an empty `search_path`, so that every name carries its schema. Lists are in the order of
//! names (columns, enum labels: in their own order), so that two snapshots can be compared line by line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of the file's layout: members may be added to it, none removed.
pub const SCHEMA_VERSION: u32 = 1;

/// A database at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`SCHEMA_VERSION`] of the rollsafe that wrote it.
    pub schema_version: u32,
    /// Who wrote it.
    pub tool: Tool,
    /// When, by the server's clock: `2026-01-25T20:00:00Z`.
    pub taken_at: String,
    /// Where.
    pub server: Server,
    /// Settings that change what a migration does or how long it takes, as `SHOW` gives them.
    pub settings: BTreeMap<String, String>,
    /// Installed extensions.
    pub extensions: Vec<Extension>,
    /// Schemas, the system's left out.
    pub schemas: Vec<String>,
    /// Enums, domains, composite and range types; those of extensions left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<Type>,
    /// Tables, partitioned and foreign tables, views, materialized views and sequences.
    pub relations: Vec<Relation>,
    /// Functions, procedures and aggregates; those of extensions left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<Function>,
    /// Publications.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publications: Vec<Publication>,
    /// Subscriptions, without what they connect to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscriptions: Vec<Subscription>,
    /// Foreign servers, without their options.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_servers: Vec<ForeignServer>,
    /// Event triggers, which run with every DDL statement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_triggers: Vec<EventTrigger>,
    /// What migration tools have noted of migrations that have run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ledgers: Vec<Ledger>,
    /// What the database is asked; none without pg_stat_statements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queries: Option<Queries>,
    /// What the role was not allowed to read, or had to wait for too long.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_read: Vec<NotRead>,
}

/// The program that wrote a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `rollsafe`
    pub name: String,
    /// `0.1.0`
    pub version: String,
}

/// The server and database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// `15.8`, with what the packager adds.
    pub version: String,
    /// `server_version_num`: 150008.
    pub version_num: u32,
    /// `current_database()`
    pub database: String,
    /// The role that asked.
    pub role: String,
    /// `UTF8`
    pub encoding: String,
    /// `LC_COLLATE` of the database.
    pub collation: String,
    /// Whether it was a standby.
    #[serde(default, skip_serializing_if = "is_false")]
    pub standby: bool,
    /// Bytes of the database, where the role may know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl Server {
    /// The major version: 15.
    pub fn major(&self) -> u16 {
        u16::try_from(self.version_num / 10_000).unwrap_or(0)
    }
}

/// An installed extension.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where its objects are.
    pub schema: String,
}

/// What kind of type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TypeKind {
    /// CREATE TYPE … AS ENUM.
    Enum,
    /// CREATE DOMAIN.
    Domain,
    /// CREATE TYPE … AS (…).
    Composite,
    /// CREATE TYPE … AS RANGE.
    Range,
    /// A base type.
    #[default]
    Base,
}

/// A type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Type {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: TypeKind,
    /// An enum's labels, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// A composite type's attributes, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Attribute>,
    /// A domain's base type, a range's subtype: `character varying(20)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// A domain's NOT NULL.
    #[serde(default, skip_serializing_if = "is_false")]
    pub not_null: bool,
    /// A domain's DEFAULT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// A domain's constraints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
}

/// An attribute of a composite type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
}

/// What kind of relation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// An ordinary table.
    #[default]
    Table,
    /// A partitioned table (or partition that is one).
    PartitionedTable,
    /// A foreign table.
    ForeignTable,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A sequence.
    Sequence,
}

/// A relation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Relation {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: RelationKind,
    /// UNLOGGED.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unlogged: bool,
    /// The extension that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Columns, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Column>,
    /// Constraints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// Indexes, those of constraints included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Index>,
    /// Triggers, internal ones and those that a partition has from its parent left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
    /// Row security policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Policy>,
    /// Rewrite rules, a view's own left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Extended statistics, as CREATE STATISTICS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statistics: Vec<String>,
    /// ROW LEVEL SECURITY is enabled.
    #[serde(default, skip_serializing_if = "is_false")]
    pub row_security: bool,
    /// REPLICA IDENTITY where it isn't the default: `full`, `nothing`, or the name of an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica_identity: Option<ReplicaIdentity>,
    /// `RANGE (created_at)`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_by: Option<String>,
    /// What it is a partition of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_of: Option<Partition>,
    /// The composite type that it is OF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_type: Option<RelationName>,
    /// Inheritance parents, a partition's left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inherits: Vec<RelationName>,
    /// A view's query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// What a view reads directly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<RelationName>,
    /// The column that a sequence belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owned_by: Option<ColumnName>,
    /// How large it is, of what holds rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
}

/// A relation's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RelationName {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
}

/// A column of a relation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnName {
    /// The relation's schema.
    pub schema: String,
    /// The relation's name.
    pub name: String,
    /// The column.
    pub column: String,
}

/// A column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// `character varying(20)`, as `format_type` writes it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// NOT NULL in force for all rows.
    #[serde(default, skip_serializing_if = "is_false")]
    pub not_null: bool,
    /// DEFAULT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// GENERATED ALWAYS AS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<Generated>,
    /// `always` or `by default`: GENERATED … AS IDENTITY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// COLLATE where it isn't the type's: `pg_catalog."C"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
}

/// A generated column's expression.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// The expression.
    pub expression: String,
    /// STORED; else VIRTUAL (18).
    pub stored: bool,
}

/// A constraint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    /// Its name.
    pub name: String,
    /// `check`, `foreign_key`, `primary_key`, `unique`, `exclude`, `not_null`.
    pub kind: String,
    /// `FOREIGN KEY (user_id) REFERENCES public.users(id) NOT VALID`, as `pg_get_constraintdef` writes it.
    pub definition: String,
    /// False after NOT VALID.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub validated: bool,
    /// It comes from a parent and goes with it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub inherited: bool,
}

/// An index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// As `pg_get_indexdef` writes it.
    pub definition: String,
    /// False after a CONCURRENTLY that failed, or on a partitioned table whose partitions don't all have it.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub valid: bool,
    /// The constraint that owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint: Option<String>,
    /// Its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// A trigger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// As `pg_get_triggerdef` writes it.
    pub definition: String,
    /// `disabled`, `replica`, `always`; none where it fires as usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// A row security policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// `all`, `select`, `insert`, `update`, `delete`.
    pub command: String,
    /// Else RESTRICTIVE.
    pub permissive: bool,
}

/// REPLICA IDENTITY.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaIdentity {
    /// FULL.
    Full,
    /// NOTHING.
    Nothing,
    /// USING INDEX.
    Index(String),
}

/// What a partition belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// The partitioned table's schema.
    pub schema: String,
    /// The partitioned table's name.
    pub name: String,
    /// `FOR VALUES FROM (…) TO (…)`, `DEFAULT`.
    pub bound: String,
}

/// How large a relation is. A partitioned table has none of its own: its partitions have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Size {
    /// Rows, estimated as the planner does: `reltuples / relpages` over the pages that are there now.
    pub rows: u64,
    /// Where that comes from.
    #[serde(default, skip_serializing_if = "is_analyzed")]
    pub rows_from: RowsFrom,
    /// `pg_class.relpages`
    pub pages: u64,
    /// Bytes of the heap and its toast.
    pub bytes: u64,
    /// Bytes of all its indexes.
    pub index_bytes: u64,
    /// When it was last analyzed, by hand or by autovacuum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_analyze: Option<String>,
}

/// What an estimate of rows rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowsFrom {
    /// VACUUM or ANALYZE has counted.
    #[default]
    Analyze,
    /// Never analyzed: the live rows that the statistics have counted since.
    Statistics,
    /// Never analyzed nor counted: the bytes, by rows as wide as the columns' types suggest.
    Width,
}

/// A function, procedure or aggregate; without its body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `function`, `procedure`, `aggregate`, `window`.
    pub kind: String,
    /// `a integer, b text DEFAULT 'x'::text`
    pub arguments: String,
    /// `integer`, `SETOF public.users`, `TABLE(…)`; a procedure has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns: Option<String>,
    /// `sql`, `plpgsql` …
    pub language: String,
    /// `immutable`, `stable`, `volatile`.
    pub volatility: String,
    /// SECURITY DEFINER.
    #[serde(default, skip_serializing_if = "is_false")]
    pub security_definer: bool,
    /// STRICT.
    #[serde(default, skip_serializing_if = "is_false")]
    pub strict: bool,
}

/// A publication.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// Its name.
    pub name: String,
    /// FOR ALL TABLES.
    pub all_tables: bool,
    /// The tables named, those by FOR TABLES IN SCHEMA included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<RelationName>,
}

/// A subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its name.
    pub name: String,
    /// Whether it runs.
    pub enabled: bool,
    /// The publications that it follows.
    pub publications: Vec<String>,
}

/// A foreign server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignServer {
    /// Its name.
    pub name: String,
    /// Its foreign-data wrapper.
    pub wrapper: String,
}

/// An event trigger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTrigger {
    /// Its name.
    pub name: String,
    /// `ddl_command_start` …
    pub event: String,
    /// Whether it fires.
    pub enabled: bool,
}

/// What a migration tool has noted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The tools whose ledger it can be: `flyway`.
    pub runners: Vec<String>,
    /// Its table, as `public.flyway_schema_history`.
    pub table: String,
    /// Its rows, as the tool's own description reads them.
    pub rows: Vec<LedgerRow>,
}

/// One migration in a ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// What the ledger calls it.
    pub key: String,
    /// It has run to its end.
    pub applied: bool,
    /// It stopped half way.
    #[serde(default, skip_serializing_if = "is_false")]
    pub failed: bool,
    /// So have all before it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub up_to: bool,
}

/// What the database is asked, by pg_stat_statements.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Queries {
    /// Since when calls have been counted; none before PostgreSQL 14, which doesn't tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Seconds from then to the snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Queries that are alike but for their values, the most frequent first.
    pub families: Vec<Family>,
    /// How many more there are that aren't kept: utility statements, those of system catalogs, those whose text
    /// isn't free of values, those that come more rarely than all that are kept.
    pub others: u64,
}

/// Queries that are alike but for their values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Family {
    /// pg_stat_statements' `queryid`.
    pub id: i64,
    /// The text with `$1`, `$2` in the place of values.
    pub query: String,
    /// How often it ran.
    pub calls: u64,
    /// How often in a second, on average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<f64>,
    /// Milliseconds that a call took, on average.
    pub mean_milliseconds: f64,
    /// Rows that a call returned or changed, on average.
    pub mean_rows: f64,
    /// Tables and views that it reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<RelationName>,
    /// Tables whose rows it locks (SELECT … FOR UPDATE).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<RelationName>,
    /// Tables and views that it changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<RelationName>,
}

/// Something that is missing from a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotRead {
    /// What: `sizes`, `query families`.
    pub what: String,
    /// Why, and what would help.
    pub why: String,
}

/// No snapshot in these bytes.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Not JSON, or of other members.
    #[error("no snapshot: {0}")]
    Json(#[from] serde_json::Error),
    /// Of a later rollsafe.
    #[error(
        "its schema_version is {0}, and this rollsafe reads up to {SCHEMA_VERSION}: a newer rollsafe wrote it"
    )]
    Newer(u32),
}

impl Snapshot {
    /// Reads a snapshot's file.
    ///
    /// # Errors
    /// When it isn't one, or of a layout that isn't known yet.
    pub fn from_json(bytes: &[u8]) -> Result<Snapshot, SnapshotError> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: u32,
        }
        let Version { schema_version } = serde_json::from_slice(bytes)?;
        if schema_version > SCHEMA_VERSION {
            return Err(SnapshotError::Newer(schema_version));
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The file's text: one line for each object, so that `git diff` shows what has changed.
    pub fn to_json(&self) -> String {
        // Plain data of strings and numbers: it can be written.
        let value = serde_json::to_value(self).unwrap_or_default();
        let mut text = String::from("{\n");
        let members = value.as_object().into_iter().flatten();
        for (at, (name, member)) in members.enumerate() {
            if at > 0 {
                text.push_str(",\n");
            }
            text.push_str(&format!("  {}: ", serde_json::Value::from(name.as_str())));
            match member {
                serde_json::Value::Array(items) if !items.is_empty() => lines(&mut text, items, "    "),
                serde_json::Value::Object(inner) if name == "queries" => {
                    text.push_str("{\n");
                    for (at, (name, member)) in inner.iter().enumerate() {
                        text.push_str(if at > 0 { ",\n    " } else { "    " });
                        text.push_str(&format!("{}: ", serde_json::Value::from(name.as_str())));
                        match member {
                            serde_json::Value::Array(items) if !items.is_empty() => {
                                lines(&mut text, items, "      ");
                            }
                            other => text.push_str(&other.to_string()),
                        }
                    }
                    text.push_str("\n  }");
                }
                other => text.push_str(&other.to_string()),
            }
        }
        text.push_str("\n}\n");
        text
    }

    /// The relation of that name.
    pub fn relation(&self, schema: &str, name: &str) -> Option<&Relation> {
        // Relations are in the order of schema and name.
        self.relations
            .binary_search_by(|known| (known.schema.as_str(), known.name.as_str()).cmp(&(schema, name)))
            .ok()
            .and_then(|at| self.relations.get(at))
    }

    /// Puts every list into its order; who makes a snapshot calls it once.
    pub fn sort(&mut self) {
        self.extensions.sort_by(|a, b| a.name.cmp(&b.name));
        self.schemas.sort();
        self.types.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
        self.relations.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
        for relation in &mut self.relations {
            relation.constraints.sort_by(|a, b| a.name.cmp(&b.name));
            relation.indexes.sort_by(|a, b| a.name.cmp(&b.name));
            relation.triggers.sort_by(|a, b| a.name.cmp(&b.name));
            relation.policies.sort_by(|a, b| a.name.cmp(&b.name));
            relation.rules.sort();
            relation.statistics.sort();
            relation.reads.sort();
        }
        self.functions
            .sort_by(|a, b| (&a.schema, &a.name, &a.arguments).cmp(&(&b.schema, &b.name, &b.arguments)));
        self.publications.sort_by(|a, b| a.name.cmp(&b.name));
        self.subscriptions.sort_by(|a, b| a.name.cmp(&b.name));
        self.foreign_servers.sort_by(|a, b| a.name.cmp(&b.name));
        self.event_triggers.sort_by(|a, b| a.name.cmp(&b.name));
        self.ledgers.sort_by(|a, b| a.table.cmp(&b.table));
        if let Some(queries) = &mut self.queries {
            queries.families.sort_by(|a, b| b.calls.cmp(&a.calls).then(a.id.cmp(&b.id)));
        }
    }
}

/// Items, one a line.
fn lines(text: &mut String, items: &[serde_json::Value], indent: &str) {
    text.push('[');
    for (at, item) in items.iter().enumerate() {
        text.push_str(if at > 0 { ",\n" } else { "\n" });
        text.push_str(indent);
        text.push_str(&item.to_string());
    }
    text.push('\n');
    text.push_str(&indent[2..]); // at least four blanks
    text.push(']');
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_true(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_analyzed(from: &RowsFrom) -> bool {
    *from == RowsFrom::Analyze
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_newer_layouts_are_refused() {
        let mut snapshot = Snapshot { schema_version: SCHEMA_VERSION, ..Snapshot::default() };
        for name in ["users", "Orders \"x\"\n"] {
            snapshot.relations.push(Relation {
                schema: "public".into(),
                name: name.into(),
                ..Relation::default()
            });
        }
        snapshot.queries =
            Some(Queries { families: vec![Family { id: -7, ..Family::default() }], ..Queries::default() });
        snapshot.sort();
        let text = snapshot.to_json();
        assert_eq!(Snapshot::from_json(text.as_bytes()).unwrap(), snapshot);
        assert!(snapshot.relation("public", "users").is_some());
        assert!(snapshot.relation("public", "user").is_none());
        let newer = text.replacen("\"schema_version\": 1", "\"schema_version\": 2", 1);
        assert!(matches!(Snapshot::from_json(newer.as_bytes()), Err(SnapshotError::Newer(2))));
        assert!(matches!(Snapshot::from_json(b"{}"), Err(SnapshotError::Json(_))));
    }
}
