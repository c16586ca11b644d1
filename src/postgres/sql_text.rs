//! Names and strings written into SQL so that the server reads back exactly them.

/// The condition on pg_stat_activity that a session is a client's. Of a session that the role may not see even
/// `backend_type` is NULL; a client's has a database and a role all the same.
pub const IS_CLIENT: &str = "(backend_type = 'client backend' OR backend_type IS NULL AND datid IS NOT NULL AND usesysid IS NOT NULL)";

/// `name` as a quoted identifier: `users` becomes `"users"`, `a"b` becomes `"a""b"`.
///
/// A name can't hold a zero byte; what follows one is dropped rather than sent.
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", before_zero(name).replace('"', "\"\""))
}

/// `text` as a string literal that reads the same whatever `standard_conforming_strings` is.
pub fn quote_literal(text: &str) -> String {
    let text = before_zero(text).replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", text.replace('\\', "\\\\")) } else { format!("'{text}'") }
}

fn before_zero(text: &str) -> &str {
    text.split('\0').next().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_survive() {
        assert_eq!(quote_identifier("Order\"s"), "\"Order\"\"s\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\'b"), "E'a\\\\''b'");
        assert_eq!(quote_identifier("a\0b"), "\"a\"");
    }
}
