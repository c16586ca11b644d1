//! `set_local_without_transaction`: SET LOCAL outside a transaction has no effect.

use crate::migration::statement::{Body, SetScope};

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "set_local_without_transaction",
    page: migration_page!("set_local_without_transaction"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::Set(set) = &cx.statement.body else { return };
    if set.scope != SetScope::Local || set.transaction || cx.in_transaction() != Some(false) {
        return;
    }
    let name = set.name.as_deref().unwrap_or("the setting");
    let help = match (&set.name, &set.value) {
        (Some(name), Some(value)) => {
            let value = value.replace('\'', "''");
            format!("SET {name} = '{value}';")
        }
        _ => "Write SET without LOCAL, or put it between BEGIN and COMMIT.".to_owned(),
    };
    sink.say(
        cx.statement.span,
        format!("SET LOCAL lasts until the transaction ends, and none is open here: {name} stays as it was"),
    )
    .help(help);
}
