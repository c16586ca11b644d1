//! Rewrite rules.

use super::Head;
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::expression::expr;
use crate::migration::parse::lex::TokenKind;
use crate::migration::parse::query::query;
use crate::migration::statement::{Access, Body, RuleDefinition};

/// CREATE RULE, from RULE on.
pub fn create_rule(c: &mut Cursor<'_>, head: Head) -> Parsed<Body> {
    c.expect("rule")?;
    let name = c.ident("a rule name")?;
    c.expect_seq(&["as", "on"])?;
    let event = match c.eat_any(&["select", "insert", "update", "delete"]) {
        Some("insert") => Some(Access::Insert),
        Some("update") => Some(Access::Update),
        Some("delete") => Some(Access::Delete),
        Some(_) => None,
        None => return Err(c.expected("SELECT, INSERT, UPDATE or DELETE")),
    };
    c.expect("to")?;
    let table = c.name("a table")?;
    let mut rule = RuleDefinition { event, ..RuleDefinition::default() };
    let conditional = c.eat("where");
    if conditional {
        rule.uses.extend(expr(c)?.uses);
    }
    c.expect("do")?;
    rule.instead = c.eat_any(&["instead", "also"]) == Some("instead") && !conditional;
    if c.eat("nothing") {
    } else if at_block(c) {
        c.open()?;
        while !c.at(TokenKind::RightParen) {
            if !c.eat_kind(TokenKind::Semicolon) {
                action(c, &mut rule)?;
                if !c.at(TokenKind::RightParen) {
                    c.expect_kind(TokenKind::Semicolon, "`;`")?;
                }
            }
        }
        c.close()?;
    } else {
        action(c, &mut rule)?;
    }
    Ok(Body::CreateRule { name, table, replace: head.replace, rule })
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

fn action(c: &mut Cursor<'_>, rule: &mut RuleDefinition) -> Parsed<()> {
    if c.eat("notify") {
        c.ident("a channel")?;
        if c.comma() {
            c.string("a payload")?;
        }
        return Ok(());
    }
    let query = query(c)?;
    rule.uses.extend(query.uses);
    rule.changes.extend(query.changes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_read, all_refused, read};
    use crate::migration::statement::{Access, Body};

    #[test]
    fn rules() {
        let Body::CreateRule { rule, replace: true, .. } = read(
            "CREATE OR REPLACE RULE r AS ON UPDATE TO v WHERE OLD.a > 1 DO INSTEAD (INSERT INTO a VALUES (1); NOTIFY x; DELETE FROM b)",
        ) else {
            panic!()
        };
        assert_eq!((rule.event, rule.instead, rule.changes.len()), (Some(Access::Update), false, 2));
        assert_eq!(rule.uses.iter().map(|u| u.name.to_string()).collect::<Vec<_>>(), ["a", "b"]);
        all_read(&[
            "CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",
            "CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO u SELECT NEW.*",
            "CREATE RULE \"_RETURN\" AS ON SELECT TO t DO INSTEAD SELECT * FROM u",
            "ALTER RULE r ON t RENAME TO s",
        ]);
        all_refused(&["CREATE RULE r AS ON TRUNCATE TO t DO NOTHING", "CREATE RULE r AS ON DELETE TO t DO"]);
    }
}
