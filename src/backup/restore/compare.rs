//! Holds what arrived in the server against what the dump holds.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::time::{Duration, Instant};

use postgres::Client;
use serde::Serialize;

use crate::backup::archive::{Archive, Block, BlockKind, BlockSink};
use crate::backup::checksum::{RowHasher, RowSum};
use crate::backup::encoding::Encoding;
use crate::postgres::sql_text::quote_literal;

use super::errors::{ErrorClass, server_message};
use super::names::{column_names, copy_target, split_relation};
use super::plan::Plan;
use super::script::Held;
use super::target::Target;
use super::zone::Samples;
use super::{Expected, ExpectedTable, RestoreFailure, Restored, declared, objects};

/// One table: rows in the dump, rows restored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableComparison {
    /// `public.users`, as the COPY statement names it.
    pub name: String,
    /// Rows that the dump holds.
    pub expected_rows: u64,
    /// Rows that the server gave back; none when it could not be asked.
    pub found_rows: Option<u64>,
    /// Whether every row came back as it stands in the dump; none when only counted.
    pub same_content: Option<bool>,
    /// Why rows or content could not be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_compared: Option<String>,
}

impl TableComparison {
    /// Whether nothing speaks against equality.
    pub fn is_equal(&self) -> bool {
        self.found_rows.is_none_or(|found| found == self.expected_rows)
            && self.same_content != Some(false)
            && (self.found_rows.is_some() || self.not_compared.is_some())
    }
}

/// What is wrong with one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ObjectDifference {
    /// `INDEX`, `CONSTRAINT`, `TABLE` …
    pub kind: String,
    /// Its name as the table of contents has it.
    pub name: String,
    /// `missing`, `not valid`, `not populated`.
    pub difference: &'static str,
}

/// A sequence that doesn't stand where it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SequenceDifference {
    /// `public.users_id_seq`
    pub name: String,
    /// Its last value after the restore.
    pub last_value: i64,
    /// The value that the dump sets, where it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<i64>,
    /// The column that takes its values from it, and the highest (or lowest, counting down) value
    /// there, where the sequence is behind that: the next insert fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<(String, i64)>,
}

/// Session settings under which pg_dump writes rows (`setup_connection` in `pg_dump.c`).
const AS_PG_DUMP: &str = "SET search_path = ''; SET datestyle = ISO; SET intervalstyle = postgres; \
     SET extra_float_digits = 3; SET bytea_output = hex; SET synchronize_seqscans = off; SET row_security = off; \
     SET timezone = 'UTC'; SET default_transaction_read_only = on";

/// Why something was left out of the comparison.
const TOO_LATE: &str = "the comparison's time limit was reached (--restore-stop)";
/// What looking into the catalogs may take in any case.
const LEAST: Duration = Duration::from_secs(60);

const REORDERED: &str =
    "its partitions have their columns in different orders, so that rows are counted and no more";
const UNREADABLE_NAME: &str = "its name is written in an encoding that isn't read";

/// A name of the table of contents as the server knows it; none where the reader could not tell.
///
/// The reader gives names of single-byte encodings one character for each byte.
pub(super) fn real_name(client: &mut Client, encoding: &Encoding, name: &str) -> Option<String> {
    if name.is_ascii() || encoding.is_utf8() || encoding.name == "LATIN1" {
        return (!name.contains(char::REPLACEMENT_CHARACTER)).then(|| name.to_owned());
    }
    let bytes: Vec<u8> = name.chars().map(u8::try_from).collect::<Result<_, _>>().ok()?;
    client
        .query_one("SELECT pg_catalog.convert_from($1, $2::text::name)", &[&bytes, &encoding.name])
        .and_then(|row| row.try_get(0))
        .ok()
}

/// The table with the names of its columns as the server knows them.
fn with_real_columns(
    client: &mut Client,
    encoding: &Encoding,
    table: &ExpectedTable,
) -> Option<ExpectedTable> {
    let columns = real_name(client, encoding, &table.columns)?;
    Some(ExpectedTable { columns, ..table.clone() })
}

