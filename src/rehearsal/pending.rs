//! Which migrations are pending: read from the tool's ledger in the restored data, or as the user says.

use std::cmp::Ordering;
use std::collections::HashMap;

use postgres::Client;

use super::RehearsalError;
use super::report::{Pending, PendingBy};
use crate::migration::catalog::QName;
use crate::migration::migration::Direction;
use crate::migration::project::Part;
use crate::migration::project::ledger::{Ledger, Row, Standing, by_parts};
use crate::postgres::sql_text::quote_identifier;

/// What is to be run, and back.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// Indexes of the pending migrations, in the order to run them.
    pub ups: Vec<usize>,
    /// For each of them its way back.
    pub downs: HashMap<usize, usize>,
    /// Whether it is known which are pending.
    pub known: bool,
    /// How this is known.
    pub told: Pending,
    /// What nothing is known of.
    pub notes: Vec<String>,
}

/// What the user says instead of a ledger.
#[derive(Clone, Debug, Default)]
pub(super) struct Given<'a> {
    /// The first pending migration: a version, a file, or the beginning of a file's name.
    pub from: Option<&'a str>,
    /// Another name of the ledger table.
    pub ledger: Option<&'a str>,
}

/// Finds out.
///
/// # Errors
/// When there is no ledger to be read and nothing was said, or a migration stopped half way.
pub(super) fn plan(part: &Part, client: &mut Client, given: &Given) -> Result<Plan, RehearsalError> {
    let mut plan = Plan::default();
    if let Some(from) = given.from {
        let first = part
            .migrations
            .iter()
            .position(|migration| {
                let path = migration.path.to_string_lossy();
                let below = migration.path.strip_prefix(&part.root).unwrap_or(&migration.path);
                migration.direction != Direction::Down
                    && (migration.version == from
                        || same_version(part, &migration.version, from)
                        || path == from
                        || below.to_string_lossy().starts_with(from))
            })
            .ok_or_else(|| RehearsalError::Pending {
                message: format!("no migration in {} is called {from}", part.place().display()),
                hint: Some("name a version, a file, or the beginning of a file's name".to_owned()),
            })?;
        plan.ups = (first..part.migrations.len()).collect();
        plan.told.by = PendingBy::Given;
        plan.told.said = format!("all from {from} on, as given");
    } else {
        by_ledger(part, client, given, &mut plan)?;
    }
    plan.ups.retain(|&index| {
        let direction = part.migrations.get(index).map(|migration| migration.direction);
        matches!(direction, Some(Direction::Up | Direction::Repeatable | Direction::Baseline))
            && (given.from.is_none() || direction != Some(Direction::Baseline))
    });
    plan.find_downs(part);
    plan.known = true;
    let history = part
        .migrations
        .iter()
        .enumerate()
        .filter(|(index, migration)| migration.direction != Direction::Down && !plan.ups.contains(index));
    plan.told.history = Some(history.map(|(_, migration)| migration.path.display().to_string()).collect());
    Ok(plan)
}

impl Plan {
    /// Finds the ways back of what is pending.
    pub fn find_downs(&mut self, part: &Part) {
        self.downs.clear();
        for (index, migration) in part.migrations.iter().enumerate() {
            if let Some(undone) = migration.undoes.filter(|_| migration.direction == Direction::Down)
                && self.ups.contains(&undone)
            {
                self.downs.insert(undone, index);
            }
        }
    }
}

/// The migrations' folder, as people call it.
/// Whether the tool takes two versions for one: `1` and `00001`.
fn same_version(part: &Part, version: &str, given: &str) -> bool {
    let number = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'_')
    };
    let compare = part
        .runner
        .and_then(|found| found.runner.ledger.as_ref())
        .map_or(by_parts as fn(&str, &str) -> Ordering, |ledger| ledger.compare);
    number(version) && number(given) && compare(version, given) == Ordering::Equal
}

