//! The contents and data stages of plain dumps: one pass over the text finds definitions and rows alike.
//!
//! Keys aren't checked here, because a plain dump names them after the rows they hold for.

use std::sync::Arc;

use super::archive::header::LocalTime;
use super::archive::plain::read_text;
use super::archive::text_reader::{End, Measure, TextSink};
use super::archive::toc::{DataPlace, Section, TocEntry};
use super::archive::{Archive, Format, Place, Problem, ProblemKind};
use super::contents::{Contents, contents, one_line};
use super::data::{DataOptions, DataResult, InsertRows};
use super::encoding::Encoding;
use super::evidence::LargeObjectFacts;
use super::gathered::Gathered;
use super::heading::{Heading, heading};
use super::restore::{Expected, ObjectSum};
use super::rows::{RowPlan, RowReader};
use super::schema::{Schema, copy_target};
use super::wanted::{Wanted, row_plan};

/// Longest definition that is kept. INSERT statements and function bodies may be longer; what counts is at
/// their beginning.
const LONGEST: usize = 4 << 20;
/// What programs of Windows put in front of UTF-8; psql steps over it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Memory for all definitions together; more are counted and not kept.
const DEFINITIONS: usize = 256 << 20;

/// What the text told beside the data.
#[derive(Debug, Default)]
pub struct TextResult {
    /// Tables, extensions, roles …
    pub contents: Contents,
    /// Rows.
    pub data: DataResult,
    /// The encoding that it sets.
    pub encoding: Encoding,
    /// The server's version, from the heading.
    pub server_version: Option<String>,
    /// pg_dump's version, from the heading.
    pub pg_dump_version: Option<String>,
    /// When it was begun, where pg_dump was told to be verbose.
    pub created: Option<LocalTime>,
    /// The database, where the text names it.
    pub database: Option<String>,
    /// Entries found.
    pub entries: usize,
}

/// Reads the whole text of a plain dump.
pub fn read_plain(archive: &Archive, options: DataOptions) -> TextResult {
    let mut reader = PlainReader::new(archive.format, options);
    let problems = read_text(archive, LONGEST, &mut reader);
    reader.end(archive, problems)
}

struct PlainReader {
    format: Format,
    options: DataOptions,
    result: TextResult,
    gathered: Gathered,
    schema: Schema,
    wanted: Option<Wanted>,
    entries: Vec<TocEntry>,
    kept: usize,
    /// The entry that statements belong to now.
    entry: Option<TocEntry>,
    database: String,
    rows: Option<(RowReader, Arc<RowPlan>, String)>,
    inserts: InsertRows,
    /// Headings and endings of dumps seen.
    begun: usize,
    completed: usize,
    cluster_completed: bool,
    /// What came behind the last ending.
    after_end: bool,
    last_cut: bool,
    has_statements: bool,
    /// Whether something was found that is no statement of a dump.
    has_foreign_text: bool,
    /// The \restrict that holds now.
    restricted: Option<String>,
    objects: ObjectSum,
    declared: Vec<u32>,
}

impl PlainReader {
    fn new(format: Format, options: DataOptions) -> PlainReader {
        PlainReader {
            format,
            options,
            result: TextResult::default(),
            gathered: Gathered::default(),
            schema: Schema::default(),
            wanted: None,
            entries: vec![],
            kept: 0,
            entry: None,
            database: String::new(),
            rows: None,
            inserts: InsertRows::default(),
            begun: 0,
            completed: 0,
            cluster_completed: false,
            after_end: false,
            last_cut: false,
            has_statements: false,
            has_foreign_text: false,
            restricted: None,
            objects: ObjectSum::default(),
            declared: vec![],
        }
    }

    /// The name of a table with its database before it, in a cluster's dump.
    fn scoped(&self, name: &str) -> String {
        if self.database.is_empty() { name.to_owned() } else { format!("{}.{name}", self.database) }
    }

