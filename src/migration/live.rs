//! The live database that a snapshot tells of: what it is asked, which migrations it has run, and where it differs
//! from what they say.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::catalog::{self, Catalog, QName, RelationKind, difference};
use super::lock_mode::LockMode;
use super::migration::{Direction, Migration};
use super::parse::Script;
use super::project::Part;
use super::project::ledger::{Row, Standing};
use super::rules::{Change, RuleOptions};
use super::walk::Walk;
use crate::finding::{Category, Finding, Severity};
use crate::snapshot::{self, Ledger, Queries, RelationName, Snapshot};

/// A live database.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// What exists, with sizes.
    pub catalog: Catalog,
    /// For each migration whether the migration tool's ledger says that it has run; `None`: there is no ledger.
    pub applied: Option<Vec<bool>>,
    /// Relations that are nobody's migration's: ledgers, those of extensions.
    pub aside: HashSet<QName>,
    /// What migration tools have noted there.
    pub ledgers: Vec<Ledger>,
    /// Definitions in the snapshot that could not be read.
    pub not_understood: Vec<String>,
}

impl Live {
    /// The database of a snapshot.
    pub fn of(snapshot: &Snapshot) -> Live {
        let catalog::Live { catalog, not_understood } = Catalog::from_snapshot(snapshot);
        let is_ledger = |relation: &snapshot::Relation| {
            let name = format!("{}.{}", relation.schema, relation.name);
            snapshot.ledgers.iter().any(|ledger| ledger.table == name)
        };
        let aside = snapshot
            .relations
            .iter()
            .filter(|relation| relation.extension.is_some() || is_ledger(relation))
            .map(|relation| QName::new(&relation.schema, &relation.name));
        Live {
            catalog,
            applied: None,
            aside: aside.collect(),
            ledgers: snapshot.ledgers.clone(),
            not_understood,
        }
    }

    /// The same with the ledger of a folder's migration tool read, and what it says in words; `None` where
    /// there is no ledger of that tool.
    pub fn with_ledger(&self, part: &Part) -> Option<(Live, String)> {
        let runner = part.runner.as_ref()?.runner;
        let found =
            self.ledgers.iter().find(|ledger| ledger.runners.iter().any(|name| name == runner.name))?;
        let rows: Vec<Row> = found
            .rows
            .iter()
            .map(|row| Row {
                key: row.key.clone(),
                applied: row.applied,
                failed: row.failed,
                up_to: row.up_to,
            })
            .collect();
        let ledger = runner.ledger.as_ref()?;
        let standings = ledger.standings(part, &rows);
        let applied: Vec<bool> = part
            .migrations
            .iter()
            .zip(&standings)
            .map(|(migration, standing)| match standing {
                // It runs again whenever it changes.
                _ if migration.direction == Direction::Repeatable && migration.judged => false,
                Standing::Applied | Standing::Skipped => true,
                Standing::Unknown => !migration.judged,
                Standing::Failed | Standing::Pending => false,
            })
            .collect();
        let ups =
            || part.migrations.iter().zip(&standings).filter(|(one, _)| one.direction != Direction::Down);
        let count = |wanted: Standing| ups().filter(|(_, standing)| **standing == wanted).count();
        let mut told = format!(
            "by {} in the snapshot {} of {} migrations have run",
            found.table,
            count(Standing::Applied) + count(Standing::Skipped),
            ups().count()
        );
        if count(Standing::Failed) > 0 {
            told.push_str(&format!(", {} stopped half way", count(Standing::Failed)));
        }
        let strays = ledger.strays(part, &rows).len();
        if strays > 0 {
            told.push_str(&format!("; {strays} that have run there have no file here"));
        }
        Some((Live { applied: Some(applied), ..self.clone() }, told))
    }
}

/// What the database is asked, by relation.
#[derive(Clone, Debug, Default)]
pub struct Demand {
    by_relation: HashMap<QName, Vec<Asked>>,
}

#[derive(Clone, Debug)]
struct Asked {
    family: i64,
    mode: LockMode,
    per_second: Option<f64>,
}

/// What would queue behind a lock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Queue {
    /// Query families.
    pub families: usize,
    /// How many calls come in a second, where that is known.
    pub per_second: Option<f64>,
    /// The relations that they ask for, most asked first.
    pub relations: Vec<QName>,
}

