//! `rollsafe gate` on a real server: what is in the way of a release is seen, and nothing that wasn't looked at passes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rollsafe::cli::{self, Outcome, Surroundings};
use rollsafe::gate::GateReport;
use rollsafe::gate::check::{Answer, CHECKS, Check};
use rollsafe::gate::release::sha256;
use rollsafe::postgres::cluster::{NewDatabase, Options, SUPERUSER, ScratchCluster};
use rollsafe::postgres::tools::{Installations, Tool};
use rollsafe::rehearsal::report::{
    Backup, DataDifference, Downs, MigrationRun, Probes, Queries, Rehearsal, RestoreAgain, Status,
    Tool as ReportTool,
};

fn run(arguments: &[&str]) -> Outcome {
    let around = Surroundings { terminal: false, color: false, width: 100, progress: false };
    cli::run(std::iter::once("rollsafe").chain(arguments.iter().copied()).map(Into::into), around)
}

fn report(arguments: &[&str]) -> (GateReport, Outcome) {
    let all: Vec<&str> =
        ["gate", "--format", "json", "--no-config"].iter().chain(arguments).copied().collect();
    let outcome = run(&all);
    let report = serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", outcome.stdout, outcome.stderr));
    (report, outcome)
}

fn check<'a>(report: &'a GateReport, id: &str) -> &'a Check {
    report.checks.iter().find(|check| check.id == id).unwrap_or_else(|| panic!("no check {id}"))
}

/// A project of three migrations, of which a server has run one; the folder goes with it.
struct Shop {
    folder: tempfile::TempDir,
    cluster: ScratchCluster,
}

/// The major versions whose server is installed here.
fn majors() -> Vec<u16> {
    let installations = Installations::find();
    let servers = installations.all().iter().filter(|installation| installation.has_server());
    let majors: BTreeSet<u16> = servers.map(|installation| installation.version().major()).collect();
    assert!(!majors.is_empty(), "PostgreSQL's server is needed for this test");
    majors.into_iter().collect()
}

impl Shop {
    fn open() -> Shop {
        Shop::on(&Options::default())
    }

