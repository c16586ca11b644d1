//! Type names as PostgreSQL's grammar spells them.

use super::cursor::{Cursor, Parsed};
use super::expression;
use super::lex::TokenKind;
use crate::migration::statement::{Ident, Literal, Name, TypeName};

/// Reads a type (`Typename` in gram.y): `numeric(10,2)[]`, `timestamp(3) with time zone`, `setof s.t`.
pub fn type_name(c: &mut Cursor<'_>) -> Parsed<TypeName> {
    let first = c.index();
    let set_of = c.eat("setof");
    let mut read = simple_type(c)?;
    read.set_of = set_of;
    if c.eat("array") {
        read.dimensions = 1;
        if c.eat_kind(TokenKind::LeftBracket) {
            c.integer("an array size")?;
            c.expect_kind(TokenKind::RightBracket, "`]`")?;
        }
    } else {
        while c.at(TokenKind::LeftBracket) {
            c.bump();
            if !c.at(TokenKind::RightBracket) {
                c.integer("an array size")?;
            }
            c.expect_kind(TokenKind::RightBracket, "`]`")?;
            read.dimensions += 1;
        }
    }
    read.span = c.span_since(first);
    Ok(read)
}

/// `SimpleTypename`: without SETOF and array bounds.
fn simple_type(c: &mut Cursor<'_>) -> Parsed<TypeName> {
    let first = c.index();
    // A dot after the first word makes it a schema, whatever the word.
    let qualified = c.nth(1).is_some_and(|token| token.kind == TokenKind::Dot);
    if let (Some(word), false) = (c.word_at(0), qualified)
        && let Some(read) = built_in(c, word)?
    {
        return Ok(named(c, first, read));
    }
    let head = c.type_or_function_ident("a type")?;
    let mut name = c.name_after(head, "a type")?;
    if name.schema.as_ref().is_some_and(|schema| schema.value == "pg_catalog") {
        name.schema = None;
    }
    let mut read = TypeName { name, ..TypeName::default() };
    if c.is_operator("%") && c.is_nth(1, "type") {
        c.bump();
        c.bump();
        read.percent_type = true;
        return Ok(read);
    }
    if read.name.schema.is_none() {
        let serial = match read.name.name.value.as_str() {
            "serial" => Some("serial4"),
            "bigserial" => Some("serial8"),
            "smallserial" => Some("serial2"),
            _ => None,
        };
        if let Some(serial) = serial {
            read.name.name.value = serial.into();
        }
    }
    if c.at(TokenKind::LeftParen) {
        modifiers(c, &mut read)?;
    }
    Ok(read)
}

/// What a keyword type gives: its name in the catalog, modifiers, interval fields.
struct BuiltIn {
    name: &'static str,
    modifiers: Vec<i64>,
    fields: Option<String>,
}

fn named(c: &Cursor<'_>, first: usize, read: BuiltIn) -> TypeName {
    let ident = Ident { value: read.name.into(), quoted: false, span: c.span_since(first) };
    TypeName {
        name: Name { schema: None, name: ident },
        modifiers: read.modifiers,
        fields: read.fields,
        ..TypeName::default()
    }
}

