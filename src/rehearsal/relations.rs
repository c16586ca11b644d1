//! The user's relations by their oid: names, sizes and files.

use std::collections::BTreeMap;

use postgres::Client;

use super::RehearsalError;

/// A relation as it was when looked at.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Relation {
    /// As `regclass` prints it with `search_path = public`.
    pub name: String,
    /// `r`, `p`, `m`, `v`, `f`.
    pub kind: char,
    /// With indexes and TOAST; 0 for what has no storage.
    pub bytes: u64,
    /// Its file; 0 for what has none.
    pub file: u32,
}

/// Relations by oid.
pub(super) type Relations = BTreeMap<u32, Relation>;

/// `regclass` with `search_path = public`, of a row `c` of pg_class joined with `n`.
pub(super) const NAME: &str = "CASE WHEN n.nspname = 'public' THEN pg_catalog.quote_ident(c.relname) \
     ELSE pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) END";

/// Schemas that aren't the user's.
pub(super) const USER_SCHEMA: &str = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// What no extension owns, of a row `c` of pg_class: an extension's tables aren't the application's.
pub(super) const OF_NO_EXTENSION: &str = "NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' \
     AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid)";

/// All relations of the user's. Takes ACCESS SHARE on each to measure it: not while a migration runs.
pub(super) fn read(client: &mut Client) -> Result<Relations, RehearsalError> {
    let sql = format!(
        "SELECT c.oid, {NAME}, c.relkind::text, \
         CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_total_relation_size(c.oid) ELSE 0 END, \
         coalesce(pg_catalog.pg_relation_filenode(c.oid), 0) \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f') AND {USER_SCHEMA} AND {OF_NO_EXTENSION}"
    );
    let rows =
        client.query(&sql, &[]).map_err(|source| RehearsalError::server("list the relations", source))?;
    Ok(rows
        .iter()
        .map(|row| {
            let bytes: Option<i64> = row.get(3);
            let relation = Relation {
                name: row.get(1),
                kind: row.get::<_, String>(2).chars().next().unwrap_or('r'),
                bytes: bytes.unwrap_or(0).unsigned_abs(),
                file: row.get(4),
            };
            (row.get(0), relation)
        })
        .collect())
}
