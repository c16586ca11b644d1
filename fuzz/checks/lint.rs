//! Any text as a project is linted and reported in every format without a panic, and tells places that are in its
//! files. A line of dashes ends a file; the letter behind it says what the next one is: history, a way back, a file in
//! a transaction.

use std::sync::Arc;

use rollsafe::migration::lint::{LintOptions, Severities, lint};
use rollsafe::migration::migration::{Direction, Migration};
use rollsafe::migration::rules::RuleOptions;
use rollsafe::place::Places;
use rollsafe::report::terminal::Style;
use rollsafe::report::{FORMATS, Linted, Report};

/// Panics where that doesn't hold.
pub fn check(text: &str) {
    let mut files: Vec<Migration> = Vec::new();
    let mut last_up = None;
    for (number, part) in text.split("\n---").enumerate() {
        let (letter, part) = match part.chars().next() {
            Some(letter) if number > 0 && letter.is_ascii_alphabetic() => (letter, &part[1..]),
            _ => ('u', part),
        };
        let mut file = Migration::whole(format!("{number}.sql").into(), Arc::from(part));
        file.runner_known = letter.is_ascii_lowercase();
        match letter.to_ascii_lowercase() {
            'h' => file.judged = false,
            'd' => {
                file.direction = Direction::Down;
                file.undoes = last_up;
            }
            't' => file.run.runner_transaction = true,
            'q' => file.run.one_query = true,
            'a' => file.run.one_transaction_for_all = true,
            'p' => file.run.psql = true,
            'r' => file.direction = Direction::Repeatable,
            _ => {}
        }
        if file.direction == Direction::Up {
            last_up = Some(files.len());
        }
        files.push(file);
    }
    let mut severities = Severities::default();
    severities.set("all", Some(rollsafe::finding::Severity::Notice));
    let version = 12 + (text.len() % 7) as u16;
    let rules = RuleOptions { version, ..RuleOptions::default() };
    let report = lint(&files, &LintOptions { rules, severities, ..LintOptions::default() });
    for finding in &report.findings {
        let (Some(path), Some(place)) = (&finding.path, &finding.span) else { continue };
        let Some(file) = files.iter().find(|file| *file.path == **path) else {
            panic!("{path:?} is no file")
        };
        assert!(file.text.get(place.start as usize..place.end as usize).is_some(), "{place:?}");
    }
    let sources = files.iter().map(|file| (file.path.clone(), file.text.clone())).collect();
    let told = Report {
        command: "lint",
        findings: &report.findings,
        suppressed: &report.suppressed,
        sources: &sources,
        fails_from: None,
        documents: &|_| None,
        places: &Places::default(),
        lint: Some(Linted { report: &report, postgres_version: version, runner: None }),
    };
    for format in FORMATS {
        format.text(&told, Style { color: false, unicode: true, width: 100 });
    }
}
