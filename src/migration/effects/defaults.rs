//! Default expressions: whether a default must be computed for each row, or once.

use super::computation::Computation;
use super::volatility;
use crate::migration::parse::lex::{Lexer, TokenKind};
use crate::migration::statement::{Body, Call, Expr, Name, QueryKind, Volatility};

/// SQL functions that call SQL functions are followed this deep.
const DEEPEST: u32 = 8;

impl Computation<'_> {
    /// The first volatile function that an expression calls, `Some(None)` where it has no name.
    pub fn volatile_call(&self, expr: &Expr) -> Option<String> {
        self.volatile_among(&expr.calls, 0)
    }

    fn volatile_among(&self, calls: &[Call], depth: u32) -> Option<String> {
        calls.iter().find(|call| self.is_volatile(&call.name, depth)).map(|call| call.name.to_string())
    }

    /// Whether a function gives a new value for each row. What nobody knows counts as volatile, as
    /// CREATE FUNCTION makes functions unless told otherwise.
    fn is_volatile(&self, name: &Name, depth: u32) -> bool {
        let schema = name.schema.as_ref().map(|schema| schema.value.as_str());
        let resolved = self.catalog.resolve_function(name, &self.session.search_path);
        let overloads = self.catalog.functions(&resolved);
        if schema.is_none_or(|schema| schema == "pg_catalog") || overloads.is_empty() {
            // Unqualified names find pg_catalog first.
            if let Some(known) = volatility::of_builtin(&name.name.value) {
                return known == Volatility::Volatile;
            }
        }
        if overloads.is_empty() {
            return true;
        }
        overloads.iter().any(|function| {
            let definition = &function.definition;
            if definition.volatility != Volatility::Volatile {
                return false;
            }
            // The planner puts a simple SQL function's query in the place of its call (`inline_function`).
            let inlined = definition.language.as_deref() == Some("sql")
                && !definition.security_definer
                && definition.sets.is_empty()
                && depth < DEEPEST;
            let body = definition.body.as_deref().filter(|_| inlined);
            match body.map(|body| body.statements.as_slice()) {
                Some([only]) => match &only.statement.body {
                    Body::Query(query) if query.kind == QueryKind::Select && query.uses.is_empty() => {
                        self.volatile_among(&query.calls, depth + 1).is_some()
                    }
                    _ => true,
                },
                _ => true,
            }
        })
    }

    /// As [`Computation::volatile_call`], for an expression that is only kept as text (a domain's default).
    pub fn volatile_call_in(&self, text: &str) -> Option<String> {
        let mut lexer = Lexer::new(text, 0..text.len());
        let mut before: Option<String> = None;
        let mut in_type = false;
        while let Some(token) = lexer.next_token() {
            let written = token.span.of(text);
            match token.kind {
                TokenKind::Word | TokenKind::Quoted if in_type => {}
                TokenKind::DoubleColon => {
                    in_type = true;
                    before = None;
                }
                TokenKind::Word | TokenKind::Quoted => {
                    before = Some(written.trim_matches('"').to_lowercase());
                }
                TokenKind::LeftParen => {
                    in_type = false;
                    if let Some(name) = before.take()
                        && self.is_volatile(&Name::made(None, &name), 0)
                    {
                        return Some(name);
                    }
                }
                _ => (before, in_type) = (None, false),
            }
        }
        None
    }
}
