//! The restore stage on real servers: whole dumps of every format come back equal, and what a restore
//! can't prove is told apart from what it disproves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rollsafe::backup::archive::plain::read_text;
use rollsafe::backup::archive::text_reader::TextSink;
use rollsafe::backup::archive::{Archive, BlockKind, BlockSink};
use rollsafe::backup::checksum::RowSum;
use rollsafe::backup::options::{Restore, VerifyOptions};
use rollsafe::backup::report::{Look, terminal};
use rollsafe::backup::restore::{ErrorClass, Expected, LargeObjects, Options, Restored, restore};
use rollsafe::backup::verify::{Verdict, VerifyError, verify};
use rollsafe::postgres::child::Run;
use rollsafe::postgres::cluster::{NewDatabase, Options as ClusterOptions, SUPERUSER, ScratchCluster};
use rollsafe::postgres::tools::Tool;

/// A shop with a bit of everything that a restore has to bring back.
const SHOP: &str = r#"
CREATE SCHEMA "Bill ing";
CREATE EXTENSION hstore WITH SCHEMA "Bill ing";
CREATE EXTENSION pg_trgm;
CREATE ROLE shop_app; CREATE ROLE "Read er";
CREATE TYPE mood AS ENUM ('fine', 'off');
CREATE DOMAIN cents AS bigint CHECK (VALUE >= 0);
CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, feeling mood,
    born timestamptz, tags "Bill ing".hstore, photo bytea, note text, upper_name text GENERATED ALWAYS AS (upper(name)) STORED);
INSERT INTO users (name, feeling, born, tags, photo, note)
    SELECT 'user ' || n, 'fine', timestamptz '2020-01-01 00:00+00' + n * interval '31 hours', 'a=>1', decode(md5(n::text), 'hex'),
           CASE n % 3 WHEN 0 THEN NULL WHEN 1 THEN E'tab\there\nline \\N' ELSE 'é ü' END FROM generate_series(1, 3000) n;
CREATE INDEX users_name ON users USING gin (name gin_trgm_ops);
CREATE TABLE "Order's" (id serial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, total cents, placed date) ;
INSERT INTO "Order's" (user_id, total, placed) SELECT n % 3000 + 1, n, date '2024-01-01' + n % 300 FROM generate_series(1, 5000) n;
ALTER TABLE "Order's" ADD CONSTRAINT old_rows CHECK (total < 100000) NOT VALID;
CREATE TABLE events (at timestamp NOT NULL, what text) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_rest PARTITION OF events DEFAULT;
CREATE INDEX ON events (at);
INSERT INTO events SELECT timestamp '2024-06-01' + n * interval '1 day', 'e' || n FROM generate_series(1, 400) n;
CREATE TABLE "Bill ing".empty (a int);
CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES; INSERT INTO no_columns DEFAULT VALUES;
CREATE MATERIALIZED VIEW totals AS SELECT user_id, sum(total) FROM "Order's" GROUP BY 1;
CREATE VIEW names AS SELECT name FROM users;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := 'x'; RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE users ENABLE ROW LEVEL SECURITY; ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON users TO shop_app USING (name = current_user);
GRANT SELECT ON users TO shop_app; GRANT SELECT ON "Order's" TO "Read er";
ALTER DEFAULT PRIVILEGES FOR ROLE shop_app GRANT SELECT ON TABLES TO "Read er";
ALTER TABLE users OWNER TO shop_app;
SELECT lo_from_bytea(0, convert_to(repeat('large ', n), 'UTF8')) FROM generate_series(1, 40) n;
COMMENT ON TABLE users IS 'people';
"#;

struct Source {
    cluster: ScratchCluster,
    directory: tempfile::TempDir,
}

impl Source {
    /// A server with a database `shop` made by `sql`; dumps go to a directory that everybody can read.
    fn new(sql: &str) -> Source {
        let cluster =
            start(&ClusterOptions { tools: vec![Tool::PgDump, Tool::PgRestore], ..Default::default() });
        cluster.create_database(&NewDatabase { name: "shop", ..Default::default() }).unwrap();
        cluster.connect(SUPERUSER, "shop").unwrap().batch_execute(sql).unwrap();
        let directory =
            tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap();
        Source { cluster, directory }
    }

    fn dump(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let path = self.directory.path().join(name);
        let ended =
            Run::new(self.cluster.installation().tool(Tool::PgDump).unwrap(), Duration::from_secs(120))
                .args(self.cluster.arguments(SUPERUSER, "shop"))
                .args(arguments)
                .arg("--file")
                .arg(&path)
                .to_end()
                .unwrap();
        assert!(ended.succeeded(), "{}", ended.stderr.text());
        path
    }
}

fn start(options: &ClusterOptions) -> ScratchCluster {
    match ScratchCluster::start(options) {
        Ok(cluster) => cluster,
        Err(error) => panic!("no scratch cluster: {error}\n{}", error.hint().unwrap_or_default()),
    }
}

fn shop() -> &'static Source {
    static SHOP_SOURCE: OnceLock<Source> = OnceLock::new();
    // A static is never dropped: the guard removes the server when the test process ends.
    SHOP_SOURCE.get_or_init(|| Source::new(SHOP))
}

/// Reads the dump the simple way: everything in memory, as the specification of the format says.
fn read(path: &Path) -> (Archive, Expected) {
    let archive = Archive::open(path, &Arc::default()).unwrap();
    let mut expected = Expected::default();
    if archive.format.is_text() {
        let mut text =
            Text { expected: &mut expected, database: String::new(), copy: String::new(), rows: Vec::new() };
        read_text(&archive, 1 << 20, &mut text);
        return (archive, expected);
    }
    let mut large = LargeObjects::default();
    for block in &archive.blocks {
        let mut content = Content::default();
        let problems = archive.read_block(block, &mut content);
        assert!(problems.is_empty(), "{problems:?}");
        if block.kind == BlockKind::Table {
            let entry = &archive.toc.entries[block.entry];
            let end = content.bytes.windows(3).rposition(|end| end == b"\\.\n").unwrap();
            expected.add("", &entry.copy, sum(&content.bytes[..end]), true);
        } else {
            large.count += content.large_objects;
            large.bytes += content.bytes.len() as u64;
        }
    }
    expected.large_objects = Some(large);
    (archive, expected)
}

fn sum(rows: &[u8]) -> RowSum {
    let mut sum = RowSum::default();
    for row in rows.split_inclusive(|&byte| byte == b'\n') {
        sum.add(&row[..row.len() - 1]);
    }
    sum
}

#[derive(Default)]
struct Content {
    bytes: Vec<u8>,
    large_objects: u64,
}

