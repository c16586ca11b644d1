//! The objects that a dump says it makes, beside rows, and whether the server has them after the restore.
//!
//! An archive says it in its table of contents, a plain dump in the comment lines before the statements.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use postgres::Client;

use crate::backup::archive::Archive;
use crate::backup::contents::one_line;
use crate::backup::heading::Heading;
use crate::backup::tokens::Tokens;

use super::compare::{ObjectDifference, SequenceDifference, real_name};
use super::names::extension_in;
use super::target::Target;
use super::{RestoreFailure, Restored};

/// Kinds of entries, and where the catalogs keep schema, name and whether it is valid. Names are written as pg_dump writes
/// its tags: what belongs to a table with the table before it, and in a fourth column alone, as before PostgreSQL 10.
const OBJECTS: &[(&[&str], &str)] = &[
    (
        &["TABLE"],
        "SELECT n.nspname::text, c.relname::text, ''::text
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind IN ('r', 'p')",
    ),
    (
        &["VIEW"],
        "SELECT n.nspname::text, c.relname::text, ''::text
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'v'",
    ),
    (
        &["MATERIALIZED VIEW"],
        "SELECT n.nspname::text, c.relname::text, ''::text
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm'",
    ),
    (
        &["SEQUENCE"],
        "SELECT n.nspname::text, c.relname::text, ''::text
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S'",
    ),
    (
        &["TABLE ATTACH", "INDEX ATTACH"],
        "SELECT n.nspname::text, c.relname::text, ''::text
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relispartition",
    ),
    (
        &["INDEX"],
        "SELECT n.nspname::text, c.relname::text, CASE WHEN i.indisvalid THEN '' ELSE 'not valid' END
           FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace",
    ),
    (
        &["CONSTRAINT", "FK CONSTRAINT", "CHECK CONSTRAINT"],
        "SELECT n.nspname::text, COALESCE(c.relname, t.typname)::text || ' ' || k.conname::text,
                CASE WHEN NOT k.convalidated OR NOT COALESCE(i.indisvalid, true) THEN 'not valid' ELSE '' END, k.conname::text
           FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
           LEFT JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
           LEFT JOIN pg_catalog.pg_type t ON t.oid = k.contypid
           LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')",
    ),
    (
        &["DEFAULT"],
        "SELECT n.nspname::text, c.relname::text || ' ' || a.attname::text, ''::text, a.attname::text
           FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_class c ON c.oid = d.adrelid
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum",
    ),
    (
        &["TRIGGER"],
        "SELECT n.nspname::text, c.relname::text || ' ' || t.tgname::text, ''::text, t.tgname::text
           FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal",
    ),
    (
        &["RULE"],
        "SELECT n.nspname::text, c.relname::text || ' ' || r.rulename::text, ''::text, r.rulename::text
           FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace",
    ),
    (
        &["POLICY"],
        "SELECT n.nspname::text, c.relname::text || ' ' || p.polname::text, ''::text, p.polname::text
           FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace",
    ),
    (
        &["ROW SECURITY"],
        "SELECT n.nspname::text, c.relname::text, ''::text
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relrowsecurity",
    ),
    (
        &["MATERIALIZED VIEW DATA"],
        "SELECT n.nspname::text, c.relname::text, CASE WHEN c.relispopulated THEN '' ELSE 'not populated' END
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm'",
    ),
    (
        &["FUNCTION", "PROCEDURE"],
        "SELECT n.nspname::text, p.proname::text || '(' || COALESCE((
                SELECT pg_catalog.string_agg(pg_catalog.format_type(a.type, NULL), ', ' ORDER BY a.nth)
                  FROM pg_catalog.unnest(p.proargtypes) WITH ORDINALITY AS a (type, nth)), '') || ')', ''::text
           FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace",
    ),
    (
        &["TYPE", "DOMAIN"],
        "SELECT n.nspname::text, t.typname::text, ''::text
           FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.typisdefined",
    ),
    (
        &["STATISTICS"],
        "SELECT n.nspname::text, s.stxname::text, ''::text
           FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace",
    ),
    (
        &["SCHEMA"],
        "SELECT ''::text, nspname::text, ''::text FROM pg_catalog.pg_namespace",
    ),
    (
        &["EXTENSION"],
        "SELECT ''::text, extname::text, ''::text FROM pg_catalog.pg_extension",
    ),
];

/// Kinds whose own statement may name constraints.
const HOLD_CONSTRAINTS: [&str; 2] = ["TABLE", "DOMAIN"];
/// The value of a sequence.
const VALUE: &str = "SEQUENCE SET";

