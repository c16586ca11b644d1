//! Changing a column's type: whether PostgreSQL writes the table anew, rebuilds indexes, or changes only the catalog.
//!
//! Source: `ATColumnChangeRequiresRewrite` in `tablecmds.c` with the planner support functions of the length
//! coercions (`varchar_support`, `numeric_support`, `TemporalSimplify`, `interval_support`, `varbit_support`),
//! `pg_cast` (method `b`) and `CheckIndexCompatible`. The same from 12 to 18; measured on 15, 17 and 18.

use crate::migration::catalog::{Catalog, QName, TypeKind};
use crate::migration::statement::{Expr, TypeName};

/// What a type change costs, the cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TypeChange {
    /// Only the catalog changes.
    Nothing,
    /// The heap stays as it is, indexes on the column sort otherwise and are rebuilt.
    RebuildIndexes,
    /// Every row is written anew.
    Rewrite,
}

/// A type with its domains taken off.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseType {
    /// `int4`, `varchar`; with its schema where it isn't built in.
    pub name: String,
    /// Type modifiers: lengths, precision and scale.
    pub modifiers: Vec<i64>,
    /// The fields of an interval.
    pub fields: Option<String>,
    /// An array.
    pub array: bool,
    /// The outermost domain, if any.
    pub domain: Option<QName>,
    /// The domain in the chain that has constraints.
    pub constrained: Option<QName>,
    /// An enum or a range that migrations made.
    pub enum_or_range: bool,
}

impl BaseType {
    /// Whether its operator classes are those of `anyarray`, `anyenum`, `anyrange` or `anymultirange`.
    fn polymorphic(&self) -> bool {
        self.array
            || self.enum_or_range
            || matches!(
                self.name.strip_suffix("multirange").or_else(|| self.name.strip_suffix("range")),
                Some("int4" | "int8" | "num" | "ts" | "tstz" | "date")
            )
    }
}

/// Takes the domains off a written type. The catalog's columns carry schemas for types that aren't built in.
pub fn base_type(catalog: &Catalog, path: &[compact_str::CompactString], written: &TypeName) -> BaseType {
    let mut base = BaseType {
        name: String::new(),
        modifiers: written.modifiers.clone(),
        fields: written.fields.clone(),
        array: written.dimensions > 0,
        domain: None,
        constrained: None,
        enum_or_range: false,
    };
    let mut at = written.clone();
    // Domains over domains end; a catalog that says otherwise is cut off.
    for _ in 0..32 {
        let resolved = catalog.resolve_type(&at.name, path);
        match catalog.type_named(&resolved) {
            Some(found) => {
                if let TypeKind::Domain(domain) = &found.kind
                    && !base.array
                {
                    base.domain.get_or_insert(resolved.clone());
                    if domain.is_constrained() {
                        base.constrained.get_or_insert(resolved);
                    }
                    base.modifiers = domain.base.modifiers.clone();
                    base.fields = domain.base.fields.clone();
                    base.array = domain.base.dimensions > 0;
                    at = domain.base.clone();
                    continue;
                }
                base.name = resolved.to_string();
                base.enum_or_range = matches!(found.kind, TypeKind::Enum(_) | TypeKind::Range);
            }
            None => base.name = at.name.name.value.to_string(),
        }
        break;
    }
    if base.modifiers.is_empty() && matches!(base.name.as_str(), "bit") {
        base.modifiers = vec![1];
    }
    base
}

/// What `ALTER COLUMN … TYPE to [USING using]` costs for a column that is of type `from`.
pub fn type_change(
    from: &BaseType,
    to: &BaseType,
    using: Option<UsingCast<'_>>,
    utc_session: bool,
) -> TypeChange {
    let change = match using {
        None => convert(from, to, utc_session),
        Some(UsingCast::Column) => convert(from, to, utc_session),
        Some(UsingCast::Casts(between)) => {
            let mut dearest = TypeChange::Nothing;
            let mut at = from;
            for next in between.iter().chain([to]) {
                dearest = dearest.max(convert(at, next, utc_session));
                at = next;
            }
            dearest
        }
        Some(UsingCast::Other) => TypeChange::Rewrite,
    };
    // An operator class for any array, enum or range is another one for each type, domains included (`CheckIndexCompatible`).
    let sorts_otherwise = operator_class(from) != operator_class(to)
        || (from.polymorphic() || to.polymorphic()) && from.domain != to.domain;
    if change == TypeChange::Nothing && sorts_otherwise {
        return TypeChange::RebuildIndexes;
    }
    change
}

