//! `drop_partition`: DROP TABLE of a partition removes its part of the rows.

use crate::migration::statement::ObjectKind;

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "drop_partition", page: migration_page!("drop_partition"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    for (dropped, table, known) in cx.dropped(ObjectKind::Table) {
        let Some(known) = known else { continue };
        let Some(partition) = &known.partition_of else { continue };
        let rows = match known.size {
            Some(size) => format!("about {} rows", size.rows),
            None => "all its rows".to_owned(),
        };
        let parent = &partition.parent;
        let default = cx.before.default_partition(parent).is_some();
        // DETACH … CONCURRENTLY came with 14, and is refused where there is a default partition.
        let detach = if cx.options.version >= 14 && !default {
            format!("ALTER TABLE {parent} DETACH PARTITION {table} CONCURRENTLY;")
        } else {
            format!("ALTER TABLE {parent} DETACH PARTITION {table};")
        };
        sink.say(
            dropped.span,
            format!(
                "partition {table} of {parent} goes with {rows}: only a backup brings them back; {parent} is locked \
                 ACCESS EXCLUSIVE meanwhile"
            ),
        )
        .help(format!(
            "-- detach it (outside a transaction), archive it, and drop the table in a later change\n{detach}"
        ));
    }
}
