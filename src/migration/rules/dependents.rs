//! What PostgreSQL keeps an object for: what hangs on sequences, functions, schemas and types.
//!
//! Only what certainly does: a name in an expression counts where it can't mean anything else.

use std::collections::BTreeSet;

use crate::migration::catalog::callers::{self, calls_in};
use crate::migration::catalog::{Caller, Catalog, QName, RelationKind, TypeKind};
use crate::migration::parse::cursor::string_value;
use crate::migration::parse::lex::{Lexer, Token, TokenKind};
use crate::migration::parse::name_of;
use crate::migration::statement::{Call, TypeName, quote_ident};

use super::rename_column::written;
use super::{StatementContext, drop_constraint, joined};

/// What PostgreSQL keeps an object for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependent {
    View(QName, RelationKind),
    ForeignKey(QName, String),
    Child(QName),
    Generated(QName, String),
    Trigger(QName, String),
    Policy(QName, String),
    Rule(QName, String),
    /// A table OF a type.
    Typed(QName),
    Default(QName, String),
    Check(QName, String),
    Index(QName),
    /// With its arguments' types.
    Function(QName, String),
    Domain(QName),
    DomainCheck(QName, String),
    Attribute(QName, String),
    Column(QName, String),
}

impl Dependent {
    pub fn noun(&self) -> String {
        let of = |kind: &str, table: &QName, name: &str| format!("{kind} {} of {table}", quote_ident(name));
        match self {
            Dependent::View(name, kind) => format!("{} {name}", kind.noun()),
            Dependent::ForeignKey(table, name) => of("foreign key", table, name),
            Dependent::Child(name) => format!("table {name}, which inherits from it,"),
            Dependent::Generated(table, name) => format!("generated column {table}.{}", quote_ident(name)),
            Dependent::Trigger(table, name) => of("trigger", table, name),
            Dependent::Policy(table, name) => of("policy", table, name),
            Dependent::Rule(table, name) => of("rule", table, name),
            Dependent::Typed(name) => format!("table {name}, which is of that type,"),
            Dependent::Default(table, name) => format!("the default of {table}.{}", quote_ident(name)),
            Dependent::Check(table, name) => of("constraint", table, name),
            Dependent::Index(name) => format!("index {name}"),
            Dependent::Function(name, arguments) => format!("function {name}({arguments})"),
            Dependent::Domain(name) => format!("domain {name}"),
            Dependent::DomainCheck(domain, name) => of("constraint", domain, name),
            Dependent::Attribute(of_type, name) => of("attribute", of_type, name),
            Dependent::Column(table, name) => format!("column {table}.{}", quote_ident(name)),
        }
    }

    /// SQL that lets go of the object; what stands on a view goes before it.
    pub fn drop(&self, catalog: &Catalog) -> Vec<String> {
        let view = |name: &QName, kind: RelationKind| format!("DROP {} {name};", kind.noun().to_uppercase());
        let one = match self {
            Dependent::View(name, kind) => {
                let above = catalog.all_views_over(name).into_iter().rev();
                return above.map(|over| view(&over.name, over.kind)).chain([view(name, *kind)]).collect();
            }
            Dependent::ForeignKey(table, name) | Dependent::Check(table, name) => {
                drop_constraint(table, name)
            }
            Dependent::Child(name) => format!("DROP TABLE {name};"),
            Dependent::Generated(table, name) | Dependent::Column(table, name) => {
                format!("ALTER TABLE {table} DROP COLUMN {};", quote_ident(name))
            }
            Dependent::Trigger(table, name) => format!("DROP TRIGGER {} ON {table};", quote_ident(name)),
            Dependent::Policy(table, name) => format!("DROP POLICY {} ON {table};", quote_ident(name)),
            Dependent::Rule(table, name) => format!("DROP RULE {} ON {table};", quote_ident(name)),
            Dependent::Typed(name) => format!("ALTER TABLE {name} NOT OF;"),
            Dependent::Default(table, name) => {
                format!("ALTER TABLE {table} ALTER COLUMN {} DROP DEFAULT;", quote_ident(name))
            }
            Dependent::Index(name) => format!("DROP INDEX {name};"),
            Dependent::Function(name, arguments) => format!("DROP FUNCTION {name}({arguments});"),
            Dependent::Domain(name) => format!("DROP DOMAIN {name};"),
            Dependent::DomainCheck(domain, name) => {
                format!("ALTER DOMAIN {domain} DROP CONSTRAINT {};", quote_ident(name))
            }
            Dependent::Attribute(of, name) => {
                format!("ALTER TYPE {of} DROP ATTRIBUTE {};", quote_ident(name))
            }
        };
        vec![one]
    }
}

