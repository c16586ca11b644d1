//! The forms of expressions that are keywords of the grammar: CASE, CAST, EXTRACT, the functions with
//! words between their arguments, those of SQL/JSON and SQL/XML.

use super::cursor::{Cursor, Parsed};
use super::expression::{
    Group, a_expr, after_call, argument, b_expr, begin_call, end_call, expr_list, group, indirection,
    keyword_typed_constant, primary, string, subscripts,
};
use super::facts::{Facts, LiteralAt, Shape};
use super::lex::TokenKind;
use super::query;
use super::type_name::type_name;
use crate::migration::statement::{Ident, Name};

/// Reads the form that `word`, which stands here, begins; `None` where it is a plain name after all.
pub(super) fn form(c: &mut Cursor<'_>, f: &mut Facts, word: &str) -> Parsed<Option<Shape>> {
    let next = c.nth(1).map(|token| token.kind);
    if next == Some(TokenKind::Dot) {
        return Ok(None);
    }
    let mut buffer = [0u8; 17];
    let Some(folded) = buffer.get_mut(..word.len()) else { return Ok(None) };
    folded.copy_from_slice(word.as_bytes());
    folded.make_ascii_lowercase();
    let first = c.index();
    let paren = next == Some(TokenKind::LeftParen);
    let plain = Shape::default();
    Ok(Some(match &*folded {
        b"null" => {
            c.bump();
            Shape { literal: Some(LiteralAt::Null), ..plain }
        }
        b"true" | b"false" => {
            let value = folded[0] == b't'; // in bounds: it is one of two words
            c.bump();
            Shape { literal: Some(LiteralAt::Bool(value)), ..plain }
        }
        b"default" => {
            c.bump();
            plain
        }
        b"case" => case(c, f)?,
        b"cast" | b"treat" if paren => {
            c.bump();
            c.open()?;
            let inner = a_expr(c, f)?;
            c.expect("as")?;
            let to = type_name(c)?;
            c.close()?;
            let column = inner.column.filter(|_| inner.cast.is_none());
            Shape { cast: Some(to), star: false, column, literal: inner.literal }
        }
        b"array" => {
            c.bump();
            if c.at(TokenKind::LeftBracket) {
                array(c, f)?;
            } else {
                // Only a query may stand in the parentheses of ARRAY.
                match group(c, f)? {
                    Group::Query => {}
                    Group::Value(_) => return Err(c.expected("a query in ARRAY (…)")),
                }
            }
            subscripts(c, f)?;
            plain
        }
        b"exists" | b"unique" if paren => {
            c.bump();
            match group(c, f)? {
                Group::Query => plain,
                Group::Value(_) => return Err(c.expected("a query in EXISTS (…)")),
            }
        }
        b"row" if paren => {
            c.bump();
            c.open()?;
            if !c.at(TokenKind::RightParen) {
                expr_list(c, f)?;
            }
            c.close()?;
            indirection(c, f)?;
            plain
        }
        b"grouping" if paren => {
            c.bump();
            c.open()?;
            expr_list(c, f)?;
            c.close()?;
            plain
        }
        b"collation" if c.is_nth(1, "for") => {
            let slot = begin_call(f, Name::made(None, "pg_collation_for"));
            c.bump();
            c.bump();
            c.open()?;
            a_expr(c, f)?;
            c.close()?;
            end_call(c, f, slot, first, vec![None]);
            plain
        }
        b"current_date" | b"current_role" | b"current_user" | b"session_user" | b"system_user" | b"user"
        | b"current_catalog" => value_function(c, f, false)?,
        b"current_schema" if !paren => value_function(c, f, false)?,
        b"current_time" | b"current_timestamp" | b"localtime" | b"localtimestamp" => {
            value_function(c, f, true)?
        }
        b"coalesce" | b"greatest" | b"least" | b"nullif" | b"xmlconcat" | b"merge_action"
        | b"json_scalar"
            if paren =>
        {
            let slot = open_call(c, f)?;
            let mut strings = Vec::new();
            if !c.at(TokenKind::RightParen) {
                strings.push(argument(c, f)?);
                while c.comma() {
                    strings.push(argument(c, f)?);
                }
            }
            close_call(c, f, slot, first, strings)?
        }
        b"extract" if paren => {
            let slot = open_call(c, f)?;
            if c.at_string() {
                string(c, f)?;
            } else {
                c.label("a field")?;
            }
            c.expect("from")?;
            a_expr(c, f)?;
            close_call(c, f, slot, first, vec![None; 2])?
        }
        b"normalize" if paren => {
            let slot = open_call(c, f)?;
            a_expr(c, f)?;
            if c.comma() && c.eat_any(&["nfc", "nfd", "nfkc", "nfkd"]).is_none() {
                return Err(c.expected("a normal form"));
            }
            close_call(c, f, slot, first, vec![None])?
        }
        b"position" if paren => {
            let slot = open_call(c, f)?;
            b_expr(c, f)?;
            c.expect("in")?;
            b_expr(c, f)?;
            close_call(c, f, slot, first, vec![None; 2])?
        }
        b"overlay" | b"substring" if paren => {
            let slot = open_call(c, f)?;
            let strings = worded_arguments(c, f, &["placing", "from", "for", "similar", "escape"])?;
            close_call(c, f, slot, first, strings)?
        }
        b"trim" if paren => {
            let slot = open_call(c, f)?;
            c.eat_any(&["both", "leading", "trailing"]);
            c.eat("from");
            let strings = worded_arguments(c, f, &["from"])?;
            close_call(c, f, slot, first, strings)?
        }
        b"json_object" | b"json_array" | b"json_arrayagg" | b"json_objectagg" | b"json_exists"
        | b"json_query" | b"json_value" | b"json_serialize"
            if paren =>
        {
            json(c, f)?
        }
        // `json '…'` is a constant; `json(…)` is SQL/JSON's constructor.
        b"json" if paren => json(c, f)?,
        b"xmlelement" | b"xmlpi" if paren => {
            let slot = open_call(c, f)?;
            c.expect("name")?;
            c.label("a name")?;
            let mut strings = Vec::new();
            while c.comma() {
                if c.eat("xmlattributes") {
                    labelled_list(c, f)?;
                } else {
                    strings.push(argument(c, f)?);
                }
            }
            close_call(c, f, slot, first, strings)?
        }
        b"xmlforest" if paren => {
            let slot = begin_call(f, Name::made(None, "xmlforest"));
            c.bump();
            labelled_list(c, f)?;
            end_call(c, f, slot, first, Vec::new());
            plain
        }
        b"xmlexists" if paren => {
            let slot = open_call(c, f)?;
            primary(c, f)?;
            xml_passing(c, f)?;
            close_call(c, f, slot, first, vec![None; 2])?
        }
        b"xmlparse" if paren => {
            let slot = open_call(c, f)?;
            document_or_content(c)?;
            a_expr(c, f)?;
            if c.eat_any(&["preserve", "strip"]).is_some() {
                c.expect("whitespace")?;
            }
            close_call(c, f, slot, first, vec![None])?
        }
        b"xmlserialize" if paren => {
            let slot = open_call(c, f)?;
            document_or_content(c)?;
            a_expr(c, f)?;
            c.expect("as")?;
            type_name(c)?;
            c.eat("no");
            c.eat("indent");
            close_call(c, f, slot, first, vec![None])?
        }
        b"xmlroot" if paren => {
            let slot = open_call(c, f)?;
            a_expr(c, f)?;
            c.expect_kind(TokenKind::Comma, "`,`")?;
            c.expect("version")?;
            if !c.eat_seq(&["no", "value"]) {
                a_expr(c, f)?;
            }
            if c.comma() {
                c.expect("standalone")?;
                if c.eat("no") {
                    c.eat("value");
                } else {
                    c.expect("yes")?;
                }
            }
            close_call(c, f, slot, first, vec![None])?
        }
        b"bit" | b"bigint" | b"boolean" | b"char" | b"character" | b"dec" | b"decimal" | b"double"
        | b"float" | b"int" | b"integer" | b"interval" | b"json" | b"national" | b"nchar" | b"numeric"
        | b"real" | b"smallint" | b"time" | b"timestamp" | b"varchar" => return keyword_typed_constant(c, f),
        _ => return Ok(None),
    }))
}

