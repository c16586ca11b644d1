//! The baseline: findings that were there when rollsafe was adopted, each by its fingerprint, so that only new ones are
//! told.
//!
//! Paths in the file are relative to it. Entries are sorted, so that two branches that change it can be merged.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::files::{self, WriteError};
use crate::finding::{Category, Finding, Hold, Severity, Suppressed};
use crate::migration::lint::LintReport;
use crate::place::Places;
use crate::report::Sources;
use crate::report::fingerprint::{bare_text, fingerprints};
use crate::source::{LineIndex, Span};

/// Version of the file's form.
const SCHEMA_VERSION: u32 = 1;
/// The code of an entry that holds nothing back.
const STALE: &str = "suppression_unused";

/// Why there is no baseline.
#[derive(Debug, Error)]
pub enum BaselineError {
    /// It isn't there.
    #[error("there is no baseline {}: write it with `rollsafe lint --write-baseline {}`", .0.display(), .0.display())]
    Missing(PathBuf),
    /// It can't be read.
    #[error("can't read {}: {error}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is no baseline.
    #[error("{} is no baseline: {message}", path.display())]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with line and column.
        message: String,
    },
    /// It can't be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

#[derive(Serialize, Deserialize)]
struct File {
    schema_version: u32,
    findings: Vec<Entry>,
}

/// One finding that is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Entry {
    path: String,
    code: String,
    fingerprint: String,
    /// For people who read the file; not compared.
    #[serde(default)]
    statement: String,
}

/// A baseline that was read.
#[derive(Clone, Debug)]
pub struct Baseline {
    path: PathBuf,
    text: Arc<str>,
    entries: Vec<Entry>,
}

impl Baseline {
    /// Reads it.
    ///
    /// # Errors
    /// When it isn't there, can't be read, or is something else.
    pub fn read(path: &Path) -> Result<Self, BaselineError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(BaselineError::Missing(path.to_owned()));
            }
            Err(error) => return Err(BaselineError::Unreadable { path: path.to_owned(), error }),
        };
        let invalid = |message: String| BaselineError::Invalid { path: path.to_owned(), message };
        let file: File = serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        if file.schema_version != SCHEMA_VERSION {
            return Err(invalid(format!(
                "schema_version is {}, this rollsafe reads {SCHEMA_VERSION}",
                file.schema_version
            )));
        }
        Ok(Baseline { path: path.to_owned(), text: text.into(), entries: file.findings })
    }

    /// Its text, for reports about it.
    pub fn source(&self) -> (PathBuf, Arc<str>) {
        (self.path.clone(), self.text.clone())
    }

    /// Moves what it knows from the findings to the suppressed ones. Entries of judged files, and of files that are no more,
    /// that hold nothing back are a finding of their own; `severity` says how much a code matters in a file,
    /// `None` is off.
    pub fn apply(
        &self,
        report: &mut LintReport,
        sources: &Sources,
        places: &Places,
        severity: &dyn Fn(&str, &Path) -> Option<Severity>,
    ) {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let mut known: HashMap<(&str, &str), usize> = HashMap::new();
        let mut moved: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut gone = HashSet::new();
        for (at, entry) in self.entries.iter().enumerate() {
            known.insert((&entry.path, &entry.fingerprint), at);
            if !places.here.join(folder).join(&entry.path).exists() {
                gone.insert(at);
                moved.entry(&entry.fingerprint).or_default().push(at);
            }
        }
        let marks = fingerprints(&report.findings, sources, Some(report));
        let mut used = vec![false; self.entries.len()];
        let (mut open, mut held) = (Vec::new(), Vec::new());
        for (finding, mark) in std::mem::take(&mut report.findings).into_iter().zip(marks) {
            let (path, mark) = (relative(&finding, folder, places), mark.to_string());
            let entry = known.get(&(path.as_str(), mark.as_str())).copied().or_else(|| {
                // A file that has another name now.
                moved.get_mut(mark.as_str())?.pop()
            });
            match entry {
                Some(entry) => {
                    used[entry] = true; // its place in the list
                    held.push(Suppressed { finding, by: Hold::Baseline });
                }
                None => open.push(finding),
            }
        }
        report.findings = open;
        report.suppressed.extend(held);

        let judged: BTreeMap<String, &Path> = report
            .files
            .iter()
            .filter_map(|file| Some((places.relative_to(folder, &file.path)?, &*file.path)))
            .collect();
        let stale: Vec<&Entry> = self
            .entries
            .iter()
            .enumerate()
            .filter(|(at, entry)| {
                let asked = judged.get(&entry.path).is_some_and(|path| severity(&entry.code, path).is_some());
                !used[*at] && (asked || gone.contains(at)) // as many as entries
            })
            .map(|(_, entry)| entry)
            .collect();
        if let (Some(first), Some(severity)) = (stale.first(), severity(STALE, &self.path)) {
            report.findings.push(self.stale(first, stale.len(), severity));
        }
    }

    fn stale(&self, first: &Entry, count: usize, severity: Severity) -> Finding {
        let span = self.text.find(&first.fingerprint).map(|at| Span::new(at, at + first.fingerprint.len()));
        let more = match count {
            1 => String::new(),
            _ => format!(", and so it is with {} more", count - 1),
        };
        Finding {
            code: STALE.into(),
            category: Category::Correctness,
            severity,
            path: Some(self.path.as_path().into()),
            span: span.map(|span| LineIndex::new(&self.text).location(&self.text, span)),
            object: None,
            message: format!(
                "nothing gives `{}` in {} any more, so this entry of the baseline does nothing{more}",
                first.code, first.path
            ),
            help: Some(format!("rollsafe lint --write-baseline {}", self.path.display()).into()),
            fix: None,
        }
    }
}

/// Writes a baseline of all that was found; entries of an older one stay where their file is there and was not judged.
/// Gives the number of entries.
///
/// # Errors
/// When it can't be written, or there is something else at that place.
pub fn write(
    path: &Path,
    report: &LintReport,
    sources: &Sources,
    places: &Places,
) -> Result<usize, BaselineError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut entries = BTreeSet::new();
    let judged: HashSet<String> =
        report.files.iter().filter_map(|file| places.relative_to(folder, &file.path)).collect();
    match Baseline::read(path) {
        Ok(older) => entries.extend(older.entries.into_iter().filter(|entry| {
            !judged.contains(&entry.path) && places.here.join(folder).join(&entry.path).exists()
        })),
        Err(BaselineError::Missing(_)) => {}
        Err(error) => return Err(error),
    }
    for (finding, mark) in report.findings.iter().zip(fingerprints(&report.findings, sources, Some(report))) {
        let text = finding
            .path
            .as_ref()
            .zip(finding.span)
            .and_then(|(path, span)| sources.get(&**path)?.get(span.start as usize..span.end as usize));
        let statement = bare_text(text.unwrap_or("")).chars().take(80).collect();
        entries.insert(Entry {
            path: relative(finding, folder, places),
            code: finding.code.to_string(),
            fingerprint: mark.to_string(),
            statement,
        });
    }
    let count = entries.len();
    let file = File { schema_version: SCHEMA_VERSION, findings: entries.into_iter().collect() };
    // Strings and numbers only: writing it can't fail.
    let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
    text.push('\n');
    files::write_whole(path, text.as_bytes())?;
    Ok(count)
}

fn relative(finding: &Finding, folder: &Path, places: &Places) -> String {
    let path = finding.path.as_deref().unwrap_or(Path::new(""));
    places.relative_to(folder, path).unwrap_or_else(|| crate::place::slashed(path))
}
