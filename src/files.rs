//! Files as a whole: a reader never sees half of what is written, and a failure leaves what was there.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a file could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The folder isn't there. It isn't made: a misspelt path would stay unnoticed.
    #[error("can't write {}: the folder {} doesn't exist", path.display(), folder.display())]
    NoFolder {
        /// The file.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },
    /// It is one.
    #[error("can't write {}: it is a folder", .0.display())]
    Folder(PathBuf),
    /// Anything else.
    #[error("can't write {}: {error}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Whether `path` can be written as far as can be told without writing.
///
/// # Errors
/// When its folder is missing, or it is a folder itself.
pub fn check_target(path: &Path) -> Result<(), WriteError> {
    if path.is_dir() {
        return Err(WriteError::Folder(path.to_owned()));
    }
    let folder = folder_of(path);
    if !folder.is_dir() {
        return Err(WriteError::NoFolder { path: path.to_owned(), folder: folder.to_owned() });
    }
    Ok(())
}

/// Writes all of a file, or nothing: the contents go to a file beside it, which then takes its name. A symbolic link
/// stays one; a device or pipe is written to.
///
/// # Errors
/// When the folder is missing, or can't be written to.
pub fn write_whole(path: &Path, contents: &[u8]) -> Result<(), WriteError> {
    check_target(path)?;
    let failed = |error| WriteError::Failed { path: path.to_owned(), error };
    let there = std::fs::metadata(path).ok();
    if there.as_ref().is_some_and(|there| !there.is_file()) {
        let mut file = std::fs::OpenOptions::new().write(true).open(path).map_err(failed)?;
        return file.write_all(contents).map_err(failed);
    }
    let target = if there.is_some() { std::fs::canonicalize(path).map_err(failed)? } else { path.to_owned() };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".rollsafe-");
    // As any new file: what the umask leaves of it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder_of(&target)).map_err(failed)?;
    file.write_all(contents).map_err(failed)?;
    if let Some(there) = there {
        file.as_file().set_permissions(there.permissions()).map_err(failed)?;
    }
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&target).map_err(|error| failed(error.error))?;
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_a_missing_folder_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        let error = write_whole(&folder.path().join("missing/report.json"), b"").unwrap_err();
        assert!(error.to_string().ends_with("missing doesn't exist"), "{error}");
        assert!(write_whole(folder.path(), b"").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_links() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        std::fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write_whole(&link, b"new").unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read(&real).unwrap(), b"new");
    }
}
