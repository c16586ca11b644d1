//! The catalog of a live database, from its snapshot.
//!
//! The snapshot's definitions are put together to the SQL that pg_dump would write, and replayed like a schema
//! dump: one reader of PostgreSQL's grammar, and the same catalog either way. What SQL can't say (sizes, validity, what a
//! view reads) is put in afterwards.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use compact_str::CompactString;

use super::relation::{Born, Column, Relation, RelationKind, RewriteRule, Size};
use super::{Catalog, QName};
use crate::migration::parse;
use crate::migration::session::Session;
use crate::migration::statement::{Body, Persistence, ReplicaIdentity, TriggerState, quote_ident};
use crate::snapshot::{self, Snapshot};

/// A live database as the linter sees it.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// What exists.
    pub catalog: Catalog,
    /// Definitions that could not be read, so that a part of the catalog is missing: the object, and where
    /// reading stopped.
    pub not_understood: Vec<String>,
}

impl Catalog {
    /// What existed when `snapshot` was taken, with sizes.
    pub fn from_snapshot(snapshot: &Snapshot) -> Live {
        let text = statements(snapshot);
        let mut live = Live { catalog: Catalog::empty(), not_understood: vec![] };
        // public can be dropped.
        live.catalog.schemas = super::map::SharedMap::default();
        let mut session = Session::default();
        session.search_path.clear();
        for statement in parse::parse(&text, 0..text.len()).statements {
            if matches!(statement.body, Body::NotUnderstood) {
                let problem = statement.problems.first().map(|it| it.message.as_str()).unwrap_or_default();
                let start: String = statement.span.of(&text).chars().take(80).collect();
                live.not_understood.push(format!("{}…: {problem}", start.trim()));
            } else {
                live.catalog.apply(&statement, &text, &session, Born::Before);
            }
        }
        for relation in &snapshot.relations {
            live.catalog.complete_from(relation);
        }
        live.catalog.tell_parts();
        live.catalog.add_up_partitions(snapshot);
        live.catalog.complete = true;
        live.catalog.leave_sources();
        live
    }

    /// What no statement tells of a relation, or what could not be read.
    fn complete_from(&mut self, told: &snapshot::Relation) {
        let name = QName::new(&told.schema, &told.name);
        if !self.relations.contains_key(&name) {
            // Its definition wasn't read, or wasn't to be had: its columns' names are.
            let columns = told.columns.iter().map(|column| Column {
                name: column.name.as_str().into(),
                not_null: column.not_null,
                ..Column::default()
            });
            let relation = Relation {
                name: name.clone(),
                kind: kind(told.kind),
                columns: columns.collect(),
                columns_known: true,
                ..Relation::default()
            };
            self.relations.insert(name.clone(), Arc::new(relation));
        }
        let reads: Vec<QName> = told.reads.iter().map(|read| QName::new(&read.schema, &read.name)).collect();
        let mentions = self.relation(&name).map(|known| known.mentions.clone()).unwrap_or_default();
        for read in &reads {
            self.link_view(read, &name, &mentions);
        }
        let Some(relation) = self.relations.get_mut(&name).map(Arc::make_mut) else { return };
        if !reads.is_empty() {
            relation.reads = reads;
        }
        relation.columns_known = true;
        relation.row_security = told.row_security;
        relation.persistence = if told.unlogged { Persistence::Unlogged } else { Persistence::Permanent };
        let rules = told.rules.iter().map(|rule| RewriteRule {
            name: rule.as_str().into(),
            state: TriggerState::Enable,
            definition: None,
        });
        relation.rules = rules.collect();
        relation.replica_identity = told.replica_identity.as_ref().map(|identity| match identity {
            snapshot::ReplicaIdentity::Full => (ReplicaIdentity::Full, None),
            snapshot::ReplicaIdentity::Nothing => (ReplicaIdentity::Nothing, None),
            snapshot::ReplicaIdentity::Index(index) => (ReplicaIdentity::Index, Some(index.as_str().into())),
        });
        relation.size = told.size.as_ref().map(|size| Size {
            rows: size.rows,
            bytes: size.bytes,
            index_bytes: size.index_bytes,
        });
        for index in relation.indexes.iter_mut() {
            if let Some(told) = told.indexes.iter().find(|it| index.name == it.name) {
                index.valid = told.valid;
                index.bytes = told.bytes;
            }
        }
        for constraint in relation.constraints.iter_mut() {
            if let Some(told) = told.constraints.iter().find(|it| constraint.name == it.name) {
                constraint.validated = told.validated;
            }
        }
    }

