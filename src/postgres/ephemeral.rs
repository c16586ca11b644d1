//! Files and directories that go away again unless they are kept, however rollsafe ends.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::directory::{self, PrivateDirectory};
use super::guard::Guard;
use super::interrupt::{self, Registered, Remains};
use super::unprivileged::RunAs;

/// An unfinished output. Removed on drop, on a signal, and a moment after rollsafe is killed.
#[derive(Debug)]
pub struct Ephemeral {
    remains: Arc<Unfinished>,
    _registered: Registered,
    _guard: Guard,
}

/// The path, until it is kept or removed.
#[derive(Debug)]
struct Unfinished(Mutex<Option<PathBuf>>);

impl Ephemeral {
    /// Takes charge of `path`, which need not exist yet.
    pub fn new(path: &Path) -> Ephemeral {
        let remains = Arc::new(Unfinished(Mutex::new(Some(path.to_owned()))));
        let registered = interrupt::register(remains.clone());
        Ephemeral { remains, _registered: registered, _guard: Guard::of_directories(&[path]) }
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

impl Remains for Unfinished {
    fn remove(&self) {
        let path = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(path) = path {
            // One of the two fits; nobody is left to tell if neither does.
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
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
