//! What a dump holds and what it doesn't: tables with and without data, what the target must have, what runs code.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::archive::toc::{Toc, TocEntry};
use super::schema::{Schema, TableKind, copy_target};

/// What the table of contents tells.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Contents {
    /// Tables with a definition, in order of their names.
    pub tables: Vec<TableContents>,
    /// Tables with a data block but no definition.
    pub data_without_definition: Vec<String>,
    /// What was left out of the dump, by the look of it.
    pub selection: Selection,
    /// OIDs of large objects that the table of contents declares.
    pub large_objects: Vec<u32>,
    /// Extensions that the target must have.
    pub extensions: Vec<String>,
    /// Roles that own something or were granted something.
    pub roles: Vec<String>,
    /// Tablespaces other than the default.
    pub tablespaces: Vec<String>,
    /// What runs code where the dump is restored, beyond plain functions.
    pub runs_code: Vec<RunsCode>,
    /// Entries of each kind.
    pub kinds: BTreeMap<String, usize>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableContents {
    /// `billing.orders`
    pub name: String,
    /// Whether the dump has a data block for it.
    pub has_data: bool,
    /// Whether it should: not for partitioned and foreign tables.
    pub wants_data: bool,
    /// Whether it is unlogged, and `--no-unlogged-table-data` may have left it out.
    pub unlogged: bool,
}

/// What a dump was restricted to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Selection {
    /// Definitions alone.
    pub schema_only: bool,
    /// Data alone.
    pub data_only: bool,
    /// Statistics alone.
    pub statistics_only: bool,
    /// Tables whose rows were left out (`--exclude-table-data`).
    pub excluded: Vec<String>,
    /// Signs that only some tables or schemas were dumped (`-t`, `-n`, `-T`, `-N`), in words.
    pub filtered: Vec<String>,
}

/// Something that runs code when it is restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunsCode {
    /// What it is: `function public.f()`.
    pub object: String,
    /// What it can do.
    pub what: String,
}

/// Reads definitions and lists what there is. `Schema` comes from the same table of contents.
pub fn read_contents(toc: &Toc) -> (Contents, Schema) {
    let mut schema = Schema::default();
    // A partition's ATTACH may come before nothing it needs, but tables come first to be found.
    let later = |entry: &TocEntry| matches!(entry.kind.as_str(), "TABLE ATTACH");
    for entry in toc.entries.iter().filter(|entry| !later(entry)) {
        schema.read(&entry.kind, &entry.definition);
    }
    for entry in toc.entries.iter().filter(|entry| later(entry)) {
        schema.read(&entry.kind, &entry.definition);
    }
    (contents(&toc.entries, &schema), schema)
}

/// What entries and their definitions tell.
pub fn contents(entries: &[TocEntry], schema: &Schema) -> Contents {
    let mut contents = Contents::default();
    let mut with_data = BTreeSet::new();
    let mut roles = BTreeSet::new();
    let mut tablespaces = BTreeSet::new();
    let mut schemas = BTreeSet::new();
    let mut has_definitions = false;
    for entry in entries {
        *contents.kinds.entry(entry.kind.clone()).or_insert(0) += 1;
        roles.extend(entry.owner.clone());
        tablespaces.extend(entry.tablespace.clone());
        match entry.kind.as_str() {
            "TABLE DATA" => {
                with_data.insert(entry.qualified());
                // Loaded through its partitioned root, a partition's rows come under the root's name.
                with_data.extend(copy_target(&entry.copy).map(|target| target.table));
            }
            "SCHEMA" => {
                schemas.insert(entry.tag.clone());
            }
            "EXTENSION" => contents.extensions.push(entry.tag.clone()),
            "BLOB" => contents.large_objects.extend(entry.tag.parse::<u32>()),
            "BLOB METADATA" => {
                contents
                    .large_objects
                    .extend(entry.definition.lines().filter_map(|line| line.trim().parse::<u32>().ok()));
            }
            "ACL" | "DEFAULT ACL" | "POLICY" => roles.extend(granted_roles(&entry.definition)),
            _ => {}
        }
        has_definitions |=
            matches!(entry.kind.as_str(), "TABLE" | "VIEW" | "FUNCTION" | "TYPE" | "SCHEMA" | "SEQUENCE");
        contents.runs_code.extend(runs_code(entry));
    }
    // The roles of the server's own are everywhere, and nobody can create them.
    roles.retain(|role| !role.eq_ignore_ascii_case("public") && !role.starts_with("pg_"));
    // The heading of a plain dump's data has the table's name in one line.
    for name in schema.tables.keys().filter(|name| name.contains(['\n', '\r'])) {
        if with_data.remove(&one_line(name)) {
            with_data.insert(name.clone());
        }
    }
    for (name, table) in &schema.tables {
        contents.tables.push(TableContents {
            name: name.clone(),
            has_data: with_data.contains(name),
            wants_data: matches!(table.kind, TableKind::Plain | TableKind::Unlogged),
            unlogged: table.kind == TableKind::Unlogged,
        });
    }
    contents.data_without_definition =
        with_data.iter().filter(|name| !schema.tables.contains_key(*name)).cloned().collect();
    contents.selection = selection(&contents, &with_data, has_definitions);
    contents.selection.filtered = filtered(&contents, schema, entries, &schemas);
    contents.roles = roles.into_iter().collect();
    contents.tablespaces = tablespaces.into_iter().collect();
    contents.large_objects.sort_unstable();
    contents
}

