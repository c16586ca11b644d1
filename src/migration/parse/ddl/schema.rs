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
    while !c.is_done() {
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
