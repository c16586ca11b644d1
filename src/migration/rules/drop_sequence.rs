//! `drop_sequence`: DROP SEQUENCE forgets which numbers were given out.

use crate::migration::statement::ObjectKind;

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "drop_sequence", page: migration_page!("drop_sequence"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    for (dropped, sequence, _) in cx.dropped(ObjectKind::Sequence) {
        sink.say(
            dropped.span,
            format!("how far {sequence} has counted is forgotten, and code that calls nextval on it fails"),
        )
        .help(format!(
            "-- write down where it stands, so that it can be made again from there\nSELECT last_value FROM {sequence};"
        ));
    }
}