    fn end_entry(&mut self) {
        let Some(entry) = self.entry.take() else { return };
        if self.inserts.bytes > 0 || !self.inserts.meta_commands.is_empty() {
            let rows = std::mem::take(&mut self.inserts);
            let mut problems = vec![];
            let target = rows.end(&entry.qualified(), &self.result.encoding, &self.schema, &mut problems);
            if !self.database.is_empty() {
                for problem in &mut problems {
                    problem.place.object = problem.place.object.take().map(|object| self.scoped(&object));
                }
            }
            let (name, relation) = match target {
                Some((name, relation)) => (name, Some(relation)),
                None => (entry.qualified(), None),
            };
            self.gathered.inserted(&self.database, name, relation, rows, problems);
        }
        self.schema.read(&entry.kind, &entry.definition);
        if entry.kind != "TABLE DATA" && entry.kind != "SEQUENCE SET" {
            // Definitions that come later may name columns to collect; before the data all that matter came.
            self.wanted = None;
        }
        self.kept += entry.definition.len() + 200;
        if self.kept < DEFINITIONS {
            self.entries.push(entry);
        }
    }

    fn begin_entry(&mut self, heading: &Heading) {
        self.end_entry();
        self.entry = Some(TocEntry {
            dump_id: i32::try_from(self.entries.len()).unwrap_or(i32::MAX).saturating_add(1),
            has_data: false,
            tag: heading.name.clone(),
            kind: heading.kind.clone(),
            section: Section::None,
            definition: String::new(),
            drop: String::new(),
            copy: String::new(),
            schema: heading.schema.clone(),
            tablespace: heading.tablespace.clone(),
            access_method: None,
            owner: heading.owner.clone(),
            dependencies: vec![],
            place: DataPlace::Nowhere,
            offset: 0,
        });
    }

    /// Ends one database of a cluster's dump.
    fn end_database(&mut self) {
        self.end_entry();
        self.gathered.check_sequences(&self.schema);
        self.gathered.next_database();
        let entries = std::mem::take(&mut self.entries);
        let schema = std::mem::take(&mut self.schema);
        self.wanted = None;
        self.result.entries += entries.len();
        let mut found = contents(&entries, &schema);
        if !self.database.is_empty() {
            let database = &self.database;
            let scope = |names: &mut Vec<String>| {
                names.iter_mut().for_each(|name| *name = format!("{database}.{name}"))
            };
            scope(&mut found.data_without_definition);
            scope(&mut found.selection.excluded);
            found.tables.iter_mut().for_each(|table| table.name = format!("{database}.{}", table.name));
        }
        merge(&mut self.result.contents, found);
    }

    fn end(mut self, archive: &Archive, problems: Vec<Problem>) -> TextResult {
        self.end_database();
        let broken = !problems.is_empty();
        problems.into_iter().for_each(|problem| self.gathered.problem(problem));
        let complete = match self.format {
            Format::Cluster => self.cluster_completed,
            _ => self.completed > 0 && self.completed >= self.begun,
        };
        if !complete || self.last_cut {
            let wanted = if self.format == Format::Cluster {
                "PostgreSQL database cluster dump complete"
            } else {
                "PostgreSQL database dump complete"
            };
            let what = if self.last_cut && !complete {
                format!(
                    "the text stops in the middle of a statement, without the line \"-- {wanted}\" that ends a dump"
                )
            } else if complete {
                "the text stops in the middle of a statement".to_owned()
            } else {
                format!("the line \"-- {wanted}\" that ends a dump isn't there: the rest is missing")
            };
            if !broken
                || self.gathered.result.problems.iter().all(|problem| problem.kind != ProblemKind::Truncated)
            {
                self.gathered.problem(Problem {
                    kind: ProblemKind::Incomplete,
                    place: Place::default(),
                    what,
                });
            }
        } else if self.after_end {
            let what = "statements follow the line that ends the dump: pg_dump writes none there".to_owned();
            self.gathered.problem(Problem { kind: ProblemKind::Toc, place: Place::default(), what });
        }
        self.declared.sort_unstable();
        self.declared.dedup();
        self.result.contents.large_objects = std::mem::take(&mut self.declared);
        let mut data = self.gathered.finish();
        let found = self.objects.finish();
        data.large_objects = LargeObjectFacts {
            count: found.count,
            bytes: found.bytes,
            checksum: found.checksum.map(|checksum| checksum.to_string()),
            ..LargeObjectFacts::default()
        };
        if self.format == Format::Plain {
            data.expected.large_objects = Some(found);
        }
        let count = data.large_objects.count;
        let declared = self.result.contents.large_objects.len() as u64;
        data.large_objects.missing_count = declared.saturating_sub(count);
        if archive.gauge.is_cancelled() {
            let what = "stopped before all of it was read".to_owned();
            data.problems.push(Problem { kind: ProblemKind::Cancelled, place: Place::default(), what });
        }
        if self.options.depth.keys {
            data.notes.push(
                "keys were not compared: a plain dump names them after the rows that they hold for"
                    .to_owned(),
            );
        }
        self.result.data = data;
        self.result
    }

