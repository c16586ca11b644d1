//! The invariants of the architecture: who may print, who may name which crate, who knows whom.

use std::path::{Path, PathBuf};

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).expect("src is readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).expect("readable");
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.sort();
    assert!(found.len() > 20, "sources are found");
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string()
}

/// The code of a file: comments and the test module at its end left out.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or("");
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// Files outside `allowed` whose code holds one of `words`.
fn offenders(words: &[&str], allowed: &[&str]) -> Vec<String> {
    sources()
        .iter()
        .filter(|(path, _)| !allowed.iter().any(|part| shown(path).starts_with(part)))
        .flat_map(|(path, text)| {
            let code = code(text);
            words
                .iter()
                .filter(|word| code.contains(**word))
                .map(|word| format!("{}: {word}", shown(path)))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn only_the_binary_prints() {
    let words = ["println!", "eprintln!", "print!(", "eprint!(", "dbg!("];
    assert_eq!(offenders(&words, &["src/main.rs"]), Vec::<String>::new());
}

#[test]
fn one_place_names_miette() {
    assert_eq!(offenders(&["miette::", "use miette"], &["src/report/terminal.rs"]), Vec::<String>::new());
}

#[test]
fn one_place_names_the_sql_parser() {
    assert_eq!(offenders(&["sqlparser::", "use sqlparser"], &["src/migration/parse/"]), Vec::<String>::new());
}

#[test]
fn only_postgres_and_git_start_processes() {
    assert_eq!(
        offenders(&["process::Command", "Command::new("], &["src/postgres/", "src/git.rs"]),
        Vec::<String>::new()
    );
}

#[test]
fn migration_and_backup_do_not_know_each_other() {
    // The parts that join them are above both: a rehearsal, a gate.
    let inside = |folder: &str, word: &str| -> Vec<String> {
        offenders(&[word], &[]).into_iter().filter(|line| line.starts_with(folder)).collect()
    };
    assert_eq!(inside("src/migration/", "crate::backup"), Vec::<String>::new());
    assert_eq!(inside("src/backup/", "crate::migration"), Vec::<String>::new());
    for word in ["crate::rehearsal", "crate::gate"] {
        assert_eq!(inside("src/migration/", word), Vec::<String>::new());
        assert_eq!(inside("src/backup/", word), Vec::<String>::new());
    }
}

#[test]
fn rules_do_no_input_or_output() {
    let words = ["std::fs", "std::io", "std::net", "std::env", "std::process", "std::time"];
    let found: Vec<String> = offenders(&words, &[])
        .into_iter()
        .filter(|line| {
            ["src/migration/rules/", "src/backup/rules/", "src/rehearsal/rules/"]
                .iter()
                .any(|folder| line.starts_with(folder))
        })
        .collect();
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> =
        sources().iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| shown(path)).collect();
    assert_eq!(silent, Vec::<String>::new());
}
