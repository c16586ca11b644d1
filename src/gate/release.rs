//! The release: the pending migrations, what each statement does, and which relations they touch.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::live::{Target, Written};
use crate::migration::catalog::QName;
use crate::migration::effects::DestroyedKind;
use crate::migration::lint::{FileReport, LintReport, StatementReport};
use crate::migration::lock_mode::LockMode;
use crate::migration::migration::{Direction, Migration};
use crate::migration::parse;
use crate::migration::project::Project;
use crate::migration::statement::{Body, ObjectKind};
use crate::postgres::sql_text::quote_identifier;
use crate::source::Span;

/// What is to be released.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Release {
    /// The migration tool as `--runner` names it.
    pub runner: Option<String>,
    /// The folders that the migrations are in.
    pub folders: Vec<String>,
    /// Which migrations are pending, and how that is known.
    pub pending: Pending,
    /// The pending migrations in the order in which they run.
    pub migrations: Vec<Step>,
    /// Relations that the migrations lock against writers or change, by name.
    pub targets: Vec<Target>,
    /// Relations of which rows, values or the whole is destroyed or written anew: the backup must hold them.
    pub needs_backup: Vec<Needed>,
}

/// How it is known which migrations are pending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pending {
    /// From where.
    pub from: PendingFrom,
    /// In words.
    pub said: String,
    /// Why it isn't known after all.
    pub problem: Option<String>,
}

/// From where it is known which migrations are pending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PendingFrom {
    /// The ledger of the live database.
    LiveLedger,
    /// The rehearsal, which read the ledger of the backup.
    Rehearsal,
    /// What the change at hand adds, by git.
    Change,
    /// All that were named.
    #[default]
    Given,
}

/// One pending migration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Step {
    /// The file.
    pub path: String,
    /// The version as the runner compares it.
    pub version: String,
    /// `up` or `repeatable`.
    pub direction: String,
    /// The file's SHA-256.
    pub sha256: String,
    /// The file of its way back; its own for sections of one file.
    pub down: Option<String>,
    /// That file's SHA-256.
    pub down_sha256: Option<String>,
    /// What it does.
    pub statements: Vec<StatementFacts>,
}

/// One statement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatementFacts {
    /// The line it begins on.
    pub line: u32,
    /// "ALTER TABLE"
    pub kind: String,
    /// Its beginning, on one line.
    pub text: String,
    /// It was read to the last token.
    pub understood: bool,
    /// It shares a transaction; none where only the runner could tell.
    pub in_transaction: Option<bool>,
    /// Locks that block somebody: relation and mode.
    pub locks: Vec<(String, String)>,
    /// Relations written anew.
    pub rewrites: Vec<String>,
    /// Relations read in full.
    pub scans: Vec<String>,
    /// Indexed relations, of indexes built.
    pub index_builds: Vec<String>,
    /// What is gone afterwards: kind and name.
    pub destroys: Vec<(String, String)>,
    /// SQL alone can undo it.
    pub reversible: bool,
}

/// A relation that the backup must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needed {
    /// As `regclass` prints it.
    pub name: String,
    /// `public.orders`: as the backup calls it.
    pub in_backup: String,
    /// What happens to it: "written anew", "column orders.note goes".
    pub because: Vec<String>,
}

/// How many characters of a statement are shown.
const SHOWN: usize = 160;

/// The release that the judged up migrations of `project` are, as linted.
pub fn release(project: &Project, report: &LintReport, pending: Pending) -> Release {
    let mut release = Release { runner: project.runner().map(str::to_owned), pending, ..Release::default() };
    let mut targets: BTreeMap<QName, (LockMode, Written)> = BTreeMap::new();
    let mut needed: BTreeMap<QName, Vec<String>> = BTreeMap::new();
    let mut born: HashSet<(String, String)> = HashSet::new();
    for part in &project.parts {
        let folder = part.root.display().to_string();
        if part.migrations.iter().any(|migration| migration.judged) {
            release.folders.push(if folder.is_empty() { ".".to_owned() } else { folder });
        }
        for (index, migration) in part.migrations.iter().enumerate() {
            if !migration.judged || migration.direction == Direction::Down {
                continue;
            }
            let down = part
                .migrations
                .iter()
                .find(|down| down.direction == Direction::Down && down.undoes == Some(index));
            let file = report.files.iter().find(|file| is_of(file, migration));
            let mut step = Step {
                path: migration.path.display().to_string(),
                version: migration.version.clone(),
                direction: migration.direction.as_str().to_owned(),
                sha256: sha256(migration.source.as_bytes()),
                down: down.map(|down| down.path.display().to_string()),
                down_sha256: down.map(|down| sha256(down.source.as_bytes())),
                statements: Vec::new(),
            };
            for statement in file.iter().flat_map(|file| &file.statements) {
                step.statements.push(facts(statement, migration));
                add_targets(statement, &mut targets);
                add_needed(statement, &born, &mut needed);
            }
            born.extend(made_by(migration));
            release.migrations.push(step);
        }
    }
    // A relation that is born in this release is nobody's yet.
    targets.retain(|name, _| !born.contains(&key(name)));
    release.targets = targets
        .into_iter()
        .map(|(name, (mode, written))| Target {
            qualified: qualified(&name),
            name: name.to_string(),
            mode: mode.as_str().to_owned(),
            written,
        })
        .collect();
    release.needs_backup = needed
        .into_iter()
        .map(|(name, because)| {
            let (schema, table) = key(&name);
            Needed { name: name.to_string(), in_backup: format!("{schema}.{table}"), because }
        })
        .collect();
    release
}

