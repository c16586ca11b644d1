//! Types and domains.

use super::column::qualifiers;
use super::constraint::{attributes, table_constraint};
use super::object::role;
use super::options::definition;
use super::{Head, behavior};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::expression::expr;
use crate::migration::parse::lex::TokenKind;
use crate::migration::parse::type_name::type_name;
use crate::migration::statement::{
    AlterObject, AlterType, AttributeAction, AttributeActionKind, Body, ColumnDefinition, Constraint,
    ConstraintKind, CreateDomain, DomainAction, Ident, Name, ObjectChange, ObjectKind, TypeAction,
    TypeDefinition,
};

/// CREATE TYPE, from TYPE on.
pub fn create_type(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect("type")?;
    let name = c.name("a type name")?;
    let definition = if c.eat_seq(&["as", "enum"]) {
        c.open()?;
        let values = if c.at(TokenKind::RightParen) { Vec::new() } else { c.list(|c| c.string("a value"))? };
        c.close()?;
        TypeDefinition::Enum(values)
    } else if c.eat_seq(&["as", "range"]) {
        definition(c)?;
        TypeDefinition::Range
    } else if c.eat("as") {
        c.open()?;
        let attributes = if c.at(TokenKind::RightParen) { Vec::new() } else { c.list(attribute)? };
        c.close()?;
        TypeDefinition::Composite(attributes)
    } else if c.at(TokenKind::LeftParen) {
        definition(c)?;
        TypeDefinition::Base
    } else {
        TypeDefinition::Shell
    };
    Ok(Body::CreateType { name, definition })
}

/// `TableFuncElement`: an attribute of a composite type.
fn attribute(c: &mut Cursor<'_>) -> Parsed<ColumnDefinition> {
    let first = c.index();
    let name = c.ident("an attribute name")?;
    let type_name = Some(type_name(c)?);
    let collation = if c.eat("collate") { Some(c.name("a collation")?) } else { None };
    let span = c.span_since(first);
    Ok(ColumnDefinition { name, type_name, collation, span, ..ColumnDefinition::default() })
}

/// ALTER TYPE, from behind TYPE on.
pub fn alter_type(c: &mut Cursor<'_>) -> Parsed<Body> {
    let name = c.name("a type")?;
    let action = if c.eat_seq(&["add", "value"]) {
        let if_not_exists = c.if_not_exists();
        let value = c.string("a value")?;
        let positioned = c.eat_any(&["before", "after"]).is_some();
        if positioned {
            c.string("a value")?;
        }
        TypeAction::AddValue { value, if_not_exists, positioned }
    } else if c.eat_seq(&["rename", "value"]) {
        let from = c.string("a value")?;
        c.expect("to")?;
        TypeAction::RenameValue { from, to: c.string("a value")? }
    } else if c.eat_seq(&["rename", "attribute"]) {
        let attribute = c.ident("an attribute")?;
        c.expect("to")?;
        let to = c.ident("an attribute name")?;
        TypeAction::RenameAttribute { name: attribute, to, cascade: behavior(c) }
    } else if c.is("set") && c.nth(1).is_some_and(|token| token.kind == TokenKind::LeftParen) {
        c.bump();
        definition(c)?;
        TypeAction::SetOptions
    } else if c.is_any(&["add", "drop", "alter"]) {
        TypeAction::Attributes(c.list(attribute_action)?)
    } else {
        return renamed(c, ObjectKind::Type, name);
    };
    Ok(Body::AlterType(Box::new(AlterType { name, action })))
}

fn attribute_action(c: &mut Cursor<'_>) -> Parsed<AttributeAction> {
    let first = c.index();
    let kind = if c.eat_seq(&["add", "attribute"]) {
        AttributeActionKind::Add(Box::new(attribute(c)?))
    } else if c.eat_seq(&["drop", "attribute"]) {
        let if_exists = c.if_exists();
        AttributeActionKind::Drop { name: c.ident("an attribute")?, if_exists }
    } else if c.eat_seq(&["alter", "attribute"]) {
        let name = c.ident("an attribute")?;
        c.eat_seq(&["set", "data"]);
        c.expect("type")?;
        let type_name = type_name(c)?;
        if c.eat("collate") {
            c.name("a collation")?;
        }
        AttributeActionKind::SetType { name, type_name }
    } else {
        return Err(c.expected("ADD, DROP or ALTER ATTRIBUTE"));
    };
    let cascade = behavior(c);
    Ok(AttributeAction { kind, cascade, span: c.span_since(first) })
}

/// RENAME TO, SET SCHEMA, OWNER TO of a type or domain.
fn renamed(c: &mut Cursor<'_>, kind: ObjectKind, name: Name) -> Parsed<Body> {
    let change = if c.eat_seq(&["rename", "to"]) {
        ObjectChange::RenameTo(c.ident("a name")?)
    } else if c.eat_seq(&["set", "schema"]) {
        ObjectChange::SetSchema(c.ident("a schema")?)
    } else if c.eat_seq(&["owner", "to"]) {
        ObjectChange::OwnerTo(role(c)?)
    } else if kind == ObjectKind::Domain && c.eat_seq(&["rename", "constraint"]) {
        let name = c.ident("a constraint")?;
        c.expect("to")?;
        ObjectChange::RenameConstraint { name, to: c.ident("a constraint name")? }
    } else {
        return Err(c.expected("what to alter"));
    };
    Ok(Body::AlterObject(Box::new(AlterObject {
        kind,
        name,
        on_table: None,
        arguments: None,
        if_exists: false,
        change,
    })))
}

