//! Rewrite rules.

use super::Head;
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::expression::expr;
use crate::migration::parse::lex::TokenKind;
use crate::migration::parse::query::query;
use crate::migration::statement::{Body, RelationUse};

/// CREATE RULE, from RULE on.
pub fn create_rule(c: &mut Cursor<'_>, head: Head) -> Parsed<Body> {
    c.expect("rule")?;
    let name = c.ident("a rule name")?;
    c.expect_seq(&["as", "on"])?;
    if c.eat_any(&["select", "insert", "update", "delete"]).is_none() {
        return Err(c.expected("SELECT, INSERT, UPDATE or DELETE"));
    }
    c.expect("to")?;
    let table = c.name("a table")?;
    let mut uses = Vec::new();
    if c.eat("where") {
        uses.extend(expr(c)?.uses);
    }
    c.expect("do")?;
    c.eat_any(&["instead", "also"]);
    if c.eat("nothing") {
    } else if at_block(c) {
        c.open()?;
        while !c.at(TokenKind::RightParen) {
            if !c.eat_kind(TokenKind::Semicolon) {
                action(c, &mut uses)?;
                if !c.at(TokenKind::RightParen) {
                    c.expect_kind(TokenKind::Semicolon, "`;`")?;
                }
            }
        }
        c.close()?;
    } else {
        action(c, &mut uses)?;
    }
    Ok(Body::CreateRule { name, table, replace: head.replace, uses })
}

/// Whether `( action; … )` stands here. A query in parentheses alone reads the same either way, unless
/// something follows its parenthesis.
fn at_block(c: &Cursor<'_>) -> bool {
    if !c.at(TokenKind::LeftParen) {
        return false;
    }
    let mut probe = *c;
    probe.skip_parens().is_ok() && probe.is_done()
}

fn action(c: &mut Cursor<'_>, uses: &mut Vec<RelationUse>) -> Parsed<()> {
    if c.eat("notify") {
        c.ident("a channel")?;
        if c.comma() {
            c.string("a payload")?;
        }
        return Ok(());
    }
    uses.extend(query(c)?.uses);
    Ok(())
}
