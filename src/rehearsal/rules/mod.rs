//! Rules about a rehearsal: small policies over its report, and the registry of them.
//!
//! A rule does no I/O and can't fail. It says what is wrong and where; code, category and severity come from its
//! page and the configuration. A new rule is a file here, its page under `rules/rehearsal/`, and two lines below.

use std::borrow::Cow;
use std::path::Path;

use crate::finding::{Category, Finding, Severity};
use crate::migration::lint::Severities;
use crate::migration::statement::quote_ident;
use crate::pages;

use super::report::{Rehearsal, ServerError, StatementRun};

/// A rule: its code, its page, and what it looks at.
pub struct Rule {
    /// The code: the name of the page and of the module.
    pub code: &'static str,
    /// The page, in Markdown.
    pub page: &'static str,
    /// What it looks at.
    pub check: fn(&Rehearsal, &mut Sink),
}

/// The text of a rule's page, for `Rule::page`.
macro_rules! rehearsal_page {
    ($code:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/rules/rehearsal/", $code, ".md"))
    };
}

mod data_not_restored;
mod migration_failed;
mod over_time_limit;
mod prediction_missed;
mod query_broken;
mod rollback_failed;
mod schema_not_restored;
mod stall_too_long;
mod written_rows_lost;

/// All rules, by code.
pub static RULES: &[&Rule] = &[
    &data_not_restored::RULE,
    &migration_failed::RULE,
    &over_time_limit::RULE,
    &prediction_missed::RULE,
    &query_broken::RULE,
    &rollback_failed::RULE,
    &schema_not_restored::RULE,
    &stall_too_long::RULE,
    &written_rows_lost::RULE,
];

/// Where a rule puts what it says.
#[derive(Default)]
pub struct Sink {
    said: Vec<Said>,
}

/// One thing that a rule says.
struct Said {
    path: Option<String>,
    span: Option<crate::source::Location>,
    object: Option<String>,
    message: String,
    help: Option<String>,
}

impl Sink {
    /// Says it of a statement.
    fn of_statement(&mut self, statement: &StatementRun, message: String, help: Option<String>) {
        self.said.push(Said {
            path: statement.path.clone(),
            span: statement.span,
            object: None,
            message,
            help,
        });
    }

    /// Says it of a table or another object; behind it a statement, where one is known.
    fn of_object(
        &mut self,
        object: &str,
        statement: Option<&StatementRun>,
        message: String,
        help: Option<String>,
    ) {
        self.said.push(Said {
            path: statement.and_then(|statement| statement.path.clone()),
            span: statement.and_then(|statement| statement.span),
            object: Some(object.to_owned()),
            message,
            help,
        });
    }

    /// Says it of a file.
    fn of_file(&mut self, path: &str, message: String, help: Option<String>) {
        self.said.push(Said { path: Some(path.to_owned()), span: None, object: None, message, help });
    }

    /// Says it of the rehearsal as a whole.
    fn of_all(&mut self, message: String, help: Option<String>) {
        self.said.push(Said { path: None, span: None, object: None, message, help });
    }
}

/// The rule with this code.
pub fn rule(code: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.code == code).copied()
}

/// Asks all rules; errors first.
pub(super) fn judge(report: &Rehearsal, severities: &Severities) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in RULES {
        let Some(facts) = pages::facts(rule.page) else { continue };
        let Some(severity) = severities.of(rule.code, Category::Rehearsal, facts.severity) else { continue };
        let mut sink = Sink::default();
        (rule.check)(report, &mut sink);
        findings.extend(sink.said.into_iter().map(|said| Finding {
            code: Cow::Borrowed(rule.code),
            category: Category::Rehearsal,
            severity,
            path: said.path.map(|path| Path::new(&path).into()),
            span: said.span,
            object: said.object,
            message: said.message,
            help: said.help.map(Into::into),
            fix: None,
        }));
    }
    findings.sort_by_key(|finding: &Finding| std::cmp::Reverse(finding.severity == Severity::Error));
    findings
}

/// What was said against a statement: by the server with its code, by a command without one.
pub(crate) fn said(error: &ServerError) -> String {
    let detail = error.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
    let code = match error.sqlstate.as_str() {
        "" => String::new(),
        code => format!(" (SQLSTATE {code})"),
    };
    format!("{}{detail}{code}", error.message)
}

/// A table to copy `table` to, as SQL: its name with `ending`, in whatever schema comes first.
fn beside(table: &str, ending: &str) -> String {
    quote_ident(&format!("{}{ending}", table.replace('"', "").replace('.', "_"))).into_owned()
}

/// `orders, users and 3 more`.
fn listed(names: &[String], most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most).map(String::as_str).collect();
    match names.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `file:line`; the whole path stands where the finding is.
fn place(statement: &StatementRun) -> String {
    match (&statement.path, statement.span) {
        (Some(path), Some(span)) => format!("{}:{}", short(path), span.line),
        (Some(path), None) => short(path).to_owned(),
        _ => statement.text.clone(),
    }
}

/// The end of a path that tells one migration from another: `0042_x/up.sql`, `0042_x.sql`.
pub(super) fn short(path: &str) -> &str {
    let mut parts = path.rsplit('/');
    let last = parts.next().unwrap_or(path);
    let folder = parts.next().unwrap_or("");
    if matches!(last, "up.sql" | "down.sql" | "migration.sql") && !folder.is_empty() {
        let length = folder.len() + 1 + last.len();
        return path.get(path.len() - length..).unwrap_or(path);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_is_sql_whatever_the_name() {
        for (table, aside) in [
            ("users", "users_before"),
            ("billing.invoices", "billing_invoices_before"),
            ("\"Odd Table\"", "\"Odd Table_before\""),
        ] {
            assert_eq!(beside(table, "_before"), aside);
        }
    }

    #[test]
    fn registry_is_in_order() {
        assert!(RULES.windows(2).all(|pair| pair[0].code < pair[1].code));
    }
}
