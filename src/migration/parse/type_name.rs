//! Type names as PostgreSQL's grammar spells them.

use super::cursor::{Cursor, Parsed};
use crate::migration::statement::TypeName;

/// Reads a type (`Typename` in gram.y): `numeric(10,2)[]`, `timestamp(3) with time zone`, `setof s.t`.
pub fn type_name(c: &mut Cursor<'_>) -> Parsed<TypeName> {
    Err(c.expected("a type"))
}
