//! `table_without_primary_key`: a table without a primary key.

use crate::migration::catalog::RelationKind;
use crate::migration::statement::{Body, Persistence};

use super::{Check, MigrationContext, Rule, Sink};

/// The rule.
pub static RULE: Rule = Rule {
    code: "table_without_primary_key",
    page: migration_page!("table_without_primary_key"),
    check: Check::Migration(check),
};

fn check(cx: &MigrationContext<'_>, sink: &mut Sink) {
    for statement in cx.statements {
        let Body::CreateTable(create) = &statement.body else { continue };
        if create.persistence == Persistence::Temporary || create.foreign || create.partition_of.is_some() {
            continue;
        }
        let name = cx.after.resolve(&create.name, &cx.session.search_path);
        // Gone again, or not what was meant by the name.
        let Some(table) = cx.after.relation(&name) else { continue };
        if matches!(table.kind, RelationKind::Table | RelationKind::PartitionedTable)
            && table.primary_key().is_none()
            && cx.born_here(table.born)
        {
            sink.say(
                create.name.span(),
                format!("{name} has no primary key: its rows can't be told apart, nor changed through logical replication"),
            )
            .help("id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY");
        }
    }
}