impl BlockSink for Content {
    fn large_object(&mut self, _oid: u32) {
        self.large_objects += 1;
    }
    fn data(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

struct Text<'a> {
    expected: &'a mut Expected,
    database: String,
    copy: String,
    rows: Vec<u8>,
}

impl TextSink for Text<'_> {
    fn meta_command(&mut self, line: &str) {
        if let Some(database) = line.strip_prefix("\\connect ") {
            self.database = database.to_owned();
        }
    }
    fn copy_statement(&mut self, statement: &[u8]) {
        // Right for UTF-8 and LATIN1.
        self.copy = String::from_utf8(statement.to_vec())
            .unwrap_or_else(|_| statement.iter().map(|&byte| char::from(byte)).collect());
        self.rows.clear();
    }
    fn copy_data(&mut self, bytes: &[u8]) {
        self.rows.extend_from_slice(bytes);
    }
    fn copy_end(&mut self, _marker: bool) {
        self.expected.add(&self.database, &self.copy, sum(&self.rows), true);
    }
}

fn restore_of(path: &Path) -> Restored {
    let (archive, expected) = read(path);
    restore_with(&archive, &expected, &Options::default())
}

fn restore_with(archive: &Archive, expected: &Expected, options: &Options) -> Restored {
    match restore(archive, expected, options) {
        Ok(restored) => restored,
        Err(error) => panic!("{error}\n{}", error.hint().unwrap_or_default()),
    }
}

fn rows_of(restored: &Restored, table: &str) -> (u64, Option<u64>, Option<bool>) {
    let table =
        restored.tables.iter().find(|it| it.name == table).unwrap_or_else(|| panic!("no table {table}"));
    (table.expected_rows, table.found_rows, table.same_content)
}

#[track_caller]
fn assert_whole(restored: &Restored) {
    assert!(restored.is_whole(), "{restored:#?}");
    assert_eq!(restored.errors, [], "{restored:#?}");
    assert_eq!(restored.sequences, [], "{restored:#?}");
    assert_eq!(restored.not_compared(), Vec::<String>::new());
    assert_eq!(rows_of(restored, "public.users"), (3000, Some(3000), Some(true)));
    assert_eq!(rows_of(restored, "public.\"Order's\""), (5000, Some(5000), Some(true)));
    assert_eq!(rows_of(restored, "public.no_columns"), (2, Some(2), Some(true)));
}

#[test]
fn custom_directory_and_tar_archives_come_back_equal() {
    for (name, format) in
        [("shop.custom", "--format=custom"), ("shop.dir", "--format=directory"), ("shop.tar", "--format=tar")]
    {
        let restored = restore_of(&shop().dump(name, &[format]));
        assert_whole(&restored);
        let (expected, found) = restored.large_objects.unwrap();
        assert_eq!(expected.count, 40);
        assert!(expected.agrees(&found) && found.checksum.is_some(), "{name}: {expected:?} {found:?}");
        assert!(restored.objects_compared >= 25, "{name}: {}", restored.objects_compared);
        assert!(restored.database_bytes.unwrap() > 7_000_000);
    }
}

#[test]
fn a_plain_dump_comes_back_equal() {
    let restored = restore_of(&shop().dump("shop.sql", &["--format=plain"]));
    assert_whole(&restored);
    assert_eq!(restored.pg_restore_version, None);
    assert!(restored.objects_compared >= 35, "{}", restored.objects_compared);
}

#[test]
fn what_a_plain_dump_names_and_does_not_make_is_missed() {
    let path = shop().dump("lost.sql", &["--format=plain"]);
    let mut text = fs::read_to_string(&path).unwrap();
    // The statement that holds the words, its semicolon included.
    let mut lose = |words: &str| {
        let at = text.find(words).unwrap_or_else(|| panic!("{words} isn't in the dump"));
        let begin = text[..at].rfind("\n\n").unwrap();
        let end = at + text[at..].find(";\n").unwrap();
        text.replace_range(begin..=end, "");
    };
    lose("CREATE INDEX users_name");
    lose("FOREIGN KEY (user_id)");
    lose("CREATE TRIGGER touched");
    lose("setval('public.users_id_seq'");
    lose("REFRESH MATERIALIZED VIEW public.totals");
    lose("CREATE FUNCTION public.touch()");
    // Made, and unmade or not made as the dump says.
    let more = "ALTER TABLE public.users DISABLE ROW LEVEL SECURITY; DROP POLICY own ON public.users;
        DROP VIEW public.names; CREATE TABLE public.names (); SELECT setval('public.\"Order''s_id_seq\"', 6000);
        ALTER TABLE public.\"Order's\" DROP CONSTRAINT old_rows; DROP INDEX public.events_at_idx;
        ALTER DOMAIN public.cents DROP CONSTRAINT cents_check; DROP SCHEMA \"Bill ing\" CASCADE;\n";
    let end = text.find("-- PostgreSQL database dump complete").unwrap();
    text.insert_str(end, &format!("--\n{more}"));
    fs::write(&path, text).unwrap();
    let restored = restore_of(&path);
    assert_eq!(restored.errors, [], "the server took every statement");
    let told: Vec<_> =
        restored.objects.iter().map(|it| format!("{} {}: {}", it.kind, it.name, it.difference)).collect();
    let missing = [
        "CHECK CONSTRAINT public.Order's old_rows",
        "CHECK CONSTRAINT public.cents cents_check",
        "EXTENSION hstore",
        "FK CONSTRAINT public.Order's Order's_user_id_fkey",
        "FUNCTION public.touch()",
        "INDEX public.events_2024_at_idx",
        "INDEX public.events_at_idx",
        "INDEX public.events_rest_at_idx",
        "INDEX public.users_name",
        "INDEX ATTACH public.events_2024_at_idx",
        "INDEX ATTACH public.events_rest_at_idx",
        "MATERIALIZED VIEW DATA public.totals: not populated",
        "POLICY public.users own",
        "ROW SECURITY public.users",
        "SCHEMA Bill ing",
        "SEQUENCE SET public.users_id_seq",
        "TABLE Bill ing.empty",
        "TRIGGER public.users touched",
        "VIEW public.names",
    ];
    let missing: Vec<_> =
        missing.map(|it| if it.contains(':') { it.to_owned() } else { format!("{it}: missing") }).into();
    assert_eq!(told, missing);
    assert!(
        restored.sequences.iter().any(|it| it.expected == Some(5000) && it.last_value == 6000),
        "{restored:#?}"
    );
}

