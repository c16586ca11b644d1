//! The time line: which statement held which lock on which table, and when reads and writes stood still.
//!
//! Statements last from a millisecond to hours. Time runs to scale, but no statement is drawn narrower than can be
//! seen: between two begins or ends the scale is linear, and it changes there. Positions are percentages of the width.

use serde::Serialize;

use crate::gate::clock::duration;
use crate::migration::lock_mode::LockMode;
use crate::rehearsal::report::{Access, MigrationRun, Rehearsal, Stall, StatementRun, Status};

/// How wide a character of a label is, and what is left free around it, in pixels.
const CHARACTER: f64 = 6.7;
const AROUND: f64 = 5.0;

/// More lanes than that are folded away.
const LANES_SHOWN: usize = 40;

/// So many lanes are seen at once: the worst comes first.
const WORST_FIRST: usize = 12;

/// A longer name loses its middle: what tells partitions apart is at the end.
const NAME_SHOWN: usize = 26;

/// No statement is narrower than this, in pixels at the least width of the whole.
const LEAST_PIXELS: f64 = 20.0;

/// The least width of the whole for few statements, in pixels.
const LEAST_WIDTH: f64 = 640.0;

/// A time line.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Timeline {
    /// Pixels below which it isn't squeezed on a screen.
    pub least_width: u32,
    /// Whether short times are drawn wider than they are.
    pub stretched: bool,
    /// Marks of the axis.
    pub ticks: Vec<Tick>,
    /// The migrations.
    pub migrations: Vec<Band>,
    /// The statements.
    pub statements: Vec<Band>,
    /// The tables that were locked or stood still, the worst first.
    pub lanes: Vec<Lane>,
    /// Those that are folded away.
    pub more: Vec<Lane>,
    /// How many tables nothing happened to.
    pub untouched: usize,
    /// The modes that occur, strongest first.
    pub modes: Vec<Mode>,
}

/// A mark of the axis.
#[derive(Clone, Debug, Serialize)]
pub struct Tick {
    x: f64,
    label: String,
}

/// Something that lasted.
#[derive(Clone, Debug, Serialize)]
pub struct Band {
    x: f64,
    width: f64,
    /// Drawn inside.
    label: String,
    /// Told in full.
    title: String,
    /// For the style sheet.
    class: &'static str,
    /// The statement's number.
    id: u32,
}

/// A table.
#[derive(Clone, Debug, Serialize)]
pub struct Lane {
    name: String,
    /// The name, without its middle where that is long.
    shown: String,
    locks: Vec<Band>,
    reads: Vec<Band>,
    writes: Vec<Band>,
    /// The longest stalls, in words.
    worst: Vec<String>,
    /// All of it in words, for those who don't see it.
    said: String,
    /// When it was first locked or stood still.
    #[serde(skip)]
    begun: f64,
    #[serde(skip)]
    weight: (u64, u8),
}

/// A lock mode in the legend.
#[derive(Clone, Debug, Serialize)]
pub struct Mode {
    class: &'static str,
    code: &'static str,
    name: String,
    blocks: &'static str,
}

/// How a mode is drawn: its class, and the letters that stand for it.
fn drawn(mode: &str) -> (&'static str, &'static str) {
    match LockMode::from_name(mode) {
        Some(LockMode::AccessExclusive) => ("ax", "AX"),
        Some(LockMode::Exclusive) => ("x", "X"),
        Some(LockMode::ShareRowExclusive) => ("srx", "SRX"),
        Some(LockMode::Share) => ("s", "S"),
        Some(LockMode::ShareUpdateExclusive) => ("sux", "SUX"),
        Some(LockMode::RowExclusive) => ("rx", "RX"),
        _ => ("other", "·"),
    }
}

/// Maps times to percentages.
struct Scale {
    /// (time, percent), ascending in both.
    points: Vec<(f64, f64)>,
    stretched: bool,
    least_width: f64,
}

