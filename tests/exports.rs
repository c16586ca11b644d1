//! SQL that tools print in place of SQL files: who opens which transaction, and what the print has lost.

use std::path::Path;

use rollsafe::migration::lint::{self, LintOptions, LintReport};
use rollsafe::migration::project::runners::runner;
use rollsafe::migration::project::{self, Request};

/// Lints a print as if it came on standard input.
fn linted(tool: &str, file: &str) -> LintReport {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/exports").join(file);
    let text = std::fs::read(&path).expect("a print");
    let request =
        Request { stdin: Some(text), runner: Some(runner(tool).expect("a runner")), ..Request::default() };
    let project = project::gather(&request).expect("gathered");
    lint::lint(&project.parts[0].migrations, &LintOptions::default())
}

fn in_transaction(report: &LintReport) -> Vec<Option<bool>> {
    report.files.iter().flat_map(|file| &file.statements).map(|one| one.in_transaction).collect()
}

/// The findings about transactions: code, message and help.
fn told<'a>(report: &'a LintReport, code: &str) -> Vec<(&'a str, &'a str)> {
    let of_code = report.findings.iter().filter(|finding| finding.code == code);
    of_code.map(|finding| (&*finding.message, finding.help.as_deref().unwrap_or_default())).collect()
}

#[test]
fn begin_and_commit_of_sqlmigrate_are_djangos() {
    let report = linted("django", "django/atomic.sql");
    let found = told(&report, "concurrently_in_transaction");
    assert_eq!(found.len(), 1, "{:?}", report.findings);
    assert!(found[0].1.contains("`atomic = False`"), "{found:?}");
    assert!(told(&report, "commit_ends_runner_transaction").is_empty());
    assert!(told(&report, "transaction_unknown").is_empty());
}

#[test]
fn strings_that_the_print_has_torn_apart_are_told() {
    let report = linted("django", "django/sqlmigrate.sql");
    assert_eq!(in_transaction(&report), [Some(false), Some(false)]);
    let found = told(&report, "transaction_unknown");
    assert_eq!(found.len(), 1, "{:?}", report.findings);
    assert!(found[0].0.contains("one string of RunSQL"), "{found:?}");

    let report = linted("alembic", "alembic/upgrade.sql");
    let found = told(&report, "transaction_unknown");
    assert_eq!(found.len(), 1, "{:?}", report.findings);
    assert!(found[0].1.contains("autocommit_block"), "{found:?}");
    let told_so: Vec<Option<bool>> = in_transaction(&report);
    assert!(told_so.contains(&Some(true)) && told_so.contains(&Some(false)), "{told_so:?}");
}

#[test]
fn update_sql_tells_nothing_of_transactions() {
    for tool in ["liquibase", "liquibase-update-sql"] {
        let report = linted(tool, "liquibase/update.sql");
        assert_eq!(in_transaction(&report), [None, None], "{tool}");
        let found = told(&report, "transaction_unknown");
        assert_eq!(found.len(), 1, "{:?}", report.findings);
        assert!(found[0].0.contains("runInTransaction"), "{found:?}");
    }
}

/// Lints SQL as if it came on standard input.
fn linted_text(tool: Option<&str>, text: &str) -> LintReport {
    let runner = tool.map(|tool| runner(tool).expect("a runner"));
    let request = Request { stdin: Some(text.into()), runner, ..Request::default() };
    let project = project::gather(&request).expect("gathered");
    lint::lint(&project.parts[0].migrations, &LintOptions::default())
}

#[test]
fn what_is_noted_as_done_does_not_run_again() {
    let index = "CREATE INDEX CONCURRENTLY a_id ON a (id);\n";
    let recorded = "-- Update Database Script\n-- Changeset a.xml::1::ann\nCREATE TABLE a (id int);\n\
                    INSERT INTO databasechangelog (ID) VALUES ('1');\n-- Changeset a.xml::2::ann\n";
    assert!(
        told(&linted_text(Some("liquibase"), &format!("{recorded}{index}")), "not_rerunnable").is_empty()
    );
    let same = format!("{recorded}CREATE TABLE b (id int);\n{index}");
    let report = linted_text(Some("liquibase"), &same);
    let found = told(&report, "not_rerunnable");
    assert!(found.len() == 1 && found[0].0.contains("the table b"), "{found:?}");

    let alembic = format!(
        "BEGIN;\nCREATE TABLE alembic_version (version_num varchar(32) NOT NULL);\nCREATE TABLE a (id int);\n\
         INSERT INTO alembic_version (version_num) VALUES ('a1');\nCOMMIT;\n{index}BEGIN;\n\
         UPDATE alembic_version SET version_num = 'a2';\nCOMMIT;\n"
    );
    assert!(told(&linted_text(Some("alembic"), &alembic), "not_rerunnable").is_empty());
}

#[test]
fn markers_in_a_text_name_its_tool() {
    let text = "-- +goose Up\nCREATE TABLE a (id bigint PRIMARY KEY);\n-- +goose Down\nDROP TABLE a;\n";
    let report = linted_text(None, text);
    assert_eq!(in_transaction(&report), [Some(true), Some(true)]);
    assert!(told(&report, "drop_table").is_empty(), "the way back is no way forward: {:?}", report.findings);
}
