//! Snapshots of real servers: complete, free of secrets, and the same catalog as a schema dump of the same database.

mod program;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use rollsafe::migration::catalog::{Catalog, QName, difference};
use rollsafe::migration::lint;
use rollsafe::migration::project;
use rollsafe::postgres::cluster::{NewDatabase, Options, SUPERUSER, ScratchCluster};
use rollsafe::postgres::tools::{Installations, Tool, Wanted};
use rollsafe::snapshot::{Snapshot, SnapshotError};

/// Every kind of thing a catalog can hold, with names that need care.
const SHOP: &str = r#"
CREATE SCHEMA "Billing Ünits"; CREATE SCHEMA audit;
CREATE TYPE state AS ENUM ('new', 'it''s paid', E'back\\slash');
CREATE DOMAIN email AS varchar(200) CHECK (VALUE ~ '@') NOT NULL DEFAULT 'nobody@example.org';
CREATE TYPE address AS (street text, "No." int);
CREATE TYPE span_of AS RANGE (subtype = float8);
CREATE SEQUENCE "Billing Ünits".order_numbers;
CREATE TABLE users (
    id bigserial PRIMARY KEY, name varchar(80) COLLATE "C" NOT NULL DEFAULT 'it''s', mail email, home address,
    at timestamp(3) with time zone DEFAULT now(), tags text[], doubled int GENERATED ALWAYS AS (1 + 1) STORED,
    amount numeric(10,2), kind "char", UNIQUE (name, mail), CONSTRAINT positive CHECK (amount > 0));
ALTER TABLE users ADD CONSTRAINT later CHECK (amount < 1000000) NOT VALID;
CREATE TABLE "Billing Ünits"."Order; --" (
    id int GENERATED ALWAYS AS IDENTITY, "user" bigint REFERENCES users ON DELETE CASCADE, state state NOT NULL DEFAULT 'new',
    number int DEFAULT nextval('"Billing Ünits".order_numbers'), PRIMARY KEY (id) INCLUDE (state));
