//! Only what has changed is judged: in clones as people and CI systems have them.

mod program;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn git(folder: &Path, arguments: &[&str]) {
    let names =
        ["user.name=Ann", "user.email=ann@example.com", "commit.gpgsign=false", "protocol.file.allow=always"];
    let mut command = Command::new("git");
    for name in names {
        command.args(["-c", name]);
    }
    let output = command.arg("-C").arg(folder).args(arguments).output().expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join("migrations").join(name);
    std::fs::create_dir_all(path.parent().expect("in a folder")).expect("folders");
    std::fs::write(path, text).expect("written");
}

/// A repository with `main` (two migrations), `develop` (a third) and `feature` (a fourth, off develop).
fn origin() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    git(here, &["init", "-q", "-b", "main"]);
    let goose = |sql: &str| format!("-- +goose Up\n{sql}\n");
    write(here, "00001_a.sql", &goose("CREATE TABLE a (id bigint PRIMARY KEY);"));
    git(here, &["add", "."]);
    git(here, &["commit", "-qm", "one"]);
    write(here, "00002_b.sql", &goose("CREATE TABLE b (id bigint PRIMARY KEY);"));
    git(here, &["add", "."]);
    git(here, &["commit", "-qm", "two"]);
    git(here, &["checkout", "-qb", "develop"]);
    write(here, "00003_c.sql", &goose("CREATE TABLE c (id bigint PRIMARY KEY);"));
    git(here, &["add", "."]);
    git(here, &["commit", "-qm", "three"]);
    git(here, &["checkout", "-qb", "feature"]);
    write(here, "00004_d.sql", &goose("CREATE TABLE d (id bigint PRIMARY KEY);"));
    git(here, &["add", "."]);
    git(here, &["commit", "-qm", "four"]);
    git(here, &["checkout", "-q", "main"]); // the default branch of clones
    folder
}

/// A clone of `origin`'s branch `branch`, as `git clone` with `more` makes it.
fn clone(origin: &Path, branch: &str, more: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("file://{}", origin.display());
    let mut arguments = vec!["clone", "-q", "-b", branch];
    arguments.extend(more);
    arguments.extend([url.as_str(), "."]);
    git(folder.path(), &arguments);
    folder
}

struct Linted {
    code: i32,
    files: Vec<String>,
    codes: Vec<String>,
    history: u64,
    stderr: String,
}

