//! Suppression: comments in migrations that say a finding is known and why.
//!
//! `-- rollsafe: ignore drop_column, drop_table -- reason` before a statement or on one of its lines;
//! `-- rollsafe: ignore-file drop_column -- reason` anywhere in the file, for the whole of it.

use rustc_hash::FxHashMap;

use super::custom::CustomRule;
use super::rules::{self, Said};
use super::squawk;
use crate::finding::Category;
use crate::names::nearest;
use crate::source::Span;

/// One suppression comment.
#[derive(Clone, Debug)]
pub struct Suppression {
    /// The comment.
    pub span: Span,
    /// Codes and categories, dashes made underscores, each with its place.
    pub codes: Vec<(String, Span)>,
    /// The reason given.
    pub reason: Option<String>,
    /// The part of the file that it covers; `None`: nothing follows it.
    pub covers: Option<Span>,
    /// The whole file.
    pub file: bool,
    /// Something after `rollsafe:` that isn't a suppression.
    pub malformed: Option<String>,
    /// A comment for squawk: it may be about what is no finding here, and is never called unused.
    pub foreign: bool,
}

/// Reads the suppressions among `comments`; `statements` are the statements' spans, in order.
pub fn suppressions(
    text: &str,
    comments: &[Span],
    statements: &[Span],
    range: std::ops::Range<usize>,
    squawk_comments: bool,
) -> Vec<Suppression> {
    comments
        .iter()
        .filter_map(|&comment| {
            read(text, comment, statements, &range)
                .or_else(|| squawk_comments.then(|| read_squawk(text, comment, statements, &range)).flatten())
        })
        .collect()
}

/// `-- squawk-ignore a, b`, `-- squawk-ignore-file`.
fn read_squawk(
    text: &str,
    comment: Span,
    statements: &[Span],
    range: &std::ops::Range<usize>,
) -> Option<Suppression> {
    let body = comment.of(text).trim_start_matches(['-', '/', '*', ' ', '\t']).trim_end_matches("*/").trim();
    let rest = body.strip_prefix("squawk-ignore")?;
    let (file, list) = match rest.strip_prefix("-file") {
        Some(list) => (true, list),
        None => (false, rest),
    };
    if !list.is_empty() && !list.starts_with([' ', '\t', ':']) {
        return None;
    }
    let mut suppression = Suppression {
        span: comment,
        codes: Vec::new(),
        reason: None,
        covers: if file {
            Some(Span::new(range.start, range.end))
        } else {
            covered(text, comment, statements)
        },
        file,
        malformed: None,
        foreign: true,
    };
    // What follows the names is for people.
    let list = list.trim_start_matches(':').split(" -- ").next().unwrap_or("");
    let names: Vec<&str> = list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        suppression.codes.push(("all".to_owned(), comment));
    }
    for name in names {
        match squawk::codes(name) {
            Some(codes) => suppression.codes.extend(codes.iter().map(|code| ((*code).to_owned(), comment))),
            None => {
                let near = squawk::nearest(name);
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                suppression.malformed = Some(format!("squawk has no rule `{name}` that is known here{near}"));
            }
        }
    }
    Some(suppression)
}

fn read(
    text: &str,
    comment: Span,
    statements: &[Span],
    range: &std::ops::Range<usize>,
) -> Option<Suppression> {
    let written = comment.of(text);
    // Cheap refusal: this runs over every comment of every file.
    let at = memchr::memmem::find(written.as_bytes(), b"rollsafe:")?;
    let lead = written.get(..at)?;
    if !lead.chars().all(|c| matches!(c, '-' | '/' | '*' | ' ' | '\t')) {
        return None;
    }
    let body = written.get(at + "rollsafe:".len()..)?.trim_end_matches("*/").trim();
    let base = comment.start as usize + at + "rollsafe:".len();
    let body_at = base + text.get(base..comment.end as usize)?.find(body).unwrap_or(0);
    let (directive, reason) = match split_reason(body) {
        Some((directive, reason)) => {
            (directive, Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty()))
        }
        None => (body, None),
    };
    let mut suppression = Suppression {
        span: comment,
        codes: Vec::new(),
        reason,
        covers: None,
        file: false,
        malformed: None,
        foreign: false,
    };
    let (verb, list) = directive.split_once(char::is_whitespace).unwrap_or((directive, ""));
    match verb {
        "ignore" => {}
        "ignore-file" => suppression.file = true,
        other => {
            suppression.malformed =
                Some(format!("`{other}` is no rollsafe directive: use `ignore` or `ignore-file`"));
            return Some(suppression);
        }
    }
    let list_at = body_at + (directive.len() - list.len());
    let mut at = list_at;
    for part in list.split([',', ' ', '\t']) {
        if !part.is_empty() {
            suppression.codes.push((crate::names::code(part), Span::new(at, at + part.len())));
        }
        at += part.len() + 1;
    }
    if suppression.codes.is_empty() {
        suppression.malformed = Some("names no code: write `-- rollsafe: ignore CODE -- reason`".to_owned());
    }
    suppression.covers = if suppression.file {
        Some(Span::new(range.start, range.end))
    } else {
        covered(text, comment, statements)
    };
    Some(suppression)
}

