//! Rehearsals on real servers: each page's examples give what they say, and the shop's release every finding.

mod program;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rollsafe::migration::project::runners::runner;
use rollsafe::migration::project::{self, Part};
use rollsafe::postgres::child::Run;
use rollsafe::postgres::cluster::{NewDatabase, Options, SUPERUSER, ScratchCluster};
use rollsafe::postgres::tools::{Installations, Tool};
use rollsafe::rehearsal::rehearse::rehearse_on;
use rollsafe::rehearsal::report::{Access, FailedQuery, PhaseName, Rehearsal, ServerError, Status, Verdict};
use rollsafe::rehearsal::request::{Request, Silent};
use rollsafe::rehearsal::rules::RULES;
use rollsafe::rehearsal::terminal::{Look, terminal};
use rollsafe::rehearsal::{Place, Server};

/// One server for each major version that is installed.
fn servers() -> Vec<Arc<ScratchCluster>> {
    let installations = Installations::find();
    let mut majors: Vec<u16> = installations
        .all()
        .iter()
        .filter(|installation| installation.has_server())
        .map(|installation| installation.version().major())
        .filter(|major| (12..=18).contains(major))
        .collect();
    majors.sort_unstable();
    majors.dedup();
    assert!(!majors.is_empty(), "no PostgreSQL server from 12 to 18 is installed; rehearsals need one");
    majors.into_iter().map(start).collect()
}

fn start(major: u16) -> Arc<ScratchCluster> {
    let options = Options::major(major).setting("wal_level", "replica").setting("max_connections", "80");
    Arc::new(ScratchCluster::start(&options).unwrap_or_else(|e| panic!("PostgreSQL {major}: {e}")))
}

/// A database of its own on a server, with `setup` in it.
fn place(cluster: &Arc<ScratchCluster>, database: &str, setup: &str) -> Place {
    cluster.create_database(&NewDatabase { name: database, ..Default::default() }).expect("a database");
    cluster.connect(SUPERUSER, database).expect("in").batch_execute(setup).expect("the setup runs");
    let server = Server::Scratch {
        cluster: cluster.clone(),
        database: database.to_owned(),
        role: SUPERUSER.to_owned(),
    };
    Place { server, zero: Instant::now(), search_path: None }
}

/// Files of a project, as golang-migrate runs them.
fn part(folder: &Path, files: &[(&str, &str)]) -> Part {
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("written");
    }
    let request = project::Request {
        paths: vec![folder.to_owned()],
        runner: runner("golang-migrate"),
        ..project::Request::default()
    };
    let mut project = project::gather(&request).expect("gathered");
    assert_eq!(project.parts.len(), 1);
    project.parts.remove(0)
}

fn codes(report: &Rehearsal) -> Vec<String> {
    report.findings.iter().map(|finding| finding.code.to_string()).collect()
}

/// A bad or good block of a page.
struct Example {
    code: &'static str,
    bad: bool,
    words: Vec<String>,
    setup: String,
    up: String,
    down: String,
    queries: String,
}

impl Example {
    fn word(&self, name: &str) -> Option<f64> {
        let prefix = format!("{name}=");
        self.words.iter().find_map(|word| word.strip_prefix(&prefix)?.parse().ok())
    }
}

fn examples() -> Vec<Example> {
    let mut all = Vec::new();
    for rule in RULES {
        let mut setup = String::new();
        let mut lines = rule.page.lines();
        while let Some(line) = lines.next() {
            let Some(info) = line.strip_prefix("```sql ") else { continue };
            let words: Vec<String> = info.split_whitespace().map(str::to_owned).collect();
            let sql: String =
                lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
            if words.iter().any(|word| word == "setup") {
                setup = sql;
                continue;
            }
            let (sql, queries) = sql.split_once("-- the queries\n").unwrap_or((&sql, ""));
            let (up, down) = sql.split_once("-- the way back\n").unwrap_or((sql, ""));
            all.push(Example {
                code: rule.code,
                bad: words.iter().any(|word| word == "bad"),
                words,
                setup: setup.clone(),
                up: up.to_owned(),
                down: down.to_owned(),
                queries: queries.to_owned(),
            });
        }
    }
    all
}

