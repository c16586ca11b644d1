//! The text forms in which PostgreSQL writes values of its simple types, as pg_dump's sessions have it
//! (`DateStyle ISO`, `IntervalStyle postgres`; manual chapter 8 "Data Types").
//!
//! A form is checked as the server *writes* it, which is narrower than what it reads: a flipped bit in an
//! uncompressed dump shows where the result isn't of that form any more.

use std::collections::HashSet;
use std::sync::Arc;

use super::encoding::Encoding;

/// A type whose text form is known here.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueType {
    /// Any text: `text` itself, and all types not known here.
    Any,
    /// `t` or `f`
    Bool,
    /// Whole numbers from the first to the second.
    Int(i64, i64),
    /// Whole numbers without a sign, up to the given one: `oid`, `xid`, `xid8`.
    Unsigned(u64),
    /// `real`, `double precision`
    Float,
    /// `numeric`, with precision and scale where declared.
    Numeric(Option<(u32, u32)>),
    /// `character varying(n)`
    Varchar(usize),
    /// `character(n)`, padded with blanks
    Char(usize),
    /// `bytea`
    Bytea,
    /// `date`
    Date,
    /// `time`
    Time,
    /// `time with time zone`
    TimeTz,
    /// `timestamp`
    Timestamp,
    /// `timestamp with time zone`
    TimestampTz,
    /// `interval`
    Interval,
    /// `uuid`
    Uuid,
    /// `json`, `jsonb`
    Json,
    /// `inet`
    Inet,
    /// `cidr`
    Cidr,
    /// `macaddr` (6) and `macaddr8` (8)
    MacAddr(usize),
    /// `bit(n)`
    Bit(usize),
    /// `bit varying`, with its longest length where declared
    VarBit(Option<usize>),
    /// `pg_lsn`
    Lsn,
    /// One of these words.
    Enum(Arc<HashSet<Vec<u8>>>),
    /// A range over numbers or dates.
    Range,
    /// An array of these.
    Array(Box<ValueType>),
}

impl ValueType {
    /// Whether equal values always have equal text, so that keys can be compared as text.
    pub fn is_canonical(&self) -> bool {
        match self {
            ValueType::Int(..)
            | ValueType::Unsigned(_)
            | ValueType::Bool
            | ValueType::Varchar(_)
            | ValueType::Bytea
            | ValueType::Date
            | ValueType::Time
            | ValueType::Timestamp
            | ValueType::TimestampTz
            | ValueType::Uuid
            | ValueType::Enum(_)
            | ValueType::MacAddr(_) => true,
            ValueType::Numeric(scale) => scale.is_some(),
            _ => false,
        }
    }

    /// Whether `text` (without COPY's escapes) is a value of this type, and else what it isn't.
    pub fn check(&self, text: &[u8], encoding: &Encoding) -> Result<(), &'static str> {
        let is = |fits: bool, what: &'static str| if fits { Ok(()) } else { Err(what) };
        match self {
            ValueType::Any => Ok(()),
            ValueType::Bool => is(matches!(text, b"t" | b"f"), "no boolean (t or f)"),
            ValueType::Int(low, high) => match int(text) {
                Some(value) if (*low..=*high).contains(&value) => Ok(()),
                Some(_) => Err("a number out of the type's range"),
                None => Err("no whole number"),
            },
            ValueType::Unsigned(high) => {
                is(unsigned(text).is_some_and(|value| value <= *high), "no whole number without a sign")
            }
            ValueType::Float => is(is_float(text), "no floating-point number"),
            ValueType::Numeric(declared) => check_numeric(text, *declared),
            // As many bytes are enough: most text is shorter than its limit.
            ValueType::Varchar(longest) => is(
                text.len() <= *longest || encoding.count_chars(text) <= *longest,
                "longer than its column allows",
            ),
            ValueType::Char(length) => is(
                (text.len() == *length && text.is_ascii()) || encoding.count_chars(text) == *length,
                "not padded to the length of its column",
            ),
            ValueType::Bytea => is(is_bytea(text), "no bytea"),
            ValueType::Date => is(is_infinite(text) || is_day(text), "no date"),
            ValueType::Time => is(time(text).is_some_and(<[u8]>::is_empty), "no time"),
            ValueType::TimeTz => is(time(text).is_some_and(is_zone), "no time with time zone"),
            ValueType::Timestamp => is(is_timestamp(text, false), "no timestamp"),
            ValueType::TimestampTz => is(is_timestamp(text, true), "no timestamp with time zone"),
            ValueType::Interval => is(is_interval(text), "no interval"),
            ValueType::Uuid => is(is_uuid(text), "no uuid"),
            ValueType::Json => is(super::json::is_json(text), "no valid JSON"),
            ValueType::Inet => is(is_address(text, false), "no network address"),
            ValueType::Cidr => is(is_address(text, true), "no network"),
            ValueType::MacAddr(bytes) => is(is_mac(text, *bytes), "no MAC address"),
            ValueType::Bit(length) => {
                is(text.len() == *length && is_bits(text), "not a bit string of its column's length")
            }
            ValueType::VarBit(longest) => is(
                longest.is_none_or(|longest| text.len() <= longest) && is_bits(text),
                "no bit string, or too long",
            ),
            ValueType::Lsn => is(is_lsn(text), "no log sequence number"),
            ValueType::Enum(words) => is(words.contains(text), "none of the words of its enum"),
            ValueType::Range => is(is_range(text), "no range"),
            ValueType::Array(of) => check_array(text, of, encoding),
        }
    }
}

