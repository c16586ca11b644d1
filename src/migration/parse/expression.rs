//! Expressions: their extent, what they call, which columns and relations they name.
//!
//! Only the extent matters here, so there is no precedence: an expression is operands with operators
//! between them, read in one loop. Recursion comes with parentheses and subqueries alone.

use super::cursor::{Cursor, Parsed};
use super::facts::{Facts, LiteralAt, Shape};
use super::lex::TokenKind;
use super::special;
use super::type_name::{interval_fields, type_name};
use super::{keywords, query};
use crate::migration::statement::{Call, Expr, Ident, Name};

/// Reads one expression (`a_expr`), up to a token that can't go on with it.
pub fn expr(c: &mut Cursor<'_>) -> Parsed<Expr> {
    let first = c.index();
    let mut facts = Facts::default();
    let shape = a_expr(c, &mut facts)?;
    Ok(facts.into_expr(c, first, shape))
}

/// Reads a restricted expression (`b_expr`): as in DEFAULT, where a following NOT NULL is not part of it.
pub fn restricted_expr(c: &mut Cursor<'_>) -> Parsed<Expr> {
    let first = c.index();
    let mut facts = Facts::default();
    let shape = b_expr(c, &mut facts)?;
    Ok(facts.into_expr(c, first, shape))
}

/// Reads one expression that is a function call (`func_expr_windowless`), a column or in parentheses: a
/// key of an index.
pub fn primary_expr(c: &mut Cursor<'_>) -> Parsed<Expr> {
    let first = c.index();
    let mut facts = Facts::default();
    let shape = c.deeper(|c| primary(c, &mut facts))?;
    Ok(facts.into_expr(c, first, shape))
}

pub(super) fn a_expr(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    c.deeper(|c| {
        let (shape, alone) = operand(c, f, false)?;
        operators(c, f, false, shape, alone)
    })
}

pub(super) fn b_expr(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    c.deeper(|c| {
        let (shape, alone) = operand(c, f, true)?;
        operators(c, f, true, shape, alone)
    })
}

