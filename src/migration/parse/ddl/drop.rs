//! DROP of every kind.

use super::behavior;
use super::object::{address, object_kind, roles};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::statement::{Body, Drop, ObjectKind};

/// DROP.
pub fn drop(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("drop")?;
    if c.eat_seq(&["owned", "by"]) {
        let roles = roles(c)?;
        return Ok(Body::DropOwned { roles, cascade: behavior(c) });
    }
    let before = *c;
    let first = c.index();
    let kind = object_kind(c)?;
    if matches!(
        kind,
        ObjectKind::Column | ObjectKind::Constraint | ObjectKind::LargeObject | ObjectKind::Attribute
    ) {
        return Err(before.expected("a kind of object that can be dropped"));
    }
    let kind_span = c.span_since(first);
    let concurrently = kind == ObjectKind::Index && c.eat("concurrently");
    let if_exists = c.if_exists();
    let names = if takes_one(kind) { vec![address(c, kind)?] } else { c.list(|c| address(c, kind))? };
    let cascade = match kind {
        ObjectKind::Database => {
            force(c)?;
            false
        }
        ObjectKind::Role
        | ObjectKind::User
        | ObjectKind::Group
        | ObjectKind::UserMapping
        | ObjectKind::Tablespace => false,
        _ => behavior(c),
    };
    Ok(Body::Drop(Box::new(Drop { kind, concurrently, kind_span, if_exists, names, cascade })))
}

/// Kinds of which one statement drops one object.
fn takes_one(kind: ObjectKind) -> bool {
    use ObjectKind::*;
    matches!(
        kind,
        Cast | Database
            | OperatorClass
            | OperatorFamily
            | Policy
            | Rule
            | Subscription
            | Tablespace
            | Transform
            | Trigger
            | UserMapping
    )
}

/// `[WITH] ( FORCE )` of DROP DATABASE, or nothing.
fn force(c: &mut Cursor<'_>) -> Parsed<()> {
    let with = c.eat("with");
    if with || !c.is_done() {
        c.paren_list(|c| c.expect("force"))?;
    }
    Ok(())
}
