//! The forms of expressions that are keywords of the grammar: CASE, CAST, EXTRACT, the functions with
//! words between their arguments, those of SQL/JSON and SQL/XML.

use super::cursor::{Cursor, Parsed};
use super::expression::{
    Group, a_expr, after_call, argument, b_expr, begin_call, end_call, expr_list, group, indirection,
    keyword_typed_constant, named, primary, string, subscripts,
};
use super::facts::{Facts, LiteralAt, Shape};
use super::lex::TokenKind;
use super::query;
use super::type_name::type_name;
use crate::migration::statement::{Ident, Name};

/// Reads a form whose first keyword stands here.
pub(super) type Form = fn(&mut Cursor<'_>, &mut Facts) -> Parsed<Shape>;

/// The form that `word`, which stands here, begins; `None` where it is a plain name after all.
///
/// A function to call rather than a call: what is read recurses, and one frame for all forms would be
/// as large as all of theirs.
pub(super) fn form(c: &Cursor<'_>, word: &str) -> Option<Form> {
    let next = c.nth(1).map(|token| token.kind);
    if next == Some(TokenKind::Dot) {
        return None;
    }
    let mut buffer = [0u8; 17];
    let folded = buffer.get_mut(..word.len())?;
    folded.copy_from_slice(word.as_bytes());
    folded.make_ascii_lowercase();
    let paren = next == Some(TokenKind::LeftParen);
    Some(match &*folded {
        b"null" | b"true" | b"false" | b"default" => constant,
        b"case" => case,
        b"array" => array_of,
        b"collation" if c.is_nth(1, "for") => collation_for,
        b"current_date" | b"current_role" | b"current_user" | b"session_user" | b"system_user" | b"user"
        | b"current_catalog" | b"current_time" | b"current_timestamp" | b"localtime" | b"localtimestamp" => {
            value_function
        }
        b"current_schema" if !paren => value_function,
        b"bit" | b"bigint" | b"boolean" | b"char" | b"character" | b"dec" | b"decimal" | b"double"
        | b"float" | b"int" | b"integer" | b"interval" | b"national" | b"nchar" | b"numeric" | b"real"
        | b"smallint" | b"time" | b"timestamp" | b"varchar" => keyword_typed,
        b"json" if !paren => keyword_typed,
        _ if !paren => return None,
        b"cast" | b"treat" => cast,
        b"exists" | b"unique" => exists,
        b"row" => row,
        b"grouping" => grouping,
        b"coalesce" | b"greatest" | b"least" | b"nullif" | b"xmlconcat" | b"merge_action"
        | b"json_scalar" => function,
        b"extract" => extract,
        b"normalize" => normalize,
        b"position" => position,
        b"overlay" | b"substring" => substring,
        b"trim" => trim,
        // `json '…'` is a constant; `json(…)` is SQL/JSON's constructor.
        b"json" | b"json_object" | b"json_array" | b"json_arrayagg" | b"json_objectagg" | b"json_exists"
        | b"json_query" | b"json_value" | b"json_serialize" => json,
        b"xmlelement" | b"xmlpi" => xml_element,
        b"xmlforest" => xml_forest,
        b"xmlexists" => xml_exists,
        b"xmlparse" => xml_parse,
        b"xmlserialize" => xml_serialize,
        b"xmlroot" => xml_root,
        _ => return None,
    })
}

/// NULL, TRUE, FALSE, DEFAULT.
fn constant(c: &mut Cursor<'_>, _: &mut Facts) -> Parsed<Shape> {
    let literal = match c.eat_any(&["null", "true", "false"]) {
        Some("null") => Some(LiteralAt::Null),
        Some(word) => Some(LiteralAt::Bool(word == "true")),
        None => {
            c.expect("default")?;
            None
        }
    };
    Ok(Shape { literal, ..Shape::default() })
}

/// A constant whose type is a keyword, or a column of that name.
fn keyword_typed(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    match keyword_typed_constant(c, f)? {
        Some(shape) => Ok(shape),
        None => named(c, f),
    }
}

/// CAST (x AS type), TREAT (x AS type).
fn cast(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    c.bump();
    c.open()?;
    let inner = a_expr(c, f)?;
    c.expect("as")?;
    let to = type_name(c)?;
    c.close()?;
    Ok(inner.cast_to(to))
}

fn array_of(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    c.bump();
    if c.at(TokenKind::LeftBracket) {
        array(c, f)?;
    } else if let Group::Value(_) = group(c, f)? {
        return Err(c.expected("a query in ARRAY (…)"));
    }
    subscripts(c, f)?;
    Ok(Shape::default())
}

fn exists(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    c.bump();
    match group(c, f)? {
        Group::Query => Ok(Shape::default()),
        Group::Value(_) => Err(c.expected("a query in EXISTS (…)")),
    }
}

fn row(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    c.bump();
    c.open()?;
    if !c.at(TokenKind::RightParen) {
        expr_list(c, f)?;
    }
    c.close()?;
    indirection(c, f)?;
    Ok(Shape::default())
}

fn grouping(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    c.bump();
    c.open()?;
    expr_list(c, f)?;
    c.close()?;
    Ok(Shape::default())
}

fn collation_for(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    let first = c.index();
    let slot = begin_call(f, Name::made(None, "pg_collation_for"));
    c.bump();
    c.bump();
    c.open()?;
    a_expr(c, f)?;
    close_call(c, f, slot, first, vec![None])
}

/// COALESCE and the others that look like functions and are keywords.
fn function(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    let first = c.index();
    let slot = open_call(c, f)?;
    let mut strings = Vec::new();
    if !c.at(TokenKind::RightParen) {
        strings.push(argument(c, f)?);
        while c.comma() {
            strings.push(argument(c, f)?);
        }
    }
    close_call(c, f, slot, first, strings)
}

fn extract(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    let first = c.index();
    let slot = open_call(c, f)?;
    if c.at_string() {
        string(c, f)?;
    } else {
        c.label("a field")?;
    }
    c.expect("from")?;
    a_expr(c, f)?;
    close_call(c, f, slot, first, vec![None; 2])
}

fn normalize(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    let first = c.index();
    let slot = open_call(c, f)?;
    a_expr(c, f)?;
    if c.comma() && c.eat_any(&["nfc", "nfd", "nfkc", "nfkd"]).is_none() {
        return Err(c.expected("a normal form"));
    }
    close_call(c, f, slot, first, vec![None])
}

fn position(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    let first = c.index();
    let slot = open_call(c, f)?;
    b_expr(c, f)?;
    c.expect("in")?;
    b_expr(c, f)?;
    close_call(c, f, slot, first, vec![None; 2])
}

/// SUBSTRING and OVERLAY.
fn substring(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    let first = c.index();
    let slot = open_call(c, f)?;
    let strings = worded_arguments(c, f, &["placing", "from", "for", "similar", "escape"])?;
    close_call(c, f, slot, first, strings)
}

fn trim(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    let first = c.index();
    let slot = open_call(c, f)?;
    c.eat_any(&["both", "leading", "trailing"]);
    c.eat("from");
    let strings = worded_arguments(c, f, &["from"])?;
    close_call(c, f, slot, first, strings)
}

/// XMLELEMENT and XMLPI.
fn xml_element(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    let first = c.index();
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
    close_call(c, f, slot, first, strings)
}

fn xml_forest(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    let first = c.index();
    let slot = begin_call(f, Name::made(None, "xmlforest"));
    c.bump();
    labelled_list(c, f)?;
    end_call(c, f, slot, first, Vec::new());
    Ok(Shape::default())
}

fn xml_exists(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    let first = c.index();
    let slot = open_call(c, f)?;
    primary(c, f)?;
    xml_passing(c, f)?;
    close_call(c, f, slot, first, vec![None; 2])
}

fn xml_parse(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    let first = c.index();
    let slot = open_call(c, f)?;
    document_or_content(c)?;
    a_expr(c, f)?;
    if c.eat_any(&["preserve", "strip"]).is_some() {
        c.expect("whitespace")?;
    }
    close_call(c, f, slot, first, vec![None])
}

fn xml_serialize(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    let first = c.index();
    let slot = open_call(c, f)?;
    document_or_content(c)?;
    a_expr(c, f)?;
    c.expect("as")?;
    type_name(c)?;
    c.eat("no");
    c.eat("indent");
    close_call(c, f, slot, first, vec![None])
}

fn xml_root(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    let first = c.index();
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
    close_call(c, f, slot, first, vec![None])
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
fn value_function(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    let first = c.index();
    let precision = c.is_any(&["current_time", "current_timestamp", "localtime", "localtimestamp"]);
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
