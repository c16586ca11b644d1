//! ALTER of every kind of object: RENAME, SET SCHEMA, OWNER TO and DEPENDS ON EXTENSION here, what is
//! special to a kind in that kind's file.

use super::object::{address, object_kind, role, role_name};
use super::options::{definition, option_list};
use super::{alter_table, database, extension, foreign, operator, policy, replication, role as roles};
use super::{routine, text_search, types};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::statement::{AlterObject, Body, DropName, ObjectChange, ObjectKind};

/// ALTER, from the kind of object on.
pub fn alter(c: &mut Cursor<'_>) -> Parsed<Body> {
    use ObjectKind::*;
    let before = *c;
    let kind = object_kind(c)?;
    match kind {
        Table | ForeignTable | View | MaterializedView | Index | Sequence => {
            return alter_table::alter(c, kind);
        }
        Type => return types::alter_type(c),
        Domain => return types::alter_domain(c),
        Policy => return policy::alter_policy(c),
        Role | User | Group if c.is("all") => return roles::alter_all(c),
        UserMapping => return foreign::alter_user_mapping(c),
        Column | Attribute | Constraint | DomainConstraint | Cast | Transform | AccessMethod => {
            return Err(before.expected("a kind of object that can be altered"));
        }
        _ => {}
    }
    // Only these may be named with IF EXISTS (and those read above).
    let if_exists = kind == Statistics && c.if_exists();
    let target = address(c, kind)?;
    match change(c, kind)? {
        Some(change) => Ok(changed(kind, target, if_exists, change)),
        None => special(c, kind, target, if_exists),
    }
}

fn changed(kind: ObjectKind, target: DropName, if_exists: bool, change: ObjectChange) -> Body {
    Body::AlterObject(Box::new(AlterObject {
        kind,
        name: target.name,
        on_table: target.on_table,
        arguments: target.arguments,
        if_exists,
        change,
    }))
}

/// The changes that many kinds share; `None` where none of them begins here.
fn change(c: &mut Cursor<'_>, kind: ObjectKind) -> Parsed<Option<ObjectChange>> {
    use ObjectKind::*;
    let routine = matches!(kind, Function | Procedure | Routine);
    let change = if kind != LargeObject && kind != Operator && c.eat_seq(&["rename", "to"]) {
        let role = matches!(kind, ObjectKind::Role | ObjectKind::User | ObjectKind::Group);
        ObjectChange::RenameTo(if role { role_name(c)? } else { c.ident("a name")? })
    } else if c.eat_seq(&["set", "schema"]) {
        ObjectChange::SetSchema(c.ident("a schema")?)
    } else if c.eat_seq(&["owner", "to"]) {
        ObjectChange::OwnerTo(role(c)?)
    } else if (routine || kind == Trigger) && (c.is("depends") || c.is_seq(&["no", "depends"])) {
        depends_on_extension(c)?;
        ObjectChange::Harmless
    } else {
        return Ok(None);
    };
    Ok(Some(change))
}

/// What only one kind knows.
fn special(c: &mut Cursor<'_>, kind: ObjectKind, target: DropName, if_exists: bool) -> Parsed<Body> {
    use ObjectKind::*;
    match kind {
        Function | Procedure | Routine => return routine::alter_routine(c, kind, target),
        Extension => return extension::alter_extension(c, target.name.name),
        Publication => return replication::alter_publication(c, target.name.name),
        Subscription => return replication::alter_subscription(c, target.name.name),
        Database => return database::alter_database(c, target.name.name),
        Role | User | Group => return roles::alter_role(c, kind, target.name.name),
        ForeignDataWrapper => return foreign::alter_wrapper(c, target.name),
        Server => return foreign::alter_server(c, target.name),
        OperatorFamily => return operator::alter_operator_family(c, target.name),
        TextSearchConfiguration | TextSearchDictionary => {
            return text_search::alter_text_search(c, kind, target.name);
        }
        Tablespace if c.eat("set") || c.eat("reset") => {
            option_list(c)?;
        }
        Operator if c.eat("set") => {
            definition(c)?;
        }
        Statistics => {
            c.expect_seq(&["set", "statistics"])?;
            if !c.eat("default") {
                c.integer("a statistics target")?;
            }
        }
        Collation => c.expect_seq(&["refresh", "version"])?,
        EventTrigger => {
            if c.eat("enable") {
                c.eat_any(&["replica", "always"]);
            } else {
                c.expect("disable")?;
            }
        }
        _ => return Err(c.expected("what to alter")),
    }
    Ok(changed(kind, target, if_exists, ObjectChange::Harmless))
}

