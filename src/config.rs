//! Configuration: `rollsafe.toml`, found upward from the working directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cli::lint::FailOn;
use crate::finding::{Category, Severity};
use crate::migration::custom::{self, CustomRule, Definition};
use crate::names::nearest;

/// The file's name.
pub const FILE: &str = "rollsafe.toml";

/// What `rollsafe.toml` may hold. Every setting has a flag that wins over it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Config {
    /// The PostgreSQL major version that migrations run on.
    pub postgres_version: Option<u16>,
    /// Where migrations are and how they run.
    pub project: ProjectConfig,
    /// The linter.
    pub lint: LintConfig,
    /// `verify-backup`.
    pub backup: BackupConfig,
    /// Rules of the project's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub custom_rules: Vec<CustomRuleConfig>,
    /// `rehearse`.
    pub rehearsal: crate::cli::rehearse::RehearsalConfig,
    /// `gate`.
    pub gate: crate::gate::limits::GateConfig,
    /// `runbook`.
    pub runbook: crate::runbook::RunbookConfig,
}

/// `[project]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ProjectConfig {
    /// Files, folders and globs to lint when none is given.
    pub migrations: Vec<PathBuf>,
    /// The tool that runs the migrations, when it isn't recognised.
    pub runner: Option<String>,
    /// Each migration runs in a transaction (true) or statement by statement (false).
    pub assume_in_transaction: Option<bool>,
    /// The schema before the first migration: a file of `pg_dump --schema-only`, or Rails' structure.sql.
    pub schema: Option<PathBuf>,
    /// The database that the migrations are for: a file of `rollsafe snapshot`.
    pub snapshot: Option<PathBuf>,
}

/// `[lint]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LintConfig {
    /// The lowest severity that makes the exit code 1: error, warning, notice, never.
    pub fail_on: Option<String>,
    /// Codes or categories to switch on beyond the defaults; `all` for everything.
    pub select: Vec<String>,
    /// Codes or categories to switch off.
    pub ignore: Vec<String>,
    /// A longer lock_timeout counts as none: "60s".
    pub longest_lock_timeout: Option<String>,
    /// Relations known to have fewer rows, and fewer bytes than `small-bytes`, don't count as large.
    pub small_rows: Option<u64>,
    /// Bytes of a relation with its toast: "10MB".
    pub small_bytes: Option<String>,
    /// What becomes of findings that only small relations give: quiet (counted, not told) or lower (a severity lower).
    pub small_relations: Option<String>,
    /// Bytes that the server writes or reads in a second, for estimates: "100MB".
    pub throughput: Option<String>,
    /// Code or category = error, warning, notice or off.
    pub rules: BTreeMap<String, String>,
    /// Other severities for some paths.
    pub overrides: Vec<Override>,
    /// Patterns of migrations that are never judged; they count as history.
    pub exclude: Vec<String>,
    /// The baseline: findings that are known.
    pub baseline: Option<PathBuf>,
    /// Heed the suppression comments of squawk too.
    pub squawk_comments: Option<bool>,
}

/// `[[lint.overrides]]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Override {
    /// Patterns, relative to the configuration file.
    pub paths: Vec<String>,
    /// Patterns of files that are left out of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Code or category = error, warning, notice or off.
    pub rules: BTreeMap<String, String>,
}

/// `[[custom-rules]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CustomRuleConfig {
    /// The code, as in reports and suppressions.
    pub code: toml::Spanned<String>,
    /// error, warning (unless said otherwise) or notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The category; `convention` unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// What is wrong and why.
    pub message: String,
    /// What to do instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The condition, in CEL.
    pub when: toml::Spanned<String>,
}

impl CustomRuleConfig {
    fn definition(&self) -> Definition {
        Definition {
            code: self.code.get_ref().clone(),
            severity: self.severity.unwrap_or(Severity::Warning),
            category: self.category.unwrap_or(Category::Convention),
            message: self.message.clone(),
            help: self.help.clone(),
            when: self.when.get_ref().clone(),
        }
    }
}

