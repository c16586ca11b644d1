//! The table of contents: what an archive says it holds.
//!
//! After `ReadToc` of PostgreSQL's `pg_backup_archiver.c`, but strict: what pg_dump never writes is a
//! problem here. The table is held in memory, and no entry takes more memory than it takes bytes of the
//! file (up to a constant factor), so a hostile count or length can't make it grow.

use super::header::{ArchiveVersion, Primitives};
use super::input::ReadError;
use super::{Place, Problem, ProblemKind};
use crate::backup::encoding::Encoding;

/// Kinds of entries that pg_dump 9.0 to 18 writes (the `desc` of `ArchiveEntry` calls in `pg_dump.c`).
const KINDS: &[&str] = &[
    "ACCESS METHOD",
    "ACL",
    "ACL LANGUAGE",
    "AGGREGATE",
    "BLOB",
    "BLOB COMMENTS",
    "BLOB METADATA",
    "BLOBS",
    "CAST",
    "CHECK CONSTRAINT",
    "COLLATION",
    "COMMENT",
    "CONSTRAINT",
    "CONVERSION",
    "DATABASE",
    "DATABASE PROPERTIES",
    "DEFAULT",
    "DEFAULT ACL",
    "DOMAIN",
    "ENCODING",
    "EVENT TRIGGER",
    "EXTENDED STATISTICS DATA",
    "EXTENSION",
    "FK CONSTRAINT",
    "FOREIGN DATA WRAPPER",
    "FOREIGN TABLE",
    "FUNCTION",
    "INDEX",
    "INDEX ATTACH",
    "MATERIALIZED VIEW",
    "MATERIALIZED VIEW DATA",
    "OPERATOR",
    "OPERATOR CLASS",
    "OPERATOR FAMILY",
    "POLICY",
    "PROCEDURAL LANGUAGE",
    "PROCEDURE",
    "PUBLICATION",
    "PUBLICATION TABLE",
    "PUBLICATION TABLES IN SCHEMA",
    "ROW SECURITY",
    "RULE",
    "SCHEMA",
    "SEARCHPATH",
    "SECURITY LABEL",
    "SEQUENCE",
    "SEQUENCE OWNED BY",
    "SEQUENCE SET",
    "SERVER",
    "SHELL TYPE",
    "STATISTICS",
    "STATISTICS DATA",
    "STDSTRINGS",
    "SUBSCRIPTION",
    "SUBSCRIPTION TABLE",
    "TABLE",
    "TABLE ATTACH",
    "TABLE DATA",
    "TEXT SEARCH CONFIGURATION",
    "TEXT SEARCH DICTIONARY",
    "TEXT SEARCH PARSER",
    "TEXT SEARCH TEMPLATE",
    "TRANSFORM",
    "TRIGGER",
    "TYPE",
    "USER MAPPING",
    "VIEW",
    "WARNING",
];

/// Where an entry's data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataPlace {
    /// It has none.
    Nowhere,
    /// In a custom archive, at this offset.
    At(u64),
    /// In a custom archive, but pg_dump couldn't go back to write down where: the dump went into a pipe,
    /// or pg_dump didn't live to its end.
    NotSet,
    /// In this file of a directory, or member of a tar file. The name is as stored: not to be trusted.
    File(String),
}

/// The part of a dump that an entry belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Comments, ACLs and the like.
    None,
    /// Definitions that must be there before the data.
    PreData,
    /// Data.
    Data,
    /// Indexes, constraints, triggers and the like.
    PostData,
}

