//! CREATE INDEX, and the keys that exclusion constraints and partition keys share with it.

use super::options::{option_list, with_options};
use super::{Head, relation};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::expression::{expr, restricted_expr};
use crate::migration::parse::keywords;
use crate::migration::parse::lex::TokenKind;
use crate::migration::statement::{Body, CreateIndex, Expr, Ident, IndexColumn};

/// CREATE [UNIQUE] INDEX, from UNIQUE or INDEX on.
pub fn create_index(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    let unique = c.eat("unique");
    let index_word = c.expect("index")?;
    let mut index = CreateIndex { unique, index_word, ..CreateIndex::default() };
    index.concurrently = c.eat("concurrently");
    index.if_not_exists = c.if_not_exists();
    if index.if_not_exists || !c.is("on") {
        index.name = Some(c.ident("an index name")?);
    }
    c.expect("on")?;
    (index.table, index.only) = relation(c, "a table")?;
    if c.eat("using") {
        index.method = Some(c.ident("an access method")?);
    }
    index.columns = c.paren_list(index_element)?;
    include_list(c, &mut index.include)?;
    index.nulls_not_distinct = super::column::nulls_distinct(c);
    index.options = with_options(c)?;
    if c.eat("tablespace") {
        index.tablespace = Some(c.ident("a tablespace")?);
    }
    if c.eat("where") {
        index.predicate = Some(expr(c)?);
    }
    Ok(Body::CreateIndex(Box::new(index)))
}

/// `INCLUDE ( column, … )` into `include`, or nothing.
fn include_list(c: &mut Cursor<'_>, include: &mut Vec<Ident>) -> Parsed<()> {
    if c.eat("include") {
        // The grammar allows any index element here; the server then refuses all but columns.
        *include = c.paren_list(index_element)?.into_iter().filter_map(|key| key.expr.bare_column).collect();
    }
    Ok(())
}

/// `index_elem`: a column, a function call or an expression in parentheses, with its collation,
/// operator class and order.
pub fn index_element(c: &mut Cursor<'_>) -> Parsed<IndexColumn> {
    let mut key = IndexColumn { expr: key_expression(c)?, ..IndexColumn::default() };
    if c.eat("collate") {
        key.collation = Some(c.name("a collation")?);
    }
    if c.at_ident() && !c.is_seq(&["nulls", "first"]) && !c.is_seq(&["nulls", "last"]) {
        key.operator_class = Some(c.name("an operator class")?);
        if c.at(TokenKind::LeftParen) {
            option_list(c)?;
        }
    }
    key.descending = c.eat("desc");
    if !key.descending {
        c.eat("asc");
    }
    if c.eat_seq(&["nulls", "first"]) {
        key.nulls_first = Some(true);
    } else if c.eat_seq(&["nulls", "last"]) {
        key.nulls_first = Some(false);
    }
    Ok(key)
}

/// A column, a function call, or an expression in parentheses: the keys of indexes, partitions and
/// extended statistics.
pub fn key_expression(c: &mut Cursor<'_>) -> Parsed<Expr> {
    if c.at(TokenKind::LeftParen) {
        let first = c.index();
        c.open()?;
        let mut inner = expr(c)?;
        c.close()?;
        inner.span = c.span_since(first);
        return Ok(inner);
    }
    if let Some(end) = call_end(c) {
        let first = *c;
        let call = restricted_expr(c)?;
        // `f(x) + 1` must be in parentheses.
        if c.index() != end {
            return Err(first.expected("a column, a call, or an expression in parentheses"));
        }
        return Ok(call);
    }
    Ok(column_expression(c.ident("a column name")?))
}

/// Where the function call ends that stands here, if one does (`func_expr_windowless`).
fn call_end(c: &Cursor<'_>) -> Option<usize> {
    let mut probe = *c;
    // These are called without parentheses, or with a precision.
    let bare = probe.eat_any(&[
        "current_catalog",
        "current_date",
        "current_role",
        "current_schema",
        "current_time",
        "current_timestamp",
        "current_user",
        "localtime",
        "localtimestamp",
        "session_user",
        "system_user",
        "user",
    ]);
    if bare.is_none() {
        if probe.at(TokenKind::Word) {
            // Any word: coalesce, cast and their like are no names, but are called as if they were.
            let reserved = probe.word_at(0).is_some_and(keywords::is_reserved);
            if reserved && !probe.is("cast") {
                return None;
            }
            if probe.eat_seq(&["collation", "for"]) {
                probe.skip_parens().ok()?;
                return Some(probe.index());
            }
        }
        probe.label("").ok()?;
        while probe.eat_kind(TokenKind::Dot) {
            probe.label("").ok()?;
        }
        if !probe.at(TokenKind::LeftParen) {
            return None;
        }
        probe.skip_parens().ok()?;
    } else if probe.at(TokenKind::LeftParen) {
        probe.skip_parens().ok()?;
    }
    Some(probe.index())
}

/// The expression that is nothing but `column`.
fn column_expression(column: Ident) -> Expr {
    Expr { span: column.span, columns: vec![column.clone()], bare_column: Some(column), ..Expr::default() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_read, all_refused, read};
    use crate::migration::statement::{Body, CreateIndex};

    fn index(sql: &str) -> CreateIndex {
        match read(sql) {
            Body::CreateIndex(index) => *index,
            other => panic!("{sql}: {other:?}"),
        }
    }

    #[test]
    fn all_clauses() {
        let sql = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY app.t USING btree (a DESC NULLS LAST, \
                   lower(b) COLLATE \"C\" text_pattern_ops, (c || d)) INCLUDE (e, f) NULLS NOT DISTINCT \
                   WITH (fillfactor = 70) TABLESPACE x WHERE a IS NOT NULL";
        let index = index(sql);
        assert!(index.unique && index.concurrently && index.if_not_exists && index.only);
        assert_eq!(index.index_word.of(sql), "INDEX");
        assert_eq!(index.columns[0].expr.bare_column.as_ref().unwrap().value, "a");
        assert_eq!((index.columns[0].descending, index.columns[0].nulls_first), (true, Some(false)));
        assert_eq!(index.columns[1].operator_class.as_ref().unwrap().name.value, "text_pattern_ops");
        assert_eq!(index.columns[1].expr.span.of(sql), "lower(b)");
        assert!(index.columns[2].expr.bare_column.is_none());
        assert_eq!((index.include.len(), index.nulls_not_distinct, index.options.len()), (2, true, 1));
        assert!(index.predicate.is_some());
    }

    #[test]
    fn other_forms() {
        assert!(index("CREATE INDEX ON t (a)").name.is_none());
        assert!(index("CREATE INDEX CONCURRENTLY ON t (a)").concurrently);
        all_read(&[
            "CREATE INDEX i ON t USING gin (a gin_trgm_ops(siglen = 32), b)",
            "CREATE INDEX i ON t (coalesce(a, 1), s.f(b) DESC, nulls NULLS FIRST)",
            "CREATE INDEX i ON t USING hnsw (v vector_l2_ops) WITH (m = 16, ef_construction = 64)",
        ]);
        all_refused(&[
            "CREATE INDEX i ON t ()",
            "CREATE INDEX IF NOT EXISTS ON t (a)",
            "CREATE INDEX i ON t (a + 1)",
        ]);
    }
}
