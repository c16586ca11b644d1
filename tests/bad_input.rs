//! Whatever the files hold, linting them gives findings or a clear error: never a panic, never silence.

use std::ffi::OsString;
use std::path::Path;

use rollsafe::cli::{self, Outcome, Surroundings};
use serde_json::Value;

fn lint(folder: &Path, arguments: &[&str]) -> Outcome {
    let mut all: Vec<OsString> = ["rollsafe", "--no-config", "lint"].map(OsString::from).to_vec();
    all.extend(arguments.iter().map(|argument| {
        // Names of files are relative to the test's folder.
        let path = folder.join(argument);
        if argument.starts_with('-') || !(path.exists() || argument.contains(".sql")) {
            OsString::from(argument)
        } else {
            path.into_os_string()
        }
    }));
    cli::run(all, Surroundings { terminal: false, color: false, width: 100, progress: false })
}

/// The report on one file with this content.
fn report(content: &[u8]) -> (Value, u8) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("1_x.sql"), content).unwrap();
    let outcome = lint(folder.path(), &["--format", "json", "1_x.sql"]);
    assert_eq!(outcome.stderr, "", "nothing on standard error");
    (serde_json::from_str(&outcome.stdout).expect("the report is JSON"), outcome.code)
}

fn codes(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().expect("findings");
    findings.iter().map(|finding| finding["code"].as_str().expect("a code").to_owned()).collect()
}

fn kinds(report: &Value) -> Vec<String> {
    let statements = report["files"][0]["statements"].as_array().expect("statements");
    statements.iter().map(|statement| statement["kind"].as_str().expect("a kind").to_owned()).collect()
}

#[test]
fn what_is_not_closed_is_a_syntax_error_and_hides_nothing() {
    for broken in ["SELECT 'abc;", "SELECT $x$abc;", "SELECT \"abc;", "/* abc"] {
        let (report, code) = report(format!("{broken}\nDROP TABLE users;\n").as_bytes());
        assert!(codes(&report).contains(&"syntax_error".to_owned()), "{broken}: {report}");
        if !broken.starts_with("/*") {
            assert!(
                codes(&report).contains(&"drop_table".to_owned()),
                "{broken}: the rest is read: {report}"
            );
        }
        assert_eq!(code, 1);
    }
}

#[test]
fn a_bad_statement_costs_one_statement() {
    let (report, _) =
        report(b"ALTER TABLE users ADD COLUM;\nCREATE TABLE t (a int;\nSELEC 1;\nALTER TABLE users DROP COLUMN email;");
    let codes = codes(&report);
    assert_eq!(codes.iter().filter(|code| *code == "drop_column").count(), 1, "{report}");
    assert_eq!(report["summary"]["statements"], 4);
    assert_eq!(report["summary"]["not_understood"], 3, "{report}");
}

#[test]
fn byte_order_mark_and_carriage_returns_are_read() {
    let (report, _) = report("\u{feff}DROP TABLE a;\r\nDROP TABLE b;\r\n".as_bytes());
    assert_eq!(codes(&report).iter().filter(|code| *code == "drop_table").count(), 2, "{report}");
    assert_eq!(report["summary"]["not_understood"], 0);
    assert_eq!(report["findings"][0]["span"]["line"], 1);
}

#[test]
fn bytes_that_are_no_utf8_are_named_with_their_place() {
    let (report, code) = report(b"INSERT INTO t VALUES ('caf\xe9');\nDROP TABLE t;\n");
    assert_eq!(report["findings"][0]["code"], "syntax_error", "{report}");
    assert_eq!(report["findings"][0]["span"]["start"], 26);
    assert!(codes(&report).contains(&"drop_table".to_owned()), "the rest is read");
    assert_eq!(code, 1);
}

