//! `column_type_narrowed`: a column's new type can't hold all values of the old one.

use crate::migration::statement::{ActionKind, ObjectKind, TypeName, quote_ident};

use super::rename_column::written;
use super::{Check, Rule, Sink, StatementContext, column_type_rewrites, plans};

pub static RULE: Rule = Rule {
    code: "column_type_narrowed",
    page: migration_page!("column_type_narrowed"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some((alter, table, known)) = cx.altered() else { return };
    if alter.kind == ObjectKind::Type {
        return; // composite_type_changed
    }
    for action in &alter.actions {
        let ActionKind::SetType { column, type_name, using, .. } = &action.kind else { continue };
        let Some(old) = known.and_then(|table| table.column(column.as_str())) else { continue };
        if !cx.in_use_since(old.born) {
            continue;
        }
        let Some(loss) = loss(&old.type_name, type_name) else { continue };
        let shown = quote_ident(column.as_str());
        let written = written(type_name);
        let message = match loss {
            Loss::Refused(what) => format!(
                "{table}.{shown} doesn't fit into {written}: {what} make the migration fail, unless USING cuts \
                 them, and then they are lost"
            ),
            Loss::Lost(what) => format!("{table}.{shown} as {written} loses {what}, without a word"),
        };
        let help = match limit(&old.type_name, type_name) {
            Some(most) => {
                let name = plans::named(cx.before, &table, column.as_str(), "length");
                format!(
                    "-- a CHECK sets the limit and leaves the data alone\n\
                     ALTER TABLE {table} ADD CONSTRAINT {name} CHECK (length({shown}) <= {most}) NOT VALID;\n\
                     -- mend the rows that break it, then in a later migration:\n\
                     ALTER TABLE {table} VALIDATE CONSTRAINT {name};"
                )
            }
            None => column_type_rewrites::replacement(cx, &table, column, type_name, using.as_ref()),
        };
        sink.say(action.span, message).help(help);
    }
}

/// What happens to values that don't fit.
#[derive(Debug, PartialEq)]
pub(super) enum Loss {
    /// The ALTER TABLE fails on them.
    Refused(&'static str),
    /// They are changed in silence.
    Lost(&'static str),
}

/// What a change from one type to the other does to values that the new one can't hold; `None` where it holds all,
/// or where it isn't known. What PostgreSQL's assignment
/// casts do, measured on 15. (json to jsonb drops duplicate keys and white space; nobody means those to be kept.)
pub(super) fn loss(from: &TypeName, to: &TypeName) -> Option<Loss> {
    if from.dimensions != to.dimensions {
        return None;
    }
    let (old, new) = (builtin(from)?, builtin(to)?);
    if let (Some(a), Some(b)) = (integer_bits(old), integer_bits(new)) {
        return (b < a).then_some(Loss::Refused("numbers out of its range"));
    }
    match (old, new) {
        ("varchar" | "text", "varchar") => {
            let most = *to.modifiers.first()?;
            let shorter = from.modifiers.first().is_none_or(|&before| most < before);
            shorter.then_some(Loss::Refused("longer values"))
        }
        ("varchar" | "text", "bpchar") => {
            // Assignment to char(n) refuses what is longer, trailing spaces aside.
            let most = to.modifiers.first().copied().unwrap_or(1);
            let shorter = from.modifiers.first().is_none_or(|&before| most < before);
            shorter.then_some(Loss::Refused("longer values"))
        }
        ("bpchar", "bpchar" | "varchar") => {
            let most = match (to.modifiers.first(), new) {
                (Some(&most), _) => most,
                (None, "bpchar") => 1,
                (None, _) => return None,
            };
            (most < from.modifiers.first().copied().unwrap_or(1)).then_some(Loss::Refused("longer values"))
        }
        ("varbit" | "bit", "varbit") => {
            let most = *to.modifiers.first()?;
            from.modifiers
                .first()
                .is_none_or(|&before| most < before)
                .then_some(Loss::Refused("longer values"))
        }
        ("numeric", "numeric") => narrower_numeric(from, to),
        ("numeric" | "float4" | "float8", "int2" | "int4" | "int8") => {
            Some(Loss::Lost("the digits after the point, which are rounded away"))
        }
        ("numeric", "float4" | "float8") | ("float8", "float4") => {
            Some(Loss::Lost("digits beyond the precision of a floating-point number"))
        }
        ("int8", "float4" | "float8") | ("int4", "float4") => {
            Some(Loss::Lost("the last digits of large numbers"))
        }
        ("int2" | "int4" | "int8" | "float4" | "float8", "numeric") if !to.modifiers.is_empty() => {
            let scale = to.modifiers.get(1).copied().unwrap_or(0);
            if old.starts_with("float") {
                return Some(Loss::Lost("digits after the point, which are rounded away"));
            }
            let digits = match old {
                "int2" => 5,
                "int4" => 10,
                _ => 19,
            };
            let room = to.modifiers.first().copied().unwrap_or(0) - scale;
            (room < digits).then_some(Loss::Refused("numbers out of its range"))
        }
        ("timestamp" | "timestamptz", "date") => Some(Loss::Lost("the time of day")),
        ("timestamp" | "timestamptz", "time" | "timetz") => Some(Loss::Lost("the date")),
        ("timetz", "time") => Some(Loss::Lost("the time zone")),
        ("timestamp", "timestamp")
        | ("timestamptz", "timestamptz")
        | ("time", "time")
        | ("timetz", "timetz")
        | ("timestamptz", "timestamp")
        | ("timestamp", "timestamptz") => {
            let digits = |t: &TypeName| t.modifiers.first().copied().unwrap_or(6);
            (digits(to) < digits(from)).then_some(Loss::Lost("fractions of a second, which are rounded away"))
        }
        ("interval", "interval") => {
            let digits = |t: &TypeName| t.modifiers.first().copied().unwrap_or(6);
            (digits(to) < digits(from)).then_some(Loss::Lost("fractions of a second, which are rounded away"))
        }
        ("interval", "time") => Some(Loss::Lost("the days")),
        ("bit", "bit") => {
            let length = |t: &TypeName| t.modifiers.first().copied().unwrap_or(1);
            (length(to) != length(from)).then_some(Loss::Refused("values of another length"))
        }
        ("inet", "cidr") => Some(Loss::Lost("the bits right of the netmask")),
        _ => None,
    }
}

/// The type's name, where it is built in.
fn builtin(type_name: &TypeName) -> Option<&str> {
    type_name.name.schema.is_none().then_some(type_name.name.name.as_str())
}

fn integer_bits(name: &str) -> Option<u32> {
    match name {
        "int2" | "serial2" => Some(16),
        "int4" | "serial4" => Some(32),
        "int8" | "serial8" => Some(64),
        _ => None,
    }
}

fn narrower_numeric(from: &TypeName, to: &TypeName) -> Option<Loss> {
    // numeric without a precision holds everything.
    let &precision = to.modifiers.first()?;
    let scale = to.modifiers.get(1).copied().unwrap_or(0);
    let Some(&old_precision) = from.modifiers.first() else {
        return Some(Loss::Lost("digits after the point, which are rounded away"));
    };
    let old_scale = from.modifiers.get(1).copied().unwrap_or(0);
    if scale < old_scale {
        return Some(Loss::Lost("digits after the point, which are rounded away"));
    }
    (precision - scale < old_precision - old_scale).then_some(Loss::Refused("numbers out of its range"))
}

/// The new length, where the change is from text to shorter text.
fn limit(from: &TypeName, to: &TypeName) -> Option<i64> {
    let text = |t: &TypeName| matches!(builtin(t), Some("varchar" | "text" | "bpchar"));
    (text(from) && text(to)).then(|| to.modifiers.first().copied()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::statement::Name;

    fn typed(name: &str, modifiers: &[i64]) -> TypeName {
        TypeName { name: Name::made(None, name), modifiers: modifiers.to_vec(), ..TypeName::default() }
    }

    #[test]
    fn wider_is_not_narrower() {
        type Case<'a> = (&'a str, &'a [i64], &'a str, &'a [i64], bool);
        let cases: &[Case<'_>] = &[
            ("varchar", &[50], "varchar", &[100], false),
            ("varchar", &[100], "varchar", &[50], true),
            ("varchar", &[100], "varchar", &[], false),
            ("text", &[], "varchar", &[50], true),
            ("int4", &[], "int8", &[], false),
            ("int8", &[], "int4", &[], true),
            ("numeric", &[10, 2], "numeric", &[12, 2], false),
            ("numeric", &[10, 2], "numeric", &[12, 4], false),
            ("numeric", &[10, 2], "numeric", &[10, 4], true),
            ("numeric", &[10, 4], "numeric", &[12, 2], true),
            ("numeric", &[10, 4], "numeric", &[], false),
            ("int4", &[], "numeric", &[10], false),
            ("int4", &[], "numeric", &[10, 2], true),
            ("timestamptz", &[], "timestamptz", &[3], true),
            ("timestamptz", &[3], "timestamptz", &[], false),
            ("timestamp", &[], "timestamptz", &[], false),
            ("date", &[], "timestamptz", &[], false),
        ];
        for (from, old, to, new, lossy) in cases {
            let found = loss(&typed(from, old), &typed(to, new));
            assert_eq!(found.is_some(), *lossy, "{from}{old:?} to {to}{new:?}: {found:?}");
        }
    }
}
