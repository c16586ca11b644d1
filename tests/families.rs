//! How each family of migration tools sends a file decides what succeeds, what is rolled back, and what is in a
//! transaction: files are sent to a server as the tools send them, and compared with what lint says of them.
//!
//! The families: statement by statement, one query for a file (an implicit transaction), a transaction for each file, one
//! transaction for all pending files, statements in one pipeline (the extended protocol).

use std::path::Path;

use postgres::Client;
use rollsafe::migration::lint::{self, LintOptions};
use rollsafe::migration::project::runners::runner;
use rollsafe::migration::project::{self, Request};
use rollsafe::postgres::cluster::{NewDatabase, Options, SUPERUSER, ScratchCluster};

/// How a tool sends files.
#[derive(Clone, Copy)]
enum Family {
    /// Each statement is a query: goose `NO TRANSACTION`, Flyway's script without a transaction, psql.
    StatementByStatement,
    /// The file is a query: golang-migrate, Prisma up to 7.3, dbmate `transaction:false`.
    OneQuery,
    /// BEGIN, the file as a query, COMMIT: sqlx, Diesel, dbmate.
    TransactionForFile,
    /// BEGIN, the chunks of all files, COMMIT: Drizzle.
    TransactionForAll,
}

struct Case {
    what: &'static str,
    runner: &'static str,
    family: Family,
    /// File and text, in order.
    files: &'static [(&'static str, &'static str)],
    /// For each file: whether each statement is in a transaction.
    in_transaction: &'static [&'static [bool]],
    /// The start of the server's error, if one of the files fails.
    error: Option<&'static str>,
    /// Relations that are there afterwards.
    left: &'static [&'static str],
    /// Files and codes of the transaction findings.
    findings: &'static [(&'static str, &'static str)],
}

const NO_TRANSACTION_BLOCK: &str = "CREATE INDEX CONCURRENTLY cannot run inside a transaction block";
const FAILS: &str = "concurrently_in_transaction";

