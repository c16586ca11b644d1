//! A migration: one file, or one direction's section of a file, and how it is run.

use std::path::PathBuf;
use std::sync::Arc;

use super::rules::{Change, RunFacts};
use super::statement::Statement;

/// Which way a migration goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Forward.
    #[default]
    Up,
    /// Back.
    Down,
    /// Run again whenever it changes (Flyway's `R__`).
    Repeatable,
    /// The schema as of some version, instead of the migrations before it.
    Baseline,
}

impl Direction {
    /// The JSON word.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Up => "up",
            Direction::Down => "down",
            Direction::Repeatable => "repeatable",
            Direction::Baseline => "baseline",
        }
    }
}

/// One migration.
#[derive(Clone, Debug)]
pub struct Migration {
    /// The file.
    pub path: PathBuf,
    /// The whole text of the file; where `range` holds parts that belong to another migration, blanks in their place.
    pub text: Arc<str>,
    /// The whole text of the file as it is.
    pub source: Arc<str>,
    /// The part of the text that is this migration.
    pub range: std::ops::Range<usize>,
    /// Which way it goes.
    pub direction: Direction,
    /// For a down migration: the place in the order of the migration that it undoes.
    pub undoes: Option<usize>,
    /// How it is run.
    pub run: RunFacts,
    /// Whether the runner, and so what surrounds the statements, is known.
    pub runner_known: bool,
    /// Whether it is judged; else it is history.
    pub judged: bool,
    /// How the change at hand came by it; `None` where nothing is known of a change.
    pub change: Option<Change>,
    /// The file that it was before the change at hand, where the runner takes that for another migration.
    pub was: Option<PathBuf>,
    /// The version that the runner compares, where its name has one.
    pub version: String,
    /// The parts of `range` that go as one query each; `None`: see [`RunFacts::one_query`].
    pub chunks: Option<Vec<std::ops::Range<usize>>>,
    /// The runner opens no transaction for a file with a statement of which this is true.
    pub exits: Option<fn(&Statement) -> bool>,
    /// The runner sends statements of which this is true alone, outside its transaction.
    pub alone: Option<fn(&Statement) -> bool>,
    /// The runner sends the file as one query if it holds a statement of which this is true.
    pub joined: Option<fn(&Statement) -> bool>,
    /// Whether the runner sends the file as one query, or its statements one by one, depends on a version that nothing tells.
    pub either: bool,
}

impl Migration {
    /// A migration that is a whole file.
    pub fn whole(path: PathBuf, text: Arc<str>) -> Self {
        let range = 0..text.len();
        Migration {
            path,
            source: text.clone(),
            text,
            range,
            direction: Direction::Up,
            undoes: None,
            run: RunFacts::default(),
            runner_known: false,
            judged: true,
            change: None,
            was: None,
            version: String::new(),
            chunks: None,
            exits: None,
            alone: None,
            joined: None,
            either: false,
        }
    }

    /// For each statement the number of the query string that it is sent in; `None`: each is sent alone.
    pub fn queries(&self, statements: &[Statement]) -> Option<Vec<usize>> {
        match &self.chunks {
            Some(chunks) => Some(
                statements
                    .iter()
                    .map(|statement| {
                        chunks.partition_point(|chunk| chunk.end <= statement.span.start as usize)
                    })
                    .collect(),
            ),
            None if self.run.one_query || self.joined.is_some_and(|joined| statements.iter().any(joined)) => {
                Some(vec![0; statements.len()])
            }
            None => None,
        }
    }
}