#[test]
fn names_without_their_table_as_before_version_10_are_known() {
    let path = shop().dump("old.sql", &["--format=plain"]);
    let mut text = fs::read_to_string(&path).unwrap();
    for (table, name, kind) in [
        ("users", "users_pkey", "CONSTRAINT"),
        ("users", "own", "POLICY"),
        ("users", "touched", "TRIGGER"),
        ("Order's", "id", "DEFAULT"),
        ("Order's", "Order's_user_id_fkey", "FK CONSTRAINT"),
    ] {
        let now = format!("-- Name: {table} {name}; Type: {kind}; Schema: public; Owner: ");
        assert!(text.contains(&now), "{now}");
        text = text.replace(&now, &format!("-- Name: {name}; Type: {kind}; Schema: public; Owner: "));
    }
    // Before 10.3 the search_path told the schema.
    let path_of_now = "SELECT pg_catalog.set_config('search_path', '', false);";
    assert!(text.contains(path_of_now) && text.contains("\nCOPY public.users ("));
    let text =
        text.replace(path_of_now, "SET search_path = public, pg_catalog;").replace("public.users", "users");
    let mut text = text.replace(
        "; Type: TABLE; Schema: public; Owner: postgres\n",
        "; Type: TABLE; Schema: public; Owner: postgres; Tablespace: \n",
    );
    fs::write(&path, &text).unwrap();
    let mut options = VerifyOptions::new(&path);
    (options.limits.min_size, options.limits.min_tables, options.restore) = (0, 0, Restore::Always);
    let report = verify(&options, &Arc::default()).unwrap();
    assert_eq!(report.verdict, Verdict::Verified, "{:#?}", report.findings);
    assert!(
        report.findings.iter().all(|finding| !finding.message.contains("Tablespace")),
        "{:#?}",
        report.findings
    );
    assert_whole(&report.evidence.restored.unwrap());
    let end = text.find("-- PostgreSQL database dump complete").unwrap();
    text.insert_str(end, "--\nDROP POLICY own ON users;\n");
    fs::write(&path, text).unwrap();
    let restored = restore_of(&path);
    let told: Vec<_> = restored.objects.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(told, ["public.own"]);
}

#[test]
fn what_was_written_into_a_plain_dump_instead_is_told() {
    let source = Source::new(
        "CREATE TABLE t (id int PRIMARY KEY, q text, CONSTRAINT shop CHECK (q <> ' OWNER TO bob'));
         ALTER TABLE t ADD CONSTRAINT late CHECK (q <> ' OWNER TO bob') NOT VALID; INSERT INTO t VALUES (1, 'x');
         CREATE INDEX i ON t (q)",
    );
    let path = source.dump("edited.sql", &["--format=plain"]);
    let restored = restore_of(&path);
    assert!(restored.is_whole() && restored.errors.is_empty(), "{restored:#?}");
    let mut text = fs::read_to_string(&path).unwrap();
    let end = text.find("-- PostgreSQL database dump complete").unwrap();
    // As if somebody had taken the statement out.
    text.insert_str(end, "-- Name: pg_stat_statements; Type: EXTENSION; Schema: -; Owner: -\n--\n\n--\n");
    // There is a relation of that name already, and nobody complains.
    let text = text.replace("CREATE INDEX i ON", "CREATE SEQUENCE public.i; CREATE INDEX IF NOT EXISTS i ON");
    let dropped = "ALTER TABLE public.t DROP CONSTRAINT shop;\n\n-- PostgreSQL database dump complete";
    let text = text.replace("-- PostgreSQL database dump complete", dropped);
    fs::write(&path, text).unwrap();
    let mut options = VerifyOptions::new(&path);
    (options.limits.min_size, options.limits.min_tables) = (0, 0);
    options.restore = Restore::Always;
    let report = verify(&options, &Arc::default()).unwrap();
    let told: Vec<_> = report.findings.iter().map(|it| (it.code.as_ref(), it.message.as_str())).collect();
    assert_eq!(
        told,
        [
            ("constraint_not_restored", "the constraint public.t shop is missing after the restore"),
            ("index_not_restored", "the index public.i is missing after the restore")
        ]
    );
}

/// Changes bytes of a dump whose table of contents isn't compressed; as many as there were.
fn replace_in(path: &Path, old: &str, new: &str) {
    assert_eq!(old.len(), new.len());
    let mut bytes = fs::read(path).unwrap();
    let mut count = 0;
    while let Some(at) = bytes.windows(old.len()).position(|window| window == old.as_bytes()) {
        bytes[at..at + old.len()].copy_from_slice(new.as_bytes());
        count += 1;
    }
    assert_ne!(count, 0, "{old} isn't in {}", path.display());
    fs::write(path, bytes).unwrap();
}

#[test]
fn the_oddest_schema_raises_no_alarm() {
    let source = Source::new(include_str!("restore_odd.sql"));
    for (name, format) in [("odd.custom", "--format=custom"), ("odd.sql", "--format=plain")] {
        let restored = restore_of(&source.dump(name, &[format]));
        assert!(restored.is_whole(), "{restored:#?}");
        assert_eq!(restored.errors_of_backup().count(), 0, "{restored:#?}");
        assert_eq!(restored.sequences, [], "{restored:#?}");
        assert!(!restored.is_partial(), "{restored:#?}");
        // Every row of every type came back as it stood in the dump.
        let unlike: Vec<_> = restored.tables.iter().filter(|it| it.same_content != Some(true)).collect();
        assert!(unlike.is_empty(), "{unlike:#?}");
        assert_eq!(restored.tables.len(), 21);
        // What only a superuser may make, or reaches out, is left out and told.
        let left: Vec<_> = restored.not_restored.iter().map(|it| it.what.as_str()).collect();
        assert!(left.iter().any(|it| it.starts_with("EVENT TRIGGER et")), "{left:?}");
        assert!(left.iter().any(|it| it.starts_with("SERVER srv")), "{left:?}");
    }
}