    /// Which indexes of partitions are part of which of their tables'. The snapshot doesn't say: it is the one that can be.
    fn tell_parts(&mut self) {
        let partitions: Vec<(QName, QName)> = self
            .relations_unsorted()
            .filter_map(|known| Some((known.name.clone(), known.partition_of.as_ref()?.parent.clone())))
            .collect();
        for (partition, parent) in partitions {
            let (Some(own), Some(above)) = (self.relation(&partition), self.relation(&parent)) else {
                continue;
            };
            let mut used: Vec<CompactString> = Vec::new();
            let mut parts: Vec<(CompactString, CompactString)> = Vec::new();
            for index in &above.indexes {
                if let Some(part) = own.part_of(above, index, false, &used) {
                    used.push(part.name.clone());
                    parts.push((part.name.clone(), index.name.clone()));
                }
            }
            let Some(own) = self.relations.get_mut(&partition).map(Arc::make_mut) else { continue };
            for (part, of) in parts {
                own.indexes.change(&part, |index| index.part_of = Some(of.clone()));
            }
        }
    }

    /// A partitioned table is as large as its partitions.
    fn add_up_partitions(&mut self, snapshot: &Snapshot) {
        let partitioned =
            snapshot.relations.iter().filter(|it| it.kind == snapshot::RelationKind::PartitionedTable);
        for told in partitioned {
            let name = QName::new(&told.schema, &told.name);
            let mut total = Size::default();
            for part in self.descendants(&name) {
                let Some(part) = self.relation(&part) else { continue };
                // Partitions that are partitioned themselves are added up as well: only leaves count.
                if let Some(size) = part.size.filter(|_| !part.is_partitioned()) {
                    total.rows += size.rows;
                    total.bytes += size.bytes;
                    total.index_bytes += size.index_bytes;
                }
            }
            if let Some(relation) = self.relations.get_mut(&name).map(Arc::make_mut) {
                relation.size = Some(total);
            }
        }
    }
}

fn kind(kind: snapshot::RelationKind) -> RelationKind {
    match kind {
        snapshot::RelationKind::Table => RelationKind::Table,
        snapshot::RelationKind::PartitionedTable => RelationKind::PartitionedTable,
        snapshot::RelationKind::ForeignTable => RelationKind::ForeignTable,
        snapshot::RelationKind::View => RelationKind::View,
        snapshot::RelationKind::MaterializedView => RelationKind::MaterializedView,
        snapshot::RelationKind::Sequence => RelationKind::Sequence,
    }
}

/// The schema as SQL, in an order in which everything comes before what needs it.
fn statements(snapshot: &Snapshot) -> String {
    let mut sql = String::new();
    // Writing into a string can't fail.
    let _ = write_statements(snapshot, &mut sql);
    sql
}