    /// Large objects in a text are statements: `lo_create`, `lo_open`, `lowrite`.
    fn large_object(&mut self, sql: &str) -> bool {
        let Some(call) = sql.strip_prefix("SELECT pg_catalog.lo") else { return false };
        if let Some(rest) = call.strip_prefix("_create('") {
            self.declared.extend(rest.split('\'').next().and_then(|oid| oid.parse::<u32>().ok()));
        } else if let Some(rest) = call.strip_prefix("_open('") {
            self.objects.begin(rest.split('\'').next().and_then(|oid| oid.parse().ok()).unwrap_or(0));
        } else if let Some(data) = call.strip_prefix("write(0, '\\x") {
            self.objects.write(&from_hex(data.split('\'').next().unwrap_or("")));
        } else if call.starts_with("_close(") {
            self.objects.end();
        } else {
            return false;
        }
        true
    }
}

impl TextSink for PlainReader {
    fn comment_bytes(&mut self, line: &[u8]) {
        let encoding = self.result.encoding.clone();
        self.comment(encoding.read(line).trim());
    }

    fn comment(&mut self, line: &str) {
        match line {
            "" => return,
            "PostgreSQL database dump" => self.begun += 1,
            "PostgreSQL database dump complete" => {
                self.end_entry();
                self.completed += 1;
            }
            "PostgreSQL database cluster dump complete" => self.cluster_completed = true,
            _ => {}
        }
        if let Some(version) = line.strip_prefix("Dumped from database version ") {
            self.result.server_version.get_or_insert_with(|| version.to_owned());
        } else if let Some(version) = line.strip_prefix("Dumped by pg_dump version ") {
            self.result.pg_dump_version.get_or_insert_with(|| version.to_owned());
        } else if let Some(time) = line.strip_prefix("Started on ") {
            self.result.created = self.result.created.or_else(|| local_time(time));
        } else if let Some(heading) = heading(line) {
            self.begin_entry(&heading);
        }
    }

