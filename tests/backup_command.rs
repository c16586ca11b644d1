//! Taking a dump from a real server: counted in its snapshot, read back, and only then given its name.

mod program;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rollsafe::backup::options::{Restore, VerifyOptions};
use rollsafe::backup::take::{DumpFormat, TakeError, TakeOptions, Taken, take};
use rollsafe::backup::verify::{Verdict, verify};
use rollsafe::postgres::cluster::{NewDatabase, Options as ClusterOptions, SUPERUSER, ScratchCluster};
use rollsafe::postgres::connection::Connection;
use rollsafe::postgres::tools::Tool;

const SHOP: &str = "
    CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users SELECT n, 'user ' || n FROM generate_series(1, 2000) n;
    CREATE TABLE \"Order's\" (id int); INSERT INTO \"Order's\" SELECT generate_series(1, 500);
    CREATE TABLE empty (id int);
    CREATE TABLE log (at timestamptz) PARTITION BY RANGE (at);
    CREATE TABLE log_rest PARTITION OF log DEFAULT; INSERT INTO log SELECT now() FROM generate_series(1, 70);
    SELECT lo_from_bytea(0, 'large') FROM generate_series(1, 3);";

struct Shop {
    cluster: ScratchCluster,
    directory: tempfile::TempDir,
}

impl Shop {
    fn open() -> Shop {
        let tools = vec![Tool::PgDump, Tool::Psql];
        let cluster = match ScratchCluster::start(&ClusterOptions { tools, ..Default::default() }) {
            Ok(cluster) => cluster,
            Err(error) => panic!("no scratch cluster: {error}\n{}", error.hint().unwrap_or_default()),
        };
        cluster.create_database(&NewDatabase { name: "shop", ..Default::default() }).unwrap();
        cluster.connect(SUPERUSER, "shop").unwrap().batch_execute(SHOP).unwrap();
        Shop { cluster, directory: tempfile::tempdir().unwrap() }
    }

    fn url(&self, role: &str) -> String {
        let host = self.cluster.socket_directory().display().to_string().replace('/', "%2F");
        format!("postgresql://{role}:secret@{host}/shop")
    }

    fn options(&self, name: &str) -> TakeOptions {
        TakeOptions {
            connection: Connection::new(Some(&self.url(SUPERUSER))).unwrap(),
            output: self.directory.path().join(name),
            format: DumpFormat::Custom,
            compress: None,
            jobs: 1,
            replace: false,
            ignore_space: false,
            manifest: None,
            extra: vec![],
            limit: Duration::from_secs(300),
        }
    }