#[test]
fn code_in_a_dump_runs_no_program_and_reads_no_file() {
    let traces = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o777)).tempdir().unwrap();
    let ran = traces.path().join("ran");
    let touch = format!("touch {}", ran.display());
    let source = Source::new(&format!(
        "CREATE TABLE kept (id int); INSERT INTO kept VALUES (1), (2);
         CREATE FUNCTION run() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN
             COPY (SELECT 1) TO PROGRAM '{touch}'; RETURN 1; END $f$;
         CREATE FUNCTION read() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN
             PERFORM pg_read_file('/etc/passwd'); RETURN 1; END $f$;
         CREATE MATERIALIZED VIEW runs AS SELECT run() AS it WITH NO DATA;
         CREATE MATERIALIZED VIEW reads AS SELECT read() AS it WITH NO DATA;"
    ));
    // So that the dump refreshes them; refreshing here would run the program here.
    source
        .cluster
        .connect(SUPERUSER, "shop")
        .unwrap()
        .batch_execute(
            "SET allow_system_table_mods = on; UPDATE pg_class SET relispopulated = true WHERE relkind = 'm'",
        )
        .unwrap();
    for (name, format) in [("evil.custom", "--format=custom"), ("evil.sql", "--format=plain")] {
        let path = source.dump(name, &[format]);
        if name == "evil.sql" {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains("REFRESH MATERIALIZED VIEW public.runs"));
            fs::write(&path, format!("{text}\\! {touch}\n\\copy kept to program '{touch}'\n")).unwrap();
        }
        let restored = restore_of(&path);
        assert!(!ran.exists(), "{name}: the dump ran a program");
        let refused: Vec<_> = restored.errors.iter().filter(|it| it.class == ErrorClass::Privilege).collect();
        assert_eq!(refused.len(), 2, "{restored:#?}");
        // What is harmless in it came back all the same.
        assert_eq!(rows_of(&restored, "public.kept"), (2, Some(2), Some(true)));
        let dropped: Vec<_> = restored.not_restored.iter().filter(|it| it.what.starts_with('\\')).collect();
        assert_eq!(dropped.len(), if name == "evil.sql" { 2 } else { 0 }, "{restored:#?}");
    }
}

