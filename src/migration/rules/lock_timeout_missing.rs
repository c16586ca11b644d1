//! Strong locks on relations in use while no lock_timeout is in force.

use rustc_hash::FxHashSet;

use crate::migration::catalog::QName;
use crate::migration::lock_mode::LockMode;
use crate::migration::session::Timeout;
use crate::migration::statement::{Body, Statement};

use super::standstill::ends_waiting;
use super::timeout;
use super::{Check, MigrationContext, Record, Rule, Sink, joined};

pub static RULE: Rule = Rule {
    code: "lock_timeout_missing",
    page: migration_page!("lock_timeout_missing"),
    check: Check::Migration(check),
};

/// Statements one after the other without a timeout in force.
struct Stretch<'a> {
    records: Vec<&'a Record>,
    /// What the first one locks.
    locks: Vec<(QName, LockMode)>,
}

/// Told once for each stretch of statements, at the first: a file of many ALTER TABLEs lacks one line, not many.
fn check(context: &MigrationContext<'_>, sink: &mut Sink) {
    let mut stretch: Option<Stretch<'_>> = None;
    for record in context.records {
        if ends_waiting(record.lock_timeout, context.options) {
            say(context, stretch.take(), sink);
            continue;
        }
        let Some(statement) = context.statements.get(record.index) else { continue };
        let locks = waited_for(statement, record);
        if locks.is_empty() {
            continue;
        }
        match &mut stretch {
            Some(stretch) => stretch.records.push(record),
            None => stretch = Some(Stretch { records: vec![record], locks }),
        }
    }
    say(context, stretch, sink);
}

/// The strong locks that a statement may have to wait for: not those that its transaction holds, and those with a rule of
/// their own left out.
pub(super) fn waited_for(statement: &Statement, record: &Record) -> Vec<(QName, LockMode)> {
    match &statement.body {
        Body::Lock(lock) if lock.nowait => Vec::new(),
        Body::CreateTrigger(_) => Vec::new(),
        // A new table's foreign key.
        Body::CreateTable(_) => {
            record.awaited.iter().filter(|(_, mode)| *mode != LockMode::ShareRowExclusive).cloned().collect()
        }
        _ => record.awaited.clone(),
    }
}

fn say(context: &MigrationContext<'_>, stretch: Option<Stretch<'_>>, sink: &mut Sink) {
    let Some(Stretch { records, locks }) = stretch else { return };
    let Some((record, more)) = records.split_first() else { return };
    let more = more.len();
    let strongest = locks.iter().map(|(_, mode)| *mode).max().unwrap_or(LockMode::AccessExclusive);
    let mut told: FxHashSet<&QName> = FxHashSet::default();
    let those = locks.iter().filter(|(_, mode)| *mode == strongest).map(|(table, _)| table);
    let tables: Vec<&QName> = those.filter(|table| told.insert(*table)).collect();
    let why = match record.lock_timeout {
        Timeout::Off => "lock_timeout is 0, which is none",
        Timeout::Milliseconds(_) => "the lock_timeout in force is too long",
        _ => "no lock_timeout is in force",
    };
    let also = match more {
        0 => String::new(),
        1 => "; so does 1 statement after it".to_owned(),
        _ => format!("; so do {more} statements after it"),
    };
    let behind = if strongest.blocks_reads() { "read and write" } else { "write" };
    let names = joined(&tables);
    let local = record.in_transaction == Some(true) || timeout::makes_transaction(context);
    let set = if local { "SET LOCAL lock_timeout = '2s';" } else { "SET lock_timeout = '2s';" };
    let said = sink.say(
        record.span,
        format!("this takes {strongest} on {names}, and {why}: while it waits for a long query, every later {behind} of {names} waits behind it{also}"),
    );
    said.help(format!("{set}\n-- before this statement; then run the migration again until it gets through"));
    timeout::mend(context, &records, said);
}