/// One entry.
#[derive(Clone, Debug)]
pub struct TocEntry {
    /// Its dump id, unique in the archive.
    pub dump_id: i32,
    /// Whether pg_dump wrote a data block for it.
    pub has_data: bool,
    /// The object's name, as pg_dump shows it (with argument types for functions).
    pub tag: String,
    /// Its kind: `TABLE`, `TABLE DATA`, `INDEX` …
    pub kind: String,
    /// The part of the dump.
    pub section: Section,
    /// SQL that makes it.
    pub definition: String,
    /// SQL that drops it.
    pub drop: String,
    /// The COPY statement of a `TABLE DATA` entry; empty with `--inserts`.
    pub copy: String,
    /// Its schema, where it has one.
    pub schema: Option<String>,
    /// Its tablespace, where it isn't the default.
    pub tablespace: Option<String>,
    /// Its table access method.
    pub access_method: Option<String>,
    /// Its owner.
    pub owner: Option<String>,
    /// Dump ids of the entries that must come before it.
    pub dependencies: Vec<i32>,
    /// Where its data is.
    pub place: DataPlace,
    /// Byte of the archive (of `toc.dat`) at which the entry begins.
    pub offset: u64,
}

impl TocEntry {
    /// `schema.name`, or the name alone where it has no schema.
    pub fn qualified(&self) -> String {
        match &self.schema {
            Some(schema) if !schema.is_empty() => format!("{schema}.{}", self.tag),
            _ => self.tag.clone(),
        }
    }
}

/// The table of contents, as far as it could be read.
#[derive(Debug, Default)]
pub struct Toc {
    /// The entries, in the archive's order.
    pub entries: Vec<TocEntry>,
    /// How many the archive says it has.
    pub declared: i32,
    /// The encoding that it declares (`ENCODING` entry), UTF8 where it doesn't.
    pub encoding: Encoding,
    /// Where the table ends: the first data block of a custom archive.
    pub end: u64,
    /// Whether all of it was read.
    pub whole: bool,
    /// What isn't as pg_dump writes it.
    pub problems: Vec<Problem>,
}

/// How an archive keeps the place of an entry's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceKind {
    /// As an offset: custom.
    Offset,
    /// As a file's name: directory and tar.
    FileName,
}

/// No sane table of contents has more problems than this worth telling.
const PROBLEMS: usize = 50;

/// Reads the table of contents. Stops at what makes the rest unreadable and returns what it has.
pub fn read_toc(version: ArchiveVersion, places: PlaceKind, from: &mut Primitives) -> Toc {
    let mut reader = TocReader { version, places, from, toc: Toc::default(), entry: None };
    match reader.read() {
        Ok(()) => reader.toc.whole = true,
        Err(Stop::Read(error)) => {
            let at = reader.from.cursor.position();
            let (kind, what) = match &error {
                ReadError::Ended { .. } => {
                    (ProblemKind::Truncated, "the archive ends inside its table of contents".to_owned())
                }
                ReadError::Io { source, .. } => {
                    (ProblemKind::Unreadable, format!("the table of contents can't be read: {source}"))
                }
                ReadError::Cancelled => {
                    (ProblemKind::Cancelled, "stopped while reading the table of contents".to_owned())
                }
            };
            let entries = reader.toc.entries.len();
            let declared = reader.toc.declared;
            reader.problem(kind, at, format!("{what}, after {entries} of {declared} entries"));
        }
        Err(Stop::Said) => {}
    }
    reader.toc.end = reader.from.cursor.position();
    reader.toc
}

enum Stop {
    Read(ReadError),
    /// The problem is in the list.
    Said,
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        Stop::Read(error)
    }
}

struct TocReader<'a> {
    version: ArchiveVersion,
    places: PlaceKind,
    from: &'a mut Primitives,
    toc: Toc,
    entry: Option<i32>,
}

