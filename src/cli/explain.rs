//! `rollsafe explain` and `rollsafe rules`: the pages, carried in the binary.

use std::borrow::Cow;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::Outcome;
use crate::finding::{Category, Severity};
use crate::migration::custom::{CustomRule, Definition};
use crate::migration::rules::RULES;
use crate::names::nearest;
use crate::pages::{self, Facts};
use crate::report::terminal::Style;
use crate::report::{Document, json};

/// Tell what a finding means, why it matters, and how to do it safely
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The code: drop_column, or drop-column
    code: String,
}

/// List all codes with their severity
#[derive(Debug, Args)]
pub struct RulesArgs {
    /// Only this category
    category: Option<String>,
    /// How to list
    #[arg(long, value_enum, default_value_t = ListFormat::Terminal)]
    format: ListFormat,
}

/// `--format` of lists
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people.
    Terminal,
    /// For machines.
    Json,
}

/// All pages, in the order of lists, the project's own rules included: code, page, facts.
fn all_pages(custom: &[CustomRule]) -> Vec<(&str, Cow<'_, str>, Facts<'_>)> {
    let migration = RULES.iter().map(|rule| (rule.code, rule.page));
    let backup = crate::backup::rules::RULES.iter().map(|rule| (rule.code, rule.page));
    let rehearsal = crate::rehearsal::rules::RULES.iter().map(|rule| (rule.code, rule.page));
    migration
        .chain(backup)
        .chain(rehearsal)
        .filter_map(|(code, page)| Some((code, Cow::Borrowed(page), pages::facts(page)?)))
        .chain(custom.iter().map(|custom| {
            let own = &*custom.definition;
            let facts = Facts {
                summary: own.message.lines().next().unwrap_or(""),
                category: own.category,
                severity: Some(own.severity),
                since: "",
            };
            (own.code.as_str(), own_page(own).into(), facts)
        }))
        .collect()
}

/// The document of one of the linter's codes, the project's own included.
pub fn document<'a>(code: &str, custom: &'a [CustomRule]) -> Option<Document<'a>> {
    if let Some(rule) = RULES.iter().find(|rule| rule.code == code) {
        let facts = pages::facts(rule.page)?;
        return Some(Document {
            code: rule.code,
            summary: facts.summary,
            category: facts.category,
            severity: facts.severity,
            since: facts.since,
            prose: pages::prose(rule.page).into(),
        });
    }
    let own = &custom.iter().find(|custom| custom.definition.code == code)?.definition;
    Some(Document {
        code: &own.code,
        summary: &own.message,
        category: own.category,
        severity: Some(own.severity),
        since: "",
        prose: own_page(own).into(),
    })
}

/// What can be told of a project's own rule.
fn own_page(own: &Definition) -> String {
    let mut page = format!("# {}\n\n## Why\n{}\n", own.code, own.message);
    if let Some(help) = &own.help {
        page.push_str(&format!("\n## What to do\n{help}\n"));
    }
    page.push_str(&format!("\n## When it is found\n```cel\n{}\n```\n", own.when.trim()));
    page
}

/// `rollsafe explain CODE`
pub fn explain(arguments: &ExplainArgs, custom: &[CustomRule], _style: Style) -> Outcome {
    let code = crate::names::code(&arguments.code);
    match all_pages(custom).into_iter().find(|(known, ..)| *known == code) {
        Some((_, page, facts)) => {
            let severity = facts.severity.map_or("off by default", Severity::as_str);
            let prose = pages::prose(&page);
            let (heading, rest) = prose.split_once('\n').unwrap_or((&prose, ""));
            Outcome::ok(format!(
                "{heading}\n\n{} ({}, {severity}; {})\n{rest}",
                facts.summary,
                facts.category,
                if facts.since.is_empty() {
                    "of this project".to_owned()
                } else {
                    format!("since {}", facts.since)
                }
            ))
        }
        None => Outcome::failed(match nearest_page(&code, custom) {
            Some(near) => format!("there is no code `{}`; did you mean `{near}`?", arguments.code),
            None => format!("there is no code `{}`; `rollsafe rules` lists them", arguments.code),
        }),
    }
}

/// Whether there is a page of this code.
pub(super) fn exists(code: &str) -> bool {
    all_pages(&[]).iter().any(|(known, ..)| *known == code)
}

/// The code most like `word`, among all pages.
fn nearest_page<'a>(word: &str, custom: &'a [CustomRule]) -> Option<&'a str> {
    nearest(word, all_pages(custom).into_iter().map(|(code, ..)| code))
}

/// `rollsafe rules`
pub fn rules(arguments: &RulesArgs, custom: &[CustomRule], _style: Style) -> Outcome {
    let category: Option<Category> = match arguments.category.as_deref().map(str::parse).transpose() {
        Ok(category) => category,
        Err(error) => {
            let known: Vec<&str> = Category::ALL.iter().map(|category| category.as_str()).collect();
            return Outcome::failed(format!("{error}: use {}", known.join(", ")));
        }
    };
    let mut pages = all_pages(custom);
    pages.retain(|(_, _, facts)| category.is_none_or(|category| facts.category == category));
    pages.sort_by_key(|(_, _, facts)| facts.category);
    match arguments.format {
        ListFormat::Json => {
            let list: Vec<_> = pages
                .iter()
                .map(|(code, _, facts)| {
                    json!({
                        "code": code,
                        "category": facts.category,
                        "severity": facts.severity.map_or("off", Severity::as_str),
                        "summary": facts.summary,
                        "since": Some(facts.since).filter(|since| !since.is_empty()),
                    })
                })
                .collect();
            Outcome::ok(json::pretty(&json!({"schema_version": json::SCHEMA_VERSION, "rules": list})))
        }
        ListFormat::Terminal => {
            let mut text = String::new();
            let width = pages.iter().map(|(code, ..)| code.len()).max().unwrap_or(0);
            let mut last = None;
            for (code, _, facts) in &pages {
                if last != Some(facts.category) {
                    let gap = if last.is_some() { "\n" } else { "" };
                    text.push_str(&format!("{gap}{}: {}\n", facts.category, facts.category.about()));
                    last = Some(facts.category);
                }
                let severity = facts.severity.map_or("off", Severity::as_str);
                text.push_str(&format!("  {code:<width$}  {severity:<8}  {}\n", facts.summary));
            }
            Outcome::ok(text)
        }
    }
}
