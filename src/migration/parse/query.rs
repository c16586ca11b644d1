//! Queries and DML: which relations they read and change, which functions they call, and what bounds them.

use super::cursor::{Cursor, Parsed};
use crate::migration::statement::Query;

/// Whether a query begins here: SELECT, VALUES, TABLE, WITH, INSERT, UPDATE, DELETE, MERGE, or a
/// parenthesis before one of them.
pub fn at_query(c: &Cursor<'_>) -> bool {
    let _ = c;
    false
}

/// Reads a query or DML statement up to the first token that can't belong to it.
pub fn query(c: &mut Cursor<'_>) -> Parsed<Query> {
    Err(c.expected("a query"))
}
