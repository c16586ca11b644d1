//! Queries and DML: which relations they read and change, which functions they call, and what bounds them.

use super::cursor::{Cursor, Parsed};
use super::expression::{a_expr, b_expr, call, expr_list, indirection, primary, subscripts};
use super::facts::{Facts, Into, PendingChange, Shape, With};
use super::lex::TokenKind;
use super::special::{json_clauses, xml_passing};
use super::type_name::type_name;
use super::{keywords, special};
use crate::migration::statement::{Access, Change, Ident, Name, Persistence, Query, QueryKind};

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
fn preparable(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
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
fn inside(
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

fn with_clause(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<Option<With>> {
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
fn set_operations(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    one_select(c, f)?;
    set_operations_after_first(c, f)
}

fn set_operations_after_first(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    while c.eat_any(&["union", "intersect", "except"]).is_some() {
        if !c.eat("all") {
            c.eat("distinct");
        }
        one_select(c, f)?;
    }
    Ok(())
}

/// One SELECT, VALUES, TABLE, or a query in parentheses.
fn one_select(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
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

fn note_kind(f: &mut Facts, kind: QueryKind) {
    if f.level == 0 {
        f.top.kind.get_or_insert(kind);
    }
}

/// An arm of the outermost query is read. It is bounded by a WHERE only if all arms are.
fn note_arm(f: &mut Facts, has_where: bool) {
    if f.level == 0 {
        f.top.has_where = has_where && (f.top.arms == 0 || f.top.has_where);
        f.top.arms += 1;
    }
}

/// `VALUES (…), (…)`; how many rows.
fn values(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<usize> {
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
fn simple_select(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
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
fn into_table(c: &mut Cursor<'_>) -> Parsed<Into> {
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
fn targets(c: &mut Cursor<'_>, f: &mut Facts, keep: bool) -> Parsed<()> {
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
            if keep {
                f.top.star = true;
                f.top.output.push(None);
            }
        } else {
            let shape = a_expr(c, f)?;
            let alias = target_alias(c)?;
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

fn target_alias(c: &mut Cursor<'_>) -> Parsed<Option<Ident>> {
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

fn group_item(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
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
fn select_tail(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
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

fn note_limit(f: &mut Facts) {
    if f.level == 0 {
        f.top.has_limit = true;
    }
}

/// `FOR UPDATE [OF …] [NOWAIT | SKIP LOCKED]`.
fn row_locks(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
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

fn frame_bound(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
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

// ---- FROM ----

fn from_list(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    table_ref(c, f)?;
    while c.comma() {
        table_ref(c, f)?;
    }
    Ok(())
}

/// `table_ref`: one item with all that is joined to it.
fn table_ref(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    table_item(c, f)?;
    joins(c, f).map(|_| ())
}

/// The JOINs behind an item; how many.
fn joins(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<usize> {
    let mut count = 0;
    // `a JOIN b JOIN c ON … ON …`: joins that still wait for their condition.
    let mut waiting = 0usize;
    loop {
        if waiting > 0 && c.is("on") {
            c.bump();
            a_expr(c, f)?;
            waiting -= 1;
            continue;
        }
        if waiting > 0 && c.eat("using") {
            c.paren_list(|c| c.ident("a column name"))?;
            if c.eat("as") {
                c.ident("a name for the join")?;
            }
            waiting -= 1;
            continue;
        }
        let natural = c.is("natural");
        let mut probe = *c;
        probe.eat("natural");
        let cross = !natural && probe.eat("cross");
        if !cross {
            if probe.eat_any(&["left", "right", "full"]).is_some() {
                probe.eat("outer");
            } else {
                probe.eat("inner");
            }
        }
        if !probe.eat("join") {
            if natural || probe.index() > c.index() {
                return Err(probe.expected("`JOIN`"));
            }
            if waiting > 0 {
                return Err(c.expected("`ON` or `USING`"));
            }
            return Ok(count);
        }
        *c = probe;
        table_item(c, f)?;
        count += 1;
        waiting += usize::from(!natural && !cross);
    }
}

/// One item of FROM, without what is joined to it.
fn table_item(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    let lateral = c.eat("lateral");
    if c.at(TokenKind::LeftParen) {
        if let FromGroup::Query = c.deeper(|c| from_group(c, f))? {
            alias(c)?;
        } else if c.eat("as") || c.at_ident() {
            c.ident("a name")?;
            if c.at(TokenKind::LeftParen) {
                c.paren_list(|c| c.ident("a column name"))?;
            }
        }
        return Ok(());
    }
    if c.is("only") {
        let (name, only) = relation(c)?;
        return plain_table(c, f, name, only);
    }
    if c.is_seq(&["rows", "from"]) && c.nth(2).is_some_and(|token| token.kind == TokenKind::LeftParen) {
        c.bump();
        c.bump();
        c.open()?;
        loop {
            function(c, f)?;
            if c.eat("as") {
                column_definitions(c)?;
            }
            if !c.comma() {
                break;
            }
        }
        c.close()?;
        return function_tail(c);
    }
    let paren = c.nth(1).is_some_and(|token| token.kind == TokenKind::LeftParen);
    if paren && c.is("xmltable") {
        xml_table(c, f)?;
        return alias(c);
    }
    if paren && c.is("json_table") {
        json_table(c, f)?;
        return alias(c);
    }
    let keyword_function =
        c.word_at(0).is_some_and(|word| keywords::is_special(word) && keywords::is_reserved(word));
    if paren || keyword_function || lateral {
        function(c, f)?;
        return function_tail(c);
    }
    let first = c.index();
    let mut probe = *c;
    // A function's name may be a word that is none for a table: `left(…)`, `s.left(…)`.
    let name = probe.name("a table")?;
    if probe.at(TokenKind::LeftParen) {
        *c = probe;
        call(c, f, first, name)?;
        return function_tail(c);
    }
    *c = probe;
    c.eat_operator("*");
    plain_table(c, f, name, false)
}

fn function(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    primary(c, f).map(|_| ())
}

fn function_tail(c: &mut Cursor<'_>) -> Parsed<()> {
    c.eat_seq(&["with", "ordinality"]);
    alias(c)
}

/// A relation in FROM behind its name: alias, TABLESAMPLE.
fn plain_table(c: &mut Cursor<'_>, f: &mut Facts, name: Name, only: bool) -> Parsed<()> {
    f.relation(name, Access::Read, only);
    let slot = f.uses.len() - 1; // one was pushed just now
    let mut alias = None;
    if c.eat("as") || c.at_ident() {
        alias = Some(c.ident("a name")?);
        if c.at(TokenKind::LeftParen) {
            c.paren_list(|c| c.ident("a column name"))?;
        }
    }
    if let Some(used) = f.uses.get_mut(slot) {
        used.alias = alias.map(|alias| alias.value);
    }
    if c.eat("tablesample") {
        c.routine_name("a sampling method")?;
        c.open()?;
        expr_list(c, f)?;
        c.close()?;
        if c.eat("repeatable") {
            c.open()?;
            a_expr(c, f)?;
            c.close()?;
        }
    }
    Ok(())
}

enum FromGroup {
    Query,
    Tables,
}

/// `( … )` in FROM: a query, or joined tables.
fn from_group(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<FromGroup> {
    c.open()?;
    if at_query_word(c) {
        subquery(c, f)?;
        c.close()?;
        return Ok(FromGroup::Query);
    }
    if c.at(TokenKind::LeftParen) && at_query(c) {
        match c.deeper(|c| from_group(c, f))? {
            FromGroup::Query if at_query_tail(c) => {
                subquery_after_first(c, f)?;
                c.close()?;
                return Ok(FromGroup::Query);
            }
            FromGroup::Query if c.eat_kind(TokenKind::RightParen) => return Ok(FromGroup::Query),
            _ => alias(c)?,
        }
    } else {
        table_item(c, f)?;
    }
    joins(c, f)?;
    c.close()?;
    Ok(FromGroup::Tables)
}

/// `func_alias_clause`: `[AS] name [(columns)]`, `AS (column type, …)`.
fn alias(c: &mut Cursor<'_>) -> Parsed<()> {
    if c.eat("as") {
        if !c.at(TokenKind::LeftParen) {
            c.ident("a name")?;
        }
    } else if c.at_ident() {
        c.ident("a name")?;
    } else {
        return Ok(());
    }
    if c.at(TokenKind::LeftParen) { column_definitions(c) } else { Ok(()) }
}

/// `( name [type [COLLATE c]], … )`.
fn column_definitions(c: &mut Cursor<'_>) -> Parsed<()> {
    c.paren_list(|c| {
        c.ident("a column name")?;
        if !c.at(TokenKind::Comma) && !c.at(TokenKind::RightParen) {
            type_name(c)?;
            if c.eat("collate") {
                c.name("a collation")?;
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// `XMLTABLE ( … )`.
fn xml_table(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    c.bump();
    c.open()?;
    if c.eat("xmlnamespaces") {
        c.open()?;
        loop {
            if c.eat("default") {
                b_expr(c, f)?;
            } else {
                b_expr(c, f)?;
                c.expect("as")?;
                c.label("a name")?;
            }
            if !c.comma() {
                break;
            }
        }
        c.close()?;
        c.expect_kind(TokenKind::Comma, "`,`")?;
    }
    primary(c, f)?;
    xml_passing(c, f)?;
    c.expect("columns")?;
    loop {
        c.ident("a column name")?;
        if !c.eat_seq(&["for", "ordinality"]) {
            type_name(c)?;
            loop {
                if c.eat_seq(&["not", "null"]) || c.eat("null") {
                } else if c.eat("default") || c.eat("path") {
                    b_expr(c, f)?;
                } else {
                    break;
                }
            }
        }
        if !c.comma() {
            break;
        }
    }
    c.close()
}

/// `JSON_TABLE ( … )`.
fn json_table(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    c.bump();
    c.open()?;
    a_expr(c, f)?;
    json_clauses(c, f)?;
    c.expect_kind(TokenKind::Comma, "`,`")?;
    a_expr(c, f)?;
    if c.eat("as") {
        c.ident("a name")?;
    }
    json_clauses(c, f)?;
    json_columns(c, f)?;
    json_clauses(c, f)?;
    c.close()
}

fn json_columns(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    c.deeper(|c| {
        c.expect("columns")?;
        c.open()?;
        loop {
            if c.is("nested")
                && (c.is_nth(1, "path") || c.nth(1).is_some_and(|t| t.kind == TokenKind::String))
            {
                c.bump();
                c.eat("path");
                c.pass_string("a path")?;
                if c.eat("as") {
                    c.ident("a name")?;
                }
                json_columns(c, f)?;
            } else {
                c.ident("a column name")?;
                if !c.eat_seq(&["for", "ordinality"]) {
                    type_name(c)?;
                    special::json_clauses(c, f)?;
                    c.eat("exists");
                    if c.eat("path") {
                        c.pass_string("a path")?;
                    }
                    special::json_clauses(c, f)?;
                }
            }
            if !c.comma() {
                break;
            }
        }
        c.close()
    })
}

// ---- DML ----

/// `relation_expr`: `t`, `t *`, `ONLY t`, `ONLY (t)`.
pub(super) fn relation(c: &mut Cursor<'_>) -> Parsed<(Name, bool)> {
    if c.eat("only") {
        let parens = c.eat_kind(TokenKind::LeftParen);
        let name = c.name("a table")?;
        if parens {
            c.close()?;
        }
        return Ok((name, true));
    }
    let name = c.name("a table")?;
    c.eat_operator("*");
    Ok((name, false))
}

fn begin_change(f: &mut Facts, target: &Name, only: bool, access: Access) -> PendingChange {
    let kind = match access {
        Access::Insert => QueryKind::Insert,
        Access::Update => QueryKind::Update,
        Access::Delete => QueryKind::Delete,
        _ => QueryKind::Merge,
    };
    note_kind(f, kind);
    f.relation(target.clone(), access, only);
    let change = Change {
        span: Default::default(),
        target: target.clone(),
        only,
        access,
        columns: Vec::new(),
        values: Vec::new(),
        filter: None,
        rows: None,
        sources: Vec::new(),
        on_conflict: false,
        in_cte: f.in_cte,
    };
    let here = f.uses.len();
    PendingChange { change, sources: here..here, values: Vec::new(), filter: None }
}

fn end_change(c: &Cursor<'_>, f: &mut Facts, mut pending: PendingChange, first: usize) {
    pending.change.span = c.span_since(first);
    f.changes.push(pending);
}

fn insert(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    let first = c.index();
    let slot = f.changes.len();
    c.expect_seq(&["insert", "into"])?;
    let target = c.name("a table")?;
    let mut pending = begin_change(f, &target, false, Access::Insert);
    if c.eat("as") {
        c.ident("a name")?;
    }
    if c.at(TokenKind::LeftParen) && !at_query(c) {
        pending.change.columns = c.paren_list(|c| {
            let column = c.ident("a column name")?;
            indirection(c, f)?;
            Ok(column)
        })?;
    }
    overriding(c)?;
    if !c.eat_seq(&["default", "values"]) {
        let start = f.uses.len();
        if c.is("values") {
            // A plain VALUES, which may still be the first arm of something larger.
            inside(c, f, |c, f| {
                let rows = values(c, f)?;
                if at_query_tail(c) {
                    set_operations_after_first(c, f)?;
                    select_tail(c, f)
                } else {
                    pending.change.rows = Some(rows);
                    Ok(())
                }
            })?;
        } else {
            subquery(c, f)?;
        }
        pending.sources = start..f.uses.len();
    }
    if c.eat_seq(&["on", "conflict"]) {
        pending.change.on_conflict = true;
        conflict(c, f)?;
    }
    returning(c, f)?;
    end_change(c, f, pending, first);
    in_front(f, slot);
    Ok(())
}

/// The change that was pushed last comes before those inside it.
fn in_front(f: &mut Facts, slot: usize) {
    if let Some(tail) = f.changes.get_mut(slot..) {
        tail.rotate_right(1);
    }
}

fn overriding(c: &mut Cursor<'_>) -> Parsed<()> {
    if c.eat("overriding") {
        if c.eat_any(&["user", "system"]).is_none() {
            return Err(c.expected("`USER` or `SYSTEM`"));
        }
        c.expect("value")?;
    }
    Ok(())
}

fn conflict(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    if c.eat_seq(&["on", "constraint"]) {
        c.ident("a constraint")?;
    } else if c.at(TokenKind::LeftParen) {
        c.open()?;
        loop {
            primary(c, f)?;
            if c.eat("collate") {
                c.name("a collation")?;
            }
            if c.at_ident() && !c.is_any(&["asc", "desc", "nulls"]) {
                c.name("an operator class")?;
            }
            if !c.eat("asc") {
                c.eat("desc");
            }
            if !c.eat_seq(&["nulls", "first"]) {
                c.eat_seq(&["nulls", "last"]);
            }
            if !c.comma() {
                break;
            }
        }
        c.close()?;
        if c.eat("where") {
            a_expr(c, f)?;
        }
    }
    c.expect("do")?;
    if c.eat("nothing") {
        return Ok(());
    }
    c.expect_seq(&["update", "set"])?;
    set_list(c, f, None)?;
    if c.eat("where") {
        a_expr(c, f)?;
    }
    Ok(())
}

/// `SET a = x, (b, c) = …`, behind SET. Columns and values go to `pending` where they are wanted.
fn set_list(c: &mut Cursor<'_>, f: &mut Facts, mut pending: Option<&mut PendingChange>) -> Parsed<()> {
    let mut paired = true;
    loop {
        if c.at(TokenKind::LeftParen) {
            let columns = c.paren_list(|c| {
                let column = c.ident("a column name")?;
                indirection(c, f)?;
                Ok(column)
            })?;
            equals(c)?;
            a_expr(c, f)?;
            paired = false;
            if let Some(pending) = pending.as_deref_mut() {
                pending.change.columns.extend(columns);
            }
        } else {
            let column = c.ident("a column name")?;
            indirection(c, f)?;
            equals(c)?;
            let (first, mark) = (c.index(), f.mark());
            let shape = a_expr(c, f)?;
            if let Some(pending) = pending.as_deref_mut() {
                pending.change.columns.push(column);
                pending.values.push(f.expr_since(c, mark, first, shape));
            }
        }
        if !c.comma() {
            break;
        }
    }
    if let (false, Some(pending)) = (paired, pending) {
        pending.values.clear();
    }
    Ok(())
}

fn equals(c: &mut Cursor<'_>) -> Parsed<()> {
    if c.eat_operator("=") { Ok(()) } else { Err(c.expected("`=`")) }
}

/// `[AS] alias` of a target: a bare SET is no alias.
fn target_table_alias(c: &mut Cursor<'_>) -> Parsed<()> {
    if c.eat("as") || (c.at_ident() && !c.is("set")) {
        c.ident("a name")?;
    }
    Ok(())
}

fn condition(c: &mut Cursor<'_>, f: &mut Facts, pending: &mut PendingChange) -> Parsed<()> {
    let (first, mark) = (c.index(), f.mark());
    let shape = a_expr(c, f)?;
    let expr = f.expr_since(c, mark, first, shape);
    pending.filter = Some((expr, c.written_since(first).to_owned()));
    Ok(())
}

fn where_or_current_of(c: &mut Cursor<'_>, f: &mut Facts, pending: &mut PendingChange) -> Parsed<()> {
    if c.eat("where") {
        if c.is_seq(&["current", "of"]) {
            let (first, mark) = (c.index(), f.mark());
            c.bump();
            c.bump();
            if !c.eat_kind(TokenKind::Parameter) {
                c.ident("a cursor")?;
            }
            let expr = f.expr_since(c, mark, first, Shape::default());
            pending.filter = Some((expr, c.written_since(first).to_owned()));
        } else {
            condition(c, f, pending)?;
        }
    }
    Ok(())
}

fn update(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    let first = c.index();
    let slot = f.changes.len();
    c.expect("update")?;
    let (target, only) = relation(c)?;
    let mut pending = begin_change(f, &target, only, Access::Update);
    target_table_alias(c)?;
    c.expect("set")?;
    set_list(c, f, Some(&mut pending))?;
    if c.eat("from") {
        let start = f.uses.len();
        from_list(c, f)?;
        pending.sources = start..f.uses.len();
    }
    where_or_current_of(c, f, &mut pending)?;
    returning(c, f)?;
    end_change(c, f, pending, first);
    in_front(f, slot);
    Ok(())
}

fn delete(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    let first = c.index();
    let slot = f.changes.len();
    c.expect_seq(&["delete", "from"])?;
    let (target, only) = relation(c)?;
    let mut pending = begin_change(f, &target, only, Access::Delete);
    target_table_alias(c)?;
    if c.eat("using") {
        let start = f.uses.len();
        from_list(c, f)?;
        pending.sources = start..f.uses.len();
    }
    where_or_current_of(c, f, &mut pending)?;
    returning(c, f)?;
    end_change(c, f, pending, first);
    in_front(f, slot);
    Ok(())
}

fn merge(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    let first = c.index();
    let slot = f.changes.len();
    c.expect_seq(&["merge", "into"])?;
    let (target, only) = relation(c)?;
    let mut pending = begin_change(f, &target, only, Access::Merge);
    target_table_alias(c)?;
    c.expect("using")?;
    let start = f.uses.len();
    table_ref(c, f)?;
    pending.sources = start..f.uses.len();
    c.expect("on")?;
    condition(c, f, &mut pending)?;
    let mut arms = 0;
    while c.eat("when") {
        arms += 1;
        let not = c.eat("not");
        c.expect("matched")?;
        // Rows of the source without one in the target can only be inserted, the others not.
        let mut unmatched = not;
        if not && c.eat("by") {
            match c.eat_any(&["source", "target"]) {
                Some("source") => unmatched = false,
                Some(_) => {}
                None => return Err(c.expected("`SOURCE` or `TARGET`")),
            }
        }
        if c.eat("and") {
            a_expr(c, f)?;
        }
        c.expect("then")?;
        if !unmatched && c.eat("update") {
            c.expect("set")?;
            set_list(c, f, Some(&mut pending))?;
        } else if (!unmatched && c.eat("delete")) || c.eat_seq(&["do", "nothing"]) {
        } else if unmatched && c.eat("insert") {
            if c.at(TokenKind::LeftParen) {
                c.paren_list(|c| {
                    c.ident("a column name")?;
                    subscripts(c, f)
                })?;
            }
            overriding(c)?;
            if !c.eat_seq(&["default", "values"]) {
                c.expect("values")?;
                c.open()?;
                expr_list(c, f)?;
                c.close()?;
            }
        } else {
            return Err(c.expected("`UPDATE`, `DELETE`, `INSERT` or `DO NOTHING`"));
        }
    }
    if arms == 0 {
        return Err(c.expected("`WHEN`"));
    }
    // Columns of several arms don't pair with values.
    if arms > 1 {
        pending.values.clear();
    }
    returning(c, f)?;
    end_change(c, f, pending, first);
    in_front(f, slot);
    Ok(())
}

fn returning(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    if !c.eat("returning") {
        return Ok(());
    }
    if c.is("with") && c.nth(1).is_some_and(|token| token.kind == TokenKind::LeftParen) {
        c.bump();
        c.paren_list(|c| {
            if c.eat_any(&["old", "new"]).is_none() {
                return Err(c.expected("`OLD` or `NEW`"));
            }
            c.expect("as")?;
            c.ident("a name")
        })?;
    }
    let keep = f.level == 0;
    targets(c, f, keep)
}
