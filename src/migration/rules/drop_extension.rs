//! `drop_extension`: DROP EXTENSION removes an extension's functions, types and tables.

use crate::migration::statement::{Body, ObjectKind, quote_ident};

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "drop_extension", page: migration_page!("drop_extension"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::Drop(drop) = &cx.statement.body else { return };
    if drop.kind != ObjectKind::Extension || !cx.lasts() {
        return;
    }
    for dropped in &drop.names {
        let extension = dropped.name.name.as_str();
        if cx.before.complete() && !cx.before.has_extension(extension) {
            continue;
        }
        let shown = quote_ident(extension);
        let more = if drop.cascade {
            ", and CASCADE takes the columns of its types with their data, and its indexes and defaults"
        } else {
            ""
        };
        sink.say(
            dropped.span,
            format!(
                "the functions, operators, types and tables of {shown} go: queries that use them fail{more}"
            ),
        )
        .help(format!(
            "-- see what would go, in psql: \\dx+ {shown}\n\
             -- take the uses away in an earlier release; then, so that PostgreSQL refuses what was forgotten:\n\
             DROP EXTENSION {shown} RESTRICT;"
        ));
    }
}
