//! `mixed_case_identifier`: a name that needs double quotes everywhere.

use super::written::names;

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "mixed_case_identifier",
    page: migration_page!("mixed_case_identifier"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let mixed: Vec<_> = names(cx.statement)
        .into_iter()
        .filter(|given| given.ident.quoted && given.ident.as_str().chars().any(char::is_uppercase))
        .collect();
    let Some(first) = mixed.first() else { return };
    // One finding for a statement: where one name is so, all of them are.
    let more = match mixed.len() {
        1 => String::new(),
        n => format!(", and {} more here", n - 1),
    };
    sink.say(
        first.ident.span,
        format!(
            "the {} {} must be written in double quotes, with these capitals, wherever it is used{more}",
            first.noun,
            crate::migration::statement::quote_ident(first.ident.as_str())
        ),
    );
}
