//! The restore stage on real servers: whole dumps of every format come back equal, and what a restore
//! can't prove is told apart from what it disproves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rollsafe::backup::archive::plain::{TextSink, read_text};
use rollsafe::backup::archive::{Archive, BlockKind, BlockSink};
use rollsafe::backup::checksum::RowSum;
use rollsafe::backup::restore::{Expected, LargeObjects, Options, Restored, restore};
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
    fn copy_begin(&mut self, statement: &str) {
        self.copy = statement.to_owned();
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
        assert_eq!((expected.count, expected), (40, found));
        assert!(restored.objects_compared >= 25, "{name}: {}", restored.objects_compared);
        assert!(restored.database_bytes.unwrap() > 7_000_000);
    }
}

#[test]
fn a_plain_dump_comes_back_equal() {
    let restored = restore_of(&shop().dump("shop.sql", &["--format=plain"]));
    assert_whole(&restored);
    assert_eq!(restored.pg_restore_version, None);
}
