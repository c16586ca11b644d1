//! A change in a repository as CI systems see it: what is written where, and the exit codes.

mod program;

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
    let mut command = program::alone(env!("CARGO_BIN_EXE_rollsafe"));
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

/// A clone of the pull request's repository, as a CI system checks it out: the branch, with its base only on the remote.
fn checkout() -> (tempfile::TempDir, tempfile::TempDir) {
    let origin = pull_request();
    let clone = tempfile::tempdir().expect("a folder");
    let from = format!("file://{}", origin.path().display());
    git(clone.path(), &["clone", "-q", "--single-branch", "--branch", "change", &from, "."]);
    git(clone.path(), &["config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"]);
    (origin, clone)
}

/// Runs a step of a CI system in a shell that finds rollsafe as an installed program.
fn step(folder: &Path, script: &str, environment: &[(&str, &str)]) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_rollsafe"));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", program.parent().expect("in a folder").display());
    let mut command = program::alone("bash");
    command
        .current_dir(folder)
        .args(["-e", "-c", script])
        .env("PATH", path)
        .envs(environment.iter().copied())
        .output()
        .expect("bash runs")
}

/// The script of a step of `action.yml`.
fn script_of(name: &str) -> String {
    let action = include_str!("../action.yml");
    let step = action.split("    - name: ").find(|step| step.starts_with(name)).expect("the step is there");
    let (_, run) = step.split_once("      run: ").expect("it runs something");
    match run.strip_prefix("|\n") {
        Some(lines) => {
            lines.lines().map(|line| format!("{}\n", line.trim_start_matches("        "))).collect()
        }
        None => run.to_owned(),
    }
}

#[test]
fn the_action_runs_as_written() {
    let (_origin, clone) = checkout();
    git(clone.path(), &["fetch", "-q", "origin"]);
    let runner = tempfile::tempdir().expect("a folder");
    let outputs = runner.path().join("outputs");
    let environment = |paths: &'static str, args: &'static str| {
        [
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_BASE_REF", "main".to_owned()),
            ("RUNNER_TEMP", runner.path().display().to_string()),
            ("GITHUB_OUTPUT", outputs.display().to_string()),
            ("PATHS", paths.to_owned()),
            ("ARGS", args.to_owned()),
        ]
    };
    for (paths, args, code) in [
        ("", "", "1"),
        ("", "--ignore\ncreate_index_blocks_writes\n", "0"),
        ("db/migrations/V1__orders.sql\n", "", "0"),
        ("nowhere.sql", "", "2"),
    ] {
        let _ = std::fs::remove_file(&outputs);
        let environment = environment(paths, args);
        let environment: Vec<(&str, &str)> =
            environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let output = step(clone.path(), &script_of("Lint migrations"), &environment);
        let (log, why) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "the step that follows decides: {log}{why}");
        let told = std::fs::read_to_string(&outputs).unwrap();
        assert!(told.starts_with(&format!("exit-code={code}\n")), "{paths} {args}: {told}{log}{why}");
        let reports =
            told.lines().filter_map(|line| line.split_once('=')).filter(|(name, _)| *name != "exit-code");
        let reports: Vec<&str> = reports.map(|(_, path)| path).collect();
        assert_eq!(reports.len(), if code == "2" { 0 } else { 2 }, "{told}");
        assert!(reports.iter().all(|path| Path::new(path).is_file()), "{told}");
        let result = step(clone.path(), &script_of("Result"), &[("CODE", code)]);
        assert_eq!(result.status.code(), code.parse().ok());
    }
}

#[test]
fn the_gitlab_template_runs_as_written() {
    let (_origin, clone) = checkout();
    let template = include_str!("../templates/lint.yml");
    let (_, script) = template.split_once("  script:\n").expect("there is a script");
    let lines = script.lines().map_while(|line| line.strip_prefix("    - "));
    let script: String = lines.map(|line| format!("{}\n", line.replace("$[[ inputs.args ]]", ""))).collect();
    let directory = clone.path().display().to_string();
    let environment = [
        ("GITLAB_CI", "true"),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
        ("CI_PROJECT_DIR", directory.as_str()),
    ];
    let output = step(clone.path(), &script, &environment);
    assert_eq!(output.status.code(), Some(1), "{}{}", text(&output.stdout), text(&output.stderr));
    for artifact in ["gl-code-quality-report.json", "rollsafe.xml"] {
        assert!(template.contains(&format!(": {artifact}")), "{artifact} is uploaded");
        let written = std::fs::read_to_string(clone.path().join(artifact)).unwrap();
        assert!(written.contains("create_index_blocks_writes"), "{artifact}: {written}");
    }
}

#[test]
fn a_report_for_standard_output_is_no_file() {
    let folder = pull_request();
    let output = rollsafe(folder.path(), &["lint", "--output", "gitlab=-"], &[]);
    assert!(text(&output.stdout).starts_with('['), "{}", text(&output.stdout));
    assert!(!folder.path().join("-").exists());
    let output = rollsafe(folder.path(), &["lint", "--format", "json", "--output", "gitlab=-"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("name a file"), "{}", text(&output.stderr));
}

#[test]
fn what_is_wrong_with_the_configuration_is_told_with_its_place() {
    let folder = pull_request();
    for (config, meant) in [
        (
            "[lint]\nfail-on = \"eror\"\n",
            "rollsafe.toml: lint.fail-on: unknown severity `eror`: use one of error, warning",
        ),
        (
            "[lint.rules]\ndrop_tabel = \"off\"\n",
            "rollsafe.toml: lint.rules: there is no code or category `drop_tabel`",
        ),
        (
            "[project]\nmigrations = [\"nope/*\"]\n",
            "rollsafe.toml: project.migrations: no .sql files in nope/*",
        ),
    ] {
        std::fs::write(folder.path().join("rollsafe.toml"), config).unwrap();
        let output = rollsafe(folder.path(), &["lint", "--all"], &[]);
        assert_eq!(output.status.code(), Some(2), "{config}");
        assert!(text(&output.stderr).contains(meant), "{}", text(&output.stderr));
    }
}
