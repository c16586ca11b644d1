//! Dumps in object stores: read by ranges, a little ahead of who reads, without a copy on disk.
//!
//! Credentials and endpoints are those of the environment, by the names that each store's own tools use
//! (`AWS_ACCESS_KEY_ID`, `AWS_REGION`, `AWS_ENDPOINT`, `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT_NAME` …).

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use futures_util::StreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::archive::directory::Folder;
use super::archive::input::{Gauge, Input, ReadAt};
use super::archive::{Archive, OpenError};

/// Bytes that are asked for at once.
const RANGE: u64 = 1 << 20;
/// Ranges of one object that are at hand or on their way.
const KEPT: usize = 8;
/// Objects that are listed at most.
const LISTED: usize = 1_000_000;
/// Names that aren't dumps, beside dumps.
const BESIDE: &[&str] = &[".json", ".sha256", ".md5", ".sig", ".asc", ".txt", ".log", ".html", ".xml"];

/// An object store, and what talks to it.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    runtime: Arc<Runtime>,
}

/// A dump found there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// One object.
    Object(ObjectMeta),
    /// A directory dump: objects below a prefix, by the rest of their names.
    Folder {
        /// The prefix.
        prefix: Path,
        /// Its objects.
        files: BTreeMap<String, ObjectMeta>,
    },
}

impl Found {
    /// When it was last changed.
    pub fn modified(&self) -> Option<SystemTime> {
        match self {
            Found::Object(object) => Some(object.last_modified.into()),
            Found::Folder { files, .. } => files.values().map(|file| file.last_modified.into()).max(),
        }
    }

    /// Its name in the store.
    pub fn name(&self) -> &str {
        match self {
            Found::Object(object) => object.location.as_ref(),
            Found::Folder { prefix, .. } => prefix.as_ref(),
        }
    }
}

fn failed(error: object_store::Error) -> io::Error {
    let kind = match error {
        object_store::Error::NotFound { .. } => io::ErrorKind::NotFound,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            io::ErrorKind::PermissionDenied
        }
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

impl Bucket {
    /// The store that `url` names, and the place in it.
    ///
    /// # Errors
    /// When the URL is none, or its store isn't known.
    pub fn at(url: &str) -> io::Result<(Bucket, Path)> {
        let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
        // TLS as everywhere else here; a second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let parsed = url::Url::parse(url).map_err(|error| invalid(error.to_string()))?;
        let (store, path) = object_store::parse_url_opts(&parsed, std::env::vars()).map_err(failed)?;
        Ok((Bucket::of(Arc::from(store))?, path))
    }

    /// A store at hand.
    ///
    /// # Errors
    /// When no threads can be had.
    pub fn of(store: Arc<dyn ObjectStore>) -> io::Result<Bucket> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        Ok(Bucket { store, runtime: Arc::new(runtime) })
    }

    /// The dump at `path`: an object, or a directory dump below it.
    ///
    /// # Errors
    /// When it can't be asked for. `None` where nothing is.
    pub fn find(&self, path: &Path) -> io::Result<Option<Found>> {
        match self.runtime.block_on(self.store.head(path)) {
            Ok(object) => return Ok(Some(Found::Object(object))),
            Err(object_store::Error::NotFound { .. }) => {}
            // A prefix, or a bucket's name alone, is no object to most stores.
            Err(error) if path.as_ref().is_empty() => drop(error),
            Err(error) => return Err(failed(error)),
        }
        let files: BTreeMap<String, ObjectMeta> = self
            .list(path)?
            .into_iter()
            .filter_map(|object| {
                let parts: Vec<String> =
                    object.location.prefix_match(path)?.map(|part| part.as_ref().to_owned()).collect();
                match parts.as_slice() {
                    [name] => Some((name.clone(), object)),
                    _ => None,
                }
            })
            .collect();
        Ok(is_dump(&files).then(|| Found::Folder { prefix: path.clone(), files }))
    }

    /// The dump below `prefix` that was changed last.
    ///
    /// # Errors
    /// When it can't be asked for. `None` where no dump is.
    pub fn latest(&self, prefix: &Path) -> io::Result<Option<Found>> {
        let mut folders: BTreeMap<String, BTreeMap<String, ObjectMeta>> = BTreeMap::new();
        for object in self.list(prefix)? {
            let location = object.location.as_ref().to_owned();
            let (folder, name) = location.rsplit_once('/').unwrap_or(("", &location));
            folders.entry(folder.to_owned()).or_default().insert(name.to_owned(), object);
        }
        let mut newest: Option<Found> = None;
        let mut offer = |found: Found| {
            if newest.as_ref().is_none_or(|before| before.modified() < found.modified()) {
                newest = Some(found);
            }
        };
        for (folder, files) in folders {
            if is_dump(&files) {
                offer(Found::Folder { prefix: Path::from(folder), files });
                continue;
            }
            let dumps = files
                .into_iter()
                .filter(|(name, object)| object.size > 0 && !BESIDE.iter().any(|end| name.ends_with(end)));
            dumps.for_each(|(_, object)| offer(Found::Object(object)));
        }
        Ok(newest)
    }

    fn list(&self, prefix: &Path) -> io::Result<Vec<ObjectMeta>> {
        self.runtime.block_on(async {
            let mut listed = vec![];
            let mut stream = self.store.list(Some(prefix));
            while let Some(object) = stream.next().await {
                listed.push(object.map_err(failed)?);
                if listed.len() > LISTED {
                    return Err(io::Error::other(format!("more than {LISTED} objects are below {prefix}")));
                }
            }
            Ok(listed)
        })
    }

    /// The bytes of an object.
    pub fn input(&self, object: &ObjectMeta) -> Input {
        let ranges = Ranges {
            bucket: self.clone(),
            location: object.location.clone(),
            size: object.size,
            version: object.e_tag.clone(),
            kept: Mutex::default(),
        };
        Input::of(Arc::new(ranges), object.size)
    }

    /// Opens what was found; `name` is what it is called.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub fn open(&self, found: &Found, name: &FilePath, gauge: &Arc<Gauge>) -> Result<Archive, OpenError> {
        match found {
            Found::Object(object) => Archive::open_input(name, self.input(object).on(gauge)),
            Found::Folder { files, .. } => {
                let lengths = files.iter().map(|(name, file)| (name.clone(), file.size)).collect();
                let folder = Prefix { bucket: self.clone(), files: files.clone() };
                Archive::open_folder(name, Arc::new(folder), lengths, gauge)
            }
        }
    }
}

