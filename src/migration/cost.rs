//! What a statement costs on tables of known size: bytes, time, and who waits meanwhile.
//!
//! An estimate with its assumption: so many bytes at so many bytes a second. It leaves out what the server has cached,
//! parallel workers, and who else uses the disk.

use rustc_hash::FxHashMap;

use super::catalog::{Catalog, QName};
use super::effects::Effects;
use super::live::Queue;
use super::lock_mode::LockMode;
use super::rules::RuleOptions;
use crate::amount;

/// What a statement does with the rows that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Writes the table and its indexes anew.
    Rewrite,
    /// Builds an index.
    IndexBuild,
    /// Reads it through.
    Scan,
}

/// What a statement costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// The heaviest work.
    pub work: Option<Work>,
    /// The relations that it is done on, whose size is known.
    pub relations: Vec<QName>,
    /// Their rows.
    pub rows: u64,
    /// Their bytes; for a rewrite with their indexes, which are built anew.
    pub bytes: u64,
    /// `bytes` at [`Cost::throughput`]; none where nothing is read.
    pub seconds: Option<f64>,
    /// Bytes a second that were assumed.
    pub throughput: u64,
    /// The strongest lock on a relation in use.
    pub lock: Option<LockMode>,
    /// What would queue behind the locks, where the snapshot knows what is asked.
    pub queue: Option<Queue>,
}

impl Cost {
    /// The cost of a statement that does `effects` on `before`, holding `locks` on relations in use; `None` where nothing
    /// of it is known.
    pub fn of(
        effects: &Effects,
        locks: &[(QName, LockMode)],
        before: &Catalog,
        options: &RuleOptions,
    ) -> Option<Cost> {
        let mut done: Vec<(Work, &QName)> = Vec::new();
        let mut places: FxHashMap<&QName, usize> = FxHashMap::default();
        let rewrites = effects.rewrites.iter().map(|one| (Work::Rewrite, &one.relation));
        let builds = effects.index_builds.iter().map(|one| (Work::IndexBuild, &one.relation));
        let scans = effects.scans.iter().map(|one| (Work::Scan, &one.relation));
        for (work, relation) in rewrites.chain(builds).chain(scans) {
            let place = *places.entry(relation).or_insert(done.len());
            match done.get_mut(place) {
                Some(known) => known.0 = known.0.min(work),
                None => done.push((work, relation)),
            }
        }
        let (mut rows, mut bytes, mut heaviest) = (0, 0, None);
        let mut relations = Vec::new();
        for (work, name) in done {
            let Some(relation) = before.relation(name) else { continue };
            // The partitions are named as well.
            let Some(size) = relation.size.filter(|_| !relation.is_partitioned()) else { continue };
            rows += size.rows;
            bytes += size.bytes + if work == Work::Rewrite { size.index_bytes } else { 0 };
            heaviest = Some(heaviest.map_or(work, |known: Work| known.min(work)));
            relations.push(name.clone());
        }
        let queue = options.demand.as_ref().and_then(|demand| demand.behind(locks, before));
        if relations.is_empty() && queue.is_none() {
            return None;
        }
        Some(Cost {
            work: heaviest,
            relations,
            rows,
            bytes,
            seconds: heaviest.map(|_| bytes as f64 / options.throughput.max(1) as f64),
            throughput: options.throughput,
            lock: locks.iter().map(|(_, mode)| *mode).max(),
            queue,
        })
    }

    /// In a sentence's part: "rewrites 38 GB (12,000,000 rows): about 6 min at 100 MB/s; blocks reads and writes".
    pub fn told(&self) -> String {
        let mut parts = Vec::new();
        if let (Some(work), Some(seconds)) = (self.work, self.seconds) {
            let does = match work {
                Work::Rewrite => "rewrites",
                Work::IndexBuild => "builds an index from",
                Work::Scan => "reads",
            };
            let (size, rows) = (amount::bytes(self.bytes), amount::grouped(self.rows));
            let time = match amount::seconds(seconds) {
                short if seconds < 1.0 => short,
                time => format!("about {time}"),
            };
            let throughput = amount::bytes(self.throughput);
            parts.push(format!("{does} {size} ({rows} rows): {time} at {throughput}/s"));
        }
        let blocked = self.lock.filter(|lock| lock.blocks_writes()).map(LockMode::blocks);
        match (&self.queue, blocked) {
            (Some(queue), Some(_)) => parts.push(format!("blocks {}", queue.told())),
            (None, Some(blocked)) if self.work.is_some() => parts.push(format!("blocks {blocked}")),
            _ => {}
        }
        parts.join("; ")
    }
}

impl Queue {
    /// "about 1,240 queries/s of 3 families on orders".
    pub fn told(&self) -> String {
        let families = match self.families {
            1 => "1 query family".to_owned(),
            count => format!("{count} families"),
        };
        let shown: Vec<String> = self.relations.iter().take(3).map(QName::to_string).collect();
        let more = self.relations.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let on = format!("{}{more}", shown.join(", "));
        match self.per_second {
            Some(rate) => format!("about {} queries/s of {families} on {on}", amount::per_second(rate)),
            None => format!("the queries of {families} on {on}"),
        }
    }
}