    fn statement(&mut self, sql: &[u8], measure: Measure) {
        self.after_end = self.completed > 0 && (self.format == Format::Plain || self.cluster_completed);
        let is_first = !std::mem::replace(&mut self.has_statements, true);
        // pg_dump's and pg_dumpall's first statement is a SET; a message of theirs in front becomes a part of it.
        let said = sql.starts_with(b"pg_dump: ") || sql.starts_with(b"pg_dumpall: ");
        if (said
            || (is_first
                && !sql.strip_prefix(BYTE_ORDER_MARK).unwrap_or(sql).trim_ascii_start().starts_with(b"SET ")))
            && !std::mem::replace(&mut self.has_foreign_text, true)
        {
            let line =
                String::from_utf8_lossy(sql.split(|&byte| byte == b'\n').next().unwrap_or(sql)).into_owned();
            let line: String = line.chars().take(100).collect();
            let what = format!(
                "the text holds {line:?} where a statement should begin: messages of pg_dump went into it (2>&1)"
            );
            self.gathered.problem(Problem { kind: ProblemKind::Toc, place: Place::default(), what });
        }
        let in_data = self.entry.as_ref().is_some_and(|entry| entry.kind == "TABLE DATA");
        if in_data && sql.starts_with(b"INSERT INTO ") {
            self.last_cut = measure.end == End::Missing;
            self.inserts.statement(sql, measure);
            return;
        }
        self.last_cut = measure.end == End::Missing;
        let encoding = self.result.encoding.clone();
        let text = encoding.read(sql);
        if self.large_object(&text) {
            return;
        }
        if let Some(encoding) = text.strip_prefix("SET client_encoding = '") {
            let name = encoding.trim_end_matches('\'');
            self.result.encoding = Encoding::named(name);
            if !self.result.encoding.is_known() {
                let what =
                    format!("it sets client_encoding to {name:?}, an encoding that PostgreSQL doesn't have");
                self.gathered.problem(Problem { kind: ProblemKind::Toc, place: Place::default(), what });
            }
            return;
        }
        if self.entry.is_none()
            && !text.starts_with("SET ")
            && !text.starts_with("SELECT pg_catalog.set_config(")
        {
            let heading = Heading { name: "(no heading)".into(), kind: String::new(), ..Heading::default() };
            self.begin_entry(&heading);
        }
        if let Some(entry) = &mut self.entry {
            let text = if text.len() > 64 * 1024 {
                text.chars().take(64 * 1024).collect()
            } else {
                text.into_owned()
            };
            if entry.definition.len() < LONGEST {
                entry.definition.push_str(&text);
                entry.definition.push_str(";\n");
            }
        }
    }

    fn meta_command(&mut self, line: &str) {
        let word = line.split_whitespace().next().unwrap_or("");
        match word {
            "\\restrict" => self.restricted = Some(line.to_owned()),
            "\\unrestrict" => {
                // pg_dump writes the two with the same key; psql refuses everything else.
                let began = self.restricted.take();
                let key = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
                if began.as_deref().and_then(key) != key(line) {
                    let what = "a \\unrestrict has no \\restrict with the same key before it: one of the two is damaged";
                    let place = Place::default();
                    self.gathered.problem(Problem { kind: ProblemKind::Toc, place, what: what.to_owned() });
                }
            }
            "\\connect" | "\\c" => {
                let name = line.strip_prefix(word).unwrap_or("").trim();
                let name =
                    name.split("dbname='").nth(1).and_then(|name| name.split('\'').next()).unwrap_or(name);
                let name = name.trim_start_matches("-reuse-previous=on").trim().trim_matches('"').to_owned();
                if self.format == Format::Cluster {
                    self.end_database();
                    self.database = name;
                } else {
                    self.result.database = Some(name);
                }
            }
            _ => {
                if self.gathered.result.meta_commands.len() < 100 {
                    self.gathered.result.meta_commands.push(line.to_owned());
                }
            }
        }
    }

    fn copy_statement(&mut self, statement: &[u8]) {
        let encoding = self.result.encoding.clone();
        self.copy(&encoding.read(statement));
    }

    fn copy_data(&mut self, bytes: &[u8]) {
        if let Some((reader, _, _)) = &mut self.rows {
            reader.push(bytes);
        }
    }

    fn copy_end(&mut self, marker: bool) {
        self.end_copy(marker);
    }
}

impl PlainReader {
    /// `COPY … FROM stdin`: its rows follow.
    fn copy(&mut self, statement: &str) {
        self.after_end = self.completed > 0 && (self.format == Format::Plain || self.cluster_completed);
        if let Some(entry) = &mut self.entry {
            entry.copy = statement.to_owned();
            entry.has_data = true;
        }
        let Some(target) = copy_target(statement) else {
            let what = format!("a COPY statement can't be read: {statement:?}");
            self.gathered.problem(Problem { kind: ProblemKind::Toc, place: Place::default(), what });
            return;
        };
        let heading = self.entry.as_ref().filter(|entry| entry.kind == "TABLE DATA").map(TocEntry::qualified);
        if let Some(heading) = heading
            && !self.schema.may_fill(&heading, &target.table)
            && one_line(&target.table) != heading
        {
            let place = Place { object: Some(self.scoped(&heading)), ..Place::default() };
            let what = format!("its COPY statement fills {}", self.scoped(&target.table));
            self.gathered.problem(Problem { kind: ProblemKind::Toc, place, what });
        }
        let schema = &self.schema;
        let wanted = self.wanted.get_or_insert_with(|| Wanted::of(schema, false));
        let mut depth = self.options.depth;
        depth.keys = false;
        let plan = Arc::new(row_plan(&target, schema, wanted, &self.result.encoding, depth, 0));
        self.rows = Some((RowReader::new(&plan, false), plan, statement.to_owned()));
    }

