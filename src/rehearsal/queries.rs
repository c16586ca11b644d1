//! The application's queries: read from a file, and prepared again and again to see which still can be.
//!
//! PREPARE parses and plans nothing but names and types (manual, "PREPARE"), runs nothing, and takes the
//! statements of pg_stat_statements as they are, with `$1` in place of constants.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use postgres::Client;

use super::RehearsalError;
use super::report::{FailedQuery, Queries, ServerError};
use super::request::Request;
use crate::migration::catalog::QName;
use crate::migration::parse::parse;
use crate::migration::statement::{Body, Statement};

/// One query and how it went.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub sql: String,
    /// `queries.sql:12`
    pub place: String,
    pub is_new: bool,
    pub before: Option<ServerError>,
    pub after: Option<ServerError>,
    pub rolled_back: Option<ServerError>,
    pub broken_by: Option<u32>,
}

/// Reads statements of SQL, or an export of pg_stat_statements as CSV (with a header) or JSON.
///
/// # Errors
/// When the file can't be read, or holds no query.
pub(super) fn read(path: &Path, is_new: bool) -> Result<Vec<Query>, RehearsalError> {
    let failed =
        |message: String| RehearsalError::File { action: "read", path: path.display().to_string(), message };
    let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| failed(format!("it isn't UTF-8: {error}")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let found: Vec<(String, usize)> = match extension.as_deref() {
        Some("csv") => from_csv(text).map_err(failed)?,
        Some("json") => from_json(text).map_err(failed)?,
        _ => from_sql(text),
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut known = HashSet::new();
    let queries: Vec<Query> = found
        .into_iter()
        .filter(|(sql, _)| known.insert(sql.clone()))
        .map(|(sql, line)| query(sql, format!("{name}:{line}"), is_new))
        .collect();
    if queries.is_empty() {
        return Err(failed("it holds no SELECT, INSERT, UPDATE, DELETE or MERGE".to_owned()));
    }
    Ok(queries)
}

fn query(sql: String, place: String, is_new: bool) -> Query {
    Query { sql, place, is_new, before: None, after: None, rolled_back: None, broken_by: None }
}

/// Whether PREPARE takes it.
fn can_be_prepared(statement: &Statement) -> bool {
    matches!(statement.body, Body::Query(_))
}

fn from_sql(text: &str) -> Vec<(String, usize)> {
    let script = parse(text, 0..text.len());
    let index = crate::source::LineIndex::new(text);
    script
        .statements
        .iter()
        .filter(|statement| can_be_prepared(statement) || !statement.understood())
        .map(|statement| {
            (statement.span.of(text).to_owned(), index.position(text, statement.span.start).0 as usize)
        })
        .collect()
}

/// What of an export is a single statement that can be prepared: BEGIN, SET and DDL are left out.
fn usable(sql: &str) -> Option<String> {
    let sql = sql.trim().trim_end_matches(';').trim();
    let script = parse(sql, 0..sql.len());
    match script.statements.as_slice() {
        [one] if can_be_prepared(one) => Some(sql.to_owned()),
        _ => None,
    }
}

fn from_json(text: &str) -> Result<Vec<(String, usize)>, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    // `[{"query": …}]`, `["…"]`, the same under "queries" or "statements", or a snapshot's families.
    let list = value
        .get("queries")
        .map(|queries| queries.get("families").unwrap_or(queries))
        .or_else(|| value.get("statements"))
        .unwrap_or(&value)
        .as_array()
        .ok_or("expected an array of statements, or of objects with a key \"query\"")?;
    Ok(list
        .iter()
        .enumerate()
        .filter_map(|(place, item)| {
            let sql = item.as_str().or_else(|| item.get("query")?.as_str())?;
            Some((usable(sql)?, place + 1))
        })
        .collect())
}

fn from_csv(text: &str) -> Result<Vec<(String, usize)>, String> {
    let mut records = csv_records(text).into_iter();
    let (header, _) = records.next().ok_or("it is empty")?;
    let column = header
        .iter()
        .position(|name| name.trim().eq_ignore_ascii_case("query"))
        .ok_or("its first line names no column `query`: export with COPY (SELECT query FROM pg_stat_statements) TO STDOUT (FORMAT csv, HEADER)")?;
    Ok(records.filter_map(|(fields, line)| Some((usable(fields.get(column)?)?, line))).collect())
}

/// RFC 4180: quoted fields may hold commas, quotes (doubled) and line ends. With the line each begins at.
fn csv_records(text: &str) -> Vec<(Vec<String>, usize)> {
    let mut records = Vec::new();
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let (mut line, mut begun) = (1, 1);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        line += usize::from(character == '\n');
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if quoted || field.is_empty() => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                fields.push(std::mem::take(&mut field).trim_end_matches('\r').to_owned());
                records.push((std::mem::take(&mut fields), begun));
                begun = line;
            }
            other => field.push(other),
        }
    }
    if !field.is_empty() || !fields.is_empty() {
        fields.push(field);
        records.push((fields, begun));
    }
    records
}

