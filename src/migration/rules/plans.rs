//! Staged plans, spelled out as SQL with the user's own names: expand, backfill in batches, switch, contract.
//!
//! Several rules print the same plan, so that it lives here. The SQL can be pasted as it stands.

use crate::migration::catalog::{Catalog, ConstraintDetail, QName, Relation};
use crate::migration::statement::quote_ident;

/// Rows in one batch, and the pause between two: small enough that nobody waits for long, and that replicas and
/// autovacuum keep up.
const BATCH: &str = "1000";
const PAUSE: &str = "0.1";

/// A loop that changes rows in batches, with a commit and a pause between. `assignments` is what follows SET,
/// `pending` the condition of rows that are still to be changed (it must become false for a changed row).
/// Runs only outside a transaction.
pub fn backfill(catalog: &Catalog, table: &QName, assignments: &str, pending: &str) -> String {
    batches(&format!("UPDATE {table} SET {assignments}"), catalog, table, pending)
}

/// A loop that deletes the rows of a condition in batches, with a commit and a pause between.
pub fn delete_in_batches(catalog: &Catalog, table: &QName, condition: &str) -> String {
    batches(&format!("DELETE FROM {table}"), catalog, table, condition)
}

fn batches(change: &str, catalog: &Catalog, table: &QName, condition: &str) -> String {
    let rows = match catalog.relation(table).and_then(single_key) {
        Some(key) => {
            let key = quote_ident(key);
            format!("{key} IN (SELECT {key} FROM {table} WHERE {condition} ORDER BY {key} LIMIT {BATCH})")
        }
        None => format!("ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE {condition} LIMIT {BATCH}))"),
    };
    format!(
        "DO $$\n\
         DECLARE\n  \
           changed bigint;\n\
         BEGIN\n  \
           LOOP\n    \
             {change}\n    \
             WHERE {rows};\n    \
             GET DIAGNOSTICS changed = ROW_COUNT;\n    \
             EXIT WHEN changed = 0;\n    \
             COMMIT;\n    \
             PERFORM pg_sleep({PAUSE});\n  \
           END LOOP;\n\
         END\n\
         $$;"
    )
}

/// A loop over a whole table in batches, in the order of its key, with a commit and a pause between. Unlike
/// [`backfill`] it ends whatever the new values are: a condition such as `n IS NULL` stays true for ever where the
/// new value can be NULL. `None` for a table without a key of one column.
pub fn walk(catalog: &Catalog, table: &QName, assignments: &str, condition: Option<&str>) -> Option<String> {
    let key = quote_ident(catalog.relation(table).and_then(single_key)?);
    let condition = condition.map_or(String::new(), |condition| format!(" AND ({condition})"));
    Some(format!(
        "DO $$\n\
         DECLARE\n  \
           done {table}.{key}%TYPE; -- the key that the last batch ended with\n  \
           upto {table}.{key}%TYPE;\n\
         BEGIN\n  \
           LOOP\n    \
             upto := (SELECT {key} FROM (SELECT {key} FROM {table} WHERE done IS NULL OR {key} > done ORDER BY {key} LIMIT {BATCH}) AS batch\n             \
             ORDER BY {key} DESC LIMIT 1);\n    \
             EXIT WHEN upto IS NULL;\n    \
             UPDATE {table} SET {assignments}\n    \
             WHERE (done IS NULL OR {key} > done) AND {key} <= upto{condition};\n    \
             COMMIT;\n    \
             done := upto;\n    \
             PERFORM pg_sleep({PAUSE});\n  \
           END LOOP;\n\
         END\n\
         $$;"
    ))
}

/// The primary key's column, where it has just one.
fn single_key(relation: &Relation) -> Option<&str> {
    match &relation.primary_key()?.detail {
        ConstraintDetail::PrimaryKey { columns, .. } => match columns.as_slice() {
            [column] => Some(column),
            _ => None,
        },
        _ => None,
    }
}

/// One column replaced by another, old and new side by side until no version needs the old one. `new_type` is as
/// SQL writes it, `value` the new column's value from the old one.
pub fn replace_column(
    catalog: &Catalog,
    table: &QName,
    old: &str,
    new: &str,
    new_type: &str,
    value: &str,
) -> String {
    let (old, new) = (quote_ident(old), quote_ident(new));
    let loop_ = backfill(
        catalog,
        table,
        &format!("{new} = {value}"),
        &format!("{new} IS NULL AND {old} IS NOT NULL"),
    );
    format!(
        "-- release 1, expand: then deploy code that writes both columns and reads {old}\n\
         ALTER TABLE {table} ADD COLUMN {new} {new_type};\n\
         \n\
         -- release 2, backfill (outside a transaction), once every instance writes both\n\
         {loop_}\n\
         \n\
         -- release 3, switch: code reads {new}, still writes both; watch it for two weeks\n\
         \n\
         -- release 4, contract: after a release without {old} in the code, and a backup\n\
         ALTER TABLE {table} DROP COLUMN {old};"
    )
}

