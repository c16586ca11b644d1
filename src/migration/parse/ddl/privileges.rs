//! GRANT, REVOKE, ALTER DEFAULT PRIVILEGES.

use compact_str::CompactString;

use super::behavior;
use super::object::{address, role, roles};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::lex::TokenKind;
use crate::migration::statement::{Body, Grant, Ident, Name, ObjectKind};

fn empty(revoke: bool) -> Grant {
    Grant {
        revoke,
        default_privileges: false,
        roles: false,
        privileges: Vec::new(),
        kind: None,
        all_in_schema: false,
        objects: Vec::new(),
        grantees: Vec::new(),
        cascade: false,
    }
}

/// GRANT.
pub fn grant(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("grant")?;
    let mut grant = empty(false);
    grant.privileges = privileges(c)?;
    if c.eat("on") {
        target(c, &mut grant)?;
        c.expect("to")?;
        grant.grantees = grantees(c)?;
        c.eat_seq(&["with", "grant", "option"]);
    } else {
        grant.roles = true;
        c.expect("to")?;
        grant.grantees = roles(c)?;
        if c.eat("with") {
            c.list(role_option)?;
        }
    }
    granted_by(c)?;
    Ok(Body::Grant(Box::new(grant)))
}

/// REVOKE.
pub fn revoke(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("revoke")?;
    let mut grant = empty(true);
    let option = ["grant", "admin", "inherit", "set"].iter().any(|word| c.eat_seq(&[word, "option", "for"]));
    let before = *c;
    grant.privileges = privileges(c)?;
    if c.eat("on") {
        target(c, &mut grant)?;
        c.expect("from")?;
        grant.grantees = grantees(c)?;
    } else {
        if !option && before.is("all") {
            return Err(c.expected("`ON`"));
        }
        grant.roles = true;
        c.expect("from")?;
        grant.grantees = roles(c)?;
    }
    granted_by(c)?;
    grant.cascade = behavior(c);
    Ok(Body::Grant(Box::new(grant)))
}

/// `[GRANTED BY role]`.
fn granted_by(c: &mut Cursor<'_>) -> Parsed<()> {
    if c.eat_seq(&["granted", "by"]) {
        role(c)?;
    }
    Ok(())
}

/// `ADMIN OPTION`, `INHERIT TRUE` … of a granted role.
fn role_option(c: &mut Cursor<'_>) -> Parsed<()> {
    c.label("ADMIN, INHERIT or SET")?;
    if c.eat_any(&["option", "true", "false"]).is_none() {
        return Err(c.expected("OPTION, TRUE or FALSE"));
    }
    Ok(())
}

/// Privileges, or roles: folded words, `all` for ALL [PRIVILEGES].
fn privileges(c: &mut Cursor<'_>) -> Parsed<Vec<CompactString>> {
    if c.eat("all") {
        c.eat("privileges");
        columns(c)?;
        return Ok(vec!["all".into()]);
    }
    c.list(|c| {
        if c.eat_seq(&["alter", "system"]) {
            return Ok("alter system".into());
        }
        let privilege = if c.is_any(&["select", "references", "create"]) {
            c.label("a privilege")?
        } else {
            c.ident("a privilege or role")?
        };
        columns(c)?;
        Ok(privilege.value)
    })
}

fn columns(c: &mut Cursor<'_>) -> Parsed<()> {
    if c.at(TokenKind::LeftParen) {
        c.paren_list(|c| c.ident("a column"))?;
    }
    Ok(())
}

/// `privilege_target` into `grant`.
fn target(c: &mut Cursor<'_>, grant: &mut Grant) -> Parsed<()> {
    static ALL: [(&str, ObjectKind); 5] = [
        ("tables", ObjectKind::Table),
        ("sequences", ObjectKind::Sequence),
        ("functions", ObjectKind::Function),
        ("procedures", ObjectKind::Procedure),
        ("routines", ObjectKind::Routine),
    ];
    for (plural, kind) in ALL {
        if c.eat_seq(&["all", plural, "in", "schema"]) {
            grant.kind = Some(kind);
            grant.all_in_schema = true;
            grant.objects = c.list(|c| Ok(Name { schema: None, name: c.ident("a schema")? }))?;
            return Ok(());
        }
    }
    static KINDS: [(&[&str], ObjectKind); 15] = [
        (&["table"], ObjectKind::Table),
        (&["sequence"], ObjectKind::Sequence),
        (&["foreign", "data", "wrapper"], ObjectKind::ForeignDataWrapper),
        (&["foreign", "server"], ObjectKind::Server),
        (&["function"], ObjectKind::Function),
        (&["procedure"], ObjectKind::Procedure),
        (&["routine"], ObjectKind::Routine),
        (&["database"], ObjectKind::Database),
        (&["domain"], ObjectKind::Domain),
        (&["language"], ObjectKind::Language),
        (&["large", "object"], ObjectKind::LargeObject),
        (&["parameter"], ObjectKind::Parameter),
        (&["schema"], ObjectKind::Schema),
        (&["tablespace"], ObjectKind::Tablespace),
        (&["type"], ObjectKind::Type),
    ];
    // A table may be called like one of the words that aren't reserved.
    let ends = |words: &[&str]| {
        let next = words.len();
        c.is_nth(next, "to")
            || c.is_nth(next, "from")
            || c.nth(next).is_none_or(|t| matches!(t.kind, TokenKind::Comma | TokenKind::Dot))
    };
    let kind = KINDS.iter().find(|(words, _)| c.is_seq(words) && !ends(words));
    let kind = match kind {
        Some((words, kind)) => {
            words.iter().for_each(|_| {
                c.bump();
            });
            *kind
        }
        None => ObjectKind::Table,
    };
    grant.kind = Some(kind);
    grant.objects = c.list(|c| match kind {
        // Types are named without modifiers here, as tables are.
        ObjectKind::Type | ObjectKind::Domain => c.name("a type"),
        kind => address(c, kind).map(|address| address.name),
    })?;
    Ok(())
}

