//! Liquibase formatted SQL: changesets in files that begin with `--liquibase formatted sql`; one transaction for
//! each changeset unless it says `runInTransaction:false`.

use crate::migration::migration::{Direction, Migration};
use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "liquibase",
    title: "Liquibase",
    signs: Signs {
        above: &["liquibase.properties"],
        content: &["--liquibase formatted", "-- liquibase formatted"],
        ..NO_SIGNS
    },
    named: |path| {
        path.ends_with(".sql").then(|| Named { version: path.to_owned(), direction: Direction::Up })
    },
    order: Order::Text,
    sections: Sections::Lines(changeset),
    around: Around::Migration,
    unit: Unit::Statement,
    switch: &[],
    alone: "put `runInTransaction:false` on the `--changeset` line",
    psql: false,
    ledger: Some(Ledger {
        tables: &["databasechangelog"],
        columns: &["id", "author", "filename", "exectype"],
        key: "author || ':' || id || '@' || regexp_replace(filename, '^.*/', '')",
        applied: "exectype IN ('EXECUTED', 'RERAN', 'MARK_RAN')",
        failed: "exectype = 'FAILED'",
        newest: "orderexecuted",
        compare: as_text,
        names: Names::Each(key),
        ..ONE_ROW_EACH
    }),
};

fn changeset(line: &str) -> Option<Opens> {
    let comment = line.trim_start().strip_prefix("--")?.trim_start();
    let rest =
        comment.get(..9).filter(|word| word.eq_ignore_ascii_case("changeset")).map(|_| &comment[9..])?;
    let attributes = rest.trim().to_ascii_lowercase();
    attributes.contains(':').then_some(Opens {
        direction: Direction::Up,
        transaction: Some(!attributes.contains("runintransaction:false")),
    })
}

/// `author:id@file`. Liquibase tells changesets apart by the file's whole path too, below a root that only its command
/// line knows; `logicalFilePath` stands in its place.
fn key(migration: &Migration, relative: &str) -> Option<String> {
    let section = migration.source.get(migration.range.clone())?;
    let line = section.lines().find(|line| changeset(line).is_some())?;
    let names = line.split_once("changeset").map(|(_, names)| names.trim())?;
    let (author, rest) = quoted(names, ':')?;
    let (id, attributes) = quoted(rest.trim_start(), ' ').unwrap_or((rest.trim(), ""));
    let first = migration.source.lines().next().unwrap_or("");
    let logical = [attributes, first].into_iter().find_map(|text| {
        text.split_once("logicalFilePath:").and_then(|(_, path)| path.split_whitespace().next())
    });
    let path = logical.unwrap_or(relative);
    Some(format!("{author}:{id}@{}", file_name(path.trim_matches('"'))))
}

/// A name up to `end`, or one in quotes, and what follows.
fn quoted(text: &str, end: char) -> Option<(&str, &str)> {
    match text.strip_prefix('"') {
        Some(inside) => {
            let (name, rest) = inside.split_once('"')?;
            Some((name, rest.strip_prefix(end).unwrap_or(rest)))
        }
        None => text.split_once(end),
    }
}