/// Whether these are the files of a directory dump.
fn is_dump(files: &BTreeMap<String, ObjectMeta>) -> bool {
    ["toc.dat", "toc.dat.gz", "toc.dat.lz4", "toc.dat.zst"].iter().any(|name| files.contains_key(*name))
}

/// The files of a directory dump.
struct Prefix {
    bucket: Bucket,
    files: BTreeMap<String, ObjectMeta>,
}

impl Folder for Prefix {
    fn open(&self, name: &str) -> io::Result<Input> {
        match self.files.get(name) {
            Some(object) => Ok(self.bucket.input(object)),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }
}

type Range = Arc<Vec<u8>>;

/// A range at hand, or on its way.
enum Piece {
    Here(Range),
    Coming(JoinHandle<object_store::Result<Vec<u8>>>),
}

/// An object, by ranges.
struct Ranges {
    bucket: Bucket,
    location: Path,
    size: u64,
    version: Option<String>,
    kept: Mutex<VecDeque<(u64, Piece)>>,
}

impl Ranges {
    /// Asks for the range `nth`.
    fn ask(&self, nth: u64) -> JoinHandle<object_store::Result<Vec<u8>>> {
        let (store, location) = (Arc::clone(&self.bucket.store), self.location.clone());
        let range = nth * RANGE..((nth + 1) * RANGE).min(self.size);
        // An object that is written anew in the middle is another one.
        let options = object_store::GetOptions {
            range: Some(range.into()),
            if_match: self.version.clone(),
            ..object_store::GetOptions::default()
        };
        self.bucket.runtime.spawn(async move {
            let result = store.get_opts(&location, options).await?;
            Ok(result.bytes().await?.to_vec())
        })
    }

    fn range(&self, nth: u64) -> io::Result<Range> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(of, _)| *of == nth);
        let piece = at
            .and_then(|at| kept.remove(at))
            .map_or_else(|| Piece::Coming(self.ask(nth)), |(_, piece)| piece);
        // The next one is asked for when this one was waited for: who reads goes on.
        let next = nth + 1;
        if matches!(piece, Piece::Coming(_))
            && next * RANGE < self.size
            && !kept.iter().any(|(of, _)| *of == next)
        {
            kept.push_back((next, Piece::Coming(self.ask(next))));
        }
        let range = match piece {
            Piece::Here(range) => range,
            Piece::Coming(task) => {
                let done = self.bucket.runtime.block_on(task).map_err(io::Error::other)?;
                Arc::new(done.map_err(failed)?)
            }
        };
        kept.push_back((nth, Piece::Here(Arc::clone(&range))));
        while kept.len() > KEPT {
            kept.pop_front();
        }
        Ok(range)
    }
}

