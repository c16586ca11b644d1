//! Staged plans, spelled out as SQL with the user's own names: expand, backfill in batches, switch, contract.
//!
//! Several rules print the same plan, so that it lives here. The SQL can be pasted as it stands.

use compact_str::CompactString;

use crate::migration::catalog::{Catalog, Column, ConstraintDetail, Index, QName, Relation};
use crate::migration::parse::cursor::{fold, unquote};
use crate::migration::parse::lex::{Lexer, Token, TokenKind};
use crate::migration::parse::name_of;
use crate::migration::statement::{Change, Ident, TypeName, quote_ident};

use super::rename_column::written;

/// Rows in one batch, and the pause between two: small enough that nobody waits for long, and that replicas and
/// autovacuum keep up.
const BATCH: &str = "1000";
const PAUSE: &str = "0.1";

/// The rows that a loop goes through, as the statement names them.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// What is known of the table.
    pub catalog: &'a Catalog,
    /// The table.
    pub table: &'a QName,
    /// Written with ONLY.
    pub only: bool,
    /// What expressions call the table, where that is another name.
    pub alias: Option<&'a Ident>,
    /// WITH and its queries, where expressions name those.
    pub with: Option<&'a str>,
}

impl<'a> Rows<'a> {
    /// The rows of a table that expressions call by its name.
    pub fn of(catalog: &'a Catalog, table: &'a QName) -> Self {
        Rows { catalog, table, only: false, alias: None, with: None }
    }

    /// The rows that a part of a query changes.
    pub fn changed(
        catalog: &'a Catalog,
        table: &'a QName,
        change: &'a Change,
        with: Option<&'a str>,
    ) -> Self {
        Rows { catalog, table, only: change.only, alias: change.alias.as_ref(), with }
    }

    /// WITH and its queries, as they stand before the change, on lines of their own.
    fn with(&self) -> String {
        self.with.map_or(String::new(), |with| format!("{with}\n    "))
    }

    /// As it stands behind UPDATE and FROM.
    fn written(&self) -> String {
        let only = if self.only { "ONLY " } else { "" };
        let alias = self.alias.map_or(String::new(), |alias| format!(" AS {}", quote_ident(alias.as_str())));
        format!("{only}{}{alias}", self.table)
    }

    fn known(&self) -> Option<&'a Relation> {
        self.catalog.relation(self.table)
    }
}

/// A loop that changes rows in batches, with a commit and a pause between. `assignments` is what follows SET,
/// `pending` the condition of rows that are still to be changed (it must become false for a changed row).
/// Runs only outside a transaction.
pub fn backfill(catalog: &Catalog, table: &QName, assignments: &str, pending: &str) -> String {
    batches(&format!("UPDATE {table} SET {assignments}"), Rows::of(catalog, table), pending)
}

/// A loop that deletes the rows of a condition in batches, with a commit and a pause between.
pub fn delete_in_batches(rows: Rows<'_>, condition: &str) -> String {
    batches(&format!("{}DELETE FROM {}", rows.with(), rows.written()), rows, condition)
}

fn batches(change: &str, rows: Rows<'_>, condition: &str) -> String {
    let from = rows.written();
    let key = rows.known().and_then(|relation| match key_of(relation)?.as_slice() {
        [column] => Some(quote_ident(column)),
        _ => None,
    });
    // Children may hold the same key, and partitions the same ctid: those rows are asked again.
    let again = format!(" AND ({condition})");
    let inherited =
        rows.known().is_some_and(|r| !r.is_partitioned() && rows.catalog.has_children(rows.table));
    let which = match key {
        Some(key) => format!(
            "{key} IN (SELECT {key} FROM {from} WHERE {condition} ORDER BY {key} LIMIT {BATCH}){}",
            if inherited { again.as_str() } else { "" }
        ),
        None => format!("ctid = ANY (ARRAY(SELECT ctid FROM {from} WHERE {condition} LIMIT {BATCH})){again}"),
    };
    let changed = variable("changed", &[change, &which]);
    block(&format!(
        "DECLARE\n  \
           {changed} bigint;\n\
         BEGIN\n  \
           LOOP\n    \
             {change}\n    \
             WHERE {which};\n    \
             GET DIAGNOSTICS {changed} = ROW_COUNT;\n    \
             EXIT WHEN {changed} = 0;\n    \
             COMMIT;\n    \
             PERFORM pg_sleep({PAUSE});\n  \
           END LOOP;\n\
         END\n"
    ))
}

