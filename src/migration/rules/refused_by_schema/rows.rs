//! TRUNCATE of a table whose rows others refer to, or that has none of its own.

use rustc_hash::FxHashSet;

use crate::migration::catalog::{Born, QName};
use crate::migration::statement::{Name, Truncate, quote_ident};

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
