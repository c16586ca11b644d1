//! `relation_missing`: a table, view, index or sequence that no migration has made.

use crate::migration::catalog::{PUBLIC, QName, is_platforms};
use crate::migration::statement::{
    ActionKind, Body, Constraint, ConstraintKind, Name, ObjectKind, Query, ReindexTarget, Statement,
};

use super::nearest::{lower, nearest as most_like};
use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "relation_missing",
    page: migration_page!("relation_missing"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    // What a block does may depend on conditions; what rollsafe doesn't know may be there.
    if cx.inner.is_some() || !cx.before.complete() {
        return;
    }
    // Where the table is there, the rest isn't looked at.
    if let Body::CreateTable(create) = &cx.statement.body
        && create.if_not_exists
        && cx.relation(&create.name).is_some()
    {
        return;
    }
    let mut wanted: Vec<(&Name, Wanted)> = Vec::new();
    wanted_by(cx.statement, &mut wanted);
    let mut said: Vec<QName> = Vec::new();
    for (name, kind) in wanted {
        let relation = cx.resolve(name);
        if exists(cx, &relation, kind) || said.contains(&relation) || made_by_itself(cx.statement, name) {
            continue;
        }
        let near = nearest(cx, &relation, kind);
        let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        sink.say(
            name.span(),
            format!("no migration makes {} {relation}, so this fails: it does not exist{hint}", kind.noun()),
        );
        said.push(relation);
    }
}

/// What a name must be the name of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// A table, view or sequence that a schema change names.
    Relation,
    Index,
    /// A relation that a query reads or writes: extensions and tools bring some that no migration makes.
    Queried,
}

impl Wanted {
    fn noun(self) -> &'static str {
        match self {
            Wanted::Relation | Wanted::Queried => "the relation",
            Wanted::Index => "the index",
        }
    }
}

fn exists(cx: &StatementContext<'_>, relation: &QName, kind: Wanted) -> bool {
    let is_there = |name: &QName| !cx.before.lacks(name);
    let schema = relation.schema.as_str();
    is_there(relation)
        || (kind == Wanted::Index && cx.before.unnamed().indexes)
        || relation.is_put_in()
        || (schema == PUBLIC && is_there(&QName::new("pg_temp", &relation.name)))
        || schema.starts_with("pg_")
        || schema == "information_schema"
        || relation.name.starts_with("pg_")
        || by_others(&relation.name)
        || (!cx.before.has_schema(schema) && (kind == Wanted::Queried || is_platforms(schema)))
}

/// Relations that no migration makes, since the migration tool or an extension does.
pub(super) fn by_others(name: &str) -> bool {
    matches!(
        name,
        "schema_migrations"
            | "ar_internal_metadata"
            | "flyway_schema_history"
            | "databasechangelog"
            | "databasechangeloglock"
            | "django_migrations"
            | "django_content_type"
            | "alembic_version"
            | "goose_db_version"
            | "gorp_migrations"
            | "_sqlx_migrations"
            | "__diesel_schema_migrations"
            | "refinery_schema_history"
            | "_prisma_migrations"
            | "__EFMigrationsHistory"
            | "knex_migrations"
            | "knex_migrations_lock"
            | "seaql_migrations"
            | "spatial_ref_sys"
            | "geometry_columns"
            | "geography_columns"
    )
}