/// A DO block of this text.
fn block(text: &str) -> String {
    let quote = if text.contains("$$") { "$batches$" } else { "$$" };
    format!("DO {quote}\n{text}{quote};")
}

/// A name for a variable that is no identifier of the texts: PL/pgSQL refuses what may mean a column as well.
fn variable(name: &str, texts: &[&str]) -> String {
    let has = |text: &str, name: &str| {
        let mut lexer = Lexer::new(text, 0..text.len());
        std::iter::from_fn(|| lexer.next_token())
            .any(|token| identifier(token, text).is_some_and(|known| known == name))
    };
    let mut name = name.to_owned();
    while texts.iter().any(|text| has(text, &name)) {
        name.push('_');
    }
    name
}

/// The name that a token of `text` is, folded.
pub(super) fn identifier(token: Token, text: &str) -> Option<CompactString> {
    let written = token.span.of(text);
    match token.kind {
        TokenKind::Word => Some(fold(written)),
        TokenKind::Quoted => Some(unquote(written, b'"')),
        _ => None,
    }
}

/// A loop over a whole table in batches, in the order of its key, with a commit and a pause between. Unlike
/// [`backfill`] it ends whatever the new values are: a condition such as `n IS NULL` stays true for ever where the
/// new value can be NULL. `None` for a table without a key.
pub fn walk(rows: Rows<'_>, assignments: &str, condition: Option<&str>) -> Option<String> {
    let known = rows.known()?;
    let key = key_of(known)?;
    // A variable begins as NULL, which some domains take no more than their columns do.
    let types: Vec<String> = key
        .iter()
        .map(|column| {
            let domain = known.column(column).and_then(|column| while_empty(rows.catalog, &column.type_name));
            domain.map_or_else(|| format!("{}.{}%TYPE", rows.table, quote_ident(column)), |(_, base)| base)
        })
        .collect();
    let key: Vec<_> = key.into_iter().map(quote_ident).collect();
    let (table, with, update) = (rows.table, rows.with(), rows.written());
    let only = if rows.only { "ONLY " } else { "" };
    let keys = key.join(", ");
    let texts = [assignments, condition.unwrap_or(""), &keys, &update, &with];
    let (done, upto) = (variable("done", &texts), variable("upto", &texts));
    let condition = condition.map_or(String::new(), |condition| format!(" AND ({condition})"));
    // One variable for each column of the key.
    let (mut declared, mut moved) = (String::new(), String::new());
    let (mut lasts, mut ends, mut backwards) = (Vec::new(), Vec::new(), Vec::new());
    for (at, (column, type_name)) in key.iter().zip(&types).enumerate() {
        let number = if key.len() == 1 { String::new() } else { format!("_{}", at + 1) };
        let (last, end) = (format!("{done}{number}"), format!("{upto}{number}"));
        let note = if at == 0 { " -- the key that the last batch ended with" } else { "" };
        declared.push_str(&format!("  {last} {type_name};{note}\n"));
        moved.push_str(&format!("    {last} := {end};\n"));
        backwards.push(format!("{column} DESC"));
        lasts.push(last);
        ends.push(end);
    }
    for (end, type_name) in ends.iter().zip(&types) {
        declared.push_str(&format!("  {end} {type_name};\n"));
    }
    let row = |parts: &[String]| {
        if parts.len() == 1 { parts.join("") } else { format!("({})", parts.join(", ")) }
    };
    let (first, last, end) = (&lasts[0], row(&lasts), row(&ends)); // a key has a column
    let compared = if key.len() == 1 { keys.clone() } else { format!("({keys})") };
    let rest = format!("{first} IS NULL OR {compared} > {last}");
    let batch = format!(
        "FROM (SELECT {keys} FROM {only}{table} WHERE {rest} ORDER BY {keys} LIMIT {BATCH}) AS batch"
    );
    let order = format!("ORDER BY {} LIMIT 1", backwards.join(", "));
    let next = if key.len() == 1 {
        let indent = " ".repeat("     := (".len() + end.len());
        format!("{end} := (SELECT {keys} {batch}\n{indent}{order});\n    EXIT WHEN {end} IS NULL;")
    } else {
        let (into, first) = (ends.join(", "), &ends[0]); // as above
        format!("SELECT {keys} INTO {into}\n    {batch}\n    {order};\n    EXIT WHEN {first} IS NULL;")
    };
    Some(block(&format!(
        "DECLARE\n\
         {declared}\
         BEGIN\n  \
           LOOP\n    \
             {next}\n    \
             {with}UPDATE {update} SET {assignments}\n    \
             WHERE ({rest}) AND {compared} <= {end}{condition};\n    \
             COMMIT;\n\
             {moved}    \
             PERFORM pg_sleep({PAUSE});\n  \
           END LOOP;\n\
         END\n"
    )))
}