    fn on(options: &Options) -> Shop {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("written");
        };
        std::fs::create_dir(folder.path().join("m")).expect("made");
        write("m/0001_orders.up.sql", "CREATE TABLE orders (id bigint PRIMARY KEY, note text);\n");
        write("m/0001_orders.down.sql", "DROP TABLE orders;\n");
        write(
            "m/0002_total.up.sql",
            "SET lock_timeout = '2s';\nALTER TABLE orders ADD COLUMN total bigint;\n",
        );
        write("m/0002_total.down.sql", "SET lock_timeout = '2s';\nALTER TABLE orders DROP COLUMN total;\n");
        write(
            "m/0003_rewrite.up.sql",
            "SET lock_timeout = '2s';\nALTER TABLE orders ALTER COLUMN id TYPE text;\n",
        );
        write(
            "m/0003_rewrite.down.sql",
            "SET lock_timeout = '2s';\nALTER TABLE orders ALTER COLUMN id TYPE bigint USING id::bigint;\n",
        );
        let options = Options { tools: vec![Tool::PgDump, Tool::PgRestore], ..options.clone() }
            .setting("max_prepared_transactions", "3")
            .setting("wal_level", "replica");
        let cluster = ScratchCluster::start(&options).expect("PostgreSQL's server is needed for this test");
        cluster.create_database(&NewDatabase { name: "shop", ..NewDatabase::default() }).expect("made");
        let mut client = cluster.connect(SUPERUSER, "shop").expect("a session");
        client
            .batch_execute(
                "CREATE TABLE orders (id bigint PRIMARY KEY, note text);
                 INSERT INTO orders SELECT n, repeat('x', 100) FROM generate_series(1, 3000) n;
                 CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);
                 INSERT INTO schema_migrations VALUES (1, false);
                 ANALYZE; CREATE ROLE weak LOGIN;",
            )
            .expect("the shop is set up");
        Shop { folder, cluster }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn url(&self, role: &str) -> String {
        format!("host='{}' user={role} dbname=shop", self.cluster.socket_directory().display())
    }

    fn gate(&self, role: &str, more: &[&str]) -> (GateReport, Outcome) {
        let (folder, url) = (self.path("m"), self.url(role));
        let mut arguments = vec![folder.as_str(), "--runner", "golang-migrate", "--database-url", &url];
        arguments.extend(["--postgres-version", "15"]);
        arguments.extend(more);
        report(&arguments)
    }

    /// A rehearsal as it would be reported if all had gone well.
    fn rehearsal(&self, backup: &Path, started_at: &str, change: impl FnOnce(&mut Rehearsal)) -> String {
        let sum = |name: &str| sha256(&std::fs::read(self.folder.path().join(name)).expect("readable"));
        let run = |name: &str| {
            let down = name.replace(".up.", ".down.");
            MigrationRun {
                path: name.to_owned(),
                sha256: Some(sum(name)),
                down_sha256: Some(sum(&down)),
                down: Some(down),
                status: Status::Done,
                start: Some(0.0),
                seconds: 0.5,
                ..MigrationRun::default()
            }
        };
        let mut rehearsal = Rehearsal {
            schema_version: 1,
            tool: ReportTool { name: "rollsafe".into(), version: "0.1.0".into() },
            started_at: started_at.to_owned(),
            migrations: vec![run("m/0002_total.up.sql"), run("m/0003_rewrite.up.sql")],
            probes: Probes { sent: 100, ..Probes::default() },
            queries: Some(Queries { total: 1, prepared_before: 1, prepared_after: 1, ..Queries::default() }),
            ..Rehearsal::default()
        };
        rehearsal.server.version = self.cluster.version().to_string();
        rehearsal.source.backup = Some(Backup {
            path: backup.display().to_string(),
            sha256: rollsafe::backup::manifest::sha256(backup).ok(),
            ..Backup::default()
        });
        rehearsal.rollback.downs = Some(Downs { status: Status::Done, seconds: 1.0, steps: vec![] });
        rehearsal.rollback.restore =
            Some(RestoreAgain { status: Status::Done, seconds: 2.0, ..RestoreAgain::default() });
        change(&mut rehearsal);
        let path = self.folder.path().join("rehearsal.json");
        std::fs::write(&path, serde_json::to_vec(&rehearsal).expect("written")).expect("written");
        path.display().to_string()
    }
}

fn now() -> String {
    rollsafe::gate::clock::Instant::now().to_string()
}

#[test]
fn what_is_in_the_way_on_the_live_server_is_seen() {
    for major in majors() {
        seen_on(&Shop::on(&Options::major(major)));
    }
}

