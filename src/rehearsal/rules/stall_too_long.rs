//! `stall_too_long`: reads or writes of a table stood still for longer than the limit.

use super::{Rule, Sink, duration, place};
use crate::rehearsal::report::{Access, Rehearsal, Stall};

/// The rule.
pub static RULE: Rule = Rule { code: "stall_too_long", page: rehearsal_page!("stall_too_long"), check };

fn check(report: &Rehearsal, sink: &mut Sink) {
    for table in &report.tables {
        let reads = &table.longest_read_stall;
        // What stops reads stops writes as well: it is said once.
        let same = |a: &Stall, b: &Stall| a.statement.is_some() && a.statement == b.statement;
        let writes = table
            .longest_write_stall
            .as_ref()
            .filter(|writes| !reads.as_ref().is_some_and(|reads| same(reads, writes)));
        let both = writes.is_none() && table.longest_write_stall.is_some();
        for stall in reads.iter().chain(writes) {
            say(report, &table.name, stall, both && stall.of == Access::Reads, sink);
        }
    }
}

fn say(report: &Rehearsal, table: &str, stall: &Stall, both: bool, sink: &mut Sink) {
    let limit = report.limits.stall;
    let there = report.extrapolation.as_ref().and_then(|there| {
        there.stalls.iter().find(|one| one.table == table && one.of == stall.of).map(|one| one.seconds_there)
    });
    let Some(statement) = stall.statement.and_then(|id| report.statement(id)) else { return };
    if stall.seconds() <= limit && there.is_none_or(|there| there <= limit) {
        return;
    }
    let what = match (both, stall.of) {
        (true, _) => "reads and writes",
        (false, Access::Reads) => "reads",
        (false, Access::Writes) => "writes",
    };
    let mode = stall.mode.as_deref().unwrap_or("a lock");
    let mut message = format!(
        "{what} of {table} stood still for {} behind {} ({mode}, {})",
        duration(stall.seconds()),
        statement.kind,
        place(statement)
    );
    if let Some(there) = there.filter(|there| *there > stall.seconds() * 1.05) {
        message.push_str(&format!("; with production's sizes about {}", duration(there)));
    }
    message.push_str(&format!("; the limit is {}", duration(limit)));
    let help = statement.path.as_ref().map(|path| {
        format!("rollsafe lint {path} says how to do it without the wait, where there is a way.")
    });
    sink.of_object(table, Some(statement), message, help);
}
