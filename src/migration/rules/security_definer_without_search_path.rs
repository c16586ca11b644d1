//! `security_definer_without_search_path`: a SECURITY DEFINER function that doesn't fix its search_path.

use crate::migration::catalog::Function;
use crate::migration::statement::{Body, CreateRoutine, Name, Statement};

use super::rename_column::written;
use super::{Check, Rule, Sink, StatementContext, outlook};

/// The rule.
pub static RULE: Rule = Rule {
    code: "security_definer_without_search_path",
    page: migration_page!("security_definer_without_search_path"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let (name, kind, arguments) = match &cx.statement.body {
        Body::CreateRoutine(create)
            if create.security_definer && !create.sets.iter().any(|set| set == "search_path") =>
        {
            (&create.name, if create.procedure { "PROCEDURE" } else { "FUNCTION" }, arguments(create))
        }
        Body::AlterRoutine { kind, name, security_definer, sets, resets, .. }
            if !sets.iter().any(|set| set == "search_path") =>
        {
            let known = cx.before.resolve_function(name, &cx.session.search_path);
            let overloads = cx.before.functions(&known);
            let has_it =
                |function: &Function| function.definition.sets.iter().any(|set| set == "search_path");
            let resets = resets.iter().any(|reset| reset == "search_path" || reset == "all");
            let loses_it = resets
                && overloads
                    .iter()
                    .any(|it| has_it(it) && security_definer.unwrap_or(it.definition.security_definer));
            let never_had_it =
                *security_definer == Some(true) && (overloads.is_empty() || !overloads.iter().all(has_it));
            if !loses_it && !never_had_it {
                return;
            }
            let arguments = match overloads {
                [only] => arguments(&only.definition),
                _ => String::new(),
            };
            (name, kind.sql(), arguments)
        }
        _ => return,
    };
    if later_set(cx, name) {
        return;
    }
    sink.say(
        name.span(),
        format!(
            "{name} runs with its owner's rights and its caller's search_path: whoever can create a table or function \
             of the right name has it run with those rights"
        ),
    )
    .help(format!(
        "ALTER {kind} {name}{arguments} SET search_path = '';\n-- and write the schema before each name in its body: public.orders"
    ));
}

/// The types that tell the routine from others of its name, in parentheses; empty where they can't be written down.
fn arguments(create: &CreateRoutine) -> String {
    if create.arguments.iter().any(|argument| argument.percent_type) {
        return String::new();
    }
    let types: Vec<String> = create.arguments.iter().map(written).collect();
    format!("({})", types.join(", "))
}

/// Whether a later ALTER FUNCTION of the same file sets it.
fn later_set(cx: &StatementContext<'_>, name: &Name) -> bool {
    let function = cx.before.resolve_function(name, &cx.session.search_path);
    let sets_it = |statement: &Statement| {
        matches!(&statement.body, Body::AlterRoutine { name, sets, .. }
            if outlook::same_name(name, &function) && sets.iter().any(|set| set == "search_path"))
    };
    cx.statements.iter().skip(cx.index + 1).take(200).any(sets_it)
}