impl Demand {
    /// From a snapshot's query families.
    pub fn of(queries: &Queries) -> Demand {
        let mut by_relation: HashMap<QName, Vec<Asked>> = HashMap::new();
        for family in &queries.families {
            let mut note = |relations: &[RelationName], mode: LockMode| {
                for relation in relations {
                    let asked = Asked { family: family.id, mode, per_second: family.calls_per_second };
                    by_relation.entry(QName::new(&relation.schema, &relation.name)).or_default().push(asked);
                }
            };
            note(&family.reads, LockMode::AccessShare);
            note(&family.locks, LockMode::RowShare);
            note(&family.writes, LockMode::RowExclusive);
        }
        Demand { by_relation }
    }

    /// What waits while these locks are held. Who asks for a partitioned table or a view asks for what is under it.
    pub fn behind(&self, locks: &[(QName, LockMode)], catalog: &Catalog) -> Option<Queue> {
        let mut rates: BTreeMap<i64, Option<f64>> = BTreeMap::new();
        let mut relations: Vec<(f64, QName)> = Vec::new();
        for (relation, held) in locks {
            let mut names = vec![relation.clone()];
            names.extend(catalog.partition_ancestors(relation));
            names.extend(catalog.all_views_over(relation).into_iter().map(|view| view.name.clone()));
            let mut here = 0.0;
            let mut any = false;
            for asked in names.iter().filter_map(|name| self.by_relation.get(name)).flatten() {
                if held.conflicts_with(asked.mode) {
                    any = true;
                    here += asked.per_second.unwrap_or(0.0);
                    rates.insert(asked.family, asked.per_second);
                }
            }
            if any && !relations.iter().any(|(_, known)| known == relation) {
                relations.push((here, relation.clone()));
            }
        }
        if rates.is_empty() {
            return None;
        }
        relations.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        Some(Queue {
            families: rates.len(),
            per_second: rates.values().copied().sum(),
            relations: relations.into_iter().map(|(_, name)| name).collect(),
        })
    }
}

/// Which migrations have run on the live database: by the ledger, or else those that aren't judged, and of the judged ones
/// as many as bring the schema nearest to the live one.
pub(super) fn applied<'s>(
    migrations: &[Migration],
    script: impl Fn(usize) -> Cow<'s, Script>,
    start: &Catalog,
    live: &Live,
    options: &RuleOptions,
) -> Vec<bool> {
    if let Some(applied) = &live.applied {
        return applied.clone();
    }
    let is_up = |migration: &Migration| migration.direction != Direction::Down;
    let ups: Vec<usize> = (0..migrations.len()).filter(|&index| is_up(&migrations[index])).collect();
    let first = ups.iter().position(|&index| migrations[index].judged).unwrap_or(ups.len());
    let mut catalog = start.clone();
    let mut walk = Walk::new(migrations, &[], options);
    let bare = Live { catalog: live.catalog.without_expressions(), ..live.clone() };
    let distance = |catalog: &Catalog| drift_lines(&catalog.without_expressions(), &bare).0.len();
    let mut distances = Vec::new();
    let mut created = false;
    for (place, &index) in ups.iter().enumerate() {
        if place >= first {
            distances.push(distance(&catalog));
        }
        let before = catalog.clone();
        walk.replay(index, &script(index), &mut catalog);
        // One file without its history says only what it makes itself.
        if !start.complete() {
            let made: Vec<_> = catalog
                .relations()
                .into_iter()
                .filter(|relation| relation.columns_known && before.relation(&relation.name).is_none())
                .collect();
            created |= !made.is_empty();
            if made.iter().any(|relation| live.catalog.relation(&relation.name).is_none()) {
                return ups_up_to(migrations, &ups, place);
            }
        }
    }
    if !start.complete() {
        return ups_up_to(migrations, &ups, if created { ups.len() } else { first });
    }
    distances.push(distance(&catalog));
    // The fewest of the nearest: what changes no schema is judged rather than taken for done.
    let nearest = distances.iter().enumerate().min_by_key(|(_, lines)| **lines).map_or(0, |(at, _)| at);
    ups_up_to(migrations, &ups, first + nearest)
}

fn ups_up_to(migrations: &[Migration], ups: &[usize], count: usize) -> Vec<bool> {
    let ran: HashSet<usize> = ups.iter().take(count).copied().collect();
    migrations
        .iter()
        .enumerate()
        .map(|(index, migration)| match (migration.direction, migration.undoes) {
            (Direction::Down, Some(undoes)) => ran.contains(&undoes),
            (Direction::Down, None) => false,
            _ => ran.contains(&index),
        })
        .collect()
}

