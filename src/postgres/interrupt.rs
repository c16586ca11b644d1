//! Ctrl-C, SIGTERM and SIGHUP: clean up first, then end as the signal would have ended us.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Something that must not outlive rollsafe.
pub(super) trait Remains: Send + Sync {
    /// Removes it. Called a second time it does nothing.
    fn remove(&self);
}

static LIVE: Mutex<BTreeMap<u64, Arc<dyn Remains>>> = Mutex::new(BTreeMap::new());
static STARTING: Mutex<()> = Mutex::new(());
static LISTENING: Once = Once::new();
static CAUGHT: AtomicBool = AtomicBool::new(false);

/// As long as this lives, a signal that ends rollsafe removes `remains` first.
#[derive(Debug)]
pub(super) struct Registered(u64);

/// Registers `remains`. The first call installs the signal handlers: a program that never starts a
/// server keeps the ones it has.
pub(super) fn register(remains: Arc<dyn Remains>) -> Registered {
    LISTENING.call_once(listen);
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    let number = live.keys().next_back().map_or(0, |last| last + 1);
    live.insert(number, remains);
    Registered(number)
}

impl Drop for Registered {
    fn drop(&mut self) {
        LIVE.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// Held while a process is started and its guard told of it. Once a signal has come it is held for good:
/// nothing starts any more that would be left behind.
pub(super) fn starting() -> MutexGuard<'static, ()> {
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Doesn't come back once a signal has come: what failed since then failed because of the cleaning up, and the
/// process ends by the signal when that is done.
pub(super) fn give_way() {
    while CAUGHT.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

fn listen() {
    // Without handlers the guard still cleans up, only a moment after we are gone.
    // Ctrl-C and a kill are meant for us, whatever the shell does with signals to what it puts into the background.
    let heeded =
        [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| *signal != SIGHUP || !is_ignored(*signal));
    let Ok(mut signals) = Signals::new(heeded) else { return };
    let thread = std::thread::Builder::new().name("rollsafe-signals".into());
    let _ = thread.spawn(move || {
        if let Some(signal) = signals.forever().next() {
            CAUGHT.store(true, Ordering::SeqCst);
            let _nothing_starts_now = starting();
            let remains: Vec<_> =
                LIVE.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
            for one in remains {
                one.remove();
            }
            // Ends the process the way the signal would have, so that shells see it.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    });
}

/// Whether whoever started us had the signal ignored, as nohup does: then it isn't to end us. Told by Linux only.
fn is_ignored(signal: i32) -> bool {
    let read = || {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
        Some(mask >> (signal - 1) & 1 == 1)
    };
    read().unwrap_or(false)
}
