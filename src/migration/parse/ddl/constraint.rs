//! Table constraints, and what column and table constraints share.

use super::column::nulls_distinct;
use super::index::index_element;
use super::options::{operator, with_definition};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::expression::expr;
use crate::migration::parse::lex::TokenKind;
use crate::migration::statement::{Constraint, ConstraintKind, ForeignKey, Ident, IndexConstraint};
use crate::source::Span;

impl Constraint {
    /// A constraint without a name and attributes.
    pub(super) fn of(kind: ConstraintKind) -> Self {
        Constraint {
            name: None,
            kind,
            deferrable: None,
            initially_deferred: None,
            not_valid: false,
            enforced: None,
            no_inherit: false,
            span: Span::default(),
        }
    }
}

/// Whether a table constraint begins here, not a column.
pub fn at_table_constraint(c: &Cursor<'_>) -> bool {
    // All but EXCLUDE are reserved words; a column may be called exclude.
    c.is_any(&["constraint", "check", "unique", "primary", "foreign", "not"])
        || (c.is("exclude")
            && (c.is_nth(1, "using") || c.nth(1).is_some_and(|token| token.kind == TokenKind::LeftParen)))
}

/// `TableConstraint`.
pub fn table_constraint(c: &mut Cursor<'_>) -> Parsed<Constraint> {
    let first = c.index();
    let name = if c.eat("constraint") { Some(c.ident("a constraint name")?) } else { None };
    let kind = if c.eat("check") {
        c.open()?;
        let check = expr(c)?;
        c.close()?;
        ConstraintKind::Check(check)
    } else if c.eat_seq(&["not", "null"]) {
        ConstraintKind::NotNull { column: c.ident("a column name")? }
    } else if c.eat("unique") {
        let nulls_not_distinct = nulls_distinct(c);
        let key = IndexConstraint { nulls_not_distinct, ..IndexConstraint::default() };
        ConstraintKind::Unique(index_constraint(c, key)?)
    } else if c.eat_seq(&["primary", "key"]) {
        ConstraintKind::PrimaryKey(index_constraint(c, IndexConstraint::default())?)
    } else if c.eat_seq(&["foreign", "key"]) {
        let mut key = ForeignKey::default();
        (key.columns, _) = period_list(c)?;
        foreign_key_reference(c, &mut key)?;
        ConstraintKind::ForeignKey(key)
    } else if c.eat("exclude") {
        let method = if c.eat("using") { Some(c.ident("an access method")?) } else { None };
        let columns = c.paren_list(|c| {
            let mut column = index_element(c)?;
            c.expect("with")?;
            column.operator = Some(operator(c)?.value);
            Ok(column)
        })?;
        let mut key = IndexConstraint { include: included(c)?, ..IndexConstraint::default() };
        index_tail(c, &mut key)?;
        let predicate = if c.eat("where") {
            c.open()?;
            let predicate = expr(c)?;
            c.close()?;
            Some(predicate)
        } else {
            None
        };
        ConstraintKind::Exclude { method, columns, predicate }
    } else {
        return Err(c.expected("a constraint"));
    };
    let mut constraint = Constraint::of(kind);
    constraint.name = name;
    let before = *c;
    while attributes(c, &mut constraint, true) {}
    if !attributes_fit(&constraint) {
        return Err(before.expected("attributes that this kind of constraint takes"));
    }
    constraint.span = c.span_since(first);
    Ok(constraint)
}

/// Whether the server takes these attributes on this kind of table constraint (`processCASbits`).
fn attributes_fit(constraint: &Constraint) -> bool {
    let deferred = constraint.deferrable == Some(true) || constraint.initially_deferred == Some(true);
    if constraint.deferrable == Some(false) && constraint.initially_deferred == Some(true) {
        return false;
    }
    match constraint.kind {
        ConstraintKind::Check(_) => !deferred,
        ConstraintKind::NotNull { .. } => !deferred && constraint.enforced.is_none(),
        ConstraintKind::ForeignKey(_) => !constraint.no_inherit,
        _ => !constraint.no_inherit && !constraint.not_valid && constraint.enforced.is_none(),
    }
}