impl Scale {
    /// `wide`: what must be seen, however short; `others`: what lies around it.
    fn new(wide: &[(f64, f64)], others: &[(f64, f64)]) -> Scale {
        let intervals = || wide.iter().chain(others);
        let mut times: Vec<f64> = intervals().flat_map(|(start, end)| [*start, *end]).collect();
        times.retain(|time| time.is_finite());
        times.sort_by(f64::total_cmp);
        times.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
        let (Some(first), Some(last)) = (times.first().copied(), times.last().copied()) else {
            return Scale {
                points: vec![(0.0, 0.0), (1.0, 100.0)],
                stretched: false,
                least_width: LEAST_WIDTH,
            };
        };
        let pieces: Vec<(f64, f64)> =
            times.windows(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?))).collect();
        let covered =
            |piece: &(f64, f64)| wide.iter().any(|(start, end)| *start <= piece.0 && piece.1 <= *end);
        let total = (last - first).max(1e-9);
        // What lies between statements needn't be wide.
        let least = |piece: &(f64, f64)| if covered(piece) { LEAST_PIXELS } else { 3.0 };
        let all_least: f64 = pieces.iter().map(least).sum();
        let least_width = (all_least * 1.6).max(LEAST_WIDTH);
        let to_scale = (least_width - all_least).max(0.0);
        let mut points = vec![(first, 0.0)];
        let mut x = 0.0;
        let mut stretched = false;
        for piece in &pieces {
            let share = (piece.1 - piece.0) / total;
            stretched |= share * least_width < least(piece) / 2.0;
            x += least(piece) + share * to_scale;
            points.push((piece.1, x));
        }
        let width = x.max(1e-9);
        for point in &mut points {
            point.1 = point.1 / width * 100.0;
        }
        Scale { points, stretched, least_width }
    }

    fn at(&self, time: f64) -> f64 {
        let after = self.points.partition_point(|(there, _)| *there < time);
        match (after.checked_sub(1).and_then(|before| self.points.get(before)), self.points.get(after)) {
            (Some((t0, x0)), Some((t1, x1))) if t1 > t0 => x0 + (x1 - x0) * (time - t0) / (t1 - t0),
            (_, Some((_, x))) => *x,
            (Some((_, x)), None) => *x,
            (None, None) => 0.0,
        }
    }

    fn band(&self, start: f64, end: f64) -> (f64, f64) {
        let (from, to) = (self.at(start), self.at(end.max(start)));
        // Something that took no time at all is still seen.
        (rounded(from), rounded((to - from).max(0.25)))
    }

    /// The first of `labels` that can be read inside `width` percent; nothing rather than a part of one.
    fn label<const N: usize>(&self, width: f64, labels: [&str; N]) -> String {
        let room = width / 100.0 * self.least_width - AROUND;
        let fits = |label: &&str| label.chars().count() as f64 * CHARACTER <= room;
        labels.into_iter().find(fits).unwrap_or("").to_owned()
    }

    /// Begins and ends that lie far enough apart to be written.
    fn ticks(&self) -> Vec<Tick> {
        let zero = self.points.first().map_or(0.0, |point| point.0);
        let mut ticks: Vec<Tick> = Vec::new();
        let apart = 9.0 * LEAST_WIDTH / self.least_width;
        let mut add = |time: f64, x: f64| {
            let label = duration(time - zero);
            let fits = ticks.iter().all(|tick| (tick.x - x).abs() >= apart && tick.label != label);
            if fits && x <= 100.0 - apart / 2.0 {
                ticks.push(Tick { x: rounded(x), label });
            }
        };
        add(zero, 0.0);
        for pair in self.points.windows(2) {
            let (Some((t0, x0)), Some((t1, x1))) = (pair.first(), pair.get(1)) else { continue };
            // Inside a long piece at round times.
            if x1 - x0 > 2.0 * apart {
                let step = nice((t1 - t0) / ((x1 - x0) / apart / 1.5));
                let mut time = ((t0 - zero) / step).ceil() * step + zero;
                while time < *t1 {
                    add(time, self.at(time));
                    time += step;
                }
            }
            add(*t1, *x1);
        }
        ticks.sort_by(|a, b| a.x.total_cmp(&b.x));
        ticks
    }
}

/// A round number of seconds near to `seconds`.
fn nice(seconds: f64) -> f64 {
    const STEPS: [f64; 22] = [
        0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0,
        300.0, 600.0, 1800.0, 3600.0, 21_600.0,
    ];
    STEPS.into_iter().find(|step| *step >= seconds).unwrap_or(86_400.0)
}

fn rounded(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}