/// Compares everything and writes what it finds into `restored`.
pub(super) fn compare(
    archive: &Archive,
    plan: &Plan,
    expected: &Expected,
    target: &Target,
    held: &Held,
    deadline: Instant,
    restored: &mut Restored,
) -> Result<(), RestoreFailure> {
    let doubtful = doubtful_entries(archive, plan, target, restored);
    for database in target.databases().map(str::to_owned).collect::<Vec<_>>() {
        let tables: BTreeMap<&str, &ExpectedTable> = expected.tables_of(&database).collect();
        if tables.is_empty() && !database.is_empty() {
            continue;
        }
        let mut client = target.connect(target.database(&database))?;
        client
            .batch_execute(AS_PG_DUMP)
            .map_err(|error| RestoreFailure::server("set up the session", error))?;
        let encoding = match archive.format.is_text() {
            true => Encoding::named(plan.encoding(&database)),
            false => archive.toc.encoding.clone(),
        };
        compare_tables(
            archive,
            &tables,
            &doubtful,
            &mut client,
            &held.samples,
            &encoding,
            deadline,
            restored,
        );
        allow(&mut client, deadline);
        match sequences_behind(&mut client) {
            Ok(behind) => restored.sequences.extend(behind),
            Err(_) if Instant::now() >= deadline => {
                restored.notes.push(format!("sequences were not held against their tables: {TOO_LATE}"));
            }
            Err(error) => return Err(error),
        }
    }
    let mut connect = |database: &str| {
        let mut catalog = target.connect_admin(database)?;
        allow(&mut catalog, deadline.max(Instant::now() + LEAST));
        catalog
            .batch_execute("SET search_path = ''")
            .map_err(|error| RestoreFailure::server("set up the session", error))?;
        Ok(catalog)
    };
    if archive.format.is_text() {
        declared::compare(&held.declared, true, &mut connect, restored)?;
    } else {
        let mut catalog = connect(target.database(""))?;
        let declared = declared::of_toc(archive, target, &doubtful, &mut catalog, restored);
        declared::compare(&declared, false, &mut connect, restored)?;
    }
    if let Some(expected) = expected.large_objects {
        match objects::read(target, deadline) {
            Ok(found) => restored.large_objects = Some((expected, found)),
            Err(error) => {
                let why = error.with_causes();
                restored.notes.push(format!("large objects could not be compared: {why}"));
            }
        }
    }
    Ok(())
}

/// Gives the session's statements the time that is left; false when there is none.
pub(super) fn allow(client: &mut Client, deadline: Instant) -> bool {
    let left = deadline.saturating_duration_since(Instant::now()).as_millis().max(1);
    let left = left.min(i32::MAX as u128);
    client.batch_execute(&format!("SET statement_timeout = {left}")).is_ok() && left > 1
}

/// Entries that may be missing without that telling against the dump.
fn doubtful_entries(archive: &Archive, plan: &Plan, target: &Target, restored: &Restored) -> BTreeSet<i32> {
    let mut missing: Vec<i32> = plan.skipped.keys().copied().collect();
    missing.extend(target.missing_extension_entries(plan));
    missing.extend(
        restored
            .errors
            .iter()
            .filter(|error| matches!(error.class, ErrorClass::Environment | ErrorClass::Privilege))
            .filter_map(|error| error.entry),
    );
    Plan::dependents(archive, missing)
}

