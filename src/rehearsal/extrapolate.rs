//! What a database of production's size would take, from what was measured on a smaller one.

use std::collections::BTreeMap;
use std::path::Path;

use super::RehearsalError;
use super::report::{
    Access, ExtrapolatedStall, ExtrapolatedStatement, Extrapolation, PhaseName, Rehearsal, StatementRun,
};
use crate::migration::catalog::QName;
use crate::snapshot::Snapshot;

/// Production's sizes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sizes {
    /// Where they are from.
    pub source: String,
    /// Bytes of each table with indexes and TOAST.
    pub tables: BTreeMap<String, u64>,
    /// Bytes of the whole database, where known; otherwise the tables' together.
    pub database: Option<u64>,
}

const ASSUMPTION: &str = "a statement that rewrites, reads or indexes a table in full, or changes rows of it, takes as much longer as the table is larger in production, and so \
     do the stalls behind it; all other statements take as long as here; the restore takes as much longer as the database is larger. \
     The same hardware is assumed, a cache that holds as much of the data, and no other load";

/// Extrapolates.
pub(super) fn extrapolate(report: &Rehearsal, sizes: &Sizes) -> Extrapolation {
    let here: BTreeMap<&str, u64> =
        report.tables.iter().map(|table| (table.name.as_str(), table.bytes)).collect();
    // How much larger the largest of the tables that a statement goes through is.
    let factor = |statement: &StatementRun| -> Option<(String, u64, u64, f64)> {
        let through = statement.rewrites.iter().chain(&statement.scans).chain(&statement.writes);
        through
            .map(String::as_str)
            .filter_map(|name| {
                let bytes_here = here.get(name).copied().filter(|bytes| *bytes > 0).or_else(|| {
                    statement.sizes.iter().find(|size| size.relation == name).map(|size| size.before)
                })?;
                let bytes_there = *sizes.tables.get(name)?;
                let factor = bytes_there as f64 / bytes_here.max(1) as f64;
                Some((name.to_owned(), bytes_here, bytes_there, factor.max(1.0)))
            })
            .max_by(|a, b| a.3.total_cmp(&b.3))
    };
    let mut found = Extrapolation {
        source: sizes.source.clone(),
        assumption: ASSUMPTION.to_owned(),
        ..Extrapolation::default()
    };
    let mut factors: BTreeMap<u32, f64> = BTreeMap::new();
    for statement in report.statements() {
        if let Some((relation, bytes_here, bytes_there, factor)) = factor(statement) {
            factors.insert(statement.id, factor);
            found.statements.push(ExtrapolatedStatement {
                statement: statement.id,
                relation,
                bytes_here,
                bytes_there,
                seconds_here: statement.seconds,
                seconds_there: statement.seconds * factor,
            });
        }
    }
    let longer = |statements: &[StatementRun]| -> f64 {
        statements.iter().map(|one| one.seconds * (factors.get(&one.id).copied().unwrap_or(1.0) - 1.0)).sum()
    };
    found.migrate_seconds =
        report.migrations.iter().map(|run| run.seconds + longer(&run.statements)).sum::<f64>();
    found.rollback_seconds = report.rollback.downs.as_ref().map(|downs| {
        downs.steps.iter().map(|step| step.migration.seconds + longer(&step.migration.statements)).sum()
    });
    let there = sizes.database.unwrap_or_else(|| sizes.tables.values().sum());
    let ratio = (there as f64 / report.source.database_bytes.max(1) as f64).max(1.0);
    found.restore_seconds = report.rollback.restore.as_ref().map(|restore| restore.seconds * ratio);
    for table in &report.tables {
        for of in [Access::Reads, Access::Writes] {
            let mut worst: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
            for stall in
                table.stalls.iter().filter(|stall| stall.of == of && stall.during == PhaseName::Migrate)
            {
                let Some(id) = stall.statement else { continue };
                // A lock lasts for its transaction: what follows in it counts as well. One that is let go while the
                // statement goes on, as by what works in batches, doesn't last longer where there are more of them.
                let longer: f64 = held_through(report, id)
                    .filter(|one| !one.commits || !one.rewrites.is_empty() || !one.scans.is_empty())
                    .map(|one| one.seconds * (factors.get(&one.id).copied().unwrap_or(1.0) - 1.0))
                    .sum();
                let longest = worst.entry(id).or_insert((0.0, 0.0));
                if stall.seconds() > longest.0 {
                    *longest = (stall.seconds(), stall.seconds() + longer);
                }
            }
            let mut worst: Vec<(u32, (f64, f64))> = worst.into_iter().collect();
            // The longest first: who wants one of a table takes that.
            worst.sort_by(|a, b| b.1.1.total_cmp(&a.1.1));
            for (statement, (seconds_here, seconds_there)) in worst {
                found.stalls.push(ExtrapolatedStall {
                    table: table.name.clone(),
                    of,
                    seconds_here,
                    seconds_there,
                    statement: Some(statement),
                });
            }
        }
    }
    found
}

/// The statement and those after it in its transaction.
fn held_through(report: &Rehearsal, id: u32) -> impl Iterator<Item = &StatementRun> {
    let transaction = report.statement(id).map(|statement| statement.transaction);
    report
        .statements()
        .filter(move |statement| Some(statement.transaction) == transaction && statement.id >= id)
}

/// Reads sizes from a snapshot.
///
/// # Errors
/// When it can't be read, or has no sizes in it.
pub fn read(path: &Path) -> Result<Sizes, RehearsalError> {
    let failed =
        |message: String| RehearsalError::File { action: "read", path: path.display().to_string(), message };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    if let Ok(snapshot) = Snapshot::from_json(text.as_bytes()) {
        let mut sizes = Sizes {
            source: format!("{}, of {}", path.display(), snapshot.taken_at),
            database: snapshot.server.bytes,
            ..Sizes::default()
        };
        for relation in &snapshot.relations {
            let name = QName::new(&relation.schema, &relation.name).to_string();
            let bytes = relation.size.as_ref().map(|size| size.bytes + size.index_bytes);
            sizes.tables.extend(bytes.map(|bytes| (name, bytes)));
        }
        return Ok(sizes);
    }
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let mut sizes = Sizes { source: path.display().to_string(), ..Sizes::default() };
    let tables = value.get("tables");
    let number = |object: &serde_json::Value| {
        ["total_bytes", "bytes", "size_bytes"].iter().find_map(|key| object.get(*key)?.as_u64())
    };
    match tables {
        Some(serde_json::Value::Array(list)) => {
            for object in list {
                let name = object.get("name").and_then(serde_json::Value::as_str);
                if let (Some(name), Some(bytes)) = (name, number(object)) {
                    sizes.tables.insert(name.strip_prefix("public.").unwrap_or(name).to_owned(), bytes);
                }
            }
        }
        Some(serde_json::Value::Object(map)) => {
            for (name, object) in map {
                if let Some(bytes) = object.as_u64().or_else(|| number(object)) {
                    sizes.tables.insert(name.strip_prefix("public.").unwrap_or(name).to_owned(), bytes);
                }
            }
        }
        _ => {}
    }
    sizes.database = value.get("database_bytes").and_then(serde_json::Value::as_u64);
    if sizes.tables.is_empty() {
        return Err(failed("it holds no sizes of tables".to_owned()));
    }
    Ok(sizes)
}