/// A USING expression, as far as it matters.
#[derive(Clone, Copy, Debug)]
pub enum UsingCast<'a> {
    /// The column itself.
    Column,
    /// The column, cast to these one after the other.
    Casts(&'a [BaseType]),
    /// Anything else.
    Other,
}

/// The column of a USING expression, if it is the changed column, maybe cast.
pub fn uses_only(using: &Expr, column: &str) -> bool {
    using.bare_column.as_ref().is_some_and(|bare| *bare == column) && using.calls.is_empty()
}

fn convert(from: &BaseType, to: &BaseType, utc: bool) -> TypeChange {
    if from.domain.is_some() && from.domain == to.domain && from.array == to.array {
        return TypeChange::Nothing;
    }
    if to.constrained.is_some() {
        return TypeChange::Rewrite;
    }
    if from.array || to.array {
        // An array coercion works on each element, whatever the elements need.
        let same = from.array == to.array && from.name == to.name;
        let length_kept = to.modifiers.is_empty() || to.modifiers == from.modifiers;
        return if same && length_kept { TypeChange::Nothing } else { TypeChange::Rewrite };
    }
    if from.name == to.name {
        // What comes out of a domain has lost its length.
        let known = from.domain.is_none() || to.domain.is_some();
        return if keeps_values(from, to, known) { TypeChange::Nothing } else { TypeChange::Rewrite };
    }
    let shifted = utc
        && matches!(
            (from.name.as_str(), to.name.as_str()),
            ("timestamp", "timestamptz") | ("timestamptz", "timestamp")
        );
    if (shifted || binary_coercible(&from.name, &to.name)) && keeps_values(from, to, false) {
        return TypeChange::Nothing;
    }
    TypeChange::Rewrite
}

/// Whether the length coercion to `to`'s modifiers does nothing; `known`: the value still carries `from`'s.
fn keeps_values(from: &BaseType, to: &BaseType, known: bool) -> bool {
    let old: &[i64] = if known { &from.modifiers } else { &[] };
    let new = &to.modifiers;
    if to.name == "interval" {
        return interval_keeps(known.then_some(from), to);
    }
    if new.is_empty() || (known && old == new) {
        return true;
    }
    match to.name.as_str() {
        "varchar" | "varbit" => old.first().is_some_and(|old| new[0] >= *old), // `new` isn't empty
        "numeric" => {
            let scale = |m: &[i64]| m.get(1).copied().unwrap_or(0);
            old.first().is_some_and(|precision| new[0] >= *precision && scale(old) == scale(new))
        }
        "timestamp" | "timestamptz" | "time" | "timetz" => {
            new[0] >= 6 || old.first().is_some_and(|old| new[0] >= *old)
        }
        _ => false,
    }
}

fn interval_keeps(from: Option<&BaseType>, to: &BaseType) -> bool {
    // 0 is SECOND, 5 is YEAR: a value that ends at MINUTE has nothing after it that could be lost.
    let least = |fields: &Option<String>| match fields.as_deref().and_then(|f| f.split_whitespace().last()) {
        Some("year") => 5,
        Some("month") => 4,
        Some("day") => 3,
        Some("hour") => 2,
        Some("minute") => 1,
        _ => 0,
    };
    if to.fields.is_none() && to.modifiers.is_empty() {
        return true;
    }
    let (old_least, old_precision) =
        from.map_or((0, 7), |from| (least(&from.fields), from.modifiers.first().copied().unwrap_or(7)));
    let new_precision = to.modifiers.first().copied().unwrap_or(7);
    least(&to.fields) <= old_least && (old_least > 0 || new_precision >= 6 || new_precision >= old_precision)
}

