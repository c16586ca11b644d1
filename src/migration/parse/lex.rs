//! SQL text to tokens, with exact byte spans: PostgreSQL's lexical rules (`scan.l`) plus what migration
//! files hold besides: psql variables and meta-commands, and `${placeholders}`.
//!
//! A plain byte scanner, because it runs over every byte of every migration on the pre-commit path.
//! White space and comments give no token; comments are kept aside, for suppressions and markers.

use crate::source::Span;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// An unquoted identifier or keyword; may hold a placeholder: `idx_${name}`.
    Word,
    /// `"quoted"`.
    Quoted,
    /// `U&"quoted"`.
    UnicodeQuoted,
    /// `'text'`; also `N'text'`.
    String,
    /// `E'text'`.
    EscapeString,
    /// `U&'text'`.
    UnicodeString,
    /// `B'01'`, `X'1F'`.
    BitString,
    /// `$tag$text$tag$`.
    DollarString,
    /// `42`, `4.2e3`, `0x1F`.
    Number,
    /// `$1`.
    Parameter,
    /// `+`, `=`, `->>` …
    Operator,
    /// `(`.
    LeftParen,
    /// `)`.
    RightParen,
    /// `[`.
    LeftBracket,
    /// `]`.
    RightBracket,
    /// `,`.
    Comma,
    /// `;`.
    Semicolon,
    /// `.`.
    Dot,
    /// `..` (PL/pgSQL).
    DotDot,
    /// `:`.
    Colon,
    /// `::`.
    DoubleColon,
    /// `:=`.
    ColonEquals,
    /// `:name`, `:'name'`, `:"name"` of psql; `${name}`, `{{ name }}` of migration tools.
    Placeholder,
    /// A backslash command of psql, up to the end of its line.
    MetaCommand,
    /// Something that can't begin a token, or an unterminated quote or comment.
    Invalid(LexError),
}

/// Why a token is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexError {
    /// No closing `'`.
    UnterminatedString,
    /// No closing `"`.
    UnterminatedIdentifier,
    /// No closing `$tag$`.
    UnterminatedDollarString,
    /// No closing `*/`.
    UnterminatedComment,
    /// A byte that SQL has no use for (NUL, a control character, a lone brace).
    UnexpectedCharacter,
}

impl LexError {
    /// In words.
    pub fn message(self) -> &'static str {
        match self {
            LexError::UnterminatedString => "unterminated string: no closing `'`",
            LexError::UnterminatedIdentifier => "unterminated quoted identifier: no closing `\"`",
            LexError::UnterminatedDollarString => "unterminated dollar-quoted string",
            LexError::UnterminatedComment => "unterminated comment: no closing `*/`",
            LexError::UnexpectedCharacter => "unexpected character",
        }
    }
}

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Of a [`TokenKind::Word`] the first byte, in lower case; else 0. Most words are told from another by it, without a look
    /// at the text.
    pub initial: u8,
    /// Where it is.
    pub span: Span,
}

/// Turns `text` into tokens, one call at a time; `pos` may be moved (over COPY data, say).
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// The next byte to read.
    pub pos: usize,
    end: usize,
    brackets: u32,
    /// Comments passed so far, in order.
    pub comments: Vec<Span>,
}

impl<'a> Lexer<'a> {
    /// A lexer over `range` of `text`; spans are those of `text`.
    pub fn new(text: &'a str, range: std::ops::Range<usize>) -> Self {
        let end = range.end.min(text.len());
        Lexer {
            text,
            bytes: &text.as_bytes()[..end],
            pos: range.start.min(end),
            end,
            brackets: 0,
            comments: Vec::new(),
        }
    }