/// A whole number as the server writes it: no plus sign, no leading zero.
#[inline]
pub fn int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.len() > 18 {
        let text = std::str::from_utf8(text).ok()?;
        return text.parse().ok().filter(|_| !text.starts_with('+') && digits.first() != Some(&b'0'));
    }
    let (first, rest) = digits.split_first()?;
    if *first == b'0' && (!rest.is_empty() || negative) {
        return None;
    }
    let mut value: i64 = 0;
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit); // at most 18 digits
    }
    Some(if negative { -value } else { value })
}

fn unsigned(text: &[u8]) -> Option<u64> {
    if !all_digits(text) || (text.len() > 1 && text.first() == Some(&b'0')) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn all_digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

fn unsign(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"-").unwrap_or(text)
}

fn is_float(text: &[u8]) -> bool {
    if matches!(text, b"NaN" | b"Infinity" | b"-Infinity") {
        return true;
    }
    let text = unsign(text);
    let (mantissa, exponent) = match memchr::memchr(b'e', text) {
        Some(at) => (&text[..at], text.get(at + 1..)), // at is in range
        None => (text, None),
    };
    let exponent_fits = exponent.is_none_or(|exponent| match exponent {
        [b'+' | b'-', digits @ ..] => all_digits(digits) && digits.len() <= 3,
        _ => false,
    });
    exponent_fits && is_decimal(mantissa)
}

/// Digits, or digits with one point between them.
fn is_decimal(text: &[u8]) -> bool {
    match memchr::memchr(b'.', text) {
        Some(at) => all_digits(&text[..at]) && all_digits(&text[at + 1..]), // at is in range
        None => all_digits(text),
    }
}

fn check_numeric(text: &[u8], declared: Option<(u32, u32)>) -> Result<(), &'static str> {
    if matches!(text, b"NaN" | b"Infinity" | b"-Infinity") {
        return Ok(());
    }
    let digits = unsign(text);
    if !is_decimal(digits) {
        return Err("no number");
    }
    if let Some((precision, scale)) = declared {
        let after = memchr::memchr(b'.', digits).map_or(0, |at| digits.len() - at - 1);
        let before = digits.len() - after - usize::from(after > 0);
        if after != scale as usize {
            return Err("a number without the decimal places of its column");
        }
        if before > (precision - scale).max(1) as usize {
            return Err("a number with more digits than its column allows");
        }
    }
    Ok(())
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn is_bytea(text: &[u8]) -> bool {
    if let Some(hex) = text.strip_prefix(b"\\x") {
        return hex.len() % 2 == 0 && hex.iter().all(|&byte| is_hex(byte));
    }
    // bytea_output = escape: pg_dump leaves it as the database has it.
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'\\', [b'\\', tail @ ..]) => tail,
            (b'\\', [b'0'..=b'3', b'0'..=b'7', b'0'..=b'7', tail @ ..]) => tail,
            (b'\\', _) => return false,
            (0x20..=0x7e, _) => tail,
            _ => return false,
        };
    }
    true
}