/// What stands in for a type as long as there is no value: for a domain that takes no NULL, which domain that is, and the
/// type under it.
pub fn while_empty(catalog: &Catalog, type_name: &TypeName) -> Option<(QName, String)> {
    let of = catalog.domains_of(type_name).filter(|of| of.not_null && !of.default)?;
    Some((of.name, written(&of.base)))
}

/// The columns of the primary key, or of a unique constraint that holds no NULL.
fn key_of(relation: &Relation) -> Option<Vec<&str>> {
    let never_null = |columns: &[CompactString]| {
        columns.iter().all(|name| relation.column(name).is_some_and(|c| c.not_null))
    };
    let unique = || {
        relation.constraints.iter().find(|constraint| {
            matches!(&constraint.detail, ConstraintDetail::Unique { columns, .. } if never_null(columns))
        })
    };
    match &relation.primary_key().or_else(unique)?.detail {
        ConstraintDetail::PrimaryKey { columns, .. } | ConstraintDetail::Unique { columns, .. }
            if !columns.is_empty() =>
        {
            Some(columns.iter().map(CompactString::as_str).collect())
        }
        _ => None,
    }
}

/// What follows the table's name in the CREATE INDEX of an index that the catalog knows; each column and expression
/// goes through `renamed`.
pub fn index_tail(index: &Index, renamed: impl Fn(&str) -> String) -> String {
    let keys: Vec<String> = index
        .keys
        .iter()
        .map(|key| {
            let mut text = match &key.column {
                Some(column) => renamed(&quote_ident(column)),
                None => format!("({})", renamed(&key.text)),
            };
            if let Some(collation) = &key.collation {
                text.push_str(&format!(" COLLATE {}", quote_ident(collation)));
            }
            if let Some(class) = &key.operator_class {
                text.push_str(&format!(" {}", quote_ident(class)));
            }
            if key.descending {
                text.push_str(" DESC");
            }
            match key.nulls_first {
                Some(true) => text.push_str(" NULLS FIRST"),
                Some(false) => text.push_str(" NULLS LAST"),
                None => {}
            }
            text
        })
        .collect();
    let method = if matches!(index.method.as_str(), "" | "btree") {
        String::new()
    } else {
        format!("USING {} ", quote_ident(&index.method))
    };
    let mut text = format!("{method}({})", keys.join(", "));
    if !index.include.is_empty() {
        let columns: Vec<String> = index.include.iter().map(|column| renamed(&quote_ident(column))).collect();
        text.push_str(&format!(" INCLUDE ({})", columns.join(", ")));
    }
    if index.nulls_not_distinct {
        text.push_str(" NULLS NOT DISTINCT");
    }
    if let Some(predicate) = &index.predicate {
        text.push_str(&format!(" WHERE {}", renamed(predicate)));
    }
    text
}

/// NOT NULL for a column with rows, without a long lock: a CHECK for new rows, validated while others work, then
/// NOT NULL behind it. From 18 on the NOT NULL itself can be NOT VALID.
pub fn set_not_null(catalog: &Catalog, table: &QName, column: &str, version: u16) -> String {
    let name = named(catalog, table, column, "not_null");
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
        set_not_null(catalog, table, column, version)
    )
}

/// What keeps an insert from leaving a column out.
#[derive(Debug, Default)]
pub struct Demands {
    /// It is NOT NULL itself.
    not_null: bool,
    /// Its type is a domain that takes no NULL: which, and the type under it.
    domain: Option<(QName, TypeName)>,
}

/// What keeps an insert from leaving a column out: nothing where something else gives it a value.
pub fn demands_value(catalog: &Catalog, column: &Column) -> Demands {
    let of = catalog.domains_of(&column.type_name);
    let has_default = column.default.is_some() || of.as_ref().is_some_and(|of| of.default);
    if has_default || column.identity.is_some() || column.generated.is_some() {
        return Demands::default();
    }
    let domain = of.filter(|of| of.not_null).map(|of| (of.name, of.base));
    Demands { not_null: column.not_null, domain }
}

