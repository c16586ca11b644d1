//! `unlogged_table`: an UNLOGGED table, empty after a crash and on every standby.

use crate::migration::statement::{Body, Persistence};

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule =
    Rule { code: "unlogged_table", page: migration_page!("unlogged_table"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let (name, persistence) = match &cx.statement.body {
        Body::CreateTable(create) => (&create.name, create.persistence),
        Body::CreateTableAs(create) => (&create.name, create.persistence),
        _ => return,
    };
    if persistence == Persistence::Unlogged {
        sink.say(
            name.span(),
            format!("{name} is UNLOGGED: after a crash or a failover it is empty, and a standby never has its rows"),
        )
        .help("Leave out UNLOGGED, unless it can be filled again from elsewhere.");
    }
}
