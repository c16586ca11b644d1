//! Dynamic SQL whose text is known: what EXECUTE runs when its argument is a literal, `format('…')`, or
//! pieces put together with `||`.

use std::collections::HashMap;
use std::ops::Range;

use super::cursor::{Cursor, string_value};
use super::lex::{Lexer, Token, TokenKind};
use crate::migration::statement::quote_ident;
use crate::source::Span;

/// The text that a string, or an expression which makes one, stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Text {
    /// It is written in the source exactly as it reads: spans inside it are exact.
    Verbatim(Range<usize>),
    /// It is put together, or has escapes.
    Made {
        text: String,
        place: Span,
        /// Some pieces are known only when it runs; `${…}` stands for them.
        partial: bool,
        /// One of those pieces may be any piece of SQL, a condition say, not just a name or value.
        open: bool,
    },
}

impl Text {
    /// The text of the string that the cursor stands at.
    pub fn of_token(c: &Cursor<'_>) -> Option<Text> {
        let token = c.peek()?;
        let mut behind = *c;
        behind.pass_string("").ok()?;
        if behind.index() == c.index() + 1
            && let Some(range) = verbatim(c, token)
        {
            return Some(Text::Verbatim(range));
        }
        let text = c.clone().string("").ok()?;
        Some(Text::Made { text, place: c.place_of(token), partial: false, open: false })
    }
}

/// The bytes between a token's quotes, when they hold no escapes.
fn verbatim(c: &Cursor<'_>, token: Token) -> Option<Range<usize>> {
    let written = c.str(token);
    let quote = match token.kind {
        TokenKind::DollarString => written.get(1..)?.find('$')? + 2,
        TokenKind::String if written.starts_with('\'') => {
            if written.get(1..written.len().checked_sub(1)?)?.contains('\'') {
                return None;
            }
            1
        }
        _ => return None,
    };
    let range = token.span.range();
    (range.len() >= 2 * quote).then(|| range.start + quote..range.end - quote)
}

/// Variables that are declared CONSTANT, folded, with their values.
pub type Constants = HashMap<String, String>;

/// The text that the expression here makes, all of its tokens; `None` where nothing of it is constant.
pub fn constant_text(c: &mut Cursor<'_>, constants: &Constants) -> Option<Text> {
    // Parentheses around all of it.
    while c.at(TokenKind::LeftParen) && closes_at_end(c) {
        let inner = c.rest();
        let inner = inner.get(1..inner.len() - 1)?;
        let place = c.place();
        *c = Cursor::placed(c.text, inner, place);
    }
    if c.rest().len() == 1 && c.at_string() {
        return Text::of_token(c);
    }
    let first = c.index();
    let mut made = Made::default();
    loop {
        piece(c, &mut made, constants)?;
        if c.is_done() {
            break;
        }
        if !c.eat_operator("||") {
            return None;
        }
    }
    if !made.constant {
        return None;
    }
    let open = made.partial && made.is_open();
    Some(Text::Made { text: made.text, place: c.span_since(first), partial: made.partial, open })
}

fn closes_at_end(c: &Cursor<'_>) -> bool {
    let mut probe = *c;
    probe.skip_parens().is_ok() && probe.is_done()
}

/// A text in the making.
#[derive(Default)]
struct Made {
    text: String,
    /// Some of it is constant.
    constant: bool,
    partial: bool,
    /// Where pieces stand that may be anything.
    anything: Vec<usize>,
}

impl Made {
    /// Puts a piece that is known only at run time.
    fn unknown(&mut self, name: &str, anything: bool) {
        if anything {
            self.anything.push(self.text.len());
        }
        self.partial = true;
        let name: String =
            name.chars().filter(|c| c.is_alphanumeric() || matches!(c, '_' | '.')).take(40).collect();
        self.text.push_str("${");
        self.text.push_str(&name);
        self.text.push('}');
    }

    /// Whether a piece that may be anything stands where not only a name can stand: then the text doesn't
    /// tell what the statement does.
    fn is_open(&self) -> bool {
        const BEFORE_A_NAME: [&str; 38] = [
            "table",
            "from",
            "into",
            "update",
            "join",
            "only",
            "exists",
            "index",
            "view",
            "sequence",
            "schema",
            "on",
            "to",
            "column",
            "constraint",
            "trigger",
            "function",
            "type",
            "by",
            "truncate",
            "references",
            "using",
            "concurrently",
            "role",
            "like",
            "partition",
            "inherit",
            "modulus",
            "remainder",
            "where",
            "and",
            "or",
            "not",
            "limit",
            "select",
            "domain",
            "statistics",
            "value",
        ];
        if self.anything.is_empty() {
            return false;
        }
        let mut lexer = Lexer::new(&self.text, 0..self.text.len());
        let mut before: Option<Token> = None;
        let mut anything = self.anything.iter().peekable();
        while let Some(token) = lexer.next_token() {
            while let Some(&&at) = anything.peek() {
                if at >= token.span.end as usize {
                    break;
                }
                anything.next();
                // In a string, a quoted name or a part of a word it is only that.
                if token.kind != TokenKind::Placeholder || token.span.start as usize != at {
                    continue;
                }
                let named = match before {
                    Some(Token { kind: TokenKind::Word, span, .. }) => {
                        BEFORE_A_NAME.iter().any(|word| span.of(&self.text).eq_ignore_ascii_case(word))
                    }
                    // A value or a part of a name.
                    Some(Token { kind, .. }) => {
                        matches!(
                            kind,
                            TokenKind::Dot | TokenKind::Operator | TokenKind::LeftParen | TokenKind::Comma
                        )
                    }
                    None => false,
                };
                if !named {
                    return true;
                }
            }
            before = Some(token);
        }
        false
    }
}

