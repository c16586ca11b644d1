//! COMMENT ON and SECURITY LABEL.

use super::object::{address, object_kind};
use super::setting::word_or_string;
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::statement::{Body, ObjectKind};

/// COMMENT ON.
pub fn comment(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect_seq(&["comment", "on"])?;
    labelled(c, false)
}

/// SECURITY LABEL.
pub fn security_label(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect_seq(&["security", "label"])?;
    if c.eat("for") {
        word_or_string(c)?;
    }
    c.expect("on")?;
    labelled(c, true)
}

/// The object and its text.
fn labelled(c: &mut Cursor<'_>, security_label: bool) -> Parsed<Body> {
    let before = *c;
    let mut kind = object_kind(c)?;
    if matches!(kind, ObjectKind::Group | ObjectKind::User | ObjectKind::UserMapping | ObjectKind::Attribute)
    {
        return Err(before.expected("a kind of object"));
    }
    if kind == ObjectKind::Constraint && c.is_nth(1, "on") && c.is_nth(2, "domain") && !c.is_nth(3, "is") {
        kind = ObjectKind::DomainConstraint;
    }
    let target = address(c, kind)?;
    c.expect("is")?;
    if !c.eat("null") {
        c.string("a string or NULL")?;
    }
    Ok(Body::Comment { kind, name: Some(target.name), on_table: target.on_table, security_label })
}