#[allow(clippy::too_many_arguments)]
fn compare_tables(
    archive: &Archive,
    tables: &BTreeMap<&str, &ExpectedTable>,
    doubtful: &BTreeSet<i32>,
    client: &mut Client,
    samples: &Samples,
    encoding: &Encoding,
    deadline: Instant,
    restored: &mut Restored,
) {
    let doubtful_tables: BTreeSet<(&str, &str)> = archive
        .toc
        .entries
        .iter()
        .filter(|entry| doubtful.contains(&entry.dump_id))
        .map(|entry| (entry.schema.as_deref().unwrap_or(""), entry.tag.as_str()))
        .collect();
    let mut compared = Vec::new();
    let mut differing = Vec::new();
    for (key, table) in tables {
        let name = *key;
        let mut comparison = TableComparison {
            name: name.to_owned(),
            expected_rows: table.sum.rows,
            ..TableComparison::default()
        };
        let Some(name) = real_name(client, encoding, name) else {
            comparison.not_compared = Some(UNREADABLE_NAME.to_owned());
            compared.push(comparison);
            continue;
        };
        let name = name.as_str();
        comparison.name = name.to_owned();
        if !allow(client, deadline) {
            comparison.not_compared = Some(TOO_LATE.to_owned());
            compared.push(comparison);
            continue;
        }
        let Some(table) = with_real_columns(client, encoding, table) else {
            comparison.not_compared = Some(UNREADABLE_NAME.to_owned());
            compared.push(comparison);
            continue;
        };
        let table = &table;
        let is_doubtful = split_relation(name)
            .is_some_and(|(schema, name)| doubtful_tables.contains(&(schema.as_str(), name.as_str())));
        // What was refused here of this table: it itself, or its rows alone.
        let refused = |kinds: &str| {
            restored
                .errors
                .iter()
                .filter(|error| error.class != ErrorClass::Backup)
                .filter_map(|error| error.object.as_deref()?.strip_suffix(name)?.strip_suffix(' '))
                .any(|kind| kind.ends_with(kinds))
        };
        match read_table(client, name, table, encoding) {
            Ok(found) if found.rows != table.sum.rows && (is_doubtful || refused("TABLE DATA")) => {
                comparison.not_compared = Some(
                    "not all of its rows could be loaded here: what was not made or loaded is listed"
                        .to_owned(),
                );
            }
            Ok(found) => {
                comparison.found_rows = Some(found.rows);
                if table.reordered && found.rows == table.sum.rows {
                    comparison.not_compared = Some(REORDERED.to_owned());
                }
                if table.hashed {
                    let same = found.checksum() == table.sum.checksum();
                    comparison.same_content = Some(same);
                    if !same && found.rows == table.sum.rows {
                        differing.push((compared.len(), *key));
                    }
                }
            }
            Err(_) if Instant::now() >= deadline => {
                comparison.not_compared = Some(TOO_LATE.to_owned());
            }
            Err(_) if is_doubtful || refused("") => {
                comparison.not_compared =
                    Some("the table could not be made here, for lack of a right or an extension".to_owned());
            }
            Err(why) => {
                comparison.found_rows = Some(0);
                comparison.not_compared = (comparison.expected_rows == 0).then_some(why);
            }
        }
        compared.push(comparison);
    }
    if !differing.is_empty() {
        if allow(client, deadline) {
            compare_again(archive, tables, client, samples, encoding, &differing, &mut compared, restored);
        }
        // Nobody knows then whether they are only written differently.
        for (nth, _) in differing.iter().filter(|_| Instant::now() >= deadline) {
            if let Some(comparison) = compared.get_mut(*nth).filter(|it| it.same_content == Some(false)) {
                comparison.same_content = None;
                comparison.found_rows = None;
                comparison.not_compared = Some(TOO_LATE.to_owned());
            }
        }
    }
    restored.tables.extend(compared);
}

/// Content that differs while the rows are as many may only be written differently: in another time zone
/// than the dump's, or with other settings.
#[allow(clippy::too_many_arguments)]
fn compare_again(
    archive: &Archive,
    tables: &BTreeMap<&str, &ExpectedTable>,
    client: &mut Client,
    samples: &Samples,
    encoding: &Encoding,
    differing: &[(usize, &str)],
    compared: &mut [TableComparison],
    restored: &mut Restored,
) {
    let own_samples;
    let samples = if archive.format.is_text() {
        samples
    } else {
        own_samples = samples_of_archive(archive, &differing.iter().map(|(_, key)| *key).collect());
        &own_samples
    };
    match samples.find_zone(client) {
        Ok(Some(zone)) => {
            let sql = format!("SET timezone = {}", quote_literal(&zone));
            if client.batch_execute(&sql).is_ok() && zone != "UTC" {
                restored
                    .notes
                    .push(format!("times are compared in the dump's time zone, which seems to be {zone}"));
            }
        }
        Ok(None) => {}
        Err(why) => restored.notes.push(format!("the dump's time zone could not be found: {why}")),
    }
    // bytea_output is the database's or the role's to set, and pg_dump leaves it alone.
    for output in ["hex", "escape"] {
        let _ = client.batch_execute(&format!("SET bytea_output = {output}"));
        for &(at, key) in differing {
            let Some(comparison) = compared.get_mut(at).filter(|it| it.same_content == Some(false)) else {
                continue;
            };
            let Some(table) = tables.get(key) else { continue };
            let Some(table) = with_real_columns(client, encoding, table) else { continue };
            if let Ok(found) = read_table(client, &comparison.name, &table, encoding)
                && found.rows == table.sum.rows
                && found.checksum() == table.sum.checksum()
            {
                comparison.same_content = Some(true);
            }
        }
    }
    let _ = client.batch_execute("SET bytea_output = hex");
    for &(at, _) in differing {
        let Some(comparison) = compared.get_mut(at).filter(|it| it.same_content == Some(false)) else {
            continue;
        };
        // Types whose text depends on settings of the source that the dump doesn't tell.
        if let Ok(Some(types)) = unstable_types(client, &comparison.name) {
            comparison.same_content = None;
            comparison.not_compared = Some(format!(
                "rows are counted, but how {types} is written depends on settings of the source"
            ));
        }
    }
}

