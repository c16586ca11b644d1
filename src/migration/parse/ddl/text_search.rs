//! Text search configurations, dictionaries, parsers and templates.

use super::object::{address, object_kind};
use super::options::definition;
use super::{Head, other};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::statement::{Body, Name, ObjectKind};

/// CREATE TEXT SEARCH, from TEXT on.
pub fn create_text_search(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    let kind = object_kind(c)?;
    let name = address(c, kind)?.name;
    definition(c)?;
    Ok(other(
        match kind {
            ObjectKind::TextSearchConfiguration => "CREATE TEXT SEARCH CONFIGURATION",
            ObjectKind::TextSearchDictionary => "CREATE TEXT SEARCH DICTIONARY",
            ObjectKind::TextSearchParser => "CREATE TEXT SEARCH PARSER",
            _ => "CREATE TEXT SEARCH TEMPLATE",
        },
        Some(name),
    ))
}

/// ALTER TEXT SEARCH CONFIGURATION or DICTIONARY, from behind the name on.
pub fn alter_text_search(c: &mut Cursor<'_>, kind: ObjectKind, name: Name) -> Parsed<Body> {
    if kind == ObjectKind::TextSearchDictionary {
        definition(c)?;
        return Ok(other("ALTER TEXT SEARCH DICTIONARY", Some(name)));
    }
    if c.eat_seq(&["drop", "mapping"]) {
        c.if_exists();
        token_types(c)?;
    } else if c.eat_seq(&["add", "mapping"]) {
        token_types(c)?;
        c.expect("with")?;
        c.list(|c| c.name("a dictionary"))?;
    } else {
        c.expect_seq(&["alter", "mapping"])?;
        if c.is("for") {
            token_types(c)?;
        }
        if c.eat("replace") {
            c.name("a dictionary")?;
            c.expect("with")?;
            c.name("a dictionary")?;
        } else {
            c.expect("with")?;
            c.list(|c| c.name("a dictionary"))?;
        }
    }
    Ok(other("ALTER TEXT SEARCH CONFIGURATION", Some(name)))
}

/// `FOR token type, …`.
fn token_types(c: &mut Cursor<'_>) -> Parsed<()> {
    c.expect("for")?;
    c.list(|c| c.ident("a token type")).map(|_| ())
}
