//! `inheritance_changed`: INHERIT and NO INHERIT make rows appear in, or vanish from, queries on the parent.

use crate::migration::statement::ActionKind;

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "inheritance_changed",
    page: migration_page!("inheritance_changed"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some((alter, child, _)) = cx.altered() else { return };
    for action in &alter.actions {
        let (parent, change) = match &action.kind {
            ActionKind::Inherit { parent } => (parent, "turn up in"),
            ActionKind::NoInherit { parent } => (parent, "vanish from"),
            _ => continue,
        };
        let parent = cx.resolve(parent);
        sink.say(
            action.span,
            format!("the rows of {child} {change} every query on {parent} from the commit on, and no query fails"),
        )
        .help(format!("See that what reads, changes or deletes from {parent} is meant for them; ONLY {parent} leaves children out."));
    }
}
