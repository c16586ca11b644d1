//! `drop_table`: DROP TABLE removes a table with all its rows.

use crate::migration::statement::ObjectKind;

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "drop_table", page: migration_page!("drop_table"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    for (dropped, table, known) in cx.dropped(ObjectKind::Table) {
        if known.is_some_and(|table| table.partition_of.is_some()) {
            continue; // drop_partition
        }
        let rows = match known.and_then(|table| table.size) {
            Some(size) => format!("about {} rows", size.rows),
            None => "all its rows".to_owned(),
        };
        sink.say(
            dropped.span,
            format!(
                "{table} goes with {rows}: only a backup brings them back, and every query that names it fails"
            ),
        )
        .help(format!(
            "-- deploy code that doesn't use {table} first, and see that nothing else does: these numbers stand still\n\
             SELECT seq_scan, idx_scan, n_tup_ins, n_tup_upd FROM pg_stat_user_tables WHERE relid = '{}'::regclass;\n\
             -- then, with a backup that is known to restore, in a release of its own:\n\
             -- rollsafe: ignore drop_table -- why nothing needs it any more\n\
             DROP TABLE {table};",
            table.to_string().replace('\'', "''")
        ));
    }
}