/// CREATE DOMAIN, from DOMAIN on.
pub fn create_domain(c: &mut Cursor<'_>, _: Head) -> Parsed<Body> {
    c.expect("domain")?;
    let name = c.name("a domain name")?;
    c.eat("as");
    let base = type_name(c)?;
    let (constraints, collation) = qualifiers(c, &Ident::default())?;
    Ok(Body::CreateDomain(Box::new(CreateDomain { name, base, collation, constraints })))
}

/// ALTER DOMAIN, from behind DOMAIN on.
pub fn alter_domain(c: &mut Cursor<'_>) -> Parsed<Body> {
    let name = c.name("a domain")?;
    let action = if c.eat_seq(&["set", "default"]) {
        DomainAction::SetDefault(expr(c)?)
    } else if c.eat_seq(&["drop", "default"]) {
        DomainAction::DropDefault
    } else if c.eat_seq(&["set", "not", "null"]) {
        DomainAction::SetNotNull
    } else if c.eat_seq(&["drop", "not", "null"]) {
        DomainAction::DropNotNull
    } else if c.eat("add") {
        DomainAction::AddConstraint(Box::new(domain_constraint(c)?))
    } else if c.eat_seq(&["drop", "constraint"]) {
        let if_exists = c.if_exists();
        let constraint = c.ident("a constraint")?;
        DomainAction::DropConstraint { name: constraint, if_exists, cascade: behavior(c) }
    } else if c.eat_seq(&["validate", "constraint"]) {
        DomainAction::ValidateConstraint { name: c.ident("a constraint")? }
    } else {
        return renamed(c, ObjectKind::Domain, name);
    };
    Ok(Body::AlterDomain { name, action })
}

/// `DomainConstraint`: CHECK, or NOT NULL without a column.
fn domain_constraint(c: &mut Cursor<'_>) -> Parsed<Constraint> {
    let first = c.index();
    let before = *c;
    let mut probe = *c;
    let name = if probe.eat("constraint") { Some(probe.ident("a constraint name")?) } else { None };
    if !probe.eat_seq(&["not", "null"]) {
        let constraint = table_constraint(c)?;
        if !matches!(constraint.kind, ConstraintKind::Check(_)) || constraint.enforced.is_some() {
            return Err(before.expected("CHECK or NOT NULL"));
        }
        return Ok(constraint);
    }
    *c = probe;
    let mut constraint = Constraint::of(ConstraintKind::NotNull { column: Ident::default() });
    constraint.name = name;
    while attributes(c, &mut constraint, true) {}
    constraint.span = c.span_since(first);
    Ok(constraint)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_read, all_refused, read};
    use crate::migration::statement::{Body, ConstraintKind, DomainAction, TypeAction, TypeDefinition};

    #[test]
    fn types() {
        assert!(
            matches!(read("CREATE TYPE s.mood AS ENUM ('sad', 'it''s ok')"), Body::CreateType { definition: TypeDefinition::Enum(v), .. } if v == ["sad", "it's ok"])
        );
        assert!(
            matches!(read("CREATE TYPE c AS (a int, b text COLLATE \"C\")"), Body::CreateType { definition: TypeDefinition::Composite(v), .. } if v.len() == 2)
        );
        assert!(matches!(read("CREATE TYPE c"), Body::CreateType { definition: TypeDefinition::Shell, .. }));
        assert!(matches!(read("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'x' BEFORE 'y'"), Body::AlterType(t)
            if matches!(t.action, TypeAction::AddValue { if_not_exists: true, positioned: true, .. })));
        all_read(&[
            "CREATE TYPE e AS ENUM ()",
            "CREATE TYPE r AS RANGE (subtype = float8, subtype_diff = float8mi)",
            "CREATE TYPE b (input = f, output = g, internallength = VARIABLE, like = text, default = 'x')",
            "ALTER TYPE c ADD ATTRIBUTE a int CASCADE, DROP ATTRIBUTE IF EXISTS b, ALTER ATTRIBUTE d SET DATA TYPE text",
            "ALTER TYPE c RENAME ATTRIBUTE a TO b CASCADE",
            "ALTER TYPE c RENAME VALUE 'a' TO 'b'",
            "ALTER TYPE c SET (storage = extended)",
            "ALTER TYPE c OWNER TO me",
        ]);
        all_refused(&[
            "ALTER TYPE c ADD VALUE x",
            "CREATE TYPE e AS ENUM (a)",
            "ALTER TYPE c ADD ATTRIBUTE a int NOT NULL",
        ]);
    }

    #[test]
    fn domains() {
        let Body::CreateDomain(domain) =
            read("CREATE DOMAIN d AS int DEFAULT 1 NOT NULL CONSTRAINT p CHECK (VALUE > 0)")
        else {
            panic!()
        };
        assert_eq!(domain.constraints.len(), 3);
        assert!(matches!(domain.constraints[1].kind, ConstraintKind::NotNull { .. }));
        assert!(
            matches!(read("ALTER DOMAIN d ADD CONSTRAINT p CHECK (VALUE > 0) NOT VALID"), Body::AlterDomain { action: DomainAction::AddConstraint(c), .. } if c.not_valid)
        );
        all_read(&[
            "CREATE DOMAIN d text COLLATE \"C\"",
            "ALTER DOMAIN d SET DEFAULT 5",
            "ALTER DOMAIN d DROP NOT NULL",
            "ALTER DOMAIN d ADD NOT NULL",
            "ALTER DOMAIN d VALIDATE CONSTRAINT p",
            "ALTER DOMAIN d DROP CONSTRAINT IF EXISTS p CASCADE",
            "ALTER DOMAIN d RENAME CONSTRAINT a TO b",
            "ALTER DOMAIN d SET SCHEMA s",
        ]);
    }
}