    fn take(&self, options: &TakeOptions) -> Taken {
        match take(options) {
            Ok(taken) => taken,
            Err(error) => panic!("{error}\n{}", error.hint().unwrap_or_default()),
        }
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn the_manifest_is_of_the_dump() {
    let shop = Shop::open();
    let manifest = shop.directory.path().join("shop.json");
    let taken = shop.take(&TakeOptions { manifest: Some(manifest.clone()), ..shop.options("shop.dump") });
    let mut options = VerifyOptions::new(&taken.path);
    (options.limits.min_size, options.limits.min_tables) = (0, 0);
    options.manifest = Some(manifest);
    options.restore = Restore::Never;
    assert_eq!(verify(&options, &Arc::default()).unwrap().verdict, Verdict::Verified);
    // Any later change shows.
    let mut bytes = fs::read(&taken.path).unwrap();
    let last = bytes.len() - 1;
    bytes[last - 40] ^= 1;
    fs::write(&taken.path, bytes).unwrap();
    assert_eq!(verify(&options, &Arc::default()).unwrap().verdict, Verdict::Failed);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn every_format_is_taken_counted_and_verified() {
    let shop = Shop::open();
    for format in [DumpFormat::Custom, DumpFormat::Directory, DumpFormat::Tar, DumpFormat::Plain] {
        let name = format.as_str();
        let options = TakeOptions { format, jobs: 2, ..shop.options(name) };
        let taken = shop.take(&options);
        let mut rows: Vec<_> =
            taken.tables.iter().map(|it| (it.name.as_str(), it.rows, it.in_dump)).collect();
        rows.sort();
        assert_eq!(
            rows,
            [
                ("public.Order's", 500, Some(500)),
                ("public.empty", 0, Some(0)),
                ("public.log_rest", 70, Some(70)),
                ("public.users", 2000, Some(2000)),
            ],
            "{name}"
        );
        assert_eq!((taken.large_objects, taken.database.as_str()), (3, "shop"), "{name}");
        assert!(taken.bytes > 1000);
        // Nobody else may read what is in the database.
        assert_eq!(mode(&taken.path) & 0o077, 0, "{name}");
    }
    assert_eq!(shop.files(), ["custom", "directory", "plain", "tar"]);
}

#[test]
fn rows_that_come_while_it_runs_are_in_neither_count() {
    let shop = Shop::open();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = shop.cluster.connect(SUPERUSER, "shop").unwrap();
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                client.batch_execute("INSERT INTO \"Order's\" SELECT generate_series(1, 20)").unwrap();
            }
        });
        let taken =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| shop.take(&shop.options("busy.dump"))));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let taken = taken.unwrap();
        let orders = taken.tables.iter().find(|it| it.name == "public.Order's").unwrap();
        assert_eq!(orders.in_dump, Some(orders.rows));
        assert!(orders.rows >= 500);
    });
}

#[test]
fn a_failed_dump_leaves_nothing_and_replaces_nothing() {
    let shop = Shop::open();
    let mut client = shop.cluster.connect(SUPERUSER, "shop").unwrap();
    client.batch_execute("CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader; ALTER TABLE users ENABLE ROW LEVEL SECURITY").unwrap();
    let output = shop.directory.path().join("shop.dump");
    let yesterday = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dumps/15-custom.dump");
    fs::copy(&yesterday, &output).unwrap();
    let options = TakeOptions {
        connection: Connection::new(Some(&shop.url("reader"))).unwrap(),
        replace: true,
        ..shop.options("shop.dump")
    };
    // Without the right to see all rows of `users` it would hold fewer of them.
    let error = take(&options).unwrap_err();
    assert!(matches!(error, TakeError::Server { .. }), "{error}");
    assert!(error.to_string().contains("row-level security policy for table \"users\""), "{error}");
    assert!(!error.to_string().contains("secret"));
    let options =
        TakeOptions { compress: Some("nonsense".into()), replace: true, ..shop.options("shop.dump") };
    let error = take(&options).unwrap_err();
    assert!(matches!(error, TakeError::PgDump { .. }), "{error}");
    assert!(error.to_string().contains("nonsense"), "{error}");
    assert_eq!(fs::read(&output).unwrap(), fs::read(&yesterday).unwrap());
    assert_eq!(shop.files(), ["shop.dump"]);
}

