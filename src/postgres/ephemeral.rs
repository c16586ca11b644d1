//! Files and directories that go away again unless they are kept, however rollsafe ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::guard::Guard;
use super::interrupt::{self, Registered, Remains};

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
