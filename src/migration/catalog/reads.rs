//! Which columns a view certainly reads: PostgreSQL lets none of them go, nor change its type.
//!
//! Queries aren't read down to their columns. This knows what a word of the text can only be: what might as well be an
//! alias or a type, or a column of several relations, is left out.

use compact_str::CompactString;

use super::{QName, Relation};
use crate::migration::parse::cursor::{fold, unquote};
use crate::migration::parse::keywords::must_be_quoted;
use crate::migration::parse::lex::{Lexer, Token, TokenKind};
use crate::source::Span;

/// A column of a relation.
pub type ColumnOf = (QName, CompactString);

/// The columns that the query at `query` certainly reads of `relations`, which are all that it names.
pub(super) fn columns_read(text: &str, query: Span, relations: &[&Relation]) -> Vec<ColumnOf> {
    let mut lexer = Lexer::new(text, query.range());
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next_token() {
        tokens.push(token);
    }
    let words = Words { text, tokens: &tokens };
    // A CTE may have the name of anything.
    if (0..tokens.len()).any(|at| words.is(at, "with")) || relations.iter().any(|known| !known.columns_known)
    {
        return Vec::new();
    }
    let one_select = (0..tokens.len()).filter(|&at| words.is(at, "select")).count() == 1;
    let others = words.aliases();
    let mut found: Vec<ColumnOf> = Vec::new();
    for at in 0..tokens.len() {
        if words.is_star(at) {
            // Of a subquery it is what that one gives.
            if one_select {
                let all = relations
                    .iter()
                    .flat_map(|of| of.columns.iter().map(|column| (of.name.clone(), column.name.clone())));
                found.extend(all);
            }
            continue;
        }
        let Some(name) = words.column(at) else { continue };
        if others.contains(&name) || relations.iter().any(|relation| relation.name.name == name) {
            continue;
        }
        let having = || relations.iter().filter(|relation| relation.column(&name).is_some());
        let qualifier = words.qualifier(at);
        let qualified = having().find(|relation| Some(&relation.name.name) == qualifier.as_ref());
        let of = qualified.or_else(|| having().next().filter(|_| having().count() == 1));
        found.extend(of.map(|of| (of.name.clone(), name)));
    }
    found.sort();
    found.dedup();
    found
}

struct Words<'a> {
    text: &'a str,
    tokens: &'a [Token],
}

impl Words<'_> {
    fn kind(&self, at: Option<usize>) -> Option<TokenKind> {
        Some(self.tokens.get(at?)?.kind)
    }

    /// The name that stands there.
    fn name(&self, at: Option<usize>) -> Option<CompactString> {
        let token = self.tokens.get(at?)?;
        let written = token.span.of(self.text);
        match token.kind {
            TokenKind::Word => Some(fold(written)),
            TokenKind::Quoted => Some(unquote(written, b'"')),
            _ => None,
        }
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.kind(Some(at)) == Some(TokenKind::Word) && self.name(Some(at)).as_deref() == Some(word)
    }

    fn is_keyword(&self, at: usize) -> bool {
        self.kind(Some(at)) == Some(TokenKind::Word)
            && self.name(Some(at)).is_some_and(|name| must_be_quoted(&name))
    }

    /// A `*` that stands for columns.
    fn is_star(&self, at: usize) -> bool {
        let before = at.checked_sub(1);
        self.kind(Some(at)) == Some(TokenKind::Operator)
            && self.tokens.get(at).is_some_and(|token| token.span.of(self.text) == "*")
            && (self.kind(before) == Some(TokenKind::Comma)
                || before.is_some_and(|before| self.is(before, "select") || self.is(before, "distinct")))
    }

    /// The name there, where it is one by its place.
    fn column(&self, at: usize) -> Option<CompactString> {
        if self.is_keyword(at) {
            return None;
        }
        let name = self.name(Some(at))?;
        // A function, a qualifier, a type before its literal.
        let other = matches!(
            self.kind(Some(at + 1)),
            Some(TokenKind::LeftParen | TokenKind::Dot | TokenKind::String | TokenKind::EscapeString)
        );
        let before = at.checked_sub(1);
        let (place, further) = (self.kind(before), at.checked_sub(2));
        // A part of a value, a type, the field of EXTRACT.
        let part = place == Some(TokenKind::DoubleColon)
            || place == Some(TokenKind::Dot) && self.kind(further) == Some(TokenKind::RightParen)
            || place == Some(TokenKind::LeftParen)
                && further.is_some_and(|further| self.is(further, "extract"));
        (!other && !part).then_some(name)
    }

    /// What stands before the dot before a name.
    fn qualifier(&self, at: usize) -> Option<CompactString> {
        let dot = at.checked_sub(1)?;
        (self.kind(Some(dot)) == Some(TokenKind::Dot)).then_some(())?;
        self.name(dot.checked_sub(1))
    }

    /// Names behind AS, or behind what ends an operand, and those in parentheses behind them.
    fn aliases(&self) -> Vec<CompactString> {
        let mut found = Vec::new();
        for at in 1..self.tokens.len() {
            let Some(name) = self.name(Some(at)).filter(|_| !self.is_keyword(at)) else { continue };
            let before = at - 1;
            let ends_operand = match self.kind(Some(before)) {
                Some(TokenKind::Word) => !self.is_keyword(before) && !self.is(before, "by"),
                Some(TokenKind::Quoted | TokenKind::RightParen | TokenKind::RightBracket) => true,
                Some(TokenKind::String | TokenKind::EscapeString | TokenKind::Number) => true,
                _ => false,
            };
            // END closes a CASE.
            if !ends_operand && !self.is(before, "as") && !self.is(before, "end") {
                continue;
            }
            found.push(name);
            if self.kind(Some(at + 1)) == Some(TokenKind::LeftParen) {
                let inside = (at + 2..self.tokens.len())
                    .take_while(|&at| self.kind(Some(at)) != Some(TokenKind::RightParen));
                found.extend(inside.filter_map(|at| self.name(Some(at))));
            }
        }
        found
    }
}
