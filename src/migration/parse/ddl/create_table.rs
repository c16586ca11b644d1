//! CREATE TABLE in all its forms, and CREATE TABLE AS.

use super::Head;
use super::column::{column_definition, column_options};
use super::constraint::{at_table_constraint, table_constraint};
use super::options::{option_list, with_options};
use super::partition::{partition_bound, partition_by};
use crate::migration::parse::cursor::{Cursor, Parsed, fold};
use crate::migration::parse::lex::TokenKind;
use crate::migration::parse::query::query;
use crate::migration::statement::{
    Body, CreateTable, CreateTableAs, Ident, LikeClause, Name, PartitionOf, Query,
};

/// CREATE TABLE and CREATE TABLE AS, from TABLE on.
pub fn create_table(c: &mut Cursor<'_>, head: Head) -> Parsed<Body> {
    c.expect("table")?;
    let if_not_exists = c.if_not_exists();
    let name = c.name("a table name")?;
    if at_create_as(c) {
        return create_table_as(c, head, name, if_not_exists);
    }
    let mut table =
        CreateTable { name, if_not_exists, persistence: head.persistence, ..CreateTable::default() };
    if c.eat("of") {
        table.of_type = Some(c.name("a composite type")?);
        typed_elements(c, &mut table)?;
    } else if c.eat_seq(&["partition", "of"]) {
        partition_of(c, &mut table)?;
    } else {
        elements(c, &mut table)?;
        inherits(c, &mut table)?;
    }
    table.partition_by = partition_by(c)?;
    if c.eat("using") {
        table.access_method = Some(c.ident("an access method")?);
    }
    table.options = with_or_without(c)?;
    on_commit(c)?;
    if c.eat("tablespace") {
        table.tablespace = Some(c.ident("a tablespace")?);
    }
    Ok(Body::CreateTable(Box::new(table)))
}

/// Whether what follows the name is CREATE TABLE AS: no parenthesis, or a list of bare names.
fn at_create_as(c: &Cursor<'_>) -> bool {
    if c.at(TokenKind::LeftParen) {
        return c.nth(1).is_some_and(|token| token.kind != TokenKind::RightParen)
            && c.nth(2).is_some_and(|t| matches!(t.kind, TokenKind::Comma | TokenKind::RightParen));
    }
    c.is_any(&["as", "using", "with", "without", "on", "tablespace"])
}

fn create_table_as(c: &mut Cursor<'_>, head: Head, name: Name, if_not_exists: bool) -> Parsed<Body> {
    let columns =
        if c.at(TokenKind::LeftParen) { c.paren_list(|c| c.ident("a column name"))? } else { Vec::new() };
    if c.eat("using") {
        c.ident("an access method")?;
    }
    with_or_without(c)?;
    on_commit(c)?;
    let tablespace = if c.eat("tablespace") { Some(c.ident("a tablespace")?) } else { None };
    c.expect("as")?;
    let query = if c.eat("execute") {
        execute(c)?;
        Query::default()
    } else {
        query(c)?
    };
    let with_no_data = with_data(c)?;
    Ok(Body::CreateTableAs(Box::new(CreateTableAs {
        name,
        materialized_view: false,
        if_not_exists,
        persistence: head.persistence,
        columns: output_columns(columns, &query),
        query,
        with_no_data,
        tablespace,
    })))
}

/// A prepared statement's name and arguments.
fn execute(c: &mut Cursor<'_>) -> Parsed<()> {
    c.ident("a prepared statement")?;
    if c.at(TokenKind::LeftParen) {
        c.paren_list(crate::migration::parse::expression::expr)?;
    }
    Ok(())
}

/// `WITH [NO] DATA`, or nothing: whether it is WITH NO DATA.
pub fn with_data(c: &mut Cursor<'_>) -> Parsed<bool> {
    if !c.eat("with") {
        return Ok(false);
    }
    let no = c.eat("no");
    c.expect("data")?;
    Ok(no)
}

/// The column names written, else those of the query where they are plain.
pub fn output_columns(written: Vec<Ident>, query: &Query) -> Vec<Ident> {
    if written.is_empty() { query.output.iter().flatten().cloned().collect() } else { written }
}

/// `( element, … )`, maybe empty.
pub fn elements(c: &mut Cursor<'_>, table: &mut CreateTable) -> Parsed<()> {
    c.open()?;
    if c.eat_kind(TokenKind::RightParen) {
        return Ok(());
    }
    c.list(|c| {
        if c.eat("like") {
            table.like.push(like(c)?);
        } else if at_table_constraint(c) {
            table.constraints.push(table_constraint(c)?);
        } else {
            table.columns.push(column_definition(c)?);
        }
        Ok(())
    })?;
    c.close()
}