/// The name as pg_dump's comments have it (`sanitize_line` in `dumputils.c`).
pub(super) fn one_line(name: &str) -> String {
    name.replace(['\n', '\r'], " ")
}

fn selection(contents: &Contents, with_data: &BTreeSet<String>, has_definitions: bool) -> Selection {
    let wanting: Vec<&TableContents> = contents.tables.iter().filter(|table| table.wants_data).collect();
    let schema_only = with_data.is_empty() && !wanting.is_empty();
    let data_only = !with_data.is_empty() && !has_definitions;
    let excluded = if schema_only {
        vec![]
    } else {
        wanting.iter().filter(|table| !table.has_data).map(|table| table.name.clone()).collect()
    };
    let statistics_only = contents.kinds.contains_key("STATISTICS DATA")
        && contents.tables.is_empty()
        && with_data.is_empty()
        && !has_definitions;
    Selection { schema_only, data_only, statistics_only, excluded, filtered: vec![] }
}

/// Signs of `-t` and `-n`: things that other things in the dump need and that aren't in it.
fn filtered(
    contents: &Contents,
    schema: &Schema,
    entries: &[TocEntry],
    schemas: &BTreeSet<String>,
) -> Vec<String> {
    if contents.selection.data_only {
        return vec![];
    }
    let mut signs = BTreeSet::new();
    for table in schema.tables.keys() {
        if let Some((of, _)) = table.split_once('.')
            && of != "public"
            && !schemas.contains(of)
        {
            signs.insert(format!("the schema {of} of its tables isn't in it"));
        }
    }
    for key in &schema.foreign_keys {
        if !schema.tables.contains_key(&key.target) {
            signs.insert(format!("{} refers to {}, which isn't in it", key.table, key.target));
        }
    }
    for (name, table) in &schema.tables {
        for parent in &table.parents {
            if !schema.tables.contains_key(parent) {
                signs.insert(format!("{name} is part of {parent}, which isn't in it"));
            }
        }
    }
    // Types and functions may also be an extension's, whose parts aren't listed.
    if contents.extensions.is_empty() {
        let named: BTreeSet<String> = entries
            .iter()
            .map(|entry| {
                let name = entry.qualified();
                name.split('(').next().unwrap_or(&name).to_owned()
            })
            .collect();
        for (name, table) in &schema.tables {
            for column in &table.columns {
                let kind = column.kind.trim_end_matches("[]").replace('"', "");
                let base = kind.split('(').next().unwrap_or(&kind);
                if base.contains('.') && !base.starts_with("pg_catalog.") && !named.contains(base) {
                    signs.insert(format!("{name} has a column of the type {base}, which isn't in it"));
                }
            }
        }
        for entry in entries.iter().filter(|entry| entry.kind == "TRIGGER") {
            let function = entry.definition.rsplit(" EXECUTE ").next().and_then(|call| {
                let call = call.strip_prefix("FUNCTION ").or_else(|| call.strip_prefix("PROCEDURE "))?;
                Some(call.split('(').next()?.replace('"', ""))
            });
            if let Some(function) = function.filter(|name| name.contains('.') && !named.contains(name)) {
                signs.insert(format!("the trigger {} calls {function}, which isn't in it", entry.tag));
            }
        }
    }
    let views = entries.iter().any(|entry| matches!(entry.kind.as_str(), "VIEW" | "MATERIALIZED VIEW"));
    if schema.tables.is_empty() && views {
        signs.insert("it has views and no tables".to_owned());
    }
    signs.into_iter().collect()
}

