//! What differs between two catalogs, in words: for a way back that doesn't lead back.

use compact_str::CompactString;

use super::list::Named;
use super::{Catalog, Column, Constraint, ConstraintDetail, Index, List, QName, Relation, Type, TypeKind};
use crate::migration::statement::TypeName;

/// What `after` has more, has less, or has otherwise than `before`, one line each, in the order of names.
/// Relations about which only a part is known are compared by that part.
pub fn difference(before: &Catalog, after: &Catalog) -> Vec<String> {
    let mut lines = Vec::new();
    for relation in sorted(before.relations.unshared(&after.relations)) {
        match after.relation(&relation.name) {
            None => lines.push(format!("{} {} is gone", relation.kind.noun(), relation.name)),
            // Untouched ones are shared between the two.
            Some(now) if std::ptr::eq(now, &**relation) => {}
            Some(now) => relation_difference(relation, now, &mut lines),
        }
    }
    for relation in sorted(after.relations.unshared(&before.relations)) {
        // A stub says only that a migration spoke of a relation nobody made.
        if relation.columns_known && before.relation(&relation.name).is_none() {
            lines.push(format!("{} {} is still there", relation.kind.noun(), relation.name));
        }
    }
    for one in sorted(before.types.unshared(&after.types)) {
        match after.type_named(&one.name) {
            None => lines.push(format!("type {} is gone", one.name)),
            Some(now) => type_difference(one, now, &mut lines),
        }
    }
    for one in sorted(after.types.unshared(&before.types)) {
        if before.type_named(&one.name).is_none() {
            lines.push(format!("type {} is still there", one.name));
        }
    }
    // What is temporary goes with its session, whoever made it.
    let lasts = |name: &QName| name.schema != super::TEMPORARY;
    let mut functions: Vec<String> = Vec::new();
    for (name, overloads) in after.functions.unshared(&before.functions) {
        if !overloads.is_empty() && lasts(name) && before.functions(name).is_empty() {
            functions.push(format!("function {name} is still there"));
        }
    }
    for (name, overloads) in before.functions.unshared(&after.functions) {
        if !overloads.is_empty() && lasts(name) && after.functions(name).is_empty() {
            functions.push(format!("function {name} is gone"));
        }
    }
    functions.sort();
    lines.extend(functions);
    for schema in before.schemas() {
        if !after.has_schema(schema) {
            lines.push(format!("schema {schema} is gone"));
        }
    }
    for schema in after.schemas() {
        if !before.has_schema(schema) {
            lines.push(format!("schema {schema} is still there"));
        }
    }
    lines
}

/// The values of entries, in the order of their names.
fn sorted<'a, V>(entries: impl Iterator<Item = (&'a QName, &'a V)>) -> impl Iterator<Item = &'a V>
where
    V: 'a,
{
    let mut entries: Vec<_> = entries.collect();
    entries.sort_unstable_by_key(|(name, _)| *name);
    entries.into_iter().map(|(_, value)| value)
}

fn relation_difference(before: &Relation, after: &Relation, lines: &mut Vec<String>) {
    let name = &before.name;
    for column in &before.columns {
        match after.column(&column.name) {
            None => lines.push(format!("column {name}.{} is gone", column.name)),
            Some(now) => column_difference(name, column, now, lines),
        }
    }
    if before.columns_known {
        for column in after.columns.iter().filter(|column| before.column(&column.name).is_none()) {
            lines.push(format!("column {name}.{} is still there", column.name));
        }
    }
    named(
        &before.constraints,
        &after.constraints,
        // NOT NULL is compared as a property of its column.
        |constraint| {
            (!matches!(constraint.detail, ConstraintDetail::NotNull { .. }))
                .then_some(constraint.name.as_str())
        },
        same_constraint,
        &format!("of {name}"),
        "constraint",
        lines,
    );
    named(
        &before.indexes,
        &after.indexes,
        |index| index.constraint.is_none().then_some(index.name.as_str()),
        same_index,
        &format!("of {name}"),
        "index",
        lines,
    );
    named(
        &before.triggers,
        &after.triggers,
        |trigger| Some(trigger.name.as_str()),
        |a, b| a == b,
        &format!("of {name}"),
        "trigger",
        lines,
    );
    named(
        &before.policies,
        &after.policies,
        |policy| Some(policy.name.as_str()),
        |a, b| a == b,
        &format!("of {name}"),
        "policy",
        lines,
    );
    if before.persistence != after.persistence {
        lines.push(
            format!("{name} is {:?}, it was {:?}", after.persistence, before.persistence).to_lowercase(),
        );
    }
    if before.row_security != after.row_security {
        let state = if after.row_security { "on" } else { "off" };
        lines.push(format!("row level security of {name} is {state}, which it wasn't"));
    }
}

/// Compares two lists of things with names.
fn named<T: Named<Name = CompactString>>(
    before: &List<T>,
    after: &List<T>,
    name: impl Fn(&T) -> Option<&str>,
    same: impl Fn(&T, &T) -> bool,
    of: &str,
    noun: &str,
    lines: &mut Vec<String>,
) {
    for one in before {
        let Some(wanted) = name(one) else { continue };
        match after.all(wanted).find(|other| name(other).is_some()) {
            None => lines.push(format!("{noun} {wanted} {of} is gone")),
            Some(now) if !same(one, now) => {
                lines.push(format!("{noun} {wanted} {of} is another than before"))
            }
            Some(_) => {}
        }
    }
    for one in after {
        let Some(found) = name(one) else { continue };
        if !before.all(found).any(|other| name(other).is_some()) {
            lines.push(format!("{noun} {found} {of} is still there"));
        }
    }
}