impl ReadAt for Ranges {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if offset >= self.size {
            return Ok(0);
        }
        let range = self.range(offset / RANGE)?;
        let rest = range.get((offset % RANGE) as usize..).unwrap_or(&[]);
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]); // n is at most either length
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::PutPayload;
    use object_store::memory::InMemory;

    fn fixture(name: &str) -> std::path::PathBuf {
        FilePath::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dumps").join(name)
    }

    fn bucket(objects: &[(&str, Vec<u8>)]) -> Bucket {
        let bucket = Bucket::of(Arc::new(InMemory::new())).unwrap();
        for (name, bytes) in objects {
            let payload = PutPayload::from(bytes.clone());
            bucket.runtime.block_on(bucket.store.put(&Path::from(*name), payload)).unwrap();
        }
        bucket
    }

    fn rows(archive: &Archive) -> Vec<(String, u64, Option<String>)> {
        use crate::backup::{contents::read_contents, data, rows::Depth};
        let (contents, schema) = read_contents(&archive.toc);
        let depth = Depth { checksums: true, values: true, keys: true };
        let read = data::read_data(archive, &schema, &contents, data::DataOptions { depth, threads: 2 });
        assert_eq!(read.problems, []);
        read.tables.into_iter().map(|table| (table.name, table.rows, table.checksum)).collect()
    }

    #[test]
    fn dumps_in_a_store_read_as_those_on_disk() {
        let gauge = Arc::default();
        for name in ["17-custom-zstd.dump", "17.tar", "17-piped.dump"] {
            let bucket = bucket(&[("a/shop.dump", std::fs::read(fixture(name)).unwrap())]);
            let found = bucket.find(&Path::from("a/shop.dump")).unwrap().unwrap();
            let there = bucket.open(&found, FilePath::new("x"), &gauge).unwrap();
            assert_eq!(rows(&there), rows(&Archive::open(&fixture(name), &gauge).unwrap()), "{name}");
        }
        let folder = fixture("17-directory-lz4");
        let names: Vec<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let objects: Vec<(String, Vec<u8>)> = names
            .iter()
            .map(|name| (format!("d/{name}"), std::fs::read(folder.join(name)).unwrap()))
            .collect();
        let objects: Vec<(&str, Vec<u8>)> =
            objects.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        let bucket = bucket(&objects);
        let found = bucket.find(&Path::from("d")).unwrap().unwrap();
        let there = bucket.open(&found, FilePath::new("x"), &gauge).unwrap();
        assert_eq!(rows(&there), rows(&Archive::open(&folder, &gauge).unwrap()));
        assert_eq!(bucket.find(&Path::from("nothing")).unwrap(), None);
    }

    #[test]
    fn an_object_of_many_ranges_is_read_whole_and_anywhere() {
        let bytes: Vec<u8> = (0..5 * RANGE + 77).map(|at| (at % 251) as u8).collect();
        let bucket = bucket(&[("big", bytes.clone())]);
        let Some(Found::Object(object)) = bucket.find(&Path::from("big")).unwrap() else {
            panic!("an object")
        };
        let input = bucket.input(&object);
        assert_eq!(input.cursor(0).take(bytes.len() as u64).unwrap(), bytes);
        for at in [5 * RANGE + 70, 0, RANGE - 3, 3 * RANGE] {
            let mut got = [0; 7];
            assert_eq!(input.read_at(at, &mut got).unwrap(), 7);
            assert_eq!(got[..], bytes[at as usize..at as usize + 7]);
        }
    }

    #[test]
    fn the_latest_dump_is_found_beside_what_is_none() {
        let bucket = bucket(&[("b/1.dump", vec![1])]);
        let put = |name: &str| {
            // Times have milliseconds at least.
            std::thread::sleep(std::time::Duration::from_millis(3));
            bucket
                .runtime
                .block_on(bucket.store.put(&Path::from(name), PutPayload::from(vec![1u8])))
                .unwrap();
        };
        let latest = || bucket.latest(&Path::from("b")).unwrap().map(|found| found.name().to_owned());
        put("b/2.dump");
        put("b/2.dump.sha256");
        put("other/3.dump");
        assert_eq!(latest().as_deref(), Some("b/2.dump"));
        put("b/3/toc.dat");
        put("b/3/4242.dat");
        assert_eq!(latest().as_deref(), Some("b/3"));
        assert_eq!(bucket.latest(&Path::from("none")).unwrap(), None);
    }
}