/// The types of the table's columns whose text depends on the session, in words.
fn unstable_types(client: &mut Client, relation: &str) -> Result<Option<String>, postgres::Error> {
    let row = client.query_one(
        "WITH RECURSIVE used (typid) AS (
             SELECT atttypid FROM pg_catalog.pg_attribute
              WHERE attrelid = $1::text::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped
             UNION
             SELECT inner_type FROM used
               JOIN pg_catalog.pg_type t ON t.oid = used.typid
               LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid OR r.rngmultitypid = t.oid
               LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0
               CROSS JOIN LATERAL (VALUES (t.typelem), (t.typbasetype), (r.rngsubtype), (a.atttypid)) AS inside (inner_type)
              WHERE inner_type IS NOT NULL AND inner_type <> 0)
         SELECT pg_catalog.string_agg(DISTINCT typname::text, ', ' ORDER BY typname::text)
           FROM used JOIN pg_catalog.pg_type t ON t.oid = typid
          WHERE typname IN ('timestamptz', 'timetz', 'money', 'xml', 'regclass', 'regproc', 'regprocedure', 'regoper',
                            'regoperator', 'regtype', 'regrole', 'regnamespace', 'regconfig', 'regdictionary', 'regcollation')
            AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace",
        &[&relation],
    )?;
    row.try_get(0)
}

/// Counts and hashes the rows of a table as COPY writes them.
fn read_table(
    client: &mut Client,
    relation: &str,
    table: &ExpectedTable,
    encoding: &Encoding,
) -> Result<RowSum, String> {
    let said = |error: postgres::Error| server_message(&error);
    // Names come from the dump, so they are parsed before they become part of a statement.
    split_relation(relation).ok_or("not a table's name")?;
    let columns = match table.columns.as_str() {
        "" => String::new(),
        list => {
            let names = column_names(list).ok_or("not a list of columns")?;
            names
                .iter()
                .map(|name| crate::postgres::sql_text::quote_identifier(name))
                .collect::<Vec<_>>()
                .join(", ")
        }
    };
    let kind: Option<String> = client
        .query_opt(
            "SELECT relkind::text FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass($1::text)",
            &[&relation],
        )
        .map_err(said)?
        .map(|row| row.get(0));
    let only = match kind.as_deref() {
        // The rows of a partitioned table are all in its partitions, which were loaded through it.
        Some("p") => "",
        Some(_) => "ONLY ",
        None => return Err(format!("the table {relation} isn't there")),
    };
    if !table.hashed {
        let sql = format!("SELECT pg_catalog.count(*) FROM {only}{relation}");
        let rows: i64 = client.query_one(&sql, &[]).map_err(said)?.get(0);
        let mut sum = RowSum::default();
        sum.rows = rows.unsigned_abs();
        return Ok(sum);
    }
    let encoding = quote_literal(&encoding.name);
    let sql = format!("COPY (SELECT {columns} FROM {only}{relation}) TO STDOUT WITH (ENCODING {encoding})");
    let mut reader = client.copy_out(&sql).map_err(said)?;
    let mut rows = Rows::default();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(rows.sum),
            // `read` gives no more than the buffer holds.
            Ok(count) => rows.push(&buffer[..count]),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Splits COPY's text into rows and sums them up.
#[derive(Default)]
struct Rows {
    sum: RowSum,
    begun: Option<RowHasher>,
}

impl Rows {
    fn push(&mut self, mut bytes: &[u8]) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            // `end` is inside, so both parts exist.
            let (row, rest) = (&bytes[..end], &bytes[end + 1..]);
            match self.begun.take() {
                Some(mut begun) => {
                    begun.write(row);
                    begun.finish(&mut self.sum);
                }
                None => self.sum.add(row),
            }
            bytes = rest;
        }
        if !bytes.is_empty() {
            self.begun.get_or_insert_default().write(bytes);
        }
    }
}

