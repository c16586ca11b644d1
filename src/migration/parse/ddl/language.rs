//! Procedural languages, transforms and access methods.

use super::object::address;
use super::{Head, other};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::type_name::type_name;
use crate::migration::statement::{Body, Ident, Name, ObjectKind};

/// CREATE [TRUSTED] [PROCEDURAL] LANGUAGE, from the first of these words on.
pub fn create_language(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.eat("trusted");
    c.eat("procedural");
    c.expect("language")?;
    let name = name(c)?;
    if c.eat("handler") {
        c.name("a function")?;
        if c.eat("inline") {
            c.name("a function")?;
        }
        if c.eat("validator") {
            c.name("a function")?;
        } else {
            c.eat_seq(&["no", "validator"]);
        }
    }
    Ok(other("CREATE LANGUAGE", Some(Name { schema: None, name })))
}

/// A language's name; before PostgreSQL 14 it could be a string.
fn name(c: &mut Cursor<'_>) -> Parsed<Ident> {
    if !c.at_string() {
        return c.ident("a language name");
    }
    let span = c.span();
    Ok(Ident { value: c.string("a language name")?.into(), quoted: true, span })
}

/// CREATE TRANSFORM, from TRANSFORM on.
pub fn create_transform(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect_seq(&["transform", "for"])?;
    let of = type_name(c)?.name;
    c.expect("language")?;
    c.ident("a language")?;
    c.paren_list(|c| {
        if c.eat_any(&["from", "to"]).is_none() {
            return Err(c.expected("FROM SQL or TO SQL"));
        }
        c.expect_seq(&["sql", "with", "function"])?;
        address(c, ObjectKind::Function)
    })?;
    Ok(other("CREATE TRANSFORM", Some(of)))
}

/// CREATE ACCESS METHOD, from ACCESS on.
pub fn create_access_method(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect_seq(&["access", "method"])?;
    let name = c.ident("an access method name")?;
    c.expect("type")?;
    if c.eat_any(&["index", "table"]).is_none() {
        return Err(c.expected("INDEX or TABLE"));
    }
    c.expect("handler")?;
    c.name("a function")?;
    Ok(other("CREATE ACCESS METHOD", Some(Name { schema: None, name })))
}
