//! A text into the token lists of its statements.

use super::cursor::{Cursor, may_be};
use super::lex::{Lexer, Token, TokenKind, line_end};
use crate::migration::statement::Problem;
use crate::source::Span;

/// The tokens of one statement, without its semicolon; or one psql meta-command.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    /// At least one.
    pub tokens: Vec<Token>,
    /// From the first token to the last.
    pub span: Span,
    /// COPY … FROM STDIN: the rows that follow it, without the line `\.`, and how many.
    pub copy_data: Option<(Span, u64)>,
    /// What went wrong while splitting.
    pub problems: Vec<Problem>,
}

/// Room for the tokens of most statements.
const TOKENS: usize = 64;

/// Cuts a text at its semicolons.
///
/// A semicolon always ends a statement, but in the parentheses of CREATE RULE and between BEGIN ATOMIC
/// and END: nowhere else does PostgreSQL's grammar allow one inside a statement, so a missing `)` costs
/// one statement and not the rest of the file.
pub struct Splitter<'a> {
    text: &'a str,
    end: usize,
    lexer: Lexer<'a>,
    /// A meta-command that ended the statement before it and is still to be given.
    waiting: Option<Token>,
    /// The token list of a piece that is done with, to be filled again.
    spare: Vec<Token>,
}

impl<'a> Splitter<'a> {
    /// A splitter over `range` of `text`.
    pub fn new(text: &'a str, range: std::ops::Range<usize>) -> Self {
        let end = range.end.min(text.len());
        Splitter {
            text,
            end,
            lexer: Lexer::new(text, range),
            waiting: None,
            spare: Vec::with_capacity(TOKENS),
        }
    }

    /// The next statement; `None` at the end.
    pub fn next_piece(&mut self) -> Option<Piece> {
        let mut piece = Piece { tokens: std::mem::take(&mut self.spare), ..Piece::default() };
        if let Some(command) = self.waiting.take() {
            piece.tokens.push(command);
            return finish(piece);
        }
        let mut parens = 0u32;
        // BEGIN ATOMIC and CASE each want an END.
        let mut atomic = 0u32;
        let mut rule = false;
        // In the parentheses behind DO [INSTEAD | ALSO] of CREATE RULE.
        let mut actions = false;
        while let Some(token) = self.lexer.next_token() {
            match token.kind {
                TokenKind::Semicolon if (atomic > 0 || (actions && parens > 0)) && self.body_goes_on() => {}
                TokenKind::Semicolon if piece.tokens.is_empty() => continue,
                TokenKind::Semicolon => {
                    piece.copy_data = self.copy_data(&piece.tokens);
                    return finish(piece);
                }
                TokenKind::MetaCommand => {
                    if piece.tokens.is_empty() {
                        piece.tokens.push(token);
                        return finish(piece);
                    }
                    // `\g` and its kin send what stands before them. psql lets others stand in the middle
                    // of a statement; nobody writes that on purpose.
                    self.waiting = Some(token);
                    return finish(piece);
                }
                TokenKind::LeftParen => {
                    if rule && parens == 0 {
                        let last = piece.tokens.last();
                        actions = ["do", "instead", "also"]
                            .iter()
                            .any(|word| last.is_some_and(|last| is(self.text, *last, word)));
                    }
                    parens += 1;
                }
                TokenKind::RightParen => parens = parens.saturating_sub(1),
                TokenKind::Invalid(error) => {
                    piece.problems.push(Problem {
                        span: Span::new(token.span.start as usize, self.line_end_of(token)),
                        message: error.message().to_owned(),
                        certain: true,
                    });
                    if token.span.end as usize == self.end && token.span.len() > 1 {
                        // Nothing closes it: the rest of the text would be lost. Go on where a statement may begin.
                        self.lexer.pos = self.restart(token.span.start as usize);
                        piece.tokens.push(Token {
                            span: Span::new(token.span.start as usize, self.line_end_of(token)),
                            ..token
                        });
                        return finish(piece);
                    }
                }
                TokenKind::Word => match piece.tokens.len() {
                    1..=3 if is(self.text, token, "rule") => {
                        rule = piece.tokens.first().is_some_and(|first| is(self.text, *first, "create"));
                    }
                    _ if atomic > 0 => {
                        if is(self.text, token, "case") {
                            atomic += 1;
                        } else if is(self.text, token, "end") {
                            atomic -= 1;
                        }
                    }
                    _ if is(self.text, token, "atomic")
                        && piece.tokens.last().is_some_and(|last| is(self.text, *last, "begin")) =>
                    {
                        atomic = 1;
                    }
                    _ => {}
                },
                _ => {}
            }
            piece.tokens.push(token);
        }
        finish(piece)
    }

    /// Whether what follows a semicolon can stand in a rule's actions or an SQL body. Where it can't, the
    /// closing parenthesis or END is missing, and the rest of the text must not be lost with it.
    fn body_goes_on(&self) -> bool {
        const WORDS: [&str; 12] = [
            "select", "insert", "update", "delete", "with", "values", "table", "merge", "return", "end",
            "notify", "call",
        ];
        let next = Lexer::new(self.text, self.lexer.pos..self.end).next_token();
        next.is_some_and(|next| match next.kind {
            TokenKind::Word => WORDS.iter().any(|word| is(self.text, next, word)),
            kind => matches!(kind, TokenKind::RightParen | TokenKind::LeftParen | TokenKind::Semicolon),
        })
    }

