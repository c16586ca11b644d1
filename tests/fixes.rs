//! Fixes: what they make of the pages' bad examples lints clean and builds the same schema on a server, and the command
//! writes files as people expect.

mod program;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rollsafe::finding::{Applicability, Finding, Severity};
use rollsafe::migration::fix::{Mended, mend};
use rollsafe::migration::lint::{LintOptions, lint};
use rollsafe::migration::migration::Migration;
use rollsafe::migration::parse::parse;
use rollsafe::migration::rules::RULES;
use rollsafe::pages;
use rollsafe::postgres::cluster::{NewDatabase, Options, SUPERUSER, ScratchCluster};

/// A bad block of a page, with the setup before it.
struct Example {
    code: String,
    line: usize,
    words: Vec<String>,
    setup: String,
    sql: String,
}

impl Example {
    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|w| w == word)
    }

    fn version(&self) -> u16 {
        self.words.iter().find_map(|word| word.strip_prefix("pg=")?.parse().ok()).unwrap_or(18)
    }

    fn place(&self) -> String {
        format!("rules/migration/{}.md:{} ({})", self.code, self.line, self.words.join(" "))
    }

    /// What linting it gives, with other texts for its files.
    fn findings(&self, texts: &HashMap<PathBuf, Vec<u8>>) -> Vec<Finding> {
        let mut migrations = Vec::new();
        let history = if self.has("alone") { &[][..] } else { &["", self.setup.as_str()] };
        for (at, sql) in history.iter().copied().enumerate() {
            let mut history = Migration::whole(format!("0_setup{at}.sql").into(), sql.into());
            history.judged = false;
            history.runner_known = true;
            migrations.push(history);
        }
        for (path, text) in self.files() {
            let text = texts.get(&path).map_or(text, |text| String::from_utf8(text.clone()).expect("UTF-8"));
            let mut change = Migration::whole(path, text.into());
            change.runner_known = !self.has("unknown");
            change.run.runner_transaction = self.has("tx") || self.has("together");
            change.run.one_transaction_for_all = self.has("together");
            change.run.one_query = self.has("onequery");
            migrations.push(change);
        }
        let mut options = LintOptions::default();
        options.rules.version = self.version();
        if RULES.iter().any(|rule| {
            rule.code == self.code && pages::facts(rule.page).is_some_and(|f| f.severity.is_none())
        }) {
            options.severities.set(&self.code, Some(Severity::Warning));
        }
        lint(&migrations, &options).findings
    }

    fn files(&self) -> Vec<(PathBuf, String)> {
        let guard =
            if self.has("bare") { "" } else { "SET lock_timeout = '2s'; SET statement_timeout = '1h';\n" };
        self.sql
            .split("-- next file\n")
            .enumerate()
            .map(|(at, part)| (PathBuf::from(format!("{}_change.sql", at + 1)), format!("{guard}{part}")))
            .collect()
    }

    fn mended(&self) -> Mended {
        let files: HashMap<PathBuf, String> = self.files().into_iter().collect();
        mend::<String>(
            |texts| Ok(self.findings(texts)),
            |path| Ok(files[path].clone().into_bytes()),
            |_| true,
            true,
        )
        .expect("nothing can fail")
    }
}

/// Every bad block that one can lint by itself.
fn examples() -> Vec<Example> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/migration");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("rules/migration is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let code = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let page = std::fs::read_to_string(&path).expect("readable");
        let mut setup = String::new();
        let mut lines = page.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let Some(info) = line.trim_start().strip_prefix("```sql ") else { continue };
            let words: Vec<String> = info.split_whitespace().map(str::to_owned).collect();
            let sql: String = lines
                .by_ref()
                .map(|(_, line)| line)
                .take_while(|line| line.trim() != "```")
                .map(|line| format!("{line}\n"))
                .collect();
            let has = |word: &str| words.iter().any(|w| w == word);
            if has("setup") {
                setup = sql;
            } else if has("bad")
                && !["downs", "edited", "twice", "early"].iter().any(|word| has(word))
                && !sql.contains("-- the way back\n")
            {
                let setup = if has("alone") { String::new() } else { setup.clone() };
                found.push(Example { code: code.clone(), line: number + 1, words, setup, sql });
            }
        }
    }
    found
}

