//! What a statement writes down anew: the names that it gives, and the columns with their types.

use crate::finding::Edit;
use crate::migration::statement::{
    ActionKind, AttributeActionKind, Body, ColumnDefinition, Constraint, ConstraintKind, Ident, ObjectChange,
    ObjectKind, Statement, TypeAction, TypeDefinition, TypeName,
};
use crate::source::Span;

use super::StatementContext;

/// A column whose type a statement writes: a new one, or one whose type changes.
pub struct WrittenColumn<'a> {
    /// The column.
    pub name: &'a Ident,
    /// Its type.
    pub type_name: &'a TypeName,
    /// What to point at: the column's definition, or the action that changes its type.
    pub span: Span,
    /// Its definition, where the column is new.
    pub definition: Option<&'a ColumnDefinition>,
}

impl WrittenColumn<'_> {
    /// The edit that writes another type name for a new column; `None` where it isn't as simple: a type that changes,
    /// a default that is cast, text that doesn't stand in the file as it runs.
    pub fn retyped(&self, cx: &StatementContext<'_>, type_name: &str) -> Option<Vec<Edit>> {
        let definition = self.definition.filter(|_| cx.verbatim())?;
        let cast = definition.constraints.iter().any(
            |constraint| matches!(&constraint.kind, ConstraintKind::Default(expr) if expr.cast.is_some()),
        );
        let at = self.type_name.span;
        (!cast && !at.is_empty() && self.type_name.dimensions == 0)
            .then(|| vec![Edit { start: at.start, end: at.end, text: type_name.to_owned() }])
    }
}

/// The columns whose types `statement` writes, in order.
pub fn columns(statement: &Statement) -> Vec<WrittenColumn<'_>> {
    fn of(column: &ColumnDefinition) -> Option<WrittenColumn<'_>> {
        let type_name = column.type_name.as_ref()?;
        Some(WrittenColumn { name: &column.name, type_name, span: column.span, definition: Some(column) })
    }
    match &statement.body {
        Body::CreateTable(create) => create.columns.iter().filter_map(of).collect(),
        Body::AlterTable(alter) if alter.kind != ObjectKind::Type => alter
            .actions
            .iter()
            .filter_map(|action| match &action.kind {
                ActionKind::AddColumn { column, .. } => of(column),
                ActionKind::SetType { column, type_name, .. } => {
                    Some(WrittenColumn { name: column, type_name, span: action.span, definition: None })
                }
                _ => None,
            })
            .collect(),
        Body::CreateSchema { elements, .. } => elements.iter().flat_map(columns).collect(),
        _ => Vec::new(),
    }
}

/// A name that a statement gives to something.
pub struct GivenName<'a> {
    /// The name, as written.
    pub ident: &'a Ident,
    /// To what: "column", "index".
    pub noun: &'static str,
}

