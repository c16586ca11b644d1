//! Lists of options: storage parameters, definitions, options of foreign objects.

use compact_str::CompactString;

use crate::migration::parse::cursor::{Cursor, Parsed, fold};
use crate::migration::parse::keywords;
use crate::migration::parse::lex::TokenKind;
use crate::migration::parse::type_name::type_name;
use crate::migration::statement::{Ident, StorageOption};

/// `reloptions`: `( name [= value], … )`, names maybe with a namespace.
pub fn option_list(c: &mut Cursor<'_>) -> Parsed<Vec<StorageOption>> {
    c.paren_list(|c| option(c, true))
}

/// `definition`: `( name [= value], … )`.
pub fn definition(c: &mut Cursor<'_>) -> Parsed<Vec<StorageOption>> {
    c.paren_list(|c| option(c, false))
}

/// `WITH definition`, or nothing.
pub fn with_definition(c: &mut Cursor<'_>) -> Parsed<Vec<StorageOption>> {
    if c.is("with") && c.nth(1).is_some_and(|token| token.kind == TokenKind::LeftParen) {
        c.expect("with")?;
        return definition(c);
    }
    Ok(Vec::new())
}

/// `WITH ( … )`, or nothing.
pub fn with_options(c: &mut Cursor<'_>) -> Parsed<Vec<StorageOption>> {
    if c.is("with") && c.nth(1).is_some_and(|token| token.kind == TokenKind::LeftParen) {
        c.expect("with")?;
        return option_list(c);
    }
    Ok(Vec::new())
}

fn option(c: &mut Cursor<'_>, namespaces: bool) -> Parsed<StorageOption> {
    let mut name = c.label("an option's name")?.value;
    if namespaces && c.eat_kind(TokenKind::Dot) {
        name.push('.');
        name.push_str(c.label("an option's name")?.as_str());
    }
    let value = if c.eat_operator("=") { Some(definition_value(c)?) } else { None };
    Ok(StorageOption { name, value })
}

/// `def_arg`: a string, a number, a word, a type or an operator; as written, unquoted.
pub fn definition_value(c: &mut Cursor<'_>) -> Parsed<String> {
    if c.at_string() {
        return c.string("a value");
    }
    if c.at(TokenKind::Number) || c.is_operator("-") || c.is_operator("+") {
        let mut probe = *c;
        if let Ok(number) = numeric(&mut probe) {
            *c = probe;
            return Ok(number);
        }
    }
    if c.at(TokenKind::Operator)
        || (c.is("operator") && c.nth(1).is_some_and(|t| t.kind == TokenKind::LeftParen))
    {
        return Ok(operator(c)?.value.into());
    }
    if let Some(word) = c.word_at(0)
        && (keywords::is_reserved(word) || word.eq_ignore_ascii_case("none"))
    {
        c.bump();
        return Ok(fold(word).into());
    }
    let first = c.index();
    let of_type = type_name(c)?;
    let written = c.written_since(first);
    // One identifier is given folded, without its quotes.
    if of_type.name.schema.is_none() && of_type.modifiers.is_empty() && of_type.dimensions == 0 {
        if written.starts_with('"') {
            return Ok(of_type.name.name.value.into());
        }
        return Ok(written.to_ascii_lowercase());
    }
    Ok(written.to_owned())
}

/// `NumericOnly`: a number with an optional sign, as written.
pub fn numeric(c: &mut Cursor<'_>) -> Parsed<String> {
    let mut probe = *c;
    let sign = if probe.eat_operator("-") {
        "-"
    } else {
        probe.eat_operator("+");
        ""
    };
    let Some(token) = probe.peek().filter(|token| token.kind == TokenKind::Number) else {
        return Err(c.expected("a number"));
    };
    probe.bump();
    *c = probe;
    Ok(format!("{sign}{}", c.str(token)))
}

/// `any_operator`, maybe as `OPERATOR(schema.op)`: the operator with its schemas.
pub fn operator(c: &mut Cursor<'_>) -> Parsed<Ident> {
    let first = c.index();
    let wrapped = c.is("operator") && c.nth(1).is_some_and(|token| token.kind == TokenKind::LeftParen);
    if wrapped {
        c.bump();
        c.open()?;
    }
    let mut value = CompactString::default();
    while c.nth(1).is_some_and(|token| token.kind == TokenKind::Dot) {
        value.push_str(c.ident("a schema or operator")?.as_str());
        value.push('.');
        c.bump();
    }
    // `=>` is a token of its own, between an argument's name and its value.
    if c.is_operator("=>") {
        return Err(c.expected("an operator"));
    }
    let token = c.expect_kind(TokenKind::Operator, "an operator")?;
    value.push_str(c.str(token));
    if wrapped {
        c.close()?;
    }
    Ok(Ident { value, quoted: false, span: c.span_since(first) })
}

/// `OPTIONS ( name 'value', … )` of foreign objects, or nothing. Whether there was one.
pub fn generic_options(c: &mut Cursor<'_>) -> Parsed<bool> {
    if !(c.is("options") && c.nth(1).is_some_and(|token| token.kind == TokenKind::LeftParen)) {
        return Ok(false);
    }
    c.expect("options")?;
    c.paren_list(|c| {
        c.label("an option's name")?;
        c.string("a string")
    })?;
    Ok(true)
}

/// `OPTIONS ( [ADD | SET | DROP] name ['value'], … )`, or nothing. Whether there was one.
pub fn alter_generic_options(c: &mut Cursor<'_>) -> Parsed<bool> {
    if !c.eat("options") {
        return Ok(false);
    }
    c.paren_list(|c| {
        // `add 'x'` sets an option whose name is the verb.
        let verb = !c.nth(1).is_some_and(|token| token.kind == TokenKind::String);
        if verb && c.eat("drop") {
            c.label("an option's name")?;
            return Ok(());
        }
        if verb && !c.eat("add") {
            c.eat("set");
        }
        c.label("an option's name")?;
        c.string("a string").map(|_| ())
    })?;
    Ok(true)
}

/// Whether an option means on: written alone, or `true`, `on`, `yes`, `1`.
pub fn is_on(option: &StorageOption) -> bool {
    match option.value.as_deref() {
        None => true,
        Some(value) => ["true", "on", "yes", "1", "t"].iter().any(|on| value.eq_ignore_ascii_case(on)),
    }
}
