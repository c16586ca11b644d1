//! A change in a repository as CI systems see it: what is written where, and the exit codes.

use std::path::Path;
use std::process::{Command, Output};

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A repository whose branch adds a migration that blocks writes.
fn pull_request() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    let write = |name: &str, text: &str| {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().expect("in a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    };
    write("db/migrations/V1__orders.sql", "CREATE TABLE orders (id bigint PRIMARY KEY, status text);\n");
    git(root, &["init", "-q"]);
    git(root, &["add", "."]);
    git(root, &["commit", "-qm", "one"]);
    git(root, &["checkout", "-qb", "change"]);
    write("db/migrations/V2__index.sql", "CREATE INDEX orders_status ON orders (status);\n");
    git(root, &["add", "."]);
    git(root, &["commit", "-qm", "two"]);
    folder
}

fn rollsafe(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollsafe"));
    for name in ["GITHUB_ACTIONS", "GITLAB_CI", "GITHUB_STEP_SUMMARY", "GITHUB_BASE_REF", "CI_PROJECT_DIR"] {
        command.env_remove(name);
    }
    command.current_dir(folder).args(arguments).envs(environment.iter().copied()).output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn github_actions() {
    let folder = pull_request();
    let summary = folder.path().join("summary.md");
    std::fs::write(&summary, "before\n").unwrap();
    let environment = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_BASE_REF", "main"),
        ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap()),
    ];
    let output = rollsafe(folder.path(), &["lint"], &environment);
    let log = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{log}{}", text(&output.stderr));
    assert!(log.contains("error[create_index_blocks_writes]"), "the log is for people: {log}");
    assert!(
        log.contains("\n::group::annotations\n::error file=db/migrations/V2__index.sql,line=1,"),
        "{log}"
    );
    assert!(log.ends_with("::endgroup::\n"), "{log}");
    let written = std::fs::read_to_string(&summary).unwrap();
    assert!(written.starts_with("before\n") && written.contains("SHARE on orders"), "{written}");

    // Paths count from the root, wherever it is started.
    let output = rollsafe(&folder.path().join("db"), &["lint", "--format", "github"], &environment);
    let log = text(&output.stdout);
    assert!(log.starts_with("::error file=db/migrations/V2__index.sql,"), "{log}");

    // What is asked for wins.
    let output = rollsafe(folder.path(), &["lint", "--format", "terminal"], &environment);
    assert!(!text(&output.stdout).contains("::error"));
}

#[test]
fn gitlab_ci() {
    let folder = pull_request();
    let report = folder.path().join("gl-code-quality-report.json");
    let environment = [
        ("GITLAB_CI", "true"),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
        ("CI_PROJECT_DIR", folder.path().to_str().unwrap()),
    ];
    let output = rollsafe(&folder.path().join("db"), &["lint"], &environment);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("error[create_index_blocks_writes]"));
    assert!(text(&output.stderr).contains("wrote gl-code-quality-report.json"));
    let written: serde_json::Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!(written[0]["location"]["path"], "db/migrations/V2__index.sql");
    std::fs::remove_file(&report).unwrap();
    rollsafe(folder.path(), &["lint", "--format", "json"], &environment);
    assert!(!report.exists(), "an explicit format is all that is written");
}

#[test]
fn several_reports_at_once() {
    let folder = pull_request();
    let root = folder.path();
    let outputs =
        ["sarif=a.sarif", "junit=b.xml", "checkstyle=c.xml", "rdjson=d.json", "markdown=e.md", "json=f.json"];
    let mut arguments = vec!["lint", "--since", "main"];
    outputs.iter().for_each(|output| arguments.extend(["--output", output]));
    let output = rollsafe(root, &arguments, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("1 error"), "the terminal report is there too");
    for one in outputs {
        let path = root.join(one.split('=').nth(1).unwrap());
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(written.contains("create_index_blocks_writes"), "{one}: {written}");
    }
}

#[test]
fn what_can_not_be_written_is_told_before_anything_is_judged() {
    let folder = pull_request();
    for (output, expected) in [
        ("sarif=missing/a.sarif", "the folder missing doesn't exist"),
        ("sarif=db", "is a folder"),
        ("serif=a.sarif", "there is no format `serif`"),
        ("sarif", "write FORMAT=FILE"),
        ("json=db/migrations/V2__index.sql", "it is SQL"),
    ] {
        let output = rollsafe(folder.path(), &["lint", "--all", "--output", output], &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(output.stdout.is_empty());
    }
}
