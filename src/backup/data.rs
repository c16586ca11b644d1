//! The data stage: every block of an archive decoded and every row checked, in parallel and in bounded memory.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::archive::text_reader::{End, Measure, TextReader, TextSink};
use super::archive::{Archive, Block, BlockKind, BlockSink, Place, Problem, ProblemKind};
use super::checksum::{RowHasher, RowSum};
use super::contents::{Contents, one_line};
use super::encoding::Encoding;
use super::evidence::{KeyFacts, LargeObjectFacts, SequenceFacts, TableFacts};
use super::gathered::{Gathered, KEY_BUDGET};
use super::restore::Expected;
use super::rows::{Depth, RowReader};
use super::schema::{Schema, copy_target, table_named};
use super::wanted::{Wanted, row_plan};
use crate::postgres::sql_text::quote_identifier;

/// How much is kept of an INSERT statement: its first words are looked at.
const INSERT_HEAD: usize = 4096;

/// How to read.
#[derive(Clone, Copy, Debug)]
pub struct DataOptions {
    /// What to do with each row.
    pub depth: Depth,
    /// How many threads decode.
    pub threads: usize,
}

/// What the data told.
#[derive(Debug, Default)]
pub struct DataResult {
    /// Rows of each table, by name.
    pub tables: Vec<TableFacts>,
    /// The same for the restore stage to compare with.
    pub expected: Expected,
    /// Large objects.
    pub large_objects: LargeObjectFacts,
    /// Keys that a restore will refuse.
    pub keys: Vec<KeyFacts>,
    /// Sequences behind their data.
    pub sequences_behind: Vec<SequenceFacts>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// How many rows are wrong, described or not.
    pub problem_rows: u64,
    /// psql meta-commands that pg_dump doesn't write.
    pub meta_commands: Vec<String>,
    /// What wasn't looked at.
    pub notes: Vec<String>,
}

/// Reads all data of a custom, directory or tar archive.
pub fn read_data(
    archive: &Archive,
    schema: &Schema,
    contents: &Contents,
    options: DataOptions,
) -> DataResult {
    let wanted = Wanted::of(schema, options.depth.keys);
    let mut order: Vec<&Block> = archive.blocks.iter().collect();
    // The largest first, so that the last thread to end doesn't end much later than the others.
    order.sort_by_key(|block| std::cmp::Reverse(block.stored_len()));
    let stored: u64 = order.iter().map(|block| block.stored_len()).sum();
    let gathered = Mutex::new(Gathered::default());
    let next = AtomicUsize::new(0);
    let reading = Reading { archive, schema, wanted: &wanted, options, in_parts: in_parts(archive) };
    let work = || {
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            let Some(block) = order.get(nth) else { return };
            if archive.gauge.is_cancelled() {
                return;
            }
            // Sets of keys share their memory by the size of what they come from.
            let share = block.stored_len() as f64 / stored.max(1) as f64;
            let budget = (KEY_BUDGET as f64 * share) as usize;
            let mut read = |sink: &mut dyn BlockSink| archive.read_block(block, sink);
            read_one(&reading, block, budget, &mut read, &gathered);
        }
    };
    let threads = options.threads.clamp(1, order.len().max(1));
    if archive.stream.is_some() {
        let problems = archive.read_in_order(&mut |block, read| {
            // How large the blocks to come are isn't known: each may take half of what is left.
            let used = gathered.lock().unwrap_or_else(std::sync::PoisonError::into_inner).key_bytes();
            read_one(&reading, block, KEY_BUDGET.saturating_sub(used) / 2, read, &gathered);
        });
        let mut gathered = gathered.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        problems.into_iter().for_each(|problem| gathered.problem(problem));
    } else if threads == 1 {
        work();
    } else {
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
    }
    let mut gathered = gathered.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    gathered.check_keys(schema, contents);
    gathered.check_sequences(schema);
    gathered.check_large_objects(archive, contents);
    if archive.gauge.is_cancelled() {
        let what = "stopped before all data was read".to_owned();
        gathered.result.problems.push(Problem {
            kind: ProblemKind::Cancelled,
            place: Place::default(),
            what,
        });
    }
    gathered.finish()
}

/// What blocks are read with.
struct Reading<'a> {
    archive: &'a Archive,
    schema: &'a Schema,
    wanted: &'a Wanted,
    options: DataOptions,
    /// Tables whose rows come in several blocks.
    in_parts: HashSet<String>,
}

/// Tables that several entries have rows of: partitions loaded through their root.
fn in_parts(archive: &Archive) -> HashSet<String> {
    let mut seen = HashSet::new();
    let data = archive.toc.entries.iter().filter(|entry| entry.kind == "TABLE DATA");
    data.filter_map(|entry| Some(copy_target(&entry.copy)?.table))
        .filter(|table| !seen.insert(table.clone()))
        .collect()
}