fn codes(findings: &[Finding]) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for finding in findings {
        *counted.entry(finding.code.to_string()).or_default() += 1;
    }
    counted
}

/// Codes that a fix is known to bring, and why that is right.
fn comes_with(code: &str, new: &str) -> bool {
    // An index that is built CONCURRENTLY can be left invalid, which an earlier statement of the file then stands in the
    // way of trying again. The finding says what to split.
    new == "not_rerunnable" && code != "not_rerunnable"
}

#[test]
fn what_fixes_make_of_the_bad_examples_lints_clean() {
    let mut wrong = Vec::new();
    let mut fixed = BTreeMap::<String, usize>::new();
    for example in examples() {
        let before = example.findings(&HashMap::new());
        let offered: BTreeSet<&str> =
            before.iter().filter(|f| f.fix.is_some()).map(|f| f.code.as_ref()).collect();
        if offered.is_empty() {
            continue;
        }
        let mended = example.mended();
        let texts = mended.files.iter().map(|(path, file)| (path.clone(), file.after.clone())).collect();
        let after = example.findings(&texts);
        let shown: String =
            mended.files.values().map(|file| String::from_utf8_lossy(&file.after).into_owned()).collect();
        for code in &offered {
            let without = before.iter().filter(|f| f.code == *code && f.fix.is_none()).count();
            let left = after.iter().filter(|f| f.code == *code).count();
            if left > without {
                wrong.push(format!("{}: {code} is still there in\n{shown}", example.place()));
            }
            *fixed.entry((*code).to_owned()).or_default() += 1;
        }
        let (old, new) = (codes(&before), codes(&after));
        for code in new.keys().filter(|code| !old.contains_key(*code)) {
            if !comes_with(&example.code, code) {
                wrong.push(format!("{}: {code} has come with\n{shown}", example.place()));
            }
        }
        if !mended.taken_back.is_empty() {
            wrong.push(format!("{}: taken back: {:?}", example.place(), mended.taken_back));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let missing: Vec<&&str> = MENDED.iter().filter(|code| !fixed.contains_key(**code)).collect();
    assert!(missing.is_empty(), "no example shows a fix of {missing:?}; fixed: {fixed:?}");
}

/// Codes with a fix: each has an example that shows it.
const MENDED: &[&str] = &[
    "create_index_blocks_writes",
    "drop_index_blocks",
    "reindex_blocks",
    "detach_partition_blocks",
    "add_foreign_key_validates",
    "add_check_validates",
    "add_unique_builds_index",
    "set_not_null_scans",
    "lock_timeout_missing",
    "invalid_index_hidden",
    "missing_if_exists",
    "constraint_not_named",
    "serial_column",
    "json_column",
    "timestamp_without_time_zone",
];

/// The schema as its catalogs show it: columns, constraints and indexes with their validity.
const SCHEMA: &str = "
    SELECT concat_ws(' ', 'column', c.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                     a.attidentity, pg_get_expr(d.adbin, d.adrelid)) AS line
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
    UNION ALL
    SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated)
      FROM pg_constraint WHERE connamespace::regnamespace::text !~ '^(pg_|information_schema)'
    UNION ALL
    SELECT concat_ws(' ', 'index', pg_get_indexdef(indexrelid), indisvalid, indisprimary, indisunique)
      FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
     WHERE c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
    UNION ALL
    SELECT concat_ws(' ', 'relation', c.oid::regclass, c.relkind, c.relpersistence, c.relispartition)
      FROM pg_class c WHERE c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)' AND c.relkind <> 'S'
     ORDER BY line";

