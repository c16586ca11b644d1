//! sqitch: `deploy/`, `revert/` and `verify/` scripts in the order of `sqitch.plan`, run by psql statement by statement.

use std::collections::HashMap;
use std::path::Path;

use crate::migration::migration::Direction;
use crate::migration::project::ledger::*;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "sqitch",
    title: "sqitch",
    signs: Signs {
        inside: &["sqitch.plan"],
        above: &["sqitch.plan", "sqitch.conf"],
        nested: &[("deploy", "sqitch.plan"), ("revert", "sqitch.plan"), ("verify", "sqitch.plan")],
        ..NO_SIGNS
    },
    named,
    order: Order::Listed(plan),
    sections: Sections::Whole,
    around: Around::Nothing,
    unit: Unit::Statement,
    switch: &[],
    alone: "leave out BEGIN and COMMIT in this file",
    opt_out: OptOut::Elsewhere,
    psql: true,
    ledger: Some(Ledger {
        tables: &["sqitch.changes"],
        columns: &["change", "project", "committed_at"],
        rows: "(SELECT change, committed_at, row_number() OVER (PARTITION BY project, change ORDER BY committed_at) AS nth FROM {table}) AS changes",
        key: "change || CASE nth WHEN 1 THEN '' ELSE '#' || nth END",
        newest: "committed_at",
        compare: as_text,
        names: Names::Listed(keys),
        ..ONE_ROW_EACH
    }),
    export: None,
};

fn named(path: &str) -> Option<Named> {
    let (folder, name) = path.split_once('/')?;
    let direction = match folder {
        "deploy" => Direction::Up,
        "revert" => Direction::Down,
        _ => return None,
    };
    name.ends_with(".sql").then(|| Named { version: name.to_owned(), direction })
}

/// The files in the order of the plan.
fn plan(folder: &Path) -> Option<Vec<String>> {
    Some(changes(folder)?.into_iter().map(|(file, _)| file).collect())
}

/// What the ledger calls each file: the change, and for the second, third … working of it `#2`, `#3`.
fn keys(folder: &Path) -> Option<HashMap<String, String>> {
    let changes = changes(folder)?;
    let reverts = changes.iter().map(|(file, key)| (file.replacen("deploy/", "revert/", 1), key.clone()));
    Some(reverts.chain(changes.iter().cloned()).collect())
}

/// Lines of the plan are `name [deps] date planner <mail> # note`; tags begin with `@`, pragmas with `%`. A change that
/// comes again was reworked: its earlier file is then `name@tag.sql`, by a tag that stands between the two.
fn changes(folder: &Path) -> Option<Vec<(String, String)>> {
    let text = std::fs::read_to_string(folder.join("sqitch.plan")).ok()?;
    let mut found: Vec<(String, String)> = Vec::new();
    // Name → its last place in `found`, how often it came, and the tags since.
    let mut seen: HashMap<&str, (usize, usize, Vec<&str>)> = HashMap::new();
    for line in text.lines() {
        let Some(word) = line.split_whitespace().next().filter(|word| !word.starts_with(['%', '#'])) else {
            continue;
        };
        if let Some(tag) = word.strip_prefix('@') {
            seen.values_mut().for_each(|(_, _, tags)| tags.push(tag));
            continue;
        }
        let file = format!("deploy/{word}.sql");
        let mut nth = 1;
        if let Some((place, times, tags)) = seen.get(word) {
            nth = times + 1;
            let mut older = tags.iter().map(|tag| format!("deploy/{word}@{tag}.sql"));
            let there = older.clone().find(|file| folder.join(file).is_file()).or(older.next_back());
            if let (Some(one), Some(there)) = (found.get_mut(*place), there) {
                one.0 = there;
            }
        }
        seen.insert(word, (found.len(), nth, Vec::new()));
        let key = if nth == 1 { word.to_owned() } else { format!("{word}#{nth}") };
        found.push((file, key));
    }
    Some(found)
}