fn is_infinite(text: &[u8]) -> bool {
    matches!(text, b"infinity" | b"-infinity")
}

/// Without the mark of a year before Christ, and whether it had one.
fn without_bc(text: &[u8]) -> (&[u8], bool) {
    text.strip_suffix(b" BC").map_or((text, false), |text| (text, true))
}

fn is_day(text: &[u8]) -> bool {
    let (text, bc) = without_bc(text);
    is_date(text, bc)
}

fn two_digits(text: &[u8]) -> Option<u8> {
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some((a - b'0') * 10 + (b - b'0')),
        _ => None,
    }
}

/// `YYYY-MM-DD`, the year with four digits or more.
#[inline]
fn is_date(text: &[u8], bc: bool) -> bool {
    let Some(split) = text.len().checked_sub(6) else { return false };
    let (year, rest) = text.split_at(split);
    let [b'-', m1, m2, b'-', d1, d2] = rest else { return false };
    let (Some(month), Some(day)) = (two_digits(&[*m1, *m2]), two_digits(&[*d1, *d2])) else { return false };
    if !(4..=7).contains(&year.len()) || !all_digits(year) {
        return false;
    }
    // There is no year 0: the years before Christ that leap are 1, 5, 9 …
    let number = year.iter().fold(0u32, |sum, &digit| sum * 10 + u32::from(digit - b'0')); // at most 7 digits
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if bc => {
            if number % 4 == 1 {
                29
            } else {
                28
            }
        }
        2 if number % 4 == 0 && (number % 100 != 0 || number % 400 == 0) => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// `HH:MM:SS[.ffffff]`; returns what follows.
#[inline]
fn time(text: &[u8]) -> Option<&[u8]> {
    let [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = text else { return None };
    let hour = two_digits(&[*h1, *h2])?;
    let minute = two_digits(&[*m1, *m2])?;
    let second = two_digits(&[*s1, *s2])?;
    if hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    match rest {
        [b'.', fraction @ ..] => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (1..=6).contains(&digits).then(|| &fraction[digits..]) // counted within
        }
        _ => Some(rest),
    }
}

/// `+HH[:MM[:SS]]`
fn is_zone(text: &[u8]) -> bool {
    let [b'+' | b'-', rest @ ..] = text else { return false };
    matches!(rest.len(), 2 | 5 | 8)
        && rest.split(|&byte| byte == b':').all(|part| two_digits(part).is_some_and(|number| number < 60))
}

fn is_timestamp(text: &[u8], with_zone: bool) -> bool {
    if is_infinite(text) {
        return true;
    }
    let (text, bc) = without_bc(text);
    let Some(blank) = memchr::memchr(b' ', text) else { return false };
    let (date, rest) = text.split_at(blank);
    let Some(rest) = rest.get(1..).and_then(time) else { return false };
    is_date(date, bc) && if with_zone { is_zone(rest) } else { rest.is_empty() }
}

/// `1 year 2 mons -3 days 04:05:06.789`
fn is_interval(text: &[u8]) -> bool {
    let mut words = text.split(|&byte| byte == b' ').peekable();
    let mut any = false;
    if is_infinite(text) {
        return true;
    }
    while let Some(word) = words.next() {
        let number = word.strip_prefix(b"-").or(word.strip_prefix(b"+")).unwrap_or(word);
        if memchr::memchr(b':', number).is_some() {
            let Some(colon) = memchr::memchr(b':', number) else { return false };
            let (hours, rest) = number.split_at(colon);
            let mut clock = b"00".to_vec();
            clock.extend_from_slice(rest);
            return all_digits(hours)
                && hours.len() >= 2
                && words.next().is_none()
                && time(&clock).is_some_and(<[u8]>::is_empty);
        }
        let unit = words.next();
        if !all_digits(number)
            || !matches!(unit, Some(b"year" | b"years" | b"mon" | b"mons" | b"day" | b"days"))
        {
            return false;
        }
        any = true;
    }
    any
}

fn is_uuid(text: &[u8]) -> bool {
    let Ok(text) = <&[u8; 36]>::try_from(text) else { return false };
    let hex =
        |range: std::ops::Range<usize>| text[range].iter().fold(true, |fits, &byte| fits & is_hex(byte)); // within 36
    let dashes = [text[8], text[13], text[18], text[23]] == [b'-'; 4];
    dashes && hex(0..8) && hex(9..13) && hex(14..18) && hex(19..23) && hex(24..36)
}

fn is_address(text: &[u8], network: bool) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<std::net::IpAddr>() else { return false };
    let longest = if address.is_ipv4() { 32 } else { 128 };
    match bits {
        Some(bits) => unsigned(bits.as_bytes()).is_some_and(|bits| bits <= longest),
        None => !network,
    }
}

