//! Scratch clusters on a real server: they start, serve, and leave nothing behind, however they end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rollsafe::postgres::cluster::{ClusterError, NewDatabase, Options, SUPERUSER, ScratchCluster};
use rollsafe::postgres::tools::{Installations, Tool, Wanted};
use rollsafe::postgres::version::PgVersion;

/// Set for a process that only holds a cluster until it is killed.
const HOLD: &str = "ROLLSAFE_TEST_HOLD_IN";

/// A directory of this test's own, which the server's user may enter.
fn base() -> tempfile::TempDir {
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o711)).tempdir().unwrap()
}

fn options_in(base: &Path) -> Options {
    Options { scratch_directory: Some(base.to_owned()), ..Options::default() }
}

fn start_in(base: &Path) -> ScratchCluster {
    match ScratchCluster::start(&options_in(base)) {
        Ok(cluster) => cluster,
        Err(error) => panic!("no scratch cluster: {error}\n{}", error.hint().unwrap_or_default()),
    }
}

fn server_pid(home: &Path) -> String {
    let text = fs::read_to_string(home.join("data/postmaster.pid")).unwrap();
    text.lines().next().unwrap().to_owned()
}

/// Whether the process runs; one that ended but wasn't waited for doesn't.
fn runs(pid: &str) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().expect("ps is needed").stdout;
    !state.is_empty() && !state.starts_with(b"Z")
}

fn inside(base: &Path) -> Vec<PathBuf> {
    fs::read_dir(base).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Holds a cluster for the tests that kill its process; by itself: the version is the one promised,
/// and nothing listens on TCP.
#[test]
fn holder() {
    let own = base();
    let held = std::env::var_os(HOLD).map(PathBuf::from);
    let cluster = start_in(held.as_deref().unwrap_or(own.path()));
    let mut client = cluster.connect(SUPERUSER, "postgres").unwrap();
    let version: String = client.query_one("SHOW server_version_num", &[]).unwrap().get(0);
    assert_eq!(PgVersion::from_number(version.parse().unwrap()), cluster.version());
    let addresses: String = client.query_one("SHOW listen_addresses", &[]).unwrap().get(0);
    assert_eq!(addresses, "");
    if held.is_some() {
        println!("\nholding {}", cluster.directory().display());
        loop {
            std::thread::sleep(Duration::from_secs(600));
        }
    }
}

/// A process of its own that holds a cluster in `base`, and that cluster's directory.
fn start_holder(base: &Path) -> (Child, PathBuf) {
    // The tests may run under nohup themselves, and what is ignored is handed down.
    let mut child = Command::new("env")
        .arg("--default-signal=HUP")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "holder", "--nocapture", "--test-threads=1"])
        .env(HOLD, base)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let home = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("holding ").map(PathBuf::from));
    let home = home.expect("the holder ended before it had a cluster");
    (child, home)
}

fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap().success());
}

#[test]
fn it_serves_and_stopping_leaves_nothing() {
    let base = base();
    let cluster = start_in(base.path());
    let home = cluster.directory().to_owned();
    let pid = server_pid(&home);
    assert!(runs(&pid));
    cluster
        .create_database(&NewDatabase { name: "Shop \"1\"", encoding: Some("LATIN1"), ..Default::default() })
        .unwrap();
    let mut client = cluster.connect(SUPERUSER, "Shop \"1\"").unwrap();
    let row = client
        .query_one("SELECT current_database(), current_setting('server_encoding'), current_setting('application_name')", &[])
        .unwrap();
    assert_eq!((row.get(0), row.get(1), row.get(2)), ("Shop \"1\"", "LATIN1", "rollsafe"));
    cluster.stop().unwrap();
    assert!(!runs(&pid));
    assert_eq!(inside(base.path()), Vec::<PathBuf>::new());
}

#[test]
fn dropping_it_in_a_panic_leaves_nothing() {
    let base = base();
    let cluster = start_in(base.path());
    let pid = server_pid(cluster.directory());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _held = cluster;
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    assert!(!runs(&pid));
    assert_eq!(inside(base.path()), Vec::<PathBuf>::new());
}

#[test]
fn two_at_once_know_nothing_of_each_other() {
    let base = base();
    let (one, two) = (start_in(base.path()), start_in(base.path()));
    one.connect(SUPERUSER, "postgres").unwrap().batch_execute("CREATE TABLE only_here ()").unwrap();
    let there: Option<String> = two
        .connect(SUPERUSER, "postgres")
        .unwrap()
        .query_one("SELECT to_regclass('only_here')::text", &[])
        .unwrap()
        .get(0);
    assert_eq!(there, None);
    drop(one);
    two.connect(SUPERUSER, "postgres").unwrap().batch_execute("SELECT 1").unwrap();
}

#[test]
fn nobody_else_can_reach_it() {
    let base = base();
    let cluster = start_in(base.path());
    for private in [cluster.directory().join("data"), cluster.socket_directory().to_owned()] {
        let mode = fs::metadata(&private).unwrap().mode();
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", private.display());
    }
    assert!(cluster.socket_directory().as_os_str().len() + "/.s.PGSQL.5432".len() <= 103);
}