/// NOT NULL for a column with rows, without a long lock: a CHECK for new rows, validated while others work, then
/// NOT NULL behind it. From 18 on the NOT NULL itself can be NOT VALID.
pub fn set_not_null(table: &QName, column: &str, version: u16) -> String {
    let name = named(table, column, "not_null");
    let column = quote_ident(column);
    if version >= 18 {
        format!(
            "ALTER TABLE {table} ADD CONSTRAINT {name} NOT NULL {column} NOT VALID;\n\
             -- next migration\n\
             ALTER TABLE {table} VALIDATE CONSTRAINT {name};"
        )
    } else {
        format!(
            "ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IS NOT NULL) NOT VALID;\n\
             -- next migration\n\
             ALTER TABLE {table} VALIDATE CONSTRAINT {name};\n\
             -- next migration; no scan behind the validated CHECK (12 and later)\n\
             ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;\n\
             ALTER TABLE {table} DROP CONSTRAINT {name};"
        )
    }
}

/// A column that is NOT NULL in the end, added so that versions which don't know it keep working.
pub fn add_not_null_column(
    catalog: &Catalog,
    table: &QName,
    column: &str,
    type_name: &str,
    version: u16,
) -> String {
    let quoted = quote_ident(column);
    format!(
        "-- release 1: then deploy code that always writes {quoted}\n\
         ALTER TABLE {table} ADD COLUMN {quoted} {type_name};\n\
         \n\
         -- release 2 (outside a transaction); put the value for old rows in place of …\n\
         {}\n\
         {}",
        backfill(catalog, table, &format!("{quoted} = …"), &format!("{quoted} IS NULL")),
        set_not_null(table, column, version)
    )
}

/// A column taken away, with a way back at each stage.
pub fn drop_column(table: &QName, column: &str, blocks_inserts: bool) -> String {
    let column = quote_ident(column);
    let first = if blocks_inserts {
        format!(
            "-- release 1: inserts that leave {column} out must work before code leaves it out\n\
             ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL;\n\
             \n"
        )
    } else {
        String::new()
    };
    format!(
        "{first}-- deploy code that neither reads nor writes {column} (an ORM must be told to ignore it), watch it for two weeks,\n\
         -- and see that a restorable backup has the table; then, in a release of its own:\n\
         -- rollsafe: ignore drop_column -- why nothing needs it any more\n\
         ALTER TABLE {table} DROP COLUMN {column};"
    )
}

/// Uniqueness for a table with rows, without a long lock.
pub fn add_unique(table: &QName, columns: &str, name: &str) -> String {
    let name = quote_ident(name);
    format!(
        "-- no row may come out of this\n\
         SELECT {columns}, count(*) FROM {table} GROUP BY {columns} HAVING count(*) > 1;\n\
         -- outside a transaction\n\
         CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} ({columns});\n\
         ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name};"
    )
}

/// A constraint's name in PostgreSQL's own manner, cut to the 63 bytes that it keeps.
pub fn named(table: &QName, column: &str, kind: &str) -> String {
    let mut stem = format!("{}_{column}", table.name);
    let room = 62 - kind.len();
    while stem.len() > room {
        stem.pop();
    }
    quote_ident(&format!("{stem}_{kind}")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_they_must_be_and_fit_63_bytes() {
        assert_eq!(named(&QName::new("public", "users"), "email", "not_null"), "users_email_not_null");
        assert_eq!(named(&QName::new("public", "Users"), "email", "not_null"), "\"Users_email_not_null\"");
        let long = named(&QName::new("public", &"é".repeat(40)), "email", "not_null");
        assert!(long.trim_matches('"').len() <= 63 && long.ends_with("_not_null\""), "{long}");
    }

    #[test]
    fn a_table_without_a_key_is_batched_by_ctid() {
        let plan = backfill(&Catalog::unknown(), &QName::new("shop", "Orders"), "b = a", "b IS NULL");
        assert!(plan.contains("UPDATE shop.\"Orders\" SET b = a"), "{plan}");
        assert!(plan.contains("SELECT ctid FROM shop.\"Orders\" WHERE b IS NULL LIMIT 1000"), "{plan}");
        assert!(plan.contains("COMMIT;"), "{plan}");
    }
}