/// An object that the dump says it makes, or the value that it gives a sequence.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    /// The server's name of the database.
    database: Arc<str>,
    kind: &'static str,
    /// Empty where the kind has none.
    schema: String,
    /// The name as a table of contents has it.
    tag: String,
    /// Whether the dump itself makes it one that isn't valid.
    is_invalid_by_intent: bool,
    /// What a sequence is set to, and whether that was given out.
    value: Option<(i64, bool)>,
    /// Whether it may be missing without that telling against the dump.
    is_doubtful: bool,
}

impl Declared {
    fn new(database: &Arc<str>, kind: &str, schema: Option<&str>, tag: &str) -> Option<Declared> {
        let known =
            OBJECTS.iter().flat_map(|(kinds, _)| *kinds).chain([&VALUE]).find(|known| **known == kind)?;
        Some(Declared {
            database: database.clone(),
            kind: known,
            schema: schema.unwrap_or("").to_owned(),
            tag: tag.to_owned(),
            is_invalid_by_intent: false,
            value: None,
            is_doubtful: false,
        })
    }

    /// The constraint `name` that the statement of this table or domain holds.
    fn inline_constraint(&self, name: &str) -> Declared {
        Declared { kind: "CHECK CONSTRAINT", tag: format!("{} {name}", self.tag), ..self.clone() }
    }

    /// Takes in the statements that make it, or one of them.
    fn read(&mut self, sql: &str) {
        match self.kind {
            VALUE => self.value = self.value.or_else(|| setval_in(sql)),
            "INDEX" | "CONSTRAINT" | "FK CONSTRAINT" | "CHECK CONSTRAINT" => {
                self.is_invalid_by_intent |= is_invalid_by_intent(sql);
            }
            _ => {}
        }
    }

    fn qualified(&self) -> String {
        if self.schema.is_empty() { self.tag.clone() } else { format!("{}.{}", self.schema, self.tag) }
    }
}

/// What a plain dump says it makes, collected while it is restored.
#[derive(Debug, Default)]
pub(super) struct Declarations {
    list: Vec<Declared>,
    /// Where those begin that the last comment line is about.
    since: usize,
    /// Whether something of those could not be made here.
    is_doubtful: bool,
}

impl Declarations {
    /// What follows makes this.
    pub(super) fn begin(&mut self, database: &Arc<str>, heading: &Heading) {
        self.end();
        let declared = Declared::new(database, &heading.kind, heading.schema.as_deref(), &heading.name);
        // People take statements about extensions out of dumps on purpose, and what needs one tells that it isn't there.
        let is_doubtful = heading.kind == "EXTENSION";
        self.list.extend(declared.map(|declared| Declared { is_doubtful, ..declared }));
    }

    /// What follows makes nothing that is known.
    pub(super) fn end(&mut self) {
        self.since = self.list.len();
        self.is_doubtful = false;
    }

    /// A statement of what was begun.
    pub(super) fn statement(&mut self, sql: &str) {
        let is_doubtful = self.is_doubtful;
        let Some(declared) = self.list.get_mut(self.since) else { return };
        declared.read(sql);
        if declared.kind != "EXTENSION" || extension_in(sql).is_some() {
            declared.is_doubtful = is_doubtful;
        }
        if HOLD_CONSTRAINTS.contains(&declared.kind) {
            let declared = declared.clone();
            let constraints = inline_constraints(sql);
            self.list.extend(constraints.iter().map(|name| declared.inline_constraint(&one_line(name))));
        }
    }

    /// What was begun can't be made here, and nobody knows whose fault that is.
    pub(super) fn doubt(&mut self) {
        self.is_doubtful = true;
        for declared in self.list.iter_mut().skip(self.since) {
            declared.is_doubtful = true;
        }
    }

    /// All of it.
    pub(super) fn into_list(self) -> Vec<Declared> {
        self.list
    }
}

