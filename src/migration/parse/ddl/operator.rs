//! Operators, their classes and families, casts, collations and conversions.

use super::object::{address, operator_arguments};
use super::options::{operator, option_list};
use super::{Head, other};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::lex::TokenKind;
use crate::migration::parse::type_name::type_name;
use crate::migration::statement::{Body, Name, ObjectKind};

/// CREATE OPERATOR, from OPERATOR on.
pub fn create_operator(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect("operator")?;
    let name = operator(c)?;
    option_list(c)?;
    Ok(other("CREATE OPERATOR", Some(Name { schema: None, name })))
}

/// CREATE OPERATOR CLASS, from OPERATOR on.
pub fn create_operator_class(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect_seq(&["operator", "class"])?;
    let name = c.name("an operator class name")?;
    c.eat("default");
    c.expect_seq(&["for", "type"])?;
    type_name(c)?;
    c.expect("using")?;
    c.ident("an access method")?;
    if c.eat("family") {
        c.name("an operator family")?;
    }
    c.expect("as")?;
    c.list(class_item)?;
    Ok(other("CREATE OPERATOR CLASS", Some(name)))
}

/// `opclass_item`.
fn class_item(c: &mut Cursor<'_>) -> Parsed<()> {
    if c.eat("operator") {
        c.integer("a strategy number")?;
        operator(c)?;
        if c.at(TokenKind::LeftParen) {
            operator_arguments(c)?;
        }
        if c.eat_seq(&["for", "order", "by"]) {
            c.name("an operator family")?;
        } else {
            c.eat_seq(&["for", "search"]);
        }
        c.eat("recheck");
    } else if c.eat("function") {
        c.integer("a support number")?;
        if c.at(TokenKind::LeftParen) {
            c.paren_list(type_name)?;
        }
        address(c, ObjectKind::Function)?;
    } else {
        c.expect("storage")?;
        type_name(c)?;
    }
    Ok(())
}

/// CREATE OPERATOR FAMILY, from OPERATOR on.
pub fn create_operator_family(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect_seq(&["operator", "family"])?;
    let family = address(c, ObjectKind::OperatorFamily)?;
    Ok(other("CREATE OPERATOR FAMILY", Some(family.name)))
}

/// ALTER OPERATOR FAMILY, from behind its name on.
pub fn alter_operator_family(c: &mut Cursor<'_>, name: Name) -> Parsed<Body> {
    if c.eat("add") {
        c.list(class_item)?;
    } else {
        c.expect("drop")?;
        c.list(|c| {
            if c.eat_any(&["operator", "function"]).is_none() {
                return Err(c.expected("OPERATOR or FUNCTION"));
            }
            c.integer("a number")?;
            c.paren_list(type_name).map(|_| ())
        })?;
    }
    Ok(other("ALTER OPERATOR FAMILY", Some(name)))
}

/// CREATE CAST, from CAST on.
pub fn create_cast(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect("cast")?;
    let cast = address(c, ObjectKind::Cast)?;
    if c.eat_seq(&["with", "function"]) {
        address(c, ObjectKind::Function)?;
    } else if !c.eat_seq(&["with", "inout"]) {
        c.expect_seq(&["without", "function"])?;
    }
    if c.eat("as") && c.eat_any(&["implicit", "assignment"]).is_none() {
        return Err(c.expected("IMPLICIT or ASSIGNMENT"));
    }
    Ok(other("CREATE CAST", Some(cast.name)))
}

/// CREATE COLLATION, from COLLATION on.
pub fn create_collation(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect("collation")?;
    c.if_not_exists();
    let name = c.name("a collation name")?;
    if c.eat("from") {
        c.name("a collation")?;
    } else {
        option_list(c)?;
    }
    Ok(other("CREATE COLLATION", Some(name)))
}

/// CREATE [DEFAULT] CONVERSION, from the first of these words on.
pub fn create_conversion(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.eat("default");
    c.expect("conversion")?;
    let name = c.name("a conversion name")?;
    c.expect("for")?;
    c.string("an encoding")?;
    c.expect("to")?;
    c.string("an encoding")?;
    c.expect("from")?;
    c.name("a function")?;
    Ok(other("CREATE CONVERSION", Some(name)))
}
