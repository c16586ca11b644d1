//! `schema_not_named`: a name without its schema.

use crate::migration::fix::place;
use crate::migration::statement::{Body, Name, ObjectKind, Persistence, Statement};

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "schema_not_named",
    page: migration_page!("schema_not_named"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    if cx.session.setting("search_path").is_some() {
        return;
    }
    for name in targets(cx.statement) {
        let temporary = crate::migration::catalog::QName::new("pg_temp", name.name.as_str());
        if name.schema.is_some() || cx.before.relation(&temporary).is_some() {
            continue;
        }
        let said = sink.say(
            name.span(),
            format!("which schema {name} is in depends on the search_path of whoever runs this"),
        );
        said.help(format!("public.{name}"));
        let at = name.span();
        if cx.verbatim()
            && !at.is_empty()
            && cx.sql(at).starts_with(|c: char| c == '"' || c == '_' || c.is_alphabetic())
        {
            said.unsafe_fix(
                "name the schema public",
                vec![place::insertion(at.start as usize, "public.".to_owned())],
            );
        }
    }
}

/// The names that may carry a schema, of what the statement makes, changes or drops.
fn targets(statement: &Statement) -> Vec<&Name> {
    match &statement.body {
        Body::CreateTable(create) if create.persistence != Persistence::Temporary => vec![&create.name],
        Body::CreateTableAs(create) if create.persistence != Persistence::Temporary => vec![&create.name],
        Body::CreateIndex(create) => vec![&create.table],
        Body::CreateView(create) if !create.temporary => vec![&create.name],
        Body::CreateSequence { name, temporary: false, .. } => vec![name],
        Body::CreateType { name, .. } => vec![name],
        Body::CreateDomain(create) => vec![&create.name],
        Body::CreateRoutine(create) => vec![&create.name],
        Body::CreateTrigger(create) => vec![&create.table],
        Body::CreatePolicy { table, .. } | Body::CreateRule { table, .. } => vec![table],
        Body::AlterTable(alter) => vec![&alter.name],
        Body::AlterType(alter) => vec![&alter.name],
        Body::AlterDomain { name, .. } | Body::AlterSequence { name, .. } => vec![name],
        Body::Truncate(truncate) => truncate.tables.iter().map(|(name, _)| name).collect(),
        Body::Drop(drop)
            if matches!(
                drop.kind,
                ObjectKind::Table
                    | ObjectKind::View
                    | ObjectKind::MaterializedView
                    | ObjectKind::Sequence
                    | ObjectKind::ForeignTable
                    | ObjectKind::Index
                    | ObjectKind::Type
                    | ObjectKind::Domain
                    | ObjectKind::Function
                    | ObjectKind::Procedure
            ) =>
        {
            drop.names.iter().map(|dropped| &dropped.name).collect()
        }
        _ => Vec::new(),
    }
}