fn seen_on(shop: &Shop) {
    let (quiet, _) = shop.gate(SUPERUSER, &[]);
    assert_eq!(quiet.release.migrations.len(), 2, "the ledger says that one has run");
    assert!(quiet.release.pending.said.contains("schema_migrations"), "{}", quiet.release.pending.said);
    for id in
        ["live_primary", "blockers", "lock_waits", "prepared_transactions", "invalid_indexes", "wraparound"]
    {
        assert_eq!(check(&quiet, id).answer, Answer::Yes, "{:?}", check(&quiet, id));
    }
    let major = shop.cluster.version().major();
    let expected = if major == 15 { Answer::Yes } else { Answer::No };
    assert_eq!(check(&quiet, "server_version").answer, expected);

    let mut holder = shop.cluster.connect(SUPERUSER, "shop").expect("a session");
    holder
        .batch_execute(
            "CREATE UNIQUE INDEX twice ON orders (note) WHERE false; UPDATE pg_index SET indisvalid = false WHERE \
             indexrelid = 'twice'::regclass;",
        )
        .expect("an index that isn't valid");
    // A slot that nobody reads keeps all WAL from here on.
    holder.batch_execute("SELECT pg_create_physical_replication_slot('forgotten', true)").expect("a slot");
    holder.batch_execute("INSERT INTO orders SELECT n FROM generate_series(9001, 9900) n").expect("WAL");
    // In a message of its own: BEGIN would take what stands before it into its transaction.
    holder
        .batch_execute(
            "BEGIN; LOCK TABLE orders IN SHARE MODE; PREPARE TRANSACTION 'left over';
             BEGIN; SELECT count(*) FROM orders;",
        )
        .expect("in the way");
    let limits = [
        "--max-transaction-age",
        "0s",
        "--max-idle-in-transaction",
        "0s",
        "--max-blocker-age",
        "0s",
        "--max-retained-wal",
        "1kB",
    ];
    let (blocked, outcome) = shop.gate(SUPERUSER, &limits);
    for id in [
        "long_transactions",
        "idle_in_transaction",
        "blockers",
        "prepared_transactions",
        "invalid_indexes",
        "replication_slots",
    ] {
        assert_eq!(check(&blocked, id).answer, Answer::No, "{:?}", check(&blocked, id));
    }
    let prepared = "the prepared transaction 'left over' of postgres holds SHARE on orders";
    assert!(
        check(&blocked, "blockers").details.iter().any(|line| line == prepared),
        "{:?}",
        check(&blocked, "blockers")
    );
    assert!(check(&blocked, "idle_in_transaction").details[0].contains("SELECT count(*) FROM orders"));
    assert_eq!(outcome.code, 1);

    let (weak, _) = shop.gate("weak", &limits);
    let hidden = check(&weak, "idle_in_transaction");
    assert_eq!(hidden.answer, Answer::NotChecked, "what can't be seen is no yes: {hidden:?}");
    assert!(
        hidden.reason.as_deref().is_some_and(|why| why.contains("GRANT pg_monitor TO \"weak\"")),
        "{hidden:?}"
    );

    // What is pasted from the runbook doesn't take what isn't seen for nothing either.
    let path = shop.path("m");
    let url = shop.url("weak");
    let runbook =
        run(&["runbook", &path, "--no-config", "--runner", "golang-migrate", "--database-url", &url]);
    assert_eq!(runbook.code, 0, "{}", runbook.stderr);
    assert!(runbook.stdout.contains("GRANT pg_monitor TO \"weak\";"), "{}", runbook.stdout);
    let block = |start: &str| {
        let from = runbook.stdout.find(start).unwrap_or_else(|| panic!("no {start}"));
        runbook.stdout[from..].split("\n```").next().expect("a block").to_owned()
    };
    let room = block("psql \"$DATABASE_URL\" -X -v ON_ERROR_STOP=1 -c 'SELECT least(");
    let script = format!("{}\nshow_sessions; show_transactions; {room}", block("export DATABASE_URL"));
    let installations = Installations::find();
    let psql = installations.all().iter().find(|one| one.has(&[Tool::Psql])).expect("psql");
    let path = std::env::var("PATH").unwrap_or_default();
    let pasted = std::process::Command::new("bash")
        .args(["-euc", &script])
        .current_dir(shop.folder.path())
        .env("PATH", format!("{}:{}", psql.directory().display(), path))
        .output()
        .expect("bash");
    let (out, err) = (String::from_utf8_lossy(&pasted.stdout), String::from_utf8_lossy(&pasted.stderr));
    assert!(pasted.status.success(), "{out}{err}");
    let rows = |word: &str| out.lines().filter(|line| line.contains(word)).count();
    assert!(rows("| not visible") >= 2, "a session, and what may be its transaction: {out}");
    assert_eq!(rows("left over"), 1, "{out}");
    assert_eq!(rows("| f                 |"), 1, "it is said that not all are seen: {out}");
    assert_eq!(rows("no replica"), 1, "{out}");
}