impl Demands {
    /// What lifts them, without writing a row anew.
    pub fn lifted(&self, table: &QName, column: &str) -> Option<String> {
        let column = quote_ident(column);
        let drop = |separator| format!("{separator} ALTER COLUMN {column} DROP NOT NULL;");
        match &self.domain {
            None => self.not_null.then(|| format!("ALTER TABLE {table}{}", drop(""))),
            Some((domain, base)) => {
                let also = if self.not_null { drop(",") } else { ";".to_owned() };
                Some(format!(
                    "-- the NULL is forbidden by its domain {domain}: without it, nothing checks what the domain checks\n\
                     ALTER TABLE {table} ALTER COLUMN {column} TYPE {}{also}\n\
                     -- or, where a value does that the domain takes:\n\
                     -- ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT …;",
                    written(&unlimited(base))
                ))
            }
        }
    }
}

/// The type without a length: a column gets it from a domain without being written anew, as the values have lost theirs.
fn unlimited(base: &TypeName) -> TypeName {
    let unlimited = TypeName { modifiers: Vec::new(), fields: None, ..base.clone() };
    let name = match base.name.name.as_str() {
        _ if base.name.schema.is_some() => return unlimited,
        // These mean one character and one bit.
        "bpchar" | "char" => "pg_catalog.bpchar",
        "bit" => "varbit",
        _ => return unlimited,
    };
    TypeName { name: name_of(name).unwrap_or_else(|| base.name.clone()), ..unlimited }
}

/// A column taken away, with a way back at each stage.
pub fn drop_column(
    catalog: &Catalog,
    table: &QName,
    column: &str,
    if_exists: bool,
    demands: &Demands,
) -> String {
    let lifted = demands
        .lifted(table, column)
        .map(|lifted| format!("{}{lifted}", without_key(catalog, table, column)));
    let if_exists = if if_exists { "IF EXISTS " } else { "" };
    let column = quote_ident(column);
    let first = lifted
        .map(|lifted| {
            format!("-- release 1: inserts that leave {column} out must work before code leaves it out\n{lifted}\n\n")
        })
        .unwrap_or_default();
    format!(
        "{first}-- deploy code that neither reads nor writes {column} (an ORM must be told to ignore it), watch it for two weeks,\n\
         -- and see that a restorable backup has the table; then, in a release of its own:\n\
         -- rollsafe: ignore drop_column -- why nothing needs it any more\n\
         ALTER TABLE {table} DROP COLUMN {if_exists}{column};"
    )
}

/// What takes a primary key over a column away, which would keep it NOT NULL, and the foreign keys that need it.
fn without_key(catalog: &Catalog, table: &QName, column: &str) -> String {
    let key =
        catalog.relation(table).and_then(|known| known.primary_key()).and_then(|key| match &key.detail {
            ConstraintDetail::PrimaryKey { columns, index } if columns.iter().any(|c| c == column) => {
                Some((key, index))
            }
            _ => None,
        });
    let Some((key, index)) = key else { return String::new() };
    let drop =
        |table: &QName, name: &str| format!("ALTER TABLE {table} DROP CONSTRAINT {};\n", quote_ident(name));
    let referring = catalog.foreign_keys_on(table, index).into_iter();
    let referring: String = referring
        .filter(|(child, _)| child.partition_of.is_none())
        .map(|(child, key)| drop(&child.name, &key.name))
        .collect();
    format!(
        "-- the primary key takes no NULL: give {table} another one first, and what refers to it\n{referring}{}",
        drop(table, &key.name)
    )
}

/// The name that PostgreSQL would choose, as SQL writes it.
pub fn named(catalog: &Catalog, table: &QName, column: &str, kind: &str) -> String {
    quote_ident(&catalog.choose_name(table, column, kind)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_they_must_be_and_fit_63_bytes() {
        let named =
            |table: &str| named(&Catalog::unknown(), &QName::new("public", table), "email", "not_null");
        assert_eq!(named("users"), "users_email_not_null");
        assert_eq!(named("Users"), "\"Users_email_not_null\"");
        let long = named(&"é".repeat(40));
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