#[test]
fn what_is_refused_here_is_told_and_hides_no_damage() {
    let restore_of = |path: &Path| {
        let (archive, expected) = read(path);
        restore_with(&archive, &expected, &Options { jobs: 4, ..Options::default() })
    };
    let source = Source::new(
        "CREATE TABLE t (id int, x text); INSERT INTO t SELECT n, n FROM generate_series(1, 9) n;
         CREATE INDEX ix ON t (x COLLATE \"C\");
         CREATE FUNCTION ord(int) RETURNS int LANGUAGE sql IMMUTABLE LEAKPROOF AS 'SELECT $1';
         CREATE VIEW leaky AS SELECT ord(id) FROM t; CREATE INDEX leaky_ix ON t (ord(id));
         CREATE FUNCTION lp() RETURNS int LANGUAGE sql SET log_min_duration_statement = 0 AS 'SELECT 1';
         CREATE MATERIALIZED VIEW logging AS SELECT lp();
         CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
         CREATE SCHEMA other; CREATE TABLE other.am2 (id int) USING heap2; INSERT INTO other.am2 VALUES (1);
         CREATE FUNCTION internal(int4) RETURNS int4 LANGUAGE internal IMMUTABLE STRICT AS 'int4abs';
         CREATE TABLE defaults (id int DEFAULT internal(-1)); INSERT INTO defaults VALUES (1);
         CREATE TYPE q;
         CREATE FUNCTION q_in(cstring) RETURNS q LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
         CREATE FUNCTION q_out(q) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
         CREATE TYPE q (INPUT = q_in, OUTPUT = q_out, LIKE = int4);
         CREATE TABLE own_type (a q); INSERT INTO own_type VALUES ('7');
         CREATE TABLE calls (f regproc); INSERT INTO calls VALUES ('lp');
         CREATE TABLE apart (id int); CREATE VIEW mixed AS SELECT ord(id) AS o FROM apart;
         CREATE VIEW open_orders AS SELECT id FROM t; CREATE VIEW big_orders AS SELECT id FROM open_orders;
         CREATE TABLE parts (id int, k text) PARTITION BY RANGE (id);
         CREATE TABLE part1 (k text, id int); ALTER TABLE parts ATTACH PARTITION part1 FOR VALUES FROM (0) TO (5);
         CREATE TABLE part2 (id int, k text); ALTER TABLE parts ATTACH PARTITION part2 FOR VALUES FROM (5) TO (10);
         INSERT INTO parts SELECT n, 'k' FROM generate_series(0, 9) n;",
    );
    let undamaged = |path: &Path| {
        let restored = restore_of(path);
        assert!(restored.is_whole(), "{restored:#?}");
        assert!(restored.errors.iter().all(|error| error.class == ErrorClass::Privilege), "{restored:#?}");
        let told = restored.refused_here();
        for object in ["ord", "lp"] {
            assert!(told.iter().any(|it| it.starts_with("FUNCTION") && it.contains(object)), "{told:#?}");
        }
        restored
    };
    for (name, format) in [("refused.custom", "--format=custom"), ("refused.sql", "--format=plain")] {
        // With -n, pg_dump creates the schema that is there.
        undamaged(&source.dump(name, &[format, "--schema=public"]));
        let path = source.dump(name, &[format, "--load-via-partition-root"]);
        let restored = undamaged(&path);
        // Rows in two orders of columns can be counted together, and no more.
        assert_eq!(rows_of(&restored, "public.parts"), (10, Some(10), None));
        // One bit more or less, and the index isn't made: nobody knows whether another server has that collation.
        replace_in(&path, "COLLATE \"C\"", "COLLATE \"B\"");
        let restored = restore_of(&path);
        assert!(restored.is_partial() && restored.errors_of_backup().count() == 0, "{restored:#?}");
        let told = restored.refused_here();
        assert!(told.iter().any(|it| it.starts_with("INDEX") && it.contains("collation")), "{told:#?}");
    }
    undamaged(&source.dump("clean.sql", &["--format=plain", "--schema=public", "--clean", "--if-exists"]));
    let path = source.dump("schema.custom", &["--format=custom", "--schema=public"]);
    replace_in(&path, "CREATE SCHEMA public", "CREATE SCHEMB public");
    assert!(restore_of(&path).errors_of_backup().count() > 0);
    // A view that needs what was refused may miss something else.
    let path = source.dump("mixed.custom", &["--format=custom"]);
    replace_in(&path, "FROM public.apart", "FROM public.abart");
    let restored = restore_of(&path);
    let against: Vec<_> = restored.errors_of_backup().filter_map(|it| it.object.as_deref()).collect();
    assert_eq!(against, ["VIEW public.mixed"], "{restored:#?}");
    // A function called `ord` that was refused explains no missing `open_orders`.
    let path = source.dump("renamed.sql", &["--format=plain"]);
    replace_in(&path, "VIEW public.open_orders", "VIEW public.opeo_orders");
    let restored = restore_of(&path);
    let against: Vec<_> = restored.errors_of_backup().filter_map(|it| it.object.as_deref()).collect();
    assert!(against.contains(&"VIEW public.big_orders"), "{restored:#?}");
}

#[test]
fn jobs_that_fail_in_the_same_moment_hide_nothing() {
    const TABLES: u64 = 60;
    let source = Source::new(&format!(
        "CREATE FUNCTION lp(int) RETURNS int LANGUAGE sql IMMUTABLE LEAKPROOF AS 'SELECT $1';
         DO $$ BEGIN FOR i IN 1..{TABLES} LOOP
             EXECUTE format('CREATE TABLE t%s (id int DEFAULT lp(1)); INSERT INTO t%1$s VALUES (1); CREATE INDEX ON t%1$s (lp(id))', i);
         END LOOP; END $$"
    ));
    let (archive, expected) = read(&source.dump("refused.dir", &["--format=directory"]));
    for _ in 0..3 {
        let restored = restore_with(&archive, &expected, &Options { jobs: 4, ..Options::default() });
        assert!(restored.is_whole(), "{restored:#?}");
        assert!(restored.errors.iter().all(|error| error.class == ErrorClass::Privilege), "{restored:#?}");
        assert_eq!(restored.errors_total, 1 + 3 * TABLES, "{restored:#?}");
        assert!(restored.errors.iter().all(|error| error.object.is_some()), "{restored:#?}");
    }
    // On a server of one's own nothing is left of the first attempt either.
    let own = start(&ClusterOptions::default());
    let before = databases_and_roles(&own);
    let options = Options { jobs: 4, url: Some(url_of(&own, SUPERUSER)), ..Options::default() };
    let restored = restore_with(&archive, &expected, &options);
    assert!(restored.is_whole(), "{restored:#?}");
    assert_eq!(restored.errors_total, 1 + 3 * TABLES, "{restored:#?}");
    assert_eq!(databases_and_roles(&own), before);
}

#[test]
fn rows_of_inserts_are_counted_after_the_restore() {
    let source = Source::new(
        "CREATE TABLE a (id int); INSERT INTO a SELECT generate_series(1, 9); CREATE TABLE c (id int); INSERT INTO c VALUES (1);
         CREATE TABLE \"new\nline\" (id int); INSERT INTO \"new\nline\" VALUES (1); CREATE TABLE none (id int);
         CREATE TABLE parts (id int) PARTITION BY HASH (id); CREATE TABLE part0 PARTITION OF parts FOR VALUES WITH (MODULUS 1, REMAINDER 0);
         INSERT INTO parts VALUES (1), (2)",
    );
    for arguments in [
        &["--format=custom", "--inserts"][..],
        &["--format=plain", "--column-inserts", "--load-via-partition-root"],
        &["--format=custom", "--rows-per-insert=4", "--load-via-partition-root"],
    ] {
        let path = source.dump("inserts", arguments);
        let mut options = VerifyOptions::new(&path);
        (options.limits.min_size, options.limits.min_tables) = (0, 0);
        options.restore = Restore::Always;
        let report = verify(&options, &Arc::default()).unwrap();
        assert_eq!(report.verdict, Verdict::Verified, "{arguments:?}: {:#?}", report.findings);
        let restored = report.evidence.restored.unwrap();
        for table in &report.evidence.tables {
            let name = table.name.as_str();
            let of = restored.tables.iter().find(|it| it.name.replace('"', "") == name);
            let of = of.unwrap_or_else(|| panic!("{arguments:?}: {name} was not compared"));
            assert_eq!(
                (of.expected_rows, of.found_rows),
                (table.rows, Some(table.rows)),
                "{arguments:?}: {name}"
            );
        }
        // A row fewer than the dump holds.
        let (archive, mut expected) = (Archive::open(&path, &Arc::default()).unwrap(), Expected::default());
        expected.add_inserted("", "public.a", 10);
        let restored = restore_with(&archive, &expected, &Options::default());
        assert!(!restored.is_whole(), "{restored:#?}");
    }
}

#[test]
fn what_restores_but_for_a_refused_function_is_not_called_whole() {
    let source = Source::new(
        "CREATE TABLE t (id int); INSERT INTO t VALUES (1);
         CREATE FUNCTION lp() RETURNS int LANGUAGE sql LEAKPROOF AS 'SELECT 1'",
    );
    let mut options = VerifyOptions::new(source.dump("told.custom", &["--format=custom"]));
    (options.limits.min_size, options.limits.min_tables, options.restore) = (0, 0, Restore::Always);
    let last_line = || {
        let report = verify(&options, &Arc::default()).unwrap();
        terminal(&report, Look { color: false, tables: None })
            .trim_end()
            .lines()
            .next_back()
            .unwrap()
            .to_owned()
    };
    let told = "verified: every block and row was read, and it restores";
    assert!(last_line().starts_with(&format!("{told} but for what the notes name (")), "{}", last_line());
    source.cluster.connect(SUPERUSER, "shop").unwrap().batch_execute("DROP FUNCTION lp").unwrap();
    source.dump("told.custom", &["--format=custom"]);
    assert!(last_line().starts_with(&format!("{told} (")), "{}", last_line());
}

#[test]
fn a_statement_too_long_to_be_tried_leaves_the_rest_proved() {
    let source = Source::new(
        "CREATE TABLE words (id int, word text); INSERT INTO words VALUES (1, 'short'), (2, repeat('long ', 30000));
         CREATE TABLE other (id int); INSERT INTO other VALUES (1)",
    );
    let mut options = VerifyOptions::new(source.dump("long.sql", &["--format=plain", "--inserts"]));
    (options.limits.min_size, options.limits.min_tables) = (0, 0);
    options.restore = Restore::Always;
    options.restore_options.longest_statement = 64 << 10;
    let report = verify(&options, &Arc::default()).unwrap();
    assert_eq!(report.verdict, Verdict::Incomplete, "{:#?}", report.findings);
    let told = "not made here: TABLE DATA public.words: a statement of 0 MB is too long to be tried";
    assert!(report.evidence.notes.iter().any(|note| note == told), "{:#?}", report.evidence.notes);
    let restored = report.evidence.restored.unwrap();
    assert_eq!(rows_of(&restored, "public.other"), (1, Some(1), None));
    assert_eq!(rows_of(&restored, "public.words"), (2, None, None));
}

#[test]
fn a_dump_that_changes_while_it_is_restored_proves_nothing() {
    let source = Source::new("CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
    let path = source.dump("changing.custom", &["--format=custom"]);
    let mut options = VerifyOptions::new(&path);
    options.restore = Restore::Always;
    let found = std::thread::scope(|scope| {
        scope.spawn(|| {
            // Reading it takes a moment, starting a server much longer.
            std::thread::sleep(Duration::from_millis(300));
            let file = fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        });
        verify(&options, &Arc::default())
    });
    assert!(matches!(found, Err(VerifyError::Changed(_))), "{:?}", found.map(|it| it.verdict));
}

#[test]
fn rows_that_break_their_constraints_tell_against_the_dump() {
    let source = Source::new(
        "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1);
         CREATE TABLE orders (id int PRIMARY KEY, user_id int CONSTRAINT of_user REFERENCES users);
         SET session_replication_role = replica; INSERT INTO orders VALUES (1, 1), (2, 99)",
    );
    for (name, format) in [("broken.custom", "--format=custom"), ("broken.sql", "--format=plain")] {
        let restored = restore_of(&source.dump(name, &[format]));
        assert!(!restored.is_whole(), "{restored:#?}");
        let errors: Vec<_> = restored.errors_of_backup().collect();
        assert_eq!(errors.len(), 1, "{restored:#?}");
        assert!(errors[0].message.contains("violates foreign key constraint \"of_user\""), "{errors:#?}");
        assert_eq!(rows_of(&restored, "public.orders"), (2, Some(2), Some(true)));
        if name == "broken.custom" {
            let missing: Vec<_> =
                restored.objects.iter().map(|it| (it.name.as_str(), it.difference)).collect();
            assert_eq!(
                missing,
                [("public.orders orders of_user", "missing")].map(|(_, it)| ("public.orders of_user", it))
            );
        }
    }
}

#[test]
fn fewer_rows_and_other_rows_are_seen() {
    let (archive, mut expected) = read(&shop().dump("counted.custom", &["--format=custom"]));
    let key = |name: &str| (String::new(), name.to_owned());
    let mut more = RowSum::default();
    more.add(b"one row more than there is");
    expected.tables.get_mut(&key("public.users")).unwrap().sum.merge(&more);
    // As many rows, but one of them another.
    let orders = expected.tables.get_mut(&key("public.\"Order's\"")).unwrap();
    let (rows, mut other) = (orders.sum.rows, RowSum::default());
    (0..rows).for_each(|row| other.add(row.to_string().as_bytes()));
    orders.sum = other;
    let restored = restore_with(&archive, &expected, &Options::default());
    assert!(!restored.is_whole());
    assert_eq!(rows_of(&restored, "public.users"), (3001, Some(3000), Some(false)));
    assert_eq!(rows_of(&restored, "public.\"Order's\""), (5000, Some(5000), Some(false)));
}

#[test]
fn missing_extensions_and_tablespaces_do_not_tell_against_the_dump() {
    let source = Source::new(
        "CREATE EXTENSION pg_trgm; CREATE EXTENSION hstore;
         CREATE TABLE users (id int, name text); INSERT INTO users VALUES (1, 'x');
         CREATE INDEX users_name ON users USING gin (name gin_trgm_ops);
         CREATE TABLE bags (id int, bag hstore); INSERT INTO bags VALUES (1, 'a=>1')",
    );
    for (name, format) in [("bare.custom", "--format=custom"), ("bare.sql", "--format=plain")] {
        let path = source.dump(name, &[format]);
        replace_in(&path, "EXISTS hstore", "EXISTS hst0re");
        if name == "bare.sql" {
            replace_in(&path, "public.hstore", "public.hst0re");
        }
        let restored = restore_of(&path);
        assert_eq!(restored.errors_of_backup().count(), 0, "{restored:#?}");
        assert!(restored.is_whole(), "{restored:#?}");
        let left: Vec<_> = restored.not_restored.iter().map(|it| it.what.as_str()).collect();
        assert_eq!(left, ["EXTENSION hst0re"], "{restored:#?}");
        assert_eq!(rows_of(&restored, "public.users"), (1, Some(1), Some(true)));
        // Its rows weren't looked at, and that is said.
        assert_eq!(rows_of(&restored, "public.bags"), (1, None, None));
        assert_eq!(restored.not_compared().len(), 1);
    }
}

#[test]
fn sequences_behind_their_data_are_found() {
    let source = Source::new(
        "CREATE TABLE users (id int GENERATED BY DEFAULT AS IDENTITY); INSERT INTO users SELECT generate_series(1, 50);
         CREATE TABLE fine (id serial); INSERT INTO fine SELECT FROM generate_series(1, 9);
         CREATE TABLE downwards (id int GENERATED ALWAYS AS IDENTITY (INCREMENT -1)); INSERT INTO downwards DEFAULT VALUES;
         SELECT setval('users_id_seq', 7)",
    );
    for (name, format) in [("behind.custom", "--format=custom"), ("behind.sql", "--format=plain")] {
        let restored = restore_of(&source.dump(name, &[format]));
        assert!(restored.is_whole(), "{restored:#?}");
        assert_eq!(restored.sequences.len(), 1, "{restored:#?}");
        assert_eq!(restored.sequences[0].name, "public.users_id_seq");
        assert_eq!(restored.sequences[0].last_value, 7);
        assert_eq!(restored.sequences[0].behind, Some(("public.users.id".to_owned(), 50)));
    }
}

#[test]
fn times_are_compared_in_the_zone_of_the_dump() {
    let source = Source::new(
        "CREATE TABLE visits (at timestamptz); ALTER DATABASE shop SET timezone = 'America/St_Johns';
         INSERT INTO visits SELECT timestamptz '1985-01-01 00:00+00' + n * interval '13 days' FROM generate_series(1, 1000) n",
    );
    for (name, format) in [("zone.custom", "--format=custom"), ("zone.sql", "--format=plain")] {
        let restored = restore_of(&source.dump(name, &[format]));
        assert_eq!(rows_of(&restored, "public.visits"), (1000, Some(1000), Some(true)), "{restored:#?}");
    }
}

#[test]
fn dumps_in_other_encodings_come_back_equal() {
    let cluster = start(&ClusterOptions { tools: vec![Tool::PgDump], ..Default::default() });
    let directory =
        tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    let source = Source { cluster, directory };
    for encoding in ["LATIN1", "LATIN2", "EUC_JP"] {
        let mut admin = source.cluster.connect(SUPERUSER, "postgres").unwrap();
        admin.batch_execute("DROP DATABASE IF EXISTS shop").unwrap();
        source
            .cluster
            .create_database(&NewDatabase { name: "shop", encoding: Some(encoding), ..Default::default() })
            .unwrap();
        let word = if encoding == "EUC_JP" { "表" } else { "é" };
        let sql = format!(
            "CREATE TABLE \"{word}\" (\"{word}\" text DEFAULT '{word}'); INSERT INTO \"{word}\" VALUES ('{word}'), (DEFAULT)"
        );
        source.cluster.connect(SUPERUSER, "shop").unwrap().batch_execute(&sql).unwrap();
        for (name, format) in [("coded.custom", "--format=custom"), ("coded.sql", "--format=plain")] {
            if encoding == "EUC_JP" && name == "coded.sql" {
                // The simple reader above reads no names in it.
                continue;
            }
            let restored = restore_of(&source.dump(name, &[format]));
            assert!(restored.is_whole(), "{encoding} {name}: {restored:#?}");
            assert_eq!(restored.errors, [], "{encoding} {name}");
            assert_eq!(restored.tables.len(), 1);
            let table = &restored.tables[0];
            if encoding == "EUC_JP" {
                // Names of more bytes than one a character aren't read: that is said, not passed over.
                assert!(table.not_compared.is_some(), "{restored:#?}");
            } else {
                let found = (table.found_rows, table.same_content);
                assert_eq!(found, (Some(2), Some(true)), "{encoding} {name}: {restored:#?}");
            }
        }
    }
}

/// A database whose restore takes ten minutes.
const SLOW: &str = "CREATE TABLE users (id int); INSERT INTO users VALUES (1);
    CREATE MATERIALIZED VIEW slow AS SELECT pg_sleep(600)::text AS it WITH NO DATA;
    SET allow_system_table_mods = on; UPDATE pg_class SET relispopulated = true WHERE relname = 'slow'";

#[test]
fn a_restore_that_takes_too_long_is_stopped() {
    let source = Source::new(SLOW);
    for (name, format) in [("slow.custom", "--format=custom"), ("slow.sql", "--format=plain")] {
        let (archive, expected) = read(&source.dump(name, &[format]));
        let options = Options { hard_limit: Duration::from_secs(5), ..Options::default() };
        let restored = restore_with(&archive, &expected, &options);
        assert!(restored.stopped && !restored.is_whole(), "{restored:#?}");
        assert!(restored.errors_of_backup().any(|it| it.message.contains("was stopped")), "{restored:#?}");
    }
}

#[test]
fn a_cut_tar_does_not_pass() {
    let path = shop().dump("cut.tar", &["--format=tar"]);
    let (_, expected) = read(&path);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 3]).unwrap();
    let archive = Archive::open(&path, &Arc::default()).unwrap();
    // Cut between two tables, pg_restore never ends; cut inside the last one, it ends with exit code 0.
    let options = Options { hard_limit: Duration::from_secs(10), ..Options::default() };
    let restored = restore_with(&archive, &expected, &options);
    assert!(!restored.is_whole(), "{restored:#?}");
}