fn write_statements(snapshot: &Snapshot, sql: &mut String) -> std::fmt::Result {
    for schema in &snapshot.schemas {
        writeln!(sql, "CREATE SCHEMA {};", quote_ident(schema))?;
    }
    for extension in &snapshot.extensions {
        let (name, schema) = (quote_ident(&extension.name), quote_ident(&extension.schema));
        writeln!(sql, "CREATE EXTENSION {name} WITH SCHEMA {schema};")?;
    }
    for one in &snapshot.types {
        write_type(one, sql)?;
    }
    for function in &snapshot.functions {
        write_function(function, sql)?;
    }
    let is_table = |relation: &&snapshot::Relation| {
        use snapshot::RelationKind::{ForeignTable, PartitionedTable, Table};
        matches!(relation.kind, Table | PartitionedTable | ForeignTable)
    };
    let mut sequences: HashMap<(&str, &str), Vec<&snapshot::Relation>> = HashMap::new();
    for sequence in &snapshot.relations {
        if let Some(owner) = &sequence.owned_by {
            sequences.entry((&owner.schema, &owner.name)).or_default().push(sequence);
        }
    }
    for relation in snapshot.relations.iter().filter(is_table) {
        let name = (relation.schema.as_str(), relation.name.as_str());
        write_table(relation, sequences.get(&name).map_or(&[], Vec::as_slice), sql)?;
    }
    for relation in snapshot.relations.iter().filter(is_table) {
        let name = qualified(&relation.schema, &relation.name);
        for parent in &relation.inherits {
            writeln!(sql, "ALTER TABLE {name} INHERIT {};", qualified(&parent.schema, &parent.name))?;
        }
    }
    write_partitions(snapshot, sql)?;
    for relation in &snapshot.relations {
        let name = qualified(&relation.schema, &relation.name);
        match relation.kind {
            snapshot::RelationKind::Sequence => {
                write!(sql, "CREATE SEQUENCE {name}")?;
                if let Some(owner) = &relation.owned_by {
                    let table = qualified(&owner.schema, &owner.name);
                    write!(sql, " OWNED BY {table}.{}", quote_ident(&owner.column))?;
                }
                writeln!(sql, ";")?;
            }
            snapshot::RelationKind::View | snapshot::RelationKind::MaterializedView => {
                write_view(relation, &name, sql)?;
            }
            _ => {}
        }
    }
    write_constraints_and_indexes(snapshot, sql)?;
    for relation in &snapshot.relations {
        let name = qualified(&relation.schema, &relation.name);
        for trigger in &relation.triggers {
            writeln!(sql, "{};", trigger.definition)?;
            let state = match trigger.state.as_deref() {
                Some("disabled") => "DISABLE",
                Some("replica") => "ENABLE REPLICA",
                Some("always") => "ENABLE ALWAYS",
                _ => continue,
            };
            writeln!(sql, "ALTER TABLE {name} {state} TRIGGER {};", quote_ident(&trigger.name))?;
        }
        for policy in &relation.policies {
            writeln!(sql, "CREATE POLICY {} ON {name};", quote_ident(&policy.name))?;
        }
    }
    for definition in snapshot.relations.iter().flat_map(|relation| &relation.statistics) {
        writeln!(sql, "{definition};")?;
    }
    for publication in &snapshot.publications {
        write!(sql, "CREATE PUBLICATION {}", quote_ident(&publication.name))?;
        if publication.all_tables {
            write!(sql, " FOR ALL TABLES")?;
        } else if !publication.tables.is_empty() {
            let tables: Vec<String> =
                publication.tables.iter().map(|table| qualified(&table.schema, &table.name)).collect();
            write!(sql, " FOR TABLE {}", tables.join(", "))?;
        }
        writeln!(sql, ";")?;
    }
    Ok(())
}

fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quote_ident(schema), quote_ident(name))
}

