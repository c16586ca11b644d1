//! CREATE SCHEMA with the statements inside it.

use super::Head;
use super::object::role;
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::statement::{Body, Statement};

/// CREATE SCHEMA, from SCHEMA on.
pub fn create_schema(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect("schema")?;
    let if_not_exists = c.if_not_exists();
    let name = if c.is("authorization") { None } else { Some(c.ident("a schema name")?) };
    if c.eat("authorization") {
        role(c)?;
    }
    let mut elements = Vec::new();
    // With IF NOT EXISTS the server takes no elements.
    while !if_not_exists && !c.is_done() {
        elements.push(element(c)?);
    }
    Ok(Body::CreateSchema { name, if_not_exists, elements })
}

/// `schema_stmt`: CREATE TABLE, INDEX, SEQUENCE, TRIGGER or VIEW, or GRANT.
fn element(c: &mut Cursor<'_>) -> Parsed<Statement> {
    let before = *c;
    let first = c.index();
    let body = if c.is("grant") {
        super::privileges::grant(c)?
    } else if c.is("create") {
        super::create(c)?
    } else {
        return Err(c.expected("CREATE, GRANT or the end of the statement"));
    };
    let allowed = matches!(
        body,
        Body::CreateTable(_)
            | Body::CreateIndex(_)
            | Body::CreateSequence { .. }
            | Body::CreateTrigger(_)
            | Body::CreateView(_)
            | Body::Grant(_)
    );
    if !allowed {
        return Err(before.expected("a statement that CREATE SCHEMA takes"));
    }
    Ok(Statement { span: c.span_since(first), body, problems: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_refused, read};
    use crate::migration::statement::Body;

    #[test]
    fn elements_are_statements() {
        let sql = "CREATE SCHEMA s AUTHORIZATION me CREATE TABLE t (a int) CREATE INDEX i ON t (a) GRANT SELECT ON t TO x";
        let Body::CreateSchema { elements, .. } = read(sql) else { panic!() };
        assert_eq!(elements.len(), 3);
        assert_eq!(elements[0].span.of(sql), "CREATE TABLE t (a int)");
        assert!(matches!(read("CREATE SCHEMA AUTHORIZATION me"), Body::CreateSchema { name: None, .. }));
        all_refused(&[
            "CREATE SCHEMA",
            "CREATE SCHEMA s CREATE ROLE r",
            "CREATE SCHEMA IF NOT EXISTS s CREATE TABLE t (a int)",
        ]);
    }
}
