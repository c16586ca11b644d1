//! Private directories that are removed again, by us or by the next run.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

const PREFIX: &str = "rollsafe-";
const OWNER_FILE: &str = "owner";
const OWNER_FIRST_LINE: &str = "rollsafe scratch directory";

/// A new directory of ours, with a locked file inside that says it is in use. Not removed on drop.
#[derive(Debug)]
pub(super) struct PrivateDirectory {
    path: PathBuf,
    // The lock goes with the process, so a directory whose owner file isn't locked is a leftover.
    _owner: File,
}

impl PrivateDirectory {
    /// Makes one in `base`. With `others_enter`, other users may pass through to the directories in it
    /// that are theirs, but not list it.
    pub(super) fn create(base: &Path, others_enter: bool) -> io::Result<PrivateDirectory> {
        let mode = if others_enter { 0o711 } else { 0o700 };
        let path = tempfile::Builder::new()
            .prefix(PREFIX)
            .rand_bytes(6)
            .permissions(fs::Permissions::from_mode(mode))
            .tempdir_in(base)?
            .keep();
        let owner = own(&path).inspect_err(|_| {
            let _ = fs::remove_dir_all(&path);
        })?;
        // The process' umask may have taken the others' bit away.
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        Ok(PrivateDirectory { path, _owner: owner })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn own(path: &Path) -> io::Result<File> {
    let mut file = File::options().write(true).create_new(true).open(path.join(OWNER_FILE))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    writeln!(
        file,
        "{OWNER_FIRST_LINE}\nof process {}; removed when it ends, or by the next run of rollsafe",
        std::process::id()
    )?;
    Ok(file)
}

/// Makes `parent/name` with mode 0700, owned by `owner`.
pub(super) fn make_inside(parent: &Path, name: &str, owner: Option<(u32, u32)>) -> io::Result<PathBuf> {
    let path = parent.join(name);
    fs::create_dir(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
    if let Some((uid, gid)) = owner {
        std::os::unix::fs::chown(&path, Some(uid), Some(gid))?;
    }
    Ok(path)
}

/// Removes `path` and all that is in it; a server that is just ending may still write into it.
pub(super) fn remove_all(path: &Path) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match fs::remove_dir_all(path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.exists() => return Ok(()),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Removes what killed runs of this user left in `base`, servers included. What can't be read, or
/// isn't ours beyond doubt, is left alone.
pub(super) fn remove_leftovers(base: &Path) {
    let Ok(entries) = fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        if is_ours(&entry.file_name(), &entry.path()) && is_abandoned(&entry.path()) {
            stop_server_of(&entry.path().join("data"));
            let _ = remove_all(&entry.path());
        }
    }
}

fn is_ours(name: &OsStr, path: &Path) -> bool {
    // symlink_metadata: a link of this name would lead us to somebody else's directory.
    name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
        && fs::symlink_metadata(path)
            .is_ok_and(|meta| meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw())
}

fn is_abandoned(path: &Path) -> bool {
    match File::open(path.join(OWNER_FILE)) {
        Ok(file) => {
            let marked = fs::read_to_string(path.join(OWNER_FILE))
                .is_ok_and(|text| text.is_empty() || text.starts_with(OWNER_FIRST_LINE));
            marked && is_older_than(path, 5) && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
        }
        // Killed between making the directory and its owner file; or another run is right there.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            is_older_than(path, 600) && fs::read_dir(path).is_ok_and(|mut inside| inside.next().is_none())
        }
        Err(_) => false,
    }
}

/// Whether a killed run of this user left the file or directory at `path`, which its owner locks while it lives.
pub(super) fn is_abandoned_file(path: &Path) -> bool {
    let ours = fs::symlink_metadata(path)
        .is_ok_and(|meta| !meta.is_symlink() && meta.uid() == rustix::process::geteuid().as_raw());
    ours && is_older_than(path, 5)
        && File::open(path).is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok())
}

fn is_older_than(path: &Path, seconds: u64) -> bool {
    fs::symlink_metadata(path)
        .and_then(|meta| meta.modified())
        .ok()
        .and_then(|changed| SystemTime::now().duration_since(changed).ok())
        .is_some_and(|age| age > Duration::from_secs(seconds))
}

/// Stops the server that runs in `data`, if its process id is still that server's.
fn stop_server_of(data: &Path) {
    let Some(pid) = fs::read_to_string(data.join("postmaster.pid"))
        .ok()
        .and_then(|text| text.lines().next()?.trim().parse::<i32>().ok())
        .and_then(Pid::from_raw)
    else {
        return;
    };
    if !command_line(pid).is_some_and(|line| contains(&line, data.as_os_str().as_encoded_bytes())) {
        return;
    }
    // SIGQUIT is PostgreSQL's immediate shutdown (manual, "Shutting Down the Server").
    let _ = kill_process(pid, Signal::QUIT);
    let deadline = Instant::now() + Duration::from_secs(5);
    while test_kill_process(pid).is_ok() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    if command_line(pid).is_some_and(|line| contains(&line, data.as_os_str().as_encoded_bytes())) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn command_line(pid: Pid) -> Option<Vec<u8>> {
    let number = pid.as_raw_nonzero();
    if Path::new("/proc/self/cmdline").exists() {
        return fs::read(format!("/proc/{number}/cmdline")).ok();
    }
    let ended = super::child::Run::new("/bin/ps", Duration::from_secs(5))
        .args(["-o", "args=", "-p", &number.to_string()])
        .to_end()
        .ok()?;
    Some(ended.stdout.text().into_bytes())
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && memchr::memmem::find(haystack, needle).is_some()
}

/// Bytes that this user may still write in the file system that holds `path`.
///
/// # Errors
/// When the path doesn't exist or its file system can't be asked.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let facts = rustix::fs::statvfs(path)?;
    Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
}