fn literal(text: &str) -> String {
    if text.contains('\\') {
        format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

fn write_type(one: &snapshot::Type, sql: &mut String) -> std::fmt::Result {
    let name = qualified(&one.schema, &one.name);
    let base = one.base.as_deref().unwrap_or("text");
    match one.kind {
        snapshot::TypeKind::Enum => {
            let labels: Vec<String> = one.labels.iter().map(|label| literal(label)).collect();
            writeln!(sql, "CREATE TYPE {name} AS ENUM ({});", labels.join(", "))
        }
        snapshot::TypeKind::Composite => {
            let attributes =
                one.attributes.iter().map(|it| format!("{} {}", quote_ident(&it.name), it.type_name));
            writeln!(sql, "CREATE TYPE {name} AS ({});", attributes.collect::<Vec<_>>().join(", "))
        }
        snapshot::TypeKind::Range => writeln!(sql, "CREATE TYPE {name} AS RANGE (subtype = {base});"),
        snapshot::TypeKind::Base => writeln!(sql, "CREATE TYPE {name};"),
        snapshot::TypeKind::Domain => {
            write!(sql, "CREATE DOMAIN {name} AS {base}")?;
            if let Some(default) = &one.default {
                write!(sql, " DEFAULT {default}")?;
            }
            writeln!(sql, "{};", if one.not_null { " NOT NULL" } else { "" })?;
            for constraint in &one.constraints {
                let (constraint, definition) = (quote_ident(&constraint.name), &constraint.definition);
                writeln!(sql, "ALTER DOMAIN {name} ADD CONSTRAINT {constraint} {definition};")?;
            }
            Ok(())
        }
    }
}

fn write_function(function: &snapshot::Function, sql: &mut String) -> std::fmt::Result {
    let name = qualified(&function.schema, &function.name);
    let arguments = &function.arguments;
    match function.kind.as_str() {
        "procedure" => write!(sql, "CREATE PROCEDURE {name}({arguments})")?,
        // Nothing depends on what an aggregate is made of.
        "aggregate" => return Ok(()),
        _ => {
            let returns = function.returns.as_deref().unwrap_or("void");
            write!(sql, "CREATE FUNCTION {name}({arguments}) RETURNS {returns} {}", function.volatility)?;
        }
    }
    let strict = if function.strict { " STRICT" } else { "" };
    let definer = if function.security_definer { " SECURITY DEFINER" } else { "" };
    writeln!(sql, " LANGUAGE {}{strict}{definer} AS '';", quote_ident(&function.language))
}

fn write_table(
    relation: &snapshot::Relation,
    sequences: &[&snapshot::Relation],
    sql: &mut String,
) -> std::fmt::Result {
    let foreign = relation.kind == snapshot::RelationKind::ForeignTable;
    let what = match (foreign, relation.unlogged) {
        (true, _) => "FOREIGN TABLE",
        (false, true) => "UNLOGGED TABLE",
        (false, false) => "TABLE",
    };
    let name = qualified(&relation.schema, &relation.name);
    write!(sql, "CREATE {what} {name} (")?;
    for (at, column) in relation.columns.iter().enumerate() {
        write!(
            sql,
            "{}\n  {} {}",
            if at > 0 { "," } else { "" },
            quote_ident(&column.name),
            column.type_name
        )?;
        if let Some(collation) = &column.collation {
            write!(sql, " COLLATE {collation}")?;
        }
        if let Some(default) = &column.default {
            write!(sql, " DEFAULT {default}")?;
        }
        if let Some(generated) = &column.generated {
            let stored = if generated.stored { "STORED" } else { "VIRTUAL" };
            write!(sql, " GENERATED ALWAYS AS ({}) {stored}", generated.expression)?;
        }
        if column.not_null {
            write!(sql, " NOT NULL")?;
        }
    }
    write!(sql, "\n)")?;
    if let Some(partition_by) = &relation.partition_by {
        write!(sql, " PARTITION BY {partition_by}")?;
    }
    // Which server it is on, nobody asks.
    writeln!(sql, "{};", if foreign { " SERVER elsewhere" } else { "" })?;
    if let Some(of) = &relation.of_type {
        writeln!(sql, "ALTER TABLE {name} OF {};", qualified(&of.schema, &of.name))?;
    }
    for column in &relation.columns {
        if let Some(identity) = &column.identity {
            let (of, column) = (&column.name, quote_ident(&column.name));
            let how = identity.to_uppercase();
            write!(sql, "ALTER TABLE {name} ALTER COLUMN {column} ADD GENERATED {how} AS IDENTITY")?;
            // Its sequence has the name that it has had since it was made.
            let owned = |it: &&&snapshot::Relation| {
                it.owned_by.as_ref().is_some_and(|owner| {
                    owner.schema == relation.schema && owner.name == relation.name && owner.column == *of
                })
            };
            if let Some(sequence) = sequences.iter().find(owned) {
                write!(sql, " (SEQUENCE NAME {})", qualified(&sequence.schema, &sequence.name))?;
            }
            writeln!(sql, ";")?;
        }
    }
    Ok(())
}

/// ATTACH, upper ones first: what is attached to a partition that isn't attached yet would not be seen from above.
fn write_partitions(snapshot: &Snapshot, sql: &mut String) -> std::fmt::Result {
    let depth = |relation: &snapshot::Relation| {
        let mut depth = 0;
        let mut at = relation.partition_of.as_ref();
        // A chain longer than all relations would be a circle.
        while let Some(parent) = at.filter(|_| depth < snapshot.relations.len()) {
            depth += 1;
            at = snapshot.relation(&parent.schema, &parent.name).and_then(|it| it.partition_of.as_ref());
        }
        depth
    };
    let mut partitions: Vec<(usize, &snapshot::Relation, &snapshot::Partition)> = snapshot
        .relations
        .iter()
        .filter_map(|relation| Some((depth(relation), relation, relation.partition_of.as_ref()?)))
        .collect();
    partitions.sort_by_key(|(depth, ..)| *depth);
    for (_, relation, of) in partitions {
        let (parent, name) = (qualified(&of.schema, &of.name), qualified(&relation.schema, &relation.name));
        writeln!(sql, "ALTER TABLE ONLY {parent} ATTACH PARTITION {name} {};", of.bound)?;
    }
    Ok(())
}

fn write_view(relation: &snapshot::Relation, name: &str, sql: &mut String) -> std::fmt::Result {
    let Some(definition) = &relation.definition else { return Ok(()) };
    let columns: Vec<String> = relation.columns.iter().map(|it| quote_ident(&it.name).to_string()).collect();
    let list = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
    let definition = definition.trim_end_matches(';');
    if relation.kind == snapshot::RelationKind::View {
        writeln!(sql, "CREATE VIEW {name}{list} AS {definition};")
    } else {
        writeln!(sql, "CREATE MATERIALIZED VIEW {name}{list} AS {definition} WITH NO DATA;")
    }
}

/// Keys first, then indexes, then what refers to keys.
fn write_constraints_and_indexes(snapshot: &Snapshot, sql: &mut String) -> std::fmt::Result {
    let constraints = |sql: &mut String, wanted: &dyn Fn(&str) -> bool| -> std::fmt::Result {
        for relation in &snapshot.relations {
            let name = qualified(&relation.schema, &relation.name);
            for constraint in relation.constraints.iter().filter(|it| wanted(&it.kind)) {
                // A partition has its parent's foreign keys from it.
                let of_key = constraint.kind == "foreign_key";
                if of_key && constraint.inherited && relation.partition_of.is_some() {
                    continue;
                }
                let only = if of_key && relation.partition_by.is_some() { "" } else { "ONLY " };
                let (constraint, definition) = (quote_ident(&constraint.name), &constraint.definition);
                writeln!(sql, "ALTER TABLE {only}{name} ADD CONSTRAINT {constraint} {definition};")?;
            }
        }
        Ok(())
    };
    constraints(sql, &|kind| kind != "foreign_key")?;
    for relation in &snapshot.relations {
        for index in relation.indexes.iter().filter(|index| index.constraint.is_none()) {
            writeln!(sql, "{};", index.definition)?;
        }
    }
    constraints(sql, &|kind| kind == "foreign_key")
}
