//! Every table of the report: what it felt, and how many rows it had at each point.

use std::collections::{BTreeMap, BTreeSet};

use super::rehearse::State;
use super::report::{self, Access, TableRun};
use super::stalls;
use super::sums::{self, Sums};

/// Every table with what it felt and held.
pub(super) fn tables(
    before: &State,
    after: &State,
    rolled_back: Option<&State>,
    restored: Option<&State>,
    stalls: &mut BTreeMap<u32, Vec<report::Stall>>,
) -> Vec<TableRun> {
    let is_table = |kind: char| matches!(kind, 'r' | 'p' | 'm');
    let shown = |sums: &Sums, name: &str| sums.get(name).map(sums::Sum::shown);
    let mut all: Vec<TableRun> = Vec::new();
    let oids: BTreeSet<u32> = before.relations.keys().chain(after.relations.keys()).copied().collect();
    for oid in oids {
        let (was, is) = (before.relations.get(&oid), after.relations.get(&oid));
        let Some(relation) = was.or(is).filter(|relation| is_table(relation.kind)) else { continue };
        let stalls = stalls.remove(&oid).unwrap_or_default();
        let now = is.map_or(relation.name.as_str(), |is| is.name.as_str());
        all.push(TableRun {
            name: relation.name.clone(),
            bytes: was.map_or(0, |was| was.bytes),
            is_new: was.is_none(),
            is_gone: is.is_none_or(|is| is.name != relation.name),
            longest_read_stall: stalls::longest(&stalls, Access::Reads),
            longest_write_stall: stalls::longest(&stalls, Access::Writes),
            stalls,
            rows: report::RowCounts {
                before: was.and_then(|was| shown(&before.sums, &was.name)),
                after: is.and_then(|_| shown(&after.sums, now)),
                rolled_back: rolled_back.and_then(|state| shown(&state.sums, &relation.name)),
                restored: restored.and_then(|state| shown(&state.sums, &relation.name)),
            },
        });
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}
