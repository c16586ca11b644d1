//! CLUSTER of a table in use.

use crate::migration::statement::Body;

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "cluster_table", page: migration_page!("cluster_table"), check: Check::Statement(check) };

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::Cluster { table, .. } = &context.statement.body else { return };
    let what = match table {
        Some(name) => {
            let table = context.resolve(name);
            if !context.heavy(&table) {
                return;
            }
            context.sized(&table)
        }
        None => "every table that was clustered before, one after the other,".to_owned(),
    };
    sink.say(
        context.statement.span,
        format!("CLUSTER writes {what} and its indexes anew under ACCESS EXCLUSIVE: reads and writes wait until it is done"),
    )
    .help(
        "Reorder it while it is in use with pg_repack, or give the query an index that covers it:\n\
         CREATE INDEX CONCURRENTLY … ON … (…) INCLUDE (…);",
    );
}
