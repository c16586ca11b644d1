//! `create_table_as_copies`: CREATE TABLE AS copies rows, and no constraint, index or default.

use crate::migration::catalog::QName;
use crate::migration::statement::{Body, Persistence};

use super::{Check, Rule, Sink, StatementContext, joined};

/// The rule.
pub static RULE: Rule = Rule {
    code: "create_table_as_copies",
    page: migration_page!("create_table_as_copies"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::CreateTableAs(create) = &cx.statement.body else { return };
    if create.materialized_view || create.persistence == Persistence::Temporary || cx.run.down {
        return;
    }
    let mut sources: Vec<QName> = Vec::new();
    for used in &create.query.uses {
        let relation = cx.resolve(&used.name);
        let catalog = relation.schema.starts_with("pg_")
            || relation.schema == "information_schema"
            || relation.name.starts_with("pg_");
        if !catalog && cx.may_be_used(&relation) && !sources.contains(&relation) {
            sources.push(relation);
        }
    }
    let Some(first) = sources.first() else { return };
    let help = if sources.len() == 1 {
        format!(
            "CREATE TABLE {} (LIKE {first} INCLUDING ALL);\n-- then INSERT INTO {} SELECT … in batches",
            create.name, create.name
        )
    } else {
        "Make the table with its keys and constraints first, then INSERT … SELECT in batches.".to_owned()
    };
    sink.say(
        create.name.span(),
        format!(
            "{} gets the columns of {} and no primary key, NOT NULL, default, index or privilege of it",
            create.name,
            joined(&sources)
        ),
    )
    .help(help);
}
