//! A place in a list of tokens, and the small questions that recognisers ask there.

use compact_str::CompactString;

use super::keywords;
use super::lex::{LexError, Token, TokenKind};
use crate::migration::statement::{Ident, Name, Problem};
use crate::source::Span;

/// Whether a token may be `word`, as far as its first letter tells.
#[inline]
pub(super) fn may_be(token: Token, word: &str) -> bool {
    word.as_bytes().first().is_some_and(|first| first.to_ascii_lowercase() == token.initial)
}

/// What a recogniser gives back.
pub type Parsed<T> = Result<T, Problem>;

/// Parentheses, subqueries and nested statements deeper than this are not followed: the reader stays
/// clear of the end of any thread's stack.
pub const MAX_DEPTH: u32 = 96;

/// A place in the tokens of one statement. Cheap to copy, to try something and come back.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    /// The text that the tokens' own spans refer to.
    pub text: &'a str,
    tokens: &'a [Token],
    at: usize,
    /// Where all of it stands in the file, when `text` isn't the file: the text of an escaped literal.
    /// Every span that the cursor gives out is then this one.
    place: Option<Span>,
    /// How deep in parentheses and subqueries the recogniser stands; see [`MAX_DEPTH`].
    pub depth: u32,
    /// The statement is history: what only a judge would ask of it needn't be read.
    pub skims: bool,
}

impl<'a> Cursor<'a> {
    /// At the first of `tokens`, the tokens of one statement.
    pub fn new(text: &'a str, tokens: &'a [Token]) -> Self {
        Cursor { text, tokens, at: 0, place: None, depth: 0, skims: false }
    }

    /// The same over a text that isn't the file but the value of a literal which stands at `place`.
    pub fn placed(text: &'a str, tokens: &'a [Token], place: Option<Span>) -> Self {
        Cursor { place, ..Cursor::new(text, tokens) }
    }

    /// Where the text stands in the file, if it isn't the file.
    pub fn place(&self) -> Option<Span> {
        self.place
    }

    /// A token's place in the file.
    pub fn place_of(&self, token: Token) -> Span {
        self.place.unwrap_or(token.span)
    }

    /// The token here. Its span is one in [`Cursor::text`]; for a place to report ask
    /// [`Cursor::place_of`] or [`Cursor::span`].
    #[inline]
    pub fn peek(&self) -> Option<Token> {
        self.tokens.get(self.at).copied()
    }

    /// The kind of the token here.
    #[inline]
    pub fn kind(&self) -> Option<TokenKind> {
        self.peek().map(|token| token.kind)
    }

    /// The token `n` places further on.
    #[inline]
    pub fn nth(&self, n: usize) -> Option<Token> {
        self.tokens.get(self.at + n).copied()
    }

    /// Whether all tokens have been read.
    pub fn is_done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// How many tokens have been read.
    pub fn index(&self) -> usize {
        self.at
    }