/// Runs SQL statement by statement, as psql would, in a new database; gives the schema, or what failed.
fn build(server: &ScratchCluster, name: &str, parts: &[&str]) -> Result<Vec<String>, String> {
    server.create_database(&NewDatabase { name, ..NewDatabase::default() }).map_err(|e| e.to_string())?;
    let mut client = server.connect(SUPERUSER, name).map_err(|e| e.to_string())?;
    let mut run = || {
        for part in parts {
            for statement in parse(part, 0..part.len()).statements {
                let sql = statement.span.of(part);
                client.batch_execute(sql).map_err(|e| {
                    let message = e.as_db_error().map_or_else(|| e.to_string(), |e| e.message().to_owned());
                    format!("{message}: {sql}")
                })?;
            }
        }
        let rows =
            client.query(SCHEMA, &[]).map_err(|e| format!("reading the schema: {:?}", e.as_db_error()))?;
        Ok(rows.iter().map(|row| row.get::<_, String>(0)).collect())
    };
    let built = run();
    drop(client);
    let mut admin = server.connect(SUPERUSER, "postgres").map_err(|e| e.to_string())?;
    admin.batch_execute(&format!("DROP DATABASE \"{name}\" WITH (FORCE)")).map_err(|e| e.to_string())?;
    built
}