/// The names that `statement` gives, in the order in which they are written.
pub fn names(statement: &Statement) -> Vec<GivenName<'_>> {
    let mut found = Vec::new();
    let mut give = |ident, noun| found.push(GivenName { ident, noun });
    match &statement.body {
        Body::CreateTable(create) => {
            give(&create.name.name, "table");
            for column in &create.columns {
                give(&column.name, "column");
                constraint_names(&column.constraints, &mut give);
            }
            constraint_names(&create.constraints, &mut give);
        }
        Body::CreateTableAs(create) => {
            give(&create.name.name, if create.materialized_view { "materialized view" } else { "table" });
        }
        Body::AlterTable(alter) => {
            for action in &alter.actions {
                match &action.kind {
                    ActionKind::AddColumn { column, .. } => {
                        give(&column.name, "column");
                        constraint_names(&column.constraints, &mut give);
                    }
                    ActionKind::AddConstraint(constraint) => {
                        constraint_names(std::slice::from_ref(constraint), &mut give);
                    }
                    ActionKind::RenameColumn { to, .. } => give(to, "column"),
                    ActionKind::RenameConstraint { to, .. } => give(to, "constraint"),
                    ActionKind::RenameTo { to } => give(to, kind_noun(alter.kind)),
                    _ => {}
                }
            }
        }
        Body::CreateIndex(create) => {
            if let Some(name) = &create.name {
                give(name, "index");
            }
        }
        Body::CreateView(create) => give(&create.name.name, "view"),
        Body::CreateType { name, definition } => {
            give(&name.name, "type");
            if let TypeDefinition::Composite(attributes) = definition {
                for attribute in attributes {
                    give(&attribute.name, "attribute");
                }
            }
        }
        Body::AlterType(alter) => match &alter.action {
            TypeAction::RenameAttribute { to, .. } => give(to, "attribute"),
            TypeAction::Attributes(actions) => {
                for action in actions {
                    if let AttributeActionKind::Add(attribute) = &action.kind {
                        give(&attribute.name, "attribute");
                    }
                }
            }
            _ => {}
        },
        Body::CreateDomain(create) => {
            give(&create.name.name, "domain");
            constraint_names(&create.constraints, &mut give);
        }
        Body::CreateSequence { name, .. } => give(&name.name, "sequence"),
        Body::CreateRoutine(create) => {
            give(&create.name.name, if create.procedure { "procedure" } else { "function" });
        }
        Body::CreateTrigger(create) => give(&create.name, "trigger"),
        Body::CreatePolicy { name, .. } => give(name, "policy"),
        Body::CreateRule { name, .. } => give(name, "rule"),
        Body::CreateSchema { name, elements, .. } => {
            if let Some(name) = name {
                give(name, "schema");
            }
            for element in elements {
                found.extend(names(element));
            }
        }
        Body::CreatePublication { name, .. } => give(name, "publication"),
        Body::CreateRole { name } => give(name, "role"),
        Body::CreateDatabase { name } => give(name, "database"),
        Body::CreateStatistics { name: Some(name), .. } => give(&name.name, "statistics object"),
        Body::AlterObject(alter) => match &alter.change {
            ObjectChange::RenameTo(to) => give(to, kind_noun(alter.kind)),
            ObjectChange::RenameConstraint { to, .. } => give(to, "constraint"),
            _ => {}
        },
        Body::AlterPolicy { rename_to: Some(to), .. } => give(to, "policy"),
        _ => {}
    }
    found
}

fn constraint_names<'a>(constraints: &'a [Constraint], give: &mut impl FnMut(&'a Ident, &'static str)) {
    for constraint in constraints {
        if let Some(name) = &constraint.name {
            give(name, "constraint");
        }
    }
}

fn kind_noun(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Table | ObjectKind::ForeignTable => "table",
        ObjectKind::View => "view",
        ObjectKind::MaterializedView => "materialized view",
        ObjectKind::Index => "index",
        ObjectKind::Sequence => "sequence",
        ObjectKind::Schema => "schema",
        ObjectKind::Type => "type",
        ObjectKind::Domain => "domain",
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine => "function",
        ObjectKind::Role | ObjectKind::User | ObjectKind::Group => "role",
        ObjectKind::Trigger => "trigger",
        _ => "object",
    }
}

/// A type as SQL writes it, for messages: `varchar(200)`, `integer`, `app.mood[]`.
pub fn type_text(type_name: &TypeName) -> String {
    let name = match (&type_name.name.schema, type_name.name.name.as_str()) {
        (None, "int2") => "smallint".to_owned(),
        (None, "int4") => "integer".to_owned(),
        (None, "int8") => "bigint".to_owned(),
        (None, "float4") => "real".to_owned(),
        (None, "float8") => "double precision".to_owned(),
        (None, "bpchar") => "char".to_owned(),
        (None, "serial2") => "smallserial".to_owned(),
        (None, "serial4") => "serial".to_owned(),
        (None, "serial8") => "bigserial".to_owned(),
        (None, "bool") => "boolean".to_owned(),
        // A built-in type keeps its name whether or not that is a keyword.
        (None, name) if name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') => {
            name.to_owned()
        }
        _ => type_name.name.to_string(),
    };
    let modifiers = if type_name.modifiers.is_empty() {
        String::new()
    } else {
        let numbers: Vec<String> = type_name.modifiers.iter().map(i64::to_string).collect();
        format!("({})", numbers.join(","))
    };
    let fields = type_name.fields.as_ref().map_or_else(String::new, |fields| format!(" {fields}"));
    format!("{name}{modifiers}{fields}{}", "[]".repeat(type_name.dimensions as usize))
}