/// Reads one attribute (`ConstraintAttributeElem`) into `constraint`; whether there was one. One that
/// contradicts an earlier one is left where it stands, as the server refuses it.
/// `table`: NOT VALID and NO INHERIT are allowed too.
pub fn attributes(c: &mut Cursor<'_>, constraint: &mut Constraint, table: bool) -> bool {
    let mut probe = *c;
    let (flag, value) = if probe.eat("deferrable") {
        (&mut constraint.deferrable, true)
    } else if probe.eat_seq(&["not", "deferrable"]) {
        (&mut constraint.deferrable, false)
    } else if probe.eat_seq(&["initially", "deferred"]) {
        (&mut constraint.initially_deferred, true)
    } else if probe.eat_seq(&["initially", "immediate"]) {
        (&mut constraint.initially_deferred, false)
    } else if probe.eat("enforced") {
        (&mut constraint.enforced, true)
    } else if probe.eat_seq(&["not", "enforced"]) {
        (&mut constraint.enforced, false)
    } else if table && c.eat_seq(&["not", "valid"]) {
        constraint.not_valid = true;
        return true;
    } else if table && c.eat_seq(&["no", "inherit"]) {
        constraint.no_inherit = true;
        return true;
    } else {
        return false;
    };
    if *flag == Some(!value) {
        return false;
    }
    *flag = Some(value);
    *c = probe;
    true
}

/// What follows UNIQUE and PRIMARY KEY of a table constraint.
fn index_constraint(c: &mut Cursor<'_>, mut key: IndexConstraint) -> Parsed<IndexConstraint> {
    if c.eat_seq(&["using", "index"]) {
        key.using_index = Some(c.ident("an index")?);
        return Ok(key);
    }
    c.open()?;
    key.columns = c.list(|c| c.ident("a column name"))?;
    key.without_overlaps = c.eat_seq(&["without", "overlaps"]);
    c.close()?;
    key.include = included(c)?;
    index_tail(c, &mut key)?;
    Ok(key)
}

/// `INCLUDE ( column, … )`, or nothing.
fn included(c: &mut Cursor<'_>) -> Parsed<Vec<Ident>> {
    if c.eat("include") { c.paren_list(|c| c.ident("a column name")) } else { Ok(Vec::new()) }
}

/// `[WITH (…)] [USING INDEX TABLESPACE name]`.
pub fn index_tail(c: &mut Cursor<'_>, key: &mut IndexConstraint) -> Parsed<()> {
    let first = c.index();
    with_definition(c)?;
    if c.index() > first {
        key.options = c.span_since(first);
    }
    if c.eat_seq(&["using", "index", "tablespace"]) {
        key.tablespace = Some(c.ident("a tablespace")?);
    }
    Ok(())
}

/// `( column, … [, PERIOD column] )`, with whether PERIOD is written.
fn period_list(c: &mut Cursor<'_>) -> Parsed<(Vec<Ident>, bool)> {
    c.open()?;
    let mut columns = vec![c.ident("a column name")?];
    let mut period = false;
    while !period && c.comma() {
        // A column may be called period.
        let ends = c.nth(1).is_some_and(|t| matches!(t.kind, TokenKind::Comma | TokenKind::RightParen));
        period = !ends && c.eat("period");
        columns.push(c.ident("a column name")?);
    }
    c.close()?;
    Ok((columns, period))
}

/// `REFERENCES table [(columns)] [MATCH …] [ON DELETE …] [ON UPDATE …]` into `key`.
pub fn foreign_key_reference(c: &mut Cursor<'_>, key: &mut ForeignKey) -> Parsed<()> {
    c.expect("references")?;
    key.target = c.name("a table")?;
    if c.at(TokenKind::LeftParen) {
        (key.target_columns, key.period) = period_list(c)?;
    }
    if c.eat("match") {
        key.match_type = c.eat_any(&["full", "simple", "partial"]);
        if key.match_type.is_none() {
            return Err(c.expected("FULL or SIMPLE"));
        }
    }
    while c.is("on") {
        c.bump();
        if key.on_delete.is_none() && c.eat("delete") {
            key.on_delete = Some(key_action(c, true)?);
        } else if key.on_update.is_none() && c.eat("update") {
            key.on_update = Some(key_action(c, false)?);
        } else {
            return Err(c.expected("DELETE or UPDATE, each once"));
        }
    }
    Ok(())
}

/// `key_action`; `delete`: SET NULL and SET DEFAULT may name columns.
fn key_action(c: &mut Cursor<'_>, delete: bool) -> Parsed<&'static str> {
    if c.eat("cascade") {
        Ok("cascade")
    } else if c.eat("restrict") {
        Ok("restrict")
    } else if c.eat_seq(&["no", "action"]) {
        Ok("no action")
    } else if c.is_seq(&["set", "null"]) || c.is_seq(&["set", "default"]) {
        let action = if c.is_nth(1, "null") { "set null" } else { "set default" };
        c.bump();
        c.bump();
        if delete && c.at(TokenKind::LeftParen) {
            c.paren_list(|c| c.ident("a column name"))?;
        }
        Ok(action)
    } else {
        Err(c.expected("CASCADE, RESTRICT, SET NULL, SET DEFAULT or NO ACTION"))
    }
}