#[test]
fn utf16_is_named() {
    let text: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain("DROP TABLE t;".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let (report, _) = report(&text);
    assert!(report["findings"][0]["message"].as_str().unwrap().contains("UTF-16"), "{report}");
    assert!(codes(&report).contains(&"drop_table".to_owned()));
}

#[test]
fn nul_and_control_bytes_are_syntax_errors() {
    for byte in [b'\0', 1, 0x1b] {
        let (report, _) = report(&[b"SELECT 1 ".as_slice(), &[byte], b";\nDROP TABLE t;"].concat());
        assert!(codes(&report).contains(&"syntax_error".to_owned()), "{byte}: {report}");
        assert!(codes(&report).contains(&"drop_table".to_owned()), "{byte}: {report}");
    }
}

#[test]
fn ten_thousand_parentheses_are_said_not_to_be_read() {
    let deep = format!("SELECT {}1{};\nDROP TABLE t;", "(".repeat(10_000), ")".repeat(10_000));
    let (report, _) = report(deep.as_bytes());
    assert!(codes(&report).contains(&"drop_table".to_owned()));
    let unread = codes(&report).contains(&"statement_not_understood".to_owned());
    assert!(unread || report["summary"]["not_understood"] == 0, "understood, or said not to be");
}

#[test]
fn psql_and_copy_data_are_read() {
    let text = "\\set ON_ERROR_STOP on\nCOPY t (a) FROM stdin;\nit's; DROP TABLE x;\n\\.\nDROP TABLE :\"name\";\nSELECT :'v', ${n};\n";
    let (report, _) = report(text.as_bytes());
    assert_eq!(kinds(&report), ["COPY", "DROP TABLE", "SELECT"], "{report}");
    assert_eq!(report["summary"]["not_understood"], 0, "{report}");
}

#[test]
fn what_runs_elsewhere_is_said_not_to_be_checked() {
    for text in ["SELECT 'DROP TABLE t' \\gexec\n", "\\i body.sql\n", "\\ir body.sql\n"] {
        let (report, _) = report(text.as_bytes());
        assert_eq!(codes(&report), ["dynamic_sql_not_checked"], "{text}: {report}");
    }
    let nested = |deep: usize| {
        let block = |at: usize, inside: &str| format!("DO $d{at}$ BEGIN {inside} END $d{at}$;");
        let around = |inside: String, at: usize| block(at, &format!("EXECUTE $e{at}$ {inside} $e{at}$;"));
        (1..deep).fold(block(0, "DROP TABLE t;"), around)
    };
    assert!(codes(&report(nested(4).as_bytes()).0).contains(&"drop_table".to_owned()));
    let (report, _) = report(nested(6).as_bytes());
    assert_eq!(codes(&report), ["statement_not_understood"], "{report}");
}

#[test]
fn names_known_only_at_run_time_are_no_relations() {
    let (report, code) = report(
        b"SET lock_timeout = '1s';\nDO $$ BEGIN EXECUTE 'DROP TABLE ' || quote_ident(current_user); DROP TABLE b; END $$;",
    );
    assert_eq!((codes(&report), code), (vec!["drop_table".to_owned(); 2], 1), "{report}");
    let effects = &report["files"][0]["statements"][1]["effects"];
    assert_eq!(effects["locks"].as_array().map(Vec::len), Some(1), "{effects}");
    assert_eq!(effects["destroys"][0]["name"], "b", "{effects}");
    let message = report["findings"][0]["message"].as_str().unwrap();
    assert!(message.contains("known only at run time"), "{message}");
}

#[test]
fn far_along_a_line_there_are_findings_too() {
    let folder = tempfile::tempdir().unwrap();
    let rows = (0..15_000).map(|n| format!("({n})")).collect::<Vec<_>>().join(",");
    let text = format!("INSERT INTO t VALUES {rows}; DROP TABLE t;\nDROP TABLE u;\n");
    std::fs::write(folder.path().join("1_x.sql"), text).unwrap();
    let outcome = lint(folder.path(), &["1_x.sql"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    assert!(outcome.stdout.lines().all(|line| line.len() < 4_000), "only a part of the line is shown");
}

#[test]
fn what_is_named_outright_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("fix.sql"), "DROP TABLE users;\n").unwrap();
    for runner in ["flyway", "goose", "sqlx", "diesel", "golang-migrate"] {
        let outcome = lint(folder.path(), &["--runner", runner, "fix.sql"]);
        assert_eq!(outcome.code, 1, "{runner}: {}", outcome.stdout);
        assert!(outcome.stderr.contains("checked as if it came last"), "{runner}: {}", outcome.stderr);
    }
    // A pipe is neither a file nor a folder.
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::write(pipe, "DROP TABLE users;\n")
    });
    assert_eq!(lint(folder.path(), &["pipe"]).code, 1);
    writer.join().unwrap().unwrap();
    assert_eq!(lint(Path::new("/dev"), &["null"]).code, 0);
}