fn column_difference(table: &super::QName, before: &Column, after: &Column, lines: &mut Vec<String>) {
    let column = &before.name;
    if !same_type(&before.type_name, &after.type_name) {
        lines.push(format!(
            "column {table}.{column} is {}, it was {}",
            written(&after.type_name),
            written(&before.type_name)
        ));
    }
    if before.not_null != after.not_null {
        let (now, was) = if after.not_null { ("NOT NULL", "nullable") } else { ("nullable", "NOT NULL") };
        lines.push(format!("column {table}.{column} is {now}, it was {was}"));
    }
    match (&before.default, &after.default) {
        (Some(old), None) => lines.push(format!("column {table}.{column} has lost its default {}", old.text)),
        (None, Some(new)) => {
            lines.push(format!("column {table}.{column} still has the default {}", new.text))
        }
        (Some(old), Some(new)) if !same_text(&old.text, &new.text) => {
            lines.push(format!("column {table}.{column} has the default {}, it was {}", new.text, old.text));
        }
        _ => {}
    }
    if before.identity != after.identity || before.generated.is_some() != after.generated.is_some() {
        lines.push(format!("column {table}.{column} generates its values otherwise than before"));
    }
}

fn same_type(a: &TypeName, b: &TypeName) -> bool {
    // numeric(80) is numeric(80,0).
    let modifiers = |one: &TypeName| match (one.name.name.value.as_str(), one.modifiers.as_slice()) {
        ("numeric", [precision]) => vec![*precision, 0],
        (_, modifiers) => modifiers.to_vec(),
    };
    (&a.name, modifiers(a), &a.fields, a.dimensions) == (&b.name, modifiers(b), &b.fields, b.dimensions)
        // A type that was never told is compared with nothing.
        || a.name.name.value.is_empty()
        || b.name.name.value.is_empty()
}

/// A type as it would be written: `varchar(50)`, `text[]`.
pub fn written(type_name: &TypeName) -> String {
    let modifiers: Vec<String> = type_name.modifiers.iter().map(i64::to_string).collect();
    let list = if modifiers.is_empty() { String::new() } else { format!("({})", modifiers.join(",")) };
    // Built-in types are words of the grammar, which as names of something else would need quotes.
    let name = match type_name.name.schema {
        Some(_) => type_name.name.to_string(),
        None => type_name.name.name.value.to_string(),
    };
    format!("{name}{list}{}", "[]".repeat(type_name.dimensions as usize))
}

/// Whether two expressions are written alike, but for case, white space and casts of literals.
fn same_text(a: &str, b: &str) -> bool {
    let bare = |text: &str| {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
        text.split("::").next().unwrap_or("").to_owned()
    };
    bare(a) == bare(b)
}

fn same_constraint(a: &Constraint, b: &Constraint) -> bool {
    match (&a.detail, &b.detail) {
        (ConstraintDetail::Check { text: a, .. }, ConstraintDetail::Check { text: b, .. }) => same_text(a, b),
        (
            ConstraintDetail::PrimaryKey { columns: a, .. },
            ConstraintDetail::PrimaryKey { columns: b, .. },
        )
        | (ConstraintDetail::Unique { columns: a, .. }, ConstraintDetail::Unique { columns: b, .. }) => {
            a == b
        }
        (
            ConstraintDetail::ForeignKey { columns: a, target: t, on_delete: d, .. },
            ConstraintDetail::ForeignKey { columns: b, target: u, on_delete: e, .. },
        ) => {
            // NO ACTION is what holds where nothing is written.
            let action = |written: &Option<&'static str>| written.filter(|action| *action != "no action");
            (a, t, action(d)) == (b, u, action(e))
        }
        (ConstraintDetail::Exclude { .. }, ConstraintDetail::Exclude { .. }) => true,
        _ => false,
    }
}

fn same_index(a: &Index, b: &Index) -> bool {
    let keys = |index: &Index| {
        index
            .keys
            .iter()
            .map(|key| (key.column.clone(), key.text.split_whitespace().collect::<String>(), key.descending))
            .collect::<Vec<_>>()
    };
    a.unique == b.unique && a.method == b.method && keys(a) == keys(b)
}

fn type_difference(before: &Type, after: &Type, lines: &mut Vec<String>) {
    match (&before.kind, &after.kind) {
        (TypeKind::Enum(old), TypeKind::Enum(new)) => {
            for (label, _) in new.iter().filter(|(label, _)| !old.has(label)) {
                lines.push(format!("type {} still has the value '{label}'", before.name));
            }
            for (label, _) in old.iter().filter(|(label, _)| !new.has(label)) {
                lines.push(format!("type {} has lost the value '{label}'", before.name));
            }
        }
        (TypeKind::Domain(old), TypeKind::Domain(new))
            if (old.not_null != new.not_null || old.checks.len() != new.checks.len()) =>
        {
            lines.push(format!("domain {} has other constraints than before", before.name));
        }
        _ => {}
    }
}
