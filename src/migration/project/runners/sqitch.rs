//! sqitch: `deploy/`, `revert/` and `verify/` scripts in the order of `sqitch.plan`, run by psql statement by statement.

use std::path::Path;

use crate::migration::migration::Direction;
use crate::migration::project::runner::*;

pub static RUNNER: Runner = Runner {
    name: "sqitch",
    title: "sqitch",
    signs: Signs { inside: &["sqitch.plan"], above: &["sqitch.plan", "sqitch.conf"], ..NO_SIGNS },
    named,
    order: Order::Listed(plan),
    sections: Sections::Whole,
    around: Around::Nothing,
    unit: Unit::Statement,
    switch: &[],
    alone: "leave out BEGIN and COMMIT in this file",
    psql: true,
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

/// `name [deps] date planner <mail> # note`; lines of tags (`@`) and pragmas (`%`) are passed over.
fn plan(folder: &Path) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(folder.join("sqitch.plan")).ok()?;
    let names = text.lines().filter_map(|line| {
        let name = line.split_whitespace().next()?;
        (!name.starts_with(['%', '@', '#'])).then(|| format!("deploy/{name}.sql"))
    });
    Some(names.collect())
}