#[test]
fn fixed_examples_build_the_same_schema() {
    let server =
        ScratchCluster::start(&Options::default()).unwrap_or_else(|error| panic!("no server: {error}"));
    let version = server.version().major();
    let (mut compared, mut changed, mut wrong, mut not_here) = (0, 0, Vec::new(), Vec::new());
    for example in examples() {
        let since = example.words.iter().find_map(|w| w.strip_prefix("pg=")?.parse().ok()).unwrap_or(12);
        // What is written for 18 may not run on the server that is here.
        let example = match example.version() {
            18 if version < 18 && since <= version => {
                let mut words = example.words;
                words.push(format!("pg={version}"));
                Example { words, ..example }
            }
            _ => example,
        };
        if since > version || example.has("tx") || example.has("together") {
            continue;
        }
        let mended = example.mended();
        if mended.files.is_empty() {
            continue;
        }
        let files = example.files();
        let before: Vec<&str> = std::iter::once(example.setup.as_str())
            .chain(files.iter().map(|(_, text)| text.as_str()))
            .collect();
        let fixed: Vec<String> = files
            .iter()
            .map(|(path, text)| {
                mended
                    .files
                    .get(path)
                    .map_or(text.clone(), |f| String::from_utf8(f.after.clone()).expect("UTF-8"))
            })
            .collect();
        let after: Vec<&str> =
            std::iter::once(example.setup.as_str()).chain(fixed.iter().map(String::as_str)).collect();
        // What can't run here as it was (an extension, a role) can't be compared.
        let as_was = match build(&server, "as_was", &before) {
            Ok(as_was) => as_was,
            Err(error) => {
                not_here.push(format!("{}: {error}", example.place()));
                continue;
            }
        };
        compared += 1;
        match build(&server, "as_fixed", &after) {
            Ok(as_fixed) if as_fixed == as_was => {}
            // An unsafe fix may change the schema, and says so.
            Ok(_) if mended.applied.iter().any(|one| one.applicability == Applicability::Unsafe) => {
                changed += 1
            }
            Ok(as_fixed) => {
                let old: Vec<&String> = as_was.iter().filter(|line| !as_fixed.contains(line)).collect();
                let new: Vec<&String> = as_fixed.iter().filter(|line| !as_was.contains(line)).collect();
                wrong.push(format!(
                    "{}: {old:#?} became {new:#?} with\n{}",
                    example.place(),
                    fixed.join("\n")
                ));
            }
            Err(error) => wrong.push(format!("{}: {error}; of\n{}", example.place(), fixed.join("\n"))),
        }
    }
    server.stop().expect("stopped");
    assert!(wrong.is_empty(), "{} of {compared} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(changed * 2 < compared, "{changed} of {compared} changed the schema");
    assert!(compared >= 25, "only {compared} examples were compared; not: {not_here:#?}");
}

/// A folder of migrations and the program run in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a folder"));
        for (name, text) in files {
            let path = folder.0.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        folder
    }

    fn run(&self, arguments: &[&str]) -> Output {
        program::alone(env!("CARGO_BIN_EXE_rollsafe"))
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .expect("the program runs")
    }

    fn git(&self, arguments: &[&str]) {
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8(std::fs::read(self.0.path().join(name)).expect("readable")).expect("UTF-8")
    }
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

const TABLE: &str = "CREATE TABLE orders (id bigint PRIMARY KEY, total bigint, note text);\n";

/// What a file becomes, or why it stays.
type Becomes<'a> = Result<String, &'a str>;

/// (runner, first file, its head, the change's file, its text, what it becomes with --unsafe-fixes; `None`: it stays, and
/// this is told).
#[test]
fn each_tool_gets_the_switch_that_it_reads() {
    let index = "CREATE INDEX orders_total ON orders (total);\n";
    let built = "CREATE INDEX CONCURRENTLY orders_total ON orders (total);\n";
    let goose = |body: &str| format!("-- +goose Up\n{body}-- +goose Down\nDROP TABLE orders;\n");
    let cases: Vec<(&str, &str, String, &str, String, Becomes<'_>)> = vec![
        (
            "goose",
            "1_a.sql",
            goose(TABLE),
            "2_b.sql",
            format!("-- +goose Up\n{index}"),
            Ok(format!("-- +goose NO TRANSACTION\n-- +goose Up\n{built}")),
        ),
        (
            "dbmate",
            "1_a.sql",
            format!("-- migrate:up\n{TABLE}"),
            "2_b.sql",
            format!("-- migrate:up\n{index}-- migrate:down\nSELECT 1;\n"),
            Ok(format!("-- migrate:up transaction:false\n{built}-- migrate:down\nSELECT 1;\n")),
        ),
        (
            "sql-migrate",
            "1_a.sql",
            format!("-- +migrate Up\n{TABLE}"),
            "2_b.sql",
            format!("-- +migrate Up\n{index}"),
            Ok(format!("-- +migrate Up notransaction\n{built}")),
        ),
        (
            "sqlx",
            "1_a.sql",
            TABLE.to_owned(),
            "2_b.sql",
            index.to_owned(),
            Ok(format!("-- no-transaction\n{built}")),
        ),
        (
            "sqlx",
            "1_a.sql",
            TABLE.to_owned(),
            "2_b.sql",
            format!("SET lock_timeout = '2s';\n{index}"),
            Err("sends the file as one query"),
        ),
        (
            "liquibase",
            "1_a.sql",
            format!("--liquibase formatted sql\n--changeset a:1\n{TABLE}"),
            "2_b.sql",
            format!("--liquibase formatted sql\n--changeset a:2\n{index}"),
            Ok(format!("--liquibase formatted sql\n--changeset a:2 runInTransaction:false\n{built}")),
        ),
        (
            "tern",
            "1_a.sql",
            TABLE.to_owned(),
            "2_b.sql",
            index.to_owned(),
            Ok(format!("---- tern: disable-tx ----\n{built}")),
        ),
        ("flyway", "V1__a.sql", TABLE.to_owned(), "V2__b.sql", index.to_owned(), Ok(built.to_owned())),
        (
            "flyway",
            "V1__a.sql",
            TABLE.to_owned(),
            "V2__b.sql",
            format!("{index}ALTER TABLE orders ADD COLUMN x int;\n"),
            Err("mixes statements"),
        ),
        (
            "golang-migrate",
            "1_a.up.sql",
            TABLE.to_owned(),
            "2_b.up.sql",
            index.to_owned(),
            Ok(built.to_owned()),
        ),
        (
            "prisma",
            "1_a/migration.sql",
            TABLE.to_owned(),
            "2_b/migration.sql",
            index.to_owned(),
            Ok(built.to_owned()),
        ),
        (
            "prisma-7.4",
            "1_a/migration.sql",
            format!("{TABLE}CREATE INDEX orders_x ON orders (id);\n"),
            "2_b/migration.sql",
            "DROP INDEX orders_x;\nALTER TABLE orders ADD COLUMN x int;\n".to_owned(),
            Err("a file that holds it as one query"),
        ),
        (
            "prisma-7.4",
            "1_a/migration.sql",
            format!("{TABLE}CREATE INDEX orders_x ON orders (id);\n"),
            "2_b/migration.sql",
            "DROP INDEX orders_x;\n".to_owned(),
            Ok("DROP INDEX CONCURRENTLY orders_x;\n".to_owned()),
        ),
        (
            "prisma-any",
            "1_a/migration.sql",
            TABLE.to_owned(),
            "2_b/migration.sql",
            format!("{index}ALTER TABLE orders ADD COLUMN x int;\n"),
            Err("versions up to 7.3 send the whole file"),
        ),
        ("refinery", "V1__a.sql", TABLE.to_owned(), "V2__b.sql", index.to_owned(), Err("it can't")),
        ("diesel", "1_a/up.sql", TABLE.to_owned(), "2_b/up.sql", index.to_owned(), Err("metadata.toml")),
        (
            "psql",
            "1_a.sql",
            TABLE.to_owned(),
            "2_b.sql",
            format!("BEGIN;\n{index}COMMIT;\n"),
            Err("between BEGIN and COMMIT"),
        ),
    ];
    for (runner, first, head, second, text, expected) in cases {
        let folder = Folder::new(&[(first, &head), (second, &text)]);
        let output = folder.run(&[
            "lint",
            "--fix",
            "--unsafe-fixes",
            "--runner",
            runner,
            "--ignore",
            "lock_timeout_missing",
            second,
        ]);
        match expected {
            Ok(expected) => {
                assert_eq!(folder.text(second), expected, "{runner}: {}", told(&output));
                assert_eq!(output.status.code(), Some(0), "{runner}: {}", told(&output));
            }
            Err(why) => {
                assert_eq!(folder.text(second), text, "{runner}: {}", told(&output));
                assert!(told(&output).contains(why), "{runner}: {}", told(&output));
            }
        }
    }
}

#[test]
fn timeouts_come_in_the_idiom_of_the_runner() {
    let head = format!("-- +goose Up\n{TABLE}");
    let drop = "-- why it goes\nDROP TABLE orders; -- gone\n";
    let inside = Folder::new(&[
        ("1_a.sql", &head),
        ("2_b.sql", &format!("-- +goose Up\r\n{}", drop.replace('\n', "\r\n"))),
    ]);
    inside.run(&["lint", "--fix", "2_b.sql"]);
    assert_eq!(
        inside.text("2_b.sql"),
        "-- +goose Up\r\nSET LOCAL lock_timeout = '2s';\r\n-- why it goes\r\nDROP TABLE orders; -- gone\r\n"
    );
    let outside = Folder::new(&[("1_a.sql", TABLE), ("2_b.sql", drop)]);
    outside.run(&["lint", "--fix", "--runner", "psql", "2_b.sql"]);
    assert_eq!(
        outside.text("2_b.sql"),
        "-- why it goes\nSET lock_timeout = '2s';\nDROP TABLE orders; -- gone\nRESET lock_timeout;\n"
    );
    // One query: a SET LOCAL before it makes the implicit transaction that it needs.
    let one_query = Folder::new(&[("1_a.up.sql", TABLE), ("2_b.up.sql", "DROP TABLE orders;\n")]);
    one_query.run(&["lint", "--fix", "--runner", "golang-migrate", "2_b.up.sql"]);
    assert_eq!(one_query.text("2_b.up.sql"), "SET LOCAL lock_timeout = '2s';\nDROP TABLE orders;\n");
}

#[test]
fn differences_are_shown_and_nothing_is_written() {
    let text = "CREATE INDEX orders_total ON orders (total);\n";
    let folder = Folder::new(&[("1_a.sql", TABLE), ("2_b.sql", text)]);
    let output = folder.run(&["lint", "--diff", "--runner", "psql", "2_b.sql"]);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "--- a/2_b.sql\n+++ b/2_b.sql\n@@ -1 +1 @@\n-CREATE INDEX orders_total ON orders (total);\n\
         +CREATE INDEX CONCURRENTLY orders_total ON orders (total);\n"
    );
    assert_eq!(folder.text("2_b.sql"), text);
    assert_eq!(folder.run(&["lint", "--fix", "--runner", "psql", "2_b.sql"]).status.code(), Some(0));
    let output = folder.run(&["lint", "--diff", "--runner", "psql", "2_b.sql"]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b""[..]), "{}", told(&output));
}

