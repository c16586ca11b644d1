//! Sequences, and the options that identity columns share with them.

use super::Head;
use super::object::column_path;
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::lex::TokenKind;
use crate::migration::parse::type_name::type_name;
use crate::migration::statement::{Body, Persistence, SequenceOption};

/// CREATE SEQUENCE, from SEQUENCE on.
pub fn create_sequence(c: &mut Cursor<'_>, head: Head) -> Parsed<Body> {
    c.expect("sequence")?;
    let if_not_exists = c.if_not_exists();
    let name = c.name("a sequence")?;
    Ok(Body::CreateSequence {
        name,
        if_not_exists,
        temporary: head.persistence == Persistence::Temporary,
        unlogged: head.persistence == Persistence::Unlogged,
        options: sequence_options(c)?,
    })
}

/// `( option … )`, or nothing.
pub fn parenthesized_options(c: &mut Cursor<'_>) -> Parsed<Vec<SequenceOption>> {
    if !c.eat_kind(TokenKind::LeftParen) {
        return Ok(Vec::new());
    }
    let options = sequence_options(c)?;
    c.close()?;
    Ok(options)
}

/// Options in any order, up to the first word that is none.
pub fn sequence_options(c: &mut Cursor<'_>) -> Parsed<Vec<SequenceOption>> {
    let mut options = Vec::new();
    while let Some(option) = sequence_option(c)? {
        options.push(option);
    }
    Ok(options)
}

/// One option (`SeqOptElem`); `None` where none stands here.
pub fn sequence_option(c: &mut Cursor<'_>) -> Parsed<Option<SequenceOption>> {
    let option = if c.eat("as") {
        SequenceOption::As(type_name(c)?)
    } else if c.eat("increment") {
        c.eat("by");
        SequenceOption::Increment(c.integer("a whole number")?)
    } else if c.eat("minvalue") {
        SequenceOption::MinValue(Some(c.integer("a whole number")?))
    } else if c.eat("maxvalue") {
        SequenceOption::MaxValue(Some(c.integer("a whole number")?))
    } else if c.eat_seq(&["no", "minvalue"]) {
        SequenceOption::MinValue(None)
    } else if c.eat_seq(&["no", "maxvalue"]) {
        SequenceOption::MaxValue(None)
    } else if c.eat_seq(&["no", "cycle"]) {
        SequenceOption::Cycle(false)
    } else if c.eat("cycle") {
        SequenceOption::Cycle(true)
    } else if c.eat("start") {
        c.eat("with");
        SequenceOption::Start(c.integer("a whole number")?)
    } else if c.eat("restart") {
        let with = c.eat("with");
        if with || c.at(TokenKind::Number) || c.is_operator("-") || c.is_operator("+") {
            SequenceOption::Restart(Some(c.integer("a whole number")?))
        } else {
            SequenceOption::Restart(None)
        }
    } else if c.eat("cache") {
        SequenceOption::Cache(c.integer("a whole number")?)
    } else if c.eat_seq(&["owned", "by"]) {
        if c.is("none") && !c.nth(1).is_some_and(|token| token.kind == TokenKind::Dot) {
            c.bump();
            SequenceOption::OwnedBy(None)
        } else {
            let (table, column) = column_path(c)?;
            SequenceOption::OwnedBy(Some((table, column)))
        }
    } else if c.eat_seq(&["sequence", "name"]) {
        SequenceOption::SequenceName(c.name("a sequence")?)
    } else if c.eat("logged") {
        SequenceOption::Logged(true)
    } else if c.eat("unlogged") {
        SequenceOption::Logged(false)
    } else {
        return Ok(None);
    };
    Ok(Some(option))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_refused, read};
    use crate::migration::statement::{Body, SequenceOption};

    #[test]
    fn options_in_any_order() {
        let sql = "CREATE TEMP SEQUENCE IF NOT EXISTS s.q CACHE 5 OWNED BY s.t.c NO MAXVALUE INCREMENT -2 CYCLE START 3 AS bigint";
        let Body::CreateSequence { options, temporary: true, if_not_exists: true, .. } = read(sql) else {
            panic!()
        };
        assert_eq!(options.len(), 7);
        assert!(
            matches!(&options[1], SequenceOption::OwnedBy(Some((table, column))) if table.to_string() == "s.t" && column == "c")
        );
        assert_eq!(options[3], SequenceOption::Increment(-2));
        let Body::AlterSequence { options, .. } = read("ALTER SEQUENCE q RESTART OWNED BY NONE") else {
            panic!()
        };
        assert_eq!(options, [SequenceOption::Restart(None), SequenceOption::OwnedBy(None)]);
        all_refused(&["ALTER SEQUENCE q", "CREATE SEQUENCE q START"]);
    }
}