fn is_mac(text: &[u8], bytes: usize) -> bool {
    text.len() == bytes * 3 - 1
        && text.iter().enumerate().all(|(at, &byte)| if at % 3 == 2 { byte == b':' } else { is_hex(byte) })
}

fn is_bits(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b'0' | b'1'))
}

fn is_lsn(text: &[u8]) -> bool {
    let part = |part: &[u8]| {
        (1..=8).contains(&part.len()) && part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
    };
    let mut parts = text.split(|&byte| byte == b'/');
    matches!((parts.next(), parts.next(), parts.next()), (Some(high), Some(low), None) if part(high) && part(low))
}

fn is_range(text: &[u8]) -> bool {
    match text {
        b"empty" => true,
        [b'[' | b'(', middle @ .., b']' | b')'] => {
            // Bounds with commas or brackets are quoted; those of numbers and dates never are.
            memchr::memchr(b'"', middle).is_some() || middle.iter().filter(|&&byte| byte == b',').count() == 1
        }
        _ => false,
    }
}

/// `{1,NULL,{…}}`, after `array_out`: elements in double quotes where they need it.
fn check_array(text: &[u8], of: &ValueType, encoding: &Encoding) -> Result<(), &'static str> {
    const WRONG: &str = "no array";
    let mut rest = text;
    if rest.first() == Some(&b'[') {
        // Dimensions that don't begin at 1: [0:2]={…}
        let at = memchr::memchr(b'=', rest).ok_or(WRONG)?;
        let fits = rest[..at].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b':' | b'[' | b']')); // in range
        rest = if fits { &rest[at + 1..] } else { return Err(WRONG) };
    }
    let mut depth = 0usize;
    let mut element = vec![];
    let mut wants_element = true;
    loop {
        let Some((&byte, tail)) = rest.split_first() else { return Err(WRONG) };
        rest = tail;
        match byte {
            b'{' if wants_element && depth < 6 => depth += 1,
            b'}' if depth > 0 => {
                depth -= 1;
                wants_element = false;
                if depth == 0 {
                    return if rest.is_empty() { Ok(()) } else { Err(WRONG) };
                }
            }
            b',' if depth > 0 && !wants_element => wants_element = true,
            b'"' if wants_element && depth > 0 => {
                element.clear();
                loop {
                    match rest {
                        [b'"', tail @ ..] => {
                            rest = tail;
                            break;
                        }
                        [b'\\', byte, tail @ ..] | [byte, tail @ ..] => {
                            element.push(*byte);
                            rest = tail;
                        }
                        [] => return Err(WRONG),
                    }
                }
                of.check(&element, encoding).map_err(|_| "an array with an element of another type")?;
                wants_element = false;
            }
            _ if wants_element && depth > 0 => {
                let length =
                    tail.iter().take_while(|byte| !matches!(byte, b',' | b'}' | b'{' | b'"')).count();
                element.clear();
                element.push(byte);
                element.extend_from_slice(&tail[..length]); // counted within
                rest = &tail[length..];
                if element != b"NULL" {
                    of.check(&element, encoding).map_err(|_| "an array with an element of another type")?;
                }
                wants_element = false;
            }
            _ => return Err(WRONG),
        }
    }
}