    /// The same tokens, read from the one with index `index` on.
    pub fn at_index(&self, index: usize) -> Cursor<'a> {
        Cursor { at: index, ..*self }
    }

    /// Whether a line ends between the token before this one and this one.
    pub fn on_new_line(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|before| self.tokens.get(before));
        match (before, self.peek()) {
            (Some(before), Some(token)) => self
                .text
                .get(before.span.end as usize..token.span.start as usize)
                .is_some_and(|between| between.contains('\n')),
            _ => false,
        }
    }

    /// The tokens from here on.
    pub fn rest(&self) -> &'a [Token] {
        self.tokens.get(self.at..).unwrap_or(&[])
    }

    /// Passes one token and gives it.
    pub fn bump(&mut self) -> Option<Token> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    /// The span of the token here, or an empty one behind the last token.
    pub fn span(&self) -> Span {
        if let Some(place) = self.place {
            return place;
        }
        match self.peek() {
            Some(token) => token.span,
            None => Span::at(self.tokens.last().map_or(0, |token| token.span.end as usize)),
        }
    }

    /// The text from the token with index `first` to the last one read.
    pub fn written_since(&self, first: usize) -> &'a str {
        let last = self.at.checked_sub(1).and_then(|last| self.tokens.get(last));
        match (self.tokens.get(first), last) {
            (Some(a), Some(b)) if first < self.at => a.span.to(b.span).of(self.text),
            _ => "",
        }
    }

    /// From the token with index `first` (see [`Cursor::index`]) to the last one read.
    pub fn span_since(&self, first: usize) -> Span {
        if let Some(place) = self.place {
            return place;
        }
        match (self.tokens.get(first), self.at.checked_sub(1).and_then(|last| self.tokens.get(last))) {
            (Some(a), Some(b)) if first < self.at => a.span.to(b.span),
            _ => Span::at(self.span().start as usize),
        }
    }

    /// The text of a token.
    #[inline]
    pub fn str(&self, token: Token) -> &'a str {
        self.text.get(token.span.range()).unwrap_or("")
    }

    // ---- words ----

    /// The unquoted word `n` places further on, as written.
    pub fn word_at(&self, n: usize) -> Option<&'a str> {
        let token = self.nth(n)?;
        (token.kind == TokenKind::Word).then(|| self.str(token))
    }

    /// Whether the word here is `word` (given in lower case).
    #[inline]
    pub fn is(&self, word: &str) -> bool {
        self.is_nth(0, word)
    }

    /// Whether the word `n` places further on is `word`.
    #[inline]
    pub fn is_nth(&self, n: usize, word: &str) -> bool {
        self.nth(n).is_some_and(|token| may_be(token, word) && self.is_written(token, word))
    }

    fn is_written(&self, token: Token, word: &str) -> bool {
        token.span.len() == word.len()
            && self
                .text
                .as_bytes()
                .get(token.span.range())
                .is_some_and(|written| written.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// Whether `words` stand here, one after the other.
    #[inline]
    pub fn is_seq(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(n, word)| self.is_nth(n, word))
    }

    /// Whether one of `words` stands here.
    #[inline]
    pub fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    /// Passes `word` if it stands here.
    #[inline]
    pub fn eat(&mut self, word: &str) -> bool {
        let found = self.is(word);
        self.at += usize::from(found);
        found
    }

    /// Passes all of `words` if they stand here.
    #[inline]
    pub fn eat_seq(&mut self, words: &[&str]) -> bool {
        let found = self.is_seq(words);
        self.at += if found { words.len() } else { 0 };
        found
    }

    /// Passes the first of `words` that stands here, and tells which.
    pub fn eat_any(&mut self, words: &[&'static str]) -> Option<&'static str> {
        let found = words.iter().find(|word| self.is(word))?;
        self.at += 1;
        Some(found)
    }

    /// Passes `word`, or says that it is missing.
    pub fn expect(&mut self, word: &str) -> Parsed<Span> {
        let span = self.span();
        if self.eat(word) { Ok(span) } else { Err(self.expected(&format!("`{}`", word.to_uppercase()))) }
    }

    /// Passes `words`, or says which is missing.
    pub fn expect_seq(&mut self, words: &[&str]) -> Parsed<()> {
        words.iter().try_for_each(|word| self.expect(word).map(|_| ()))
    }

    /// `IF EXISTS`.
    pub fn if_exists(&mut self) -> bool {
        self.eat_seq(&["if", "exists"])
    }

    /// `IF NOT EXISTS`.
    pub fn if_not_exists(&mut self) -> bool {
        self.eat_seq(&["if", "not", "exists"])
    }

    // ---- punctuation and operators ----

    /// Whether a token of `kind` stands here.
    #[inline]
    pub fn at(&self, kind: TokenKind) -> bool {
        self.kind() == Some(kind)
    }

    /// Passes a token of `kind` if one stands here.
    #[inline]
    pub fn eat_kind(&mut self, kind: TokenKind) -> bool {
        let found = self.at(kind);
        self.at += usize::from(found);
        found
    }

    /// Passes a token of `kind`, or says that `what` is missing.
    pub fn expect_kind(&mut self, kind: TokenKind, what: &str) -> Parsed<Token> {
        match self.peek() {
            Some(token) if token.kind == kind => {
                self.at += 1;
                Ok(token)
            }
            _ => Err(self.expected(what)),
        }
    }

    /// Passes `(`.
    pub fn open(&mut self) -> Parsed<()> {
        self.expect_kind(TokenKind::LeftParen, "`(`").map(|_| ())
    }

    /// Passes `)`.
    pub fn close(&mut self) -> Parsed<()> {
        self.expect_kind(TokenKind::RightParen, "`)`").map(|_| ())
    }

    /// Passes `,` if it stands here.
    #[inline]
    pub fn comma(&mut self) -> bool {
        self.eat_kind(TokenKind::Comma)
    }

    /// Whether the operator `operator` stands here.
    pub fn is_operator(&self, operator: &str) -> bool {
        self.peek().is_some_and(|token| token.kind == TokenKind::Operator && self.str(token) == operator)
    }

    /// Passes the operator `operator` if it stands here.
    pub fn eat_operator(&mut self, operator: &str) -> bool {
        let found = self.is_operator(operator);
        self.at += usize::from(found);
        found
    }

    /// One or more of what `item` reads, with commas between.
    pub fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.comma() {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `( item, … )`, at least one.
    pub fn paren_list<T>(&mut self, item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.open()?;
        let items = self.list(item)?;
        self.close()?;
        Ok(items)
    }

    /// One level deeper, or a problem where the text is nested absurdly.
    pub fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Problem {
                span: self.span(),
                message: format!("nested more than {MAX_DEPTH} levels deep: not read any further"),
                certain: false,
            });
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    // ---- names and literals ----

    /// The identifier that a token is, folded.
    fn ident_of(&self, token: Token) -> Option<Ident> {
        let written = self.str(token);
        let span = self.place_of(token);
        match token.kind {
            TokenKind::Word => Some(Ident { value: fold(written), quoted: false, span }),
            TokenKind::Quoted => Some(Ident { value: unquote(written, b'"'), quoted: true, span }),
            TokenKind::UnicodeQuoted => {
                let inner = unquote(written.get(2..)?, b'"');
                Some(Ident { value: unicode_unescape(&inner, '\\').into(), quoted: true, span })
            }
            // A placeholder stands for a name that is known only when the tool runs.
            TokenKind::Placeholder => Some(Ident { value: written.into(), quoted: true, span }),
            _ => None,
        }
    }

    /// Whether a token can be an identifier where the words that `usable` admits can.
    fn names(&self, token: Token, usable: fn(&str) -> bool) -> bool {
        match token.kind {
            TokenKind::Word => usable(self.str(token)),
            TokenKind::Quoted | TokenKind::UnicodeQuoted | TokenKind::Placeholder => true,
            _ => false,
        }
    }

    fn ident_if(&mut self, what: &str, usable: fn(&str) -> bool) -> Parsed<Ident> {
        if let Some(token) = self.peek()
            && self.names(token, usable)
            && let Some(mut ident) = self.ident_of(token)
        {
            self.at += 1;
            if token.kind == TokenKind::UnicodeQuoted
                && let Some(escape) = self.escape_character()
            {
                let inner = unquote(self.str(token).get(2..).unwrap_or(""), b'"');
                ident.value = unicode_unescape(&inner, escape).into();
            }
            return Ok(ident);
        }
        Err(self.expected(what))
    }

    /// A name of a column, table or other object (`ColId`).
    pub fn ident(&mut self, what: &str) -> Parsed<Ident> {
        self.ident_if(what, keywords::is_column_identifier)
    }

    /// A name where any keyword is allowed (`ColLabel`).
    pub fn label(&mut self, what: &str) -> Parsed<Ident> {
        self.ident_if(what, |_| true)
    }

    /// Whether a name (`ColId`) stands here.
    pub fn at_ident(&self) -> bool {
        self.names_nth(0)
    }

    /// Whether a name (`ColId`) stands `n` places further on.
    pub fn names_nth(&self, n: usize) -> bool {
        self.nth(n).is_some_and(|token| self.names(token, keywords::is_column_identifier))
    }

    /// A name of a type or function (`type_function_name`), without a schema.
    pub fn type_or_function_ident(&mut self, what: &str) -> Parsed<Ident> {
        self.ident_if(what, keywords::is_type_or_function)
    }

    /// A name with an optional schema: `a`, `s.a`, `db.s.a` (the last two parts count).
    pub fn name(&mut self, what: &str) -> Parsed<Name> {
        let first = self.ident(what)?;
        self.name_after(first, what)
    }

    /// A function's name with an optional schema (`func_name`).
    pub fn routine_name(&mut self, what: &str) -> Parsed<Name> {
        let qualified = self.nth(1).is_some_and(|token| token.kind == TokenKind::Dot);
        let first = if qualified { self.ident(what)? } else { self.type_or_function_ident(what)? };
        self.name_after(first, what)
    }

    /// What follows `first` of a name: `.b`, `.b.c`.
    pub fn name_after(&mut self, first: Ident, what: &str) -> Parsed<Name> {
        let mut name = Name { schema: None, name: first };
        while self.at(TokenKind::Dot) && self.nth(1).is_some_and(|token| self.names(token, |_| true)) {
            self.at += 1;
            let next = self.label(what)?;
            name = Name { schema: Some(name.name), name: next };
        }
        Ok(name)
    }

    /// A string constant, unescaped. Strings on several lines that continue each other are one. A
    /// placeholder (`:'name'`, `${name}`) stands for a string and is given as written.
    pub fn string(&mut self, what: &str) -> Parsed<String> {
        let first = self.at;
        self.pass_string(what)?;
        let passed = self.tokens.get(first..self.at).unwrap_or(&[]);
        if let [token, uescape, escape] = passed
            && token.kind == TokenKind::UnicodeString
            && uescape.kind == TokenKind::Word
        {
            let inner = self.str(*token).get(2..).map(|quoted| unquote(quoted, b'\'')).unwrap_or_default();
            let escape = self.str(*escape).chars().nth(1).unwrap_or('\\');
            return Ok(unicode_unescape(&inner, escape));
        }
        let mut text = String::new();
        for token in passed {
            let value = if token.kind == TokenKind::Placeholder {
                self.str(*token).to_owned()
            } else {
                string_value(self.str(*token), token.kind).unwrap_or_default()
            };
            if text.is_empty() { text = value } else { text.push_str(&value) }
        }
        Ok(text)
    }

    /// Passes a string constant without looking at its value.
    pub fn pass_string(&mut self, what: &str) -> Parsed<()> {
        if self.eat_kind(TokenKind::Placeholder) {
            return Ok(());
        }
        if !self.at_string() {
            return Err(self.expected(what));
        }
        let unicode = self.at(TokenKind::UnicodeString);
        self.at += 1;
        while self.at(TokenKind::String) && self.on_new_line() {
            self.at += 1;
        }
        if unicode {
            self.escape_character();
        }
        Ok(())
    }

    /// Passes `UESCAPE 'c'` if it stands here: the escape character of the `U&` token before it.
    fn escape_character(&mut self) -> Option<char> {
        if !self.is("uescape") {
            return None;
        }
        let token = self.nth(1).filter(|token| token.kind == TokenKind::String)?;
        let escape = self.str(token).chars().nth(1)?;
        self.at += 2;
        Some(escape)
    }

    /// Whether a string constant stands here.
    pub fn at_string(&self) -> bool {
        matches!(
            self.kind(),
            Some(
                TokenKind::String
                    | TokenKind::EscapeString
                    | TokenKind::UnicodeString
                    | TokenKind::DollarString
            )
        )
    }

    /// A whole number with an optional sign. Numbers beyond `i64` are cut to its ends.
    pub fn integer(&mut self, what: &str) -> Parsed<i64> {
        let mut probe = *self;
        let negative = probe.eat_operator("-");
        if !negative {
            probe.eat_operator("+");
        }
        let token = probe.expect_kind(TokenKind::Number, what)?;
        let digits = self.str(token).replace('_', "");
        let value = if let Some(hex) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
            i128::from_str_radix(hex, 16).unwrap_or(i128::MAX)
        } else if digits.bytes().all(|b| b.is_ascii_digit()) {
            digits.parse().unwrap_or(i128::MAX)
        } else {
            return Err(self.expected(what));
        };
        let value = if negative { value.saturating_neg() } else { value };
        *self = probe;
        Ok(value.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }

    // ---- skipping and failing ----

    /// Passes a balanced `( … )` whatever it holds, and gives its span.
    pub fn skip_parens(&mut self) -> Parsed<Span> {
        let first = self.at;
        self.open()?;
        let mut depth = 1usize;
        while depth > 0 {
            match self.bump().map(|token| token.kind) {
                Some(TokenKind::LeftParen) => depth += 1,
                Some(TokenKind::RightParen) => depth -= 1,
                Some(_) => {}
                None => return Err(self.expected("`)`")),
            }
        }
        Ok(self.span_since(first))
    }

    /// "expected …, found …" at this place. Certain where the statement ends too early or the token
    /// here is none.
    pub fn expected(&self, what: &str) -> Problem {
        match self.peek() {
            None => Problem {
                span: self.span(),
                message: format!("expected {what}, but the statement ends here"),
                certain: true,
            },
            Some(Token { kind: TokenKind::Invalid(error), .. }) => Problem {
                span: self.span(),
                message: error.message().to_owned(),
                certain: error != LexError::UnexpectedCharacter,
            },
            Some(token) => {
                let mut found = self.str(token);
                if let Some((cut, _)) = found.char_indices().nth(40) {
                    found = &found[..cut]; // `cut` is a character boundary
                }
                Problem {
                    span: self.span(),
                    message: format!("expected {what}, found `{found}`"),
                    certain: false,
                }
            }
        }
    }

    /// Fails unless every token has been read.
    pub fn expect_end(&self) -> Parsed<()> {
        if self.is_done() { Ok(()) } else { Err(self.expected("the end of the statement")) }
    }
}

/// Folds an unquoted identifier as the server does: ASCII letters to lower case.
pub fn fold(word: &str) -> CompactString {
    let mut folded = CompactString::from(word);
    folded.make_ascii_lowercase();
    folded
}

/// The text between the quotes, doubled quotes made one.
pub fn unquote(written: &str, quote: u8) -> CompactString {
    let inner = written.get(1..written.len().saturating_sub(1)).unwrap_or("");
    if inner.as_bytes().contains(&quote) {
        let (doubled, one) = if quote == b'"' { ("\"\"", "\"") } else { ("''", "'") };
        inner.replace(doubled, one).into()
    } else {
        inner.into()
    }
}

/// The value of a string token, unescaped; `None` where the token isn't a string.
pub fn string_value(written: &str, kind: TokenKind) -> Option<String> {
    let inner = |from: usize| written.get(from..written.len().saturating_sub(1)).unwrap_or("");
    Some(match kind {
        TokenKind::String => {
            // N'…' has one byte more in front.
            inner(if written.starts_with('\'') { 1 } else { 2 }).replace("''", "'")
        }
        TokenKind::EscapeString => backslash_unescape(inner(2)),
        TokenKind::UnicodeString => unicode_unescape(&inner(3).replace("''", "'"), '\\'),
        TokenKind::DollarString => {
            let tag = written.get(1..)?.find('$')? + 2;
            written.get(tag..written.len().checked_sub(tag)?)?.to_owned()
        }
        _ => return None,
    })
}

/// `E'…'` escapes (PostgreSQL manual, "String Constants with C-Style Escapes").
fn backslash_unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                // Doubled.
                chars.next_if_eq(&'\'');
                out.push('\'');
            }
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('b') => out.push('\u{8}'),
                Some('f') => out.push('\u{c}'),
                Some(digits @ ('u' | 'U' | 'x')) => {
                    let most = match digits {
                        'u' => 4,
                        'U' => 8,
                        _ => 2,
                    };
                    let mut code = 0u32;
                    for _ in 0..most {
                        match chars.next_if(char::is_ascii_hexdigit) {
                            Some(digit) => code = code.wrapping_mul(16) + digit.to_digit(16).unwrap_or(0),
                            None => break,
                        }
                    }
                    out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                Some(digit @ '0'..='7') => {
                    let mut code = digit.to_digit(8).unwrap_or(0);
                    for _ in 0..2 {
                        match chars.next_if(|c| ('0'..='7').contains(c)) {
                            Some(digit) => code = code * 8 + digit.to_digit(8).unwrap_or(0),
                            None => break,
                        }
                    }
                    out.push(char::from_u32(code & 0xFF).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    out
}

/// `U&'…'` escapes behind the character `escape`.
fn unicode_unescape(text: &str, escape: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once(escape) {
        out.push_str(before);
        if let Some(after) = tail.strip_prefix(escape) {
            out.push(escape);
            rest = after;
            continue;
        }
        let (digits, skip) = if tail.starts_with('+') { (tail.get(1..7), 7) } else { (tail.get(0..4), 4) };
        match digits.and_then(|d| u32::from_str_radix(d, 16).ok()).and_then(char::from_u32) {
            Some(c) => {
                out.push(c);
                rest = tail.get(skip..).unwrap_or("");
            }
            None => {
                out.push(escape);
                rest = tail;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::parse::lex::Lexer;

    fn with<T>(text: &str, read: impl FnOnce(&mut Cursor<'_>) -> T) -> T {
        let mut lexer = Lexer::new(text, 0..text.len());
        let tokens: Vec<Token> = std::iter::from_fn(|| lexer.next_token()).collect();
        read(&mut Cursor::new(text, &tokens))
    }

    #[test]
    fn names_are_folded_and_qualified() {
        let name = with("Db.\"Sch\"\"ema\".Users x", |c| c.name("a table")).unwrap();
        assert_eq!(name.schema.as_ref().unwrap().value, "Sch\"ema");
        assert_eq!(name.name.value, "users");
        assert!(with("select", |c| c.name("a table")).is_err());
        assert_eq!(with("U&\"d\\0061t\\+000061\"", |c| c.name("a table")).unwrap().name.value, "data");
    }

    #[test]
    fn strings_are_unescaped() {
        assert_eq!(with("'it''s'", |c| c.string("")).unwrap(), "it's");
        assert_eq!(with("E'a\\n\\'\\x41\\u00e9\\101'", |c| c.string("")).unwrap(), "a\n'AéA");
        assert_eq!(with("$x$a'b$x$", |c| c.string("")).unwrap(), "a'b");
        assert_eq!(with("'a'\n  'b'", |c| c.string("")).unwrap(), "ab");
        assert_eq!(with("U&'d!\\0061'", |c| c.string("")).unwrap(), "d!a");
        assert_eq!(with("U&'d!0061!!' UESCAPE '!'", |c| c.string("")).unwrap(), "da!");
        assert_eq!(with("U&\"d!0061\" UESCAPE '!'", |c| c.ident("")).unwrap().value, "da");
        assert_eq!(with(":'name'", |c| c.string("")).unwrap(), ":'name'");
    }

    #[test]
    fn a_problem_names_what_was_found() {
        let problem = with("ADD ;", |c| {
            c.eat("add");
            c.ident("a column name").unwrap_err()
        });
        assert_eq!(problem.message, "expected a column name, found `;`");
        assert!(!problem.certain);
        let problem = with("ADD", |c| {
            c.eat("add");
            c.ident("a column name").unwrap_err()
        });
        assert!(problem.certain);
    }

    #[test]
    fn integers_have_signs_and_limits() {
        assert_eq!(with("-1_000", |c| c.integer("")).unwrap(), -1000);
        assert_eq!(with("99999999999999999999", |c| c.integer("")).unwrap(), i64::MAX);
        assert!(with("1.5", |c| c.integer("")).is_err());
    }
}
