//! SQL that pg_dump writes, read token by token.

/// A piece of SQL.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A word or a number, as written.
    Word(String),
    /// A quoted name, without quotes.
    Name(String),
    /// A string constant's content.
    Text(String),
    /// Anything else, one character at a time.
    Symbol(char),
}

impl Token {
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self, Token::Word(text) if text.eq_ignore_ascii_case(word))
    }

    pub(super) fn is_symbol(&self, symbol: char) -> bool {
        matches!(self, Token::Symbol(char) if *char == symbol)
    }
}

/// Reads SQL token by token.
pub(super) struct Tokens<'a> {
    sql: &'a str,
    at: usize,
    last_end: usize,
    peeked: Option<(Token, usize, usize)>,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(sql: &'a str) -> Tokens<'a> {
        Tokens { sql, at: 0, last_end: 0, peeked: None }
    }

    pub(super) fn rest(&self, at: usize) -> &'a str {
        self.sql.get(at..).unwrap_or("")
    }

    pub(super) fn lex(&self) -> Option<(Token, usize, usize)> {
        let mut start = self.at;
        loop {
            let rest = self.rest(start);
            start += rest.len() - rest.trim_start().len();
            if self.rest(start).starts_with("--") {
                start += self.rest(start).find('\n')?;
            } else {
                break;
            }
        }
        let rest = self.rest(start);
        let first = rest.chars().next()?;
        let quoted = |quote: char| {
            let mut text = String::new();
            let mut chars = rest.char_indices().skip(1).peekable();
            while let Some((at, char)) = chars.next() {
                if char == quote {
                    if chars.peek().is_some_and(|(_, next)| *next == quote) {
                        chars.next();
                    } else {
                        return (text, at + 1);
                    }
                }
                text.push(char);
            }
            (text, rest.len())
        };
        let is_word = |char: char| char.is_alphanumeric() || char == '_' || char == '$';
        let (token, length) = match first {
            '"' => {
                let (text, length) = quoted('"');
                (Token::Name(text), length)
            }
            '\'' => {
                let (text, length) = quoted('\'');
                (Token::Text(text), length)
            }
            _ if is_word(first) => {
                let length = rest.find(|char| !is_word(char)).unwrap_or(rest.len());
                (Token::Word(rest.get(..length).unwrap_or("").to_owned()), length)
            }
            _ => (Token::Symbol(first), first.len_utf8()),
        };
        Some((token, start, start + length))
    }

    pub(super) fn peek(&mut self) -> Option<Token> {
        if self.peeked.is_none() {
            self.peeked = self.lex();
        }
        self.peeked.as_ref().map(|(token, _, _)| token.clone())
    }

    pub(super) fn next(&mut self) -> Option<Token> {
        let (token, _, end) = self.peeked.take().or_else(|| self.lex())?;
        self.at = end;
        self.last_end = end;
        Some(token)
    }

    pub(super) fn at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Offset of the next token.
    pub(super) fn offset(&mut self) -> usize {
        self.peek();
        self.peeked.as_ref().map_or(self.sql.len(), |(_, start, _)| *start)
    }

    pub(super) fn end_of_last(&self) -> usize {
        self.last_end
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.sql.get(start..end).unwrap_or("")
    }

    /// Goes on if the next token is that word.
    pub(super) fn word(&mut self, word: &str) -> bool {
        let is = self.peek().is_some_and(|token| token.is_word(word));
        if is {
            self.next();
        }
        is
    }

    pub(super) fn symbol(&mut self, symbol: char) -> bool {
        let is = self.peek().is_some_and(|token| token.is_symbol(symbol));
        if is {
            self.next();
        }
        is
    }

    pub(super) fn name(&mut self) -> Option<String> {
        match self.peek()? {
            Token::Word(name) | Token::Name(name) => {
                self.next();
                Some(name)
            }
            _ => None,
        }
    }

    /// The parts of a name with dots.
    pub(super) fn parts(&mut self) -> Vec<String> {
        let mut parts = vec![];
        while let Some(part) = self.name() {
            parts.push(part);
            if !self.symbol('.') {
                break;
            }
        }
        parts
    }

    pub(super) fn qualified(&mut self) -> Option<String> {
        let parts = self.parts();
        (!parts.is_empty()).then(|| parts.join("."))
    }

    /// `(a, b)`, if there is nothing but names in it.
    pub(super) fn columns(&mut self) -> Option<Vec<String>> {
        if !self.symbol('(') {
            return None;
        }
        let mut columns = vec![];
        loop {
            columns.push(self.name()?);
            if self.symbol(')') {
                return Some(columns);
            }
            if !self.symbol(',') {
                return None;
            }
        }
    }
}
