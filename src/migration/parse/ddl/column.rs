//! Column definitions and what qualifies them.

use super::constraint::{attributes, foreign_key_reference, index_tail};
use super::options::generic_options;
use super::sequence::parenthesized_options;
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::expression::{expr, restricted_expr};
use crate::migration::parse::type_name::type_name;
use crate::migration::statement::{
    ColumnDefinition, Constraint, ConstraintKind, ForeignKey, Ident, IndexConstraint, Name,
};
use crate::source::Span;

/// `columnDef`: name, type, and qualifiers.
pub fn column_definition(c: &mut Cursor<'_>) -> Parsed<ColumnDefinition> {
    let first = c.index();
    let name = c.ident("a column name")?;
    let type_name = Some(type_name(c)?);
    let mut column = ColumnDefinition { name, type_name, ..ColumnDefinition::default() };
    // PostgreSQL wants STORAGE before COMPRESSION before OPTIONS.
    if c.eat("storage") {
        column.storage = Some(column_keyword(c, "a storage")?);
    }
    if c.eat("compression") {
        column.compression = Some(column_keyword(c, "a compression method")?);
    }
    generic_options(c)?;
    qualify(c, &mut column)?;
    column.span = c.span_since(first);
    Ok(column)
}

/// `ColId` or DEFAULT: a storage, a compression method.
pub fn column_keyword(c: &mut Cursor<'_>, what: &str) -> Parsed<Ident> {
    if c.is("default") { c.label(what) } else { c.ident(what) }
}

/// `columnOptions`: a column of a typed table or a partition, which names no type.
pub fn column_options(c: &mut Cursor<'_>) -> Parsed<ColumnDefinition> {
    let first = c.index();
    let mut column = ColumnDefinition { name: c.ident("a column name")?, ..ColumnDefinition::default() };
    c.eat_seq(&["with", "options"]);
    qualify(c, &mut column)?;
    column.span = c.span_since(first);
    Ok(column)
}

fn qualify(c: &mut Cursor<'_>, column: &mut ColumnDefinition) -> Parsed<()> {
    let (constraints, collation) = qualifiers(c, &column.name)?;
    column.constraints = constraints;
    column.collation = collation;
    Ok(())
}

/// `ColQualList`: constraints, their attributes and COLLATE, in any order. Also of domains.
pub fn qualifiers(c: &mut Cursor<'_>, column: &Ident) -> Parsed<(Vec<Constraint>, Option<Name>)> {
    let mut constraints: Vec<Constraint> = Vec::new();
    let mut collation = None;
    loop {
        if c.eat("collate") {
            collation = Some(c.name("a collation")?);
            continue;
        }
        let first = c.index();
        let name = if c.eat("constraint") { Some(c.ident("a constraint name")?) } else { None };
        if let Some(kind) = column_constraint(c, column)? {
            let mut constraint = Constraint::of(kind);
            constraint.name = name;
            if matches!(constraint.kind, ConstraintKind::Check(_) | ConstraintKind::NotNull { .. }) {
                constraint.no_inherit = c.eat_seq(&["no", "inherit"]);
            }
            constraint.span = c.span_since(first);
            constraints.push(constraint);
            continue;
        }
        if name.is_some() {
            return Err(c.expected("a constraint"));
        }
        // DEFERRABLE and the like belong to the constraint before them.
        let Some(last) = constraints.last_mut() else { return Ok((constraints, collation)) };
        if !attributes(c, last, false) {
            return Ok((constraints, collation));
        }
        last.span = last.span.to(last_token(c));
    }
}

/// The span of the last token read.
fn last_token(c: &Cursor<'_>) -> Span {
    c.span_since(c.index().saturating_sub(1))
}

/// `ColConstraintElem`; `None` where none begins here.
fn column_constraint(c: &mut Cursor<'_>, column: &Ident) -> Parsed<Option<ConstraintKind>> {
    let kind = if c.eat_seq(&["not", "null"]) {
        ConstraintKind::NotNull { column: column.clone() }
    } else if c.eat("null") {
        ConstraintKind::Null
    } else if c.eat("default") {
        if c.is("default") {
            return Err(c.expected("an expression"));
        }
        ConstraintKind::Default(restricted_expr(c)?)
    } else if c.eat_seq(&["primary", "key"]) {
        let mut key = IndexConstraint { columns: vec![column.clone()], ..IndexConstraint::default() };
        index_tail(c, &mut key)?;
        ConstraintKind::PrimaryKey(key)
    } else if c.eat("unique") {
        let nulls_not_distinct = nulls_distinct(c);
        let mut key = IndexConstraint {
            columns: vec![column.clone()],
            nulls_not_distinct,
            ..IndexConstraint::default()
        };
        index_tail(c, &mut key)?;
        ConstraintKind::Unique(key)
    } else if c.eat("check") {
        c.open()?;
        let check = expr(c)?;
        c.close()?;
        ConstraintKind::Check(check)
    } else if c.is("references") {
        let mut key = ForeignKey { columns: vec![column.clone()], ..ForeignKey::default() };
        foreign_key_reference(c, &mut key)?;
        ConstraintKind::ForeignKey(key)
    } else if c.eat("generated") {
        let always = generated_when(c)?;
        c.expect("as")?;
        if c.eat("identity") {
            ConstraintKind::Identity { always, options: parenthesized_options(c)? }
        } else if !always {
            return Err(c.expected("`IDENTITY`"));
        } else {
            c.open()?;
            let expr = expr(c)?;
            c.close()?;
            // Neither word: VIRTUAL (PostgreSQL 18; before, STORED was required).
            let stored = c.eat("stored");
            if !stored {
                c.eat("virtual");
            }
            ConstraintKind::Generated { expr, stored }
        }
    } else {
        return Ok(None);
    };
    Ok(Some(kind))
}

/// `generated_when`: ALWAYS (true) or BY DEFAULT (false).
pub fn generated_when(c: &mut Cursor<'_>) -> Parsed<bool> {
    if c.eat("always") {
        return Ok(true);
    }
    c.expect_seq(&["by", "default"])?;
    Ok(false)
}

/// NULLS [NOT] DISTINCT, or nothing: whether nulls are not distinct.
pub fn nulls_distinct(c: &mut Cursor<'_>) -> bool {
    if c.eat_seq(&["nulls", "not", "distinct"]) {
        return true;
    }
    c.eat_seq(&["nulls", "distinct"]);
    false
}
