//! Foreign data: wrappers, servers, user mappings, foreign tables, IMPORT FOREIGN SCHEMA.

use super::create_table::{elements, inherits, partition_of};
use super::object::mapped_role;
use super::options::{alter_generic_options, generic_options};
use super::{Head, other, relation};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::statement::{Body, CreateTable, Name};

/// CREATE FOREIGN TABLE, from FOREIGN on.
pub fn create_foreign_table(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect_seq(&["foreign", "table"])?;
    let if_not_exists = c.if_not_exists();
    let name = c.name("a table name")?;
    let mut table = CreateTable { name, if_not_exists, foreign: true, ..CreateTable::default() };
    if c.eat_seq(&["partition", "of"]) {
        partition_of(c, &mut table)?;
    } else {
        elements(c, &mut table)?;
        inherits(c, &mut table)?;
    }
    c.expect("server")?;
    c.ident("a server")?;
    generic_options(c)?;
    Ok(Body::CreateTable(Box::new(table)))
}

/// CREATE FOREIGN DATA WRAPPER, from FOREIGN on.
pub fn create_wrapper(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect_seq(&["foreign", "data", "wrapper"])?;
    let name = c.ident("a wrapper name")?;
    handlers(c)?;
    generic_options(c)?;
    Ok(other("CREATE FOREIGN DATA WRAPPER", Some(Name { schema: None, name })))
}

/// ALTER FOREIGN DATA WRAPPER, from behind the name on.
pub fn alter_wrapper(c: &mut Cursor<'_>, name: Name) -> Parsed<Body> {
    let handlers = handlers(c)?;
    if !alter_generic_options(c)? && !handlers {
        return Err(c.expected("HANDLER, VALIDATOR or OPTIONS"));
    }
    Ok(other("ALTER FOREIGN DATA WRAPPER", Some(name)))
}

/// `fdw_options`: whether there was any.
fn handlers(c: &mut Cursor<'_>) -> Parsed<bool> {
    let mut any = false;
    loop {
        if c.eat("handler") || c.eat("validator") {
            c.name("a function")?;
        } else if !(c.eat_seq(&["no", "handler"]) || c.eat_seq(&["no", "validator"])) {
            return Ok(any);
        }
        any = true;
    }
}

/// CREATE SERVER, from SERVER on.
pub fn create_server(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect("server")?;
    c.if_not_exists();
    let name = c.ident("a server name")?;
    if c.eat("type") {
        c.string("a server type")?;
    }
    version(c)?;
    c.expect_seq(&["foreign", "data", "wrapper"])?;
    c.ident("a wrapper")?;
    generic_options(c)?;
    Ok(other("CREATE SERVER", Some(Name { schema: None, name })))
}

/// ALTER SERVER, from behind the name on.
pub fn alter_server(c: &mut Cursor<'_>, name: Name) -> Parsed<Body> {
    let version = version(c)?;
    if !alter_generic_options(c)? && !version {
        return Err(c.expected("VERSION or OPTIONS"));
    }
    Ok(other("ALTER SERVER", Some(name)))
}

/// `VERSION {'text' | NULL}`, or nothing. Whether there was one.
fn version(c: &mut Cursor<'_>) -> Parsed<bool> {
    if !c.eat("version") {
        return Ok(false);
    }
    if !c.eat("null") {
        c.string("a version")?;
    }
    Ok(true)
}

/// CREATE USER MAPPING, from USER on.
pub fn create_user_mapping(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect_seq(&["user", "mapping"])?;
    c.if_not_exists();
    let server = mapping(c)?;
    generic_options(c)?;
    Ok(other("CREATE USER MAPPING", Some(server)))
}

/// ALTER USER MAPPING, from behind MAPPING on.
pub fn alter_user_mapping(c: &mut Cursor<'_>) -> Parsed<Body> {
    let server = mapping(c)?;
    if !alter_generic_options(c)? {
        return Err(c.expected("OPTIONS"));
    }
    Ok(other("ALTER USER MAPPING", Some(server)))
}

/// `FOR role SERVER name`: the server.
fn mapping(c: &mut Cursor<'_>) -> Parsed<Name> {
    c.expect("for")?;
    mapped_role(c)?;
    c.expect("server")?;
    Ok(Name { schema: None, name: c.ident("a server")? })
}

/// IMPORT FOREIGN SCHEMA.
pub fn import_foreign_schema(c: &mut Cursor<'_>) -> Parsed<Body> {
    c.expect_seq(&["import", "foreign", "schema"])?;
    c.ident("a remote schema")?;
    if c.eat_seq(&["limit", "to"]) || c.eat("except") {
        c.paren_list(|c| relation(c, "a table"))?;
    }
    c.expect_seq(&["from", "server"])?;
    c.ident("a server")?;
    c.expect("into")?;
    let schema = c.ident("a schema")?;
    generic_options(c)?;
    Ok(Body::ImportForeignSchema { schema })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_read, all_refused, read};
    use crate::migration::statement::Body;

    #[test]
    fn foreign_objects() {
        let sql = "CREATE FOREIGN TABLE IF NOT EXISTS f (a int OPTIONS (x 'y') NOT NULL) SERVER s OPTIONS (table 't')";
        assert!(matches!(read(sql), Body::CreateTable(t) if t.foreign && t.if_not_exists));
        all_read(&[
            "CREATE FOREIGN TABLE f PARTITION OF p FOR VALUES IN (1) SERVER s",
            "CREATE FOREIGN DATA WRAPPER w HANDLER a.h NO VALIDATOR OPTIONS (a 'b')",
            "CREATE SERVER IF NOT EXISTS s TYPE 'a' VERSION 'b' FOREIGN DATA WRAPPER w OPTIONS (host 'h')",
            "CREATE USER MAPPING IF NOT EXISTS FOR USER SERVER s OPTIONS (user 'x')",
            "IMPORT FOREIGN SCHEMA r LIMIT TO (a, b) FROM SERVER s INTO l OPTIONS (a 'b')",
        ]);
        all_refused(&["CREATE FOREIGN TABLE f (a int)", "CREATE SERVER s", "ALTER SERVER s"]);
    }
}
