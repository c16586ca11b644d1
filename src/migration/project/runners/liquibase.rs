//! Liquibase formatted SQL: changesets in files that begin with `--liquibase formatted sql`; one transaction for
//! each changeset unless it says `runInTransaction:false`. `--rollback` lines are its way back; changesets for other
//! databases (`dbms:`) are blanked out.

use std::ops::Range;
use std::path::{Path, PathBuf};
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
    order: Order::Led(listed),
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
    /// `id::author`, as Liquibase writes it.
    name: Option<String>,
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
            let name = names(attributes).map(|(author, id, _)| format!("{id}::{author}"));
            let attributes = attributes.to_ascii_lowercase();
            found.push(Changeset {
                range: at..at,
                transaction: !attributes.contains("runintransaction:false"),
                here: is_here(&attributes),
                says_down: false,
                name,
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
            version: one.name.clone(),
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
    let (author, id, attributes) = names(changeset(line)?)?;
    let first = migration.source.lines().next().unwrap_or("");
    let logical = [attributes, first].into_iter().find_map(|text| {
        text.split_once("logicalFilePath:").and_then(|(_, path)| path.split_whitespace().next())
    });
    let path = logical.unwrap_or(relative);
    Some(format!("{author}:{id}@{}", file_name(path.trim_matches('"'))))
}

/// Author, id and attributes of what follows `--changeset`.
fn names(written: &str) -> Option<(&str, &str, &str)> {
    let (author, rest) = quoted(written.trim(), ':')?;
    let (id, attributes) = quoted(rest.trim_start(), ' ').unwrap_or((rest.trim(), ""));
    Some((author, id, attributes))
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

/// How deep changelogs may include each other.
const DEEPEST: usize = 8;

/// The SQL files below a folder in the order of the changelog that includes them, which is looked for in the folder and
/// above it; empty where there is none.
fn listed(folder: &Path) -> Vec<String> {
    let root = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    for above in root.ancestors().take(DEEPEST) {
        let Ok(entries) = std::fs::read_dir(above) else { continue };
        let mut masters: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
                is_changelog(path) && (name.contains("changelog") || name.contains("master"))
            })
            .collect();
        // One that is called master before one that is called root or nothing.
        masters.sort_by_key(|path| {
            (!path.to_string_lossy().to_ascii_lowercase().contains("master"), path.clone())
        });
        for master in masters {
            let mut found = Vec::new();
            included(&master, DEEPEST, &mut found);
            let relative = |path: &PathBuf| {
                let inside = path.strip_prefix(&root).ok()?;
                Some(inside.to_string_lossy().replace('\\', "/"))
            };
            let names: Vec<String> = found.iter().filter_map(relative).collect();
            if !names.is_empty() {
                return names;
            }
        }
        if above.join(".git").exists() {
            break;
        }
    }
    Vec::new()
}

fn is_changelog(path: &Path) -> bool {
    let ends = |end: &&str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(end));
    ["yaml", "yml", "xml", "json"].iter().any(ends)
}

/// Adds the SQL files that a changelog includes, in order.
fn included(changelog: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(text) = std::fs::read_to_string(changelog) else { return };
    for (all, written) in includes(&text) {
        let Some(path) = resolved(changelog, &written) else { continue };
        let mut files = vec![path.clone()];
        if all {
            files = walkdir::WalkDir::new(&path)
                .into_iter()
                .flatten()
                .map(walkdir::DirEntry::into_path)
                .filter(|path| path.is_file())
                .collect();
            files.sort();
        }
        for file in files {
            if is_changelog(&file) {
                if depth > 0 && file != changelog {
                    included(&file, depth - 1, found);
                }
            } else if !found.contains(&file) {
                found.push(file);
            }
        }
    }
}

/// Paths are relative to the changelog, or to a place that only the command line knows: one of the folders above.
fn resolved(changelog: &Path, written: &str) -> Option<PathBuf> {
    let bare =
        written.trim_start_matches("classpath:").trim_start_matches(['/', '.']).trim_start_matches('/');
    changelog
        .ancestors()
        .skip(1)
        .flat_map(|above| [above.join(written), above.join(bare)])
        .find(|path| path.exists())
}

/// What a changelog includes, in order: whether a whole folder, and its path. XML, YAML and JSON alike write `include` or
/// `includeAll`, and then `file` or `path`.
fn includes(text: &str) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("include") {
        let rest = &text[at + "include".len()..]; // behind a match
        let (all, rest) = match rest.strip_prefix("All") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        if !rest.starts_with(|c: char| c.is_whitespace() || matches!(c, ':' | '"' | '\'')) {
            continue; // `includeObjects` and the like
        }
        // Up to what comes next.
        let end = [rest.find("/>"), rest.find("include"), rest.find("changeSet")].into_iter().flatten().min();
        let own = &rest[..end.unwrap_or(rest.len())]; // a position in it
        let key = if all { "path" } else { "file" };
        let value = own.match_indices(key).find_map(|(at, _)| {
            let after = own[at + key.len()..].trim_start_matches(['"', '\'']).trim_start();
            let value = after.strip_prefix([':', '='])?.trim_start();
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
            let value = match quote {
                Some(quote) => value[1..].split(quote).next()?, // behind the quote
                None => value.split(['\n', '\r', ',', '}']).next()?.trim(),
            };
            (!value.is_empty()).then(|| value.to_owned())
        });
        found.extend(value.map(|value| (all, value)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::includes;

    #[test]
    fn includes_are_read_in_all_forms() {
        let of = |text: &str| {
            includes(text).into_iter().map(|(all, path)| format!("{all} {path}")).collect::<Vec<_>>()
        };
        let yaml = "databaseChangeLog:\n  - include:\n      relativeToChangelogFile: true\n      file: sql/b.sql\n  - include: { file: 'sql/a.sql' }\n  - includeAll:\n      path: more/\n";
        assert_eq!(of(yaml), ["false sql/b.sql", "false sql/a.sql", "true more/"]);
        let xml = "<include relativeToChangelogFile=\"true\" file=\"b.sql\"/>\n<includeAll path=\"more\" />";
        assert_eq!(of(xml), ["false b.sql", "true more"]);
        let json = "{\"databaseChangeLog\": [{\"include\": {\"file\": \"b.sql\"}}, {\"includeAll\": {\"path\": \"more\"}}]}";
        assert_eq!(of(json), ["false b.sql", "true more"]);
    }
}
