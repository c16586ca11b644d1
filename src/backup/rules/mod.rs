//! Rules about backups: small policies over evidence, and the registry of them.
//!
//! A rule does no I/O and can't fail. It says what is wrong and where; code, category and severity come
//! from its page and the configuration. A new rule is a file here, its page under `rules/backup/`, and two
//! lines below.

use std::borrow::Cow;

use crate::finding::{Category, Finding, Severity};
use crate::pages;

use super::archive::{Place, ProblemKind};
use super::evidence::{Evidence, Stage};

/// A rule: its code, the stage that it judges, its page, and what it looks at.
pub struct Rule {
    /// The code: the name of the page and of the module.
    pub code: &'static str,
    /// The stage whose status it decides.
    pub stage: Stage,
    /// The page, in Markdown.
    pub page: &'static str,
    /// What it looks at.
    pub check: fn(&Evidence, &mut Sink),
}

/// The text of a rule's page, for `Rule::page`.
macro_rules! backup_page {
    ($code:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/rules/backup/", $code, ".md"))
    };
}

mod archive_not_recognised;
mod archive_truncated;
mod backup_empty;
mod backup_missing;
mod backup_shrank;
mod backup_too_old;
mod backup_too_small;
mod checksum_mismatch;
mod constraint_not_restored;
mod data_block_damaged;
mod data_block_missing;
mod data_not_included;
mod disk_space_short;
mod dump_incomplete;
mod duplicate_key;
mod encoding_invalid;
mod extension_unavailable;
mod header_damaged;
mod index_not_restored;
mod large_objects_missing;
mod orphaned_reference;
mod restore_failed;
mod restore_too_slow;
mod restored_rows_differ;
mod role_missing;
mod row_malformed;
mod rows_fewer_than_before;
mod sequence_behind_data;
mod server_newer_than_target;
mod table_empty;
mod table_missing;
mod tables_too_few;
mod toc_damaged;
mod untrusted_content;

/// All rules, in the order in which reports list them.
pub static RULES: &[&Rule] = &[
    &backup_missing::RULE,
    &backup_empty::RULE,
    &backup_too_small::RULE,
    &backup_shrank::RULE,
    &backup_too_old::RULE,
    &disk_space_short::RULE,
    &archive_not_recognised::RULE,
    &header_damaged::RULE,
    &toc_damaged::RULE,
    &tables_too_few::RULE,
    &table_missing::RULE,
    &data_not_included::RULE,
    &table_empty::RULE,
    &rows_fewer_than_before::RULE,
    &large_objects_missing::RULE,
    &server_newer_than_target::RULE,
    &extension_unavailable::RULE,
    &role_missing::RULE,
    &untrusted_content::RULE,
    &archive_truncated::RULE,
    &data_block_damaged::RULE,
    &data_block_missing::RULE,
    &row_malformed::RULE,
    &encoding_invalid::RULE,
    &dump_incomplete::RULE,
    &duplicate_key::RULE,
    &orphaned_reference::RULE,
    &checksum_mismatch::RULE,
    &restore_failed::RULE,
    &restored_rows_differ::RULE,
    &constraint_not_restored::RULE,
    &index_not_restored::RULE,
    &sequence_behind_data::RULE,
    &restore_too_slow::RULE,
];

/// What a rule found.
#[derive(Debug)]
pub struct Found {
    message: String,
    help: Option<String>,
    object: Option<String>,
    place: Place,
    severity: Option<Severity>,
}

impl Found {
    /// Something wrong, in a sentence without a full stop.
    pub fn new(message: impl Into<String>) -> Found {
        Found { message: message.into(), help: None, object: None, place: Place::default(), severity: None }
    }

    /// With what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Found {
        self.help = Some(help.into());
        self
    }

    /// About this table, constraint or other object.
    pub fn on(mut self, object: &str) -> Found {
        self.object = Some(object.to_owned());
        self
    }

    /// More or less than the page says.
    pub fn severity(mut self, severity: Severity) -> Found {
        self.severity = Some(severity);
        self
    }
}

/// Takes what a rule finds.
#[derive(Debug, Default)]
pub struct Sink {
    found: Vec<Found>,
}

impl Sink {
    /// Adds one.
    pub fn push(&mut self, found: Found) {
        self.found.push(found);
    }

    /// Adds every problem of a kind, with the same help.
    pub fn problems(&mut self, evidence: &Evidence, kind: ProblemKind, help: &str) {
        for problem in evidence.problems.iter().filter(|problem| problem.kind == kind) {
            let place = problem.place.to_string();
            let message =
                if place.is_empty() { problem.what.clone() } else { format!("{place}: {}", problem.what) };
            let mut found = Found::new(message).help(help);
            found.object = problem.place.object.clone();
            found.place = problem.place.clone();
            self.push(found);
        }
    }

    /// How many problems of a kind the evidence describes.
    pub fn told(&self, kind: ProblemKind, evidence: &Evidence) -> u64 {
        evidence.problems.iter().filter(|problem| problem.kind == kind).count() as u64
    }
}

/// Severities that the configuration sets: none for off.
pub type Severities = std::collections::BTreeMap<String, Option<Severity>>;

/// Judges the evidence: all findings, in the order of the registry, each with its stage.
pub fn judge(evidence: &Evidence, severities: &Severities) -> Vec<(Stage, Finding)> {
    let mut findings = vec![];
    for rule in RULES {
        // Every page has facts: a test reads them all.
        let default = pages::facts(rule.page).and_then(|facts| facts.severity);
        let set = severities.get(rule.code).copied();
        let Some(severity) = set.unwrap_or(default) else { continue };
        let mut sink = Sink::default();
        (rule.check)(evidence, &mut sink);
        for found in sink.found {
            let file = found.place.file.as_ref().map(|file| evidence.file.path.join(file));
            let finding = Finding {
                code: Cow::Borrowed(rule.code),
                category: Category::Backup,
                severity: if set.is_some() { severity } else { found.severity.unwrap_or(severity) },
                path: Some(
                    file.filter(|_| evidence.is_directory())
                        .unwrap_or_else(|| evidence.file.path.clone())
                        .into(),
                ),
                span: None,
                object: found.object,
                message: found.message,
                help: found.help.map(Into::into),
                fix: None,
            };
            findings.push((rule.stage, finding));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_their_parts() {
        for rule in RULES {
            assert!(rule.page.starts_with(&format!("# {}\n", rule.code)), "{}", rule.code);
            let facts = pages::facts(rule.page).unwrap_or_else(|| panic!("{} has facts", rule.code));
            assert_eq!(facts.category, Category::Backup, "{}", rule.code);
            assert!(!facts.summary.ends_with('.'), "{}", rule.code);
            for part in ["\n## Why\n", "\n## How it shows\n", "\n## What to do\n", "\n## Limits\n"] {
                assert!(rule.page.contains(part), "{} has {part:?}", rule.code);
            }
        }
    }

    #[test]
    fn every_page_has_a_rule() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/backup");
        let mut pages: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder of the pages")
            .map(|entry| {
                entry.expect("an entry").file_name().to_string_lossy().trim_end_matches(".md").to_owned()
            })
            .collect();
        pages.sort();
        let mut codes: Vec<&str> = RULES.iter().map(|rule| rule.code).collect();
        codes.sort_unstable();
        assert_eq!(pages, codes);
    }
}
