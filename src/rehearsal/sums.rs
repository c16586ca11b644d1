//! Rows of each table, counted and summed, and what differs between two sums.
//!
//! A checksum is the sum of the hashes of all values: it doesn't depend on the order of rows or columns, and it
//! is computed where the rows are. Columns are summed apart, so that a table that lost a column can still be
//! compared in what it kept; and whole rows are, so that values that changed places are seen.

use std::collections::BTreeMap;

use postgres::Client;
use postgres::types::ToSql;

use super::RehearsalError;
use super::relations::{NAME, OF_NO_EXTENSION, USER_SCHEMA};
use super::report::{ColumnGone, DataDifference, SequenceBack, TableSum};
use crate::postgres::sql_text::quote_identifier;

/// The rows of one table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sum {
    /// How many.
    pub rows: u64,
    /// Of whole rows; `None` where they were only counted.
    whole: Option<String>,
    /// By column: checksum, and how many aren't NULL.
    columns: BTreeMap<String, (Option<String>, u64)>,
}

/// Sums by table.
pub(super) type Sums = BTreeMap<String, Sum>;

/// What large objects are called among the tables; no table is, unquoted.
pub(super) const LARGE_OBJECTS: &str = "large objects";

/// Sequences by name: the last value that each has given, none where it has given none yet, and whether it counts up.
pub(super) type Sequences = BTreeMap<String, (Option<i64>, bool)>;

/// Rows to leave out, by table: each a condition that is true of the row.
pub(super) type LeftOut = BTreeMap<String, Vec<String>>;

impl Sum {
    /// For the report.
    pub fn shown(&self) -> TableSum {
        TableSum { rows: self.rows, checksum: self.whole.clone() }
    }
}

/// Counts and sums every table but those of `skip`. `progress` is told each table's name.
pub(super) fn read(
    client: &mut Client,
    hashed: bool,
    left_out: &LeftOut,
    skip: &[&str],
    progress: &dyn Fn(&str),
) -> Result<Sums, RehearsalError> {
    let failed = |source| RehearsalError::server("list the columns", source);
    let sql = format!(
        "SELECT {NAME}, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), \
         coalesce(pg_catalog.array_agg(a.attname::text ORDER BY a.attname) FILTER (WHERE a.attname IS NOT NULL), '{{}}') \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE c.relkind IN ('r', 'm') AND {USER_SCHEMA} AND {OF_NO_EXTENSION} \
         AND (c.relkind <> 'm' OR c.relispopulated) GROUP BY 1, 2 ORDER BY 1"
    );
    let mut sums = Sums::new();
    for row in client.query(&sql, &[]).map_err(failed)? {
        let (name, table, columns): (String, String, Vec<String>) = (row.get(0), row.get(1), row.get(2));
        if skip.contains(&name.as_str()) {
            continue;
        }
        progress(&name);
        let conditions = left_out.get(&name).map(Vec::as_slice).unwrap_or_default();
        sums.insert(name.clone(), read_one(client, &name, &table, &columns, hashed, conditions)?);
    }
    let objects = large_objects(client, hashed)?;
    sums.extend((objects.rows > 0).then(|| (LARGE_OBJECTS.to_owned(), objects)));
    Ok(sums)
}

/// Large objects, which are in no table of the user's.
fn large_objects(client: &mut Client, hashed: bool) -> Result<Sum, RehearsalError> {
    let failed = |source| RehearsalError::server("count the large objects", source);
    let rows: i64 = client
        .query_one("SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata", &[])
        .map_err(failed)?
        .get(0);
    let mut sum = Sum { rows: rows.unsigned_abs(), ..Sum::default() };
    // What is in them only a superuser may read as a whole.
    let readable = hashed
        && rows > 0
        && client
            .query_one("SELECT pg_catalog.has_table_privilege('pg_catalog.pg_largeobject', 'SELECT')", &[])
            .map_err(failed)?
            .get(0);
    if readable {
        let sql = "SELECT pg_catalog.sum(pg_catalog.hashtextextended(ROW(loid, pageno, data)::text, 0)::numeric)::text \
             FROM pg_catalog.pg_largeobject";
        let content: Option<String> = client.query_one(sql, &[]).map_err(failed)?.get(0);
        sum.columns.insert("content".to_owned(), (content, sum.rows));
    }
    Ok(sum)
}

/// Where the sequences stand that don't begin anew by themselves.
pub(super) fn sequences(client: &mut Client) -> Result<Sequences, RehearsalError> {
    let sql = "SELECT CASE WHEN schemaname = 'public' THEN '' ELSE pg_catalog.quote_ident(schemaname) || '.' END \
         || pg_catalog.quote_ident(sequencename), last_value, increment_by > 0 \
         FROM pg_catalog.pg_sequences WHERE NOT cycle AND schemaname !~ '^pg_'";
    let rows =
        client.query(sql, &[]).map_err(|source| RehearsalError::server("read the sequences", source))?;
    Ok(rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect())
}

