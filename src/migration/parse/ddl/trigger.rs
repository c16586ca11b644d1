//! Triggers and event triggers.

use super::constraint::attributes;
use super::{Head, other};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::expression::expr;
use crate::migration::parse::lex::TokenKind;
use crate::migration::statement::{Body, Constraint, ConstraintKind, CreateTrigger, Ident, Name};

/// CREATE [CONSTRAINT] TRIGGER, from CONSTRAINT or TRIGGER on.
pub fn create_trigger(c: &mut Cursor<'_>, head: Head) -> Parsed<Body> {
    let constraint = c.eat("constraint");
    c.expect("trigger")?;
    let name = c.ident("a trigger name")?;
    if !(c.eat("before") || c.eat("after") || c.eat_seq(&["instead", "of"])) {
        return Err(c.expected("BEFORE, AFTER or INSTEAD OF"));
    }
    let mut columns = Vec::new();
    let mut events = vec![event(c, &mut columns)?];
    while c.eat("or") {
        let before = *c;
        let event = event(c, &mut columns)?;
        if events.contains(&event) {
            return Err(before.expected("an event that isn't named yet"));
        }
        events.push(event);
    }
    c.expect("on")?;
    let table = c.name("a table")?;
    let mut from = None;
    if constraint {
        if c.eat("from") {
            from = Some(c.name("a table")?);
        }
        let mut written = Constraint::of(ConstraintKind::Null);
        let before = *c;
        while attributes(c, &mut written, false) {}
        if written.enforced.is_some() {
            return Err(before.expected("attributes that a constraint trigger takes"));
        }
    } else if c.eat("referencing") {
        transition_table(c)?;
        while c.is_any(&["new", "old"]) {
            transition_table(c)?;
        }
    }
    let mut for_each_row = false;
    if constraint {
        c.expect_seq(&["for", "each", "row"])?;
        for_each_row = true;
    } else if c.eat("for") {
        c.eat("each");
        for_each_row = c.eat("row");
        if !for_each_row {
            c.expect("statement")?;
        }
    }
    if c.eat("when") {
        c.open()?;
        columns.extend(expr(c)?.columns);
        c.close()?;
    }
    c.expect("execute")?;
    if !c.eat("function") {
        c.expect("procedure")?;
    }
    let function = c.routine_name("a function")?;
    c.open()?;
    // The grammar's list may begin empty: `f(, 'a')`.
    if !c.at(TokenKind::RightParen) {
        c.comma();
        c.list(argument)?;
    }
    c.close()?;
    Ok(Body::CreateTrigger(Box::new(CreateTrigger {
        name,
        table,
        replace: head.replace,
        constraint,
        from,
        function,
        events,
        columns,
        for_each_row,
    })))
}

fn event(c: &mut Cursor<'_>, columns: &mut Vec<Ident>) -> Parsed<&'static str> {
    let event = c.eat_any(&["insert", "update", "delete", "truncate"]);
    let Some(event) = event else { return Err(c.expected("INSERT, UPDATE, DELETE or TRUNCATE")) };
    if event == "update" && c.eat("of") {
        columns.extend(c.list(|c| c.ident("a column"))?);
    }
    Ok(event)
}

/// `{NEW | OLD} {TABLE | ROW} [AS] name`.
fn transition_table(c: &mut Cursor<'_>) -> Parsed<()> {
    if c.eat_any(&["new", "old"]).is_none() || c.eat_any(&["table", "row"]).is_none() {
        return Err(c.expected("NEW TABLE or OLD TABLE"));
    }
    c.eat("as");
    c.ident("a name").map(|_| ())
}

/// `TriggerFuncArg`: a number, a string or a word.
fn argument(c: &mut Cursor<'_>) -> Parsed<()> {
    if c.eat_kind(TokenKind::Number) {
        return Ok(());
    }
    if c.at_string() {
        return c.string("an argument").map(|_| ());
    }
    c.label("an argument").map(|_| ())
}

/// CREATE EVENT TRIGGER, from EVENT on.
pub fn create_event_trigger(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect_seq(&["event", "trigger"])?;
    let name = c.ident("an event trigger name")?;
    c.expect("on")?;
    c.label("an event")?;
    if c.eat("when") {
        loop {
            c.ident("a filter variable")?;
            c.expect("in")?;
            c.paren_list(|c| c.string("a value"))?;
            if !c.eat("and") {
                break;
            }
        }
    }
    c.expect("execute")?;
    if !c.eat("function") {
        c.expect("procedure")?;
    }
    c.routine_name("a function")?;
    c.open()?;
    c.close()?;
    Ok(other("CREATE EVENT TRIGGER", Some(Name { schema: None, name })))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_read, all_refused, read};
    use crate::migration::statement::Body;

    #[test]
    fn triggers() {
        let Body::CreateTrigger(t) = read(
            "CREATE OR REPLACE TRIGGER x BEFORE INSERT OR UPDATE OF a, b ON s.t REFERENCING OLD TABLE AS o NEW TABLE AS n \
             FOR EACH ROW WHEN (OLD.a IS DISTINCT FROM NEW.a) EXECUTE FUNCTION s.f('a', 1, word)",
        ) else {
            panic!()
        };
        assert_eq!(t.events, ["insert", "update"]);
        assert!(t.for_each_row && t.replace && !t.constraint);
        assert_eq!(t.function.to_string(), "s.f");
        let Body::CreateTrigger(t) = read(
            "CREATE CONSTRAINT TRIGGER x AFTER DELETE ON t FROM u DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE PROCEDURE f()",
        ) else {
            panic!()
        };
        assert!(t.constraint && t.from.is_some());
        all_read(&[
            "CREATE TRIGGER x AFTER TRUNCATE ON t EXECUTE FUNCTION f()",
            "CREATE EVENT TRIGGER e ON ddl_command_start WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION f()",
            "ALTER EVENT TRIGGER e ENABLE REPLICA",
            "ALTER TRIGGER x ON t RENAME TO y",
            "ALTER TRIGGER x ON t DEPENDS ON EXTENSION e",
        ]);
        all_refused(&[
            "CREATE TRIGGER x AFTER INSERT OR INSERT ON t EXECUTE FUNCTION f()",
            "CREATE TRIGGER x ON t EXECUTE FUNCTION f()",
        ]);
    }
}
