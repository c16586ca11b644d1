//! Kinds of objects and how each is named: the one table that DROP, ALTER, COMMENT and the rest share.

use super::options::{numeric, operator};
use super::routine::{aggregate_argument_types, argument_types};
use crate::migration::parse::cursor::{Cursor, Parsed};
use crate::migration::parse::keywords;
use crate::migration::parse::lex::TokenKind;
use crate::migration::parse::type_name::type_name;
use crate::migration::statement::{DropName, Ident, Name, ObjectKind, TypeName};

/// The words of each kind; where one begins another, the longer comes first.
static KINDS: [(&[&str], ObjectKind); 47] = [
    (&["table"], ObjectKind::Table),
    (&["index"], ObjectKind::Index),
    (&["column"], ObjectKind::Column),
    (&["function"], ObjectKind::Function),
    (&["trigger"], ObjectKind::Trigger),
    (&["view"], ObjectKind::View),
    (&["type"], ObjectKind::Type),
    (&["sequence"], ObjectKind::Sequence),
    (&["materialized", "view"], ObjectKind::MaterializedView),
    (&["constraint"], ObjectKind::Constraint),
    (&["schema"], ObjectKind::Schema),
    (&["extension"], ObjectKind::Extension),
    (&["policy"], ObjectKind::Policy),
    (&["procedure"], ObjectKind::Procedure),
    (&["domain"], ObjectKind::Domain),
    (&["access", "method"], ObjectKind::AccessMethod),
    (&["aggregate"], ObjectKind::Aggregate),
    (&["cast"], ObjectKind::Cast),
    (&["collation"], ObjectKind::Collation),
    (&["conversion"], ObjectKind::Conversion),
    (&["database"], ObjectKind::Database),
    (&["event", "trigger"], ObjectKind::EventTrigger),
    (&["foreign", "data", "wrapper"], ObjectKind::ForeignDataWrapper),
    (&["foreign", "table"], ObjectKind::ForeignTable),
    (&["group"], ObjectKind::Group),
    (&["language"], ObjectKind::Language),
    (&["procedural", "language"], ObjectKind::Language),
    (&["large", "object"], ObjectKind::LargeObject),
    (&["operator", "class"], ObjectKind::OperatorClass),
    (&["operator", "family"], ObjectKind::OperatorFamily),
    (&["operator"], ObjectKind::Operator),
    (&["publication"], ObjectKind::Publication),
    (&["role"], ObjectKind::Role),
    (&["routine"], ObjectKind::Routine),
    (&["rule"], ObjectKind::Rule),
    (&["server"], ObjectKind::Server),
    (&["statistics"], ObjectKind::Statistics),
    (&["subscription"], ObjectKind::Subscription),
    (&["tablespace"], ObjectKind::Tablespace),
    (&["text", "search", "configuration"], ObjectKind::TextSearchConfiguration),
    (&["text", "search", "dictionary"], ObjectKind::TextSearchDictionary),
    (&["text", "search", "parser"], ObjectKind::TextSearchParser),
    (&["text", "search", "template"], ObjectKind::TextSearchTemplate),
    (&["transform"], ObjectKind::Transform),
    (&["user", "mapping"], ObjectKind::UserMapping),
    (&["user"], ObjectKind::User),
    (&["attribute"], ObjectKind::Attribute),
];

/// Passes the words of a kind of object.
pub fn object_kind(c: &mut Cursor<'_>) -> Parsed<ObjectKind> {
    for (words, kind) in &KINDS {
        if c.eat_seq(words) {
            return Ok(*kind);
        }
    }
    Err(c.expected("a kind of object"))
}

