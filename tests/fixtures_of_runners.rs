//! Every migration tool's folder in `fixtures/runners/` is recognised, ordered, cut and run as its `expected.toml` says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rollsafe::migration::lint::{self, LintOptions};
use rollsafe::migration::project::runners::RUNNERS;
use rollsafe::migration::project::{self, Request};

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/runners");
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(&folder).expect("fixtures").map(|entry| entry.expect("readable").path()).collect();
    found.sort();
    found
}

/// Copies a fixture to where no other manifest is above it.
fn laid_out(fixture: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in walkdir::WalkDir::new(fixture) {
        let entry = entry.expect("readable");
        let to = folder.path().join(entry.path().strip_prefix(fixture).expect("inside"));
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(&to).expect("folders");
        } else {
            std::fs::copy(entry.path(), &to).expect("copied");
        }
    }
    std::fs::create_dir_all(folder.path().join(".git")).expect("a repository's root");
    folder
}

#[test]
fn every_tool_has_a_fixture() {
    let have: BTreeSet<String> = fixtures()
        .iter()
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    for runner in
        RUNNERS.iter().filter(|runner| runner.signs.recognisable() || runner.name.starts_with("prisma"))
    {
        assert!(have.contains(runner.name), "fixtures/runners/{} is missing", runner.name);
    }
    for fixture in fixtures() {
        assert!(fixture.join("README.md").is_file(), "{}: README.md is missing", fixture.display());
    }
}

#[test]
fn every_fixture_is_read_as_its_tool_reads_it() {
    let mut wrong = Vec::new();
    for fixture in fixtures() {
        let name = fixture.file_name().expect("a name").to_string_lossy().into_owned();
        let expected = std::fs::read_to_string(fixture.join("expected.toml")).expect("expected.toml");
        let expected: toml::Table = expected.parse().expect("TOML");
        let text = |key: &str| expected.get(key).and_then(toml::Value::as_str);
        let list = |key: &str| -> Vec<&str> {
            let array = expected.get(key).and_then(toml::Value::as_array);
            array.into_iter().flatten().filter_map(toml::Value::as_str).collect()
        };
        let folder = laid_out(&fixture);
        let survey = project::survey(folder.path()).expect("readable");
        let root = folder.path().join(text("root").expect("root"));
        // `.` is the repository itself.
        let root: PathBuf = root.components().collect();
        if survey.folders != [root.clone()] {
            wrong.push(format!("{name}: found {:?}", survey.folders));
            continue;
        }
        let request = Request { paths: survey.folders, apart: true, ..Request::default() };
        let project = project::gather(&request).expect("gathered");
        let part = project.parts.first().expect("a folder");
        let told = part.runner.map(|found| (found.runner.name, found.because));
        let meant = text("runner").map(|runner| (runner, text("because").expect("because")));
        if told != meant {
            wrong.push(format!("{name}: told {told:?}, not {meant:?}"));
        }
        let report = lint::lint(&part.migrations, &LintOptions::default());
        let unread = |code: &str| ["syntax_error", "statement_not_understood"].contains(&code);
        wrong.extend(
            report
                .findings
                .iter()
                .filter(|finding| unread(&finding.code))
                .map(|finding| format!("{name}: {}: {}", finding.code, finding.message)),
        );
        let found: Vec<String> = report
            .files
            .iter()
            .map(|file| {
                let path =
                    file.path.strip_prefix(&root).expect("inside").to_string_lossy().replace('\\', "/");
                let statements: Vec<&str> = file
                    .statements
                    .iter()
                    .map(|statement| match statement.in_transaction {
                        Some(true) => "in",
                        Some(false) => "out",
                        None => "unknown",
                    })
                    .collect();
                format!("{path} {}: {}", file.direction.as_str(), statements.join(" "))
            })
            .collect();
        let meant = list("migrations");
        if found != meant {
            wrong.push(format!("{name}: {found:#?}\nnot {meant:#?}"));
        }
        let notes: Vec<&String> = survey.notes.iter().chain(&project.notes).collect();
        for meant in list("notes") {
            if !notes.iter().any(|note| note.contains(meant)) {
                wrong.push(format!("{name}: no note `{meant}` among {notes:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
