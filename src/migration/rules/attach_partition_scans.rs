//! ATTACH PARTITION that reads the new partition or the default partition.

use compact_str::CompactString;

use crate::migration::catalog::{ConstraintDetail, QName, naming};
use crate::migration::effects::{IndexBuildReason, ScanReason};
use crate::migration::statement::{
    ActionKind, Body, Expr, Literal, PartitionBound, PartitionStrategy, quote_ident,
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
        for scan in context.scans_at(action.span) {
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
        let condition = bound.as_ref().and_then(|bound| condition(context, &parent, bound));
        let condition = condition.unwrap_or_else(|| "…".to_owned());
        let mut help = Vec::new();
        if read.is_some() {
            let name = plans::named(context.before, &partition, "partition", "check");
            help.push(proof(&partition, &name, &condition));
        }
        if let Some(rest) = &default {
            help.push(proof_of_absence(context, rest, &partition, &condition));
        }
        if builds > 0 {
            help.push(format!(
                "-- build the indexes that {parent} has and {partition} hasn't beforehand, outside a transaction\n{}",
                missing_indexes(context, &parent, &partition)
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

/// The CHECK on a default partition that has none of the new partition's rows.
pub(super) fn proof_of_absence(
    context: &StatementContext<'_>,
    rest: &QName,
    partition: &QName,
    condition: &str,
) -> String {
    let name = plans::named(context.before, rest, &format!("not_{}", partition.name), "check");
    proof(rest, &name, &format!("NOT ({condition})"))
}

/// The parent's indexes, built on a partition without blocking it. A constraint's index is none of them by itself: the
/// partition needs the constraint.
fn missing_indexes(context: &StatementContext<'_>, parent: &QName, partition: &QName) -> String {
    let catalog = context.before;
    let (Some(known), Some(new)) = (catalog.relation(parent), catalog.relation(partition)) else {
        return format!("CREATE INDEX CONCURRENTLY … ON {partition} (…);");
    };
    let mut used: Vec<CompactString> = Vec::new();
    let mut steps = Vec::new();
    for index in &known.indexes {
        let owner = index.constraint.as_ref().and_then(|owner| known.constraint(owner));
        let primary = owner.is_some_and(|owner| matches!(owner.detail, ConstraintDetail::PrimaryKey { .. }));
        let there = new.indexes.iter().any(|own| {
            own.keys == index.keys
                && own.predicate == index.predicate
                && own.method == index.method
                && own.unique == index.unique
                && own.constraint.is_some() == owner.is_some()
        });
        if there || new.is_partitioned() {
            continue;
        }
        let columns: Vec<&str> = index
            .keys
            .iter()
            .map(|key| key.column.as_ref().map_or("expr", |column| column.as_str()))
            .collect();
        let (columns, label) = match (primary, owner) {
            (true, _) => (String::new(), "pkey"),
            (_, Some(_)) => (columns.join("_"), "key"),
            (_, None) => (columns.join("_"), "idx"),
        };
        let name = naming::choose(&partition.name, &columns, label, |candidate| {
            !catalog.is_free(partition, candidate) || used.iter().any(|known| known == candidate)
        });
        used.push(name.clone());
        let name = quote_ident(&name);
        let unique = if index.unique { "UNIQUE " } else { "" };
        let tail = plans::index_tail(index, str::to_owned);
        steps.push(format!("CREATE {unique}INDEX CONCURRENTLY {name} ON {partition} {tail};"));
        if owner.is_some() {
            let kind = if primary { "PRIMARY KEY" } else { "UNIQUE" };
            steps.push(format!("ALTER TABLE {partition} ADD CONSTRAINT {name} {kind} USING INDEX {name};"));
        }
    }
    if steps.is_empty() {
        return format!("CREATE INDEX CONCURRENTLY … ON {partition} (…);");
    }
    steps.join("\n")
}

/// The bound of a partition of `parent` as a condition, for one plain key column.
pub(super) fn condition(
    context: &StatementContext<'_>,
    parent: &QName,
    bound: &PartitionBound,
) -> Option<String> {
    let known = context.before.relation(parent)?;
    let by = known.partition_by.as_ref()?;
    let [key] = by.keys.as_slice() else { return None };
    // One that is cast is an expression.
    let column = key.bare_column.as_ref().filter(|_| key.cast.is_none())?.as_str();
    // A comparison says nothing of NULL: a CHECK lets it pass.
    let nullable = known.column(column).is_none_or(|column| !column.not_null);
    let key = quote_ident(column).into_owned();
    let text = |expr: &Expr| context.sql(expr.span).to_owned();
    let word = |expr: &Expr, word: &str| context.sql(expr.span).eq_ignore_ascii_case(word);
    if !context.verbatim() {
        return None;
    }
    let mut parts = Vec::new();
    if nullable {
        parts.push(format!("{key} IS NOT NULL"));
    }
    match (by.strategy, bound) {
        (PartitionStrategy::Range, PartitionBound::Range { from, to }) => {
            let ([from], [to]) = (from.as_slice(), to.as_slice()) else { return None };
            if !word(from, "minvalue") {
                parts.push(format!("{key} >= {}", text(from)));
            }
            if !word(to, "maxvalue") {
                parts.push(format!("{key} < {}", text(to)));
            }
        }
        (PartitionStrategy::List, PartitionBound::In(values)) => {
            let listed: Vec<String> =
                values.iter().filter(|value| value.literal != Some(Literal::Null)).map(text).collect();
            let of_list = format!("{key} IN ({})", listed.join(", "));
            return Some(match (listed.is_empty(), listed.len() < values.len()) {
                (true, _) => format!("{key} IS NULL"),
                (false, true) => format!("{key} IS NULL OR {of_list}"),
                (false, false) => {
                    parts.push(of_list);
                    parts.join(" AND ")
                }
            });
        }
        _ => return None,
    }
    (!parts.is_empty()).then(|| parts.join(" AND "))
}
