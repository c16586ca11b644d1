//! `identifier_truncated`: a name longer than 63 bytes, which PostgreSQL cuts.

use crate::migration::catalog::naming::{MAX_IDENTIFIER, cut};

use super::written::names;
use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "identifier_truncated",
    page: migration_page!("identifier_truncated"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    for given in names(cx.statement) {
        let name = given.ident.as_str();
        if name.len() <= MAX_IDENTIFIER {
            continue;
        }
        sink.say(
            given.ident.span,
            format!(
                "PostgreSQL keeps {MAX_IDENTIFIER} bytes of a name, and this one has {}: the {} will be called {}",
                name.len(),
                given.noun,
                cut(name)
            ),
        );
    }
}
