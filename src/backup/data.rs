//! The data stage: every block of an archive decoded and every row checked, in parallel and in bounded memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::archive::plain::{End, Measure, TextReader, TextSink};
use super::archive::{Archive, Block, BlockKind, BlockSink, Place, Problem, ProblemKind};
use super::checksum::{RowHasher, RowSum};
use super::contents::Contents;
use super::encoding::Encoding;
use super::evidence::{KeyFacts, KeyProblem, LargeObjectFacts, SequenceFacts, TableFacts};
use super::keys::KeySet;
use super::restore::{Expected, LargeObjects};
use super::rows::{Depth, KeyPlan, RowPlan, RowReader, RowResult};
use super::schema::{CopyTarget, Schema, copy_target};
use super::value::ValueType;

/// Memory for all sets of keys together.
const KEY_BUDGET: usize = 20 << 20;
/// How much is kept of an INSERT statement: its first words are looked at.
const INSERT_HEAD: usize = 4096;
/// How many problems are kept in all; more are counted.
const PROBLEMS: usize = 500;
/// How many missing large objects are named.
const NAMED: usize = 20;

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

/// Gathers what blocks tell, from whichever thread.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) result: DataResult,
    /// Where each table is among the result's.
    places: HashMap<String, usize>,
    sets: HashMap<(String, Vec<String>), KeySet>,
    duplicates: HashMap<(String, Vec<String>), (u64, String)>,
    largest: BTreeMap<String, i64>,
    /// Tables some of whose rows couldn't be read.
    broken: HashSet<String>,
    objects: RowSum,
    seen_objects: Vec<u32>,
    long_values: u64,
    inserted: u64,
}

/// What is to be collected of each table's rows beside the rows themselves.
#[derive(Default)]
pub(super) struct Wanted {
    /// Columns of keys, and whether they must be unique.
    keys: HashMap<String, Vec<(Vec<String>, bool)>>,
    /// Columns that sequences fill, with the sequence.
    largest: HashMap<String, Vec<(String, String)>>,
    /// Keys that are held against others once all are read: those of foreign keys.
    compared: HashSet<(String, Vec<String>)>,
}

impl Wanted {
    /// Reads from the schema what is worth collecting.
    pub(super) fn of(schema: &Schema, with_keys: bool) -> Wanted {
        let mut wanted = Wanted::default();
        if with_keys {
            for key in &schema.unique_keys {
                // A partitioned table's key holds in each partition; which partition a value may be in is
                // the server's to check.
                for table in schema.leaves(&key.table) {
                    wanted.key(table, key.columns.clone(), true);
                }
            }
            for key in &schema.foreign_keys {
                if !comparable(schema, key) {
                    continue;
                }
                for (tables, columns) in [(&key.table, &key.columns), (&key.target, &key.target_columns)] {
                    for table in schema.leaves(tables) {
                        wanted.key(table.clone(), columns.clone(), false);
                        wanted.compared.insert((table, columns.clone()));
                    }
                }
            }
        }
        for (name, sequence) in &schema.sequences {
            let (Some((table, column)), false) = (&sequence.fills, sequence.descending || sequence.cycles)
            else {
                continue;
            };
            for table in schema.leaves(table) {
                wanted.largest.entry(table).or_default().push((column.clone(), name.clone()));
            }
        }
        wanted
    }

    fn key(&mut self, table: String, columns: Vec<String>, unique: bool) {
        let keys = self.keys.entry(table).or_default();
        match keys.iter_mut().find(|(of, _)| *of == columns) {
            Some((_, is_unique)) => *is_unique |= unique,
            None => keys.push((columns, unique)),
        }
    }
}

