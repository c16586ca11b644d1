//! Files and directories that go away again unless they are kept, however rollsafe ends.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};

use super::directory::{self, PrivateDirectory};
use super::guard::Guard;
use super::interrupt::{self, Registered, Remains};
use super::unprivileged::RunAs;

/// Something that isn't to stay. Removed on drop, on a signal, and a moment after rollsafe is killed.
#[derive(Debug)]
pub struct Ephemeral {
    remains: Arc<Doomed>,
    _registered: Registered,
    _guard: Guard,
}

/// The path, until it is kept or removed.
#[derive(Debug)]
struct Doomed(Mutex<Option<PathBuf>>);

impl Ephemeral {
    /// Takes charge of `path`, which need not exist yet.
    pub fn new(path: &Path) -> Ephemeral {
        let remains = Arc::new(Doomed(Mutex::new(Some(path.to_owned()))));
        let registered = interrupt::register(remains.clone());
        // The guard works from the root directory, where a relative path leads elsewhere.
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Ephemeral { remains, _registered: registered, _guard: Guard::of_directories(&[&absolute]) }
    }

    /// Leaves it where it is.
    pub fn keep(self) {
        self.remains.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for Ephemeral {
    fn drop(&mut self) {
        self.remains.remove();
    }
}

impl Remains for Doomed {
    fn remove(&self) {
        let path = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(path) = path {
            // One of the two fits; nobody is left to tell if neither does.
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
        }
    }
}

/// An output that only gets its name when it is finished. Removed as [`Ephemeral`]s are, or by the next run that writes
/// the same output.
#[derive(Debug)]
pub struct Unfinished {
    path: PathBuf,
    // The lock goes with the process: what isn't locked was left by a killed one.
    _lock: File,
    ephemeral: Ephemeral,
}

impl Unfinished {
    /// Makes an empty file or directory beside `output`, of a name that tells whose it is, and that nobody else may read.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn create(output: &Path, is_directory: bool) -> io::Result<Unfinished> {
        let output = std::path::absolute(output)?;
        let start = Unfinished::start_of_name(&output);
        Unfinished::remove_leftovers(&output, &start);
        let path = output.with_file_name(format!("{start}{}", std::process::id()));
        if is_directory {
            fs::DirBuilder::new().mode(0o700).create(&path)?;
        } else {
            File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        }
        let ephemeral = Ephemeral::new(&path);
        let lock = File::open(&path)?;
        // Where a file system knows no locks, nobody can take one either, and nothing is taken for a leftover.
        let _ = flock(&lock, FlockOperation::NonBlockingLockExclusive);
        Ok(Unfinished { path, _lock: lock, ephemeral })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves what is there: it has been renamed.
    pub fn keep(self) {
        self.ephemeral.keep();
    }

    fn start_of_name(output: &Path) -> String {
        format!(".{}.unfinished-", output.file_name().unwrap_or_default().to_string_lossy())
    }

    /// Removes what killed runs of this user left of the same output.
    fn remove_leftovers(output: &Path, start: &str) {
        let Some(entries) = output.parent().and_then(|parent| fs::read_dir(parent).ok()) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let numbered = name.to_str().and_then(|name| name.strip_prefix(start));
            let numbered = numbered
                .is_some_and(|number| !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit()));
            if numbered && directory::is_abandoned_file(&entry.path()) {
                let _ = fs::remove_file(entry.path()).or_else(|_| fs::remove_dir_all(entry.path()));
            }
        }
    }
}

/// A private directory for what only this run needs. Removed on drop, on a signal, a moment after rollsafe is killed,
/// or by the next run that puts a directory there.
#[derive(Debug)]
pub struct Scratch {
    directory: PrivateDirectory,
    _ephemeral: Ephemeral,
}

impl Scratch {
    /// Makes one in `base`. Other users may pass through to a file whose name they know and that is theirs.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn create(base: &Path) -> io::Result<Scratch> {
        directory::remove_leftovers(base);
        let directory = PrivateDirectory::create(base, true)?;
        let ephemeral = Ephemeral::new(directory.path());
        Ok(Scratch { directory, _ephemeral: ephemeral })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Gives `file` to the user that PostgreSQL's programs run as, where that is another one.
    pub fn hand_over(&self, file: &Path) {
        if let Ok(run_as) = RunAs::choose(Path::new("/bin/sh"), self.path())
            && let Some((uid, gid)) = run_as.owner()
        {
            // Otherwise they run as root, who can read it in any case.
            let _ = std::os::unix::fs::chown(file, Some(uid), Some(gid));
        }
    }
}
