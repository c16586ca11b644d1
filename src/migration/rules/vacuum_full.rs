//! VACUUM FULL.

use crate::migration::catalog::QName;
use crate::migration::statement::Body;

use super::{Check, Rule, Sink, StatementContext, joined};

pub static RULE: Rule =
    Rule { code: "vacuum_full", page: migration_page!("vacuum_full"), check: Check::Statement(check) };

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::Vacuum(vacuum) = &context.statement.body else { return };
    if !vacuum.full {
        return;
    }
    let tables: Vec<QName> =
        vacuum.tables.iter().map(|name| context.resolve(name)).filter(|table| context.heavy(table)).collect();
    if tables.is_empty() && !vacuum.tables.is_empty() {
        return;
    }
    let (what, plain) = if vacuum.tables.is_empty() {
        ("every table of the database, one after the other,".to_owned(), "VACUUM (ANALYZE);".to_owned())
    } else {
        let names: Vec<String> = tables.iter().map(|table| context.sized(table)).collect();
        let list: Vec<String> = tables.iter().map(ToString::to_string).collect();
        (joined(&names), format!("VACUUM (ANALYZE) {};", list.join(", ")))
    };
    sink.say(
        context.statement.span,
        format!("VACUUM FULL writes {what} and its indexes anew under ACCESS EXCLUSIVE: reads and writes wait until it is done"),
    )
    .help(format!(
        "{plain}\n-- frees the space for new rows and blocks nobody; to shrink the table while it is in use, take pg_repack"
    ));
}