#[test]
fn the_server_never_runs_as_root() {
    let base = base();
    let cluster = start_in(base.path());
    let owner = fs::metadata(cluster.directory().join("data")).unwrap().uid();
    let seen =
        Command::new("ps").args(["-o", "uid=", "-p", &server_pid(cluster.directory())]).output().unwrap();
    let uid: u32 = String::from_utf8(seen.stdout).unwrap().trim().parse().unwrap();
    assert_eq!(uid, owner);
    assert_ne!(uid, 0);
}

#[test]
fn ctrl_c_and_sigterm_remove_it() {
    for (name, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        let base = base();
        let (mut holder, home) = start_holder(base.path());
        let pid = server_pid(&home);
        signal(holder.id(), name);
        let status = holder.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(number));
        // Gone before the process is, not some time after.
        assert!(!runs(&pid), "SIG{name}: the server still runs");
        assert_eq!(inside(base.path()), Vec::<PathBuf>::new(), "SIG{name}");
    }
}

#[test]
fn killing_its_owner_outright_ends_it_too() {
    let base = base();
    let (mut holder, home) = start_holder(base.path());
    let pid = server_pid(&home);
    holder.kill().unwrap();
    holder.wait().unwrap();
    eventually("the server outlives its owner", || !runs(&pid));
    eventually("the directory outlives its owner", || inside(base.path()).is_empty());
}

#[test]
fn leftovers_of_a_killed_run_are_removed_by_the_next() {
    let base = base();
    let (mut holder, home) = start_holder(base.path());
    let pid = server_pid(&home);
    // Its guard first: then nothing but the next run can clean up.
    let guards = Command::new("ps").args(["-ww", "-e", "-o", "pid=,ppid=,args="]).output().unwrap();
    let guards = String::from_utf8_lossy(&guards.stdout).into_owned();
    let mut killed = 0;
    for line in guards.lines().filter(|line| line.contains("rollsafe-guard")) {
        let mut fields = line.split_whitespace();
        let (guard, parent) = (fields.next().unwrap(), fields.next().unwrap());
        if parent == holder.id().to_string() {
            signal(guard.parse().unwrap(), "KILL");
            killed += 1;
        }
    }
    assert_ne!(killed, 0, "the holder has no guard:\n{guards}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    std::thread::sleep(Duration::from_secs(6));
    assert!(runs(&pid) && home.exists(), "there is nothing left over to clean up");
    // Directories of other people, whatever they are called, are left alone.
    let foreign = base.path().join("rollsafe-foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("owner"), "mine").unwrap();

    let cluster = start_in(base.path());
    assert!(!runs(&pid), "the old server still runs");
    assert!(!home.exists());
    assert!(foreign.join("owner").exists());
    cluster.connect(SUPERUSER, "postgres").unwrap();
}

#[test]
fn a_long_scratch_path_gets_its_socket_elsewhere() {
    let base = base();
    let deep = base.path().join("d".repeat(120));
    fs::create_dir(&deep).unwrap();
    fs::set_permissions(&deep, fs::Permissions::from_mode(0o711)).unwrap();
    let cluster = start_in(&deep);
    let socket = cluster.socket_directory().to_owned();
    assert!(cluster.directory().starts_with(deep.canonicalize().unwrap()));
    assert!(!socket.starts_with(&deep));
    cluster.stop().unwrap();
    assert!(!socket.parent().unwrap().exists());
    assert_eq!(inside(&deep), Vec::<PathBuf>::new());
}

#[test]
fn a_server_that_does_not_start_says_why_and_leaves_nothing() {
    let base = base();
    let error =
        ScratchCluster::start(&options_in(base.path()).setting("shared_buffers", "several")).unwrap_err();
    assert!(matches!(error, ClusterError::Ended { .. }), "{error}");
    assert!(error.to_string().contains("shared_buffers"), "{error}");
    assert_eq!(inside(base.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_scratch_directory_that_is_not_there_is_named() {
    let error = ScratchCluster::start(&options_in(Path::new("/nowhere/at/all"))).unwrap_err();
    assert_eq!(error.to_string(), "could not enter /nowhere/at/all");
}

#[test]
fn the_programs_of_this_machine_are_found() {
    let found = Installations::find();
    let tools = [Tool::Initdb, Tool::Postgres, Tool::PgRestore, Tool::PgDump, Tool::Psql];
    let newest = found.select(Wanted::Newest, &tools).expect("these tests need a PostgreSQL server");
    for tool in tools {
        assert!(newest.tool(tool).unwrap().is_absolute());
    }
    assert!(newest.has_server());
    let error = found.select(Wanted::Major(8), &tools).unwrap_err();
    assert!(error.to_string().starts_with("PostgreSQL 8 is needed; found only "), "{error}");
    assert!(error.hint().contains("ROLLSAFE_PG_BIN"), "{}", error.hint());
}