/// Prepares `sql` and lets go of it again.
pub(super) fn prepare(client: &mut Client, sql: &str) -> Option<ServerError> {
    // The text of a simple query, so that parameters get their types as the application's driver would have it.
    match client.batch_execute(&format!("PREPARE rollsafe_query AS {sql}")) {
        Ok(()) => {
            let _ = client.batch_execute("DEALLOCATE rollsafe_query");
            None
        }
        Err(error) => Some(server_error(&error)),
    }
}

/// For the report.
pub(super) fn server_error(error: &postgres::Error) -> ServerError {
    match error.as_db_error() {
        Some(db) => ServerError {
            sqlstate: db.code().code().to_owned(),
            message: db.message().to_owned(),
            detail: db.detail().map(str::to_owned),
            hint: db.hint().map(str::to_owned),
            table: db.table().map(|table| QName::new(db.schema().unwrap_or("public"), table).to_string()),
            column: db.column().map(str::to_owned),
            constraint: db.constraint().map(str::to_owned),
        },
        None => ServerError { message: super::said(error), ..ServerError::default() },
    }
}

impl Query {
    /// For the report.
    pub fn shown(&self) -> FailedQuery {
        FailedQuery {
            text: one_line(&self.sql, 300),
            is_new: self.is_new,
            place: self.place.clone(),
            before: self.before.clone(),
            after: self.after.clone(),
            rolled_back: self.rolled_back.clone(),
            broken_by: self.broken_by,
        }
    }
}

/// Which of the statements of a transaction it was: the last that speaks of what the server misses, or else the
/// last.
pub(super) fn breaker(error: &ServerError, statements: &[u32], texts: &BTreeMap<u32, String>) -> Option<u32> {
    let names: Vec<String> = error
        .message
        .split_whitespace()
        .map(|word| {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
            let word = word.split('(').next().unwrap_or(word);
            word.rsplit('.').next().unwrap_or(word).trim_matches('"').to_lowercase()
        })
        .filter(|word| !word.is_empty() && !MESSAGE_WORDS.contains(&word.as_str()))
        .collect();
    let speaks = |id: &&u32| {
        let text = texts.get(*id).map(|text| text.to_lowercase()).unwrap_or_default();
        names.iter().any(|name| text.contains(name.as_str()))
    };
    statements.iter().rev().find(speaks).or(statements.last()).copied()
}

/// Words of the server's messages that are no names.
const MESSAGE_WORDS: &[&str] = &[
    "column",
    "relation",
    "function",
    "type",
    "table",
    "view",
    "of",
    "does",
    "not",
    "exist",
    "is",
    "a",
    "the",
    "operator",
    "schema",
    "for",
    "in",
    "no",
    "to",
    "but",
    "expression",
    "cannot",
    "be",
    "unknown",
    "=",
];

/// White space made single, cut to `most` characters.
pub(super) fn one_line(sql: &str, most: usize) -> String {
    let text = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= most {
        return text;
    }
    let cut: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{cut}…")
}

/// For the report.
pub(super) fn shown(request: &Request, queries: &[Query], went_back: bool) -> Option<Queries> {
    if queries.is_empty() {
        return None;
    }
    let files: Vec<String> =
        request.queries.iter().chain(&request.new_queries).map(|path| path.display().to_string()).collect();
    let count = |which: &dyn Fn(&Query) -> bool| queries.iter().filter(|query| which(query)).count() as u32;
    let old = |query: &Query| !query.is_new && query.before.is_none();
    Some(Queries {
        source: files.join(", "),
        total: queries.len() as u32,
        prepared_before: count(&|query| old(query)),
        prepared_after: count(&|query| old(query) && query.after.is_none()),
        prepared_rolled_back: went_back.then(|| count(&|query| old(query) && query.rolled_back.is_none())),
        failed: queries
            .iter()
            .filter(|query| query.before.is_some() || query.after.is_some() || query.rolled_back.is_some())
            .map(Query::shown)
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_are_read() {
        let csv = "calls,query\n3,\"SELECT \"\"a\"\",\n b FROM t WHERE x = $1\"\n1,BEGIN\n2,SELECT 1\r\n";
        let found = from_csv(csv).unwrap();
        assert_eq!(
            found,
            [("SELECT \"a\",\n b FROM t WHERE x = $1".to_owned(), 2), ("SELECT 1".to_owned(), 5)]
        );
        let json =
            r#"[{"query": "SELECT 1", "calls": 2}, {"query": "COMMIT"}, "DELETE FROM t WHERE id = $1"]"#;
        assert_eq!(from_json(json).unwrap().len(), 2);
        assert!(from_csv("calls\n1\n").unwrap_err().contains("query"));
        assert_eq!(from_sql("-- a\nSELECT 1;\n\nUPDATE t SET a = 1;\nSET x = 1;")[1].1, 4);
    }
}