/// One operand of `||`.
fn piece(c: &mut Cursor<'_>, made: &mut Made, constants: &Constants) -> Option<()> {
    if c.at_string() {
        made.text.push_str(&c.string("").ok()?);
        made.constant = true;
        return cast(c);
    }
    if c.nth(1).is_some_and(|token| token.kind == TokenKind::LeftParen) {
        let name = c.word_at(0)?.to_ascii_lowercase();
        c.bump();
        let mut arguments = *c;
        c.skip_parens().ok()?;
        arguments.open().ok()?;
        match name.as_str() {
            "format" => format(&mut arguments, made, constants)?,
            "quote_ident" | "quote_literal" | "quote_nullable" => match value(&mut arguments, constants)? {
                Value::Constant(text) => {
                    let quoted =
                        if name == "quote_ident" { quote_ident(&text).into() } else { quoted(&text) };
                    made.text.push_str(&quoted);
                    made.constant = true;
                }
                Value::Unknown(written) => made.unknown(&written, false),
            },
            "chr" => made.unknown("chr", false),
            _ => made.unknown(&name, true),
        }
        return cast(c);
    }
    if c.at(TokenKind::LeftParen) {
        c.skip_parens().ok()?;
        made.unknown("expression", true);
        return cast(c);
    }
    // A variable, maybe of a record.
    let first = c.index();
    let name = c.label("").ok()?.value;
    while c.eat_kind(TokenKind::Dot) {
        c.label("").ok()?;
    }
    match constants.get(name.as_str()).filter(|_| c.index() == first + 1) {
        Some(text) => {
            made.text.push_str(text);
            made.constant = true;
        }
        None => made.unknown(c.written_since(first), true),
    }
    cast(c)
}

/// `::text` behind a piece.
fn cast(c: &mut Cursor<'_>) -> Option<()> {
    while c.eat_kind(TokenKind::DoubleColon) {
        super::type_name::type_name(c).ok()?;
    }
    Some(())
}

/// `format('…', …)`, behind the parenthesis: the manual, "format" in "String Functions".
fn format(c: &mut Cursor<'_>, made: &mut Made, constants: &Constants) -> Option<()> {
    if !c.at_string() {
        return None;
    }
    let pattern = c.string("").ok()?;
    let mut values: Vec<Value> = Vec::new();
    while c.comma() {
        values.push(value(c, constants)?);
    }
    made.constant = true;
    let mut next = 0usize;
    let mut rest = pattern.as_str();
    while let Some(at) = rest.find('%') {
        made.text.push_str(&rest[..at]); // `at` was found in `rest`
        rest = &rest[at + 1..];
        if let Some(tail) = rest.strip_prefix('%') {
            made.text.push('%');
            rest = tail;
            continue;
        }
        // [position$][-][width]type
        let kind_at = rest.find(|c: char| !(c.is_ascii_digit() || c == '$' || c == '-' || c == '*'))?;
        let (flags, tail) = rest.split_at(kind_at);
        let kind = tail.chars().next()?;
        rest = tail.get(kind.len_utf8()..)?;
        let index = match flags.split_once('$') {
            Some((position, _)) => position.parse::<usize>().ok()?.checked_sub(1)?,
            None => next,
        };
        next = index + 1;
        let value = values.get(index);
        match (kind, value) {
            ('I', Some(Value::Constant(text))) => made.text.push_str(&quote_ident(text)),
            ('L', Some(Value::Constant(text))) => made.text.push_str(&quoted(text)),
            ('s', Some(Value::Constant(text))) => made.text.push_str(text),
            ('I' | 'L', Some(Value::Unknown(name))) => made.unknown(name, false),
            ('s', Some(Value::Unknown(name))) => made.unknown(name, true),
            ('I' | 'L' | 's', None) => made.unknown("missing", true),
            _ => return None,
        }
    }
    made.text.push_str(rest);
    Some(())
}

/// A text as a literal of SQL.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// An argument of `format` and its kin.
enum Value {
    Constant(String),
    /// By its expression.
    Unknown(String),
}

fn value(c: &mut Cursor<'_>, constants: &Constants) -> Option<Value> {
    let start = *c;
    let token = c.peek()?;
    let constant = match token.kind {
        TokenKind::Word => constants.get(&c.str(token).to_ascii_lowercase()).cloned(),
        kind => string_value(c.str(token), kind),
    };
    if let Some(text) = constant {
        c.bump();
        cast(c)?;
        if c.is_done() || c.at(TokenKind::Comma) || c.at(TokenKind::RightParen) {
            return Some(Value::Constant(text));
        }
        *c = start;
    }
    let first = c.index();
    super::expression::expr(c).ok()?;
    Some(Value::Unknown(c.written_since(first).to_owned()))
}
