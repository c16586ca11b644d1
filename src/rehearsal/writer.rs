//! The synthetic writer: a few rows for each table, as an application would have written them after the
//! migrations, so that what going back loses is shown and not guessed.
//!
//! Rows are copies of rows that are there, with new values in their keys and in the columns that the migrations
//! made. Triggers and foreign keys don't fire for them (`session_replication_role`), so nothing else changes.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Client;

use super::RehearsalError;
use super::relations::{NAME, OF_NO_EXTENSION, USER_SCHEMA};
use super::report::Written;
use super::sums::LeftOut;
use crate::postgres::sql_text::{quote_identifier, quote_literal};

/// Rows for each table.
const ROWS: u32 = 3;
/// More tables than that aren't written to.
const MOST_TABLES: usize = 300;

/// What was put into one table.
#[derive(Clone, Debug)]
pub(super) struct Put {
    table: u32,
    shown: Written,
    /// The primary key's columns by number, and the values of each row as text.
    key: Vec<i16>,
    rows: Vec<Vec<String>>,
    /// New columns that were filled: number and name.
    filled: Vec<(i16, String)>,
}

impl Put {
    /// For the report, as it was put in.
    pub fn shown(&self) -> Written {
        self.shown.clone()
    }
}

#[derive(Clone, Debug)]
struct Column {
    number: i16,
    name: String,
    /// As `format_type` prints it.
    type_name: String,
    /// `pg_type.typcategory`.
    category: char,
    /// `e`: an enum.
    kind: char,
    /// The longest text, where the type says.
    length: Option<i32>,
    not_null: bool,
    has_default: bool,
    identity: bool,
    generated: bool,
    oid_name: String,
}

#[derive(Clone, Debug)]
struct Table {
    oid: u32,
    name: String,
    columns: Vec<Column>,
    primary: Vec<i16>,
    /// Columns of each unique index.
    unique: Vec<Vec<i16>>,
    /// Column, and the referenced table and column.
    foreign: BTreeMap<i16, (String, String)>,
    has_triggers: bool,
}

/// Puts rows into every table but `skip`. `columns_before` are the columns that were there before the
/// migrations, by table and name; `known` the tables by oid.
pub(super) fn write(
    client: &mut Client,
    columns_before: &BTreeMap<(u32, i16), String>,
    known: &BTreeSet<u32>,
    skip: &[&str],
) -> Result<(Vec<Put>, Vec<String>), RehearsalError> {
    let mut notes = Vec::new();
    let quiet = client.batch_execute("SET session_replication_role = replica").is_ok();
    let mut tables = tables(client)?;
    tables.retain(|table| !skip.contains(&table.name.as_str()));
    // New tables first: what they will hold is what going back loses.
    tables.sort_by_key(|table| (known.contains(&table.oid), table.name.clone()));
    if tables.len() > MOST_TABLES {
        notes.push(format!(
            "rows were written into {MOST_TABLES} of {} tables after the migrations",
            tables.len()
        ));
        tables.truncate(MOST_TABLES);
    }
    let mut all = Vec::new();
    for table in &tables {
        let mut put = Put {
            table: table.oid,
            shown: Written { table: table.name.clone(), ..Written::default() },
            key: table.primary.clone(),
            rows: Vec::new(),
            filled: Vec::new(),
        };
        let is_new = |column: &Column| !columns_before.contains_key(&(table.oid, column.number));
        let outcome = if table.primary.is_empty() {
            Err("it has no primary key to know the rows by".to_owned())
        } else if table.has_triggers && !quiet {
            Err("its triggers would run, and only a superuser can prevent that".to_owned())
        } else {
            put_into(client, table, &is_new, &mut put)
        };
        if let Err(why) = outcome {
            put.shown.not_written = Some(why);
        }
        all.push(put);
    }
    Ok((all, notes))
}

