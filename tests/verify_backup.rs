//! `verify-backup` through its public seam: intact dumps are silent, and each page's damage gives its code.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rollsafe::backup::archive::input::Gauge;
use rollsafe::backup::options::{Restore, VerifyArgs, VerifyOptions};
use rollsafe::backup::verify::{Report, Verdict, verify};
use rollsafe::finding::Severity;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dumps")
}

/// All dumps of the folder, files and directories.
fn dumps() -> Vec<PathBuf> {
    let mut dumps: Vec<PathBuf> = std::fs::read_dir(fixtures())
        .expect("the fixtures are there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(['1', '2'])))
        .collect();
    dumps.sort();
    assert!(dumps.len() >= 40, "{} dumps", dumps.len());
    dumps
}

fn options(dump: &Path) -> VerifyOptions {
    let args = VerifyArgs {
        dump: dump.to_owned(),
        min_size: Some(1),
        min_tables: Some(0),
        restore: Restore::Never,
        threads: Some(2),
        ..VerifyArgs::default()
    };
    args.options()
}

fn run(options: &VerifyOptions) -> Report {
    verify(options, &Arc::<Gauge>::default())
        .unwrap_or_else(|error| panic!("{}: {error}", options.dump.display()))
}

fn described(report: &Report) -> Vec<String> {
    report
        .findings
        .iter()
        .filter(|finding| finding.severity > Severity::Notice)
        .map(|finding| format!("{}: {}", finding.code, finding.message))
        .collect()
}

#[test]
fn intact_dumps_give_no_alarm() {
    for dump in dumps() {
        let name = dump.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let report = run(&options(&dump));
        let partial = ["schema-only", "data-only", "excluded", "one-table", "one-schema"]
            .iter()
            .any(|part| name.contains(part));
        let found = described(&report);
        if partial {
            assert!(
                found.iter().all(|finding| finding.starts_with("data_not_included")),
                "{name}: {found:#?}"
            );
            assert!(!found.is_empty(), "{name} is partial");
        } else {
            assert_eq!(found, Vec::<String>::new(), "{name}");
            assert_eq!(report.verdict, Verdict::Verified, "{name}");
        }
    }
}

/// The fixture `name` with one stretch of bytes replaced, and what is found in it.
fn altered(name: &str, find: &str, with: &str) -> (Report, Vec<String>) {
    let mut content = std::fs::read(fixtures().join(name)).expect("readable");
    let at =
        memchr::memmem::find(&content, find.as_bytes()).unwrap_or_else(|| panic!("{find:?} is in {name}"));
    content.splice(at..at + find.len(), with.bytes());
    let folder = tempfile::tempdir().expect("a folder");
    let dump = folder.path().join(name);
    std::fs::write(&dump, content).expect("written");
    let report = run(&options(&dump));
    let found = described(&report);
    (report, found)
}

#[test]
fn what_only_a_restore_would_have_seen_is_seen_without_one() {
    for (name, find, with, what) in [
        (
            "17.sql",
            "--\n-- PostgreSQL",
            "pg_dump: warning: circular\n--\n-- PostgreSQL",
            "messages of pg_dump",
        ),
        ("17.sql", "client_encoding = 'UTF8'", "client_encoding = 'UTF9'", "\"UTF9\""),
        ("17-custom-none.dump", "client_encoding = 'UTF8'", "client_encoding = 'UTF9'", "\"UTF9\""),
        ("17.sql", "COPY billing.orders_2025", "COPY billing.orders_2026", "fills billing.orders_2026"),
        (
            "17-custom-none.dump",
            "COPY billing.orders_2025",
            "COPY billing.orders_2026",
            "fills billing.orders_2026",
        ),
        (
            "15-inserts.sql",
            "INSERT INTO billing.orders_2025",
            "INSERT INTO billing.orders_2026",
            "an INSERT into billing.orders_2026",
        ),
    ] {
        let (report, found) = altered(name, find, with);
        assert_eq!(report.verdict, Verdict::Failed, "{name} {with}");
        assert!(found.iter().any(|it| it.contains(what)), "{name} {with}: {found:#?}");
    }
    // What follows the last large object takes nothing away from it.
    let (_, found) = altered("17-custom-none.dump", "PGDMP", "PGDMP");
    assert_eq!(found, Vec::<String>::new());
    let mut content = std::fs::read(fixtures().join("17-custom-none.dump")).expect("readable");
    content.push(0);
    let folder = tempfile::tempdir().expect("a folder");
    let dump = folder.path().join("longer.dump");
    std::fs::write(&dump, content).expect("written");
    let found = described(&run(&options(&dump)));
    assert!(found.len() == 1 && found[0].contains("1 bytes before the end of the file"), "{found:#?}");
}

#[test]
fn names_in_other_encodings_are_read_in_text_as_well() {
    let names = |name: &str| -> Vec<String> {
        run(&options(&fixtures().join(name))).evidence.tables.into_iter().map(|table| table.name).collect()
    };
    assert_eq!(names("17-LATIN1.sql"), names("17-LATIN1.dump"));
    assert!(names("17-LATIN1.sql").iter().any(|name| !name.is_ascii() && !name.contains('\u{fffd}')));
}

#[test]
fn two_backups_are_compared_table_by_table() {
    let with_previous = |dump: &str, previous: &Path| {
        let mut options = options(&fixtures().join(dump));
        options.previous = Some(previous.to_owned());
        verify(&options, &Arc::<Gauge>::default())
    };
    let before = fixtures().join("17-custom-none.dump");
    let report = with_previous("17-excluded-data.dump", &before).expect("it can be read");
    let found = described(&report);
    assert!(found.iter().any(|it| it.starts_with("rows_fewer_than_before")), "{found:#?}");
    let shown = rollsafe::backup::report::terminal(
        &report,
        rollsafe::backup::report::Look { color: false, tables: None },
    );
    assert!(shown.contains("      before "), "{shown}");
    // A text isn't as large as an archive of the same, which says nothing.
    let report = with_previous("17-custom-zstd.dump", &fixtures().join("17.sql")).expect("it can be read");
    assert_eq!(described(&report), Vec::<String>::new());
    assert!(report.evidence.notes.iter().any(|note| note.contains("sizes are not compared")));
    let folder = tempfile::tempdir().expect("a folder");
    let foreign = folder.path().join("shop.mysql");
    std::fs::write(&foreign, "-- MySQL dump 10.13\n").expect("written");
    let error =
        with_previous("17-custom-zstd.dump", Path::new("/nowhere/shop.dump")).expect_err("it isn't there");
    assert_eq!(
        error.to_string(),
        "the backup before, /nowhere/shop.dump: there is no file and no directory of that name"
    );
    assert!(error.hint().is_some_and(|hint| hint.contains("leave it out for the first backup")));
    let error = with_previous("17-custom-zstd.dump", &foreign).expect_err("it is no dump");
    assert!(error.to_string().contains("MySQL"), "{error}");
}

#[test]
fn a_table_that_must_hold_rows_may_be_named_without_public() {
    let mut options = options(&fixtures().join("17-custom-none.dump"));
    let line = VerifyArgs {
        not_empty: vec!["child".into(), "nowhere".into()],
        table: vec!["child".into()],
        ..VerifyArgs::default()
    };
    options.limits.not_empty = line.options().limits.not_empty;
    options.expected_tables = line.options().expected_tables;
    assert_eq!(
        described(&run(&options)),
        ["table_empty: public.nowhere isn't in the backup, and must hold rows"]
    );
}

/// The damage that a page describes.
#[derive(serde::Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Damage {
    fixture: String,
    action: String,
    /// The file of a directory dump, with one `*`.
    file: Option<String>,
    bytes: Option<toml::Value>,
    offset: Option<usize>,
    /// Where, as a share of the file's length.
    at: Option<f64>,
    bit: Option<u8>,
    find: Option<String>,
    with: Option<String>,
    text: Option<String>,
    skip: Option<usize>,
    #[serde(default)]
    options: Vec<String>,
    /// Codes that are meant to be there too.
    #[serde(default)]
    also: Vec<String>,
    #[serde(default)]
    severity: Option<String>,
}