#[test]
fn codes_may_be_typed_in_capitals() {
    let (report, code) =
        report(b"SET lock_timeout = '1s';\n-- rollsafe: ignore DROP-TABLE -- nobody uses it\nDROP TABLE t;");
    assert_eq!((codes(&report).len(), code), (0, 0), "{report}");
}

#[test]
fn a_large_file_is_linear() {
    // Twenty thousand statements: a quadratic reader would take minutes.
    let mut text = String::new();
    for at in 0..20_000 {
        text.push_str(&format!("ALTER TABLE t{} ADD COLUMN c{at} integer;\n", at % 50));
    }
    let (report, _) = report(text.as_bytes());
    assert_eq!(report["summary"]["statements"], 20_000);
}

#[test]
fn what_hangs_together_is_linear() {
    // Thousands of each, and a statement for each: whoever looked through all of them each time would take minutes.
    const MANY: usize = 2_000;
    let shapes: [(&str, &dyn Fn(usize) -> String); 8] = [
        ("", &|n| {
            format!("CREATE SCHEMA s{n};CREATE TABLE s{n}.t (id int PRIMARY KEY);DROP SCHEMA s{n} CASCADE;")
        }),
        ("", &|n| {
            format!(
                "CREATE FUNCTION f{n}() RETURNS int LANGUAGE sql AS 'SELECT 1';DROP FUNCTION f{n}() CASCADE;"
            )
        }),
        ("CREATE TABLE t (a int);", &|n| {
            format!("CREATE SEQUENCE q{n} OWNED BY t.a;DROP SEQUENCE q{n} CASCADE;")
        }),
        ("CREATE TABLE t (a int);", &|n| {
            format!("ALTER TABLE t ADD CONSTRAINT k{n} CHECK (a > {n});")
                + &format!("ALTER TABLE t DROP CONSTRAINT k{}, ADD CHECK (a > 1);", n / 2)
        }),
        ("CREATE TABLE t (a int);", &|n| {
            format!(
                "CREATE VIEW v{n} AS SELECT a FROM t;ALTER TABLE t ADD b{n} int;ALTER TABLE t RENAME b{n} TO c{n};"
            )
        }),
        ("CREATE TABLE t (id int PRIMARY KEY, b text);", &|n| {
            format!("CREATE TABLE t{n} (t int REFERENCES t);ALTER TABLE t ALTER b TYPE varchar({});", n + 1)
        }),
        ("CREATE TABLE t (a int);", &|n| {
            format!("CREATE TYPE e{n} AS ENUM ('a');CREATE TABLE t{n} (a e{n});DROP TYPE e{n} CASCADE;")
        }),
        ("CREATE TABLE t (a int);BEGIN;", &|n| {
            format!("SAVEPOINT s{n};ALTER TABLE t ADD c{n} int;ROLLBACK TO s{n};")
        }),
    ];
    for (first, of) in shapes {
        let text: String = std::iter::once(first.to_owned()).chain((0..MANY).map(of)).collect();
        let (report, _) = report(text.as_bytes());
        assert!(report["summary"]["statements"].as_u64().unwrap() as usize >= 2 * MANY, "{}", of(1));
    }
}