impl Config {
    /// The project's own rules, ready to be asked.
    ///
    /// # Errors
    /// The first that can't be, as [`parse`] tells it; none where the configuration came from there.
    pub fn custom_rules(&self) -> Result<Vec<CustomRule>, String> {
        self.custom_rules
            .iter()
            .map(|rule| {
                custom::compile(rule.definition())
                    .map_err(|problem| format!("custom-rules: {}: {}", rule.code.get_ref(), problem.message))
            })
            .collect()
    }

    /// As [`code_or_category`], the codes of the project's own rules included.
    ///
    /// # Errors
    /// When there is no such code or category.
    pub fn code_or_category(&self, word: &str) -> Result<String, String> {
        let name = crate::names::code(word);
        match self.custom_rules.iter().any(|rule| *rule.code.get_ref() == name) {
            true => Ok(name),
            false => code_or_category(word),
        }
    }
}

/// Checks the project's own rules; what is wrong is told with its line.
fn check_custom_rules(text: &str, rules: &[CustomRuleConfig]) -> Result<(), String> {
    let line_of = |at: usize| text.get(..at).map_or(0, |before| before.matches('\n').count()) + 1;
    let mut known = BTreeSet::new();
    for rule in rules {
        let code = rule.code.get_ref();
        custom::check_code(code, &known).map_err(|message| {
            format!("line {}: custom-rules: {message}", line_of(rule.code.span().start))
        })?;
        known.insert(code.clone());
        if rule.message.trim().is_empty() {
            return Err(format!(
                "line {}: custom-rules: {code} has no message",
                line_of(rule.code.span().start)
            ));
        }
        custom::compile(rule.definition()).map_err(|problem| {
            let line = line_of(rule.when.span().start);
            let mut message = format!("line {line}: custom-rules: `when` of {code}: {}", problem.message);
            let when = rule.when.get_ref();
            if let Some(at) = problem.at.filter(|at| when.is_char_boundary(*at)) {
                let start = when[..at].rfind('\n').map_or(0, |newline| newline + 1); // a boundary
                let shown = when[start..].lines().next().unwrap_or("");
                let gap = " ".repeat(when[start..at].chars().count());
                message.push_str(&format!("\n  {shown}\n  {gap}^"));
            }
            message
        })?;
    }
    Ok(())
}

/// `[backup]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct BackupConfig {
    /// The least size: "1MB".
    pub min_size: Option<String>,
    /// The least number of tables with data.
    pub min_tables: Option<usize>,
    /// The greatest age: "24h".
    pub max_age: Option<String>,
    /// Tables that must be there.
    pub tables: Vec<String>,
    /// Tables that must hold rows.
    pub must_not_be_empty: Vec<String>,
    /// Tables whose rows are left out on purpose.
    pub without_data: Vec<String>,
    /// Free disk space as a multiple of the backup's size.
    pub free_space_factor: Option<f64>,
    /// How long a restore may take: "15m".
    pub restore_limit: Option<String>,
    /// When a restore is stopped: "20m".
    pub restore_stop: Option<String>,
    /// Code = error, warning, notice or off.
    pub rules: BTreeMap<String, String>,
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Can't be read.
    #[error("can't read {path}: {error}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Isn't what it should be.
    #[error("{path}: {message}")]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with line and column where known.
        message: String,
    },
}

/// A configuration and where it came from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// The file; `None`: there is none, defaults hold.
    pub path: Option<PathBuf>,
}

/// Reads `explicit`, or the nearest `rollsafe.toml` at or above `from`.
///
/// # Errors
/// When the file can't be read, or holds something that isn't a setting.
pub fn load(explicit: Option<&Path>, from: &Path) -> Result<Loaded, ConfigError> {
    let path = match explicit {
        Some(path) => path.to_owned(),
        None => match from.ancestors().map(|folder| folder.join(FILE)).find(|path| path.is_file()) {
            Some(path) => path,
            None => return Ok(Loaded::default()),
        },
    };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| ConfigError::Unreadable { path: path.clone(), error })?;
    let config = parse(&text).map_err(|message| ConfigError::Invalid { path: path.clone(), message })?;
    Ok(Loaded { config, path: Some(path) })
}