/// The reason stands behind ` -- `.
fn split_reason(body: &str) -> Option<(&str, &str)> {
    let at = body.find(" -- ").or_else(|| body.strip_suffix(" --").map(str::len))?;
    Some((body.get(..at)?.trim(), body.get(at + 3..)?))
}

/// The statement on whose lines the comment stands, else the one that follows it.
fn covered(text: &str, comment: Span, statements: &[Span]) -> Option<Span> {
    let bytes = text.as_bytes();
    // Statements are in order: the last one that begins before the comment is the only candidate.
    let next = statements.partition_point(|statement| statement.start < comment.start);
    if let Some(before) = next.checked_sub(1).and_then(|at| statements.get(at))
        && let Some(between) = bytes.get(before.end.min(comment.start) as usize..comment.start as usize)
        && memchr::memrchr(b'\n', between).is_none()
    {
        return Some(*before);
    }
    statements.get(next).copied()
}

/// The suppressions of a file while its findings are looked through: which of them hold something back.
pub(super) struct Suppressing<'a> {
    suppressions: &'a [Suppression],
    /// For each suppression, whether each of its codes was of use.
    used: Vec<Vec<bool>>,
    /// Those of one name that cover the same: a file may have thousands of suppressions, and of findings.
    groups: FxHashMap<Span, FxHashMap<&'a str, Group>>,
    /// The file, where it is covered.
    whole: Option<Span>,
    /// Statements that are covered, in order.
    statements: Vec<Span>,
}

/// Suppressions that hold back the same.
struct Group {
    /// The first of them.
    first: usize,
    /// All of them, and which of their codes, until they are marked as used.
    unmarked: Vec<(usize, usize)>,
}

impl<'a> Suppressing<'a> {
    pub fn new(suppressions: &'a [Suppression]) -> Self {
        let used = suppressions.iter().map(|suppression| vec![false; suppression.codes.len()]).collect();
        let mut groups: FxHashMap<Span, FxHashMap<&str, Group>> = FxHashMap::default();
        let (mut whole, mut statements) = (None, Vec::new());
        for (place, suppression) in suppressions.iter().enumerate() {
            let Some(covered) = suppression.covers else { continue };
            if suppression.file {
                whole = Some(covered);
            } else {
                statements.push(covered);
            }
            for (at, (name, _)) in suppression.codes.iter().enumerate() {
                let new = || Group { first: place, unmarked: Vec::new() };
                let of_name = groups.entry(covered).or_default().entry(name);
                of_name.or_insert_with(new).unmarked.push((place, at));
            }
        }
        statements.sort_unstable();
        statements.dedup();
        Suppressing { suppressions, used, groups, whole, statements }
    }