fn put_into(
    client: &mut Client,
    table: &Table,
    is_new: &dyn Fn(&Column) -> bool,
    put: &mut Put,
) -> Result<(), String> {
    let fresh = fresh_columns(table)?;
    let mut names = Vec::new();
    let mut values = Vec::new();
    for column in table.columns.iter().filter(|column| !column.generated) {
        let quoted = quote_identifier(&column.name);
        let value = if fresh.contains(&column.number) {
            fresh_value(column, &table.name)
                .ok_or_else(|| format!("there is no new value for its key column {}", column.name))?
        } else if let Some(sample) = sample(column).filter(|_| is_new(column)) {
            put.filled.push((column.number, column.name.clone()));
            match table.foreign.get(&column.number) {
                Some((other, referenced)) => {
                    format!("coalesce(t.{quoted}, (SELECT r.{referenced} FROM {other} r LIMIT 1))")
                }
                None => format!("coalesce(t.{quoted}, {sample})"),
            }
        } else {
            format!("t.{quoted}")
        };
        names.push(quoted);
        values.push(value);
    }
    let key: Vec<String> = table
        .columns
        .iter()
        .filter(|column| table.primary.contains(&column.number))
        .map(|column| format!("{}::text", quote_identifier(&column.name)))
        .collect();
    // In the order of the columns, as they are asked for later.
    put.key = table
        .columns
        .iter()
        .filter(|column| table.primary.contains(&column.number))
        .map(|column| column.number)
        .collect();
    let copy = format!(
        "INSERT INTO {0} ({1}) OVERRIDING SYSTEM VALUE SELECT {2} FROM (SELECT *, row_number() OVER () AS rollsafe_row \
         FROM {0} LIMIT {ROWS}) t RETURNING {3}",
        table.name,
        names.join(", "),
        values.join(", "),
        key.join(", ")
    );
    let mut rows = insert(client, &copy)?;
    if rows.is_empty() {
        // Nothing to copy from.
        let mut names = Vec::new();
        let mut values = Vec::new();
        put.filled.clear();
        for column in table.columns.iter().filter(|column| !column.generated) {
            let needed = column.not_null && !column.has_default && !column.identity;
            let reference = table.foreign.get(&column.number);
            if !needed && !table.primary.contains(&column.number) {
                continue;
            }
            if column.identity || (column.has_default && reference.is_none()) {
                continue;
            }
            names.push(quote_identifier(&column.name));
            values.push(match reference {
                Some((other, referenced)) => format!("(SELECT r.{referenced} FROM {other} r LIMIT 1)"),
                None => sample(column)
                    .ok_or_else(|| format!("there is no value for its column {}", column.name))?,
            });
        }
        let made = if names.is_empty() {
            format!("INSERT INTO {} DEFAULT VALUES RETURNING {}", table.name, key.join(", "))
        } else {
            format!(
                "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({}) RETURNING {}",
                table.name,
                names.join(", "),
                values.join(", "),
                key.join(", ")
            )
        };
        rows = insert(client, &made)?;
    }
    put.shown.rows = rows.len() as u64;
    put.rows = rows;
    Ok(())
}

fn insert(client: &mut Client, sql: &str) -> Result<Vec<Vec<String>>, String> {
    let rows = client.query(sql, &[]).map_err(|error| super::said(&error))?;
    Ok(rows
        .iter()
        .map(|row| (0..row.len()).map(|at| row.get::<_, Option<String>>(at).unwrap_or_default()).collect())
        .collect())
}

/// One column of each unique index that gets new values: no foreign key's if there is another.
fn fresh_columns(table: &Table) -> Result<BTreeSet<i16>, String> {
    let mut fresh: BTreeSet<i16> = BTreeSet::new();
    for index in &table.unique {
        let columns =
            || index.iter().filter_map(|number| table.columns.iter().find(|column| column.number == *number));
        if columns().any(|column| fresh.contains(&column.number)) {
            continue;
        }
        let free = |column: &&Column| {
            !column.generated
                && !table.foreign.contains_key(&column.number)
                && fresh_value(column, &table.name).is_some()
        };
        // The last column of a key is the one that tells rows of one parent apart.
        let chosen = columns().rfind(free);
        match chosen {
            Some(column) => fresh.insert(column.number),
            None => {
                let names: Vec<&str> = columns().map(|column| column.name.as_str()).collect();
                return Err(format!("no new value can be made up for its key ({})", names.join(", ")));
            }
        };
    }
    Ok(fresh)
}