/// What migrations say and the database doesn't, and the other way round; and how many partitions it has beyond those
/// that they make.
fn drift_lines(migrations: &Catalog, live: &Live) -> (Vec<String>, usize) {
    // Partitions are made by jobs, day by day.
    let mut ours = live.catalog.clone();
    let mut more_partitions = 0;
    for relation in live.catalog.relations() {
        let unknown = migrations.relation(&relation.name).is_none();
        if live.aside.contains(&relation.name) && unknown {
            ours.forget(&relation.name);
        } else if relation.partition_of.is_some() && unknown {
            ours.forget(&relation.name);
            more_partitions += 1;
        }
        // What an identity or serial column brings along goes by the column.
        if relation.kind == RelationKind::Sequence && relation.owned_by.is_some() && unknown {
            ours.forget(&relation.name);
        }
    }
    let lines = difference(migrations, &ours).iter().map(|line| of_databases(line)).collect();
    (lines, more_partitions)
}

/// A line of [`difference`], which speaks of before and after, said of migrations and database.
fn of_databases(line: &str) -> String {
    const WORDS: &[(&str, &str)] = &[
        (" is gone", " is missing from the database"),
        (" is still there", " is in the database only"),
        (" is another than before", " is another one in the database"),
        (" has other constraints than before", " has other constraints in the database"),
        (" generates its values otherwise than before", " generates its values otherwise in the database"),
        (", which it wasn't", " in the database, which it isn't by the migrations"),
        (", it was ", " in the database; by the migrations it is "),
        (" has lost its default ", " lacks in the database the default "),
        (" still has the default ", " has in the database only the default "),
        (" still has the value ", " has in the database only the value "),
        (" has lost the value ", " lacks in the database the value "),
    ];
    for (before, after) in WORDS {
        if let Some(at) = line.rfind(before) {
            let behind = line.get(at + before.len()..).unwrap_or_default();
            // What ends a line ends it; names can hold anything.
            if before.ends_with(' ') || behind.is_empty() {
                return format!("{}{after}{behind}", line.get(..at).unwrap_or_default());
            }
        }
    }
    line.to_owned()
}

/// The findings of `schema_drift`, at most this many.
const MOST_DRIFT: usize = 30;

/// What differs between the migrations that have run and the live database.
pub(super) fn drift(history: &Catalog, live: &Live, severity: Severity) -> Vec<Finding> {
    let bare = Live { catalog: live.catalog.without_expressions(), ..live.clone() };
    let (mut lines, _) = drift_lines(&history.without_expressions(), &bare);
    lines.extend(not_in_force(history, live));
    let total = lines.len();
    let mut findings: Vec<Finding> =
        lines.into_iter().take(MOST_DRIFT).map(|line| finding(line, severity)).collect();
    if total > MOST_DRIFT {
        findings.push(finding(
            format!("{} more differences between the migrations and the database", total - MOST_DRIFT),
            severity,
        ));
    }
    findings
}

/// What is there but doesn't do its work: invalid indexes, constraints that aren't validated.
fn not_in_force(history: &Catalog, live: &Live) -> Vec<String> {
    let mut lines = Vec::new();
    for relation in live.catalog.relations() {
        let Some(known) = history.relation(&relation.name) else { continue };
        for index in relation.indexes.iter().filter(|index| !index.valid) {
            if known.index(&index.name).is_some_and(|known| known.valid) {
                lines.push(format!("index {} of {} is INVALID in the database", index.name, relation.name));
            }
        }
        for constraint in relation.constraints.iter().filter(|constraint| !constraint.validated) {
            if known.constraint(&constraint.name).is_some_and(|known| known.validated) {
                let (constraint, relation) = (&constraint.name, &relation.name);
                lines.push(format!("constraint {constraint} of {relation} is NOT VALID in the database"));
            }
        }
    }
    lines
}

fn finding(message: String, severity: Severity) -> Finding {
    Finding {
        code: "schema_drift".into(),
        category: Category::Correctness,
        severity,
        path: None,
        span: None,
        object: None,
        message,
        help: Some(
            "Find out who made the change, then bring it into a migration (IF NOT EXISTS where a part of the databases has it), \
             or take it back in the database."
                .into(),
        ),
        fix: None,
    }
}

/// Whether a migration that has run is looked at all the same: it says something else than when it ran.
pub(super) fn was_edited(migration: &Migration) -> bool {
    migration.change == Some(Change::Edited)
}
