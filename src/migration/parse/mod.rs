//! SQL text to statements: the splitter, the dispatch on a statement's first words, and the only place
//! that names the SQL parser crate.
//!
//! PostgreSQL's DDL grammar is read by recognisers of our own (one file per family), because they must
//! account for every token and know the exact place of every action. A statement that one of them can't
//! read to its end becomes [`Body::NotUnderstood`] with the place where reading stopped; the next
//! statement is read as if nothing had happened.

pub mod condition;
pub mod cursor;
pub mod ddl;
mod dml;
mod dynamic;
pub mod expression;
mod facts;
mod from;
pub mod keywords;
pub mod lex;
mod plpgsql;
pub mod query;
mod special;
mod split;
#[cfg(test)]
mod tests;
pub mod type_name;
mod utility;

use crate::migration::statement::{Body, Problem, Statement};
use crate::source::Span;
use cursor::{Cursor, Parsed};

/// The statements of a text, in order, and its comments.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Every statement, psql meta-commands included.
    pub statements: Vec<Statement>,
    /// Every comment outside statements' string literals, in order.
    pub comments: Vec<Span>,
}

/// Reads `range` of `text`; all spans are those of `text`. Never fails: what can't be read is in the
/// statements' problems.
pub fn parse(text: &str, range: std::ops::Range<usize>) -> Script {
    parse_at(text, range, None, 0)
}

/// The same for a text inside another: all spans are `place` where there is one (the text is the value of
/// a literal with escapes), and it stands `depth` levels deep (see [`cursor::MAX_DEPTH`]).
fn parse_at(text: &str, range: std::ops::Range<usize>, place: Option<Span>, depth: u32) -> Script {
    let mut script = Script::default();
    let mut splitter = split::Splitter::new(text, range);
    while let Some(mut piece) = splitter.next_piece() {
        if let Some(place) = place {
            piece.span = place;
            piece.copy_data = None;
            piece.problems.iter_mut().for_each(|problem| problem.span = place);
        }
        let mut cursor = Cursor::placed(text, &piece.tokens, place);
        cursor.depth = depth;
        script.statements.push(read_statement(cursor, &piece));
        splitter.reuse(piece);
    }
    if place.is_none() {
        script.comments = splitter.into_comments();
    }
    script
}

/// Reads one statement from its tokens (without the semicolon).
fn read_statement(mut cursor: Cursor<'_>, piece: &split::Piece) -> Statement {
    let mut problems: Vec<Problem> = piece.problems.clone();
    let read = read_body(&mut cursor, piece).and_then(|body| cursor.expect_end().map(|()| body));
    let body = match read {
        Ok(body) if problems.is_empty() => body,
        Ok(_) => Body::NotUnderstood,
        Err(mut problem) => {
            problem.certain |= !is_balanced(&piece.tokens);
            // What the splitter found is the cause, what came of it is not worth telling.
            if problems.is_empty() {
                problems.push(problem);
            }
            Body::NotUnderstood
        }
    };
    Statement { span: piece.span, body, problems }
}

/// Whether every parenthesis has its partner.
fn is_balanced(tokens: &[lex::Token]) -> bool {
    let mut open = 0i64;
    for token in tokens {
        match token.kind {
            lex::TokenKind::LeftParen => open += 1,
            lex::TokenKind::RightParen => open -= 1,
            _ => {}
        }
        if open < 0 {
            return false;
        }
    }
    open == 0
}

/// Dispatches on the first words: each family takes the statements whose first words it knows.
fn read_body(c: &mut Cursor<'_>, piece: &split::Piece) -> Parsed<Body> {
    if let Some(command) = utility::meta_command(c) {
        return Ok(command);
    }
    if query::at_query(c) {
        return utility::query_statement(c);
    }
    if let Some(read) = ddl::statement(c) {
        return read;
    }
    if let Some(read) = utility::statement(c, piece) {
        return read;
    }
    let mut problem = c.expected("a statement");
    // No statement of PostgreSQL begins like this, unless a tool's placeholder stands for one.
    problem.certain = c.kind() != Some(lex::TokenKind::Placeholder);
    Err(problem)
}
