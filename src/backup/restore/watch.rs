//! Stops what the server does for a plain dump when the time is up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use postgres::{CancelToken, Client};

use super::target::Target;

/// Cancels what the server is doing when the time is up.
pub(super) struct Watch<'a> {
    target: &'a Target,
    state: Mutex<Watched>,
    woken: Condvar,
    struck: AtomicBool,
}

/// Whom to stop.
struct Watched {
    dismissed: bool,
    pid: i32,
    token: CancelToken,
}

impl Watched {
    fn of(client: &mut Client) -> Watched {
        // Asking can't fail on a session just begun; then there is nobody to stop.
        let pid = client.query_one("SELECT pg_catalog.pg_backend_pid()", &[]).map_or(0, |row| row.get(0));
        Watched { dismissed: false, pid, token: client.cancel_token() }
    }
}

impl<'a> Watch<'a> {
    pub(super) fn new(target: &'a Target, client: &mut Client) -> Watch<'a> {
        Watch {
            target,
            state: Mutex::new(Watched::of(client)),
            woken: Condvar::new(),
            struck: AtomicBool::new(false),
        }
    }

    pub(super) fn stand_guard(&self, deadline: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.dismissed {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.struck.store(true, Ordering::SeqCst);
                self.target.cancel(state.pid, &state.token);
            }
            // Struck already: again every second, in case the cancel came between two statements.
            let wait = if left.is_zero() { std::time::Duration::from_secs(1) } else { left };
            state = self.woken.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn watch(&self, client: &mut Client) {
        let watched = Watched::of(client);
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = watched;
    }

    pub(super) fn dismiss(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).dismissed = true;
        self.woken.notify_all();
    }

    pub(super) fn has_struck(&self) -> bool {
        self.struck.load(Ordering::SeqCst)
    }
}