const CASES: &[Case] = &[
    Case {
        what: "a SET before CREATE INDEX CONCURRENTLY does no harm where statements go one by one",
        runner: "goose",
        family: Family::StatementByStatement,
        files: &[
            ("00001_a.sql", "-- +goose Up\nCREATE TABLE a (id int);\n"),
            (
                "00002_b.sql",
                "-- +goose NO TRANSACTION\n-- +goose Up\nSET lock_timeout = '2s';\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n",
            ),
        ],
        in_transaction: &[&[true], &[false, false]],
        error: None,
        left: &["a", "a_id"],
        findings: &[],
    },
    Case {
        what: "the same in one query is an implicit transaction, and fails",
        runner: "dbmate",
        family: Family::OneQuery,
        files: &[
            ("1_a.sql", "-- migrate:up transaction:false\nCREATE TABLE a (id int);\n"),
            (
                "2_b.sql",
                "-- migrate:up transaction:false\nSET lock_timeout = '2s';\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n",
            ),
        ],
        in_transaction: &[&[false], &[true, true]],
        error: Some(NO_TRANSACTION_BLOCK),
        left: &["a"],
        findings: &[("2_b.sql", FAILS)],
    },
    Case {
        what: "alone in its file it works",
        runner: "golang-migrate",
        family: Family::OneQuery,
        files: &[
            ("1_a.up.sql", "CREATE TABLE a (id int);"),
            ("2_b.up.sql", "-- only this\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n"),
        ],
        in_transaction: &[&[false], &[false]],
        error: None,
        left: &["a", "a_id"],
        findings: &[],
    },
    Case {
        what: "COMMIT inside the query doesn't help: PostgreSQL looks at the query, not at the block",
        runner: "golang-migrate",
        family: Family::OneQuery,
        files: &[
            ("1_a.up.sql", "CREATE TABLE a (id int);"),
            ("2_b.up.sql", "COMMIT;\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n"),
        ],
        in_transaction: &[&[false], &[true, true]],
        error: Some(NO_TRANSACTION_BLOCK),
        left: &["a"],
        findings: &[("2_b.up.sql", FAILS)],
    },
    Case {
        what: "two statements of one query are rolled back together",
        runner: "prisma",
        family: Family::OneQuery,
        files: &[(
            "1_a/migration.sql",
            "CREATE TABLE a (id int);\nCREATE TABLE b (id int CHECK (id > 1/0));\nSELECT 1/0;\n",
        )],
        in_transaction: &[&[true, true, true]],
        error: Some("division by zero"),
        left: &[],
        findings: &[],
    },
    Case {
        what: "what went before stays where statements go one by one",
        runner: "prisma-7.4",
        family: Family::StatementByStatement,
        files: &[("1_a/migration.sql", "CREATE TABLE a (id int);\nSELECT 1/0;\n")],
        in_transaction: &[&[false, false]],
        error: Some("division by zero"),
        left: &["a"],
        findings: &[],
    },
    Case {
        what: "a file that can't be taken apart is one query as before",
        runner: "prisma-7.4",
        family: Family::OneQuery,
        files: &[
            ("1_a/migration.sql", "CREATE TABLE a (id int);\n"),
            ("2_b/migration.sql", "CREATE INDEX a_id ON a (id);\n"),
            ("3_c/migration.sql", "SET lock_timeout = '2s';\nDROP INDEX CONCURRENTLY a_id;\n"),
        ],
        in_transaction: &[&[false], &[false], &[true, true]],
        error: Some("DROP INDEX CONCURRENTLY cannot run inside a transaction block"),
        left: &["a", "a_id"],
        findings: &[("3_c/migration.sql", FAILS)],
    },
    Case {
        what: "a transaction for each file: the file that fails leaves nothing, those before it stay",
        runner: "sqlx",
        family: Family::TransactionForFile,
        files: &[
            ("1_a.sql", "CREATE TABLE a (id int);"),
            ("2_b.sql", "CREATE TABLE b (id int);\nCREATE INDEX CONCURRENTLY b_id ON b (id);\n"),
        ],
        in_transaction: &[&[true], &[true, true]],
        error: Some(NO_TRANSACTION_BLOCK),
        left: &["a"],
        findings: &[("2_b.sql", FAILS)],
    },
    Case {
        what: "one transaction for all: the second file takes the first with it",
        runner: "drizzle",
        family: Family::TransactionForAll,
        files: &[
            ("0000_a.sql", "CREATE TABLE a (id int);\n"),
            (
                "0001_b.sql",
                "CREATE TABLE b (id int);\n--> statement-breakpoint\nCREATE INDEX CONCURRENTLY b_id ON b (id);\n",
            ),
        ],
        in_transaction: &[&[true], &[true, true]],
        error: Some(NO_TRANSACTION_BLOCK),
        left: &[],
        findings: &[("0001_b.sql", FAILS)],
    },
    Case {
        what: "COMMIT as a query of its own ends the transaction for all that follows",
        runner: "drizzle",
        family: Family::TransactionForAll,
        files: &[
            ("0000_a.sql", "CREATE TABLE a (id int);\n"),
            ("0001_b.sql", "COMMIT;--> statement-breakpoint\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n"),
            ("0002_c.sql", "CREATE TABLE c (id int);\n--> statement-breakpoint\nSELECT 1/0;\n"),
        ],
        in_transaction: &[&[true], &[true, false], &[false, false]],
        error: Some("division by zero"),
        left: &["a", "a_id", "c"],
        findings: &[],
    },
];

/// Cuts at `;` at the end of a line: enough for these files.
fn statements(text: &str) -> Vec<String> {
    let bare: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
    bare.join("\n").split_inclusive(";\n").map(str::to_owned).filter(|one| !one.trim().is_empty()).collect()
}

