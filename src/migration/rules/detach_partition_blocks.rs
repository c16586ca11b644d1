//! DETACH PARTITION without CONCURRENTLY, where PostgreSQL has it.

use crate::finding::Applicability;
use crate::migration::statement::ActionKind;

use super::outside::Becomes;
use super::{Check, Mend, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "detach_partition_blocks",
    page: migration_page!("detach_partition_blocks"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let crate::migration::statement::Body::AlterTable(alter) = &context.statement.body else { return };
    let parent = context.resolve(&alter.name);
    if context.options.version < 14 || !context.may_be_used(&parent) {
        return;
    }
    // "cannot detach partitions concurrently when a default partition exists" (measured on 15, 17 and 18).
    if context.before.default_partition(&parent).is_some() {
        return;
    }
    for action in &alter.actions {
        let ActionKind::DetachPartition { partition, concurrently: false, finalize: false } = &action.kind
        else {
            continue;
        };
        let partition = context.resolve(partition);
        if !context.may_be_used(&partition) {
            continue;
        }
        let said = sink.say(
            action.span,
            format!(
                "DETACH PARTITION takes ACCESS EXCLUSIVE on {parent} and {partition}: it waits for every query on {parent}, and all later ones, \
                 reads too, wait behind it"
            ),
        );
        said.help(format!(
            "{}ALTER TABLE {parent} DETACH PARTITION {partition} CONCURRENTLY;",
            context.outside_note()
        ));
        let edits = context.insertion(action.span, " CONCURRENTLY");
        context.mend_outside(said, "detach the partition CONCURRENTLY", edits, Becomes::Concurrent);
        if let Some(Mend::Fix(fix)) = &mut said.fix {
            // Manual, ALTER TABLE: "a CHECK constraint that duplicates the partition constraint is added to the partition".
            fix.applicability = Applicability::Unsafe;
            fix.note.get_or_insert_with(|| {
                "PostgreSQL gives the detached table a CHECK with the partition's bounds".to_owned()
            });
        }
    }
}
