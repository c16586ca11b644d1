//! `foreign_key_type_mismatch`: a foreign key between columns of different types.

use super::written::type_text;
use crate::migration::catalog::{Catalog, ConstraintDetail, Relation, TypeKind};
use crate::migration::statement::{TypeName, quote_ident};

use super::{Check, MigrationContext, Rule, Sink};

/// The rule.
pub static RULE: Rule = Rule {
    code: "foreign_key_type_mismatch",
    page: migration_page!("foreign_key_type_mismatch"),
    check: Check::Migration(check),
};

fn check(cx: &MigrationContext<'_>, sink: &mut Sink) {
    if cx.run.down {
        return;
    }
    let tables = cx.after.touched_by(cx.migration);
    for table in tables.into_iter().filter(|table| table.partition_of.is_none()) {
        for constraint in table.constraints.iter().filter(|constraint| cx.born_here(constraint.born)) {
            let ConstraintDetail::ForeignKey { columns, target, target_columns, .. } = &constraint.detail
            else {
                continue;
            };
            let Some(target) = cx.after.relation(target) else { continue };
            let key = match (target_columns.as_slice(), primary_key(target)) {
                ([], Some(key)) => key,
                (written, _) => written,
            };
            for (column, referenced) in columns.iter().zip(key) {
                let (Some(from), Some(to)) = (table.column(column), target.column(referenced)) else {
                    continue;
                };
                let Some(harm) = harm(base(cx.after, &from.type_name), base(cx.after, &to.type_name)) else {
                    continue;
                };
                let column = quote_ident(column);
                sink.say(
                    constraint.span,
                    format!(
                        "{}.{column} is {} and refers to {}.{}, which is {}: {harm}",
                        table.name,
                        type_text(&from.type_name),
                        target.name,
                        quote_ident(referenced),
                        type_text(&to.type_name)
                    ),
                )
                .help(format!(
                    "Make {column} of type {} before there are rows in it.",
                    type_text(&to.type_name)
                ));
            }
        }
    }
}

fn primary_key(table: &Relation) -> Option<&[compact_str::CompactString]> {
    match &table.primary_key()?.detail {
        ConstraintDetail::PrimaryKey { columns, .. } => Some(columns),
        _ => None,
    }
}

/// The type under a domain.
fn base<'a>(catalog: &'a Catalog, type_name: &'a TypeName) -> &'a TypeName {
    let mut at = type_name;
    // Domains can't be circular; the bound is for a catalog that is wrong.
    for _ in 0..16 {
        match catalog.type_of(at).map(|known| &known.kind) {
            Some(TypeKind::Domain(domain)) => at = &domain.base,
            _ => break,
        }
    }
    at
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Integer(u8),
    Numeric,
    Float,
    Text,
    Uuid,
    Time,
    Boolean,
    Bytes,
}

fn family(type_name: &TypeName) -> Option<Family> {
    if type_name.name.schema.is_some() || type_name.dimensions > 0 {
        return None;
    }
    Some(match type_name.name.name.as_str() {
        "int2" | "serial2" => Family::Integer(2),
        "int4" | "serial4" => Family::Integer(4),
        "int8" | "serial8" => Family::Integer(8),
        "numeric" => Family::Numeric,
        "float4" | "float8" => Family::Float,
        "text" | "varchar" | "bpchar" => Family::Text,
        "uuid" => Family::Uuid,
        "date" | "timestamp" | "timestamptz" => Family::Time,
        "bool" => Family::Boolean,
        "bytea" => Family::Bytes,
        _ => return None,
    })
}

/// What comes of a column of type `from` that refers to one of type `to`.
fn harm(from: &TypeName, to: &TypeName) -> Option<&'static str> {
    match (family(from)?, family(to)?) {
        (Family::Integer(from), Family::Integer(to)) if from < to => {
            Some("when the keys outgrow the smaller type, no row can refer to the new ones")
        }
        (Family::Integer(_), Family::Integer(_)) => None,
        // The key must be compared with the key's own operator, so the referencing value is converted.
        (Family::Integer(_), Family::Numeric | Family::Float) | (Family::Numeric, Family::Float) => {
            Some("every comparison converts the value")
        }
        (from, to) if from == to => None,
        _ => Some("PostgreSQL refuses it, \"foreign key constraint cannot be implemented\""),
    }
}
