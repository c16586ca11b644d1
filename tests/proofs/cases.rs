//! The table of statement forms: reading and rewriting `fixtures/proofs/*.sql`.
//!
//! A case is plain SQL with headings in comments:
//!
//! ```text
//! -- case: set_not_null [versions: 12-17] [no transaction]
//! -- setup
//! CREATE TABLE t (a int);
//! -- run
//! ALTER TABLE t ALTER COLUMN a SET NOT NULL;
//! -- locks: t ACCESS EXCLUSIVE
//! -- rewrites: none
//! -- scans[-11]: t
//! -- scans[12-]: none
//! -- index_builds: none
//! ```
//!
//! `[data decides]` marks cases where the rows decide what is locked, and the linter names all that may be;
//! `[not predicted: why]` those where its prediction is known to differ.
//!
//! Each `-- setup` section is sent as one query string and committed; then `-- run` is sent.
//! An expectation may be bound to server versions in brackets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rollsafe::migration::lock_mode::LockMode;

/// What a case says PostgreSQL does, or what was seen, or what was predicted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Relation to the strongest lock mode, as the manual spells it.
    pub locks: BTreeMap<String, String>,
    pub rewrites: BTreeSet<String>,
    pub scans: BTreeSet<String>,
    pub index_builds: BTreeSet<String>,
}

/// The keys of an outcome, in the order they are written.
pub const KEYS: [&str; 4] = ["locks", "rewrites", "scans", "index_builds"];

impl Outcome {
    /// One key's value as the files write it.
    pub fn text(&self, key: &str) -> String {
        let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(", ");
        let text = match key {
            "locks" => self
                .locks
                .iter()
                .map(|(relation, mode)| format!("{relation} {mode}"))
                .collect::<Vec<_>>()
                .join(", "),
            "rewrites" => list(&self.rewrites),
            "scans" => list(&self.scans),
            _ => list(&self.index_builds),
        };
        if text.is_empty() { "none".into() } else { text }
    }
}

/// From a version to a version, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    pub from: u32,
    pub to: u32,
}

impl Versions {
    pub const ALL: Versions = Versions { from: 0, to: 99 };

    pub fn contain(self, version: u32) -> bool {
        (self.from..=self.to).contains(&version)
    }

    fn parse(text: &str) -> Option<Versions> {
        let number = |text: &str, open: u32| if text.is_empty() { Some(open) } else { text.parse().ok() };
        match text.split_once('-') {
            Some((from, to)) => Some(Versions { from: number(from.trim(), 0)?, to: number(to.trim(), 99)? }),
            None => text.trim().parse().ok().map(|one| Versions { from: one, to: one }),
        }
    }
}

impl std::fmt::Display for Versions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.from, self.to) {
            (0, 99) => Ok(()),
            (0, to) => write!(f, "[-{to}]"),
            (from, 99) => write!(f, "[{from}-]"),
            (from, to) if from == to => write!(f, "[{from}]"),
            (from, to) => write!(f, "[{from}-{to}]"),
        }
    }
}

/// One expectation line.
#[derive(Clone, Debug)]
pub struct Expectation {
    pub key: String,
    pub versions: Versions,
    pub value: String,
}

/// Whether each item of `part` is in `whole`, a lock as strong or stronger.
pub fn contains(whole: &str, part: &str) -> bool {
    let mode = |item: &str| {
        let (relation, mode) = item.split_at_checked(
            item.find(" ACCESS ")
                .or(item.find(" ROW "))
                .or(item.find(" SHARE"))
                .or(item.find(" EXCLUSIVE"))?,
        )?;
        Some((relation.to_owned(), LockMode::from_name(mode)?))
    };
    let covers = |item: &str, other: &str| {
        item == other
            || matches!((mode(item), mode(other)), (Some((a, weak)), Some((b, strong))) if a == b && weak <= strong)
    };
    part == "none" || part.split(", ").all(|item| whole.split(", ").any(|other| covers(item, other)))
}

/// One statement form.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    /// Versions on which the statement exists.
    pub versions: Versions,
    /// The statement refuses to run in a transaction block.
    pub no_transaction: bool,
    /// What is locked depends on the rows: the prediction names all that may be.
    pub data_decides: bool,
    /// Why the prediction is known to differ.
    pub not_predicted: Option<String>,
    pub setup: Vec<String>,
    pub run: String,
    pub expectations: Vec<Expectation>,
    pub file: PathBuf,
    pub line: usize,
    /// The lines of the file that aren't expectations, from the heading on.
    body: Vec<String>,
}

impl Case {
    /// The value that is expected at a version, if there is one.
    pub fn expected(&self, key: &str, version: u32) -> Option<&str> {
        self.expectations
            .iter()
            .find(|e| e.key == key && e.versions.contain(version))
            .map(|e| e.value.as_str())
    }

    /// File, line and name, to begin a message with.
    pub fn place(&self) -> String {
        format!("{}:{}: {}", self.file.display(), self.line, self.name)
    }

    /// `columns/set_not_null`, for messages and filters.
    pub fn title(&self) -> String {
        format!("{}/{}", self.file.file_stem().unwrap_or_default().to_string_lossy(), self.name)
    }
}

/// A file: what stands before the first case, and its cases.
#[derive(Debug)]
pub struct CaseFile {
    pub path: PathBuf,
    head: Vec<String>,
    pub cases: Vec<Case>,
}