/// What an archive's table of contents says it makes. Entries that are `doubtful` may be missing.
pub(super) fn of_toc(
    archive: &Archive,
    target: &Target,
    doubtful: &BTreeSet<i32>,
    catalog: &mut Client,
    restored: &mut Restored,
) -> Vec<Declared> {
    const UNREADABLE: &str = "their names are written in an encoding that isn't read";
    let database = Arc::from(target.database(""));
    let (mut list, mut unreadable) = (vec![], 0);
    for entry in &archive.toc.entries {
        let Some(mut declared) = Declared::new(&database, &entry.kind, entry.schema.as_deref(), &entry.tag)
        else {
            continue;
        };
        declared.read(&entry.definition);
        declared.is_doubtful = doubtful.contains(&entry.dump_id);
        let holds_constraints = HOLD_CONSTRAINTS.contains(&declared.kind);
        let names = if holds_constraints { inline_constraints(&entry.definition) } else { vec![] };
        let constraints: Vec<_> = names.iter().map(|name| declared.inline_constraint(name)).collect();
        for mut declared in std::iter::once(declared).chain(constraints) {
            let mut real = |name: &str| real_name(catalog, &archive.toc.encoding, name);
            let (Some(schema), Some(tag)) = (real(&declared.schema), real(&declared.tag)) else {
                unreadable += u64::from(!declared.is_doubtful);
                continue;
            };
            (declared.schema, declared.tag) = (schema, tag);
            list.push(declared);
        }
    }
    if unreadable > 0 {
        restored.notes.push(format!("{unreadable} objects were not looked for: {UNREADABLE}"));
    }
    list
}

/// Looks for each in the catalogs of its database.
pub(super) fn compare(
    declared: &[Declared],
    is_text: bool,
    connect: &mut dyn FnMut(&str) -> Result<Client, RestoreFailure>,
    restored: &mut Restored,
) -> Result<(), RestoreFailure> {
    let databases: BTreeSet<&Arc<str>> = declared.iter().map(|declared| &declared.database).collect();
    for database in databases {
        let here: Vec<&Declared> =
            declared.iter().filter(|it| it.database == *database && !it.is_doubtful).collect();
        if here.is_empty() {
            continue;
        }
        let mut catalog = connect(database)?;
        compare_objects(&here, is_text, &mut catalog, restored)?;
        compare_sequence_values(&here, is_text, &mut catalog, restored)?;
    }
    restored.objects.sort();
    Ok(())
}

/// Names as they stand in the comment lines of a plain dump, or as they are.
fn as_declared(name: String, is_text: bool) -> String {
    if is_text { one_line(&name) } else { name }
}

fn compare_objects(
    declared: &[&Declared],
    is_text: bool,
    catalog: &mut Client,
    restored: &mut Restored,
) -> Result<(), RestoreFailure> {
    for (kinds, sql) in OBJECTS {
        let wanted: Vec<_> = declared.iter().filter(|declared| kinds.contains(&declared.kind)).collect();
        if wanted.is_empty() {
            continue;
        }
        let rows =
            catalog.query(*sql, &[]).map_err(|error| RestoreFailure::server("read the catalogs", error))?;
        let mut there: BTreeMap<(String, String), String> = BTreeMap::new();
        let mut by_its_name_alone = BTreeMap::new();
        for row in &rows {
            let name = |at| Ok::<_, postgres::Error>(as_declared(row.try_get(at)?, is_text));
            let mut read = || {
                let (schema, validity): (String, String) = (name(0)?, row.try_get(2)?);
                if row.len() > 3 {
                    by_its_name_alone.insert((schema.clone(), name(3)?), validity.clone());
                }
                there.insert((schema, name(1)?), validity);
                Ok(())
            };
            read().map_err(|error| RestoreFailure::server("read the names in the catalogs", error))?;
        }
        for declared in wanted {
            restored.objects_compared += 1;
            let key = (declared.schema.clone(), declared.tag.clone());
            let found = there.get(&key).or_else(|| by_its_name_alone.get(&key)).map(String::as_str);
            let difference = match found {
                None => "missing",
                Some("not valid") if !declared.is_invalid_by_intent => "not valid",
                Some("not populated") => "not populated",
                Some(_) => continue,
            };
            restored.objects.push(ObjectDifference {
                kind: declared.kind.to_owned(),
                name: declared.qualified(),
                difference,
            });
        }
    }
    Ok(())
}

/// `NOT VALID` and `NOT ENFORCED` constraints, and indexes of a partitioned table that lack one in a partition.
fn is_invalid_by_intent(definition: &str) -> bool {
    // The last words of a constraint (`pg_get_constraintdef_worker` in `ruleutils.c`).
    let definition = definition.trim_end().trim_end_matches(';');
    ["NOT VALID", "NOT ENFORCED"].iter().any(|words| definition.ends_with(words))
        || definition.contains(" ON ONLY ")
}

