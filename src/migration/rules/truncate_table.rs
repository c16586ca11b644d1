//! `truncate_table`: TRUNCATE deletes every row of a table.

use rustc_hash::FxHashSet;

use crate::migration::catalog::{Catalog, QName};
use crate::migration::statement::Body;

use super::{Check, Rule, Sink, StatementContext, joined, plans};

pub static RULE: Rule =
    Rule { code: "truncate_table", page: migration_page!("truncate_table"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::Truncate(truncate) = &cx.statement.body else { return };
    if !cx.lasts() {
        return;
    }
    for (name, _) in &truncate.tables {
        let table = cx.resolve(name);
        if !cx.may_be_used(&table) {
            continue;
        }
        let reached = if truncate.cascade { referencing(cx.before, &table) } else { Vec::new() };
        let cascade = match (truncate.cascade, reached.is_empty()) {
            (false, _) => String::new(),
            (true, true) if cx.before.would_hold(&table) => String::new(),
            (true, true) => ", and CASCADE those of every table that references it".to_owned(),
            (true, false) => {
                format!(", and through CASCADE those of {}, which reference it", joined(&reached))
            }
        };
        sink.say(name.span(), format!("every row of {table} goes{cascade}: only a backup brings them back"))
            .help(format!(
                "-- delete what is meant to go, in batches; put its condition in place of …\n{}",
                plans::delete_in_batches(plans::Rows::of(cx.before, &table), "…")
            ));
    }
}

/// Tables that reference `table` by a foreign key, and those that reference them.
fn referencing(catalog: &Catalog, table: &QName) -> Vec<QName> {
    let mut found: Vec<QName> = Vec::new();
    let mut known: FxHashSet<&QName> = FxHashSet::default();
    let mut open = vec![table.clone()];
    while let Some(next) = open.pop() {
        for (other, _) in catalog.foreign_keys_to(&next) {
            if other.name != *table && known.insert(&other.name) {
                found.push(other.name.clone());
                open.push(other.name.clone());
            }
        }
    }
    found
}
