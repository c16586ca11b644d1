//! `stall_too_long`: reads or writes of a table stood still for longer than the limit.

use std::collections::BTreeMap;

use super::{Rule, Sink, place};
use crate::gate::clock::duration;
use crate::rehearsal::report::{Access, PhaseName, Rehearsal, Stall};

/// The rule.
pub static RULE: Rule = Rule { code: "stall_too_long", page: rehearsal_page!("stall_too_long"), check };

fn check(report: &Rehearsal, sink: &mut Sink) {
    for table in &report.tables {
        // The longest behind each statement: mending one of them leaves the others.
        let mut worst: BTreeMap<(u32, Access), &Stall> = BTreeMap::new();
        for stall in table.stalls.iter().filter(|stall| stall.during == PhaseName::Migrate) {
            let Some(id) = stall.statement else { continue };
            let longest = worst.entry((id, stall.of)).or_insert(stall);
            if stall.seconds() > longest.seconds() {
                *longest = stall;
            }
        }
        for ((id, of), stall) in &worst {
            // What stops reads stops writes as well: it is said once.
            let reads = worst.get(&(*id, Access::Reads));
            let other = worst.get(&(*id, Access::Writes));
            match (of, reads, other) {
                (Access::Reads, _, Some(_)) => say(report, &table.name, stall, true, sink),
                (Access::Writes, Some(_), _) => {}
                _ => say(report, &table.name, stall, false, sink),
            }
        }
    }
}

fn say(report: &Rehearsal, table: &str, stall: &Stall, both: bool, sink: &mut Sink) {
    let limit = report.limits.stall;
    let there = report.extrapolation.as_ref().and_then(|there| {
        there
            .stalls
            .iter()
            .find(|one| one.table == table && one.of == stall.of && one.statement == stall.statement)
            .map(|one| one.seconds_there)
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
    let long = duration(stall.seconds());
    let mut message = if stall.of_rows() {
        format!(
            "writes to the rows of {table} that {} ({}) changed stood still for {long}: they are locked until its transaction ends",
            statement.kind,
            place(statement)
        )
    } else {
        format!(
            "{what} of {table} stood still for {long} behind {} ({mode}, {})",
            statement.kind,
            place(statement)
        )
    };
    if let Some(there) = there.filter(|there| *there > stall.seconds() * 1.05) {
        message.push_str(&format!("; with production's sizes about {}", duration(there)));
    }
    message.push_str(&format!("; the limit is {}", duration(limit)));
    let help = statement.path.as_ref().map(|path| match stall.of_rows() {
        true => "Change the rows in batches of about 1,000 with a COMMIT after each, and let nothing slow follow in the same transaction.".to_owned(),
        false => format!("rollsafe lint {path} says how to do it without the wait, where there is a way."),
    });
    sink.of_object(table, Some(statement), message, help);
}