fn wanted_by<'a>(statement: &'a Statement, wanted: &mut Vec<(&'a Name, Wanted)>) {
    use Wanted::{Index, Queried, Relation};
    let query = |query: &'a Query, wanted: &mut Vec<(&'a Name, Wanted)>| {
        wanted.extend(query.uses.iter().map(|used| (&used.name, Queried)));
    };
    match &statement.body {
        Body::CreateTable(create) => {
            wanted.extend(create.partition_of.iter().map(|of| (&of.parent, Relation)));
            wanted.extend(create.inherits.iter().map(|parent| (parent, Relation)));
            wanted.extend(create.like.iter().map(|like| (&like.source, Relation)));
            let columns = create.columns.iter().flat_map(|column| &column.constraints);
            wanted.extend(columns.chain(&create.constraints).filter_map(target));
        }
        Body::AlterTable(alter) => {
            if alter.if_exists || matches!(alter.kind, ObjectKind::Type) {
                return;
            }
            let kind = if alter.kind == ObjectKind::Index { Index } else { Relation };
            wanted.push((&alter.name, kind));
            for action in &alter.actions {
                match &action.kind {
                    ActionKind::AddConstraint(constraint) => wanted.extend(target(constraint)),
                    ActionKind::AddColumn { column, .. } => {
                        wanted.extend(column.constraints.iter().filter_map(target));
                    }
                    ActionKind::Inherit { parent } => wanted.push((parent, Relation)),
                    ActionKind::AttachPartition { partition, .. } => {
                        wanted.push((partition, kind));
                    }
                    ActionKind::DetachPartition { partition, .. } => wanted.push((partition, Relation)),
                    _ => {}
                }
            }
        }
        Body::CreateIndex(create) => wanted.push((&create.table, Relation)),
        Body::Drop(drop) if !drop.if_exists => {
            let kind = match drop.kind {
                ObjectKind::Index => Index,
                ObjectKind::Table
                | ObjectKind::View
                | ObjectKind::MaterializedView
                | ObjectKind::Sequence
                | ObjectKind::ForeignTable => Relation,
                _ => return,
            };
            wanted.extend(drop.names.iter().map(|dropped| (&dropped.name, kind)));
        }
        Body::Truncate(truncate) => wanted.extend(truncate.tables.iter().map(|(name, _)| (name, Relation))),
        Body::Lock(lock) => wanted.extend(lock.tables.iter().map(|(name, _)| (name, Relation))),
        Body::Cluster { table: Some(table), .. } => wanted.push((table, Relation)),
        Body::Vacuum(vacuum) => wanted.extend(vacuum.tables.iter().map(|name| (name, Relation))),
        Body::Analyze { tables, .. } => wanted.extend(tables.iter().map(|name| (name, Relation))),
        Body::Reindex(reindex) => match (reindex.target, &reindex.name) {
            (ReindexTarget::Index, Some(name)) => wanted.push((name, Index)),
            (ReindexTarget::Table, Some(name)) => wanted.push((name, Relation)),
            _ => {}
        },
        Body::RefreshMaterializedView { name, .. } => wanted.push((name, Relation)),
        Body::Copy(copy) => {
            wanted.extend(copy.table.iter().map(|name| (name, Queried)));
            if let Some(one) = &copy.query {
                query(one, wanted);
            }
        }
        Body::CreateTrigger(create) => wanted.push((&create.table, Relation)),
        Body::CreatePolicy { table, .. } | Body::CreateRule { table, .. } => wanted.push((table, Relation)),
        Body::CreateTableAs(create) => query(&create.query, wanted),
        Body::CreateView(create) => query(&create.query, wanted),
        Body::Query(one) => query(one, wanted),
        _ => {}
    }
}

fn target(constraint: &Constraint) -> Option<(&Name, Wanted)> {
    match &constraint.kind {
        ConstraintKind::ForeignKey(key) => Some((&key.target, Wanted::Relation)),
        _ => None,
    }
}

/// A table may refer to itself while it is made; a recursive view reads itself.
fn made_by_itself(statement: &Statement, name: &Name) -> bool {
    match &statement.body {
        Body::CreateTable(create) => create.name == *name,
        Body::CreateView(create) => create.name.name == name.name,
        _ => false,
    }
}

/// The known name that is most like a missing one.
fn nearest(cx: &StatementContext<'_>, missing: &QName, kind: Wanted) -> Option<String> {
    // There may be thousands of INSERTs; schema changes are few.
    if kind != Wanted::Relation {
        return None;
    }
    let known = cx.before.relations_unsorted();
    let known = known.map(|relation| (lower(&relation.name.name), &relation.name));
    most_like(&missing.name, known, 2).map(QName::to_string)
}
