//! CREATE INDEX without CONCURRENTLY on a table in use.

use crate::migration::catalog::{QName, RelationKind};
use crate::migration::statement::Body;

use super::outside::Becomes;
use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "create_index_blocks_writes",
    page: migration_page!("create_index_blocks_writes"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::CreateIndex(create) = &context.statement.body else { return };
    let table = context.resolve(&create.table);
    if create.concurrently || !context.heavy(&table) {
        return;
    }
    // Partitioned tables have a rule of their own; a materialized view is written to by REFRESH alone.
    let kind = context.before.relation(&table).map(|known| known.kind);
    if matches!(kind, Some(RelationKind::PartitionedTable | RelationKind::MaterializedView)) {
        return;
    }
    let there = create
        .name
        .as_ref()
        .is_some_and(|name| context.before.index(&QName::new(&table.schema, name.as_str())).is_some());
    if create.if_not_exists && there {
        return;
    }
    let said = sink.say(
        context.statement.span,
        format!(
            "CREATE INDEX holds a SHARE lock on {} until the index is built: INSERT, UPDATE and DELETE wait that long",
            context.sized(&table)
        ),
    );
    let note = context.outside_note();
    said.help(match context.with_words(create.index_word, " CONCURRENTLY") {
        Some(statement) => format!("{note}{statement}"),
        None => format!("Build it CONCURRENTLY, as a statement of its own outside a transaction:\nCREATE INDEX CONCURRENTLY … ON {table} (…);"),
    });
    let edits = context.insertion(create.index_word, " CONCURRENTLY");
    context.mend_outside(said, "build the index CONCURRENTLY", edits, Becomes::Concurrent);
}
