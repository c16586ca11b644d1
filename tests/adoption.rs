//! Adopting rollsafe in an old repository: the baseline, patterns of paths, and what is excluded.

mod program;

use std::path::Path;
use std::process::Output;

const ORDERS: &str = "CREATE TABLE orders (id bigint PRIMARY KEY, note text, status text);\n";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    files.iter().for_each(|(name, text)| write(folder.path(), name, text));
    folder
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().expect("in a folder")).expect("made");
    std::fs::write(path, text).expect("written");
}

fn rollsafe(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = program::alone(env!("CARGO_BIN_EXE_rollsafe"));
    command.current_dir(folder).args(arguments).output().expect("it runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn codes(folder: &Path, arguments: &[&str]) -> Vec<String> {
    let mut all = vec!["lint", "--format", "json"];
    all.extend(arguments);
    let output = rollsafe(folder, &all);
    let value: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    let name = |finding: &serde_json::Value| {
        format!("{} {}", finding["path"].as_str().unwrap_or(""), finding["code"].as_str().unwrap_or(""))
    };
    value["findings"].as_array().expect("a list").iter().map(name).collect()
}

#[test]
fn a_baseline_holds_back_what_was_there() {
    let folder = folder(&[
        ("db/migrations/V1__orders.sql", ORDERS),
        ("db/migrations/V2__drop.sql", "SET lock_timeout = '1s';\nALTER TABLE orders DROP COLUMN note;\n"),
    ]);
    let root = folder.path();
    assert_eq!(rollsafe(root, &["lint", "--all"]).status.code(), Some(1));
    let written = rollsafe(root, &["lint", "--write-baseline", "known.json"]);
    assert_eq!(written.status.code(), Some(0), "{}", said(&written));
    assert!(said(&written).contains("to known.json"), "{}", said(&written));
    let first = std::fs::read_to_string(root.join("known.json")).unwrap();
    write(root, "rollsafe.toml", "[lint]\nbaseline = \"known.json\"\n");
    // From a folder below, too.
    let output = rollsafe(&root.join("db"), &["lint", "--all"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("suppressed"), "{}", said(&output));

    // Lines move, a comment comes, another statement comes before: only the new one is told.
    write(
        root,
        "db/migrations/V2__drop.sql",
        "-- moved\n\nSET lock_timeout = '1s';\nALTER TABLE orders DROP COLUMN status;\nALTER TABLE orders\n  DROP COLUMN note;\n",
    );
    let found = codes(root, &["--all"]);
    assert!(found.iter().any(|one| one.ends_with(" drop_column")), "{found:?}");
    let output = said(&rollsafe(root, &["lint", "--all"]));
    assert!(output.contains("orders.status") && !output.contains("orders.note goes"), "{output}");

    // What is mended is told as an entry that does nothing any more, and writing again takes it out.
    write(root, "db/migrations/V2__drop.sql", "SELECT 1;\n");
    let found = codes(root, &["--all"]);
    assert_eq!(found, ["known.json suppression_unused"]);
    // Only what was judged can be stale.
    assert_eq!(codes(root, &["db/migrations/V1__orders.sql"]), Vec::<String>::new());
    rollsafe(root, &["lint", "--write-baseline", "known.json"]);
    let second = std::fs::read_to_string(root.join("known.json")).unwrap();
    assert!(first.contains("drop_column") && !second.contains("drop_column"), "{first}{second}");
}

#[test]
fn entries_of_files_that_were_not_judged_stay_and_files_may_be_renamed() {
    let folder = folder(&[
        ("db/migrations/V1__orders.sql", ORDERS),
        ("db/migrations/V2__a.sql", "ALTER TABLE orders DROP COLUMN note;\n"),
        ("db/migrations/V3__b.sql", "ALTER TABLE orders DROP COLUMN status;\n"),
    ]);
    let root = folder.path();
    rollsafe(root, &["lint", "--write-baseline", "known.json"]);
    let whole = std::fs::read_to_string(root.join("known.json")).unwrap();
    rollsafe(root, &["lint", "--write-baseline", "known.json", "db/migrations/V3__b.sql"]);
    assert_eq!(std::fs::read_to_string(root.join("known.json")).unwrap(), whole);
    std::fs::rename(root.join("db/migrations/V3__b.sql"), root.join("db/migrations/V4__b.sql")).unwrap();
    assert_eq!(codes(root, &["--all", "--baseline", "known.json"]), Vec::<String>::new());
}

#[test]
fn what_is_no_baseline_is_refused() {
    let folder = folder(&[("db/migrations/V1__orders.sql", ORDERS), ("other.json", "{\"a\": 1}")]);
    for (arguments, expected) in [
        (&["lint", "--all", "--baseline", "none.json"][..], "--write-baseline none.json"),
        (&["lint", "--all", "--baseline", "other.json"], "is no baseline"),
        (&["lint", "--all", "--write-baseline", "other.json"], "is no baseline"),
        (&["lint", "--all", "--write-baseline", "no/where.json"], "doesn't exist"),
    ] {
        let output = rollsafe(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(expected), "{}", said(&output));
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("other.json")).unwrap(), "{\"a\": 1}");
}

#[test]
fn patterns_count_from_the_configuration_wherever_one_stands() {
    let drop = "ALTER TABLE orders DROP COLUMN note;\n";
    let folder = folder(&[
        ("db/migrations/V1__orders.sql", ORDERS),
        ("db/migrations/V2__a.sql", drop),
        ("db/migrations/V3__keep.sql", "ALTER TABLE orders DROP COLUMN status;\n"),
        (
            "rollsafe.toml",
            "[lint]\nignore = [\"lock_timeout_missing\"]\n\n[[lint.overrides]]\npaths = [\"db/migrations/*\"]\n\
             exclude = [\"*__keep.sql\"]\nrules = { drop_column = \"off\" }\n",
        ),
    ]);
    let root = folder.path();
    for (from, arguments) in [("", &["--all"][..]), ("db/migrations", &["--all"]), ("db", &["migrations"])] {
        let found = codes(&root.join(from), arguments);
        assert!(
            found.len() == 1 && found[0].ends_with("V3__keep.sql drop_column"),
            "from {from:?}: {found:?}"
        );
    }
    write(
        root,
        "rollsafe.toml",
        "[lint]\nignore = [\"lock_timeout_missing\"]\nexclude = [\"V3*\", \"/db/migrations/V2__a.sql\"]\n",
    );
    assert_eq!(codes(root, &["--all"]), Vec::<String>::new());
    let output = rollsafe(&root.join("db"), &["lint", "--all"]);
    assert!(said(&output).contains("2 migrations excluded by lint.exclude"), "{}", said(&output));
    write(root, "rollsafe.toml", "[lint]\nexclude = [\"a{\"]\n");
    let output = rollsafe(root, &["lint", "--all"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("lint.exclude"), "{}", said(&output));
}

#[test]
fn what_another_folder_makes_may_be_there() {
    let folder = folder(&[
        ("db/migrations/V1__orders.sql", ORDERS),
        (
            "db/migrations/V2__networks.sql",
            "SET lock_timeout = '1s';\nDROP TABLE networks;\nALTER TABLE netwroks ADD COLUMN note text;\n",
        ),
        ("lib/tenants/migrations/V1__networks.sql", "CREATE TABLE networks (id bigint PRIMARY KEY);\n"),
        ("lib/tenants/migrations/V2__orders.sql", ORDERS),
    ]);
    let path = "db/migrations/V2__networks.sql";
    let expected = [format!("{path} drop_table"), format!("{path} relation_missing")];
    assert_eq!(codes(folder.path(), &[path]), expected);
    std::fs::remove_dir_all(folder.path().join("lib")).expect("removed");
    let missing = format!("{path} relation_missing");
    assert_eq!(codes(folder.path(), &[path]), [missing.clone(), missing]);
}

#[test]
fn without_a_repository_the_manifest_in_the_working_directory_tells_the_tool() {
    let folder = folder(&[
        ("go.mod", "module shop\n\nrequire github.com/golang-migrate/migrate/v4 v4.18.1\n"),
        ("db/migrations/1_orders.up.sql", ORDERS),
        ("db/migrations/1_orders.down.sql", "DROP TABLE orders;\n"),
    ]);
    for what in ["--all", "db/migrations"] {
        let output = rollsafe(folder.path(), &["lint", "--format", "json", what]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(report["runner"], "golang-migrate", "{what}: {}", said(&output));
    }
}

#[test]
fn a_history_is_judged_run_by_run_where_the_tool_takes_all_that_is_pending_in_one_transaction() {
    let journal: Vec<String> = (0..22)
        .map(|n| format!(r#"{{"idx": {n}, "when": {n}, "tag": "{n:04}_m", "breakpoints": true}}"#))
        .collect();
    let journal =
        format!(r#"{{"version": "7", "dialect": "postgresql", "entries": [{}]}}"#, journal.join(", "));
    let mut files = vec![("drizzle/meta/_journal.json".to_owned(), journal)];
    files.push(("drizzle/0000_m.sql".to_owned(), ORDERS.to_owned()));
    files.extend((1..21).map(|n| (format!("drizzle/{n:04}_m.sql"), "SELECT 1;\n".to_owned())));
    files.push(("drizzle/0021_m.sql".to_owned(), "DROP TABLE orders;\n".to_owned()));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let all = codes(folder(&files).path(), &["--all"]);
    assert!(all.contains(&"drizzle/0021_m.sql drop_table".to_owned()), "{all:?}");
    // Few enough to go out together are one run, on an empty database.
    let few: Vec<(&str, &str)> = files.iter().copied().filter(|(name, _)| !name.contains("/000")).collect();
    let last = codes(
        folder(
            &[&few[..], &[("drizzle/0009_m.sql", ORDERS), ("drizzle/meta/_journal.json", files[0].1)]]
                .concat(),
        )
        .path(),
        &["--all"],
    );
    assert!(!last.contains(&"drizzle/0021_m.sql drop_table".to_owned()), "{last:?}");
}
