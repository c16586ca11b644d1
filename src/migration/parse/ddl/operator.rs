//! Operators, their classes and families, casts, collations and conversions.

use super::object::{address, operator_arguments};
use super::options::{definition, operator};
use super::{Head, other};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::lex::TokenKind;
use crate::migration::parse::type_name::type_name;
use crate::migration::statement::{Body, Name, ObjectKind};

/// CREATE OPERATOR, from OPERATOR on.
pub fn create_operator(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect("operator")?;
    let name = operator(c)?;
    definition(c)?;
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
        definition(c)?;
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

#[cfg(test)]
mod tests {
    use super::super::tests::{all_read, all_refused};

    #[test]
    fn rarities() {
        all_read(&[
            "CREATE OPERATOR s.=== (leftarg = int, rightarg = int, function = f, commutator = OPERATOR(s.===), hashes)",
            "CREATE OPERATOR CLASS c DEFAULT FOR TYPE int USING btree FAMILY f AS OPERATOR 1 <, OPERATOR 2 <= (int, int) FOR ORDER BY g, FUNCTION 1 (int, int) h(int, int), STORAGE text",
            "CREATE OPERATOR FAMILY f USING gin",
            "CREATE CAST (a AS b) WITH FUNCTION f(a) AS IMPLICIT",
            "CREATE CAST (a AS b) WITHOUT FUNCTION",
            "CREATE COLLATION IF NOT EXISTS c (provider = icu, locale = 'de', deterministic = false)",
            "CREATE COLLATION c FROM \"C\"",
            "CREATE DEFAULT CONVERSION c FOR 'UTF8' TO 'LATIN1' FROM f",
            "CREATE TEXT SEARCH CONFIGURATION c (COPY = english)",
            "CREATE TRUSTED PROCEDURAL LANGUAGE l HANDLER h INLINE i VALIDATOR v",
            "CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION f(internal), TO SQL WITH FUNCTION g(internal))",
            "CREATE ACCESS METHOD a TYPE TABLE HANDLER h",
            "CREATE STATISTICS IF NOT EXISTS s (ndistinct, mcv) ON a, lower(b), (c + 1) FROM t",
            "CREATE STATISTICS ON a, b FROM t",
            "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" WITH SCHEMA public VERSION '1.1' CASCADE",
            "CREATE ROLE r WITH LOGIN ENCRYPTED PASSWORD 'x' IN ROLE a, b CONNECTION LIMIT 5",
            "CREATE DATABASE d OWNER = me ENCODING 'UTF8' TEMPLATE template0 CONNECTION LIMIT -1",
            "CREATE TABLESPACE t OWNER me LOCATION '/x' WITH (seq_page_cost = 2)",
            "REASSIGN OWNED BY a, b TO c",
            "CREATE POLICY p ON t AS RESTRICTIVE FOR UPDATE TO a, PUBLIC USING (x = current_user) WITH CHECK (true)",
        ]);
        all_refused(&[
            "CREATE OPERATOR => (leftarg = int)",
            "CREATE CAST (a AS b)",
            "CREATE ROLE r WITH BOGUS",
            "CREATE STATISTICS s ON a",
        ]);
    }
}
