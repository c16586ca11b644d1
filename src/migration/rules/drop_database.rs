//! `drop_database`: DROP DATABASE removes a whole database.

use crate::migration::statement::{Body, ObjectKind, quote_ident};

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "drop_database", page: migration_page!("drop_database"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::Drop(drop) = &cx.statement.body else { return };
    if drop.kind != ObjectKind::Database || !cx.lasts() {
        return;
    }
    for dropped in &drop.names {
        let name = quote_ident(dropped.name.name.as_str());
        sink.say(
            dropped.span,
            format!("database {name} goes with all that is in it, at once and without a transaction"),
        )
        .help(format!(
            "-- close it first, and drop it by hand when nobody has asked for it in a while\n\
             ALTER DATABASE {name} ALLOW_CONNECTIONS false;"
        ));
    }
}