/// A value that no row has yet.
fn fresh_value(column: &Column, table: &str) -> Option<String> {
    let quoted = quote_identifier(&column.name);
    let length = column.length.unwrap_or(200).max(1);
    let random = "md5(random()::text || clock_timestamp()::text)";
    Some(match (column.oid_name.as_str(), column.category) {
        ("int2" | "int4" | "int8" | "numeric", _) => format!(
            "((SELECT coalesce(max(x.{quoted}), 0) FROM {table} x) + t.rollsafe_row)::{}",
            column.type_name
        ),
        ("uuid", _) => format!("{random}::uuid"),
        ("bytea", _) => format!("decode({random}, 'hex')"),
        ("timestamp" | "timestamptz" | "date", _) => format!(
            "((SELECT max(x.{quoted}) FROM {table} x) + t.rollsafe_row * interval '1 day')::{}",
            column.type_name
        ),
        (_, 'S') if column.kind == 'b' && length >= 12 => {
            format!(
                "(left(t.{quoted}::text, {}) || substr({random}, 1, 8))::{}",
                length - 8,
                column.type_name
            )
        }
        (_, 'S') if column.kind == 'b' && length >= 4 => {
            format!("substr({random}, 1, {length})::{}", column.type_name)
        }
        _ => return None,
    })
}

/// Some value of the column's type.
fn sample(column: &Column) -> Option<String> {
    let length = column.length.unwrap_or(200).max(1);
    Some(match (column.oid_name.as_str(), column.category, column.kind) {
        (_, _, 'e') => format!("(enum_range(NULL::{}))[1]", column.type_name),
        ("bool", ..) => "true".to_owned(),
        ("uuid", ..) => "md5(random()::text)::uuid".to_owned(),
        ("json" | "jsonb", ..) => format!("'{{}}'::{}", column.type_name),
        ("bytea", ..) => "decode('00', 'hex')".to_owned(),
        ("timestamp" | "timestamptz" | "date" | "time" | "timetz", ..) => {
            format!("now()::{}", column.type_name)
        }
        ("interval", ..) => "interval '1 day'".to_owned(),
        ("inet" | "cidr", ..) => format!("'192.0.2.1'::{}", column.type_name),
        (_, 'N', 'b') => format!("1::{}", column.type_name),
        (_, 'S', 'b') => {
            let text: String = "rollsafe".chars().take(usize::try_from(length).unwrap_or(1)).collect();
            format!("{}::{}", quote_literal(&text), column.type_name)
        }
        (_, 'A', _) => format!("'{{}}'::{}", column.type_name),
        _ => return None,
    })
}

fn tables(client: &mut Client) -> Result<Vec<Table>, RehearsalError> {
    let failed = |source| RehearsalError::server("read the tables' columns", source);
    // Names are used as SQL: with their schema. The report's name leaves out `public`.
    let sql = format!(
        "SELECT c.oid, {NAME}, a.attnum, a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), t.typcategory::text, t.typtype::text, \
         CASE WHEN t.typcategory = 'S' AND a.atttypmod > 4 THEN a.atttypmod - 4 END, a.attnotnull, a.atthasdef, a.attidentity <> '', a.attgenerated <> '', t.typname::text, \
         EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal) \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND {USER_SCHEMA} AND {OF_NO_EXTENSION} ORDER BY c.oid, a.attnum"
    );
    let mut tables: Vec<Table> = Vec::new();
    for row in client.query(&sql, &[]).map_err(failed)? {
        let oid: u32 = row.get(0);
        if tables.last().is_none_or(|table| table.oid != oid) {
            tables.push(Table {
                oid,
                name: row.get(1),
                columns: Vec::new(),
                primary: Vec::new(),
                unique: Vec::new(),
                foreign: BTreeMap::new(),
                has_triggers: row.get(13),
            });
        }
        let letter = |at: usize| row.get::<_, String>(at).chars().next().unwrap_or(' ');
        if let Some(table) = tables.last_mut() {
            table.columns.push(Column {
                number: row.get(2),
                name: row.get(3),
                type_name: row.get(4),
                category: letter(5),
                kind: letter(6),
                length: row.get(7),
                not_null: row.get(8),
                has_default: row.get(9),
                identity: row.get(10),
                generated: row.get(11),
                oid_name: row.get(12),
            });
        }
    }
    let sql = "SELECT i.indrelid, i.indisprimary, i.indkey::int2[] FROM pg_catalog.pg_index i \
         WHERE i.indisunique OR i.indisexclusion ORDER BY i.indrelid, NOT i.indisprimary, i.indexrelid";
    for row in client.query(sql, &[]).map_err(failed)? {
        let oid: u32 = row.get(0);
        let Some(table) = tables.iter_mut().find(|table| table.oid == oid) else { continue };
        let columns: Vec<i16> = row.get::<_, Vec<i16>>(2).into_iter().filter(|number| *number > 0).collect();
        if row.get(1) {
            table.primary.clone_from(&columns);
        }
        table.unique.push(columns);
    }
    let sql = format!(
        "SELECT k.conrelid, k.conkey, {NAME}, (SELECT pg_catalog.array_agg(pg_catalog.quote_ident(a.attname) ORDER BY u.place) \
         FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY u (number, place) \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number) \
         FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.confrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'f'"
    );
    for row in client.query(&sql, &[]).map_err(failed)? {
        let oid: u32 = row.get(0);
        let Some(table) = tables.iter_mut().find(|table| table.oid == oid) else { continue };
        let columns: Vec<i16> = row.get(1);
        let other: String = row.get(2);
        let referenced: Vec<String> = row.get(3);
        for (number, name) in columns.into_iter().zip(referenced) {
            table.foreign.insert(number, (other.clone(), name));
        }
    }
    Ok(tables)
}