/// Sends the files as the family does; gives the error that stops it.
fn send(client: &mut Client, case: &Case) -> Result<(), postgres::Error> {
    match case.family {
        Family::TransactionForAll => {
            client.batch_execute("BEGIN")?;
            let chunks = case.files.iter().flat_map(|(_, text)| text.split("--> statement-breakpoint"));
            for chunk in chunks {
                if let Err(error) = client.batch_execute(chunk) {
                    client.batch_execute("ROLLBACK")?;
                    return Err(error);
                }
            }
            client.batch_execute("COMMIT")
        }
        Family::TransactionForFile => {
            for (_, text) in case.files {
                client.batch_execute("BEGIN")?;
                if let Err(error) = client.batch_execute(text) {
                    client.batch_execute("ROLLBACK")?;
                    return Err(error);
                }
                client.batch_execute("COMMIT")?;
            }
            Ok(())
        }
        Family::OneQuery => case.files.iter().try_for_each(|(_, text)| client.batch_execute(text)),
        Family::StatementByStatement => {
            let all = case.files.iter().flat_map(|(_, text)| statements(text));
            for statement in all {
                client.batch_execute(&statement)?;
            }
            Ok(())
        }
    }
}

fn relations(client: &mut Client) -> Vec<String> {
    let query = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1";
    client.query(query, &[]).expect("relations").iter().map(|row| row.get(0)).collect()
}

