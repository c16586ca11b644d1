//! What each format writes for one small change, as snapshots (`INSTA_UPDATE=always cargo test --test formats`), and that
//! hostile text stays text.

use std::borrow::Cow;
use std::path::PathBuf;

use rollsafe::finding::Severity;
use rollsafe::migration::lint::{self, LintOptions, LintReport};
use rollsafe::migration::migration::Migration;
use rollsafe::place::Places;
use rollsafe::report::terminal::Style;
use rollsafe::report::{self, Document, FORMATS, Linted, Report, Sources};

const HISTORY: &str = "CREATE TABLE orders (id bigint PRIMARY KEY, note varchar(50), status text);\n\
    CREATE TABLE \"Ünsere | Kunden\" (id bigint PRIMARY KEY);\n";

const CHANGE: &str = "-- A comment — with a dash.\n\
    ALTER TABLE orders DROP COLUMN note;\n\
    CREATE INDEX orders_status_idx ON orders (status);\n\
    ALTER TABLE \"Ünsere | Kunden\" ALTER COLUMN id TYPE text; -- rollsafe: ignore locking, compatibility -- at night\n\
    ALTER TABLE orders FROBNICATE;\n\
    CREATE TABLE quiet (id bigint PRIMARY KEY);\n";

fn with<T>(change: &str, ask: impl FnOnce(&Report<'_>) -> T) -> T {
    let mut history = Migration::whole("db/migrations/001.sql".into(), HISTORY.into());
    history.judged = false;
    let judged = Migration::whole("db/migrations/002 \"change\".sql".into(), change.into());
    let sources: Sources = [(judged.path.clone(), judged.source.clone())].into();
    let found = lint::lint(&[history, judged], &LintOptions::default());
    let document = |code: &str| {
        let finding = found.findings.iter().find(|finding| finding.code == code)?;
        Some(Document {
            code: &finding.code,
            summary: "In one line",
            category: finding.category,
            severity: Some(finding.severity),
            since: "0.1.0",
            prose: Cow::Borrowed("# code\n\n## Why\nBecause.\n\n## Good\n```sql\nSELECT 1;\n```\n"),
        })
    };
    let places = Places { here: PathBuf::from("/repo"), root: PathBuf::from("/repo") };
    ask(&Report {
        command: "lint",
        findings: &found.findings,
        suppressed: &found.suppressed,
        sources: &sources,
        fails_from: Some(Severity::Error),
        documents: &document,
        places: &places,
        lint: Some(Linted { report: &found, postgres_version: 17, runner: Some("flyway") }),
    })
}

const STYLE: Style = Style { color: false, unicode: true, width: 80 };

fn written(change: &str, format: &str) -> String {
    let format = report::format(format).expect("it is in the list");
    with(change, |report| format.text(report, STYLE)).replace(env!("CARGO_PKG_VERSION"), "[VERSION]")
}

#[test]
fn each_format_of_a_small_change() {
    for format in FORMATS {
        insta::assert_snapshot!(format.name, written(CHANGE, format.name));
    }
}

#[test]
fn each_format_where_nothing_is_found() {
    for format in FORMATS.iter().filter(|format| format.name != "json") {
        let name = format!("nothing_{}", format.name);
        insta::assert_snapshot!(name, written("CREATE TABLE quiet (id bigint PRIMARY KEY);\n", format.name));
    }
}

#[test]
fn json_formats_are_json_and_count_the_same() {
    let findings = with(CHANGE, |report| report.findings.len());
    assert!(findings > 2, "the change has findings");
    let read =
        |format| -> serde_json::Value { serde_json::from_str(&written(CHANGE, format)).expect(format) };
    assert_eq!(read("gitlab").as_array().unwrap().len(), findings);
    assert_eq!(read("rdjson")["diagnostics"].as_array().unwrap().len(), findings);
    assert_eq!(read("json")["findings"].as_array().unwrap().len(), findings);
    let sarif = read("sarif");
    let results = sarif["runs"][0]["results"].as_array().unwrap().clone();
    let open = results.iter().filter(|result| result.get("suppressions").is_none()).count();
    assert_eq!(open, findings);
    assert!(results.len() > open, "what is suppressed is told as such");
    for result in &results {
        let rule =
            &sarif["runs"][0]["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
    }
}

#[test]
fn what_the_sql_says_stays_text() {
    let hostile =
        "CREATE INDEX \"</details>]]>&'|\n::error::x\u{1}@all `a` ```b``` <script>\" ON orders (status);\n";
    for format in FORMATS {
        let text = written(hostile, format.name);
        match format.name {
            "json" | "sarif" | "gitlab" | "rdjson" => {
                serde_json::from_str::<serde_json::Value>(&text).expect(format.name);
            }
            "junit" | "checkstyle" => {
                let mut reader = quick_xml::Reader::from_str(&text);
                while !matches!(reader.read_event().expect(format.name), quick_xml::events::Event::Eof) {}
                assert!(!text.contains('\u{1}'), "XML can't hold control characters");
            }
            "github" => {
                let commands = text.lines().filter(|line| line.starts_with("::")).count();
                assert_eq!(commands, with(hostile, |report| report.findings.len()), "{text}");
            }
            "markdown" => {
                let bare = without_code(&text);
                assert_eq!(bare.matches("<details").count(), bare.matches("</details>").count(), "{bare}");
                assert!(!bare.contains("<script>") && !bare.contains("@all"), "{bare}");
            }
            _ => {}
        }
    }
}

/// Markdown without fenced blocks and code spans.
fn without_code(text: &str) -> String {
    let mut out = String::new();
    let mut fence: Option<&str> = None;
    for line in text.lines() {
        let ticks = &line[..line.len() - line.trim_start_matches('`').len()];
        match fence {
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => {
                let mut rest = line;
                while let Some(at) = rest.find('`') {
                    if at > 0 && rest.as_bytes()[at - 1] == b'\\' {
                        out.push_str(&rest[..=at]);
                        rest = &rest[at + 1..];
                        continue;
                    }
                    out.push_str(&rest[..at]);
                    let open = &rest[at..];
                    let run = &open[..open.len() - open.trim_start_matches('`').len()];
                    let after = &open[run.len()..];
                    rest = after.find(run).map_or("", |end| &after[end + run.len()..]);
                }
                out.push_str(rest);
                out.push('\n');
            }
        }
    }
    out
}

fn marks(history: &[&str], change: &str) -> Vec<(String, String)> {
    let mut migrations: Vec<Migration> = history
        .iter()
        .enumerate()
        .map(|(at, text)| Migration::whole(format!("{at}.sql").into(), (*text).into()))
        .collect();
    migrations.iter_mut().for_each(|migration| migration.judged = false);
    let judged = Migration::whole("change.sql".into(), change.into());
    let sources: Sources = [(judged.path.clone(), judged.source.clone())].into();
    migrations.push(judged);
    let found: LintReport = lint::lint(&migrations, &LintOptions::default());
    let marks = report::fingerprint::fingerprints(&found.findings, &sources, Some(&found));
    let mut marks: Vec<(String, String)> = found
        .findings
        .iter()
        .map(|finding| finding.code.to_string())
        .zip(marks.iter().map(ToString::to_string))
        .collect();
    marks.sort();
    marks
}

#[test]
fn fingerprints_survive_what_changes_nothing() {
    let tables = "CREATE TABLE a (id bigint PRIMARY KEY, x int, y int); CREATE TABLE b (id bigint PRIMARY KEY, x int);";
    let first = "SET lock_timeout = '1s';\nALTER TABLE a DROP COLUMN x;\nALTER TABLE b DROP COLUMN x;\n";
    let before = marks(&[tables], first);
    assert!(before.len() >= 2, "{before:?}");
    let unlike: std::collections::HashSet<&String> = before.iter().map(|(_, mark)| mark).collect();
    assert_eq!(unlike.len(), before.len(), "each is its own: {before:?}");
    for (what, text) in [
        (
            "moved lines",
            "\n\n-- why\n\nSET lock_timeout = '1s';\nALTER TABLE a DROP COLUMN x;\nALTER TABLE b DROP COLUMN x;\n",
        ),
        (
            "other places",
            "SET lock_timeout = '1s';\nALTER TABLE b DROP COLUMN x;\nALTER TABLE a DROP COLUMN x;\n",
        ),
        (
            "other layout",
            "SET lock_timeout = '1s';\nALTER TABLE a\n  DROP   COLUMN x /* gone */;\nALTER TABLE b DROP COLUMN x;\n",
        ),
        (
            "a statement between",
            "SET lock_timeout = '1s';\nALTER TABLE a DROP COLUMN x;\nCREATE TABLE c (id bigint PRIMARY KEY);\nALTER TABLE b DROP COLUMN x;\n",
        ),
    ] {
        assert_eq!(marks(&[tables], text), before, "{what}");
    }
    assert_ne!(
        marks(
            &[tables],
            "SET lock_timeout = '1s';\nALTER TABLE a DROP COLUMN y;\nALTER TABLE b DROP COLUMN x;\n"
        ),
        before,
        "another column is another finding"
    );
}

#[test]
fn comments_stay_below_what_github_takes() {
    let many: String = (0..3000).map(|at| format!("DROP TABLE t{at};\n")).collect();
    let text = written(&many, "markdown");
    assert!(text.chars().count() < 65_536, "{}", text.len());
    assert!(text.contains("left out here"), "what is left out is said");
    let annotations = written(&many, "github");
    assert_eq!(annotations.lines().filter(|line| line.starts_with("::error ")).count(), 10);
    assert!(annotations.contains("in the log and the step summary only"));
}