impl TocReader<'_> {
    fn read(&mut self) -> Result<(), Stop> {
        let count = self.number("the number of entries")?;
        self.toc.declared = count;
        // Each entry takes far more than 40 bytes: its numbers alone do.
        if count < 0 || count as u64 > self.from.cursor.remaining() / 40 {
            let what = format!("it says it has {count} entries, more than fit into the file");
            return Err(self.stop(what));
        }
        let mut seen = std::collections::HashSet::new();
        for _ in 0..count {
            self.entry = None;
            let entry = self.entry()?;
            if !seen.insert(entry.dump_id) {
                let what = format!("two entries have the dump id {}", entry.dump_id);
                self.problem(ProblemKind::Toc, entry.offset, what);
            }
            if entry.kind == "ENCODING" {
                match entry.definition.split('\'').nth(1) {
                    Some(name) => {
                        self.toc.encoding = Encoding::named(name);
                        if !self.toc.encoding.is_known() {
                            let what = format!(
                                "the ENCODING entry names {name:?}, an encoding that PostgreSQL doesn't have"
                            );
                            self.problem(ProblemKind::Toc, entry.offset, what);
                        }
                    }
                    None => self.problem(
                        ProblemKind::Toc,
                        entry.offset,
                        "the ENCODING entry names no encoding".into(),
                    ),
                }
            }
            self.toc.entries.push(entry);
        }
        self.entry = None;
        Ok(())
    }

    fn entry(&mut self) -> Result<TocEntry, Stop> {
        let offset = self.from.cursor.position();
        let dump_id = self.number("a dump id")?;
        if dump_id <= 0 {
            return Err(self.stop(format!("an entry has the dump id {dump_id}")));
        }
        self.entry = Some(dump_id);
        let has_data = match self.number("the data flag")? {
            0 => false,
            1 => true,
            other => {
                self.problem(ProblemKind::Toc, offset, format!("the data flag is {other}, not 0 or 1"));
                true
            }
        };
        self.oid("the catalog's OID")?;
        self.oid("the OID")?;
        let tag = self.text("the name")?.unwrap_or_default();
        let kind = self.text("the kind")?.unwrap_or_default();
        if !known_kind(&kind) {
            self.problem(
                ProblemKind::Toc,
                offset,
                format!("no pg_dump up to 18 writes entries of the kind {kind:?}"),
            );
        }
        let section = match self.number("the section")? {
            1 => Section::None,
            2 => Section::PreData,
            3 => Section::Data,
            4 => Section::PostData,
            other => {
                self.problem(ProblemKind::Toc, offset, format!("the section is {other}, not 1 to 4"));
                Section::None
            }
        };
        let definition = self.text("the definition")?.unwrap_or_default();
        let drop = self.text("the drop statement")?.unwrap_or_default();
        let copy = self.text("the COPY statement")?.unwrap_or_default();
        let schema = self.text("the schema")?.filter(|schema| !schema.is_empty());
        let tablespace = self.text("the tablespace")?.filter(|space| !space.is_empty());
        let access_method = if self.version.minor >= 14 { self.text("the access method")? } else { None };
        if self.version.minor >= 16 {
            let relkind = self.number("the relkind")?;
            if !(relkind == 0 || u8::try_from(relkind).is_ok_and(|kind| b"rpvmSfcitI".contains(&kind))) {
                self.problem(ProblemKind::Toc, offset, format!("the relkind is {relkind}"));
            }
        }
        let owner = self.text("the owner")?.filter(|owner| !owner.is_empty());
        match self.text("the WITH OIDS mark")?.as_deref() {
            Some("false" | "true") => {}
            other => {
                let what = format!("the WITH OIDS mark is {:?}, not \"false\"", other.unwrap_or("NULL"));
                self.problem(ProblemKind::Toc, offset, what);
            }
        }
        let mut dependencies = vec![];
        while let Some(id) = self.text("a dependency")? {
            match id.parse::<i32>() {
                Ok(id) if id > 0 => dependencies.push(id),
                _ => self.problem(ProblemKind::Toc, offset, format!("a dependency is {id:?}, not a dump id")),
            }
        }
        let place = self.place(offset)?;
        if has_data && place == DataPlace::Nowhere {
            let what = "it says that it has data, but not where".to_owned();
            self.problem(ProblemKind::Toc, offset, what);
        }
        if !has_data && place != DataPlace::Nowhere {
            self.problem(ProblemKind::Toc, offset, "it says that it has no data, and where that is".into());
        }
        let entry = TocEntry {
            dump_id,
            has_data,
            tag,
            kind,
            section,
            definition,
            drop,
            copy,
            schema,
            tablespace,
            access_method,
            owner,
            dependencies,
            place,
            offset,
        };
        if let Some(what) = entry.disagreement() {
            self.problem(ProblemKind::Toc, offset, what);
        }
        Ok(entry)
    }

    fn place(&mut self, entry: u64) -> Result<DataPlace, Stop> {
        match self.places {
            PlaceKind::FileName => Ok(match self.text("the file's name")? {
                None => DataPlace::Nowhere,
                Some(name) if name.is_empty() => DataPlace::Nowhere,
                Some(name) => DataPlace::File(name),
            }),
            PlaceKind::Offset => {
                let flag = self.from.cursor.byte()?;
                let mut offset: u64 = 0;
                for at in 0..u32::from(self.from.offset_size) {
                    offset |= u64::from(self.from.cursor.byte()?) << (at * 8); // offset_size is at most 8
                }
                match flag {
                    1 => Ok(DataPlace::NotSet),
                    2 => Ok(DataPlace::At(offset)),
                    3 => Ok(DataPlace::Nowhere),
                    other => {
                        self.problem(
                            ProblemKind::Toc,
                            entry,
                            format!("the offset's flag is {other}, not 1 to 3"),
                        );
                        Ok(DataPlace::NotSet)
                    }
                }
            }
        }
    }

    fn number(&mut self, what: &str) -> Result<i32, Stop> {
        match self.from.int()? {
            Some(number) => Ok(number),
            None => Err(self.stop(format!("{what} is no number"))),
        }
    }

    fn oid(&mut self, what: &str) -> Result<(), Stop> {
        let at = self.from.cursor.position();
        match self.text(what)? {
            Some(oid) if oid.parse::<u32>().is_ok() => {}
            other => {
                let value = other.as_deref().unwrap_or("NULL").to_owned();
                self.problem(ProblemKind::Toc, at, format!("{what} is {value:?}"));
            }
        }
        Ok(())
    }

    fn text(&mut self, what: &str) -> Result<Option<String>, Stop> {
        let at = self.from.cursor.position();
        let bytes = match self.from.string()? {
            Ok(bytes) => bytes,
            Err(value) => return Err(self.stop(format!("{what} has {value}"))),
        };
        let Some(bytes) = bytes else { return Ok(None) };
        if memchr::memchr(0, &bytes).is_some() {
            self.problem(ProblemKind::Toc, at, format!("{what} holds a NUL byte"));
        }
        if let Some(bad) = self.toc.encoding.invalid_at(&bytes) {
            let what = format!("{what} isn't valid {}", self.toc.encoding.name);
            self.problem(ProblemKind::Toc, at + bad as u64, what);
        }
        Ok(Some(self.toc.encoding.text(bytes)))
    }

    fn stop(&mut self, what: String) -> Stop {
        let at = self.from.cursor.position();
        let entries = self.toc.entries.len();
        let declared = self.toc.declared;
        self.problem(
            ProblemKind::Toc,
            at,
            format!("{what}; only {entries} of {declared} entries could be read"),
        );
        Stop::Said
    }

    fn problem(&mut self, kind: ProblemKind, at: u64, what: String) {
        if self.toc.problems.len() < PROBLEMS {
            let place = Place { offset: Some(at), entry: self.entry, ..Place::default() };
            self.toc.problems.push(Problem { kind, place, what });
        }
    }
}