/// Every column by table and number.
pub(super) fn columns(client: &mut Client) -> Result<BTreeMap<(u32, i16), String>, RehearsalError> {
    let sql = format!(
        "SELECT c.oid, a.attnum, a.attname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE c.relkind IN ('r', 'p') AND {USER_SCHEMA}"
    );
    let rows =
        client.query(&sql, &[]).map_err(|source| RehearsalError::server("list the columns", source))?;
    Ok(rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect())
}

/// What is still there of it: for the report, and as conditions that leave the rows out of sums.
pub(super) fn look_again(
    client: &mut Client,
    put: &[Put],
) -> Result<(Vec<Written>, LeftOut, Vec<String>), RehearsalError> {
    let columns = columns(client)?;
    let sql = format!(
        "SELECT c.oid, {NAME}, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')"
    );
    let rows = client.query(&sql, &[]).map_err(|source| RehearsalError::server("list the tables", source))?;
    let names: BTreeMap<u32, (String, String)> =
        rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
    let (mut written, mut left_out, mut notes) = (Vec::new(), LeftOut::new(), Vec::new());
    for one in put {
        let mut shown = one.shown.clone();
        if shown.not_written.is_some() || one.rows.is_empty() {
            written.push(shown);
            continue;
        }
        let lost = |number: i16| !columns.contains_key(&(one.table, number));
        shown.columns_lost =
            one.filled.iter().filter(|(number, _)| lost(*number)).map(|(_, name)| name.clone()).collect();
        let Some((name, table)) = names.get(&one.table) else {
            shown.rows_kept = Some(0);
            written.push(shown);
            continue;
        };
        let key: Vec<&String> =
            one.key.iter().filter_map(|number| columns.get(&(one.table, *number))).collect();
        if key.len() < one.key.len() {
            notes.push(format!(
                "{name}: its key is another one now, so the rows written after the migrations can't be told from the others"
            ));
            written.push(shown);
            continue;
        }
        let columns: Vec<String> =
            key.iter().map(|column| format!("t.{}::text", quote_identifier(column))).collect();
        let rows: Vec<String> = one
            .rows
            .iter()
            .map(|row| {
                let values: Vec<String> = row.iter().map(|value| quote_literal(value)).collect();
                format!("({})", values.join(", "))
            })
            .collect();
        let condition = format!("({}) IN ({})", columns.join(", "), rows.join(", "));
        let kept: i64 = client
            .query_one(&format!("SELECT pg_catalog.count(*) FROM {table} t WHERE {condition}"), &[])
            .map_err(|source| RehearsalError::server(format!("look for rows in {name}"), source))?
            .get(0);
        shown.rows_kept = Some(kept.unsigned_abs());
        left_out.entry(name.clone()).or_default().push(condition);
        written.push(shown);
    }
    Ok((written, left_out, notes))
}