/// The type that `name` (as pg_dump writes types) stands for, as far as it is known here. `named` looks
/// up enums and domains by their qualified name.
pub fn value_type(name: &str, named: &dyn Fn(&str) -> Option<ValueType>) -> ValueType {
    let name = name.trim();
    if let Some(element) = name.strip_suffix("[]") {
        return match value_type(element.trim_end_matches("[]"), named) {
            // box separates its elements with semicolons, and isn't known here, as all else that is Any.
            ValueType::Any if !is_plain_text(element.trim_end_matches("[]")) => ValueType::Any,
            of => ValueType::Array(Box::new(of)),
        };
    }
    let (base, numbers) = parameters(name);
    let first = numbers.first().copied();
    match base.as_str() {
        "boolean" => ValueType::Bool,
        "smallint" => ValueType::Int(i16::MIN.into(), i16::MAX.into()),
        "integer" => ValueType::Int(i32::MIN.into(), i32::MAX.into()),
        "bigint" => ValueType::Int(i64::MIN, i64::MAX),
        "oid" | "xid" | "cid" => ValueType::Unsigned(u32::MAX.into()),
        "xid8" => ValueType::Unsigned(u64::MAX),
        "real" | "double precision" => ValueType::Float,
        "numeric" => ValueType::Numeric(match numbers.as_slice() {
            // A negative scale, or one above the precision, is possible from 15 on and not checked.
            [precision, scale] if *scale >= 0 && scale <= precision => {
                Some((*precision as u32, *scale as u32))
            }
            _ => None,
        }),
        "character varying" => {
            first.map_or(ValueType::Any, |longest| ValueType::Varchar(longest.max(0) as usize))
        }
        "character" => ValueType::Char(first.unwrap_or(1).max(0) as usize),
        "bytea" => ValueType::Bytea,
        "date" => ValueType::Date,
        "time without time zone" => ValueType::Time,
        "time with time zone" => ValueType::TimeTz,
        "timestamp without time zone" => ValueType::Timestamp,
        "timestamp with time zone" => ValueType::TimestampTz,
        _ if base == "interval" || base.starts_with("interval ") => ValueType::Interval,
        "uuid" => ValueType::Uuid,
        "json" | "jsonb" => ValueType::Json,
        "inet" => ValueType::Inet,
        "cidr" => ValueType::Cidr,
        "macaddr" => ValueType::MacAddr(6),
        "macaddr8" => ValueType::MacAddr(8),
        "bit" => ValueType::Bit(first.unwrap_or(1).max(0) as usize),
        "bit varying" => ValueType::VarBit(first.map(|longest| longest.max(0) as usize)),
        "pg_lsn" => ValueType::Lsn,
        "int4range" | "int8range" | "numrange" | "daterange" | "tsrange" | "tstzrange" => ValueType::Range,
        _ => named(&base).unwrap_or(ValueType::Any),
    }
}

fn is_plain_text(name: &str) -> bool {
    matches!(name, "text" | "character varying" | "name")
}

