//! `prediction_missed`: a statement did worse than the linter predicts.

use super::{Rule, Sink};
use crate::rehearsal::report::Rehearsal;

/// The rule.
pub static RULE: Rule = Rule { code: "prediction_missed", page: rehearsal_page!("prediction_missed"), check };

fn check(report: &Rehearsal, sink: &mut Sink) {
    for statement in report.statements() {
        let Some(predicted) = statement.predicted.as_ref().filter(|predicted| !predicted.missed.is_empty())
        else {
            continue;
        };
        let message = format!("{} did worse than predicted: {}", statement.kind, predicted.missed.join("; "));
        let help = "What was measured holds. The linter didn't know enough: of a table, trigger or function that no migration here makes, or of PostgreSQL itself; in that case please report the statement to rollsafe.";
        sink.of_statement(statement, message, Some(help.to_owned()));
    }
}