#[test]
fn go_needs_everything_and_a_change_since_the_rehearsal_takes_it_back() {
    let shop = Shop::open();
    let dump = shop.folder.path().join("shop.dump");
    let dump_text = dump.display().to_string();
    let url = shop.url(SUPERUSER);
    let taken = run(&["backup", "--database-url", &url, "--output", &dump_text]);
    assert_eq!(taken.code, 0, "{}{}", taken.stdout, taken.stderr);
    let config = shop.path("rollsafe.toml");
    std::fs::write(
        &config,
        "[[gate.accept]]\ncode = \"locking\"\nreason = \"the table is small\"\nby = \"Ada\"\n\
         [[gate.accept]]\ncode = \"compatibility\"\nreason = \"nobody reads it\"\nby = \"Ada\"\n\
         [[gate.accept]]\ncode = \"destructive\"\nreason = \"wanted\"\nby = \"Ada\"\n\
         [[gate.accept]]\ncode = \"rollback\"\nreason = \"backup\"\nby = \"Ada\"\n",
    )
    .expect("written");
    let rehearsal = shop.rehearsal(&dump, &now(), |_| {});
    let folder = shop.path("m");
    let version = shop.cluster.version().major().to_string();
    let evidence = shop.path("evidence");
    let page = shop.path("page.html");
    let base = [
        "gate",
        &folder,
        "--runner",
        "golang-migrate",
        "--config",
        &config,
        "--backup",
        &dump_text,
        "--rehearsal",
        &rehearsal,
        "--database-url",
        &url,
        "--min-size",
        "1kB",
        "--min-tables",
        "1",
        "--postgres-version",
        &version,
        "--disk-free",
        "100GB",
    ];
    let with = |more: &[&str]| run(&base.iter().chain(more).copied().collect::<Vec<&str>>());
    let go = with(&["--evidence", &evidence, "--html", &page, "--release", "42"]);
    assert_eq!(go.code, 0, "{}{}", go.stdout, go.stderr);
    assert!(
        go.stdout.trim_end().lines().last().is_some_and(|line| line.starts_with("GO (")),
        "{}",
        go.stdout
    );

    // What an auditor finds.
    let json = std::fs::read_to_string(format!("{evidence}.json")).expect("evidence");
    let kept: GateReport = serde_json::from_str(&json).expect("JSON");
    assert!(!json.contains("password"));
    for kind in ["migration", "backup", "rehearsal", "configuration", "way back"] {
        assert!(kept.inputs.iter().any(|input| input.kind == kind && input.sha256.len() == 64), "{kind}");
    }
    assert_eq!(kept.checks.len(), CHECKS.len());
    let markdown = std::fs::read_to_string(format!("{evidence}.md")).expect("evidence");
    assert!(
        markdown.contains("accepted by Ada") && markdown.contains("| coverage | 1 of 1 tables |"),
        "{markdown}"
    );
    assert!(std::fs::read_to_string(&page).expect("page").contains(">GO<"));
    let again = with(&["--evidence", &evidence]);
    assert_eq!(again.code, 2, "evidence is never overwritten");

    // The runbook that is made of it.
    let runbook = run(&["runbook", "--gate", &format!("{evidence}.json"), "--no-config"]);
    assert_eq!(runbook.code, 0, "{}", runbook.stderr);
    assert!(runbook.stdout.contains("-database \"$DATABASE_URL\" up 1"), "{}", runbook.stdout);
    assert!(runbook.stdout.contains("GO ("));
    // The next backup is held against what this one was.
    assert!(
        runbook.stdout.contains("--max-age 1h --min-size 1000 --min-tables 1 --evidence"),
        "{}",
        runbook.stdout
    );
    assert!(runbook.stdout.contains("| tables with rows | ≥ 1 (the last one: "), "{}", runbook.stdout);
    // What goes into the chat goes there as it is; what isn't there isn't filled in.
    let from_config =
        run(&["runbook", &folder, "--config", &config, "--release", "shop_42", "--min-tables", "3"]);
    assert!(from_config.stdout.contains("[START] Release shop_42 begins"), "{}", from_config.stdout);
    assert!(from_config.stdout.contains("| tables with rows | ≥ 3 |"), "{}", from_config.stdout);

    // One byte of a migration is another.
    let migration = PathBuf::from(shop.path("m/0002_total.up.sql"));
    let text = std::fs::read_to_string(&migration).expect("readable");
    std::fs::write(&migration, format!("{text}-- later\n")).expect("written");
    let changed = with(&[]);
    assert_eq!(changed.code, 1, "{}", changed.stdout);
    assert!(
        changed.stdout.contains("0002_total.up.sql: changed since it was rehearsed"),
        "{}",
        changed.stdout
    );
    std::fs::write(&migration, text).expect("written");

    // So is one of its way back, and a way back that is gone.
    let down = PathBuf::from(shop.path("m/0002_total.down.sql"));
    let text = std::fs::read_to_string(&down).expect("readable");
    std::fs::write(&down, format!("{text}-- later\n")).expect("written");
    let changed = with(&[]);
    assert!(changed.stdout.contains("0002_total.down.sql: changed since"), "{}", changed.stdout);
    std::fs::remove_file(&down).expect("removed");
    let gone = with(&[]);
    assert!(
        gone.stdout.contains("0002_total.down.sql: rehearsed as the way back, and gone"),
        "{}",
        gone.stdout
    );
    std::fs::write(&down, text).expect("written");

    // What came since is pending too where no live ledger says so, wherever it stands among the others.
    let offline = |more: &[&str]| {
        let live = base.iter().position(|word| *word == "--database-url").expect("there");
        let mut words = base.to_vec();
        words.drain(live..live + 2);
        words.extend(["--without", "live=staging has none"]);
        words.extend(more);
        run(&words)
    };
    let go = offline(&[]);
    assert_eq!(go.code, 0, "{}{}", go.stdout, go.stderr);
    let later = PathBuf::from(shop.path("m/0004_later.up.sql"));
    std::fs::write(&later, "DROP TABLE orders CASCADE;\n").expect("written");
    for more in [&[][..], &["--all"]] {
        let more = offline(more);
        assert_eq!(more.code, 1, "{}", more.stdout);
        assert!(more.stdout.contains("0004_later.up.sql: not rehearsed"), "{}", more.stdout);
        assert!(more.stdout.contains("and 1 that came since"), "{}", more.stdout);
    }
    std::fs::remove_file(&later).expect("removed");
    let earlier = PathBuf::from(shop.path("m/0000_earlier.up.sql"));
    std::fs::write(&earlier, "SELECT 1;\n").expect("written");
    shop.rehearsal(&dump, &now(), |rehearsal| {
        rehearsal.run.pending.history = Some(vec!["m/0001_orders.up.sql".to_owned()]);
    });
    let more = offline(&[]);
    assert!(more.stdout.contains("0000_earlier.up.sql: not rehearsed"), "{}", more.stdout);
    std::fs::remove_file(&earlier).expect("removed");

    // A command without a ledger doesn't tell what it ran.
    shop.rehearsal(&dump, &now(), |rehearsal| {
        rehearsal.run.command = Some("make migrate".to_owned());
        rehearsal.run.pending.history = Some(vec!["m/0001_orders.up.sql".to_owned()]);
        let run = MigrationRun { path: "make migrate".to_owned(), ..MigrationRun::default() };
        rehearsal.migrations = vec![run];
    });
    let untold = offline(&[]);
    assert!(untold.stdout.contains("those that the rehearsal's command had to run"), "{}", untold.stdout);
    assert!(!untold.stdout.contains("that came since"), "{}", untold.stdout);

    // What the project's own command ran, file by file.
    shop.rehearsal(&dump, &now(), |rehearsal| {
        let files = rehearsal.files();
        rehearsal.run.command = Some("make migrate".to_owned());
        rehearsal.migrations = vec![MigrationRun {
            path: "make migrate".to_owned(),
            status: Status::Done,
            start: Some(0.0),
            files,
            ..MigrationRun::default()
        }];
    });
    let go = offline(&[]);
    assert_eq!(go.code, 0, "{}{}", go.stdout, go.stderr);

    // A rehearsal that is old, of another backup, or not whole.
    shop.rehearsal(&dump, "2026-01-01T00:00:00Z", |_| {});
    assert!(with(&[]).stdout.contains("no          rehearsal age"), "{}", with(&[]).stdout);
    shop.rehearsal(&dump, &now(), |rehearsal| {
        rehearsal.source.backup = Some(Backup { sha256: Some("0".repeat(64)), ..Backup::default() });
    });
    assert!(with(&[]).stdout.contains("no          same release"));
    shop.rehearsal(&dump, &now(), |rehearsal| rehearsal.not_checked.push("the downs".into()));
    let partly = with(&[]);
    assert_eq!(partly.code, 2, "{}", partly.stdout);
    shop.rehearsal(&dump, &now(), |rehearsal| {
        let data = DataDifference { table: "orders".to_owned(), ..DataDifference::default() };
        rehearsal.comparison.data = vec![data];
    });
    assert!(with(&[]).stdout.contains("down migrations: 1 table differs"), "{}", with(&[]).stdout);
    shop.rehearsal(&dump, &now(), |rehearsal| rehearsal.not_checked.push("the downs".into()));
    let meant = with(&["--without", "rehearsed=the downs were tried by hand"]);
    assert_eq!(meant.code, 0, "{}", meant.stdout);
    assert!(meant.stdout.contains("left out") && meant.stdout.contains("tried by hand"), "{}", meant.stdout);
}

