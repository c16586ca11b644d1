//! Expressions: their extent, what they call, which columns and relations they name.

use super::cursor::{Cursor, Parsed};
use crate::migration::statement::Expr;

/// Reads one expression (`a_expr`), up to a token that can't go on with it.
pub fn expr(c: &mut Cursor<'_>) -> Parsed<Expr> {
    Err(c.expected("an expression"))
}

/// Reads a restricted expression (`b_expr`): as in DEFAULT, where a following NOT NULL is not part of it.
pub fn restricted_expr(c: &mut Cursor<'_>) -> Parsed<Expr> {
    Err(c.expected("an expression"))
}