#[test]
fn a_cut_plain_dump_does_not_pass() {
    let path = shop().dump("cut.sql", &["--format=plain"]);
    let text = fs::read(&path).unwrap();
    let middle = text.windows(6).position(|window| window == b"user 9").unwrap();
    fs::write(&path, &text[..middle]).unwrap();
    let restored = restore_of(&path);
    assert!(!restored.is_whole(), "{restored:#?}");
    assert!(
        restored.errors_of_backup().any(|it| it.message == "the dump ends inside the rows"),
        "{restored:#?}"
    );
}

#[test]
fn a_dump_of_a_cluster_comes_back_database_by_database() {
    let source = Source::new("CREATE TABLE users (id int); INSERT INTO users VALUES (1), (2)");
    source
        .cluster
        .connect(SUPERUSER, "postgres")
        .unwrap()
        .batch_execute("CREATE ROLE shop_app PASSWORD 'secret' SUPERUSER")
        .unwrap();
    source.cluster.create_database(&NewDatabase { name: "Ware house", ..Default::default() }).unwrap();
    source
        .cluster
        .connect(SUPERUSER, "Ware house")
        .unwrap()
        .batch_execute("CREATE EXTENSION hstore; CREATE TABLE users (bag hstore); INSERT INTO users VALUES ('a=>1'); GRANT SELECT ON users TO shop_app")
        .unwrap();
    let latin = NewDatabase { name: "latin", encoding: Some("LATIN1"), ..Default::default() };
    source.cluster.create_database(&latin).unwrap();
    source
        .cluster
        .connect(SUPERUSER, "latin")
        .unwrap()
        .batch_execute("CREATE TABLE words (word text); INSERT INTO words VALUES ('été')")
        .unwrap();
    let path = source.directory.path().join("all.sql");
    let program = source.cluster.installation().directory().join("pg_dumpall");
    let mut arguments = source.cluster.arguments(SUPERUSER, "postgres");
    arguments.truncate(arguments.len() - 2);
    // The rows are then in another encoding than a database.
    let ended = Run::new(program, Duration::from_secs(120))
        .args(arguments)
        .args(["--encoding", "UTF8"])
        .arg("--file")
        .arg(&path)
        .to_end()
        .unwrap();
    assert!(ended.succeeded(), "{}", ended.stderr.text());
    let (archive, mut expected) = read(&path);
    // The simple reader above takes `\connect`'s argument as it stands.
    let renamed = std::mem::take(&mut expected.tables).into_iter().map(|((database, table), rows)| {
        let database = if database.contains("Ware") { "Ware house".to_owned() } else { database };
        ((database, table), rows)
    });
    expected.tables = renamed.collect();
    let restored = restore_with(&archive, &expected, &Options::default());
    assert!(restored.is_whole(), "{restored:#?}");
    assert_eq!(restored.errors, []);
    let rows: Vec<_> = restored.tables.iter().map(|it| (it.name.as_str(), it.found_rows)).collect();
    assert_eq!(rows, [("public.users", Some(1)), ("public.words", Some(1)), ("public.users", Some(2))]);
}

