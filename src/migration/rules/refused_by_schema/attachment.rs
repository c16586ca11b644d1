//! What becomes whose partition or child, and what can't.

use crate::migration::catalog::Relation;
use crate::migration::statement::{
    ActionKind, CreateTable, Name, PartitionBound, PartitionStrategy, quote_ident,
};

use super::{On, Refusal, StatementContext, keys, sure};

/// Whether the action makes or ends a kinship that can't be.
pub(super) fn refusal(on: On<'_>) -> Option<Refusal> {
    let table = on.table;
    match &on.action.kind {
        ActionKind::AttachPartition { partition, bound } => attach(on, partition, bound.as_ref()),
        ActionKind::DetachPartition { partition, .. } => {
            let part = sure(on.cx, partition)?;
            let is_part = part.partition_of.as_ref().is_some_and(|of| of.parent == table.name);
            (!is_part).then(|| {
                let why = format!("{} isn't a partition of {}", part.name, table.name);
                Refusal::new(why, "relation is not a partition of relation")
            })
        }
        ActionKind::Inherit { .. } | ActionKind::NoInherit { .. } if table.partition_of.is_some() => {
            Refusal::some(
                format!("{} is a partition", table.name),
                "cannot change inheritance of a partition",
            )
        }
        ActionKind::Inherit { parent } => {
            let above = sure(on.cx, parent)?;
            if above.name == table.name || on.cx.before.descendants(&table.name).contains(&above.name) {
                return Refusal::some(
                    format!("{} is a child of {} itself", above.name, table.name),
                    "circular inheritance not allowed",
                );
            }
            let unmade = on.beside(|other| matches!(other, ActionKind::NoInherit { .. }));
            if table.inherits.contains(&above.name) && !unmade {
                return Refusal::some(
                    format!("{} inherits from {} already", table.name, above.name),
                    "relation would be inherited from more than once",
                );
            }
            if table.is_partitioned() {
                return Refusal::some(
                    format!("{} is partitioned", table.name),
                    "cannot change inheritance of partitioned table",
                );
            }
            no_parent(above)
        }
        ActionKind::NoInherit { parent } => {
            let above = sure(on.cx, parent)?;
            let made = on.beside(|other| matches!(other, ActionKind::Inherit { .. }));
            (!table.inherits.contains(&above.name) && !made).then(|| {
                let why = format!("{} doesn't inherit from {}", table.name, above.name);
                Refusal::new(why, "relation is not a parent of relation")
            })
        }
        ActionKind::NotOfType if table.of_type.is_none() => {
            let made = on.beside(|other| matches!(other, ActionKind::OfType { .. }));
            (!made).then(|| Refusal::new(format!("{} is OF no type", table.name), "is not a typed table"))
        }
        _ => None,
    }
}

/// Whether a new table can't be a partition, or a child, of what it says.
pub(super) fn created(cx: &StatementContext<'_>, create: &CreateTable) -> Option<Refusal> {
    if let Some(of) = &create.partition_of {
        let parent = sure(cx, &of.parent)?;
        return not_partitioned(parent)
            .or_else(|| bound_of(cx, parent, &of.bound))
            .or_else(|| keys::of_parent(parent, create));
    }
    create.inherits.iter().filter_map(|parent| sure(cx, parent)).find_map(no_parent)
}

/// Nothing inherits from a partition, or from a partitioned table.
fn no_parent(parent: &Relation) -> Option<Refusal> {
    if parent.is_partitioned() {
        let why = format!("{} is partitioned", parent.name);
        return Refusal::some(why, "cannot inherit from partitioned table");
    }
    parent.partition_of.as_ref().map(|of| {
        let why = format!("{} is a partition of {}", parent.name, of.parent);
        Refusal::new(why, "cannot inherit from partition")
    })
}

fn not_partitioned(parent: &Relation) -> Option<Refusal> {
    (!parent.is_partitioned())
        .then(|| Refusal::new(format!("{} has no PARTITION BY", parent.name), "is not partitioned"))
}

fn attach(on: On<'_>, partition: &Name, bound: Option<&PartitionBound>) -> Option<Refusal> {
    let parent = on.table;
    let part = sure(on.cx, partition)?;
    if let Some(refusal) = not_partitioned(parent) {
        return Some(refusal);
    }
    if let Some(of) = &part.partition_of {
        return Refusal::some(
            format!("{} is a partition of {}", part.name, of.parent),
            "is already a partition",
        );
    }
    if part.of_type.is_some() {
        return Refusal::some(
            format!("{} is a typed table", part.name),
            "cannot attach a typed table as partition",
        );
    }
    if let Some(above) = part.inherits.first() {
        return Refusal::some(
            format!("{} inherits from {above}", part.name),
            "cannot attach inheritance child as partition",
        );
    }
    if !part.is_partitioned() && on.cx.before.has_children(&part.name) {
        return Refusal::some(
            format!("{} has children", part.name),
            "cannot attach inheritance parent as partition",
        );
    }
    if let Some(more) = part.columns.iter().find(|column| parent.column(&column.name).is_none()) {
        return Refusal::some(
            format!("{} has {}, which {} hasn't", part.name, quote_ident(&more.name), parent.name),
            "table contains column not found in parent",
        );
    }
    if let Some(less) = parent.columns.iter().find(|column| part.column(&column.name).is_none()) {
        return Refusal::some(
            format!("{} has no {}, which {} has", part.name, quote_ident(&less.name), parent.name),
            "child table is missing column",
        );
    }
    bound_of(on.cx, parent, bound?)
}

/// Whether a bound is none for how the table is partitioned.
fn bound_of(cx: &StatementContext<'_>, parent: &Relation, bound: &PartitionBound) -> Option<Refusal> {
    let by = parent.partition_by.as_ref()?;
    let (strategy, words) = match by.strategy {
        PartitionStrategy::List => ("LIST", "invalid bound specification for a list partition"),
        PartitionStrategy::Range => ("RANGE", "invalid bound specification for a range partition"),
        PartitionStrategy::Hash => ("HASH", "invalid bound specification for a hash partition"),
    };
    let is_so = || format!("{} is partitioned by {strategy}", parent.name);
    let fits = match (bound, by.strategy) {
        (PartitionBound::Default, PartitionStrategy::Hash) => {
            return Refusal::some(is_so(), "a hash-partitioned table may not have a default partition");
        }
        (PartitionBound::Default, _) => {
            let other = cx.before.default_partition(&parent.name)?;
            return Refusal::some(
                format!("{other} is the default partition of {} already", parent.name),
                "partition conflicts with existing default partition",
            );
        }
        (PartitionBound::In(_), strategy) => strategy == PartitionStrategy::List,
        (PartitionBound::Range { .. }, strategy) => strategy == PartitionStrategy::Range,
        (PartitionBound::Hash { .. }, strategy) => strategy == PartitionStrategy::Hash,
    };
    if !fits {
        return Refusal::some(is_so(), words);
    }
    let PartitionBound::Range { from, to } = bound else { return None };
    let many = by.keys.len();
    let noun = if many == 1 { "column" } else { "columns" };
    let why = format!("{} is partitioned by {many} {noun}", parent.name);
    if from.len() != many {
        Refusal::some(why, "FROM must specify exactly one value per partitioning column")
    } else if to.len() != many {
        Refusal::some(why, "TO must specify exactly one value per partitioning column")
    } else {
        None
    }
}