#[test]
fn what_could_not_be_looked_at_never_passes() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = lint(folder.path(), &["nothing.sql"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("no such file or folder"), "{}", outcome.stderr);
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let outcome = lint(folder.path(), &["empty"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    assert!(outcome.stderr.contains("no .sql files in"), "{}", outcome.stderr);
    let outcome = lint(folder.path(), &["--postgres-version", "9", "empty"]);
    assert_eq!(outcome.code, 2);
    let outcome = lint(folder.path(), &["--select", "drop_colum", "empty"]);
    assert!(outcome.code == 2, "{}", outcome.stderr);
}

#[test]
fn an_unreadable_file_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    // A link to itself can't be read by anybody, root included.
    std::os::unix::fs::symlink("1_x.sql", folder.path().join("1_x.sql")).unwrap();
    std::fs::write(folder.path().join("2_y.sql"), "SELECT 1;").unwrap();
    let all: Vec<OsString> =
        vec!["rollsafe".into(), "--no-config".into(), "lint".into(), folder.path().as_os_str().to_owned()];
    let outcome = cli::run(all, Surroundings { terminal: false, color: false, width: 100, progress: false });
    assert_eq!(outcome.code, 2, "{}", outcome.stdout);
    assert!(outcome.stderr.contains("1_x.sql"), "{}", outcome.stderr);
}

mod properties {
    use proptest::prelude::*;
    use rollsafe::migration::lint::{LintOptions, lint};
    use rollsafe::migration::migration::Migration;

    /// Scraps of SQL, put together at random: near enough to the real thing to reach deep places.
    fn scraps() -> impl Strategy<Value = String> {
        let scrap = prop::sample::select(vec![
            "ALTER TABLE ",
            "users ",
            "ADD COLUMN ",
            "a ",
            "int ",
            "NOT NULL ",
            "DEFAULT ",
            "now() ",
            "; ",
            "CREATE ",
            "INDEX ",
            "CONCURRENTLY ",
            "ON ",
            "(",
            ")",
            ", ",
            "DROP ",
            "TABLE ",
            "CASCADE ",
            "DO $$ BEGIN ",
            "END $$ ",
            "EXECUTE ",
            "'x' ",
            "SELECT ",
            "FROM ",
            "WHERE ",
            "UPDATE ",
            "SET ",
            "= ",
            "1 ",
            "BEGIN ",
            "COMMIT ",
            "ROLLBACK ",
            "PARTITION OF ",
            "REFERENCES ",
            "CHECK ",
            "IF EXISTS ",
            "-- rollsafe: ignore all\n",
            "\"Q\" ",
            "é ",
            "$1 ",
            ":x ",
            "\\i f\n",
            "TYPE ",
            "varchar(10) ",
            "RENAME TO ",
            "LOOP ",
            "::",
            "WITH ",
            "AS ",
            "INSERT INTO ",
            "VALUES ",
        ]);
        prop::collection::vec(scrap, 0..60).prop_map(|scraps| scraps.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn no_text_makes_it_panic(text in prop_oneof![scraps(), any::<String>()]) {
            let history = Migration { judged: false, ..Migration::whole("0.sql".into(), "CREATE TABLE users (a int);".into()) };
            let change = Migration::whole("1.sql".into(), text.as_str().into());
            let report = lint(&[history, change], &LintOptions::default());
            for finding in &report.findings {
                let span = finding.span.expect("a place");
                prop_assert!(span.start <= span.end && span.end as usize <= text.len());
                prop_assert!(text.is_char_boundary(span.start as usize) && text.is_char_boundary(span.end as usize));
            }
        }
    }
}