#[test]
fn the_gate_rehearses_itself_and_the_runbook_has_a_template_of_ones_own() {
    let shop = Shop::open();
    let dump = shop.path("shop.dump");
    let taken = run(&["backup", "--database-url", &shop.url(SUPERUSER), "--output", &dump]);
    assert_eq!(taken.code, 0, "{}{}", taken.stdout, taken.stderr);
    let config = shop.path("rollsafe.toml");
    let text = "[project]\nmigrations = [\"m\"]\nrunner = \"golang-migrate\"\n\
                [rehearsal]\nqueries = [\"queries.sql\"]\nmax-stall = \"1m\"\n[runbook]\ntemplate = \"book.md\"\n";
    std::fs::write(&config, text).expect("written");
    std::fs::write(shop.path("queries.sql"), "SELECT note FROM orders WHERE id = $1;\n").expect("written");
    let template = "{{ release }}: {{ migrations | length }} migrations, {{ rehearsed.on }}{% if not back.downs.works and back.restore.equal %}, back by the backup{% endif %}\n";
    std::fs::write(shop.path("book.md"), template).expect("written");
    let evidence = shop.path("evidence");
    let page = shop.path("page.html");
    let arguments = ["--config", &config, "--backup", &dump, "--rehearse", "--release", "7"];
    let gate: Vec<&str> =
        ["gate", "--evidence", &evidence, "--html", &page].into_iter().chain(arguments).collect();
    let outcome = run(&gate);
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    let text = std::fs::read_to_string(format!("{evidence}.json")).expect(&said);
    let report: GateReport = serde_json::from_str(&text).expect("evidence");
    for id in [
        "rehearsed",
        "rehearsal_age",
        "rehearsal_matches",
        "migrations_ran",
        "queries",
        "way_back",
        "back_as_before",
    ] {
        assert_eq!(check(&report, id).answer, Answer::Yes, "{:?}\n{said}", check(&report, id));
    }
    assert_eq!(report.release.migrations.len(), 2, "pending by the ledger in the backup");
    assert!(
        std::fs::read_to_string(&page).expect("a page").contains("class=\"track\""),
        "a time line is drawn"
    );

    let runbook = run(&["runbook", "--gate", &format!("{evidence}.json"), "--config", &config]);
    assert_eq!(runbook.code, 0, "{}", runbook.stderr);
    let server =
        report.rehearsal.as_ref().map(|rehearsal| rehearsal.server.version.clone()).expect("rehearsed");
    // What was written since is text, and no number any more: the down migration fails on it.
    assert_eq!(
        runbook.stdout.trim_end(),
        format!("7: 2 migrations, PostgreSQL {server}, back by the backup")
    );

    // What has no place to go isn't worked for.
    let nowhere =
        run(&["rehearse", "--config", &config, "--backup", &dump, "--report", "/nowhere/at/all.json"]);
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.stderr.contains("no folder /nowhere/at"), "{}", nowhere.stderr);
}