/// Whether a foreign key's values can be compared as text on both sides.
fn comparable(schema: &Schema, key: &super::schema::ForeignKey) -> bool {
    let column = |table: &str, name: &str| {
        let column = schema.column(table, name)?;
        Some((schema.value_type(column).0, column.collated, column.kind.clone()))
    };
    key.validated
        && key.columns.len() == key.target_columns.len()
        && key.columns.iter().zip(&key.target_columns).all(|(own, target)| {
            match (column(&key.table, own), column(&key.target, target)) {
                (Some((ValueType::Int(..), ..)), Some((ValueType::Int(..), ..))) => true,
                (Some((ValueType::Any, false, own)), Some((ValueType::Any, false, target))) => {
                    let text = |kind: &str| matches!(kind, "text" | "character varying");
                    text(&own) && text(&target)
                }
                (
                    Some((ValueType::Varchar(_) | ValueType::Any, false, own)),
                    Some((ValueType::Varchar(_) | ValueType::Any, false, target)),
                ) => {
                    let text = |kind: &str| kind == "text" || kind.starts_with("character varying");
                    text(&own) && text(&target)
                }
                (Some((own, false, _)), Some((target, false, _))) => own == target && own.is_canonical(),
                _ => false,
            }
        })
}

/// The plan for the rows of one COPY statement.
pub(super) fn row_plan(
    target: &CopyTarget,
    schema: &Schema,
    wanted: &Wanted,
    encoding: &Encoding,
    depth: Depth,
    budget: usize,
) -> RowPlan {
    let mut types = vec![];
    let mut not_null = vec![];
    for name in &target.columns {
        let (kind, refuses) = schema
            .column(&target.table, name)
            .map_or((ValueType::Any, false), |column| schema.value_type(column));
        types.push(kind);
        not_null.push(refuses);
    }
    let index = |name: &String| target.columns.iter().position(|column| column == name);
    let mut keys = vec![];
    if depth.keys {
        for (columns, unique) in wanted.keys.get(&target.table).into_iter().flatten() {
            if let Some(columns) = columns.iter().map(index).collect::<Option<Vec<_>>>() {
                keys.push(KeyPlan { columns, unique: *unique, budget });
            }
        }
    }
    let largest = wanted
        .largest
        .get(&target.table)
        .into_iter()
        .flatten()
        .filter_map(|(column, _)| index(column))
        .collect();
    RowPlan {
        table: target.table.clone(),
        names: target.columns.clone(),
        types,
        not_null,
        encoding: encoding.clone(),
        depth,
        keys,
        largest,
    }
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
        sink.rows.add_problems(&entry.qualified(), &mut problems);
        lock().inserted(entry.qualified(), sink.rows, problems, block);
        return;
    }
    let Some(target) = copy_target(&entry.copy) else {
        let mut gathered = lock();
        let what = format!("its COPY statement can't be read: {:?}", entry.copy.trim());
        gathered.problem(Problem { kind: ProblemKind::Toc, place: block.place.clone(), what });
        return;
    };
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
    lock().rows("", &entry.copy, &plan, rows, problems, Some(block), wanted);
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
struct ObjectSink {
    hasher: Option<RowHasher>,
    now: u32,
    bytes_now: u64,
    bytes: u64,
    sum: RowSum,
    seen: Vec<u32>,
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
    pub(super) meta_commands: Vec<String>,
}

impl InsertRows {
    pub(super) fn add_problems(&self, table: &str, problems: &mut Vec<Problem>) {
        let place = || Place { object: Some(table.to_owned()), ..Place::default() };
        if let Some(strange) = &self.strange {
            let what = format!("its data holds a statement that is no INSERT: {strange:?}");
            problems.push(Problem { kind: ProblemKind::Row, place: place(), what });
        }
        if self.cut > 0 {
            let what = "its data stops in the middle of an INSERT statement".to_owned();
            problems.push(Problem { kind: ProblemKind::Truncated, place: place(), what });
        }
    }
}

impl TextSink for InsertRows {
    fn statement(&mut self, sql: &[u8], measure: Measure) {
        self.bytes += 1 + if measure.end == End::Whole { sql.len() as u64 } else { measure.bytes };
        if !sql.starts_with(b"INSERT INTO ") {
            if self.strange.is_none() {
                self.strange = Some(String::from_utf8_lossy(sql.get(..60).unwrap_or(sql)).into_owned());
            }
            return;
        }
        if measure.end == End::Missing {
            self.cut += 1;
            return;
        }
        // DEFAULT VALUES has no group, and is one row.
        self.rows += measure.groups.max(1);
    }

