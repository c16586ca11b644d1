//! `replace_function`: CREATE OR REPLACE FUNCTION changes what the running application calls.

use crate::migration::statement::Body;

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "replace_function",
    page: migration_page!("replace_function"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::CreateRoutine(new) = &cx.statement.body else { return };
    if !new.replace {
        return;
    }
    let name = cx.before.resolve_function(&new.name, &cx.session.search_path);
    let replaced = cx.before.functions(&name).iter().find(|known| known.takes(&new.arguments));
    let Some(replaced) = replaced else { return };
    if !cx.in_use_since(replaced.born) || !cx.lasts() {
        return;
    }
    sink.say(
        cx.statement.span,
        format!(
            "whatever calls {name} runs the new body from the commit on: the running version, triggers, views, indexes; \
             rolling back the application leaves it there"
        ),
    )
    .help("Where its results differ, make a function with another name for the next release to call.");
}