/// The defaults that count with a sequence.
pub fn of_sequence(cx: &StatementContext<'_>, sequence: &QName, found: &mut BTreeSet<Dependent>) {
    let owner = cx.before.relation(sequence).and_then(|known| known.owned_by.as_ref());
    let own = owner.and_then(|(table, _)| cx.before.relation(table));
    for relation in cx.before.relations_with(&sequence.name).into_iter().chain(own) {
        for column in &relation.columns {
            let Some(default) = &column.default else { continue };
            let counts = if default.serial {
                owner.is_some_and(|(table, name)| *table == relation.name && *name == column.name)
            } else {
                default.text.contains(sequence.name.as_str())
                    && calls_in(&default.text, |call, text| {
                        counts_with(call, text, cx) == Some(sequence.clone())
                    })
            };
            if counts {
                found.insert(Dependent::Default(relation.name.clone(), column.name.to_string()));
            }
        }
    }
}

/// The sequence that `nextval('…')` or `nextval('…'::regclass)` counts with; as a text it would be looked up at run time.
fn counts_with(call: &Call, text: &str, cx: &StatementContext<'_>) -> Option<QName> {
    let of_catalog = call.name.schema.as_ref().is_none_or(|schema| schema.value == "pg_catalog");
    if call.name.name.value != "nextval" || !of_catalog {
        return None;
    }
    let mut lexer = Lexer::new(text, call.span.range());
    let tokens: Vec<Token> = std::iter::from_fn(|| lexer.next_token()).collect();
    let at = tokens.iter().position(|token| token.kind == TokenKind::LeftParen)?;
    let string = match tokens.get(at + 1..)? {
        [string, close] if close.kind == TokenKind::RightParen => string,
        [string, cast, class, close]
            if cast.kind == TokenKind::DoubleColon
                && close.kind == TokenKind::RightParen
                && class.span.of(text).eq_ignore_ascii_case("regclass") =>
        {
            string
        }
        _ => return None,
    };
    let value = string_value(string.span.of(text), string.kind)?;
    Some(cx.resolve(&name_of(&value)?))
}

/// What calls a function: triggers, and what [`callers::of`] finds.
pub fn of_function(
    cx: &StatementContext<'_>,
    function: &QName,
    arguments: Option<&[TypeName]>,
    found: &mut BTreeSet<Dependent>,
) {
    // Triggers call the one without arguments.
    if arguments.is_none_or(<[TypeName]>::is_empty) {
        let relations = cx.before.relations_with(&function.name).into_iter();
        for relation in relations.filter(|relation| relation.partition_of.is_none()) {
            let calling = relation.triggers.iter().filter(|trigger| trigger.function == *function);
            found.extend(
                calling.map(|trigger| Dependent::Trigger(relation.name.clone(), trigger.name.to_string())),
            );
        }
    }
    for caller in callers::of(cx.before, &cx.session.search_path, function, arguments) {
        // What a partition has of its parent's goes with that.
        let is_part = |table: &QName| cx.before.relation(table).is_some_and(|it| it.partition_of.is_some());
        let dependent = match caller {
            Caller::Default(table, ..)
            | Caller::Generated(table, ..)
            | Caller::Constraint(table, ..)
            | Caller::Index(table, ..)
                if is_part(&table) =>
            {
                continue;
            }
            Caller::Default(table, name) => Dependent::Default(table, name.into()),
            Caller::Generated(table, name) => Dependent::Generated(table, name.into()),
            Caller::Constraint(table, name) => Dependent::Check(table, name.into()),
            Caller::Index(table, name) => Dependent::Index(QName { schema: table.schema, name }),
            Caller::Policy(table, name) => Dependent::Policy(table, name.into()),
            Caller::View(name) => match cx.before.relation(&name) {
                Some(view) => Dependent::View(name, view.kind),
                None => continue,
            },
            Caller::Domain(name, check) => Dependent::DomainCheck(name, check.into()),
            Caller::Function(name, arguments) => Dependent::Function(name, types_of(&arguments)),
        };
        found.insert(dependent);
    }
}

