//! Databases, tablespaces, and the settings of the whole server.

use super::Head;
use super::object::role;
use super::options::{numeric, with_options};
use super::setting::{generic_set, reset, set_clause, word_or_string};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::lex::TokenKind;
use crate::migration::statement::{Body, Ident};

/// CREATE DATABASE, from DATABASE on.
pub fn create_database(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect("database")?;
    let name = c.ident("a database name")?;
    c.eat("with");
    while !c.is_done() {
        database_option(c)?;
    }
    Ok(Body::CreateDatabase { name })
}

/// `name [=] value` (`createdb_opt_item`).
fn database_option(c: &mut Cursor<'_>) -> Parsed<()> {
    // The grammar lets any word pass that isn't a keyword; the server knows only these.
    static OPTIONS: [&str; 18] = [
        "allow_connections",
        "builtin_locale",
        "collation_version",
        "connection_limit",
        "encoding",
        "icu_locale",
        "icu_rules",
        "is_template",
        "lc_collate",
        "lc_ctype",
        "locale",
        "locale_provider",
        "location",
        "oid",
        "owner",
        "strategy",
        "tablespace",
        "template",
    ];
    if !c.eat_seq(&["connection", "limit"]) && c.eat_any(&OPTIONS).is_none() {
        return Err(c.expected("a database option"));
    }
    c.eat_operator("=");
    if c.at(TokenKind::Number) || c.is_operator("-") || c.is_operator("+") {
        return numeric(c).map(|_| ());
    }
    if c.eat_any(&["default", "true", "false", "on"]).is_some() {
        return Ok(());
    }
    word_or_string(c)
}

/// ALTER DATABASE, from behind the name on.
pub fn alter_database(c: &mut Cursor<'_>, name: Ident) -> Parsed<Body> {
    if c.eat_seq(&["refresh", "collation", "version"]) {
        return Ok(Body::AlterDatabase { name, setting: None, set_tablespace: false });
    }
    if c.is_seq(&["set", "tablespace"]) && !c.is_nth(2, "to") {
        c.bump();
        c.bump();
        c.ident("a tablespace")?;
        return Ok(Body::AlterDatabase { name, setting: None, set_tablespace: true });
    }
    if c.is("set") || c.is("reset") {
        let setting = set_clause(c)?;
        return Ok(Body::AlterDatabase { name, setting, set_tablespace: false });
    }
    c.eat("with");
    while !c.is_done() {
        database_option(c)?;
    }
    Ok(Body::AlterDatabase { name, setting: None, set_tablespace: false })
}

/// CREATE TABLESPACE, from TABLESPACE on.
pub fn create_tablespace(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect("tablespace")?;
    let name = c.ident("a tablespace name")?;
    if c.eat("owner") {
        role(c)?;
    }
    c.expect("location")?;
    c.string("a directory")?;
    with_options(c)?;
    Ok(Body::CreateTablespace { name })
}

/// ALTER SYSTEM, from SYSTEM on.
pub fn alter_system(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect("system")?;
    if c.eat("reset") {
        return Ok(Body::AlterSystem { setting: reset(c)? });
    }
    c.expect("set")?;
    Ok(Body::AlterSystem { setting: Some(generic_set(c)?) })
}