/// Times from the rows of some tables of an archive.
fn samples_of_archive(archive: &Archive, tables: &BTreeSet<&str>) -> Samples {
    let mut samples = Samples::default();
    for block in archive.blocks.iter().filter(|block| block.kind == BlockKind::Table) {
        let Some(entry) = archive.toc.entries.get(block.entry) else { continue };
        if copy_target(&entry.copy).is_some_and(|target| tables.contains(target.relation)) {
            samples.next_table();
            first_rows(archive, block, &mut samples);
        }
    }
    samples
}

/// Reads the first megabyte or so of a block.
fn first_rows(archive: &Archive, block: &Block, samples: &mut Samples) {
    struct First<'a> {
        samples: &'a mut Samples,
        left: usize,
    }
    impl BlockSink for First<'_> {
        fn large_object(&mut self, _oid: u32) {}
        fn data(&mut self, bytes: &[u8]) {
            if self.left > 0 {
                self.samples.add(bytes);
                self.left = self.left.saturating_sub(bytes.len());
            }
        }
    }
    archive.read_block(block, &mut First { samples, left: 1 << 20 });
}

/// Sequences of `serial` and identity columns that would give a value that is there already.
fn sequences_behind(client: &mut Client) -> Result<Vec<SequenceDifference>, RestoreFailure> {
    let failed = |error| RestoreFailure::server("read the sequences", error);
    let rows = client
        .query(
            "SELECT s.oid::pg_catalog.regclass::text, t.oid::pg_catalog.regclass::text, a.attname::text, q.seqincrement > 0,
                    t.relkind = 'p'
               FROM pg_catalog.pg_depend d
               JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
               JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid AND NOT q.seqcycle
               JOIN pg_catalog.pg_class t ON t.oid = d.refobjid AND t.relkind IN ('r', 'p')
               JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
              WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                AND d.deptype IN ('a', 'i')
                AND a.atttypid IN ('pg_catalog.int2'::pg_catalog.regtype, 'pg_catalog.int4'::pg_catalog.regtype,
                                   'pg_catalog.int8'::pg_catalog.regtype)",
            &[],
        )
        .map_err(failed)?;
    let mut behind = vec![];
    for row in rows {
        let (sequence, table, column): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let (ascending, _partitioned): (bool, bool) = (row.get(3), row.get(4));
        let (extreme, quoted) =
            (if ascending { "max" } else { "min" }, crate::postgres::sql_text::quote_identifier(&column));
        let sql = format!(
            "SELECT s.last_value, s.is_called, (SELECT pg_catalog.{extreme}({quoted})::bigint FROM {table}) FROM {sequence} s"
        );
        // A table that this role can't read is a foreign one's partition, or was made by nobody.
        let Ok(row) = client.query_one(&sql, &[]) else { continue };
        let (last_value, is_called, reached): (i64, bool, Option<i64>) = (row.get(0), row.get(1), row.get(2));
        let Some(reached) = reached else { continue };
        // The next value is the last one itself when it wasn't given out yet.
        let is_behind = match (ascending, is_called) {
            (true, true) => last_value < reached,
            (true, false) => last_value <= reached,
            (false, true) => last_value > reached,
            (false, false) => last_value >= reached,
        };
        if is_behind {
            behind.push(SequenceDifference {
                name: sequence,
                last_value,
                expected: None,
                behind: Some((format!("{table}.{column}"), reached)),
            });
        }
    }
    Ok(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_in_pieces_sum_like_rows_as_a_whole() {
        let text = b"1\ta\n2\tlonger row\n\n";
        let mut whole = RowSum::default();
        for row in [&b"1\ta"[..], b"2\tlonger row", b""] {
            whole.add(row);
        }
        for size in 1..text.len() {
            let mut rows = Rows::default();
            text.chunks(size).for_each(|piece| rows.push(piece));
            assert_eq!(rows.sum, whole, "pieces of {size}");
        }
    }
}