/// The types that are keywords of the grammar. `None`: another type.
fn built_in(c: &mut Cursor<'_>, word: &str) -> Parsed<Option<BuiltIn>> {
    // The longest of them has nine letters; most type names are none of them.
    let mut buffer = [0u8; 9];
    let Some(folded) = buffer.get_mut(..word.len()) else { return Ok(None) };
    folded.copy_from_slice(word.as_bytes());
    folded.make_ascii_lowercase();
    let mut fields = None;
    let mut size = Vec::new();
    let name = match &*folded {
        b"int" | b"integer" => bumped(c, "int4"),
        b"smallint" => bumped(c, "int2"),
        b"bigint" => bumped(c, "int8"),
        b"real" => bumped(c, "float4"),
        b"boolean" => bumped(c, "bool"),
        b"json" => bumped(c, "json"),
        b"float" => {
            c.bump();
            // Up to 24 binary digits fit a float4 (gram.y, opt_float).
            match precision(c)? {
                Some(digits) if digits <= 24 => "float4",
                _ => "float8",
            }
        }
        b"double" if c.is_nth(1, "precision") => {
            c.bump();
            bumped(c, "float8")
        }
        b"decimal" | b"dec" | b"numeric" => {
            c.bump();
            if c.at(TokenKind::LeftParen) {
                size = c.paren_list(|c| c.integer("a precision"))?;
            }
            "numeric"
        }
        b"bit" => {
            c.bump();
            let varying = c.eat("varying");
            match precision(c)? {
                Some(length) => size.push(length),
                // gram.y: "bit defaults to bit(1), varbit to no limit".
                None if !varying => size.push(1),
                None => {}
            }
            if varying { "varbit" } else { "bit" }
        }
        b"character" | b"char" | b"nchar" | b"varchar" | b"national" => {
            if c.eat("national") && !c.is_any(&["character", "char"]) {
                return Err(c.expected("`CHARACTER`"));
            }
            let varying = c.is("varchar") || c.is_nth(1, "varying");
            c.bump();
            c.eat("varying");
            match precision(c)? {
                Some(length) => size.push(length),
                // gram.y: "char defaults to char(1), varchar to no limit".
                None if !varying => size.push(1),
                None => {}
            }
            if varying { "varchar" } else { "bpchar" }
        }
        b"time" | b"timestamp" => {
            let timestamp = folded.len() > 4;
            c.bump();
            size.extend(precision(c)?);
            let zoned = c.eat_seq(&["with", "time", "zone"]);
            if !zoned {
                c.eat_seq(&["without", "time", "zone"]);
            }
            match (timestamp, zoned) {
                (true, true) => "timestamptz",
                (true, false) => "timestamp",
                (false, true) => "timetz",
                (false, false) => "time",
            }
        }
        b"interval" => {
            c.bump();
            match precision(c)? {
                Some(digits) => size.push(digits),
                None => fields = interval_fields(c, &mut size)?,
            }
            "interval"
        }
        _ => return Ok(None),
    };
    Ok(Some(BuiltIn { name, modifiers: size, fields }))
}

fn bumped(c: &mut Cursor<'_>, name: &'static str) -> &'static str {
    c.bump();
    name
}

/// `( n )`, or nothing.
fn precision(c: &mut Cursor<'_>) -> Parsed<Option<i64>> {
    if !c.at(TokenKind::LeftParen) {
        return Ok(None);
    }
    c.bump();
    let digits = c.integer("a length")?;
    c.close()?;
    Ok(Some(digits))
}

/// `opt_interval`: `year to month`, `second(3)` …
pub fn interval_fields(c: &mut Cursor<'_>, size: &mut Vec<i64>) -> Parsed<Option<String>> {
    const FIELDS: [&str; 6] = ["year", "month", "day", "hour", "minute", "second"];
    if !c.is_any(&FIELDS) {
        return Ok(None);
    }
    let Some(first) = c.eat_any(&FIELDS) else { return Ok(None) };
    let mut fields = first.to_owned();
    let mut last = first;
    // A bare `day` may also be followed by the TO of another clause.
    if first != "second" && c.is("to") && FIELDS.iter().any(|field| c.is_nth(1, field)) {
        c.bump();
        if let Some(to) = c.eat_any(&FIELDS) {
            fields = format!("{first} to {to}");
            last = to;
        }
    }
    if last == "second" {
        size.extend(precision(c)?);
    }
    Ok(Some(fields))
}

/// `( … )` behind a type that isn't a keyword: numbers, or what the type's own input understands
/// (`geography(Point, 4326)`).
fn modifiers(c: &mut Cursor<'_>, read: &mut TypeName) -> Parsed<()> {
    let first = c.index();
    let mut plain = true;
    let mut numbers = Vec::new();
    c.paren_list(|c| {
        let value = expression::expr(c)?;
        match value.literal {
            Some(Literal::Number(number)) if value.cast.is_none() => match number.parse() {
                Ok(number) => numbers.push(number),
                Err(_) => plain = false,
            },
            _ => plain = false,
        }
        Ok(())
    })?;
    if !plain {
        let written = c.written_since(first);
        read.fields = Some(written.get(1..written.len().saturating_sub(1)).unwrap_or("").trim().to_owned());
    }
    read.modifiers = numbers;
    Ok(())
}
