//! INSERT, UPDATE, DELETE and MERGE: what they change, and what bounds it.

use super::cursor::{Cursor, Parsed};
use super::expression::{a_expr, expr_list, indirection, primary, subscripts};
use super::facts::{Facts, PendingChange, Shape};
use super::lex::TokenKind;
use crate::migration::statement::{Access, Beside, Change, Ident, Name, QueryKind, Written};

use super::from::{from_list, relation, table_ref};
use super::query::{
    at_query, at_query_tail, inside, note_kind, select_tail, set_operations_after_first, subquery, targets,
    values,
};

pub(super) fn begin_change(f: &mut Facts, target: &Name, only: bool, access: Access) -> PendingChange {
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
        alias: None,
        access,
        columns: Vec::new(),
        values: Vec::new(),
        written: Written::default(),
        filter: None,
        rows: None,
        sources: Vec::new(),
        arms: Vec::new(),
        beside: Beside::Nothing,
        on_conflict: false,
        in_cte: f.in_cte,
        names_variables: false,
    };
    let here = f.uses.len();
    PendingChange { change, sources: here..here, values: Vec::new(), filter: None }
}

pub(super) fn end_change(c: &Cursor<'_>, f: &mut Facts, mut pending: PendingChange, first: usize) {
    pending.change.span = c.span_since(first);
    f.changes.push(pending);
}

pub(super) fn insert(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
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
            let around = f.inserted.replace((f.level + 1, Written::default()));
            let read = subquery(c, f);
            pending.change.written =
                std::mem::replace(&mut f.inserted, around).map(|(_, written)| written).unwrap_or_default();
            read?;
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
pub(super) fn in_front(f: &mut Facts, slot: usize) {
    if let Some(tail) = f.changes.get_mut(slot..) {
        tail.rotate_right(1);
    }
}

pub(super) fn overriding(c: &mut Cursor<'_>) -> Parsed<()> {
    if c.eat("overriding") {
        if c.eat_any(&["user", "system"]).is_none() {
            return Err(c.expected("`USER` or `SYSTEM`"));
        }
        c.expect("value")?;
    }
    Ok(())
}

pub(super) fn conflict(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
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
pub(super) fn set_list(
    c: &mut Cursor<'_>,
    f: &mut Facts,
    mut pending: Option<&mut PendingChange>,
) -> Parsed<()> {
    let mut paired = true;
    loop {
        if c.at(TokenKind::LeftParen) {
            let columns = c.paren_list(|c| {
                let column = c.ident("a column name")?;
                indirection(c, f)?;
                Ok(column)
            })?;
            equals(c)?;
            let (first, mark) = (c.index(), f.mark());
            let shape = a_expr(c, f)?;
            paired = false;
            if let Some(pending) = pending.as_deref_mut() {
                pending.change.columns.extend(columns);
                pending.change.written.columns.extend(f.expr_since(c, mark, first, shape).into_columns());
            }
        } else {
            let column = c.ident("a column name")?;
            indirection(c, f)?;
            equals(c)?;
            let (first, mark) = (c.index(), f.mark());
            let shape = a_expr(c, f)?;
            if let Some(pending) = pending.as_deref_mut() {
                pending.change.columns.push(column);
                pending.change.written.columns.extend(shape.column.clone());
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

pub(super) fn equals(c: &mut Cursor<'_>) -> Parsed<()> {
    if c.eat_operator("=") { Ok(()) } else { Err(c.expected("`=`")) }
}

/// `[AS] alias` of a target: a bare SET is no alias.
pub(super) fn target_table_alias(c: &mut Cursor<'_>) -> Parsed<Option<Ident>> {
    if c.eat("as") || (c.at_ident() && !c.is("set")) { c.ident("a name").map(Some) } else { Ok(None) }
}

pub(super) fn condition(c: &mut Cursor<'_>, f: &mut Facts, pending: &mut PendingChange) -> Parsed<()> {
    let (first, mark) = (c.index(), f.mark());
    let shape = a_expr(c, f)?;
    let expr = f.expr_since(c, mark, first, shape);
    pending.filter = Some((expr, c.written_since(first).to_owned()));
    Ok(())
}

pub(super) fn where_or_current_of(
    c: &mut Cursor<'_>,
    f: &mut Facts,
    pending: &mut PendingChange,
) -> Parsed<()> {
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

pub(super) fn update(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    let first = c.index();
    c.expect("update")?;
    changed_rows(c, f, first, Access::Update, "from", |c, f, pending| {
        c.expect("set")?;
        set_list(c, f, Some(pending))
    })
}

pub(super) fn delete(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    let first = c.index();
    c.expect_seq(&["delete", "from"])?;
    changed_rows(c, f, first, Access::Delete, "using", |_, _, _| Ok(()))
}

/// UPDATE and DELETE behind their first words, which stand at `first`: the table, what is done to its rows, further tables behind the word
/// `sources`, and which rows.
fn changed_rows(
    c: &mut Cursor<'_>,
    f: &mut Facts,
    first: usize,
    access: Access,
    sources: &str,
    act: impl FnOnce(&mut Cursor<'_>, &mut Facts, &mut PendingChange) -> Parsed<()>,
) -> Parsed<()> {
    let slot = f.changes.len();
    let (target, only) = relation(c)?;
    let mut pending = begin_change(f, &target, only, access);
    pending.change.alias = target_table_alias(c)?;
    act(c, f, &mut pending)?;
    if c.eat(sources) {
        let start = f.uses.len();
        pending.change.beside = beside(c);
        from_list(c, f)?;
        pending.sources = start..f.uses.len();
        if !pending.sources.is_empty() {
            pending.change.beside = Beside::Anything;
        }
    }
    where_or_current_of(c, f, &mut pending)?;
    returning(c, f)?;
    end_change(c, f, pending, first);
    in_front(f, slot);
    Ok(())
}

/// What begins here, behind FROM or USING.
fn beside(c: &Cursor<'_>) -> Beside {
    let written = c.at(TokenKind::LeftParen) && c.is_nth(1, "values");
    if written { Beside::Written } else { Beside::Anything }
}

pub(super) fn merge(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
    let first = c.index();
    let slot = f.changes.len();
    c.expect_seq(&["merge", "into"])?;
    let (target, only) = relation(c)?;
    let mut pending = begin_change(f, &target, only, Access::Merge);
    pending.change.alias = target_table_alias(c)?;
    c.expect("using")?;
    let start = f.uses.len();
    pending.change.beside = beside(c);
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
            pending.change.arms.push(Access::Update);
            c.expect("set")?;
            set_list(c, f, Some(&mut pending))?;
        } else if !unmatched && c.eat("delete") {
            pending.change.arms.push(Access::Delete);
        } else if c.eat_seq(&["do", "nothing"]) {
        } else if unmatched && c.eat("insert") {
            pending.change.arms.push(Access::Insert);
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

pub(super) fn returning(c: &mut Cursor<'_>, f: &mut Facts) -> Parsed<()> {
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