    fn line_end_of(&self, token: Token) -> usize {
        line_end(self.text.as_bytes(), token.span.start as usize).min(self.end).max(token.span.start as usize)
    }

    /// The first line behind `from` that begins with the first word of a statement.
    fn restart(&self, from: usize) -> usize {
        const FIRST: [&str; 14] = [
            "create", "alter", "drop", "insert", "update", "delete", "select", "begin", "commit", "set",
            "do", "grant", "truncate", "with",
        ];
        let mut at = from;
        while let Some(next) = memchr::memchr(b'\n', &self.text.as_bytes()[at..self.end]) {
            at += next + 1;
            let word: &str = self.text.get(at..self.end).unwrap_or("");
            let word = word.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("");
            if FIRST.iter().any(|first| word.eq_ignore_ascii_case(first)) {
                return at;
            }
        }
        self.end
    }

    /// The rows behind COPY … FROM STDIN, up to the line `\.`; the lexer moves behind them.
    fn copy_data(&mut self, tokens: &[Token]) -> Option<(Span, u64)> {
        if !is(self.text, *tokens.first()?, "copy") {
            return None;
        }
        let cursor = Cursor::new(self.text, tokens);
        let from = (0..tokens.len()).any(|at| cursor.is_nth(at, "from") && cursor.is_nth(at + 1, "stdin"));
        if !from {
            return None;
        }
        let bytes = &self.text.as_bytes()[..self.end];
        let first = line_end(bytes, self.lexer.pos);
        let start = memchr::memchr(b'\n', &bytes[first..]).map_or(self.end, |at| first + at + 1);
        let mut at = start;
        let mut rows = 0;
        while at < self.end {
            let end = line_end(bytes, at);
            let next = memchr::memchr(b'\n', &bytes[at..]).map_or(self.end, |n| at + n + 1);
            if &bytes[at..end] == b"\\." {
                self.lexer.pos = next;
                return Some((Span::new(start, at), rows));
            }
            rows += 1;
            at = next;
        }
        // No end marker: rows come from elsewhere, and what follows is SQL.
        None
    }

    /// Takes back a piece that is done with.
    pub fn reuse(&mut self, mut piece: Piece) {
        piece.tokens.clear();
        self.spare = piece.tokens;
    }

    /// The comments passed on the way.
    pub fn into_comments(self) -> Vec<Span> {
        self.lexer.comments
    }
}

fn finish(mut piece: Piece) -> Option<Piece> {
    let (first, last) = (piece.tokens.first()?, piece.tokens.last()?);
    piece.span = first.span.to(last.span);
    Some(piece)
}

fn is(text: &str, token: Token, word: &str) -> bool {
    may_be(token, word) && token.span.of(text).eq_ignore_ascii_case(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<&str> {
        let mut splitter = Splitter::new(text, 0..text.len());
        let mut found = Vec::new();
        while let Some(piece) = splitter.next_piece() {
            found.push(piece.span.of(text));
        }
        found
    }

    #[test]
    fn semicolons_end_statements_but_not_everywhere() {
        assert_eq!(pieces(";;a ; b;"), ["a", "b"]);
        assert_eq!(
            pieces("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); c"),
            ["CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "c"]
        );
        assert_eq!(pieces("CREATE TABLE t (a int; SELECT 1"), ["CREATE TABLE t (a int", "SELECT 1"]);
        let atomic =
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END";
        assert_eq!(pieces(&format!("{atomic}; x")), [atomic, "x"]);
    }

    #[test]
    fn a_body_that_nothing_closes_costs_one_statement() {
        let rule = "CREATE RULE r AS ON DELETE TO t DO ALSO (DELETE FROM a; DELETE FROM b";
        assert_eq!(pieces(&format!("{rule}; CREATE TABLE x ()")), [rule, "CREATE TABLE x ()"]);
        let rule = "CREATE RULE r AS ON DELETE TO t DO ALSO DELETE FROM a WHERE (b";
        assert_eq!(pieces(&format!("{rule}; SELECT 1")), [rule, "SELECT 1"]);
        let atomic = "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1";
        assert_eq!(pieces(&format!("{atomic}; DROP TABLE x")), [atomic, "DROP TABLE x"]);
    }

    #[test]
    fn copy_data_is_no_sql() {
        let text = "COPY t (a) FROM stdin;\nit's; x\n$$\n\\.\nSELECT 1;";
        let mut splitter = Splitter::new(text, 0..text.len());
        let copy = splitter.next_piece().unwrap();
        let (span, rows) = copy.copy_data.unwrap();
        assert_eq!((span.of(text), rows), ("it's; x\n$$\n", 2));
        assert_eq!(splitter.next_piece().unwrap().span.of(text), "SELECT 1");
    }

    #[test]
    fn meta_commands_stand_alone() {
        assert_eq!(
            pieces("\\set x 'a;b'\nSELECT 1 \\gexec\nSELECT 2;\n"),
            ["\\set x 'a;b'", "SELECT 1", "\\gexec", "SELECT 2"]
        );
    }

    #[test]
    fn what_is_not_closed_does_not_hide_the_rest() {
        let text = "SELECT 'abc;\nCREATE TABLE t (a int);\nDROP TABLE x;";
        assert_eq!(pieces(text), ["SELECT 'abc;", "CREATE TABLE t (a int)", "DROP TABLE x"]);
        let text = "DO $$ BEGIN\nDROP TABLE x;\n";
        assert_eq!(pieces(text), ["DO $$ BEGIN", "DROP TABLE x"]);
    }
}