fn message(error: &postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

#[test]
fn each_family_does_on_a_server_what_lint_says() {
    let cluster = ScratchCluster::start(&Options::default()).expect("a scratch cluster");
    for (number, case) in CASES.iter().enumerate() {
        let database = format!("family_{number}");
        cluster
            .create_database(&NewDatabase { name: &database, ..NewDatabase::default() })
            .expect("a database");
        let mut client = cluster.connect(SUPERUSER, &database).expect("connected");
        let error = send(&mut client, case).err().map(|error| message(&error));
        assert_eq!(error.as_deref(), case.error, "{}", case.what);
        assert_eq!(relations(&mut client), case.left, "{}", case.what);

        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in case.files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("in a folder")).expect("folders");
            std::fs::write(path, text).expect("written");
        }
        if matches!(case.family, Family::TransactionForAll) {
            let entries: Vec<String> = case
                .files
                .iter()
                .map(|(path, _)| format!("{{\"tag\": \"{}\"}}", path.trim_end_matches(".sql")))
                .collect();
            std::fs::create_dir(folder.path().join("meta")).expect("folders");
            let journal = format!("{{\"entries\": [{}]}}", entries.join(", "));
            std::fs::write(folder.path().join("meta/_journal.json"), journal).expect("written");
        }
        let request = Request {
            paths: vec![folder.path().to_owned()],
            runner: runner(case.runner),
            ..Request::default()
        };
        let project = project::gather(&request).expect("gathered");
        let report = lint::lint(&project.parts[0].migrations, &LintOptions::default());
        let told: Vec<Vec<bool>> = report
            .files
            .iter()
            .map(|file| file.statements.iter().map(|one| one.in_transaction == Some(true)).collect())
            .collect();
        assert_eq!(told, case.in_transaction, "{}", case.what);
        let found: Vec<(String, &str)> = report
            .findings
            .iter()
            .filter(|finding| {
                ["concurrently_in_transaction", "not_allowed_in_transaction"].contains(&&*finding.code)
            })
            .map(|finding| {
                let path = finding.path.as_deref().expect("a file");
                let path = path.strip_prefix(folder.path()).expect("inside");
                (shown(path), &*finding.code)
            })
            .collect();
        let meant: Vec<(String, &str)> =
            case.findings.iter().map(|(path, code)| ((*path).to_owned(), *code)).collect();
        assert_eq!(found, meant, "{}", case.what);
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

/// Supabase and other tools of the extended protocol send several statements before one Sync: a pipeline, which is
/// an implicit transaction too (manual, "Pipelining"), but for what stands first in it.
#[test]
fn a_pipeline_is_a_transaction_from_its_second_statement_on() {
    let cluster = ScratchCluster::start(&Options::default()).expect("a scratch cluster");
    let index = "CREATE INDEX CONCURRENTLY a_id ON a (id)";
    let error = pipeline(&cluster, &["CREATE TABLE a (id int)", index]);
    assert_eq!(error.as_deref(), Some("CREATE INDEX CONCURRENTLY cannot be executed within a pipeline"));
    let mut client = cluster.connect(SUPERUSER, "postgres").expect("connected");
    assert_eq!(relations(&mut client), Vec::<String>::new(), "the table was rolled back");

    client.batch_execute("CREATE TABLE a (id int)").expect("a table");
    assert_eq!(pipeline(&cluster, &[index, "INSERT INTO a VALUES (1)"]), None);
    assert_eq!(relations(&mut client), ["a", "a_id"]);
}

/// Flyway's lock is a query in a transaction of another connection, of the extended protocol as JDBC sends it: its portal
/// stays open, and with it its snapshot. `concurrently_waits_for_tool` tells of what waits for that.
#[test]
fn a_portal_that_is_left_open_keeps_index_builds_waiting() {
    let cluster = ScratchCluster::start(&Options::default()).expect("a scratch cluster");
    let mut client = cluster.connect(SUPERUSER, "postgres").expect("connected");
    client
        .batch_execute(
            "CREATE TABLE a (id int, b int);
             CREATE INDEX a_id ON a (id);
             CREATE TABLE p (id int) PARTITION BY RANGE (id);
             CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (2);",
        )
        .expect("tables");
    for (statement, waits) in [
        ("CREATE INDEX CONCURRENTLY a_b ON a (b)", true),
        ("REINDEX INDEX CONCURRENTLY a_id", true),
        ("REINDEX TABLE CONCURRENTLY a", true),
        ("DROP INDEX CONCURRENTLY a_id", false),
        ("ALTER TABLE a ADD COLUMN c int", false),
        ("VACUUM a", false),
    ] {
        let mut tool = cluster.connect(SUPERUSER, "postgres").expect("connected");
        let mut lock = tool.transaction().expect("a transaction");
        lock.query("SELECT pg_try_advisory_xact_lock($1)", &[&42_i64]).expect("locked");
        let mut migration = cluster.connect(SUPERUSER, "postgres").expect("connected");
        let pid: i32 = migration.query_one("SELECT pg_backend_pid()", &[]).expect("a pid").get(0);
        let running = std::thread::spawn(move || migration.batch_execute(statement));
        if waits {
            while !is_blocked(&mut client, pid) {
                assert!(!running.is_finished(), "{statement} doesn't wait");
            }
            lock.commit().expect("ended");
            running.join().expect("no panic").expect("goes on when the tool's transaction ends");
        } else {
            while !running.is_finished() {
                assert!(!is_blocked(&mut client, pid), "{statement} waits");
            }
            running.join().expect("no panic").expect("done while the tool's transaction is open");
        }
    }
}

fn is_blocked(client: &mut Client, pid: i32) -> bool {
    client.query_one("SELECT pg_blocking_pids($1) <> '{}'", &[&pid]).expect("looked").get(0)
}

/// Sends statements as Parse, Bind, Execute with one Sync behind all (manual, "Message Formats"); gives the server's
/// error. Written out because drivers put a Sync behind each statement.
fn pipeline(cluster: &ScratchCluster, statements: &[&str]) -> Option<String> {
    use std::io::{Read as _, Write as _};
    let mut stream =
        std::os::unix::net::UnixStream::connect(cluster.socket_directory().join(".s.PGSQL.5432"))
            .expect("the socket");
    let mut startup = vec![0, 3, 0, 0];
    startup.extend(format!("user\0{SUPERUSER}\0database\0postgres\0\0").bytes());
    stream.write_all(&(startup.len() as u32 + 4).to_be_bytes()).expect("sent");
    stream.write_all(&startup).expect("sent");
    let message = |kind: u8, body: &[u8]| -> Vec<u8> {
        let mut whole = vec![kind];
        whole.extend((body.len() as u32 + 4).to_be_bytes());
        whole.extend(body);
        whole
    };
    let mut all = Vec::new();
    for statement in statements {
        all.extend(message(b'P', format!("\0{statement}\0\0\0").as_bytes()));
        all.extend(message(b'B', &[0; 8])); // unnamed, no parameters
        all.extend(message(b'E', &[0; 5])); // unnamed, all rows
    }
    all.extend(message(b'S', &[]));
    // After the start-up the server says when it is ready, and once more behind the Sync.
    let mut error = None;
    for round in 0..2 {
        if round == 1 {
            stream.write_all(&all).expect("sent");
        }
        loop {
            let mut head = [0; 5];
            stream.read_exact(&mut head).expect("an answer");
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize - 4;
            let mut body = vec![0; length];
            stream.read_exact(&mut body).expect("an answer");
            match head[0] {
                b'E' => {
                    let fields = body.split(|byte| *byte == 0);
                    let told = fields.filter_map(|field| field.strip_prefix(b"M")).next().unwrap_or_default();
                    error = error.or(Some(String::from_utf8_lossy(told).into_owned()));
                }
                b'Z' => break,
                _ => {}
            }
        }
    }
    error
}

/// What lint says of Supabase's pipeline, which sends what can't run in a transaction alone.
#[test]
fn what_cannot_run_in_a_pipeline_is_sent_alone_by_newer_tools() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "ALTER TABLE a ADD COLUMN b int;\nCREATE INDEX CONCURRENTLY a_b ON a (b);\nALTER TABLE a ADD COLUMN c int;\n";
    std::fs::write(folder.path().join("20260101000000_a.sql"), text).expect("written");
    let request =
        Request { paths: vec![folder.path().to_owned()], runner: runner("supabase"), ..Request::default() };
    let project = project::gather(&request).expect("gathered");
    let report = lint::lint(&project.parts[0].migrations, &LintOptions::default());
    let told: Vec<Option<bool>> = report.files[0].statements.iter().map(|one| one.in_transaction).collect();
    assert_eq!(told, [Some(true), Some(false), Some(true)]);
}