/// Types as DROP FUNCTION names them.
pub fn types_of(arguments: &[TypeName]) -> String {
    arguments.iter().map(written).collect::<Vec<String>>().join(", ")
}

/// What a schema holds: relations and types, but for those that went with something else unseen.
pub fn in_schema(catalog: &Catalog, schema: &str) -> Vec<String> {
    let relations = catalog.relations_in(schema).into_iter();
    let relations = relations
        .filter(|relation| relation.owned_by.is_none())
        .map(|relation| format!("{} {}", relation.kind.noun(), relation.name));
    let stays = |kind: &TypeKind| matches!(kind, TypeKind::Enum(_) | TypeKind::Composite(_));
    let types = catalog.types_in(schema).into_iter().filter(|known| stays(&known.kind));
    relations.chain(types.map(|known| format!("type {}", known.name))).collect()
}

/// What has a type: functions, domains over it, attributes, and columns that nobody uses yet. That the others need it is
/// said by `drop_type_in_use`.
pub fn of_type(cx: &StatementContext<'_>, name: &QName, found: &mut BTreeSet<Dependent>) {
    found
        .extend(cx.before.tables_of_type(name).into_iter().map(|table| Dependent::Typed(table.name.clone())));
    // What a function's type means isn't looked up again: the name means one type only.
    let types = cx.before.types_with(&name.name);
    if types.iter().filter(|known| known.name.name == name.name).count() != 1 {
        return;
    }
    let is = |written: &TypeName| {
        written.name.name.value == name.name
            && !written.percent_type
            && written.name.schema.as_ref().is_none_or(|schema| schema.value == name.schema)
    };
    for (relation, columns) in cx.before.relations_using_type(name) {
        for column in columns {
            if cx.may_be_used(&relation.name) && cx.in_use_since(column.born) {
                return;
            }
            if is(&column.type_name) && relation.partition_of.is_none() {
                found.insert(Dependent::Column(relation.name.clone(), column.name.to_string()));
            }
        }
    }
    for function in cx.before.functions_with(&name.name) {
        let definition = &function.definition;
        if !definition.procedure && definition.arguments.iter().chain(&definition.returns).any(is) {
            found.insert(Dependent::Function(function.name.clone(), types_of(&definition.arguments)));
        }
    }
    for known in types {
        match &known.kind {
            TypeKind::Domain(domain) if is(&domain.base) => {
                found.insert(Dependent::Domain(known.name.clone()));
            }
            TypeKind::Composite(attributes) => {
                let having = attributes.iter().filter(|attribute| is(&attribute.type_name));
                found.extend(
                    having.map(|attribute| {
                        Dependent::Attribute(known.name.clone(), attribute.name.to_string())
                    }),
                );
            }
            _ => {}
        }
    }
}

/// "table s.a, type s.b and 3 more".
pub fn some_of(names: &[String]) -> String {
    match names.get(..5) {
        Some(first) if names.len() > 6 => {
            format!("{} and {} more", first.join(", "), names.len() - first.len())
        }
        _ => joined(names),
    }
}
