//! Replay: what a statement does to the catalog.

use super::Catalog;
use crate::migration::session::Session;
use crate::migration::statement::Statement;

/// What a replayed statement turned out to need.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// Relations that it names and the catalog doesn't know.
    pub missing: Vec<super::QName>,
}

impl Catalog {
    /// Replays one statement, `born` being the mark that new objects get.
    pub fn apply(&mut self, statement: &Statement, session: &mut Session, born: super::Born) -> Applied {
        let _ = (statement, session, born);
        Applied::default()
    }
}
