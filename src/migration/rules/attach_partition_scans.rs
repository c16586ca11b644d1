//! ATTACH PARTITION that reads the new partition or the default partition.

use crate::migration::catalog::QName;
use crate::migration::effects::{IndexBuildReason, ScanReason};
use crate::migration::statement::{
    ActionKind, Body, Expr, PartitionBound, PartitionBy, PartitionStrategy, quote_ident,
};

use super::{Check, Rule, Sink, StatementContext, plans};

pub static RULE: Rule = Rule {
    code: "attach_partition_scans",
    page: migration_page!("attach_partition_scans"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::AlterTable(alter) = &context.statement.body else { return };
    let parent = context.resolve(&alter.name);
    for action in &alter.actions {
        let ActionKind::AttachPartition { partition, bound } = &action.kind else { continue };
        let partition = context.resolve(partition);
        let mut read: Option<QName> = None;
        let mut default: Option<QName> = None;
        for scan in context.effects.scans.iter().filter(|scan| scan.span == action.span) {
            match scan.reason {
                ScanReason::PartitionBound { .. } if context.heavy(&scan.relation) => {
                    read.get_or_insert_with(|| scan.relation.clone());
                }
                ScanReason::DefaultPartition { .. } if context.heavy(&scan.relation) => {
                    default.get_or_insert_with(|| scan.relation.clone());
                }
                _ => {}
            }
        }
        // The parent's indexes that the partition lacks are built on it.
        let builds = context
            .effects
            .index_builds
            .iter()
            .filter(|build| {
                build.span == action.span
                    && build.reason == IndexBuildReason::Partition
                    && context.heavy(&build.relation)
            })
            .count();
        let which = match (&read, &default) {
            (None, None) if builds == 0 => continue,
            (None, None) => {
                format!("{partition} gets the indexes of {parent} that it lacks ({builds} to build)")
            }
            (Some(new), None) => format!("every row of {} is checked against its bounds", context.sized(new)),
            (None, Some(rest)) => {
                format!("the default partition {} is read for rows of the new one", context.sized(rest))
            }
            (Some(new), Some(rest)) => format!(
                "every row of {} is checked against its bounds, and the default partition {} is read for rows of the new one,",
                context.sized(new),
                context.sized(rest)
            ),
        };
        let condition = bound
            .as_ref()
            .zip(context.before.relation(&parent).and_then(|known| known.partition_by.as_ref()))
            .and_then(|(bound, by)| condition(context, by, bound))
            .unwrap_or_else(|| "…".to_owned());
        let mut help = Vec::new();
        if read.is_some() {
            help.push(proof(&partition, &plans::named(&partition, "partition", "check"), &condition));
        }
        if let Some(rest) = &default {
            let name = plans::named(rest, &format!("not_{}", partition.name), "check");
            help.push(proof(rest, &name, &format!("NOT ({condition})")));
        }
        if builds > 0 {
            help.push(format!(
                "-- build the indexes that {parent} has and {partition} hasn't beforehand, outside a transaction\n\
                 CREATE INDEX CONCURRENTLY … ON {partition} (…);"
            ));
        }
        help.push("-- then, with nothing left to do".to_owned());
        help.push(format!("ALTER TABLE {parent} {};", context.sql(action.span)));
        sink.say(
            action.span,
            format!("{which} under ACCESS EXCLUSIVE: queries on it wait until that is done"),
        )
        .help(help.join("\n"));
    }
}

fn proof(table: &QName, name: &str, condition: &str) -> String {
    format!(
        "ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID;\n\
         -- next migration\n\
         ALTER TABLE {table} VALIDATE CONSTRAINT {name};"
    )
}

/// The bound as a condition, for one plain key column.
fn condition(context: &StatementContext<'_>, by: &PartitionBy, bound: &PartitionBound) -> Option<String> {
    let [key] = by.keys.as_slice() else { return None };
    let key = quote_ident(key.bare_column.as_ref()?.as_str()).into_owned();
    let text = |expr: &Expr| context.sql(expr.span).to_owned();
    let word = |expr: &Expr, word: &str| context.sql(expr.span).eq_ignore_ascii_case(word);
    match (by.strategy, bound) {
        (PartitionStrategy::Range, PartitionBound::Range { from, to }) => {
            let ([from], [to]) = (from.as_slice(), to.as_slice()) else { return None };
            let mut parts = Vec::new();
            if !word(from, "minvalue") {
                parts.push(format!("{key} >= {}", text(from)));
            }
            if !word(to, "maxvalue") {
                parts.push(format!("{key} < {}", text(to)));
            }
            (!parts.is_empty()).then(|| parts.join(" AND "))
        }
        (PartitionStrategy::List, PartitionBound::In(values)) => {
            let values: Vec<String> = values.iter().map(text).collect();
            Some(format!("{key} IN ({})", values.join(", ")))
        }
        _ => None,
    }
}