fn rehearse_example(cluster: &Arc<ScratchCluster>, number: usize, example: &Example) -> Rehearsal {
    let folder = tempfile::tempdir().expect("a folder");
    let place = place(cluster, &format!("example_{number}"), &example.setup);
    let mut files =
        vec![("0001_setup.up.sql", example.setup.as_str()), ("0002_change.up.sql", example.up.as_str())];
    if !example.down.is_empty() {
        files.push(("0002_change.down.sql", example.down.as_str()));
    }
    let mut request = Request {
        part: part(folder.path(), &files),
        pending_from: Some("0002".to_owned()),
        ..Request::default()
    };
    if !example.queries.is_empty() {
        let path = folder.path().join("queries.sql");
        std::fs::write(&path, &example.queries).expect("written");
        // Beside the migrations, which are read by now.
        request.queries.push(path);
    }
    request.limits.stall = example.word("stall").unwrap_or(60.0);
    request.limits.migrate = example.word("migrate").unwrap_or(60.0);
    request.limits.hard_stop = example.word("hard-stop").unwrap_or(60.0);
    request.limits.rollback = example.word("rollback").unwrap_or(60.0);
    rehearse_on(place, &request, &Silent).expect("rehearsed")
}

#[test]
fn pages_and_rules_are_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/rehearsal");
    let pages: BTreeSet<String> = std::fs::read_dir(&folder)
        .expect("rules/rehearsal is there")
        .map(|entry| entry.expect("readable").path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let rules: BTreeSet<String> = RULES.iter().map(|rule| rule.code.to_owned()).collect();
    assert_eq!(pages, rules);
    let modules: BTreeSet<String> =
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rehearsal/rules"))
            .expect("the modules are there")
            .map(|entry| entry.expect("readable").path().file_stem().unwrap().to_string_lossy().into_owned())
            .filter(|name| name != "mod")
            .collect();
    assert_eq!(modules, rules);
    for rule in RULES {
        let facts = rollsafe::pages::facts(rule.page).unwrap_or_else(|| panic!("{}: no facts", rule.code));
        assert_eq!(facts.category.as_str(), "rehearsal", "{}", rule.code);
        assert!(rule.page.starts_with(&format!("# {}\n", rule.code)), "{}", rule.code);
        for kind in [true, false] {
            assert!(examples().iter().any(|one| one.code == rule.code && one.bad == kind), "{}", rule.code);
        }
    }
}

