//! `disable_trigger`: DISABLE TRIGGER switches off for everybody what the trigger does.

use crate::migration::statement::{ActionKind, TriggerState, TriggerTarget, quote_ident};

use super::outlook::actions_on;
use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "disable_trigger",
    page: migration_page!("disable_trigger"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some((alter, table, _)) = cx.altered() else { return };
    for (at, action) in alter.actions.iter().enumerate() {
        let ActionKind::Trigger { name, state: TriggerState::Disable | TriggerState::EnableReplica } =
            &action.kind
        else {
            continue;
        };
        let all = *name == TriggerTarget::All;
        let enabled_again = |kind: &ActionKind| {
            matches!(kind, ActionKind::Trigger { name: other, state: TriggerState::Enable | TriggerState::EnableAlways }
                if other == name || matches!(other, TriggerTarget::All | TriggerTarget::User))
        };
        let again = alter.actions.iter().skip(at + 1).any(|later| enabled_again(&later.kind))
            || actions_on(cx.later_in_transaction(), &table).any(|later| enabled_again(&later.kind));
        // Until the transaction ends other writers wait, so that they never miss the trigger. Foreign keys are not
        // checked afterwards for what this transaction writes.
        if again && !all {
            continue;
        }
        let what = match name {
            TriggerTarget::Named(name) => format!("trigger {} of {table}", quote_ident(name.as_str())),
            TriggerTarget::User => format!("every trigger of {table}"),
            TriggerTarget::All => format!("every trigger of {table}, foreign keys included,"),
        };
        let message = if again {
            format!(
                "{what} is off for what this transaction writes: rows without a parent get in, and enabling the triggers \
                 again doesn't check them"
            )
        } else {
            format!("{what} is off for every writer from the commit on, and no write fails that would tell")
        };
        sink.say(action.span, message).help(
            "-- let the trigger's function look at a setting that this transaction alone has\n\
             SET LOCAL app.skip_audit = 'on';\n\
             -- in the function: IF current_setting('app.skip_audit', true) = 'on' THEN RETURN NEW; END IF;",
        );
    }
}