#[test]
fn unsafe_fixes_are_announced_and_wait_to_be_asked_for() {
    let text =
        "-- +goose Up\nALTER TABLE orders ADD COLUMN x int;\nCREATE INDEX orders_total ON orders (total);\n";
    let folder = Folder::new(&[("1_a.sql", &format!("-- +goose Up\n{TABLE}")), ("2_b.sql", text)]);
    let output = folder.run(&["lint", "--fix", "--ignore", "lock_timeout_missing", "2_b.sql"]);
    assert_eq!(folder.text("2_b.sql"), text, "{}", told(&output));
    assert!(told(&output).contains("1 more fix is there with --unsafe-fixes"), "{}", told(&output));
    folder.run(&["lint", "--fix", "--unsafe-fixes", "--ignore", "lock_timeout_missing", "2_b.sql"]);
    assert!(folder.text("2_b.sql").starts_with("-- +goose NO TRANSACTION\n"), "{}", folder.text("2_b.sql"));
    let output = folder.run(&["lint", "--unsafe-fixes", "2_b.sql"]);
    assert_eq!(output.status.code(), Some(2), "by itself it means nothing");
}

#[test]
fn what_the_base_has_already_is_fixed_only_when_named() {
    let index = "CREATE INDEX orders_total ON orders (total);\n";
    let folder = Folder::new(&[("db/1_a.sql", TABLE), ("db/2_b.sql", index)]);
    folder.git(&["init", "-q", "-b", "main"]);
    folder.git(&["add", "."]);
    folder.git(&["commit", "-qm", "a"]);
    std::fs::write(folder.0.path().join("db/3_c.sql"), "DROP INDEX orders_total;\n").expect("written");
    let output = folder.run(&["lint", "--all", "--fix", "--runner", "psql"]);
    assert_eq!(folder.text("db/2_b.sql"), index, "{}", told(&output));
    assert!(folder.text("db/3_c.sql").contains("DROP INDEX CONCURRENTLY"), "{}", told(&output));
    assert!(told(&output).contains("may have run"), "{}", told(&output));
    folder.run(&["lint", "--fix", "--runner", "psql", "db/2_b.sql"]);
    assert!(folder.text("db/2_b.sql").contains("CONCURRENTLY"), "named, it is fixed");
}