    fn meta_command(&mut self, line: &str) {
        self.meta_commands.push(line.to_owned());
    }
}

impl Gathered {
    /// Memory that the sets of keys take.
    fn key_bytes(&self) -> usize {
        self.sets.values().map(KeySet::bytes).sum()
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        if matches!(problem.kind, ProblemKind::Row | ProblemKind::Encoding) {
            self.result.problem_rows += 1;
        }
        if self.result.problems.len() < PROBLEMS {
            self.result.problems.push(problem);
        }
    }

    fn table(&mut self, facts: TableFacts, sum: RowSum, hashed: bool) {
        let known = self.places.get(&facts.name).copied();
        match known.and_then(|at| self.result.tables.get_mut(at)) {
            // Several blocks feed one table: partitions loaded through their root.
            Some(table) => {
                table.rows += facts.rows;
                table.bytes += facts.bytes;
                table.whole &= facts.whole;
                table.checksum = match (&table.checksum, hashed) {
                    (Some(checksum), true) => {
                        let before = u128::from_str_radix(checksum, 16).unwrap_or(0);
                        let sum = before.wrapping_add(sum.checksum().0);
                        Some(super::checksum::Checksum(sum).to_string())
                    }
                    _ => None,
                };
            }
            None => {
                self.places.insert(facts.name.clone(), self.result.tables.len());
                self.result.tables.push(facts);
            }
        }
    }

