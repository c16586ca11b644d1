//! The application's queries, asked after each transaction of the migrations: which statement broke which one.

use std::collections::BTreeMap;
use std::time::Duration;

use super::RehearsalError;
use super::execute::Observer;
use super::place::Place;
use super::queries::{self, Query};
use super::request::Progress;

/// Prepares the queries that could be prepared so far after each transaction.
pub(super) struct Asking<'a> {
    progress: &'a dyn Progress,
    queries: &'a mut [Query],
    client: Option<postgres::Client>,
    texts: BTreeMap<u32, String>,
}

impl<'a> Asking<'a> {
    pub(super) fn new(
        place: &Place,
        progress: &'a dyn Progress,
        queries: &'a mut [Query],
    ) -> Result<Asking<'a>, RehearsalError> {
        let asked = queries.iter().any(|query| !query.is_new && query.before.is_none());
        let client =
            if asked { Some(place.application("preparing", Duration::from_secs(10))?) } else { None };
        Ok(Asking { progress, queries, client, texts: BTreeMap::new() })
    }

    pub(super) fn silent(progress: &'a dyn Progress, queries: &'a mut [Query]) -> Asking<'a> {
        Asking { progress, queries, client: None, texts: BTreeMap::new() }
    }
}

impl Observer for Asking<'_> {
    fn statement(&mut self, id: u32, place: &str, sql: &str) {
        self.progress.step(&format!("{place}  {}", queries::one_line(sql, 60)));
        if self.client.is_some() {
            self.texts.insert(id, sql.to_owned());
        }
    }

    fn committed(&mut self, statements: &[u32]) -> Result<(), RehearsalError> {
        let Some(client) = &mut self.client else { return Ok(()) };
        for query in self.queries.iter_mut() {
            if query.is_new || query.before.is_some() || query.after.is_some() {
                continue;
            }
            if let Some(error) = queries::prepare(client, &query.sql) {
                query.broken_by = queries::breaker(&error, statements, &self.texts);
                query.after = Some(error);
            }
        }
        Ok(())
    }
}
