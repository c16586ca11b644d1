//! What a dump asks for before it can be restored: databases, roles, extensions; and what of it is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::backup::archive::{Archive, Format};
use crate::postgres::sql_text::quote_identifier;
use crate::postgres::version::PgVersion;

use super::NotRestored;
use super::names::{database_options, extension_in, roles_in};
use super::scan::{ScanSink, scan};

/// Kinds of entries that only a superuser can create, or that would reach out to other servers.
const SUPERUSER_KINDS: &[(&str, &str)] = &[
    ("EVENT TRIGGER", "only a superuser can create one"),
    ("SUBSCRIPTION", "it would connect to another server"),
    ("SUBSCRIPTION TABLE", "it would connect to another server"),
    ("FOREIGN DATA WRAPPER", "only a superuser can create one"),
    ("SERVER", "it would connect to another server"),
    ("USER MAPPING", "it would connect to another server"),
    ("FOREIGN TABLE", "its rows are on another server"),
    ("ACCESS METHOD", "only a superuser can create one"),
    ("OPERATOR CLASS", "only a superuser can create one"),
    ("OPERATOR FAMILY", "only a superuser can create one"),
    ("TEXT SEARCH PARSER", "only a superuser can create one"),
    ("TEXT SEARCH TEMPLATE", "only a superuser can create one"),
    ("TRANSFORM", "only a superuser can create one"),
    ("SECURITY LABEL", "it needs a label provider"),
    ("PUBLICATION TABLES IN SCHEMA", "only a superuser can create one"),
    ("SUBSCRIPTION", "it would connect to another server"),
];

/// What must be there before a dump is restored, and what of it is left out.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The version that the server must have at least.
    pub(super) version: Option<PgVersion>,
    /// The databases: one without a name, or those of a cluster's dump.
    pub(super) databases: BTreeMap<String, PlannedDatabase>,
    pub(super) roles: BTreeSet<String>,
    /// Entries left out, by dump id.
    pub(super) skipped: BTreeMap<i32, NotRestored>,
    /// Entries of extensions, by dump id.
    pub(super) extension_entries: BTreeMap<i32, String>,
    pub(super) has_tablespaces: bool,
    /// Whether it is the text of one database, which may name and make that itself (`pg_dump --create`).
    pub(super) is_one_text: bool,
    pub(super) needs_pg_restore: bool,
}

/// A database to be made.
#[derive(Debug, Default)]
pub(super) struct PlannedDatabase {
    /// Options of CREATE DATABASE.
    pub(super) options: Vec<(&'static str, String)>,
    /// The encoding of a text's rows, where it says so: with `--encoding` another one than the database's.
    pub(super) client_encoding: Option<String>,
    /// Extensions, each with its schema.
    pub(super) extensions: Vec<(String, Option<String>)>,
}

impl Plan {
    /// What an archive's table of contents asks for.
    pub(super) fn of_toc(archive: &Archive) -> Plan {
        let mut plan = Plan { needs_pg_restore: true, ..Plan::default() };
        let mut database = PlannedDatabase::default();
        if let Some(header) = &archive.header {
            let version = |text: &Option<Vec<u8>>| {
                text.as_deref().and_then(|text| PgVersion::find_in(&String::from_utf8_lossy(text)))
            };
            plan.version = version(&header.server_version).max(version(&header.pg_dump_version));
        }
        for entry in &archive.toc.entries {
            let kind = entry.kind.as_str();
            plan.has_tablespaces |= entry.tablespace.as_deref().is_some_and(|name| !name.is_empty());
            if let Some(owner) = entry.owner.as_deref().filter(|owner| !owner.is_empty()) {
                roles_in(&format!("TO {}", quote_identifier(owner)), &mut plan.roles);
            }
            match kind {
                "ACL" | "DEFAULT ACL" | "POLICY" => roles_in(&entry.definition, &mut plan.roles),
                "DATABASE" => database.options = database_options(&entry.definition),
                "EXTENSION" => {
                    let (name, schema) =
                        extension_in(&entry.definition).unwrap_or_else(|| (entry.tag.clone(), None));
                    plan.extension_entries.insert(entry.dump_id, name.clone());
                    database.extensions.push((name, schema));
                }
                _ => {}
            }
            let by_superuser =
                SUPERUSER_KINDS.iter().find(|(name, _)| *name == kind).map(|(_, why)| *why).or_else(|| {
                    let definition = entry.definition.as_str();
                    let is_c = matches!(kind, "FUNCTION" | "PROCEDURE")
                        && [" LANGUAGE c\n", " LANGUAGE c ", " LANGUAGE internal"]
                            .iter()
                            .any(|c| definition.contains(c));
                    let all_tables = kind == "PUBLICATION" && definition.contains("FOR ALL TABLES");
                    (is_c || all_tables).then_some("only a superuser can create one")
                });
            if let Some(why) = by_superuser {
                let what = format!("{kind} {}", entry.qualified());
                plan.skipped.insert(entry.dump_id, NotRestored { what, why: why.to_owned() });
            }
        }
        // A header without an encoding entry, from a damaged dump: the default is as good as any.
        if !database.options.iter().any(|(name, _)| *name == "ENCODING") {
            database.options.push(("ENCODING", archive.toc.encoding.name.clone()));
        }
        plan.databases.insert(String::new(), database);
        plan
    }