/// Kinds whose definition holds the names that the entry has, written alike (`ArchiveEntry` calls in `pg_dump.c`).
const DEFINED_BY_NAME: &[&str] = &[
    "CHECK CONSTRAINT",
    "CONSTRAINT",
    "DEFAULT",
    "DOMAIN",
    "EXTENSION",
    "FK CONSTRAINT",
    "FOREIGN TABLE",
    "FUNCTION",
    "INDEX",
    "MATERIALIZED VIEW",
    "POLICY",
    "PROCEDURE",
    "RULE",
    "SCHEMA",
    "SEQUENCE",
    "TABLE",
    "TRIGGER",
    "TYPE",
    "VIEW",
];

/// Kinds that every pg_dump since 9.2 puts into one section.
const SECTIONS: &[(&str, Section)] = &[
    ("BLOBS", Section::Data),
    ("CONSTRAINT", Section::PostData),
    ("FK CONSTRAINT", Section::PostData),
    ("INDEX", Section::PostData),
    ("SCHEMA", Section::PreData),
    ("SEQUENCE", Section::PreData),
    ("TABLE", Section::PreData),
    ("TABLE DATA", Section::Data),
    ("TRIGGER", Section::PostData),
    ("TYPE", Section::PreData),
];

/// Kinds that are dropped by `DROP` and the kind's own words. A view may have been put off to break a loop.
const DROPPED_BY_KIND: &[&str] = &[
    "DOMAIN",
    "EXTENSION",
    "FOREIGN TABLE",
    "FUNCTION",
    "INDEX",
    "MATERIALIZED VIEW",
    "PROCEDURE",
    "SCHEMA",
    "SEQUENCE",
    "TABLE",
    "TYPE",
];

