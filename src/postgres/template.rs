//! Data directories: made by initdb once, then copied, which takes a tenth of the time.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use super::child::Run;
use super::cluster::ClusterError;
use super::directory::free_bytes;
use super::tools::{Installation, Tool};
use super::unprivileged::RunAs;

const INITDB_LIMIT: Duration = Duration::from_secs(180);
/// A fresh data directory takes some 28 MB.
const SMALLEST: u64 = 32 << 20;
/// A template that wasn't used for so long is removed.
const UNUSED: Duration = Duration::from_secs(60 * 24 * 3600);

/// What a data directory is made of; equal recipes give interchangeable directories.
pub(super) struct Recipe<'a> {
    pub(super) installation: &'a Installation,
    /// A server encoding: `UTF8`, `LATIN1`.
    pub(super) encoding: &'a str,
}

impl Recipe<'_> {
    fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> =
            ["--no-sync", "--auth=trust", "--username=postgres", "--locale=C"].map(str::to_owned).to_vec();
        arguments.push(format!("--encoding={}", self.encoding));
        if self.installation.version().major() >= 11 {
            // 1 MB segments: 15 MB less to copy for each start.
            arguments.push("--wal-segsize=1".to_owned());
        }
        if self.installation.version().major() >= 18 {
            // On by default since 18; nothing here lives long enough to rot.
            arguments.push("--no-data-checksums".to_owned());
        }
        arguments
    }

    /// The name of the cached copy. initdb's own version and date are in it, because a rebuilt
    /// server may have another catalog version under the same number.
    fn cache_name(&self, initdb: &Path) -> String {
        let built = fs::metadata(initdb).and_then(|meta| meta.modified()).ok();
        let built = built.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        let mut hash = Sha256::new();
        hash.update(initdb.as_os_str().as_encoded_bytes());
        hash.update(format!("{built:?}{:?}", self.arguments()));
        let hash: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{hash}", self.installation.version())
    }

    /// Fills the empty directory `data`, which belongs to the user of `run_as`.
    pub(super) fn make(&self, data: &Path, run_as: &RunAs, cache: Option<&Path>) -> Result<(), ClusterError> {
        let initdb = self.installation.tool(Tool::Initdb)?;
        let cached = cache.map(|cache| cache.join("clusters").join(self.cache_name(&initdb)));
        if let Some(cached) = &cached
            && cached.join("PG_VERSION").is_file()
        {
            // The date tells the next clean-up that this one is in use.
            let _ = fs::File::open(cached).and_then(|it| it.set_modified(SystemTime::now()));
            if copy_inside(cached, data, run_as.owner()).is_ok() {
                return Ok(());
            }
            // A copy cut short, be it by another run's clean-up: start over with initdb, which says
            // what is wrong if it is the disk.
            empty(data).map_err(|source| ClusterError::from_io("empty", data, source))?;
        }
        self.run_initdb(&initdb, data, run_as)?;
        if let Some(cached) = cached {
            // A cache that can't be written only costs time.
            let _ = keep_copy(data, &cached);
        }
        Ok(())
    }

    fn run_initdb(&self, initdb: &Path, data: &Path, run_as: &RunAs) -> Result<(), ClusterError> {
        let ended = Run::new(initdb, INITDB_LIMIT)
            .arg("-D")
            .arg(data)
            .args(self.arguments())
            .run_as(run_as.clone())
            .to_end()?;
        if ended.succeeded() {
            return Ok(());
        }
        let said = ended.stderr.text();
        // A server that can't write its first files may just abort.
        let is_full = free_bytes(data).is_ok_and(|free| free < SMALLEST);
        if is_full || said.contains("No space left on device") || said.contains("Disk quota exceeded") {
            return Err(ClusterError::NoSpace { directory: data.to_owned() });
        }
        Err(ClusterError::Initdb { status: ended.status, said: ended.stderr.last_lines(6) })
    }
}

fn keep_copy(data: &Path, cached: &Path) -> io::Result<()> {
    let Some(directory) = cached.parent() else { return Ok(()) };
    fs::create_dir_all(directory)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    remove_unused(directory);
    // Copied under another name first: whoever sees the final one sees it whole.
    let unfinished = tempfile::Builder::new().prefix("unfinished-").tempdir_in(directory)?;
    copy_inside(data, unfinished.path(), None)?;
    fs::rename(unfinished.path(), cached)
}

fn remove_unused(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let age = entry.metadata().and_then(|meta| meta.modified()).ok().and_then(|used| used.elapsed().ok());
        let unfinished = entry.file_name().as_encoded_bytes().starts_with(b"unfinished-");
        let limit = if unfinished { Duration::from_secs(3600) } else { UNUSED };
        if age.is_some_and(|age| age > limit) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Copies what is in `from` into the existing directory `to`, giving it to `owner`.
fn copy_inside(from: &Path, to: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            fs::create_dir(&target)?;
            copy_inside(&entry.path(), &target, owner)?;
            fs::set_permissions(&target, fs::Permissions::from_mode(0o700))?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target)?;
        }
        if let Some((uid, gid)) = owner {
            std::os::unix::fs::chown(&target, Some(uid), Some(gid))?;
        }
    }
    Ok(())
}

fn empty(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Where templates are kept: `ROLLSAFE_CACHE_DIR`, or the user's cache directory. None without a home.
pub(super) fn cache_directory() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(directory) = set("ROLLSAFE_CACHE_DIR") {
        return Some(directory);
    }
    let user = match set("XDG_CACHE_HOME") {
        Some(directory) if directory.is_absolute() => directory,
        _ if cfg!(target_os = "macos") => set("HOME")?.join("Library/Caches"),
        _ => set("HOME")?.join(".cache"),
    };
    Some(user.join("rollsafe"))
}