fn lint(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Linted {
    let output = program::alone(env!("CARGO_BIN_EXE_rollsafe"))
        .current_dir(folder)
        .envs(variables.iter().copied())
        .args(["lint", "--format", "json", "--fail-on", "never"])
        .args(arguments)
        .output()
        .expect("rollsafe runs");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let list = |key: &str, field: &str| -> Vec<String> {
        let array = report[key].as_array().cloned().unwrap_or_default();
        let text = |one: &Value| one[field].as_str().unwrap_or_default().to_owned();
        array.iter().map(text).map(|text| text.replace("migrations/", "")).collect()
    };
    Linted {
        code: output.status.code().unwrap_or(-1),
        files: list("files", "path"),
        codes: list("findings", "code"),
        history: report["summary"]["history"].as_u64().unwrap_or_default(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn ci_variables_name_the_base() {
    let origin = origin();
    let here = clone(origin.path(), "feature", &[]);
    // Without any: the default branch.
    git(here.path(), &["remote", "set-head", "origin", "main"]);
    let linted = lint(here.path(), &[], &[]);
    assert_eq!(linted.files, ["00003_c.sql", "00004_d.sql"], "{}", linted.stderr);
    for variables in [
        &[("GITHUB_BASE_REF", "develop"), ("CI", "true")][..],
        &[("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "develop"), ("CI", "true")],
        &[("BITBUCKET_PR_DESTINATION_BRANCH", "develop"), ("CI", "true")],
        &[("SYSTEM_PULLREQUEST_TARGETBRANCH", "refs/heads/develop"), ("TF_BUILD", "True")],
        &[("CHANGE_TARGET", "develop"), ("BUILD_ID", "7")],
        &[("BUILDKITE_PULL_REQUEST_BASE_BRANCH", "develop"), ("CI", "true")],
        &[("DRONE_TARGET_BRANCH", "develop"), ("DRONE_PULL_REQUEST", "7"), ("CI", "true")],
        &[("TRAVIS_BRANCH", "develop"), ("TRAVIS_PULL_REQUEST", "7"), ("CI", "true")],
    ] {
        let linted = lint(here.path(), &[], variables);
        assert_eq!(linted.files, ["00004_d.sql"], "{variables:?}: {}", linted.stderr);
    }
    // CircleCI names no base, and a push build of Travis names the built branch: the default branch counts.
    for variables in [
        &[("CIRCLECI", "true"), ("CI", "true")][..],
        &[("TRAVIS_BRANCH", "feature"), ("TRAVIS_PULL_REQUEST", "false"), ("CI", "true")],
    ] {
        let linted = lint(here.path(), &[], variables);
        assert_eq!(linted.files, ["00003_c.sql", "00004_d.sql"], "{variables:?}: {}", linted.stderr);
    }
    let linted = lint(here.path(), &["--since", "HEAD"], &[("GITHUB_BASE_REF", "main")]);
    assert_eq!(linted.files, Vec::<String>::new());
    assert!(linted.stderr.contains("--all judges every migration"), "{}", linted.stderr);
}

#[test]
fn a_shallow_clone_says_what_is_missing() {
    let origin = origin();
    let here = clone(origin.path(), "feature", &["--depth", "1"]);
    let linted = lint(here.path(), &[], &[("GITHUB_BASE_REF", "develop"), ("CI", "true")]);
    assert_eq!(linted.code, 2);
    assert!(linted.stderr.contains("origin/develop isn't in this clone"), "{}", linted.stderr);
    assert!(linted.stderr.contains("fetch-depth: 0"), "{}", linted.stderr);

    // Nothing names the base, and no other branch is here: a push, a branch pipeline, somebody's desk.
    for variables in [
        &[("GITHUB_EVENT_NAME", "push"), ("CI", "true")][..],
        &[("CI_COMMIT_BRANCH", "feature"), ("CI_DEFAULT_BRANCH", "main"), ("CI", "true")],
        &[],
    ] {
        let linted = lint(here.path(), &[], variables);
        assert_eq!(linted.code, 2, "{variables:?}: {}", linted.stderr);
        assert!(
            linted.stderr.contains("git fetch --unshallow origin '+refs/heads/*:refs/remotes/origin/*'"),
            "{}",
            linted.stderr
        );
    }

    // Both ends are here, but not where they part.
    git(here.path(), &["fetch", "-q", "--depth", "1", "origin", "main:refs/remotes/origin/main"]);
    let linted = lint(here.path(), &["--since", "origin/main"], &[]);
    assert_eq!(linted.code, 2);
    assert!(linted.stderr.contains("no common ancestor"), "{}", linted.stderr);
    assert!(linted.stderr.contains("shallow"), "{}", linted.stderr);

    // The command that is told brings what is missing.
    git(here.path(), &["fetch", "-q", "--unshallow", "origin", "+refs/heads/*:refs/remotes/origin/*"]);
    assert_eq!(lint(here.path(), &[], &[]).files, ["00003_c.sql", "00004_d.sql"]);
}

#[test]
fn a_default_branch_of_another_name_is_asked_for_or_told() {
    let origin = origin();
    git(origin.path(), &["branch", "-q", "-M", "main", "trunk"]);
    let here = clone(origin.path(), "feature", &["--single-branch"]);
    let linted = lint(here.path(), &[], &[]);
    assert_eq!(linted.code, 2, "{}", linted.stderr);
    assert!(linted.stderr.contains("git remote set-head origin --auto"), "{}", linted.stderr);
    git(here.path(), &["fetch", "-q", "origin", "+refs/heads/*:refs/remotes/origin/*"]);
    let event = here.path().join("event.json");
    std::fs::write(&event, r#"{"repository": {"default_branch": "trunk"}}"#).expect("written");
    for variables in [
        &[("CI_COMMIT_BRANCH", "feature"), ("CI_DEFAULT_BRANCH", "trunk"), ("CI", "true")][..],
        &[
            ("GITHUB_EVENT_NAME", "push"),
            ("GITHUB_EVENT_PATH", event.to_str().expect("UTF-8")),
            ("CI", "true"),
        ],
    ] {
        let linted = lint(here.path(), &[], variables);
        assert_eq!(linted.files, ["00003_c.sql", "00004_d.sql"], "{variables:?}: {}", linted.stderr);
    }
    git(here.path(), &["remote", "set-head", "origin", "--auto"]);
    assert_eq!(lint(here.path(), &[], &[]).files, ["00003_c.sql", "00004_d.sql"]);
}

#[test]
fn a_migration_under_another_name_runs_again_and_one_that_is_gone_is_missed() {
    let origin = origin();
    let here = clone(origin.path(), "feature", &[]);
    let codes = |linted: &Linted| -> Vec<String> {
        linted.codes.iter().filter(|code| *code == "applied_migration_edited").cloned().collect()
    };
    git(here.path(), &["mv", "migrations/00003_c.sql", "migrations/00006_c.sql"]);
    let linted = lint(here.path(), &["--since", "HEAD"], &[]);
    assert_eq!(linted.files, ["00006_c.sql"], "{}", linted.stderr);
    assert_eq!(codes(&linted).len(), 1, "{:?}", linted.codes);
    let staged = lint(here.path(), &["--staged"], &[]);
    assert_eq!(codes(&staged).len(), 1, "{:?}", staged.codes);
    git(here.path(), &["reset", "-q", "--hard"]);

    // Another name for the same version is the same migration to the tool.
    git(here.path(), &["mv", "migrations/00003_c.sql", "migrations/00003_table_c.sql"]);
    let linted = lint(here.path(), &["--since", "HEAD"], &[]);
    assert_eq!(codes(&linted).len(), 0, "{:?}", linted.codes);
    git(here.path(), &["reset", "-q", "--hard"]);

    git(here.path(), &["rm", "-q", "migrations/00001_a.sql", "migrations/00002_b.sql"]);
    let linted = lint(here.path(), &["--since", "HEAD"], &[]);
    assert_eq!(codes(&linted).len(), 1, "told once: {:?}", linted.codes);
    let linted = lint(here.path(), &["--since", "HEAD", "migrations/00003_c.sql"], &[]);
    assert_eq!(codes(&linted).len(), 0, "not asked about: {:?}", linted.codes);
    let excluded = "[[lint.overrides]]\npaths = [\"migrations/0000[12]*\"]\nrules = { applied_migration_edited = \"off\" }\n";
    std::fs::write(here.path().join("rollsafe.toml"), excluded).expect("written");
    let linted = lint(here.path(), &["--since", "HEAD"], &[]);
    assert_eq!(codes(&linted).len(), 0, "{:?}", linted.codes);
}

#[test]
fn the_merge_that_github_checks_out_needs_two_commits_only() {
    let origin = origin();
    git(origin.path(), &["checkout", "-q", "--detach", "develop"]);
    git(origin.path(), &["merge", "-q", "--no-ff", "-m", "merge", "feature"]);
    git(origin.path(), &["branch", "merged"]);
    let here = clone(origin.path(), "merged", &["--depth", "2"]);
    let linted = lint(here.path(), &[], &[("GITHUB_BASE_REF", "develop"), ("CI", "true")]);
    assert_eq!(linted.files, ["00004_d.sql"], "{}", linted.stderr);
}

#[test]
fn a_build_of_the_target_branch_judges_what_was_pushed_last() {
    let origin = origin();
    let here = clone(origin.path(), "main", &[]);
    let linted = lint(here.path(), &[], &[("CI", "true")]);
    assert_eq!(linted.files, ["00002_b.sql"], "{}", linted.stderr);
    // At one's desk nothing has changed.
    assert_eq!(lint(here.path(), &[], &[]).files, Vec::<String>::new());
}

#[test]
fn in_a_build_of_the_first_commit_everything_is_new() {
    let origin = origin();
    git(origin.path(), &["checkout", "-q", "--orphan", "fresh"]);
    git(origin.path(), &["commit", "-qm", "one"]);
    git(origin.path(), &["branch", "-q", "-M", "fresh", "main"]);
    let here = clone(origin.path(), "main", &[]);
    let linted = lint(here.path(), &[], &[("CI", "true")]);
    assert_eq!(linted.files, ["00001_a.sql", "00002_b.sql"], "{}", linted.stderr);
    // With the history cut off it isn't known whether the commit is the first.
    let shallow = clone(origin.path(), "develop", &["--depth", "1"]);
    git(shallow.path(), &["branch", "-q", "-M", "main"]);
    let linted = lint(shallow.path(), &[], &[("CI", "true")]);
    assert!(linted.code == 2 && linted.stderr.contains("shallow"), "{}", linted.stderr);
}

#[test]
fn what_must_not_change_any_more_is_found() {
    let origin = origin();
    let here = clone(origin.path(), "feature", &[]);
    write(here.path(), "00001_a.sql", "-- +goose Up\nCREATE TABLE a (id bigint PRIMARY KEY, note text);\n");
    write(here.path(), "00004_late.sql", "-- +goose Up\nSELECT 1;\n");
    std::fs::remove_file(here.path().join("migrations/00003_c.sql")).expect("removed");
    let linted = lint(here.path(), &["--since", "HEAD"], &[]);
    assert_eq!(linted.files, ["00001_a.sql", "00004_late.sql"], "{}", linted.stderr);
    for code in ["applied_migration_edited", "version_duplicated"] {
        assert!(linted.codes.iter().any(|found| found == code), "{code}: {:?}", linted.codes);
    }
    assert!(linted.stderr.contains("00003_c.sql"), "the deleted one is named: {}", linted.stderr);

    git(here.path(), &["checkout", "-q", "--", "."]);
    std::fs::rename(
        here.path().join("migrations/00004_late.sql"),
        here.path().join("migrations/00000_early.sql"),
    )
    .expect("renamed");
    let linted = lint(here.path(), &[], &[("GITHUB_BASE_REF", "feature")]);
    assert!(linted.codes.iter().any(|code| code == "migration_out_of_order"), "{:?}", linted.codes);
}

#[test]
fn the_index_counts_for_a_pre_commit_hook() {
    let origin = origin();
    let here = clone(origin.path(), "feature", &[]);
    write(here.path(), "00005_e.sql", "-- +goose Up\nDROP TABLE a;\n");
    git(here.path(), &["add", "."]);
    write(here.path(), "00005_e.sql", "-- +goose Up\nSELECT 1;\n");
    write(here.path(), "00006_not_staged.sql", "-- +goose Up\nDROP TABLE b;\n");
    let linted = lint(here.path(), &["--staged"], &[]);
    assert_eq!(linted.files, ["00005_e.sql"], "{}", linted.stderr);
    assert!(linted.codes.iter().any(|code| code == "drop_table"), "{:?}", linted.codes);
    // From a folder inside the repository as well.
    let inside = here.path().join("migrations");
    git(here.path(), &["config", "diff.relative", "true"]);
    assert_eq!(lint(&inside, &["--staged"], &[]).files, ["00005_e.sql"]);
}

#[test]
fn many_staged_files_are_read_as_staged_whatever_they_are_called() {
    let origin = origin();
    let here = clone(origin.path(), "feature", &[]);
    let names = ["00005_e f.sql", "00006_blob 7.sql", "00007_é.sql", "00008_empty.sql", "00009_large.sql"];
    let large = format!("-- +goose Up\nDROP TABLE a; -- {}\n", "x".repeat(200_000));
    for name in names {
        let text = match name {
            "00008_empty.sql" => "",
            "00009_large.sql" => &large,
            _ => "-- +goose Up\nDROP TABLE a;\n",
        };
        write(here.path(), name, text);
    }
    git(here.path(), &["add", "."]);
    for name in names {
        write(here.path(), name, "-- +goose Up\nSELECT 1;\n");
    }
    let linted = lint(here.path(), &["--staged"], &[]);
    assert_eq!(linted.files, names, "{}", linted.stderr);
    // The first takes the table away; that the others would fail is told at each of them.
    assert_eq!(linted.codes.iter().filter(|code| *code == "drop_table").count(), 1, "{:?}", linted.codes);
    assert_eq!(
        linted.codes.iter().filter(|code| *code == "relation_missing").count(),
        3,
        "{:?}",
        linted.codes
    );
}

#[test]
fn a_file_has_its_history_however_its_path_is_written() {
    let origin = origin();
    let here = clone(origin.path(), "feature", &[]);
    write(here.path(), "00005_e.sql", "-- +goose Up\nDROP TABLE a;\n");
    let absolute = here.path().join("migrations/00005_e.sql");
    for path in [
        "migrations/00005_e.sql",
        "./migrations/00005_e.sql",
        "migrations//00005_e.sql",
        "migrations/./00005_e.sql",
        ".//migrations/00005_e.sql",
        absolute.to_str().expect("a path of this test"),
    ] {
        let linted = lint(here.path(), &[path], &[]);
        assert_eq!(linted.files.len(), 1, "{path}: {}", linted.stderr);
        assert_eq!(linted.history, 4, "{path}: {}", linted.stderr);
    }
    // The same file twice is one file.
    let twice = lint(here.path(), &["migrations/00005_e.sql", "./migrations//00005_e.sql"], &[]);
    assert_eq!(twice.files, ["00005_e.sql"]);
}

#[test]
fn the_root_is_found_where_git_finds_it() {
    let origin = origin();
    let here = clone(origin.path(), "feature", &[]);
    git(here.path(), &["branch", "-q", "develop", "origin/develop"]);
    let judged = |folder: &Path, variables: &[(&str, &str)]| {
        let linted = lint(folder, &["--since", "develop"], variables);
        assert_eq!(linted.files, ["00004_d.sql"], "{}: {}", folder.display(), linted.stderr);
    };
    judged(here.path(), &[]);
    judged(&here.path().join("migrations"), &[]);
    // A linked worktree, whose `.git` is a file.
    let beside = tempfile::tempdir().expect("a folder");
    let linked = beside.path().join("linked");
    git(here.path(), &["worktree", "add", "-q", "-b", "other", linked.to_str().expect("UTF-8"), "feature"]);
    judged(&linked, &[]);
    // The folder with `.git` isn't the work tree: another one is, or a variable names the repository.
    let apart = tempfile::tempdir().expect("a folder");
    let (holder, tree) = (apart.path().join("holder"), apart.path().join("holder/tree"));
    git(apart.path(), &["clone", "-q", here.path().to_str().expect("UTF-8"), "holder"]);
    git(&holder, &["branch", "-q", "develop", "origin/develop"]);
    std::fs::create_dir(&tree).expect("a folder");
    std::fs::rename(holder.join("migrations"), tree.join("migrations")).expect("moved");
    git(&holder, &["config", "core.worktree", "../tree"]);
    judged(&tree, &[]);
    let named = holder.join(".git");
    judged(&tree, &[("GIT_DIR", named.to_str().expect("UTF-8"))]);
}
