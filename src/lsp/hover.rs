//! Hovers: what the statement under the cursor does, what is said of it and why, and what a name stands for.

use serde_json::{Value, json};

use super::text::Encoding;
use super::{Document, Judged};
use crate::finding::Finding;
use crate::migration::catalog::{Catalog, QName, Relation};
use crate::migration::desk::Judgement;
use crate::migration::lint::StatementReport;
use crate::migration::rules;
use crate::migration::rules::written::type_text;

/// The most columns of a relation that are listed.
const MOST_COLUMNS: usize = 30;

/// The hover at `offset`; `None`: nothing is known of the place.
pub fn hover(document: &Document, offset: usize, encoding: Encoding) -> Option<Value> {
    let Judged::Done(judgement) = &document.judged else { return None };
    let covers = |start: u32, end: u32| start as usize <= offset && offset <= end as usize;
    let statement = judgement
        .report
        .files
        .iter()
        .flat_map(|file| &file.statements)
        .find(|statement| covers(statement.location.start, statement.location.end));
    let findings: Vec<&Finding> = judgement
        .report
        .findings
        .iter()
        .filter(|finding| finding.span.is_some_and(|span| covers(span.start, span.end)))
        .collect();
    if statement.is_none() && findings.is_empty() {
        return None;
    }
    let mut parts: Vec<String> = Vec::new();
    if let Some(statement) = statement {
        parts.extend(named(document.text.as_str(), offset, statement, judgement));
        parts.push(effects(statement));
    }
    parts.extend(findings.iter().map(|finding| explanation(finding)));
    let range = statement.map(|statement| {
        document.text.range(statement.location.start as usize, statement.location.end as usize, encoding)
    });
    let mut hover = json!({"contents": {"kind": "markdown", "value": parts.join("\n\n---\n\n")}});
    if let (Some(range), Some(object)) = (range, hover.as_object_mut()) {
        object.insert("range".to_owned(), json!(range));
    }
    Some(hover)
}

/// What a statement locks, reads, writes anew and destroys.
fn effects(statement: &StatementReport) -> String {
    let place = match statement.in_transaction {
        Some(true) => "in a transaction",
        Some(false) => "outside a transaction",
        None => "in a transaction or not, as the migration tool has it (it isn't known)",
    };
    let mut text = format!("**{}** · {place}", statement.kind);
    if !statement.understood {
        text.push_str("\n\nThis statement could not be read, so nothing is known of what it does.");
        return text;
    }
    let effects = &statement.effects;
    let locks = effects.strongest_locks();
    if locks.is_empty() {
        text.push_str("\n\nTakes no lock on a relation that is there.");
    } else {
        text.push_str("\n\n| relation | lock | blocks |\n| --- | --- | --- |");
        for (relation, mode) in locks {
            text.push_str(&format!("\n| `{relation}` | {mode} | {} |", mode.blocks()));
        }
    }
    let mut lines: Vec<String> = Vec::new();
    let mut add = |line: String| {
        if !lines.contains(&line) {
            lines.push(line);
        }
    };
    for rewrite in &effects.rewrites {
        add(format!("writes all of `{}` anew", rewrite.relation));
    }
    for scan in &effects.scans {
        if !effects.rewrites.iter().any(|rewrite| rewrite.relation == scan.relation) {
            add(format!("reads all of `{}` under {}", scan.relation, scan.under));
        }
    }
    for build in &effects.index_builds {
        let how = if build.concurrently { " concurrently" } else { "" };
        add(format!("builds an index on `{}`{how}", build.relation));
    }
    for destroyed in &effects.destroys {
        add(format!("destroys the {} `{}`", destroyed.what.as_str(), destroyed.name));
    }
    if !effects.reversible {
        add("can't be undone without a backup".to_owned());
    }
    for line in lines {
        text.push_str(&format!("\n- {line}"));
    }
    text.replacen("|\n- ", "|\n\n- ", 1)
}

/// A finding with what to do, and why from its page.
fn explanation(finding: &Finding) -> String {
    let mut text = format!("**{}** ({})\n\n{}", finding.code, finding.severity, finding.message);
    if let Some(help) = &finding.help {
        text.push_str(&format!("\n\n```sql\n{help}\n```"));
    }
    let why = rules::rule(&finding.code).and_then(|rule| {
        let (_, rest) = rule.page.split_once("\n## Why\n")?;
        Some(rest.split("\n## ").next().unwrap_or(rest).trim())
    });
    if let Some(why) = why {
        text.push_str(&format!("\n\n{why}"));
    }
    text.push_str(&format!("\n\n`rollsafe explain {}` tells more.", finding.code));
    text
}

/// What the name under the cursor stands for: a relation with its columns, or a column with its type.
fn named(text: &str, offset: usize, statement: &StatementReport, judgement: &Judgement) -> Option<String> {
    let word = word(text, offset)?;
    let relations: Vec<QName> = statement.effects.locks.iter().map(|lock| lock.relation.clone()).collect();
    let catalogs: [&Catalog; 2] = [&judgement.before, &judgement.after];
    let relation = catalogs.iter().find_map(|catalog| {
        let known = relations.iter().find(|name| name.name == *word).and_then(|name| catalog.relation(name));
        known.or_else(|| catalog.relation(&QName::new("public", &word)))
    });
    if let Some(relation) = relation {
        return Some(columns(relation));
    }
    catalogs.iter().find_map(|catalog| {
        relations.iter().find_map(|name| {
            let relation = catalog.relation(name)?;
            let column = relation.column(&word)?;
            Some(format!("`{}.{}` {}", relation.name, column.name, column_text(column)))
        })
    })
}

fn columns(relation: &Relation) -> String {
    let mut text = format!("{} `{}`", relation.kind.noun(), relation.name);
    for column in relation.columns.iter().take(MOST_COLUMNS) {
        text.push_str(&format!("\n- `{}` {}", column.name, column_text(column)));
    }
    if relation.columns.len() > MOST_COLUMNS {
        text.push_str(&format!("\n- and {} more", relation.columns.len() - MOST_COLUMNS));
    }
    text
}

fn column_text(column: &crate::migration::catalog::Column) -> String {
    let mut text = type_text(&column.type_name);
    if column.not_null {
        text.push_str(" NOT NULL");
    }
    if let Some(default) = &column.default {
        text.push_str(&format!(" DEFAULT {}", default.text));
    }
    text
}

/// The word at `offset`, folded as PostgreSQL folds it.
fn word(text: &str, offset: usize) -> Option<String> {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let before = text.get(..offset)?;
    let start = before.char_indices().rev().take_while(|(_, c)| part(*c)).last().map_or(offset, |(at, _)| at);
    let rest = text.get(start..)?;
    let end = rest.find(|c: char| !part(c)).unwrap_or(rest.len());
    let word = rest.get(..end).filter(|word| !word.is_empty())?;
    let quoted = text.get(..start).is_some_and(|before| before.ends_with('"'));
    Some(if quoted { word.to_owned() } else { word.to_lowercase() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_from_any_of_their_letters() {
        let text = "ALTER TABLE Users ADD \"Größe\" int";
        assert_eq!(word(text, 14).as_deref(), Some("users"));
        assert_eq!(word(text, 17).as_deref(), Some("users"));
        assert_eq!(word(text, text.find("öße").unwrap()).as_deref(), Some("Größe"));
        assert_eq!(word("a  b", 2), None);
    }
}
