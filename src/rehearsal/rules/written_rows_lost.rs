//! `written_rows_lost`: what is written after the migrations goes with the down migrations.

use super::{Rule, Sink, beside, listed};
use crate::rehearsal::report::Rehearsal;

/// The rule.
pub static RULE: Rule = Rule { code: "written_rows_lost", page: rehearsal_page!("written_rows_lost"), check };

fn check(report: &Rehearsal, sink: &mut Sink) {
    for one in &report.comparison.written {
        let lost = one.rows_kept.map_or(0, |kept| one.rows.saturating_sub(kept));
        let table = &one.table;
        if lost > 0 {
            let message = format!(
                "going back by the down migrations loses rows of {table} that were written after the migrations: {lost} of {} written in the rehearsal",
                one.rows
            );
            sink.of_object(table, None, message, Some(help(table)));
        } else if !one.columns_lost.is_empty() && one.rows_kept.is_some() {
            let message = format!(
                "going back by the down migrations loses what was written to {} of {table} after the migrations",
                listed(&one.columns_lost, 5)
            );
            sink.of_object(table, None, message, Some(help(table)));
        }
    }
}

fn help(table: &str) -> String {
    format!(
        "Once users have written, going back costs their data. Copy it aside first (CREATE TABLE {} AS SELECT * FROM {table}), or decide on the rollback before the application writes.",
        beside(table, "_rolled_back")
    )
}
