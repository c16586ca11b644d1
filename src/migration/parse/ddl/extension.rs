//! Extensions.

use super::Head;
use super::object::{address, object_kind};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::keywords;
use crate::migration::statement::{Body, Ident};

/// CREATE EXTENSION, from EXTENSION on.
pub fn create_extension(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect("extension")?;
    let if_not_exists = c.if_not_exists();
    let name = c.ident("an extension name")?;
    c.eat("with");
    let (mut schema, mut cascade) = (None, false);
    loop {
        if c.eat("schema") {
            schema = Some(c.ident("a schema")?);
        } else if c.eat("version") || c.eat("from") {
            version(c)?;
        } else if c.eat("cascade") {
            cascade = true;
        } else {
            return Ok(Body::CreateExtension { name, if_not_exists, schema, cascade });
        }
    }
}

/// A version: a string or a word.
fn version(c: &mut Cursor<'_>) -> Parsed<String> {
    if c.at_string() {
        return c.string("a version");
    }
    if c.word_at(0).is_some_and(keywords::is_reserved) {
        return Err(c.expected("a version"));
    }
    Ok(c.label("a version")?.value.into())
}

/// ALTER EXTENSION, from behind the name on.
pub fn alter_extension(c: &mut Cursor<'_>, name: Ident) -> Parsed<Body> {
    if c.eat("update") {
        let mut to = None;
        while c.eat("to") {
            to = Some(version(c)?);
        }
        return Ok(Body::AlterExtension { name, update: true, version: to });
    }
    if c.eat_any(&["add", "drop"]).is_none() {
        return Err(c.expected("UPDATE, ADD, DROP or SET SCHEMA"));
    }
    let kind = object_kind(c)?;
    address(c, kind)?;
    Ok(Body::AlterExtension { name, update: false, version: None })
}