#[test]
fn standard_input_is_given_back_fixed() {
    use std::io::Write;
    let folder = Folder::new(&[]);
    let mut child = program::alone(env!("CARGO_BIN_EXE_rollsafe"))
        .args(["lint", "--fix", "--runner", "psql", "-"])
        .current_dir(folder.0.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program runs");
    child.stdin.take().expect("piped").write_all(b"CREATE INDEX i ON orders (total);\n").expect("written");
    let output = child.wait_with_output().expect("ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "CREATE INDEX CONCURRENTLY i ON orders (total);\n");
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
}

#[test]
fn what_is_written_runs_on_versions_that_nobody_ruled_out() {
    let alter = "ALTER TABLE orders ALTER COLUMN note SET NOT NULL;\n";
    for (options, expected) in [
        (&[][..], "CHECK (note IS NOT NULL) NOT VALID"),
        (&["--postgres-version", "17"], "CHECK (note IS NOT NULL) NOT VALID"),
        (&["--postgres-version", "18"], "ADD CONSTRAINT orders_note_not_null NOT NULL note NOT VALID"),
    ] {
        let folder = Folder::new(&[("1_a.sql", TABLE), ("2_b.sql", alter)]);
        let mut arguments = vec!["lint", "--fix", "--unsafe-fixes", "--runner", "psql", "2_b.sql"];
        arguments.extend(options);
        let output = folder.run(&arguments);
        let text = folder.text("2_b.sql");
        assert!(text.contains(expected), "{options:?}: {text}{}", told(&output));
    }
}

#[test]
fn what_needs_the_transaction_keeps_it() {
    let text =
        "-- +goose Up\nLOCK TABLE orders IN SHARE MODE;\nCREATE INDEX orders_total ON orders (total);\n";
    let folder = Folder::new(&[("1_a.sql", &format!("-- +goose Up\n{TABLE}")), ("2_b.sql", text)]);
    let output =
        folder.run(&["lint", "--fix", "--unsafe-fixes", "--ignore", "lock_timeout_missing", "2_b.sql"]);
    assert_eq!(folder.text("2_b.sql"), text);
    assert!(told(&output).contains("LOCK TABLE in the same file needs the transaction"), "{}", told(&output));
}

#[test]
fn an_index_that_may_work_is_not_dropped_unasked() {
    let build = "CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_total ON orders (total);\n";
    for (first, is_changed) in
        [(TABLE.to_owned(), true), (format!("{TABLE}CREATE INDEX orders_total ON orders (id);\n"), false)]
    {
        let folder = Folder::new(&[("1_a.sql", &first), ("2_b.sql", build)]);
        folder.run(&["lint", "--fix", "--runner", "psql", "--ignore", "lock_timeout_missing", "2_b.sql"]);
        assert_eq!(folder.text("2_b.sql") != build, is_changed, "{}", folder.text("2_b.sql"));
    }
}

#[test]
fn what_goes_as_one_query_stays_one_transaction() {
    let index = "CREATE INDEX orders_total ON orders (total);\n";
    let block =
        |inside: &str| format!("-- +goose Up\n-- +goose StatementBegin\n{inside}-- +goose StatementEnd\n");
    let part = |inside: &str| format!("COMMIT;\n--> statement-breakpoint\n{inside}");
    let key = "ALTER TABLE orders ADD CONSTRAINT positive CHECK (total > 0);\n";
    for (runner, first, text, why) in [
        (
            "goose",
            format!("-- +goose Up\n{TABLE}"),
            block(&format!("{index}ANALYZE orders;\n")),
            "what stands together with it as one query",
        ),
        ("drizzle", TABLE.to_owned(), part(key), "several statements in it are one transaction"),
    ] {
        let folder = Folder::new(&[("1_a.sql", &first), ("2_b.sql", &text)]);
        let ignored = ["--ignore", "lock_timeout_missing"];
        let mut arguments = vec!["lint", "--fix", "--unsafe-fixes", "--runner", runner, "2_b.sql"];
        arguments.extend(ignored);
        let output = folder.run(&arguments);
        assert_eq!(folder.text("2_b.sql"), text, "{runner}");
        assert!(told(&output).contains(why), "{runner}: {}", told(&output));
    }
    // A block of one statement is as good as none.
    let folder = Folder::new(&[("1_a.sql", &format!("-- +goose Up\n{TABLE}")), ("2_b.sql", &block(index))]);
    folder.run(&["lint", "--fix", "--ignore", "lock_timeout_missing", "2_b.sql"]);
    assert!(folder.text("2_b.sql").contains("CONCURRENTLY"), "{}", folder.text("2_b.sql"));
}