    fn end_copy(&mut self, marker: bool) {
        let Some((reader, plan, statement)) = self.rows.take() else { return };
        let rows = reader.finish();
        let mut problems = vec![];
        if !marker {
            let place = Place { object: Some(self.scoped(&plan.table)), ..Place::default() };
            let what = format!(
                "the text stops after {} rows, without the end marker (\\.): rows are missing",
                rows.sum.rows
            );
            problems.push(Problem { kind: ProblemKind::Truncated, place, what });
        }
        let default = Wanted::default();
        let wanted = self.wanted.as_ref().unwrap_or(&default);
        let schema = self.entry.as_ref().and_then(|entry| entry.schema.as_deref());
        let statement = Expected::in_schema(&statement, schema);
        self.gathered.rows(&self.database, &statement, &plan, rows, problems, None, wanted);
    }
}

/// The bytes that hexadecimal digits write; what isn't one ends them.
fn from_hex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    text.as_bytes()
        .chunks_exact(2)
        .map_while(|two| match two {
            [high, low] => Some((digit(*high)? * 16 + digit(*low)?) as u8), // below 256
            _ => None,
        })
        .collect()
}

fn merge(into: &mut Contents, mut found: Contents) {
    if into.kinds.is_empty() {
        *into = found;
        return;
    }
    // Schema-only as a whole only if every database with tables is.
    let none_before = into.tables.is_empty() && into.data_without_definition.is_empty();
    let none_now = found.tables.is_empty() && found.data_without_definition.is_empty();
    into.selection.schema_only = match (none_before, none_now) {
        (true, _) => found.selection.schema_only,
        (_, true) => into.selection.schema_only,
        _ => into.selection.schema_only && found.selection.schema_only,
    };
    into.selection.data_only = match (none_before, none_now) {
        (true, _) => found.selection.data_only,
        (_, true) => into.selection.data_only,
        _ => into.selection.data_only && found.selection.data_only,
    };
    into.tables.append(&mut found.tables);
    into.data_without_definition.append(&mut found.data_without_definition);
    into.selection.excluded.append(&mut found.selection.excluded);
    into.selection.filtered.append(&mut found.selection.filtered);
    into.runs_code.append(&mut found.runs_code);
    let join = |into: &mut Vec<String>, mut from: Vec<String>| {
        into.append(&mut from);
        into.sort_unstable();
        into.dedup();
    };
    join(&mut into.extensions, found.extensions);
    join(&mut into.roles, found.roles);
    join(&mut into.tablespaces, found.tablespaces);
    for (kind, count) in found.kinds {
        *into.kinds.entry(kind).or_insert(0) += count;
    }
}

/// `2026-01-25 20:00:00 CET`
fn local_time(text: &str) -> Option<LocalTime> {
    let mut parts = text.split([' ', '-', ':']).map(str::parse::<u16>);
    let mut next = || parts.next()?.ok();
    let (year, month, day) = (next()?, next()?, next()?);
    let (hour, minute, second) = (next()?, next()?, next()?);
    let within = |number: u16, low: u16, high: u16| (low..=high).contains(&number).then_some(number as u8);
    Some(LocalTime {
        year: i32::from(year),
        month: within(month, 1, 12)?,
        day: within(day, 1, 31)?,
        hour: within(hour, 0, 23)?,
        minute: within(minute, 0, 59)?,
        second: within(second, 0, 60)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(local_time("2026-01-25 20:01:02 CET").unwrap().to_string(), "2026-01-25T20:01:02");
        assert!(local_time("yesterday").is_none());
    }
}
