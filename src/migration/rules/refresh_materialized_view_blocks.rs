//! REFRESH MATERIALIZED VIEW without CONCURRENTLY.

use crate::finding::Edit;
use crate::migration::statement::Body;

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "refresh_materialized_view_blocks",
    page: migration_page!("refresh_materialized_view_blocks"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::RefreshMaterializedView { name, concurrently, with_no_data } = &context.statement.body else {
        return;
    };
    let view = context.resolve(name);
    if *concurrently || !context.heavy(&view) {
        return;
    }
    if *with_no_data {
        sink.say(
            context.statement.span,
            format!("REFRESH … WITH NO DATA empties {view} under ACCESS EXCLUSIVE; every SELECT on it fails until it is filled again"),
        )
        .help(format!("REFRESH MATERIALIZED VIEW CONCURRENTLY {view};"));
        return;
    }
    let unique = context.before.relation(&view).is_some_and(|known| {
        known.indexes.iter().any(|index| {
            index.unique && index.valid && index.predicate.is_none() && index.plain_columns().is_some()
        })
    });
    let first = if unique {
        String::new()
    } else {
        format!(
            "-- it needs a unique index on plain columns:\nCREATE UNIQUE INDEX CONCURRENTLY … ON {view} (…);\n"
        )
    };
    let said = sink.say(
        context.statement.span,
        format!(
            "REFRESH holds ACCESS EXCLUSIVE on {} while its query runs: every SELECT on it waits that long",
            context.sized(&view)
        ),
    );
    said.help(format!("{first}REFRESH MATERIALIZED VIEW CONCURRENTLY {view};"));
    if !unique {
        said.unfixed("CONCURRENTLY needs a unique index on plain columns of the view, and none is known");
    } else if context.verbatim() {
        // It runs in a transaction too; a view that was never filled refuses it, which the catalog can't tell.
        let at = name.span().start;
        let edit = Edit { start: at, end: at, text: "CONCURRENTLY ".to_owned() };
        said.unsafe_fix("refresh CONCURRENTLY", vec![edit]);
    }
}