/// Sequences that stand further back than before: they give numbers that are in use. Those that are gone the schema
/// tells of.
pub(super) fn sequences_back(before: &Sequences, now: &Sequences) -> Vec<DataDifference> {
    before
        .iter()
        .filter_map(|(name, (was, up))| {
            let (was, (is, _)) = ((*was)?, now.get(name)?);
            let back = is.is_none_or(|is| if *up { is < was } else { is > was });
            back.then(|| DataDifference {
                table: name.clone(),
                rows_after: Some(0),
                sequence: Some(SequenceBack { before: was, after: *is }),
                ..DataDifference::default()
            })
        })
        .collect()
}

fn read_one(
    client: &mut Client,
    name: &str,
    table: &str,
    columns: &[String],
    hashed: bool,
    left_out: &[String],
) -> Result<Sum, RehearsalError> {
    let quoted: Vec<String> = columns.iter().map(|column| quote_identifier(column)).collect();
    let mut wanted = vec!["pg_catalog.count(*)".to_owned()];
    if hashed && !columns.is_empty() {
        let hash = |value: &str| {
            format!("pg_catalog.sum(pg_catalog.hashtextextended(({value})::text, 0)::numeric)::text")
        };
        let row: Vec<String> = quoted.iter().map(|column| format!("t.{column}")).collect();
        wanted.push(hash(&format!("ROW({})", row.join(", "))));
        for column in &row {
            wanted.push(hash(column));
            wanted.push(format!("pg_catalog.count({column})"));
        }
    }
    let mut condition = String::new();
    for left_out in left_out {
        condition.push_str(&format!(" AND ({left_out}) IS NOT TRUE"));
    }
    let sum = |client: &mut Client, columns: &[String]| -> Result<Sum, postgres::Error> {
        let sql = format!("SELECT {} FROM ONLY {table} t WHERE true{condition}", wanted.join(", "));
        let none: &[&(dyn ToSql + Sync)] = &[];
        let row = client.query_one(&sql, none)?;
        let mut sum = Sum { rows: row.get::<_, i64>(0).unsigned_abs(), ..Sum::default() };
        if row.len() > 1 {
            sum.whole = Some(row.get::<_, Option<String>>(1).unwrap_or_else(|| "0".to_owned()));
            for (place, column) in columns.iter().enumerate() {
                let filled = row.get::<_, i64>(3 + 2 * place).unsigned_abs();
                sum.columns.insert(column.clone(), (row.get(2 + 2 * place), filled));
            }
        }
        Ok(sum)
    };
    // A target list has at most 1,664 entries (manual, "PostgreSQL Limits").
    if wanted.len() > 1600 {
        wanted.truncate(2);
        let sql = format!("SELECT {} FROM ONLY {table} t WHERE true{condition}", wanted.join(", "));
        let none: &[&(dyn ToSql + Sync)] = &[];
        let row = client
            .query_one(&sql, none)
            .map_err(|source| RehearsalError::server(format!("sum up the rows of {name}"), source))?;
        return Ok(Sum {
            rows: row.get::<_, i64>(0).unsigned_abs(),
            whole: row.get(1),
            columns: BTreeMap::new(),
        });
    }
    sum(client, columns)
        .map_err(|source| RehearsalError::server(format!("sum up the rows of {name}"), source))
}

/// What of `before` isn't the same `now`. Tables that are only there now don't count.
pub(super) fn differences(before: &Sums, now: &Sums) -> Vec<DataDifference> {
    before
        .iter()
        .filter_map(|(table, was)| {
            let mut difference = DataDifference {
                table: table.clone(),
                rows_before: was.rows,
                rows_after: now.get(table).map(|is| is.rows),
                ..DataDifference::default()
            };
            let Some(is) = now.get(table) else {
                // An empty table holds nothing to lose; that it is gone the schema says.
                return (was.rows > 0).then_some(difference);
            };
            for (column, (sum, filled)) in &was.columns {
                match is.columns.get(column) {
                    None => {
                        let gone = ColumnGone { column: column.clone(), values: *filled };
                        difference.columns_gone.extend((*filled > 0).then_some(gone));
                    }
                    Some((_, now)) if was.rows == is.rows && now < filled => {
                        let gone = ColumnGone { column: column.clone(), values: filled - now };
                        difference.columns_gone.push(gone);
                    }
                    Some((now, _)) if was.rows == is.rows && now != sum => {
                        difference.columns.push(column.clone());
                    }
                    Some(_) => {}
                }
            }
            let same_columns = was.columns.keys().eq(is.columns.keys());
            let swapped = same_columns && was.whole != is.whole;
            let differs = was.rows != is.rows
                || !difference.columns.is_empty()
                || !difference.columns_gone.is_empty()
                || swapped;
            differs.then_some(difference)
        })
        .collect()
}