    /// The encoding that the rows of the dump's database `name` are in.
    pub(super) fn encoding(&self, name: &str) -> &str {
        let Some(database) = self.databases.get(name) else { return "UTF8" };
        let created = database.options.iter().find(|(option, _)| *option == "ENCODING");
        let created = created.map(|(_, encoding)| encoding.as_str());
        database.client_encoding.as_deref().or(created).unwrap_or("UTF8")
    }

    /// What a plain dump asks for: reads it up to its first rows (a cluster's to its end).
    pub(super) fn of_text(archive: &Archive) -> Plan {
        let mut plan = Plan { is_one_text: archive.format == Format::Plain, ..Plan::default() };
        let mut collecting =
            PlanScan { plan: &mut plan, database: String::new(), whole: archive.format == Format::Cluster };
        scan(archive, &mut collecting);
        plan.databases.entry(String::new()).or_default();
        for database in plan.databases.values_mut() {
            // A database that nothing says more of is made in the encoding of its rows.
            if !database.options.iter().any(|(name, _)| *name == "ENCODING")
                && let Some(encoding) = &database.client_encoding
            {
                database.options.push(("ENCODING", encoding.clone()));
            }
        }
        plan
    }

    /// The entries that can't be there because they depend on `missing` ones, with these.
    pub(super) fn dependents(archive: &Archive, missing: impl IntoIterator<Item = i32>) -> BTreeSet<i32> {
        let mut gone: BTreeSet<i32> = missing.into_iter().collect();
        if gone.is_empty() {
            return gone;
        }
        // Entries come after what they depend on, but for a few loops: twice is enough for those.
        for _ in 0..2 {
            for entry in &archive.toc.entries {
                if entry.dependencies.iter().any(|id| gone.contains(id)) {
                    gone.insert(entry.dump_id);
                }
            }
        }
        gone
    }
}

/// Collects what a plain dump asks for.
struct PlanScan<'a> {
    plan: &'a mut Plan,
    database: String,
    whole: bool,
}

impl ScanSink for PlanScan<'_> {
    fn comment(&mut self, line: &str) {
        for start in ["Dumped from database version ", "Dumped by pg_dump version "] {
            if let Some(version) = line.strip_prefix(start).and_then(PgVersion::find_in) {
                self.plan.version = self.plan.version.max(Some(version));
            }
        }
    }

    fn connect(&mut self, database: &str) {
        self.database = database.to_owned();
    }

    fn statement(&mut self, sql: &str) -> ControlFlow<()> {
        let here = self.plan.databases.entry(self.database.clone()).or_default();
        if let Some(extension) = extension_in(sql) {
            here.extensions.push(extension);
        } else if let Some(encoding) = super::scan::client_encoding(sql) {
            // Later ones are for the database that comes next: pg_dumpall sets it before it connects.
            here.client_encoding.get_or_insert(encoding);
        } else if let Some(name) = super::scan::created_database(sql) {
            self.plan.databases.entry(name).or_default().options = database_options(sql);
        } else {
            let starts = |word: &str| super::names::strip_words(sql, &[word]).is_some();
            if starts("GRANT")
                || starts("REVOKE")
                || super::names::strip_words(sql, &["CREATE", "ROLE"]).is_some()
            {
                roles_in(sql, &mut self.plan.roles);
            }
        }
        ControlFlow::Continue(())
    }

    fn rows(&mut self) -> ControlFlow<()> {
        if self.whole { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}