#[test]
fn examples_of_pages_give_what_they_say() {
    let examples = examples();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = servers()
            .into_iter()
            .map(|cluster| {
                let examples = &examples;
                scope.spawn(move || {
                    let mut wrong = Vec::new();
                    for (number, example) in examples.iter().enumerate() {
                        let report = rehearse_example(&cluster, number, example);
                        let expected: Vec<&str> = if example.bad { vec![example.code] } else { vec![] };
                        if codes(&report) != expected || !report.not_checked.is_empty() {
                            wrong.push(format!(
                                "{} ({}) on {}:\n{}",
                                example.code,
                                example.words.join(" "),
                                cluster.version(),
                                terminal(&report, Look { color: false })
                            ));
                        }
                    }
                    wrong
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("rehearsing")).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The shop's dump, made by its recipe.
fn shop_dump(folder: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/shop/release");
    let recipe = ["migrations/0001_shop.up.sql", "data.sql"]
        .map(|file| std::fs::read_to_string(root.join(file)).expect("readable"));
    dump_of(folder, &recipe)
}

fn dump_of(folder: &Path, recipe: &[String]) -> PathBuf {
    let options = Options { tools: vec![Tool::PgDump], ..Options::default() };
    let cluster = ScratchCluster::start(&options).expect("a server with pg_dump");
    cluster.create_database(&NewDatabase { name: "shop", ..Default::default() }).expect("a database");
    let mut client = cluster.connect(SUPERUSER, "shop").expect("in");
    for sql in recipe {
        client.batch_execute(sql).expect("the recipe runs");
    }
    let dump = folder.join("shop.dump");
    let ended =
        Run::new(cluster.installation().tool(Tool::PgDump).expect("pg_dump"), Duration::from_secs(120))
            .args(cluster.arguments(SUPERUSER, "shop"))
            .args(["--format", "custom", "--file"])
            .arg(&dump)
            .to_end()
            .expect("pg_dump runs");
    assert!(ended.succeeded(), "{}", ended.stderr.text());
    dump
}

#[test]
fn the_shops_release_shows_every_finding() {
    let folder = tempfile::tempdir().expect("a folder");
    let dump = shop_dump(folder.path());
    let sizes = folder.path().join("sizes.json");
    std::fs::write(&sizes, r#"{"tables": [{"name": "public.orders", "total_bytes": 50000000000}]}"#)
        .expect("written");
    let report_file = folder.path().join("report.json");
    let output = program::alone(env!("CARGO_BIN_EXE_rollsafe"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/shop/release"))
        // What leads to another server leads nobody there.
        .envs([("PGPORT", "1"), ("PGHOSTADDR", "127.0.0.1"), ("PGUSER", "nobody")])
        .args(["rehearse", "--keep-going", "--backup"])
        .arg(&dump)
        .arg("--sizes")
        .arg(&sizes)
        .arg("--report")
        .arg(&report_file)
        .output()
        .expect("rollsafe runs");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}\n{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(&report_file).expect("the report is there");
    let report: Rehearsal = serde_json::from_str(&text).expect("the report is what it says");

    assert_eq!(report.verdict, Verdict::Failed);
    assert_eq!(report.not_checked, Vec::<String>::new());
    assert!(!report.notes.iter().any(|note| note.contains("predictions rest")), "{:?}", report.notes);
    assert_eq!(report.run.runner.as_deref(), Some("golang-migrate"));
    assert_eq!(report.run.pending.ledger.as_deref(), Some("schema_migrations"));
    let statuses: Vec<Status> = report.migrations.iter().map(|run| run.status).collect();
    let mut expected = vec![Status::Done; 6];
    expected.extend([Status::Failed; 2]);
    assert_eq!(statuses, expected, "{shown}");
    assert!(report.migrations.iter().all(|run| run.sha256.is_some() && run.down.is_some()));

    // (code, part of the message): each is there.
    let found = |code: &str, part: &str| {
        let there =
            report.findings.iter().any(|finding| finding.code == code && finding.message.contains(part));
        assert!(there, "no {code} with {part:?} in\n{shown}");
    };
    found("stall_too_long", "reads and writes of orders");
    found("stall_too_long", "writes of orders stood still");
    found("schema_not_restored", "products.products_title_given is still there");
    found("data_not_restored", "13333 values of nickname are gone");
    found("written_rows_lost", "wishes");
    found("query_broken", "placed_at");
    found("query_broken", "nickname");
    found("migration_failed", "is duplicated");
    found("migration_failed", "contains null values");
    found("over_time_limit", "going back by the down migrations");
    let help: Vec<&str> = report.findings.iter().filter_map(|finding| finding.help.as_deref()).collect();
    assert!(
        help.iter().any(|help| help.contains("SELECT email, count(*) FROM customers GROUP BY email")),
        "{shown}"
    );
    assert!(help.iter().any(|help| help.contains("FROM order_items WHERE quantity IS NULL")), "{shown}");
    assert!(!codes(&report).contains(&"prediction_missed".to_owned()), "{shown}");

    // What was measured, and what was behind it.
    let statement = |kind: &str, path: &str| {
        report
            .statements()
            .find(|one| one.kind == kind && one.path.as_deref().is_some_and(|it| it.ends_with(path)))
            .unwrap_or_else(|| panic!("no {kind} in {path}"))
    };
    let index = statement("CREATE INDEX", "0003_search_remarks.up.sql");
    assert_eq!(index.locks.len(), 1);
    assert_eq!((index.locks[0].relation.as_str(), index.locks[0].mode.as_str()), ("orders", "SHARE"));
    assert!(index.locks[0].blocks_writes && !index.locks[0].blocks_reads);
    assert_eq!(index.index_builds, ["orders_remark_search_idx"]);
    assert!(index.wal_bytes > 0);
    let rewrite = statement("ALTER TABLE", "0004_totals_in_cents.up.sql");
    assert_eq!(rewrite.rewrites, ["orders"]);
    let orders = report.tables.iter().find(|table| table.name == "orders").expect("orders");
    let behind = |id: u32, of: Access| {
        orders
            .stalls
            .iter()
            .any(|stall| stall.statement == Some(id) && stall.of == of && stall.during == PhaseName::Migrate)
    };
    assert!(behind(index.id, Access::Writes) && !behind(index.id, Access::Reads), "{:#?}", orders.stalls);
    assert!(behind(rewrite.id, Access::Reads) && behind(rewrite.id, Access::Writes));

    // Both ways back, and what they brought back.
    let downs = report.rollback.downs.as_ref().expect("downs");
    assert_eq!((downs.status, downs.steps.len()), (Status::Done, 6));
    let restore = report.rollback.restore.as_ref().expect("a restore");
    assert_eq!(restore.status, Status::Done);
    assert!(restore.schema_differences.is_empty() && restore.tables_differing.is_empty(), "{restore:#?}");
    let rows = &orders.rows;
    assert!(rows.before.is_some() && rows.before == rows.rolled_back && rows.before == rows.restored);
    let queries = report.queries.as_ref().expect("queries");
    assert_eq!((queries.total, queries.prepared_before, queries.prepared_after), (10, 9, 7));
    assert_eq!(queries.prepared_rolled_back, Some(9));
    let there = report.extrapolation.as_ref().expect("extrapolated");
    assert!(there.migrate_seconds > report.migrate_seconds());

    // A tired person reads the end.
    let last: Vec<&str> = shown.trim_end().lines().rev().take(3).collect();
    assert!(last[0].starts_with("FAILED: "), "{shown}");
    assert!(last[1].starts_with("6 of 8 migrations ran in "), "{shown}");
    assert!(last[2].contains(" stood still for "), "{shown}");
}

#[test]
fn the_projects_own_command_is_watched() {
    let options = Options { tools: vec![Tool::Psql], ..Options::default() }
        .setting("max_connections", "80")
        .setting("wal_level", "replica");
    let cluster = Arc::new(ScratchCluster::start(&options).expect("a server with psql"));
    let psql = cluster.installation().tool(Tool::Psql).expect("psql").display().to_string();
    let setup = "CREATE TABLE orders (id bigint PRIMARY KEY, total int); INSERT INTO orders VALUES (1, 2);";
    let folder = tempfile::tempdir().expect("a folder");
    let files = [
        ("0001_setup.up.sql", setup),
        ("0002_change.up.sql", "ALTER TABLE orders ALTER COLUMN total TYPE bigint;"),
        ("0002_change.down.sql", "ALTER TABLE orders ALTER COLUMN total TYPE int;"),
    ];
    let request = |command: String| Request {
        part: part(folder.path(), &files),
        pending_from: Some("0002".to_owned()),
        migrate_command: Some(command),
        directory: folder.path().to_owned(),
        ..Request::default()
    };
    let command = format!(
        "'{psql}' -X -v ON_ERROR_STOP=1 \"$DATABASE_URL\" -f '{}'",
        folder.path().join("0002_change.up.sql").display()
    );
    let report = rehearse_on(place(&cluster, "good", setup), &request(command), &Silent).expect("rehearsed");
    let shown = terminal(&report, Look { color: false });
    assert_eq!(codes(&report), Vec::<String>::new(), "{shown}");
    let statements = &report.migrations[0].statements;
    assert_eq!(statements.len(), 1, "{shown}");
    assert_eq!(
        (statements[0].kind.as_str(), &*statements[0].rewrites),
        ("ALTER TABLE", &["orders".to_owned()][..])
    );
    // Its way back is in a file, and is run from there.
    assert_eq!(report.rollback.downs.as_ref().map(|downs| downs.status), Some(Status::Done), "{shown}");

    let command =
        format!("'{psql}' -X -v ON_ERROR_STOP=1 \"$DATABASE_URL\" -c 'ALTER TABLE order ADD x int'");
    let report = rehearse_on(place(&cluster, "bad", setup), &request(command), &Silent).expect("rehearsed");
    assert_eq!(codes(&report), ["migration_failed"]);
    let error = report.migrations[0].statements[0].error.as_ref().expect("an error");
    assert_eq!(error.sqlstate, "42601");
    let report = rehearse_on(place(&cluster, "silent", setup), &request("exit 3".to_owned()), &Silent)
        .expect("rehearsed");
    let error = report.migrations[0].statements[0].error.as_ref().expect("an error");
    assert!(error.message.ends_with("exit status: 3"), "{error:?}");

    // A ledger that the command makes is its own, with all that belongs to it.
    let script = folder.path().join("first.psql");
    let sql =
        "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL, n bigserial);
        ALTER TABLE orders ALTER COLUMN total TYPE bigint;
        INSERT INTO schema_migrations VALUES (2, false);";
    std::fs::write(&script, sql).expect("written");
    let command = format!("'{psql}' -X -v ON_ERROR_STOP=1 \"$DATABASE_URL\" -f '{}'", script.display());
    let report = rehearse_on(place(&cluster, "first", setup), &request(command), &Silent).expect("rehearsed");
    assert_eq!(codes(&report), Vec::<String>::new(), "{}", terminal(&report, Look { color: false }));
    assert_eq!(report.run.pending.ledger.as_deref(), Some("schema_migrations"));

    // With a ledger it is asked what the command ran, and that alone is gone back on.
    let setup = &format!(
        "{setup} CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);
         INSERT INTO schema_migrations VALUES (1, false);"
    );
    let files = [
        files[0],
        files[1],
        files[2],
        ("0003_more.up.sql", "SELECT 1;"),
        ("0003_more.down.sql", "DROP TABLE nowhere;"),
    ];
    let request = |command: String| Request {
        part: part(folder.path(), &files),
        migrate_command: Some(command),
        directory: folder.path().to_owned(),
        ..Request::default()
    };
    let report =
        rehearse_on(place(&cluster, "idle", setup), &request("true".to_owned()), &Silent).expect("rehearsed");
    let shown = terminal(&report, Look { color: false });
    assert_eq!(report.verdict, Verdict::Incomplete, "{shown}");
    assert!(
        report
            .not_checked
            .iter()
            .any(|one| one.contains("0002_change.up.sql: still pending after the command"))
    );
    assert!(shown.contains("0 of 2 migrations ran"), "{shown}");
    let script = folder.path().join("migrate.psql");
    let sql = "BEGIN; ALTER TABLE orders ALTER COLUMN total TYPE bigint; SELECT pg_sleep(0.4); COMMIT;
        DELETE FROM schema_migrations; INSERT INTO schema_migrations VALUES (2, false);";
    std::fs::write(&script, sql).expect("written");
    let command = format!("'{psql}' -X -v ON_ERROR_STOP=1 \"$DATABASE_URL\" -f '{}'", script.display());
    let report = rehearse_on(place(&cluster, "half", setup), &request(command), &Silent).expect("rehearsed");
    let shown = terminal(&report, Look { color: false });
    let ran: Vec<(Status, bool)> = report
        .files()
        .iter()
        .map(|file| (file.status, file.sha256.is_some() && file.down_sha256.is_some()))
        .collect();
    assert_eq!(ran, [(Status::Done, true), (Status::NotRun, true)], "{shown}");
    let downs = report.rollback.downs.as_ref().expect("downs");
    assert_eq!((downs.status, downs.steps.len()), (Status::Done, 1), "{shown}");
    assert_eq!(codes(&report), Vec::<String>::new(), "{shown}");
    // Its lock is the statement's that took it, and the wait is behind it.
    let alter = report.statements().find(|one| one.kind == "ALTER TABLE").expect("an ALTER TABLE");
    assert!(alter.locks.iter().any(|lock| lock.relation == "orders" && lock.blocks_reads), "{alter:#?}");
    let stall = report.tables.iter().find_map(|table| table.longest_read_stall.as_ref()).expect("a stall");
    assert_eq!(stall.statement, Some(alter.id), "{shown}");

    // What hangs is stopped, with what it left on the server.
    let mut hung =
        request(format!("'{psql}' -X \"$DATABASE_URL\" -c 'BEGIN; LOCK TABLE orders; SELECT pg_sleep(600)'"));
    (hung.limits.migrate, hung.limits.hard_stop) = (0.3, 0.5);
    let began = Instant::now();
    let report = rehearse_on(place(&cluster, "hung", setup), &hung, &Silent).expect("rehearsed");
    assert_eq!(codes(&report), ["over_time_limit"], "{}", terminal(&report, Look { color: false }));
    assert!(began.elapsed() < Duration::from_secs(60));
}

/// What takes place inside one transaction, and inside one statement.
#[test]
fn what_follows_a_lock_is_seen_too() {
    let cluster = servers().remove(0);
    let setup = "CREATE TABLE orders (id bigint PRIMARY KEY, total int, note text);
        INSERT INTO orders SELECT n, n, repeat('x', 50) FROM generate_series(1, 20000) n;";
    let folder = tempfile::tempdir().expect("a folder");
    let rehearsed = |database: &str, sql: &str| {
        let files = [("0001_setup.up.sql", setup), ("0002_change.up.sql", sql)];
        let sizes = rollsafe::rehearsal::extrapolate::Sizes {
            tables: [("orders".to_owned(), 20_000_000_000)].into(),
            ..Default::default()
        };
        let request = Request {
            part: part(folder.path(), &files),
            pending_from: Some("2".to_owned()),
            sizes: Some(sizes),
            ..Request::default()
        };
        let report = rehearse_on(place(&cluster, database, setup), &request, &Silent).expect("rehearsed");
        assert!(report.migrations.iter().all(|run| run.status == Status::Done), "{report:#?}");
        report
    };
    let orders = |report: &Rehearsal| -> rollsafe::rehearsal::report::TableRun {
        report.tables.iter().find(|table| table.name == "orders").expect("orders").clone()
    };

    // The strongest lock is the first statement's; what the others do takes as much longer all the same.
    let report = rehearsed(
        "locked",
        "ALTER TABLE orders ADD COLUMN full_note text; UPDATE orders SET full_note = note;
         ALTER TABLE orders ALTER COLUMN total TYPE bigint; SELECT pg_sleep(0.2);",
    );
    let statements = &report.migrations[0].statements;
    assert_eq!(statements[1].writes, ["orders"]);
    assert_eq!(statements[2].rewrites, ["orders"]);
    let there = report.extrapolation.as_ref().expect("extrapolated");
    assert!(there.migrate_seconds > 100.0 * (statements[1].seconds + statements[2].seconds), "{there:#?}");
    assert!(
        there.stalls.iter().any(|stall| stall.of == Access::Reads && stall.seconds_there > 10.0),
        "{there:#?}"
    );

    // Rows stay locked until the transaction's end, whichever they are.
    let report = rehearsed("rows", "UPDATE orders SET total = 0 WHERE id > 19000; SELECT pg_sleep(0.3);");
    let stall = orders(&report).longest_write_stall.expect("writes stood still");
    assert!(stall.of_rows() && stall.seconds() >= 0.3, "{stall:?}");
    assert!(
        terminal(&report, Look { color: false }).contains("writes to changed rows of orders stood still")
    );

    // Rows that others can see, and no others.
    let report = rehearsed(
        "which_rows",
        "CREATE TABLE empty_one (id bigint PRIMARY KEY, total int);
         INSERT INTO orders VALUES (50001, 1), (50002, 2); UPDATE orders SET total = 5 WHERE id > 50000;
         WITH gone AS (DELETE FROM orders WHERE id = 50001 RETURNING id, total)
         INSERT INTO empty_one SELECT * FROM gone;
         DO $$ BEGIN UPDATE orders SET total = 1 WHERE id < 0; INSERT INTO orders VALUES (50003, 9); END $$;
         SELECT pg_sleep(0.2);",
    );
    assert_eq!(orders(&report).longest_write_stall, None);
    for (database, sql) in [
        ("conflict", "INSERT INTO orders VALUES (1, 9) ON CONFLICT (id) DO UPDATE SET total = 9"),
        ("mixed", "INSERT INTO orders VALUES (50001, 1); UPDATE orders SET total = 9 WHERE id = 7"),
        (
            "block",
            "DO $$ BEGIN DELETE FROM orders WHERE id = 3; INSERT INTO orders VALUES (50001, 1); END $$",
        ),
    ] {
        let report = rehearsed(database, &format!("{sql}; SELECT pg_sleep(0.2);"));
        let stall = orders(&report).longest_write_stall;
        assert!(stall.as_ref().is_some_and(|stall| stall.of_rows()), "{sql}: {stall:?}");
    }
    let sql = "LOCK TABLE orders IN SHARE ROW EXCLUSIVE MODE; UPDATE orders SET total = 0 WHERE id = 1; SELECT pg_sleep(0.2);";
    let report = rehearsed("twice", sql);
    assert!(orders(&report).stalls.iter().all(|stall| !stall.of_rows()), "{:#?}", orders(&report).stalls);

    // What is let go and taken again is told as often, and batches aren't multiplied into one long wait.
    let report = rehearsed(
        "again",
        "DO $$ BEGIN ALTER TABLE orders ADD COLUMN a int; PERFORM pg_sleep(0.1); COMMIT;
         ALTER TABLE orders ADD COLUMN b int; PERFORM pg_sleep(0.3); COMMIT; END $$;",
    );
    let locks = &report.migrations[0].statements[0].locks;
    let held: Vec<f64> = locks.iter().map(|lock| lock.released - lock.acquired).collect();
    assert!(held.len() == 2 && held[0] < held[1] && held[1] >= 0.3, "{locks:#?}");
    let report = rehearsed(
        "batches",
        "DO $$ BEGIN FOR at IN 0..19 LOOP
         UPDATE orders SET total = 0 WHERE id BETWEEN at * 1000 AND at * 1000 + 999; COMMIT; END LOOP; END $$;",
    );
    let statement = &report.migrations[0].statements[0];
    assert!(statement.commits && statement.writes == ["orders"], "{statement:#?}");
    let there = report.extrapolation.as_ref().expect("extrapolated");
    assert!(there.migrate_seconds > 100.0 * statement.seconds, "{there:#?}");
    assert!(there.stalls.iter().all(|stall| stall.seconds_there < 2.0), "{there:#?}");
}

#[test]
fn what_can_not_be_rehearsed_is_said() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let run = |arguments: &[&str]| {
        let output = program::alone(env!("CARGO_BIN_EXE_rollsafe"))
            .current_dir(&root)
            .args(["--no-config", "rehearse", "--migrations", "shop/release/migrations"])
            .args(arguments)
            .output()
            .expect("rollsafe runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = run(&[]);
    assert_eq!(code, Some(2));
    assert!(said.contains("--backup"), "{said}");
    let (code, said) = run(&["--backup", "nowhere.dump"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("nowhere.dump"), "{said}");
    // A dump without the tool's ledger: which ones are pending isn't guessed.
    let (code, said) = run(&["--backup", "dumps/15-custom.dump"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("ledger") && said.contains("--pending-from"), "{said}");
    let (code, said) = run(&["--database-url", "postgresql://app@127.0.0.1:1/shop_prod"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("nothing says that this database may be destroyed"), "{said}");
    // A copy of the environment's is no answer to a backup that is named.
    let output = program::alone(env!("CARGO_BIN_EXE_rollsafe"))
        .current_dir(&root)
        .env("ROLLSAFE_COPY_URL", "postgresql://app@127.0.0.1:1/shop_copy")
        .args([
            "--no-config",
            "rehearse",
            "--migrations",
            "shop/release/migrations",
            "--backup",
            "nowhere.dump",
        ])
        .output()
        .expect("rollsafe runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("nowhere.dump"), "{said}");
    // The tool's own way back has nothing to undo where the tool didn't run.
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("rollsafe.toml");
    std::fs::write(&config, "[rehearsal]\nrollback-command = \"migrate down 1\"\n").expect("written");
    let output = program::alone(env!("CARGO_BIN_EXE_rollsafe"))
        .current_dir(&root)
        .arg("--config")
        .arg(&config)
        .args(["rehearse", "--migrations", "shop/release/migrations", "--backup", "dumps/15-custom.dump"])
        .output()
        .expect("rollsafe runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("needs rehearsal.migrate-command"), "{said}");
}

/// A database that the user names: refused where it looks like production, else migrated, taken back and left.
#[test]
fn a_copy_is_rehearsed_on_when_it_is_named_as_one() {
    let options = Options::default().setting("max_connections", "80").setting("wal_level", "replica");
    let cluster = ScratchCluster::start(&options).expect("a server");
    cluster.create_database(&NewDatabase { name: "shop_prod", ..Default::default() }).expect("a database");
    let mut client = cluster.connect(SUPERUSER, "shop_prod").expect("in");
    client
        .batch_execute(
            "CREATE TABLE orders (id bigint PRIMARY KEY, total int);
             INSERT INTO orders SELECT n, n FROM generate_series(1, 500) n;
             CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);
             INSERT INTO schema_migrations VALUES (1, false);
             CREATE ROLE weak LOGIN;",
        )
        .expect("a shop");
    drop(client);
    let folder = tempfile::tempdir().expect("a folder");
    let files = [
        ("0001_setup.up.sql", "CREATE TABLE orders (id bigint PRIMARY KEY, total int);"),
        ("0002_change.up.sql", "ALTER TABLE orders ALTER COLUMN total TYPE bigint;"),
        ("0002_change.down.sql", "ALTER TABLE orders ALTER COLUMN total TYPE int;"),
    ];
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    let url_of = |database: &str, user: &str| {
        format!("postgresql:///{database}?host={}&user={user}", cluster.socket_directory().display())
    };
    let url = url_of("shop_prod", SUPERUSER);
    let report_file = folder.path().join("report.json");
    let run_on = |url: &str, more: &[&str]| {
        let output = program::alone(env!("CARGO_BIN_EXE_rollsafe"))
            .args([
                "--no-config",
                "rehearse",
                "--runner",
                "golang-migrate",
                "--max-stall",
                "1m",
                "--migrations",
            ])
            .arg(folder.path())
            .args(["--database-url", url, "--report"])
            .arg(&report_file)
            .args(more)
            .output()
            .expect("rollsafe runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let run = |more: &[&str]| run_on(&url, more);
    let type_of = || -> String {
        let mut client = cluster.connect(SUPERUSER, "shop_prod").expect("in");
        let sql = "SELECT atttypid::regtype::text FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname = 'total'";
        client.query_one(sql, &[]).expect("asked").get(0)
    };
    let refused = |url: &str, more: &[&str], words: &[&str]| {
        let (code, _, said) = run_on(url, more);
        assert_eq!(code, Some(2), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    };
    refused(&url, &[], &["--disposable"]);
    refused(&url, &["--disposable"], &["may be production", "\"prod\"", "--disposable=shop_prod"]);
    refused(&url, &["--disposable=shop"], &["names another database"]);
    // Nobody names it production, but somebody works there whom an ordinary role doesn't see.
    let working = cluster.connect(SUPERUSER, "postgres").expect("in");
    let unseen = url_of("postgres", "weak");
    refused(&unseen, &[], &["nothing says that this database may be destroyed"]);
    refused(&unseen, &["--disposable"], &["1 other session is connected to it"]);
    drop(working);
    assert_eq!(type_of(), "integer");

    let (code, shown, said) = run(&["--disposable=shop_prod"]);
    assert_eq!(code, Some(0), "{shown}{said}");
    let text = std::fs::read_to_string(&report_file).expect("the report");
    let report: Rehearsal = serde_json::from_str(&text).expect("a report");
    assert_eq!(report.verdict, Verdict::Passed);
    assert_eq!(report.migrations[0].statements[0].rewrites, ["orders"]);
    assert_eq!(report.rollback.downs.as_ref().map(|downs| downs.status), Some(Status::Done));
    assert!(report.rollback.restore.is_none(), "no backup was given");
    for said in ["no backup was given", "wrote nothing into schema_migrations"] {
        assert!(report.notes.iter().any(|note| note.contains(said)), "{:?}", report.notes);
    }
    assert_eq!(type_of(), "integer", "taken back");

    // It is the user's: nothing of rollsafe's stays.
    let (code, shown, said) = run(&["--disposable=shop_prod", "--no-rollback"]);
    assert_eq!(code, Some(2), "what was left out isn't passed: {shown}{said}");
    assert_eq!(type_of(), "bigint", "a copy stays as the rehearsal left it");
    let mut client = cluster.connect(SUPERUSER, "shop_prod").expect("in");
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'rollsafe: %'";
    assert_eq!(client.query_one(sql, &[]).expect("asked").get::<_, i64>(0), 0);
}

/// Ctrl-C and SIGTERM in the middle of the migrations: server, command and directories go too.
#[test]
fn a_signal_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let dump = small_dump(folder.path());
    for signal in ["INT", "TERM"] {
        use std::os::unix::fs::PermissionsExt;
        let scratch = folder.path().join(signal);
        std::fs::create_dir(&scratch).expect("made");
        for path in [folder.path(), &scratch] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o711)).expect("allowed");
        }
        let began = folder.path().join(format!("{signal}.began"));
        let migrations = folder.path().join("m");
        std::fs::create_dir_all(&migrations).expect("made");
        std::fs::write(migrations.join("0001_a.up.sql"), "SELECT 1;").expect("written");
        let mut child = program::alone(env!("CARGO_BIN_EXE_rollsafe"))
            .args(["--no-config", "rehearse", "--runner", "golang-migrate", "--migrations"])
            .arg(&migrations)
            .arg("--backup")
            .arg(&dump)
            .arg("--migrate-command")
            .arg(format!("echo $$ > '{}'; exec sleep 600", began.display()))
            .env("TMPDIR", &scratch)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("rollsafe runs");
        eventually("the command begins", || {
            std::fs::read_to_string(&began).is_ok_and(|pid| pid.ends_with('\n'))
        });
        let command = std::fs::read_to_string(&began).expect("its process").trim().to_owned();
        let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        let ended = child.wait().expect("it ends");
        // By the signal, as a shell wants to see it.
        let number = std::os::unix::process::ExitStatusExt::signal(&ended);
        assert_eq!(number, Some(if signal == "INT" { 2 } else { 15 }), "{ended:?}");
        eventually("nothing is left", || {
            let left = std::fs::read_dir(&scratch).expect("readable").count();
            left == 0 && !Path::new("/proc").join(&command).join("exe").exists()
        });
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A dump of one small table.
fn small_dump(folder: &Path) -> PathBuf {
    dump_of(
        folder,
        &["CREATE TABLE orders (id bigint PRIMARY KEY); INSERT INTO orders VALUES (1);".to_owned()],
    )
}

/// What people read, from a report that is kept.
#[test]
fn the_report_reads_like_this() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/shop/release/rehearsal.json");
    let text = std::fs::read_to_string(&path).expect("the sample is there");
    let mut report: Rehearsal = serde_json::from_str(&text).expect("a report");
    insta::assert_snapshot!(terminal(&report, Look { color: false }));
    // A query that fails before and after is no reason to migrate first.
    let queries = report.queries.as_mut().expect("queries");
    let needs = FailedQuery { is_new: true, before: Some(ServerError::default()), ..FailedQuery::default() };
    let fails = FailedQuery { after: Some(ServerError::default()), ..needs.clone() };
    queries.failed = vec![needs, fails];
    let shown = terminal(&report, Look { color: false });
    assert!(shown.contains("; 1 of the new application need the new schema"), "{shown}");
    assert!(shown.contains("; 1 of the new application don't run on the new schema"), "{shown}");
}

/// A report of an earlier day: fields may be added since, none removed.
#[test]
fn an_older_report_is_still_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/shop/release/rehearsal.json");
    let text = std::fs::read_to_string(&path).expect("the sample is there");
    let old: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let report: Rehearsal = serde_json::from_str(&text).expect("a report");
    assert_eq!((report.schema_version, report.migrations.len()), (1, 8));
    let new = serde_json::to_value(&report).expect("written");
    fn missing(old: &serde_json::Value, new: &serde_json::Value, at: &str, found: &mut Vec<String>) {
        use serde_json::Value;
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => {
                for (key, value) in old {
                    match new.get(key) {
                        Some(there) => missing(value, there, &format!("{at}.{key}"), found),
                        None => found.push(format!("{at}.{key}")),
                    }
                }
            }
            (Value::Array(old), Value::Array(new)) => {
                for (old, new) in old.iter().zip(new) {
                    missing(old, new, &format!("{at}[]"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    missing(&old, &new, "", &mut found);
    assert_eq!(found, Vec::<String>::new());
}
