//! `revoke_privilege`: REVOKE takes a privilege that the running application may use.

use crate::migration::statement::{Body, Grant, ObjectKind, quote_ident};

use super::{Check, Rule, Sink, StatementContext, joined};

pub static RULE: Rule = Rule {
    code: "revoke_privilege",
    page: migration_page!("revoke_privilege"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::Grant(revoke) = &cx.statement.body else { return };
    // Default privileges concern future objects only.
    if !revoke.revoke || revoke.default_privileges || !cx.lasts() {
        return;
    }
    let used = revoke.roles
        || revoke.objects.is_empty()
        || revoke.objects.iter().any(|object| match revoke.kind {
            Some(
                ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine | ObjectKind::Aggregate,
            ) => cx.function_in_use(object),
            Some(ObjectKind::Type | ObjectKind::Domain) => cx.type_in_use(object),
            Some(ObjectKind::Table | ObjectKind::Sequence) | None if !revoke.all_in_schema => {
                cx.may_be_used(&cx.resolve(object))
            }
            Some(ObjectKind::Schema) => !cx.earlier().any(|statement| {
                matches!(&statement.body, Body::CreateSchema { name: Some(made), if_not_exists: false, .. }
                    if *made == object.name)
            }),
            _ => true,
        });
    if !used || cx.later_in_transaction().any(|later| gives_back(&later.body, revoke)) {
        return;
    }
    let from: Vec<String> =
        revoke
            .grantees
            .iter()
            .map(|role| {
                if *role == "public" { "PUBLIC".to_owned() } else { quote_ident(role.as_str()).into_owned() }
            })
            .collect();
    let everybody = revoke.grantees.iter().any(|role| *role == "public");
    let who = if everybody { "every role without a grant of its own".to_owned() } else { joined(&from) };
    let what = if revoke.roles {
        "what that membership allowed".to_owned()
    } else if revoke.objects.is_empty() {
        "it".to_owned()
    } else {
        let objects: Vec<String> = revoke.objects.iter().map(ToString::to_string).collect();
        joined(&objects)
    };
    sink.say(
        cx.statement.span,
        format!("{who} gets \"permission denied\" from the commit on for {what}, in open connections too"),
    )
    .help("See which roles use it, give those a grant of their own first, and revoke in a later release.");
}

/// Whether a GRANT gives some of it back to the same roles.
fn gives_back(body: &Body, revoke: &Grant) -> bool {
    match body {
        Body::Grant(grant) => {
            !grant.revoke
                && !grant.default_privileges
                && grant.objects == revoke.objects
                && grant.grantees.iter().any(|role| revoke.grantees.contains(role))
        }
        _ => false,
    }
}
