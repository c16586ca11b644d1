//! `over_time_limit`: a part of the release takes longer than its limit.

use super::{Rule, Sink, place, short};
use crate::gate::clock::duration;
use crate::rehearsal::report::{Rehearsal, Status};

/// The rule.
pub static RULE: Rule = Rule { code: "over_time_limit", page: rehearsal_page!("over_time_limit"), check };

fn check(report: &Rehearsal, sink: &mut Sink) {
    let limits = &report.limits;
    let there = report.extrapolation.as_ref();
    let migrate = report.migrate_seconds();
    let stopped = report.migrations.iter().find(|run| run.status == Status::Stopped);
    if let Some(run) = stopped {
        let last = run.statements.last();
        let place =
            last.map_or(short(&run.path).to_owned(), |last| format!("{} ({})", place(last), last.kind));
        let message = format!(
            "running the migrations was stopped after {}, in {place}; the limit is {}",
            duration(migrate),
            duration(limits.migrate)
        );
        let help = "They are stopped a hard stop after their limit, or at the decision limit. Do the slow part in batches before the release, or build indexes CONCURRENTLY, apart from the rest.";
        sink.of_file(&run.path, message, Some(help.to_owned()));
    }
    let mut say = |what: &str, here: f64, there: Option<f64>, limit: f64, stopped: bool, help: &str| {
        let longest = there.map_or(here, |there| there.max(here));
        if longest <= limit && !stopped {
            return;
        }
        let mut message = format!("{what} took {}", duration(here));
        if stopped {
            message = format!("{what} was stopped after {}, at the hard stop", duration(here));
        } else if let Some(there) = there.filter(|there| *there > here * 1.05) {
            message.push_str(&format!(", with production's sizes about {}", duration(there)));
        }
        message.push_str(&format!("; the limit is {}", duration(limit)));
        sink.of_all(message, Some(help.to_owned()));
    };
    if stopped.is_none() {
        say(
            "running the migrations",
            migrate,
            there.map(|there| there.migrate_seconds),
            limits.migrate,
            false,
            "Do the slow part in batches before the release, or build indexes CONCURRENTLY, apart from the rest.",
        );
    }
    let mut back: Option<f64> = None;
    if let Some(downs) = &report.rollback.downs {
        let seconds_there = there.and_then(|there| there.rollback_seconds);
        back = Some(seconds_there.map_or(downs.seconds, |there| there.max(downs.seconds)));
        say(
            "going back by the down migrations",
            downs.seconds,
            seconds_there,
            limits.rollback,
            downs.status == Status::Stopped,
            "Going back must be the quick way: leave what is slow to undo to a later release.",
        );
    }
    if let Some(restore) = &report.rollback.restore {
        let seconds_there = there.and_then(|there| there.restore_seconds);
        let longest = seconds_there.map_or(restore.seconds, |there| there.max(restore.seconds));
        back = Some(back.map_or(longest, |back| back.min(longest)));
        say(
            "restoring the backup",
            restore.seconds,
            seconds_there,
            limits.rollback,
            restore.status == Status::Stopped,
            "Dump in the directory format and restore with parallel jobs, keep a replica that is stopped before the release, or go back by down migrations.",
        );
    }
    // By the quicker way: the decision comes before it.
    if let Some(back) = back {
        let migrate = there.map_or(migrate, |there| there.migrate_seconds.max(migrate));
        say(
            "migrating and going back, by the quicker way,",
            migrate + back,
            None,
            limits.decision,
            false,
            "The decision to go back has to be possible inside this time from the start of the release.",
        );
    }
}