/// The time line of some migrations: of the way there, or of the way back.
pub fn timeline(rehearsal: &Rehearsal, runs: &[&MigrationRun]) -> Timeline {
    let statements: Vec<&StatementRun> = runs.iter().flat_map(|run| &run.statements).collect();
    let begun = |run: &&MigrationRun| run.start.map(|start| (start, start + run.seconds));
    let mut intervals: Vec<(f64, f64)> = statements
        .iter()
        .filter(|one| one.status != Status::NotRun)
        .map(|one| (one.start, one.start + one.seconds))
        .collect();
    let around: Vec<(f64, f64)> = runs.iter().filter_map(begun).collect();
    if intervals.is_empty() {
        // Run by a command that is a single thing: the migrations are what must be seen.
        intervals = around.clone();
    }
    let window = intervals
        .iter()
        .chain(&around)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |window, one| (window.0.min(one.0), window.1.max(one.1)));
    if intervals.is_empty() {
        return Timeline::default();
    }
    let inside = |stall: &Stall| stall.end > window.0 && stall.start < window.1;
    let scale = Scale::new(&intervals, &around);
    let ids: std::collections::HashSet<u32> = statements.iter().map(|one| one.id).collect();

    let mut lanes: Vec<Lane> = Vec::new();
    let mut names: Vec<&str> = rehearsal.tables.iter().map(|table| table.name.as_str()).collect();
    for statement in &statements {
        for lock in &statement.locks {
            if !names.contains(&lock.relation.as_str()) {
                names.push(&lock.relation);
            }
        }
    }
    let mut modes: Vec<LockMode> = Vec::new();
    let mut untouched = 0;
    for name in names {
        let lane = lane(name, rehearsal, &statements, &scale, &ids, &inside, &mut modes);
        if lane.locks.is_empty() && lane.reads.is_empty() && lane.writes.is_empty() {
            untouched += 1;
        } else {
            lanes.push(lane);
        }
    }
    lanes.sort_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.name.cmp(&b.name)));
    let mut more = lanes.split_off(LANES_SHOWN.min(lanes.len()));
    // Many lanes are read as a cascade.
    if lanes.len() > WORST_FIRST {
        lanes.sort_by(|a, b| a.begun.total_cmp(&b.begun));
        more.sort_by(|a, b| a.begun.total_cmp(&b.begun));
    }
    modes.sort_unstable_by(|a, b| b.cmp(a));
    modes.dedup();
    Timeline {
        least_width: scale.least_width as u32,
        stretched: scale.stretched,
        ticks: scale.ticks(),
        migrations: runs.iter().filter_map(|run| migration_band(run, &scale)).collect(),
        statements: statements
            .iter()
            .filter(|one| one.status != Status::NotRun)
            .map(|one| statement_band(one, &scale))
            .collect(),
        lanes,
        more,
        untouched,
        modes: modes
            .into_iter()
            .map(|mode| {
                let (class, code) = drawn(mode.as_str());
                let blocks = match mode {
                    LockMode::RowExclusive => "writes to the rows that are changed under it",
                    _ => mode.blocks(),
                };
                Mode { class, code, name: mode.as_str().to_owned(), blocks }
            })
            .collect(),
    }
}

fn migration_band(run: &MigrationRun, scale: &Scale) -> Option<Band> {
    let start = run.start?;
    let (x, width) = scale.band(start, start + run.seconds);
    let name = run.path.rsplit(['/', '\\']).next().unwrap_or(&run.path).to_owned();
    let digits = name.trim_start_matches(['V', 'v', '0']);
    let digits = digits.split(|c: char| !c.is_ascii_digit()).next().unwrap_or("");
    Some(Band {
        x,
        width,
        title: format!("{}: {}", run.path, duration(run.seconds)),
        label: scale.label(width, [&name, name.split('.').next().unwrap_or(""), digits]),
        class: status_class(run.status),
        id: 0,
    })
}

fn statement_band(one: &StatementRun, scale: &Scale) -> Band {
    let (x, width) = scale.band(one.start, one.start + one.seconds);
    Band {
        x,
        width,
        label: scale.label(width, [&one.id.to_string()]),
        title: format!("statement {}, {}: {}", one.id, duration(one.seconds), one.text),
        class: status_class(one.status),
        id: one.id,
    }
}

fn status_class(status: Status) -> &'static str {
    match status {
        Status::Done => "done",
        Status::Failed | Status::Stopped => "failed",
        Status::NotRun => "notrun",
    }
}