impl Damage {
    fn of_page(page: &str) -> Option<Damage> {
        let start = page.find("```toml damage\n")? + "```toml damage\n".len();
        let end = start + page[start..].find("```").expect("the block ends");
        Some(
            toml::from_str(&page[start..end])
                .unwrap_or_else(|error| panic!("{error}\n{}", &page[start..end])),
        )
    }

    /// Copies the fixture and damages the copy.
    fn apply(&self, folder: &Path) -> PathBuf {
        let from = fixtures().join(&self.fixture);
        let to = folder.join(&self.fixture);
        copy(&from, &to);
        let target = match &self.file {
            None => to.clone(),
            Some(pattern) => {
                let (before, after) = pattern.split_once('*').expect("a pattern");
                let mut names: Vec<String> = std::fs::read_dir(&to)
                    .expect("a directory")
                    .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
                    .filter(|name| name.starts_with(before) && name.ends_with(after))
                    .collect();
                names.sort();
                to.join(names.first().expect("such a file"))
            }
        };
        let mut content = if target.is_file() { std::fs::read(&target).expect("readable") } else { vec![] };
        let number =
            || self.bytes.as_ref().and_then(toml::Value::as_integer).expect("a number of bytes") as usize;
        let list = || -> Vec<u8> {
            let list = self.bytes.as_ref().and_then(toml::Value::as_array).expect("bytes");
            list.iter().map(|byte| byte.as_integer().expect("a byte") as u8).collect()
        };
        let found = || {
            let needle = self.find.as_ref().expect("what to find").as_bytes();
            memchr::memmem::find(&content, needle)
                .unwrap_or_else(|| panic!("{:?} is in the fixture", self.find))
        };
        match self.action.as_str() {
            "none" => return to,
            "remove" => {
                std::fs::remove_file(&target).expect("removed");
                return to;
            }
            "keep" => content.truncate(number()),
            "cut" => content.truncate(content.len() - number()),
            "overwrite" => {
                let with = self.text.as_ref().map_or_else(list, |text| text.clone().into_bytes());
                let at = self.offset.expect("an offset");
                content[at..at + with.len()].copy_from_slice(&with);
            }
            "overwrite_at" => {
                let at = found() + self.skip.unwrap_or(0);
                let with = list();
                content[at..at + with.len()].copy_from_slice(&with);
            }
            "replace" => {
                let at = found();
                let (find, with) =
                    (self.find.clone().unwrap_or_default(), self.with.clone().expect("with what"));
                assert_eq!(find.len(), with.len(), "a damage doesn't change lengths");
                content[at..at + with.len()].copy_from_slice(with.as_bytes());
            }
            "flip" => {
                let at = (content.len() as f64 * self.at.expect("where")) as usize;
                content[at] ^= 1 << self.bit.expect("which bit");
            }
            other => panic!("unknown action {other}"),
        }
        std::fs::write(&target, content).expect("written");
        to
    }