/// The keyword here is the name of a function: notes it and passes `(`.
fn open_call(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<usize> {
    let name = c.label("a function")?;
    let slot = begin_call(f, Name { schema: None, name });
    c.open()?;
    Ok(slot)
}

fn close_call(
    c: &mut Cursor<'_>,
    f: &mut Facts,
    slot: usize,
    first: usize,
    strings: Vec<Option<String>>,
) -> Parsed<Shape> {
    c.close()?;
    end_call(c, f, slot, first, strings);
    Ok(Shape::default())
}

/// CURRENT_DATE and its kin, maybe with a precision.
fn value_function(c: &mut Cursor<'_>, f: &mut Facts, precision: bool) -> Parsed<Shape> {
    let first = c.index();
    let name = c.label("a function")?;
    let slot = begin_call(f, Name { schema: None, name });
    if precision && c.eat_kind(TokenKind::LeftParen) {
        c.integer("a precision")?;
        c.close()?;
    }
    end_call(c, f, slot, first, Vec::new());
    Ok(Shape::default())
}

fn case(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    c.expect("case")?;
    if !c.is("when") {
        a_expr(c, f)?;
    }
    while c.eat("when") {
        a_expr(c, f)?;
        c.expect("then")?;
        a_expr(c, f)?;
    }
    if c.eat("else") {
        a_expr(c, f)?;
    }
    c.expect("end")?;
    Ok(Shape::default())
}

/// `[1, 2]`, `[[1], [2]]`.
fn array(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    c.deeper(|c| {
        c.expect_kind(TokenKind::LeftBracket, "`[`")?;
        if c.at(TokenKind::LeftBracket) {
            array(c, f)?;
            while c.comma() {
                array(c, f)?;
            }
        } else if !c.at(TokenKind::RightBracket) {
            expr_list(c, f)?;
        }
        c.expect_kind(TokenKind::RightBracket, "`]`").map(|_| ())
    })
}

/// Arguments with commas or one of `words` between them.
fn worded_arguments(
    c: &mut Cursor<'_>,
    f: &mut Facts,
    words: &[&'static str],
) -> Parsed<Vec<Option<String>>> {
    let mut strings = Vec::new();
    if c.at(TokenKind::RightParen) {
        return Ok(strings);
    }
    loop {
        strings.push(argument(c, f)?);
        if !c.comma() && c.eat_any(words).is_none() {
            return Ok(strings);
        }
    }
}

/// `( x AS label, … )`.
fn labelled_list(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    c.open()?;
    loop {
        a_expr(c, f)?;
        if c.eat("as") {
            c.label("a name")?;
        }
        if !c.comma() {
            break;
        }
    }
    c.close()
}

fn document_or_content(c: &mut Cursor<'_>) -> Parsed<()> {
    match c.eat_any(&["document", "content"]) {
        Some(_) => Ok(()),
        None => Err(c.expected("`DOCUMENT` or `CONTENT`")),
    }
}

/// `PASSING [BY REF] x [BY REF]`.
pub(super) fn xml_passing(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    c.expect("passing")?;
    passing_mechanism(c);
    primary(c, f)?;
    passing_mechanism(c);
    Ok(())
}

fn passing_mechanism(c: &mut Cursor<'_>) {
    if !c.eat_seq(&["by", "ref"]) {
        c.eat_seq(&["by", "value"]);
    }
}

/// `WITH UNIQUE [KEYS]`, `WITHOUT UNIQUE [KEYS]`.
pub(super) fn unique_keys(c: &mut Cursor<'_>) {
    if c.eat_seq(&["with", "unique"]) || c.eat_seq(&["without", "unique"]) {
        c.eat("keys");
    }
}

/// A function of SQL/JSON, from its name on.
fn json(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    let first = c.index();
    let slot = open_call(c, f)?;
    let mut strings = Vec::new();
    json_clauses(c, f)?;
    if query::at_query(c) {
        // JSON_ARRAY (query).
        query::subquery(c, f)?;
        json_clauses(c, f)?;
    } else if !c.at(TokenKind::RightParen) {
        loop {
            strings.push(argument(c, f)?);
            json_clauses(c, f)?;
            if c.eat_kind(TokenKind::Colon) || c.eat("value") {
                a_expr(c, f)?;
                json_clauses(c, f)?;
            } else if c.at(TokenKind::Placeholder) {
                // `'key':value` without a space looks like a psql variable.
                let token = c.bump();
                let unquoted = token.map_or("", |token| c.str(token)).trim_start_matches(':');
                if !unquoted.starts_with(['\'', '"']) {
                    f.columns.push(Ident::made(&unquoted.to_ascii_lowercase()));
                }
                json_clauses(c, f)?;
            }
            if !c.comma() {
                break;
            }
        }
    }
    if c.is("order") {
        query::order_by(c, f)?;
    }
    json_clauses(c, f)?;
    c.close()?;
    end_call(c, f, slot, first, strings);
    after_call(c, f)?;
    Ok(Shape::default())
}

/// The clauses of SQL/JSON: FORMAT JSON, PASSING, RETURNING, wrappers, quotes, ON EMPTY, ON ERROR.
pub(super) fn json_clauses(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    loop {
        if c.eat_seq(&["format", "json"]) {
            if c.eat("encoding") {
                c.label("an encoding")?;
            }
        } else if c.eat("passing") {
            loop {
                a_expr(c, f)?;
                if c.eat_seq(&["format", "json"]) && c.eat("encoding") {
                    c.label("an encoding")?;
                }
                c.expect("as")?;
                c.label("a name")?;
                if !c.comma() {
                    break;
                }
            }
        } else if c.eat("returning") {
            type_name(c)?;
        } else if c.is_any(&["with", "without"]) {
            let with = c.eat("with");
            if !with {
                c.bump();
            }
            if c.eat("unique") {
                c.eat("keys");
            } else {
                if with && !c.eat("conditional") {
                    c.eat("unconditional");
                }
                c.eat("array");
                c.expect("wrapper")?;
            }
        } else if c.is_any(&["keep", "omit"]) {
            c.bump();
            c.expect("quotes")?;
            if c.eat_seq(&["on", "scalar"]) {
                c.expect("string")?;
            }
        } else if c.is_seq(&["null", "on"]) || c.is_seq(&["absent", "on"]) || json_behavior(c) {
            if c.eat("default") {
                a_expr(c, f)?;
            } else if c.eat("empty") {
                if !c.eat("array") {
                    c.eat("object");
                }
            } else {
                c.bump();
            }
            c.expect("on")?;
            if c.eat_any(&["null", "empty", "error"]).is_none() {
                return Err(c.expected("`EMPTY` or `ERROR`"));
            }
        } else {
            return Ok(());
        }
    }
}

fn json_behavior(c: &Cursor<'_>) -> bool {
    c.is("default")
        || (c.is_any(&["error", "true", "false", "unknown", "empty"])
            && (c.is_nth(1, "on") || (c.is("empty") && (c.is_nth(1, "array") || c.is_nth(1, "object")))))
}
