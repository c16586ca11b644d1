//! SET and RESET of run-time settings, as clauses of other statements.

use compact_str::CompactString;

use super::options::numeric;
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::keywords;
use crate::migration::parse::lex::TokenKind;

/// `SET …` or `RESET …` (`SetResetClause`): the setting's name; `None`: RESET ALL.
pub fn set_clause(c: &mut Cursor<'_>) -> Parsed<Option<CompactString>> {
    if c.eat("reset") {
        return reset(c);
    }
    c.expect("set")?;
    if c.eat_seq(&["time", "zone"]) {
        time_zone(c)?;
        return Ok(Some("timezone".into()));
    }
    if c.eat_seq(&["session", "authorization"]) {
        if !c.eat("default") {
            word_or_string(c)?;
        }
        return Ok(Some("session_authorization".into()));
    }
    if c.eat_seq(&["xml", "option"]) {
        if c.eat_any(&["document", "content"]).is_none() {
            return Err(c.expected("DOCUMENT or CONTENT"));
        }
        return Ok(Some("xmloption".into()));
    }
    if c.eat_seq(&["transaction", "snapshot"]) {
        c.string("a snapshot")?;
        return Ok(Some("transaction_snapshot".into()));
    }
    let special =
        [("catalog", "catalog"), ("schema", "search_path"), ("names", "client_encoding"), ("role", "role")];
    for (word, setting) in special {
        if c.is(word)
            && !c.is_nth(1, "to")
            && !c.nth(1).is_some_and(|t| t.kind == TokenKind::Operator)
            && !c.is_nth(1, "from")
        {
            c.bump();
            match word {
                "role" => word_or_string(c)?,
                "names" if !c.at_string() => {
                    c.eat("default");
                }
                _ => {
                    c.string("a string")?;
                }
            }
            return Ok(Some(setting.into()));
        }
    }
    let name = variable(c)?;
    if c.eat_seq(&["from", "current"]) {
        return Ok(Some(name));
    }
    assignment(c)?;
    Ok(Some(name))
}

/// What follows RESET.
pub fn reset(c: &mut Cursor<'_>) -> Parsed<Option<CompactString>> {
    if c.eat("all") {
        return Ok(None);
    }
    if c.eat_seq(&["time", "zone"]) {
        return Ok(Some("timezone".into()));
    }
    if c.eat_seq(&["session", "authorization"]) {
        return Ok(Some("session_authorization".into()));
    }
    if c.eat_seq(&["transaction", "isolation", "level"]) {
        return Ok(Some("transaction_isolation".into()));
    }
    variable(c).map(Some)
}

/// `name {TO | =} value, …` (`generic_set`): the setting's name.
pub fn generic_set(c: &mut Cursor<'_>) -> Parsed<CompactString> {
    let name = variable(c)?;
    assignment(c)?;
    Ok(name)
}

fn assignment(c: &mut Cursor<'_>) -> Parsed<()> {
    if !c.eat_operator("=") {
        c.expect("to")?;
    }
    if !c.eat("default") {
        c.list(value)?;
    }
    Ok(())
}

/// `var_name`: a setting's name, maybe of a module.
fn variable(c: &mut Cursor<'_>) -> Parsed<CompactString> {
    let mut name = c.ident("a setting")?.value;
    while c.eat_kind(TokenKind::Dot) {
        name.push('.');
        name.push_str(c.ident("a setting")?.as_str());
    }
    Ok(name)
}

/// `var_value`: a string, a word or a number.
fn value(c: &mut Cursor<'_>) -> Parsed<()> {
    if c.at(TokenKind::Number) || c.is_operator("-") || c.is_operator("+") {
        return numeric(c).map(|_| ());
    }
    if c.eat_any(&["true", "false", "on"]).is_some() {
        return Ok(());
    }
    word_or_string(c)
}

/// `NonReservedWord_or_Sconst`.
pub fn word_or_string(c: &mut Cursor<'_>) -> Parsed<()> {
    if c.at_string() {
        return c.string("a value").map(|_| ());
    }
    if c.word_at(0).is_some_and(keywords::is_reserved) {
        return Err(c.expected("a value"));
    }
    c.label("a value").map(|_| ())
}

/// `zone_value`.
fn time_zone(c: &mut Cursor<'_>) -> Parsed<()> {
    if c.eat_any(&["default", "local"]).is_some() {
        return Ok(());
    }
    if c.eat("interval") {
        if c.eat_kind(TokenKind::LeftParen) {
            c.integer("a precision")?;
            c.close()?;
            return c.string("an interval").map(|_| ());
        }
        c.string("an interval")?;
        if c.eat("hour") && c.eat("to") {
            c.expect("minute")?;
        }
        return Ok(());
    }
    if c.at(TokenKind::Number) || c.is_operator("-") || c.is_operator("+") {
        return numeric(c).map(|_| ());
    }
    word_or_string(c)
}
