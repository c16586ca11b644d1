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

use crate::migration::statement::{Body, Name, Problem, Query, QueryKind, Routine, Statement};
use crate::source::Span;
use cursor::{Cursor, Parsed};
use lex::TokenKind;

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
    parse_as(text, range, None, 0, false)
}

/// As [`parse`], for what has run already and only has to be replayed: bodies of functions stay unread until one is
/// called ([`routine`]), and of INSERT, UPDATE and DELETE that call no function only the kind is told.
pub fn parse_history(text: &str, range: std::ops::Range<usize>) -> Script {
    parse_as(text, range, None, 0, true)
}

/// What a text names to `regclass`: `'shop."Orders_id_seq"'`. Its spans are those of the text.
pub fn name_of(text: &str) -> Option<Name> {
    let mut lexer = lex::Lexer::new(text, 0..text.len());
    let tokens: Vec<_> = std::iter::from_fn(|| lexer.next_token()).collect();
    let mut c = Cursor::new(text, &tokens);
    let name = c.name("a name").ok()?;
    c.is_done().then_some(name)
}

/// The body of a PL/pgSQL routine with these parameters which stands at `source` in `text`.
pub fn routine(text: &str, source: Span, parameters: &[compact_str::CompactString]) -> Routine {
    plpgsql::routine_at(text, source, parameters)
}

/// The same for a text inside another: all spans are `place` where there is one (the text is the value of
/// a literal with escapes), and it stands `depth` levels deep (see [`cursor::MAX_DEPTH`]).
fn parse_at(text: &str, range: std::ops::Range<usize>, place: Option<Span>, depth: u32) -> Script {
    parse_as(text, range, place, depth, false)
}

fn parse_as(
    text: &str,
    range: std::ops::Range<usize>,
    place: Option<Span>,
    depth: u32,
    skims: bool,
) -> Script {
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
        cursor.skims = skims;
        let statement = match skims.then(|| skim_change(&cursor, &piece)).flatten() {
            Some(statement) => statement,
            None => read_statement(cursor, &piece),
        };
        script.statements.push(statement);
        splitter.reuse(piece);
    }
    if place.is_none() {
        script.comments = splitter.into_comments();
    }
    script
}

/// An INSERT, UPDATE or DELETE that calls nothing: the catalog learns nothing from it.
fn skim_change(c: &Cursor<'_>, piece: &split::Piece) -> Option<Statement> {
    let kind = match c.word_at(0)? {
        word if word.eq_ignore_ascii_case("insert") => QueryKind::Insert,
        word if word.eq_ignore_ascii_case("update") => QueryKind::Update,
        word if word.eq_ignore_ascii_case("delete") => QueryKind::Delete,
        _ => return None,
    };
    if !piece.problems.is_empty() || !is_balanced(&piece.tokens) {
        return None;
    }
    // The name in INSERT INTO schema.name (columns) looks like a function's.
    let columns = (kind == QueryKind::Insert)
        .then(|| if piece.tokens.get(3).is_some_and(|token| token.kind == TokenKind::Dot) { 5 } else { 3 });
    let mut before = None;
    for (at, token) in piece.tokens.iter().enumerate() {
        match (token.kind, before) {
            (TokenKind::Placeholder | TokenKind::Invalid(_), _) => return None,
            (TokenKind::LeftParen, Some(TokenKind::Quoted | TokenKind::UnicodeQuoted))
                if Some(at) != columns =>
            {
                return None;
            }
            (TokenKind::LeftParen, Some(TokenKind::Word)) if Some(at) != columns => {
                let word = c.word_at(at - 1)?; // there is one before it
                if !BEFORE_PARENTHESES.iter().any(|known| word.eq_ignore_ascii_case(known)) {
                    return None;
                }
            }
            _ => {}
        }
        before = Some(token.kind);
    }
    let query = Query { span: piece.span, kind, ..Query::default() };
    Some(Statement { span: piece.span, body: Body::Query(Box::new(query)), problems: Vec::new() })
}

/// Words of queries that may stand before a parenthesis without being called.
const BEFORE_PARENTHESES: [&str; 22] = [
    "values",
    "in",
    "and",
    "or",
    "not",
    "as",
    "on",
    "conflict",
    "from",
    "using",
    "where",
    "set",
    "select",
    "when",
    "then",
    "else",
    "any",
    "all",
    "exists",
    "union",
    "join",
    "returning",
];

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
