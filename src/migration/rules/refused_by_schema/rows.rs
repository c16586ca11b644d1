//! What can't be done to rows, whichever there are: TRUNCATE of a table that others refer to, values for a column that
//! PostgreSQL makes.

use rustc_hash::FxHashSet;

use crate::migration::catalog::{Born, QName, naming};
use crate::migration::statement::{Access, Change, Ident, Name, Truncate, quote_ident};

use super::{Refusal, StatementContext, sure};

/// The tables that can't be emptied so, whether or not there is a row that refers to one.
pub(super) fn truncated<'a>(cx: &StatementContext<'_>, truncate: &'a Truncate) -> Vec<(&'a Name, Refusal)> {
    let mut goes: FxHashSet<QName> = FxHashSet::default();
    for (name, only) in &truncate.tables {
        let name = cx.resolve(name);
        if !only {
            goes.extend(cx.before.descendants(&name));
        }
        goes.insert(name);
    }
    let refusal = |(name, only): &'a (Name, bool)| {
        let table = sure(cx, name)?;
        if *only && table.is_partitioned() {
            let why = format!("{} is partitioned, and has no rows of its own", table.name);
            return Some((name, Refusal::new(why, "cannot truncate only a partitioned table")));
        }
        let may_not_be = |born: Born| matches!(born, Born::Here { maybe_old: true, .. });
        if truncate.cascade {
            return None;
        }
        let (other, key) = cx.before.foreign_keys_to(&table.name).into_iter().find(|(other, key)| {
            key.enforced && !may_not_be(key.born) && !may_not_be(other.born) && !goes.contains(&other.name)
        })?;
        let why = format!("{} refers to {} by {}", other.name, table.name, quote_ident(&key.name));
        Some((name, Refusal::new(why, "cannot truncate a table referenced in a foreign key constraint")))
    };
    truncate.tables.iter().filter_map(refusal).collect()
}

/// A value that is written to a column whose values PostgreSQL makes.
pub(super) fn written<'a>(cx: &StatementContext<'_>, change: &'a Change) -> Option<(&'a Ident, Refusal)> {
    let words = match change.access {
        Access::Insert => "cannot insert a non-DEFAULT value into column",
        Access::Update => "column can only be updated to DEFAULT",
        _ => return None,
    };
    let table = sure(cx, &change.target)?;
    // Before 17 a partition has no identity of its parent's; a rule may do something else instead.
    if table.partition_of.is_some() || !table.inherits.is_empty() || !table.rules.is_empty() {
        return None;
    }
    let (column, made) = change.columns.iter().find_map(|column| {
        let known = table.column(naming::cut(column.as_str()))?;
        match (known.identity, &known.generated) {
            (Some(true), _) => Some((column, "GENERATED ALWAYS AS IDENTITY")),
            (_, Some(_)) => Some((column, "generated from other columns")),
            _ => None,
        }
    })?;
    // DEFAULT may be what is written; OVERRIDING SYSTEM VALUE allows any.
    let lower = cx.sql(change.span).to_ascii_lowercase();
    if lower.contains("default") || lower.contains("overriding") {
        return None;
    }
    let why = format!("{}.{} is {made}", table.name, quote_ident(column.as_str()));
    Some((column, Refusal::new(why, words)))
}
