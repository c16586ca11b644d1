//! The runbook: the procedure of a release and of its way back, as a document to work through. Filled from what the
//! gate gathered; what isn't known is a blank to fill in, never invented.

pub mod commands;
mod facts;
mod japanese;
pub mod shell;

use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde::{Deserialize, Serialize};

use crate::gate::GateReport;
use crate::gate::clock::{Instant, Zone};

/// `[runbook]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RunbookConfig {
    /// `en` or `ja`.
    pub lang: Option<Language>,
    /// The folder with runbook.en.md or runbook.ja.md in place of the one that comes along.
    pub template: Option<PathBuf>,
}

/// The languages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English
    #[default]
    En,
    /// 日本語
    Ja,
}

impl Language {
    /// The template that comes along.
    pub fn template(self) -> &'static str {
        match self {
            Language::En => include_str!("templates/runbook.en.md"),
            Language::Ja => include_str!("templates/runbook.ja.md"),
        }
    }

    /// The template's file name.
    pub fn file_name(self) -> &'static str {
        match self {
            Language::En => "runbook.en.md",
            Language::Ja => "runbook.ja.md",
        }
    }
}

/// How to write it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// In which language.
    pub language: Language,
    /// A folder with a template of one's own.
    pub template: Option<PathBuf>,
    /// When the release begins.
    pub start: Option<Instant>,
    /// The zone in which times are written.
    pub zone: Zone,
    /// Whether the report's verdict is one that somebody asked for.
    pub judged: bool,
}

/// Why there is no runbook.
#[derive(Debug, thiserror::Error)]
pub enum RunbookError {
    /// The template can't be read.
    #[error("can't read the template {path}: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The template is wrong.
    #[error("{path}: {message}")]
    Template {
        /// Which.
        path: String,
        /// What the template engine says, with the line.
        message: String,
    },
}

/// Writes the runbook.
///
/// # Errors
/// When a template of one's own can't be read or filled.
pub fn render(report: &GateReport, options: &Options) -> Result<String, RunbookError> {
    let (name, source) = match &options.template {
        None => (options.language.file_name().to_owned(), options.language.template().to_owned()),
        Some(folder) => {
            let path = template_in(folder, options.language);
            let text = std::fs::read_to_string(&path)
                .map_err(|source| RunbookError::Unreadable { path: path.clone(), source })?;
            (path.display().to_string(), text)
        }
    };
    let wrong = |error: minijinja::Error| RunbookError::Template {
        path: name.clone(),
        message: told(&error, &source),
    };
    let mut engine = Environment::new();
    // Errors then know what of the template they are about.
    engine.set_debug(true);
    if let Ok(syntax) =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()
    {
        engine.set_syntax(syntax);
    }
    // A misspelt name in a template of one's own is an error and no empty place in a procedure.
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    engine.add_filter("cell", |text: String| crate::gate::report::cell(&text));
    engine.add_filter("line", |text: String| line(&text));
    engine.add_filter("grouped", |number: u64| crate::amount::grouped(number));
    engine.add_filter("sh", |text: String| shell::quote(&text));
    engine.add_template("runbook", &source).map_err(wrong)?;
    let facts = facts::facts(report, options);
    engine.get_template("runbook").and_then(|template| template.render(Serde(facts))).map_err(wrong)
}

/// A folder holds both languages; anything else is the template itself.
fn template_in(path: &Path, language: Language) -> PathBuf {
    if path.is_dir() { path.join(language.file_name()) } else { path.to_owned() }
}

/// What is wrong with a template, where, and about which of its expressions.
fn told(error: &minijinja::Error, source: &str) -> String {
    let line = error.line().map_or(String::new(), |line| format!("line {line}: "));
    let about = error.range().and_then(|range| source.get(range)).map(line_of_it);
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    match (error.kind(), about) {
        (ErrorKind::UndefinedError, Some(about)) => format!(
            "{line}there is no `{about}`; `rollsafe runbook --print-template` has all names that there are"
        ),
        (_, Some(about)) if !about.is_empty() => format!("{line}`{about}`: {what}"),
        _ => format!("{line}{what}"),
    }
}

/// The first line of an expression: some span whole blocks.
fn line_of_it(text: &str) -> &str {
    text.lines().next().unwrap_or("").trim()
}

/// Text inside a block of code: as it is, on one line, so that it ends neither the line nor the block.
fn line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::release::{Release, StatementFacts, Step};

    fn hostile() -> GateReport {
        let step = Step {
            path: "db/a `b` $(c)\n```\n# x|y.sql".into(),
            version: "1'; DROP".into(),
            direction: "up".into(),
            statements: vec![StatementFacts {
                kind: "ALTER TABLE".into(),
                text: "ALTER TABLE \"|`x\"".into(),
                locks: vec![("\"|`x\"".into(), "ACCESS EXCLUSIVE".into())],
                ..StatementFacts::default()
            }],
            ..Step::default()
        };
        GateReport {
            release: Release { runner: Some("psql".into()), migrations: vec![step], ..Release::default() },
            ..GateReport::default()
        }
    }

    #[test]
    fn nothing_known_still_makes_a_whole_runbook() {
        for language in [Language::En, Language::Ja] {
            let options = Options { language, ..Options::default() };
            let text = render(&GateReport::default(), &options).unwrap();
            assert!(text.contains("____"), "what isn't known is a blank");
            assert!(text.matches("```").count().is_multiple_of(2), "every block ends");
            assert!(!text.contains("None") && !text.contains("none\n"), "{text}");
        }
    }

    #[test]
    fn odd_names_break_nothing() {
        for language in [Language::En, Language::Ja] {
            let options = Options { language, ..Options::default() };
            let text = render(&hostile(), &options).unwrap();
            assert!(text.lines().all(|line| line != "# x|y.sql"), "no line of its own");
            let fences = text.lines().filter(|line| line.starts_with("```")).count();
            assert_eq!(fences % 2, 0, "every block ends");
            assert!(text.contains(r"$'db/a `b` $(c)\n```\n# x|y.sql'"), "quoted for the shell:\n{text}");
        }
    }

    #[test]
    fn both_languages_have_the_same_sections() {
        let headings = |language: Language| {
            let text = language.template();
            text.lines()
                .filter(|line| line.starts_with('#'))
                .map(|line| line.split(' ').next().unwrap_or("").len())
                .collect::<Vec<_>>()
        };
        assert_eq!(headings(Language::En), headings(Language::Ja));
    }

    #[test]
    fn a_misspelt_name_in_a_template_is_an_error_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("runbook.en.md"), "# x\n{{ relase.name }}\n").unwrap();
        let options = Options { template: Some(folder.path().to_owned()), ..Options::default() };
        let error = render(&GateReport::default(), &options).unwrap_err().to_string();
        assert!(error.contains("line 2: there is no `relase") && error.contains("runbook.en.md"), "{error}");
        for (text, expected) in [
            ("{% for one in migrations %}{{ one.pth }}{% endfor %}", "line 1: there is no `one.pth`"),
            ("a\n{{ version | nofilter }}", "line 2: "),
            ("{% if version %}", "line 1: "),
        ] {
            std::fs::write(folder.path().join("runbook.en.md"), text).unwrap();
            let error = render(&hostile(), &options).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let options = Options { template: Some("/nowhere".into()), ..Options::default() };
        let error = render(&GateReport::default(), &options).unwrap_err().to_string();
        assert!(error.contains("template /nowhere: "), "{error}");
    }
}
