//! Manifests: what a dump held when it was made, so that any later change of it shows.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::evidence::{Before, Evidence, TableFacts};

/// Version of the format.
const SCHEMA_VERSION: u32 = 1;
/// No manifest of a real database is longer.
const LONGEST: u64 = 1 << 30;

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    schema_version: u32,
    tool: Tool,
    archive: Archive,
    tables: Vec<Table>,
    #[serde(skip_serializing_if = "Option::is_none")]
    large_objects: Option<Objects>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Tool {
    name: String,
    version: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Archive {
    path: PathBuf,
    format: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    compression: Option<String>,
    size_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    /// Of a directory: of the lines `<sha256>  <name>` of its files, sorted by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Table {
    name: String,
    rows: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Objects {
    count: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
}

/// Why a manifest can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file can't be read or written.
    #[error("the manifest {path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("{path} is no manifest of rollsafe: {why}")]
    Invalid {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// The manifest of what `evidence` says, as JSON.
pub fn render(evidence: &Evidence) -> String {
    let archive = evidence.archive.as_ref();
    let manifest = Manifest {
        schema_version: SCHEMA_VERSION,
        tool: Tool { name: "rollsafe".into(), version: env!("CARGO_PKG_VERSION").into() },
        archive: Archive {
            path: evidence.file.path.clone(),
            format: archive.map_or(String::new(), |archive| archive.format.as_str().to_owned()),
            compression: archive.map(|archive| archive.compression.to_string()),
            size_bytes: evidence.file.size,
            created_at: archive.and_then(|archive| archive.created_at.clone()),
            database: archive.and_then(|archive| archive.database.clone()),
            sha256: evidence.sha256.clone(),
        },
        tables: evidence
            .tables
            .iter()
            .map(|table| Table {
                name: table.name.clone(),
                rows: table.rows,
                bytes: table.bytes,
                checksum: table.checksum.clone(),
            })
            .collect(),
        large_objects: Some(Objects {
            count: evidence.large_objects.count,
            bytes: evidence.large_objects.bytes,
            checksum: evidence.large_objects.checksum.clone(),
        }),
    };
    // These types always have a JSON form.
    serde_json::to_string_pretty(&manifest).map_or(String::new(), |text| text + "\n")
}

/// Writes a manifest: under a temporary name first, so that a reader never sees half of it.
///
/// # Errors
/// Where the file can't be written.
pub fn write(path: &Path, evidence: &Evidence) -> Result<(), ManifestError> {
    let io_error = |source| ManifestError::Io { path: path.to_owned(), source };
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io_error)?;
    file.write_all(render(evidence).as_bytes()).map_err(io_error)?;
    file.as_file().sync_all().map_err(io_error)?;
    file.persist(path).map_err(|error| io_error(error.error))?;
    Ok(())
}

/// Whether the file begins as a manifest does.
pub fn is_manifest(path: &Path) -> bool {
    let mut head = [0; 64];
    let read = File::open(path).and_then(|mut file| file.read(&mut head)).unwrap_or(0);
    head.get(..read).is_some_and(|head| head.trim_ascii_start().starts_with(b"{"))
}

/// Reads a manifest.
///
/// # Errors
/// Where it can't be read or is none.
pub fn read(path: &Path) -> Result<Before, ManifestError> {
    let io_error = |source| ManifestError::Io { path: path.to_owned(), source };
    let invalid = |why: String| ManifestError::Invalid { path: path.to_owned(), why };
    let mut text = String::new();
    File::open(path).map_err(io_error)?.take(LONGEST).read_to_string(&mut text).map_err(io_error)?;
    let manifest: Manifest = serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
    if manifest.schema_version != SCHEMA_VERSION {
        return Err(invalid(format!(
            "its schema_version is {}, and {SCHEMA_VERSION} is read",
            manifest.schema_version
        )));
    }
    let tables: BTreeMap<String, TableFacts> = manifest
        .tables
        .into_iter()
        .map(|table| {
            let facts = TableFacts {
                name: table.name.clone(),
                rows: table.rows,
                bytes: table.bytes,
                checksum: table.checksum,
                whole: true,
            };
            (table.name, facts)
        })
        .collect();
    Ok(Before {
        path: path.to_owned(),
        sha256: manifest.archive.sha256,
        size: Some(manifest.archive.size_bytes),
        layout: (Some(manifest.archive.format), manifest.archive.compression),
        tables,
        large_objects: manifest.large_objects.map(|objects| (objects.count, objects.checksum)),
    })
}

/// The SHA-256 of a file; of a directory, that of the lines `<sha256>  <name>` of its files sorted by name.
///
/// # Errors
/// Where something can't be read.
pub fn sha256(path: &Path) -> io::Result<String> {
    if !path.is_dir() {
        return sha256_of_file(path);
    }
    let mut names = vec![];
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.metadata()?.is_file() {
            names.push(entry.file_name());
        }
    }
    names.sort();
    let sums: io::Result<Vec<(String, String)>> = names
        .iter()
        .map(|name| Ok((sha256_of_file(&path.join(name))?, name.to_string_lossy().into_owned())))
        .collect();
    Ok(sha256_of_lines(&sums?))
}

/// The SHA-256 of a directory: of its files' sums and names, in the order of the names.
pub(super) fn sha256_of_lines(sums: &[(String, String)]) -> String {
    let mut hash = Sha256::new();
    for (sum, name) in sums {
        hash.update(format!("{sum}  {name}\n"));
    }
    hex(&hash.finalize())
}

fn sha256_of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(buffer.get(..n).unwrap_or(&[])),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
