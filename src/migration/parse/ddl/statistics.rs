//! Extended statistics.

use super::index::key_expression;
use super::{Head, relation};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::lex::TokenKind;
use crate::migration::statement::Body;

/// CREATE STATISTICS, from STATISTICS on.
pub fn create_statistics(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect("statistics")?;
    let if_not_exists = c.if_not_exists();
    let unnamed = !if_not_exists && (c.is("on") || c.at(TokenKind::LeftParen));
    let name = if unnamed { None } else { Some(c.name("a statistics name")?) };
    if c.at(TokenKind::LeftParen) {
        c.paren_list(|c| c.ident("a kind of statistics"))?;
    }
    c.expect("on")?;
    let keys = c.list(key_expression)?;
    c.expect("from")?;
    let (table, _) = relation(c, "a table")?;
    if c.eat("as") || c.at_ident() {
        c.ident("an alias")?;
    }
    Ok(Body::CreateStatistics { name, if_not_exists, table, keys })
}