/// The names of the constraints that a CREATE TABLE or CREATE DOMAIN holds.
fn inline_constraints(sql: &str) -> Vec<String> {
    let mut at = Tokens::of(sql);
    let (mut names, mut depth) = (vec![], 0usize);
    if !at.word("CREATE") {
        return names;
    }
    // Of a table they stand inside its parentheses.
    let inside = usize::from(!at.word("DOMAIN"));
    while let Some(token) = at.next() {
        if token.is_symbol('(') {
            depth += 1;
        } else if token.is_symbol(')') {
            depth = depth.saturating_sub(1);
        } else if depth == inside && token.is_word("CONSTRAINT") {
            names.extend(at.name());
        } else if depth == 0 && token.is_symbol(';') {
            break;
        }
    }
    names
}

/// Sequences whose last value isn't what the dump sets.
fn compare_sequence_values(
    declared: &[&Declared],
    is_text: bool,
    catalog: &mut Client,
    restored: &mut Restored,
) -> Result<(), RestoreFailure> {
    let rows = catalog
        .query("SELECT schemaname::text, sequencename::text, last_value FROM pg_catalog.pg_sequences", &[])
        .map_err(|error| RestoreFailure::server("read the sequences", error))?;
    let name = |row: &postgres::Row, at: usize| as_declared(row.get(at), is_text);
    let there: BTreeMap<(String, String), Option<i64>> =
        rows.iter().map(|row| ((name(row, 0), name(row, 1)), row.get(2))).collect();
    for declared in declared.iter().filter(|declared| declared.kind == VALUE) {
        restored.objects_compared += 1;
        // A sequence that isn't there is told as an object.
        let Some(found) = there.get(&(declared.schema.clone(), declared.tag.clone())) else { continue };
        match declared.value {
            // Its statement was lost.
            None => restored.objects.push(ObjectDifference {
                kind: VALUE.to_owned(),
                name: declared.qualified(),
                difference: "missing",
            }),
            Some((value, true)) if *found != Some(value) => restored.sequences.push(SequenceDifference {
                name: declared.qualified(),
                last_value: found.unwrap_or(0),
                expected: Some(value),
                behind: None,
            }),
            Some(_) => {}
        }
    }
    Ok(())
}

/// Value and `is_called` of `SELECT pg_catalog.setval('public.s', 7, true);`.
fn setval_in(definition: &str) -> Option<(i64, bool)> {
    let (_, arguments) = definition.rsplit_once("', ")?;
    let (value, called) = arguments.split_once(", ")?;
    Some((value.trim().parse().ok()?, called.trim_start().starts_with("true")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_to_be_invalid_is_no_difference() {
        for (definition, meant) in [
            ("ALTER TABLE public.t\n    ADD CONSTRAINT c CHECK ((q > 5)) NOT VALID;\n", true),
            ("ALTER TABLE public.t\n    ADD CONSTRAINT c CHECK ((q > 5)) NOT ENFORCED;\n", true),
            (
                "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT c FOREIGN KEY (r) REFERENCES public.k(id) NOT ENFORCED;\n",
                true,
            ),
            ("CREATE INDEX i ON ONLY public.t USING btree (id);\n", true),
            ("ALTER TABLE public.t\n    ADD CONSTRAINT c CHECK ((q <> 'NOT VALID'::text));\n", false),
        ] {
            assert_eq!(is_invalid_by_intent(definition), meant, "{definition}");
        }
    }

    #[test]
    fn setval_is_read() {
        assert_eq!(setval_in("SELECT pg_catalog.setval('public.\"it''s\"', 7, true);\n"), Some((7, true)));
        assert_eq!(setval_in("SELECT pg_catalog.setval('public.s', 1, false);"), Some((1, false)));
        assert_eq!(setval_in("nothing"), None);
    }

    #[test]
    fn constraints_are_read_from_the_statements_of_tables() {
        let sql = "CREATE TABLE public.t (\n    id integer CONSTRAINT \"Id nn\" NOT NULL,\n    q text DEFAULT 'CONSTRAINT x'::text,\n    \
             CONSTRAINT c CHECK ((q <> ' CONSTRAINT no'::text)),\n    CONSTRAINT d CHECK (((id > 0) AND (q = 'a;('::text)))\n)\nPARTITION BY LIST (id);\nALTER TABLE t ADD (CONSTRAINT e";
        assert_eq!(inline_constraints(sql), ["Id nn", "c", "d"]);
        let sql =
            "CREATE DOMAIN public.cents AS bigint\n\tCONSTRAINT cents_check CHECK (((VALUE >= 0) AND true));";
        assert_eq!(inline_constraints(sql), ["cents_check"]);
        assert_eq!(inline_constraints("ALTER TABLE t ADD (CONSTRAINT e"), Vec::<String>::new());
    }
}
