//! `query_broken`: a query of the application can no longer be prepared.

use super::{Rule, Sink, place};
use crate::rehearsal::report::Rehearsal;

/// The rule.
pub static RULE: Rule = Rule { code: "query_broken", page: rehearsal_page!("query_broken"), check };

fn check(report: &Rehearsal, sink: &mut Sink) {
    for query in report.queries.iter().flat_map(|queries| &queries.failed) {
        if let (None, Some(error), false) = (&query.before, &query.after, query.is_new) {
            let behind = query.broken_by.and_then(|id| report.statement(id));
            let by = behind.map(|statement| format!(" after {}", place(statement))).unwrap_or_default();
            let message = format!(
                "a query of the running application fails{by}: {}: {} ({})",
                query.text, error.message, query.place
            );
            let help = "Until every instance of the old application is gone its queries must run: add the new beside the old, release, and take the old away in a later release.";
            sink.of_object(&query.place, behind, message, Some(help.to_owned()));
        }
        if let (true, Some(error)) = (query.is_new, &query.after) {
            let message = format!(
                "a query of the new application fails after the migrations: {}: {} ({})",
                query.text, error.message, query.place
            );
            sink.of_object(&query.place, None, message, None);
        }
        if let (None, None, Some(error), false) =
            (&query.before, &query.after, &query.rolled_back, query.is_new)
        {
            let message = format!(
                "a query of the application fails after going back: {}: {} ({})",
                query.text, error.message, query.place
            );
            sink.of_object(&query.place, None, message, None);
        }
    }
}
