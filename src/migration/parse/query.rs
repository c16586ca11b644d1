//! Queries: which relations they read, which functions they call, and what bounds them.

use super::cursor::{Cursor, Parsed};
use super::dml::{delete, insert, merge, update};
use super::expression::{a_expr, expr_list, primary};
use super::facts::{Facts, Into, With};
use super::from::{from_list, relation};
use super::keywords;
use super::lex::TokenKind;
use crate::migration::statement::{Access, Ident, Persistence, Query, QueryKind};

/// Whether a query begins here: SELECT, VALUES, TABLE, WITH, INSERT, UPDATE, DELETE, MERGE, or a
/// parenthesis before one of them.
pub fn at_query(c: &Cursor<'_>) -> bool {
    let parens = c.rest().iter().take_while(|token| token.kind == TokenKind::LeftParen).count();
    let inner = c.at_index(c.index() + parens);
    at_query_word(&inner) || (parens == 0 && inner.is_any(&["insert", "update", "delete", "merge"]))
}

/// Whether SELECT, VALUES, TABLE or WITH stands here.
pub(super) fn at_query_word(c: &Cursor<'_>) -> bool {
    match c.word_at(0).map_or(0, str::len) {
        6 if c.is("select") => true,
        6 => c.is("values") && c.nth(1).is_some_and(|token| token.kind == TokenKind::LeftParen),
        5 => c.is("table"),
        4 => c.is("with"),
        _ => false,
    }
}

/// Whether something stands here that goes on with a query in parentheses.
pub(super) fn at_query_tail(c: &Cursor<'_>) -> bool {
    c.is_any(&["union", "intersect", "except", "order", "limit", "offset", "fetch", "for"])
}

/// Reads a query or DML statement up to the first token that can't belong to it.
pub fn query(c: &mut Cursor<'_>) -> Parsed<Query> {
    let start = *c;
    let (query, into) = query_into(c)?;
    if into.is_some() {
        return Err(start.expected("a query without INTO"));
    }
    Ok(query)
}

/// The same, with the table that `SELECT … INTO` makes.
pub(super) fn query_into(c: &mut Cursor<'_>) -> Parsed<(Query, Option<Into>)> {
    let first = c.index();
    let mut facts = Facts { keep_strings: true, ..Facts::default() };
    preparable(c, &mut facts)?;
    let into = facts.top.into.take();
    Ok((facts.into_query(c.span_since(first)), into))
}

/// Reads what stands behind SELECT, as if that word stood before it: PL/pgSQL's expressions and PERFORM.
pub(super) fn select_behind(c: &mut Cursor<'_>) -> Parsed<Query> {
    let first = c.index();
    let mut facts = Facts { keep_strings: true, ..Facts::default() };
    c.deeper(|c| {
        simple_select(c, &mut facts)?;
        set_operations_after_first(c, &mut facts)?;
        select_tail(c, &mut facts)
    })?;
    Ok(facts.into_query(c.span_since(first)))
}

/// `PreparableStmt`: a query or DML, maybe under WITH.
pub(super) fn preparable(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    c.deeper(|c| {
        let with = with_clause(c, f)?;
        match c.word_at(0).map(|word| word.to_ascii_lowercase()).as_deref() {
            Some("insert") => insert(c, f)?,
            Some("update") => update(c, f)?,
            Some("delete") => delete(c, f)?,
            Some("merge") => merge(c, f)?,
            _ => {
                set_operations(c, f)?;
                select_tail(c, f)?;
            }
        }
        if let Some(with) = with {
            f.close_with(&with);
        }
        Ok(())
    })
}

/// A query inside something else, without its parentheses.
pub(super) fn subquery(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    inside(c, f, |c, f| {
        let with = with_clause(c, f)?;
        set_operations(c, f)?;
        select_tail(c, f)?;
        if let Some(with) = with {
            f.close_with(&with);
        }
        Ok(())
    })
}

/// The rest of a query whose first part, in parentheses, has been read.
pub(super) fn subquery_after_first(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    inside(c, f, |c, f| {
        set_operations_after_first(c, f)?;
        select_tail(c, f)
    })
}