fn is_of(file: &FileReport, migration: &Migration) -> bool {
    // Sections of one file go different ways, or begin at different places.
    *file.path == *migration.path
        && file.direction == migration.direction
        && file
            .statements
            .first()
            .is_none_or(|first| migration.range.contains(&(first.location.start as usize)))
}

fn key(name: &QName) -> (String, String) {
    let schema = if name.schema.is_empty() { "public" } else { name.schema.as_str() };
    (schema.to_owned(), name.name.to_string())
}

fn qualified(name: &QName) -> String {
    let (schema, table) = key(name);
    format!("{}.{}", quote_identifier(&schema), quote_identifier(&table))
}

/// The tables that a migration makes.
fn made_by(migration: &Migration) -> Vec<(String, String)> {
    let name = |name: &crate::migration::statement::Name| {
        let schema = name.schema.as_ref().map_or("public".to_owned(), |schema| schema.value.to_string());
        (schema, name.name.value.to_string())
    };
    let script = parse::parse(&migration.text, migration.range.clone());
    script
        .statements
        .iter()
        .filter_map(|statement| match &statement.body {
            Body::CreateTable(create) => Some(name(&create.name)),
            Body::CreateTableAs(create) => Some(name(&create.name)),
            _ => None,
        })
        .collect()
}

fn facts(statement: &StatementReport, migration: &Migration) -> StatementFacts {
    let effects = &statement.effects;
    let span = Span { start: statement.location.start, end: statement.location.end };
    let mut locks: Vec<(String, String)> = Vec::new();
    for (relation, mode) in effects.strongest_locks() {
        if mode >= LockMode::ShareUpdateExclusive {
            locks.push((relation.to_string(), mode.as_str().to_owned()));
        }
    }
    let names = |names: Vec<String>| {
        let mut seen = HashSet::new();
        names.into_iter().filter(|name| seen.insert(name.clone())).collect::<Vec<String>>()
    };
    StatementFacts {
        line: statement.location.line,
        kind: statement.kind.to_string(),
        text: one_line(span.of(&migration.text)),
        understood: statement.understood,
        in_transaction: statement.in_transaction,
        locks,
        rewrites: names(effects.rewrites.iter().map(|one| one.relation.to_string()).collect()),
        scans: names(effects.scans.iter().map(|one| one.relation.to_string()).collect()),
        index_builds: names(effects.index_builds.iter().map(|one| one.relation.to_string()).collect()),
        destroys: effects.destroys.iter().map(|gone| (gone.what.as_str(), gone.name.clone())).collect(),
        reversible: effects.reversible,
    }
}

/// White space made one blank, cut where it is long.
pub fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((at, _)) = line.char_indices().nth(SHOWN) {
        line.truncate(at);
        line.push('…');
    }
    line
}

fn add_targets(statement: &StatementReport, targets: &mut BTreeMap<QName, (LockMode, Written)>) {
    let effects = &statement.effects;
    for (relation, mode) in effects.strongest_locks() {
        if mode < LockMode::RowExclusive {
            continue;
        }
        let entry = targets.entry(relation.clone()).or_insert((mode, Written::Nothing));
        entry.0 = entry.0.max(mode);
    }
    let rewrites = effects.rewrites.iter().map(|one| (&one.relation, Written::Table));
    let builds = effects.index_builds.iter().map(|one| (&one.relation, Written::Index));
    for (relation, written) in rewrites.chain(builds) {
        if let Some(entry) = targets.get_mut(relation) {
            entry.1 = entry.1.max(written);
        }
    }
}

fn add_needed(
    statement: &StatementReport,
    born: &HashSet<(String, String)>,
    needed: &mut BTreeMap<QName, Vec<String>>,
) {
    let effects = &statement.effects;
    let mut add = |name: &QName, because: String| {
        if !born.contains(&key(name)) {
            let reasons = needed.entry(name.clone()).or_default();
            if !reasons.contains(&because) {
                reasons.push(because);
            }
        }
    };
    for one in &effects.rewrites {
        add(&one.relation, "written anew".to_owned());
    }
    for gone in &effects.destroys {
        let Some(relation) = &gone.relation else { continue };
        match gone.what {
            DestroyedKind::Rows => add(relation, "rows go".to_owned()),
            DestroyedKind::Values => add(relation, "values are written over".to_owned()),
            DestroyedKind::Object(ObjectKind::Table) => add(relation, "the table goes".to_owned()),
            DestroyedKind::Object(ObjectKind::Column) => add(relation, format!("column {} goes", gone.name)),
            // An index, a constraint or a view holds nothing that the tables don't.
            DestroyedKind::Object(_) => {}
        }
    }
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