    fn byte(&self, at: usize) -> u8 {
        // 0 stands for the end: a NUL in the text is an unexpected character anyway.
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// The next token; `None` at the end.
    pub fn next_token(&mut self) -> Option<Token> {
        if let Some(broken) = self.skip_blank() {
            return Some(broken);
        }
        let start = self.pos;
        if start >= self.end {
            return None;
        }
        let b = self.bytes[start]; // in bounds: start < end
        let kind = match CLASS[b as usize] {
            Class::Word => return Some(self.word(start)),
            Class::Digit => self.number(),
            Class::Quote => self.plain_string(start + 1),
            Class::DoubleQuote => self.quoted_identifier(start + 1, TokenKind::Quoted),
            Class::Dollar => self.dollar(),
            Class::Operator => self.operator(),
            Class::Punctuation => self.punctuation(b),
            Class::Backslash => self.meta_command(),
            Class::Brace => self.brace(),
            Class::Blank | Class::Bad => {
                // A whole character, so that spans stay on character boundaries.
                self.pos += self.text[start..].chars().next().map_or(1, char::len_utf8);
                TokenKind::Invalid(LexError::UnexpectedCharacter)
            }
        };
        Some(Token { kind, initial: 0, span: Span::new(start, self.pos) })
    }

    /// Passes white space and comments. An unterminated comment is a token.
    fn skip_blank(&mut self) -> Option<Token> {
        loop {
            match self.byte(self.pos) {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c if self.pos < self.end => self.pos += 1,
                b'-' if self.byte(self.pos + 1) == b'-' => {
                    let start = self.pos;
                    self.pos = line_end(self.bytes, start);
                    self.comments.push(Span::new(start, self.pos));
                }
                b'/' if self.byte(self.pos + 1) == b'*' => {
                    let start = self.pos;
                    match block_comment_end(self.bytes, start) {
                        Some(end) => {
                            self.pos = end;
                            self.comments.push(Span::new(start, end));
                        }
                        None => {
                            self.pos = self.end;
                            return Some(Token {
                                kind: TokenKind::Invalid(LexError::UnterminatedComment),
                                initial: 0,
                                span: Span::new(start, self.end),
                            });
                        }
                    }
                }
                // A no-break space or a byte order mark inside the text: white space to the reader.
                0xC2 if self.byte(self.pos + 1) == 0xA0 => self.pos += 2,
                0xEF if self.byte(self.pos + 1) == 0xBB && self.byte(self.pos + 2) == 0xBF => self.pos += 3,
                _ => return None,
            }
        }
    }

    /// Where the name that goes on at `at` ends; it may hold placeholders: `t_${name}`, `${schema}_old`, `${a}_${b}`.
    fn word_end(&self, mut at: usize) -> usize {
        loop {
            while matches!(CLASS[self.byte(at) as usize], Class::Word | Class::Digit) {
                at += 1;
            }
            match self.byte(at) {
                b'$' if self.byte(at + 1) == b'{' => match self.placeholder_end(at) {
                    Some(end) => at = end,
                    None => return at,
                },
                // An identifier may hold dollars, but not begin with one.
                b'$' => at += 1,
                b'{' if self.byte(at + 1) == b'{' => match self.placeholder_end(at) {
                    Some(end) => at = end,
                    None => return at,
                },
                _ => return at,
            }
        }
    }

    fn word(&mut self, start: usize) -> Token {
        let at = self.word_end(start + 1);
        self.pos = at;
        let first = self.bytes[start] | 0x20; // in bounds: the caller looked at it
        let next = self.byte(at);
        let kind = match (at - start, first, next) {
            (1, b'e', b'\'') => {
                self.pos = at;
                self.escape_string(at + 1)
            }
            (1, b'n', b'\'') => self.plain_string(at + 1),
            (1, b'b' | b'x', b'\'') => match self.plain_string(at + 1) {
                TokenKind::String => TokenKind::BitString,
                other => other,
            },
            (1, b'u', b'&') if self.byte(at + 1) == b'\'' => match self.plain_string(at + 2) {
                TokenKind::String => TokenKind::UnicodeString,
                other => other,
            },
            (1, b'u', b'&') if self.byte(at + 1) == b'"' => {
                self.quoted_identifier(at + 2, TokenKind::UnicodeQuoted)
            }
            _ => TokenKind::Word,
        };
        // In bounds: the caller looked at it.
        let initial = if kind == TokenKind::Word { self.bytes[start].to_ascii_lowercase() } else { 0 };
        Token { kind, initial, span: Span::new(start, self.pos) }
    }

    /// Reads a string whose text begins at `at`, `''` being the only escape.
    fn plain_string(&mut self, at: usize) -> TokenKind {
        match quoted_end(self.bytes, at, b'\'') {
            Some(end) => {
                self.pos = end;
                TokenKind::String
            }
            None => {
                self.pos = self.end;
                TokenKind::Invalid(LexError::UnterminatedString)
            }
        }
    }

    fn escape_string(&mut self, mut at: usize) -> TokenKind {
        while at < self.end {
            match self.byte(at) {
                b'\\' => at += 2,
                b'\'' if self.byte(at + 1) == b'\'' => at += 2,
                b'\'' => {
                    self.pos = at + 1;
                    return TokenKind::EscapeString;
                }
                _ => at += 1,
            }
        }
        self.pos = self.end;
        TokenKind::Invalid(LexError::UnterminatedString)
    }

    fn quoted_identifier(&mut self, at: usize, kind: TokenKind) -> TokenKind {
        match self.identifier_end(at) {
            Some(end) => {
                self.pos = end;
                kind
            }
            None => {
                self.pos = self.end;
                TokenKind::Invalid(LexError::UnterminatedIdentifier)
            }
        }
    }

    /// One past the closing double quote; quotes inside a template's braces, `"{{ index .Options "Schema" }}"`, are the
    /// template's.
    fn identifier_end(&self, mut at: usize) -> Option<usize> {
        let mut end = quoted_end(self.bytes, at, b'"')?;
        loop {
            let inside = self.bytes.get(at..end)?;
            // Hardly any name holds a brace.
            let open = memchr::memchr(b'{', inside)
                .and_then(|_| memchr::memmem::rfind(inside, b"{{"))
                .filter(|open| memchr::memmem::find(&inside[*open..], b"}}").is_none()); // found there
            let behind = open.and_then(|open| self.placeholder_end(at + open));
            match behind.and_then(|behind| Some((behind, quoted_end(self.bytes, behind, b'"')?))) {
                Some(next) => (at, end) = next,
                None => return Some(end),
            }
        }
    }

    fn number(&mut self) -> TokenKind {
        let mut at = self.pos;
        if self.byte(at) == b'0' && matches!(self.byte(at + 1) | 0x20, b'x' | b'o' | b'b') {
            at += 2;
            while self.byte(at).is_ascii_hexdigit() || self.byte(at) == b'_' {
                at += 1;
            }
        } else {
            let digits = |mut at: usize| {
                while self.byte(at).is_ascii_digit() || self.byte(at) == b'_' {
                    at += 1;
                }
                at
            };
            at = digits(at);
            // `1..10` is a PL/pgSQL range, not `1.` and `.10`.
            if self.byte(at) == b'.' && self.byte(at + 1) != b'.' {
                at = digits(at + 1);
            }
            if self.byte(at) | 0x20 == b'e' {
                let sign = usize::from(matches!(self.byte(at + 1), b'+' | b'-'));
                if self.byte(at + 1 + sign).is_ascii_digit() {
                    at = digits(at + 1 + sign);
                }
            }
        }
        self.pos = at;
        TokenKind::Number
    }

    fn dollar(&mut self) -> TokenKind {
        let start = self.pos;
        if self.byte(start + 1) == b'{'
            && let Some(end) = self.placeholder_end(start)
        {
            self.pos = self.word_end(end);
            return TokenKind::Placeholder;
        }
        let mut at = start + 1;
        if self.byte(at).is_ascii_digit() {
            while self.byte(at).is_ascii_digit() {
                at += 1;
            }
            self.pos = at;
            return TokenKind::Parameter;
        }
        while matches!(CLASS[self.byte(at) as usize], Class::Word | Class::Digit) {
            at += 1;
        }
        if self.byte(at) != b'$' {
            self.pos = start + 1;
            return TokenKind::Invalid(LexError::UnexpectedCharacter);
        }
        let tag = &self.bytes[start..=at]; // in bounds: byte(at) is a dollar, so at < end
        match memchr::memmem::find(&self.bytes[at + 1..], tag) {
            Some(found) => {
                self.pos = at + 1 + found + tag.len();
                TokenKind::DollarString
            }
            None => {
                self.pos = self.end;
                TokenKind::Invalid(LexError::UnterminatedDollarString)
            }
        }
    }

    /// The end of `${…}` or `{{…}}` that begins at `at`, if it ends on its line.
    fn placeholder_end(&self, at: usize) -> Option<usize> {
        let line = &self.bytes[at..line_end(self.bytes, at)]; // in bounds: at < end where called
        let close: &[u8] = if self.byte(at) == b'$' { b"}" } else { b"}}" };
        let found = memchr::memmem::find(line, close)?;
        Some(at + found + close.len())
    }

    fn brace(&mut self) -> TokenKind {
        if self.byte(self.pos) == b'{'
            && self.byte(self.pos + 1) == b'{'
            && let Some(end) = self.placeholder_end(self.pos)
        {
            self.pos = self.word_end(end);
            return TokenKind::Placeholder;
        }
        self.pos += 1;
        TokenKind::Invalid(LexError::UnexpectedCharacter)
    }

    fn operator(&mut self) -> TokenKind {
        let start = self.pos;
        let mut at = start;
        while CLASS[self.byte(at) as usize] == Class::Operator {
            // A comment ends an operator.
            if matches!((self.byte(at), self.byte(at + 1)), (b'-', b'-') | (b'/', b'*')) {
                break;
            }
            at += 1;
        }
        // scan.l: an operator of several characters can't end in + or - unless it holds one of ~!@#%^&|`?
        let special =
            |b: &u8| matches!(b, b'~' | b'!' | b'@' | b'#' | b'%' | b'^' | b'&' | b'|' | b'`' | b'?');
        while at - start > 1
            && matches!(self.byte(at - 1), b'+' | b'-')
            && !self.bytes[start..at - 1].iter().any(special)
        {
            at -= 1;
        }
        self.pos = at;
        TokenKind::Operator
    }

    fn punctuation(&mut self, b: u8) -> TokenKind {
        let next = self.byte(self.pos + 1);
        self.pos += 1;
        match b {
            b'(' => TokenKind::LeftParen,
            b')' => TokenKind::RightParen,
            b'[' => {
                self.brackets += 1;
                TokenKind::LeftBracket
            }
            b']' => {
                self.brackets = self.brackets.saturating_sub(1);
                TokenKind::RightBracket
            }
            b',' => TokenKind::Comma,
            b';' => {
                self.brackets = 0;
                TokenKind::Semicolon
            }
            b'.' if next == b'.' => {
                self.pos += 1;
                TokenKind::DotDot
            }
            b'.' if next.is_ascii_digit() => {
                self.pos -= 1;
                self.number()
            }
            b'.' => TokenKind::Dot,
            _ => self.colon(next),
        }
    }

    /// `:` has been read.
    fn colon(&mut self, next: u8) -> TokenKind {
        let start = self.pos;
        match next {
            b':' => {
                self.pos += 1;
                TokenKind::DoubleColon
            }
            b'=' => {
                self.pos += 1;
                TokenKind::ColonEquals
            }
            b'\'' | b'"' if self.brackets == 0 => match quoted_end(self.bytes, start + 1, next) {
                Some(end) => {
                    self.pos = end;
                    TokenKind::Placeholder
                }
                None => TokenKind::Colon,
            },
            // In brackets it is an array slice: a[lower:upper].
            b if self.brackets == 0 && CLASS[b as usize] == Class::Word => {
                while matches!(CLASS[self.byte(self.pos) as usize], Class::Word | Class::Digit) {
                    self.pos += 1;
                }
                TokenKind::Placeholder
            }
            _ => TokenKind::Colon,
        }
    }

    fn meta_command(&mut self) -> TokenKind {
        // `\;` separates statements that psql sends together.
        if self.byte(self.pos + 1) == b';' {
            self.pos += 2;
            return TokenKind::Semicolon;
        }
        self.pos = line_end(self.bytes, self.pos);
        TokenKind::MetaCommand
    }
}

/// The end of the line that holds `at`: its newline, or the end of the text.
pub fn line_end(bytes: &[u8], at: usize) -> usize {
    let end = memchr::memchr(b'\n', &bytes[at.min(bytes.len())..]).map_or(bytes.len(), |n| at + n);
    if end > at && bytes.get(end - 1) == Some(&b'\r') { end - 1 } else { end }
}

/// One past the closing `quote`, doubled quotes being text.
fn quoted_end(bytes: &[u8], mut at: usize, quote: u8) -> Option<usize> {
    loop {
        at += memchr::memchr(quote, bytes.get(at..)?)? + 1;
        if bytes.get(at) != Some(&quote) {
            return Some(at);
        }
        at += 1;
    }
}

/// One past the `*/` of the (nested) comment that begins at `at`.
fn block_comment_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = at;
    loop {
        let next = at + memchr::memchr2(b'/', b'*', bytes.get(at..)?)?;
        match (bytes[next], bytes.get(next + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                at = next + 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                at = next + 2;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at = next + 1,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Bad,
    Blank,
    Word,
    Digit,
    Quote,
    DoubleQuote,
    Dollar,
    Operator,
    Punctuation,
    Backslash,
    Brace,
}

static CLASS: [Class; 256] = {
    let mut class = [Class::Bad; 256];
    let mut b = 0;
    while b < 256 {
        class[b] = match b as u8 {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => Class::Blank,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..=0xFF => Class::Word,
            b'0'..=b'9' => Class::Digit,
            b'\'' => Class::Quote,
            b'"' => Class::DoubleQuote,
            b'$' => Class::Dollar,
            b'+' | b'-' | b'*' | b'/' | b'<' | b'>' | b'=' | b'~' | b'!' | b'@' | b'#' | b'%' | b'^'
            | b'&' | b'|' | b'`' | b'?' => Class::Operator,
            b'(' | b')' | b'[' | b']' | b',' | b';' | b'.' | b':' => Class::Punctuation,
            b'\\' => Class::Backslash,
            b'{' | b'}' => Class::Brace,
            _ => Class::Bad,
        };
        b += 1;
    }
    class
};

#[cfg(test)]
mod tests {
    use super::*;

    fn lex(text: &str) -> Vec<(TokenKind, &str)> {
        let mut lexer = Lexer::new(text, 0..text.len());
        std::iter::from_fn(|| lexer.next_token()).map(|t| (t.kind, t.span.of(text))).collect()
    }

    #[test]
    fn words_strings_and_operators() {
        use TokenKind::*;
        assert_eq!(
            lex("SELECT a.\"b\"\"c\", E'x\\'y', $tag$ ; ' $tag$ FROM t -- end\n WHERE a->>'k' <> -1"),
            vec![
                (Word, "SELECT"),
                (Word, "a"),
                (Dot, "."),
                (Quoted, "\"b\"\"c\""),
                (Comma, ","),
                (EscapeString, "E'x\\'y'"),
                (Comma, ","),
                (DollarString, "$tag$ ; ' $tag$"),
                (Word, "FROM"),
                (Word, "t"),
                (Word, "WHERE"),
                (Word, "a"),
                (Operator, "->>"),
                (String, "'k'"),
                (Operator, "<>"),
                (Operator, "-"),
                (Number, "1"),
            ]
        );
    }

    #[test]
    fn nested_comments_and_operators_before_them() {
        use TokenKind::*;
        assert_eq!(
            lex("a +-- x\n /* b /* c */ d */ * 1 @-2 =-3"),
            vec![
                (Word, "a"),
                (Operator, "+"),
                (Operator, "*"),
                (Number, "1"),
                (Operator, "@-"),
                (Number, "2"),
                (Operator, "="),
                (Operator, "-"),
                (Number, "3"),
            ]
        );
    }

    #[test]
    fn placeholders_and_slices() {
        use TokenKind::*;
        assert_eq!(
            lex("${schema}.idx_${n}_x a[lo:hi] :'v' :name b::int x:=1 {{ .T }}"),
            vec![
                (Placeholder, "${schema}"),
                (Dot, "."),
                (Word, "idx_${n}_x"),
                (Word, "a"),
                (LeftBracket, "["),
                (Word, "lo"),
                (Colon, ":"),
                (Word, "hi"),
                (RightBracket, "]"),
                (Placeholder, ":'v'"),
                (Placeholder, ":name"),
                (Word, "b"),
                (DoubleColon, "::"),
                (Word, "int"),
                (Word, "x"),
                (ColonEquals, ":="),
                (Number, "1"),
                (Placeholder, "{{ .T }}"),
            ]
        );
    }

    #[test]
    fn what_does_not_end_is_said() {
        use TokenKind::Invalid;
        for (text, error) in [
            ("'abc", LexError::UnterminatedString),
            ("E'abc\\", LexError::UnterminatedString),
            ("\"abc", LexError::UnterminatedIdentifier),
            ("$$abc", LexError::UnterminatedDollarString),
            ("/* abc", LexError::UnterminatedComment),
            ("\u{1}", LexError::UnexpectedCharacter),
            ("\0", LexError::UnexpectedCharacter),
        ] {
            assert_eq!(lex(text), vec![(Invalid(error), text)], "{text:?}");
        }
    }
}