/// `[NO] DEPENDS ON EXTENSION name`.
pub fn depends_on_extension(c: &mut Cursor<'_>) -> Parsed<()> {
    c.eat("no");
    c.expect_seq(&["depends", "on", "extension"])?;
    c.ident("an extension").map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_read, all_refused, read};
    use crate::migration::statement::{Body, ObjectChange, ObjectKind};

    #[test]
    fn every_kind() {
        let Body::AlterObject(o) = read("ALTER AGGREGATE s.a(int) OWNER TO me") else { panic!() };
        assert_eq!((o.kind, o.name.to_string()), (ObjectKind::Aggregate, "s.a".into()));
        assert!(matches!(o.change, ObjectChange::OwnerTo(role) if role == "me"));
        all_read(&[
            "ALTER COLLATION c REFRESH VERSION",
            "ALTER CONVERSION c SET SCHEMA s",
            "ALTER DATABASE d SET work_mem = '4MB'",
            "ALTER DATABASE d SET TABLESPACE t",
            "ALTER DATABASE d WITH CONNECTION LIMIT 5 IS_TEMPLATE = true",
            "ALTER DATABASE d REFRESH COLLATION VERSION",
            "ALTER EXTENSION e UPDATE TO '2'",
            "ALTER EXTENSION e ADD FUNCTION f(int)",
            "ALTER EXTENSION e SET SCHEMA s",
            "ALTER FOREIGN DATA WRAPPER w NO HANDLER VALIDATOR v OPTIONS (DROP a)",
            "ALTER GROUP g ADD USER a, b",
            "ALTER LANGUAGE l RENAME TO m",
            "ALTER LARGE OBJECT 5 OWNER TO me",
            "ALTER OPERATOR + (int, int) SET (restrict = NONE)",
            "ALTER OPERATOR CLASS c USING btree RENAME TO d",
            "ALTER OPERATOR FAMILY f USING btree ADD OPERATOR 1 < (int, int), FUNCTION 1 (int) g(int, int)",
            "ALTER OPERATOR FAMILY f USING btree DROP FUNCTION 1 (int, int)",
            "ALTER POLICY p ON t RENAME TO q",
            "ALTER POLICY p ON t TO x USING (true) WITH CHECK (false)",
            "ALTER PUBLICATION p ADD TABLE a (b, c) WHERE (b > 1), TABLES IN SCHEMA s, CURRENT_SCHEMA",
            "ALTER PUBLICATION p SET (publish = 'insert')",
            "ALTER ROLE r WITH NOLOGIN PASSWORD 'x' VALID UNTIL 'infinity'",
            "ALTER ROLE ALL IN DATABASE d RESET ALL",
            "ALTER USER u SET search_path TO a, \"$user\"",
            "ALTER SCHEMA s RENAME TO t",
            "ALTER SERVER s VERSION '2' OPTIONS (ADD a 'b')",
            "ALTER STATISTICS IF EXISTS s SET STATISTICS 5",
            "ALTER SUBSCRIPTION s REFRESH PUBLICATION WITH (copy_data = false)",
            "ALTER SUBSCRIPTION s SKIP (lsn = '0/12345')",
            "ALTER SYSTEM SET work_mem TO '4MB'",
            "ALTER SYSTEM RESET ALL",
            "ALTER TABLESPACE t SET (random_page_cost = 1.1)",
            "ALTER TEXT SEARCH CONFIGURATION c ALTER MAPPING FOR a, b REPLACE d WITH e",
            "ALTER TEXT SEARCH DICTIONARY d (stopwords = x, y)",
            "ALTER USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (SET a 'b')",
        ]);
        all_refused(&[
            "ALTER SCHEMA s",
            "ALTER CAST (a AS b) OWNER TO me",
            "ALTER SCHEMA s RENAME TO",
            "ALTER LANGUAGE l BOGUS",
        ]);
    }
}