    /// Takes in the rows of one COPY statement. `database` is empty but in a cluster's dump.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn rows(
        &mut self,
        database: &str,
        copy: &str,
        plan: &RowPlan,
        rows: RowResult,
        block_problems: Vec<Problem>,
        block: Option<&Block>,
        wanted: &Wanted,
    ) {
        let table = plan.table.clone();
        let whole = block_problems.is_empty()
            && rows.problems.iter().all(|problem| problem.kind != ProblemKind::Truncated);
        if !whole || rows.problem_rows > 0 {
            self.broken.insert(table.clone());
        }
        // A stream that can't be decoded to its end has no end marker either: once is enough.
        let block_is_broken = !block_problems.is_empty();
        for problem in block_problems {
            self.problem(problem);
        }
        let extra = rows.problem_rows.saturating_sub(
            rows.problems
                .iter()
                .filter(|problem| matches!(problem.kind, ProblemKind::Row | ProblemKind::Encoding))
                .count() as u64,
        );
        self.result.problem_rows += extra;
        for mut problem in rows.problems {
            if block_is_broken && problem.kind == ProblemKind::Truncated {
                continue;
            }
            if let Some(block) = block {
                problem.place.entry = block.place.entry;
                problem.place.file = block.place.file.clone();
            }
            if !database.is_empty() {
                problem.place.object = problem.place.object.map(|object| format!("{database}.{object}"));
            }
            self.problem(problem);
        }
        self.long_values += rows.long_values;
        if rows.keys_incomplete {
            self.broken.insert(table.clone());
        }
        let name = if database.is_empty() { table.clone() } else { format!("{database}.{table}") };
        let hashed = plan.depth.checksums;
        let facts = TableFacts {
            name,
            rows: rows.sum.rows,
            bytes: rows.sum.bytes,
            checksum: hashed.then(|| rows.sum.checksum().to_string()),
            whole,
        };
        self.table(facts, rows.sum, hashed);
        self.result.expected.add(database, copy, rows.sum, hashed);
        for ((key, set), duplicate) in plan.keys.iter().zip(rows.keys).zip(rows.duplicates) {
            let place = (table.clone(), plan.names_of(&key.columns));
            if let Some(duplicate) = duplicate {
                self.duplicates.entry(place.clone()).or_insert(duplicate);
            }
            match self.sets.get_mut(&place) {
                Some(before) => before.merge(&set),
                None => {
                    self.sets.insert(place, set);
                }
            }
        }
        for (&column, largest) in plan.largest.iter().zip(rows.largest) {
            let (Some(name), Some(largest)) = (plan.names.get(column), largest) else { continue };
            for (of, sequence) in wanted.largest.get(&table).into_iter().flatten() {
                if of == name {
                    let key =
                        if database.is_empty() { sequence.clone() } else { format!("{database}.{sequence}") };
                    let before = self.largest.entry(key).or_insert(largest);
                    *before = (*before).max(largest);
                }
            }
        }
    }

    pub(super) fn inserted(
        &mut self,
        name: String,
        rows: InsertRows,
        problems: Vec<Problem>,
        _block: &Block,
    ) {
        self.add_inserted(name, rows, problems);
    }

    pub(super) fn add_inserted(&mut self, name: String, rows: InsertRows, problems: Vec<Problem>) {
        let whole = problems.is_empty();
        if !whole {
            self.broken.insert(name.clone());
        }
        problems.into_iter().for_each(|problem| self.problem(problem));
        self.result.meta_commands.extend(rows.meta_commands);
        self.inserted += rows.rows;
        let facts = TableFacts { name, rows: rows.rows, bytes: rows.bytes, checksum: None, whole };
        self.table(facts, RowSum::default(), false);
    }

    fn objects(&mut self, sink: ObjectSink, problems: Vec<Problem>, block: &Block) {
        for mut problem in problems {
            if block.kind == BlockKind::LargeObjects && problem.place.object.is_none() && sink.now != 0 {
                problem.place.object = Some(format!("large object {}", sink.now));
            }
            self.problem(problem);
        }
        self.result.large_objects.bytes += sink.bytes;
        self.objects.merge(&sink.sum);
        self.seen_objects.extend(sink.seen);
    }

    fn check_keys(&mut self, schema: &Schema, contents: &Contents) {
        for key in &schema.unique_keys {
            for table in schema.leaves(&key.table) {
                let place = (table.clone(), key.columns.clone());
                let Some(set) = self.sets.get(&place).filter(|set| set.duplicates > 0) else { continue };
                // One finding for one damage, though a primary key and an index may say the same.
                let known =
                    self.result.keys.iter().any(|facts| facts.table == table && facts.constraint == key.name);
                if !known {
                    self.result.keys.push(KeyFacts {
                        table,
                        constraint: key.name.clone(),
                        wrong: KeyProblem::Duplicate,
                        count: set.duplicates,
                        example: self.duplicates.get(&place).cloned(),
                        share: set.share(),
                    });
                }
            }
        }
        let without_data = |table: &String| {
            contents.tables.iter().any(|of| of.name == *table && of.wants_data && !of.has_data)
        };
        let mut unchecked = vec![];
        for key in schema.foreign_keys.iter().filter(|key| key.validated) {
            let parents = schema.leaves(&key.target);
            let of_parents: Vec<&KeySet> = parents
                .iter()
                .filter_map(|table| self.sets.get(&(table.clone(), key.target_columns.clone())))
                .collect();
            let spoiled = parents.iter().any(|table| self.broken.contains(table) || without_data(table));
            let children: Vec<(String, &KeySet)> = schema
                .leaves(&key.table)
                .into_iter()
                .filter_map(|table| {
                    let set = self.sets.get(&(table.clone(), key.columns.clone()))?;
                    Some((table, set))
                })
                .collect();
            if children.iter().all(|(_, set)| set.inserted == 0) && !children.is_empty() {
                continue;
            }
            if spoiled || of_parents.is_empty() || children.is_empty() {
                unchecked.push(key.name.clone());
                continue;
            }
            let merged;
            let parent = match of_parents.as_slice() {
                [one] => *one,
                several => {
                    let mut all =
                        KeySet::new(several.iter().all(|set| set.is_exact_numbers()), KEY_BUDGET / 4);
                    several.iter().for_each(|set| all.merge(set));
                    merged = all;
                    &merged
                }
            };
            for (table, set) in children {
                let orphans = set.missing_in(parent);
                if orphans.count > 0 {
                    self.result.keys.push(KeyFacts {
                        table,
                        constraint: key.name.clone(),
                        wrong: KeyProblem::Orphan(key.target.clone()),
                        count: orphans.count,
                        example: orphans.example.map(|example| (0, example.to_string())),
                        share: orphans.share,
                    });
                }
            }
        }
        if !unchecked.is_empty() && !self.sets.is_empty() {
            let count = unchecked.len();
            unchecked.truncate(5);
            self.result.notes.push(format!(
                "{count} foreign keys were not followed, because their columns can't be compared as text or rows of their tables aren't all there: {}{}",
                unchecked.join(", "),
                if count > 5 { " …" } else { "" }
            ));
        }
        let sampled = self.sets.values().filter(|set| set.share() < 1.0).count();
        if sampled > 0 {
            self.result.notes.push(format!(
                "{sampled} keys have too many values to hold in memory: a sample of each was compared"
            ));
        }
    }

    pub(super) fn check_sequences(&mut self, schema: &Schema) {
        for (name, sequence) in &schema.sequences {
            let (Some((table, column)), Some((value, used))) = (&sequence.fills, sequence.value) else {
                continue;
            };
            let Some(&largest) = self.largest.get(name) else { continue };
            if sequence.descending || sequence.cycles {
                continue;
            }
            if largest > value || (largest == value && !used) {
                self.result.sequences_behind.push(SequenceFacts {
                    name: name.clone(),
                    column: format!("{table}.{column}"),
                    value,
                    largest,
                });
            }
        }
    }

    /// Forgets what belongs to one database of a cluster.
    pub(super) fn next_database(&mut self) {
        self.largest.clear();
    }

    fn check_large_objects(&mut self, archive: &Archive, contents: &Contents) {
        self.seen_objects.sort_unstable();
        let before = self.seen_objects.len();
        self.seen_objects.dedup();
        if self.seen_objects.len() < before {
            let what = format!("{} large objects are in the dump twice", before - self.seen_objects.len());
            self.problem(Problem { kind: ProblemKind::LargeObject, place: Place::default(), what });
        }
        let objects = &mut self.result.large_objects;
        objects.count = self.seen_objects.len() as u64;
        objects.checksum = Some(self.objects.checksum().to_string());
        let declared = &contents.large_objects;
        let missing = declared.iter().filter(|oid| self.seen_objects.binary_search(oid).is_err());
        for oid in missing {
            objects.missing_count += 1;
            if objects.missing.len() < NAMED {
                objects.missing.push(*oid);
            }
        }
        objects.undeclared =
            self.seen_objects.iter().filter(|oid| declared.binary_search(oid).is_err()).count() as u64;
        let has_blocks = archive.toc.entries.iter().any(|entry| entry.kind == "BLOBS");
        if !has_blocks && !declared.is_empty() && contents.selection.schema_only {
            // Definitions alone were asked for.
            objects.missing.clear();
            objects.missing_count = 0;
        }
        self.result.expected.large_objects = Some(LargeObjects {
            count: objects.count,
            bytes: objects.bytes,
            checksum: Some(self.objects.checksum()),
        });
    }

    pub(super) fn finish(mut self) -> DataResult {
        if self.long_values > 0 {
            self.result.notes.push(format!(
                "{} values are longer than 64 kB in rows of more than 1 MB: their escapes and encoding were checked, their form wasn't",
                self.long_values
            ));
        }
        if self.inserted > 0 {
            self.result.notes.push(format!(
                "{} rows are written as INSERT statements: they were counted, their values and keys weren't checked",
                self.inserted
            ));
        }
        self.result.tables.sort_by(|a, b| a.name.cmp(&b.name));
        self.result.problems.sort_by(|a, b| {
            let key = |problem: &Problem| {
                let place = &problem.place;
                (problem.kind, place.entry, place.object.clone(), place.file.clone(), place.offset, place.row)
            };
            key(a).cmp(&key(b))
        });
        self.result
    }
}
