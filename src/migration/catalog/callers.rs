//! What calls a function, so that PostgreSQL keeps it: defaults, generated columns, constraints, indexes, policies, views,
//! domains, and functions whose bodies are written as SQL.
//!
//! Only what certainly does: a name in an expression counts where it can mean no other function.

use compact_str::CompactString;

use super::relation::Called;
use super::{Catalog, ConstraintDetail, Function, QName, TypeKind};
use crate::migration::effects::volatility::of_builtin;
use crate::migration::parse::parse;
use crate::migration::statement::{Body, Call, CreateRoutine, TypeName};

/// What calls a function.
#[derive(Clone, Debug, PartialEq)]
pub enum Caller {
    /// A column's default.
    Default(QName, CompactString),
    /// A generated column.
    Generated(QName, CompactString),
    /// A CHECK or exclusion constraint.
    Constraint(QName, CompactString),
    /// An index of a table.
    Index(QName, CompactString),
    /// A policy of a table.
    Policy(QName, CompactString),
    /// A view or materialized view.
    View(QName),
    /// A constraint of a domain.
    Domain(QName, CompactString),
    /// A function, with its arguments' types.
    Function(QName, Vec<TypeName>),
}

/// Whether one of the function calls in an expression is meant.
pub fn calls_in(expression: &str, meant: impl Fn(&Call, &str) -> bool) -> bool {
    let text = format!("SELECT {expression}");
    parse(&text, 0..text.len()).statements.iter().any(|statement| match &statement.body {
        Body::Query(query) if statement.problems.is_empty() => {
            query.calls.iter().any(|call| meant(call, &text))
        }
        _ => false,
    })
}

/// Whether a call with so many arguments may be one of a function.
fn fits(definition: &CreateRoutine, arguments: usize) -> bool {
    definition.required.is_none_or(|required| (required..=definition.arguments.len()).contains(&arguments))
}

/// What calls a function; `arguments`: which of those of its name. Triggers are left out, which say it of themselves.
pub fn of(
    catalog: &Catalog,
    path: &[CompactString],
    function: &QName,
    arguments: Option<&[TypeName]>,
) -> Vec<Caller> {
    let name = function.name.as_str();
    let mut meant = catalog
        .functions(function)
        .iter()
        .filter(|known| arguments.is_none_or(|arguments| known.takes(arguments)));
    let (Some(only), None) = (meant.next(), meant.next()) else { return Vec::new() };
    let related = catalog.functions_with(name);
    let same_name = || related.iter().copied().filter(|other| other.name.name == name);
    // One that had the name before a renaming took its callers along, and this one may have had another.
    let renamed = |other: &Function| other.definition.name.name.value != other.name.name.as_str();
    let had_it = |other: &Function| renamed(other) && other.definition.name.name.value == name;
    if of_builtin(name).is_some() || same_name().any(renamed) || related.iter().copied().any(had_it) {
        return Vec::new();
    }
    // Of several, the number of arguments may tell which is called.
    let others: Vec<&Function> = same_name().filter(|other| !std::ptr::eq(*other, only)).collect();
    let is_it = |arguments: usize| {
        others.is_empty()
            || fits(&only.definition, arguments)
                && !others.iter().any(|other| fits(&other.definition, arguments))
    };
    let is_called = |call: &Call| {
        call.name.name.value == name
            && match &call.name.schema {
                Some(schema) => schema.value == function.schema,
                None => path.contains(&function.schema),
            }
            && is_it(call.arguments)
    };
    let is_kept = |called: &Called| called.function == *function && is_it(called.arguments);
    let calls = |text: &str| text.contains(name) && calls_in(text, |call, _| is_called(call));
    let mut found = Vec::new();
    for relation in catalog.relations_with(name) {
        let table = &relation.name;
        for column in &relation.columns {
            if column.default.as_ref().is_some_and(|default| calls(&default.text)) {
                found.push(Caller::Default(table.clone(), column.name.clone()));
            }
            if column.generated.as_ref().is_some_and(|generated| calls(&generated.text)) {
                found.push(Caller::Generated(table.clone(), column.name.clone()));
            }
        }
        for constraint in &relation.constraints {
            if matches!(&constraint.detail, ConstraintDetail::Check { expr, .. } if expr.calls.iter().any(is_called))
            {
                found.push(Caller::Constraint(table.clone(), constraint.name.clone()));
            }
        }
        for index in &relation.indexes {
            let keys = index.keys.iter().filter(|key| key.column.is_none()).map(|key| &key.text);
            if keys.chain(&index.predicate).any(|text| calls(text)) {
                found.push(match &index.constraint {
                    Some(constraint) => Caller::Constraint(table.clone(), constraint.clone()),
                    None => Caller::Index(table.clone(), index.name.clone()),
                });
            }
        }
        for policy in &relation.policies {
            if policy.calls().any(is_kept) {
                found.push(Caller::Policy(table.clone(), policy.name.clone()));
            }
        }
        if relation.calls.iter().any(is_kept) {
            found.push(Caller::View(table.clone()));
        }
    }
    for known in catalog.types_with(name) {
        let TypeKind::Domain(domain) = &known.kind else { continue };
        for (check, expr, _) in &domain.checks {
            if expr.calls.iter().any(is_called) {
                found.push(Caller::Domain(known.name.clone(), check.clone()));
            }
        }
    }
    for &known in &related {
        if !std::ptr::eq(known, only) && known.needs.calls.iter().any(is_kept) {
            found.push(Caller::Function(known.name.clone(), known.definition.arguments.clone()));
        }
    }
    found
}