/// The server of the user's own that `--restore-url` names.
fn url_of(cluster: &ScratchCluster, role: &str) -> String {
    let host = cluster.socket_directory().display().to_string().replace('/', "%2F");
    format!("postgresql://{role}@{host}/postgres")
}

fn databases_and_roles(cluster: &ScratchCluster) -> Vec<String> {
    let sql = "SELECT datname::text FROM pg_database UNION ALL SELECT rolname::text FROM pg_roles ORDER BY 1";
    cluster
        .connect(SUPERUSER, "postgres")
        .unwrap()
        .query(sql, &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}

#[test]
fn a_server_of_ones_own_is_left_as_it_was() {
    let own = start(&ClusterOptions::default());
    own.connect(SUPERUSER, "postgres").unwrap().batch_execute("CREATE ROLE plain LOGIN CREATEDB").unwrap();
    let before = databases_and_roles(&own);
    for role in [SUPERUSER, "plain"] {
        for (name, format) in [("own.custom", "--format=custom"), ("own.sql", "--format=plain")] {
            let (archive, expected) = read(&shop().dump(name, &[format]));
            let options = Options { url: Some(url_of(&own, role)), ..Options::default() };
            let restored = restore_with(&archive, &expected, &options);
            assert_eq!(
                rows_of(&restored, "public.\"Order's\""),
                (5000, Some(5000), Some(true)),
                "{restored:#?}"
            );
            assert_eq!(restored.errors_of_backup().count(), 0, "{role} {name}: {restored:#?}");
            assert_eq!(databases_and_roles(&own), before, "{role} {name}");
        }
    }
}

#[test]
fn an_older_server_is_refused_before_anything_is_done() {
    let path = shop().dump("newer.sql", &["--format=plain"]);
    let text = fs::read_to_string(&path).unwrap();
    let line = text.lines().find(|line| line.starts_with("-- Dumped from database version")).unwrap();
    fs::write(&path, text.replace(line, "-- Dumped from database version 98.1")).unwrap();
    let archive = Archive::open(&path, &Arc::default()).unwrap();
    let error = restore(&archive, &Expected::default(), &Options::default()).unwrap_err();
    assert!(error.to_string().starts_with("PostgreSQL 98 or newer is needed; found only "), "{error}");
    assert!(error.hint().unwrap().contains("98"), "{:?}", error.hint());
}

/// Set for a process that only restores the dump named, until it is killed.
const RESTORE: &str = "ROLLSAFE_TEST_RESTORE";

/// Restores for the test that kills its process; by itself: an empty database restores, too.
#[test]
fn restorer() {
    let Some(path) = std::env::var_os(RESTORE).map(PathBuf::from) else {
        let source = Source::new("");
        let restored = restore_of(&source.dump("nothing.custom", &["--format=custom"]));
        assert!(restored.is_whole(), "{restored:#?}");
        assert_eq!(restored.tables, []);
        return;
    };
    let archive = Archive::open(&path, &Arc::default()).unwrap();
    let scratch = path.parent().unwrap().join("scratch");
    let options = Options { scratch_directory: Some(scratch), ..Options::default() };
    restore_with(&archive, &Expected::default(), &options);
}

#[test]
fn killed_in_the_middle_it_leaves_neither_server_nor_pg_restore() {
    let source = Source::new(SLOW);
    let path = source.dump("slow.custom", &["--format=custom"]);
    let scratch = source.directory.path().join("scratch");
    fs::create_dir(&scratch).unwrap();
    let log = source.directory.path().join("log");
    for signal in ["INT", "KILL"] {
        let mut running = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "restorer", "--test-threads=1"])
            .env(RESTORE, &path)
            .stdout(fs::File::create(&log).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("pg_restore never started", || {
            if let Some(status) = running.try_wait().unwrap() {
                panic!("it ended by itself with {status}: {}", fs::read_to_string(&log).unwrap());
            }
            processes_with(&path) > 0
        });
        let kill =
            Command::new("kill").args([&format!("-{signal}"), &running.id().to_string()]).status().unwrap();
        assert!(kill.success());
        running.wait().unwrap();
        eventually("pg_restore is still there", || processes_with(&path) == 0);
        eventually("the server is still there", || processes_with(&scratch) == 0);
        eventually("its directory is still there", || fs::read_dir(&scratch).unwrap().next().is_none());
    }
}