    /// The options, with manifests made where they are named.
    fn options(&self, dump: &Path, folder: &Path) -> VerifyOptions {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: VerifyArgs,
        }
        let mut line = vec!["verify-backup".to_owned(), dump.display().to_string()];
        for set in [["--min-size", "1"], ["--min-tables", "0"], ["--restore", "never"]] {
            let given = |name: &str| self.options.iter().any(|option| option == name);
            if !(given(set[0]) || (set[0] == "--restore" && given("--free-space-factor"))) {
                line.extend(set.map(str::to_owned));
            }
        }
        for option in &self.options {
            line.push(match option.strip_prefix("manifest of ") {
                Some(fixture) => {
                    let manifest = folder.join("manifest.json");
                    let mut options = options(&fixtures().join(fixture));
                    options.write_manifest = Some(manifest.clone());
                    assert_eq!(run(&options).verdict, Verdict::Verified);
                    manifest.display().to_string()
                }
                None if option.starts_with("17-") => fixtures().join(option).display().to_string(),
                None => option.clone(),
            });
        }
        let line = <Line as clap::Parser>::try_parse_from(line).unwrap_or_else(|error| panic!("{error}"));
        line.args.options()
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        std::fs::create_dir(to).expect("created");
        for entry in std::fs::read_dir(from).expect("readable") {
            let entry = entry.expect("readable");
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
        }
    } else {
        std::fs::copy(from, to).expect("copied");
    }
}

/// Codes of the restore stage have no damage recipe: `tests/restore.rs` proves that stage on servers.
const OF_A_SERVER: &[&str] = &[
    "extension_unavailable",
    "restore_failed",
    "restored_rows_differ",
    "constraint_not_restored",
    "index_not_restored",
    "restore_too_slow",
];

#[test]
fn each_pages_damage_gives_its_code() {
    let mut without = vec![];
    let mut wrong = vec![];
    for rule in rollsafe::backup::rules::RULES {
        let Some(damage) = Damage::of_page(rule.page) else {
            without.push(rule.code);
            continue;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let dump = damage.apply(folder.path());
        let options = damage.options(&dump, folder.path());
        let report = run(&options);
        let mut codes: Vec<&str> = report
            .findings
            .iter()
            .filter(|finding| finding.severity > Severity::Notice || damage.severity.is_some())
            .map(|finding| finding.code.as_ref())
            .collect();
        codes.sort_unstable();
        codes.dedup();
        let mut wanted: Vec<&str> = damage.also.iter().map(String::as_str).chain([rule.code]).collect();
        wanted.sort_unstable();
        if codes != wanted {
            wrong.push(format!("{}: {codes:?} {:#?}", rule.code, described(&report)));
            continue;
        }
        // A finding about the surroundings says nothing against the dump; all others fail it.
        let surroundings = report.findings.iter().all(|finding| finding.severity < Severity::Error);
        assert_eq!(report.verdict == Verdict::Failed, !surroundings, "{}", rule.code);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    without.sort_unstable();
    let mut expected = OF_A_SERVER.to_vec();
    expected.sort_unstable();
    assert_eq!(without, expected);
}