ALTER SEQUENCE "Billing Ünits".order_numbers OWNED BY "Billing Ünits"."Order; --".number;
CREATE INDEX "by state" ON "Billing Ünits"."Order; --" (state DESC NULLS LAST, lower("user"::text)) WHERE state <> 'new';
CREATE TABLE log (at timestamptz NOT NULL, what text, id int) PARTITION BY RANGE (at);
CREATE TABLE log_2025 PARTITION OF log FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY LIST (id);
CREATE TABLE log_2025_1 PARTITION OF log_2025 FOR VALUES IN (1, 2);
CREATE TABLE log_rest PARTITION OF log DEFAULT;
ALTER TABLE log ADD CONSTRAINT log_key PRIMARY KEY (at, id);
CREATE INDEX log_what ON log (what);
CREATE TYPE person AS (name text, "Age" int);
CREATE TABLE people OF person;
CREATE STATISTICS "of people" ON name, "Age" FROM people;
ALTER TABLE log ADD COLUMN by bigint REFERENCES users;
CREATE TABLE parent (a int CHECK (a > 0), b text); CREATE TABLE child (c int) INHERITS (parent);
CREATE UNLOGGED TABLE cache (k text, v text, EXCLUDE USING btree (k WITH =));
CREATE VIEW active AS SELECT u.id, u.name FROM users u WHERE u.amount > 1;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n, "user" FROM "Billing Ünits"."Order; --" JOIN active ON active.id = "user" GROUP BY 2;
CREATE UNIQUE INDEX totals_user ON totals ("user");
CREATE FUNCTION add(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NEW; END';
CREATE PROCEDURE audit.tidy(INOUT n int) LANGUAGE plpgsql AS 'BEGIN END';
CREATE AGGREGATE product (int) (SFUNC = int4mul, STYPE = int);
CREATE TRIGGER noting BEFORE UPDATE OF name ON users FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION note();
CREATE TRIGGER sleeping AFTER INSERT ON users EXECUTE FUNCTION note(); ALTER TABLE users DISABLE TRIGGER sleeping;
CREATE TRIGGER each AFTER INSERT ON log FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE users ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON users FOR SELECT USING (true);
ALTER TABLE cache REPLICA IDENTITY FULL;
CREATE PUBLICATION news FOR TABLE users, log;
CREATE RULE nothing AS ON DELETE TO cache DO INSTEAD NOTHING;
CREATE TABLE schema_migrations (version varchar(255) PRIMARY KEY); INSERT INTO schema_migrations VALUES ('20250101'), ('20250202');
INSERT INTO users (name, mail, amount) SELECT 'n' || n, 'a' || n || '@b', 5 FROM generate_series(1, 5000) n; ANALYZE users;
INSERT INTO log SELECT '2025-06-01', 'x', 1 FROM generate_series(1, 1) n;
CREATE ROLE reader LOGIN PASSWORD 'geheim-role';
CREATE FOREIGN DATA WRAPPER far; CREATE SERVER moon FOREIGN DATA WRAPPER far OPTIONS (secret 'geheim-server');
CREATE USER MAPPING FOR reader SERVER moon OPTIONS (password 'geheim-mapping');
CREATE FOREIGN TABLE craters (id int, name text) SERVER moon OPTIONS (token 'geheim-table');
CREATE SUBSCRIPTION following CONNECTION 'host=nowhere password=geheim-subscription' PUBLICATION news WITH (connect = false);
"#;

struct Shop {
    cluster: ScratchCluster,
    directory: tempfile::TempDir,
}

impl Shop {
    fn open(wanted: Wanted, sql: &str) -> Shop {
        Shop::with(Options { wanted, ..Options::default() }, sql)
    }

    fn with(options: Options, sql: &str) -> Shop {
        let options = Options { tools: vec![Tool::PgDump], ..options };
        let cluster = ScratchCluster::start(&options).unwrap_or_else(|error| {
            panic!("no scratch cluster: {error}\n{}", error.hint().unwrap_or_default())
        });
        cluster.create_database(&NewDatabase { name: "shop", ..Default::default() }).unwrap();
        let shop = Shop { cluster, directory: tempfile::tempdir().unwrap() };
        shop.run_sql(sql);
        shop
    }

    fn run_sql(&self, sql: &str) {
        self.cluster.connect(SUPERUSER, "shop").unwrap().batch_execute(sql).unwrap();
    }

    fn url(&self, role: &str) -> String {
        format!("host={} user={role} dbname=shop", self.cluster.socket_directory().display())
    }

    fn rollsafe(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = program::alone(env!("CARGO_BIN_EXE_rollsafe"))
            .args(arguments)
            .current_dir(self.directory.path())
            .output()
            .unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }

    fn snapshot(&self, role: &str) -> (Snapshot, String) {
        let (code, stdout, stderr) =
            self.rollsafe(&["snapshot", "--database-url", &self.url(role), "-o", "-"]);
        assert_eq!(code, 0, "{stderr}");
        assert!(!stdout.contains("geheim"), "a secret is in the snapshot");
        (Snapshot::from_json(stdout.as_bytes()).unwrap(), stderr)
    }

    /// The catalog of `pg_dump --schema-only`.
    fn dumped(&self) -> Catalog {
        let program = self.cluster.installation().tool(Tool::PgDump).unwrap();
        let dump = Command::new(program)
            .args(["--schema-only", "--no-owner"])
            .args(self.cluster.arguments(SUPERUSER, "shop"))
            .output()
            .unwrap();
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        lint::replay(&[project::history_of(PathBuf::from("dump.sql"), dump.stdout)])
    }
}

fn each_server(run: impl Fn(Wanted)) {
    let installations = Installations::find();
    let with_server =
        installations.all().iter().filter(|it| it.has(&[Tool::Initdb, Tool::Postgres, Tool::PgDump]));
    let majors: BTreeSet<u16> = with_server.map(|it| it.version().major()).collect();
    assert!(!majors.is_empty(), "no PostgreSQL server is installed");
    for major in majors {
        run(Wanted::Major(major));
    }
}

#[test]
fn a_snapshot_and_a_dump_give_the_same_catalog() {
    each_server(|wanted| {
        let shop = Shop::open(wanted, SHOP);
        let (snapshot, stderr) = shop.snapshot(SUPERUSER);
        assert_eq!(stderr, "");
        let live = Catalog::from_snapshot(&snapshot);
        assert_eq!(live.not_understood, Vec::<String>::new());
        let dumped = shop.dumped();
        assert_eq!(difference(&dumped, &live.catalog), Vec::<String>::new(), "{wanted:?}");
        assert_eq!(difference(&live.catalog, &dumped), Vec::<String>::new(), "{wanted:?}");
        assert!(live.catalog.complete());
        // Which indexes are parts of which, a dump says and a snapshot doesn't.
        let parts = |catalog: &Catalog| {
            let indexes = catalog.relations().into_iter().flat_map(|relation| &relation.indexes);
            let parts = indexes.filter_map(|index| Some((index.name.clone(), index.part_of.clone()?)));
            parts.collect::<BTreeSet<_>>()
        };
        assert_eq!(parts(&dumped), parts(&live.catalog), "{wanted:?}");
        assert!(!parts(&dumped).is_empty());
        let people = |catalog: &Catalog| {
            let known = catalog.relation(&QName::new("public", "people")).expect("there");
            (known.of_type.clone(), known.statistics.clone())
        };
        assert_eq!(people(&dumped), people(&live.catalog), "{wanted:?}");
        assert_eq!(people(&dumped).1.len(), 1);

        let named = |name: &str| live.catalog.relation(&QName::new("public", name)).unwrap();
        assert_eq!(named("users").size.unwrap().rows, 5000);
        assert!(named("users").size.unwrap().index_bytes > 0);
        assert!(named("log").size.unwrap().bytes >= named("log_2025_1").size.unwrap().bytes);
        assert!(!named("users").constraint("later").unwrap().validated);
        assert!(named("users").constraint("positive").unwrap().validated);
        assert_eq!(named("totals").reads.len(), 2);

        assert_eq!(snapshot.ledgers.len(), 1, "{:?}", snapshot.ledgers);
        assert!(snapshot.ledgers[0].runners.contains(&"dbmate".to_owned()));
        assert_eq!(snapshot.ledgers[0].rows.len(), 2);
        assert_eq!(snapshot.subscriptions[0].publications, ["news"]);
        // Twice the same, and read back as it was.
        let (again, _) = shop.snapshot(SUPERUSER);
        assert_eq!(
            Snapshot { taken_at: String::new(), ..again },
            Snapshot { taken_at: String::new(), ..snapshot }
        );
    });
}

#[test]
fn an_ordinary_role_is_enough_and_what_it_may_not_read_is_named() {
    let shop = Shop::open(Wanted::Newest, SHOP);
    let (all, _) = shop.snapshot(SUPERUSER);
    let (snapshot, stderr) = shop.snapshot("reader");
    assert_eq!(snapshot.relations, all.relations);
    assert_eq!(snapshot.types, all.types);
    assert!(snapshot.ledgers.is_empty());
    assert!(stderr.contains("ledger public.schema_migrations: permission denied"), "{stderr}");
    assert_eq!(snapshot.not_read.len(), stderr.lines().count());
}

#[test]
fn a_locked_relation_is_waited_for_and_then_told() {
    let shop = Shop::open(Wanted::Newest, "CREATE TABLE t (id int); CREATE VIEW v AS SELECT * FROM t;");
    let mut client = shop.cluster.connect(SUPERUSER, "shop").unwrap();
    client.batch_execute("BEGIN; LOCK TABLE t").unwrap();
    let url = shop.url(SUPERUSER);
    let (code, stdout, stderr) =
        shop.rollsafe(&["snapshot", "--database-url", &url, "--lock-timeout", "1s", "-o", "-"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("note: not read: sizes of files"), "{stderr}");
    let snapshot = Snapshot::from_json(stdout.as_bytes()).unwrap();
    assert!(snapshot.relation("public", "t").unwrap().size.is_some());
    drop(client);
}

#[test]
fn what_cannot_be_done_is_said() {
    let shop = Shop::open(Wanted::Newest, "");
    let (code, _, stderr) =
        shop.rollsafe(&["snapshot", "--database-url", "host=/nowhere user=me password=geheim"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("/nowhere") && !stderr.contains("geheim"), "{stderr}");
    let url = shop.url(SUPERUSER);
    let (code, _, stderr) = shop.rollsafe(&["snapshot", "--database-url", &url, "-o", "missing/x.json"]);
    assert_eq!((code, stderr.contains("missing")), (2, true), "{stderr}");
    assert!(matches!(Snapshot::from_json(b"[]"), Err(SnapshotError::Json(_))));
}

/// Debian's server package brings the extension; a server without it is passed over, unless none has it.
#[test]
fn what_the_database_is_asked_is_kept_by_family_and_told_by_lint() {
    let counted = std::cell::Cell::new(0);
    each_server(|wanted| {
        let plain = Shop::open(wanted, "");
        let have = "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements'";
        if plain.cluster.connect(SUPERUSER, "shop").unwrap().query(have, &[]).unwrap().is_empty() {
            return;
        }
        counted.set(counted.get() + 1);
        let options = Options { wanted, ..Options::default() };
        let shop = Shop::with(
            options.setting("shared_preload_libraries", "pg_stat_statements"),
            "CREATE EXTENSION pg_stat_statements; CREATE TABLE orders (id int PRIMARY KEY, total int, note varchar(50));
             INSERT INTO orders SELECT n, n FROM generate_series(1, 30000) n; ANALYZE orders; CREATE ROLE reader LOGIN;
             SELECT pg_stat_statements_reset();",
        );
        let mut application = shop.cluster.connect(SUPERUSER, "shop").unwrap();
        for id in 1..=7 {
            application.batch_execute(&format!("SELECT total FROM orders WHERE id = {id}")).unwrap();
        }
        application.batch_execute("UPDATE orders SET note = 'geheim' WHERE id = 3").unwrap();
        let (snapshot, stderr) = shop.snapshot(SUPERUSER);
        assert_eq!(stderr, "");
        let queries = snapshot.queries.as_ref().expect("queries are counted");
        let family =
            |beginning: &str| queries.families.iter().find(|it| it.query.starts_with(beginning)).unwrap();
        let read = family("SELECT total FROM orders");
        assert_eq!((read.calls, read.reads[0].name.as_str(), read.writes.len()), (7, "orders", 0));
        assert_eq!(read.query, "SELECT total FROM orders WHERE id = $1");
        let write = family("UPDATE orders");
        assert_eq!((write.calls, write.writes[0].name.as_str()), (1, "orders"));
        let counts_since = snapshot.server.major() >= 14;
        assert_eq!(read.calls_per_second.is_some(), counts_since);

        let path = |name: &str| shop.directory.path().join(name);
        std::fs::write(path("shop.json"), serde_json::to_string(&snapshot).unwrap()).unwrap();
        std::fs::write(path("1_rewrite.sql"), "ALTER TABLE orders ALTER COLUMN total TYPE bigint;\n")
            .unwrap();
        let lint = ["lint", "--snapshot", "shop.json", "--runner", "psql", "1_rewrite.sql"];
        let (_, stdout, stderr) = shop.rollsafe(&lint);
        let told = stdout.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        assert!(told.contains("of 2 families on orders"), "{stdout}{stderr}");

        // What another role asked is hidden from one without rights.
        let (partly, stderr) = shop.snapshot("reader");
        assert!(stderr.contains("GRANT pg_read_all_stats TO this role"), "{stderr}");
        assert!(partly.queries.unwrap().others >= 2);
    });
    assert!(counted.get() > 0, "no server has pg_stat_statements: install PostgreSQL's contrib package");
}
