//! What the blocks of a dump tell, put together: rows of each table, keys held against each other, sequences,
//! large objects.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::archive::{Archive, Block, BlockKind, Place, Problem, ProblemKind};
use super::checksum::RowSum;
use super::contents::Contents;
use super::data::{DataResult, InsertRows, ObjectSink};
use super::evidence::{KeyFacts, KeyProblem, SequenceFacts, TableFacts};
use super::keys::KeySet;
use super::restore::LargeObjects;
use super::rows::{RowPlan, RowResult};
use super::schema::Schema;
use super::wanted::Wanted;

/// Memory for all sets of keys together.
pub(super) const KEY_BUDGET: usize = 20 << 20;
/// How many problems are kept in all; more are counted.
const PROBLEMS: usize = 500;
/// How many missing large objects are named.
const NAMED: usize = 20;

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

impl Gathered {
    /// Memory that the sets of keys take.
    pub(super) fn key_bytes(&self) -> usize {
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

    pub(super) fn table(&mut self, facts: TableFacts, sum: RowSum, hashed: bool) {
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

    /// Takes in what INSERT statements write into `relation`, the table `name`.
    pub(super) fn inserted(
        &mut self,
        database: &str,
        name: String,
        relation: Option<String>,
        rows: InsertRows,
        problems: Vec<Problem>,
    ) {
        let whole = problems.is_empty();
        if !whole {
            self.broken.insert(name.clone());
        }
        problems.into_iter().for_each(|problem| self.problem(problem));
        self.result.meta_commands.extend(rows.meta_commands);
        self.inserted += rows.rows;
        if let Some(relation) = relation {
            self.result.expected.add_inserted(database, &relation, rows.rows);
        }
        let name = if database.is_empty() { name } else { format!("{database}.{name}") };
        let facts = TableFacts { name, rows: rows.rows, bytes: rows.bytes, checksum: None, whole };
        self.table(facts, RowSum::default(), false);
    }

    pub(super) fn objects(&mut self, sink: ObjectSink, problems: Vec<Problem>, block: &Block) {
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

    pub(super) fn check_keys(&mut self, schema: &Schema, contents: &Contents) {
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

    pub(super) fn check_large_objects(&mut self, archive: &Archive, contents: &Contents) {
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