#[test]
fn what_is_there_is_replaced_only_on_demand() {
    let shop = Shop::open();
    for format in [DumpFormat::Custom, DumpFormat::Directory] {
        let options = TakeOptions { format, ..shop.options(format.as_str()) };
        shop.take(&options);
        let error = take(&options).unwrap_err();
        assert!(matches!(error, TakeError::Exists(_)), "{error}");
        assert!(error.hint().unwrap().contains("--replace"));
        // A shell completes the name of a directory with a slash.
        let mut output = options.output.clone().into_os_string();
        output.push(if format == DumpFormat::Directory { "/" } else { "" });
        shop.take(&TakeOptions { replace: true, output: output.into(), ..options });
    }
    assert_eq!(shop.files(), ["custom", "directory"]);
    // What is no dump is left alone, and nothing is dumped in vain.
    let there = |name: &str| shop.directory.path().join(name);
    fs::create_dir_all(there("precious/sub")).unwrap();
    fs::write(there("precious/thesis.txt"), "x").unwrap();
    fs::write(there("directory/notes.txt"), "x").unwrap();
    fs::write(there("readme"), "how to pg_dump").unwrap();
    fs::create_dir_all(there("nightly")).unwrap();
    for (name, why) in [
        ("precious", "isn't part of a dump"),
        ("directory", "notes.txt"),
        ("readme", "doesn't begin as a dump"),
        ("nightly", "it is an empty directory, and this dump is a file"),
    ] {
        let error = take(&TakeOptions { replace: true, ..shop.options(name) }).unwrap_err();
        assert!(matches!(error, TakeError::NoDump { .. }) && error.to_string().contains(why), "{error}");
    }
    assert_eq!(fs::read_to_string(there("precious/thesis.txt")).unwrap(), "x");
    assert_eq!(shop.files(), ["custom", "directory", "nightly", "precious", "readme"]);
    // A dump that is a directory itself takes the place of an empty one.
    let format = DumpFormat::Directory;
    shop.take(&TakeOptions { format, replace: true, ..shop.options("nightly") });
}

#[test]
fn what_the_users_own_arguments_leave_out_is_told() {
    let shop = Shop::open();
    let extra = vec!["--exclude-table-data=public.users".to_owned()];
    let taken = shop.take(&TakeOptions { extra, ..shop.options("part.dump") });
    assert_eq!(taken.left_out, ["public.users"]);
}

#[test]
fn partitions_written_through_their_root_are_counted_together() {
    let shop = Shop::open();
    let mut client = shop.cluster.connect(SUPERUSER, "shop").unwrap();
    // pg_dump itself writes these through their root: the hash of an enum's value isn't the same everywhere.
    client
        .batch_execute(
            "CREATE TYPE en AS ENUM ('a', 'b', 'c'); CREATE TABLE pe (e en, v int) PARTITION BY HASH (e);
             CREATE TABLE pe0 PARTITION OF pe FOR VALUES WITH (MODULUS 2, REMAINDER 0);
             CREATE TABLE pe1 PARTITION OF pe FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY LIST (e);
             CREATE TABLE pe1_rest PARTITION OF pe1 DEFAULT;
             INSERT INTO pe SELECT (ARRAY['a', 'b', 'c']::en[])[1 + n % 3], n FROM generate_series(1, 50) n",
        )
        .unwrap();
    for format in [DumpFormat::Custom, DumpFormat::Plain] {
        shop.take(&TakeOptions { format, ..shop.options(format.as_str()) });
    }
    let extra = vec!["--load-via-partition-root".to_owned(), "--exclude-table-data=pe0".to_owned()];
    let taken = shop.take(&TakeOptions { extra, ..shop.options("root.dump") });
    assert_eq!(taken.left_out, ["public.pe0"]);
    let extra = vec!["--load-via-partition-root".to_owned(), "--exclude-table=pe0".to_owned()];
    let taken = shop.take(&TakeOptions { extra, ..shop.options("excluded.dump") });
    assert_eq!(taken.left_out, ["public.pe0"]);
    let extra = vec!["--load-via-partition-root".to_owned(), "--data-only".to_owned()];
    let taken = shop.take(&TakeOptions { extra, ..shop.options("rows.dump") });
    assert_eq!(taken.left_out, Vec::<String>::new());
}

#[test]
fn a_server_that_is_not_there_is_named_without_its_password() {
    let shop = Shop::open();
    let options = TakeOptions {
        connection: Connection::new(Some("postgresql://me:secret@/shop?host=/nowhere")).unwrap(),
        ..shop.options("never.dump")
    };
    let error = take(&options).unwrap_err();
    let TakeError::Server { server, source } = &error else { panic!("{error}") };
    assert_eq!(server, "postgresql://me@/shop?host=/nowhere");
    assert!(source.to_string().contains("/nowhere"), "{source}");
    assert_eq!(shop.files(), Vec::<String>::new());
}