/// Reads one block, by way of `read`; its keys may take `budget` bytes together.
fn read_one(
    reading: &Reading<'_>,
    block: &Block,
    budget: usize,
    read: &mut dyn FnMut(&mut dyn BlockSink) -> Vec<Problem>,
    gathered: &Mutex<Gathered>,
) {
    let Reading { archive, schema, wanted, options, in_parts } = reading;
    let Some(entry) = archive.toc.entries.get(block.entry) else { return };
    let lock = || gathered.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if block.kind != BlockKind::Table {
        let mut sink = ObjectSink::default();
        let problems = read(&mut sink);
        let whole = problems.is_empty();
        sink.end(whole);
        lock().objects(sink, problems, block);
        return;
    }
    if entry.copy.is_empty() {
        let mut sink = InsertSink { reader: TextReader::new(INSERT_HEAD), rows: InsertRows::default() };
        let mut problems = read(&mut sink);
        sink.reader.finish(&mut sink.rows);
        let target = sink.rows.end(&entry.qualified(), &archive.toc.encoding, schema, &mut problems);
        // Of a table without rows there is no statement to say how it is written.
        let target = target.or_else(|| {
            let is_part =
                schema.tables.get(&entry.qualified()).is_some_and(|table| !table.parents.is_empty());
            let relation = quote_identifier(&entry.tag);
            let relation = match &entry.schema {
                Some(schema) => format!("{}.{relation}", quote_identifier(schema)),
                None => relation,
            };
            (!is_part && problems.is_empty()).then(|| (entry.qualified(), relation))
        });
        let (name, relation) = match target {
            Some((name, relation)) => (name, Some(relation)),
            None => (entry.qualified(), None),
        };
        lock().inserted("", name, relation, sink.rows, problems);
        return;
    }
    let Some(target) = copy_target(&entry.copy) else {
        let mut gathered = lock();
        let what = format!("its COPY statement can't be read: {:?}", entry.copy.trim());
        gathered.problem(Problem { kind: ProblemKind::Toc, place: block.place.clone(), what });
        return;
    };
    if !schema.may_fill(&entry.qualified(), &target.table) {
        let what = format!("its COPY statement fills {}", target.table);
        lock().problem(Problem { kind: ProblemKind::Toc, place: block.place.clone(), what });
    }
    let count = wanted.keys.get(&target.table).map_or(1, |keys| keys.len().max(1));
    let budget = 2048 + budget / count;
    let plan = Arc::new(row_plan(&target, schema, wanted, &archive.toc.encoding, options.depth, budget));
    let mut sink = RowSink { reader: RowReader::new(&plan, true) };
    let problems = read(&mut sink);
    let mut rows = sink.reader.finish();
    if !in_parts.contains(&target.table) {
        for (key, set) in plan.keys.iter().zip(&mut rows.keys) {
            let columns: Vec<String> = plan.names_of(&key.columns);
            if !wanted.compared.contains(&(target.table.clone(), columns)) {
                set.forget();
            }
        }
    }
    let copy = Expected::in_schema(&entry.copy, entry.schema.as_deref());
    lock().rows("", &copy, &plan, rows, problems, Some(block), wanted);
}

struct RowSink {
    reader: RowReader,
}

impl BlockSink for RowSink {
    // A block of table data has no large objects: its type byte is checked.
    fn large_object(&mut self, _oid: u32) {}

    fn data(&mut self, bytes: &[u8]) {
        self.reader.push(bytes);
    }
}

/// Counts and hashes large objects.
#[derive(Default)]
pub(super) struct ObjectSink {
    hasher: Option<RowHasher>,
    pub(super) now: u32,
    bytes_now: u64,
    pub(super) bytes: u64,
    pub(super) sum: RowSum,
    pub(super) seen: Vec<u32>,
}

impl ObjectSink {
    fn end(&mut self, whole: bool) {
        if let Some(hasher) = self.hasher.take()
            && whole
        {
            hasher.finish(&mut self.sum);
            self.bytes += self.bytes_now;
            self.seen.push(self.now);
        }
        self.bytes_now = 0;
    }
}

impl BlockSink for ObjectSink {
    fn large_object(&mut self, oid: u32) {
        self.end(true);
        let mut hasher = RowHasher::default();
        hasher.write(&oid.to_le_bytes());
        self.hasher = Some(hasher);
        self.now = oid;
    }

    fn data(&mut self, bytes: &[u8]) {
        self.bytes_now += bytes.len() as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.write(bytes);
        }
    }

    fn whole(&mut self) {
        self.end(true);
    }
}

struct InsertSink {
    reader: TextReader,
    rows: InsertRows,
}

impl BlockSink for InsertSink {
    fn large_object(&mut self, _oid: u32) {}

    fn data(&mut self, bytes: &[u8]) {
        self.reader.push(bytes, &mut self.rows);
    }
}

/// Counts the rows of INSERT statements.
#[derive(Default)]
pub(super) struct InsertRows {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    cut: u64,
    strange: Option<String>,
    /// The table that they fill, as the first of them writes it.
    target: Option<Vec<u8>>,
    /// A statement that fills another one.
    other: Option<Vec<u8>>,
    pub(super) meta_commands: Vec<String>,
}

