//! FROM: tables, joins, functions and XMLTABLE, JSON_TABLE as sources of rows.

use super::cursor::{Cursor, Parsed};
use super::expression::{a_expr, b_expr, call, expr_list, primary};
use super::facts::Facts;
use super::lex::TokenKind;
use super::special::{json_clauses, xml_passing};
use super::type_name::type_name;
use super::{keywords, special};
use crate::migration::statement::{Access, Name};

use super::query::{at_query, at_query_tail, at_query_word, subquery, subquery_after_first};

pub(super) fn from_list(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    table_ref(c, f)?;
    while c.comma() {
        table_ref(c, f)?;
    }
    Ok(())
}

/// `table_ref`: one item with all that is joined to it.
pub(super) fn table_ref(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    table_item(c, f)?;
    joins(c, f).map(|_| ())
}

/// The JOINs behind an item; how many.
pub(super) fn joins(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<usize> {
    let mut count = 0;
    // `a JOIN b JOIN c ON … ON …`: joins that still wait for their condition.
    let mut waiting = 0usize;
    loop {
        if waiting > 0 && c.is("on") {
            c.bump();
            a_expr(c, f)?;
            waiting -= 1;
            continue;
        }
        if waiting > 0 && c.eat("using") {
            c.paren_list(|c| c.ident("a column name"))?;
            if c.eat("as") {
                c.ident("a name for the join")?;
            }
            waiting -= 1;
            continue;
        }
        let natural = c.is("natural");
        let mut probe = *c;
        probe.eat("natural");
        let cross = !natural && probe.eat("cross");
        if !cross {
            if probe.eat_any(&["left", "right", "full"]).is_some() {
                probe.eat("outer");
            } else {
                probe.eat("inner");
            }
        }
        if !probe.eat("join") {
            if natural || probe.index() > c.index() {
                return Err(probe.expected("`JOIN`"));
            }
            if waiting > 0 {
                return Err(c.expected("`ON` or `USING`"));
            }
            return Ok(count);
        }
        *c = probe;
        table_item(c, f)?;
        count += 1;
        waiting += usize::from(!natural && !cross);
    }
}

/// One item of FROM, without what is joined to it.
pub(super) fn table_item(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    let lateral = c.eat("lateral");
    if c.at(TokenKind::LeftParen) {
        if let FromGroup::Query = c.deeper(|c| from_group(c, f))? {
            alias(c)?;
        } else if c.eat("as") || c.at_ident() {
            c.ident("a name")?;
            if c.at(TokenKind::LeftParen) {
                c.paren_list(|c| c.ident("a column name"))?;
            }
        }
        return Ok(());
    }
    if c.is("only") {
        let (name, only) = relation(c)?;
        return plain_table(c, f, name, only);
    }
    if c.is_seq(&["rows", "from"]) && c.nth(2).is_some_and(|token| token.kind == TokenKind::LeftParen) {
        c.bump();
        c.bump();
        c.open()?;
        loop {
            function(c, f)?;
            if c.eat("as") {
                column_definitions(c)?;
            }
            if !c.comma() {
                break;
            }
        }
        c.close()?;
        return function_tail(c);
    }
    let paren = c.nth(1).is_some_and(|token| token.kind == TokenKind::LeftParen);
    if paren && c.is("xmltable") {
        xml_table(c, f)?;
        return alias(c);
    }
    if paren && c.is("json_table") {
        json_table(c, f)?;
        return alias(c);
    }
    let keyword_function =
        c.word_at(0).is_some_and(|word| keywords::is_special(word) && keywords::is_reserved(word));
    if paren || keyword_function || lateral {
        function(c, f)?;
        return function_tail(c);
    }
    let first = c.index();
    let mut probe = *c;
    // A function's name may be a word that is none for a table: `left(…)`, `s.left(…)`.
    let name = probe.name("a table")?;
    if probe.at(TokenKind::LeftParen) {
        *c = probe;
        call(c, f, first, name)?;
        return function_tail(c);
    }
    *c = probe;
    c.eat_operator("*");
    plain_table(c, f, name, false)
}

pub(super) fn function(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    primary(c, f).map(|_| ())
}

pub(super) fn function_tail(c: &mut Cursor<'_>) -> Parsed<()> {
    c.eat_seq(&["with", "ordinality"]);
    alias(c)
}

/// A relation in FROM behind its name: alias, TABLESAMPLE.
pub(super) fn plain_table(c: &mut Cursor<'_>, f: &mut Facts, name: Name, only: bool) -> Parsed<()> {
    f.relation(name, Access::Read, only);
    let slot = f.uses.len() - 1; // one was pushed just now
    let mut alias = None;
    if c.eat("as") || c.at_ident() {
        alias = Some(c.ident("a name")?);
        if c.at(TokenKind::LeftParen) {
            c.paren_list(|c| c.ident("a column name"))?;
        }
    }
    if let Some(used) = f.uses.get_mut(slot) {
        used.alias = alias.map(|alias| alias.value);
    }
    if c.eat("tablesample") {
        c.routine_name("a sampling method")?;
        c.open()?;
        expr_list(c, f)?;
        c.close()?;
        if c.eat("repeatable") {
            c.open()?;
            a_expr(c, f)?;
            c.close()?;
        }
    }
    Ok(())
}

pub(super) enum FromGroup {
    Query,
    Tables,
}

/// `( … )` in FROM: a query, or joined tables.
pub(super) fn from_group(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<FromGroup> {
    c.open()?;
    if at_query_word(c) {
        subquery(c, f)?;
        c.close()?;
        return Ok(FromGroup::Query);
    }
    if c.at(TokenKind::LeftParen) && at_query(c) {
        match c.deeper(|c| from_group(c, f))? {
            FromGroup::Query if at_query_tail(c) => {
                subquery_after_first(c, f)?;
                c.close()?;
                return Ok(FromGroup::Query);
            }
            FromGroup::Query if c.eat_kind(TokenKind::RightParen) => return Ok(FromGroup::Query),
            _ => alias(c)?,
        }
    } else {
        table_item(c, f)?;
    }
    joins(c, f)?;
    c.close()?;
    Ok(FromGroup::Tables)
}

/// `func_alias_clause`: `[AS] name [(columns)]`, `AS (column type, …)`.
pub(super) fn alias(c: &mut Cursor<'_>) -> Parsed<()> {
    if c.eat("as") {
        if !c.at(TokenKind::LeftParen) {
            c.ident("a name")?;
        }
    } else if c.at_ident() {
        c.ident("a name")?;
    } else {
        return Ok(());
    }
    if c.at(TokenKind::LeftParen) { column_definitions(c) } else { Ok(()) }
}

/// `( name [type [COLLATE c]], … )`.
pub(super) fn column_definitions(c: &mut Cursor<'_>) -> Parsed<()> {
    c.paren_list(|c| {
        c.ident("a column name")?;
        if !c.at(TokenKind::Comma) && !c.at(TokenKind::RightParen) {
            type_name(c)?;
            if c.eat("collate") {
                c.name("a collation")?;
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// `XMLTABLE ( … )`.
pub(super) fn xml_table(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    c.bump();
    c.open()?;
    if c.eat("xmlnamespaces") {
        c.open()?;
        loop {
            if c.eat("default") {
                b_expr(c, f)?;
            } else {
                b_expr(c, f)?;
                c.expect("as")?;
                c.label("a name")?;
            }
            if !c.comma() {
                break;
            }
        }
        c.close()?;
        c.expect_kind(TokenKind::Comma, "`,`")?;
    }
    primary(c, f)?;
    xml_passing(c, f)?;
    c.expect("columns")?;
    loop {
        c.ident("a column name")?;
        if !c.eat_seq(&["for", "ordinality"]) {
            type_name(c)?;
            loop {
                if c.eat_seq(&["not", "null"]) || c.eat("null") {
                } else if c.eat("default") || c.eat("path") {
                    b_expr(c, f)?;
                } else {
                    break;
                }
            }
        }
        if !c.comma() {
            break;
        }
    }
    c.close()
}

/// `JSON_TABLE ( … )`.
pub(super) fn json_table(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    c.bump();
    c.open()?;
    a_expr(c, f)?;
    json_clauses(c, f)?;
    c.expect_kind(TokenKind::Comma, "`,`")?;
    a_expr(c, f)?;
    if c.eat("as") {
        c.ident("a name")?;
    }
    json_clauses(c, f)?;
    json_columns(c, f)?;
    json_clauses(c, f)?;
    c.close()
}

pub(super) fn json_columns(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    c.deeper(|c| {
        c.expect("columns")?;
        c.open()?;
        loop {
            if c.is("nested")
                && (c.is_nth(1, "path") || c.nth(1).is_some_and(|t| t.kind == TokenKind::String))
            {
                c.bump();
                c.eat("path");
                c.pass_string("a path")?;
                if c.eat("as") {
                    c.ident("a name")?;
                }
                json_columns(c, f)?;
            } else {
                c.ident("a column name")?;
                if !c.eat_seq(&["for", "ordinality"]) {
                    type_name(c)?;
                    special::json_clauses(c, f)?;
                    c.eat("exists");
                    if c.eat("path") {
                        c.pass_string("a path")?;
                    }
                    special::json_clauses(c, f)?;
                }
            }
            if !c.comma() {
                break;
            }
        }
        c.close()
    })
}

/// `relation_expr`: `t`, `t *`, `ONLY t`, `ONLY (t)`.
pub(super) fn relation(c: &mut Cursor<'_>) -> Parsed<(Name, bool)> {
    if c.eat("only") {
        let parens = c.eat_kind(TokenKind::LeftParen);
        let name = c.name("a table")?;
        if parens {
            c.close()?;
        }
        return Ok((name, true));
    }
    let name = c.name("a table")?;
    c.eat_operator("*");
    Ok((name, false))
}