#[test]
fn a_signal_ends_it_unless_nohup_had_it_ignored() {
    use std::os::unix::process::ExitStatusExt;
    let path = shop().dump("signalled.custom", &["--format=custom"]);
    let scratch = tempfile::tempdir().unwrap();
    // The server's user has to get into it.
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let ended = |script: &str, signal: &str| {
        let mut running = Command::new("sh")
            .args(["-c", &format!("{script} exec \"$0\" verify-backup \"$1\" --min-size 1B --min-tables 1")])
            .arg(env!("CARGO_BIN_EXE_rollsafe"))
            .arg(&path)
            .env("ROLLSAFE_SCRATCH_DIR", scratch.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("no server is being made", || fs::read_dir(scratch.path()).unwrap().next().is_some());
        let kill = Command::new("kill").args([signal, &running.id().to_string()]).status().unwrap();
        assert!(kill.success());
        running.wait().unwrap()
    };
    assert_eq!(ended("trap '' HUP;", "-HUP").code(), Some(0));
    assert_eq!(ended("", "-TERM").signal(), Some(15));
}

/// How many processes have `path` among their arguments; the one that restores here has it in its
/// environment only.
fn processes_with(path: &Path) -> usize {
    let listed =
        Command::new("ps").args(["-ww", "-e", "-o", "stat=,args="]).output().expect("ps is needed").stdout;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let path = path.display().to_string();
    listed.lines().filter(|line| !line.starts_with('Z') && line.contains(&path)).count()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_a_killed_run_left_on_a_server_of_ones_own_is_dropped_by_the_next() {
    let own = start(&ClusterOptions::default());
    let mut client = own.connect(SUPERUSER, "postgres").unwrap();
    let ours = "rollsafe: for a trial restore, dropped when that ends; made at 1700000000";
    for sql in [
        "CREATE ROLE rollsafe_restore_1f2e LOGIN",
        &format!("COMMENT ON ROLE rollsafe_restore_1f2e IS '{ours}'"),
        "CREATE DATABASE rollsafe_verify_1f2e OWNER rollsafe_restore_1f2e",
        &format!("COMMENT ON DATABASE rollsafe_verify_1f2e IS '{ours}'"),
        // Of that name, but somebody else's; ours, but in use.
        "CREATE DATABASE rollsafe_verify_shop",
        "CREATE DATABASE rollsafe_verify_used",
        &format!("COMMENT ON DATABASE rollsafe_verify_used IS '{ours}'"),
    ] {
        client.batch_execute(sql).unwrap();
    }
    let _user = own.connect(SUPERUSER, "rollsafe_verify_used").unwrap();
    let (archive, expected) = read(&shop().dump("leftovers.custom", &["--format=custom"]));
    let options = Options { url: Some(url_of(&own, SUPERUSER)), ..Options::default() };
    let restored = restore_with(&archive, &expected, &options);
    let note = restored.notes.iter().find(|note| note.contains("killed run")).expect("a note");
    assert!(note.contains("rollsafe_verify_1f2e, rollsafe_restore_1f2e"), "{note}");
    let there = databases_and_roles(&own).join(" ");
    assert!(there.contains("rollsafe_verify_shop") && there.contains("rollsafe_verify_used"), "{there}");
    assert!(!there.contains("1f2e"), "{there}");
}

#[test]
fn large_objects_are_compared_by_content() {
    let (archive, mut expected) = read(&shop().dump("objects.custom", &["--format=custom"]));
    assert_whole(&restore_with(&archive, &expected, &Options::default()));
    let mut other = RowSum::default();
    other.add(b"something else");
    if let Some(objects) = &mut expected.large_objects {
        objects.checksum = Some(other.checksum());
    }
    let restored = restore_with(&archive, &expected, &Options::default());
    assert!(!restored.is_whole(), "as many objects and bytes, but other ones: {:?}", restored.large_objects);
}