/// `( column WITH OPTIONS …, constraint, … )` of typed tables and partitions, or nothing.
fn typed_elements(c: &mut Cursor<'_>, table: &mut CreateTable) -> Parsed<()> {
    if !c.eat_kind(TokenKind::LeftParen) {
        return Ok(());
    }
    c.list(|c| {
        if at_table_constraint(c) {
            table.constraints.push(table_constraint(c)?);
        } else {
            table.columns.push(column_options(c)?);
        }
        Ok(())
    })?;
    c.close()
}

/// What follows PARTITION OF.
pub fn partition_of(c: &mut Cursor<'_>, table: &mut CreateTable) -> Parsed<()> {
    let parent = c.name("a partitioned table")?;
    typed_elements(c, table)?;
    let first = c.index();
    let bound = partition_bound(c)?;
    table.partition_of = Some(PartitionOf { parent, bound, bound_span: c.span_since(first) });
    Ok(())
}

/// `INHERITS ( parent, … )`, or nothing.
pub fn inherits(c: &mut Cursor<'_>, table: &mut CreateTable) -> Parsed<()> {
    if c.eat("inherits") {
        table.inherits = c.paren_list(|c| c.name("a table"))?;
    }
    Ok(())
}

fn like(c: &mut Cursor<'_>) -> Parsed<LikeClause> {
    let source = c.name("a table")?;
    let mut options = Vec::new();
    loop {
        let including = c.eat("including");
        if !including && !c.eat("excluding") {
            return Ok(LikeClause { source, options });
        }
        let word = c.eat_any(&[
            "all",
            "comments",
            "compression",
            "constraints",
            "defaults",
            "generated",
            "identity",
            "indexes",
            "statistics",
            "storage",
        ]);
        let Some(word) = word else { return Err(c.expected("what to include or exclude")) };
        options.push((including, fold(word)));
    }
}

/// `WITH ( … )`, `WITHOUT OIDS`, or nothing.
fn with_or_without(c: &mut Cursor<'_>) -> Parsed<Vec<crate::migration::statement::StorageOption>> {
    if c.eat_seq(&["without", "oids"]) {
        return Ok(Vec::new());
    }
    with_options(c)
}

/// `ON COMMIT …`, or nothing.
fn on_commit(c: &mut Cursor<'_>) -> Parsed<()> {
    if !c.eat_seq(&["on", "commit"]) {
        return Ok(());
    }
    if c.eat("drop") || c.eat_seq(&["delete", "rows"]) || c.eat_seq(&["preserve", "rows"]) {
        return Ok(());
    }
    Err(c.expected("DROP, DELETE ROWS or PRESERVE ROWS"))
}