/// Splits `timestamp(0) without time zone` into the name without and the numbers within the parentheses.
fn parameters(name: &str) -> (String, Vec<i64>) {
    let Some((before, rest)) = name.split_once('(') else { return (name.to_owned(), vec![]) };
    let Some((inside, after)) = rest.split_once(')') else { return (name.to_owned(), vec![]) };
    let numbers: Result<Vec<i64>, _> = inside.split(',').map(|number| number.trim().parse()).collect();
    match numbers {
        Ok(numbers) => (format!("{}{after}", before.trim_end()), numbers),
        Err(_) => (name.to_owned(), vec![]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(of: &str, text: &str) -> bool {
        value_type(of, &|_| None).check(text.as_bytes(), &Encoding::named("UTF8")).is_ok()
    }

    #[test]
    fn values_as_the_server_writes_them_fit() {
        for (of, values) in [
            ("boolean", &["t", "f"][..]),
            ("smallint", &["-32768", "0", "32767"]),
            ("bigint", &["-9223372036854775808", "9223372036854775807", "1000000000000000000"]),
            ("oid", &["0", "4294967295"]),
            ("double precision", &["1e+300", "-2.5", "1e-07", "NaN", "-Infinity", "0"]),
            ("numeric", &["123456789012345678901234567890.5", "NaN", "-0.5", "0"]),
            ("numeric(10,2)", &["0.00", "-12345678.90"]),
            ("character varying(3)", &["äöü", ""]),
            ("character(3)", &["a  ", "äöü"]),
            ("bytea", &["\\x", "\\xdeadbeef", "a\\\\b\\001", ""]),
            (
                "date",
                &[
                    "2024-02-29",
                    "0044-03-15 BC",
                    "4713-01-01 BC",
                    "infinity",
                    "294276-12-31",
                    "0001-02-29 BC",
                ],
            ),
            ("time without time zone", &["24:00:00", "23:59:59.999999"]),
            ("time(3) with time zone", &["10:00:00+05:30", "10:00:00.5-15:59:59"]),
            (
                "timestamp(0) without time zone",
                &["2026-01-01 00:00:00", "0044-03-15 12:00:00 BC", "-infinity"],
            ),
            ("timestamp with time zone", &["2026-01-01 00:00:00.1+00", "1900-01-01 00:00:00+00:53:28"]),
            (
                "interval",
                &["-1 years +2 mons -3 days +04:05:06.789", "00:00:00", "1 day", "1000:00:00", "-00:00:01"],
            ),
            ("interval day to second(3)", &["1 day 00:00:01"]),
            ("uuid", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
            ("jsonb", &["{\"a\": [1, null]}", "\"x\""]),
            ("inet", &["10.0.0.1", "2001:db8::1/64", "0.0.0.0/0"]),
            ("cidr", &["10.1.0.0/16", "::/0"]),
            ("macaddr8", &["08:00:2b:01:02:03:04:05"]),
            ("bit(5)", &["10101"]),
            ("bit varying(9)", &["", "101"]),
            ("pg_lsn", &["16/B374D848", "0/0"]),
            ("int4range", &["empty", "[1,10)", "(,)"]),
            ("tsrange", &["[\"2026-01-01 00:00:00\",)"]),
            ("integer[]", &["{}", "{1,NULL,-3}", "[0:1]={1,2}", "{{1,2},{3,4}}"]),
            ("text[]", &["{\"a,b\",\"c\\\"d\",NULL,\"NULL\",x y}"]),
            ("timestamp without time zone[]", &["{\"2026-01-01 00:00:00\",infinity}"]),
            ("box[]", &["{(1,1),(0,0);(3,3),(2,2)}"]),
        ] {
            for value in values {
                assert!(fits(of, value), "{value:?} is a {of}");
            }
        }
    }

    #[test]
    fn values_with_a_flipped_bit_do_not() {
        for (of, values) in [
            ("boolean", &["", "u", "true"][..]),
            ("integer", &["", "-", "1a", "01", "-0", "+1", "2147483648", "1 "]),
            ("oid", &["-1", "4294967296"]),
            ("double precision", &["1e5", "1.", ".5", "1.2.3", "nan"]),
            ("numeric(10,2)", &["1.5", "1", "123456789.00", "1,50"]),
            ("character varying(3)", &["äöüß"]),
            ("character(3)", &["a"]),
            ("bytea", &["\\xabc", "\\xzz", "a\\9"]),
            ("date", &["2026-02-30", "2025-02-29", "2026-13-01", "2026-1-01", "26-01-01"]),
            ("time without time zone", &["25:00:00", "10:60:00", "10:00", "10:00:00."]),
            ("timestamp without time zone", &["2026-01-01", "2026-01-01T00:00:00", "2026-01-01 00:00:00+00"]),
            ("timestamp with time zone", &["2026-01-01 00:00:00"]),
            ("interval", &["", "1", "1 dax", "1 day 2", "1 day 00:00"]),
            ("uuid", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", "A0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
            ("json", &["", "{a: 1}"]),
            ("inet", &["10.0.0.256", "10.0.0.1/33"]),
            ("cidr", &["10.0.0.0"]),
            ("bit(5)", &["1010", "10102"]),
            ("integer[]", &["{1,2", "1", "{1,,2}", "{a}"]),
            ("int4range", &["[1,10", "[110)"]),
        ] {
            for value in values {
                assert!(!fits(of, value), "{value:?} is no {of}");
            }
        }
    }
}
