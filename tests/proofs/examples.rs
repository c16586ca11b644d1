//! The examples in the pages of the rules: what servers do with each of their statements, what is predicted, and what
//! the page says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use postgres::Client;
use rollsafe::migration::parse::parse;
use rollsafe::migration::statement::{Body, QueryKind, SetScope, Statement};
use rollsafe::postgres::cluster::ScratchCluster;

use crate::cases::{KEYS, Outcome, contains};
use crate::observation::Session;
use crate::prediction;

/// One bad or good block with the setup before it.
#[derive(Clone, Debug)]
pub struct Example {
    pub path: PathBuf,
    pub line: usize,
    pub words: Vec<String>,
    /// The setup block before it.
    pub before: Option<Arc<str>>,
    pub sql: Arc<str>,
    /// The locks that the page claims, at its first bad example.
    pub locks: Option<String>,
}

/// Every example of every page.
pub fn read_all() -> Vec<Example> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/migration");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("rules/migration is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect();
    paths.sort();
    paths.into_iter().flat_map(read).collect()
}

fn read(path: PathBuf) -> Vec<Example> {
    let page = std::fs::read_to_string(&path).expect("readable");
    let facts = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let facts: toml::Table = facts.expect("facts").parse().expect("facts are TOML");
    let mut locks = facts.get("locks").map(|locks| locks.as_str().expect("a text").to_owned());
    let mut found = Vec::new();
    let mut setup: Option<Arc<str>> = None;
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```sql ") else { continue };
        let words: Vec<String> = info.split_whitespace().map(str::to_owned).collect();
        let sql: String = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| line.trim() != "```")
            .map(|line| format!("{line}\n"))
            .collect();
        if words.iter().any(|word| word == "setup") {
            setup = Some(sql.into());
        } else {
            let locks = if words.iter().any(|word| word == "bad") { locks.take() } else { None };
            found.push(Example {
                path: path.clone(),
                line: number + 1,
                words,
                before: setup.clone(),
                sql: sql.into(),
                locks,
            });
        }
    }
    found
}

/// How an example went.
#[derive(Debug, Default)]
pub struct Ran {
    /// Statements measured and compared.
    pub compared: usize,
    /// Why it stopped before its end.
    pub stopped: Option<String>,
    /// Statements that say something of transactions only, or nothing to the server.
    pub skipped: usize,
    pub mismatches: Vec<String>,
}

impl Example {
    pub fn has(&self, word: &str) -> bool {
        self.words.iter().any(|w| w == word)
    }

    /// The least version that it is for.
    fn since(&self) -> u16 {
        self.words.iter().find_map(|word| word.strip_prefix("pg=")?.parse().ok()).unwrap_or(12)
    }

    pub fn is_for(&self, version: u16) -> bool {
        version >= self.since()
    }

    pub fn place(&self) -> String {
        format!("{}:{}", self.path.display(), self.line)
    }

    /// Runs the statements one by one, each in a transaction of its own, and compares.
    pub fn run(&self, server: &ScratchCluster, monitor: &mut Client) -> Result<Ran, String> {
        let version = server.version().major();
        let mut session = Session::on_empty(server, monitor)?;
        let mut ran = Ran::default();
        let mut done = String::new();
        if let Some(setup) = self.before.as_ref().filter(|_| !self.has("alone")) {
            for statement in parse(setup, 0..setup.len()).statements {
                let sql = statement.span.of(setup);
                // What a setup can't do here (an extension, a role) its example can't show here.
                if let Err(e) = session.run(sql) {
                    ran.stopped = Some(format!("setup: {e}"));
                    return Ok(ran);
                }
            }
            done.push_str(setup);
            done.push_str(";\n");
        }
        for statement in parse(&self.sql, 0..self.sql.len()).statements {
            let sql = statement.span.of(&self.sql);
            match kind_of(&statement) {
                Kind::Skip => {
                    ran.skipped += 1;
                    continue;
                }
                Kind::Outside => {
                    if let Err(e) = session.run(sql) {
                        ran.stopped = Some(e);
                        return Ok(ran);
                    }
                }
                kind => {
                    let seen = match session.measure(monitor, sql) {
                        Ok(seen) => seen,
                        Err(e) => {
                            ran.stopped = Some(e);
                            return Ok(ran);
                        }
                    };
                    session.run("COMMIT")?;
                    ran.compared += 1;
                    ran.mismatches.extend(self.compare(sql, &done, &seen, kind, version));
                }
            }
            done.push_str(sql);
            done.push_str(";\n");
        }
        Ok(ran)
    }

    fn compare(&self, sql: &str, before: &str, seen: &Outcome, kind: Kind, version: u16) -> Vec<String> {
        let predicted = match prediction::effects_of(sql, &[before], u32::from(version), true) {
            Ok(predicted) => predicted,
            Err(e) => return vec![format!("{} on {version}: {e}", self.place())],
        };
        let mut wrong = BTreeMap::new();
        for key in KEYS {
            let (seen, predicted) = (seen.text(key), predicted.text(key));
            let fits = match kind {
                Kind::DataDecides => contains(&predicted, &seen),
                _ => predicted == seen,
            };
            if !fits {
                wrong.insert(key, format!("{key}: {seen} seen, {predicted} predicted"));
            }
        }
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        wrong.into_values().map(|what| format!("{} on {version}: {what}\n    {sql}", self.place())).collect()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Not SQL, or only about transactions.
    Skip,
    /// Refuses a transaction block, only matters to the session, or names relations that only the run knows.
    Outside,
    /// The rows decide what is locked.
    DataDecides,
    Exact,
}

fn kind_of(statement: &Statement) -> Kind {
    match &statement.body {
        Body::Transaction(_) | Body::MetaCommand { .. } => Kind::Skip,
        Body::Set(set) if set.scope == SetScope::Session && !set.transaction => Kind::Outside,
        Body::Set(_) => Kind::Skip,
        Body::Do(block)
            if block
                .routine
                .as_ref()
                .is_some_and(|routine| routine.statements.iter().any(|one| one.partial)) =>
        {
            Kind::Outside
        }
        Body::CreateIndex(create) if create.concurrently => Kind::Outside,
        Body::Drop(drop) if drop.concurrently => Kind::Outside,
        Body::Reindex(reindex) if reindex.concurrently => Kind::Outside,
        Body::Vacuum(_)
        | Body::CreateDatabase { .. }
        | Body::AlterSystem { .. }
        | Body::CreateTablespace { .. }
        | Body::AlterDatabase { .. }
        | Body::Prepare { .. }
        | Body::Execute { .. } => Kind::Outside,
        Body::AlterTable(alter)
            if alter.actions.iter().any(|action| {
                matches!(
                    action.kind,
                    rollsafe::migration::statement::ActionKind::DetachPartition { concurrently: true, .. }
                )
            }) =>
        {
            Kind::Outside
        }
        // What it runs is only known at run time.
        Body::Do(block) if block.routine.as_ref().is_none_or(|routine| !routine.dynamic.is_empty()) => {
            Kind::Outside
        }
        Body::Query(query) if query.kind == QueryKind::Select && query.changes.is_empty() => Kind::Exact,
        Body::Query(_) | Body::Do(_) | Body::Call(_) | Body::Copy(_) | Body::Explain { .. } => {
            Kind::DataDecides
        }
        _ => Kind::Exact,
    }
}
