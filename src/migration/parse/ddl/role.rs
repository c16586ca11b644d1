//! Roles and what they own.

use super::Head;
use super::object::{role, role_name, roles};
use super::setting::set_clause;
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::statement::{Body, Ident, ObjectKind};

/// CREATE ROLE, USER, GROUP, from that word on.
pub fn create_role(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    if c.eat_any(&["role", "user", "group"]).is_none() {
        return Err(c.expected("ROLE, USER or GROUP"));
    }
    let name = role_name(c)?;
    c.eat("with");
    while !c.is_done() {
        if c.eat_any(&["admin", "role"]).is_some()
            || c.eat_seq(&["in", "role"])
            || c.eat_seq(&["in", "group"])
        {
            roles(c)?;
        } else if c.eat("sysid") {
            c.integer("a whole number")?;
        } else {
            attribute(c)?;
        }
    }
    Ok(Body::CreateRole { name })
}

/// `AlterOptRoleElem`: whether it is the password.
fn attribute(c: &mut Cursor<'_>) -> Parsed<bool> {
    static FLAGS: [&str; 15] = [
        "superuser",
        "nosuperuser",
        "createdb",
        "nocreatedb",
        "createrole",
        "nocreaterole",
        "login",
        "nologin",
        "replication",
        "noreplication",
        "bypassrls",
        "nobypassrls",
        "inherit",
        "noinherit",
        "createuser",
    ];
    if c.eat_any(&FLAGS).is_some() {
        return Ok(false);
    }
    if c.is("password") || c.is_seq(&["encrypted", "password"]) || c.is_seq(&["unencrypted", "password"]) {
        let encrypted = !c.eat("password");
        if encrypted {
            c.bump();
            c.bump();
        }
        if encrypted || !c.eat("null") {
            c.string("a password")?;
        }
        return Ok(true);
    }
    if c.eat_seq(&["connection", "limit"]) {
        c.integer("a whole number")?;
    } else if c.eat_seq(&["valid", "until"]) {
        c.string("a time stamp")?;
    } else if c.eat("user") {
        roles(c)?;
    } else {
        return Err(c.expected("a role attribute"));
    }
    Ok(false)
}

/// ALTER ROLE ALL, from ALL on.
pub fn alter_all(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("all")?;
    let setting = role_setting(c)?;
    Ok(Body::AlterRole { name: None, setting, password: false })
}

/// `[IN DATABASE name] SET …`.
fn role_setting(c: &mut Cursor<'_>) -> Parsed<Option<compact_str::CompactString>> {
    if c.eat_seq(&["in", "database"]) {
        c.ident("a database")?;
    }
    set_clause(c)
}

/// ALTER ROLE, USER, GROUP, from behind the name on.
pub fn alter_role(c: &mut Cursor<'_>, kind: ObjectKind, name: Ident) -> Parsed<Body> {
    if kind == ObjectKind::Group {
        if c.eat_any(&["add", "drop"]).is_none() {
            return Err(c.expected("ADD, DROP or RENAME"));
        }
        c.expect("user")?;
        roles(c)?;
        return Ok(Body::AlterRole { name: Some(name), setting: None, password: false });
    }
    if c.is_any(&["set", "reset"]) || c.is_seq(&["in", "database"]) {
        let setting = role_setting(c)?;
        return Ok(Body::AlterRole { name: Some(name), setting, password: false });
    }
    c.eat("with");
    let mut password = false;
    while !c.is_done() {
        password |= attribute(c)?;
    }
    Ok(Body::AlterRole { name: Some(name), setting: None, password })
}

/// REASSIGN OWNED.
pub fn reassign_owned(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect_seq(&["reassign", "owned", "by"])?;
    let roles = roles(c)?;
    c.expect("to")?;
    role(c)?;
    Ok(Body::ReassignOwned { roles })
}
