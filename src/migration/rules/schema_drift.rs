//! `schema_drift`: the database is otherwise than the migrations that have run on it say.

use super::{Check, Rule};

/// The rule. The engine compares, where a snapshot tells of the database.
pub static RULE: Rule =
    Rule { code: "schema_drift", page: migration_page!("schema_drift"), check: Check::Engine };