/// Reads the name of one object of `kind`, with all that belongs to it: the table of a trigger, the
/// arguments of a function, the types of a cast.
pub fn address(c: &mut Cursor<'_>, kind: ObjectKind) -> Parsed<DropName> {
    use ObjectKind::*;
    let first = c.index();
    let mut address = DropName { name: Name::default(), on_table: None, arguments: None, span: c.span() };
    match kind {
        Table
        | ForeignTable
        | View
        | MaterializedView
        | Index
        | Sequence
        | Collation
        | Conversion
        | Statistics
        | TextSearchConfiguration
        | TextSearchDictionary
        | TextSearchParser
        | TextSearchTemplate
        | Attribute
        | Parameter => {
            address.name = c.name(name_of(kind))?;
        }
        AccessMethod | Database | EventTrigger | Extension | ForeignDataWrapper | Language | Publication
        | Schema | Server | Subscription | Tablespace => {
            address.name.name = c.ident(name_of(kind))?;
        }
        Role | User | Group => address.name.name = role(c)?,
        Type | Domain => address.name = type_name(c)?.name,
        Function | Procedure | Routine => {
            // Without arguments any name will do (`function_with_argtypes`).
            if c.at_ident() && c.nth(1).is_none_or(|token| token.kind != TokenKind::LeftParen) {
                address.name = c.name("a function name")?;
            } else {
                address.name = c.routine_name("a function name")?;
            }
            if c.at(TokenKind::LeftParen) {
                address.arguments = Some(argument_types(c)?);
            }
        }
        Aggregate => {
            address.name = c.routine_name("an aggregate's name")?;
            address.arguments = Some(aggregate_argument_types(c)?);
        }
        Operator => {
            address.name.name = operator(c)?;
            address.arguments = Some(operator_arguments(c)?);
        }
        OperatorClass | OperatorFamily => {
            address.name = c.name(name_of(kind))?;
            c.expect("using")?;
            c.ident("an access method")?;
        }
        Cast => {
            c.open()?;
            let from = type_name(c)?;
            c.expect("as")?;
            let to = type_name(c)?;
            c.close()?;
            address.name = from.name.clone();
            address.arguments = Some(vec![from, to]);
        }
        Transform => {
            c.expect("for")?;
            let of = type_name(c)?;
            c.expect("language")?;
            address.name.name = c.ident("a language")?;
            address.arguments = Some(vec![of]);
        }
        Rule | Trigger | Policy | Constraint => {
            address.name.name = c.ident(name_of(kind))?;
            c.expect("on")?;
            address.on_table = Some(c.name("a table")?);
        }
        DomainConstraint => {
            address.name.name = c.ident(name_of(kind))?;
            c.expect_seq(&["on", "domain"])?;
            address.on_table = Some(type_name(c)?.name);
        }
        Column => {
            let (table, column) = column_path(c)?;
            address.name.name = column;
            address.on_table = Some(table);
        }
        LargeObject => {
            let at = c.index();
            let number = numeric(c)?;
            address.name.name = Ident { value: number.into(), quoted: false, span: c.span_since(at) };
        }
        UserMapping => {
            c.expect("for")?;
            mapped_role(c)?;
            c.expect("server")?;
            address.name.name = c.ident("a server")?;
        }
    }
    address.span = c.span_since(first);
    Ok(address)
}

fn name_of(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Table | ObjectKind::ForeignTable => "a table",
        ObjectKind::View => "a view",
        ObjectKind::MaterializedView => "a materialized view",
        ObjectKind::Index => "an index",
        ObjectKind::Sequence => "a sequence",
        ObjectKind::Schema => "a schema",
        ObjectKind::Trigger => "a trigger",
        ObjectKind::Policy => "a policy",
        ObjectKind::Rule => "a rule",
        ObjectKind::Constraint | ObjectKind::DomainConstraint => "a constraint",
        ObjectKind::Extension => "an extension",
        _ => "a name",
    }
}

/// `table.column`, `schema.table.column`: the table and the column.
pub fn column_path(c: &mut Cursor<'_>) -> Parsed<(Name, Ident)> {
    let mut parts = vec![c.ident("a table")?];
    while c.eat_kind(TokenKind::Dot) {
        parts.push(c.label("a column name")?);
    }
    match (parts.pop(), parts.pop()) {
        (Some(column), Some(table)) => Ok((Name { schema: parts.pop(), name: table }, column)),
        _ => Err(c.expected("`.` and a column name")),
    }
}

/// `RoleSpec`: a role, CURRENT_USER, SESSION_USER, PUBLIC.
pub fn role(c: &mut Cursor<'_>) -> Parsed<Ident> {
    let reserved = c.word_at(0).is_some_and(keywords::is_reserved);
    if reserved && !c.is_any(&["current_role", "current_user", "session_user"]) {
        return Err(c.expected("a role"));
    }
    c.label("a role")
}

/// `RoleId`: the name of a role that is made or renamed.
pub fn role_name(c: &mut Cursor<'_>) -> Parsed<Ident> {
    let before = *c;
    let reserved = c.word_at(0).is_some_and(keywords::is_reserved);
    let name = if reserved { return Err(c.expected("a role name")) } else { c.label("a role name")? };
    if name.value == "public" || name.value == "none" {
        return Err(before.expected("a role name that isn't reserved"));
    }
    Ok(name)
}

/// `role_list`.
pub fn roles(c: &mut Cursor<'_>) -> Parsed<Vec<Ident>> {
    c.list(role)
}

/// `auth_ident`: a role, or USER.
pub fn mapped_role(c: &mut Cursor<'_>) -> Parsed<Ident> {
    if c.is("user") { c.label("a role") } else { role(c) }
}

/// `oper_argtypes`: `(left, right)`, either of which may be NONE and is then left out.
pub fn operator_arguments(c: &mut Cursor<'_>) -> Parsed<Vec<TypeName>> {
    c.open()?;
    let left = operator_argument(c)?;
    c.expect_kind(TokenKind::Comma, "`,` and the right argument, or NONE")?;
    let right = operator_argument(c)?;
    c.close()?;
    Ok(left.into_iter().chain(right).collect())
}

fn operator_argument(c: &mut Cursor<'_>) -> Parsed<Option<TypeName>> {
    if c.is("none") && c.nth(1).is_some_and(|t| matches!(t.kind, TokenKind::Comma | TokenKind::RightParen)) {
        c.bump();
        return Ok(None);
    }
    type_name(c).map(Some)
}
