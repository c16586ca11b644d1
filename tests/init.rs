//! `rollsafe init`: what it writes, what it leaves alone, and that what it wrote is accepted.

mod program;

use std::path::Path;
use std::process::{Command, Output};

use rollsafe::config;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("in a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    let git = Command::new("git").args(["init", "-q"]).current_dir(folder.path()).output().expect("git runs");
    assert!(git.status.success());
    folder
}

fn rollsafe(folder: &Path, arguments: &[&str]) -> Output {
    program::alone(env!("CARGO_BIN_EXE_rollsafe"))
        .current_dir(folder)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .output()
        .expect("it runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

const MIGRATIONS: [(&str, &str); 3] = [
    ("db/migrations/V1__a.sql", "CREATE TABLE a (id bigint PRIMARY KEY, x int);\n"),
    ("db/migrations/V2__b.sql", "ALTER TABLE a DROP COLUMN x;\n"),
    ("docker-compose.yml", "services:\n  db:\n    image: postgres:15-alpine\n"),
];

#[test]
fn a_new_repository_gets_all_three() {
    let mut files = MIGRATIONS.to_vec();
    files.push((".github/CODEOWNERS", ""));
    let folder = folder(&files);
    let root = folder.path();
    let shown = rollsafe(&root.join("db"), &["init", "--dry-run"]);
    assert_eq!(shown.status.code(), Some(0), "{}", said(&shown));
    assert!(said(&shown).contains("new file rollsafe.toml\n  + # What rollsafe reads"), "{}", said(&shown));
    assert!(!root.join("rollsafe.toml").exists(), "shown, not written");
    // Nobody to ask is no yes.
    let asked = rollsafe(root, &["init"]);
    assert_eq!(asked.status.code(), Some(2));
    assert!(!root.join("rollsafe.toml").exists());

    let written = rollsafe(&root.join("db"), &["init", "--yes", "--install", "true"]);
    assert_eq!(written.status.code(), Some(0), "{}", said(&written));
    assert!(said(&written).contains("--write-baseline"), "the history has findings: {}", said(&written));
    let settings = std::fs::read_to_string(root.join("rollsafe.toml")).unwrap();
    let config = config::parse(&settings).unwrap();
    assert_eq!(config.postgres_version, Some(15));
    assert_eq!(config.project.migrations, [Path::new("db/migrations")]);
    let workflow = std::fs::read_to_string(root.join(".github/workflows/rollsafe.yml")).unwrap();
    assert!(
        workflow.contains("- \"db/migrations/**\"") && workflow.contains("run: |\n          true\n"),
        "{workflow}"
    );
    assert!(root.join(".pre-commit-config.yaml").exists());
    assert_eq!(rollsafe(root, &["lint"]).status.code(), Some(1), "nothing is committed: all of it is new");

    let again = rollsafe(root, &["init", "--yes"]);
    assert!(said(&again).contains("Nothing to write"), "{}", said(&again));
    assert_eq!(std::fs::read_to_string(root.join("rollsafe.toml")).unwrap(), settings);
}

#[test]
fn what_is_there_stays() {
    let hooks = "# ours\nrepos:\n  - repo: local\n    hooks:\n      - id: other # why\n        name: other\n        entry: true\n        language: system\n\nci:\n  autofix_prs: false\n";
    let pipeline = "stages: [test]\n# the end";
    let mut files = MIGRATIONS.to_vec();
    files.extend([
        (".pre-commit-config.yaml", hooks),
        (".gitlab-ci.yml", pipeline),
        ("rollsafe.toml", "# mine\n"),
    ]);
    let folder = folder(&files);
    let root = folder.path();
    let written = rollsafe(root, &["init", "--yes"]);
    assert_eq!(written.status.code(), Some(0), "{}", said(&written));
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    assert_eq!(read("rollsafe.toml"), "# mine\n");
    let merged = read(".pre-commit-config.yaml");
    let (before, after) = hooks.split_once("\nci:").unwrap();
    assert!(merged.starts_with(before) && merged.ends_with(&format!("\nci:{after}")), "{merged}");
    assert!(merged.contains("  - repo: local\n    hooks:\n      - id: rollsafe\n"), "{merged}");
    assert!(
        read(".gitlab-ci.yml")
            .starts_with("stages: [test]\n# the end\n\ninclude:\n  - local: .gitlab/rollsafe.yml\n")
    );
    assert!(read(".gitlab/rollsafe.yml").contains("codequality: gl-code-quality-report.json"));
    assert!(!root.join(".github").exists());
}

#[test]
fn without_migrations_there_is_nothing_to_set_up() {
    let folder = folder(&[("readme.md", "x")]);
    let output = rollsafe(folder.path(), &["init", "--yes"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("no migrations in SQL found here"), "{}", said(&output));
    assert!(!folder.path().join("rollsafe.toml").exists());
}