fn lane(
    name: &str,
    rehearsal: &Rehearsal,
    statements: &[&StatementRun],
    scale: &Scale,
    ids: &std::collections::HashSet<u32>,
    inside: &dyn Fn(&Stall) -> bool,
    modes: &mut Vec<LockMode>,
) -> Lane {
    let mut locks = Vec::new();
    let mut said = Vec::new();
    let mut strongest = 0;
    for statement in statements {
        for lock in statement.locks.iter().filter(|lock| lock.relation == name) {
            let mode = LockMode::from_name(&lock.mode);
            // SELECT's own locks block only what is drawn as a lock anyway.
            if mode.is_some_and(|mode| mode <= LockMode::RowShare) {
                continue;
            }
            modes.extend(mode);
            strongest = strongest.max(mode.map_or(0, |mode| mode as u8));
            let (x, width) = scale.band(lock.acquired, lock.released);
            let (class, code) = drawn(&lock.mode);
            let held = duration(lock.released - lock.acquired);
            said.push(format!("{} for {held} by statement {}", lock.mode, statement.id));
            locks.push(Band {
                x,
                width,
                label: scale.label(width, [code]),
                title: format!(
                    "{} on {name} for {held}, statement {}: {}",
                    lock.mode, statement.id, statement.text
                ),
                class,
                id: statement.id,
            });
        }
    }
    let table = rehearsal.tables.iter().find(|table| table.name == name);
    let stalls = |of: Access| -> Vec<&Stall> {
        let all = table.map_or(&[][..], |table| &table.stalls);
        all.iter()
            .filter(|stall| {
                stall.of == of && inside(stall) && stall.statement.is_none_or(|id| ids.contains(&id))
            })
            .collect()
    };
    let bands = |of: Access, what: &str| -> Vec<Band> {
        stalls(of)
            .into_iter()
            .map(|stall| {
                let (x, width) = scale.band(stall.start, stall.end);
                let by = stall.statement.map_or(String::new(), |id| format!(", statement {id}"));
                let rows = if stall.of_rows() { "changed rows of " } else { "" };
                Band {
                    x,
                    width,
                    label: String::new(),
                    title: format!("{what} {rows}{name} stood still for {}{by}", duration(stall.seconds())),
                    class: "stall",
                    id: stall.statement.unwrap_or_default(),
                }
            })
            .collect()
    };
    let begun = statements
        .iter()
        .flat_map(|statement| &statement.locks)
        .filter(|lock| lock.relation == name)
        .map(|lock| lock.acquired)
        .chain(stalls(Access::Reads).into_iter().map(|stall| stall.start))
        .chain(stalls(Access::Writes).into_iter().map(|stall| stall.start))
        .fold(f64::INFINITY, f64::min);
    let longest = |of: Access| stalls(of).into_iter().map(Stall::seconds).fold(0.0, f64::max);
    let (reads, writes) = (longest(Access::Reads), longest(Access::Writes));
    let mut worst = Vec::new();
    if reads > 0.0 {
        worst.push(format!("reads {}", duration(reads)));
        said.push(format!("reads stood still for up to {}", duration(reads)));
    }
    if writes > 0.0 {
        worst.push(format!("writes {}", duration(writes)));
        said.push(format!("writes stood still for up to {}", duration(writes)));
    }
    Lane {
        name: name.to_owned(),
        shown: shortened(name),
        begun,
        locks,
        reads: bands(Access::Reads, "reads of"),
        writes: bands(Access::Writes, "writes to"),
        worst,
        said: format!("{name}: {}", said.join("; ")),
        weight: ((reads.max(writes) * 1000.0) as u64, strongest),
    }
}

fn shortened(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    match letters.len().checked_sub(NAME_SHOWN) {
        None | Some(0) => name.to_owned(),
        Some(_) => {
            let (start, end) = letters.split_at(NAME_SHOWN / 2 - 1);
            let end: String = end.iter().rev().take(NAME_SHOWN / 2).rev().collect();
            format!("{}…{end}", start.iter().collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_stay_visible_beside_the_long() {
        let scale = Scale::new(&[(0.0, 0.003), (0.003, 60.003), (60.003, 60.005)], &[]);
        assert!(scale.stretched);
        let widths: Vec<f64> = [(0.0, 0.003), (0.003, 60.003), (60.003, 60.005)]
            .into_iter()
            .map(|(start, end)| scale.band(start, end).1 / 100.0 * scale.least_width)
            .collect();
        assert!(widths.iter().all(|width| *width >= LEAST_PIXELS * 0.9), "{widths:?}");
        assert!(widths[1] > widths[0] * 10.0, "{widths:?}");
    }

    #[test]
    fn positions_ascend_and_stay_inside() {
        let scale = Scale::new(&[(-1.0, 2.0), (2.0, 2.0), (5.0, 9.0)], &[(-1.0, 2.5)]);
        let places: Vec<f64> = (-20..120).map(|tenth| scale.at(f64::from(tenth) / 10.0)).collect();
        assert!(places.is_sorted(), "{places:?}");
        assert!(places.iter().all(|x| (0.0..=100.0).contains(x)));
    }

    #[test]
    fn three_hundred_tables_are_folded() {
        let statements = (0..300)
            .map(|n| StatementRun {
                id: n,
                start: f64::from(n),
                seconds: 1.0,
                status: Status::Done,
                locks: vec![crate::rehearsal::report::LockRun {
                    relation: format!("t{n}"),
                    mode: "ACCESS EXCLUSIVE".into(),
                    acquired: f64::from(n),
                    released: f64::from(n) + 1.0,
                    ..Default::default()
                }],
                ..StatementRun::default()
            })
            .collect();
        let run = MigrationRun { start: Some(0.0), seconds: 300.0, statements, ..MigrationRun::default() };
        let timeline = timeline(&Rehearsal::default(), &[&run]);
        assert_eq!((timeline.lanes.len(), timeline.more.len()), (LANES_SHOWN, 260));
    }
}
