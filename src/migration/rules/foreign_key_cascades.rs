//! `foreign_key_cascades`: a foreign key that deletes or empties rows by itself.

use crate::migration::statement::ConstraintKind;

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "foreign_key_cascades",
    page: migration_page!("foreign_key_cascades"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    for constraint in cx.statement.body.added_constraints() {
        let ConstraintKind::ForeignKey(key) = &constraint.kind else { continue };
        let Some(action) =
            key.on_delete.filter(|action| matches!(*action, "cascade" | "set null" | "set default"))
        else {
            continue;
        };
        let what = match action {
            "cascade" => "deletes",
            _ => "rewrites",
        };
        sink.say(
            constraint.span,
            format!(
                "one DELETE in {} silently {what} here however many rows refer to it, in one transaction (ON DELETE {})",
                key.target,
                action.to_uppercase()
            ),
        );
    }
}