fn by_ledger(part: &Part, client: &mut Client, given: &Given, plan: &mut Plan) -> Result<(), RehearsalError> {
    let hint = || {
        Some(
            "say where the pending ones begin: --pending-from VERSION (every file from that one on is pending)"
                .to_owned(),
        )
    };
    let Some(runner) = part.runner else {
        return Err(RehearsalError::Pending {
            message: format!(
                "nothing in {} tells which tool runs these migrations, so its ledger can't be read",
                part.place().display()
            ),
            hint: Some(
                "name the tool with --runner, or the first pending migration with --pending-from".to_owned(),
            ),
        });
    };
    let runner = runner.runner;
    let Some(ledger) = &runner.ledger else {
        return Err(RehearsalError::Pending {
            message: format!("{} keeps no table of what it has run", runner.title),
            hint: hint(),
        });
    };
    let Some((sql, table)) = find(ledger, client, given.ledger)? else {
        return Err(RehearsalError::Pending {
            message: format!(
                "the ledger of {} ({}) is not in this database, so it isn't known which migrations are pending",
                runner.title,
                given.ledger.unwrap_or_else(|| ledger.tables.first().copied().unwrap_or("?"))
            ),
            hint: hint(),
        });
    };
    let rows = client
        .query(&ledger.query(&sql), &[])
        .map_err(|source| RehearsalError::server(format!("read the ledger {table}"), source))?;
    let rows: Vec<Row> = rows
        .iter()
        .map(|row| Row { key: row.get(0), applied: row.get(1), failed: row.get(2), up_to: row.get(3) })
        .collect();
    let standings = ledger.standings(part, &rows);
    let migrations = || part.migrations.iter().zip(&standings).enumerate();
    let forward = |direction| direction != Direction::Down;
    if let Some((_, (migration, _))) = migrations()
        .find(|(_, (migration, standing))| forward(migration.direction) && **standing == Standing::Failed)
    {
        return Err(RehearsalError::Pending {
            message: format!(
                "{} stopped half way in this database, {table} says; {} wants that mended before anything else runs",
                migration.path.display(),
                runner.title
            ),
            hint: Some("mend it in production first, and take the backup afterwards".to_owned()),
        });
    }
    let mut applied = migrations()
        .filter(|(_, (migration, standing))| forward(migration.direction) && **standing == Standing::Applied)
        .map(|(_, (migration, _))| migration);
    plan.told.applied = applied.clone().count() as u64;
    let last = applied.next_back().map(|migration| migration.path.display().to_string());
    plan.told.by = PendingBy::Ledger;
    plan.told.ledger = Some(table.clone());
    plan.told.unknown_versions = ledger.strays(part, &rows).iter().map(|row| row.key.clone()).collect();
    plan.told.said = match last {
        Some(last) => format!("{table} says that {last} was the last to run"),
        None => format!("{table} says that none of these has run"),
    };
    plan.ups = migrations()
        .filter(|(_, (_, standing))| **standing == Standing::Pending)
        .map(|(index, _)| index)
        .collect();
    for (_, (migration, _)) in migrations()
        .filter(|(_, (migration, standing))| forward(migration.direction) && **standing == Standing::Unknown)
    {
        plan.notes.push(format!(
            "{}: the ledger doesn't tell whether it has run, so it wasn't",
            migration.path.display()
        ));
    }
    Ok(())
}

/// The ledger's table where it is there: as SQL, and as it is shown.
fn find(
    ledger: &Ledger,
    client: &mut Client,
    given: Option<&str>,
) -> Result<Option<(String, String)>, RehearsalError> {
    let given = given.map(|name| [name]);
    let names: &[&str] = given.as_ref().map_or(ledger.tables, |name| name.as_slice());
    for name in names {
        let (schema, bare) = match name.split_once('.') {
            Some((schema, bare)) => (Some(schema.trim_matches('"')), bare.trim_matches('"')),
            None => (None, name.trim_matches('"')),
        };
        let rows = client
            .query(
                "SELECT n.nspname::text, c.relname::text, pg_catalog.array_agg(a.attname::text) \
                 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
                 WHERE c.relname = $1 AND ($2::text IS NULL OR n.nspname = $2) AND c.relkind IN ('r', 'p', 'v') \
                 AND n.nspname !~ '^pg_' GROUP BY n.nspname, c.relname ORDER BY n.nspname <> 'public', n.nspname",
                &[&bare, &schema],
            )
            .map_err(|source| RehearsalError::server("look for the ledger", source))?;
        for row in rows {
            let columns: Vec<String> = row.get(2);
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            if ledger.fits(&columns) {
                let (schema, table): (String, String) = (row.get(0), row.get(1));
                let sql = format!("{}.{}", quote_identifier(&schema), quote_identifier(&table));
                return Ok(Some((sql, QName::new(&schema, &table).to_string())));
            }
        }
    }
    Ok(None)
}
