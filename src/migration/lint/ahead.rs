//! Reads migrations ahead of the judge, who takes them one after the other.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvError, TryRecvError, sync_channel};

use super::run::{Scripts, Step};
use crate::migration::migration::Migration;
use crate::migration::parse::{self, Script};

/// How much text is read at a time, in bytes: little enough for the judge not to wait long for the first, and for all cores
/// to be done at about the same time.
const WINDOW: usize = 16 * 1024;

/// Gives all steps with their scripts to `judge`, in order. The thread pool reads them meanwhile, and is never more than a few
/// windows ahead.
pub(super) fn read<'s>(
    migrations: &[Migration],
    steps: &'s [Step],
    mut judge: impl FnMut(&'s Step, &Scripts),
) {
    let mut windows = windows(migrations, steps);
    rayon::in_place_scope_fifo(|scope| {
        // Who reads the next scripts clears away those that are done with: the judge, whom all wait for, has enough to do.
        let mut begin = |judged: Vec<Scripts>| {
            let window = windows.next()?;
            let (sender, receiver) = sync_channel(1);
            scope.spawn_fifo(move |_| {
                drop(judged);
                let scripts: Vec<Scripts> = window.iter().map(|step| scripts(migrations, step)).collect();
                // Nobody waits for it any more where the judge has panicked.
                let _ = sender.send(scripts);
            });
            Some((window, receiver))
        };
        let ahead = rayon::current_num_threads() + 1;
        let mut begun: VecDeque<_> = std::iter::from_fn(|| begin(Vec::new())).take(ahead).collect();
        let mut judged = Vec::new();
        while let Some((window, receiver)) = begun.pop_front() {
            // Where a reader panicked, the scope goes on with that.
            let Ok(scripts) = wait(&receiver) else { break };
            begun.extend(begin(std::mem::replace(&mut judged, scripts)));
            for (step, scripts) in window.iter().zip(&judged) {
                judge(step, scripts);
            }
        }
    });
}

/// What comes through; a thread of the pool does other work of the pool meanwhile, which may be the work that is waited for.
fn wait<T>(receiver: &Receiver<T>) -> Result<T, RecvError> {
    if rayon::current_thread_index().is_none() {
        return receiver.recv();
    }
    loop {
        match receiver.try_recv() {
            Ok(found) => return Ok(found),
            Err(TryRecvError::Disconnected) => return Err(RecvError),
            Err(TryRecvError::Empty) => {
                if rayon::yield_now() != Some(rayon::Yield::Executed) {
                    std::thread::yield_now();
                }
            }
        }
    }
}

/// The steps, as many at a time as fill a window.
fn windows<'s>(migrations: &[Migration], steps: &'s [Step]) -> impl Iterator<Item = &'s [Step]> {
    let mut rest = steps;
    std::iter::from_fn(move || {
        let mut size = 0;
        let within = rest.iter().take_while(|step| {
            let go_on = size < WINDOW;
            let texts = step.up.iter().chain(&step.downs).map(|&index| migrations[index].range.len()); // steps are made of these indexes
            size += texts.sum::<usize>();
            go_on
        });
        let (window, behind) = rest.split_at(within.count());
        rest = behind;
        (!window.is_empty()).then_some(window)
    })
}

fn scripts(migrations: &[Migration], step: &Step) -> Scripts {
    let script = |&index: &usize| -> Script {
        let migration = &migrations[index]; // steps are made of these indexes
        let range = migration.range.clone();
        if migration.judged {
            parse::parse(&migration.text, range)
        } else {
            parse::parse_history(&migration.text, range)
        }
    };
    let up = step.up.as_ref().map(script).unwrap_or_default();
    Scripts { up, downs: step.downs.iter().map(script).collect() }
}