    /// The suppression that holds a finding back; all that do are marked as used.
    pub fn holds(&mut self, code: &str, category: Option<Category>, span: Span) -> Option<&'a Suppression> {
        // Statements don't overlap.
        let after = self.statements.partition_point(|covered| covered.start <= span.start);
        let statement = after.checked_sub(1).and_then(|at| self.statements.get(at)).copied();
        let covers =
            |covered: &Span| covered.start <= span.start && span.start < covered.end.max(covered.start + 1);
        let mut held: Option<usize> = None;
        for covered in [self.whole, statement].into_iter().flatten().filter(covers) {
            let Some(groups) = self.groups.get_mut(&covered) else { continue };
            for name in [Some(code), Some("all"), category.map(Category::as_str)].into_iter().flatten() {
                let Some(group) = groups.get_mut(name) else { continue };
                for (place, at) in group.unmarked.drain(..) {
                    self.used[place][at] = true; // places are those of `used`
                }
                held = Some(held.map_or(group.first, |held| held.min(group.first)));
            }
        }
        self.suppressions.get(held?)
    }

    /// What there is to say of the suppressions themselves, once all findings have been looked through.
    pub fn findings(&self, custom: &[CustomRule]) -> Vec<(&'static str, Said)> {
        let mut found = Vec::new();
        let mut say = |code: &'static str, span: Span, message: String, help: Option<String>| {
            found
                .push((code, Said { span, migration: None, message, help: help.map(Into::into), fix: None }));
        };
        for (suppression, used) in self.suppressions.iter().zip(&self.used) {
            if let Some(problem) = &suppression.malformed {
                say(
                    "suppression_unused",
                    suppression.span,
                    format!("this suppression does nothing: {problem}"),
                    None,
                );
                continue;
            }
            if suppression.foreign {
                continue;
            }
            for ((code, span), used) in suppression.codes.iter().zip(used) {
                if *used {
                    continue;
                }
                let own = custom.iter().any(|custom| custom.definition.code == *code);
                if own || rules::rule(code).is_some() || code.parse::<Category>().is_ok() || code == "all" {
                    say(
                        "suppression_unused",
                        *span,
                        format!("nothing here gives `{code}`, so this suppression does nothing"),
                        Some(
                            "Remove it, or move it onto the line of the statement that it is meant for."
                                .to_owned(),
                        ),
                    );
                } else {
                    let near = nearest(code, rules::RULES.iter().map(|rule| rule.code));
                    let message = match near {
                        Some(near) => format!("there is no code `{code}`; did you mean `{near}`?"),
                        None => format!("there is no code `{code}`; `rollsafe rules` lists them"),
                    };
                    say("suppression_unused", *span, message, None);
                }
            }
            if suppression.reason.is_none() {
                say(
                    "suppression_without_reason",
                    suppression.span,
                    "this suppression gives no reason, so nobody can tell later whether it still holds"
                        .to_owned(),
                    Some("-- rollsafe: ignore CODE -- why it is fine here".to_owned()),
                );
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, statements: &[(usize, usize)]) -> Vec<Suppression> {
        let start = text.find("--").unwrap();
        let end = text[start..].find('\n').map_or(text.len(), |n| start + n);
        let spans: Vec<Span> = statements.iter().map(|&(a, b)| Span::new(a, b)).collect();
        suppressions(text, &[Span::new(start, end)], &spans, 0..text.len(), true)
    }

    #[test]
    fn before_a_statement_and_behind_it() {
        let before =
            of("-- rollsafe: ignore drop-column, drop_table -- old code is gone\nDROP TABLE t;", &[(64, 76)]);
        assert_eq!(
            before[0].codes.iter().map(|c| c.0.as_str()).collect::<Vec<_>>(),
            ["drop_column", "drop_table"]
        );
        assert_eq!(before[0].reason.as_deref(), Some("old code is gone"));
        assert_eq!(before[0].covers, Some(Span::new(64, 76)));
        let behind = of("DROP TABLE t; -- rollsafe: ignore drop_table\nDROP TABLE u;", &[(0, 12), (45, 57)]);
        assert_eq!(behind[0].covers, Some(Span::new(0, 12)));
        assert_eq!(behind[0].reason, None);
    }

    #[test]
    fn comments_for_squawk() {
        let one = of("-- squawk-ignore ban-drop-column, changing-column-type\nALTER TABLE t;", &[(55, 69)]);
        let codes: Vec<&str> = one[0].codes.iter().map(|code| code.0.as_str()).collect();
        assert!(codes.contains(&"drop_column") && codes.contains(&"column_type_rewrites"), "{codes:?}");
        assert_eq!(one[0].covers, Some(Span::new(55, 69)));
        let all = of("-- squawk-ignore-file\nSELECT 1;", &[(22, 30)]);
        assert!(all[0].file && all[0].codes[0].0 == "all");
        let wrong = of("-- squawk-ignore ban-drop-colum\nSELECT 1;", &[(32, 40)]);
        assert!(wrong[0].malformed.as_ref().unwrap().contains("did you mean `ban-drop-column`?"));
        assert!(of("-- squawk-ignored\nSELECT 1;", &[]).is_empty());
    }

    #[test]
    fn other_comments_are_left_alone() {
        assert!(of("-- see rollsafe: ignore drop_table\nDROP TABLE t;", &[]).is_empty());
        assert!(of("-- rollsafe: ignor drop_table\n", &[])[0].malformed.is_some());
    }
}
