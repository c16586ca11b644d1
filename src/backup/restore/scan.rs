//! Reads through a plain dump without doing any of it: what it asks for stands all over it.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::backup::archive::input::Gauge;
use crate::backup::archive::text_reader::{Measure, TextReader, TextSink};
use crate::backup::archive::{Archive, decode_all};

use super::names::{identifier, strip_words};

/// Enough of a statement to see what it is.
const SCANNED_STATEMENT: usize = 64 * 1024;

/// Told what a scan meets.
pub(super) trait ScanSink {
    /// A comment line.
    fn comment(&mut self, line: &str);
    /// What follows belongs to another database.
    fn connect(&mut self, database: &str);
    /// A statement, or its beginning.
    fn statement(&mut self, sql: &str) -> ControlFlow<()>;
    /// Rows of a table begin.
    fn rows(&mut self) -> ControlFlow<()>;
}

/// Reads through a plain dump without doing any of it, until `sink` has enough or the text ends. What is wrong with
/// the text is the data stage's to say.
pub(super) fn scan(archive: &Archive, sink: &mut dyn ScanSink) {
    let Some(text) = &archive.text else { return };
    let gauge = Arc::new(Gauge::like(text.gauge()));
    let mut reader = TextReader::new(SCANNED_STATEMENT);
    let mut adapter = ScanAdapter { sink, gauge: &gauge, done: false };
    let text = text.clone().on(&gauge);
    let _ = decode_all(&text, archive.compression, &mut |bytes| {
        if !adapter.done {
            reader.push(bytes, &mut adapter);
        }
    });
}

struct ScanAdapter<'a> {
    sink: &'a mut dyn ScanSink,
    gauge: &'a Gauge,
    done: bool,
}

impl ScanAdapter<'_> {
    fn follow(&mut self, flow: ControlFlow<()>) {
        if flow.is_break() {
            self.done = true;
            self.gauge.cancel();
        }
    }
}

impl TextSink for ScanAdapter<'_> {
    fn comment(&mut self, line: &str) {
        if !self.done {
            self.sink.comment(line);
        }
    }

    fn statement(&mut self, sql: &[u8], _measure: Measure) {
        if !self.done {
            let flow = self.sink.statement(String::from_utf8_lossy(sql).trim());
            self.follow(flow);
        }
    }

    fn meta_command(&mut self, line: &str) {
        if let Some(database) = connected_database(line)
            && !self.done
        {
            self.sink.connect(&database);
        }
    }

    fn copy_begin(&mut self, _statement: &str) {
        if !self.done {
            let flow = self.sink.rows();
            self.follow(flow);
        }
    }
}

/// The encoding that `SET client_encoding = 'LATIN1'` names.
pub(super) fn client_encoding(sql: &str) -> Option<String> {
    let rest = strip_words(sql, &["SET", "client_encoding"])?;
    let value = rest.strip_prefix('=')?.trim().trim_matches('\'');
    Some(value.to_owned())
}

/// The name of the database that a statement creates.
pub(super) fn created_database(sql: &str) -> Option<String> {
    let rest = strip_words(sql, &["CREATE", "DATABASE"])?;
    identifier(rest).map(|(name, _)| name)
}

/// The database of `\connect shop`, `\connect "a b"` or `\connect -reuse-previous=on "dbname='a b'"`.
pub(super) fn connected_database(line: &str) -> Option<String> {
    let rest = line.strip_prefix("\\connect ")?.trim();
    let rest = match rest.strip_prefix('-') {
        Some(option) => option.split_once(' ')?.1.trim(),
        None => rest,
    };
    let (name, _) = match rest.strip_prefix('"') {
        Some(_) => identifier(rest)?,
        None => (rest.split_whitespace().next()?.to_owned(), ""),
    };
    match name.strip_prefix("dbname=") {
        // A connection string's value: quoted, with backslashes before quotes and backslashes.
        Some(value) => {
            let value = value.strip_prefix('\'').and_then(|it| it.strip_suffix('\'')).unwrap_or(value);
            Some(value.replace("\\'", "'").replace("\\\\", "\\"))
        }
        None => Some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_commands_of_pg_dump_are_read() {
        for (line, database) in [
            ("\\connect shop", "shop"),
            ("\\connect \"Sh op\"", "Sh op"),
            ("\\connect -reuse-previous=on \"dbname='it\\'s'\"", "it's"),
        ] {
            assert_eq!(connected_database(line).as_deref(), Some(database), "{line}");
        }
        assert_eq!(connected_database("\\! rm -rf /"), None);
    }

    #[test]
    fn encodings_and_databases_are_read() {
        assert_eq!(client_encoding("SET client_encoding = 'LATIN1'").as_deref(), Some("LATIN1"));
        assert_eq!(created_database("CREATE DATABASE \"Sh op\" WITH").as_deref(), Some("Sh op"));
    }
}