impl TocEntry {
    /// Whether the other entry says the same of all but where the data is.
    pub(super) fn is_copy_of(&self, other: &TocEntry) -> bool {
        self.dump_id == other.dump_id
            && self.has_data == other.has_data
            && self.section == other.section
            && [&self.tag, &self.kind, &self.definition, &self.drop, &self.copy]
                == [&other.tag, &other.kind, &other.definition, &other.drop, &other.copy]
            && [&self.schema, &self.tablespace, &self.access_method, &self.owner]
                == [&other.schema, &other.tablespace, &other.access_method, &other.owner]
            && self.dependencies == other.dependencies
    }

    /// What the entry's own parts say about it that can't all be true: one of them is damaged.
    fn disagreement(&self) -> Option<String> {
        let kind = self.kind.as_str();
        if let Some((_, section)) = SECTIONS.iter().find(|(of, _)| *of == kind)
            && self.section != *section
        {
            let place = match section {
                Section::None => "nowhere",
                Section::PreData => "before the data",
                Section::Data => "with the data",
                Section::PostData => "behind the data",
            };
            return Some(format!(
                "it is a {kind}, which pg_dump puts {place}, and its section is another one"
            ));
        }
        if self.is_initial_schema() {
            return None;
        }
        if let Some(word) = self.missing_name(&self.definition) {
            return Some(format!("it is named {:?}, and {word:?} isn't in its definition", self.qualified()));
        }
        if !DROPPED_BY_KIND.contains(&kind) || self.drop.is_empty() {
            return None;
        }
        let fits = self.drop.strip_prefix("DROP ").is_some_and(|rest| rest.starts_with(kind));
        if let Some(word) = self.missing_name(&self.drop) {
            return Some(format!(
                "it is named {:?}, and {word:?} isn't in its DROP statement",
                self.qualified()
            ));
        }
        (!fits).then(|| format!("it is a {kind}, and its DROP statement is {:?}", self.drop.trim()))
    }