/// All pending files in one transaction: what the first locks is locked until the last is through.
#[test]
fn locks_of_one_transaction_for_all_add_up_across_files() {
    let cluster = ScratchCluster::start(&Options::default()).expect("a scratch cluster");
    let mut client = cluster.connect(SUPERUSER, "postgres").expect("connected");
    client.batch_execute("CREATE TABLE a (id int); CREATE TABLE b (id int)").expect("tables");
    let files = [
        ("0000_a.sql", "ALTER TABLE a ADD COLUMN x int;\n"),
        ("0001_b.sql", "ALTER TABLE b ADD COLUMN x int;\n"),
    ];
    client.batch_execute("BEGIN").expect("begun");
    for (_, text) in files {
        client.batch_execute(text).expect("run");
    }
    let locks = "SELECT relation::regclass::text FROM pg_locks WHERE pid = pg_backend_pid() AND mode = 'AccessExclusiveLock'
        AND relation::regclass::text IN ('a', 'b') ORDER BY 1";
    let held: Vec<String> = client.query(locks, &[]).expect("locks").iter().map(|row| row.get(0)).collect();
    assert_eq!(held, ["a", "b"]);
    client.batch_execute("ROLLBACK").expect("rolled back");

    for (tool, spans) in [("drizzle-1", true), ("diesel", false)] {
        let folder = tempfile::tempdir().expect("a folder");
        let name = if spans { "migration.sql" } else { "up.sql" };
        let tables = ("2025_tables", "CREATE TABLE a (id int); CREATE TABLE b (id int);\n");
        for (place, (path, text)) in [tables].into_iter().chain(files).enumerate() {
            let path =
                folder.path().join(format!("{}_{}", 2025 + place, path.replace(['.', '_'], ""))).join(name);
            std::fs::create_dir_all(path.parent().expect("in a folder")).expect("folders");
            std::fs::write(path, text).expect("written");
        }
        let request =
            Request { paths: vec![folder.path().to_owned()], runner: runner(tool), ..Request::default() };
        let mut project = project::gather(&request).expect("gathered");
        project.parts[0].migrations[0].judged = false; // the tables have been there
        let report = lint::lint(&project.parts[0].migrations, &LintOptions::default());
        let found = report.findings.iter().filter(|finding| finding.code == "locks_span_files").count();
        assert_eq!(found, usize::from(spans), "{tool}: {:?}", report.findings);
    }
}
