//! Which columns a view certainly reads: PostgreSQL lets none of them go, nor change its type.
//!
//! Queries aren't read down to their columns. This knows what a word of the text can only be: what might as well be an
//! alias or a type, or a column of several relations, is left out.

use compact_str::CompactString;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{QName, Relation};
use crate::migration::parse::cursor::{fold, unquote};
use crate::migration::parse::keywords::must_be_quoted;
use crate::migration::parse::lex::{Lexer, TokenKind};
use crate::source::Span;

/// A column of a relation.
pub type ColumnOf = (QName, CompactString);

/// A query as far as its words tell what it reads. Each is folded once: views are read on every run of the linter.
pub(super) struct Words {
    words: Vec<Word>,
}

struct Word {
    kind: TokenKind,
    /// The name that stands there; `*` where that is the token.
    name: Option<CompactString>,
    /// A word that is no name, unless it is quoted.
    is_keyword: bool,
}

impl Words {
    /// Those of the query that stands at `query` in `text`.
    pub fn of(text: &str, query: Span) -> Self {
        let mut lexer = Lexer::new(text, query.range());
        let words = std::iter::from_fn(|| lexer.next_token()).map(|token| {
            let written = token.span.of(text);
            let name = match token.kind {
                TokenKind::Word => Some(fold(written)),
                TokenKind::Quoted => Some(unquote(written, b'"')),
                TokenKind::Operator if written == "*" => Some(CompactString::const_new("*")),
                _ => None,
            };
            let is_word = token.kind == TokenKind::Word;
            let is_keyword = is_word && name.as_deref().is_some_and(must_be_quoted);
            Word { kind: token.kind, name, is_keyword }
        });
        Words { words: words.collect() }
    }

    /// Every name in it, each once and in order, and `*`, unless that is only `count(*)`'s.
    pub fn mentions(&self) -> Vec<CompactString> {
        let mut seen = FxHashSet::default();
        let kind = |at: usize| self.words.get(at).map(|word| word.kind);
        let counts = |at: usize| {
            kind(at) == Some(TokenKind::Operator)
                && at.checked_sub(1).and_then(kind) == Some(TokenKind::LeftParen)
                && kind(at + 1) == Some(TokenKind::RightParen)
        };
        let words = self.words.iter().enumerate().filter(|(at, _)| !counts(*at));
        let names = words.filter_map(|(_, word)| word.name.as_ref()).filter(|name| seen.insert(*name));
        let mut mentions: Vec<CompactString> = names.cloned().collect();
        // TABLE t reads all of it.
        if (0..self.words.len()).any(|at| self.is(at, "table")) && !mentions.iter().any(|name| name == "*") {
            mentions.push(CompactString::const_new("*"));
        }
        mentions.sort_unstable();
        mentions
    }

    /// The columns that it certainly reads of `relations`, which are all that it names.
    pub fn columns_read(&self, relations: &[&Relation]) -> Vec<ColumnOf> {
        let all = 0..self.words.len();
        // A CTE may have the name of anything.
        if all.clone().any(|at| self.is(at, "with")) || relations.iter().any(|known| !known.columns_known) {
            return Vec::new();
        }
        let one_select = all.clone().filter(|&at| self.is(at, "select")).count() == 1;
        let others = self.aliases();
        let mut known: FxHashMap<&str, Vec<&Relation>> = FxHashMap::default();
        let mut named: FxHashMap<&str, Vec<&Relation>> = FxHashMap::default();
        for relation in relations {
            named.entry(&relation.name.name).or_default().push(relation);
            for column in &relation.columns {
                known.entry(&column.name).or_default().push(relation);
            }
        }
        let mut found: FxHashSet<(&QName, &CompactString)> = FxHashSet::default();
        for at in all {
            if self.is_star(at) {
                // Of a subquery it is what that one gives.
                if one_select {
                    let every = relations
                        .iter()
                        .flat_map(|of| of.columns.iter().map(|column| (&of.name, &column.name)));
                    found.extend(every);
                }
                continue;
            }
            let Some(name) = self.column(at) else { continue };
            let Some(having) = known.get(name.as_str()) else { continue };
            if others.contains(name) || named.contains_key(name.as_str()) {
                continue;
            }
            let qualifier = self.qualifier(at).and_then(|qualifier| named.get(qualifier.as_str()));
            let has_it = |relation: &&&Relation| relation.column(name).is_some();
            let qualified = qualifier.and_then(|relations| relations.iter().find(has_it));
            let only = || having.first().filter(|_| having.len() == 1);
            found.extend(qualified.or_else(only).map(|of| (&of.name, name)));
        }
        let mut found: Vec<ColumnOf> =
            found.into_iter().map(|(of, column)| (of.clone(), column.clone())).collect();
        found.sort_unstable();
        found
    }

    fn kind(&self, at: Option<usize>) -> Option<TokenKind> {
        Some(self.words.get(at?)?.kind)
    }

    /// The name that stands there.
    fn name(&self, at: Option<usize>) -> Option<&CompactString> {
        let word = self.words.get(at?)?;
        word.name.as_ref().filter(|_| word.kind != TokenKind::Operator)
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.words.get(at).is_some_and(|it| it.kind == TokenKind::Word && it.name.as_deref() == Some(word))
    }

    fn is_keyword(&self, at: usize) -> bool {
        self.words.get(at).is_some_and(|word| word.is_keyword)
    }

    /// A `*` that stands for columns.
    fn is_star(&self, at: usize) -> bool {
        let before = at.checked_sub(1);
        self.words.get(at).is_some_and(|word| word.kind == TokenKind::Operator && word.name.is_some())
            && (self.kind(before) == Some(TokenKind::Comma)
                || before.is_some_and(|before| self.is(before, "select") || self.is(before, "distinct")))
    }

    /// The name there, where it is one by its place.
    fn column(&self, at: usize) -> Option<&CompactString> {
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
    fn qualifier(&self, at: usize) -> Option<&CompactString> {
        let dot = at.checked_sub(1)?;
        (self.kind(Some(dot)) == Some(TokenKind::Dot)).then_some(())?;
        self.name(dot.checked_sub(1))
    }

    /// Names behind AS, or behind what ends an operand, and those in parentheses behind them.
    fn aliases(&self) -> FxHashSet<&CompactString> {
        let mut found = FxHashSet::default();
        for at in 1..self.words.len() {
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
            found.insert(name);
            if self.kind(Some(at + 1)) == Some(TokenKind::LeftParen) {
                let inside = (at + 2..self.words.len())
                    .take_while(|&at| self.kind(Some(at)) != Some(TokenKind::RightParen));
                found.extend(inside.filter_map(|at| self.name(Some(at))));
            }
        }
        found
    }
}
