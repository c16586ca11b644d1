//! Liquibase formatted SQL: changesets in files that begin with `--liquibase formatted sql`; one transaction for
//! each changeset unless it says `runInTransaction:false`. `--rollback` lines are its way back; changesets for other
//! databases (`dbms:`) are blanked out.

use std::ops::Range;
use std::sync::Arc;

use crate::migration::migration::{Direction, Migration};
use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;
use crate::migration::project::sections::{Section, blank};

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
    sections: Sections::Own { cut: changesets, opens: |line| changeset(line).is_some() },
    around: Around::Migration,
    unit: Unit::Statement,
    switch: &[],
    alone: "put `runInTransaction:false` on the `--changeset` line",
    opt_out: OptOut::SectionLine(" runInTransaction:false"),
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
    export: None,
};

/// The rest of a `--changeset` line, in which a colon stands between author and id.
fn changeset(line: &str) -> Option<&str> {
    let rest = comment(line, "changeset")?;
    rest.contains(':').then_some(rest)
}

/// What follows a word at the beginning of a comment; case doesn't matter.
fn comment<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let comment = line.trim_start().strip_prefix("--")?.trim_start();
    comment.get(..word.len()).filter(|start| start.eq_ignore_ascii_case(word))?;
    comment.get(word.len()..)
}

/// A changeset: where it stands and what its line says.
struct Changeset {
    range: Range<usize>,
    transaction: bool,
    /// Whether it is for PostgreSQL, too.
    here: bool,
    says_down: bool,
}

/// Whether a `dbms:` attribute, if there is one, lets PostgreSQL in.
fn is_here(attributes: &str) -> bool {
    attributes.split_once("dbms:").is_none_or(|(_, list)| {
        let list = list.split_whitespace().next().unwrap_or("").trim_matches('"');
        let mut names = list.split(',');
        if list.starts_with('!') {
            !names.any(|name| name == "!postgresql")
        } else {
            names.any(|name| name == "postgresql")
        }
    })
}

/// Changesets with their ways back, in order; `None`: no changeset in the file. All ways there share one text and all ways
/// back another, each with everything else blanked out.
fn changesets(text: &str) -> Option<Vec<Cut>> {
    let mut found: Vec<Changeset> = Vec::new();
    let (mut up, mut down) = (String::with_capacity(text.len()), String::with_capacity(text.len()));
    // Inside `/* liquibase rollback … */`.
    let mut in_block = false;
    for line in text.split_inclusive('\n') {
        let at = up.len();
        if let Some(attributes) = changeset(line) {
            let attributes = attributes.to_ascii_lowercase();
            found.push(Changeset {
                range: at..at,
                transaction: !attributes.contains("runintransaction:false"),
                here: is_here(&attributes),
                says_down: false,
            });
        }
        let Some(open) = found.last_mut() else {
            blank(&mut up, line);
            blank(&mut down, line);
            continue;
        };
        open.range.end = at + line.len();
        let lower = line.trim_start().to_ascii_lowercase();
        if lower.starts_with("/* liquibase rollback") || lower.starts_with("/*liquibase rollback") {
            in_block = true;
            open.says_down = true;
            blank(&mut down, line);
            blank(&mut up, line);
        } else if in_block {
            in_block = !line.contains("*/");
            if in_block {
                down.push_str(line)
            } else {
                blank(&mut down, line)
            }
            blank(&mut up, line);
        } else if let Some(way_back) = comment(line, "rollback") {
            open.says_down = true;
            let nothing =
                ["empty", "not required"].iter().any(|word| way_back.trim().eq_ignore_ascii_case(word));
            let kept = if nothing { "" } else { way_back };
            blank(&mut down, &line[..line.len() - kept.len()]); // `way_back` is the line's end
            down.push_str(kept);
            blank(&mut up, line);
        } else {
            up.push_str(line);
            blank(&mut down, line);
        }
    }
    if found.is_empty() {
        return None;
    }
    let (up, down): (Arc<str>, Arc<str>) = (up.into(), down.into());
    let mut sections = Vec::new();
    for one in found.into_iter().filter(|one| one.here) {
        let section = |direction| Section {
            range: one.range.clone(),
            direction: Some(direction),
            transaction: Some(one.transaction),
        };
        sections.push((section(Direction::Up), up.clone()));
        if one.says_down {
            sections.push((section(Direction::Down), down.clone()));
        }
    }
    Some(sections)
}

/// `author:id@file`. Liquibase tells changesets apart by the file's whole path too, below a root that only its command
/// line knows; `logicalFilePath` stands in its place.
fn key(migration: &Migration, relative: &str) -> Option<String> {
    let section = migration.source.get(migration.range.clone())?;
    let line = section.lines().find(|line| changeset(line).is_some())?;
    let names = changeset(line)?.trim();
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