#[test]
fn nothing_looked_at_is_no_go() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("1.sql"), "SELECT 1;").expect("written");
    let path = folder.path().display().to_string();
    let (report, outcome) = report(&[&path, "--database-url", "host=/nowhere/at/all user=x dbname=y"]);
    assert_eq!(outcome.code, 2);
    assert!(report.checks.iter().filter(|check| check.answer == Answer::NotChecked).count() > 20);
    let wrong = run(&["gate", &path, "--without", "rehearsa"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("did you mean `rehears"), "{}", wrong.stderr);
    let silent = run(&["gate", &path, "--without", "live"]);
    assert!(silent.code == 2 && silent.stderr.contains("--without live='WHY'"), "{}", silent.stderr);
    let all = ["migrations=x", "backup=x", "rehearsal=x", "live=x"].map(|group| ["--without", group]);
    let all: Vec<&str> = ["gate", &path].into_iter().chain(all.into_iter().flatten()).collect();
    let nothing = run(&all);
    assert_eq!(nothing.code, 1, "{}", nothing.stdout);
    assert!(nothing.stdout.contains("NO-GO: --without leaves out every check"), "{}", nothing.stdout);
}

#[test]
fn the_documentation_lists_every_check() {
    let text = include_str!("../docs/gate.md");
    for check in CHECKS {
        assert!(
            text.contains(&format!("| `{}` | {} |", check.id, check.about)),
            "docs/gate.md: {}",
            check.id
        );
    }
    assert_eq!(text.matches("\n| `").count(), CHECKS.len(), "and no others");
    for category in rollsafe::finding::Category::ALL {
        let (weight, _) = rollsafe::gate::risk::default_weight(category, rollsafe::finding::Severity::Error);
        assert!(text.contains(&format!("| {category} | {} |", weight.impact)), "docs/gate.md: {category}");
    }
}

