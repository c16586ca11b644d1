//! Runs one program to its end: with a time limit, output captured within bounds, ended with rollsafe.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::guard::Guard;
use super::interrupt;
use super::unprivileged::RunAs;

/// How much of each output stream is kept from its beginning, and again from its end.
const KEPT: usize = 128 * 1024;

/// A program, its arguments and its limits. Standard input is empty unless given.
///
/// The child doesn't inherit `PG*` variables (they would send it to another server) nor a locale
/// (messages are read by rollsafe, so they have to be in English).
#[derive(Debug)]
pub struct Run {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    keep_pg_environment: bool,
    directory: PathBuf,
    input: Option<File>,
    run_as: RunAs,
    limit: Duration,
}

/// What is left of a program that ended by itself.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code or signal.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: Captured,
    /// What it complained about.
    pub stderr: Captured,
    /// How long it took.
    pub took: Duration,
}

/// The beginning and the end of an output stream.
#[derive(Clone, Debug, Default)]
pub struct Captured {
    head: Vec<u8>,
    tail: Vec<u8>,
    total: u64,
}

/// A program could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It didn't start.
    #[error("could not start {}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It was still running at its time limit, and was killed.
    #[error("{} was still running after {} s and was stopped{}", program.display(), limit.as_secs(), last_words(stderr))]
    TimedOut {
        /// The program.
        program: PathBuf,
        /// The limit it had.
        limit: Duration,
        /// What it had complained about until then.
        stderr: Captured,
    },
    /// The operating system lost sight of it.
    #[error("could not wait for {}", program.display())]
    Wait {
        /// The program.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

fn last_words(stderr: &Captured) -> String {
    match stderr.last_line() {
        Some(line) => format!("; its last message: {line}"),
        None => String::new(),
    }
}

impl Run {
    /// `program`, to be stopped if it takes longer than `limit`.
    pub fn new(program: impl Into<PathBuf>, limit: Duration) -> Run {
        Run {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            keep_pg_environment: false,
            directory: PathBuf::from("/"),
            input: None,
            run_as: RunAs::Myself,
            limit,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Run {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Run {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Run {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Leaves `PGHOST`, `PGPASSWORD`, `PGSSLMODE` and their like as the user set them: for programs
    /// that go to the user's own server.
    pub fn keep_pg_environment(mut self) -> Run {
        self.keep_pg_environment = true;
        self
    }

    /// Runs it in `directory` (otherwise `/`, which every user may enter).
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Run {
        self.directory = directory.into();
        self
    }

    /// Gives it `file` as standard input.
    pub fn input(mut self, file: File) -> Run {
        self.input = Some(file);
        self
    }

    /// Runs it as somebody else.
    pub fn run_as(mut self, run_as: RunAs) -> Run {
        self.run_as = run_as;
        self
    }

    /// Runs it to its end. A non-zero exit is not an error here: look at the status.
    ///
    /// # Errors
    /// When it can't be started, or hits its time limit. It is gone then, with all that it started.
    pub fn to_end(self) -> Result<Ended, RunError> {
        let program = self.program.clone();
        let limit = self.limit;
        let started = Instant::now();
        // If rollsafe is killed outright the program must not go on: pg_restore, say, never ends by
        // itself on a tar archive that is cut off.
        let mut guard = Guard::idle();
        let mut child = {
            let _starting = interrupt::starting();
            let child =
                self.spawn().map_err(|source| RunError::Start { program: program.clone(), source })?;
            guard.stop_group(child.id());
            child
        };
        let stdout = child.stdout.take().map(Captured::read_in_background);
        let stderr = child.stderr.take().map(Captured::read_in_background);
        let outcome = wait_until(&mut child, started + limit);
        if !matches!(outcome, Ok(Some(_))) {
            kill_group(&child);
            // Killed outright, so this doesn't block.
            let _ = child.wait();
        }
        drop(guard);
        let stdout = stdout.map(Reading::finish).unwrap_or_default();
        let stderr = stderr.map(Reading::finish).unwrap_or_default();
        match outcome {
            Ok(Some(status)) => Ok(Ended { status, stdout, stderr, took: started.elapsed() }),
            Ok(None) => Err(RunError::TimedOut { program, limit, stderr }),
            Err(source) => Err(RunError::Wait { program, source }),
        }
    }

    fn spawn(self) -> io::Result<Child> {
        let mut command = self.run_as.command(&self.program);
        clean_environment(&mut command, self.keep_pg_environment);
        command
            .args(&self.arguments)
            .envs(self.environment)
            .current_dir(&self.directory)
            .stdin(self.input.map_or_else(Stdio::null, Stdio::from))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Of its own group, so that it is stopped together with what it starts, by us and not
            // by the terminal.
            .process_group(0);
        command.spawn()
    }
}

impl Ended {
    /// Whether it exited with 0.
    pub fn succeeded(&self) -> bool {
        self.status.success()
    }
}

/// Takes away what would lead a PostgreSQL program astray.
pub(super) fn clean_environment(command: &mut Command, keep_pg: bool) {
    for (name, _) in std::env::vars_os() {
        let is_pg = name.as_encoded_bytes().starts_with(b"PG");
        let is_locale = name.as_encoded_bytes().starts_with(b"LC_") || name == "LANG" || name == "LANGUAGE";
        if (is_pg && !keep_pg) || is_locale {
            command.env_remove(&name);
        }
    }
    command.env("LC_ALL", "C");
}

/// The exit status, or none when `deadline` came first.
pub(super) fn wait_until(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    // There is no wait with a time limit in std; polling costs nothing beside starting a process.
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let now = Instant::now();
        if now >= deadline {
            return Ok(None);
        }
        std::thread::sleep(pause.min(deadline - now));
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

pub(super) fn kill_group(child: &Child) {
    if let Some(pid) = Pid::from_raw(child.id() as i32) {
        // Fails only when the group is gone already.
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

/// A stream being read by a thread of its own, so that the child never waits for us.
#[derive(Debug)]
pub(super) struct Reading(std::thread::JoinHandle<Captured>);

impl Reading {
    pub(super) fn finish(self) -> Captured {
        // The reader can't panic; and if it did, output is the least of the worries.
        self.0.join().unwrap_or_default()
    }
}

impl Captured {
    pub(super) fn read_in_background(mut stream: impl Read + Send + 'static) -> Reading {
        Reading(std::thread::spawn(move || {
            let mut captured = Captured::default();
            let mut buffer = vec![0; 16 * 1024];
            loop {
                match stream.read(&mut buffer) {
                    Ok(0) => break,
                    // `read` gives no more than the buffer holds.
                    Ok(count) => captured.push(&buffer[..count]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            captured
        }))
    }

    fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let (to_head, to_tail) = bytes.split_at(bytes.len().min(KEPT - self.head.len()));
        self.head.extend_from_slice(to_head);
        self.tail.extend_from_slice(to_tail);
        if self.tail.len() > 2 * KEPT {
            self.tail.drain(..self.tail.len() - KEPT);
        }
    }

    /// The text; where the middle was dropped a line says how much.
    pub fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.head).into_owned();
        let dropped = self.total - (self.head.len() + self.tail.len()) as u64;
        if dropped > 0 {
            text.push_str(&format!("\n[{dropped} bytes left out]\n"));
        }
        text.push_str(&String::from_utf8_lossy(&self.tail));
        text
    }

    /// Whether nothing was left out.
    pub fn is_complete(&self) -> bool {
        self.total == (self.head.len() + self.tail.len()) as u64
    }

    /// The last line that isn't blank.
    pub fn last_line(&self) -> Option<String> {
        let text = self.text();
        text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    }

    /// The last `count` lines, to quote in a message.
    pub fn last_lines(&self, count: usize) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        // The range's start is at most the length.
        lines[lines.len().saturating_sub(count)..].join("\n")
    }
}

/// The first file called `name` in `PATH`.
pub(super) fn find_in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| is_executable(file))
}

/// Whether `file` is a file somebody may run.
pub(super) fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<Ended, RunError> {
        Run::new("/bin/sh", limit).args(["-c", script]).to_end()
    }

    #[test]
    fn output_and_exit_code_come_back() {
        let ended = shell("echo out; echo err >&2; exit 3", Duration::from_secs(60)).unwrap();
        assert_eq!(ended.status.code(), Some(3));
        assert_eq!(ended.stdout.text(), "out\n");
        assert_eq!(ended.stderr.last_line().as_deref(), Some("err"));
    }

    #[test]
    fn a_program_that_hangs_is_stopped_with_what_it_started() {
        let error = shell("echo stuck >&2; sleep 1000 & wait", Duration::from_millis(300)).unwrap_err();
        assert!(matches!(error, RunError::TimedOut { .. }), "{error:?}");
        assert!(error.to_string().ends_with("its last message: stuck"), "{error}");
    }

    #[test]
    fn endless_output_is_kept_within_bounds() {
        let ended =
            shell("yes 0123456789 | head -c 3000000; echo; echo last", Duration::from_secs(60)).unwrap();
        assert!(ended.stdout.text().len() < 4 * KEPT);
        assert!(!ended.stdout.is_complete());
        assert!(ended.stdout.text().starts_with("0123456789\n"));
        assert_eq!(ended.stdout.last_line().as_deref(), Some("last"));
        assert!(ended.stdout.text().contains("bytes left out]"));
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = Run::new("/nowhere/pg_restore", Duration::from_secs(1)).to_end().unwrap_err();
        assert_eq!(error.to_string(), "could not start /nowhere/pg_restore");
    }
}