/// Roles behind `TO` in GRANT statements and policies.
fn granted_roles(sql: &str) -> Vec<String> {
    let mut roles = vec![];
    for statement in sql.split(";\n") {
        let statement = statement.trim().trim_end_matches(';');
        let Some((_, after)) = statement.rsplit_once(" TO ") else { continue };
        if !(statement.contains("GRANT ") || statement.starts_with("CREATE POLICY")) {
            continue;
        }
        let list = after.split(" USING ").next().unwrap_or("").split(" WITH ").next().unwrap_or("");
        for role in list.split(',') {
            let role = role.trim().trim_end_matches(';').trim();
            let name = match role.strip_prefix('"').and_then(|role| role.strip_suffix('"')) {
                Some(quoted) => quoted.replace("\"\"", "\""),
                None => role.to_owned(),
            };
            if !name.is_empty() && !name.contains(['(', ')', '\n']) {
                roles.push(name);
            }
        }
    }
    roles
}

/// What an entry can do to the server that it is restored on, beyond what every dump does.
fn runs_code(entry: &TocEntry) -> Option<RunsCode> {
    let sql = entry.definition.as_str();
    let lower = || sql.to_ascii_lowercase();
    let what = match entry.kind.as_str() {
        "FUNCTION" | "PROCEDURE" => {
            let lower = lower();
            if lower.contains("language c") && !lower.contains("'$libdir/") {
                "it loads a library of its own into the server; only a superuser may"
            } else if lower.contains("language c\n") || lower.contains("language c ") {
                "it loads a library into the server; only a superuser may"
            } else if ["plpythonu", "plpython3u", "plpython2u", "plperlu", "pltclu"]
                .iter()
                .any(|language| lower.contains(&format!("language {language}")))
            {
                "it is written in an untrusted language and can do what the server's user can; only a superuser may"
            } else if names_program(&lower) {
                "it runs programs on the server (COPY … PROGRAM)"
            } else {
                return None;
            }
        }
        "EVENT TRIGGER" => "it runs its function at later DDL; only a superuser may",
        "PROCEDURAL LANGUAGE" => "it adds a language",
        "SUBSCRIPTION" => "it connects to another server",
        "TRANSFORM" | "ACCESS METHOD" => "only a superuser may restore it",
        "TABLE DATA" | "BLOBS" => {
            let copy = entry.copy.as_str();
            if copy.is_empty() || is_plain_copy(copy) {
                return None;
            }
            "its COPY statement isn't COPY … FROM stdin"
        }
        _ if names_program(&lower()) => "it runs programs on the server (COPY … PROGRAM)",
        _ => return None,
    };
    Some(RunsCode {
        object: format!("{} {}", entry.kind.to_lowercase(), entry.qualified()),
        what: what.to_owned(),
    })
}

fn names_program(lower: &str) -> bool {
    lower.match_indices("program").any(|(at, _)| {
        let before = lower.get(..at).unwrap_or("").trim_end();
        let after = lower.get(at + "program".len()..).unwrap_or("").trim_start();
        (before.ends_with("to") || before.ends_with("from"))
            && after.starts_with(['\'', 'e', '$', '|'])
            && before.contains("copy")
    })
}

fn is_plain_copy(copy: &str) -> bool {
    copy.trim_end().trim_end_matches(';').ends_with(" FROM stdin")
        && copy_target(copy).is_some()
        && !copy.contains(";\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_of_grants() {
        let sql = "GRANT SELECT ON TABLE public.users TO shop_reader;\nGRANT ALL ON TABLE public.users TO \"odd \"\"role\" WITH GRANT OPTION;\n";
        assert_eq!(granted_roles(sql), ["shop_reader", "odd \"role"]);
    }

    #[test]
    fn programs_are_told_from_words() {
        assert!(names_program("begin copy t to program 'touch x'; end"));
        assert!(!names_program("the program to copy"));
    }
}