/// The examples in docs/example are what rollsafe writes of the evidence beside them. Rewritten by
/// `TRYCMD=overwrite cargo test --test gate`.
#[test]
fn what_was_measured_and_what_is_not_known_is_told() {
    use rollsafe::rehearsal::report::{Access, PhaseName, ROW_LOCKS, Stall};
    use rollsafe::runbook::{Language, Options, render};
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/example/gate.json");
    let text = std::fs::read_to_string(path).expect("the evidence of the example");
    let mut report: GateReport = serde_json::from_str(&text).expect("evidence");
    report.release.runner = Some("prisma-any".to_owned());
    // One that locks no table in a way that its text tells.
    let step = report.release.migrations.first_mut().expect("a migration");
    step.statements.iter_mut().for_each(|statement| statement.locks.clear());
    let rehearsal = report.rehearsal.as_mut().expect("a rehearsal");
    let id = rehearsal.migrations[0].statements[0].id;
    rehearsal.tables.iter_mut().find(|table| table.name == "customers").expect("customers").stalls.push(
        Stall {
            of: Access::Writes,
            during: PhaseName::Migrate,
            start: 0.0,
            end: 1.0,
            statement: Some(id),
            mode: Some(ROW_LOCKS.to_owned()),
        },
    );
    assert!(rollsafe::gate::report::terminal(&report, false, 100).contains("by prisma,"));
    let runbook = |language| {
        let options = Options { language, judged: true, ..Options::default() };
        render(&report, &options).expect("a runbook")
    };
    for (language, expected) in [
        (Language::En, ["| writes to changed rows of customers |", "Prisma Migrate (version not told)"]),
        (Language::Ja, ["| customers の更新対象行への書き込み |", "Prisma Migrate（バージョン不明）"]),
    ] {
        let text = runbook(language);
        for one in expected {
            assert!(text.contains(one), "{one}: {text}");
        }
    }
}

#[test]
fn the_examples_are_as_generated() {
    use rollsafe::runbook::{Language, Options, render};
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/example");
    let text = std::fs::read_to_string(folder.join("gate.json")).expect("the evidence of the example");
    let report: GateReport = serde_json::from_str(&text).expect("evidence");
    let runbook = |language| {
        // The same moment in both; in one of them it is past midnight before the release is out.
        let start = match language {
            Language::En => "2026-12-01T13:00Z",
            Language::Ja => "2026-12-01T22:00+09:00",
        };
        let (start, zone) = start.parse::<rollsafe::gate::clock::Start>().expect("a time").settle();
        let options = Options { language, start: Some(start), zone, judged: true, ..Options::default() };
        render(&report, &options).expect("a runbook")
    };
    let made = [
        ("gate.md", rollsafe::gate::report::markdown(&report)),
        ("runbook.en.md", runbook(Language::En)),
        ("runbook.ja.md", runbook(Language::Ja)),
    ];
    for (name, made) in made {
        let path = folder.join(name);
        if std::env::var("TRYCMD").is_ok_and(|word| word == "overwrite") {
            std::fs::write(&path, &made).expect("written");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == made,
            "docs/example/{name} isn't what rollsafe writes: TRYCMD=overwrite cargo test --test gate"
        );
    }
}