/// One level deeper: its columns are nobody else's.
pub(super) fn inside(
    c: &mut Cursor<'_>,
    f: &mut Facts,
    read: impl FnOnce(&mut Cursor<'_>, &mut Facts) -> Parsed<()>,
) -> Parsed<()> {
    let columns = f.columns.len();
    f.level += 1;
    let read = c.deeper(|c| read(c, f));
    f.level -= 1;
    f.columns.truncate(columns);
    read
}

pub(super) fn with_clause(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Option<With>> {
    if !c.eat("with") {
        return Ok(None);
    }
    let mut with = With::default();
    let recursive = c.eat("recursive");
    let start = f.uses.len();
    loop {
        let name = c.ident("a name for the query")?;
        if c.at(TokenKind::LeftParen) {
            c.paren_list(|c| c.ident("a column name"))?;
        }
        c.expect("as")?;
        if c.eat("not") {
            c.expect("materialized")?;
        } else {
            c.eat("materialized");
        }
        c.open()?;
        let outer = std::mem::replace(&mut f.in_cte, true);
        inside(c, f, preparable)?;
        f.in_cte = outer;
        c.close()?;
        // With RECURSIVE each name is known in all of them, itself included.
        with.declare(&name, if recursive { start } else { f.uses.len() });
        if c.eat("search") {
            if c.eat_any(&["depth", "breadth"]).is_none() {
                return Err(c.expected("`DEPTH` or `BREADTH`"));
            }
            c.expect_seq(&["first", "by"])?;
            c.list(|c| c.ident("a column name"))?;
            c.expect("set")?;
            c.ident("a column name")?;
        }
        if c.eat("cycle") {
            c.list(|c| c.ident("a column name"))?;
            c.expect("set")?;
            c.ident("a column name")?;
            if c.eat("to") {
                a_expr(c, f)?;
                c.expect("default")?;
                a_expr(c, f)?;
            }
            c.expect("using")?;
            c.ident("a column name")?;
        }
        if !c.comma() {
            return Ok(Some(with));
        }
    }
}

/// `select_clause`: SELECTs with UNION, INTERSECT, EXCEPT between them.
pub(super) fn set_operations(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    one_select(c, f)?;
    set_operations_after_first(c, f)
}

pub(super) fn set_operations_after_first(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    while c.eat_any(&["union", "intersect", "except"]).is_some() {
        if !c.eat("all") {
            c.eat("distinct");
        }
        one_select(c, f)?;
    }
    Ok(())
}

/// One SELECT, VALUES, TABLE, or a query in parentheses.
pub(super) fn one_select(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    if c.at(TokenKind::LeftParen) {
        return c.deeper(|c| {
            c.open()?;
            let with = with_clause(c, f)?;
            set_operations(c, f)?;
            select_tail(c, f)?;
            if let Some(with) = with {
                f.close_with(&with);
            }
            c.close()
        });
    }
    if c.eat("select") {
        return simple_select(c, f);
    }
    if c.is("values") {
        note_kind(f, QueryKind::Values);
        values(c, f)?;
        note_arm(f, false);
        return Ok(());
    }
    if c.eat("table") {
        note_kind(f, QueryKind::Table);
        let (name, only) = relation(c)?;
        if f.level == 0 && f.top.arms == 0 {
            f.top.star = true;
        }
        f.relation(name, Access::Read, only);
        note_arm(f, false);
        return Ok(());
    }
    Err(c.expected("a query"))
}

pub(super) fn note_kind(f: &mut Facts, kind: QueryKind) {
    if f.level == 0 {
        f.top.kind.get_or_insert(kind);
    }
}

/// An arm of the outermost query is read. It is bounded by a WHERE only if all arms are.
pub(super) fn note_arm(f: &mut Facts, has_where: bool) {
    if f.level == 0 {
        f.top.has_where = has_where && (f.top.arms == 0 || f.top.has_where);
        f.top.arms += 1;
    }
}

/// `VALUES (…), (…)`; how many rows.
pub(super) fn values(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<usize> {
    c.expect("values")?;
    let mut rows = 0;
    loop {
        c.open()?;
        expr_list(c, f)?;
        c.close()?;
        rows += 1;
        if !c.comma() {
            return Ok(rows);
        }
    }
}

/// A SELECT behind its first word.
pub(super) fn simple_select(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    note_kind(f, QueryKind::Select);
    if c.eat("distinct") {
        if c.eat("on") {
            c.open()?;
            expr_list(c, f)?;
            c.close()?;
        }
        if c.is("from") {
            return Err(c.expected("an expression"));
        }
    } else {
        c.eat("all");
    }
    let keep = f.level == 0 && f.top.arms == 0;
    targets(c, f, keep)?;
    if c.eat("into") {
        let into = into_table(c)?;
        if f.level == 0 {
            f.top.into = Some(into);
        } else {
            return Err(c.expected("a query without INTO"));
        }
    }
    if c.eat("from") {
        from_list(c, f)?;
    }
    let has_where = c.eat("where");
    if has_where {
        a_expr(c, f)?;
    }
    if c.eat_seq(&["group", "by"]) {
        if !c.eat("all") {
            c.eat("distinct");
        }
        loop {
            group_item(c, f)?;
            if !c.comma() {
                break;
            }
        }
    }
    if c.eat("having") {
        a_expr(c, f)?;
    }
    if c.eat("window") {
        loop {
            c.ident("a window")?;
            c.expect("as")?;
            window(c, f)?;
            if !c.comma() {
                break;
            }
        }
    }
    note_arm(f, has_where);
    Ok(())
}

/// `OptTempTableName`.
pub(super) fn into_table(c: &mut Cursor<'_>) -> Parsed<Into> {
    c.eat_any(&["local", "global"]);
    let mut persistence = Persistence::Permanent;
    if c.names_nth(1) || c.is_nth(1, "table") {
        if c.eat_any(&["temporary", "temp"]).is_some() {
            persistence = Persistence::Temporary;
        } else if c.eat("unlogged") {
            persistence = Persistence::Unlogged;
        }
    }
    c.eat("table");
    Ok(Into { name: c.name("a table")?, persistence })
}

/// Output columns, with the names they get, up to the clause behind them. There may be none.
pub(super) fn targets(c: &mut Cursor<'_>, f: &mut Facts, keep: bool) -> Parsed<()> {
    match c.kind() {
        None | Some(TokenKind::RightParen | TokenKind::Semicolon) => return Ok(()),
        // None of these begins an expression.
        Some(TokenKind::Word)
            if (c.is_any(&["from", "into", "where", "group", "having", "window", "for"])
                || at_query_tail(c)) =>
        {
            return Ok(());
        }
        _ => {}
    }
    loop {
        if c.eat_operator("*") {
            if let Some(written) = f.inserted_here() {
                written.star = true;
            }
            if keep {
                f.top.star = true;
                f.top.output.push(None);
            }
        } else {
            let shape = a_expr(c, f)?;
            let alias = target_alias(c)?;
            if let Some(written) = f.inserted_here() {
                written.star |= shape.star;
                written.columns.extend(shape.column.clone());
            }
            if keep {
                f.top.star |= shape.star;
                f.top.output.push(alias.or(shape.column));
            }
        }
        if !c.comma() {
            return Ok(());
        }
    }
}

pub(super) fn target_alias(c: &mut Cursor<'_>) -> Parsed<Option<Ident>> {
    if c.eat("as") {
        return c.label("a name for the column").map(Some);
    }
    let bare = match c.kind() {
        Some(TokenKind::Word) => c.word_at(0).is_some_and(keywords::is_bare_label),
        Some(TokenKind::Quoted | TokenKind::UnicodeQuoted | TokenKind::Placeholder) => true,
        _ => false,
    };
    if bare { c.label("a name for the column").map(Some) } else { Ok(None) }
}

pub(super) fn group_item(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    let then_paren = |c: &Cursor<'_>, n| c.nth(n).is_some_and(|token| token.kind == TokenKind::LeftParen);
    if c.at(TokenKind::LeftParen) && c.nth(1).is_some_and(|token| token.kind == TokenKind::RightParen) {
        c.open()?;
        return c.close();
    }
    if c.is_any(&["rollup", "cube"]) && then_paren(c, 1) {
        c.bump();
        c.open()?;
        expr_list(c, f)?;
        return c.close();
    }
    if c.is_seq(&["grouping", "sets"]) && then_paren(c, 2) {
        c.bump();
        c.bump();
        return c.deeper(|c| {
            c.open()?;
            group_item(c, f)?;
            while c.comma() {
                group_item(c, f)?;
            }
            c.close()
        });
    }
    a_expr(c, f).map(|_| ())
}

/// ORDER BY, LIMIT, OFFSET, FETCH, FOR UPDATE, in any order.
pub(super) fn select_tail(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    loop {
        if c.is("order") {
            order_by(c, f)?;
        } else if c.eat("limit") {
            if !c.eat("all") {
                a_expr(c, f)?;
            }
            if c.comma() {
                a_expr(c, f)?;
            }
            note_limit(f);
        } else if c.eat("offset") {
            a_expr(c, f)?;
            if !c.eat("rows") {
                c.eat("row");
            }
        } else if c.is("fetch") && (c.is_nth(1, "first") || c.is_nth(1, "next")) {
            c.bump();
            c.bump();
            if !c.is_any(&["row", "rows"]) {
                if c.eat_operator("-") || c.eat_operator("+") {
                    c.expect_kind(TokenKind::Number, "a number")?;
                } else {
                    primary(c, f)?;
                }
            }
            if c.eat_any(&["rows", "row"]).is_none() {
                return Err(c.expected("`ROWS`"));
            }
            if !c.eat("only") {
                c.expect_seq(&["with", "ties"])?;
            }
            note_limit(f);
        } else if c.is("for") && !c.is_nth(1, "values") {
            row_locks(c, f)?;
        } else {
            return Ok(());
        }
    }
}

pub(super) fn note_limit(f: &mut Facts) {
    if f.level == 0 {
        f.top.has_limit = true;
    }
}

/// `FOR UPDATE [OF …] [NOWAIT | SKIP LOCKED]`.
pub(super) fn row_locks(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    c.expect("for")?;
    if c.eat_seq(&["read", "only"]) {
        return Ok(());
    }
    if !(c.eat_seq(&["no", "key", "update"])
        || c.eat_seq(&["key", "share"])
        || c.eat("update")
        || c.eat("share"))
    {
        return Err(c.expected("`UPDATE` or `SHARE`"));
    }
    let of = if c.eat("of") { c.list(|c| c.name("a table"))? } else { Vec::new() };
    if !c.eat("nowait") {
        c.eat_seq(&["skip", "locked"]);
    }
    let level = f.level;
    if level == 0 {
        f.top.row_locks = true;
    }
    // The relations of this query: those at its own level since it began.
    for used in f.uses.iter_mut().rev().take_while(|used| used.level >= level) {
        let named = of.is_empty()
            || of.iter().any(|of| match &used.alias {
                Some(alias) => of.name.value == *alias,
                None => of.name == used.relation.name.name,
            });
        if used.level == level && used.relation.access == Access::Read && named {
            used.relation.access = Access::ReadForUpdate;
        }
    }
    Ok(())
}

/// `ORDER BY x [ASC | DESC | USING op] [NULLS FIRST | LAST], …`.
pub(super) fn order_by(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    c.expect_seq(&["order", "by"])?;
    loop {
        a_expr(c, f)?;
        if c.eat("using") {
            if c.is("operator") {
                super::expression::named_operator(c)?;
            } else {
                c.expect_kind(TokenKind::Operator, "an operator")?;
            }
        } else if !c.eat("asc") {
            c.eat("desc");
        }
        if !c.eat_seq(&["nulls", "first"]) {
            c.eat_seq(&["nulls", "last"]);
        }
        if !c.comma() {
            return Ok(());
        }
    }
}

/// `window_specification`, parentheses included.
pub(super) fn window(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    c.open()?;
    let clause =
        c.is_any(&["range", "rows", "groups"]) && !c.nth(1).is_some_and(|t| t.kind == TokenKind::RightParen);
    if c.at_ident() && !c.is_seq(&["partition", "by"]) && !clause {
        c.ident("a window")?;
    }
    if c.eat_seq(&["partition", "by"]) {
        expr_list(c, f)?;
    }
    if c.is("order") {
        order_by(c, f)?;
    }
    if c.eat_any(&["range", "rows", "groups"]).is_some() {
        if c.eat("between") {
            frame_bound(c, f)?;
            c.expect("and")?;
        }
        frame_bound(c, f)?;
        if c.eat("exclude") {
            let known = c.eat_seq(&["current", "row"])
                || c.eat("group")
                || c.eat("ties")
                || c.eat_seq(&["no", "others"]);
            if !known {
                return Err(c.expected("what to exclude"));
            }
        }
    }
    c.close()
}

pub(super) fn frame_bound(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    if c.eat_seq(&["current", "row"]) {
        return Ok(());
    }
    if !(c.is("unbounded") && (c.is_nth(1, "preceding") || c.is_nth(1, "following"))) {
        a_expr(c, f)?;
    } else {
        c.bump();
    }
    match c.eat_any(&["preceding", "following"]) {
        Some(_) => Ok(()),
        None => Err(c.expected("`PRECEDING` or `FOLLOWING`")),
    }
}