/// One or more expressions with commas between; how many.
pub(super) fn expr_list(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<usize> {
    let mut count = 1;
    a_expr(c, f)?;
    while c.comma() {
        a_expr(c, f)?;
        count += 1;
    }
    Ok(count)
}

/// Prefix operators and what they stand before. The second part tells whether it stands alone.
fn operand(c: &mut Cursor<'_>, f: &mut Facts, restricted: bool) -> Parsed<(Shape, bool)> {
    let mut alone = true;
    let mut negative = None;
    loop {
        match c.kind() {
            Some(TokenKind::Operator) => {
                let operator = c.peek().map_or("", |token| c.str(token));
                if matches!(
                    operator,
                    "*" | "/" | "%" | "^" | "<" | ">" | "=" | "<=" | ">=" | "<>" | "!=" | "=>"
                ) {
                    return Err(c.expected("an expression"));
                }
                // Only one sign before a number makes a constant.
                negative = match (operator, alone) {
                    ("-", true) => Some(true),
                    ("+", true) => Some(false),
                    _ => None,
                };
                c.bump();
                alone = false;
            }
            Some(TokenKind::Word) if !restricted && c.is("not") => {
                c.bump();
                alone = false;
                negative = None;
            }
            Some(TokenKind::Word) if at_named_operator(c) => {
                named_operator(c)?;
                alone = false;
                negative = None;
            }
            _ => break,
        }
    }
    let shape = primary(c, f)?;
    match (negative, shape.literal) {
        (Some(negative), Some(LiteralAt::Number { token, .. })) if shape.cast.is_none() => {
            let literal = Some(LiteralAt::Number { negative, token });
            Ok((Shape { literal, ..Shape::default() }, true))
        }
        _ => Ok((if alone { shape } else { Shape::default() }, alone)),
    }
}

fn at_named_operator(c: &Cursor<'_>) -> bool {
    c.is("operator") && c.nth(1).is_some_and(|token| token.kind == TokenKind::LeftParen)
}

/// `OPERATOR(schema.=)`.
pub(super) fn named_operator(c: &mut Cursor<'_>) -> Parsed<()> {
    c.expect("operator")?;
    c.open()?;
    while c.at_ident() {
        c.ident("a schema")?;
        c.expect_kind(TokenKind::Dot, "`.`")?;
    }
    c.expect_kind(TokenKind::Operator, "an operator")?;
    c.close()
}

/// What may follow an operand, until something that can't.
pub(super) fn operators(
    c: &mut Cursor<'_>,
    f: &mut Facts,
    restricted: bool,
    mut shape: Shape,
    mut alone: bool,
) -> Parsed<Shape> {
    let mut like = false;
    loop {
        match c.kind() {
            Some(TokenKind::DoubleColon) => {
                c.bump();
                let to = type_name(c)?;
                if alone {
                    shape = shape.cast_to(to);
                }
                continue;
            }
            Some(TokenKind::LeftBracket) => {
                subscripts(c, f)?;
                shape = Shape::default();
                continue;
            }
            Some(TokenKind::Operator) => {
                if c.is_operator("=>") {
                    return Ok(shape);
                }
                c.bump();
            }
            // A name that psql or the migration tool fills in may also be an operator: never guessed.
            Some(TokenKind::Word) => match infix(c, restricted, like) {
                Infix::None => return Ok(shape),
                Infix::Between => {
                    c.eat("not");
                    c.bump();
                    if !c.eat("symmetric") {
                        c.eat("asymmetric");
                    }
                    b_expr(c, f)?;
                    c.expect("and")?;
                }
                Infix::In => {
                    c.eat("not");
                    c.bump();
                    list_or_query(c, f)?;
                    (shape, alone) = (Shape::default(), false);
                    continue;
                }
                Infix::Like => {
                    c.eat("not");
                    if c.eat("similar") {
                        c.expect("to")?;
                    } else {
                        c.bump();
                    }
                    like = true;
                }
                Infix::Is => {
                    is_test(c, f, restricted)?;
                    (shape, alone) = (Shape::default(), false);
                    continue;
                }
                Infix::Postfix => {
                    c.bump();
                    (shape, alone) = (Shape::default(), false);
                    continue;
                }
                Infix::Collate => {
                    c.bump();
                    c.name("a collation")?;
                    (shape, alone) = (Shape::default(), false);
                    continue;
                }
                Infix::AtLocal => {
                    c.bump();
                    c.bump();
                    (shape, alone) = (Shape::default(), false);
                    continue;
                }
                Infix::AtTimeZone => {
                    c.bump();
                    c.bump();
                    c.bump();
                    // The function behind it.
                    let span = c.span();
                    let name = Name::made(None, "timezone");
                    f.calls.push(Call { name, strings: Vec::new(), arguments: 2, span });
                }
                Infix::Operator => named_operator(c)?,
                Infix::Word => {
                    c.bump();
                }
            },
            _ => return Ok(shape),
        }
        (shape, alone) = (Shape::default(), false);
        // `= ANY (…)`.
        if c.nth(1).is_some_and(|token| token.kind == TokenKind::LeftParen)
            && c.is_any(&["any", "all", "some"])
        {
            c.bump();
            list_or_query(c, f)?;
            continue;
        }
        operand(c, f, restricted)?;
    }
}

/// A word that goes on with an expression.
enum Infix {
    None,
    /// AND, OR, OVERLAPS, ESCAPE.
    Word,
    Between,
    In,
    Like,
    Is,
    /// ISNULL, NOTNULL.
    Postfix,
    Collate,
    AtTimeZone,
    AtLocal,
    Operator,
}

fn infix(c: &Cursor<'_>, restricted: bool, like: bool) -> Infix {
    let word = c.word_at(0).unwrap_or("");
    let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
    match word.len() {
        2 if is("is") => Infix::Is,
        8 if at_named_operator(c) => Infix::Operator,
        _ if restricted => Infix::None,
        2 if is("or") => Infix::Word,
        2 if is("in") => Infix::In,
        2 if is("at") && c.is_nth(1, "time") && c.is_nth(2, "zone") => Infix::AtTimeZone,
        2 if is("at") && c.is_nth(1, "local") => Infix::AtLocal,
        3 if is("and") => Infix::Word,
        3 if is("not") => match c.word_at(1).map(str::len) {
            Some(2) if c.is_nth(1, "in") => Infix::In,
            Some(7) if c.is_nth(1, "between") => Infix::Between,
            Some(4 | 5 | 7) if c.is_nth(1, "like") || c.is_nth(1, "ilike") || c.is_nth(1, "similar") => {
                Infix::Like
            }
            _ => Infix::None,
        },
        4 if is("like") => Infix::Like,
        5 if is("ilike") => Infix::Like,
        6 if is("isnull") => Infix::Postfix,
        6 if like && is("escape") => Infix::Word,
        7 if is("between") => Infix::Between,
        7 if is("collate") => Infix::Collate,
        7 if is("notnull") => Infix::Postfix,
        7 if is("similar") && c.is_nth(1, "to") => Infix::Like,
        8 if is("overlaps") => Infix::Word,
        _ => Infix::None,
    }
}

/// `IS [NOT] …`.
fn is_test(c: &mut Cursor<'_>, f: &mut Facts, restricted: bool) -> Parsed<()> {
    c.expect("is")?;
    c.eat("not");
    if c.eat_seq(&["distinct", "from"]) {
        operand(c, f, restricted)?;
        return Ok(());
    }
    if c.eat("document") || c.eat("normalized") {
        return Ok(());
    }
    if c.eat("of") {
        c.paren_list(type_name)?;
        return Ok(());
    }
    if !restricted {
        if c.eat_any(&["null", "true", "false", "unknown"]).is_some() {
            return Ok(());
        }
        if c.eat_any(&["nfc", "nfd", "nfkc", "nfkd"]).is_some() {
            return c.expect("normalized").map(|_| ());
        }
        if c.eat("json") {
            c.eat_any(&["value", "object", "array", "scalar"]);
            special::unique_keys(c);
            return Ok(());
        }
    }
    Err(c.expected("what to test for"))
}

/// `( query )` or `( expression, … )`, behind IN and ANY.
fn list_or_query(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    group(c, f).map(|_| ())
}

/// What stood in parentheses.
pub(super) enum Group {
    Query,
    Value(Shape),
}

/// `( … )` around a query, an expression, or the expressions of a row.
pub(super) fn group(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Group> {
    c.open()?;
    if query::at_query_word(c) {
        query::subquery(c, f)?;
        c.close()?;
        return Ok(Group::Query);
    }
    let shape = if c.at(TokenKind::LeftParen) && query::at_query(c) {
        match c.deeper(|c| group(c, f))? {
            Group::Query if query::at_query_tail(c) => {
                query::subquery_after_first(c, f)?;
                c.close()?;
                return Ok(Group::Query);
            }
            Group::Query if c.eat_kind(TokenKind::RightParen) => return Ok(Group::Query),
            Group::Query => {
                indirection(c, f)?;
                operators(c, f, false, Shape::default(), false)?
            }
            Group::Value(shape) => {
                let further = indirection(c, f)?;
                operators(c, f, false, if further { Shape::default() } else { shape }, !further)?
            }
        }
    } else {
        a_expr(c, f)?
    };
    let row = c.at(TokenKind::Comma);
    while c.comma() {
        a_expr(c, f)?;
    }
    c.close()?;
    Ok(Group::Value(if row { Shape::default() } else { shape }))
}

/// `[1]`, `[lower:upper]`.
pub(super) fn subscripts(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    while c.eat_kind(TokenKind::LeftBracket) {
        if !c.at(TokenKind::Colon) && !c.at(TokenKind::DoubleColon) {
            a_expr(c, f)?;
        }
        if c.eat_kind(TokenKind::Colon) && !c.at(TokenKind::RightBracket) {
            a_expr(c, f)?;
        }
        c.expect_kind(TokenKind::RightBracket, "`]`")?;
    }
    Ok(())
}

/// `.field`, `.*`, `[subscript]` behind an operand; whether there was any.
pub(super) fn indirection(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<bool> {
    let mut any = false;
    loop {
        if c.at(TokenKind::Dot) {
            c.bump();
            if !c.eat_operator("*") {
                c.label("a field")?;
            }
        } else if c.at(TokenKind::LeftBracket) {
            subscripts(c, f)?;
        } else {
            return Ok(any);
        }
        any = true;
    }
}

/// `c_expr`: one operand.
pub(super) fn primary(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    let Some(token) = c.peek() else { return Err(c.expected("an expression")) };
    match token.kind {
        TokenKind::Number => {
            let literal = Some(LiteralAt::Number { negative: false, token: c.index() });
            c.bump();
            Ok(Shape { literal, ..Shape::default() })
        }
        TokenKind::String
        | TokenKind::EscapeString
        | TokenKind::UnicodeString
        | TokenKind::DollarString
        | TokenKind::BitString => Ok(Shape { literal: string(c, f)?, ..Shape::default() }),
        TokenKind::Parameter => {
            c.bump();
            indirection(c, f)?;
            Ok(Shape::default())
        }
        TokenKind::LeftParen => {
            let shape = match group(c, f)? {
                Group::Query => Shape::default(),
                Group::Value(shape) => shape,
            };
            let further = indirection(c, f)?;
            Ok(if further { Shape::default() } else { shape })
        }
        TokenKind::Word => {
            let word = c.str(token);
            // Most words are columns and functions; the special forms are keywords all.
            if keywords::is_special(word)
                && let Some(form) = special::form(c, word)
            {
                return form(c, f);
            }
            named(c, f)
        }
        TokenKind::Quoted | TokenKind::UnicodeQuoted | TokenKind::Placeholder => named(c, f),
        _ => Err(c.expected("an expression")),
    }
}

/// A string constant, with what may belong to it. `None`: a bit string.
pub(super) fn string(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Option<LiteralAt>> {
    let first = c.index();
    if c.eat_kind(TokenKind::BitString) {
        while c.at(TokenKind::String) && c.on_new_line() {
            c.bump();
        }
        return Ok(None);
    }
    c.pass_string("a string")?;
    f.string(c, first);
    if c.is("uescape") && c.nth(1).is_some_and(|token| token.kind == TokenKind::String) {
        c.bump();
        c.bump();
    }
    Ok(Some(LiteralAt::String(first)))
}

/// A column, a function call, or a constant with its type before it.
pub(super) fn named(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Shape> {
    let first = c.index();
    let next = c.nth(1).map(|token| token.kind);
    if next == Some(TokenKind::Dot) {
        let head = c.ident("an expression")?;
        return path(c, f, first, head);
    }
    if next == Some(TokenKind::LeftParen) {
        let head = c.type_or_function_ident("an expression")?;
        return call(c, f, first, Name { schema: None, name: head });
    }
    if matches!(
        next,
        Some(
            TokenKind::String
                | TokenKind::EscapeString
                | TokenKind::UnicodeString
                | TokenKind::DollarString
                | TokenKind::BitString
        )
    ) && (c.word_at(0).is_none_or(keywords::is_type_or_function))
    {
        let cast = Some(Box::new(type_name(c)?));
        let literal = string(c, f)?;
        return Ok(Shape { literal, cast, ..Shape::default() });
    }
    let column = c.ident("an expression")?;
    f.columns.push(column.clone());
    if c.at(TokenKind::LeftBracket) {
        indirection(c, f)?;
        return Ok(Shape::default());
    }
    Ok(Shape { column: Some(column), ..Shape::default() })
}

/// `head.…`: the qualified name of a column, function or type.
fn path(c: &mut Cursor<'_>, f: &mut Facts, first: usize, head: Ident) -> Parsed<Shape> {
    let mut name = Name { schema: None, name: head };
    while c.at(TokenKind::Dot) {
        c.bump();
        if c.eat_operator("*") {
            return Ok(Shape { star: true, ..Shape::default() });
        }
        let next = c.label("a name")?;
        name = Name { schema: Some(name.name), name: next };
    }
    if c.at(TokenKind::LeftParen) {
        return call(c, f, first, name);
    }
    if c.at_string() {
        let literal = string(c, f)?;
        let cast = crate::migration::statement::TypeName { span: name.span(), name, ..Default::default() };
        return Ok(Shape { literal, cast: Some(Box::new(cast)), ..Shape::default() });
    }
    f.columns.push(name.name.clone());
    if indirection(c, f)? {
        return Ok(Shape::default());
    }
    Ok(Shape { column: Some(name.name), ..Shape::default() })
}

/// A function call, from `(` on, with what may follow it: FILTER, OVER …
pub(super) fn call(c: &mut Cursor<'_>, f: &mut Facts, first: usize, name: Name) -> Parsed<Shape> {
    let slot = begin_call(f, name);
    c.open()?;
    let mut strings = Vec::new();
    if !c.at(TokenKind::RightParen) {
        if c.is_operator("*") && c.nth(1).is_some_and(|token| token.kind == TokenKind::RightParen) {
            c.bump();
        } else {
            if !c.eat("distinct") {
                c.eat("all");
            }
            loop {
                strings.push(argument(c, f)?);
                if !c.comma() {
                    break;
                }
            }
            if c.is("order") {
                query::order_by(c, f)?;
            }
        }
    }
    c.close()?;
    // `numeric(5,2) '1.5'`: a type after all.
    if c.at_string() {
        f.calls.truncate(slot);
        let literal = string(c, f)?;
        let again = &mut c.at_index(first);
        let cast = type_name(again).ok().map(Box::new);
        return Ok(Shape { literal, cast, ..Shape::default() });
    }
    end_call(c, f, slot, first, strings);
    after_call(c, f)?;
    Ok(Shape::default())
}

/// Keeps a call's place among the calls, before those in its arguments.
pub(super) fn begin_call(f: &mut Facts, name: Name) -> usize {
    f.calls.push(Call { name, strings: Vec::new(), arguments: 0, span: Default::default() });
    f.calls.len() - 1
}

/// Fills in what is known of a call when its parenthesis is closed.
pub(super) fn end_call(
    c: &Cursor<'_>,
    f: &mut Facts,
    slot: usize,
    first: usize,
    strings: Vec<Option<String>>,
) {
    if let Some(call) = f.calls.get_mut(slot) {
        call.arguments = strings.len();
        call.strings = strings;
        call.span = c.span_since(first);
    }
}

/// `func_arg_expr`: `x`, `name => x`, `name := x`, `VARIADIC x`. The string that it is, if it is one.
pub(super) fn argument(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Option<String>> {
    c.eat("variadic");
    let named = c.nth(1).is_some_and(|token| match token.kind {
        TokenKind::ColonEquals => true,
        TokenKind::Operator => c.str(token) == "=>",
        _ => false,
    });
    if named {
        c.label("an argument name")?;
        c.bump();
    }
    let shape = a_expr(c, f)?;
    Ok(match shape.literal {
        Some(literal @ LiteralAt::String(_)) => match literal.value(c) {
            Some(crate::migration::statement::Literal::String(value)) => Some(value),
            _ => None,
        },
        _ => None,
    })
}

/// WITHIN GROUP, FILTER, RESPECT NULLS, OVER.
pub(super) fn after_call(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    if c.kind() != Some(TokenKind::Word) {
        return Ok(());
    }
    if c.eat_seq(&["within", "group"]) {
        c.open()?;
        query::order_by(c, f)?;
        c.close()?;
    }
    if c.is("filter") && c.nth(1).is_some_and(|token| token.kind == TokenKind::LeftParen) {
        c.bump();
        c.open()?;
        c.expect("where")?;
        a_expr(c, f)?;
        c.close()?;
    }
    if !c.eat_seq(&["ignore", "nulls"]) {
        c.eat_seq(&["respect", "nulls"]);
    }
    if c.eat("over") {
        if c.at(TokenKind::LeftParen) {
            query::window(c, f)?;
        } else {
            c.ident("a window")?;
        }
    }
    Ok(())
}

/// A constant of a type whose name is a keyword: `interval '1 day'`, `timestamp with time zone '…'`.
pub(super) fn keyword_typed_constant(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Option<Shape>> {
    let mut probe = *c;
    let Ok(mut cast) = type_name(&mut probe) else { return Ok(None) };
    if !probe.at_string() && !probe.at(TokenKind::BitString) {
        return Ok(None);
    }
    *c = probe;
    let literal = string(c, f)?;
    if cast.name.name == *"interval" {
        cast.fields = interval_fields(c, &mut cast.modifiers)?;
    }
    Ok(Some(Shape { literal, cast: Some(Box::new(cast)), ..Shape::default() }))
}