/// `grantee_list`: roles, each maybe after GROUP.
fn grantees(c: &mut Cursor<'_>) -> Parsed<Vec<Ident>> {
    c.list(|c| {
        c.eat("group");
        role(c)
    })
}

/// ALTER DEFAULT PRIVILEGES, from DEFAULT on.
pub fn alter_default_privileges(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect_seq(&["default", "privileges"])?;
    loop {
        if c.eat_seq(&["in", "schema"]) {
            c.list(|c| c.ident("a schema"))?;
        } else if c.eat_seq(&["for", "role"]) || c.eat_seq(&["for", "user"]) {
            roles(c)?;
        } else {
            break;
        }
    }
    let revoke = c.eat("revoke");
    if revoke {
        c.eat_seq(&["grant", "option", "for"]);
    } else {
        c.expect("grant")?;
    }
    let mut grant = empty(revoke);
    grant.default_privileges = true;
    grant.privileges = privileges(c)?;
    c.expect("on")?;
    grant.kind = Some(default_target(c)?);
    c.expect(if revoke { "from" } else { "to" })?;
    grant.grantees = grantees(c)?;
    if revoke {
        grant.cascade = behavior(c);
    } else {
        c.eat_seq(&["with", "grant", "option"]);
    }
    Ok(Body::Grant(Box::new(grant)))
}

/// `defacl_privilege_target`.
fn default_target(c: &mut Cursor<'_>) -> Parsed<ObjectKind> {
    if c.eat_seq(&["large", "objects"]) {
        return Ok(ObjectKind::LargeObject);
    }
    Ok(match c.eat_any(&["tables", "functions", "routines", "sequences", "types", "schemas"]) {
        Some("tables") => ObjectKind::Table,
        Some("functions") => ObjectKind::Function,
        Some("routines") => ObjectKind::Routine,
        Some("sequences") => ObjectKind::Sequence,
        Some("types") => ObjectKind::Type,
        Some(_) => ObjectKind::Schema,
        None => return Err(c.expected("a kind of object")),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_read, all_refused, read};
    use crate::migration::statement::{Body, ObjectKind};

    #[test]
    fn grants() {
        let Body::Grant(grant) = read(
            "GRANT SELECT (a, b), UPDATE ON t, s.u TO x, GROUP y, PUBLIC WITH GRANT OPTION GRANTED BY z",
        ) else {
            panic!()
        };
        assert_eq!((grant.privileges.len(), grant.objects.len(), grant.grantees.len()), (2, 2, 3));
        assert_eq!(grant.kind, Some(ObjectKind::Table));
        let Body::Grant(grant) = read("REVOKE ALL PRIVILEGES ON ALL TABLES IN SCHEMA a, b FROM c CASCADE")
        else {
            panic!()
        };
        assert!(grant.revoke && grant.all_in_schema && grant.cascade);
        let Body::Grant(grant) = read("GRANT a, b TO c WITH ADMIN OPTION") else { panic!() };
        assert!(grant.roles);
        all_read(&[
            "GRANT EXECUTE ON FUNCTION f(int), g TO x",
            "GRANT USAGE ON FOREIGN DATA WRAPPER w TO x",
            "GRANT USAGE ON FOREIGN SERVER w TO x",
            "GRANT CREATE ON SCHEMA a, b TO x",
            "GRANT SET, ALTER SYSTEM ON PARAMETER a.b, c TO x",
            "GRANT SELECT ON LARGE OBJECT 1, 2 TO x",
            "GRANT SELECT ON parameter, type TO x",
            "GRANT a TO b WITH INHERIT TRUE, SET FALSE GRANTED BY CURRENT_USER",
            "REVOKE INHERIT OPTION FOR a FROM b RESTRICT",
            "ALTER DEFAULT PRIVILEGES FOR ROLE a IN SCHEMA b GRANT SELECT ON TABLES TO c WITH GRANT OPTION",
            "ALTER DEFAULT PRIVILEGES REVOKE GRANT OPTION FOR EXECUTE ON FUNCTIONS FROM PUBLIC CASCADE",
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON LARGE OBJECTS TO x",
        ]);
        all_refused(&["GRANT SELECT ON t", "GRANT ALL TO x WITH", "REVOKE SELECT ON t TO x"]);
    }
}
