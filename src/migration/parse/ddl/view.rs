//! Views and materialized views.

use super::Head;
use super::create_table::{materialized_view_head, output_columns, with_data};
use super::options::with_options;
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::lex::TokenKind;
use crate::migration::parse::query::query;
use crate::migration::statement::{Body, CreateTableAs, CreateView, Persistence};

/// CREATE [RECURSIVE] VIEW, from RECURSIVE or VIEW on.
pub fn create_view(c: &mut Cursor<'_>, head: Head) -> Parsed<Body> {
    let recursive = c.eat("recursive");
    c.expect("view")?;
    let name = c.name("a view name")?;
    let columns = if recursive || c.at(TokenKind::LeftParen) {
        c.paren_list(|c| c.ident("a column name"))?
    } else {
        Vec::new()
    };
    with_options(c)?;
    c.expect("as")?;
    let query = query(c)?;
    if c.eat("with") {
        if !c.eat("cascaded") {
            c.eat("local");
        }
        c.expect_seq(&["check", "option"])?;
    }
    Ok(Body::CreateView(Box::new(CreateView {
        name,
        replace: head.replace,
        temporary: head.persistence == Persistence::Temporary,
        recursive,
        columns: output_columns(columns, &query),
        query,
    })))
}

/// CREATE MATERIALIZED VIEW, from MATERIALIZED on.
pub fn create_materialized_view(c: &mut Cursor<'_>, head: Head) -> Parsed<Body> {
    if head.persistence == Persistence::Temporary {
        return Err(c.expected("a kind of object that can be temporary"));
    }
    c.expect_seq(&["materialized", "view"])?;
    let if_not_exists = c.if_not_exists();
    let name = c.name("a materialized view name")?;
    let (columns, tablespace) = materialized_view_head(c)?;
    c.expect("as")?;
    let query = query(c)?;
    let with_no_data = with_data(c)?;
    Ok(Body::CreateTableAs(Box::new(CreateTableAs {
        name,
        materialized_view: true,
        if_not_exists,
        persistence: head.persistence,
        columns: output_columns(columns, &query),
        query,
        with_no_data,
        tablespace,
    })))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_read, all_refused, read};
    use crate::migration::statement::Body;

    #[test]
    fn views() {
        let Body::CreateView(view) = read("CREATE OR REPLACE TEMP VIEW s.v (a, b) AS SELECT c, d FROM t")
        else {
            panic!()
        };
        assert!(view.replace && view.temporary && view.columns.len() == 2);
        assert_eq!(view.query.uses[0].name.to_string(), "t");
        let Body::CreateView(view) = read("CREATE VIEW v AS SELECT t.a, b AS c FROM t") else { panic!() };
        assert_eq!(view.columns.iter().map(|c| c.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        let Body::CreateTableAs(view) =
            read("CREATE MATERIALIZED VIEW IF NOT EXISTS m TABLESPACE x AS TABLE t WITH NO DATA")
        else {
            panic!()
        };
        assert!(view.materialized_view && view.if_not_exists && view.with_no_data);
        all_read(&[
            "CREATE VIEW v WITH (security_barrier) AS SELECT 1 WITH CASCADED CHECK OPTION",
            "CREATE RECURSIVE VIEW v (a) AS SELECT 1 UNION ALL SELECT a + 1 FROM v",
            "CREATE MATERIALIZED VIEW m (a) USING heap WITH (fillfactor = 9) AS SELECT 1 WITH DATA",
        ]);
        all_refused(&["CREATE RECURSIVE VIEW v AS SELECT 1", "CREATE VIEW IF NOT EXISTS v AS SELECT 1"]);
    }
}
