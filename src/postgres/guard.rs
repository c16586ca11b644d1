//! Cleans up after a rollsafe that was killed: a shell waits for rollsafe's end on a pipe.
//!
//! `SIGKILL` and the out-of-memory killer leave no time for destructors. The guard holds the
//! reading end of a pipe whose writing end only rollsafe has; when rollsafe ends, in whatever way,
//! the pipe closes and the guard stops the processes and removes the directories it was told of.
//! A parent-death signal would do less: it exists on Linux only, and follows the starting thread.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Reads process ids (a negative one is a group) until the pipe closes; stops them, politely first; then
/// removes the directories. A group is named as POSIX has it: dash takes `kill -KILL -- -1` for no number.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
pids=
while read -r pid; do pids="$pids $pid"; done
for pid in $pids; do
  case $pid in
    -*) kill -s KILL -- "$pid" ;;
    *)  kill -QUIT "$pid"
        tries=0
        while kill -0 "$pid" && [ "$tries" -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
        kill -KILL "$pid" ;;
  esac
done
[ "$#" -eq 0 ] || rm -rf -- "$@"
"#;

/// A watcher outside this process. Dropping it dismisses it: then nothing is stopped or removed.
#[derive(Debug)]
pub(super) struct Guard {
    // None where no shell could be started: then the next run finds what was left.
    shell: Option<Child>,
}

impl Guard {
    /// Has nothing to do yet.
    pub(super) fn idle() -> Guard {
        Guard::of_directories(&[])
    }

    /// Will remove `directories` and all that is in them.
    pub(super) fn of_directories(directories: &[&Path]) -> Guard {
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "rollsafe-guard"])
            .args(directories)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C goes to the terminal's foreground group: the guard has to outlive it.
            .process_group(0)
            .spawn();
        Guard { shell: shell.ok() }
    }

    /// Will stop the server `pid` before removing anything: `SIGQUIT`, an immediate shutdown, first.
    pub(super) fn stop_server(&mut self, pid: u32) {
        self.tell(&pid.to_string());
    }

    /// Will stop the process group led by `pid`.
    pub(super) fn stop_group(&mut self, pid: u32) {
        self.tell(&format!("-{pid}"));
    }

    fn tell(&mut self, line: &str) {
        if let Some(pipe) = self.shell.as_mut().and_then(|shell| shell.stdin.as_mut()) {
            // The shell is there to read for as long as we hold the pipe.
            let _ = writeln!(pipe, "{line}");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(shell) = self.shell.as_mut() {
            // Killed before its pipe closes, so that it acts on nothing.
            let _ = shell.kill();
            let _ = shell.wait();
        }
    }
}
