//! Publications and subscriptions.

use super::options::{definition, is_on, with_definition};
use super::{Head, relation};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::expression::expr;
use crate::migration::parse::lex::TokenKind;
use crate::migration::statement::{Body, Ident, Name, PublicationAction};

/// CREATE PUBLICATION, from PUBLICATION on.
pub fn create_publication(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect("publication")?;
    let name = c.ident("a publication name")?;
    let (mut all_tables, mut tables) = (false, Vec::new());
    if c.eat("for") {
        all_tables = c.eat_seq(&["all", "tables"]);
        if !all_tables {
            tables = objects(c)?;
        }
    }
    with_definition(c)?;
    Ok(Body::CreatePublication { name, all_tables, tables })
}

/// `pub_obj_list`: the tables of it. What a bare name is depends on what was named before it.
fn objects(c: &mut Cursor<'_>) -> Parsed<Vec<Name>> {
    let mut tables = Vec::new();
    let mut schemas = false;
    let mut first = true;
    c.list(|c| {
        if c.eat_seq(&["tables", "in", "schema"]) {
            schemas = true;
        } else if c.eat("table") {
            schemas = false;
        } else if first {
            return Err(c.expected("TABLE or TABLES IN SCHEMA"));
        }
        first = false;
        if schemas {
            if !c.eat("current_schema") {
                c.ident("a schema")?;
            }
            return Ok(());
        }
        tables.push(relation(c, "a table")?.0);
        if c.at(TokenKind::LeftParen) {
            c.paren_list(|c| c.ident("a column"))?;
        }
        if c.eat("where") {
            c.open()?;
            expr(c)?;
            c.close()?;
        }
        Ok(())
    })?;
    Ok(tables)
}

/// ALTER PUBLICATION, from behind the name on.
pub fn alter_publication(c: &mut Cursor<'_>, name: Ident) -> Parsed<Body> {
    if c.is("set") && c.nth(1).is_some_and(|token| token.kind == TokenKind::LeftParen) {
        c.bump();
        definition(c)?;
        return Ok(Body::AlterPublication {
            name,
            action: PublicationAction::SetOptions,
            tables: Vec::new(),
        });
    }
    let action = match c.eat_any(&["add", "set", "drop"]) {
        Some("add") => PublicationAction::Add,
        Some("set") => PublicationAction::Set,
        Some(_) => PublicationAction::Drop,
        None => return Err(c.expected("ADD, SET or DROP")),
    };
    Ok(Body::AlterPublication { name, action, tables: objects(c)? })
}

/// CREATE SUBSCRIPTION, from SUBSCRIPTION on.
pub fn create_subscription(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect("subscription")?;
    let name = c.ident("a subscription name")?;
    c.expect("connection")?;
    c.string("a connection string")?;
    c.expect("publication")?;
    c.list(|c| c.ident("a publication"))?;
    let options = with_definition(c)?;
    // Both are on unless said otherwise; without a connection no slot is made.
    let off = |name: &str| options.iter().any(|option| option.name == name && !is_on(option));
    let creates_slot = !off("create_slot") && !off("connect");
    Ok(Body::CreateSubscription { name, creates_slot })
}

/// ALTER SUBSCRIPTION, from behind the name on.
pub fn alter_subscription(c: &mut Cursor<'_>, name: Ident) -> Parsed<Body> {
    let mut refreshes = false;
    if c.eat("connection") {
        c.string("a connection string")?;
    } else if c.eat_seq(&["refresh", "publication"]) {
        refreshes = true;
        with_definition(c)?;
    } else if c.eat_seq(&["set", "publication"])
        || c.eat_seq(&["add", "publication"])
        || c.eat_seq(&["drop", "publication"])
    {
        c.list(|c| c.ident("a publication"))?;
        let options = with_definition(c)?;
        refreshes = !options.iter().any(|option| option.name == "refresh" && !is_on(option));
    } else if c.eat("set") || c.eat("skip") {
        definition(c)?;
    } else if c.eat_any(&["enable", "disable"]).is_none() {
        return Err(c.expected("what to alter of the subscription"));
    }
    Ok(Body::AlterSubscription { name, refreshes })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_read, read};
    use crate::migration::statement::Body;

    #[test]
    fn publications_and_subscriptions() {
        let sql = "CREATE PUBLICATION p FOR TABLE a (b) WHERE (b > 1), ONLY s.c, TABLES IN SCHEMA x, y WITH (publish = 'insert')";
        assert!(
            matches!(read(sql), Body::CreatePublication { all_tables: false, tables, .. } if tables.len() == 2)
        );
        assert!(matches!(
            read("CREATE SUBSCRIPTION s CONNECTION 'c' PUBLICATION p, q"),
            Body::CreateSubscription { creates_slot: true, .. }
        ));
        assert!(matches!(
            read("CREATE SUBSCRIPTION s CONNECTION 'c' PUBLICATION p WITH (create_slot = false)"),
            Body::CreateSubscription { creates_slot: false, .. }
        ));
        assert!(matches!(
            read("ALTER SUBSCRIPTION s SET PUBLICATION p WITH (refresh = false)"),
            Body::AlterSubscription { refreshes: false, .. }
        ));
        all_read(&["CREATE PUBLICATION p", "CREATE PUBLICATION p FOR ALL TABLES"]);
    }
}