/// `pg_cast` with method `b`, and citext's.
fn binary_coercible(from: &str, to: &str) -> bool {
    let object_identifier = |name: &str| name == "oid" || (name.starts_with("reg") && name.len() > 3);
    let bare = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
    match (bare(from).as_str(), bare(to).as_str()) {
        ("text", "varchar" | "bpchar")
        | ("varchar", "text" | "bpchar")
        | ("cidr", "inet")
        | ("bit", "varbit")
        | ("varbit", "bit")
        | ("xml", "text" | "varchar" | "bpchar")
        | ("citext", "text" | "varchar" | "bpchar")
        | ("text" | "varchar", "citext") => true,
        ("int4", to) => object_identifier(to),
        (from, "int4") => object_identifier(from),
        ("oid", to) => object_identifier(to),
        (from, "oid") => object_identifier(from),
        ("regproc", "regprocedure")
        | ("regprocedure", "regproc")
        | ("regoper", "regoperator")
        | ("regoperator", "regoper") => true,
        _ => false,
    }
}

/// Types that share a name here sort by the same operator class, so that indexes stay.
fn operator_class(of: &BaseType) -> &str {
    match of.name.as_str() {
        "varchar" => "text",
        "cidr" => "inet",
        name if name.starts_with("reg") => "oid",
        name => name,
    }
}

/// Whether values of the type sort by a collation.
pub fn is_collatable(of: &BaseType) -> bool {
    matches!(of.name.rsplit('.').next(), Some("text" | "varchar" | "bpchar" | "name" | "citext"))
}

/// Whether a foreign key over the column has to be checked anew: its operators change.
pub fn changes_comparison(from: &BaseType, to: &BaseType) -> bool {
    operator_class(from) != operator_class(to) || from.array != to.array
}

/// Whether values can be lost or cut when `from` becomes `to`; `explicit`: by a cast in USING, which cuts
/// where an assignment would fail.
pub fn loses_values(from: &BaseType, to: &BaseType, explicit: bool) -> bool {
    let first = |of: &BaseType| of.modifiers.first().copied();
    let scale = |of: &BaseType| of.modifiers.get(1).copied().unwrap_or(0);
    let shorter = |from: Option<i64>, to: Option<i64>| match (from, to) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(from), Some(to)) => to < from,
    };
    let fraction = |name: &str| matches!(name, "numeric" | "float4" | "float8" | "money");
    let integer = |name: &str| matches!(name, "int2" | "int4" | "int8");
    let text = |name: &str| matches!(name, "text" | "varchar" | "bpchar");
    match (from.name.as_str(), to.name.as_str()) {
        (from_name, to_name) if fraction(from_name) && integer(to_name) => true,
        ("float8", "float4") | ("numeric", "float4" | "float8") => true,
        ("numeric", "numeric") => first(to).is_some() && (first(from).is_none() || scale(to) < scale(from)),
        ("float4" | "float8", "numeric") => first(to).is_some(),
        ("timestamp" | "timestamptz", "date" | "time" | "timetz") => true,
        ("timestamptz", "timestamp") => false,
        (a, b) if a == b && matches!(a, "timestamp" | "timestamptz" | "time" | "timetz" | "interval") => {
            shorter(first(from).filter(|p| *p < 6), first(to).filter(|p| *p < 6))
                || (a == "interval" && !interval_keeps(Some(from), to))
        }
        (a, b) if text(a) && text(b) => explicit && shorter(first(from), first(to)),
        ("varbit" | "bit", "varbit" | "bit") => explicit && shorter(first(from), first(to)),
        (a, "bool") => integer(a),
        _ => false,
    }
}

/// Whether the session's `TimeZone` shifts nothing, so that timestamp and timestamptz have the same bytes.
pub fn is_utc(timezone: Option<&str>) -> bool {
    let Some(zone) = timezone else { return false };
    let zone = zone.trim().to_ascii_lowercase();
    let zone = zone.strip_prefix("etc/").unwrap_or(&zone);
    matches!(
        zone,
        "utc"
            | "uct"
            | "gmt"
            | "gmt0"
            | "gmt+0"
            | "gmt-0"
            | "zulu"
            | "greenwich"
            | "universal"
            | "0"
            | "+0"
            | "-0"
            | "00"
            | "+00"
            | "-00"
            | "+00:00"
            | "-00:00"
            | "00:00"
    )
}