impl InsertRows {
    /// What is wrong with the data of `table`; and the table that it fills, which may be one that `table` is a partition of:
    /// its name, and as it is written.
    pub(super) fn end(
        &self,
        table: &str,
        encoding: &Encoding,
        schema: &Schema,
        problems: &mut Vec<Problem>,
    ) -> Option<(String, String)> {
        let place = || Place { object: Some(table.to_owned()), ..Place::default() };
        if let Some(strange) = &self.strange {
            let what = format!("its data holds a statement that is no INSERT of values: {strange:?}");
            problems.push(Problem { kind: ProblemKind::Row, place: place(), what });
        }
        if self.cut > 0 {
            let what = "its data stops in the middle of an INSERT statement".to_owned();
            problems.push(Problem { kind: ProblemKind::Truncated, place: place(), what });
        }
        let relation = encoding.read(self.target.as_deref()?).into_owned();
        let name = table_named(&relation)?;
        // A plain dump's heading has the name in one line.
        let fits = schema.may_fill(table, &name) || one_line(&name) == table;
        let other = self.other.as_deref().map(|other| encoding.read(other).into_owned());
        if let Some(stray) = if fits { other } else { Some(relation.clone()) } {
            let what = format!("its data holds an INSERT into {stray}");
            problems.push(Problem { kind: ProblemKind::Row, place: place(), what });
        }
        // Before 10.3 pg_dump named tables without their schema, which the restore can't look up.
        (fits && name.contains('.')).then_some((name, relation))
    }
}

impl TextSink for InsertRows {
    fn statement(&mut self, sql: &[u8], measure: Measure) {
        self.bytes += 1 + if measure.end == End::Whole { sql.len() as u64 } else { measure.bytes };
        let rest = sql.strip_prefix(b"INSERT INTO ");
        let relation = rest.and_then(|rest| Some((rest, rest.get(..end_of_relation(rest)?)?)));
        // DEFAULT VALUES has no group, and is one row.
        let has_values = |rest: &[u8], relation: &[u8]| {
            let behind = rest.get(relation.len()..).unwrap_or(&[]);
            measure.groups > 0 || behind.starts_with(b" DEFAULT VALUES")
        };
        match relation {
            Some(_) if measure.end == End::Missing => self.cut += 1,
            Some((rest, relation)) if has_values(rest, relation) => {
                let target = self.target.get_or_insert_with(|| relation.to_owned());
                if target != relation && self.other.is_none() {
                    self.other = Some(relation.to_owned());
                }
                self.rows += measure.groups.max(1);
            }
            _ if self.strange.is_none() => {
                self.strange = Some(String::from_utf8_lossy(sql.get(..60).unwrap_or(sql)).into_owned());
            }
            _ => {}
        }
    }

    fn meta_command(&mut self, line: &str) {
        self.meta_commands.push(line.to_owned());
    }
}

/// Where the name of a table ends that `sql` begins with.
fn end_of_relation(sql: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        if sql.get(at) == Some(&b'"') {
            // A doubled quote is one in the name.
            loop {
                at += 2 + memchr::memchr(b'"', sql.get(at + 1..)?)?;
                if sql.get(at) != Some(&b'"') {
                    break;
                }
            }
        } else {
            at += sql.get(at..)?.iter().position(|byte| matches!(byte, b'.' | b' ' | b'(' | b'"'))?;
        }
        if sql.get(at) != Some(&b'.') {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(table: &str, text: &str) -> (u64, Vec<String>) {
        let mut schema = Schema::default();
        for table in ["a", "c", "\"a b\""] {
            schema.read("TABLE", &format!("CREATE TABLE public.{table} (\n    id integer\n);\n"));
        }
        let mut rows = InsertRows::default();
        let mut reader = TextReader::new(INSERT_HEAD);
        reader.push(text.as_bytes(), &mut rows);
        reader.finish(&mut rows);
        let mut problems = vec![];
        rows.end(table, &Encoding::default(), &schema, &mut problems);
        (rows.rows, problems.into_iter().map(|problem| problem.what).collect())
    }

    #[test]
    fn inserts_are_held_against_the_table_that_they_are_of() {
        let text = "INSERT INTO public.a VALUES (1);\nINSERT INTO public.a (id) OVERRIDING SYSTEM VALUE VALUES\n\t(2),\n\t(3);\n\
                    INSERT INTO public.a DEFAULT VALUES;\n";
        assert_eq!(told("public.a", text), (4, vec![]));
        assert_eq!(told("public.a b", "INSERT INTO public.\"a b\" VALUES (1);\n"), (1, vec![]));
        let stray = "INSERT INTO public.a VALUES (1);\nINSERT INTO public.c VALUES (2);\n";
        assert_eq!(told("public.a", stray).1, ["its data holds an INSERT into public.c"]);
        assert_eq!(
            told("public.c", "INSERT INTO public.a VALUES (1);\n").1,
            ["its data holds an INSERT into public.a"]
        );
        let (rows, wrong) = told("public.a", "INSERT INTO public.a SELECT 3 WHERE false;\n");
        assert!(rows == 0 && wrong[0].contains("no INSERT of values"), "{wrong:?}");
    }
}