/// Reads every file of the folder, in order.
pub fn read_all(folder: &Path) -> Vec<CaseFile> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.expect("directory entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "sql"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no cases in {}", folder.display());
    let files: Vec<CaseFile> = paths.into_iter().map(read).collect();
    let mut seen = BTreeSet::new();
    for case in files.iter().flat_map(|file| &file.cases) {
        assert!(seen.insert(case.title()), "{}:{}: the case is there twice", case.file.display(), case.line);
    }
    files
}

fn read(path: PathBuf) -> CaseFile {
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut file = CaseFile { path: path.clone(), head: Vec::new(), cases: Vec::new() };
    #[derive(PartialEq)]
    enum Part {
        Head,
        Setup,
        Run,
    }
    let mut part = Part::Head;
    for (at, line) in text.lines().enumerate() {
        let place = || format!("{}:{}", path.display(), at + 1);
        if let Some(heading) = line.strip_prefix("-- case: ") {
            let (name, flags) = heading.split_once(' ').unwrap_or((heading, ""));
            let mut case = Case {
                name: name.to_owned(),
                versions: Versions::ALL,
                no_transaction: false,
                data_decides: false,
                not_predicted: None,
                setup: Vec::new(),
                run: String::new(),
                expectations: Vec::new(),
                file: path.clone(),
                line: at + 1,
                body: vec![line.to_owned()],
            };
            for flag in flags
                .split('[')
                .filter_map(|flag| flag.split(']').next())
                .filter(|flag| !flag.trim().is_empty())
            {
                if let Some(range) = flag.strip_prefix("versions: ") {
                    case.versions =
                        Versions::parse(range).unwrap_or_else(|| panic!("{}: versions {range:?}", place()));
                } else if flag == "no transaction" {
                    case.no_transaction = true;
                } else if flag == "data decides" {
                    case.data_decides = true;
                } else if let Some(reason) = flag.strip_prefix("not predicted: ") {
                    case.not_predicted = Some(reason.to_owned());
                } else {
                    panic!("{}: unknown flag {flag:?}", place());
                }
            }
            file.cases.push(case);
            part = Part::Head;
            continue;
        }
        let Some(case) = file.cases.last_mut() else {
            file.head.push(line.to_owned());
            continue;
        };
        if let Some(expectation) = parse_expectation(line) {
            case.expectations.push(expectation);
            continue;
        }
        case.body.push(line.to_owned());
        if line == "-- setup" {
            part = Part::Setup;
            case.setup.push(String::new());
        } else if line == "-- run" {
            part = Part::Run;
        } else {
            match part {
                Part::Head => {
                    assert!(line.is_empty() || line.starts_with("--"), "{}: text before a section", place())
                }
                Part::Setup => {
                    let section = case.setup.last_mut().expect("a section was opened");
                    section.push_str(line);
                    section.push('\n');
                }
                Part::Run => {
                    case.run.push_str(line);
                    case.run.push('\n');
                }
            }
        }
    }
    for case in &file.cases {
        assert!(!case.run.trim().is_empty(), "{}:{}: nothing to run", path.display(), case.line);
    }
    file
}

fn parse_expectation(line: &str) -> Option<Expectation> {
    let (heading, value) = line.strip_prefix("-- ")?.split_once(':')?;
    let (key, versions) = match heading.split_once('[') {
        Some((key, range)) => (key, Versions::parse(range.strip_suffix(']')?)?),
        None => (heading, Versions::ALL),
    };
    KEYS.contains(&key).then(|| Expectation { key: key.to_owned(), versions, value: value.trim().to_owned() })
}

/// Puts what was measured into the case, keeping what is said of versions that weren't measured.
pub fn record(case: &mut Case, measured: &BTreeMap<u32, Outcome>) {
    if measured.is_empty() {
        return;
    }
    let mut expectations = Vec::new();
    for key in KEYS {
        let kept: Vec<Expectation> = case
            .expectations
            .iter()
            .filter(|e| {
                e.key == key
                    && e.versions != Versions::ALL
                    && !measured.keys().any(|v| e.versions.contain(*v))
            })
            .cloned()
            .collect();
        // Runs of measured versions with the same value; the first reaches down, the last reaches up.
        let mut runs: Vec<Expectation> = Vec::new();
        for (version, outcome) in measured {
            let value = outcome.text(key);
            match runs.last_mut() {
                Some(last) if last.value == value => last.versions.to = *version,
                _ => runs.push(Expectation {
                    key: key.to_owned(),
                    versions: Versions { from: *version, to: *version },
                    value,
                }),
            }
        }
        let lowest =
            kept.iter().map(|e| e.versions.to + 1).filter(|from| *from <= runs[0].versions.from).max();
        runs[0].versions.from = lowest.unwrap_or(0);
        let last = runs.len() - 1;
        runs[last].versions.to = 99;
        expectations.extend(kept);
        expectations.extend(runs);
    }
    case.expectations = expectations;
}

/// Writes the file back with its expectations.
pub fn write(file: &CaseFile) {
    let mut text = String::new();
    for line in &file.head {
        let _ = writeln!(text, "{line}");
    }
    for case in &file.cases {
        let mut body: &[String] = &case.body;
        while let [rest @ .., last] = body
            && last.trim().is_empty()
        {
            body = rest;
        }
        for line in body {
            let _ = writeln!(text, "{line}");
        }
        for e in &case.expectations {
            let _ = writeln!(text, "-- {}{}: {}", e.key, e.versions, e.value);
        }
        text.push('\n');
    }
    let text = format!("{}\n", text.trim_end());
    std::fs::write(&file.path, text).unwrap_or_else(|e| panic!("{}: {e}", file.path.display()));
}