#[test]
fn too_little_space_is_seen_before_anything_is_written() {
    let shop = Shop::open();
    // /dev/shm and its like have space; a file system without any is proc.
    let options = TakeOptions { output: PathBuf::from("/proc/shop.dump"), ..shop.options("x") };
    let error = take(&options).unwrap_err();
    assert!(matches!(error, TakeError::Space { free: 0, .. }), "{error}");
}

fn command(shop: &Shop, output: &str) -> Command {
    let mut command = program::alone(env!("CARGO_BIN_EXE_rollsafe"));
    command.arg("backup").arg("--output").arg(shop.directory.path().join(output));
    command.env("DATABASE_URL", shop.url(SUPERUSER)).stdin(Stdio::null());
    command
}

#[test]
fn the_command_says_what_it_did_and_what_it_refused() {
    let shop = Shop::open();
    let ended = command(&shop, "shop.dump").output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert_eq!((ended.status.code(), stderr.as_ref()), (Some(0), ""), "{stdout}");
    assert!(stdout.contains("4 tables, 2570 rows and 3 large objects of shop"), "{stdout}");
    assert_eq!(shop.files(), ["shop.dump"]);
    let again = command(&shop, "shop.dump").output().unwrap();
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("shop.dump is there already"));
    let part = command(&shop, "part.dump").args(["--", "--schema-only"]).output().unwrap();
    let stdout = String::from_utf8_lossy(&part.stdout).into_owned();
    assert!(!stdout.contains(": every row") && stdout.contains("left out as asked: "), "{stdout}");
    let nowhere = command(&shop, "no/such/directory/shop.dump").output().unwrap();
    let stderr = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    // What, on what, and why.
    assert!(stderr.contains("could not enter") && stderr.contains("No such file"), "{stderr}");
}

#[test]
fn interrupted_or_killed_it_leaves_nothing() {
    let shop = Shop::open();
    for signal in ["INT", "KILL"] {
        // A table that somebody has locked makes pg_dump wait.
        let mut locker = shop.cluster.connect(SUPERUSER, "shop").unwrap();
        locker.batch_execute("BEGIN; LOCK TABLE users").unwrap();
        // What another killed run has left goes as well, unless somebody holds it.
        for (name, age) in [(".never.dump.unfinished-1", 60), (".never.dump.unfinished-x", 60)] {
            let file = fs::File::create(shop.directory.path().join(name)).unwrap();
            file.set_modified(std::time::SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        let mut running = program::alone(env!("CARGO_BIN_EXE_rollsafe"))
            // By a relative name, which means nothing to who cleans up from elsewhere.
            .args(["backup", "--output", "never.dump"])
            .current_dir(shop.directory.path())
            .env("DATABASE_URL", shop.url(SUPERUSER))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut admin = shop.cluster.connect(SUPERUSER, "postgres").unwrap();
        let mut sessions = |waiting: &str| -> i64 {
            let sql = format!(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = 'shop' AND pid <> pg_backend_pid()
                    AND application_name IN ('rollsafe', 'pg_dump', 'psql') AND state <> 'idle' {waiting}"
            );
            admin.query_one(&sql, &[]).unwrap().get(0)
        };
        eventually("pg_dump never came to the lock", || sessions("AND wait_event_type = 'Lock'") > 0);
        assert_eq!(shop.files().len(), 2, "{:?}", shop.files());
        fs::remove_file(shop.directory.path().join(".never.dump.unfinished-x")).unwrap();
        let kill =
            Command::new("kill").args([&format!("-{signal}"), &running.id().to_string()]).status().unwrap();
        assert!(kill.success());
        running.wait().unwrap();
        eventually("the unfinished dump is still there", || shop.files().is_empty());
        locker.batch_execute("ROLLBACK").unwrap();
        drop(locker);
        eventually("pg_dump or psql is still there", || sessions("") == 0);
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