/// What a materialized view takes between its name and AS: columns, access method, options, tablespace.
pub fn materialized_view_head(c: &mut Cursor<'_>) -> Parsed<(Vec<Ident>, Option<Ident>)> {
    let columns =
        if c.at(TokenKind::LeftParen) { c.paren_list(|c| c.ident("a column name"))? } else { Vec::new() };
    if c.eat("using") {
        c.ident("an access method")?;
    }
    if c.eat("with") {
        option_list(c)?;
    }
    let tablespace = if c.eat("tablespace") { Some(c.ident("a tablespace")?) } else { None };
    Ok((columns, tablespace))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_read, all_refused, read};
    use crate::migration::statement::{Body, ConstraintKind, CreateTable, PartitionBound, Persistence};

    fn table(sql: &str) -> CreateTable {
        match read(sql) {
            Body::CreateTable(table) => *table,
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn columns_and_constraints_have_their_places() {
        let sql = "CREATE TABLE app.users (id serial PRIMARY KEY, email varchar(50) COLLATE \"C\" NOT NULL DEFAULT '' \
                   CONSTRAINT short CHECK (length(email) < 9), org int REFERENCES orgs (id) ON DELETE CASCADE \
                   DEFERRABLE INITIALLY DEFERRED, CONSTRAINT u UNIQUE (email, org) INCLUDE (id))";
        let table = table(sql);
        assert_eq!(table.name.to_string(), "app.users");
        assert_eq!(table.columns.len(), 3);
        let email = &table.columns[1];
        assert!(email.span.of(sql).starts_with("email varchar(50)"));
        assert!(email.span.of(sql).ends_with("< 9)"));
        assert_eq!(email.collation.as_ref().unwrap().name.value, "C");
        assert_eq!(email.constraints.len(), 3);
        let check = &email.constraints[2];
        assert_eq!(check.name.as_ref().unwrap().value, "short");
        assert_eq!(check.span.of(sql), "CONSTRAINT short CHECK (length(email) < 9)");
        let key = &table.columns[2].constraints[0];
        assert_eq!((key.deferrable, key.initially_deferred), (Some(true), Some(true)));
        assert!(key.span.of(sql).ends_with("INITIALLY DEFERRED"));
        let ConstraintKind::ForeignKey(foreign) = &key.kind else { panic!() };
        assert_eq!(foreign.on_delete, Some("cascade"));
        let ConstraintKind::Unique(unique) = &table.constraints[0].kind else { panic!() };
        assert_eq!((unique.columns.len(), unique.include.len()), (2, 1));
    }

    #[test]
    fn partitions() {
        let part = table(
            "CREATE TABLE p PARTITION OF t FOR VALUES FROM (1, minvalue) TO (2, maxvalue) PARTITION BY HASH (a)",
        );
        assert!(
            matches!(part.partition_of.unwrap().bound, PartitionBound::Range { from, .. } if from.len() == 2)
        );
        let part = table(
            "CREATE TABLE p PARTITION OF t (a NOT NULL, CHECK (a > 0)) FOR VALUES WITH (MODULUS 4, REMAINDER 1)",
        );
        assert_eq!(part.partition_of.unwrap().bound, PartitionBound::Hash { modulus: 4, remainder: 1 });
        assert!(part.columns[0].type_name.is_none());
        let part = table("CREATE TABLE p PARTITION OF t DEFAULT");
        assert_eq!(part.partition_of.unwrap().bound, PartitionBound::Default);
        assert_eq!(
            table("CREATE TABLE t (a int) PARTITION BY LIST (lower(a), (a || b), c COLLATE \"C\" text_ops)")
                .partition_by
                .unwrap()
                .keys
                .len(),
            3
        );
    }

    #[test]
    fn other_forms() {
        assert_eq!(table("CREATE LOCAL TEMP TABLE t () ON COMMIT DROP").persistence, Persistence::Temporary);
        assert_eq!(
            table("CREATE UNLOGGED TABLE t (LIKE a INCLUDING ALL EXCLUDING INDEXES, b int)").like[0]
                .options
                .len(),
            2
        );
        assert!(table("CREATE TABLE t OF kind (a WITH OPTIONS DEFAULT 1)").of_type.is_some());
        assert!(
            matches!(read("CREATE TABLE t (a, b) AS SELECT 1, 2 WITH NO DATA"), Body::CreateTableAs(t) if t.with_no_data && t.columns.len() == 2)
        );
        assert!(matches!(read("CREATE TABLE t AS EXECUTE q(1)"), Body::CreateTableAs(_)));
        all_read(&[
            "CREATE TABLE t (a int) WITHOUT OIDS",
            "CREATE TABLE t (a int) USING heap WITH (fillfactor = 50, toast.autovacuum_enabled = off) TABLESPACE x",
            "CREATE TABLE t (a int GENERATED BY DEFAULT AS IDENTITY, b int GENERATED ALWAYS AS (a * 2) STORED)",
            "CREATE TABLE t (a int GENERATED ALWAYS AS (b + 1) VIRTUAL)",
            "CREATE TABLE t (a text STORAGE external COMPRESSION lz4 COLLATE \"C\")",
            "CREATE TABLE t (a int CHECK (a > 0) NO INHERIT NOT ENFORCED)",
            "CREATE TABLE t (PRIMARY KEY (id, valid WITHOUT OVERLAPS), FOREIGN KEY (id, PERIOD valid) REFERENCES u (id, PERIOD valid))",
            "CREATE TABLE t (exclude int, period int, EXCLUDE USING gist (a WITH =, b WITH OPERATOR(pg_catalog.&&)) WHERE (a > 0))",
            "CREATE TABLE t (UNIQUE NULLS NOT DISTINCT (a) WITH (fillfactor = 70) USING INDEX TABLESPACE x DEFERRABLE)",
        ]);
        all_refused(&[
            "CREATE TABLE t (a)",
            "CREATE TABLE t (a int,)",
            "CREATE TABLE t (CHECK (a > 0) DEFERRABLE)",
            "CREATE TABLE t (a int) WITH OIDS",
            "CREATE TABLE t (UNIQUE (a) NOT VALID)",
            "CREATE TABLE t (a int GENERATED BY DEFAULT AS (1) STORED)",
            "CREATE TABLE t (FOREIGN KEY (a) REFERENCES u DEFERRABLE NOT DEFERRABLE)",
            "CREATE TABLE t (LIKE a INCLUDING EVERYTHING)",
        ]);
    }
}