/// Reads the text of a `rollsafe.toml`.
///
/// # Errors
/// What is wrong, for people to read.
pub fn parse(text: &str) -> Result<Config, String> {
    let config: Config = toml::from_str(text).map_err(|error| {
        let mut message = error.to_string().trim_end().to_owned();
        if let Some(near) = suggestion(error.message()) {
            message.push_str(&format!("\ndid you mean `{near}`?"));
        }
        message
    })?;
    for (code, severity) in
        config.lint.rules.iter().chain(config.lint.overrides.iter().flat_map(|o| &o.rules))
    {
        severity_or_off(severity).map_err(|error| format!("lint.rules: {code}: {error}"))?;
    }
    check_custom_rules(text, &config.custom_rules)?;
    let lint = &config.lint;
    let words = lint.select.iter().map(|word| ("lint.select", word));
    let words = words.chain(lint.ignore.iter().map(|word| ("lint.ignore", word)));
    let words = words.chain(lint.rules.keys().map(|word| ("lint.rules", word)));
    let of_paths = lint.overrides.iter().flat_map(|one| one.rules.keys());
    for (setting, word) in words.chain(of_paths.map(|word| ("lint.overrides", word))) {
        config.code_or_category(word).map_err(|error| format!("{setting}: {error}"))?;
    }
    if let Some(word) = &lint.fail_on
        && FailOn::from_str(word, true).is_err()
    {
        return Err(format!("lint.fail-on: {}", FailOn::unknown(word)));
    }
    Ok(config)
}

/// "unknown field `x`, expected one of `a`, `b`": the expected one that is nearest to `x`.
fn suggestion(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next().filter(|_| message.contains("unknown field"))?;
    nearest(unknown, quoted).map(str::to_owned)
}

/// `error`, `warning`, `notice`, or `off` as `None`.
///
/// # Errors
/// When it is none of these.
pub fn severity_or_off(word: &str) -> Result<Option<Severity>, String> {
    if word == "off" {
        return Ok(None);
    }
    word.parse()
        .map(Some)
        .map_err(|_| format!("unknown severity `{word}`: use error, warning, notice or off"))
}

/// A code (dashes accepted for underscores), a category, or `all`, in its own spelling.
///
/// # Errors
/// When there is no such code or category; with the nearest one.
pub fn code_or_category(word: &str) -> Result<String, String> {
    let name = crate::names::code(word);
    if name == "all" || name.parse::<Category>().is_ok() || crate::migration::rules::rule(&name).is_some() {
        return Ok(name);
    }
    Err(match nearest(&name, crate::migration::rules::RULES.iter().map(|rule| rule.code)) {
        Some(near) => format!("there is no code or category `{word}`; did you mean `{near}`?"),
        None => format!("there is no code or category `{word}`; `rollsafe rules` lists them"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_errors_with_a_suggestion() {
        let error = parse("[lint]\nfail_on = \"warning\"\n").unwrap_err();
        assert!(error.contains("did you mean `fail-on`?"), "{error}");
        let error = parse("postgres-versoin = 15\n").unwrap_err();
        assert!(error.contains("did you mean `postgres-version`?"), "{error}");
        assert!(parse("[lint.rules]\ndrop_table = \"loud\"\n").is_err());
        let error = parse("[lint.rules]\ndrop_tabel = \"off\"\n").unwrap_err();
        assert!(error.contains("lint.rules: ") && error.contains("did you mean `drop_table`?"), "{error}");
        let error = parse("[lint]\nfail-on = \"eror\"\n").unwrap_err();
        assert!(error.contains("error, warning, notice, never"), "{error}");
    }

    #[test]
    fn settings_are_read() {
        let config = parse(
            "postgres-version = 15\n[lint]\nselect = [\"convention\"]\n[lint.rules]\ndrop_table = \"off\"\n",
        )
        .unwrap();
        assert_eq!(config.postgres_version, Some(15));
        assert_eq!(config.lint.rules["drop_table"], "off");
    }
}
