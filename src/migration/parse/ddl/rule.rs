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

#[cfg(test)]
mod tests {
    use super::super::tests::{all_read, all_refused, read};
    use crate::migration::statement::Body;

    #[test]
    fn rules() {
        let Body::CreateRule { uses, replace: true, .. } = read(
            "CREATE OR REPLACE RULE r AS ON UPDATE TO v WHERE OLD.a > 1 DO INSTEAD (INSERT INTO a VALUES (1); NOTIFY x; DELETE FROM b)",
        ) else {
            panic!()
        };
        assert_eq!(uses.iter().map(|u| u.name.to_string()).collect::<Vec<_>>(), ["a", "b"]);
        all_read(&[
            "CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",
            "CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO u SELECT NEW.*",
            "CREATE RULE \"_RETURN\" AS ON SELECT TO t DO INSTEAD SELECT * FROM u",
            "ALTER RULE r ON t RENAME TO s",
        ]);
        all_refused(&["CREATE RULE r AS ON TRUNCATE TO t DO NOTHING", "CREATE RULE r AS ON DELETE TO t DO"]);
    }
}