    /// Whether it is the schema that every new database has: made in so many words where only some schemas are dumped
    /// (`pg_dump -n public`), and in none where it has another owner (`dumpNamespace` in pg_dump.c, 15 and newer).
    pub fn is_initial_schema(&self) -> bool {
        let is_it = self.kind == "SCHEMA" && self.tag == "public";
        let said = |sql: &str, words: [&str; 2]| words.contains(&sql.trim());
        is_it
            && said(
                &self.definition,
                ["CREATE SCHEMA public;", "-- *not* creating schema, since initdb creates it"],
            )
            && (self.drop.is_empty()
                || said(
                    &self.drop,
                    ["DROP SCHEMA public;", "-- *not* dropping schema, since initdb creates it"],
                ))
    }

    /// A word of the entry's name that `sql` should hold, and doesn't.
    fn missing_name(&self, sql: &str) -> Option<&str> {
        if !DEFINED_BY_NAME.contains(&self.kind.as_str()) || sql.is_empty() {
            return None;
        }
        let apart = |byte: char| byte.is_whitespace() || matches!(byte, '(' | ')' | ',' | '"');
        let names = self.tag.split(apart).chain(self.schema.iter().flat_map(|schema| schema.split(apart)));
        names.into_iter().find(|word| !word.is_empty() && !sql.contains(word))
    }
}

fn known_kind(kind: &str) -> bool {
    KINDS.binary_search(&kind).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_sorted() {
        assert!(KINDS.is_sorted());
    }

    #[test]
    fn names_are_held_against_definitions() {
        let entry = |kind: &str, tag: &str, schema: Option<&str>, definition: &str| TocEntry {
            dump_id: 1,
            has_data: false,
            tag: tag.into(),
            kind: kind.into(),
            section: SECTIONS
                .iter()
                .find(|(of, _)| *of == kind)
                .map_or(Section::PreData, |(_, section)| *section),
            definition: definition.into(),
            drop: String::new(),
            copy: String::new(),
            schema: schema.map(str::to_owned),
            tablespace: None,
            access_method: None,
            owner: None,
            dependencies: vec![],
            place: DataPlace::Nowhere,
            offset: 0,
        };
        for (kind, tag, schema, definition) in [
            ("TABLE", "a \"b\" c", Some("x y"), "CREATE TABLE \"x y\".\"a \"\"b\"\" c\" ();"),
            (
                "FUNCTION",
                "add(a integer, b integer)",
                Some("public"),
                "CREATE FUNCTION public.add(a integer, b integer DEFAULT 2) RETURNS integer",
            ),
            (
                "CONSTRAINT",
                "t t_pkey",
                Some("s"),
                "ALTER TABLE ONLY s.t ADD CONSTRAINT t_pkey PRIMARY KEY (id);",
            ),
            ("SCHEMA", "billing", None, "CREATE SCHEMA billing;"),
            ("SCHEMA", "public", None, "-- *not* creating schema, since initdb creates it\n"),
            ("ACL", "TABLE zz", Some("public"), "GRANT ALL ON TABLE public.other TO x;"),
        ] {
            assert_eq!(entry(kind, tag, schema, definition).disagreement(), None, "{kind} {tag}");
        }
        let damaged =
            entry("FUNCTION", "add(a intecer)", Some("public"), "CREATE FUNCTION public.add(a integer)");
        assert!(damaged.disagreement().is_some_and(|what| what.contains("\"intecer\"")));
        let mut misplaced = entry("TABLE DATA", "t", Some("public"), "");
        assert_eq!(misplaced.disagreement(), None);
        misplaced.section = Section::PreData;
        assert!(misplaced.disagreement().is_some_and(|what| what.contains("with the data")));
        let mut table = entry("TABLE", "t", Some("publik"), "CREATE TABLE public.t ();");
        assert!(table.disagreement().is_some_and(|what| what.contains("\"publik\"")));
        table.schema = Some("public".into());
        for (drop, fits) in [
            ("DROP TABLE public.t;\n", true),
            ("DROP TABLF public.t;\n", false),
            ("DROP TABLE public.u;\n", false),
        ] {
            table.drop = drop.into();
            assert_eq!(table.disagreement().is_none(), fits, "{drop}");
        }
    }
}
