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

#[cfg(test)]
mod tests {
    use super::super::tests::{all_read, all_refused, read};
    use crate::migration::statement::{Body, ObjectKind};

    #[test]
    fn names_kinds_and_behavior() {
        let sql = "DROP INDEX CONCURRENTLY IF EXISTS a.i, \"J\"";
        let Body::Drop(drop) = read(sql) else { panic!() };
        assert_eq!(
            (drop.kind, drop.concurrently, drop.if_exists, drop.cascade),
            (ObjectKind::Index, true, true, false)
        );
        assert_eq!(drop.kind_span.of(sql), "INDEX");
        assert_eq!(drop.names[1].span.of(sql), "\"J\"");
        let Body::Drop(drop) = read("DROP TRIGGER IF EXISTS x ON s.t CASCADE") else { panic!() };
        assert_eq!(drop.names[0].on_table.as_ref().unwrap().to_string(), "s.t");
        let Body::Drop(drop) = read("DROP FUNCTION f, g(), h(a int, OUT text, VARIADIC b text[])") else {
            panic!()
        };
        let counts: Vec<_> = drop.names.iter().map(|n| n.arguments.as_ref().map(Vec::len)).collect();
        assert_eq!(counts, [None, Some(0), Some(2)]);
    }

    #[test]
    fn every_kind() {
        all_read(&[
            "DROP TABLE a, b RESTRICT",
            "DROP ACCESS METHOD IF EXISTS a",
            "DROP AGGREGATE a(*), b(int ORDER BY text)",
            "DROP CAST IF EXISTS (text AS int) CASCADE",
            "DROP COLLATION a",
            "DROP CONVERSION a",
            "DROP DATABASE IF EXISTS a WITH (FORCE)",
            "DROP DOMAIN a, b CASCADE",
            "DROP EVENT TRIGGER a",
            "DROP EXTENSION IF EXISTS \"uuid-ossp\", b CASCADE",
            "DROP FOREIGN DATA WRAPPER a",
            "DROP FOREIGN TABLE a",
            "DROP GROUP a",
            "DROP PROCEDURAL LANGUAGE a",
            "DROP MATERIALIZED VIEW a",
            "DROP OPERATOR s.+ (int, NONE), = (a, b)",
            "DROP OPERATOR CLASS a USING btree",
            "DROP OPERATOR FAMILY a USING btree CASCADE",
            "DROP OWNED BY a, CURRENT_USER CASCADE",
            "DROP POLICY p ON t",
            "DROP PROCEDURE p(INOUT int)",
            "DROP PUBLICATION a, b",
            "DROP ROLE IF EXISTS a, b",
            "DROP ROUTINE r",
            "DROP RULE r ON t",
            "DROP SCHEMA a, b CASCADE",
            "DROP SEQUENCE a",
            "DROP SERVER a",
            "DROP STATISTICS s.a",
            "DROP SUBSCRIPTION a",
            "DROP TABLESPACE a",
            "DROP TEXT SEARCH CONFIGURATION a",
            "DROP TEXT SEARCH TEMPLATE a",
            "DROP TRANSFORM FOR int LANGUAGE sql",
            "DROP TYPE a, b",
            "DROP USER a",
            "DROP USER MAPPING IF EXISTS FOR PUBLIC SERVER s",
            "DROP VIEW a",
        ]);
        all_refused(&[
            "DROP TRIGGER x",
            "DROP TABLE CONCURRENTLY t",
            "DROP OPERATOR + (int)",
            "DROP ROLE a CASCADE",
        ]);
    }
}
